//! The lines of a recording.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use shadow_core::recording::{Header, LineError};

use super::divergence::shorten;
use super::error::ReadError;

/// Longest line that is read, in bytes. The longest that are written hold a session with the
/// documents of many shadows.
pub const MAX_LINE: usize = 64 << 20;

/// U+FEFF in UTF-8, with which some editors begin a file.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// How many characters of what is wrong are told: what is quoted can be a whole line.
const LONGEST_ERROR: usize = 1_000;

/// One file of a recording.
pub struct Part<'a> {
    /// Its name, for errors.
    pub name: String,
    /// What is in it.
    pub content: Box<dyn BufRead + 'a>,
}

impl<'a> Part<'a> {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// That of the operating system, which does not name the file.
    pub fn open(path: &Path) -> io::Result<Part<'static>> {
        Ok(Part {
            name: path.display().to_string(),
            content: Box::new(open(path)?),
        })
    }

    /// A file that is opened when it is read from, and closed with the part: a recording can have
    /// more parts than a process may have open files.
    #[must_use]
    pub fn to_open(path: &Path) -> Part<'static> {
        let (path, file) = (path.to_owned(), None);
        Part {
            name: path.display().to_string(),
            content: Box::new(Unopened { path, file }),
        }
    }

    /// What is in memory already.
    #[must_use]
    pub fn of_text(name: &str, text: &'a str) -> Part<'a> {
        Part {
            name: name.to_owned(),
            content: Box::new(text.as_bytes()),
        }
    }
}

fn open(path: &Path) -> io::Result<BufReader<File>> {
    Ok(BufReader::with_capacity(64 * 1024, File::open(path)?))
}

/// A file that is opened when it is first read from.
struct Unopened {
    path: PathBuf,
    file: Option<BufReader<File>>,
}

impl Unopened {
    fn opened(&mut self) -> io::Result<&mut BufReader<File>> {
        Ok(match &mut self.file {
            Some(file) => file,
            file => file.insert(open(&self.path)?),
        })
    }
}

impl Read for Unopened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.opened()?.read(buffer)
    }
}

impl BufRead for Unopened {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.opened()?.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        if let Some(file) = &mut self.file {
            file.consume(amount);
        }
    }
}

impl std::fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Where a line is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
}

/// A line without its line feed, and where it is.
#[derive(Debug)]
pub struct Line<'r> {
    /// The text.
    pub text: &'r str,
    /// Number of the line in its file, from 1.
    pub number: u64,
}

/// Reads a recording line by line, part after part.
///
/// It takes the memory of its longest line, at most [`MAX_LINE`]. What is behind the last line feed
/// of the last part was torn off and does not count ([`Reader::torn`]), nor does a UTF-8 byte order
/// mark at the start of a part. A last part behind the first that ends before its header does is none:
/// it had been begun when the disk was full.
#[derive(Debug)]
pub struct Reader<'a> {
    /// The parts to come, in reverse.
    parts: Vec<Part<'a>>,
    part: Part<'a>,
    header: Header,
    number: u64,
    line: Vec<u8>,
    torn: Option<u64>,
}

impl<'a> Reader<'a> {
    /// Begins with the first part, and reads its header.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: no parts, or the first has no header that can be read.
    pub fn new(parts: Vec<Part<'a>>) -> Result<Reader<'a>, ReadError> {
        let mut parts = parts;
        parts.reverse();
        let part = parts.pop().ok_or_else(|| ReadError {
            file: String::new(),
            line: 1,
            column: 1,
            what: "there is no file".to_owned(),
        })?;
        let mut reader = Reader {
            parts,
            part,
            header: Header::default(),
            number: 0,
            line: Vec::new(),
            torn: None,
        };
        reader.read_line()?;
        reader.header = reader.parse_header()?;
        Ok(reader)
    }

    /// The header of the first part.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where the line is that was read last.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            file: self.part.name.clone(),
            line: self.number,
        }
    }

    /// How many bytes of a torn last line did not count; 0 of a last part that is empty.
    #[must_use]
    pub fn torn(&self) -> Option<u64> {
        self.torn
    }

    /// An error at the line that was read last.
    pub(crate) fn error(&self, column: usize, what: impl Into<String>) -> ReadError {
        ReadError {
            file: self.part.name.clone(),
            line: self.number.max(1),
            column: column.max(1),
            what: shorten(&what.into(), 0, LONGEST_ERROR),
        }
    }

    pub(crate) fn line_error(&self, error: &LineError) -> ReadError {
        self.error(error.column(), error.what())
    }

    /// The next line; `None` behind the last one.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: the file cannot be read, a line is too long or no UTF-8, or the next part is
    /// not the one that follows.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        while !self.read_line()? {
            let Some(next) = self.parts.pop() else {
                return Ok(None);
            };
            if self.torn.is_some() {
                return Err(self.error(1, "the last line is torn, but another file follows"));
            }
            let last = self.header.part;
            self.part = next;
            self.number = 0;
            let expected = Header {
                part: last + 1,
                ..self.header.clone()
            };
            let begun = expected.to_line();
            if !self.read_line()?
                && self.parts.is_empty()
                && begun.as_bytes().starts_with(&self.line)
            {
                // Nothing more became of it.
                self.torn = Some(self.line.len() as u64);
                return Ok(None);
            }
            let header = self.parse_header()?;
            if header != expected {
                return Err(self.error(
                    1,
                    format!("this is not part {} of the same recording", expected.part),
                ));
            }
            self.header.part = header.part;
        }
        let number = self.number;
        let text = match std::str::from_utf8(&self.line) {
            Ok(text) => text,
            Err(error) => return Err(self.error(error.valid_up_to() + 1, "this is not UTF-8")),
        };
        Ok(Some(Line { text, number }))
    }

    /// The header that was read as a line. One that is torn is none.
    fn parse_header(&self) -> Result<Header, ReadError> {
        let line = &self.line[..];
        let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        match std::str::from_utf8(line) {
            Ok(text) if self.torn.is_none() && !text.is_empty() => {
                Header::parse(text).map_err(|error| self.line_error(&error))
            }
            _ => Err(self.error(1, "this is not the first line of a recording")),
        }
    }

    /// Reads a line without its line feed; false behind the last one.
    fn read_line(&mut self) -> Result<bool, ReadError> {
        self.line.clear();
        self.number += 1;
        let limit = MAX_LINE as u64 + 1;
        let read = (&mut *self.part.content)
            .take(limit)
            .read_until(b'\n', &mut self.line);
        let read = read.map_err(|error| self.error(1, format!("cannot read it: {error}")))?;
        if self.line.pop_if(|byte| *byte == b'\n').is_some() {
            return Ok(true);
        }
        if read as u64 == limit {
            return Err(self.error(
                MAX_LINE,
                format!("the line is longer than {MAX_LINE} bytes"),
            ));
        }
        if read > 0 {
            self.torn = Some(read as u64);
        }
        Ok(false)
    }
}
