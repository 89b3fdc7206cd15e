//! The attached shadows: their tokens, what was asked of them, and what is known of their documents.

use std::collections::BTreeMap;

use serde_json::Value;
use shadow_core::tencent::{Operation, ShadowName};
use shadow_core::{RequestId, ShadowId};

use super::driver::Driver;
use super::ledger::Ledger;
use super::own::OwnRequest;
use super::start::Beginning;
use super::tokens::first_tokens;

/// A shadow request that left.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: RequestId,
    pub(super) operation: Operation,
    /// `state` of an update, if it is printed.
    pub(super) state: Option<serde_json::Value>,
    pub(super) line: Option<usize>,
    pub(super) answered: bool,
}

/// An attached shadow.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) id: ShadowId,
    pub(super) next_token: u64,
    /// Up to where tokens counted before they began again.
    pub(super) tokens_before: u64,
    pub(super) asked: BTreeMap<u64, Asked>,
    /// The lines of requests that had no reply when the tokens began again.
    pub(super) unanswered: Vec<usize>,
    /// What the application sent of its own and is not answered.
    pub(super) own: Vec<OwnRequest>,
    /// How many tokens of the SDK's may have been taken for these.
    pub(super) unsent_tokens: u64,
    pub(super) ledger: Ledger,
    pub(super) refused: bool,
}

impl Attached {
    pub(super) fn new(id: ShadowId, next_token: u64) -> Attached {
        Attached {
            id,
            next_token,
            tokens_before: 0,
            asked: BTreeMap::new(),
            unanswered: Vec::new(),
            own: Vec::new(),
            unsent_tokens: 0,
            ledger: Ledger::default(),
            refused: false,
        }
    }

    /// What has no reply gets none that the engine would match; returns it.
    pub(super) fn give_up_requests(&mut self) -> Vec<RequestId> {
        let asked = std::mem::take(&mut self.asked).into_values();
        let mut given_up = Vec::new();
        for asked in asked.filter(|asked| !asked.answered) {
            given_up.push(asked.request);
            self.unanswered.extend(asked.line);
        }
        given_up
    }
}

impl Driver<'_> {
    pub(super) fn attach(&mut self, name: &ShadowName, first_token: u64) -> bool {
        let Ok(id) = self.device.engine.attach(self.device.now, name) else {
            return false;
        };
        let left = self.left.remove(name);
        let shadow = left.unwrap_or_else(|| Attached::new(id, first_token));
        let attached = self.shadows.entry(name.clone()).or_insert(shadow);
        attached.id = id;
        attached.refused = false;
        let next = attached.next_token;
        // The shadow was just attached.
        let _ = self.device.engine.set_next_token(id, next);
        true
    }

    /// The first token after the SUBSCRIBE at `at`: the SDK begins again at 0 when a shadow is
    /// initialised, unless the lines that follow go on counting. An application may have
    /// subscribed the topic without that.
    pub(super) fn token_after_subscription(
        &self,
        at: usize,
        name: &ShadowName,
        before: Option<u64>,
    ) -> u64 {
        let end = self.outline.next_subscription(name, at);
        let lines = self.outline.lines.get(at..end).unwrap_or_default();
        let shown = first_tokens(lines, at, self.replies, Beginning::Middle);
        let shown = shown.get(name).copied().unwrap_or_default();
        // A reply to a token of the count before shows that it began again.
        let begins_again = |before: u64| {
            let from = self.replies.partition_point(|reply| reply.line < at);
            let replies = self.replies.get(from..).unwrap_or_default();
            let mut replies = replies.iter().take_while(|reply| reply.line < end);
            replies.any(|reply| reply.shadow == *name && reply.token < before)
        };
        match before {
            Some(before) if shown != before || begins_again(before) => 0,
            None if self.complete => 0,
            _ => shown,
        }
    }

    /// The shadow's tokens go on with `next`. If they begin again, what was asked before is not
    /// told apart from what is asked now, but for the replies that come late.
    pub(super) fn restart_tokens(&mut self, name: &ShadowName, next: u64) {
        if let Some(shadow) = self.shadows.get_mut(name)
            && next < shadow.next_token
        {
            for request in shadow.give_up_requests() {
                self.device.withdraw(request);
            }
            shadow.tokens_before = shadow.tokens_before.max(shadow.next_token);
        }
        self.set_next_token(name, next);
    }

    pub(super) fn set_next_token(&mut self, name: &ShadowName, next: u64) {
        if let Some(shadow) = self.shadows.get_mut(name) {
            shadow.next_token = next;
            let _ = self.device.engine.set_next_token(shadow.id, next);
        }
    }

    pub(super) fn note_request(
        &mut self,
        name: &ShadowName,
        request: RequestId,
        operation: Operation,
        state: Option<Value>,
        line: Option<usize>,
    ) {
        self.device.opened(request);
        if let Some(shadow) = self.shadows.get_mut(name) {
            let token = shadow.next_token;
            shadow.next_token += 1;
            shadow.asked.insert(
                token,
                Asked {
                    request,
                    operation,
                    state,
                    line,
                    answered: false,
                },
            );
            // Only what may still be answered is of use.
            if shadow.asked.len() > 1024 {
                shadow.asked.pop_first();
            }
        }
    }

    pub(super) fn last_request(&self, name: &ShadowName) -> Option<RequestId> {
        let (_, asked) = self.shadows.get(name)?.asked.last_key_value()?;
        Some(asked.request)
    }
}
