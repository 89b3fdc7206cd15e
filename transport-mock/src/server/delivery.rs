//! Messages on their way to those who subscribed to them.

use shadow_core::mqtt::{PacketKind, Publish, QoS};

use super::{Message, Server, ServerEvent};

impl Server {
    /// Hands a message to everyone who subscribed to it.
    pub(super) fn deliver(&mut self, topic: &str, payload: &[u8], qos: QoS) {
        for (client_id, qos) in self.sessions.recipients(topic, qos) {
            let delivered = match qos {
                QoS::AtMostOnce => self.deliver_at_most_once(&client_id, topic, payload),
                QoS::AtLeastOnce | QoS::ExactlyOnce => {
                    self.deliver_at_least_once(&client_id, topic, payload)
                }
            };
            if !delivered {
                self.tell(|| ServerEvent::Dropped {
                    client_id: client_id.to_string(),
                    topic: topic.to_owned(),
                    qos,
                });
            }
        }
    }

    /// False if too much is waiting already. To a client that is away it counts as done.
    fn deliver_at_most_once(&mut self, client_id: &str, topic: &str, payload: &[u8]) -> bool {
        let connection = self.sessions.get(client_id).and_then(|s| s.connection);
        let Some(id) = connection else {
            return true;
        };
        let publish = Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic,
            packet_id: None,
            payload,
        };
        let maximum = self.config.maximum_outgoing_bytes;
        let pushed = self.connections.change(id, |_, outbox| {
            let room = outbox.bytes() < maximum;
            room && outbox
                .push(PacketKind::Publish, |out| publish.encode(out))
                .is_ok()
        });
        pushed.unwrap_or(true)
    }

    /// False if too much is waiting already, for a client that is away too.
    fn deliver_at_least_once(&mut self, client_id: &str, topic: &str, payload: &[u8]) -> bool {
        let maximum = self.config.maximum_queued_messages.max(1);
        let Some(session) = self.sessions.get_mut(client_id) else {
            return true;
        };
        let message = Message {
            topic: topic.to_owned(),
            payload: payload.to_vec(),
            qos: QoS::AtLeastOnce,
        };
        let queued = session.enqueue(message, maximum);
        self.send_waiting(client_id);
        queued
    }

    pub(super) fn send_waiting(&mut self, client_id: &str) {
        let window = self.config.maximum_in_flight.max(1);
        let bytes = self.config.maximum_outgoing_bytes.max(1);
        if let Some(session) = self.sessions.get_mut(client_id)
            && let Some(id) = session.connection
            && session.has_waiting()
        {
            self.connections.change(id, |_, outbox| {
                session.send_waiting(outbox, window, bytes);
            });
        }
    }
}
