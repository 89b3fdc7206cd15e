//! The stream decoder: cuts, limits, memory.

use super::super::*;
use super::{PYTHON_SDK_CONNECT, PYTHON_SDK_PUBLISH, PYTHON_SDK_SUBSCRIBE};
use ProtocolVersion::{V31, V311};
use proptest::collection::vec;
use proptest::prelude::*;
use std::format;
use std::string::String;
use std::vec::Vec;

/// What came out of a decoder, and how it ended.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) incoming: Vec<String>,
    pub(super) end: Result<usize, DecodeError>,
}

/// A decoder's settings, so that each run starts with a fresh one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) version: ProtocolVersion,
    pub(super) maximum: usize,
    pub(super) oversized: Oversized,
}

fn feed<'a>(settings: Settings, pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let Settings {
        version,
        maximum,
        oversized,
    } = settings;
    let mut decoder = StreamDecoder::new(version, maximum, oversized);
    let mut incoming = Vec::new();
    for mut piece in pieces {
        loop {
            match decoder.next(&mut piece) {
                // Debug leaves the password out, the bytes do not.
                Ok(Some(Incoming::Packet(packet))) => {
                    let mut bytes = Vec::new();
                    let written = packet.encode(version, &mut bytes);
                    incoming.push(format!("{packet:?} {written:?} {bytes:?}"));
                }
                Ok(Some(skipped)) => incoming.push(format!("{skipped:?}")),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.next(&mut &b"\xc0\x00"[..]), Err(error));
                    return Outcome {
                        incoming,
                        end: Err(error),
                    };
                }
            }
        }
        assert!(piece.is_empty());
        assert!(decoder.buffered() <= maximum.max(5));
    }
    Outcome {
        incoming,
        end: Ok(decoder.buffered()),
    }
}

/// Feeds `bytes` whole, byte by byte, and cut at `cuts`; all three have the same outcome.
pub(super) fn feed_any_way(settings: Settings, bytes: &[u8], cuts: &[usize]) -> Outcome {
    let whole = feed(settings, core::iter::once(bytes));
    assert_eq!(feed(settings, bytes.chunks(1)), whole, "byte by byte");
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    let pieces = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
    assert_eq!(feed(settings, pieces), whole, "cut at {places:?}");
    whole
}

const REFUSE: Settings = Settings {
    version: V311,
    maximum: 256,
    oversized: Oversized::Refuse,
};
const SKIP: Settings = Settings {
    oversized: Oversized::SkipPublish,
    ..REFUSE
};

/// A PUBLISH of 300 bytes, QoS 1, topic "a/b", identifier 7.
fn large_publish() -> Vec<u8> {
    let mut bytes = Vec::from(b"\x33\xa9\x02\x00\x03a/b\x00\x07");
    bytes.resize(300, b'x');
    bytes
}

#[test]
#[cfg_attr(not(feature = "server"), ignore = "reads what only a server does")]
fn packets_come_out_in_order_however_they_are_cut() {
    let bytes = [
        PYTHON_SDK_CONNECT,
        PYTHON_SDK_SUBSCRIBE,
        PYTHON_SDK_PUBLISH,
        b"\xc0\x00\x30",
    ]
    .concat();
    let settings = Settings {
        version: V31,
        ..REFUSE
    };
    for cut in 0..=bytes.len() {
        let outcome = feed_any_way(settings, &bytes, &[cut]);
        assert_eq!(outcome.incoming.len(), 4);
        assert_eq!(outcome.end, Ok(1));
    }
}

#[test]
fn whole_packets_are_borrowed_from_the_input() {
    let mut decoder = StreamDecoder::new(V311, 256, Oversized::Refuse);
    let mut input = PYTHON_SDK_PUBLISH;
    let Ok(Some(Incoming::Packet(Packet::Publish(publish)))) = decoder.next(&mut input) else {
        panic!()
    };
    assert!(
        PYTHON_SDK_PUBLISH
            .as_ptr_range()
            .contains(&publish.payload.as_ptr())
    );
    assert_eq!(decoder.buffer_capacity(), 0);
}

#[test]
fn an_oversized_packet_is_refused_at_its_header() {
    let too_large = DecodeErrorKind::PacketTooLarge {
        size: 300,
        maximum: 256,
    };
    for bytes in [&b"\x33\xa9\x02"[..], b"\x10\xa9\x02", b"\x82\xa9\x02"] {
        let outcome = feed_any_way(REFUSE, bytes, &[]);
        assert_eq!(
            outcome.end.map_err(|error| (error.kind(), error.clause())),
            Err((too_large, "local limit"))
        );
    }
    // Only a PUBLISH is skipped.
    let outcome = feed_any_way(SKIP, b"\x82\xa9\x02", &[]);
    assert_eq!(outcome.end.map_err(|error| error.kind()), Err(too_large));
    // The maximum itself is allowed.
    let settings = Settings {
        maximum: 300,
        ..REFUSE
    };
    assert_eq!(
        feed_any_way(settings, &large_publish(), &[9, 200])
            .incoming
            .len(),
        1
    );
}

#[test]
fn an_oversized_publish_is_skipped_and_reported() {
    let bytes = [&large_publish()[..], b"\xd0\x00"].concat();
    for cut in 0..=bytes.len() {
        let outcome = feed_any_way(SKIP, &bytes, &[cut, 250]);
        assert_eq!(outcome.incoming.len(), 2);
        assert_eq!(
            outcome.incoming[0],
            "Skipped(SkippedPublish { dup: false, qos: AtLeastOnce, retain: true, topic: \"a/b\", \
             packet_id: Some(PacketId(7)), size: 300 })"
        );
        assert_eq!(outcome.end, Ok(0));
    }
}

/// Not before its last byte, and its payload is never kept.
#[test]
fn a_skipped_publish_is_reported_when_it_is_over() {
    let mut decoder = StreamDecoder::new(V311, 256, Oversized::SkipPublish);
    let bytes = large_publish();
    let (mut most, mut last) = bytes.split_at(299);
    assert_eq!(decoder.next(&mut most), Ok(None));
    assert_eq!(decoder.buffered(), 10);
    assert!(matches!(
        decoder.next(&mut last),
        Ok(Some(Incoming::Skipped(_)))
    ));
    assert_eq!(decoder.buffered(), 0);
    assert_eq!(decoder.next(&mut last), Ok(None));
}

/// What is kept of a skipped PUBLISH has to be valid and to fit.
#[test]
fn an_oversized_publish_can_be_malformed() {
    let end = |bytes: &[u8]| {
        feed_any_way(SKIP, bytes, &[])
            .end
            .map_err(|error| error.clause())
    };
    assert_eq!(end(b"\x33\xa9\x02\x00\x03a/#\x00\x07"), Err("MQTT-3.3.2-2"));
    assert_eq!(end(b"\x33\xa9\x02\x00\x03a/b\x00\x00"), Err("MQTT-2.3.1-1"));
    assert_eq!(
        end(b"\x33\xa9\x02\x00\x01\xff\x00\x07"),
        Err("MQTT-1.5.3-1")
    );
    assert_eq!(
        end(b"\x33\xa9\x02\x01\x28"),
        Err("MQTT-3.3.2-1"),
        "topic of 296 in 295 bytes"
    );
    assert_eq!(
        end(b"\x33\xfe\x01\x00\xfb"),
        Err("MQTT section 2.3.1"),
        "half an identifier"
    );
    assert_eq!(
        end(b"\x33\xa9\x02\x00\xfa"),
        Err("local limit"),
        "topic above the maximum"
    );
    // A maximum below any PUBLISH, and a remaining length without a topic.
    let tiny = Settings { maximum: 2, ..SKIP };
    let outcome = feed_any_way(tiny, b"\x30\x01\x00", &[]);
    assert_eq!(
        outcome.end.map_err(|error| error.clause()),
        Err("MQTT-3.3.2-1")
    );
}

#[test]
fn an_announced_length_takes_no_memory() {
    let mut decoder = StreamDecoder::new(V311, 1 << 28, Oversized::Refuse);
    assert_eq!(
        decoder.next(&mut &b"\x30\xf0\xff\xff\x7f\x00\x03"[..]),
        Ok(None)
    );
    assert_eq!(decoder.buffered(), 7);
    assert!(decoder.buffer_capacity() <= 64);
}

#[test]
fn the_buffer_stays_below_the_maximum_and_is_given_back() {
    let mut bytes = Vec::from(b"\x30\xa5\x1f\x00\x03a/b");
    bytes.resize(3 + 0xfa5, b'x');
    let mut decoder = StreamDecoder::new(V311, bytes.len(), Oversized::Refuse);
    let mut received = 0;
    for piece in bytes.chunks(7) {
        let mut piece = piece;
        while let Some(incoming) = decoder.next(&mut piece).unwrap() {
            assert!(matches!(incoming, Incoming::Packet(Packet::Publish(_))));
            received += 1;
        }
        assert!(decoder.buffer_capacity() <= bytes.len());
    }
    assert_eq!(received, 1);
    assert_eq!(decoder.buffer_capacity(), 0);
    // A small packet's buffer is kept, so that the next one needs no allocation.
    assert_eq!(decoder.next(&mut &b"\xd0"[..]), Ok(None));
    assert!(decoder.next(&mut &b"\x00"[..]).unwrap().is_some());
    assert_eq!(decoder.next(&mut &b""[..]), Ok(None));
    assert!((1..=512).contains(&decoder.buffer_capacity()));
}

/// A server learns the version from CONNECT.
#[test]
#[cfg_attr(not(feature = "server"), ignore = "reads what only a server does")]
fn the_version_can_be_set_between_packets() {
    let bytes = [PYTHON_SDK_CONNECT, b"\x8a\x06\x00\x0a\x00\x01a\x00"].concat();
    let mut decoder = StreamDecoder::new(V311, 256, Oversized::Refuse);
    let mut input = &bytes[..];
    let version = match decoder.next(&mut input) {
        Ok(Some(Incoming::Packet(Packet::Connect(connect)))) => connect.version,
        other => panic!("{other:?}"),
    };
    assert_eq!(version, V31);
    decoder.set_version(version);
    let Ok(Some(Incoming::Packet(Packet::Subscribe(subscribe)))) = decoder.next(&mut input) else {
        panic!()
    };
    assert!(subscribe.dup);
}

/// A server keeps the first part of a CONNECT until the rest comes.
#[test]
fn debug_shows_no_part_of_a_packet() {
    let mut decoder = StreamDecoder::new(V31, 256, Oversized::Refuse);
    let cut = PYTHON_SDK_CONNECT.len() - 1;
    assert_eq!(decoder.next(&mut &PYTHON_SDK_CONNECT[..cut]), Ok(None));
    assert_eq!(decoder.buffered(), cut);
    let text = format!("{decoder:?}");
    // The first bytes of the password.
    assert!(!text.contains("49, 51, 100, 54"), "{text}");
}

proptest! {
    /// Whatever comes, nothing panics, every cutting has the same outcome, and what was refused in
    /// a stream is refused alone.
    #[test]
    fn arbitrary_bytes(
        bytes in vec(any::<u8>(), 0..200),
        cuts in vec(any::<usize>(), 0..6),
        maximum in 0_usize..64,
        skip: bool,
        old: bool,
    ) {
        let settings = Settings {
            version: if old { V31 } else { V311 },
            maximum,
            oversized: if skip { Oversized::SkipPublish } else { Oversized::Refuse },
        };
        feed_any_way(settings, &bytes, &cuts);
        let _ = Packet::decode(&bytes, settings.version);
    }

    /// The same where the first bytes are good, to get further in.
    #[test]
    fn almost_valid_packets(
        first in prop::sample::select(Vec::from(
            &b"\x10\x20\x30\x31\x32\x34\x3b\x40\x50\x62\x70\x82\x90\xa2\xb0\xc0\xd0\xe0"[..],
        )),
        mut body in vec(prop_oneof![4 => 0_u8..5, 2 => any::<u8>(), 2 => Just(b'a')], 0..60),
        connect: bool,
        cuts in vec(any::<usize>(), 0..6),
    ) {
        if connect && first == 0x10 {
            body.splice(0..0, *b"\x00\x04MQTT\x04");
        }
        let mut bytes = Vec::from([first, body.len() as u8]);
        bytes.extend(body);
        let outcome = feed_any_way(SKIP, &bytes, &cuts);
        match Packet::decode(&bytes, V311) {
            Ok(_) => prop_assert_eq!(outcome.incoming.len(), 1),
            Err(error) => prop_assert_eq!(outcome.end, Err(error)),
        }
    }
}
