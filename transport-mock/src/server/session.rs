//! What the server keeps of a client: subscriptions and the messages on their way to it.

use std::collections::VecDeque;

use shadow_core::mqtt::{EncodeError, PacketId, PacketKind, Publish, QoS, topic};

use super::ConnectionId;
use super::connection::Outbox;
use super::event::Message;

/// One client's session [MQTT-3.1.2-4]. Lives as long as the connection, or until a login with a
/// clean session if the client asked to keep it.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Where the client is now.
    pub(super) connection: Option<ConnectionId>,
    subscriptions: Vec<Subscription>,
    /// QoS 1 messages that were sent and not acknowledged, in order.
    in_flight: VecDeque<InFlight>,
    /// QoS 1 messages that wait for the window or for the client.
    waiting: VecDeque<Message>,
    /// QoS 2 messages of the client that it has not released.
    unreleased: Vec<PacketId>,
    last_packet_id: u16,
}

#[derive(Debug)]
struct Subscription {
    filter: String,
    granted: QoS,
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
    /// Adds a subscription or replaces the one with the same filter [MQTT-3.8.4-3]; false if it
    /// would be one too many.
    pub(super) fn subscribe(&mut self, filter: &str, granted: QoS, maximum: usize) -> bool {
        let room = self.subscriptions.len() < maximum;
        let known = self.subscriptions.iter_mut().find(|s| s.filter == filter);
        match known {
            Some(subscription) => subscription.granted = granted,
            None if !room => return false,
            None => self.subscriptions.push(Subscription {
                filter: filter.to_owned(),
                granted,
            }),
        }
        true
    }

    pub(super) fn unsubscribe(&mut self, filter: &str) {
        self.subscriptions.retain(|s| s.filter != filter);
    }

    /// The QoS with which a message reaches this client: that of its best matching subscription
    /// [MQTT-3.3.5-1], at most the message's own. `None` if nothing matches.
    pub(super) fn qos_for(&self, message: &Message) -> Option<QoS> {
        self.subscriptions
            .iter()
            .filter(|s| topic::filter_matches(&s.filter, &message.topic))
            .map(|s| s.granted.min(message.qos))
            .max()
    }

    /// Queues a QoS 1 message; false if too many wait.
    pub(super) fn enqueue(&mut self, message: Message, maximum: usize) -> bool {
        let room = self.waiting.len() < maximum;
        if room {
            self.waiting.push_back(message);
        }
        room
    }

    /// Sends waiting messages as far as the window and the connection's outgoing queue allow.
    pub(super) fn send_waiting(&mut self, outbox: &mut Outbox, window: usize, bytes: usize) {
        let window = window.min(PACKET_IDS);
        while self.in_flight.len() < window && outbox.bytes() < bytes {
            let Some(message) = self.waiting.pop_front() else {
                break;
            };
            let packet_id = self.next_packet_id();
            let item = InFlight { packet_id, message };
            if item.send(outbox, false).is_ok() {
                self.in_flight.push_back(item);
            }
        }
    }

    /// Sends the unacknowledged messages again, in order and with DUP [MQTT-4.4.0-1].
    pub(super) fn resend(&mut self, outbox: &mut Outbox) {
        self.in_flight
            .retain(|item| item.send(outbox, true).is_ok());
    }

    /// PUBACK came. One for an id that awaits none is ignored: it may belong to a session that is
    /// gone.
    pub(super) fn acknowledge(&mut self, packet_id: PacketId) {
        self.in_flight.retain(|item| item.packet_id != packet_id);
    }

    /// A QoS 2 message came: whether it is new [MQTT-4.3.3-2], or `None` if too many are
    /// unreleased.
    pub(super) fn receive(&mut self, packet_id: PacketId) -> Option<bool> {
        if self.unreleased.contains(&packet_id) {
            return Some(false);
        }
        if self.unreleased.len() >= MAXIMUM_UNRELEASED {
            return None;
        }
        self.unreleased.push(packet_id);
        Some(true)
    }

    /// PUBREL came.
    pub(super) fn release(&mut self, packet_id: PacketId) {
        self.unreleased.retain(|id| *id != packet_id);
    }

    /// Neither 0 nor in use [MQTT-2.3.1-4]; the window leaves one.
    fn next_packet_id(&mut self) -> PacketId {
        loop {
            self.last_packet_id = self.last_packet_id.wrapping_add(1);
            if let Some(id) = PacketId::new(self.last_packet_id)
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
        session.in_flight = ids
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
            session.in_flight.back().map(|item| item.packet_id),
            Some(id)
        );
    }
}
