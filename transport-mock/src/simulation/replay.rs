//! Whether a recording of an engine is the whole truth about it: the engine, given what went in
//! again, gives again what came out.

use std::fmt;

use shadow_core::recording::{Header, LineError, Replay};

/// Where a replay differs from what was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The line of the recording, from 1.
    pub line: usize,
    /// What is wrong with it, or what came instead.
    pub what: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for Divergence {}

/// Replays a recording: its inputs go into a new engine, which is polled where the recorded one was,
/// and each line has to come out again as it was.
///
/// A last line without a line feed does not count, nor does the end of a recording that was torn off
/// before the line was whole that it belongs to. Of several parts the later headers are to be left
/// out.
///
/// ```
/// use shadow_core::recording::{Mask, Recorder};
/// use shadow_core::{Config, Instant, Session};
/// use transport_mock::simulation::replay::replay;
///
/// let (config, mask) = (Config::plain("sensor-1"), Mask::default());
/// let mut engine =
///     Recorder::new(config, Session::new(), 7, Instant::ZERO, mask, String::new());
/// engine.handle_tick(Instant::ZERO);
/// engine.poll_transmit(Instant::ZERO, &mut Vec::new());
/// let recording = engine.finish().1.unwrap();
/// assert_eq!(replay(&recording), Ok(()));
///
/// let changed = recording.replace(r#""out":"connect""#, r#""out":"close""#);
/// assert_eq!(replay(&changed).unwrap_err().line, 5);
/// ```
///
/// # Errors
///
/// [`Divergence`] for the first line that differs, cannot be read, or is out of place.
pub fn replay(recording: &str) -> Result<(), Divergence> {
    let whole = recording.rfind('\n').map_or(0, |end| end + 1);
    let mut lines = (1..).zip(recording.get(..whole).unwrap_or_default().lines());
    let mut next = |what: &str| {
        lines.next().ok_or_else(|| Divergence {
            line: 1,
            what: format!("there is no {what}"),
        })
    };
    let unread = |line| {
        move |error: LineError| Divergence {
            line,
            what: error.to_string(),
        }
    };
    let (number, header) = next("header")?;
    let header = Header::parse(header).map_err(unread(number))?;
    let (number, start) = next("start")?;
    let mut replay = Replay::new(&header, start).map_err(unread(number))?;
    for (number, line) in lines {
        if let Some(mismatch) = replay.line(line).map_err(unread(number))? {
            let [recorded, replayed] = [mismatch.expected, mismatch.found]
                .map(|line| line.unwrap_or_else(|| "nothing".to_owned()));
            let what = format!("recorded {recorded}\n    replayed {replayed}");
            let line = number - usize::from(mismatch.is_earlier);
            return Err(Divergence { line, what });
        }
    }
    Ok(())
}
