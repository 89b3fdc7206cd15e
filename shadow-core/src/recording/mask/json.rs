//! JSON with other values in it, and what is not quite JSON.

use alloc::string::String;
use alloc::vec::Vec;

use crate::json::push_hex_escape;

/// A value that is no object, array, `true`, `false` or `null`.
pub(super) enum Leaf<'a> {
    /// The characters of a string, to be changed into as many of the same lengths in UTF-8 and
    /// UTF-16.
    Text(&'a mut Vec<char>),
    /// A number as it is written, to be changed into another of the same form.
    Number(&'a mut Vec<u8>),
}

/// Where a leaf stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// How many objects and arrays it is in.
    pub(super) depth: usize,
    /// The member of the outermost object that it is, or is in.
    pub(super) first: String,
    /// The member of an object at the second level that it is, or is in.
    pub(super) second: String,
}

/// Copies `text` and has `mask` change each leaf on the way: nothing else changes, neither keys,
/// white space, nor how a character is escaped.
///
/// `text` need not be JSON. What is none is cut into strings, numbers and words all the same, so that
/// nothing stays that `mask` would change, and reading the copy fails at the same place for the same
/// reason.
pub(super) fn rewrite(text: &str, mask: &mut dyn FnMut(&Place, Leaf<'_>)) -> String {
    let mut rewriter = Rewriter {
        rest: text,
        out: String::with_capacity(text.len()),
        open: Vec::new(),
        expects_key: false,
        place: Place::default(),
        mask,
    };
    while rewriter.token() {}
    rewriter.out
}

struct Rewriter<'t, 'm> {
    rest: &'t str,
    out: String,
    /// The brackets that are open.
    open: Vec<char>,
    expects_key: bool,
    place: Place,
    mask: &'m mut dyn FnMut(&Place, Leaf<'_>),
}

impl<'t> Rewriter<'t, '_> {
    /// Copies one token; false at the end.
    fn token(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else {
            return false;
        };
        match first {
            '"' => self.string(),
            '-' | '0'..='9' => self.number(),
            '{' | '[' => {
                self.copy(1);
                self.open.push(first);
                self.place.depth += 1;
                self.expects_key = first == '{';
            }
            '}' | ']' => {
                self.copy(1);
                self.open.pop();
                self.place.depth = self.open.len();
                self.expects_key = false;
            }
            ',' => {
                self.copy(1);
                self.expects_key = self.open.last() == Some(&'{');
            }
            ':' => {
                self.copy(1);
                self.expects_key = false;
            }
            ' ' | '\t' | '\n' | '\r' => self.copy(1),
            _ => self.word(),
        }
        true
    }

    /// Takes so many bytes.
    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn copy(&mut self, length: usize) {
        let taken = self.take(length);
        self.out.push_str(taken);
    }

    fn string(&mut self) {
        self.copy(1);
        let inner = self.take(string_end(self.rest));
        let behind = self.rest.strip_prefix('"').unwrap_or_default();
        let is_key = self.expects_key && behind.trim_start().starts_with(':');
        let (pieces, mut characters) = read(inner);
        if is_key {
            let place = &mut self.place;
            match place.depth {
                1 => {
                    place.first = characters.iter().collect();
                    place.second.clear();
                }
                2 => place.second = characters.iter().collect(),
                _ => {}
            }
            self.out.push_str(inner);
        } else {
            let before = characters.clone();
            (self.mask)(&self.place, Leaf::Text(&mut characters));
            write(&pieces, &before, &characters, &mut self.out);
        }
        if self.rest.starts_with('"') {
            self.copy(1);
        }
    }

    fn number(&mut self) {
        let part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let end = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        let mut number = self.take(end).as_bytes().to_vec();
        (self.mask)(&self.place, Leaf::Number(&mut number));
        self.out.extend(number.into_iter().map(char::from));
    }

    /// `true`, `false`, `null`; or what is no JSON.
    fn word(&mut self) {
        let ends = |c: char| matches!(c, '"' | '{' | '}' | '[' | ']' | ',' | ':') || c <= ' ';
        let first = self.rest.chars().next().map_or(0, char::len_utf8);
        let behind = self.rest.get(first..).unwrap_or_default();
        let word = self.take(first + behind.find(ends).unwrap_or(behind.len()));
        let right = |known: &&str| {
            known
                .bytes()
                .zip(word.bytes())
                .take_while(|(a, b)| a == b)
                .count()
        };
        let right = ["true", "false", "null"]
            .iter()
            .map(right)
            .max()
            .unwrap_or(0);
        let (right, wrong) = word.split_at_checked(right).unwrap_or((word, ""));
        self.out.push_str(right);
        if wrong.is_empty() {
            return;
        }
        let mut characters: Vec<char> = wrong.chars().collect();
        let before = characters.clone();
        (self.mask)(&self.place, Leaf::Text(&mut characters));
        // Here reading ends, for no other reason than the character: it must not become a right one.
        if let Some(first) = characters
            .first_mut()
            .filter(|first| first.is_ascii_alphanumeric())
            && before.first() != Some(first)
        {
            *first = 'x';
        }
        self.out.extend(characters);
    }
}

/// Where a string's closing quote is, or the end.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(text.len())
}

/// How a character of a string is written.
#[derive(Clone, Copy)]
enum Piece<'t> {
    Plain,
    /// As one `\uXXXX` or two.
    Hex(&'t str),
    /// In a way that no other character is.
    Fixed(&'t str),
}

/// The pieces of what stands between a string's quotes, and the character of each.
fn read(inner: &str) -> (Vec<Piece<'_>>, Vec<char>) {
    let (mut pieces, mut characters) = (Vec::new(), Vec::new());
    let mut rest = inner;
    while let Some(first) = rest.chars().next() {
        let (piece, character, length) = match first {
            '\\' => escape(rest),
            plain => (Piece::Plain, plain, plain.len_utf8()),
        };
        pieces.push(piece);
        characters.push(character);
        rest = rest.get(length..).unwrap_or_default();
    }
    (pieces, characters)
}

/// The escape at the front of `text`, what it stands for and its length.
fn escape(text: &str) -> (Piece<'_>, char, usize) {
    let fixed = |character, length| {
        let piece = Piece::Fixed(text.get(..length).unwrap_or(text));
        (piece, character, length)
    };
    let character = match text.as_bytes().get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(letter @ (b'"' | b'\\' | b'/')) => char::from(*letter),
        Some(b'u') => {
            let first = hex_unit(text);
            let second = text.get(6..).and_then(hex_unit);
            let Some(first) = first else {
                // A fault, which stays one with the character that makes it one.
                let digits = text.bytes().skip(2).take(4);
                let digits = digits.take_while(u8::is_ascii_hexdigit).count();
                return fixed(NO_CHARACTER, end_of_character(text, 2 + digits));
            };
            // Half a pair is no character.
            let pair = |second| char::decode_utf16([first, second]).next();
            return match (char::from_u32(first.into()), second.and_then(pair)) {
                (Some(character), _) => (Piece::Hex(text.get(..6).unwrap_or(text)), character, 6),
                (None, Some(Ok(character))) => {
                    (Piece::Hex(text.get(..12).unwrap_or(text)), character, 12)
                }
                (None, _) => fixed(NO_CHARACTER, 6),
            };
        }
        _ => return fixed(NO_CHARACTER, end_of_character(text, 1)),
    };
    fixed(character, 2)
}

/// The end of the character that begins at `start`, or of the text.
fn end_of_character(text: &str, start: usize) -> usize {
    let character = text.get(start..).and_then(|rest| rest.chars().next());
    start + character.map_or(0, char::len_utf8)
}

/// Stands for what is none; it is never masked.
const NO_CHARACTER: char = '\u{1}';

/// The number in `\uXXXX`.
fn hex_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    all.then(|| u16::from_str_radix(digits, 16).ok())?
}

/// Writes characters as those before them were.
fn write(pieces: &[Piece<'_>], before: &[char], characters: &[char], out: &mut String) {
    for ((piece, before), character) in pieces.iter().zip(before).zip(characters) {
        match piece {
            Piece::Plain => out.push(*character),
            Piece::Fixed(text) => out.push_str(text),
            Piece::Hex(text) if before == character => out.push_str(text),
            Piece::Hex(text) => {
                let mut escaped = Vec::new();
                for unit in character.encode_utf16(&mut [0; 2]) {
                    push_hex_escape(*unit, &mut escaped);
                }
                let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
                out.extend(escaped.into_iter().map(|byte| match byte {
                    b'a'..=b'f' if upper => char::from(byte.to_ascii_uppercase()),
                    byte => char::from(byte),
                }));
            }
        }
    }
}
