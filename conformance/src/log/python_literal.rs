//! Python literals, as `repr` prints them, read into JSON text.
//!
//! The SDK logs every document with `%s`, so a JSON object shows up as the `repr` of a `dict`. This
//! module reads the subset that `repr` can print for what `json.loads` can return: `dict`, `list`,
//! `tuple`, `str`, `int`, `float`, `bool` and `None`. Key order and the digits of every number stay
//! as printed, so integers of any size and all decimals survive. The reader keeps its own stack, at
//! most [`MAX_DEPTH`] deep, and never recurses.

use std::fmt;

/// Deepest nesting of containers that is read; more is refused.
pub const MAX_DEPTH: usize = 128;

/// How the JSON text is spelled. The value is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonStyle {
    /// No spaces, UTF-8 as it is: what the vendor's cloud sends.
    Compact,
    /// The text of Python's `json.dumps` with its defaults, `", "` and `": "` as separators and
    /// every character beyond printable ASCII as `\uXXXX`: what the SDK sends.
    PythonDumps,
}

/// Why a text is not a literal, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiteralError {
    /// Column of the character that does not fit, in characters, 1-based, within the text given.
    pub column: usize,
    /// What was expected, or what cannot be expressed in JSON.
    pub why: &'static str,
}

impl fmt::Display for LiteralError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.why)
    }
}

impl std::error::Error for LiteralError {}

/// Reads `text`, which must be one Python literal and nothing else, as JSON text.
///
/// A `tuple` becomes an array and a `dict` key that is a number, `True`, `False` or `None` becomes
/// a string, both as `json.dumps` does it.
///
/// # Errors
/// [`LiteralError`] where the text is not such a literal, nests deeper than [`MAX_DEPTH`], or holds
/// what JSON cannot express (`nan`, `inf`, `bytes`, a `set`).
///
/// ```
/// use conformance::log::python_literal::{JsonStyle, json};
/// let text = r#"{'power': True, 'name': "it's", 'none': None}"#;
/// let expected = r#"{"power":true,"name":"it's","none":null}"#;
/// assert_eq!(json(text, JsonStyle::Compact).unwrap(), expected);
/// assert_eq!(json("[nan]", JsonStyle::Compact).unwrap_err().column, 2);
/// ```
pub fn json(text: &str, style: JsonStyle) -> Result<String, LiteralError> {
    let (json, used) = json_prefix(text, style)?;
    let mut reader = Reader {
        text,
        position: used,
    };
    reader.spaces();
    match reader.peek() {
        None => Ok(json),
        Some(_) => reader.fail("expected nothing after the literal"),
    }
}

/// Reads the literal that `text` begins with; returns its JSON text and the bytes it took.
pub(crate) fn json_prefix(text: &str, style: JsonStyle) -> Result<(String, usize), LiteralError> {
    let mut reader = Reader { text, position: 0 };
    let mut writer = Writer {
        out: String::new(),
        style,
    };
    reader.value(&mut writer)?;
    Ok((writer.out, reader.position))
}

/// Reads the `bytes` literal (`b'..'`) that `text` begins with; returns it and the bytes it took.
pub(crate) fn bytes_prefix(text: &str) -> Result<(Vec<u8>, usize), LiteralError> {
    let mut reader = Reader { text, position: 0 };
    if reader.peek() != Some('b') {
        return reader.fail("expected a bytes literal such as b'..'");
    }
    reader.bump();
    let mut bytes = Vec::new();
    reader.quoted(Quoted::Bytes, |code| {
        // The reader takes ASCII and two hex digits only.
        bytes.push(u8::try_from(code).unwrap_or(u8::MAX));
    })?;
    Ok((bytes, reader.position))
}

/// Reads the `str` literal that `text` begins with; returns it and the bytes it took.
pub(crate) fn string_prefix(text: &str) -> Result<(String, usize), LiteralError> {
    let mut reader = Reader { text, position: 0 };
    let mut string = String::new();
    let mut lone_surrogate = false;
    reader.quoted(Quoted::Text, |code| match char::from_u32(code) {
        Some(c) => string.push(c),
        None => lone_surrogate = true,
    })?;
    if lone_surrogate {
        return reader.fail("a lone surrogate is not a character");
    }
    Ok((string, reader.position))
}

/// The two kinds of quoted literal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoted {
    Text,
    Bytes,
}

/// The kinds of container and what closes them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Dict,
    List,
    Tuple,
}

impl Container {
    fn close(self) -> char {
        match self {
            Container::Dict => '}',
            Container::List => ']',
            Container::Tuple => ')',
        }
    }

    fn json(self) -> (char, char) {
        match self {
            Container::Dict => ('{', '}'),
            Container::List | Container::Tuple => ('[', ']'),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Byte offset, always on a character boundary.
    position: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) {
        self.position += self.peek().map_or(0, char::len_utf8);
    }

    fn spaces(&mut self) {
        while self.peek() == Some(' ') {
            self.bump();
        }
    }

    fn fail<T>(&self, why: &'static str) -> Result<T, LiteralError> {
        let before = self.text.get(..self.position).unwrap_or_default();
        Err(LiteralError {
            column: before.chars().count() + 1,
            why,
        })
    }

    fn take(&mut self, expected: char, why: &'static str) -> Result<(), LiteralError> {
        self.spaces();
        if self.peek() != Some(expected) {
            return self.fail(why);
        }
        self.bump();
        Ok(())
    }

    /// One value with all that it contains. `open` holds the containers around the current value
    /// and how many of their members were read.
    fn value(&mut self, writer: &mut Writer) -> Result<(), LiteralError> {
        let mut open: Vec<(Container, usize)> = Vec::new();
        loop {
            self.spaces();
            let container = match self.peek() {
                Some('{') => Some(Container::Dict),
                Some('[') => Some(Container::List),
                Some('(') => Some(Container::Tuple),
                _ => None,
            };
            if let Some(container) = container {
                if open.len() == MAX_DEPTH {
                    return self.fail("nested too deep");
                }
                self.bump();
                writer.out.push(container.json().0);
                self.spaces();
                if self.peek() == Some(container.close()) {
                    self.bump();
                    writer.out.push(container.json().1);
                } else {
                    open.push((container, 1));
                    if container == Container::Dict {
                        self.key(writer)?;
                    }
                    continue;
                }
            } else {
                self.scalar(writer, false)?;
            }
            if !self.close(&mut open, writer)? {
                return Ok(());
            }
        }
    }

    /// After a complete value: closes the containers that end here. True if a value follows.
    fn close(
        &mut self,
        open: &mut Vec<(Container, usize)>,
        writer: &mut Writer,
    ) -> Result<bool, LiteralError> {
        while let Some((container, members)) = open.last_mut() {
            self.spaces();
            match self.peek() {
                Some(',') => {
                    self.bump();
                    self.spaces();
                    // `(1,)` is how Python writes a tuple of one.
                    let lone = *container == Container::Tuple && *members == 1;
                    if !(lone && self.peek() == Some(')')) {
                        *members += 1;
                        writer.out.push_str(writer.separator());
                        if *container == Container::Dict {
                            self.key(writer)?;
                        }
                        return Ok(true);
                    }
                }
                Some(c) if c == container.close() => {
                    if *container == Container::Tuple && *members == 1 {
                        return self.fail("expected `,`: a tuple of one is written `(x,)`");
                    }
                }
                _ => {
                    return self.fail(match container {
                        Container::Dict => "expected `,` or `}`",
                        Container::List => "expected `,` or `]`",
                        Container::Tuple => "expected `,` or `)`",
                    });
                }
            }
            self.bump();
            writer.out.push(container.json().1);
            open.pop();
        }
        Ok(false)
    }

    fn key(&mut self, writer: &mut Writer) -> Result<(), LiteralError> {
        self.spaces();
        self.scalar(writer, true)?;
        self.take(':', "expected `:` after the key")?;
        writer.out.push_str(writer.colon());
        Ok(())
    }

    /// A `str`, a number or one of the three words; as a key it becomes a JSON string.
    fn scalar(&mut self, writer: &mut Writer, key: bool) -> Result<(), LiteralError> {
        let quote = if key { "\"" } else { "" };
        match self.peek() {
            Some('\'' | '"') => {
                writer.out.push('"');
                self.quoted(Quoted::Text, |code| writer.character(code))?;
                writer.out.push('"');
                return Ok(());
            }
            Some('b') => return self.fail("JSON has no bytes"),
            Some('0'..='9' | '-') => {
                let number = self.number()?;
                writer.out.push_str(quote);
                writer.out.push_str(number);
                writer.out.push_str(quote);
                return Ok(());
            }
            _ => {}
        }
        for (python, json) in [("True", "true"), ("False", "false"), ("None", "null")] {
            if self.rest().starts_with(python) {
                self.position += python.len();
                writer.out.push_str(quote);
                writer.out.push_str(json);
                writer.out.push_str(quote);
                return Ok(());
            }
        }
        if self.rest().starts_with("nan") || self.rest().starts_with("inf") {
            return self.fail("JSON has no nan and no inf");
        }
        self.fail(if key {
            "expected a key"
        } else {
            "expected a value"
        })
    }

    /// A number; Python's spelling of `int` and `float` is JSON's.
    fn number(&mut self) -> Result<&'a str, LiteralError> {
        let start = self.position;
        if self.peek() == Some('-') {
            self.bump();
            if self.rest().starts_with("inf") {
                return self.fail("JSON has no nan and no inf");
            }
        }
        if self.peek() == Some('0') {
            self.bump();
        } else {
            self.digits()?;
        }
        if self.peek() == Some('.') {
            self.bump();
            self.digits()?;
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            self.bump();
            if matches!(self.peek(), Some('+' | '-')) {
                self.bump();
            }
            self.digits()?;
        }
        if self
            .peek()
            .is_some_and(|c| c.is_alphanumeric() || c == '.' || c == '_')
        {
            return self.fail("expected the number to end");
        }
        Ok(self.text.get(start..self.position).unwrap_or_default())
    }

    fn digits(&mut self) -> Result<(), LiteralError> {
        if !self.peek().is_some_and(|c| c.is_ascii_digit()) {
            return self.fail("expected a digit");
        }
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.bump();
        }
        Ok(())
    }

    /// A quoted literal; every code point (of bytes: every byte) goes to `sink`.
    fn quoted(&mut self, kind: Quoted, mut sink: impl FnMut(u32)) -> Result<(), LiteralError> {
        let quote = match self.peek() {
            Some(c @ ('\'' | '"')) => c,
            _ => return self.fail("expected a quote"),
        };
        self.bump();
        loop {
            match self.peek() {
                None => return self.fail("expected the closing quote"),
                Some(c) if c == quote => {
                    self.bump();
                    return Ok(());
                }
                Some('\\') => sink(self.escape(kind)?),
                Some(c) if c < ' ' => return self.fail("a control character is not escaped"),
                Some(c) if kind == Quoted::Bytes && !c.is_ascii() => {
                    return self.fail("a bytes literal holds ASCII only");
                }
                Some(c) => {
                    sink(u32::from(c));
                    self.bump();
                }
            }
        }
    }

    /// An escape that `repr` prints.
    fn escape(&mut self, kind: Quoted) -> Result<u32, LiteralError> {
        let start = self.position;
        self.bump();
        let Some(letter) = self.peek() else {
            return self.fail("expected an escape");
        };
        self.bump();
        let digits = match (letter, kind) {
            ('\\' | '\'' | '"', _) => return Ok(u32::from(letter)),
            ('n', _) => return Ok(0x0A),
            ('r', _) => return Ok(0x0D),
            ('t', _) => return Ok(0x09),
            ('x', _) => 2,
            ('u', Quoted::Text) => 4,
            ('U', Quoted::Text) => 8,
            _ => {
                self.position = start;
                return self.fail("not an escape that repr prints");
            }
        };
        let code = self
            .rest()
            .get(..digits)
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .filter(|&code| code <= 0x10_FFFF);
        match code {
            Some(code) => {
                self.position += digits;
                Ok(code)
            }
            None => {
                self.position = start;
                self.fail("not an escape that repr prints")
            }
        }
    }
}

struct Writer {
    out: String,
    style: JsonStyle,
}

impl Writer {
    fn separator(&self) -> &'static str {
        match self.style {
            JsonStyle::Compact => ",",
            JsonStyle::PythonDumps => ", ",
        }
    }

    fn colon(&self) -> &'static str {
        match self.style {
            JsonStyle::Compact => ":",
            JsonStyle::PythonDumps => ": ",
        }
    }

    /// One code point inside a JSON string. A lone surrogate has no UTF-8 and stays an escape.
    fn character(&mut self, code: u32) {
        let short = match code {
            0x22 => "\\\"",
            0x5C => "\\\\",
            0x08 => "\\b",
            0x0C => "\\f",
            0x0A => "\\n",
            0x0D => "\\r",
            0x09 => "\\t",
            _ => "",
        };
        if !short.is_empty() {
            self.out.push_str(short);
            return;
        }
        let plain = match self.style {
            JsonStyle::Compact => code >= 0x20,
            JsonStyle::PythonDumps => (0x20..0x7F).contains(&code),
        };
        match char::from_u32(code) {
            Some(c) if plain => self.out.push(c),
            Some(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    self.out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            None => self.out.push_str(&format!("\\u{code:04x}")),
        }
    }
}

#[cfg(test)]
#[path = "python_literal_tests.rs"]
mod tests;
