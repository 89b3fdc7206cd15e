//! UNSUBSCRIBE (MQTT section 3.10).

use alloc::vec::Vec;

use super::ProtocolVersion;
use super::cursor::{Prefixed, Reader};
use super::entries::{Entries, Entry};
use super::error::{DecodeErrorKind, EncodeError};
use super::packet::{PacketId, PacketKind, request_flags};

/// The client no longer wants the messages of some topics.
///
/// ```text
/// 10 | 0010 | remaining length
/// packet identifier (2 bytes) | topic filter | topic filter | ...
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// Comes back in UNSUBACK.
    pub packet_id: PacketId,
    /// Whether it is sent again. Only MQTT 3.1 has a bit for this; in 3.1.1 it is not written and
    /// always read as false.
    pub dup: bool,
    /// At least one topic filter [MQTT-3.10.3-2].
    pub filters: Entries<'a, &'a str>,
}

impl<'a> Unsubscribe<'a> {
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
        let first_byte = PacketKind::Unsubscribe.first_byte(request_flags(self.dup, version));
        self.filters.append_packet(out, first_byte, self.packet_id)
    }

    /// Reads what follows the fixed header. All of `reader` is used up.
    pub(super) fn read(
        reader: &mut Reader<'a>,
        dup: bool,
    ) -> Result<Unsubscribe<'a>, DecodeErrorKind> {
        let packet_id = reader.packet_id()?;
        if reader.is_empty() {
            return Err(DecodeErrorKind::NoTopicFilter);
        }
        Ok(Unsubscribe {
            packet_id,
            dup,
            filters: Entries::read(reader, |_| Ok(()))?,
        })
    }
}

impl<'a> Entry<'a> for &'a str {
    fn read(bytes: &mut &'a [u8]) -> Result<&'a str, DecodeErrorKind> {
        let mut reader = Reader::new(bytes);
        let filter = reader.topic_filter()?;
        *bytes = reader.take_rest();
        Ok(filter)
    }

    fn encoded_length(&self) -> Result<usize, EncodeError> {
        Ok(Prefixed::topic_filter(self)?.encoded_length())
    }

    fn append(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Prefixed::topic_filter(self)?.append(out);
        Ok(())
    }
}
