//! Results on stdout, for people or for scripts; remarks on stderr.

use std::fmt::{self, Display};
use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde::Serialize;

use crate::document::{Foreign, Styled};
use crate::failure::{Failure, FailureKind};

/// Style of what is wrong.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Style of what went well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Style of what leaves.
pub const SENT: Style = AnsiColor::Cyan.on_default();
/// Style of what arrives.
pub const RECEIVED: Style = AnsiColor::Yellow.on_default();
/// Style of headings.
pub const HEADING: Style = Style::new().bold();
/// Style of what matters less.
pub const FAINT: Style = Style::new().dimmed();

/// Whom results are written for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people; coloured on a terminal.
    #[default]
    Text,
    /// For scripts: one JSON object per line.
    Json,
}

/// Where a command writes.
///
/// Text may be styled with [`anstyle`]; the styles are dropped where the stream is no terminal.
/// Every line is flushed, so that a reader at the other end of a pipe sees it at once.
///
/// No control character reaches the streams but line feeds and the beginnings of styles, and nothing
/// that turns the direction of text around: such are written as JSON escapes.
pub struct Output {
    format: Format,
    results: Box<dyn Write + Send>,
    remarks: Box<dyn Write + Send>,
    /// Whether the results go to a terminal.
    is_terminal: bool,
}

impl Output {
    /// Writes to stdout and stderr.
    #[must_use]
    pub fn standard(format: Format) -> Output {
        let (results, remarks) = (anstream::stdout(), anstream::stderr());
        Output {
            is_terminal: io::stdout().is_terminal(),
            ..Output::new(format, Box::new(results), Box::new(remarks))
        }
    }

    /// Writes results and remarks wherever one likes; not to a terminal.
    #[must_use]
    pub fn new(
        format: Format,
        results: Box<dyn Write + Send>,
        remarks: Box<dyn Write + Send>,
    ) -> Output {
        Output {
            format,
            results,
            remarks,
            is_terminal: false,
        }
    }

    /// Whom results are written for.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Writes one result: by its `Display` for people, as one line of JSON for scripts.
    ///
    /// # Errors
    ///
    /// [`Failure::output`].
    pub fn result<T: Display + Serialize>(&mut self, result: &T) -> Result<(), Failure> {
        match self.format {
            Format::Text => self.write(format_args!("{result}")),
            Format::Json => self.json(result),
        }
    }

    /// Writes one line of JSON that has no text form; nothing for people.
    ///
    /// # Errors
    ///
    /// [`Failure::output`].
    pub fn json<T: Serialize>(&mut self, result: &T) -> Result<(), Failure> {
        match self.format {
            Format::Text => Ok(()),
            Format::Json => {
                let json = serde_json::to_string(result).map_err(|error| {
                    Failure::operation(format_args!("cannot write the result as JSON: {error}"))
                })?;
                // An escape means the same as what it stands for.
                self.write(format_args!("{}", Foreign(json)))
            }
        }
    }

    /// Writes a line that has no JSON form; nothing for scripts.
    ///
    /// # Errors
    ///
    /// [`Failure::output`].
    pub fn text(&mut self, line: impl Display) -> Result<(), Failure> {
        match self.format {
            Format::Text => self.write(format_args!("{line}")),
            Format::Json => Ok(()),
        }
    }

    /// Writes text as it is, in either format and without a newline after it.
    ///
    /// # Errors
    ///
    /// [`Failure::output`].
    pub fn verbatim(&mut self, text: &[u8]) -> Result<(), Failure> {
        let written = self.results.write_all(text);
        let flushed = written.and_then(|()| self.results.flush());
        flushed.map_err(|error| Failure::output(&error))
    }

    /// Writes text for another program, as [`verbatim`](Self::verbatim) does; to a terminal without
    /// what could command it. In JSON that keeps the meaning.
    ///
    /// # Errors
    ///
    /// [`Failure::output`].
    pub fn lines(&mut self, text: &str) -> Result<(), Failure> {
        if self.is_terminal {
            self.verbatim(Foreign(text).to_string().as_bytes())
        } else {
            self.verbatim(text.as_bytes())
        }
    }

    /// Says something beside the results, on stderr.
    pub fn remark(&mut self, remark: impl Display) {
        // There is nowhere left to say that this could not be printed.
        let remark = Foreign(remark);
        drop(writeln!(self.remarks, "{FAINT}{remark}{FAINT:#}"));
    }

    /// Says why the command failed, on stderr.
    pub fn failure(&mut self, failure: &Failure) {
        if failure.kind() != FailureKind::OutputClosed {
            let failure = Foreign(failure);
            // As above.
            drop(writeln!(self.remarks, "{ERROR}error:{ERROR:#} {failure}"));
        }
    }

    fn write(&mut self, line: fmt::Arguments<'_>) -> Result<(), Failure> {
        let written = writeln!(self.results, "{}", Styled(line));
        let flushed = written.and_then(|()| self.results.flush());
        flushed.map_err(|error| Failure::output(&error))
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}
