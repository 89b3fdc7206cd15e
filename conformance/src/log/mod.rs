//! Logs of the vendor's Python SDK, read into typed statements.
//!
//! [`Log::parse`] takes one file. It is strict about the header of each record, which is of one
//! form ([`Line`]), and never guesses about messages: what no known form covers becomes
//! [`Statement::Unknown`] and stays in its place. [`Session::from_logs`] joins files that are
//! excerpts of one session.
//!
//! Tolerated: CRLF, a UTF-8 byte order mark, ANSI colours, blank lines, indentation before a
//! header, newlines inside a message, a first line that was cut and a last one that was torn off
//! ([`Torn`]), and output of something else between records.

mod chatter;
mod error;
mod grammar;
mod line;
pub mod python_literal;
mod scan;
mod session;
mod statement;

use std::io::{self, Read};

pub use error::{LogError, SessionError};
pub use line::{Level, Line, LogTime, SourceTag};
pub use session::{Place, Session};
pub use statement::{Payload, Role, Statement, Thread};

use line::HeaderFault;

/// Largest file that is read, in bytes. The SDK's own samples rotate at 10 MiB.
pub const MAX_FILE: usize = 64 << 20;
/// Longest physical line, and longest message over several lines, in bytes.
pub const MAX_LINE: usize = 1 << 20;
/// Most physical lines in a file.
pub const MAX_LINES: usize = 500_000;

/// One record and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The record. If physical lines after a record belong to no message, they are an entry of
    /// their own, [`Statement::Output`], with their own number and the header of that record.
    pub line: Line,
    /// What it says.
    pub statement: Statement,
}

/// The end of a file that stops in the middle of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Line on which the record begins, 1-based.
    pub number: usize,
    /// What is left of it.
    pub text: String,
}

/// One file, imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Name of the file, as given by the caller.
    pub name: String,
    /// Every record in the file's order.
    pub lines: Vec<Entry>,
    /// The unfinished record at the end, if there is one. It is not in `lines`.
    pub torn: Option<Torn>,
    /// What is left of a record at the beginning, where the file was cut in the middle of a line.
    /// It is not in `lines`.
    pub cut: Option<Torn>,
}

impl Log {
    /// Reads the bytes of a log file; `name` is for messages only.
    ///
    /// # Errors
    /// [`LogError`] if the file is empty, larger than [`MAX_FILE`], has more than [`MAX_LINES`]
    /// lines or a longer one than [`MAX_LINE`], is binary or not UTF-8, does not begin with a
    /// record, or has a line that begins with a date and goes on in another form.
    ///
    /// ```
    /// use conformance::log::{Log, Statement};
    /// let text = b"2021-07-20 16:44:57,613.613 [log.py:35] - DEBUG - publish success\r\n";
    /// let log = Log::parse("example.log", text).unwrap();
    /// assert_eq!(log.lines[0].statement, Statement::PublishSuccess);
    ///
    /// let error = Log::parse("example.log", b"hello\n").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "example.log: line 1: expected `YYYY-MM-DD hh:mm:ss,mmm.mmm [file:line] - LEVEL - \
    ///      message`, found `hello`"
    /// );
    /// ```
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, LogError> {
        let whole = |why: String| Err(refuse(name, None, why));
        if bytes.len() > MAX_FILE {
            return whole(format!("larger than {} MiB", MAX_FILE >> 20));
        }
        if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
            return whole("UTF-16 text; save it as UTF-8".to_owned());
        }
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let ends_with_newline = bytes.ends_with(b"\n");
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);

        let mut importer = Importer {
            name,
            entries: Vec::new(),
            open: None,
            torn: None,
            cut: None,
        };
        let mut lines = bytes.split(|&byte| byte == b'\n').enumerate().peekable();
        while let Some((index, raw)) = lines.next() {
            if index == 0
                && let Some(cut) = cut_beginning(raw, lines.peek().map(|(_, next)| *next))
            {
                importer.cut = Some(cut);
                continue;
            }
            let unfinished = lines.peek().is_none() && !ends_with_newline;
            importer.physical_line(index + 1, raw, unfinished)?;
        }
        importer.finish(!ends_with_newline);
        if importer.entries.is_empty() {
            return whole("there is no line of a log in it".to_owned());
        }
        Ok(Log {
            name: name.to_owned(),
            lines: importer.entries,
            torn: importer.torn,
            cut: importer.cut,
        })
    }

    /// Reads a log from a stream, at most [`MAX_FILE`] bytes of it, and [parses](Log::parse) it.
    ///
    /// # Errors
    /// As [`Log::parse`]; also if reading fails.
    pub fn read(name: &str, stream: impl Read) -> Result<Self, LogError> {
        let mut bytes = Vec::new();
        let result: io::Result<usize> = stream.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes);
        match result {
            Ok(_) => Log::parse(name, &bytes),
            Err(error) => Err(refuse(name, None, error.to_string())),
        }
    }
}

/// What is left of a record, if the first line is no record and the second is: only a file that
/// was cut begins so.
fn cut_beginning(first: &[u8], second: Option<&[u8]>) -> Option<Torn> {
    let is_record = |raw: &[u8]| {
        let text = String::from_utf8_lossy(raw);
        line::parse(1, &line::without_colours(text.trim_end_matches('\r'))).is_ok()
    };
    if first.len() > MAX_LINE || first.contains(&0) || is_record(first) || !is_record(second?) {
        return None;
    }
    Some(torn(1, first))
}

/// What is left of a record, without colours, secrets and the end of its line.
fn torn(number: usize, raw: &[u8]) -> Torn {
    let text = String::from_utf8_lossy(raw);
    let mut text = line::without_colours(text.strip_suffix('\r').unwrap_or(&text));
    chatter::withhold_possible_secrets(&mut text);
    Torn { number, text }
}

fn refuse(name: &str, line: Option<usize>, why: String) -> LogError {
    LogError {
        file: name.to_owned(),
        line,
        column: None,
        why,
    }
}

/// A record whose message may go on.
struct Open {
    line: Line,
    /// Physical lines after the first, with the number of the first of them.
    more: Vec<String>,
    first_more: usize,
    bytes: usize,
}

struct Importer<'a> {
    name: &'a str,
    entries: Vec<Entry>,
    open: Option<Open>,
    torn: Option<Torn>,
    cut: Option<Torn>,
}

impl Importer<'_> {
    fn physical_line(
        &mut self,
        number: usize,
        raw: &[u8],
        unfinished: bool,
    ) -> Result<(), LogError> {
        let here = |why: String| refuse(self.name, Some(number), why);
        if number > MAX_LINES {
            return Err(here(format!("more than {MAX_LINES} lines")));
        }
        if raw.len() > MAX_LINE {
            return Err(here(format!("longer than {} KiB", MAX_LINE >> 10)));
        }
        if raw.contains(&0) {
            return Err(here("a zero byte: this is not a text file".to_owned()));
        }
        let text = std::str::from_utf8(raw).map_err(|error| {
            let valid = raw.get(..error.valid_up_to()).unwrap_or_default();
            let column = String::from_utf8_lossy(valid).chars().count() + 1;
            LogError {
                column: Some(column),
                ..here("not UTF-8".to_owned())
            }
        });
        let text = match text {
            Ok(text) => text,
            // The cut may have gone through a character.
            Err(_) if unfinished && self.open.is_some() => {
                self.torn = Some(torn(number, raw));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let text = line::without_colours(text.strip_suffix('\r').unwrap_or(text));
        let error = match line::parse(number, &text) {
            Ok(line) => {
                self.close();
                let bytes = line.message.len();
                self.open = Some(Open {
                    line,
                    more: Vec::new(),
                    first_more: number + 1,
                    bytes,
                });
                return Ok(());
            }
            Err(error) => error,
        };
        if unfinished && self.open.is_some() && line::begins_header(&text) {
            self.torn = Some(torn(number, raw));
            return Ok(());
        }
        let dated = line::looks_dated(&text);
        match &mut self.open {
            Some(open) if !dated => {
                open.bytes += text.len() + 1;
                if open.bytes > MAX_LINE {
                    return Err(refuse(
                        self.name,
                        Some(open.line.number),
                        format!("a message longer than {} KiB", MAX_LINE >> 10),
                    ));
                }
                open.more.push(text);
                Ok(())
            }
            None if text.trim().is_empty() => Ok(()),
            _ => Err(self.header_error(number, &text, &error)),
        }
    }

    fn header_error(&self, number: usize, text: &str, error: &line::HeaderError) -> LogError {
        const SHOWN: usize = 60;
        let mut found = text.to_owned();
        chatter::withhold_possible_secrets(&mut found);
        if let Some((cut, _)) = found.char_indices().nth(SHOWN) {
            found.truncate(cut);
            found.push('…');
        }
        let form = line::HEADER_FORM;
        let why = match error.why {
            HeaderFault::Form => format!("expected {form}, found `{found}`"),
            HeaderFault::Date => format!("there is no such date or time: `{found}`"),
            HeaderFault::Milliseconds(first, second) => format!(
                "the milliseconds are printed twice and differ, {first:03} and {second:03}: \
                 `{found}`"
            ),
            HeaderFault::Level => format!(
                "expected DEBUG, INFO, WARNING, ERROR or CRITICAL as the level, found `{found}`"
            ),
        };
        // A line that has nothing of a header has no character to blame.
        let column = (error.column > 1).then_some(error.column);
        LogError {
            column,
            ..refuse(self.name, Some(number), why)
        }
    }

    /// The open record is complete: reads its message.
    fn close(&mut self) {
        let Some(Open {
            mut line,
            mut more,
            first_more,
            ..
        }) = self.open.take()
        else {
            return;
        };
        while more.last().is_some_and(|text| text.trim().is_empty()) {
            more.pop();
        }
        let mut first = line.message.clone();
        for text in &more {
            line.message.push('\n');
            line.message.push_str(text);
        }
        chatter::withhold_secrets(&mut line.message);
        let statement = grammar::parse(&line.message);
        if more.is_empty() || !matches!(statement, Statement::Unknown { .. }) {
            self.entries.push(Entry { line, statement });
            return;
        }
        // The message with all that follows is unknown. If its first line alone is known, what
        // follows is not part of it: output of another program, a traceback.
        chatter::withhold_secrets(&mut first);
        let statement_of_first = grammar::parse(&first);
        if matches!(statement_of_first, Statement::Unknown { .. }) {
            self.entries.push(Entry { line, statement });
            return;
        }
        let blank = more
            .iter()
            .take_while(|text| text.trim().is_empty())
            .count();
        let mut text = more.get(blank..).unwrap_or_default().join("\n");
        chatter::withhold_possible_secrets(&mut text);
        // A line that lost its header is not something else's.
        let known = |line: &str| !matches!(grammar::parse(line), Statement::Unknown { .. });
        let statement = if text.lines().any(known) {
            let reason = "no record begins here, and the one before is complete".to_owned();
            Statement::Unknown {
                text: text.clone(),
                reason: Some(reason),
            }
        } else {
            Statement::Output { text: text.clone() }
        };
        let stray = Entry {
            line: Line {
                number: first_more + blank,
                message: text.clone(),
                ..line.clone()
            },
            statement,
        };
        line.message = first;
        self.entries.push(Entry {
            line,
            statement: statement_of_first,
        });
        self.entries.push(stray);
    }

    /// The file is at its end. Without a newline there, an unknown last record may be torn.
    fn finish(&mut self, no_newline: bool) {
        self.close();
        if !no_newline || self.torn.is_some() {
            return;
        }
        let torn = self.entries.pop_if(|last| match last.statement {
            Statement::Unknown { .. } => grammar::may_be_torn(&last.line.message),
            // A topic may end anywhere.
            Statement::SubscribeSuccess { .. } | Statement::SubscribeError { .. } => true,
            _ => false,
        });
        if let Some(Entry { line, .. }) = torn {
            self.torn = Some(Torn {
                number: line.number,
                text: line.message,
            });
        }
    }
}

#[cfg(test)]
mod tests;
