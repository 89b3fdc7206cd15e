//! Sessions from logs of the vendor's Python SDK.

use std::collections::VecDeque;

use super::session::{
    Connect, Connection, Direction, Dropped, End, Gap, Packet, Payload, Publish, Record, Session,
};
use crate::import::{Identity, Line, Outline};
use crate::log::{self, Log, SessionError, Statement};

/// Most payloads that wait for the line that sends them.
const MAXIMUM_PENDING: usize = 64;

impl Session {
    /// Reads the packets that logs tell of, which are excerpts of one session.
    ///
    /// A log prints every packet, but payloads only of updates and of what callbacks print, nothing
    /// of a login but that it has a user name, and not who ended a connection. Where the next line
    /// is another file's, packets may be missing.
    ///
    /// # Errors
    /// [`SessionError`] if they cannot be of one session.
    pub fn from_logs(logs: Vec<Log>) -> Result<Session, SessionError> {
        let session = log::Session::from_logs(logs)?;
        let identity = Identity::find(&session);
        Ok(Session::from_outline(&Outline::new(&session, &identity)))
    }

    /// Reads the packets of logs that are put in order already.
    pub(crate) fn from_outline(outline: &Outline) -> Session {
        let time = |line: Option<&Line>| line.map_or(0, |line| line.at.saturating_mul(1_000));
        let mut reader = Reader {
            outline,
            session: Session {
                begins_at: time(outline.lines.first()),
                ..Session::default()
            },
            open: None,
            now: 0,
            pending: VecDeque::new(),
            last_number: 0,
            failed: Vec::new(),
        };
        for (index, line) in outline.lines.iter().enumerate() {
            reader.line(index, line);
        }
        reader.finish()
    }
}

struct Reader<'a> {
    outline: &'a Outline,
    session: Session,
    open: Option<Connection>,
    now: u64,
    /// Payloads that were printed before the packet that carries them.
    pending: VecDeque<Payload>,
    /// The last number that the SDK gave to a packet.
    last_number: u16,
    /// Messages that could not be sent: their number, and what to tell.
    failed: Vec<(u16, Dropped)>,
}

impl Reader<'_> {
    fn line(&mut self, index: usize, line: &Line) {
        let before = self.now;
        self.now = self.now.max(line.at.saturating_mul(1_000));
        if line.seam {
            self.pending.clear();
            let (from, to) = (before, self.now.max(before.saturating_add(1)));
            if let Some(open) = &mut self.open {
                open.gaps.push(Gap {
                    from,
                    to,
                    side: None,
                });
            }
        }
        if let Some(number) = line.statement.allocated_number() {
            self.last_number = number;
        }
        match &line.statement {
            Statement::ReconnectError { .. } => {
                self.close(End::Unknown);
                let mut refused = Connection::new(line.label.clone());
                refused.end = End::Refused;
                (refused.opened_at, refused.ended_at) = (Some(self.now), Some(self.now));
                self.session.connections.push(refused);
            }
            Statement::SocketError { text } => {
                let reset = text.contains("reset by peer");
                self.close(if reset { End::ByServer } else { End::Unknown });
            }
            Statement::OnDisconnect { .. }
            | Statement::StateError { .. }
            | Statement::ThreadExit => self.close(End::Unknown),
            Statement::SendingConnect { .. } => {
                self.close(End::Unknown);
                let mut connection = Connection::new(line.label.clone());
                connection.opened_at = Some(self.now);
                self.open = Some(connection);
                self.packet(index, line);
            }
            Statement::SendingDisconnect => {
                self.packet(index, line);
                self.close(End::ByDevice);
            }
            Statement::ShadowUpdate { json } => {
                self.promise(Payload::Known(json.clone().into_bytes()));
            }
            Statement::PublishCall { payload, .. } => {
                if let log::Payload::Json(json) = payload {
                    self.promise(Payload::Meaning(json.clone(), 0));
                }
            }
            Statement::PublishFailed => {
                self.last_number = self.last_number.checked_add(1).unwrap_or(1);
                let dropped = Dropped {
                    at_micros: self.now,
                    place: line.label.clone(),
                };
                self.failed.push((self.last_number, dropped));
                self.pending.clear();
            }
            _ => self.packet(index, line),
        }
    }

    fn promise(&mut self, payload: Payload) {
        if self.pending.len() == MAXIMUM_PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back(payload);
    }

    fn close(&mut self, end: End) {
        if let Some(mut connection) = self.open.take() {
            connection.end = end;
            connection.ended_at = Some(self.now);
            self.session.connections.push(connection);
        }
    }

    /// A line that tells of a packet.
    fn packet(&mut self, index: usize, line: &Line) {
        let Some((from, packet)) = self.read(index, line) else {
            return;
        };
        if let Packet::Publish(publish) = &packet
            && let (Some(id), Direction::Device) = (publish.id, from)
        {
            // It was kept after all.
            self.failed.retain(|(number, _)| *number != id);
        }
        let now = self.now;
        let connection = self.open.get_or_insert_with(|| {
            // Its beginning is not in the log.
            let mut connection = Connection::new(line.label.clone());
            connection.gaps.push(Gap {
                from: 0,
                to: now,
                side: None,
            });
            connection
        });
        connection.packets.push(Record {
            at_micros: now,
            from,
            packet,
        });
    }

    fn read(&mut self, index: usize, line: &Line) -> Option<(Direction, Packet)> {
        use Direction::{Device, Server};
        Some(match &line.statement {
            Statement::SendingConnect {
                will,
                clean_session,
                keep_alive,
                client_id,
                ..
            } => {
                let connect = Connect {
                    version: None,
                    client_id: client_id.clone(),
                    clean_session: *clean_session,
                    keep_alive: *keep_alive,
                    has_will: *will,
                    login: None,
                };
                (Device, Packet::Connect(connect))
            }
            Statement::ReceivedConnAck { flags, code } => {
                let session_present = flags & 1 == 1;
                let code = *code;
                let packet = Packet::ConnAck {
                    session_present,
                    code,
                };
                (Server, packet)
            }
            Statement::SendingSubscribe {
                message_number: id,
                filters,
                ..
            } => {
                let (id, filters) = (*id, filters.clone());
                (Device, Packet::Subscribe { id, filters })
            }
            Statement::ReceivedSubAck => {
                let (id, codes) = (None, None);
                (Server, Packet::SubAck { id, codes })
            }
            Statement::SendingUnsubscribe {
                message_number: id,
                filters,
                ..
            } => {
                let (id, filters) = (*id, filters.clone());
                (Device, Packet::Unsubscribe { id, filters })
            }
            Statement::ReceivedUnsubAck { message_number: id } => {
                (Server, Packet::UnsubAck { id: *id })
            }
            Statement::SendingPublish {
                dup,
                qos,
                retain,
                message_number,
                topic,
                length,
            } => {
                let publish = Publish {
                    dup: *dup,
                    qos: *qos,
                    retain: *retain,
                    topic: topic.clone(),
                    id: (*qos > 0).then_some(*message_number),
                    payload: self.sent_payload(*length),
                };
                (Device, Packet::Publish(publish))
            }
            Statement::ReceivedPublish {
                dup,
                qos,
                retain,
                message_number,
                topic,
                length,
            } => {
                let publish = Publish {
                    dup: *dup,
                    qos: *qos,
                    retain: *retain,
                    topic: topic.clone(),
                    id: (*qos > 0).then_some(*message_number),
                    payload: self.received_payload(index, *length),
                };
                (Server, Packet::Publish(publish))
            }
            Statement::ReceivedPubAck { message_number: id } => {
                (Server, Packet::PubAck { id: *id })
            }
            Statement::ReceivedPubRec { message_number: id } => {
                (Server, Packet::PubRec { id: *id })
            }
            Statement::SendingPubRel { message_number: id } => (Device, Packet::PubRel { id: *id }),
            Statement::ReceivedPubComp { message_number: id } => {
                (Server, Packet::PubComp { id: *id })
            }
            Statement::SendingPubAck { message_number: id } => (Device, Packet::PubAck { id: *id }),
            Statement::SendingPubRec { message_number: id } => (Device, Packet::PubRec { id: *id }),
            Statement::ReceivedPubRel { message_number: id } => {
                (Server, Packet::PubRel { id: *id })
            }
            Statement::SendingPubComp { message_number: id } => {
                (Device, Packet::PubComp { id: *id })
            }
            Statement::SendingPingReq => (Device, Packet::PingReq),
            Statement::ReceivedPingResp => (Server, Packet::PingResp),
            Statement::SendingDisconnect => (Device, Packet::Disconnect),
            _ => return None,
        })
    }

    /// The payload that was printed for a packet of this length.
    fn sent_payload(&mut self, length: usize) -> Payload {
        let is_its = |payload: &Payload| match payload {
            Payload::Known(bytes) => bytes.len() == length,
            _ => true,
        };
        match self.pending.front() {
            Some(payload) if is_its(payload) => match self.pending.pop_front() {
                Some(Payload::Meaning(text, _)) => Payload::Meaning(text, length),
                Some(payload) => payload,
                None => Payload::Unknown(length),
            },
            _ => Payload::Unknown(length),
        }
    }

    /// The payload that the callback of a message prints.
    fn received_payload(&self, index: usize, length: usize) -> Payload {
        let callback = self.outline.callback_of.get(index).copied().flatten();
        let fits = |callback: &usize| self.outline.fits(index, *callback);
        match callback
            .filter(fits)
            .and_then(|callback| self.outline.payload(callback))
        {
            Some(log::Payload::Json(json)) => Payload::Meaning(json.clone(), length),
            _ => Payload::Unknown(length),
        }
    }

    fn finish(mut self) -> Session {
        self.session.connections.extend(self.open.take());
        self.session.ends_at = self.now;
        self.session.dropped = self
            .failed
            .into_iter()
            .map(|(_, dropped)| dropped)
            .collect();
        self.session
    }
}
