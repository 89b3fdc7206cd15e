//! What a replay has to know of recorded lines.

use std::borrow::Cow;

use serde::Deserialize;
use shadow_core::Instant;
use shadow_core::json::{JsonStyle, restyle};

use super::fields::Fields;

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

/// When an output was, and what brings it about; `None` if the line is none.
pub(super) fn read_output(line: &str) -> Option<(Instant, Output)> {
    #[derive(Deserialize)]
    struct Spaced<'a> {
        at: u64,
        #[serde(borrow)]
        out: Cow<'a, str>,
    }
    // As it is written, or otherwise.
    let (at, out) = match split_output(line) {
        Some((at, out)) => (at, Cow::Borrowed(out)),
        None => {
            let Spaced { at, out } = serde_json::from_str(line).ok()?;
            (at, out)
        }
    };
    let output = match &*out {
        "connect" => Output::Connect,
        "close" => Output::Close,
        "packet" => Output::Packet,
        "event" => Output::Event,
        "accepted" | "refused" | "unfaithful" => Output::Answer,
        "deadline" => Output::Deadline,
        _ => return None,
    };
    Some((Instant::from_micros(at), output))
}

/// Time and kind of an output's line as it is written.
fn split_output(line: &str) -> Option<(u64, &str)> {
    let rest = line.strip_prefix(r#"{"at":"#)?;
    let (digits, rest) = rest.split_once(',')?;
    let (kind, _) = rest.strip_prefix(r#""out":""#)?.split_once('"')?;
    Some((digits.parse().ok()?, kind))
}

/// Whether output waited when this input came.
pub(super) fn is_pending(input: &str) -> bool {
    let mut compact = Vec::with_capacity(input.len());
    restyle(input, JsonStyle::Compact, &mut compact);
    compact.ends_with(br#""pending":true}"#)
}

/// Whether two lines are the same but for white space between their parts.
pub(super) fn same(expected: &str, found: &str) -> bool {
    if expected == found {
        return true;
    }
    let mut compact = Vec::with_capacity(expected.len());
    restyle(expected, JsonStyle::Compact, &mut compact);
    compact == found.as_bytes()
}

/// Whether a packet's line is a request on a shadow.
pub(super) fn is_request(line: &str) -> bool {
    line.contains(r#""PUBLISH","topic":"$shadow/operation/"#)
}

/// A packet's line without its packet id.
pub(super) fn without_id(line: &str) -> String {
    let fields = Fields::parse(line).unwrap_or_default();
    let members = fields.members.iter().filter(|(key, _)| key != "id");
    members
        .map(|(key, value)| format!("{key} {value}\n"))
        .collect()
}
