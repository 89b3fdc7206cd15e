//! QoS 1 messages that wait for their turn: paho has 20 under way at a time.
//!
//! The call that publishes one more returns at once, and `Sending PUBLISH` is printed by the
//! network's thread when an acknowledgement has made room. The message has its number from the call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use shadow_core::Publication;
use shadow_core::mqtt::QoS;

use super::driver::Driver;
use super::numbers::after;
use super::outline::Line;
use super::queue::Queue;
use super::report::Verdict;
use crate::log::{Statement, Thread};

/// Messages under way at most.
const WINDOW: usize = 20;

/// The lines that print such a message: from the `publish success` of its call to its
/// `Sending PUBLISH`.
pub(super) fn waiting(lines: &[Line]) -> BTreeMap<usize, usize> {
    let mut under_way: BTreeSet<u16> = BTreeSet::new();
    let mut waiting: VecDeque<(usize, u16)> = VecDeque::new();
    let mut found = BTreeMap::new();
    let (mut calls, mut next) = (0_usize, 1);
    for (index, line) in lines.iter().enumerate() {
        if line.seam {
            calls = 0;
            waiting.clear();
        }
        if let Statement::SendingPublish {
            dup: false,
            qos,
            message_number,
            ..
        } = line.statement
        {
            if qos > 0 {
                under_way.insert(message_number);
            }
            if let Some((call, number)) = waiting.front()
                && *number == message_number
            {
                found.insert(*call, index);
                waiting.pop_front();
                continue;
            }
        }
        if let Some(number) = line.statement.allocated_number() {
            next = after(number);
        }
        match line.statement {
            Statement::SendingPublish { dup: false, .. } => calls += 1,
            Statement::PublishSuccess if calls > 0 => calls -= 1,
            // An acknowledgement is printed before it makes room.
            Statement::PublishSuccess if under_way.len() + 1 >= WINDOW => {
                waiting.push_back((index, next));
                next = after(next);
            }
            Statement::PublishFailed => next = after(next),
            Statement::ReceivedPubAck { message_number }
            | Statement::ReceivedPubComp { message_number } => {
                under_way.remove(&message_number);
            }
            _ => {}
        }
    }
    found
}

impl Driver<'_> {
    /// A call that publishes a message which has to wait: the line that prints it is `sending`.
    pub(super) fn publish_waiting(&mut self, at: usize, sending: usize) -> Verdict {
        let outline = self.outline;
        let Some(Statement::SendingPublish {
            qos,
            message_number,
            topic,
            length,
            ..
        }) = outline.statement(sending)
        else {
            return Verdict::unexplained("no such line");
        };
        self.settle_pending(at);
        let payload = vec![b'x'; *length];
        let publication = Publication {
            topic,
            payload: &payload,
            qos: QoS::from_number(*qos).unwrap_or_default(),
            retain: false,
        };
        // The engine of a replay has room; what it sends now is printed later.
        if let Err(error) = self.device.engine.publish(self.device.now, &publication) {
            return Verdict::unexplained(format!("the engine refuses it: {error}"));
        }
        self.absorb_as(at, Some("not printed yet"), false);
        self.unacknowledged.insert(*message_number, "puback");
        let statement = Statement::SendingPublish {
            dup: false,
            qos: *qos,
            retain: false,
            message_number: *message_number,
            topic: topic.clone(),
            length: *length,
        };
        self.unsent.push_back((*message_number, statement));
        self.expect(at, Thread::Application, Statement::PublishSuccess);
        self.effect(at, Thread::Application)
    }

    /// A message that has waited is sent.
    pub(super) fn sending_waiting(&mut self, at: usize) -> Verdict {
        let found = self.outline.statement(at);
        let next = self.unsent.front();
        if next.map(|(_, statement)| statement) == found {
            self.unsent.pop_front();
            self.seen[Queue::Network] = true;
            return Verdict::inferred(format!(
                "it waited until fewer than {WINDOW} messages were under way; filler bytes stand in"
            ));
        }
        // After a reconnect it goes with those that are sent again.
        self.effect(at, Thread::Network)
    }

    /// Whether the message is sent for the first time with those that are sent again.
    pub(super) fn is_unsent(&mut self, number: u16) -> bool {
        let before = self.unsent.len();
        self.unsent.retain(|(waiting, _)| *waiting != number);
        self.unsent.len() < before
    }
}
