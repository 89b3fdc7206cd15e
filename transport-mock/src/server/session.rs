//! What the server keeps of a client: subscriptions and the messages on their way to it.

use std::collections::VecDeque;
use std::sync::Arc;

use shadow_core::mqtt::{EncodeError, PacketId, PacketKind, Publish, QoS};

use super::ConnectionId;
use super::event::Message;
use super::outbox::Outbox;

/// One client's session [MQTT-3.1.2-4]. Lives as long as the connection, or until a login with a
/// clean session if the client asked to keep it.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Where the client is now.
    pub(super) connection: Option<ConnectionId>,
    /// The topic filters of its subscriptions, whose QoS the
    /// [`Subscriptions`](super::subscriptions::Subscriptions) have.
    pub(super) filters: Box<[Arc<str>]>,
    /// `None` while there is no exchange, as in most sessions at most times.
    exchanges: Option<Box<Exchanges>>,
    last_packet_id: u16,
}

/// The messages whose exchange with the client has not ended.
#[derive(Debug, Default)]
struct Exchanges {
    /// QoS 1 messages that were sent and not acknowledged, in order.
    in_flight: VecDeque<InFlight>,
    /// QoS 1 messages that wait for the window or for the client.
    waiting: VecDeque<Message>,
    /// QoS 2 messages of the client that it has not released.
    unreleased: Vec<PacketId>,
}

#[derive(Debug)]
struct InFlight {
    packet_id: PacketId,
    message: Message,
}

/// How many packet ids there are [MQTT-2.3.1-1].
const PACKET_IDS: usize = 65_535;

/// How many QoS 2 messages of a client may be unreleased.
const MAXIMUM_UNRELEASED: usize = 256;

impl Session {
    /// Queues a QoS 1 message; false if too many wait.
    pub(super) fn enqueue(&mut self, message: Message, maximum: usize) -> bool {
        let waiting = &mut self.exchanges().waiting;
        let room = waiting.len() < maximum;
        if room {
            waiting.push_back(message);
        }
        room
    }

    /// Whether a QoS 1 message waits to be sent.
    pub(super) fn has_waiting(&self) -> bool {
        let exchanges = self.exchanges.as_ref();
        exchanges.is_some_and(|exchanges| !exchanges.waiting.is_empty())
    }

    /// Sends waiting messages as far as the window and the connection's outgoing queue allow.
    pub(super) fn send_waiting(&mut self, outbox: &mut Outbox, window: usize, bytes: usize) {
        let window = window.min(PACKET_IDS);
        let Some(exchanges) = &mut self.exchanges else {
            return;
        };
        while exchanges.in_flight.len() < window && outbox.bytes() < bytes {
            let Some(message) = exchanges.waiting.pop_front() else {
                break;
            };
            let packet_id = exchanges.next_packet_id(&mut self.last_packet_id);
            let item = InFlight { packet_id, message };
            if item.send(outbox, false).is_ok() {
                exchanges.in_flight.push_back(item);
            }
        }
        self.forget_ended();
    }

    /// Sends the unacknowledged messages again, in order and with DUP [MQTT-4.4.0-1].
    pub(super) fn resend(&mut self, outbox: &mut Outbox) {
        if let Some(exchanges) = &mut self.exchanges {
            let sent = |item: &InFlight| item.send(outbox, true).is_ok();
            exchanges.in_flight.retain(sent);
        }
        self.forget_ended();
    }

    /// PUBACK came. One for an id that awaits none is ignored: it may belong to a session that is
    /// gone.
    pub(super) fn acknowledge(&mut self, packet_id: PacketId) {
        if let Some(exchanges) = &mut self.exchanges {
            exchanges
                .in_flight
                .retain(|item| item.packet_id != packet_id);
        }
        self.forget_ended();
    }

    /// A QoS 2 message came: whether it is new [MQTT-4.3.3-2], or `None` if too many are
    /// unreleased.
    pub(super) fn receive(&mut self, packet_id: PacketId) -> Option<bool> {
        let unreleased = &mut self.exchanges().unreleased;
        if unreleased.contains(&packet_id) {
            return Some(false);
        }
        if unreleased.len() >= MAXIMUM_UNRELEASED {
            return None;
        }
        unreleased.push(packet_id);
        Some(true)
    }

    /// PUBREL came.
    pub(super) fn release(&mut self, packet_id: PacketId) {
        if let Some(exchanges) = &mut self.exchanges {
            exchanges.unreleased.retain(|id| *id != packet_id);
        }
        self.forget_ended();
    }

    fn exchanges(&mut self) -> &mut Exchanges {
        self.exchanges.get_or_insert_default()
    }

    /// Gives back the memory of the exchanges once all have ended.
    fn forget_ended(&mut self) {
        if self.exchanges.as_ref().is_some_and(|e| e.have_ended()) {
            self.exchanges = None;
        }
    }
}

impl Exchanges {
    fn have_ended(&self) -> bool {
        self.in_flight.is_empty() && self.waiting.is_empty() && self.unreleased.is_empty()
    }

    /// Neither 0 nor in use [MQTT-2.3.1-4]; the window leaves one.
    fn next_packet_id(&self, last: &mut u16) -> PacketId {
        loop {
            *last = last.wrapping_add(1);
            if let Some(id) = PacketId::new(*last)
                && !self.in_flight.iter().any(|item| item.packet_id == id)
            {
                return id;
            }
        }
    }
}

impl InFlight {
    fn send(&self, outbox: &mut Outbox, dup: bool) -> Result<(), EncodeError> {
        let publish = Publish {
            dup,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: &self.message.topic,
            packet_id: Some(self.packet_id),
            payload: &self.message.payload,
        };
        outbox.push(PacketKind::Publish, |out| publish.encode(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However wide the window is configured, no packet id is used twice.
    #[test]
    fn a_message_waits_for_a_packet_id() {
        let message = Message {
            topic: "a".to_owned(),
            payload: Vec::new(),
            qos: QoS::AtLeastOnce,
        };
        let mut session = Session::default();
        let ids = (1..=u16::MAX).filter_map(PacketId::new);
        session.exchanges().in_flight = ids
            .map(|packet_id| InFlight {
                packet_id,
                message: message.clone(),
            })
            .collect();
        let mut outbox = Outbox::default();
        assert!(session.enqueue(message, 1));
        session.send_waiting(&mut outbox, usize::MAX, usize::MAX);
        assert!(outbox.is_empty());
        let id = PacketId::new(7).unwrap();
        session.acknowledge(id);
        session.send_waiting(&mut outbox, usize::MAX, usize::MAX);
        assert_eq!(
            session
                .exchanges()
                .in_flight
                .back()
                .map(|item| item.packet_id),
            Some(id)
        );
    }
}
