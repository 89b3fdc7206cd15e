//! Sessions from packet captures.

use shadow_core::mqtt::{DecodeErrorKind, Packet as Wire, ProtocolVersion, SubscribeReturnCode};
use shadow_core::tencent::Secret;

use super::session::{
    Connect, Connection, Direction, End, Gap, Login, Packet, Payload, Publish, Record, Session,
};
use crate::capture::{self, Capture, Close, tls};

impl From<&Capture> for Session {
    /// Reads the packets of every connection. Of a stream whose beginning was not captured nothing
    /// is read unless it begins with a whole packet.
    fn from(capture: &Capture) -> Session {
        let times = || {
            let connections = capture.connections.iter();
            connections.flat_map(|of| {
                let segments = of.segments.iter().map(|segment| segment.at_micros);
                segments.chain(
                    [of.asked_at, of.opened_at, of.ended_at]
                        .into_iter()
                        .flatten(),
                )
            })
        };
        let ends_at = times().max().unwrap_or_default();
        let connections = capture.connections.iter();
        Session {
            connections: connections.map(|of| connection(of, ends_at)).collect(),
            dropped: Vec::new(),
            begins_at: times().min().unwrap_or_default(),
            ends_at,
        }
    }
}

/// After this time without an answer a SYN is sent again (RFC 6298 section 2.1): a capture that ends
/// before does not tell what became of it.
const UNANSWERED_AFTER: u64 = 1_000_000;

fn connection(captured: &capture::Connection, ends_at: u64) -> Connection {
    let mut found = Connection::new(format!("{} > {}", captured.device, captured.server));
    found.device = Some(captured.device.ip());
    found.has_wall_time = true;
    found.opened_at = captured.opened_at.or(captured.begins_at());
    found.ended_at = captured.ended_at;
    let asked_at = captured.asked_at.unwrap_or(u64::MAX);
    let is_over =
        captured.closed_by.is_some() || asked_at.saturating_add(UNANSWERED_AFTER) <= ends_at;
    found.end = match captured.closed_by {
        _ if captured.is_failed_attempt() && is_over => End::Refused,
        None => End::Open,
        Some(Close::Finished(Direction::Device) | Close::Reset(Direction::Device)) => End::ByDevice,
        Some(Close::Finished(Direction::Server) | Close::Reset(Direction::Server)) => End::ByServer,
    };
    if !captured.from_start {
        found.gaps.push(Gap {
            from: 0,
            to: found.opened_at.unwrap_or(u64::MAX),
            side: None,
        });
    }
    for &side in &captured.gaps {
        hide(&mut found, side, last_of(captured, side));
    }
    if tls::is_tls(captured) {
        found.is_encrypted = true;
        found.undecrypted = captured.undecrypted;
        found.gaps.push(Gap {
            from: 0,
            to: u64::MAX,
            side: None,
        });
        return found;
    }
    if asks_for_mqtt_5(&captured.device_bytes()) {
        found.is_mqtt_5 = true;
        found.gaps.push(Gap {
            from: 0,
            to: u64::MAX,
            side: None,
        });
        return found;
    }
    let segments = captured.segments.iter();
    let pieces: Vec<Piece<'_>> = segments
        .map(|segment| (segment.at_micros, segment.direction, &segment.bytes[..]))
        .collect();
    read(&pieces, captured.from_start, &mut found);
    found
}

/// Whether the device's stream begins with a CONNECT of MQTT 5, of which nothing more is read.
pub(crate) fn asks_for_mqtt_5(stream: &[u8]) -> bool {
    let header = stream.iter().skip(1).take_while(|byte| **byte & 0x80 != 0);
    let body = stream.get(2 + header.count()..).unwrap_or_default();
    stream.first() == Some(&0x10) && body.starts_with(b"\x00\x04MQTT\x05")
}

/// Bytes of one side, and when they came.
pub(super) type Piece<'a> = (u64, Direction, &'a [u8]);

/// Reads the packets of both sides' streams.
pub(super) fn read(pieces: &[Piece<'_>], from_start: bool, found: &mut Connection) {
    let version = version(pieces).unwrap_or(ProtocolVersion::V311);
    let mut device = Stream::new(Direction::Device, from_start);
    let mut server = Stream::new(Direction::Server, from_start);
    let mut at_micros = 0;
    for (at, side, bytes) in pieces {
        at_micros = at_micros.max(*at);
        let stream = match side {
            Direction::Device => &mut device,
            Direction::Server => &mut server,
        };
        stream.read(bytes, at_micros, version, found);
    }
}

fn last_of(captured: &capture::Connection, side: Direction) -> u64 {
    let of_side = captured.segments.iter().filter(|s| s.direction == side);
    of_side.map(|s| s.at_micros).next_back().unwrap_or_default()
}

fn hide(connection: &mut Connection, side: Direction, from: u64) {
    connection.gaps.push(Gap {
        from,
        to: u64::MAX,
        side: Some(side),
    });
}

/// The version that CONNECT asks for.
fn version(pieces: &[Piece<'_>]) -> Option<ProtocolVersion> {
    let mut stream = Vec::new();
    let by_device = pieces
        .iter()
        .filter(|(_, side, _)| *side == Direction::Device);
    for (_, _, bytes) in by_device {
        stream.extend_from_slice(bytes);
        let Some(length) = length(&stream).ok()? else {
            continue;
        };
        if let Some(first) = stream.get(..length) {
            return match Wire::decode(first, ProtocolVersion::V311) {
                Ok(Wire::Connect(connect)) => Some(connect.version),
                _ => None,
            };
        }
    }
    None
}

/// One side's bytes, cut into packets.
struct Stream {
    side: Direction,
    waiting: Vec<u8>,
    /// Whether the stream is known to begin with the connection.
    from_start: bool,
    /// Whether what comes cannot be read any more.
    lost: bool,
}

impl Stream {
    fn new(side: Direction, from_start: bool) -> Stream {
        Stream {
            side,
            waiting: Vec::new(),
            from_start,
            lost: false,
        }
    }

    fn read(
        &mut self,
        bytes: &[u8],
        at_micros: u64,
        version: ProtocolVersion,
        into: &mut Connection,
    ) {
        if self.lost {
            return;
        }
        self.waiting.extend_from_slice(bytes);
        let mut done = 0;
        loop {
            let rest = self.waiting.get(done..).unwrap_or_default();
            let read = match length(rest) {
                Ok(None) => break,
                Ok(Some(length)) => match rest.get(..length) {
                    Some(bytes) => {
                        done += length;
                        packet(bytes, version)
                    }
                    None => break,
                },
                Err(malformed) => {
                    self.lost = true;
                    Err(malformed)
                }
            };
            let packet = match read {
                Ok(packet) => packet,
                // What is read in the middle of a stream may be no packet's beginning.
                Err(_) if !self.from_start => {
                    self.lost = true;
                    break;
                }
                Err(malformed) => malformed,
            };
            into.packets.push(Record {
                at_micros,
                from: self.side,
                packet,
            });
            if self.lost {
                break;
            }
        }
        if self.lost {
            hide(into, self.side, at_micros);
            self.waiting = Vec::new();
        } else {
            self.waiting.drain(..done);
        }
    }
}

/// The section that a length breaks which cannot be read.
const FRAMING: &str = "MQTT section 2.2.3";

/// Length of the packet that begins here; `None` before its header is whole.
fn length(bytes: &[u8]) -> Result<Option<usize>, Packet> {
    let mut length = 0;
    for (index, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some(2 + index + length));
        }
    }
    if bytes.len() < 5 {
        return Ok(None);
    }
    Err(Packet::Malformed {
        clause: FRAMING,
        why: "the remaining length has more than four bytes".to_owned(),
    })
}

fn packet(bytes: &[u8], version: ProtocolVersion) -> Result<Packet, Packet> {
    let wire = match Wire::decode(bytes, version) {
        Ok(wire) => wire,
        Err(error) => {
            if let DecodeErrorKind::ConnectReturnCodeReserved { .. } = error.kind()
                && let Some(&code) = bytes.get(3)
            {
                // The vendor's server may have codes of its own.
                return Ok(Packet::ConnAck {
                    session_present: false,
                    code,
                });
            }
            return Err(Packet::Malformed {
                clause: error.clause(),
                why: error.to_string(),
            });
        }
    };
    Ok(match wire {
        Wire::Connect(connect) => Packet::Connect(Connect {
            version: Some(connect.version),
            client_id: connect.client_id.to_owned(),
            clean_session: connect.clean_session,
            keep_alive: connect.keep_alive,
            has_will: connect.will.is_some(),
            login: Some(Login {
                user_name: connect.user_name.map(str::to_owned),
                password: connect.password.map(Secret::from_bytes),
            }),
        }),
        Wire::ConnAck(connack) => Packet::ConnAck {
            session_present: connack.session_present,
            code: connack.code.number(),
        },
        Wire::Publish(publish) => Packet::Publish(Publish {
            dup: publish.dup,
            qos: publish.qos.number(),
            retain: publish.retain,
            topic: publish.topic.to_owned(),
            id: publish.packet_id.map(|id| id.get()),
            payload: Payload::Known(publish.payload.to_vec()),
        }),
        Wire::PubAck(packet) => Packet::PubAck {
            id: packet.packet_id.get(),
        },
        Wire::PubRec(packet) => Packet::PubRec {
            id: packet.packet_id.get(),
        },
        Wire::PubRel(packet) => Packet::PubRel {
            id: packet.packet_id.get(),
        },
        Wire::PubComp(packet) => Packet::PubComp {
            id: packet.packet_id.get(),
        },
        Wire::Subscribe(subscribe) => Packet::Subscribe {
            id: subscribe.packet_id.get(),
            filters: subscribe
                .filters
                .iter()
                .map(|(filter, qos)| (filter.to_owned(), qos.number()))
                .collect(),
        },
        Wire::SubAck(suback) => Packet::SubAck {
            id: Some(suback.packet_id.get()),
            codes: Some(
                suback
                    .return_codes
                    .iter()
                    .map(|code| match code {
                        SubscribeReturnCode::Granted(qos) => qos.number(),
                        SubscribeReturnCode::Failure => 128,
                    })
                    .collect(),
            ),
        },
        Wire::Unsubscribe(unsubscribe) => Packet::Unsubscribe {
            id: unsubscribe.packet_id.get(),
            filters: unsubscribe.filters.iter().map(str::to_owned).collect(),
        },
        Wire::UnsubAck(packet) => Packet::UnsubAck {
            id: packet.packet_id.get(),
        },
        Wire::PingReq => Packet::PingReq,
        Wire::PingResp => Packet::PingResp,
        Wire::Disconnect => Packet::Disconnect,
    })
}
