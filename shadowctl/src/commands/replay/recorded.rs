//! Recordings, replayed at once or in their own time, or written as tests.

use std::cell::Cell;
use std::fmt;
use std::slice;
use std::time::Duration;

use conformance::recording::{Divergence, Moment, Reader, Replay, Summary, Walk, regression_test};
use serde::Serialize;
use shadow_core::Instant;
use shadow_core::recording::Header;
use transport_tcp::{Clock, SystemClock};

use crate::arguments::ReplayArguments;
use crate::count::Count;
use crate::document::{Foreign, Printable};
use crate::failure::Failure;
use crate::output::{ERROR, FAINT, GOOD, Output};
use crate::session_file::{self, Source, no_recording, parts_of, recording_files};

/// Replays as fast as it goes.
pub(super) fn run(
    arguments: &ReplayArguments,
    sources: Vec<Source>,
    output: &mut Output,
) -> Result<(), Failure> {
    let clock = SystemClock::new();
    let begun = clock.now();
    let reader = Reader::new(parts_of(sources)?).map_err(|error| no_recording(&error))?;
    let mut replay = Replay::new(reader).map_err(|error| no_recording(&error))?;
    let end = arguments.until.map(|until| replay.summary().from + until);
    let mut divergence = None;
    while end.is_none_or(|end| replay.summary().until <= end) {
        match replay.next_step().map_err(|error| no_recording(&error))? {
            None => break,
            Some(None) => {}
            Some(found) => {
                divergence = found;
                break;
            }
        }
    }
    let took = clock.now().saturating_since(begun);
    let (reader, summary) = (replay.reader(), replay.summary());
    finish(
        &Replayed::of(arguments, reader, summary, took, divergence),
        output,
    )
}

/// Replays in the recording's own time and prints each line in words.
pub(super) fn watch(
    arguments: &ReplayArguments,
    sources: Vec<Source>,
    output: &mut Output,
) -> Result<(), Failure> {
    let clock = SystemClock::new();
    let begun = clock.now();
    let files = recording_files(&arguments.files);
    // It goes forward only, and so opens it once.
    let parts = Cell::new(Some(parts_of(sources)?));
    let open = || match parts.take() {
        Some(parts) => Reader::new(parts),
        None => files.open(),
    };
    let mut walk = Walk::new(open).map_err(|error| no_recording(&error))?;
    let start = walk.summary().from;
    let quiet_until = start + arguments.from.unwrap_or_default();
    let end = arguments.until.map(|until| start + until);
    let mut divergence = None;
    // When the line that is told without a wait was told, and its own time.
    let mut first: Option<(Instant, Instant)> = None;
    while let Some(moment) = walk.forward().map_err(|error| no_recording(&error))? {
        if end.is_some_and(|end| moment.at > end) {
            break;
        }
        if moment.at >= quiet_until {
            let (told, at) = *first.get_or_insert((clock.now(), moment.at));
            let due = told + moment.at.saturating_since(at);
            smol::block_on(clock.sleep_until(due));
            output.result(&Told(moment))?;
        }
        if let Some(found) = &moment.divergence {
            divergence = Some((**found).clone());
            break;
        }
    }
    let took = clock.now().saturating_since(begun);
    finish(
        &Replayed::of(arguments, walk.reader(), walk.summary(), took, divergence),
        output,
    )
}

/// Writes the recording as a Rust test.
pub(super) fn write_test(arguments: &ReplayArguments, output: &mut Output) -> Result<(), Failure> {
    let files = recording_files(&arguments.files);
    let first = files.paths().first().and_then(|path| path.file_stem());
    let name = first.unwrap_or_default().to_string_lossy().into_owned();
    let open = || files.open().map_err(|error| no_recording(&error));
    let mut replay = Replay::new(open()?).map_err(|error| no_recording(&error))?;
    if let Some(divergence) = replay.run().map_err(|error| no_recording(&error))? {
        output.remark(format_args!(
            "the test fails with this version: the engine {}",
            divergence.sentence()
        ));
    }
    let test = regression_test(&name, open()?).map_err(|error| no_recording(&error))?;
    match &arguments.to_file {
        None => output.lines(&test),
        Some(path) => {
            let read = session_file::read_files(&arguments.files);
            session_file::refuse_to_replace(slice::from_ref(path), &read)?;
            session_file::write(path, test.as_bytes())
        }
    }
}

fn finish(replayed: &Replayed, output: &mut Output) -> Result<(), Failure> {
    output.result(replayed)?;
    match &replayed.divergence {
        None => Ok(()),
        Some(divergence) => {
            let (place, sentence) = (&divergence.place, divergence.sentence());
            Err(Failure::operation(format_args!(
                "{}:{}: the replay differs: the engine {sentence}",
                place.file, place.line
            )))
        }
    }
}

/// A line that was told, and where the engine does something else what.
#[derive(Serialize)]
#[serde(transparent)]
struct Told<'a>(&'a Moment);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(&self.0.to_string()).fmt(f)
    }
}

/// What a replay came to.
#[derive(Serialize)]
struct Replayed {
    /// Whether the engine did what was recorded.
    same: bool,
    file: String,
    /// The version of the engine that was recorded, and of this one.
    recorded_by: String,
    replayed_by: String,
    masked: String,
    /// Virtual time, in microseconds.
    virtual_micros: u64,
    /// Real time, in microseconds.
    took_micros: u64,
    #[serde(flatten)]
    summary: Summary,
    /// Bytes of a torn last line, which did not count.
    torn: Option<u64>,
    divergence: Option<Divergence>,
}

impl Replayed {
    fn of(
        arguments: &ReplayArguments,
        reader: &Reader<'_>,
        summary: Summary,
        took: Duration,
        divergence: Option<Divergence>,
    ) -> Replayed {
        // All parts are named after it.
        let first = arguments.files.first();
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Replayed {
            same: divergence.is_none(),
            file: first.map_or_else(String::new, |path| path.display().to_string()),
            recorded_by: reader.header().engine.clone(),
            replayed_by: Header::default().engine,
            masked: reader.header().mask.to_string(),
            virtual_micros: micros(summary.until.saturating_since(summary.from)),
            took_micros: micros(took),
            summary,
            torn: reader.torn(),
            divergence,
        }
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(divergence) = &self.divergence {
            write!(f, "{}", Foreign(divergence))?;
        }
        let Summary {
            inputs,
            outputs,
            connections,
            exchanges,
            ended,
            ..
        } = self.summary;
        let file = Printable(&self.file);
        match self.same {
            true => writeln!(f, "{GOOD}the same as recorded{GOOD:#}: {file}")?,
            false => writeln!(f, "{ERROR}not as recorded{ERROR:#}: {file}")?,
        }
        writeln!(
            f,
            "  engine   {}, recorded by {}; masked: {}",
            self.replayed_by,
            Printable(&self.recorded_by),
            self.masked
        )?;
        let seconds = |micros: u64| Duration::from_micros(micros).as_secs_f64();
        writeln!(
            f,
            "  time     {:.6} s in {:.3} s",
            seconds(self.virtual_micros),
            seconds(self.took_micros)
        )?;
        write!(
            f,
            "  replayed {}, {}; {}, {}",
            Count(inputs, "input"),
            Count(outputs, "output"),
            Count(connections, "attempt to connect"),
            Count(exchanges, "exchange")
        )?;
        if let Some(torn) = self.torn {
            let torn = Count(torn, "byte");
            write!(
                f,
                "\n  {FAINT}the last line is torn, and left out: {torn}{FAINT:#}"
            )?;
        } else if self.same && !ended {
            write!(
                f,
                "\n  {FAINT}the end of the engine was not reached{FAINT:#}"
            )?;
        }
        Ok(())
    }
}
