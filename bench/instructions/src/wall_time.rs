//! How long operations take, ours and the peers' in turn.
//!
//! All subjects of an operation are measured in one process, in turns of a few hundred
//! microseconds, and the best turn of each counts: what else the machine does falls on all of them
//! alike, and the best turn is the one that it left alone. Only the ratios are worth much.

use std::error::Error;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::callgrind::repeater;
use crate::operation::Operation;
use crate::subjects::able;
use crate::work::{Nothing, Work, counted_run};

/// How many turns each subject gets.
const TURNS: u32 = 60;
/// How long a turn is about.
const TURN: Duration = Duration::from_micros(400);

/// The nanoseconds of one run, by the subjects' names, measured by the program `operation`, which
/// has no allocator that counts.
///
/// # Errors
/// What goes wrong with that program.
pub fn ask(operation: Operation) -> Result<Vec<(String, f64)>, Box<dyn Error>> {
    let output = Command::new(repeater())
        .args(["time", operation.name()])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Measures here.
#[must_use]
pub fn take(operation: Operation) -> Vec<(&'static str, f64)> {
    let mut works: Vec<_> = able(operation)
        .map(|(subject, work)| (subject.name, work))
        .collect();
    // For each, the best turn, and the best turn of nothing at all in the same rhythm.
    let mut best = vec![(f64::INFINITY, f64::INFINITY); works.len()];
    let turns: Vec<u32> = works
        .iter_mut()
        .map(|(_, work)| turn_length(work.as_mut()))
        .collect();
    for _ in 0..TURNS {
        for (((_, work), runs), (taken, empty)) in works.iter_mut().zip(&turns).zip(&mut best) {
            let batch = work.batch();
            *taken = taken.min(turn(work.as_mut(), batch, *runs));
            *empty = empty.min(turn(&mut Nothing, batch, *runs));
        }
    }
    let each = best.iter().map(|(taken, empty)| (taken - empty).max(0.0));
    works.iter().map(|(name, _)| *name).zip(each).collect()
}

/// How many runs fill a turn.
fn turn_length(work: &mut dyn Work) -> u32 {
    let batch = work.batch();
    let one = turn(work, batch, 16).max(1.0);
    let runs = TURN.as_nanos() as f64 / one;
    (runs as u32).clamp(8, 100_000)
}

/// Nanoseconds of one run: the mean, or where each run is prepared and so timed alone, the median.
fn turn(work: &mut dyn Work, batch: u32, runs: u32) -> f64 {
    if batch >= runs {
        work.prepare();
        let start = Instant::now();
        for _ in 0..runs {
            counted_run(black_box(work));
        }
        return start.elapsed().as_nanos() as f64 / f64::from(runs);
    }
    let mut times = Vec::new();
    for _ in 0..runs {
        work.prepare();
        let start = Instant::now();
        counted_run(black_box(work));
        times.push(start.elapsed().as_nanos());
    }
    times.sort_unstable();
    times
        .get(times.len() / 2)
        .map_or(0.0, |median| *median as f64)
}
