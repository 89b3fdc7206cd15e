//! A shadow's messages, in a few words.

use std::fmt;
use std::time::Duration;

use shadow_core::tencent::request::parse_request;
use shadow_core::tencent::{Document, Message, Part, Request, reply};

/// What one of a shadow's messages says: all but client tokens and timestamps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowWords {
    /// What it says first: `get`, `update ok, version 9`, `delta, version 10`.
    pub head: String,
    /// What it carries: the parts of a shadow, each with its name; of a delta the state alone.
    pub parts: Vec<String>,
}

impl ShadowWords {
    /// What a request of a device's says: the payload of a message on its operation topic. `None` if
    /// it is none.
    ///
    /// ```
    /// use conformance::show::ShadowWords;
    ///
    /// let payload = br#"{"type":"update","state":{"reported":{"on":true}},"clientToken":"c-1"}"#;
    /// let words = ShadowWords::from_device(payload).unwrap();
    /// assert_eq!(words.head, "update");
    /// assert_eq!(words.parts, [r#"reported {"on":true}"#]);
    /// ```
    #[must_use]
    pub fn from_device(payload: &[u8]) -> Option<ShadowWords> {
        Some(of_request(&parse_request(payload).ok()?))
    }

    /// What a reply or a delta of the cloud's says: the payload of a message on a result topic.
    /// `None` if it is neither.
    #[must_use]
    pub fn from_cloud(payload: &[u8]) -> Option<ShadowWords> {
        Some(of_message(&reply::parse(payload).ok()?))
    }
}

/// Of a message to the cloud.
pub(super) fn of_request(request: &Request<'_>) -> ShadowWords {
    let text = |part| match part {
        Part::Absent => None,
        Part::Null => Some("null"),
        Part::Object(text) => Some(text),
    };
    let parts = [
        ("reported", text(request.reported)),
        ("desired", text(request.desired)),
    ];
    ShadowWords {
        head: request.operation.as_str().to_owned(),
        parts: named(parts),
    }
}

/// Of a message of the cloud.
pub(super) fn of_message(message: &Message<'_>) -> ShadowWords {
    match message {
        Message::Delta { body } => {
            let document = body.to_document();
            ShadowWords {
                head: format!("delta{}", version(&document)),
                parts: document.state().map(str::to_owned).into_iter().collect(),
            }
        }
        Message::Reply {
            operation,
            result,
            body,
            ..
        } => {
            let document = body.to_document();
            let verdict = match result {
                0 => "ok".to_owned(),
                code => format!("rejected ({code})"),
            };
            let parts = [
                ("reported", document.reported()),
                ("desired", document.desired()),
                ("delta", document.delta()),
            ];
            ShadowWords {
                head: format!("{} {verdict}{}", operation.as_str(), version(&document)),
                parts: named(parts),
            }
        }
    }
}

fn version(document: &Document) -> String {
    let version = document.version();
    version.map_or(String::new(), |version| format!(", version {version}"))
}

/// The parts that are there, with their names.
fn named<const N: usize>(parts: [(&str, Option<&str>); N]) -> Vec<String> {
    let there = parts
        .into_iter()
        .filter_map(|(name, text)| Some((name, text?)));
    there.map(|(name, text)| format!("{name} {text}")).collect()
}

/// A length of time with about three digits: `412 µs`, `12.3 ms`, `5.27 s`, `2 min 5 s`, `1 h 2 min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        let seconds = self.0.as_secs();
        let three_digits = |f: &mut fmt::Formatter<'_>, value: u128, unit: &str| {
            let (whole, thousandths) = (value / 1_000, value % 1_000);
            match whole {
                _ if thousandths == 0 => write!(f, "{whole} {unit}"),
                0..10 => write!(f, "{whole}.{:02} {unit}", thousandths / 10),
                10..100 => write!(f, "{whole}.{} {unit}", thousandths / 100),
                _ => write!(f, "{whole} {unit}"),
            }
        };
        match seconds {
            0 if micros < 1_000 => write!(f, "{micros} µs"),
            0 => three_digits(f, micros, "ms"),
            1..60 => three_digits(f, micros / 1_000, "s"),
            60..3_600 => two_units(f, seconds, 60, ["min", "s"]),
            3_600..86_400 => two_units(f, seconds / 60, 60, ["h", "min"]),
            _ => two_units(f, seconds / 3_600, 24, ["d", "h"]),
        }
    }
}

fn two_units(
    f: &mut fmt::Formatter<'_>,
    value: u64,
    ratio: u64,
    [large, small]: [&str; 2],
) -> fmt::Result {
    write!(f, "{} {large}", value / ratio)?;
    match value % ratio {
        0 => Ok(()),
        rest => write!(f, " {rest} {small}"),
    }
}

/// Text of at most so many characters; what is cut off is an ellipsis.
pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_about_three_digits() {
        for (micros, text) in [
            (0, "0 µs"),
            (412, "412 µs"),
            (1_000, "1 ms"),
            (1_016, "1.01 ms"),
            (12_345, "12.3 ms"),
            (412_999, "412 ms"),
            (1_000_000, "1 s"),
            (5_270_000, "5.27 s"),
            (59_999_999, "59.9 s"),
            (60_000_000, "1 min"),
            (125_900_000, "2 min 5 s"),
            (3_720_000_000, "1 h 2 min"),
            (86_400_000_000 * 3 + 3_600_000_000, "3 d 1 h"),
        ] {
            assert_eq!(Span(Duration::from_micros(micros)).to_string(), text);
        }
        drop(Span(Duration::MAX).to_string());
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(shortened("größe", 3), "grö…");
        assert_eq!(shortened("größe", 5), "größe");
    }
}
