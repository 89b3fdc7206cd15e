//! The bytes of an inbound message, from what the callback prints of it.
//!
//! The log prints a document as a Python literal and, on another line, the length of the payload.
//! The two together leave few spellings.

use serde::Serialize;
use shadow_core::json::{JsonStyle, restyle};

use crate::log::Payload;

/// How inbound JSON is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Spelling {
    pub(super) json: Json,
    /// Whether a newline follows.
    pub(super) newline: bool,
}

/// Spaces and escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Json {
    Compact,
    CompactAscii,
    Python,
    PythonUtf8,
}

/// All that are tried. The first is the one of the vendor's cloud, measured on its printed logs.
pub(super) const SPELLINGS: [Spelling; 8] = [
    spelling(Json::Compact, true),
    spelling(Json::Compact, false),
    spelling(Json::CompactAscii, true),
    spelling(Json::CompactAscii, false),
    spelling(Json::Python, true),
    spelling(Json::Python, false),
    spelling(Json::PythonUtf8, true),
    spelling(Json::PythonUtf8, false),
];

const fn spelling(json: Json, newline: bool) -> Spelling {
    Spelling { json, newline }
}

impl Spelling {
    pub(super) fn describe(self) -> String {
        let json = match self.json {
            Json::Compact => "compact, UTF-8",
            Json::CompactAscii => "compact, \\u escapes",
            Json::Python => "Python's separators, \\u escapes",
            Json::PythonUtf8 => "Python's separators, UTF-8",
        };
        let end = if self.newline {
            "a newline at the end"
        } else {
            "nothing after it"
        };
        format!("{json}, {end}")
    }

    /// The payload's text.
    pub(super) fn write(self, payload: &Payload) -> String {
        let compact = match payload {
            Payload::Json(json) => json.clone(),
            Payload::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        };
        let mut text = match self.json {
            Json::Compact => compact,
            Json::CompactAscii => ascii(&compact),
            Json::Python => {
                let mut out = Vec::new();
                restyle(&compact, JsonStyle::Python, &mut out);
                String::from_utf8_lossy(&out).into_owned()
            }
            Json::PythonUtf8 => spaced(&compact),
        };
        if self.newline {
            text.push('\n');
        }
        text
    }
}

/// Which of [`SPELLINGS`] have the length, one bit for each.
pub(super) fn fitting(payload: &Payload, length: usize) -> u8 {
    let fits = |spelling: &Spelling| spelling.write(payload).len() == length;
    // The common case first, as all of them are built.
    SPELLINGS
        .iter()
        .enumerate()
        .filter(|(_, spelling)| fits(spelling))
        .fold(0, |bits, (index, _)| bits | 1 << index)
}

/// Characters beyond ASCII, which only strings have, as `\uXXXX`.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// A space behind each comma and colon outside strings.
fn spaced(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 4);
    let (mut in_string, mut escaped) = (false, false);
    for character in json.chars() {
        out.push(character);
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = in_string,
            '"' => in_string = !in_string,
            ',' | ':' if !in_string => out.push(' '),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, and the lengths counted from the texts.
    #[test]
    fn spellings() {
        let payload = Payload::Json(r#"{"a":[1,"é:,"]}"#.to_owned());
        let texts: Vec<_> = SPELLINGS.iter().map(|s| s.write(&payload)).collect();
        assert_eq!(
            texts,
            [
                "{\"a\":[1,\"é:,\"]}\n",
                "{\"a\":[1,\"é:,\"]}",
                "{\"a\":[1,\"\\u00e9:,\"]}\n",
                "{\"a\":[1,\"\\u00e9:,\"]}",
                "{\"a\": [1, \"\\u00e9:,\"]}\n",
                "{\"a\": [1, \"\\u00e9:,\"]}",
                "{\"a\": [1, \"é:,\"]}\n",
                "{\"a\": [1, \"é:,\"]}",
            ]
        );
        assert_eq!(fitting(&payload, 16), 0b0000_0010);
        assert_eq!(fitting(&payload, 17), 0b0000_0001);
        assert_eq!(fitting(&payload, 99), 0);
    }
}
