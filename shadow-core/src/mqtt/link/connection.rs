//! The state machine of a client's connection.

mod inspect;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::backoff::{Timing, Troubles};
use super::online::{Activity, Awaiting, Online, Resuming, acknowledge_inbound};
use super::outbox::Outbox;
use super::pace::Pace;
use super::{Backoff, DisconnectCause, Publication, Transmit, TransportFailure};
use crate::mqtt::session::{Outgoing, SessionState, Stage};
use crate::mqtt::{
    Connect, ConnectReturnCode, EncodeError, Entries, Incoming, Packet, PacketId, PacketKind,
    ProtocolVersion, PubRel, Publish, QoS, Subscribe, SubscribeReturnCode, Unsubscribe,
};
use crate::time::{Instant, Micros, earlier};

/// What a connection is told once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) version: ProtocolVersion,
    pub(crate) clean_session: bool,
    /// Whether what is sent again carries DUP even if the server kept nothing.
    pub(crate) always_duplicate: bool,
    /// In seconds; 0 turns it off.
    pub(crate) keep_alive: u16,
    /// How often an idle connection looks at it, in seconds; 0 never misses it.
    pub(crate) keep_alive_check: u16,
    pub(crate) ping_timeout: Micros,
    pub(crate) connect_timeout: Micros,
    pub(crate) acknowledgement_timeout: Micros,
    /// From 1 to [`MAXIMUM_IN_FLIGHT`].
    pub(crate) maximum_in_flight: u16,
    /// Bytes of acknowledgements that may wait for the transport.
    pub(crate) maximum_acknowledgements: u32,
}

impl Settings {
    pub(super) fn keep_alive(&self) -> Duration {
        Duration::from_secs(self.keep_alive.into())
    }
}

/// What came of an inbound packet.
pub(crate) enum Signal<'a> {
    /// A message to deliver; acknowledging it is already seen to.
    Message(Publish<'a>),
    /// A message that was too large went by.
    Oversized {
        topic: &'a str,
        qos: QoS,
        size: usize,
    },
    /// Anything that carries no bytes.
    Notice(Notice),
}

/// Something the connection tells its owner.
#[derive(Debug)]
pub(crate) enum Notice {
    /// CONNACK accepted the login.
    Online { session_present: bool },
    /// The link is gone; the next try comes after `retry_in`.
    Lost {
        cause: DisconnectCause,
        retry_in: Duration,
    },
    /// A SUBSCRIBE was answered.
    Subscribed {
        ticket: u64,
        code: SubscribeReturnCode,
    },
    /// An UNSUBSCRIBE was answered.
    Unsubscribed { ticket: u64 },
    /// A QoS 1 or 2 message was acknowledged in full; `None` when nobody waits.
    Published { ticket: Option<u64> },
    /// An acknowledgement of nothing.
    UnexpectedAcknowledgement {
        kind: PacketKind,
        packet_id: PacketId,
    },
}

/// Which timer a deadline of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionTimer {
    Reconnect,
    Connect,
    KeepAlive,
    PingResponse,
    Acknowledgement,
    Pace,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Connection {
    settings: Settings,
    state: State,
    outbox: Outbox,
    troubles: Troubles,
    pace: Pace,
    /// Whether a message waits for the pace.
    paced: bool,
}

#[derive(Debug)]
enum State {
    /// No link; one is due at this instant.
    Waiting { until: Instant },
    /// The transport was asked for a connection.
    Connecting { deadline: Instant },
    /// CONNECT was sent.
    Handshake {
        deadline: Instant,
        activity: Activity,
    },
    /// CONNACK accepted the login.
    Online(Online),
    /// Closed for good.
    Closed,
}

impl Connection {
    pub(crate) fn new(settings: Settings, pace: Pace, now: Instant) -> Connection {
        let state = State::Waiting { until: now };
        Connection {
            settings,
            state,
            outbox: Outbox::default(),
            troubles: Troubles::default(),
            pace,
            paced: false,
        }
    }

    pub(crate) fn is_online(&self) -> bool {
        matches!(self.state, State::Online(_))
    }

    /// Whether bytes of the peer can come.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Handshake { .. } | State::Online(_))
    }

    /// Whether the transport was asked for a connection that has not come.
    pub(crate) fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting { .. })
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        self.outbox.len()
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Whether it is time to call [`Connection::start`].
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        matches!(self.state, State::Waiting { until } if until <= now)
    }

    /// Asks the transport for a connection.
    pub(crate) fn start(&mut self, now: Instant) {
        self.outbox.push_connect();
        self.state = State::Connecting {
            deadline: now + self.settings.connect_timeout,
        };
    }

    /// Does not ask for the connection that is due, for a cause of this side.
    pub(crate) fn refuse_start(
        &mut self,
        now: Instant,
        cause: DisconnectCause,
        timing: &mut Timing<'_>,
    ) -> Notice {
        self.lose(now, cause, timing)
    }

    /// Makes the next connection due as soon as another CONNECT may be sent, if one is waited for.
    pub(crate) fn hasten(&mut self, now: Instant) {
        if let State::Waiting { until } = &mut self.state {
            *until = self.troubles.earliest(now).min(*until);
        }
    }

    /// The same, if the login was refused, as it may not be any more.
    pub(crate) fn hasten_refused(&mut self, now: Instant) {
        if self.troubles.forgive_refusals() {
            self.hasten(now);
        }
    }

    /// The transport has a connection: sends `connect`.
    pub(crate) fn handle_connected(
        &mut self,
        now: Instant,
        connect: &Connect<'_>,
        timing: &mut Timing<'_>,
    ) -> Option<Notice> {
        let State::Connecting { deadline } = self.state else {
            return None;
        };
        if let Err(error) = self.outbox.push_login(connect) {
            return Some(self.fail(now, DisconnectCause::InvalidConnect(error), timing));
        }
        let activity = Activity {
            sent: now,
            received: now,
        };
        // The pause until the next packet must not be longer than announced [MQTT-3.1.2-23].
        let keep_alive = self.settings.keep_alive();
        let deadline = match keep_alive.is_zero() {
            true => deadline,
            false => deadline.min(now + keep_alive),
        };
        self.state = State::Handshake { deadline, activity };
        None
    }

    /// The transport has lost its connection, or got none.
    pub(crate) fn handle_disconnected(
        &mut self,
        now: Instant,
        failure: TransportFailure,
        timing: &mut Timing<'_>,
    ) -> Option<Notice> {
        match self.state {
            State::Waiting { .. } | State::Closed => None,
            State::Connecting { .. } | State::Handshake { .. } | State::Online(_) => {
                let cause = DisconnectCause::Transport(failure);
                let notice = self.lose(now, cause, timing);
                Some(notice)
            }
        }
    }

    /// Bytes of the peer have come.
    pub(crate) fn note_received(&mut self, now: Instant) {
        match &mut self.state {
            State::Handshake { activity, .. } => activity.received = now,
            State::Online(online) => online.activity.received = now,
            State::Waiting { .. } | State::Connecting { .. } | State::Closed => {}
        }
    }

    /// The same, if the link is online; whether it is.
    #[inline]
    pub(crate) fn note_received_online(&mut self, now: Instant) -> bool {
        let State::Online(online) = &mut self.state else {
            return false;
        };
        online.activity.received = now;
        true
    }

    /// Takes one packet of the peer.
    pub(crate) fn handle_incoming<'a>(
        &mut self,
        now: Instant,
        session: &mut SessionState,
        incoming: Incoming<'a>,
        timing: &mut Timing<'_>,
    ) -> Option<Signal<'a>> {
        let maximum = self.settings.maximum_acknowledgements as usize;
        if self.is_online() && self.outbox.acknowledgements() >= maximum {
            let cause = DisconnectCause::AcknowledgementsUnread;
            return Some(Signal::Notice(self.fail(now, cause, timing)));
        }
        let handled = match (&mut self.state, incoming) {
            (State::Handshake { activity, .. }, Incoming::Packet(Packet::ConnAck(answer))) => {
                if answer.code != ConnectReturnCode::Accepted {
                    let cause = DisconnectCause::Refused(answer.code);
                    return Some(Signal::Notice(self.fail(now, cause, timing)));
                }
                if answer.session_present && self.settings.clean_session {
                    let clause = "[MQTT-3.2.2-1] session present after a clean session";
                    let cause = DisconnectCause::Violation(clause);
                    return Some(Signal::Notice(self.fail(now, cause, timing)));
                }
                self.troubles.accepted();
                self.state = State::Online(Online {
                    since: now,
                    activity: *activity,
                    ping_response_by: None,
                    awaiting: Vec::new(),
                    resuming: None,
                });
                let session_present = answer.session_present;
                Ok(Some(Signal::Notice(Notice::Online { session_present })))
            }
            (State::Handshake { .. }, _) => Err("[MQTT-3.2.0-1] CONNACK must come first"),
            (State::Online(online), Incoming::Packet(packet)) => {
                online.handle_packet(session, packet, &mut self.outbox)
            }
            (State::Online(_), Incoming::Skipped(skipped)) => {
                let id = skipped.packet_id;
                acknowledge_inbound(session, skipped.qos, id, &mut self.outbox).map(|_| {
                    let (topic, qos, size) = (skipped.topic, skipped.qos, skipped.size);
                    Some(Signal::Oversized { topic, qos, size })
                })
            }
            (State::Waiting { .. } | State::Connecting { .. } | State::Closed, _) => Ok(None),
        };
        handled.unwrap_or_else(|clause| {
            Some(Signal::Notice(self.fail(
                now,
                DisconnectCause::Violation(clause),
                timing,
            )))
        })
    }

    /// Whether another QoS 1 or 2 message may be sent.
    pub(crate) fn has_window(&self, session: &SessionState) -> bool {
        session.outgoing().len() < usize::from(self.settings.maximum_in_flight)
    }

    /// Whether nothing can be sent any more because the server acknowledges nothing: the window is
    /// full of messages that nobody waits for, and the server has had its time.
    pub(crate) fn is_stuck(&self, now: Instant, session: &SessionState) -> bool {
        let State::Online(online) = &self.state else {
            return false;
        };
        let answer_by = online.since + self.settings.acknowledgement_timeout;
        let outgoing = session.outgoing();
        answer_by <= now
            && !self.has_window(session)
            && outgoing.iter().all(|message| message.ticket.is_none())
    }

    /// Whether another SUBSCRIBE or UNSUBSCRIBE may be sent.
    pub(crate) fn may_ask(&self) -> bool {
        match &self.state {
            State::Online(online) => online.awaiting.len() < MAXIMUM_AWAITING,
            _ => false,
        }
    }

    /// Whether another message may leave by now, of whatever QoS. If not it is waited for, as long
    /// as nobody calls [`Connection::resume_more`].
    pub(crate) fn may_publish(&mut self, now: Instant) -> bool {
        let resuming = matches!(&self.state, State::Online(online) if online.is_resuming());
        let open = self.pace.is_open(now) && !resuming;
        self.paced |= !open;
        open
    }

    /// Sends a message; only while online. A QoS 1 or 2 message is kept in `session` until it is
    /// acknowledged.
    pub(crate) fn publish(
        &mut self,
        now: Instant,
        session: &mut SessionState,
        publication: &Publication<'_>,
        ticket: u64,
    ) -> Result<PacketId, EncodeError> {
        let id = self.next_packet_id(session);
        let Publication {
            topic,
            payload,
            qos,
            retain,
        } = *publication;
        let stage = Stage::of(qos);
        let packet_id = stage.map(|_| id);
        let publish = Publish {
            dup: false,
            qos,
            retain,
            topic,
            packet_id,
            payload,
        };
        self.outbox
            .push_packet(PacketKind::Publish, Some(id), Some(ticket), |out| {
                publish.encode(out)
            })?;
        self.pace.take(now);
        if let Some(stage) = stage {
            let mut packet = Vec::new();
            publish.encode(&mut packet)?;
            session.outgoing_mut().push(Outgoing {
                packet_id: id,
                stage,
                ticket: Some(ticket),
                abandoned: false,
                packet,
            });
        }
        Ok(id)
    }

    /// Subscribes one filter; only while online.
    pub(crate) fn subscribe(
        &mut self,
        now: Instant,
        session: &mut SessionState,
        filter: &str,
        qos: QoS,
        ticket: u64,
    ) -> Result<(), EncodeError> {
        let packet_id = self.next_packet_id(session);
        let filters = [(filter, qos)];
        let subscribe = Subscribe {
            packet_id,
            dup: false,
            filters: Entries::from(&filters[..]),
        };
        let version = self.settings.version;
        self.await_acknowledgement(now, PacketKind::Subscribe, packet_id, ticket, |out| {
            subscribe.encode(version, out)
        })
    }

    /// Unsubscribes one filter; only while online.
    pub(crate) fn unsubscribe(
        &mut self,
        now: Instant,
        session: &mut SessionState,
        filter: &str,
        ticket: u64,
    ) -> Result<(), EncodeError> {
        let packet_id = self.next_packet_id(session);
        let filters = [filter];
        let unsubscribe = Unsubscribe {
            packet_id,
            dup: false,
            filters: Entries::from(&filters[..]),
        };
        let version = self.settings.version;
        self.await_acknowledgement(now, PacketKind::Unsubscribe, packet_id, ticket, |out| {
            unsubscribe.encode(version, out)
        })
    }

    fn await_acknowledgement(
        &mut self,
        now: Instant,
        kind: PacketKind,
        packet_id: PacketId,
        ticket: u64,
        write: impl FnOnce(&mut Vec<u8>) -> Result<usize, EncodeError>,
    ) -> Result<(), EncodeError> {
        self.outbox
            .push_packet(kind, Some(packet_id), Some(ticket), write)?;
        if let State::Online(online) = &mut self.state {
            let deadline = now + self.settings.acknowledgement_timeout;
            online.awaiting.push(Awaiting {
                packet_id,
                kind,
                ticket,
                deadline,
            });
        }
        Ok(())
    }

    /// Whether the link is online with nothing of its own that waits to be sent, for
    /// [`Connection::resume_more`] or for the pace.
    #[inline(always)]
    pub(crate) fn is_settled(&self) -> bool {
        match &self.state {
            State::Online(online) => !online.is_resuming() && !self.paced,
            _ => false,
        }
    }

    /// Takes up the unacknowledged messages of earlier links again, in order [MQTT-4.4.0-1]. Where
    /// the server kept nothing they are sent as new ones; those that it had already taken over are
    /// done, and their tickets are handed back. [`Connection::resume_more`] sends them.
    ///
    /// MQTT 3.1 does not tell what the server kept, so there it is taken to have kept all that it
    /// was asked to: a message twice is better than none (MQTT 3.1, section 4.2).
    pub(crate) fn resume(&mut self, session: &mut SessionState, session_present: bool) -> Vec<u64> {
        let mut done = Vec::new();
        let Settings {
            version,
            clean_session,
            always_duplicate,
            ..
        } = self.settings;
        let kept = session_present || (version == ProtocolVersion::V31 && !clean_session);
        if !session_present && !session.incoming_exactly_once().is_empty() {
            session.incoming_exactly_once_mut().clear();
        }
        if !kept && !session.outgoing().is_empty() {
            session.outgoing_mut().retain(|message| {
                let taken_over = message.stage == Stage::PubComp;
                done.extend(message.ticket.filter(|_| taken_over));
                !taken_over && !message.abandoned
            });
        }
        if let State::Online(online) = &mut self.state {
            let ids = session.outgoing().iter().rev().map(|m| m.packet_id);
            let waiting: Vec<_> = ids.collect();
            online.resuming = (!waiting.is_empty()).then(|| {
                Box::new(Resuming {
                    waiting,
                    kept,
                    duplicate: kept || always_duplicate,
                })
            });
        }
        done
    }

    /// Sends on what [`Connection::resume`] took up, as fast as messages may leave; how many packets
    /// were queued.
    pub(crate) fn resume_more(&mut self, now: Instant, session: &mut SessionState) -> u32 {
        self.paced = false;
        let State::Online(online) = &mut self.state else {
            return 0;
        };
        let (true, Some(resuming)) = (online.is_resuming(), &mut online.resuming) else {
            return 0;
        };
        let mut count = 0;
        let version = self.settings.version;
        while let Some(packet_id) = resuming.waiting.last().copied() {
            let same = |message: &Outgoing| message.packet_id == packet_id;
            let Some(index) = session.outgoing().iter().position(same) else {
                resuming.waiting.pop(); // It was taken back meanwhile.
                continue;
            };
            let Some(message) = session.outgoing().get(index) else {
                break;
            };
            let id = Some(packet_id);
            let pushed = if message.stage == Stage::PubComp {
                let release = PubRel {
                    packet_id,
                    dup: resuming.kept,
                };
                self.outbox
                    .push_packet(PacketKind::PubRel, id, None, |out| {
                        Ok(release.encode(version, out))
                    })
            } else if message.abandoned && !resuming.kept {
                session.outgoing_mut().remove(index); // Its end was told, and nobody knows of it.
                resuming.waiting.pop();
                continue;
            } else if !self.pace.is_open(now) {
                self.paced = true;
                return count;
            } else {
                self.pace.take(now);
                let duplicate = resuming.duplicate;
                self.outbox
                    .push_packet(PacketKind::Publish, id, message.ticket, |out| {
                        let start = out.len();
                        out.extend_from_slice(&message.packet);
                        if let Some(first) = out.get_mut(start).filter(|_| duplicate) {
                            *first |= DUP;
                        }
                        Ok(message.packet.len())
                    })
            };
            debug_assert!(pushed.is_ok(), "it was encoded before");
            resuming.waiting.pop();
            count += 1;
        }
        online.resuming = None;
        count
    }

    /// Takes back a message, SUBSCRIBE or UNSUBSCRIBE that never left, as if it had not been sent.
    pub(crate) fn withdraw(&mut self, session: &mut SessionState, ticket: u64) {
        self.outbox.withdraw(ticket);
        let of_ticket = |message: &Outgoing| message.ticket == Some(ticket);
        if session.outgoing().iter().any(of_ticket) {
            session.outgoing_mut().retain(|message| !of_ticket(message));
        }
        if let State::Online(online) = &mut self.state {
            online.awaiting.retain(|awaiting| awaiting.ticket != ticket);
        }
    }

    /// Sends DISCONNECT if online, and closes for good.
    pub(crate) fn close(&mut self) {
        match self.state {
            State::Closed => return,
            State::Waiting { .. } => {}
            State::Connecting { .. } | State::Handshake { .. } => {
                self.outbox.clear();
                self.outbox.push_close();
            }
            State::Online(_) => {
                self.outbox.push_bare(PacketKind::Disconnect);
                self.outbox.push_close();
            }
        }
        self.state = State::Closed;
        self.paced = false;
    }

    /// Carries out what is due by now.
    pub(crate) fn handle_tick(&mut self, now: Instant, timing: &mut Timing<'_>) -> Option<Notice> {
        let (timer, at) = self.state_deadline()?;
        if at > now {
            return None;
        }
        let cause = match timer {
            ConnectionTimer::Reconnect | ConnectionTimer::Pace => return None,
            ConnectionTimer::KeepAlive => {
                self.ping(now);
                return None;
            }
            ConnectionTimer::Connect => DisconnectCause::ConnectTimedOut,
            ConnectionTimer::PingResponse => DisconnectCause::PingTimedOut,
            ConnectionTimer::Acknowledgement => DisconnectCause::SubscribeTimedOut,
        };
        Some(self.fail(now, cause, timing))
    }

    fn ping(&mut self, now: Instant) {
        let Settings { ping_timeout, .. } = self.settings;
        let keep_alive = self.settings.keep_alive();
        if let State::Online(online) = &mut self.state {
            online.ping_response_by = Some(now + ping_timeout.min(Micros::from(keep_alive / 2)));
            if self.outbox.has(PacketKind::PingReq) {
                return; // One that the transport has not taken yet will do.
            }
            self.outbox.push_bare(PacketKind::PingReq);
        }
    }

    /// When to call [`Connection::handle_tick`] (or, for `Reconnect`, to start, and for `Pace`, to
    /// send what waits) at the latest.
    pub(crate) fn deadline(&self) -> Option<(ConnectionTimer, Instant)> {
        let pace = self
            .paced
            .then(|| (ConnectionTimer::Pace, self.pace.opens_at()));
        earlier(self.state_deadline(), pace)
    }

    fn state_deadline(&self) -> Option<(ConnectionTimer, Instant)> {
        match &self.state {
            State::Waiting { until } => Some((ConnectionTimer::Reconnect, *until)),
            State::Connecting { deadline } | State::Handshake { deadline, .. } => {
                Some((ConnectionTimer::Connect, *deadline))
            }
            State::Online(online) => {
                let acknowledgement = online.awaiting.iter().map(|one| one.deadline).min();
                let acknowledgement =
                    acknowledgement.map(|at| (ConnectionTimer::Acknowledgement, at));
                earlier(online.alive_deadline(&self.settings), acknowledgement)
            }
            State::Closed => None,
        }
    }

    /// The next thing for the transport, and the ticket of what now leaves.
    pub(crate) fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut Vec<u8>,
        backoff: &Backoff,
    ) -> Option<(Transmit, Option<u64>)> {
        let popped = self.outbox.pop(buffer)?;
        if let Transmit::Packet {
            kind: PacketKind::Connect,
            ..
        } = popped.0
        {
            self.troubles.connect_sent(now, backoff);
        }
        if let Transmit::Packet { .. } = popped.0 {
            match &mut self.state {
                State::Handshake { activity, .. } => activity.sent = now,
                State::Online(online) => online.activity.sent = now,
                State::Waiting { .. } | State::Connecting { .. } | State::Closed => {}
            }
        }
        Some(popped)
    }

    /// Ends the link from this side.
    pub(crate) fn fail(
        &mut self,
        now: Instant,
        cause: DisconnectCause,
        timing: &mut Timing<'_>,
    ) -> Notice {
        let notice = self.lose(now, cause, timing);
        self.outbox.push_close();
        notice
    }

    fn lose(&mut self, now: Instant, cause: DisconnectCause, timing: &mut Timing<'_>) -> Notice {
        self.outbox.clear();
        self.paced = false;
        let online = match &self.state {
            State::Online(online) => Some(now.saturating_since(online.since)),
            _ => None,
        };
        let (cause, until) = self.troubles.lost(now, online, cause, timing);
        self.state = State::Waiting { until };
        let retry_in = until.saturating_since(now);
        Notice::Lost { cause, retry_in }
    }

    /// Takes a number for a message that is dropped.
    pub(crate) fn use_up_packet_id(&self, session: &mut SessionState) {
        self.next_packet_id(session);
    }

    fn next_packet_id(&self, session: &mut SessionState) -> PacketId {
        session.next_packet_id(|id| match &self.state {
            State::Online(online) => online.awaiting.iter().any(|other| other.packet_id == id),
            _ => false,
        })
    }
}

/// The DUP flag in the first byte of a PUBLISH (section 3.3.1.1).
const DUP: u8 = 0b1000;

/// How many QoS 1 and 2 messages may be unacknowledged, whatever is configured, and how many
/// SUBSCRIBE and UNSUBSCRIBE: far fewer together than there are packet ids.
pub(crate) const MAXIMUM_IN_FLIGHT: u16 = 32_768;
const MAXIMUM_AWAITING: usize = 1_024;
