//! The fourteen control packets under one type, and the fixed header they share.

use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU16;

use super::cursor::Reader;
use super::error::{DecodeError, DecodeErrorKind, EncodeError};
use super::publish::Flags;
use super::{
    ConnAck, Connect, ProtocolVersion, PubAck, PubComp, PubRec, PubRel, Publish, SubAck, Subscribe,
    UnsubAck, Unsubscribe,
};

/// A quality of service: how hard the two sides try to deliver a message (MQTT section 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum QoS {
    /// QoS 0: sent once, not acknowledged.
    #[default]
    AtMostOnce = 0,
    /// QoS 1: sent until PUBACK comes.
    AtLeastOnce = 1,
    /// QoS 2: sent until PUBREC comes, then released with PUBREL and PUBCOMP.
    ExactlyOnce = 2,
}

impl QoS {
    /// The QoS with this number; `None` above 2.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<QoS> {
        match number {
            0 => Some(QoS::AtMostOnce),
            1 => Some(QoS::AtLeastOnce),
            2 => Some(QoS::ExactlyOnce),
            _ => None,
        }
    }

    /// 0, 1 or 2.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// `QoS 0`, `QoS 1` or `QoS 2`.
impl fmt::Display for QoS {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QoS {}", self.number())
    }
}

/// A packet identifier: two bytes, never 0 [MQTT-2.3.1-1].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PacketId(NonZeroU16);

impl PacketId {
    /// The identifier 1.
    pub const FIRST: PacketId = PacketId(NonZeroU16::MIN);

    /// The identifier with this number; `None` for 0.
    #[must_use]
    pub const fn new(number: u16) -> Option<PacketId> {
        match NonZeroU16::new(number) {
            Some(number) => Some(PacketId(number)),
            None => None,
        }
    }

    /// The number, 1 to 65,535.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// The next identifier; 1 comes after 65,535.
    #[must_use]
    pub const fn next(self) -> PacketId {
        match self.0.checked_add(1) {
            Some(number) => PacketId(number),
            None => PacketId::FIRST,
        }
    }
}

impl fmt::Display for PacketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The type of a control packet; its number is the high half of the packet's first byte
/// (MQTT section 2.2.1, table 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PacketKind {
    /// Client requests to connect.
    Connect = 1,
    /// Server answers CONNECT.
    ConnAck = 2,
    /// A message, either way.
    Publish = 3,
    /// QoS 1 message received.
    PubAck = 4,
    /// QoS 2 message received.
    PubRec = 5,
    /// QoS 2 message released.
    PubRel = 6,
    /// QoS 2 message complete.
    PubComp = 7,
    /// Client asks for subscriptions.
    Subscribe = 8,
    /// Server answers SUBSCRIBE.
    SubAck = 9,
    /// Client ends subscriptions.
    Unsubscribe = 10,
    /// Server answers UNSUBSCRIBE.
    UnsubAck = 11,
    /// Client asks for a sign of life.
    PingReq = 12,
    /// Server gives it.
    PingResp = 13,
    /// Client says goodbye.
    Disconnect = 14,
}

impl PacketKind {
    /// The packet with this number; `None` for the reserved 0 and 15, and above.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<PacketKind> {
        Some(match number {
            1 => PacketKind::Connect,
            2 => PacketKind::ConnAck,
            3 => PacketKind::Publish,
            4 => PacketKind::PubAck,
            5 => PacketKind::PubRec,
            6 => PacketKind::PubRel,
            7 => PacketKind::PubComp,
            8 => PacketKind::Subscribe,
            9 => PacketKind::SubAck,
            10 => PacketKind::Unsubscribe,
            11 => PacketKind::UnsubAck,
            12 => PacketKind::PingReq,
            13 => PacketKind::PingResp,
            14 => PacketKind::Disconnect,
            _ => return None,
        })
    }

    /// 1 to 14.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Appends a packet of this kind without any fields; how many bytes that are.
    pub(in crate::mqtt) fn encode_bare(self, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(&[self.first_byte(0), 0]);
        2
    }

    /// The packet's first byte, with the flags of its fixed header in the low half. Only the low
    /// four bits of `flags` are taken.
    pub(super) const fn first_byte(self, flags: u8) -> u8 {
        self.number() << 4 | flags & 0x0f
    }
}

/// The specification's name in capitals, as in `CONNECT`.
impl fmt::Display for PacketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            PacketKind::Connect => "CONNECT",
            PacketKind::ConnAck => "CONNACK",
            PacketKind::Publish => "PUBLISH",
            PacketKind::PubAck => "PUBACK",
            PacketKind::PubRec => "PUBREC",
            PacketKind::PubRel => "PUBREL",
            PacketKind::PubComp => "PUBCOMP",
            PacketKind::Subscribe => "SUBSCRIBE",
            PacketKind::SubAck => "SUBACK",
            PacketKind::Unsubscribe => "UNSUBSCRIBE",
            PacketKind::UnsubAck => "UNSUBACK",
            PacketKind::PingReq => "PINGREQ",
            PacketKind::PingResp => "PINGRESP",
            PacketKind::Disconnect => "DISCONNECT",
        })
    }
}

/// Any control packet, borrowing its strings and payloads from the bytes it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Client requests to connect.
    Connect(Connect<'a>),
    /// Server answers CONNECT.
    ConnAck(ConnAck),
    /// A message.
    Publish(Publish<'a>),
    /// QoS 1 message received.
    PubAck(PubAck),
    /// QoS 2 message received.
    PubRec(PubRec),
    /// QoS 2 message released.
    PubRel(PubRel),
    /// QoS 2 message complete.
    PubComp(PubComp),
    /// Client asks for subscriptions.
    Subscribe(Subscribe<'a>),
    /// Server answers SUBSCRIBE.
    SubAck(SubAck<'a>),
    /// Client ends subscriptions.
    Unsubscribe(Unsubscribe<'a>),
    /// Server answers UNSUBSCRIBE.
    UnsubAck(UnsubAck),
    /// Client asks for a sign of life: `c0 00` (MQTT section 3.12).
    PingReq,
    /// Server gives it: `d0 00` (MQTT section 3.13).
    PingResp,
    /// Client says goodbye: `e0 00` (MQTT section 3.14).
    Disconnect,
}

impl<'a> Packet<'a> {
    /// Reads `packet`, which must be exactly one whole packet.
    ///
    /// `version` is the one that the connection's CONNECT agreed on. CONNECT itself is read by the
    /// version that it announces, which is then in [`Connect::version`].
    ///
    /// # Errors
    /// Every [`DecodeErrorKind`] except [`DecodeErrorKind::PacketTooLarge`]; in particular
    /// [`DecodeErrorKind::Incomplete`] if bytes are missing and
    /// [`DecodeErrorKind::BytesAfterPacket`] if there are more.
    pub fn decode(packet: &'a [u8], version: ProtocolVersion) -> Result<Packet<'a>, DecodeError> {
        if let Some((publish, [])) = Publish::split_off(packet) {
            return publish.read().map(Packet::Publish);
        }
        match Short::split_off(packet) {
            Some((short, [])) => Ok(short.packet()),
            _ => decode_any(packet, version),
        }
    }

    /// Appends the packet's bytes to `out` and returns how many they are.
    ///
    /// CONNECT is written in its own [`Connect::version`], everything else in `version`.
    ///
    /// # Errors
    /// An [`EncodeError`] if the packet's fields cannot be written; `out` is then as it was.
    pub fn encode(
        &self,
        version: ProtocolVersion,
        out: &mut Vec<u8>,
    ) -> Result<usize, EncodeError> {
        match self {
            Packet::Connect(packet) => packet.encode(out),
            Packet::ConnAck(packet) => packet.encode(version, out),
            Packet::Publish(packet) => packet.encode(out),
            Packet::PubAck(packet) => Ok(packet.encode(out)),
            Packet::PubRec(packet) => Ok(packet.encode(out)),
            Packet::PubRel(packet) => Ok(packet.encode(version, out)),
            Packet::PubComp(packet) => Ok(packet.encode(out)),
            Packet::Subscribe(packet) => packet.encode(version, out),
            Packet::SubAck(packet) => packet.encode(version, out),
            Packet::Unsubscribe(packet) => packet.encode(version, out),
            Packet::UnsubAck(packet) => Ok(packet.encode(out)),
            Packet::PingReq | Packet::PingResp | Packet::Disconnect => {
                Ok(self.kind().encode_bare(out))
            }
        }
    }

    /// Which of the fourteen it is.
    #[must_use]
    pub const fn kind(&self) -> PacketKind {
        match self {
            Packet::Connect(_) => PacketKind::Connect,
            Packet::ConnAck(_) => PacketKind::ConnAck,
            Packet::Publish(_) => PacketKind::Publish,
            Packet::PubAck(_) => PacketKind::PubAck,
            Packet::PubRec(_) => PacketKind::PubRec,
            Packet::PubRel(_) => PacketKind::PubRel,
            Packet::PubComp(_) => PacketKind::PubComp,
            Packet::Subscribe(_) => PacketKind::Subscribe,
            Packet::SubAck(_) => PacketKind::SubAck,
            Packet::Unsubscribe(_) => PacketKind::Unsubscribe,
            Packet::UnsubAck(_) => PacketKind::UnsubAck,
            Packet::PingReq => PacketKind::PingReq,
            Packet::PingResp => PacketKind::PingResp,
            Packet::Disconnect => PacketKind::Disconnect,
        }
    }
}

/// The bit of the flags that says "sent again".
pub(super) const DUP: u8 = 0b1000;

/// The flags that PUBREL, SUBSCRIBE and UNSUBSCRIBE must have (MQTT table 2.2).
const QOS_1: u8 = 0b0010;

/// The flags of PUBREL, SUBSCRIBE and UNSUBSCRIBE: only MQTT 3.1 has DUP there.
pub(super) const fn request_flags(dup: bool, version: ProtocolVersion) -> u8 {
    match version {
        ProtocolVersion::V31 if dup => QOS_1 | DUP,
        _ => QOS_1,
    }
}

/// The fixed header, two to five bytes, with valid flags (MQTT section 2.2):
///
/// ```text
/// byte 1     type (4 bits) | flags (4 bits)
/// byte 2..5  remaining length, 7 bits each, low ones first; the top bit says that one more follows
/// ```
#[derive(Clone, Copy)]
pub(super) struct FixedHeader {
    pub(super) kind: PacketKind,
    pub(super) flags: u8,
    /// The length of the header itself.
    pub(super) length: usize,
    /// How many bytes follow the header.
    remaining: usize,
}

impl FixedHeader {
    /// The longest fixed header.
    pub(super) const MAXIMUM_LENGTH: usize = 5;

    /// Reads the header at the front of `bytes`; `None` if more bytes are needed to tell. A fault
    /// is found in the first byte that shows it.
    #[inline(always)]
    pub(super) fn parse(
        bytes: &[u8],
        version: ProtocolVersion,
    ) -> Result<Option<FixedHeader>, DecodeError> {
        let Some((&first, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let kind = parse_first_byte(first, version)?;
        match RemainingLength::split_off(rest) {
            Some((remaining, behind)) => Ok(Some(FixedHeader {
                kind,
                flags: first & 0x0f,
                length: bytes.len() - behind.len(),
                remaining,
            })),
            None if bytes.len() < FixedHeader::MAXIMUM_LENGTH => Ok(None),
            None => Err(DecodeError::new(
                Some(kind),
                DecodeErrorKind::RemainingLengthTooLong,
            )),
        }
    }

    /// The size of the whole packet.
    pub(super) const fn packet_size(&self) -> usize {
        self.length + self.remaining
    }

    /// The length of the packet identifier in a PUBLISH.
    pub(super) const fn packet_id_length(&self) -> usize {
        if self.flags & 0b0110 == 0 { 0 } else { 2 }
    }

    /// Reads the packet whose header this is; `packet` holds it whole, with the header.
    #[inline(always)]
    pub(super) fn decode<'a>(
        &self,
        packet: &'a [u8],
        version: ProtocolVersion,
    ) -> Result<Packet<'a>, DecodeError> {
        let mut reader = Reader::new(packet.get(self.length..).unwrap_or_default());
        // A PUBLISH uses up the reader, and is spared the detour.
        if self.kind == PacketKind::Publish {
            return match Publish::read(&mut reader, Flags::of(self.flags)) {
                Ok(publish) => Ok(Packet::Publish(publish)),
                Err(kind) => Err(DecodeError::new(Some(self.kind), kind)),
            };
        }
        self.read_fields(reader, version)
            .map_err(|kind| DecodeError::new(Some(self.kind), kind))
    }

    #[inline(never)]
    fn read_fields<'a>(
        &self,
        mut reader: Reader<'a>,
        version: ProtocolVersion,
    ) -> Result<Packet<'a>, DecodeErrorKind> {
        let of_clients = matches!(
            self.kind,
            PacketKind::Connect | PacketKind::Subscribe | PacketKind::Unsubscribe
        );
        if of_clients && !cfg!(feature = "server") {
            let packet_type = self.kind.number();
            return Err(DecodeErrorKind::PacketTypeReserved { packet_type });
        }
        let dup = self.flags & DUP != 0;
        let fields = &mut reader;
        let packet = match self.kind {
            PacketKind::Connect => Packet::Connect(Connect::read(fields)?),
            PacketKind::ConnAck => Packet::ConnAck(ConnAck::read(fields, version)?),
            PacketKind::Publish => Packet::Publish(Publish::read(fields, Flags::of(self.flags))?),
            PacketKind::PubAck => Packet::PubAck(PubAck {
                packet_id: fields.packet_id()?,
            }),
            PacketKind::PubRec => Packet::PubRec(PubRec {
                packet_id: fields.packet_id()?,
            }),
            PacketKind::PubRel => Packet::PubRel(PubRel {
                packet_id: fields.packet_id()?,
                dup,
            }),
            PacketKind::PubComp => Packet::PubComp(PubComp {
                packet_id: fields.packet_id()?,
            }),
            PacketKind::Subscribe => Packet::Subscribe(Subscribe::read(fields, dup)?),
            PacketKind::SubAck => Packet::SubAck(SubAck::read(fields)?),
            PacketKind::Unsubscribe => Packet::Unsubscribe(Unsubscribe::read(fields, dup)?),
            PacketKind::UnsubAck => Packet::UnsubAck(UnsubAck {
                packet_id: fields.packet_id()?,
            }),
            PacketKind::PingReq => Packet::PingReq,
            PacketKind::PingResp => Packet::PingResp,
            PacketKind::Disconnect => Packet::Disconnect,
        };
        reader.finish()?;
        Ok(packet)
    }
}

/// The second field of the fixed header.
pub(super) struct RemainingLength;

impl RemainingLength {
    /// Takes it off the front of `bytes`; `None` if it is cut, or its fourth byte announces a fifth.
    #[inline(always)]
    pub(super) fn split_off(bytes: &[u8]) -> Option<(usize, &[u8])> {
        // That of most messages has two bytes.
        if let [low @ 0x80..=0xff, high @ 0..=0x7f, behind @ ..] = bytes {
            return Some((usize::from(low & 0x7f) | usize::from(*high) << 7, behind));
        }
        let (mut remaining, mut rest) = (0, bytes);
        for shift in [0, 7, 14, 21] {
            let (&byte, behind) = rest.split_first()?;
            remaining |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some((remaining, behind));
            }
            rest = behind;
        }
        None
    }
}

/// A packet that a client gets whose bytes are as good as fixed: it has a packet identifier and no
/// other field, or none at all.
///
/// Told by its first two bytes, it takes half the instructions of what can have any fault and any
/// length.
pub(super) enum Short {
    PubAck(PacketId),
    PingResp,
}

impl Short {
    /// Takes one off the front of `bytes` that has no fault; also what is behind it. `None` stands
    /// for everything else.
    #[inline(always)]
    pub(super) fn split_off(bytes: &[u8]) -> Option<(Short, &[u8])> {
        const PINGRESP: u8 = PacketKind::PingResp.first_byte(0);
        const PUBACK: u8 = PacketKind::PubAck.first_byte(0);
        match bytes {
            [PUBACK, 2, high, low, behind @ ..] => {
                let packet_id = PacketId::new(u16::from_be_bytes([*high, *low]))?;
                Some((Short::PubAck(packet_id), behind))
            }
            [PINGRESP, 0, behind @ ..] => Some((Short::PingResp, behind)),
            _ => None,
        }
    }

    #[inline(always)]
    pub(super) fn packet<'a>(&self) -> Packet<'a> {
        match *self {
            Short::PubAck(packet_id) => Packet::PubAck(PubAck { packet_id }),
            Short::PingResp => Packet::PingResp,
        }
    }
}

/// Reads one whole packet, of whatever kind.
#[inline(never)]
fn decode_any(packet: &[u8], version: ProtocolVersion) -> Result<Packet<'_>, DecodeError> {
    match FixedHeader::parse(packet, version)? {
        Some(header) if header.packet_size() == packet.len() => header.decode(packet, version),
        header => Err(wrong_size(packet.len(), header)),
    }
}

/// Why `given` bytes are not the one packet that they should be.
#[cold]
fn wrong_size(given: usize, header: Option<FixedHeader>) -> DecodeError {
    let needed = header.map_or(usize::max(given + 1, 2), |header| header.packet_size());
    let kind = if given > needed {
        DecodeErrorKind::BytesAfterPacket {
            count: given - needed,
        }
    } else {
        DecodeErrorKind::Incomplete { given, needed }
    };
    DecodeError::new(header.map(|header| header.kind), kind)
}

/// Reads the type of a packet and checks that the flags go with it.
#[inline]
fn parse_first_byte(first: u8, version: ProtocolVersion) -> Result<PacketKind, DecodeError> {
    if first >> 4 != PacketKind::Publish.number() {
        return parse_other_first_byte(first, version);
    }
    match Flags::check(first) {
        Ok(()) => Ok(PacketKind::Publish),
        Err(kind) => Err(DecodeError::new(Some(PacketKind::Publish), kind)),
    }
}

/// Does that for the packets in which flags mean nothing, or DUP at most.
#[inline(never)]
fn parse_other_first_byte(first: u8, version: ProtocolVersion) -> Result<PacketKind, DecodeError> {
    let packet_type = first >> 4;
    let flags = first & 0x0f;
    let kind = PacketKind::from_number(packet_type).ok_or_else(|| {
        DecodeError::new(None, DecodeErrorKind::PacketTypeReserved { packet_type })
    })?;
    let expected = match kind {
        PacketKind::PubRel | PacketKind::Subscribe | PacketKind::Unsubscribe => {
            request_flags(flags & DUP != 0, version)
        }
        _ => 0,
    };
    match flags == expected {
        true => Ok(kind),
        false => Err(DecodeError::new(
            Some(kind),
            DecodeErrorKind::FlagsInvalid { flags },
        )),
    }
}
