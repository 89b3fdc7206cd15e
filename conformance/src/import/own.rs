//! Requests that the application wrote itself, instead of having the SDK construct them.
//!
//! `shadowUpdate` publishes any dict. The engine makes one form of each request, with tokens of its
//! own; what differs from that leaves the engine as a plain message on the shadow's topic, byte for
//! byte. Its reply then answers no request of the engine's, which says so.

use serde_json::Value;
use shadow_core::json::{Json, JsonStyle};
use shadow_core::mqtt::QoS;
use shadow_core::tencent::{Operation, Part, ShadowName, Update, request};
use shadow_core::{Event, Publication};

use super::driver::Driver;
use super::fault::Fault;
use super::ledger;
use super::tokens::token_number;
use crate::log::{Payload, Statement};

/// A request of the application's own that left.
#[derive(Debug)]
pub(super) struct OwnRequest {
    /// `clientToken`, as the cloud repeats it.
    token: Option<String>,
    /// None if `type` is neither.
    operation: Option<Operation>,
    state: Option<Value>,
    /// False if only its length is.
    is_known: bool,
}

/// What a reply to an [`OwnRequest`] shows.
pub(super) struct OwnReply {
    operation: Option<Operation>,
    state: Option<Value>,
}

impl OwnReply {
    /// What it says of the shadow's document.
    pub(super) fn entry(&self, code: i64) -> Option<ledger::Entry<'_>> {
        match (self.operation, code) {
            (_, shadow_core::tencent::VERSION_CONFLICT) | (Some(Operation::Get), 0) => {
                Some(ledger::Entry::Full)
            }
            (Some(Operation::Update), 0) => Some(ledger::Entry::Updated(self.state.as_ref())),
            _ => None,
        }
    }
}

impl Driver<'_> {
    /// Why the engine cannot make this request of its own, if it cannot.
    pub(super) fn is_own_request(
        &self,
        line: usize,
        name: &ShadowName,
        json: &str,
    ) -> Option<&'static str> {
        let token = super::identity::token_of(json);
        let Some(number) = token.as_deref().and_then(|token| token_number(token, name)) else {
            return self
                .may_be_own(line, name, json)
                .then_some("its clientToken is not the SDK's");
        };
        if !is_of_the_engines_form(json, JsonStyle::Python) {
            return Some("it is not of the form that the engine writes");
        }
        let shadow = self.shadows.get(name)?;
        let is_open = shadow
            .asked
            .get(&number)
            .is_some_and(|asked| !asked.answered);
        let is_next = number == shadow.next_token
            || number > shadow.next_token
                && self.may_skip_tokens(line, name, shadow.next_token, number);
        let is_answered = self.replied(line, name, number) == Some(Operation::Update);
        (!is_next && !is_open && is_answered && self.has_sent_all_before(line))
            .then_some("the SDK would have given it another clientToken")
    }

    /// Whether the reply to the request repeats its token, or at least none answers the request that
    /// the SDK would have made of it.
    fn may_be_own(&self, line: usize, name: &ShadowName, json: &str) -> bool {
        let value: Option<Value> = serde_json::from_str(json).ok();
        let token = value.and_then(|value| value.get("clientToken").map(text_of_token));
        let later = self.outline.lines.get(line + 1..).unwrap_or_default();
        let is_repeated = later.iter().take(4096).any(|line| match &line.statement {
            Statement::OnPayload {
                payload: Payload::Json(json),
                ..
            } => {
                let reply: Option<Value> = serde_json::from_str(json).ok();
                reply.is_some_and(|reply| {
                    reply.get("clientToken").map(text_of_token) == token
                        && reply.get("result").is_some()
                })
            }
            _ => false,
        });
        let next = self.shadows.get(name).map_or(0, |shadow| shadow.next_token);
        is_repeated || self.replied(line, name, next) != Some(Operation::Update)
    }

    /// Whether no packets are missing up to the PUBLISH that `line` announces.
    fn has_sent_all_before(&self, line: usize) -> bool {
        let later = self.outline.lines.get(line..).unwrap_or_default();
        let number = later
            .iter()
            .find_map(|line| line.statement.allocated_number());
        number == Some(self.next_number)
    }

    /// Has the engine publish a request of the application's own.
    pub(super) fn send_own_request(
        &mut self,
        line: usize,
        name: &ShadowName,
        json: &str,
        why: &str,
    ) -> Result<(), String> {
        let topic = name.operation_topic();
        let publication = Publication {
            topic: &topic,
            payload: json.as_bytes(),
            qos: QoS::AtMostOnce,
            retain: false,
        };
        let asked = self.device.engine.publish(self.device.now, &publication);
        let request = asked.map_err(|error| error.to_string())?;
        if !self.device.is_online() {
            self.device.withdraw(request);
        }
        let value: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let token = value.get("clientToken").map(text_of_token);
        let number = token.as_deref().and_then(|token| token_number(token, name));
        self.faults.insert(Fault::PublishesAnyDocument);
        self.findings.push(format!(
            "{}: a request of the application's own: {why}",
            self.place(line)
        ));
        let next = self.shadows.get(name).map_or(0, |shadow| shadow.next_token);
        let constructed = number.is_some_and(|number| {
            number == next || number > next && self.may_skip_tokens(line, name, next, number)
        });
        if let Some(number) = number
            && constructed
        {
            self.set_next_token(name, number + 1);
        }
        if let Some(shadow) = self.shadows.get_mut(name) {
            shadow.own.push(OwnRequest {
                token,
                operation: operation(value.get("type")),
                state: value.get("state").cloned(),
                is_known: true,
            });
            // Only what may still be answered is of use.
            if shadow.own.len() > 1024 {
                shadow.own.remove(0);
            }
            shadow.unsent_tokens += u64::from(!constructed);
        }
        Ok(())
    }

    /// Has the engine publish something of this length in the place of a request whose
    /// `[shadow update]` is before the excerpt, and which is no form of the SDK's.
    pub(super) fn send_unknown_request(
        &mut self,
        name: &ShadowName,
        length: usize,
    ) -> Result<(), String> {
        let payload = vec![b'x'; length];
        let topic = name.operation_topic();
        let publication = Publication::new(&topic, &payload);
        let asked = self.device.engine.publish(self.device.now, &publication);
        asked.map_err(|error| error.to_string())?;
        if let Some(shadow) = self.shadows.get_mut(name) {
            shadow.own.push(OwnRequest {
                token: None,
                operation: None,
                state: None,
                is_known: false,
            });
            shadow.unsent_tokens += 1;
        }
        Ok(())
    }

    /// Whether a request of the application's own waits for a reply with this token.
    pub(super) fn awaits_own_reply(&self, name: &ShadowName, token: &str) -> bool {
        self.shadows.get(name).is_some_and(|shadow| {
            shadow
                .own
                .iter()
                .any(|own| own.token.as_deref() == Some(token))
        })
    }

    /// Takes the oldest request of the application's own that this reply, which the engine matched
    /// to none, answers.
    pub(super) fn take_own_reply(
        &mut self,
        name: &ShadowName,
        token: Option<&str>,
        kind: Option<&Value>,
        events: &[Event],
    ) -> Option<OwnReply> {
        if !matches!(
            events.first(),
            Some(Event::Unmatched(_) | Event::InvalidMessage { .. })
        ) {
            return None;
        }
        let replied = operation(kind);
        let own = &mut self.shadows.get_mut(name)?.own;
        let same = |own: &OwnRequest| {
            own.is_known && own.token.as_deref() == token && own.operation == replied
        };
        let place = own.iter().position(same);
        let place = place.or_else(|| own.iter().position(|own| !own.is_known))?;
        let OwnRequest {
            operation,
            state,
            is_known,
            ..
        } = own.remove(place);
        Some(OwnReply {
            operation: if is_known { operation } else { replied },
            state,
        })
    }

    /// The token of a get after requests of the application's own, each of which may have taken one
    /// that it did not use: the first of these that a get is answered with.
    pub(super) fn skip_unsent_tokens(&mut self, at: usize, name: &ShadowName) {
        let Some(shadow) = self.shadows.get(name).filter(|s| s.unsent_tokens > 0) else {
            return;
        };
        let (next, unsent) = (shadow.next_token, shadow.unsent_tokens);
        let used = (next..=next + unsent.min(64))
            .find(|token| self.replied(at, name, *token) == Some(Operation::Get));
        if let Some(used) = used.filter(|used| *used > next) {
            self.findings.push(format!(
                "{}: tokens -{next} up to -{used} were taken and never sent",
                self.place(at)
            ));
            self.set_next_token(name, used);
            if let Some(shadow) = self.shadows.get_mut(name) {
                shadow.unsent_tokens -= used - next;
            }
        }
    }
}

/// A token as the cloud repeats it: a number becomes text (vendor doc 634/14072).
pub(super) fn text_of_token(token: &Value) -> String {
    match token {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn operation(kind: Option<&Value>) -> Option<Operation> {
    match kind.and_then(Value::as_str) {
        Some("get") => Some(Operation::Get),
        Some("update") => Some(Operation::Update),
        _ => None,
    }
}

/// Whether the engine, asked for the same with the same token, writes this text.
pub(super) fn is_of_the_engines_form(json: &str, style: JsonStyle) -> bool {
    let Some(token) = super::identity::token_of(json) else {
        return false;
    };
    let Ok(parsed) = request::parse_request(json.as_bytes()) else {
        return false;
    };
    let mut text = Vec::new();
    if parsed.operation == Operation::Get {
        request::write_get(&token, style, &mut text);
        return text == json.as_bytes();
    }
    let part = |part: Part<'_>| match part {
        Part::Absent => None,
        Part::Null => Json::new("null").ok(),
        Part::Object(text) => Json::new(text).ok(),
    };
    macro_rules! write {
        ($update:expr) => {{
            let mut update = $update.overwrite(parsed.overwrite);
            if let Some(version) = parsed.version {
                update = update.version(version);
            }
            update.write(&token, style, &mut text)
        }};
    }
    let written = match (part(parsed.reported), part(parsed.desired)) {
        (Some(reported), Some(desired)) => {
            write!(Update::new().reported(reported).desired(desired))
        }
        (Some(reported), None) => write!(Update::new().reported(reported)),
        (None, Some(desired)) => write!(Update::new().desired(desired)),
        (None, None) => return false,
    };
    written.is_ok() && text == json.as_bytes()
}
