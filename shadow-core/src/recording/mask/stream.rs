//! Inbound bytes, masked packet by packet, however they are cut.

use alloc::vec::Vec;

use super::masker::Masker;
use crate::config::Config;
use crate::engine::maximum_packet_size;
use crate::mqtt::{DecodeErrorKind, Packet, PacketKind, ProtocolVersion, topic};

/// Follows the packets in the bytes of one link and passes them on masked, each when the engine's own
/// decoder has it, or what is wrong with it: so an engine that gets what is passed on sees the same
/// packets, or the same fault, from the same input.
///
/// It holds back no more than that decoder: a packet up to the maximum size, or a fixed header, topic
/// and packet id.
pub(super) struct Stream {
    version: ProtocolVersion,
    maximum: usize,
    held: Vec<u8>,
    /// How many bytes have to be held before they tell more.
    wanted: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Gathering,
    /// So many bytes of a payload pass by that is too large.
    Skipping(usize),
    /// A fault was passed on; the engine reads no further.
    Failed,
}

/// Stands for a payload that nobody reads.
const FILLER: u8 = b'-';

impl Stream {
    pub(super) fn new(config: &Config) -> Stream {
        Stream {
            version: config.protocol_version,
            maximum: maximum_packet_size(config),
            held: Vec::new(),
            wanted: 1,
            state: State::Gathering,
        }
    }

    /// A new link begins.
    pub(super) fn restart(&mut self) {
        self.held = Vec::new();
        self.wanted = 1;
        self.state = State::Gathering;
    }

    /// Takes what has come and appends what can be passed on.
    pub(super) fn mask(&mut self, bytes: &[u8], masker: &Masker, out: &mut Vec<u8>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let wanted = match self.state {
                State::Failed => return,
                State::Skipping(left) => left,
                State::Gathering => self.wanted.saturating_sub(self.held.len()),
            };
            let (taken, behind) = rest.split_at_checked(wanted).unwrap_or((rest, &[]));
            rest = behind;
            if let State::Skipping(left) = self.state {
                out.resize(out.len() + taken.len(), FILLER);
                self.skip(left - taken.len());
                continue;
            }
            self.held.extend_from_slice(taken);
            if self.held.len() >= self.wanted {
                self.look(masker, out);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.held.capacity()
    }

    /// There is enough to tell more.
    fn look(&mut self, masker: &Masker, out: &mut Vec<u8>) {
        let error = match Packet::decode(&self.held, self.version) {
            Ok(packet) => {
                self.packet(&packet, masker, out);
                return self.begin();
            }
            Err(error) => error,
        };
        let DecodeErrorKind::Incomplete { needed, .. } = error.kind() else {
            scrub(&self.held, out);
            return self.fail();
        };
        match error.packet() {
            Some(PacketKind::Publish) if needed > self.maximum => {
                self.oversized(needed, masker, out);
            }
            Some(_) if needed > self.maximum => {
                // The fixed header alone says so.
                out.append(&mut self.held);
                self.fail();
            }
            _ => self.wanted = needed,
        }
    }

    fn begin(&mut self) {
        self.held.clear();
        if self.held.capacity() > KEPT_CAPACITY {
            self.held = Vec::new();
        }
        self.wanted = 1;
        self.state = State::Gathering;
    }

    fn fail(&mut self) {
        self.restart();
        self.state = State::Failed;
    }

    fn skip(&mut self, left: usize) {
        match left {
            0 => self.begin(),
            _ => self.state = State::Skipping(left),
        }
    }

    /// A whole packet that is well-formed.
    fn packet(&self, packet: &Packet<'_>, masker: &Masker, out: &mut Vec<u8>) {
        match packet {
            Packet::Publish(_) => self.publish(masker, out),
            // It ends the link whatever is in it, as any packet that only clients send.
            Packet::Connect(_) | Packet::Subscribe(_) | Packet::Unsubscribe(_) => {
                out.extend_from_slice(PINGREQ);
            }
            // Numbers and flags.
            _ => out.extend_from_slice(&self.held),
        }
    }

    /// A PUBLISH that is well-formed, with what is held of its payload.
    fn publish(&self, masker: &Masker, out: &mut Vec<u8>) {
        let parts = PublishParts::of(&self.held);
        let Some((parts, topic)) = parts.and_then(|parts| Some((parts, parts.topic()?))) else {
            return scrub(&self.held, out);
        };
        let (masked, payload) = masker.message(topic, parts.payload);
        out.extend_from_slice(parts.front);
        out.extend_from_slice(masked.as_bytes());
        out.extend_from_slice(parts.packet_id);
        out.extend_from_slice(&payload);
    }

    /// A PUBLISH that is too large to be kept, of which the beginning is held.
    fn oversized(&mut self, size: usize, masker: &Masker, out: &mut Vec<u8>) {
        let start = header_length(&self.held) + 2;
        let too_long = |end: usize| end > size || end > self.maximum;
        if self.held.len() < start && !too_long(start) {
            self.wanted = start;
            return;
        }
        let length = self
            .held
            .get(start - 2..start)
            .and_then(|bytes| bytes.first_chunk());
        let topic_end = start + length.map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
        let end = topic_end + packet_id_length(&self.held);
        if too_long(start) || too_long(topic_end) || too_long(end) {
            // Its length alone says so.
            out.append(&mut self.held);
            return self.fail();
        }
        if self.held.len() < end {
            self.wanted = end;
            return;
        }
        if PublishParts::of(&self.held)
            .and_then(|parts| parts.topic())
            .is_none()
        {
            scrub(&self.held, out);
            return self.fail();
        }
        self.publish(masker, out);
        self.begin();
        self.skip(size - end);
    }
}

/// An empty buffer above this capacity is given back.
const KEPT_CAPACITY: usize = 512;

const PINGREQ: &[u8] = &[0xc0, 0];

/// The bytes of a PUBLISH, cut at the bounds of its fields as far as they are there.
#[derive(Clone, Copy)]
struct PublishParts<'a> {
    /// The fixed header, and the length of the topic.
    front: &'a [u8],
    topic: &'a [u8],
    packet_id: &'a [u8],
    payload: &'a [u8],
}

impl<'a> PublishParts<'a> {
    /// `None` when it ends before its payload begins.
    fn of(packet: &'a [u8]) -> Option<PublishParts<'a>> {
        let (front, rest) = packet.split_at_checked(header_length(packet) + 2)?;
        let length = u16::from_be_bytes(*front.last_chunk()?);
        let (topic, rest) = rest.split_at_checked(length.into())?;
        let (packet_id, payload) = rest.split_at_checked(packet_id_length(packet))?;
        Some(PublishParts {
            front,
            topic,
            packet_id,
            payload,
        })
    }

    /// Its topic; `None` when the packet breaks a rule.
    fn topic(self) -> Option<&'a str> {
        let text = core::str::from_utf8(self.topic).ok()?;
        let flags = self.front.first()?;
        let valid = topic::validate_name(text).is_ok()
            && flags & QOS != QOS
            && self.packet_id.iter().any(|byte| *byte != 0) == (flags & QOS != 0);
        valid.then_some(text)
    }
}

/// The bits of a PUBLISH's QoS.
const QOS: u8 = 0b0110;

/// Appends a packet that is refused, or the beginning of one: all that it is refused for, and nothing
/// that it says. Numbers, the lengths of its fields and how far a string is text stay; what is behind
/// the fault is nothing but zeros.
fn scrub(packet: &[u8], out: &mut Vec<u8>) {
    let (header, body) = packet
        .split_at_checked(header_length(packet))
        .unwrap_or((packet, &[]));
    out.extend_from_slice(header);
    let mut fields = Fields { rest: body, out };
    let kind = PacketKind::from_number(header.first().map_or(0, |first| first >> 4));
    // Where it stopped makes no difference to what is left.
    let _ = kind.and_then(|kind| fields.of(kind, packet_id_length(packet)));
    let left = fields.rest.len();
    out.resize(out.len() + left, 0);
}

/// A body being scrubbed, field by field; `None` at a fault.
struct Fields<'p, 'o> {
    rest: &'p [u8],
    out: &'o mut Vec<u8>,
}

impl<'p> Fields<'p, '_> {
    fn of(&mut self, kind: PacketKind, publish_id_length: usize) -> Option<()> {
        match kind {
            PacketKind::Publish => {
                let name = self.string()?;
                topic::validate_name(name).ok()?;
                self.plain(publish_id_length)?;
            }
            PacketKind::Subscribe => {
                self.plain(2)?;
                while !self.rest.is_empty() {
                    topic::validate_filter(self.string()?).ok()?;
                    self.plain(1).filter(|qos| matches!(qos, [0..=2]))?;
                }
            }
            PacketKind::Unsubscribe => {
                self.plain(2)?;
                while !self.rest.is_empty() {
                    topic::validate_filter(self.string()?).ok()?;
                }
            }
            PacketKind::Connect => {
                let protocol = self.string()?;
                let level = self.plain(1)?;
                if !matches!((protocol, level), ("MQTT", [4]) | ("MQIsdp", [3])) {
                    return None;
                }
                let flags = self.plain(1)?.first().copied()?;
                self.plain(2)?;
                let will = 2 * usize::from(flags & 0b0000_0100 != 0);
                let strings = will + (flags & 0b1100_0000).count_ones() as usize;
                for _ in 0..=strings {
                    self.string()?;
                }
            }
            PacketKind::SubAck => {
                self.plain(2)?;
                while self
                    .plain(1)
                    .is_some_and(|code| matches!(code, [0..=2 | 0x80]))
                {}
            }
            PacketKind::PingReq | PacketKind::PingResp | PacketKind::Disconnect => {}
            _ => {
                self.plain(2)?;
            }
        }
        Some(())
    }

    /// Numbers or flags; those that are there.
    fn plain(&mut self, length: usize) -> Option<&'p [u8]> {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.out.extend_from_slice(taken);
        self.rest = rest;
        (taken.len() == length).then_some(taken)
    }

    /// A string behind its length, as it was.
    fn string(&mut self) -> Option<&'p str> {
        let length = u16::from_be_bytes(*self.plain(2)?.first_chunk()?);
        let (string, rest) = self.rest.split_at_checked(length.into())?;
        self.rest = rest;
        let text = core::str::from_utf8(string);
        let valid = text.map_or_else(|error| error.valid_up_to(), str::len);
        let known = matches!(string, b"MQTT" | b"MQIsdp");
        let scrubbed = string.iter().enumerate().map(|(index, byte)| match byte {
            _ if known => *byte,
            // What is not allowed in topics, or anywhere.
            b'\0' | b'+' | b'#' | b'/' => *byte,
            _ if index < valid => FILLER,
            _ => 0xff,
        });
        self.out.extend(scrubbed);
        text.ok().filter(|text| !text.contains('\0'))
    }
}

/// The length of a fixed header: up to the byte that says that none follows.
fn header_length(packet: &[u8]) -> usize {
    let more = packet.iter().skip(1).take_while(|byte| **byte & 0x80 != 0);
    2 + more.count()
}

/// The length of a PUBLISH's packet identifier: none at QoS 0.
fn packet_id_length(packet: &[u8]) -> usize {
    let flags = packet.first().map_or(0, |first| first & QOS);
    if flags == 0 { 0 } else { 2 }
}
