//! A checking cursor over JSON text: reads the members asked for, skips the rest, and says where
//! in the text each value is.

use alloc::borrow::Cow;
use alloc::string::String;

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

/// Where a value is in a text shorter than 4 GiB, in bytes. The empty span means absent, since no
/// JSON value is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// The same place, counted from `origin` on.
    pub(crate) fn behind(self, origin: u32) -> Span {
        Span {
            start: self.start.saturating_sub(origin),
            end: self.end.saturating_sub(origin),
        }
    }

    /// The part of `text` it spans; `None` when that is empty or not there.
    pub(crate) fn of(self, text: &str) -> Option<&str> {
        text.get(self.start as usize..self.end as usize)
            .filter(|part| !part.is_empty())
    }
}

/// A cursor that stands before a value, or behind one.
///
/// It checks what it passes, so a text read from its start to [`Reader::end`] is valid JSON but for
/// one thing, which serde_json lets pass unread as well: a string may escape half a surrogate pair.
/// The text has to be shorter than 4 GiB. A fault sticks: the cursor moves to the end of the text,
/// whatever is read from there on is empty, and [`Reader::end`] tells. Takes no memory but for keys
/// with escapes; uses no stack for nesting.
pub(crate) struct Reader<'a> {
    text: &'a str,
    position: usize,
    fault: Option<Malformed>,
    has_spaces: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Reader<'a> {
        Reader {
            text,
            position: 0,
            fault: None,
            has_spaces: false,
        }
    }

    /// Whether white space stood anywhere between what was read.
    pub(super) fn has_spaces(&self) -> bool {
        self.has_spaces
    }

    /// Where the cursor is.
    pub(crate) fn position(&self) -> u32 {
        self.position as u32
    }

    /// Moves to the next token and tells its first byte; `None` at the end of the text.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => {
                    self.position += 1;
                    self.has_spaces = true;
                }
                byte => return byte,
            }
        }
    }

    /// Reads the object that comes next: calls `visit` with each key (UTF-8, its escapes resolved),
    /// the cursor before its value. `visit` has to read that value.
    #[inline]
    pub(crate) fn members(&mut self, mut visit: impl FnMut(&[u8], &mut Reader<'a>)) {
        self.raw_members(|raw, is_escaped, reader| {
            if is_escaped {
                let key = unescape(raw);
                visit(key.as_ref().map_or(raw, |key| key.as_bytes()), reader);
            } else {
                visit(raw, reader);
            }
        });
    }

    /// As [`Reader::members`], with each key as it stands between its quotes, and whether it has
    /// escapes.
    #[inline]
    pub(super) fn raw_members(&mut self, mut visit: impl FnMut(&'a [u8], bool, &mut Reader<'a>)) {
        self.expect(b'{');
        if self.accept(b'}') {
            return;
        }
        while self.fault.is_none() {
            self.peek();
            let start = self.position + 1;
            let is_escaped = self.string();
            let end = self.position.saturating_sub(1);
            self.expect(b':');
            let raw = self.text.as_bytes().get(start..end).unwrap_or_default();
            visit(raw, is_escaped, self);
            if !self.accept(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// Reads the array that comes next: calls `visit` before each element, which it has to read.
    pub(crate) fn elements(&mut self, mut visit: impl FnMut(&mut Reader<'a>)) {
        self.expect(b'[');
        if self.accept(b']') {
            return;
        }
        while self.fault.is_none() {
            visit(self);
            if !self.accept(b',') {
                return self.expect(b']');
            }
        }
    }

    /// Reads the value that comes next and gives its text.
    pub(crate) fn value(&mut self) -> &'a str {
        self.value_span().of(self.text).unwrap_or_default()
    }

    /// Reads the value that comes next and tells where it is.
    pub(crate) fn value_span(&mut self) -> Span {
        let first = self.peek();
        let start = self.position();
        match first {
            Some(b'"') => drop(self.string()),
            Some(b'{' | b'[') => self.container(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
        Span {
            start,
            end: self.position(),
        }
    }

    /// Checks that all was well, and that nothing but white space is left.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        if self.peek().is_some() {
            self.fail(Malformed::Syntax);
        }
        self.fault.map_or(Ok(()), Err)
    }

    /// An array or object with all that is in it. `objects` is a stack with one bit a level.
    #[inline(never)] // Kept apart so that reading a string or number need not make room for it.
    fn container(&mut self) {
        let mut objects = 0_u128;
        let mut depth = 0_u32;
        while self.fault.is_none() {
            match self.peek() {
                Some(b'"') => drop(self.string()),
                Some(open @ (b'{' | b'[')) => {
                    if depth == DEPTH_LIMIT {
                        return self.fail(Malformed::TooDeep);
                    }
                    self.position += 1;
                    let is_object = open == b'{';
                    if !self.accept(if is_object { b'}' } else { b']' }) {
                        depth += 1;
                        objects = (objects << 1) | u128::from(is_object);
                        if is_object {
                            self.key();
                        }
                        continue;
                    }
                }
                Some(b'-' | b'0'..=b'9') => self.number(),
                _ => self.word(),
            }
            // Behind a value: close what ends here, then go on to the next value.
            loop {
                if depth == 0 {
                    return;
                }
                let is_object = objects & 1 == 1;
                if self.accept(b',') {
                    if is_object {
                        self.key();
                    }
                    break;
                }
                self.expect(if is_object { b'}' } else { b']' });
                depth -= 1;
                objects >>= 1;
            }
        }
    }

    /// A key and the colon.
    #[inline]
    fn key(&mut self) {
        self.peek();
        self.string();
        self.expect(b':');
    }

    /// A string, and whether it has escapes; its first quote has to be at the cursor.
    fn string(&mut self) -> bool {
        if self.byte() != Some(b'"') {
            self.fail(Malformed::Syntax);
            return false;
        }
        self.position = plain_end(self.text.as_bytes(), self.position + 1);
        if self.byte() == Some(b'"') {
            self.position += 1;
            return false;
        }
        self.string_with_escapes();
        true
    }

    /// The rest of a string from its first byte that is not plain.
    #[cold]
    fn string_with_escapes(&mut self) {
        loop {
            let next = self.byte();
            self.position += 1;
            match next {
                Some(b'"') => return,
                Some(b'\\') => self.escape(),
                _ => return self.fail(Malformed::Syntax),
            }
            self.position = plain_end(self.text.as_bytes(), self.position);
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) {
        let letter = self.byte();
        self.position += 1;
        match letter {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {}
            Some(b'u') => {
                let digits = self.position..self.position + 4;
                self.position += 4;
                match self.text.as_bytes().get(digits) {
                    Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => {}
                    _ => self.fail(Malformed::Syntax),
                }
            }
            _ => self.fail(Malformed::Syntax),
        }
    }

    /// `true`, `false` or `null`.
    fn word(&mut self) {
        let word: &[u8] = match self.byte() {
            Some(b't') => b"true",
            Some(b'f') => b"false",
            _ => b"null",
        };
        let rest = self
            .text
            .as_bytes()
            .get(self.position..)
            .unwrap_or_default();
        if rest.starts_with(word) {
            self.position += word.len();
        } else {
            self.fail(Malformed::Syntax);
        }
    }

    /// A number; its minus or first digit is at the cursor.
    fn number(&mut self) {
        if self.byte() == Some(b'-') {
            self.position += 1;
        }
        let leading_zero = self.byte() == Some(b'0');
        let count = self.digits();
        if leading_zero && count > 1 {
            return self.fail(Malformed::Syntax);
        }
        if let Some(b'.' | b'e' | b'E') = self.byte() {
            self.fraction();
        }
    }

    /// What stands behind the whole part of a number.
    #[inline(never)]
    fn fraction(&mut self) {
        if self.byte() == Some(b'.') {
            self.position += 1;
            self.digits();
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.position += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.position += 1;
            }
            self.digits();
        }
    }

    /// One digit or more; gives their number.
    #[inline]
    fn digits(&mut self) -> usize {
        let rest = self
            .text
            .as_bytes()
            .get(self.position..)
            .unwrap_or_default();
        let other = rest.iter().position(|byte| !byte.is_ascii_digit());
        let count = other.unwrap_or(rest.len());
        self.position += count;
        if count == 0 {
            self.fail(Malformed::Syntax);
        }
        count
    }

    #[inline]
    fn accept(&mut self, byte: u8) -> bool {
        let is_next = self.byte() == Some(byte) || self.peek() == Some(byte);
        if is_next {
            self.position += 1;
        }
        is_next
    }

    #[inline]
    fn expect(&mut self, byte: u8) {
        if !self.accept(byte) {
            self.fail(Malformed::Syntax);
        }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    /// The first fault counts.
    #[cold]
    fn fail(&mut self, fault: Malformed) {
        self.fault.get_or_insert(fault);
        self.position = self.text.len();
    }
}

/// Where the first quote, backslash or control character from `start` on is, or the end; eight
/// bytes at a time.
#[inline(never)] // Kept apart so that its callers need not save the registers it uses.
pub(super) fn plain_end(bytes: &[u8], start: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // The lowest bit set in the result is the high bit of the first byte of `word` below `bound`;
    // bits above it may be wrong, since the subtraction borrows upwards.
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word & (ONES << 7);
    let mut rest = bytes.get(start..).unwrap_or_default();
    while let Some((word, behind)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*word);
        // Flipping 0x02 moves the quote, 0x22, next to the control characters, which stay among
        // themselves.
        let special = below(word ^ (ONES * 0x02), 0x21) | below(word ^ (ONES * 0x5c), 1);
        if special != 0 {
            return bytes.len() - rest.len() + special.trailing_zeros() as usize / 8;
        }
        rest = behind;
    }
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0x00..0x20);
    bytes.len() - rest.len() + rest.iter().position(ends).unwrap_or(rest.len())
}

/// The text of a JSON string in its quotes; `None` when it escapes half a surrogate pair, or is no
/// string.
#[inline]
pub(crate) fn read_string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.as_bytes().contains(&b'\\') {
        unescape(inner.as_bytes()).map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// The text of a valid JSON string from between its quotes. A key that escapes half a surrogate
/// pair has none, and is nobody's key.
///
/// serde_json would read it as well, but where nothing else asks for its reader, on a
/// microcontroller, that is 10 times the code.
#[cold]
pub(super) fn unescape(inner: &[u8]) -> Option<String> {
    let inner = core::str::from_utf8(inner).ok()?;
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut behind = escape.chars();
        text.push(match behind.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (character, rest) = utf16(behind.as_str())?;
                behind = rest.chars();
                character
            }
            itself => itself,
        });
        rest = behind.as_str();
    }
    text.push_str(rest);
    Some(text)
}

/// The character of one or two UTF-16 units, behind the `\u` of the first; and what follows.
fn utf16(escape: &str) -> Option<(char, &str)> {
    let (first, rest) = hex_unit(escape)?;
    if let Some(character) = char::from_u32(first.into()) {
        return Some((character, rest));
    }
    let (second, rest) = hex_unit(rest.strip_prefix("\\u")?)?;
    let character = char::decode_utf16([first, second]).next()?.ok()?;
    Some((character, rest))
}

fn hex_unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_with_escapes_are_read_as_serde_json_reads_them() {
        let pieces = [
            "a",
            "é",
            r#"\""#,
            r"\\",
            r"\/",
            r"\b",
            r"\f",
            r"\n",
            r"\r",
            r"\t",
            r"\u0041",
            r"\u00E9",
            r"\u0000",
            r"\uFFFF",
            r"\uD83D",
            r"\uDE00",
            r"\ud83d\ude00",
            r"\uDBFF\uDFFF",
            "",
        ];
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    let raw = alloc::format!("\"{first}{second}{third}\"");
                    let expected = serde_json::from_str::<String>(&raw).ok();
                    let read = read_string(&raw).map(Cow::into_owned);
                    assert_eq!(read, expected, "{raw}");
                }
            }
        }
    }

    /// Every byte at every place of a text around two words long, before and behind other bytes.
    #[test]
    fn the_plain_part_ends_where_a_byte_by_byte_search_says() {
        for length in 0..18 {
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    for around in [b'a', 0x21, 0x7f, 0x80, 0xa2, 0xff] {
                        let mut bytes = alloc::vec![around; length];
                        bytes[place] = byte;
                        let special = byte < 0x20 || byte == b'"' || byte == b'\\';
                        let end = if special { place } else { length };
                        assert_eq!(plain_end(&bytes, 0), end, "{byte} in {around}");
                        bytes.insert(0, b'"');
                        bytes.push(b'"');
                        assert_eq!(plain_end(&bytes, 1), end + 1, "{byte} in {around}");
                    }
                }
            }
        }
        assert_eq!(plain_end(b"abc", 7), 3);
    }
}
