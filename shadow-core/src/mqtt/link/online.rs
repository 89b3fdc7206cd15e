//! A link whose login was accepted: what it waits for, and what inbound packets mean on it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::connection::{ConnectionTimer, Notice, Settings, Signal};
use super::outbox::Outbox;
use crate::mqtt::session::{Outgoing, SessionState, Stage};
use crate::mqtt::{
    EncodeError, Packet, PacketId, PacketKind, ProtocolVersion, PubAck, PubComp, PubRec, PubRel,
    QoS,
};
use crate::time::Instant;

/// What dies with a link that was online.
#[derive(Debug)]
pub(super) struct Online {
    pub(super) since: Instant,
    pub(super) activity: Activity,
    /// Until when the PINGRESP must have come, if one is due.
    pub(super) ping_response_by: Option<Instant>,
    pub(super) awaiting: Vec<Awaiting>,
    /// `None` once there is nothing left, as on most links.
    pub(super) resuming: Option<Box<Resuming>>,
}

/// The messages of earlier links that are to be sent again.
#[derive(Debug)]
pub(super) struct Resuming {
    /// Their packet ids, the next one last.
    pub(super) waiting: Vec<PacketId>,
    /// Whether the server kept what it had got of them.
    pub(super) kept: bool,
    /// Whether they carry DUP.
    pub(super) duplicate: bool,
}

/// When bytes last went either way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Activity {
    pub(super) sent: Instant,
    pub(super) received: Instant,
}

/// A SUBSCRIBE or UNSUBSCRIBE that is not acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Awaiting {
    pub(super) packet_id: PacketId,
    pub(super) kind: PacketKind,
    pub(super) ticket: u64,
    pub(super) deadline: Instant,
}

/// How many inbound QoS 2 messages may be unreleased at a time. More is refused: a server that
/// needs this many does not release what it was told to.
pub(crate) const MAXIMUM_UNRELEASED: usize = 256;

/// What came of a packet, or the clause that it breaks.
type Handled<'a> = Result<Option<Signal<'a>>, &'static str>;

impl Online {
    pub(super) fn handle_packet<'a>(
        &mut self,
        session: &mut SessionState,
        packet: Packet<'a>,
        outbox: &mut Outbox,
    ) -> Handled<'a> {
        let kind = packet.kind();
        let notice = match packet {
            Packet::Publish(publish) => {
                let new = acknowledge_inbound(session, publish.qos, publish.packet_id, outbox)?;
                return Ok(new.then_some(Signal::Message(publish)));
            }
            Packet::PubAck(PubAck { packet_id }) => settle(session, packet_id, Stage::PubAck, kind),
            Packet::PubComp(PubComp { packet_id }) => {
                settle(session, packet_id, Stage::PubComp, kind)
            }
            Packet::PubRec(PubRec { packet_id }) | Packet::PubRel(PubRel { packet_id, .. })
                if !cfg!(feature = "messages") =>
            {
                Notice::UnexpectedAcknowledgement { kind, packet_id }
            }
            Packet::PubRec(PubRec { packet_id }) => {
                let of_id = |message: &Outgoing| {
                    message.packet_id == packet_id && message.stage != Stage::PubAck
                };
                let index = session.outgoing().iter().position(of_id);
                let unknown = index.is_none();
                if let Some(message) = index.and_then(|i| session.outgoing_mut().get_mut(i)) {
                    message.stage = Stage::PubComp;
                    message.packet = Vec::new();
                }
                // Released even when unknown, or the server would ask for ever.
                let release = PubRel {
                    packet_id,
                    dup: false,
                };
                push(outbox, PacketKind::PubRel, packet_id, |out| {
                    Ok(release.encode(ProtocolVersion::V311, out))
                });
                if !unknown {
                    return Ok(None);
                }
                Notice::UnexpectedAcknowledgement { kind, packet_id }
            }
            Packet::PubRel(PubRel { packet_id, .. }) => {
                if session.incoming_exactly_once().contains(&packet_id) {
                    let unreleased = session.incoming_exactly_once_mut();
                    unreleased.retain(|id| *id != packet_id);
                }
                let complete = PubComp { packet_id };
                push(outbox, PacketKind::PubComp, packet_id, |out| {
                    Ok(complete.encode(out))
                });
                return Ok(None);
            }
            Packet::SubAck(answer) => {
                match self.take_awaiting(PacketKind::Subscribe, answer.packet_id) {
                    Some(ticket) => {
                        let mut codes = answer.return_codes.iter();
                        let (Some(code), None) = (codes.next(), codes.next()) else {
                            return Err("[MQTT-3.8.4-5] SUBACK must answer each filter once");
                        };
                        Notice::Subscribed { ticket, code }
                    }
                    None => Notice::UnexpectedAcknowledgement {
                        kind,
                        packet_id: answer.packet_id,
                    },
                }
            }
            Packet::UnsubAck(answer) => {
                match self.take_awaiting(PacketKind::Unsubscribe, answer.packet_id) {
                    Some(ticket) => Notice::Unsubscribed { ticket },
                    None => Notice::UnexpectedAcknowledgement {
                        kind,
                        packet_id: answer.packet_id,
                    },
                }
            }
            Packet::PingResp => {
                self.ping_response_by = None;
                return Ok(None);
            }
            Packet::ConnAck(_) => return Err("[MQTT-3.2.0-1] a second CONNACK"),
            Packet::Connect(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq
            | Packet::Disconnect => {
                return Err("section 2.2.1: a packet that only clients send");
            }
        };
        Ok(Some(Signal::Notice(notice)))
    }

    /// Whether messages of earlier links are yet to be sent again.
    pub(super) fn is_resuming(&self) -> bool {
        // Without the feature there are none, which the compiler cannot know.
        cfg!(feature = "messages") && self.resuming.is_some()
    }

    fn take_awaiting(&mut self, kind: PacketKind, packet_id: PacketId) -> Option<u64> {
        let found = self
            .awaiting
            .iter()
            .position(|awaiting| awaiting.packet_id == packet_id && awaiting.kind == kind)?;
        let ticket = self.awaiting.remove(found).ticket;
        if self.awaiting.is_empty() {
            self.awaiting = Vec::new(); // Most links ask once, when they are new.
        }
        Some(ticket)
    }

    /// When to ask, or to stop waiting for the answer. Silence in either direction counts: a device
    /// that only sends would otherwise never learn that nobody listens.
    pub(super) fn alive_deadline(&self, settings: &Settings) -> Option<(ConnectionTimer, Instant)> {
        if let Some(by) = self.ping_response_by {
            return Some((ConnectionTimer::PingResponse, by));
        }
        let Activity { sent, received } = self.activity;
        let keep_alive = settings.keep_alive();
        (!keep_alive.is_zero()).then(|| {
            let due = sent.min(received) + keep_alive;
            let at = match settings.keep_alive_check {
                0 => due,
                check => next_look(due, sent.max(received), check),
            };
            (ConnectionTimer::KeepAlive, at)
        })
    }
}

/// The first look at `due` or after it, of those every `check` seconds since the `last` packet.
fn next_look(due: Instant, last: Instant, check: u16) -> Instant {
    let check = u64::from(check) * 1_000_000;
    let idle = due.as_micros().saturating_sub(last.as_micros());
    last + Duration::from_micros(idle.div_ceil(check).saturating_mul(check))
}

/// Acknowledges an inbound PUBLISH [MQTT-4.3.2-2] [MQTT-4.3.3-2]; whether it is a new message.
pub(super) fn acknowledge_inbound(
    session: &mut SessionState,
    qos: QoS,
    packet_id: Option<PacketId>,
    outbox: &mut Outbox,
) -> Result<bool, &'static str> {
    if qos != QoS::AtMostOnce && !cfg!(feature = "messages") {
        return Err("[MQTT-3.8.4-6] a message of a QoS above the granted one");
    }
    match (qos, packet_id) {
        (QoS::AtLeastOnce, Some(packet_id)) => {
            let answer = PubAck { packet_id };
            push(outbox, PacketKind::PubAck, packet_id, |out| {
                Ok(answer.encode(out))
            });
            Ok(true)
        }
        (QoS::ExactlyOnce, Some(packet_id)) => {
            let unreleased = session.incoming_exactly_once();
            let new = !unreleased.contains(&packet_id);
            if new {
                if unreleased.len() >= MAXIMUM_UNRELEASED {
                    return Err("section 4.3.3: too many QoS 2 messages without PUBREL");
                }
                session.incoming_exactly_once_mut().push(packet_id);
            }
            let answer = PubRec { packet_id };
            push(outbox, PacketKind::PubRec, packet_id, |out| {
                Ok(answer.encode(out))
            });
            Ok(new)
        }
        (QoS::AtMostOnce, _) | (_, None) => Ok(true),
    }
}

/// Ends an outbound message whose last acknowledgement came.
fn settle(
    session: &mut SessionState,
    packet_id: PacketId,
    stage: Stage,
    kind: PacketKind,
) -> Notice {
    let found = session
        .outgoing()
        .iter()
        .position(|message| message.packet_id == packet_id && message.stage == stage);
    match found {
        Some(index) => Notice::Published {
            ticket: session.outgoing_mut().remove(index).ticket,
        },
        None => Notice::UnexpectedAcknowledgement { kind, packet_id },
    }
}

fn push(
    outbox: &mut Outbox,
    kind: PacketKind,
    packet_id: PacketId,
    write: impl FnOnce(&mut Vec<u8>) -> Result<usize, EncodeError>,
) {
    let pushed = outbox.push_packet(kind, Some(packet_id), None, write);
    debug_assert!(pushed.is_ok(), "acknowledgements have a fixed form");
}
