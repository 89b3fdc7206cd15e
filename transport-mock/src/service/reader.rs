//! A cursor over JSON text.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::node::ParseError;

/// A cursor that checks what it passes: a text that was read from its start to
/// [`end`](Self::end) is JSON.
///
/// It reads what the vendor's devices send byte by byte, once, and leaves numbers as the text that
/// they are. serde_json would do that for a price: a value that is kept as text (`RawValue`) is
/// passed once to find its end and once more for each level that is looked into, which was a third
/// of the instructions of a whole round trip. What is rare is left to it: strings with escapes, and
/// what nobody looks into.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Reader<'a> {
        Reader { text, at: 0 }
    }

    /// Moves to the next token, and tells its first byte; `None` at the end of the text.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte(self.at) {
            self.at += 1;
        }
        self.byte(self.at)
    }

    /// Nothing may follow.
    pub(super) fn end(&mut self) -> Result<(), ParseError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(ParseError::NotJson),
        }
    }

    /// Reads an object: `visit` is called with each key, and has to read the value.
    pub(super) fn members(
        &mut self,
        mut visit: impl FnMut(Cow<'a, str>, &mut Reader<'a>) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        self.expect(b'{')?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = match self.string()? {
                (text, false) => Cow::Borrowed(text.get(1..text.len() - 1).unwrap_or_default()),
                (text, true) => string(text).ok_or(ParseError::NotJson)?,
            };
            self.expect(b':')?;
            visit(key, self)?;
            if !self.take(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// Reads an array: `visit` has to read each element.
    pub(super) fn elements(
        &mut self,
        mut visit: impl FnMut(&mut Reader<'a>) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        self.expect(b'[')?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            visit(self)?;
            if !self.take(b',') {
                return self.expect(b']');
            }
        }
    }

    /// The text of a string with its quotes, and whether there are escapes in it.
    pub(super) fn string(&mut self) -> Result<(&'a str, bool), ParseError> {
        if self.peek() != Some(b'"') {
            return Err(ParseError::NotJson);
        }
        let inner = self.at + 1;
        let end = inner + plain_length(self.text.as_bytes().get(inner..).unwrap_or_default());
        match self.byte(end) {
            Some(b'"') => Ok((self.pass(end + 1), false)),
            Some(b'\\') => Ok((self.pass_unread()?, true)),
            _ => Err(ParseError::NotJson),
        }
    }

    /// The text of any value.
    pub(super) fn value(&mut self) -> Result<&'a str, ParseError> {
        match self.peek() {
            Some(b'"') => Ok(self.string()?.0),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'{' | b'[') => self.pass_unread(),
            _ => Err(ParseError::NotJson),
        }
    }

    /// What `read` makes of the next value. Where it fails for another reason than that the text is
    /// no JSON, the cursor is behind the value nevertheless.
    pub(super) fn attempt<T>(
        &mut self,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, ParseError>,
    ) -> Result<Result<T, ParseError>, ParseError> {
        let start = self.at;
        let result = read(self);
        if result.is_err() {
            self.at = start;
            self.value()?;
        }
        Ok(result)
    }

    fn number(&mut self) -> Result<&'a str, ParseError> {
        let mut at = self.at + usize::from(self.byte(self.at) == Some(b'-'));
        at = match self.byte(at) {
            Some(b'0') => at + 1,
            _ => self.digits(at)?,
        };
        if self.byte(at) == Some(b'.') {
            at = self.digits(at + 1)?;
        }
        if let Some(b'e' | b'E') = self.byte(at) {
            let sign = matches!(self.byte(at + 1), Some(b'+' | b'-'));
            at = self.digits(at + 1 + usize::from(sign))?;
        }
        Ok(self.pass(at))
    }

    /// Behind one digit or more.
    fn digits(&self, start: usize) -> Result<usize, ParseError> {
        let mut at = start;
        while let Some(b'0'..=b'9') = self.byte(at) {
            at += 1;
        }
        if at > start {
            Ok(at)
        } else {
            Err(ParseError::NotJson)
        }
    }

    fn word(&mut self, word: &str) -> Result<&'a str, ParseError> {
        let end = self.at + word.len();
        match self.text.as_bytes().get(self.at..end) {
            Some(found) if found == word.as_bytes() => Ok(self.pass(end)),
            _ => Err(ParseError::NotJson),
        }
    }

    /// The text of the next value, found by serde_json, which takes no stack for nesting.
    fn pass_unread(&mut self) -> Result<&'a str, ParseError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let raw = <&RawValue>::deserialize(&mut serde_json::Deserializer::from_str(rest));
        let raw = raw.map_err(|_| ParseError::NotJson)?.get();
        self.at += raw.len();
        Ok(raw)
    }

    /// Moves on, and gives what was passed.
    fn pass(&mut self, end: usize) -> &'a str {
        let passed = self.text.get(self.at..end).unwrap_or_default();
        self.at = end;
        passed
    }

    fn expect(&mut self, byte: u8) -> Result<(), ParseError> {
        match self.take(byte) {
            true => Ok(()),
            false => Err(ParseError::NotJson),
        }
    }

    /// Passes the byte if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }
}

/// Whether a byte cannot stand for itself in a string.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | ..=0x1f)
}

/// How many bytes stand for themselves before the first that does not. Eight bytes at a time: one
/// by one, strings were a tenth of the instructions of an update's round trip.
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = ONES << 7;
    // Subtracting sets the top bit of each byte that is too small. A borrow can set it in bytes
    // above such a one too, so the lowest one counts.
    let below = |word: u64, least: u64| word.wrapping_sub(ONES * least) & !word & TOPS;
    let is = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let mut rest = bytes;
    while let Some((word, behind)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*word);
        let special = below(word, 0x20) | is(word, b'"') | is(word, b'\\');
        if special != 0 {
            return bytes.len() - rest.len() + special.trailing_zeros() as usize / 8;
        }
        rest = behind;
    }
    let special = rest.iter().position(|byte| is_special(*byte));
    bytes.len() - rest.len() + special.unwrap_or(rest.len())
}

/// The value of a JSON string, borrowed where it has no escapes; `None` if it is another value, or
/// escapes half a surrogate pair.
pub(super) fn string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if plain_length(inner.as_bytes()) < inner.len() {
        return serde_json::from_str(raw).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;

    /// Pieces of which some make JSON and most do not.
    fn text() -> impl Strategy<Value = String> {
        let piece = proptest::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"a\"", "\"", "\\u00e9", "\\", "\u{1f}", "é", " ", "\n",
            "0", "1", "-", ".", "e", "E+", "true", "false", "null", "nul", "\"b\":", "{}", "[1]",
        ]);
        proptest::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
    }

    /// Reads all levels of a value.
    fn read(reader: &mut Reader<'_>) -> Result<(), ParseError> {
        match reader.peek() {
            Some(b'{') => reader.members(|_, reader| read(reader)),
            Some(b'[') => reader.elements(read),
            _ => reader.value().map(|_| ()),
        }
    }

    fn is_read(text: &str, read: impl FnOnce(&mut Reader<'_>) -> Result<(), ParseError>) -> bool {
        let mut reader = Reader::new(text);
        read(&mut reader).and_then(|()| reader.end()).is_ok()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// It takes what serde_json takes, whether it looks into a value or passes it.
        #[test]
        fn takes_what_serde_json_takes(text in text()) {
            let expected = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            prop_assert_eq!(is_read(&text, read), expected);
            prop_assert_eq!(is_read(&text, |reader| reader.value().map(|_| ())), expected);
        }
    }

    /// Each byte at each place between others that it could be taken for.
    #[test]
    fn the_first_special_byte_is_found() {
        for around in [b' ', b'#', b'!', b'[', b']', 0x7f, 0x80, 0xa2, 0xff] {
            for length in 0..18 {
                assert_eq!(plain_length(&vec![around; length]), length);
                for (place, byte) in (0..length).flat_map(|at| (0..=u8::MAX).map(move |b| (at, b)))
                {
                    let mut bytes = vec![around; length];
                    bytes[place] = byte;
                    let special = byte < b' ' || byte == b'"' || byte == b'\\';
                    let expected = if special { place } else { length };
                    assert_eq!(
                        plain_length(&bytes),
                        expected,
                        "{byte} in {around} at {place}"
                    );
                }
            }
        }
    }

    #[test]
    fn numbers_are_those_of_rfc_8259() {
        for (text, is_number) in [
            ("0", true),
            ("-0", true),
            ("10.05e-07", true),
            ("1E400", true),
            ("01", false),
            ("-", false),
            ("1.", false),
            (".5", false),
            ("1e", false),
            ("+1", false),
            ("0x1", false),
        ] {
            let read = is_read(text, |reader| reader.value().map(|_| ()));
            assert_eq!(read, is_number, "{text}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_read_is_passed() {
        let refuse = |_: &mut Reader<'_>| Err::<(), _>(ParseError::TooDeep);
        let mut reader = Reader::new(r#" [{"a":"]"}] ,"#);
        assert_eq!(reader.attempt(refuse), Ok(Err(ParseError::TooDeep)));
        assert!(reader.take(b','));
        assert_eq!(Reader::new("[").attempt(refuse), Err(ParseError::NotJson));
    }
}
