//! The stream decoder: the same packets from any cutting, and the same bytes from the packets.

use shadow_core::mqtt::{
    DecodeError, Incoming, Oversized, Packet, ProtocolVersion, SkippedPublish, StreamDecoder,
};

/// Longest fixed header (MQTT section 2.2.3).
const FIXED_HEADER: usize = 5;

/// Reads a stream of MQTT bytes in several cuttings.
///
/// ```text
/// settings (1 byte: 1 MQTT 3.1, 2 refuse what is too large) | maximum size (1 byte, in eights)
/// place of a cut (1 byte, in 1/256 of the stream) | the stream
/// ```
///
/// # Panics
/// If two cuttings differ, a packet is not written as it was read, or more is buffered than allowed.
pub fn decoder(data: &[u8]) {
    let Some((&[settings, size, cut], stream)) = data.split_first_chunk() else {
        return;
    };
    let reading = Reading {
        version: match settings & 1 {
            0 => ProtocolVersion::V311,
            _ => ProtocolVersion::V31,
        },
        oversized: match settings & 2 {
            0 => Oversized::SkipPublish,
            _ => Oversized::Refuse,
        },
        maximum: 2 + 8 * usize::from(size),
    };
    let whole = reading.read([stream].into_iter());
    assert_eq!(reading.read(stream.chunks(1)), whole, "byte by byte");
    let place = stream.len() * usize::from(cut) / 256;
    let (front, back) = stream.split_at(place);
    assert_eq!(
        reading.read([front, back].into_iter()),
        whole,
        "cut at {place}"
    );
    let length = usize::from(cut) + 2;
    assert_eq!(
        reading.read(stream.chunks(length)),
        whole,
        "in pieces of {length}"
    );
}

#[derive(Debug, PartialEq)]
struct Seen {
    packets: Vec<Owned>,
    end: Result<usize, DecodeError>,
}

/// What came in, kept.
#[derive(Debug, PartialEq)]
enum Owned {
    /// A packet, written again.
    Packet(Vec<u8>),
    /// A packet that can be read and not written.
    Unwritable(String),
    /// A PUBLISH that went by.
    Skipped(String),
}

struct Reading {
    version: ProtocolVersion,
    oversized: Oversized,
    maximum: usize,
}

impl Reading {
    fn read<'i>(&self, pieces: impl Iterator<Item = &'i [u8]>) -> Seen {
        let mut decoder = StreamDecoder::new(self.version, self.maximum, self.oversized);
        let mut packets = Vec::new();
        for piece in pieces {
            let mut input = piece;
            loop {
                let untouched = decoder.buffered() == 0;
                let before = input;
                let incoming = match decoder.next(&mut input) {
                    Ok(Some(incoming)) => incoming,
                    Ok(None) => break,
                    Err(error) => {
                        assert_eq!(decoder.next(&mut &b"\xd0\0"[..]), Err(error), "for ever");
                        return Seen {
                            packets,
                            end: Err(error),
                        };
                    }
                };
                let taken = before.len() - input.len();
                let source = before.get(..taken).filter(|_| untouched);
                packets.push(match incoming {
                    Incoming::Packet(packet) => self.check(&packet, source),
                    Incoming::Skipped(skipped) => self.check_skipped(&skipped),
                });
            }
            assert!(input.is_empty(), "nothing is left unread");
            let most = self.maximum.max(FIXED_HEADER);
            assert!(
                decoder.buffered() <= most,
                "{} buffered",
                decoder.buffered()
            );
        }
        let end = Ok(decoder.buffered());
        Seen { packets, end }
    }

    /// Writes a packet again, which came from `source` if that is known.
    fn check(&self, packet: &Packet<'_>, source: Option<&[u8]>) -> Owned {
        if let Some(source) = source {
            assert!(source.len() <= self.maximum, "no larger than allowed");
            assert_eq!(Packet::decode(source, self.version).as_ref(), Ok(packet));
        }
        let mut written = Vec::new();
        let Ok(length) = packet.encode(self.version, &mut written) else {
            // The code for a failure is read in MQTT 3.1 too, and never written.
            let failure = matches!(packet, Packet::SubAck(_));
            assert!(
                failure && self.version == ProtocolVersion::V31,
                "{packet:?}"
            );
            assert!(written.is_empty(), "what cannot be written leaves nothing");
            return Owned::Unwritable(format!("{packet:?}"));
        };
        assert_eq!(length, written.len());
        assert_eq!(Packet::decode(&written, self.version).as_ref(), Ok(packet));
        if let Some(source) = source
            && source.len() == written.len()
            && !self.is_forgiving(packet)
        {
            assert_eq!(written, source, "{packet:?}");
        }
        Owned::Packet(written)
    }

    /// Whether several packets are read as this one, with the same length: MQTT 3.1 has a byte in
    /// CONNACK that means nothing. (A longer form of the remaining length changes the length, and so
    /// do a user name and a password that MQTT 3.1 lets be announced and missing: their flags.)
    fn is_forgiving(&self, packet: &Packet<'_>) -> bool {
        match packet {
            Packet::ConnAck(_) => self.version == ProtocolVersion::V31,
            Packet::Connect(connect) => connect.version == ProtocolVersion::V31,
            _ => false,
        }
    }

    fn check_skipped(&self, skipped: &SkippedPublish<'_>) -> Owned {
        assert_eq!(self.oversized, Oversized::SkipPublish);
        assert!(
            skipped.size > self.maximum,
            "only what is too large is skipped"
        );
        Owned::Skipped(format!("{skipped:?}"))
    }
}
