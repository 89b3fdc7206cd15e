//! Runs a recording through an engine.

use std::collections::VecDeque;

use shadow_core::Engine;
use shadow_core::recording::{Mismatch, Replay as CoreReplay, Summary};

use super::divergence::Divergence;
use super::error::ReadError;
use super::fields::Fields;
use super::reader::{Place, Reader};

/// How many lines before a divergence are kept to be shown.
const KEPT_LINES: usize = 12;

/// A recording being replayed: the inputs go into an engine of this version, and what it does has to
/// be what was recorded, as text.
///
/// ```
/// use conformance::recording::{Part, Reader, Replay};
/// use shadow_core::recording::{Mask, Recorder};
/// use shadow_core::{Config, Instant, Session};
///
/// let mut engine = Recorder::new(
///     Config::plain("sensor-1"), Session::new(), 7, Instant::ZERO, Mask::default(), String::new(),
/// );
/// engine.handle_tick(Instant::ZERO);
/// engine.poll_transmit(Instant::ZERO, &mut Vec::new());
/// let recording = engine.finish().1.unwrap();
///
/// let reader = Reader::new(vec![Part::of_text("example", &recording)])?;
/// let mut replay = Replay::new(reader)?;
/// assert_eq!(replay.run()?, None);
/// assert_eq!(replay.summary().inputs, 3);
/// # Ok::<(), conformance::recording::ReadError>(())
/// ```
pub struct Replay<'a> {
    reader: Reader<'a>,
    core: CoreReplay,
    /// The line that is being replayed.
    line: String,
    /// Lines that were read to see what follows a divergence, and where they are.
    ahead: VecDeque<Result<(Place, String), ReadError>>,
    /// Where the line is that is being replayed, if it was among those.
    ahead_place: Option<Place>,
    /// Where the recorded deadline is that waits to be compared.
    deadline: Option<Place>,
    before: VecDeque<String>,
}

impl<'a> Replay<'a> {
    /// Begins: reads the start and makes the engine.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: the recording is none, or begins in the middle.
    pub fn new(mut reader: Reader<'a>) -> Result<Replay<'a>, ReadError> {
        if reader.header().part != 1 {
            let part = reader.header().part;
            return Err(reader.error(
                1,
                format!("this is part {part}: a replay begins with part 1"),
            ));
        }
        let header = reader.header().clone();
        let core = match reader.next_line()? {
            Some(line) => CoreReplay::new(&header, line.text),
            None => return Err(reader.error(1, "the recording ends before its start")),
        };
        let core = core.map_err(|error| reader.line_error(&error))?;
        Ok(Replay {
            reader,
            core,
            line: String::new(),
            ahead: VecDeque::new(),
            ahead_place: None,
            deadline: None,
            before: VecDeque::new(),
        })
    }

    /// Replays all that is left; the first divergence, if there is one.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: a line cannot be read.
    pub fn run(&mut self) -> Result<Option<Divergence>, ReadError> {
        while let Some(found) = self.next_step()? {
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Replays one more line; `None` behind the last one. It may be called again after a divergence:
    /// the engine then goes on with the recorded inputs, in a state of its own.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: the line cannot be read.
    pub fn next_step(&mut self) -> Result<Option<Option<Divergence>>, ReadError> {
        let mut text = std::mem::take(&mut self.line);
        text.clear();
        self.ahead_place = None;
        match self.ahead.pop_front() {
            Some(ahead) => {
                let (place, line) = ahead?;
                self.ahead_place = Some(place);
                text.push_str(&line);
            }
            None => match self.reader.next_line()? {
                Some(line) => text.push_str(line.text),
                None => return Ok(None),
            },
        }
        let divergence = self.replay_line(&text)?;
        // The oldest line's memory takes the next one.
        let mut kept = match self.before.len() {
            KEPT_LINES => self.before.pop_front().unwrap_or_default(),
            _ => String::new(),
        };
        std::mem::swap(&mut kept, &mut text);
        self.before.push_back(kept);
        self.line = text;
        Ok(Some(divergence))
    }

    /// The line that was replayed last; `None` before the first.
    #[must_use]
    pub fn last_line(&self) -> Option<&str> {
        self.before.back().map(String::as_str)
    }

    /// Where the line is that was replayed last.
    #[must_use]
    pub fn place(&self) -> Place {
        let ahead = self.ahead_place.clone();
        ahead.unwrap_or_else(|| self.reader.place())
    }

    /// What it has seen so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.core.summary()
    }

    /// The engine, as it is now.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.core.engine()
    }

    /// The recording that is read.
    #[must_use]
    pub fn reader(&self) -> &Reader<'a> {
        &self.reader
    }

    fn replay_line(&mut self, text: &str) -> Result<Option<Divergence>, ReadError> {
        let mismatch = self.core.line(text).map_err(|error| {
            let Place { file, line } = self.place();
            let (column, what) = (error.column(), error.what().to_owned());
            ReadError {
                file,
                line,
                column,
                what,
            }
        })?;
        let deadline = self.deadline.take();
        if self.core.deadline() == Some(text) {
            self.deadline = Some(self.place());
        }
        Ok(mismatch.map(|mismatch| self.diverged(mismatch, deadline)))
    }

    fn diverged(&mut self, mismatch: Mismatch, deadline: Option<Place>) -> Divergence {
        let earlier = deadline.filter(|_| mismatch.is_earlier);
        let place = earlier.unwrap_or_else(|| self.place());
        let reordered = match (&mismatch.expected, &mismatch.found) {
            (Some(expected), Some(found)) => self.is_reordered(expected, found),
            _ => false,
        };
        Divergence {
            place,
            step: mismatch.step,
            at: mismatch.at,
            expected: mismatch.expected,
            found: mismatch.found,
            before: self.before.iter().cloned().collect(),
            reordered,
        }
    }

    /// Whether the packets that the engine sends in this step are those of the recording.
    fn is_reordered(&mut self, expected: &str, found: &str) -> bool {
        let (Some(expected), Some(found)) = (packet_without_id(expected), packet_without_id(found))
        else {
            return false;
        };
        let mut recorded = vec![expected];
        while self.ahead.len() < MOST_AHEAD {
            let line = match self.reader.next_line() {
                Ok(Some(line)) => line.text.to_owned(),
                Ok(None) => break,
                Err(error) => {
                    self.ahead.push_back(Err(error));
                    break;
                }
            };
            let is_output = Fields::parse(&line).is_some_and(|fields| fields.json("out").is_some());
            recorded.extend(packet_without_id(&line));
            self.ahead.push_back(Ok((self.reader.place(), line)));
            if !is_output {
                break;
            }
        }
        let more = self.core.poll_ahead(MOST_AHEAD);
        let mut sent = vec![found];
        sent.extend(more.filter_map(packet_without_id));
        recorded.sort();
        sent.sort();
        recorded.len() > 1 && recorded == sent
    }
}

/// A packet's line without its packet id; `None` if the line is of something else.
fn packet_without_id(line: &str) -> Option<String> {
    let fields = Fields::parse(line)?;
    if fields.text("out")? != "packet" {
        return None;
    }
    let members = fields.members.iter().filter(|(key, _)| key != "id");
    Some(
        members
            .map(|(key, value)| format!("{key} {value}\n"))
            .collect(),
    )
}

/// How far a replay looks ahead after a divergence, in lines.
const MOST_AHEAD: usize = 64;
