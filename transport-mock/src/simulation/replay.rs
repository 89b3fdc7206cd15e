//! Whether a recording of an engine is the whole truth about it: the engine, given what went in
//! again, gives again what came out.

use std::fmt;

use serde::Deserialize;
use shadow_core::Instant;
use shadow_core::recording::{Header, Input, Recorder};

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
    let lines: Vec<&str> = recording.get(..whole).unwrap_or_default().lines().collect();
    let replayed = run(&lines)?;
    let mut again = replayed.lines();
    for (number, line) in (1..).zip(&lines) {
        let found = again.next();
        // A deadline is written with what comes next, which may have been torn off.
        let torn = number == lines.len() && line.contains(r#","out":"deadline","#);
        if found != Some(line) && !(found.is_none() && torn) {
            return Err(diverges(number, line, found.unwrap_or("nothing")));
        }
    }
    match again.next() {
        // So may the answer to the last request.
        Some(line) if !line.contains(r#","out":"accepted""#) && !line.contains(REFUSED) => {
            Err(diverges(lines.len() + 1, "nothing", line))
        }
        _ => Ok(()),
    }
}

const REFUSED: &str = r#","out":"refused""#;

fn diverges(line: usize, recorded: &str, replayed: &str) -> Divergence {
    let what = format!("recorded {recorded}\n    replayed {replayed}");
    Divergence { line, what }
}

/// An output, as far as it says what to poll.
#[derive(Deserialize)]
struct Output<'a> {
    at: u64,
    #[serde(borrow)]
    out: &'a str,
}

/// What a new engine is recorded doing when it is driven as that of these lines was.
fn run(lines: &[&str]) -> Result<String, Divergence> {
    let unread = |line, what: &dyn fmt::Display| Divergence {
        line,
        what: what.to_string(),
    };
    let mut numbered = (1..).zip(lines);
    let (number, line) = numbered
        .next()
        .ok_or_else(|| unread(1, &"there is no header"))?;
    let header = Header::parse(line).map_err(|error| unread(number, &error))?;
    let (number, line) = numbered
        .next()
        .ok_or_else(|| unread(2, &"there is no start"))?;
    let start = Input::parse(line).map_err(|error| unread(number, &error))?;
    let Some((at, Input::Start(start))) = start else {
        return Err(unread(number, &"this is not the start"));
    };
    let mut engine = Recorder::new(
        start.config,
        start.session,
        start.seed,
        at,
        header.mask,
        String::new(),
    );
    let mut buffer = Vec::new();
    for (number, line) in numbered {
        match Input::parse(line).map_err(|error| unread(number, &error))? {
            Some((_, Input::Start(_))) => return Err(unread(number, &"it starts again")),
            Some((_, Input::End)) => return Ok(engine.finish().1.unwrap_or_default()),
            Some((now, input)) => input.apply(now, &mut engine),
            None => {
                let output: Output<'_> =
                    serde_json::from_str(line).map_err(|error| unread(number, &error))?;
                match output.out {
                    "event" => drop(engine.poll_event()),
                    "packet" | "connect" | "close" => {
                        buffer.clear();
                        engine.poll_transmit(Instant::from_micros(output.at), &mut buffer);
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(engine.sink_mut().map(std::mem::take).unwrap_or_default())
}
