//! The lists that SUBSCRIBE, SUBACK and UNSUBSCRIBE carry.

use alloc::vec::Vec;
use core::fmt;

use super::cursor::{Reader, append_fixed_header};
use super::error::{DecodeErrorKind, EncodeError};
use super::packet::PacketId;

/// The list of a packet: a slice of the caller's when a packet is built, the packet's bytes when
/// one was read. Neither allocates.
///
/// SUBSCRIBE holds `(&str, QoS)`, UNSUBSCRIBE `&str`, and SUBACK
/// [`SubscribeReturnCode`](super::SubscribeReturnCode); there are no other lists. Two lists are
/// equal if their entries are, wherever they are stored.
///
/// ```
/// use shadow_core::mqtt::{Entries, QoS};
///
/// let filters = Entries::from(&[("a/b", QoS::AtMostOnce), ("c/#", QoS::AtLeastOnce)]);
/// assert_eq!(filters.len(), 2);
/// assert!(filters.iter().any(|(filter, qos)| filter == "c/#" && qos == QoS::AtLeastOnce));
/// ```
#[derive(Clone, Copy)]
pub struct Entries<'a, T> {
    source: Source<'a, T>,
}

#[derive(Clone, Copy)]
enum Source<'a, T> {
    Slice(&'a [T]),
    /// Whole entries, each of which was read once without error.
    Wire(&'a [u8]),
}

/// An entry's bytes. Not named outside of this module's parent, so that no other types come in.
pub trait Entry<'a>: Copy + PartialEq + fmt::Debug {
    /// Takes one entry off the front of `bytes`.
    ///
    /// # Errors
    /// The rule that the entry breaks.
    fn read(bytes: &mut &'a [u8]) -> Result<Self, DecodeErrorKind>;

    /// How many bytes [`Entry::append`] writes.
    ///
    /// # Errors
    /// Why the entry cannot be written.
    fn encoded_length(&self) -> Result<usize, EncodeError>;

    /// Writes the entry.
    ///
    /// # Errors
    /// None if [`Entry::encoded_length`] had none.
    fn append(&self, out: &mut Vec<u8>) -> Result<(), EncodeError>;
}

impl<'a, T: Entry<'a>> Entries<'a, T> {
    /// The entries in their order.
    #[must_use]
    pub fn iter(&self) -> EntriesIter<'a, T> {
        EntriesIter {
            source: self.source,
        }
    }

    /// How many entries there are. For a list that was read this walks over all of them.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.source {
            Source::Slice(entries) => entries.len(),
            Source::Wire(_) => self.iter().count(),
        }
    }

    /// Whether there are none; never so in a packet that was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self.source {
            Source::Slice(entries) => entries.is_empty(),
            Source::Wire(bytes) => bytes.is_empty(),
        }
    }

    /// Checks all that is left in `reader` and takes it.
    pub(super) fn read(
        reader: &mut Reader<'a>,
        check: impl Fn(T) -> Result<(), DecodeErrorKind>,
    ) -> Result<Entries<'a, T>, DecodeErrorKind> {
        let wire = reader.take_rest();
        let mut left = wire;
        while !left.is_empty() {
            check(T::read(&mut left)?)?;
        }
        Ok(Entries {
            source: Source::Wire(wire),
        })
    }

    /// Appends a packet that consists of a packet identifier and this list.
    pub(super) fn append_packet(
        &self,
        out: &mut Vec<u8>,
        first_byte: u8,
        packet_id: PacketId,
    ) -> Result<usize, EncodeError> {
        let mut remaining = 2;
        for entry in self.iter() {
            remaining += entry.encoded_length()?;
        }
        // Nothing below this line fails, so no error leaves half a packet in `out`.
        let size = append_fixed_header(out, first_byte, remaining)?;
        out.extend_from_slice(&packet_id.get().to_be_bytes());
        for entry in self.iter() {
            entry.append(out)?;
        }
        Ok(size)
    }
}

impl<'a, T> From<&'a [T]> for Entries<'a, T> {
    fn from(entries: &'a [T]) -> Entries<'a, T> {
        Entries {
            source: Source::Slice(entries),
        }
    }
}

impl<'a, T, const N: usize> From<&'a [T; N]> for Entries<'a, T> {
    fn from(entries: &'a [T; N]) -> Entries<'a, T> {
        Entries {
            source: Source::Slice(entries),
        }
    }
}

impl<'a, T: Entry<'a>> IntoIterator for Entries<'a, T> {
    type Item = T;
    type IntoIter = EntriesIter<'a, T>;

    fn into_iter(self) -> EntriesIter<'a, T> {
        self.iter()
    }
}

impl<'a, T: Entry<'a>> PartialEq for Entries<'a, T> {
    fn eq(&self, other: &Entries<'a, T>) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'a, T: Entry<'a> + Eq> Eq for Entries<'a, T> {}

impl<'a, T: Entry<'a>> fmt::Debug for Entries<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Goes over the entries of [`Entries`].
#[derive(Clone)]
pub struct EntriesIter<'a, T> {
    source: Source<'a, T>,
}

impl<'a, T: Entry<'a>> Iterator for EntriesIter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match &mut self.source {
            Source::Slice(entries) => {
                let (&entry, rest) = entries.split_first()?;
                *entries = rest;
                Some(entry)
            }
            // Each entry was read before without error, so `ok()` hides none.
            Source::Wire([]) => None,
            Source::Wire(bytes) => T::read(bytes).ok(),
        }
    }
}
