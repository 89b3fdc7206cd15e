//! Reading a packet's fields off its front, and the pieces that encoding is made of.

use alloc::vec::Vec;
use core::str;

use super::MAXIMUM_REMAINING_LENGTH;
use super::error::{DecodeErrorKind, EncodeError, Field};
use super::packet::PacketId;
use super::topic::{self, TopicError};

/// The part of a packet behind its fixed header that is not read yet.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// All that is left.
    pub(super) fn take_rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// Fails if the packet goes on behind its last field.
    pub(super) fn finish(self) -> Result<(), DecodeErrorKind> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(DecodeErrorKind::TrailingBytes { count }),
        }
    }

    #[inline]
    pub(super) fn byte(&mut self, field: Field) -> Result<u8, DecodeErrorKind> {
        let (&byte, rest) = self
            .rest
            .split_first()
            .ok_or(DecodeErrorKind::FieldMissing { field })?;
        self.rest = rest;
        Ok(byte)
    }

    /// Two bytes, the high one first (MQTT section 1.5.2).
    #[inline]
    pub(super) fn integer(&mut self, field: Field) -> Result<u16, DecodeErrorKind> {
        let (&bytes, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(DecodeErrorKind::FieldMissing { field })?;
        self.rest = rest;
        Ok(u16::from_be_bytes(bytes))
    }

    pub(super) fn packet_id(&mut self) -> Result<PacketId, DecodeErrorKind> {
        PacketId::new(self.integer(Field::PacketId)?).ok_or(DecodeErrorKind::PacketIdZero)
    }

    /// Bytes behind their two-byte length.
    #[inline]
    pub(super) fn binary(&mut self, field: Field) -> Result<&'a [u8], DecodeErrorKind> {
        let length = usize::from(self.integer(field)?);
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(DecodeErrorKind::FieldMissing { field })?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A string (MQTT section 1.5.3).
    pub(super) fn string(&mut self, field: Field) -> Result<&'a str, DecodeErrorKind> {
        let text = self.utf8(field)?;
        if has_nul(text) {
            return Err(DecodeErrorKind::NulCharacter { field });
        }
        Ok(text)
    }

    #[inline]
    pub(super) fn topic_name(&mut self, field: Field) -> Result<&'a str, DecodeErrorKind> {
        let bytes = self.binary(field)?;
        // All is well with nearly every topic; what is not takes the long way, to tell what it is.
        if topic::is_plain(bytes)
            && let Ok(name) = str::from_utf8(bytes)
        {
            return Ok(name);
        }
        checked_topic_name(bytes, field)
    }

    pub(super) fn topic_filter(&mut self) -> Result<&'a str, DecodeErrorKind> {
        let field = Field::TopicFilter;
        let filter = self.utf8(field)?;
        topic::validate_filter(filter).map_err(|error| topic_error(field, error))?;
        Ok(filter)
    }

    fn utf8(&mut self, field: Field) -> Result<&'a str, DecodeErrorKind> {
        utf8(self.binary(field)?, field)
    }
}

/// A string that may still contain U+0000. `from_utf8` refuses surrogates and overlong forms.
fn utf8(bytes: &[u8], field: Field) -> Result<&str, DecodeErrorKind> {
    str::from_utf8(bytes).map_err(|error| DecodeErrorKind::Utf8Invalid {
        field,
        valid_up_to: error.valid_up_to(),
    })
}

/// Whether a string holds U+0000. It is looked at by chunks, as a topic is.
fn has_nul(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(last) = bytes.last_chunk() else {
        return bytes.contains(&0);
    };
    let (chunks, _) = bytes.as_chunks();
    has_nul_in_chunk(last) || chunks.iter().any(has_nul_in_chunk)
}

#[inline]
fn has_nul_in_chunk(chunk: &[u8; 16]) -> bool {
    chunk.iter().fold(false, |found, &byte| found | (byte == 0))
}

#[cold]
fn checked_topic_name(bytes: &[u8], field: Field) -> Result<&str, DecodeErrorKind> {
    let name = utf8(bytes, field)?;
    topic::validate_name(name).map_err(|error| topic_error(field, error))?;
    Ok(name)
}

/// U+0000 is forbidden in every string, so it gets the general clause in topics too.
fn topic_error(field: Field, error: TopicError) -> DecodeErrorKind {
    match error {
        TopicError::NulCharacter => DecodeErrorKind::NulCharacter { field },
        error => DecodeErrorKind::Topic { field, error },
    }
}

/// A field that is preceded by its two-byte length, known to be short enough.
#[derive(Clone, Copy)]
pub(super) struct Prefixed<'a> {
    length: u16,
    bytes: &'a [u8],
}

impl<'a> Prefixed<'a> {
    pub(super) fn binary(field: Field, bytes: &'a [u8]) -> Result<Prefixed<'a>, EncodeError> {
        let length = u16::try_from(bytes.len()).map_err(|_| EncodeError::FieldTooLong {
            field,
            length: bytes.len(),
        })?;
        Ok(Prefixed { length, bytes })
    }

    pub(super) fn string(field: Field, text: &'a str) -> Result<Prefixed<'a>, EncodeError> {
        if has_nul(text) {
            return Err(EncodeError::NulCharacter { field });
        }
        Prefixed::binary(field, text.as_bytes())
    }

    pub(super) fn topic_name(field: Field, name: &'a str) -> Result<Prefixed<'a>, EncodeError> {
        topic::validate_name(name).map_err(|error| EncodeError::Topic { field, error })?;
        Prefixed::binary(field, name.as_bytes())
    }

    pub(super) fn topic_filter(filter: &'a str) -> Result<Prefixed<'a>, EncodeError> {
        let field = Field::TopicFilter;
        topic::validate_filter(filter).map_err(|error| EncodeError::Topic { field, error })?;
        Prefixed::binary(field, filter.as_bytes())
    }

    /// How many bytes [`Prefixed::append`] writes.
    pub(super) fn encoded_length(self) -> usize {
        2 + self.bytes.len()
    }

    pub(super) fn append(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.length.to_be_bytes());
        out.extend_from_slice(self.bytes);
    }
}

/// Takes room for a whole packet and writes its fixed header; returns the size of the packet.
#[inline(always)]
pub(super) fn append_fixed_header(
    out: &mut Vec<u8>,
    first_byte: u8,
    remaining_length: usize,
) -> Result<usize, EncodeError> {
    let byte = |shift: u32| (remaining_length >> shift) as u8 & 0x7f;
    let more = |shift| byte(shift) | 0x80;
    let mut append = |header: &[u8]| {
        let size = header.len() + remaining_length;
        out.reserve(size);
        out.extend_from_slice(header);
        Ok(size)
    };
    match remaining_length {
        0..=0x7f => append(&[first_byte, byte(0)]),
        0x80..=0x3fff => append(&[first_byte, more(0), byte(7)]),
        0x4000..=0x1f_ffff => append(&[first_byte, more(0), more(7), byte(14)]),
        0x20_0000..=MAXIMUM_REMAINING_LENGTH => {
            append(&[first_byte, more(0), more(7), more(14), byte(21)])
        }
        _ => Err(EncodeError::PacketTooLarge { remaining_length }),
    }
}
