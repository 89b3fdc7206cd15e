//! Reading a message piece by piece, in the pieces of which its format strings are made.

use std::str::FromStr;

use super::python_literal::{self, JsonStyle, LiteralError};
use super::statement::Payload;

/// The message is not of the form that was tried.
#[derive(Default)]
pub(super) struct Mismatch {
    /// What is wrong with a message that begins like a known one.
    pub(super) reason: Option<String>,
}

/// A part of a message, or that it is of another form.
pub(super) type Parsed<T> = Result<T, Mismatch>;

/// Another form, nothing more to say.
pub(super) fn mismatch<T>() -> Parsed<T> {
    Err(Mismatch::default())
}

/// Another form, for this reason.
pub(super) fn because<T>(reason: String) -> Parsed<T> {
    Err(Mismatch {
        reason: Some(reason),
    })
}

/// A position in a message.
pub(super) struct Scan<'a> {
    text: &'a str,
    /// Byte offset on a character boundary.
    pub(super) position: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Scan { text, position: 0 }
    }

    /// What is left of the message.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    /// Takes the text if it is next.
    pub(super) fn opens(&mut self, text: &str) -> bool {
        let next = self.rest().starts_with(text);
        if next {
            self.position += text.len();
        }
        next
    }

    pub(super) fn expect(&mut self, text: &str) -> Parsed<()> {
        if self.opens(text) {
            Ok(())
        } else {
            because(self.expected(&format!("`{text}`")))
        }
    }

    pub(super) fn expected(&self, what: &str) -> String {
        let before = self.text.get(..self.position).unwrap_or_default();
        format!(
            "column {} of the message: expected {what}",
            before.chars().count() + 1
        )
    }

    pub(super) fn end(&self) -> Parsed<()> {
        if self.rest().is_empty() {
            Ok(())
        } else {
            because(self.expected("the end of the message"))
        }
    }

    /// Letters, digits and underscores.
    pub(super) fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        self.position += end;
        rest.get(..end).unwrap_or_default()
    }

    pub(super) fn until(&mut self, end: &str) -> Parsed<&'a str> {
        match self.rest().split_once(end) {
            Some((before, _)) => {
                self.position += before.len() + end.len();
                Ok(before)
            }
            None => because(self.expected(&format!("`{end}` further on"))),
        }
    }

    /// Decimal digits that fit the type.
    pub(super) fn number<T: FromStr>(&mut self) -> Parsed<T> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        match rest.get(..end).and_then(|digits| digits.parse().ok()) {
            Some(number) => {
                self.position += end;
                Ok(number)
            }
            None => because(self.expected("a number in range")),
        }
    }

    pub(super) fn signed(&mut self) -> Parsed<i32> {
        let negative = self.opens("-");
        let number: i32 = self.number()?;
        Ok(if negative { -number } else { number })
    }

    pub(super) fn flag(&mut self) -> Parsed<bool> {
        let start = self.position;
        match self.number()? {
            0u8 => Ok(false),
            1 => Ok(true),
            _ => {
                self.position = start;
                because(self.expected("0 or 1"))
            }
        }
    }

    pub(super) fn qos(&mut self) -> Parsed<u8> {
        let start = self.position;
        match self.number()? {
            qos @ 0..=2u8 => Ok(qos),
            _ => {
                self.position = start;
                because(self.expected("0, 1 or 2"))
            }
        }
    }

    /// ` (d0, m1) `
    pub(super) fn dup_and_number(&mut self) -> Parsed<(bool, u16)> {
        self.expect(" (d")?;
        let dup = self.flag()?;
        self.expect(", m")?;
        let message_number = self.number()?;
        self.expect(") ")?;
        Ok((dup, message_number))
    }

    /// ` (d0, q0, r0, m2), '`
    pub(super) fn publish_flags(&mut self) -> Parsed<(bool, u8, bool, u16)> {
        self.expect(" (d")?;
        let dup = self.flag()?;
        self.expect(", q")?;
        let qos = self.qos()?;
        self.expect(", r")?;
        let retain = self.flag()?;
        self.expect(", m")?;
        let message_number = self.number()?;
        self.expect("), '")?;
        Ok((dup, qos, retain, message_number))
    }

    /// ` (Mid: 2)` and nothing after it
    pub(super) fn acknowledged(&mut self) -> Parsed<u16> {
        self.expect(" (Mid: ")?;
        let message_number = self.number()?;
        self.expect(")")?;
        self.end()?;
        Ok(message_number)
    }

    /// `,userdata:` and the `str` of whatever object the application keeps there
    pub(super) fn user_data(&mut self) -> Parsed<()> {
        self.expect(",userdata:")?;
        self.one_line()
    }

    pub(super) fn one_line(&self) -> Parsed<()> {
        if self.rest().contains('\n') {
            because(self.expected("one line of user data"))
        } else {
            Ok(())
        }
    }

    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        self.expect("[")?;
        let mut items = Vec::new();
        if self.opens("]") {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.opens("]") {
                return Ok(items);
            }
            self.expect(", ")?;
        }
    }

    /// A bytes literal that holds UTF-8, as topics and client ids do.
    pub(super) fn bytes_as_text(&mut self) -> Parsed<String> {
        match python_literal::bytes_prefix(self.rest()) {
            Ok((bytes, used)) => match String::from_utf8(bytes) {
                Ok(text) => {
                    self.position += used;
                    Ok(text)
                }
                Err(_) => because(self.expected("UTF-8")),
            },
            Err(error) => self.literal_mismatch(&error),
        }
    }

    pub(super) fn string(&mut self) -> Parsed<String> {
        match python_literal::string_prefix(self.rest()) {
            Ok((text, used)) => {
                self.position += used;
                Ok(text)
            }
            Err(error) => self.literal_mismatch(&error),
        }
    }

    /// A document and the `end` after it. What is no literal is bare text up to the last `end`,
    /// unless it begins as a container does: then it is a document that cannot be read.
    pub(super) fn payload(&mut self, end: &str) -> Parsed<Payload> {
        let rest = self.rest();
        let quoted = rest.starts_with(['\'', '"']);
        let why = match python_literal::json_prefix(rest, JsonStyle::Compact) {
            Ok((json, used)) if !quoted => {
                let after = rest.get(used..).unwrap_or_default();
                if after.starts_with(end) {
                    self.position += used + end.len();
                    return Ok(Payload::Json(json));
                }
                LiteralError {
                    column: rest.get(..used).unwrap_or_default().chars().count() + 1,
                    why: "expected nothing more after the document",
                }
            }
            Ok(_) => LiteralError {
                column: 1,
                why: "a quoted text is printed bare",
            },
            Err(error) => error,
        };
        if rest.starts_with(['{', '[', '(']) {
            return self.literal_mismatch(&why);
        }
        match rest.rsplit_once(end) {
            Some((text, _)) => {
                self.position += text.len() + end.len();
                Ok(Payload::Text(text.to_owned()))
            }
            None => because(self.expected(&format!("`{end}` further on"))),
        }
    }

    pub(super) fn literal_mismatch<T>(&self, error: &LiteralError) -> Parsed<T> {
        let before = self
            .text
            .get(..self.position)
            .unwrap_or_default()
            .chars()
            .count();
        because(format!(
            "column {} of the message: {}",
            before + error.column,
            error.why
        ))
    }
}
