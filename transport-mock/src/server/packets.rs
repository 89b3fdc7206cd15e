//! What the server does about each packet of a client.

use shadow_core::Instant;
use shadow_core::mqtt::{
    ConnAck, Connect, ConnectReturnCode, EncodeError, Entries, Packet, PacketId, PacketKind,
    ProtocolVersion, PubAck, PubComp, PubRec, Publish, QoS, SubAck, Subscribe, SubscribeReturnCode,
    UnsubAck, Unsubscribe,
};

use super::connection::{Online, Phase};
use super::outbox::Outbox;
use super::session::Session;
use super::{ConnectionId, Departure, Message, Refusal, Server, ServerEvent, Step};

/// Whom a packet came from.
enum Heard {
    /// One that has not logged in.
    Stranger,
    Client(Online),
    /// One that is not listened to any more.
    Nobody,
}

impl Server {
    pub(super) fn handle_packet(
        &mut self,
        now: Instant,
        id: ConnectionId,
        packet: Packet<'_>,
        on_publish: impl FnMut(&mut Server, &Publish<'_>),
    ) -> Step {
        let connect = match packet {
            Packet::Connect(connect) => Some(connect),
            _ => None,
        };
        let heard = self
            .connections
            .change(id, |connection, _| match &mut connection.phase {
                Phase::Opening { .. } => Heard::Stranger,
                Phase::Online(online) => {
                    online.heard = now;
                    Heard::Client(online.clone())
                }
                Phase::Closing => Heard::Nobody,
            });
        let online = match (heard.unwrap_or(Heard::Nobody), connect) {
            (Heard::Stranger, Some(connect)) => {
                self.log_in(now, id, &connect);
                return Step::Handled;
            }
            (Heard::Stranger, None) => {
                self.refuse(id, None, Refusal::NotConnect);
                return Step::Exhausted;
            }
            (Heard::Client(online), _) => online,
            (Heard::Nobody, _) => return Step::Exhausted,
        };
        match self.handle_online(id, &online, packet, on_publish) {
            Ok(()) => Step::Handled,
            Err(departure) => {
                self.end(id, departure, Refusal::NotConnect);
                Step::Exhausted
            }
        }
    }

    fn handle_online(
        &mut self,
        id: ConnectionId,
        online: &Online,
        packet: Packet<'_>,
        on_publish: impl FnMut(&mut Server, &Publish<'_>),
    ) -> Result<(), Departure> {
        match packet {
            Packet::Publish(publish) => self.handle_publish(id, online, &publish, on_publish)?,
            Packet::Subscribe(subscribe) => self.handle_subscribe(id, online, &subscribe)?,
            Packet::Unsubscribe(unsubscribe) => {
                self.handle_unsubscribe(id, online, &unsubscribe)?;
            }
            Packet::PubAck(PubAck { packet_id }) => {
                self.session(&online.client_id)?.acknowledge(packet_id);
                self.send_waiting(&online.client_id);
            }
            Packet::PubRel(released) => {
                let packet_id = released.packet_id;
                self.session(&online.client_id)?.release(packet_id);
                let complete = PubComp { packet_id };
                self.answer(id, PacketKind::PubComp, |out| Ok(complete.encode(out)))?;
            }
            Packet::PingReq => {
                let version = online.version;
                self.answer(id, PacketKind::PingResp, |out| {
                    Packet::PingResp.encode(version, out)
                })?;
            }
            Packet::Disconnect => return Err(Departure::Disconnect),
            Packet::Connect(_) => {
                return Err(Departure::Violation("[MQTT-3.1.0-2] a second CONNECT"));
            }
            Packet::PubRec(_) | Packet::PubComp(_) => {
                let clause = "section 4.3.3: an acknowledgement of QoS 2, which was never sent";
                return Err(Departure::Violation(clause));
            }
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                let clause = "section 2.2.1: a packet that only servers send";
                return Err(Departure::Violation(clause));
            }
        }
        Ok(())
    }

    fn log_in(&mut self, now: Instant, id: ConnectionId, connect: &Connect<'_>) {
        if let Some(code) = self.take_refusal(connect.client_id) {
            return self.refuse(id, Some(connect), Refusal::Ordered(code));
        }
        let wall = self.clock.at(now);
        let role = self
            .known_devices
            .authorize(&self.config.credentials, wall, connect);
        let role = match role {
            Ok(role) => role,
            Err(refusal) => return self.refuse(id, Some(connect), refusal),
        };
        let client_id = match connect.client_id {
            "" => self.unused_client_id(),
            client_id => client_id.to_owned(),
        };
        if let Some(session) = self.sessions.get(&client_id)
            && let Some(other) = session.connection
        {
            self.end(other, Departure::Replaced, Refusal::Stopped);
        }
        if connect.clean_session {
            self.sessions.remove(&client_id);
        }
        let session_present = self.sessions.contains(&client_id);
        if !session_present && self.sessions.len() >= self.config.maximum_sessions {
            return self.refuse(id, Some(connect), Refusal::TooManySessions);
        }
        if self.connections.get(id).is_none() {
            return;
        }
        let (kept_id, session) = self.sessions.begin(&client_id);
        session.connection = Some(id);
        self.connections.change(id, |connection, outbox| {
            let accepted = ConnectReturnCode::Accepted;
            push_connack(outbox, connect.version, session_present, accepted);
            session.resend(outbox);
            connection.phase = Phase::Online(Online {
                client_id: kept_id,
                role,
                version: connect.version,
                clean_session: connect.clean_session,
                keep_alive: connect.keep_alive,
                heard: now,
            });
        });
        self.tell(|| ServerEvent::Connected {
            connection: id,
            client_id: client_id.clone(),
            version: connect.version,
            clean_session: connect.clean_session,
            session_present,
            will_ignored: connect.will.is_some(),
        });
        self.send_waiting(&client_id);
    }

    /// For a client that leaves the choice to the server [MQTT-3.1.3-6].
    fn unused_client_id(&mut self) -> String {
        loop {
            let client_id = format!("auto-{}", self.next_client);
            self.next_client += 1;
            if !self.sessions.contains(&client_id) {
                return client_id;
            }
        }
    }

    fn handle_publish(
        &mut self,
        id: ConnectionId,
        online: &Online,
        publish: &Publish<'_>,
        mut on_publish: impl FnMut(&mut Server, &Publish<'_>),
    ) -> Result<(), Departure> {
        let mut new = true;
        match (publish.qos, publish.packet_id) {
            (QoS::AtLeastOnce, Some(packet_id)) => {
                let answer = PubAck { packet_id };
                self.answer(id, PacketKind::PubAck, |out| Ok(answer.encode(out)))?;
            }
            (QoS::ExactlyOnce, Some(packet_id)) => {
                let clause = "section 4.3.3: too many QoS 2 messages without PUBREL";
                let received = self.session(&online.client_id)?.receive(packet_id);
                new = received.ok_or(Departure::Violation(clause))?;
                let answer = PubRec { packet_id };
                self.answer(id, PacketKind::PubRec, |out| Ok(answer.encode(out)))?;
            }
            (QoS::AtMostOnce, _) | (_, None) => {}
        }
        if !new {
            return Ok(());
        }
        let credentials = &self.config.credentials;
        if !online.role.may_publish(credentials, publish.topic) {
            self.tell(|| ServerEvent::PublishForbidden {
                client_id: online.client_id.to_string(),
                topic: publish.topic.to_owned(),
            });
            return Ok(());
        }
        self.tell(|| ServerEvent::Published {
            // `to_string` of an `Arc` goes through a formatter.
            client_id: String::from(&*online.client_id),
            message: Message {
                topic: publish.topic.to_owned(),
                payload: publish.payload.to_vec(),
                qos: publish.qos,
            },
        });
        self.deliver(publish.topic, publish.payload, publish.qos);
        on_publish(self, publish);
        Ok(())
    }

    fn handle_subscribe(
        &mut self,
        id: ConnectionId,
        online: &Online,
        subscribe: &Subscribe<'_>,
    ) -> Result<(), Departure> {
        let maximum = self.config.maximum_subscriptions;
        let mut codes = Vec::new();
        for (filter, asked) in subscribe.filters {
            let qos = asked.min(QoS::AtLeastOnce);
            let client_id = &online.client_id;
            let credentials = &self.config.credentials;
            let granted = online.role.may_subscribe(credentials, filter)
                && self.sessions.subscribe(client_id, filter, qos, maximum);
            let granted = granted.then_some(qos);
            codes.push(match (granted, online.version) {
                (Some(qos), _) => SubscribeReturnCode::Granted(qos),
                (None, ProtocolVersion::V311) => SubscribeReturnCode::Failure,
                (None, ProtocolVersion::V31) => SubscribeReturnCode::Granted(asked),
            });
            self.tell(|| ServerEvent::Subscribed {
                client_id: client_id.to_string(),
                filter: filter.to_owned(),
                granted,
            });
        }
        let answer = SubAck {
            packet_id: subscribe.packet_id,
            return_codes: Entries::from(&codes[..]),
        };
        self.answer(id, PacketKind::SubAck, |out| {
            answer.encode(online.version, out)
        })
    }

    fn handle_unsubscribe(
        &mut self,
        id: ConnectionId,
        online: &Online,
        unsubscribe: &Unsubscribe<'_>,
    ) -> Result<(), Departure> {
        for filter in unsubscribe.filters {
            self.sessions.unsubscribe(&online.client_id, filter);
            self.tell(|| ServerEvent::Unsubscribed {
                client_id: online.client_id.to_string(),
                filter: filter.to_owned(),
            });
        }
        let packet_id: PacketId = unsubscribe.packet_id;
        let answer = UnsubAck { packet_id };
        self.answer(id, PacketKind::UnsubAck, |out| Ok(answer.encode(out)))
    }

    /// The session of a client that is online.
    fn session(&mut self, client_id: &str) -> Result<&mut Session, Departure> {
        self.sessions.get_mut(client_id).ok_or(Departure::Stopped)
    }

    /// Queues an acknowledgement, unless its client lets too much lie around.
    fn answer(
        &mut self,
        id: ConnectionId,
        kind: PacketKind,
        write: impl FnOnce(&mut Vec<u8>) -> Result<usize, EncodeError>,
    ) -> Result<(), Departure> {
        let maximum = self.config.maximum_outgoing_bytes;
        let answered = self.connections.change(id, |_, outbox| {
            // Not at `maximum` itself: messages may fill the queue up to it, and beyond by one.
            let room = outbox.bytes() < maximum.saturating_mul(2);
            room && outbox.push(kind, write).is_ok()
        });
        match answered {
            None => Err(Departure::Stopped),
            Some(false) => Err(Departure::OutgoingQueueFull),
            Some(true) => Ok(()),
        }
    }
}

pub(super) fn push_connack(
    outbox: &mut Outbox,
    version: ProtocolVersion,
    session_present: bool,
    code: ConnectReturnCode,
) {
    let answer = ConnAck {
        session_present,
        code,
    };
    let pushed = outbox.push(PacketKind::ConnAck, |out| answer.encode(version, out));
    debug_assert!(pushed.is_ok(), "a refusal never reports a session");
}
