//! One line being written.

use alloc::vec::Vec;
use core::fmt::{self, Display, Write};
use core::time::Duration;

use serde::Serialize;

use crate::json::{JsonStyle, Reader, SerializeError, push_hex_escape, write_string, write_value};
use crate::time::Instant;

/// One JSON object being written; kept from line to line for its memory.
#[derive(Debug, Default)]
pub(super) struct Line {
    text: Vec<u8>,
}

impl Line {
    /// Begins a line: `{"at":N,"in":"kind"`, or `out`.
    pub(super) fn begin(&mut self, at: Instant, direction: Direction, kind: &str) -> &mut Line {
        self.text.clear();
        self.text.extend_from_slice(b"{\"at\":");
        self.digits(at.as_micros());
        self.text.extend_from_slice(match direction {
            Direction::In => b",\"in\":\"",
            Direction::Out => b",\"out\":\"",
        });
        self.text.extend_from_slice(kind.as_bytes());
        self.text.push(b'"');
        self
    }

    /// Begins a line that has no time.
    pub(super) fn begin_plain(&mut self, text: &str) -> &mut Line {
        self.text.clear();
        self.text.extend_from_slice(text.as_bytes());
        self
    }

    /// Ends the line and gives it.
    pub(super) fn end(&mut self) -> &str {
        self.text.extend_from_slice(b"}\n");
        // All that is written into it is text.
        core::str::from_utf8(&self.text).unwrap_or("{}\n")
    }

    fn key(&mut self, key: &str) {
        self.text.extend_from_slice(b",\"");
        self.text.extend_from_slice(key.as_bytes());
        self.text.extend_from_slice(b"\":");
    }

    fn digits(&mut self, number: u64) {
        let mut digits = itoa::Buffer::new();
        self.text
            .extend_from_slice(digits.format(number).as_bytes());
    }

    pub(super) fn number(&mut self, key: &str, number: impl Into<u64>) -> &mut Line {
        self.key(key);
        self.digits(number.into());
        self
    }

    pub(super) fn signed(&mut self, key: &str, number: i64) -> &mut Line {
        self.key(key);
        let mut digits = itoa::Buffer::new();
        self.text
            .extend_from_slice(digits.format(number).as_bytes());
        self
    }

    pub(super) fn size(&mut self, key: &str, size: usize) -> &mut Line {
        self.number(key, size as u64)
    }

    /// Microseconds; those beyond 64 bits are the largest number.
    pub(super) fn micros(&mut self, key: &str, duration: Duration) -> &mut Line {
        self.number(key, u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }

    pub(super) fn some_number(&mut self, key: &str, number: Option<impl Into<u64>>) -> &mut Line {
        if let Some(number) = number {
            self.number(key, number);
        }
        self
    }

    pub(super) fn boolean(&mut self, key: &str, value: bool) -> &mut Line {
        self.word(key, if value { "true" } else { "false" })
    }

    /// `true`, or nothing at all.
    pub(super) fn flag(&mut self, key: &str, value: bool) -> &mut Line {
        if value {
            self.word(key, "true");
        }
        self
    }

    pub(super) fn null(&mut self, key: &str) -> &mut Line {
        self.word(key, "null")
    }

    fn word(&mut self, key: &str, word: &str) -> &mut Line {
        self.key(key);
        self.text.extend_from_slice(word.as_bytes());
        self
    }

    pub(super) fn string(&mut self, key: &str, text: &str) -> &mut Line {
        self.key(key);
        write_string(text, JsonStyle::Compact, &mut self.text);
        self
    }

    pub(super) fn some_string(&mut self, key: &str, text: Option<&str>) -> &mut Line {
        if let Some(text) = text {
            self.string(key, text);
        }
        self
    }

    /// What is displayed, as a string.
    pub(super) fn display(&mut self, key: &str, value: &dyn Display) -> &mut Line {
        self.key(key);
        self.text.push(b'"');
        // Writing to a vector cannot fail.
        let _ = write!(Escaped(&mut self.text), "{value}");
        self.text.push(b'"');
        self
    }

    /// Bytes as text, each of them the character of its number.
    pub(super) fn bytes(&mut self, key: &str, bytes: &[u8]) -> &mut Line {
        self.key(key);
        self.text.push(b'"');
        self.text.reserve(bytes.len() + 1);
        let mut rest = bytes;
        while !rest.is_empty() {
            let plain = rest.iter().take_while(|byte| is_plain(**byte)).count();
            let (run, special) = rest.split_at(plain);
            self.text.extend_from_slice(run);
            rest = match special.split_first() {
                Some((byte @ (b'"' | b'\\'), rest)) => {
                    self.text.extend_from_slice(&[b'\\', *byte]);
                    rest
                }
                Some((byte, rest)) => {
                    push_hex_escape(u16::from(*byte), &mut self.text);
                    rest
                }
                None => special,
            };
        }
        self.text.push(b'"');
        self
    }

    /// Valid JSON text as it is, or as a string under another key if there are line breaks in it.
    pub(super) fn json(&mut self, key: &str, text: &str) -> &mut Line {
        if text.bytes().any(|byte| byte == b'\n' || byte == b'\r') {
            self.text.extend_from_slice(b",\"");
            self.text.extend_from_slice(key.as_bytes());
            self.text.extend_from_slice(b"_text\":");
            write_string(text, JsonStyle::Compact, &mut self.text);
            return self;
        }
        self.word(key, text)
    }

    /// What `value` serializes to, without white space; or why it does not, under another key.
    pub(super) fn value<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> &mut Line {
        let start = self.text.len();
        self.key(key);
        let written: Result<usize, SerializeError> =
            write_value(value, JsonStyle::Compact, &mut self.text);
        if let Err(error) = written {
            self.text.truncate(start);
            self.text.extend_from_slice(b",\"");
            self.text.extend_from_slice(key.as_bytes());
            self.text.extend_from_slice(b"_error\":");
            write_string(
                &alloc::format!("{error}"),
                JsonStyle::Compact,
                &mut self.text,
            );
        }
        self
    }

    /// What is debugged, as a string: the name of a variant.
    pub(super) fn debug(&mut self, key: &str, value: &dyn fmt::Debug) -> &mut Line {
        self.display(key, &format_args!("{value:?}"))
    }

    /// An object with what `members` writes.
    pub(super) fn object(&mut self, key: &str, members: impl FnOnce(&mut Line)) -> &mut Line {
        self.key(key);
        let start = self.text.len();
        members(self);
        // The first member came with a comma.
        if let Some(comma) = self.text.get_mut(start) {
            *comma = b'{';
        } else {
            self.text.push(b'{');
        }
        self.text.push(b'}');
        self
    }

    /// An array of what `write` writes of each item.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        items: impl Iterator<Item = T>,
        write: impl Fn(&mut Line, T),
    ) -> &mut Line {
        self.key(key);
        self.text.push(b'[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.text.push(b',');
            }
            write(self, item);
        }
        self.text.push(b']');
        self
    }

    /// An item of a list: a string.
    pub(super) fn text(&mut self, text: &str) {
        write_string(text, JsonStyle::Compact, &mut self.text);
    }

    /// An item of a list: a string and a number.
    pub(super) fn pair(&mut self, text: &str, number: u8) {
        self.text.push(b'[');
        self.text(text);
        self.text.push(b',');
        self.digits(number.into());
        self.text.push(b']');
    }

    /// A message's content: a JSON object as it is, other text as a string, other bytes as bytes.
    pub(super) fn payload(&mut self, payload: &[u8]) -> &mut Line {
        match core::str::from_utf8(payload) {
            Ok(text) if is_object(text) => self.word("payload", text),
            Ok(text) => self.string("payload", text),
            Err(_) => self.bytes("payload_bytes", payload),
        }
    }
}

/// Which way a line goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    In,
    Out,
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'!' | b'#'..=b'[' | b']'..=b'~')
}

/// Whether it is one JSON object on one line, with nothing around it.
fn is_object(text: &str) -> bool {
    if !text.starts_with('{') || !text.ends_with('}') {
        return false;
    }
    let mut reader = Reader::new(text);
    reader.value_span();
    reader.end().is_ok() && !text.bytes().any(|byte| byte == b'\n' || byte == b'\r')
}

/// Writes text with the escapes of a JSON string.
struct Escaped<'a>(&'a mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // The quotes around it are the caller's.
        let start = self.0.len();
        write_string(text, JsonStyle::Compact, self.0);
        self.0.pop();
        self.0.remove(start);
        Ok(())
    }
}
