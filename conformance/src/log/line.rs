//! One record of the log: the header that Python's `logging` writes, and the message after it.
//!
//! The SDK's format is `%(asctime)s.%(msecs)03d [%(filename)s:%(lineno)d] - %(levelname)s -
//! %(message)s`. As `asctime` already ends in the milliseconds, they are printed twice:
//! `2021-07-20 16:44:56,611.611 [log.py:35] - DEBUG - publish success`.

use std::fmt;

/// The header's form, as error texts show it.
pub(crate) const HEADER_FORM: &str = "`YYYY-MM-DD hh:mm:ss,mmm.mmm [file:line] - LEVEL - message`";

/// Wall-clock time of a record: milliseconds since 1970-01-01 00:00 on the clock of the machine
/// that wrote the log. The log does not say in which time zone that clock ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogTime(u64);

impl LogTime {
    /// The time of a civil date. None if there is no such date or it is before 1970.
    pub(crate) fn from_civil(date: [u32; 3], time: [u32; 3], millis: u32) -> Option<Self> {
        let ([year, month, day], [hour, minute, second]) = (date, time);
        let leap =
            |y: u32| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
        let month_days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap(year) => 29,
            2 => 28,
            _ => return None,
        };
        let fits = (1970..=9999).contains(&year)
            && (1..=month_days).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60
            && millis < 1000;
        if !fits {
            return None;
        }
        let leap_days_before = |y: u32| (y - 1) / 4 - (y - 1) / 100 + (y - 1) / 400;
        let year_days = 365 * (year - 1970) + leap_days_before(year) - leap_days_before(1970);
        let before_month = match month {
            1 => 0,
            2 => 31,
            // From March on: the days of the five-month pattern 31 30 31 30 31, after February.
            m => 59 + u32::from(leap(year)) + (153 * (m - 3) + 2) / 5,
        };
        let days = u64::from(year_days + before_month + day - 1);
        let seconds = days * 86_400 + u64::from(hour * 3600 + minute * 60 + second);
        Some(LogTime(seconds * 1000 + u64::from(millis)))
    }

    /// Milliseconds since 1970-01-01 00:00 of the log's own clock.
    #[must_use]
    pub fn millis(self) -> u64 {
        self.0
    }
}

/// Where in the SDK's source the record was written: `[log.py:46]`. It differs from version to
/// version of the SDK and means nothing to a replay.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceTag {
    /// Name of the source file, without its folder.
    pub file: String,
    /// Line in it.
    pub line: u32,
}

impl fmt::Display for SourceTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}:{}]", self.file, self.line)
    }
}

/// Severity of a record, by the names of Python's `logging`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `DEBUG`
    Debug,
    /// `INFO`
    Info,
    /// `WARNING`
    Warning,
    /// `ERROR`
    Error,
    /// `CRITICAL`
    Critical,
}

impl Level {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "DEBUG" => Level::Debug,
            "INFO" => Level::Info,
            "WARNING" => Level::Warning,
            "ERROR" => Level::Error,
            "CRITICAL" => Level::Critical,
            _ => return None,
        })
    }
}

/// One record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Line of the file on which the record begins, 1-based.
    pub number: usize,
    /// When it was written.
    pub at: LogTime,
    /// Where in the SDK it was written.
    pub tag: SourceTag,
    /// Its severity.
    pub level: Level,
    /// What it says, without ANSI colours and the line end. Later lines of a message that has
    /// newlines inside are joined with `\n`. Secrets that the SDK prints are `(withheld)`.
    pub message: String,
}

/// Why a physical line does not begin with a header.
pub(crate) struct HeaderError {
    /// 1-based, in characters.
    pub(crate) column: usize,
    pub(crate) why: HeaderFault,
}

/// The ways in which a header is wrong.
pub(crate) enum HeaderFault {
    /// The form is another one.
    Form,
    /// There is no such date or time.
    Date,
    /// The two prints of the milliseconds differ.
    Milliseconds(u32, u32),
    /// Python's `logging` has no level of this name.
    Level,
}

/// Reads one physical line, from which the colours have been taken, as a record.
pub(crate) fn parse(number: usize, text: &str) -> Result<Line, HeaderError> {
    // A log that was pasted into a document is often indented as a whole.
    let mut scan = Header {
        text,
        position: text.len() - text.trim_start_matches([' ', '\t']).len(),
    };
    let year = scan.digits(4)?;
    scan.symbol("-")?;
    let month = scan.digits(2)?;
    scan.symbol("-")?;
    let day = scan.digits(2)?;
    scan.symbol(" ")?;
    let hour = scan.digits(2)?;
    scan.symbol(":")?;
    let minute = scan.digits(2)?;
    scan.symbol(":")?;
    let second = scan.digits(2)?;
    scan.symbol(",")?;
    let millis = scan.digits(3)?;
    scan.symbol(".")?;
    let again = scan.digits(3)?;
    scan.symbol(" [")?;
    let tag_text = scan.until("] - ")?;
    let tag = tag_text
        .rsplit_once(':')
        .and_then(|(file, line)| {
            Some(SourceTag {
                file: file.to_owned(),
                line: line.parse().ok()?,
            })
        })
        .ok_or_else(|| scan.error(HeaderFault::Form))?;
    let before_level = scan.position;
    // An empty message may have lost its trailing space to an editor.
    let level_name = match scan.until(" - ") {
        Ok(name) => name,
        Err(error) => scan.rest().strip_suffix(" -").ok_or(error)?,
    };
    let level = Level::from_name(level_name).ok_or_else(|| {
        Header {
            text,
            position: before_level,
        }
        .error(HeaderFault::Level)
    })?;
    let message = if scan.position == before_level {
        ""
    } else {
        scan.rest()
    };
    let start = Header { text, position: 0 };
    if millis != again {
        return Err(start.error(HeaderFault::Milliseconds(millis, again)));
    }
    let at = LogTime::from_civil([year, month, day], [hour, minute, second], millis)
        .ok_or_else(|| start.error(HeaderFault::Date))?;
    Ok(Line {
        number,
        at,
        tag,
        level,
        message: message.to_owned(),
    })
}

/// Whether the text starts with a date and a time of day, as only a header does.
pub(crate) fn looks_dated(text: &str) -> bool {
    begins_header(text) && text.trim_start().len() >= "YYYY-MM-DD hh:mm:ss".len()
}

/// Whether the text, as far as it goes, follows the digits and signs of a header's date and time.
pub(crate) fn begins_header(text: &str) -> bool {
    const SHAPE: &str = "0000-00-00 00:00:00";
    let text = text.trim_start_matches([' ', '\t']);
    !text.is_empty()
        && SHAPE
            .chars()
            .zip(text.chars())
            .all(|(shape, c)| match shape {
                '0' => c.is_ascii_digit(),
                sign => c == sign,
            })
}

/// Takes the ANSI colour sequences (`ESC [ .. m`) out of a text.
pub(crate) fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let parameters = after.len()
            - after
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == ';')
                .len();
        match after
            .get(parameters..)
            .and_then(|tail| tail.strip_prefix('m'))
        {
            Some(tail) => rest = tail,
            None => {
                plain.push_str("\u{1b}[");
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// A position in a physical line.
struct Header<'a> {
    text: &'a str,
    /// Byte offset on a character boundary.
    position: usize,
}

impl<'a> Header<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn error(&self, why: HeaderFault) -> HeaderError {
        let before = self.text.get(..self.position).unwrap_or_default();
        HeaderError {
            column: before.chars().count() + 1,
            why,
        }
    }

    fn digits(&mut self, count: usize) -> Result<u32, HeaderError> {
        let digits = self
            .rest()
            .get(..count)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| self.error(HeaderFault::Form))?;
        self.position += count;
        Ok(digits)
    }

    fn symbol(&mut self, symbol: &str) -> Result<(), HeaderError> {
        if !self.rest().starts_with(symbol) {
            return Err(self.error(HeaderFault::Form));
        }
        self.position += symbol.len();
        Ok(())
    }

    fn until(&mut self, end: &str) -> Result<&'a str, HeaderError> {
        let (before, _) = self
            .rest()
            .split_once(end)
            .ok_or_else(|| self.error(HeaderFault::Form))?;
        self.position += before.len() + end.len();
        Ok(before)
    }
}
