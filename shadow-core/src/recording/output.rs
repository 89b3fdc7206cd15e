//! What a replay has to know of recorded outputs: when to poll for what, and what is the same.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use serde::Deserialize;

use crate::json::{JsonStyle, restyle};
use crate::time::Instant;

/// What a recorded output asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Connect,
    Close,
    Packet,
    Event,
    Answer,
    Deadline,
}

impl Output {
    /// When an output was, and what brings it about; `None` if the line is none.
    pub(super) fn parse(line: &str) -> Option<(Instant, Output)> {
        #[derive(Deserialize)]
        struct Spaced<'a> {
            at: u64,
            #[serde(borrow)]
            out: Cow<'a, str>,
        }
        if let Some(found) = Output::parse_compact(line) {
            return Some(found);
        }
        let Spaced { at, out } = serde_json::from_str(line).ok()?;
        Some((Instant::from_micros(at), Output::from_kind(&out)?))
    }

    /// The same of a line only if it is as a recorder writes it.
    pub(super) fn parse_compact(line: &str) -> Option<(Instant, Output)> {
        let (at, kind) = split_output(line)?;
        let (kind, _) = kind.split_once('"')?;
        let at = at.parse().ok()?;
        Some((Instant::from_micros(at), Output::from_kind(kind)?))
    }

    fn from_kind(kind: &str) -> Option<Output> {
        Some(match kind {
            "connect" => Output::Connect,
            "close" => Output::Close,
            "packet" => Output::Packet,
            "event" => Output::Event,
            "accepted" | "refused" | "unfaithful" => Output::Answer,
            "deadline" => Output::Deadline,
            _ => return None,
        })
    }
}

/// The time of an output's line as a recorder writes it, and what stands from its kind on.
pub(super) fn split_output(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix(r#"{"at":"#)?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = rest.split_at_checked(digits)?;
    Some((digits, rest.strip_prefix(r#","out":""#)?))
}

/// Whether output waited when this input came.
pub(super) fn is_pending(input: &str) -> bool {
    compact(input).ends_with(br#""pending":true}"#)
}

/// Whether a recorded line and one that was written now are the same but for white space between the
/// parts of the recorded one.
pub(super) fn same(expected: &str, written: &str) -> bool {
    expected == written || compact(expected) == written.as_bytes()
}

/// Whether a packet's line is a request on a shadow.
pub(super) fn is_request(line: &str) -> bool {
    line.contains(r#""PUBLISH","topic":"$shadow/operation/"#)
}

fn compact(line: &str) -> Vec<u8> {
    let mut compact = Vec::with_capacity(line.len());
    restyle(line, JsonStyle::Compact, &mut compact);
    compact
}
