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
/// The text has to be shorter than 4 GiB. A fault sticks: the cursor moves behind the text, whatever
/// is read from there on is empty, and [`Reader::end`] tells. Takes no memory but for keys with
/// escapes; uses no stack for nesting.
///
/// Every reply and push goes through here. So what reads a token takes where it begins and returns
/// where it ends, which stays in a register; a fault is a place too, behind every text, where there
/// is nothing to be found.
pub(crate) struct Reader<'a> {
    text: &'a str,
    position: usize,
    has_spaces: bool,
}

const SYNTAX: usize = usize::MAX - 1;
const TOO_DEEP: usize = usize::MAX;

/// The place of a fault of syntax at `at`, or of the fault that was before it.
#[cold]
fn fault(at: usize) -> usize {
    at.max(SYNTAX)
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Reader<'a> {
        Reader {
            text,
            position: 0,
            has_spaces: false,
        }
    }

    /// Where the cursor is.
    pub(crate) fn position(&self) -> u32 {
        self.position as u32
    }

    /// Whether white space stood anywhere between what was read.
    pub(super) fn has_spaces(&self) -> bool {
        self.has_spaces
    }

    /// Moves to the next token and tells its first byte; `None` at the end of the text.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        self.position = self.token(self.position);
        self.byte(self.position)
    }

    /// Reads the object that comes next: calls `visit` with each key (UTF-8, its escapes resolved),
    /// the cursor before its value. `visit` has to read that value.
    #[inline]
    pub(crate) fn members(&mut self, mut visit: impl FnMut(&[u8], &mut Reader<'a>)) {
        self.raw_members(|raw, is_escaped, reader| {
            if is_escaped {
                let key = unescape(raw);
                visit(key.as_deref().unwrap_or(raw).as_bytes(), reader);
            } else {
                visit(raw.as_bytes(), reader);
            }
        });
    }

    /// As [`Reader::members`], with each key as it stands between its quotes, and whether it has
    /// escapes.
    #[inline]
    pub(super) fn raw_members(&mut self, mut visit: impl FnMut(&'a str, bool, &mut Reader<'a>)) {
        if !self.enter_object() {
            return;
        }
        while let Some((key, is_escaped)) = self.raw_key() {
            visit(key, is_escaped, self);
            if !self.has_next_member() {
                return;
            }
        }
    }

    /// As [`Reader::members`], for an object some of whose keys are known. They stand in `known` in
    /// quotes and with the colon, as they nearly always come: then they need not be searched for
    /// their end first.
    #[inline]
    pub(crate) fn fields<F: Copy>(
        &mut self,
        known: &[(&str, F)],
        mut visit: impl FnMut(Option<F>, &mut Reader<'a>),
    ) {
        if !self.enter_object() {
            return;
        }
        loop {
            let bytes = self.text.as_bytes();
            let rest = bytes.get(self.position..).unwrap_or_default();
            let mut plain = known.iter();
            let field = match plain.find(|(key, _)| rest.starts_with(key.as_bytes())) {
                Some((key, field)) => {
                    self.position += key.len();
                    Some(*field)
                }
                None => match self.raw_key() {
                    Some((key, is_escaped)) => field_of(key, is_escaped, known),
                    None => return,
                },
            };
            visit(field, self);
            if !self.has_next_member() {
                return;
            }
        }
    }

    /// Moves behind the brace that opens an object; whether there are members.
    #[inline]
    fn enter_object(&mut self) -> bool {
        self.position = self.expect(self.position, b'{');
        let is_empty = self.peek() == Some(b'}');
        self.position += usize::from(is_empty);
        !is_empty
    }

    /// Moves behind a key and its colon: the text between its quotes, and whether it has escapes.
    #[inline]
    fn raw_key(&mut self) -> Option<(&'a str, bool)> {
        let start = self.expect(self.position, b'"');
        let (end, is_escaped) = self.string(start);
        self.position = self.expect(end, b':');
        let key = self.text.get(start..end.wrapping_sub(1))?;
        Some((key, is_escaped))
    }

    /// Moves behind the comma or brace after a member; whether one follows.
    #[inline]
    fn has_next_member(&mut self) -> bool {
        let goes_on = self.byte(self.position) == Some(b',') || self.peek() == Some(b',');
        if goes_on {
            self.position += 1;
        } else {
            self.position = self.expect(self.position, b'}');
        }
        goes_on
    }

    /// Reads the array that comes next: calls `visit` before each element, which it has to read.
    pub(crate) fn elements(&mut self, mut visit: impl FnMut(&mut Reader<'a>)) {
        self.position = self.expect(self.position, b'[');
        if self.peek() == Some(b']') {
            self.position += 1;
            return;
        }
        // A fault is behind the text: what follows it is no comma.
        loop {
            visit(self);
            if self.peek() != Some(b',') {
                self.position = self.expect(self.position, b']');
                return;
            }
            self.position += 1;
        }
    }

    /// Reads the value that comes next and gives its text.
    pub(crate) fn value(&mut self) -> &'a str {
        self.value_span().of(self.text).unwrap_or_default()
    }

    /// Reads the value that comes next and tells where it is.
    pub(crate) fn value_span(&mut self) -> Span {
        let start = self.token(self.position);
        self.position = match self.byte(start) {
            Some(b'"') => self.string(start + 1).0,
            Some(b'{' | b'[') => self.container(start),
            Some(b'-' | b'0'..=b'9') => self.number(start),
            _ => self.word(start),
        };
        Span {
            start: start as u32,
            end: self.position(),
        }
    }

    /// Checks that all was well, and that nothing but white space is left.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        self.position = match self.token(self.position) {
            end if end == self.text.len() => return Ok(()),
            at => fault(at),
        };
        Err(match self.position {
            TOO_DEEP => Malformed::TooDeep,
            _ => Malformed::Syntax,
        })
    }

    /// An array or object with all that is in it. `objects` is a stack with one bit a level.
    #[inline(never)] // Kept apart so that reading a string or number need not make room for it.
    fn container(&mut self, start: usize) -> usize {
        let mut objects = 0_u128;
        let mut depth = 0_u32;
        let mut at = start;
        loop {
            at = self.token(at);
            at = match self.byte(at) {
                Some(b'"') => self.string(at + 1).0,
                Some(open @ (b'{' | b'[')) => {
                    if depth == DEPTH_LIMIT {
                        return TOO_DEEP;
                    }
                    let is_object = open == b'{';
                    at = self.token(at + 1);
                    if self.byte(at) != Some(if is_object { b'}' } else { b']' }) {
                        depth += 1;
                        objects = (objects << 1) | u128::from(is_object);
                        if is_object {
                            at = self.key(at);
                        }
                        continue;
                    }
                    at + 1
                }
                Some(b'-' | b'0'..=b'9') => self.number(at),
                _ => self.word(at),
            };
            // Behind a value: close what ends here, then go on to the next value.
            while depth > 0 {
                let is_object = objects & 1 == 1;
                at = self.token(at);
                match self.byte(at) {
                    Some(b',') => {
                        at += 1;
                        if is_object {
                            at = self.key(at);
                        }
                        break;
                    }
                    Some(b'}') if is_object => at += 1,
                    Some(b']') if !is_object => at += 1,
                    _ => return fault(at),
                }
                depth -= 1;
                objects >>= 1;
            }
            if depth == 0 {
                return at;
            }
        }
    }

    /// A key and the colon.
    #[inline]
    fn key(&mut self, at: usize) -> usize {
        let start = self.expect(at, b'"');
        let (end, _) = self.string(start);
        self.expect(end, b':')
    }

    /// A string from behind its first quote to behind its last, and whether it has escapes.
    #[inline]
    fn string(&self, start: usize) -> (usize, bool) {
        let end = plain_end(self.text.as_bytes(), start);
        match self.byte(end) {
            Some(b'"') => (end + 1, false),
            _ => (self.string_with_escapes(start), true),
        }
    }

    #[cold]
    fn string_with_escapes(&self, start: usize) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = start;
        loop {
            at = plain_end(bytes, at);
            at += match bytes.get(at..).unwrap_or_default() {
                [b'"', ..] => return at + 1,
                [
                    b'\\',
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                    ..,
                ] => 2,
                [b'\\', b'u', a, b, c, d, ..]
                    if [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit) =>
                {
                    6
                }
                _ => return fault(start),
            }
        }
    }

    /// `true`, `false` or `null`.
    fn word(&self, at: usize) -> usize {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        match rest {
            [b't', b'r', b'u', b'e', ..] | [b'n', b'u', b'l', b'l', ..] => at + 4,
            [b'f', b'a', b'l', b's', b'e', ..] => at + 5,
            _ => fault(at),
        }
    }

    /// A number; `at` is its minus or first digit.
    fn number(&self, at: usize) -> usize {
        let first = at + usize::from(self.byte(at) == Some(b'-'));
        let end = self.digits(first);
        if end > first + 1 && self.byte(first) == Some(b'0') {
            return fault(end);
        }
        match self.byte(end) {
            Some(b'.' | b'e' | b'E') => self.fraction(end),
            _ => end,
        }
    }

    /// What stands behind the whole part of a number.
    #[inline(never)]
    fn fraction(&self, start: usize) -> usize {
        let mut at = start;
        if self.byte(at) == Some(b'.') {
            at = self.digits(at + 1);
        }
        if let Some(b'e' | b'E') = self.byte(at) {
            let sign = usize::from(matches!(self.byte(at + 1), Some(b'+' | b'-')));
            at = self.digits(at + 1 + sign);
        }
        at
    }

    /// One digit or more.
    #[inline]
    fn digits(&self, start: usize) -> usize {
        let mut at = start;
        while let Some(b'0'..=b'9') = self.byte(at) {
            at += 1;
        }
        if at > start { at } else { fault(at) }
    }

    /// The byte that has to come next.
    #[inline]
    fn expect(&mut self, at: usize, byte: u8) -> usize {
        if self.byte(at) == Some(byte) {
            at + 1
        } else {
            self.expect_behind_spaces(at, byte)
        }
    }

    #[cold]
    fn expect_behind_spaces(&mut self, at: usize, byte: u8) -> usize {
        let at = self.token(at);
        match self.byte(at) == Some(byte) {
            true => at + 1,
            false => fault(at),
        }
    }

    /// Where the next token begins, or the text ends.
    #[inline]
    fn token(&mut self, at: usize) -> usize {
        match self.byte(at) {
            Some(..=b' ') => self.behind_spaces(at),
            _ => at,
        }
    }

    #[cold]
    fn behind_spaces(&mut self, start: usize) -> usize {
        let mut at = start;
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte(at) {
            at += 1;
        }
        self.has_spaces |= at > start;
        at
    }

    #[inline]
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }
}

/// The field of a key that is unknown, or not spelt as expected.
fn field_of<F: Copy>(key: &str, is_escaped: bool, known: &[(&str, F)]) -> Option<F> {
    let read = if is_escaped { unescape(key) } else { None };
    let key = read.as_deref().unwrap_or(key);
    let is_named = |spelt: &str| {
        let name = spelt
            .strip_prefix('"')
            .and_then(|spelt| spelt.strip_suffix("\":"));
        name == Some(key)
    };
    let found = known.iter().find(|(spelt, _)| is_named(spelt));
    found.map(|(_, field)| *field)
}

/// Where the first quote, backslash or control character from `start` on is, or the end; eight
/// bytes at a time.
#[inline] // A call for each of the sixteen strings in a get reply is 86 instructions more.
pub(super) fn plain_end(bytes: &[u8], start: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // The lowest bit set in the result is the high bit of the first byte of `word` below `bound`;
    // bits above it may be wrong, since the subtraction borrows upwards.
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word & (ONES << 7);
    let Some(mut rest) = bytes.get(start..) else {
        return bytes.len();
    };
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
    if plain_end(inner.as_bytes(), 0) < inner.len() {
        unescape(inner).map(Cow::Owned)
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
pub(super) fn unescape(inner: &str) -> Option<String> {
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
