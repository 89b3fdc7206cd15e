//! What is masked is not there, and all else is as it was.

use alloc::string::String;
use alloc::vec::Vec;

use super::Mask;

mod characters;
mod cloud;
mod device;
mod json;
mod masker;
mod sessions;
mod stream;
mod twin;

const KEY: [u8; 16] = *b"no device has it";

/// Each mask there is.
fn masks() -> [Mask; 3] {
    let mask = Mask::keyed(KEY);
    [mask.names(), mask.values(), mask.names().values()]
}

/// A recording's line without what a mask may change: every letter and digit is one, and a character
/// beyond ASCII is its length.
fn shape(line: &str) -> String {
    let shape = |character: char| match character {
        _ if character.is_ascii_alphanumeric() => 'a',
        _ if character.is_ascii() || character.is_control() => character,
        _ => char::from(b'0' + character.len_utf8() as u8),
    };
    line.chars().map(shape).collect()
}

/// The lines of a recording but for header and start, and without those of inbound bytes, which are
/// cut otherwise. Of payloads that are no text any byte may be another.
fn shapes(recording: &str) -> Vec<String> {
    let lines = recording.lines().skip(2);
    let lines = lines.filter(|line| !line.contains(r#""in":"bytes""#));
    let text = |line: &'_ str| line.split(r#""payload_bytes":"#).next().map(shape);
    lines.filter_map(text).collect()
}

#[test]
fn only_a_mask_with_a_key_masks() {
    let keyed = Mask::keyed(KEY);
    assert!(keyed.key().is_none(), "there is nothing to mask");
    assert!(keyed.names().key().is_some());
    assert!(Mask::applied(true, true).key().is_none());
    assert_eq!(keyed.names(), Mask::applied(true, false));
    assert_ne!(keyed.names(), keyed.values());
    let shown = alloc::format!("{:?} {}", keyed.names(), keyed.values());
    assert_eq!(
        shown,
        "Mask { names: true, values: false, .. } secrets and values"
    );
}
