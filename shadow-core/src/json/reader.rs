//! A checking cursor over JSON text: reads the members asked for, skips the rest, and says where
//! in the text each value is.

use alloc::borrow::Cow;
use alloc::string::String;
use core::ops::Range;

/// How deep a value may nest before it is refused; serde_json's own limit for reading into types.
const DEPTH_LIMIT: u32 = u128::BITS;

/// Why a text is not JSON that can be read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// It breaks the grammar of RFC 8259.
    Syntax,
    /// It nests deeper than [`DEPTH_LIMIT`].
    TooDeep,
}

/// A cursor that stands before a value, or behind one.
///
/// It checks what it passes, so a text read from its start to [`Reader::end`] is valid JSON but for
/// one thing, which serde_json lets pass unread as well: a string may escape half a surrogate pair.
/// Takes no memory but for keys with escapes; uses no stack for nesting.
pub(crate) struct Reader<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Reader<'a> {
        Reader { text, position: 0 }
    }

    /// Where the cursor is.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Moves to the next token and tells its first byte; `None` at the end of the text.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.position += 1,
                byte => return byte,
            }
        }
    }

    /// Reads the object that comes next: calls `visit` with each key, the cursor before its value.
    /// `visit` has to read that value.
    pub(crate) fn members(
        &mut self,
        mut visit: impl FnMut(&str, &mut Reader<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.expect(b'{')?;
        if self.accept(b'}') {
            return Ok(());
        }
        loop {
            let raw = self.key()?;
            // A key that escapes half a surrogate pair is nobody's key.
            let key = read_string(raw).unwrap_or(Cow::Borrowed(raw));
            visit(&key, self)?;
            if !self.accept(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// Reads the value that comes next and gives its text.
    pub(crate) fn value(&mut self) -> Result<&'a str, Malformed> {
        let range = self.value_range()?;
        self.text.get(range).ok_or(Malformed::Syntax)
    }

    /// Reads the value that comes next and tells where it is.
    pub(crate) fn value_range(&mut self) -> Result<Range<usize>, Malformed> {
        let first = self.peek();
        let start = self.position;
        match first {
            Some(b'"') => self.string()?,
            Some(b'{' | b'[') => self.container()?,
            _ => self.scalar()?,
        }
        Ok(start..self.position)
    }

    /// Checks that nothing but white space is left.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Malformed::Syntax),
        }
    }

    /// An array or object with all that is in it. `objects` is a stack with one bit a level.
    fn container(&mut self) -> Result<(), Malformed> {
        let mut objects = 0_u128;
        let mut depth = 0_u32;
        loop {
            match self.peek() {
                Some(b'"') => self.string()?,
                Some(open @ (b'{' | b'[')) => {
                    if depth == DEPTH_LIMIT {
                        return Err(Malformed::TooDeep);
                    }
                    self.position += 1;
                    let is_object = open == b'{';
                    if !self.accept(if is_object { b'}' } else { b']' }) {
                        depth += 1;
                        objects = (objects << 1) | u128::from(is_object);
                        if is_object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            // Behind a value: close what ends here, then go on to the next value.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let is_object = objects & 1 == 1;
                if self.accept(b',') {
                    if is_object {
                        self.key()?;
                    }
                    break;
                }
                self.expect(if is_object { b'}' } else { b']' })?;
                depth -= 1;
                objects >>= 1;
            }
        }
    }

    /// A key in its quotes, and the colon.
    fn key(&mut self) -> Result<&'a str, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(Malformed::Syntax);
        }
        let start = self.position;
        self.string()?;
        let raw = self
            .text
            .get(start..self.position)
            .ok_or(Malformed::Syntax)?;
        self.expect(b':')?;
        Ok(raw)
    }

    /// A string; the cursor is at its first quote.
    fn string(&mut self) -> Result<(), Malformed> {
        self.position += 1;
        loop {
            let rest = self
                .text
                .as_bytes()
                .get(self.position..)
                .unwrap_or_default();
            let plain = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0x00..0x20));
            let plain = plain.ok_or(Malformed::Syntax)?;
            self.position += plain + 1;
            match rest.get(plain) {
                Some(b'"') => return Ok(()),
                Some(b'\\') => self.escape()?,
                _ => return Err(Malformed::Syntax),
            }
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Result<(), Malformed> {
        let letter = self.byte();
        self.position += 1;
        match letter {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
            Some(b'u') => {
                let digits = self.text.as_bytes().get(self.position..self.position + 4);
                self.position += 4;
                match digits {
                    Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(()),
                    _ => Err(Malformed::Syntax),
                }
            }
            _ => Err(Malformed::Syntax),
        }
    }

    /// A number, `true`, `false` or `null`.
    fn scalar(&mut self) -> Result<(), Malformed> {
        let word: &str = match self.byte() {
            Some(b'-' | b'0'..=b'9') => return self.number(),
            Some(b't') => "true",
            Some(b'f') => "false",
            Some(b'n') => "null",
            _ => return Err(Malformed::Syntax),
        };
        let rest = self
            .text
            .as_bytes()
            .get(self.position..)
            .unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(Malformed::Syntax);
        }
        self.position += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Malformed> {
        if self.byte() == Some(b'-') {
            self.position += 1;
        }
        if self.byte() == Some(b'0') {
            self.position += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.position += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.position += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.position;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.position += 1;
        }
        if self.position == start {
            Err(Malformed::Syntax)
        } else {
            Ok(())
        }
    }

    #[inline]
    fn accept(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.position += 1;
        }
        is_next
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.accept(byte) {
            Ok(())
        } else {
            Err(Malformed::Syntax)
        }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }
}

/// The text of a JSON string in its quotes; `None` when it escapes half a surrogate pair, or is no
/// string.
pub(crate) fn read_string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.bytes().any(|byte| byte == b'\\') {
        serde_json::from_str::<String>(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}
