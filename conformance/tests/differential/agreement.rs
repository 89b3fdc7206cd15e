//! The comparisons.

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use shadow_core::mqtt::PacketKind;

use crate::codecs::{Codec, decode_ours};
use crate::disagreements::{DISAGREEMENTS, Form, read_otherwise, they_take, we_take};
use crate::model::Model;
use crate::random::{check, framed, mutations, packet, unframed};

/// What two codecs make of the same bytes.
#[derive(Debug, PartialEq)]
enum Comparison {
    BothRefuse,
    BothTake,
    /// They differ, and the list says why.
    Listed(&'static str),
    /// They differ, and nothing says why.
    Unexplained(String),
}

fn compare(codec: Codec, bytes: &[u8]) -> Comparison {
    let (ours, theirs) = (decode_ours(bytes), codec.decode(bytes));
    let kind = bytes
        .first()
        .and_then(|first| PacketKind::from_number(first >> 4));
    let listed = match (&ours, &theirs, kind) {
        (Err(_), Err(_), _) => return Comparison::BothRefuse,
        (Ok(ours), Ok(theirs), _) if ours == theirs => return Comparison::BothTake,
        (Err(error), Ok(_), _) => they_take(codec, error),
        (Ok(ours), Err(_), Some(kind)) => we_take(codec, kind, ours),
        (Ok(ours), Ok(_), Some(kind)) => read_otherwise(codec, kind, ours),
        (Ok(_), _, None) => None,
    };
    match listed {
        Some(entry) => Comparison::Listed(entry.clause),
        None => Comparison::Unexplained(format!(
            "{codec:?}: {bytes:02x?}\n  ours   {:?} {:?}\n  theirs {theirs:?}",
            ours,
            ours.as_ref().map_err(|error| error.clause()).err(),
        )),
    }
}

fn differ(codec: Codec, kind: PacketKind, packet: &Model) -> bool {
    we_take(codec, kind, packet).is_some() || read_otherwise(codec, kind, packet).is_some()
}

/// Both directions, and the same bytes.
#[test]
fn valid_packets_are_equal_to_the_byte_in_all_codecs() {
    let (equal, listed) = (Cell::new(0), Cell::new(0));
    check(4_000, packet(), |packet| {
        let bytes = Codec::Ours.encode(&packet).unwrap();
        let read = Codec::Ours.decode(&bytes);
        prop_assert_eq!(read.as_ref(), Ok(&packet), "ours");
        let kind = PacketKind::from_number(bytes[0] >> 4).unwrap();
        for codec in Codec::OTHERS {
            if differ(codec, kind, &packet) {
                listed.set(listed.get() + 1);
                continue;
            }
            let theirs = codec.encode(&packet);
            prop_assert_eq!(
                theirs.as_ref(),
                Ok(&bytes),
                "{:?} writes {:?}",
                codec,
                packet
            );
            let read = codec.decode(&bytes);
            prop_assert_eq!(
                read.as_ref(),
                Ok(&packet),
                "{:?} reads {:02x?}",
                codec,
                bytes
            );
            equal.set(equal.get() + 1);
        }
        Ok(())
    });
    let (equal, listed) = (equal.get(), listed.get());
    assert!(
        equal > 6_000 && listed > 0,
        "{equal} equal, {listed} listed"
    );
}

/// How often both took and both refused bytes, and how often the list explained a difference.
#[derive(Default)]
struct Tally {
    taken: Cell<u32>,
    refused: Cell<u32>,
    listed: Cell<u32>,
}

impl Tally {
    fn compare(&self, bytes: &[u8]) -> Result<(), TestCaseError> {
        for codec in Codec::OTHERS {
            let counter = match compare(codec, bytes) {
                Comparison::BothTake => &self.taken,
                Comparison::BothRefuse => &self.refused,
                Comparison::Listed(_) => &self.listed,
                Comparison::Unexplained(text) => return Err(TestCaseError::fail(text)),
            };
            counter.set(counter.get() + 1);
        }
        Ok(())
    }

    fn assert_above(&self, taken: u32, refused: u32, listed: u32) {
        let counted = (self.taken.get(), self.refused.get(), self.listed.get());
        assert!(
            counted.0 > taken && counted.1 > refused && counted.2 > listed,
            "taken, refused, listed: {counted:?}"
        );
    }
}

#[test]
fn mutated_packets_are_taken_or_refused_by_all() {
    let tally = Tally::default();
    let cases = (packet(), mutations(), any::<bool>());
    check(8_000, cases, |(packet, mutations, reframe)| {
        let mut bytes = Codec::Ours.encode(&packet).unwrap();
        if reframe {
            let (first, rest) = unframed(&bytes);
            let mut content = [&[first], rest].concat();
            mutations
                .iter()
                .for_each(|mutation| mutation.apply(&mut content));
            if let Some((first, rest)) = content.split_first() {
                bytes = framed(*first, rest);
            }
        } else {
            mutations
                .iter()
                .for_each(|mutation| mutation.apply(&mut bytes));
        }
        tally.compare(&bytes)
    });
    tally.assert_above(1_000, 1_000, 100);
}

/// Table 2.2.
fn right_first_byte(kind: u8) -> u8 {
    match kind {
        6 | 8 | 10 => kind << 4 | 0b0010,
        _ => kind << 4,
    }
}

#[test]
fn random_bytes_are_taken_or_refused_by_all() {
    let tally = Tally::default();
    let first = prop_oneof![1 => any::<u8>(), 3 => (1_u8..15).prop_map(right_first_byte)];
    let small = prop_oneof![4 => 0_u8..8, 1 => any::<u8>()];
    check(12_000, (first, vec(small, 0..24)), |(first, rest)| {
        tally.compare(&framed(first, &rest))
    });
    check(4_000, vec(any::<u8>(), 0..24), |bytes| {
        tally.compare(&bytes)
    });
    tally.assert_above(100, 1_000, 100);
}

/// An entry that nothing shows any more has to go.
#[test]
fn each_listed_disagreement_is_one() {
    for entry in DISAGREEMENTS {
        let is_statement = conformance::clauses::find(entry.clause).is_some();
        let is_section = entry.clause.starts_with("MQTT section ");
        assert!(is_statement || is_section, "{}", entry.clause);
        for example in entry.examples {
            for codec in entry.codecs {
                assert_eq!(
                    compare(*codec, example),
                    Comparison::Listed(entry.clause),
                    "{codec:?} {example:02x?}: {}",
                    entry.why
                );
            }
            let ours = decode_ours(example);
            assert_eq!(ours.is_err(), matches!(entry.form, Form::OnlyTheyTake));
        }
    }
}
