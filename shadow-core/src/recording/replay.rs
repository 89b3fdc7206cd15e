//! A recording run through an engine again.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Serialize, Serializer};

use super::output::{Output, is_pending, is_request, same};
use super::{Header, Input, LineError, Recorder, Sink, Start};
use crate::engine::Engine;
use crate::time::Instant;

/// What a replay has seen so far. As JSON an object of its fields, times in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// How many inputs went in; the start is the first.
    pub inputs: u64,
    /// How many outputs were compared.
    pub outputs: u64,
    /// How many connections were asked for.
    pub connections: u64,
    /// How many gets and updates of shadows left, those of the engine's own too.
    pub exchanges: u64,
    /// The engine's time at the start.
    #[serde(serialize_with = "micros")]
    pub from: Instant,
    /// The engine's time now.
    #[serde(serialize_with = "micros")]
    pub until: Instant,
    /// Whether the recording has an end, and that was reached.
    pub ended: bool,
}

/// A line in which an engine does something else than was recorded. At least one of `expected` and
/// `found` is there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// How many inputs had gone in by then; the start is the first.
    pub step: u64,
    /// The time that the lines state.
    pub at: Instant,
    /// The line of the recording; `None` if it has nothing.
    pub expected: Option<String>,
    /// The engine's line, without a line feed; `None` if it did nothing.
    pub found: Option<String>,
    /// Whether `expected` is the [deadline](Replay::deadline) recorded before, and not the line that
    /// was replayed.
    pub is_earlier: bool,
}

/// A recording being replayed, line by line: the inputs go into an engine of this version, which is
/// polled where the recorded one was, and each line that a [`Recorder`] writes of it has to be what
/// was recorded. White space between the parts of a recorded line does not count.
///
/// It holds the engine, and of the recording one line.
///
/// ```
/// use shadow_core::recording::{Header, Mask, Recorder, Replay};
/// use shadow_core::{Config, Instant, Session};
///
/// let mut engine = Recorder::new(
///     Config::plain("sensor-1"), Session::new(), 7, Instant::ZERO, Mask::default(), String::new(),
/// );
/// engine.handle_tick(Instant::ZERO);
/// engine.poll_transmit(Instant::ZERO, &mut Vec::new());
/// let recording = engine.finish().1.unwrap();
///
/// let mut lines = recording.lines();
/// let header = Header::parse(lines.next().unwrap())?;
/// let mut replay = Replay::new(&header, lines.next().unwrap())?;
/// for line in lines {
///     assert_eq!(replay.line(line)?, None);
/// }
/// assert!(replay.summary().ended);
/// # Ok::<(), shadow_core::recording::LineError>(())
/// ```
#[derive(Debug)]
pub struct Replay {
    engine: Recorder<Written>,
    buffer: Vec<u8>,
    summary: Summary,
    /// The recorded deadline, which the engine states with what comes next.
    deadline: Option<String>,
}

/// What the engine's recorder wrote and the recording has not been seen to have: lines, one behind
/// the other in one buffer that is used again.
#[derive(Debug, Default)]
struct Written {
    text: String,
    taken: usize,
}

impl Written {
    /// Those that were not taken.
    fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.get(self.taken..).unwrap_or_default().lines()
    }

    fn advance(&mut self, line: usize) {
        self.taken += line + 1;
        if self.taken >= self.text.len() {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.text.clear();
        self.taken = 0;
    }
}

impl Sink for Written {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
    }
}

impl Replay {
    /// Makes the engine of a recording's second line, its start. Of several parts that is the first
    /// part's; the headers of the later ones are no lines to be replayed.
    ///
    /// # Errors
    ///
    /// [`LineError`]: the line is no start, or cannot be read.
    pub fn new(header: &Header, start: &str) -> Result<Replay, LineError> {
        let Some((now, Input::Start(start))) = Input::parse(start)? else {
            let what = "the second line of a recording is its start";
            return Err(LineError::new(1, what));
        };
        let Start {
            config,
            session,
            seed,
        } = *start;
        let mask = header.mask;
        let mut engine = Recorder::new(config, session, seed, now, mask, Written::default());
        if let Some(written) = engine.sink_mut() {
            // Its header and start are what was just read.
            written.clear();
        }
        Ok(Replay {
            engine,
            buffer: Vec::new(),
            summary: Summary {
                inputs: 1,
                from: now,
                until: now,
                ..Summary::default()
            },
            deadline: None,
        })
    }

    /// Replays the next line, given without its line feed: whether the engine does something else.
    /// Behind a mismatch it may be called again: the engine then goes on with the recorded inputs, in
    /// a state of its own.
    ///
    /// A deadline is compared with the line behind it, as an engine states it only then. Behind its
    /// end a recording has nothing.
    ///
    /// # Errors
    ///
    /// [`LineError`]: the line cannot be read. Nothing was done with it.
    pub fn line(&mut self, line: &str) -> Result<Option<Mismatch>, LineError> {
        if self.summary.ended {
            return Ok(Some(self.mismatch(Some(line), None)));
        }
        if let Some((at, output)) = Output::parse_compact(line) {
            return Ok(self.output(at, output, line));
        }
        match Input::parse(line)? {
            Some((now, input)) => Ok(self.input(now, &input, line)),
            None => match Output::parse(line) {
                None => Err(LineError::new(1, "there is no such output")),
                Some((at, output)) => Ok(self.output(at, output, line)),
            },
        }
    }

    /// The recorded deadline that waits to be compared.
    #[must_use]
    pub fn deadline(&self) -> Option<&str> {
        self.deadline.as_deref()
    }

    /// What it has seen so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.summary
    }

    /// The engine, as it is now.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Has the engine send what it has to send without being polled by the recording, at most `most`
    /// packets, and gives all lines that wait to be compared: those are compared as if they had come
    /// in their turn. Shows what a mismatch looks like as a whole.
    pub fn poll_ahead(&mut self, most: usize) -> impl Iterator<Item = &str> {
        let now = self.summary.until;
        for _ in 0..most {
            self.buffer.clear();
            if self.engine.poll_transmit(now, &mut self.buffer).is_none() {
                break;
            }
        }
        let written = self.engine.sink_mut();
        written.into_iter().flat_map(|written| written.lines())
    }

    fn input(&mut self, now: Instant, input: &Input, line: &str) -> Option<Mismatch> {
        let mut surplus = None;
        if self.engine.has_output() && !is_pending(line) {
            let found = self.poll_unexpected();
            surplus = Some(self.mismatch(Some(line), found));
            // Behind a mismatch the engine goes on with what was recorded.
            while self.poll_unexpected().is_some() {}
            self.deadline = None;
        }
        let mismatch = self.apply(now, input, line);
        let mismatch = surplus.or(mismatch);
        if mismatch.is_some()
            && let Some(written) = self.engine.sink_mut()
        {
            written.clear();
        }
        mismatch
    }

    fn apply(&mut self, now: Instant, input: &Input, line: &str) -> Option<Mismatch> {
        self.summary.inputs += 1;
        self.summary.until = self.summary.until.max(now);
        match input {
            Input::Start(_) => return Some(self.mismatch(Some(line), None)),
            _ => input.apply(now, &mut self.engine),
        }
        self.summary.ended |= matches!(input, Input::End);
        // What the engine says of its deadline comes with the input, and was before it.
        if let Some(mismatch) = self.compare_deadline() {
            return Some(Mismatch {
                step: mismatch.step - 1,
                ..mismatch
            });
        }
        match self.compare(line) {
            Ok(()) => None,
            Err(found) => Some(self.mismatch(Some(line), found)),
        }
    }

    fn output(&mut self, at: Instant, output: Output, line: &str) -> Option<Mismatch> {
        self.summary.until = self.summary.until.max(at);
        match output {
            Output::Deadline => {
                self.deadline = Some(line.to_owned());
                return None;
            }
            Output::Connect | Output::Close | Output::Packet => {
                self.buffer.clear();
                self.engine.poll_transmit(at, &mut self.buffer);
                // A poll that makes room says what deadline was in force until then.
                if let Some(mismatch) = self.compare_deadline() {
                    return Some(mismatch);
                }
            }
            Output::Event => drop(self.engine.poll_event()),
            Output::Answer => {}
        }
        self.summary.outputs += 1;
        self.summary.connections += u64::from(output == Output::Connect);
        self.summary.exchanges += u64::from(output == Output::Packet && is_request(line));
        match self.compare(line) {
            Ok(()) => None,
            Err(found) => {
                // That a poll gave nothing is no output. Then it may have something else to say.
                let is_output = |line: &String| Output::parse(line).is_some();
                let found = found.filter(is_output).or_else(|| self.poll_unexpected());
                Some(self.mismatch(Some(line), found))
            }
        }
    }

    /// Compares what the engine says of its deadline, if it says something, with what is recorded.
    fn compare_deadline(&mut self) -> Option<Mismatch> {
        let states = |line: &str| matches!(Output::parse(line), Some((_, Output::Deadline)));
        let stated = self.front().is_some_and(states);
        match self.deadline.take() {
            None if !stated => None,
            None => {
                let found = self.take_front();
                Some(self.mismatch(None, found))
            }
            Some(expected) => {
                let compared = match stated {
                    true => self.compare(&expected),
                    false => Err(None),
                };
                let found = match compared {
                    Ok(()) => {
                        self.summary.outputs += 1;
                        return None;
                    }
                    Err(found) => found,
                };
                Some(Mismatch {
                    is_earlier: true,
                    ..self.mismatch(Some(&expected), found)
                })
            }
        }
    }

    /// What the engine has to give although the recording has nothing.
    fn poll_unexpected(&mut self) -> Option<String> {
        let now = self.summary.until;
        self.buffer.clear();
        if self.engine.poll_transmit(now, &mut self.buffer).is_none() {
            self.engine.poll_event();
        }
        let is_output = |line: &String| Output::parse(line).is_some();
        let mut found = self.take_front();
        while found.as_ref().is_some_and(|line| !is_output(line)) {
            found = self.take_front();
        }
        found
    }

    /// The next line that the engine's recorder wrote.
    fn front(&mut self) -> Option<&str> {
        self.engine.sink_mut()?.lines().next()
    }

    fn take_front(&mut self) -> Option<String> {
        let written = self.engine.sink_mut()?;
        let line = written.lines().next()?.to_owned();
        written.advance(line.len());
        Some(line)
    }

    /// Takes the next line that the engine's recorder wrote, and gives it if it is another one.
    fn compare(&mut self, expected: &str) -> Result<(), Option<String>> {
        let written = self.engine.sink_mut().ok_or(None)?;
        let line = written.lines().next().ok_or(None)?;
        let length = line.len();
        let compared = match same(expected, line) {
            true => Ok(()),
            false => Err(Some(line.to_owned())),
        };
        written.advance(length);
        compared
    }

    fn mismatch(&self, expected: Option<&str>, found: Option<String>) -> Mismatch {
        // A deadline is stated later than it was set.
        let stated = found.as_deref().or(expected).and_then(Output::parse);
        Mismatch {
            step: self.summary.inputs,
            at: stated.map_or(self.summary.until, |(at, _)| at),
            expected: expected.map(str::to_owned),
            found,
            is_earlier: false,
        }
    }
}

fn micros<S: Serializer>(instant: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(instant.as_micros())
}

#[cfg(test)]
mod tests;
