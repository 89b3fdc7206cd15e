//! From lines to steps.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use shadow_core::recording::Header;

use super::line::{Fields, LineError};
use super::step::{Change, Step};
use super::teller::{Teller, Told};
use crate::recording::{ReadError, Reader};

/// Tells a recording, step by step. An iterator of [`Step`]s; after an error it ends.
///
/// Lines of a kind that is not known are steps too, so that a recording of a newer engine in the same
/// format can be told. A last line that was torn off is left out ([`Story::torn`]).
pub struct Story<'a> {
    reader: Reader<'a>,
    ready: VecDeque<Step>,
    /// Whether the last of `ready` is a call whose result is on the next line.
    held: bool,
    ended: bool,
    count: u64,
    time: Time,
    teller: Teller,
}

/// What is known of a shadow's document at some point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Whose, `{productId}/{deviceName}`.
    pub shadow: String,
    /// Its version.
    pub version: Option<u64>,
    /// What it holds, as additions to nothing.
    pub holds: Vec<Change>,
}

impl<'a> Story<'a> {
    /// The story of what is behind the header.
    #[must_use]
    pub fn new(reader: Reader<'a>) -> Story<'a> {
        Story {
            reader,
            ready: VecDeque::new(),
            held: false,
            ended: false,
            count: 0,
            time: Time::default(),
            teller: Teller::new(),
        }
    }

    /// The recording's header.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.reader.header()
    }

    /// How many bytes of a torn last line were left out, which is known at the end.
    #[must_use]
    pub fn torn(&self) -> Option<u64> {
        self.reader.torn()
    }

    /// The documents as far as the session has shown them up to the last step that was read, by name.
    #[must_use]
    pub fn documents(&self) -> Vec<Known> {
        let all = self.teller.documents.all();
        let known = all.map(|(shadow, version, holds)| Known {
            shadow: shadow.to_owned(),
            version,
            holds,
        });
        known.collect()
    }

    /// Reads the next line.
    fn advance(&mut self) -> Result<(), ReadError> {
        let Some(line) = self.reader.next_line()? else {
            self.ended = true;
            return Ok(());
        };
        let deadline = self.teller.deadline.clone();
        let told = Told::new(line.number, deadline, &mut self.ready, &mut self.count);
        let held = tell(&mut self.teller, &mut self.time, self.held, line.text, told);
        match held {
            Ok(held) => self.held = held,
            Err(LineError { column, what }) => return Err(self.reader.error(column, what)),
        }
        Ok(())
    }
}

/// Tells one line. `held` says that the line before is a call that may find its result here;
/// likewise what is given back of the next line.
fn tell(
    teller: &mut Teller,
    time: &mut Time,
    held: bool,
    text: &str,
    mut told: Told<'_>,
) -> Result<bool, LineError> {
    let fields = Fields::parse(text)?;
    let at = fields.required("at", fields.u64("at")?)?;
    let direction = (fields.string("in")?, fields.string("out")?);
    if direction.0.as_deref() == Some("start") {
        time.restart();
        teller.exchanges.restart();
    }
    told.at = time
        .relative(at)
        .ok_or_else(|| fields.wrong("at", "at or after the line before"))?;
    match direction {
        (Some(kind), None) => teller.input(&kind, &fields, &mut told),
        (None, Some(kind)) => {
            teller.output(&kind, &fields, held, time, &mut told)?;
            Ok(false)
        }
        _ => Err(LineError {
            column: 1,
            what: "neither an input nor an output: one of `in` and `out` is expected".to_owned(),
        }),
    }
}

impl Iterator for Story<'_> {
    type Item = Result<Step, ReadError>;

    fn next(&mut self) -> Option<Result<Step, ReadError>> {
        loop {
            if self.ready.len() > usize::from(self.held && !self.ended) {
                return self.ready.pop_front().map(Ok);
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.advance() {
                self.ended = true;
                self.ready.clear();
                return Some(Err(error));
            }
        }
    }
}

impl fmt::Debug for Story<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Story")
            .field("reader", &self.reader)
            .field("steps", &self.count)
            .finish_non_exhaustive()
    }
}

/// From the driver's clock to the time since the beginning.
#[derive(Debug, Default)]
pub(super) struct Time {
    /// What the driver's clock said where `shift` is.
    base: Option<u64>,
    shift: u64,
    last: u64,
}

impl Time {
    /// `None` if time runs back.
    fn relative(&mut self, at: u64) -> Option<Duration> {
        let base = *self.base.get_or_insert(at);
        let since = self.shift.saturating_add(at.checked_sub(base)?);
        if since < self.last {
            return None;
        }
        self.last = since;
        Some(Duration::from_micros(since))
    }

    /// When a later time is.
    pub(super) fn future(&self, at: u64) -> Duration {
        let ahead = at.saturating_sub(self.base.unwrap_or(at));
        Duration::from_micros(self.shift.saturating_add(ahead))
    }

    /// What comes next may be of another clock; if it is not, no time is lost.
    fn restart(&mut self) {
        self.shift = self.last;
        self.base = None;
    }
}
