//! A session of one or more clients, as far as its source shows it.

use std::fmt;
use std::net::IpAddr;

use shadow_core::mqtt::ProtocolVersion;
use shadow_core::tencent::Secret;

pub use crate::capture::Direction;
use crate::capture::tls::TlsError;

/// What was seen of one or more clients, from whatever source.
///
/// What a source does not show stays out or is marked unknown: `None`, [`Payload::Unknown`], a
/// [`Gap`]. A finding that rests on it is not made.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Connections and attempts, in the order in which they began.
    pub connections: Vec<Connection>,
    /// Messages that a client gave up without a link. Only a log tells of them.
    pub dropped: Vec<Dropped>,
    /// When the source begins to show something, in microseconds of its clock.
    pub begins_at: u64,
    /// When it ends.
    pub ends_at: u64,
}

/// A message that a client did not send, as it had no link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// When, in microseconds.
    pub at_micros: u64,
    /// Where the source says so, such as `line 12`.
    pub place: String,
}

/// One connection, or an attempt at one.
#[derive(Clone, Debug)]
pub struct Connection {
    /// What to call it: the addresses of its ends, or the line where it begins.
    pub label: String,
    /// The device's address, if the source has it. It tells whose an attempt without CONNECT is.
    pub device: Option<IpAddr>,
    /// When it was opened, in microseconds; `None` if the source does not tell.
    pub opened_at: Option<u64>,
    /// When it ended; `None` while it is open, and where the source does not tell.
    pub ended_at: Option<u64>,
    /// How it ended.
    pub end: End,
    /// What was sent, in order; times never fall.
    pub packets: Vec<Record>,
    /// When packets may have been sent that the source does not have.
    pub gaps: Vec<Gap>,
    /// Whether the source stamps wall time on its records, so that expiries can be judged.
    pub has_wall_time: bool,
    /// Whether it is a TLS connection, of which nothing can be read.
    pub is_encrypted: bool,
    /// Whether it is one of MQTT 5, which is not read.
    pub is_mqtt_5: bool,
    /// Why keys did not decrypt it; `None` if there were none.
    pub undecrypted: Option<TlsError>,
}

impl Connection {
    /// A connection of which nothing is known yet.
    #[must_use]
    pub fn new(label: impl Into<String>) -> Connection {
        Connection {
            label: label.into(),
            device: None,
            opened_at: None,
            ended_at: None,
            end: End::Open,
            packets: Vec::new(),
            gaps: Vec::new(),
            has_wall_time: false,
            is_encrypted: false,
            is_mqtt_5: false,
            undecrypted: None,
        }
    }

    /// Whether every packet of `side` between these two times is there.
    #[must_use]
    pub fn sees(&self, side: Direction, from: u64, to: u64) -> bool {
        !self.gaps.iter().any(|gap| {
            gap.side.is_none_or(|hidden| hidden == side) && gap.from < to && gap.to > from
        })
    }

    /// Until when the connection is known to have stood: its end, the end of a session in which it
    /// stays open, or, if its end has no time, the last packet; of a connection that the device
    /// ended, the device's last one, as what the server sent may have come too late.
    #[must_use]
    pub fn stood_until(&self, session: &Session) -> u64 {
        let by_device = |record: &&Record| record.from == Direction::Device;
        match (self.ended_at, self.end) {
            (Some(at), _) => at,
            (None, End::Open) => session.ends_at,
            (None, End::ByDevice) => {
                let last = self.packets.iter().rev().find(by_device);
                last.map_or(session.begins_at, |record| record.at_micros)
            }
            (None, _) => self.last_at().unwrap_or(session.begins_at),
        }
    }

    /// When the first CONNECT was sent.
    #[must_use]
    pub fn connect(&self) -> Option<(u64, &Connect)> {
        self.packets.iter().find_map(|record| match &record.packet {
            Packet::Connect(connect) => Some((record.at_micros, connect)),
            _ => None,
        })
    }

    /// The time of the CONNACK, and its contents, if it accepts the client.
    #[must_use]
    pub fn accepted(&self) -> Option<(u64, bool)> {
        self.packets.iter().find_map(|record| match record.packet {
            Packet::ConnAck {
                session_present,
                code: 0,
            } => Some((record.at_micros, session_present)),
            _ => None,
        })
    }

    /// The time of the last packet of either side.
    #[must_use]
    pub fn last_at(&self) -> Option<u64> {
        self.packets.last().map(|record| record.at_micros)
    }

    /// Whether the device said goodbye.
    #[must_use]
    pub fn has_disconnect(&self) -> bool {
        self.packets.iter().any(|record| {
            record.from == Direction::Device && matches!(record.packet, Packet::Disconnect)
        })
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was open when the source ended.
    Open,
    /// The device closed or reset it.
    ByDevice,
    /// The server closed or reset it.
    ByServer,
    /// It ended, and the source does not show by whose hand.
    Unknown,
    /// There never was one: nothing accepted it.
    Refused,
}

/// A stretch of time in which the source may lack packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its beginning, in microseconds.
    pub from: u64,
    /// Its end.
    pub to: u64,
    /// Whose packets; `None` for both sides'.
    pub side: Option<Direction>,
}

/// A packet, and when it was seen whole.
#[derive(Clone, Debug)]
pub struct Record {
    /// Microseconds of the source's clock.
    pub at_micros: u64,
    /// Who sent it.
    pub from: Direction,
    /// What it is.
    pub packet: Packet,
}

/// A control packet, without the parts that no finding rests on.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "the fields are the packets' fields, named by MQTT's terms"
)]
pub enum Packet {
    Connect(Connect),
    /// `code` as it stands in the packet; `session_present` is false in MQTT 3.1.
    ConnAck {
        session_present: bool,
        code: u8,
    },
    Publish(Publish),
    PubAck {
        id: u16,
    },
    PubRec {
        id: u16,
    },
    PubRel {
        id: u16,
    },
    PubComp {
        id: u16,
    },
    Subscribe {
        id: u16,
        filters: Vec<(String, u8)>,
    },
    /// `id` and `codes` where the source shows them; 128 is a refusal.
    SubAck {
        id: Option<u16>,
        codes: Option<Vec<u8>>,
    },
    Unsubscribe {
        id: u16,
        filters: Vec<String>,
    },
    UnsubAck {
        id: u16,
    },
    PingReq,
    PingResp,
    Disconnect,
    /// Bytes that are no packet.
    Malformed {
        /// The clause that they break, such as `MQTT-2.2.2-2`.
        clause: &'static str,
        why: String,
    },
}

impl Packet {
    /// Its name in the specification.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Packet::Connect(_) => "CONNECT",
            Packet::ConnAck { .. } => "CONNACK",
            Packet::Publish(_) => "PUBLISH",
            Packet::PubAck { .. } => "PUBACK",
            Packet::PubRec { .. } => "PUBREC",
            Packet::PubRel { .. } => "PUBREL",
            Packet::PubComp { .. } => "PUBCOMP",
            Packet::Subscribe { .. } => "SUBSCRIBE",
            Packet::SubAck { .. } => "SUBACK",
            Packet::Unsubscribe { .. } => "UNSUBSCRIBE",
            Packet::UnsubAck { .. } => "UNSUBACK",
            Packet::PingReq => "PINGREQ",
            Packet::PingResp => "PINGRESP",
            Packet::Disconnect => "DISCONNECT",
            Packet::Malformed { .. } => "no packet",
        }
    }
}

/// A client's request to connect.
#[derive(Clone, Debug)]
pub struct Connect {
    /// The protocol version, if the source shows it.
    pub version: Option<ProtocolVersion>,
    /// The client identifier.
    pub client_id: String,
    /// Whether an earlier session is to be dropped.
    pub clean_session: bool,
    /// In seconds; 0 for none.
    pub keep_alive: u16,
    /// Whether it has a will.
    pub has_will: bool,
    /// User name and password, if the source shows them.
    pub login: Option<Login>,
}

/// What a CONNECT proves its client with. `Debug` withholds the password.
#[derive(Clone)]
pub struct Login {
    /// The user name, if there is one.
    pub user_name: Option<String>,
    /// The password, if there is one.
    pub password: Option<Secret>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user_name", &self.user_name)
            .finish_non_exhaustive()
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Whether it is marked as sent again.
    pub dup: bool,
    /// Quality of service, 0 to 2.
    pub qos: u8,
    /// Whether the server is to keep it.
    pub retain: bool,
    /// The topic.
    pub topic: String,
    /// The packet identifier; `None` with QoS 0.
    pub id: Option<u16>,
    /// The payload.
    pub payload: Payload,
}

/// A payload, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// All of it.
    Known(Vec<u8>),
    /// A text with the same meaning, as a log prints it, and the payload's length in bytes.
    Meaning(String, usize),
    /// Its length in bytes.
    Unknown(usize),
}

impl Payload {
    /// Its length in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        match self {
            Payload::Known(bytes) => bytes.len(),
            Payload::Meaning(_, length) | Payload::Unknown(length) => *length,
        }
    }

    /// What can be read of it: its bytes, or a text with the same meaning.
    #[must_use]
    pub fn readable(&self) -> Option<&[u8]> {
        match self {
            Payload::Known(bytes) => Some(bytes),
            Payload::Meaning(text, _) => Some(text.as_bytes()),
            Payload::Unknown(_) => None,
        }
    }
}
