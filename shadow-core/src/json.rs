//! JSON as text: owned, re-spaced, measured and read, but never turned into a tree.
//!
//! A shadow's values pass through the engine as the text they came in, so 64-bit integers,
//! decimals and the order of keys survive. Everything here is iterative: nesting costs no stack.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

mod equality;
mod lookup;
mod members;
mod order;
mod patch;
mod reader;
mod serializer;

#[cfg(all(test, feature = "recording"))]
pub(crate) use equality::same_value;
pub use lookup::{NotAnObject, member, string};
pub(crate) use members::DEEPEST;
pub(crate) use patch::Object;
use reader::plain_end;
pub(crate) use reader::{Malformed, Reader, Span, read_string};
use serializer::RAW_VALUE;
pub use serializer::SerializeError;
pub(crate) use serializer::write_value;

/// Owned JSON text, known to be valid.
///
/// Two values are equal when their texts are: `1.0` and `1` differ, and so do `{"a":1}` and
/// `{ "a": 1 }` (see [`restyle`]). `Debug` and `Display` print the text. Serializing with
/// serde_json writes the text unchanged; other serializers get what serde_json's `RawValue` gives
/// them.
///
/// ```
/// use shadow_core::json::Json;
///
/// let json: Json = r#"{"level": 18446744073709551615}"#.parse()?;
/// let map: std::collections::BTreeMap<String, u64> = json.parse()?;
/// assert_eq!(map["level"], u64::MAX);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json(Box<str>);

impl Json {
    /// Takes over `text`, without the white space around it.
    ///
    /// # Errors
    /// serde_json's error, with line and column, when `text` is not one JSON value.
    pub fn new(text: impl Into<Box<str>>) -> Result<Json, serde_json::Error> {
        let text = text.into();
        serde_json::from_str::<IgnoredAny>(&text)?;
        let trimmed = text.trim_matches(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
        Ok(if trimmed.len() == text.len() {
            Json(text)
        } else {
            Json(trimmed.into())
        })
    }

    /// Takes over a value out of valid JSON.
    pub(crate) fn of_valid(text: &str) -> Json {
        debug_assert!(Json::new(text).is_ok(), "a value of valid JSON is valid");
        Json(text.into())
    }

    /// The value `null`.
    #[cfg(feature = "recording")]
    pub(crate) fn null() -> Json {
        Json("null".into())
    }

    /// What `value` serializes to, compact.
    ///
    /// # Errors
    /// [`SerializeError`], for example for a map whose keys are not strings, or a NaN.
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Json, SerializeError> {
        let mut out = Vec::new();
        write_value(value, JsonStyle::Compact, &mut out)?;
        let text = String::from_utf8(out).map_err(serde::ser::Error::custom)?;
        Ok(Json(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the text as a `T`.
    ///
    /// # Errors
    /// serde_json's error when the text does not fit `T`, or nests deeper than 128 levels.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }
}

impl From<Object> for Json {
    fn from(object: Object) -> Json {
        let text = object.into_text();
        debug_assert!(Json::new(&*text).is_ok(), "an object is made of valid JSON");
        Json(text)
    }
}

impl FromStr for Json {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Json, serde_json::Error> {
        Json::new(text)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // As a RawValue of serde_json does it, which could only be had by reading the text again.
        let mut raw = serializer.serialize_struct(RAW_VALUE, 1)?;
        raw.serialize_field(RAW_VALUE, &self.0)?;
        raw.end()
    }
}

/// How JSON text is spaced and escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum JsonStyle {
    /// No insignificant white space, text beyond ASCII as UTF-8.
    #[default]
    Compact,
    /// What `json.dumps` of Python's standard library prints with its defaults: `", "` and `": "`,
    /// every UTF-16 unit beyond ASCII as `\uxxxx` in lower-case hex, DEL (0x7f) as it is.
    #[cfg(feature = "behaviours")]
    Python,
}

impl JsonStyle {
    /// Whether it is [`JsonStyle::Python`], without which the code for it is not there either.
    pub(crate) const fn is_python(self) -> bool {
        #[cfg(feature = "behaviours")]
        return matches!(self, JsonStyle::Python);
        #[cfg(not(feature = "behaviours"))]
        false
    }
}

/// Appends `text` to `out` in the given style. Numbers, the order of keys and duplicate keys stay.
///
/// [`JsonStyle::Compact`] drops insignificant white space and nothing else. [`JsonStyle::Python`]
/// re-escapes strings as well; numbers keep their spelling where Python would print its own (`1E5`
/// as `100000.0`). `text` must be valid JSON; from other text comes other text, without a panic.
///
/// ```
/// use shadow_core::json::{JsonStyle, restyle};
///
/// let mut out = Vec::new();
/// restyle(r#"{"a":[1,2],"b":"é"}"#, JsonStyle::Python, &mut out);
/// assert_eq!(out, br#"{"a": [1, 2], "b": "\u00e9"}"#);
/// ```
pub fn restyle(text: &str, style: JsonStyle, out: &mut Vec<u8>) {
    if style.is_python() {
        let mut place = Place::Structure;
        for byte in text.bytes() {
            place = place.behind(byte, out);
        }
    } else {
        compact(text.as_bytes(), out);
    }
}

/// Appends all but the white space between tokens.
fn compact(text: &[u8], out: &mut Vec<u8>) {
    let (mut kept, mut at) = (0, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => at = string_end(text, at + 1),
            b' ' | b'\t' | b'\n' | b'\r' => {
                out.extend_from_slice(text.get(kept..at).unwrap_or_default());
                at += 1;
                kept = at;
            }
            _ => at += 1,
        }
    }
    out.extend_from_slice(text.get(kept..).unwrap_or_default());
}

/// The place behind the closing quote of the string whose inner text begins at `start`, or the end of
/// the text.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = plain_end(text, start);
    while let Some(byte) = text.get(at) {
        at = match byte {
            b'"' => return at + 1,
            b'\\' => plain_end(text, at + 2),
            // No valid JSON.
            _ => plain_end(text, at + 1),
        };
    }
    at
}

/// How deep valid JSON `text` nests: 0 for a number or string, 1 for `{}`, 2 for `{"a":[]}`.
///
/// ```
/// assert_eq!(shadow_core::json::depth(r#"{"a":["[["]}"#), 2);
/// ```
#[must_use]
pub fn depth(text: &str) -> usize {
    let text = text.as_bytes();
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'"' => at = string_end(text, at),
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Appends `compact`, a piece of compact JSON text that is cut inside no string.
pub(crate) fn write_literal(compact: &str, style: JsonStyle, out: &mut Vec<u8>) {
    if style.is_python() {
        restyle(compact, style, out);
    } else {
        out.extend_from_slice(compact.as_bytes());
    }
}

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn write_string(text: &str, style: JsonStyle, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    if style.is_python() {
        write_ascii(text, out);
    } else if is_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_escaped(text.as_bytes(), out);
    }
    out.push(b'"');
}

/// Whether compact JSON has `text` as it is between quotes.
///
/// Nearly every string is short and has nothing to escape, and this is asked for each of a request.
/// So it looks at eight bytes at a time, of which the last may overlap those before.
fn is_plain(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Whether a byte is below `bound`, as far as the bytes before it are not.
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word & (ONES << 7);
    let plain = |word: [u8; 8]| {
        let word = u64::from_ne_bytes(word);
        // Flipping 0x02 moves the quote, 0x22, next to the control characters, which stay among
        // themselves.
        below(word ^ (ONES * 0x02), 0x21) | below(word ^ (ONES * 0x5c), 1) == 0
    };
    if let Some(last) = text.last_chunk() {
        let (words, _) = text.as_chunks();
        return words.iter().chain([last]).all(|word| plain(*word));
    }
    if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        let [a, b, c, d] = *first;
        let [e, f, g, h] = *last;
        return plain([a, b, c, d, e, f, g, h]);
    }
    let escaped = |byte: &u8| matches!(byte, b'"' | b'\\' | 0x00..0x20);
    !text.iter().any(escaped)
}

/// Appends `text` as it stands between the quotes of a string in compact JSON.
fn write_escaped(text: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    loop {
        let end = plain_end(text, at);
        out.extend_from_slice(text.get(at..end).unwrap_or_default());
        let Some(byte) = text.get(end) else {
            break;
        };
        push_escaped(*byte, out);
        at = end + 1;
    }
}

/// Appends `text` as it stands between the quotes of a string that Python prints.
fn write_ascii(text: &str, out: &mut Vec<u8>) {
    let plain = |byte: u8| matches!(byte, b' '..=b'!' | b'#'..=b'[' | b']'..=0x7f);
    let mut rest = text;
    loop {
        let length = rest.bytes().take_while(|byte| plain(*byte)).count();
        // The length is that of whole characters.
        let (run, special) = rest.split_at_checked(length).unwrap_or((rest, ""));
        out.extend_from_slice(run.as_bytes());
        let mut characters = special.chars();
        let Some(character) = characters.next() else {
            break;
        };
        for unit in character.encode_utf16(&mut [0; 2]) {
            push_utf16_unit(*unit, out);
        }
        rest = characters.as_str();
    }
}

/// Where Python's style is between two bytes of JSON text.
enum Place {
    Structure,
    String,
    /// Behind a backslash.
    Escape,
    /// Inside `\uXXXX`: hex digits still to come and the value so far.
    Hex {
        missing: u8,
        value: u16,
    },
    /// Inside a UTF-8 sequence: bytes still to come and the code point so far.
    Utf8 {
        missing: u8,
        value: u32,
    },
}

impl Place {
    /// Appends what becomes of the next byte; the place behind it.
    fn behind(self, byte: u8, out: &mut Vec<u8>) -> Place {
        match self {
            Place::Structure => match byte {
                b' ' | b'\t' | b'\n' | b'\r' => Place::Structure,
                b',' | b':' => {
                    out.extend_from_slice(&[byte, b' ']);
                    Place::Structure
                }
                b'"' => {
                    out.push(byte);
                    Place::String
                }
                _ => {
                    out.push(byte);
                    Place::Structure
                }
            },
            Place::String => match byte {
                b'\\' => Place::Escape,
                0xc0..=0xdf => Place::Utf8 {
                    missing: 1,
                    value: u32::from(byte & 0x1f),
                },
                0xe0..=0xef => Place::Utf8 {
                    missing: 2,
                    value: u32::from(byte & 0x0f),
                },
                0xf0..=0xff => Place::Utf8 {
                    missing: 3,
                    value: u32::from(byte & 0x07),
                },
                b'"' => {
                    out.push(byte);
                    Place::Structure
                }
                _ => {
                    out.push(byte);
                    Place::String
                }
            },
            Place::Escape => match byte {
                b'u' => Place::Hex {
                    missing: 4,
                    value: 0,
                },
                b'/' => {
                    out.push(b'/');
                    Place::String
                }
                _ => {
                    out.extend_from_slice(&[b'\\', byte]);
                    Place::String
                }
            },
            Place::Hex { missing, value } => {
                let digit = char::from(byte).to_digit(16).unwrap_or(0) as u16;
                let value = (value << 4) | digit;
                if missing > 1 {
                    Place::Hex {
                        missing: missing - 1,
                        value,
                    }
                } else {
                    push_utf16_unit(value, out);
                    Place::String
                }
            }
            Place::Utf8 { missing, value } => {
                let value = (value << 6) | u32::from(byte & 0x3f);
                if missing > 1 {
                    Place::Utf8 {
                        missing: missing - 1,
                        value,
                    }
                } else {
                    let character = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        push_utf16_unit(*unit, out);
                    }
                    Place::String
                }
            }
        }
    }
}

/// One UTF-16 unit inside a string, as Python escapes it.
fn push_utf16_unit(unit: u16, out: &mut Vec<u8>) {
    match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii() => push_escaped(byte, out),
        _ => push_hex_escape(unit, out),
    }
}

/// One byte inside a string, as serde_json and Python escape it; bytes beyond ASCII as they are.
fn push_escaped(byte: u8, out: &mut Vec<u8>) {
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        0x00..0x20 => return push_hex_escape(u16::from(byte), out),
        _ => return out.push(byte),
    };
    out.extend_from_slice(&[b'\\', letter]);
}

/// Appends `\uxxxx`.
pub(crate) fn push_hex_escape(unit: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        let digit = u32::from((unit >> shift) & 0xf);
        out.push(char::from_digit(digit, 16).unwrap_or('0') as u8);
    }
}

#[cfg(test)]
mod tests;
