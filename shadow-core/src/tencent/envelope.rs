//! What requests and replies have in common: one JSON object with a type, and how reading it fails.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
#[cfg(feature = "diagnostics")]
use alloc::string::ToString;
use core::fmt;
use core::str::FromStr;

use crate::json::{Malformed, Reader, read_string};

/// What a request asks for, and what a reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Operation {
    /// `"type":"get"`: the whole document.
    Get,
    /// `"type":"update"`: a change of the document.
    Update,
}

impl Operation {
    /// The value of `type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Operation::Get => "get",
            Operation::Update => "update",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a payload is not a message of the shadow protocol. The peer is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ParseError {
    /// The payload is 4 GiB or longer; MQTT's own limit is 256 MiB.
    TooLong,
    /// The payload is not UTF-8.
    NotUtf8 {
        /// How many bytes from the start are.
        valid_up_to: usize,
    },
    /// The payload is not one JSON value.
    NotJson {
        /// The line of the fault, from 1; 0 without the feature `diagnostics`.
        line: usize,
        /// The column in bytes, from 1; 0 at the end of a line or of an empty payload, and without
        /// the feature `diagnostics`.
        column: usize,
        /// serde_json's description, which repeats the place and quotes nothing of the payload.
        reason: Box<str>,
    },
    /// A value in the payload nests deeper than 128 levels; the vendor's documents have 6 at most.
    TooDeep,
    /// The payload is JSON, but not an object.
    NotAnObject,
    /// There is no `type`, or it is null.
    MissingType,
    /// `type` is none of those the protocol has in this direction.
    UnknownType {
        /// Its value, cut after 64 characters.
        found: Box<str>,
    },
    /// A field has a value it cannot have.
    InvalidField {
        /// The field's path, such as `payload.version`.
        field: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseError::TooLong => f.write_str("payload of 4 GiB or more"),
            ParseError::NotUtf8 { valid_up_to } => {
                write!(f, "payload is not UTF-8 from byte {valid_up_to} on")
            }
            ParseError::NotJson { reason, .. } => write!(f, "payload is not JSON: {reason}"),
            ParseError::TooDeep => f.write_str("payload nests deeper than 128 levels"),
            ParseError::NotAnObject => f.write_str("payload is not a JSON object"),
            ParseError::MissingType => f.write_str("field `type` is missing"),
            ParseError::UnknownType { found } => write!(f, "unknown `type` {found:?}"),
            ParseError::InvalidField { field, expected } => {
                write!(f, "field `{field}` is not {expected}")
            }
        }
    }
}

impl core::error::Error for ParseError {}

/// The payload as text shorter than 4 GiB.
pub(super) fn text(payload: &[u8]) -> Result<&str, ParseError> {
    if u32::try_from(payload.len()).is_err() {
        return Err(ParseError::TooLong);
    }
    core::str::from_utf8(payload).map_err(|error| ParseError::NotUtf8 {
        valid_up_to: error.valid_up_to(),
    })
}

/// Reads the whole of `text` as one object, handing each member's value to `visit`.
pub(super) fn read<'a, F: Copy>(
    text: &'a str,
    known: &[(&str, F)],
    visit: impl FnMut(Option<F>, &mut Reader<'a>),
) -> Result<(), ParseError> {
    let mut reader = Reader::new(text);
    let is_object = reader.peek() == Some(b'{');
    if is_object {
        reader.fields(known, visit);
    } else {
        reader.value_span();
    }
    match reader.end() {
        Ok(()) if is_object => Ok(()),
        Ok(()) => Err(ParseError::NotAnObject),
        Err(Malformed::TooDeep) => Err(ParseError::TooDeep),
        Err(Malformed::Syntax) => Err(not_json(text)),
    }
}

/// What there is to say without serde_json.
#[cfg(not(feature = "diagnostics"))]
fn not_json(_: &str) -> ParseError {
    ParseError::NotJson {
        line: 0,
        column: 0,
        reason: "malformed".into(),
    }
}

/// serde_json's account of what is wrong with `text`, which is better than a bare place.
#[cfg(feature = "diagnostics")]
#[cold]
fn not_json(text: &str) -> ParseError {
    let (line, column, reason) = match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Err(error) => (error.line(), error.column(), error.to_string()),
        // Does not happen: a test holds the two to accept the same texts.
        Ok(_) => (0, 0, String::from("malformed")),
    };
    ParseError::NotJson {
        line,
        column,
        reason: reason.into(),
    }
}

/// The `type` of a message, by its name among those of this direction; every message has one.
pub(super) fn kind<T>(
    raw: Option<&str>,
    by_name: impl Fn(&str) -> Option<T>,
) -> Result<T, ParseError> {
    let raw = present(raw).ok_or(ParseError::MissingType)?;
    let plain = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'));
    if let Some(kind) = plain.and_then(&by_name) {
        return Ok(kind);
    }
    let not_a_string = ParseError::InvalidField {
        field: "type",
        expected: "a string",
    };
    let name = read_string(raw).ok_or(not_a_string)?;
    by_name(&name).ok_or_else(|| ParseError::UnknownType {
        found: name.chars().take(64).collect::<String>().into(),
    })
}

/// A client token: a string, or a number by its digits.
pub(super) fn token(raw: Option<&str>) -> Result<Option<Cow<'_, str>>, ParseError> {
    let Some(raw) = present(raw) else {
        return Ok(None);
    };
    let text = match raw.as_bytes().first() {
        Some(b'"') => read_string(raw),
        Some(b'-' | b'0'..=b'9') => Some(Cow::Borrowed(raw)),
        _ => None,
    };
    text.map(Some).ok_or(ParseError::InvalidField {
        field: "clientToken",
        expected: "a string or a number",
    })
}

/// A document's version.
pub(super) fn version(field: &'static str, raw: Option<&str>) -> Result<Option<u64>, ParseError> {
    integer(raw).ok_or(ParseError::InvalidField {
        field,
        expected: "an integer from 0 to 18446744073709551615",
    })
}

/// `None` when the value is there but is no such integer.
pub(super) fn integer<T: FromStr>(raw: Option<&str>) -> Option<Option<T>> {
    match present(raw) {
        None => Some(None),
        Some(raw) => raw.parse().ok().map(Some),
    }
}

/// A null field counts as absent.
pub(super) fn present(raw: Option<&str>) -> Option<&str> {
    raw.filter(|raw| *raw != "null")
}
