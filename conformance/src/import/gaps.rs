//! Requests that the log does not print, where numbers and replies show that there were some.

use serde_json::Value;
use shadow_core::tencent::{Operation, ShadowName, Update};

use super::driver::Driver;
use super::numbers::{after, distance};
use super::report::Verdict;
use super::tokens::token_number;
use crate::log::Statement;

/// Most packets that are named one by one when they are not printed.
const NAMED: usize = 8;

impl Driver<'_> {
    /// A request that the log does not print.
    pub(super) fn ask_unprinted(&mut self, name: &ShadowName, token: u64, operation: Operation) {
        self.set_next_token(name, token);
        let Some(id) = self.shadows.get(name).map(|shadow| shadow.id) else {
            return;
        };
        let now = self.device.now;
        let asked = match operation {
            Operation::Get => self.device.engine.get(now, id),
            Operation::Update => self.device.engine.update(
                now,
                id,
                &Update::new().reported(Value::Object(Default::default())),
            ),
        };
        if let Ok(request) = asked {
            self.note_request(name, request, operation, None, None);
        }
    }

    /// What reply, if any, the log prints to a token; only after `at`.
    pub(super) fn replied(&self, at: usize, name: &ShadowName, token: u64) -> Option<Operation> {
        let from = self.replies.partition_point(|reply| reply.line < at);
        let later = self.replies.get(from..).unwrap_or_default();
        let end = self.outline.next_subscription(name, at);
        later
            .iter()
            .take(4096)
            .take_while(|reply| reply.line < end)
            .find(|reply| reply.token == token && reply.shadow == *name)
            .map(|reply| reply.operation)
    }

    /// Sends what the log leaves out, so that the next packet has `number` and, if it is a shadow's,
    /// the next token is `token`. False if the gap cannot be one of unprinted requests.
    pub(super) fn fill_gap(
        &mut self,
        at: usize,
        number: u16,
        tokens: Option<(&ShadowName, u64)>,
    ) -> bool {
        let gap = distance(self.next_number, number);
        let token_gap = tokens.and_then(|(name, token)| {
            let shadow = self.shadows.get(name)?;
            token.checked_sub(shadow.next_token)
        });
        if gap == 0 {
            return true;
        }
        if gap > 0x8000 {
            return false;
        }
        let at_seam = !self.complete && !self.sent;
        let mut missing = self.next_number;
        let mut whole = true;
        let mut names = Vec::new();
        for _ in 0..gap {
            whole &= !self.called_back.contains(&missing)
                && self
                    .printed_numbers
                    .get(&missing)
                    .is_none_or(|line| *line < at);
            if names.len() < NAMED {
                names.push(format!("m{missing}"));
            }
            missing = after(missing);
        }
        let confirmed =
            self.called_back.contains(&number) || self.printed_numbers.contains_key(&after(number));
        if !(at_seam || whole && confirmed) {
            return false;
        }
        let of_shadow =
            token_gap.map_or(0, |tokens| usize::try_from(tokens).unwrap_or(gap).min(gap));
        for _ in of_shadow..gap {
            let outputs = self.device.stand_in();
            self.translate(at, outputs, Some("not printed"), false);
        }
        let mut words = Vec::new();
        if let Some((name, token)) = tokens {
            let first = token - of_shadow as u64;
            for token in first..token {
                let replied = self.replied(at, name, token);
                let operation = replied.unwrap_or(Operation::Get);
                if words.len() < NAMED {
                    words.push(match replied {
                        Some(operation) => {
                            format!("the reply to token -{token} shows {}", article(operation))
                        }
                        None => format!("nothing shows what token -{token} was"),
                    });
                }
                self.ask_unprinted(name, token, operation);
                self.absorb_as(at, Some("not printed"), false);
            }
        }
        if gap > names.len() {
            names.push(format!("{} more", gap - names.len()));
        }
        if words.is_empty() {
            words.push("nothing shows what was sent".to_owned());
        }
        let what = format!("{}: sent, but not printed", names.join(", "));
        let reason = format!("the numbers go on with m{number}; {}", words.join("; "));
        self.not_printed(at, &what, Verdict::inferred(reason));
        true
    }

    /// Requests whose reply is printed although they are not. False where they cannot have been.
    pub(super) fn fill_for_reply(
        &mut self,
        at: usize,
        name: &ShadowName,
        token: u64,
        operation: Operation,
    ) -> bool {
        let Some(shadow) = self.shadows.get(name) else {
            return false;
        };
        let next = shadow.next_token;
        if token < next || token - next > 4096 {
            return false;
        }
        let at_seam = !self.complete && !self.sent;
        let waiting = shadow
            .asked
            .values()
            .any(|asked| !asked.answered && asked.operation == operation && asked.line.is_some());
        let is_own = !shadow.own.is_empty();
        if !at_seam && (token > next || waiting || is_own || self.sent_later(at, name, token)) {
            return false;
        }
        for token in next..=token {
            let operation = self.replied(at, name, token).unwrap_or(operation);
            self.ask_unprinted(name, token, operation);
            self.absorb_as(at, Some("not printed"), false);
        }
        let what = format!("a request with token {}-{token}", name.product_id());
        let reason = match token - next {
            0 => format!("it is not printed; its reply shows {}", article(operation)),
            more => format!(
                "it is not printed, nor {more} before it; its reply shows {}",
                article(operation)
            ),
        };
        self.not_printed(at, &what, Verdict::inferred(reason));
        true
    }

    /// Whether a line after `at` sends this token.
    pub(super) fn sent_later(&self, at: usize, name: &ShadowName, token: u64) -> bool {
        let mut gets = 0;
        for line in self
            .outline
            .lines
            .get(at..)
            .unwrap_or_default()
            .iter()
            .take(4096)
        {
            match &line.statement {
                Statement::ShadowUpdate { json } => {
                    let printed = super::identity::token_of(json);
                    if let Some(printed) = printed.and_then(|text| token_number(&text, name)) {
                        return printed.saturating_sub(gets) <= token;
                    }
                }
                Statement::SendingPublish {
                    topic, dup: false, ..
                } if ShadowName::from_operation_topic(topic).as_ref() == Some(name) => {
                    gets += 1;
                }
                _ => {}
            }
        }
        // Requests without a printed token: the first of them has the next one.
        gets > 0
    }

    /// The token of a get whose number is beyond the next one, by the first update printed after it.
    pub(super) fn token_of_get(&self, at: usize, name: &ShadowName, number: u16) -> Option<u64> {
        if distance(self.next_number, number) == 0 {
            return None;
        }
        if !self.complete && !self.sent {
            return self.tokens_of_stretch.get(name).copied();
        }
        let (mut gets, mut last) = (0, number);
        for line in self.outline.lines.get(at..)?.iter().take(1024) {
            match &line.statement {
                Statement::ShadowUpdate { json } => {
                    let token = token_number(&super::identity::token_of(json)?, name)?;
                    return token.checked_sub(gets);
                }
                Statement::SendingPublish {
                    topic,
                    dup: false,
                    message_number,
                    ..
                } => {
                    if gets > 0 && *message_number != after(last) {
                        break;
                    }
                    last = *message_number;
                    if ShadowName::from_operation_topic(topic).as_ref() == Some(name) {
                        gets += 1;
                    }
                }
                _ => {}
            }
        }
        let from = self.replies.partition_point(|reply| reply.line < at);
        let reply = self.replies.get(from..)?.iter().find(|reply| {
            reply.shadow == *name
                && self
                    .shadows
                    .get(name)
                    .is_some_and(|shadow| reply.token >= shadow.next_token)
        });
        reply.map(|reply| reply.token)
    }

    /// Whether tokens may have been taken for updates that were never sent: no reply may name them.
    pub(super) fn may_skip_tokens(
        &self,
        at: usize,
        name: &ShadowName,
        next: u64,
        number: u64,
    ) -> bool {
        (next..number)
            .take(4096)
            .all(|token| self.replied(at, name, token).is_none())
            && self.replied(at, name, number).is_some()
    }
}

fn article(operation: Operation) -> &'static str {
    match operation {
        Operation::Get => "that it was a get",
        Operation::Update => "that it was an update",
    }
}
