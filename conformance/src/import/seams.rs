//! Where one file ends and another begins: what may have happened between them.

use shadow_core::TransportFailure;

use super::device::Link;
use super::driver::Driver;
use super::keep_alive::Activity;
use super::outline::{Line, Outline};
use super::queue::{Each, Queue};
use super::report::Verdict;
use super::start::{Beginning, Subscriptions, beginning};
use super::tokens::first_tokens;
use crate::log::{Statement, Thread};

impl Driver<'_> {
    /// Begins a stretch of lines before which others may be missing.
    pub(super) fn begin_stretch(&mut self, at: usize) {
        self.seen = Each::default();
        self.sent = false;
        self.answered = false;
        self.stretch = at;
        self.complete = false;
        self.activity = Activity::all(false);
        let stretch = stretch_lines(self.outline, at);
        self.first_of_stretch = stretch
            .iter()
            .find_map(|line| line.statement.allocated_number());
        // An update may be announced in one excerpt and leave in the next.
        let next = stretch
            .iter()
            .find(|line| line.thread == Some(Thread::Application));
        let announced = self.pending.update.as_ref().map(|(_, json)| json.len());
        let leaves = next.is_some_and(|line| {
            matches!(line.statement, Statement::SendingPublish { length, .. }
                if Some(length) == announced)
        });
        if !leaves {
            self.settle_pending(at);
        }
        let beginning = beginning(stretch);
        self.tokens_of_stretch = first_tokens(stretch, at, self.replies, beginning);
        let subscriptions = Subscriptions::before(stretch, self.identity);
        let mut done = Vec::new();
        if matches!(beginning, Beginning::Start | Beginning::Reconnect) {
            self.lose_unprinted(at);
        }
        // The end of a login that the lines before the seam refused.
        let ends = self.queues[Queue::Network]
            .iter()
            .any(|due| matches!(due.statement, Statement::StateError { .. }));
        if matches!(beginning, Beginning::Handshake | Beginning::Middle)
            && !(beginning == Beginning::Handshake && ends)
        {
            if self.device.link == Link::Closed {
                self.reopen(None);
            }
            if matches!(self.device.link, Link::Down | Link::Wanted) {
                self.want_link(at);
                self.device.engine.handle_connected(self.device.now);
                self.device.drain();
                done.push("a connection");
            }
        }
        if beginning == Beginning::Middle {
            if self.device.link == Link::Handshake {
                let accepted = [0x20, 2, 0, 0];
                self.device.engine.handle_bytes(self.device.now, &accepted);
                self.absorb_as(at, Some("not printed"), true);
                done.push("CONNACK");
            }
            for name in &subscriptions.shadows {
                let first = self.first_tokens.get(name).copied().unwrap_or_default();
                let number = self.next_number;
                let is_next = self.first_of_stretch == Some(number);
                if is_next && self.shadows.contains_key(name) {
                    // The SDK goes on using a shadow that it does not subscribe again.
                    continue;
                }
                if !self.attach(name, first) {
                    continue;
                }
                if let Some(shown) = self.tokens_of_stretch.get(name).copied() {
                    let next = self.shadows.get(name).map_or(0, |shadow| shadow.next_token);
                    self.restart_tokens(name, shown.min(next));
                }
                self.absorb_as(at, Some("not printed"), false);
                if !subscriptions.awaits_suback {
                    let [high, low] = number.to_be_bytes();
                    let granted = [0x90, 3, high, low, 0];
                    self.device.engine.handle_bytes(self.device.now, &granted);
                    self.device.drain();
                    self.pending_subacks
                        .retain(|(pending, _)| *pending != number);
                }
                done.push("a subscription");
            }
        }
        if !done.is_empty() {
            let verdict = Verdict::inferred("what comes next needs it");
            self.not_printed(at, &done.join(", "), verdict);
        }
    }
}

impl Driver<'_> {
    /// Ends the link where the lines that told of it may be left out.
    fn lose_unprinted(&mut self, at: usize) {
        let was_online = self.device.is_online();
        if !was_online && self.device.link != Link::Handshake {
            return;
        }
        let now = self.device.now;
        self.device
            .engine
            .handle_disconnected(now, TransportFailure::ClosedByPeer);
        self.absorb_as(at, Some("not printed"), false);
        for rc in [0, 1] {
            if was_online {
                self.expect_maybe(at, Thread::Callback, Statement::OnDisconnect { rc });
            }
        }
    }
}

/// The lines from `at` up to where others may be missing again.
pub(super) fn stretch_lines(outline: &Outline, at: usize) -> &[Line] {
    let lines = outline.lines.get(at..).unwrap_or_default();
    let next = lines.iter().skip(1).position(|line| line.seam);
    lines
        .get(..next.map_or(lines.len(), |next| next + 1))
        .unwrap_or_default()
}
