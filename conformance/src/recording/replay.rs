//! Runs a recording through an engine.

use std::borrow::Cow;
use std::collections::VecDeque;

use serde::Deserialize;
use shadow_core::json::{JsonStyle, restyle};
use shadow_core::recording::{Input, Recorder, Sink, Start};
use shadow_core::{Engine, Instant};

use super::divergence::Divergence;
use super::error::ReadError;
use super::reader::{Place, Reader};

/// How many lines before a divergence are kept to be shown.
const KEPT_LINES: usize = 12;

/// What a replay has seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many inputs went in; the start is the first.
    pub inputs: u64,
    /// How many outputs were compared.
    pub outputs: u64,
    /// The engine's time at the start.
    pub from: Instant,
    /// The engine's time now.
    pub until: Instant,
    /// Whether the recording has an end, and that was reached.
    pub ended: bool,
}

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
    engine: Recorder<Written>,
    buffer: Vec<u8>,
    summary: Summary,
    /// The recorded deadline, which the engine states with the next input.
    deadline: Option<(Place, String)>,
    before: VecDeque<String>,
}

/// What the engine's recorder wrote and the recording has not been seen to have.
#[derive(Debug, Default)]
struct Written(VecDeque<String>);

impl Sink for Written {
    fn line(&mut self, line: &str) {
        self.0.push_back(line.trim_end_matches('\n').to_owned());
    }
}

/// What a recorded output asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Transmit,
    Event,
    Answer,
    Deadline,
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
        let mask = reader.header().mask;
        let input = match reader.next_line()? {
            Some(line) => Input::parse(line.text),
            None => return Err(reader.error(1, "the recording ends before its start")),
        };
        let input = input.map_err(|error| reader.line_error(&error))?;
        let Some((now, Input::Start(start))) = input else {
            return Err(reader.error(1, "the second line of a recording is its start"));
        };
        let Start {
            config,
            session,
            seed,
        } = *start;
        let mut engine = Recorder::new(config, session, seed, now, mask, Written::default());
        if let Some(Written(lines)) = engine.sink_mut() {
            // Its header and start are what was just read.
            lines.clear();
        }
        Ok(Replay {
            reader,
            engine,
            buffer: Vec::new(),
            summary: Summary {
                inputs: 1,
                from: now,
                until: now,
                ..Summary::default()
            },
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

    /// Replays one more line; `None` behind the last one.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: the line cannot be read.
    pub fn next_step(&mut self) -> Result<Option<Option<Divergence>>, ReadError> {
        let Some(line) = self.reader.next_line()? else {
            return Ok(None);
        };
        let text = line.text.to_owned();
        let input = Input::parse(&text).map_err(|error| self.reader.line_error(&error))?;
        let divergence = match input {
            Some((now, input)) => self.input(now, &input, &text),
            None => match read_output(&text) {
                None => return Err(self.reader.error(1, "there is no such output")),
                Some((at, output)) => self.output(at, output, &text),
            },
        };
        if self.before.len() == KEPT_LINES {
            self.before.pop_front();
        }
        self.before.push_back(text);
        Ok(Some(divergence))
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

    /// The recording that is read.
    #[must_use]
    pub fn reader(&self) -> &Reader<'a> {
        &self.reader
    }

    fn input(&mut self, now: Instant, input: &Input, text: &str) -> Option<Divergence> {
        if self.engine.has_output() && !is_pending(text) {
            let found = self.poll_unexpected();
            return self.diverged(Some(text), found);
        }
        self.summary.inputs += 1;
        self.summary.until = self.summary.until.max(now);
        match input {
            Input::Start(_) => return self.diverged(Some(text), None),
            Input::End => {
                self.summary.ended = true;
                input.apply(now, &mut self.engine);
            }
            _ => input.apply(now, &mut self.engine),
        }
        // What the engine says of its deadline comes with the input.
        let states = |line: &String| matches!(read_output(line), Some((_, Output::Deadline)));
        let stated = if self.written().is_some_and(states) {
            self.take_written()
        } else {
            None
        };
        if let Some(divergence) = self.compare_deadline(stated) {
            return Some(divergence);
        }
        match self.take_written() {
            Some(written) if same(text, &written) => None,
            written => self.diverged(Some(text), written),
        }
    }

    fn compare_deadline(&mut self, stated: Option<String>) -> Option<Divergence> {
        match (self.deadline.take(), stated) {
            (None, None) => None,
            (Some((_, expected)), Some(stated)) if same(&expected, &stated) => {
                self.summary.outputs += 1;
                None
            }
            (Some((place, expected)), stated) => {
                let mut divergence = self.diverged(Some(&expected), stated)?;
                divergence.place = place;
                // It was read before the input that showed it.
                divergence.step -= 1;
                Some(divergence)
            }
            (None, stated) => {
                let mut divergence = self.diverged(None, stated)?;
                divergence.step -= 1;
                Some(divergence)
            }
        }
    }

    fn output(&mut self, at: Instant, output: Output, text: &str) -> Option<Divergence> {
        self.summary.until = self.summary.until.max(at);
        match output {
            Output::Deadline => {
                self.deadline = Some((self.reader.place(), text.to_owned()));
                return None;
            }
            Output::Transmit => {
                self.buffer.clear();
                self.engine.poll_transmit(at, &mut self.buffer);
            }
            Output::Event => drop(self.engine.poll_event()),
            Output::Answer => {}
        }
        self.summary.outputs += 1;
        match self.take_written() {
            Some(written) if same(text, &written) => None,
            // That a poll gave nothing is no output.
            written => self.diverged(
                Some(text),
                written.filter(|line| read_output(line).is_some()),
            ),
        }
    }

    /// What the engine has to give although the recording has nothing.
    fn poll_unexpected(&mut self) -> Option<String> {
        let now = self.summary.until;
        if self.engine.poll_event().is_none() {
            self.engine.poll_transmit(now, &mut self.buffer);
        }
        self.take_written()
    }

    fn written(&mut self) -> Option<&String> {
        self.engine.sink_mut()?.0.front()
    }

    fn take_written(&mut self) -> Option<String> {
        self.engine.sink_mut()?.0.pop_front()
    }

    /// Always `Some`.
    fn diverged(&self, expected: Option<&str>, found: Option<String>) -> Option<Divergence> {
        // A deadline is stated later than it was set.
        let stated = found.as_deref().or(expected).and_then(read_output);
        Some(Divergence {
            place: self.reader.place(),
            step: self.summary.inputs,
            at: stated.map_or(self.summary.until, |(at, _)| at),
            expected: expected.map(str::to_owned),
            found,
            before: self.before.iter().cloned().collect(),
        })
    }
}

/// When an output was, and what brings it about; `None` if the line is none.
fn read_output(line: &str) -> Option<(Instant, Output)> {
    #[derive(Deserialize)]
    struct Fields<'a> {
        at: u64,
        #[serde(borrow)]
        out: Cow<'a, str>,
    }
    let fields: Fields<'_> = serde_json::from_str(line).ok()?;
    let output = match &*fields.out {
        "connect" | "close" | "packet" => Output::Transmit,
        "event" => Output::Event,
        "accepted" | "refused" => Output::Answer,
        "deadline" => Output::Deadline,
        _ => return None,
    };
    Some((Instant::from_micros(fields.at), output))
}

/// Whether output waited when this input came.
fn is_pending(input: &str) -> bool {
    let mut compact = Vec::with_capacity(input.len());
    restyle(input, JsonStyle::Compact, &mut compact);
    compact.ends_with(br#""pending":true}"#)
}

/// Whether two lines are the same but for white space between their parts.
fn same(expected: &str, found: &str) -> bool {
    if expected == found {
        return true;
    }
    let mut compact = Vec::with_capacity(expected.len());
    restyle(expected, JsonStyle::Compact, &mut compact);
    compact == found.as_bytes()
}
