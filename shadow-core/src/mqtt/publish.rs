//! PUBLISH (MQTT section 3.3).

use alloc::vec::Vec;

use super::cursor::{Prefixed, Reader, append_fixed_header};
use super::error::{DecodeError, DecodeErrorKind, EncodeError, Field};
use super::packet::{DUP, PacketId, PacketKind, QoS, RemainingLength};

/// A message, from client to server or from server to client.
///
/// ```text
/// 3 | DUP, QoS (2), RETAIN | remaining length
/// topic name | packet identifier (2 bytes, QoS 1 and 2 only) | payload, to the end
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Whether this may be sent for the second time; never at QoS 0 [MQTT-3.3.1-2].
    pub dup: bool,
    /// How hard to try.
    pub qos: QoS,
    /// Whether the server keeps the message, or sends one that it had kept.
    pub retain: bool,
    /// Where it goes: at least one character, no wildcards [MQTT-3.3.2-2].
    pub topic: &'a str,
    /// Present exactly if the QoS is 1 or 2.
    pub packet_id: Option<PacketId>,
    /// The message itself. May be empty.
    pub payload: &'a [u8],
}

const RETAIN: u8 = 0b0001;

impl<'a> Publish<'a> {
    /// Appends the packet to `out`, the same bytes in every version; returns how many.
    ///
    /// # Errors
    /// [`EncodeError::Topic`], [`EncodeError::PacketIdMissing`],
    /// [`EncodeError::PacketIdAtMostOnce`], [`EncodeError::DupAtMostOnce`] or
    /// [`EncodeError::PacketTooLarge`]; `out` is then as it was.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<usize, EncodeError> {
        let id_length = match (self.qos, self.packet_id) {
            (QoS::AtMostOnce, Some(_)) => return Err(EncodeError::PacketIdAtMostOnce),
            (QoS::AtMostOnce, None) if self.dup => return Err(EncodeError::DupAtMostOnce),
            (QoS::AtMostOnce, None) => 0,
            (_, None) => return Err(EncodeError::PacketIdMissing),
            (_, Some(_)) => 2,
        };
        let topic = Prefixed::topic_name(Field::TopicName, self.topic)?;
        let remaining = topic.encoded_length() + id_length + self.payload.len();
        let dup = if self.dup { DUP } else { 0 };
        let flags = dup | self.qos.number() << 1 | u8::from(self.retain);
        let size = append_fixed_header(out, PacketKind::Publish.first_byte(flags), remaining)?;
        topic.append(out);
        if let Some(packet_id) = self.packet_id {
            out.extend_from_slice(&packet_id.get().to_be_bytes());
        }
        out.extend_from_slice(self.payload);
        Ok(size)
    }

    /// Takes a PUBLISH of QoS 0 off the front of `bytes` whose fixed header has no fault and that is
    /// there to its last byte; also what is behind it. `None` stands for everything else.
    ///
    /// Nearly every packet is such a one. Looking for it first, with none of the faults and fields
    /// that others have, saves a third of the instructions beside those that read its topic.
    #[inline(always)]
    pub(super) fn split_off(bytes: &'a [u8]) -> Option<(Unread<'a>, &'a [u8])> {
        let (&first, rest) = bytes.split_first()?;
        if first & !RETAIN != PacketKind::Publish.first_byte(0) {
            return None;
        }
        let flags = Flags {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: first & RETAIN != 0,
        };
        let (remaining, rest) = RemainingLength::split_off(rest)?;
        let (fields, behind) = rest.split_at_checked(remaining)?;
        Some((Unread { flags, fields }, behind))
    }

    /// Reads what follows the fixed header. All of `reader` is used up.
    #[inline(always)]
    pub(super) fn read(
        reader: &mut Reader<'a>,
        flags: Flags,
    ) -> Result<Publish<'a>, DecodeErrorKind> {
        let Flags { dup, qos, retain } = flags;
        let topic = reader.topic_name(Field::TopicName)?;
        let packet_id = match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce | QoS::ExactlyOnce => Some(reader.packet_id()?),
        };
        Ok(Publish {
            dup,
            qos,
            retain,
            topic,
            packet_id,
            payload: reader.take_rest(),
        })
    }
}

/// The flags of a PUBLISH.
#[derive(Clone, Copy)]
pub(super) struct Flags {
    dup: bool,
    qos: QoS,
    retain: bool,
}

impl Flags {
    /// Whether the low half of a PUBLISH's first byte is as it must be.
    #[inline(always)]
    pub(super) fn check(first: u8) -> Result<(), DecodeErrorKind> {
        match QoS::from_number(first >> 1 & 0b11) {
            None => Err(DecodeErrorKind::QoSReserved),
            Some(QoS::AtMostOnce) if first & DUP != 0 => Err(DecodeErrorKind::DupAtMostOnce),
            Some(_) => Ok(()),
        }
    }

    /// Reads it once it was checked.
    #[inline(always)]
    pub(super) fn of(first: u8) -> Flags {
        Flags {
            dup: first & DUP != 0,
            qos: QoS::from_number(first >> 1 & 0b11).unwrap_or_default(),
            retain: first & RETAIN != 0,
        }
    }
}

/// A whole PUBLISH behind its fixed header.
pub(super) struct Unread<'a> {
    flags: Flags,
    fields: &'a [u8],
}

impl<'a> Unread<'a> {
    /// Reads it.
    #[inline(always)]
    pub(super) fn read(&self) -> Result<Publish<'a>, DecodeError> {
        Publish::read(&mut Reader::new(self.fields), self.flags)
            .map_err(|kind| DecodeError::new(Some(PacketKind::Publish), kind))
    }
}
