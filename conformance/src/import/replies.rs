//! Messages on a shadow's result topic: which request each answers, and whether it may say what it
//! says.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use shadow_core::event::UnmatchedReason;
use shadow_core::tencent::{Document, Operation, ShadowName};
use shadow_core::{Event, Outcome};

use super::driver::Driver;
use super::ledger;
use super::own;
use super::shadows::Attached;
use super::tokens::token_number;

/// A shadow message as it is printed.
#[derive(Deserialize)]
struct Printed<'a> {
    #[serde(rename = "type")]
    kind: Option<Value>,
    #[serde(rename = "clientToken")]
    token: Option<Value>,
    result: Option<i64>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

impl Driver<'_> {
    /// A reply may show a request that is not printed.
    pub(super) fn prepare_reply(&mut self, at: usize, name: &ShadowName, json: &str) {
        let Ok(printed) = serde_json::from_str::<Printed<'_>>(json) else {
            return;
        };
        let operation = match printed.kind.as_ref().and_then(Value::as_str) {
            Some("get") => Operation::Get,
            Some("update") => Operation::Update,
            _ => return,
        };
        let token = printed.token.as_ref().and_then(Value::as_str);
        let number = token.and_then(|token| token_number(token, name));
        let next = self.shadows.get(name).map(|shadow| shadow.next_token);
        if let (Some(number), Some(next)) = (number, next)
            && number >= next
            && !token.is_some_and(|token| self.awaits_own_reply(name, token))
        {
            self.fill_for_reply(at, name, number, operation);
        }
    }

    /// What the engine made of a message on a shadow's topic. Some note if that is not all that is
    /// printed.
    pub(super) fn shadow_message(
        &mut self,
        at: usize,
        name: &ShadowName,
        json: &str,
        events: &[Event],
    ) -> Result<Option<String>, String> {
        let printed: Printed<'_> = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let payload = printed.payload.map_or("null", RawValue::get);
        let value: Value = serde_json::from_str(payload).map_err(|error| error.to_string())?;
        let same = |document: &Document| {
            if document.as_json() == payload {
                Ok(())
            } else {
                Err(format!(
                    "expected the document {payload}, found {}",
                    document.as_json()
                ))
            }
        };
        let token = printed.token.as_ref().map(own::text_of_token);
        if let Some(own) =
            self.take_own_reply(name, token.as_deref(), printed.kind.as_ref(), events)
        {
            self.answered = true;
            let entry = own.entry(printed.result.unwrap_or_default());
            if let (Some(entry), Some(attached)) = (entry, self.shadows.get_mut(name)) {
                attached.ledger.take(&entry, &value)?;
            }
            return Ok(Some(
                "it answers a request of the application's own; the engine tells it as no answer \
                 to its requests"
                    .to_owned(),
            ));
        }
        let Some(event) = events.first() else {
            // Each delta is told once.
            return Ok(Some("the engine told this delta before".to_owned()));
        };
        let place = self.place(at);
        let is_of_before = !self.complete
            && !self.answered
            && token
                .as_deref()
                .and_then(|token| token_number(token, name))
                .is_none();
        self.answered |= matches!(event, Event::Ended { .. });
        let attached = self
            .shadows
            .get_mut(name)
            .ok_or("its shadow is not subscribed")?;
        let mut note = None;
        match event {
            Event::Ended { request, outcome } => {
                let number = token.as_deref().and_then(|token| token_number(token, name));
                let asked = number.and_then(|number| attached.asked.get_mut(&number));
                let asked = asked
                    .filter(|asked| asked.request == *request)
                    .ok_or("the engine matched the reply to another request")?;
                asked.answered = true;
                if asked.line.is_none() {
                    note = Some("the request that it answers is not printed".to_owned());
                }
                let (code, document) = match outcome {
                    Outcome::Accepted(document) => (0, document),
                    Outcome::Rejected { code, document } => (*code, document),
                    other => return Err(format!("the engine ends its request as {other:?}")),
                };
                let result = printed.result.unwrap_or_default();
                if code != result {
                    return Err(format!("expected result {result}, found {code}"));
                }
                same(document)?;
                let state = asked.state.clone();
                let operation = asked.operation;
                let entry = match (operation, code) {
                    (Operation::Get, 0) | (_, shadow_core::tencent::VERSION_CONFLICT) => {
                        Some(ledger::Entry::Full)
                    }
                    (Operation::Update, 0) => Some(ledger::Entry::Updated(state.as_ref())),
                    _ => None,
                };
                let has_state = value
                    .get("state")
                    .and_then(Value::as_object)
                    .is_some_and(|state| state.values().any(|part| !part.is_null()));
                if code != 0 && code != shadow_core::tencent::VERSION_CONFLICT && has_state {
                    return Err(format!(
                        "expected result 0 or {} with a state, found {code}: a refused request \
                         changes nothing",
                        shadow_core::tencent::VERSION_CONFLICT
                    ));
                }
                if code != 0 {
                    self.findings.push(format!(
                        "{place}: the cloud refuses the request with {code}"
                    ));
                }
                if let Some(entry) = entry {
                    attached.ledger.take(&entry, &value)?;
                }
            }
            Event::Delta(delta) => {
                if delta.state.as_str() != value_text(payload, "state") {
                    return Err(format!(
                        "expected the delta of {payload}, found {}",
                        delta.state
                    ));
                }
                attached.ledger.take(&ledger::Entry::Delta, &value)?;
            }
            Event::Unmatched(unmatched) => {
                same(&unmatched.document)?;
                let number = token.as_deref().and_then(|token| token_number(token, name));
                let asked = number.and_then(|number| attached.asked.get(&number));
                // The engine remembers the last few only.
                let reason = match unmatched.reason {
                    UnmatchedReason::Late if asked.is_some_and(|asked| asked.answered) => {
                        UnmatchedReason::Duplicate
                    }
                    reason => reason,
                };
                let token = token.unwrap_or_default();
                match reason {
                    UnmatchedReason::Tokenless => {
                        self.findings
                            .push(format!("{place}: a reply without a token"));
                        note = Some("without a token it answers no request".to_owned());
                    }
                    UnmatchedReason::Late => {
                        self.findings
                            .push(format!("{place}: the reply to {token} comes late"));
                        note = Some("its request was given up when the link was lost".to_owned());
                    }
                    UnmatchedReason::Foreign if is_of_before => {
                        note = Some("what it answers is before the excerpt".to_owned());
                    }
                    UnmatchedReason::Duplicate | UnmatchedReason::Foreign
                        if token_number(&token, name)
                            .is_some_and(|number| number < attached.tokens_before)
                            && !attached.unanswered.is_empty() =>
                    {
                        attached.unanswered.remove(0);
                        self.findings.push(format!(
                            "{place}: the reply to {token} of before the tokens began again"
                        ));
                        note = Some(
                            "it answers a request of before the shadow was initialised again"
                                .to_owned(),
                        );
                    }
                    UnmatchedReason::Duplicate => {
                        return Err(format!(
                            "expected a reply to an open request, found one more to {token}, which \
                             was answered before"
                        ));
                    }
                    UnmatchedReason::Foreign => {
                        return Err(format!(
                            "expected a reply to a request that was sent, found {token}, which \
                             answers none (or another operation)"
                        ));
                    }
                }
            }
            Event::InvalidMessage { error, .. } if !is_open(attached, token.as_deref(), name) => {
                self.findings
                    .push(format!("{place}: no shadow message: {error}"));
                note = Some(format!("the engine tells it as no shadow message: {error}"));
            }
            Event::InvalidMessage { error, .. } => {
                return Err(format!(
                    "the engine takes it for no shadow message: {error}"
                ));
            }
            other => return Err(format!("the engine makes of it: {other:?}")),
        }
        Ok(note)
    }
}

/// Whether the token is that of a request that waits for its reply.
fn is_open(attached: &Attached, token: Option<&str>, name: &ShadowName) -> bool {
    let number = token.and_then(|token| token_number(token, name));
    number
        .and_then(|number| attached.asked.get(&number))
        .is_some_and(|asked| !asked.answered)
}

/// The text of a member of a JSON object.
fn value_text<'a>(object: &'a str, key: &str) -> &'a str {
    serde_json::from_str::<std::collections::BTreeMap<String, &RawValue>>(object)
        .ok()
        .and_then(|members| members.get(key).map(|raw| raw.get()))
        .unwrap_or("null")
}
