//! SUBSCRIBE and SUBACK (MQTT sections 3.8 and 3.9).

use alloc::vec::Vec;

use super::ProtocolVersion;
use super::cursor::{Prefixed, Reader};
use super::entries::{Entries, Entry};
use super::error::{DecodeErrorKind, EncodeError, Field};
use super::packet::{PacketId, PacketKind, QoS, request_flags};

/// The client asks for the messages of some topics.
///
/// ```text
/// 8 | 0010 | remaining length
/// packet identifier (2 bytes) | topic filter, requested QoS (1 byte) | topic filter, ...
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// Comes back in SUBACK.
    pub packet_id: PacketId,
    /// Whether it is sent again. Only MQTT 3.1 has a bit for this; in 3.1.1 it is not written and
    /// always read as false.
    pub dup: bool,
    /// At least one topic filter, and the highest QoS that its messages shall come with
    /// [MQTT-3.8.3-3].
    pub filters: Entries<'a, (&'a str, QoS)>,
}

/// The server's answer to SUBSCRIBE.
///
/// ```text
/// 9 | 0 | remaining length
/// packet identifier (2 bytes) | return code (1 byte) for each topic filter
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubAck<'a> {
    /// The identifier of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// One code for each topic filter, in the same order [MQTT-3.9.3-1]; at least one. That there
    /// are as many as filters is for the receiver to check, who knows the SUBSCRIBE.
    pub return_codes: Entries<'a, SubscribeReturnCode>,
}

/// What became of one topic filter (MQTT section 3.9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeReturnCode {
    /// Subscribed; messages come with at most this QoS. `00`, `01` or `02`.
    Granted(QoS),
    /// Refused: `80`. MQTT 3.1 has no code for it, so it is not written there, but it is read.
    Failure,
}

const FAILURE: u8 = 0x80;

impl<'a> Subscribe<'a> {
    /// Appends the packet to `out`; returns how many bytes.
    ///
    /// # Errors
    /// [`EncodeError::NoTopicFilter`], [`EncodeError::Topic`] or [`EncodeError::PacketTooLarge`];
    /// `out` is then as it was.
    pub fn encode(
        &self,
        version: ProtocolVersion,
        out: &mut Vec<u8>,
    ) -> Result<usize, EncodeError> {
        if self.filters.is_empty() {
            return Err(EncodeError::NoTopicFilter);
        }
        let first_byte = PacketKind::Subscribe.first_byte(request_flags(self.dup, version));
        self.filters.append_packet(out, first_byte, self.packet_id)
    }

    /// Reads what follows the fixed header. All of `reader` is used up.
    pub(super) fn read(
        reader: &mut Reader<'a>,
        dup: bool,
    ) -> Result<Subscribe<'a>, DecodeErrorKind> {
        let packet_id = reader.packet_id()?;
        if reader.is_empty() {
            return Err(DecodeErrorKind::NoTopicFilter);
        }
        Ok(Subscribe {
            packet_id,
            dup,
            filters: Entries::read(reader, |_| Ok(()))?,
        })
    }
}

impl<'a> SubAck<'a> {
    /// Appends the packet to `out`; returns how many bytes.
    ///
    /// # Errors
    /// [`EncodeError::NoReturnCode`], [`EncodeError::FailureNotInVersion`] or
    /// [`EncodeError::PacketTooLarge`]; `out` is then as it was.
    pub fn encode(
        &self,
        version: ProtocolVersion,
        out: &mut Vec<u8>,
    ) -> Result<usize, EncodeError> {
        if self.return_codes.is_empty() {
            return Err(EncodeError::NoReturnCode);
        }
        if version == ProtocolVersion::V31
            && self
                .return_codes
                .iter()
                .any(|code| code == SubscribeReturnCode::Failure)
        {
            return Err(EncodeError::FailureNotInVersion);
        }
        let first_byte = PacketKind::SubAck.first_byte(0);
        self.return_codes
            .append_packet(out, first_byte, self.packet_id)
    }

    /// Reads what follows the fixed header. All of `reader` is used up.
    ///
    /// A server that refuses by the code of 3.1.1 is understood in 3.1 too, which has none: the
    /// meaning is plain, and a client that ended the link over it would be refused again for ever.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<SubAck<'a>, DecodeErrorKind> {
        let packet_id = reader.packet_id()?;
        if reader.is_empty() {
            return Err(DecodeErrorKind::NoReturnCode);
        }
        let return_codes = Entries::read(reader, |_| Ok(()))?;
        Ok(SubAck {
            packet_id,
            return_codes,
        })
    }
}

impl<'a> Entry<'a> for (&'a str, QoS) {
    fn read(bytes: &mut &'a [u8]) -> Result<(&'a str, QoS), DecodeErrorKind> {
        let mut reader = Reader::new(bytes);
        let filter = reader.topic_filter()?;
        let value = reader.byte(Field::RequestedQoS)?;
        let qos = QoS::from_number(value).ok_or(DecodeErrorKind::RequestedQoSReserved { value })?;
        *bytes = reader.take_rest();
        Ok((filter, qos))
    }

    fn encoded_length(&self) -> Result<usize, EncodeError> {
        Ok(Prefixed::topic_filter(self.0)?.encoded_length() + 1)
    }

    fn append(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Prefixed::topic_filter(self.0)?.append(out);
        out.push(self.1.number());
        Ok(())
    }
}

impl<'a> Entry<'a> for SubscribeReturnCode {
    fn read(bytes: &mut &'a [u8]) -> Result<SubscribeReturnCode, DecodeErrorKind> {
        let mut reader = Reader::new(bytes);
        let code = reader.byte(Field::ReturnCode)?;
        *bytes = reader.take_rest();
        match (QoS::from_number(code), code) {
            (Some(qos), _) => Ok(SubscribeReturnCode::Granted(qos)),
            (None, FAILURE) => Ok(SubscribeReturnCode::Failure),
            (None, code) => Err(DecodeErrorKind::SubscribeReturnCodeReserved { code }),
        }
    }

    fn encoded_length(&self) -> Result<usize, EncodeError> {
        Ok(1)
    }

    fn append(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.push(match self {
            SubscribeReturnCode::Granted(qos) => qos.number(),
            SubscribeReturnCode::Failure => FAILURE,
        });
        Ok(())
    }
}
