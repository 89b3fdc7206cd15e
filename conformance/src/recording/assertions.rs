//! Recorded sessions in tests: see [`replay`].

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use super::Summary;
use super::convergence::{Convergence, ConvergenceError, converge};
use super::divergence::Divergence;
use super::error::ReadError;
use super::files::Files;
use super::reader::{Part, Reader};
use super::replay::Replay;

/// A recorded session, for a test: the file of a recording, or of its first part when the others
/// lie beside it. A relative path begins where the test runs, which under cargo is the root of the
/// test's package.
///
/// Nothing is read before it is asked something.
///
/// ```
/// // It does today what it did when it was recorded, bit for bit.
/// conformance::replay("fixtures/recordings/lamp.jsonl").assert_same();
/// // Whatever it does today, it and the cloud agree in the end.
/// conformance::replay("fixtures/recordings/lamp.jsonl").assert_converges();
/// ```
pub fn replay(path: impl AsRef<Path>) -> RecordedSession<'static> {
    RecordedSession {
        source: Source::Files(path.as_ref().to_owned()),
    }
}

/// A recorded session whose text is in the test itself; `name` stands for a file's in what is said
/// of it. `shadowctl replay FILE --to-test` writes tests with it.
///
/// ```
/// # use shadow_core::recording::{Mask, Recorder};
/// # use shadow_core::{Config, Instant, Session};
/// # let config = Config::plain("sensor-1");
/// # let engine = Recorder::new(
/// #     config, Session::new(), 7, Instant::ZERO, Mask::default(), String::new());
/// # let text = &engine.finish().1.unwrap();
/// conformance::replay_text("sensor", text).assert_same();
/// ```
pub fn replay_text<'a>(name: &'a str, text: impl Into<Cow<'a, str>>) -> RecordedSession<'a> {
    RecordedSession {
        source: Source::Text {
            name,
            text: text.into(),
        },
    }
}

/// A recorded session that a test asks something: see [`replay`] and [`replay_text`].
#[derive(Clone, Debug)]
#[must_use = "it is replayed when it is asked something"]
pub struct RecordedSession<'a> {
    source: Source<'a>,
}

#[derive(Clone, Debug)]
enum Source<'a> {
    Files(PathBuf),
    Text { name: &'a str, text: Cow<'a, str> },
}

/// Why a replay is not the same as the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayError {
    /// The recording cannot be read.
    Read(ReadError),
    /// The engine does something else.
    Diverged(Box<Divergence>),
}

impl From<ReadError> for ReplayError {
    fn from(error: ReadError) -> ReplayError {
        ReplayError::Read(error)
    }
}

/// What [`ReadError`] or [`Divergence`] say.
impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayError::Read(error) => error.fmt(f),
            ReplayError::Diverged(divergence) => divergence.fmt(f),
        }
    }
}

impl std::error::Error for ReplayError {}

impl RecordedSession<'_> {
    /// Replays it: the engine has to do what was recorded, bit for bit.
    ///
    /// # Panics
    ///
    /// When it does something else: with all that the [`Divergence`] tells. When the recording
    /// cannot be read, or has no output to compare: with the file, the line and the column.
    #[track_caller]
    #[expect(clippy::panic, reason = "that is how a test fails")]
    pub fn assert_same(&self) -> Summary {
        match self.same() {
            Ok(summary) => summary,
            Err(error) => panic!("{error}"),
        }
    }

    /// Has the recorded inputs go into this version of the engine, and then gives it a link to a
    /// model of the cloud that holds what the recording last showed: after that both have to agree.
    ///
    /// The engine need not do what was recorded. To agree means that the cloud has every value that
    /// the device last reported, and the device knows it; that the application was told of every value
    /// that is desired and not reported; and that no request is open. One that was closed begins
    /// again with the session it left. Time is virtual.
    ///
    /// # Panics
    ///
    /// When they do not: with what is not as it should be. When the recording cannot be read.
    #[track_caller]
    #[expect(clippy::panic, reason = "that is how a test fails")]
    pub fn assert_converges(&self) -> Convergence {
        match self.converges() {
            Ok(convergence) => convergence,
            Err(error) => panic!("{error}"),
        }
    }

    /// As [`assert_same`](Self::assert_same), without a panic.
    ///
    /// # Errors
    ///
    /// [`ReplayError`].
    pub fn same(&self) -> Result<Summary, ReplayError> {
        let mut replay = Replay::new(self.open()?)?;
        match replay.run()? {
            // What compares nothing would pass whatever the engine does.
            None if replay.summary().outputs == 0 => {
                let reader = replay.reader();
                Err(reader.error(1, "there is nothing to compare in it").into())
            }
            None => Ok(replay.summary()),
            Some(divergence) => Err(ReplayError::Diverged(Box::new(divergence))),
        }
    }

    /// As [`assert_converges`](Self::assert_converges), without a panic.
    ///
    /// # Errors
    ///
    /// [`ConvergenceError`].
    pub fn converges(&self) -> Result<Convergence, ConvergenceError> {
        converge(self.open()?)
    }

    fn open(&self) -> Result<Reader<'_>, ReadError> {
        match &self.source {
            Source::Files(path) => Files::beginning_with(path).open(),
            Source::Text { name, text } => Reader::new(vec![Part::of_text(name, text)]),
        }
    }
}
