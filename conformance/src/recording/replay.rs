//! Runs a recording through an engine.

use std::collections::VecDeque;

use serde::{Serialize, Serializer};
use shadow_core::recording::{Input, Recorder, Sink, Start};
use shadow_core::{Engine, Instant};

use super::divergence::Divergence;
use super::error::ReadError;
use super::output::{Output, is_pending, is_request, read_output, same, without_id};
use super::reader::{Place, Reader};

/// How many lines before a divergence are kept to be shown.
const KEPT_LINES: usize = 12;

/// What a replay has seen so far.
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
    /// The line that is being replayed.
    line: String,
    /// Lines that were read to see what follows a divergence, and where they are.
    ahead: VecDeque<Result<(Place, String), ReadError>>,
    /// Where the line is that is being replayed, if it was among those.
    ahead_place: Option<Place>,
    /// The recorded deadline, which the engine states with the next input.
    deadline: Option<(Place, String)>,
    before: VecDeque<String>,
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
        if let Some(written) = engine.sink_mut() {
            // Its header and start are what was just read.
            written.clear();
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

    fn replay_line(&mut self, text: &str) -> Result<Option<Divergence>, ReadError> {
        match Input::parse(text) {
            Ok(Some((now, input))) => Ok(self.input(now, &input, text)),
            Ok(None) => match read_output(text) {
                None => Err(self.error(1, "there is no such output")),
                Some((at, output)) => Ok(self.output(at, output, text)),
            },
            Err(error) => Err(self.error(error.column(), error.what())),
        }
    }

    /// An error at the line that is being replayed.
    fn error(&self, column: usize, what: &str) -> ReadError {
        let Place { file, line } = self.place();
        ReadError {
            file,
            line,
            column,
            what: what.to_owned(),
        }
    }

    fn input(&mut self, now: Instant, input: &Input, text: &str) -> Option<Divergence> {
        let mut surplus = None;
        if self.engine.has_output() && !is_pending(text) {
            let found = self.poll_unexpected();
            surplus = self.diverged(Some(text), found);
            // Behind a divergence the engine goes on with what was recorded.
            while self.poll_unexpected().is_some() {}
            self.deadline = None;
        }
        let divergence = self.apply(now, input, text);
        if let Some(divergence) = surplus.or(divergence) {
            if let Some(written) = self.engine.sink_mut() {
                written.clear();
            }
            return Some(divergence);
        }
        None
    }

    fn apply(&mut self, now: Instant, input: &Input, text: &str) -> Option<Divergence> {
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
        // What the engine says of its deadline comes with the input, and was before it.
        if let Some(divergence) = self.compare_deadline() {
            return Some(Divergence {
                step: divergence.step - 1,
                ..divergence
            });
        }
        match self.compare(text) {
            Ok(()) => None,
            Err(written) => self.diverged(Some(text), written),
        }
    }

    /// Compares what the engine says of its deadline, if it says something, with what is recorded.
    fn compare_deadline(&mut self) -> Option<Divergence> {
        let states = |line: &str| matches!(read_output(line), Some((_, Output::Deadline)));
        let stated = self.front().is_some_and(states);
        match self.deadline.take() {
            None if !stated => None,
            None => {
                let stated = self.take_front();
                self.diverged(None, stated)
            }
            Some((place, expected)) => {
                let compared = match stated {
                    true => self.compare(&expected),
                    false => Err(None),
                };
                let stated = match compared {
                    Ok(()) => {
                        self.summary.outputs += 1;
                        return None;
                    }
                    Err(stated) => stated,
                };
                let divergence = self.diverged(Some(&expected), stated);
                divergence.map(|divergence| Divergence {
                    place,
                    ..divergence
                })
            }
        }
    }

    fn output(&mut self, at: Instant, output: Output, text: &str) -> Option<Divergence> {
        self.summary.until = self.summary.until.max(at);
        match output {
            Output::Deadline => {
                self.deadline = Some((self.place(), text.to_owned()));
                return None;
            }
            Output::Connect | Output::Close | Output::Packet => {
                self.buffer.clear();
                self.engine.poll_transmit(at, &mut self.buffer);
                // A poll that makes room says what deadline was in force until then.
                if let Some(divergence) = self.compare_deadline() {
                    return Some(divergence);
                }
            }
            Output::Event => drop(self.engine.poll_event()),
            Output::Answer => {}
        }
        self.summary.outputs += 1;
        self.summary.connections += u64::from(output == Output::Connect);
        self.summary.exchanges += u64::from(output == Output::Packet && is_request(text));
        match self.compare(text) {
            Ok(()) => None,
            Err(written) => {
                // That a poll gave nothing is no output. Then it may have something else to say.
                let is_output = |line: &String| read_output(line).is_some();
                let found = written.filter(is_output).or_else(|| self.poll_unexpected());
                self.diverged(Some(text), found)
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
        let is_output = |line: &String| read_output(line).is_some();
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

    /// Always `Some`.
    fn diverged(&mut self, expected: Option<&str>, found: Option<String>) -> Option<Divergence> {
        let place = self.place();
        // A deadline is stated later than it was set.
        let stated = found.as_deref().or(expected).and_then(read_output);
        let at = stated.map_or(self.summary.until, |(at, _)| at);
        let reordered = match (expected, &found) {
            (Some(expected), Some(found)) => self.is_reordered(expected, found),
            _ => false,
        };
        Some(Divergence {
            place,
            step: self.summary.inputs,
            at,
            expected: expected.map(str::to_owned),
            found,
            before: self.before.iter().cloned().collect(),
            reordered,
        })
    }

    /// Whether the packets that the engine sends in this step are those of the recording.
    fn is_reordered(&mut self, expected: &str, found: &str) -> bool {
        let is_packet = |line: &str| matches!(read_output(line), Some((_, Output::Packet)));
        if !is_packet(expected) || !is_packet(found) {
            return false;
        }
        let mut recorded = vec![without_id(expected)];
        while self.ahead.len() < MOST_AHEAD {
            let line = match self.reader.next_line() {
                Ok(Some(line)) => line.text.to_owned(),
                Ok(None) => break,
                Err(error) => {
                    self.ahead.push_back(Err(error));
                    break;
                }
            };
            let goes_on = read_output(&line).is_some();
            if is_packet(&line) {
                recorded.push(without_id(&line));
            }
            self.ahead.push_back(Ok((self.reader.place(), line)));
            if !goes_on {
                break;
            }
        }
        while recorded.len() < MOST_AHEAD
            && self
                .engine
                .poll_transmit(self.summary.until, &mut self.buffer)
                .is_some()
        {
            self.buffer.clear();
        }
        let mut sent = vec![without_id(found)];
        if let Some(written) = self.engine.sink_mut() {
            sent.extend(
                written
                    .lines()
                    .filter(|line| is_packet(line))
                    .map(without_id),
            );
        }
        recorded.sort();
        sent.sort();
        recorded.len() > 1 && recorded == sent
    }
}

/// How far a replay looks ahead after a divergence, in lines.
const MOST_AHEAD: usize = 64;

fn micros<S: Serializer>(instant: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(instant.as_micros())
}
