//! Packets out of a byte stream that was cut anywhere.

use alloc::vec::Vec;
use core::fmt;

use super::cursor::Reader;
use super::error::{DecodeError, DecodeErrorKind, Field};
use super::packet::{FixedHeader, PacketId, PacketKind, QoS};
use super::publish::{Flags, Unread};
use super::{Packet, ProtocolVersion, Publish};

/// Reads packets from the bytes of one connection, in whatever pieces they come.
///
/// Hand every piece to [`next`](StreamDecoder::next) and call it until it returns `None`:
///
/// ```
/// use shadow_core::mqtt::{Incoming, Oversized, Packet, ProtocolVersion, StreamDecoder};
///
/// let mut decoder = StreamDecoder::new(ProtocolVersion::V311, 1024, Oversized::Refuse);
/// let mut received = Vec::new();
/// for piece in [&b"\xd0"[..], &b"\x00\xd0\x00\x30"[..]] {
///     let mut input = piece;
///     while let Some(incoming) = decoder.next(&mut input)? {
///         if let Incoming::Packet(packet) = incoming {
///             received.push(packet.kind().to_string());
///         }
///     }
/// }
/// assert_eq!(received, ["PINGRESP", "PINGRESP"]);
/// assert_eq!(decoder.buffered(), 1);
/// # Ok::<(), shadow_core::mqtt::DecodeError>(())
/// ```
///
/// A packet that lies whole in `input` is borrowed from it. Only a packet that is cut is copied,
/// into a buffer that grows with the bytes that came, not with the length that was announced. So
/// the buffer never holds more than the maximum packet size (or a fixed header, if that is larger),
/// and it is given back when it is empty again, unless it stayed small.
///
/// After an error the stream has no packet boundaries any more: every later call returns the same
/// error. Use a new decoder for a new connection.
#[derive(Clone, Debug)]
pub struct StreamDecoder {
    assembly: Assembly,
    failure: Option<DecodeError>,
}

/// What to do about a PUBLISH above the maximum packet size. Any other packet above it is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oversized {
    /// It is an error like any other.
    Refuse,
    /// Let its payload pass by and report it as [`Incoming::Skipped`].
    SkipPublish,
}

/// What came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A packet.
    Packet(Packet<'a>),
    /// A PUBLISH that was too large, once its last byte went by.
    Skipped(SkippedPublish<'a>),
}

/// What is known of a PUBLISH whose payload was dropped: all but the payload. Its packet identifier
/// lets the receiver acknowledge it, or the sender would send it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkippedPublish<'a> {
    /// Whether it may be sent for the second time.
    pub dup: bool,
    /// Its QoS.
    pub qos: QoS,
    /// Whether it was a message that the server had kept.
    pub retain: bool,
    /// Its topic.
    pub topic: &'a str,
    /// Present exactly if the QoS is 1 or 2.
    pub packet_id: Option<PacketId>,
    /// The size of the whole packet, in bytes.
    pub size: usize,
}

impl StreamDecoder {
    /// A decoder at the start of a connection.
    ///
    /// `maximum_packet_size` counts the whole packet with its fixed header, in bytes.
    #[must_use]
    pub const fn new(
        version: ProtocolVersion,
        maximum_packet_size: usize,
        oversized: Oversized,
    ) -> StreamDecoder {
        StreamDecoder {
            assembly: Assembly {
                version,
                maximum_packet_size,
                oversized,
                buffer: Vec::new(),
                state: State::GATHERING,
            },
            failure: None,
        }
    }

    /// Reads all packets from now on by the rules of `version`. A server calls it with the version
    /// of the CONNECT it just got.
    pub const fn set_version(&mut self, version: ProtocolVersion) {
        self.assembly.version = version;
    }

    /// Takes the next packet off the front of `input`, with what is left of earlier inputs before
    /// it. `None` means that `input` is used up and no packet is complete.
    ///
    /// # Errors
    /// A [`DecodeError`] as soon as the bytes seen so far break a rule, with
    /// [`DecodeErrorKind::PacketTooLarge`] for a packet above the maximum size: at once when its
    /// fixed header is there, or, if it is a PUBLISH to be skipped, when even its topic is too
    /// long.
    /// How much of `input` is then left is not specified.
    pub fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Incoming<'a>>, DecodeError> {
        if self.takes_byte(input) {
            *input = &[];
            return Ok(None);
        }
        self.read_next(input)
    }

    #[inline(never)] // The way of `takes_byte` would save and restore all that is needed here.
    fn read_next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Incoming<'a>>, DecodeError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        self.assembly.release_delivered();
        let result = match self.assembly.split_whole_publish(input) {
            Some(publish) => match publish.read() {
                Ok(publish) => return Ok(Some(Incoming::Packet(Packet::Publish(publish)))),
                Err(error) => Err(error),
            },
            None => self.assembly.next_any(input),
        };
        if let Err(error) = result {
            self.failure = Some(error);
        }
        result
    }

    /// Takes `input` if it is one byte amid a packet that does not complete it; whether it was.
    ///
    /// [`next`](StreamDecoder::next) does the same, but on a line that gives one byte at a time this
    /// is what nearly every input comes to: it is worth a way of its own of some 15 instructions.
    #[inline(always)]
    pub(crate) fn takes_byte(&mut self, input: &[u8]) -> bool {
        let Assembly { state, buffer, .. } = &mut self.assembly;
        // After an error nothing is wanted any more that has not come.
        match (*state, input) {
            (State::Gathering { wanted }, &[byte])
                if buffer.len() + 1 < wanted && buffer.len() < buffer.capacity() =>
            {
                buffer.push(byte);
                true
            }
            _ => false,
        }
    }

    /// How many bytes of an incomplete packet are kept. Those of a payload that is skipped are not
    /// kept and do not count.
    #[must_use]
    pub const fn buffered(&self) -> usize {
        match self.assembly.state {
            State::Delivered => 0,
            State::Gathering { .. } | State::Skipping { .. } => self.assembly.buffer.len(),
        }
    }

    #[cfg(test)]
    pub(super) fn buffer_capacity(&self) -> usize {
        self.assembly.buffer.capacity()
    }
}

/// An empty buffer above this capacity is given back.
const KEPT_CAPACITY: usize = 512;

/// The capacity of a buffer's first allocation, unless its packet is smaller.
const FIRST_CAPACITY: usize = 64;

#[derive(Clone)]
struct Assembly {
    version: ProtocolVersion,
    maximum_packet_size: usize,
    oversized: Oversized,
    buffer: Vec<u8>,
    state: State,
}

/// Without the bytes: on a server they may be a CONNECT with its password.
impl fmt::Debug for Assembly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembly")
            .field("version", &self.version)
            .field("maximum_packet_size", &self.maximum_packet_size)
            .field("oversized", &self.oversized)
            .field("buffered", &self.buffer.len())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// What `buffer` holds.
#[derive(Clone, Copy, Debug)]
enum State {
    /// The beginning of a packet, or nothing. There is nothing to be told of it before it has
    /// `wanted` bytes.
    Gathering { wanted: usize },
    /// A packet that the caller has seen; to be cleared.
    Delivered,
    /// A PUBLISH up to its payload, of which `left` bytes have yet to go by.
    Skipping { left: usize },
}

impl State {
    const GATHERING: State = State::Gathering { wanted: 0 };
}

impl Assembly {
    /// Empties the buffer if the caller has seen what is in it.
    fn release_delivered(&mut self) {
        if let State::Delivered = self.state {
            self.state = State::GATHERING;
            self.buffer.clear();
            if self.buffer.capacity() > KEPT_CAPACITY {
                self.buffer = Vec::new();
            }
        }
    }

    /// Takes a PUBLISH off `input` that is there from its first byte to its last. `None` stands for
    /// everything else.
    #[inline(always)]
    fn split_whole_publish<'i>(&self, input: &mut &'i [u8]) -> Option<Unread<'i>> {
        if !self.buffer.is_empty() {
            return None;
        }
        let (publish, behind) = Publish::split_off(input)?;
        if input.len() - behind.len() > self.maximum_packet_size {
            return None;
        }
        *input = behind;
        Some(publish)
    }

    /// Takes what is no PUBLISH, or cut, or has a fault.
    fn next_any<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Incoming<'a>>, DecodeError> {
        if input.is_empty() {
            return Ok(None);
        }
        match self.split_whole_packet(input) {
            Some((header, packet)) => header
                .decode(packet, self.version)
                .map(|packet| Some(Incoming::Packet(packet))),
            None => self.next_cut(input),
        }
    }

    /// Takes a packet off `input` that is there from its first byte to its last. `None` stands for
    /// everything else, faults included.
    #[inline]
    fn split_whole_packet<'i>(&self, input: &mut &'i [u8]) -> Option<(FixedHeader, &'i [u8])> {
        if !self.buffer.is_empty() {
            return None;
        }
        let header = FixedHeader::parse(input, self.version).ok()??;
        let size = header.packet_size();
        if size > self.maximum_packet_size {
            return None;
        }
        let (packet, rest) = input.split_at_checked(size)?;
        *input = rest;
        Some((header, packet))
    }

    /// Goes on with a packet that is cut, or too large to be kept whole.
    fn next_cut<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Incoming<'a>>, DecodeError> {
        if let State::Gathering { wanted } = self.state
            && !self.gather(input, wanted)
        {
            return Ok(None);
        }
        let Some(header) = self.gather_header(input)? else {
            return Ok(None);
        };
        let size = header.packet_size();
        if size > self.maximum_packet_size {
            return self.skip(input, header);
        }
        if !self.gather(input, size) {
            // So that bytes which come one by one cost no reading of the header each.
            self.state = State::Gathering { wanted: size };
            return Ok(None);
        }
        self.state = State::Delivered;
        header
            .decode(&self.buffer, self.version)
            .map(|packet| Some(Incoming::Packet(packet)))
    }

    /// Lets an oversized PUBLISH pass by, all but its topic and packet identifier.
    fn skip<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
        header: FixedHeader,
    ) -> Result<Option<Incoming<'a>>, DecodeError> {
        let size = header.packet_size();
        let left = match self.state {
            State::Skipping { left } => left,
            State::Gathering { .. } | State::Delivered => {
                let Some(kept) = self.gather_publish_header(input, header)? else {
                    return Ok(None);
                };
                read_publish_header(header, &self.buffer)?;
                size - kept
            }
        };
        let (_, rest) = input.split_at_checked(left).unwrap_or((input, &[]));
        let left = left - (input.len() - rest.len());
        *input = rest;
        if left > 0 {
            self.state = State::Skipping { left };
            return Ok(None);
        }
        self.state = State::Delivered;
        let Publish {
            dup,
            qos,
            retain,
            topic,
            packet_id,
            ..
        } = read_publish_header(header, &self.buffer)?;
        let skipped = SkippedPublish {
            dup,
            qos,
            retain,
            topic,
            packet_id,
            size,
        };
        Ok(Some(Incoming::Skipped(skipped)))
    }

    /// Buffers the fixed header.
    fn gather_header(&mut self, input: &mut &[u8]) -> Result<Option<FixedHeader>, DecodeError> {
        loop {
            let header = FixedHeader::parse(&self.buffer, self.version)?;
            if header.is_some() || !self.gather(input, self.buffer.len() + 1) {
                return Ok(header);
            }
        }
    }

    /// Buffers an oversized packet up to its payload and returns where that begins.
    fn gather_publish_header(
        &mut self,
        input: &mut &[u8],
        header: FixedHeader,
    ) -> Result<Option<usize>, DecodeError> {
        let size = header.packet_size();
        let maximum = self.maximum_packet_size;
        let fail = |kind| DecodeError::new(Some(header.kind), kind);
        let too_large = fail(DecodeErrorKind::PacketTooLarge { size, maximum });
        if header.kind != PacketKind::Publish || self.oversized == Oversized::Refuse {
            return Err(too_large);
        }
        let check_end = |field, end| {
            if end > size {
                Err(fail(DecodeErrorKind::FieldMissing { field }))
            } else if end > maximum {
                Err(too_large)
            } else {
                Ok(())
            }
        };
        let topic_start = header.length + 2;
        check_end(Field::TopicName, topic_start)?;
        if !self.gather(input, topic_start) {
            return Ok(None);
        }
        let after_header = self.buffer.get(header.length..).unwrap_or_default();
        let topic_length = Reader::new(after_header)
            .integer(Field::TopicName)
            .map_err(fail)?;
        let topic_end = topic_start + usize::from(topic_length);
        check_end(Field::TopicName, topic_end)?;
        let payload_start = topic_end + header.packet_id_length();
        check_end(Field::PacketId, payload_start)?;
        Ok(self.gather(input, payload_start).then_some(payload_start))
    }

    /// Moves bytes from `input` until `buffer` holds at least `wanted`; whether it now does.
    fn gather(&mut self, input: &mut &[u8], wanted: usize) -> bool {
        let missing = wanted.saturating_sub(self.buffer.len());
        let (taken, rest) = input.split_at_checked(missing).unwrap_or((input, &[]));
        *input = rest;
        let needed = self.buffer.len() + taken.len();
        if needed > self.buffer.capacity() {
            // Doubling keeps the copying linear; `wanted` keeps it below the maximum packet size.
            let doubled = usize::max(self.buffer.capacity() * 2, FIRST_CAPACITY);
            let capacity = usize::max(usize::min(doubled, wanted), needed);
            self.buffer.reserve_exact(capacity - self.buffer.len());
        }
        self.buffer.extend_from_slice(taken);
        self.buffer.len() >= wanted
    }
}

fn read_publish_header(header: FixedHeader, packet: &[u8]) -> Result<Publish<'_>, DecodeError> {
    let after_header = packet.get(header.length..).unwrap_or_default();
    Publish::read(&mut Reader::new(after_header), Flags::of(header.flags))
        .map_err(|kind| DecodeError::new(Some(header.kind), kind))
}
