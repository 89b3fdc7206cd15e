//! JSON as text: owned, re-spaced, measured and walked, but never turned into a tree.
//!
//! A shadow's values pass through the engine as the text they came in, so 64-bit integers,
//! decimals and the order of keys survive. Everything here is iterative: nesting costs no stack.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use core::str::FromStr;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

mod serializer;

pub use serializer::SerializeError;
pub(crate) use serializer::write_value;

/// Owned JSON text, known to be valid.
///
/// Two values are equal when their texts are: `1.0` and `1` differ, and so do `{"a":1}` and
/// `{ "a": 1 }` (see [`restyle`]). `Debug` and `Display` print the text. Serializing with serde_json
/// writes the text unchanged; other serializers get what serde_json's `RawValue` gives them.
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

    /// Takes over text that is known to be one JSON value without white space around it.
    pub(crate) fn from_valid(text: &str) -> Json {
        debug_assert!(
            Json::new(text).is_ok_and(|json| json.as_str() == text),
            "valid JSON"
        );
        Json(text.into())
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
        serde_json::from_str::<&RawValue>(&self.0)
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
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
    Python,
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
    let mut restyler = Restyler::new(style);
    for byte in text.bytes() {
        restyler.push(byte, out);
    }
}

/// How deep valid JSON `text` nests: 0 for a number or string, 1 for `{}`, 2 for `{"a":[]}`.
///
/// ```
/// assert_eq!(shadow_core::json::depth(r#"{"a":["[["]}"#), 2);
/// ```
#[must_use]
pub fn depth(text: &str) -> usize {
    let mut walker = Walker::new(text);
    let (mut depth, mut deepest) = (0_usize, 0);
    while let Some(byte) = walker.peek() {
        match byte {
            b'"' => walker.skip_string(),
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
                walker.advance();
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                walker.advance();
            }
            _ => walker.advance(),
        }
    }
    deepest
}

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn write_string(text: &str, style: JsonStyle, out: &mut Vec<u8>) {
    out.push(b'"');
    let plain = |byte: u8| match byte {
        0x00..0x20 | b'"' | b'\\' => false,
        0x80.. => style == JsonStyle::Compact,
        _ => true,
    };
    let mut rest = text;
    loop {
        let length = rest.bytes().position(|byte| !plain(byte));
        let (run, special) = rest.split_at(length.unwrap_or(rest.len()));
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
    out.push(b'"');
}

/// Reads a JSON string, quotes included; `None` when it escapes half a surrogate pair or is no
/// string.
pub(crate) fn read_string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str::<String>(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// A cursor over valid JSON text that knows members and values and gives their places.
///
/// On text that is not valid its answers mean nothing, but every call ends and none panics.
pub(crate) struct Walker<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Walker<'a> {
    pub(crate) fn new(text: &'a str) -> Walker<'a> {
        Walker { text, position: 0 }
    }

    /// Where the next token begins.
    pub(crate) fn position(&mut self) -> usize {
        self.peek();
        self.position
    }

    /// Behind what was read last.
    pub(crate) fn passed(&self) -> usize {
        self.position
    }

    /// The text between two positions.
    pub(crate) fn slice(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    /// Steps into the object that comes next; false, and no step, when it is something else.
    pub(crate) fn enter_object(&mut self) -> bool {
        let is_object = self.peek() == Some(b'{');
        if is_object {
            self.position += 1;
        }
        is_object
    }

    /// The next key of the object stepped into, leaving the cursor at its value; `None` at the end
    /// of the object, leaving the cursor behind it.
    pub(crate) fn next_key(&mut self) -> Option<Cow<'a, str>> {
        if self.peek() == Some(b',') {
            self.position += 1;
        }
        if self.peek() != Some(b'"') {
            self.position += 1;
            return None;
        }
        let start = self.position;
        self.skip_string();
        let raw = self.slice(start..self.position);
        if self.peek() == Some(b':') {
            self.position += 1;
        }
        // A key with half a surrogate pair is nobody's key, but is not the end of the object.
        Some(read_string(raw).unwrap_or(Cow::Borrowed(raw)))
    }

    /// Skips the value that comes next and tells where it is.
    pub(crate) fn skip_value(&mut self) -> Range<usize> {
        let first = self.peek();
        let start = self.position;
        match first {
            Some(b'"') => self.skip_string(),
            Some(b'{' | b'[') => self.skip_container(),
            _ => {
                let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                self.skip_until(ends);
            }
        }
        start..self.position
    }

    /// The value that comes next, skipped.
    pub(crate) fn value(&mut self) -> &'a str {
        let range = self.skip_value();
        self.slice(range)
    }

    fn skip_container(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.byte() {
            match byte {
                b'"' => {
                    self.skip_string();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.position += 1;
            if depth == 0 {
                break;
            }
        }
    }

    fn skip_string(&mut self) {
        self.position += 1;
        loop {
            self.skip_until(|b| matches!(b, b'"' | b'\\'));
            match self.byte() {
                Some(b'\\') => self.position += 2,
                Some(_) => {
                    self.position += 1;
                    break;
                }
                None => break,
            }
        }
    }

    fn skip_until(&mut self, ends: impl Fn(&u8) -> bool) {
        let rest = self
            .text
            .as_bytes()
            .get(self.position..)
            .unwrap_or_default();
        self.position += rest.iter().position(ends).unwrap_or(rest.len());
    }

    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.position += 1,
                byte => return byte,
            }
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn advance(&mut self) {
        self.position += 1;
    }
}

/// The state of re-spacing between two bytes of JSON text.
struct Restyler {
    style: JsonStyle,
    place: Place,
}

enum Place {
    Structure,
    String,
    /// Behind a backslash.
    Escape,
    /// Inside `\uXXXX`: hex digits still to come and the value so far. Python style only.
    Hex {
        missing: u8,
        value: u16,
    },
    /// Inside a UTF-8 sequence: bytes still to come and the code point so far. Python style only.
    Utf8 {
        missing: u8,
        value: u32,
    },
}

impl Restyler {
    fn new(style: JsonStyle) -> Restyler {
        Restyler {
            style,
            place: Place::Structure,
        }
    }

    fn push(&mut self, byte: u8, out: &mut Vec<u8>) {
        let python = self.style == JsonStyle::Python;
        self.place = match self.place {
            Place::Structure => match byte {
                b' ' | b'\t' | b'\n' | b'\r' => Place::Structure,
                b',' | b':' if python => {
                    out.extend_from_slice(&[byte, b' ']);
                    Place::Structure
                }
                _ => {
                    out.push(byte);
                    if byte == b'"' {
                        Place::String
                    } else {
                        Place::Structure
                    }
                }
            },
            Place::String => match byte {
                b'\\' if python => Place::Escape,
                0xc0..=0xdf if python => Place::Utf8 {
                    missing: 1,
                    value: u32::from(byte & 0x1f),
                },
                0xe0..=0xef if python => Place::Utf8 {
                    missing: 2,
                    value: u32::from(byte & 0x0f),
                },
                0xf0..=0xff if python => Place::Utf8 {
                    missing: 3,
                    value: u32::from(byte & 0x07),
                },
                _ => {
                    out.push(byte);
                    match byte {
                        b'"' => Place::Structure,
                        b'\\' => Place::Escape,
                        _ => Place::String,
                    }
                }
            },
            Place::Escape if !python => {
                out.push(byte);
                Place::String
            }
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
        };
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

fn push_hex_escape(unit: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        let digit = u32::from((unit >> shift) & 0xf);
        out.push(char::from_digit(digit, 16).unwrap_or('0') as u8);
    }
}

#[cfg(test)]
mod tests;
