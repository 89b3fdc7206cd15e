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
    let mut best = vec![f64::INFINITY; works.len()];
    let runs: Vec<u32> = works
        .iter_mut()
        .map(|(_, work)| fill_turn(work.as_mut()))
        .collect();
    let mut clock = f64::INFINITY;
    for _ in 0..TURNS {
        for (((_, work), runs), best) in works.iter_mut().zip(&runs).zip(&mut best) {
            let batch = work.batch();
            *best = best.min(turn(work.as_mut(), batch, *runs));
        }
        clock = clock.min(turn(&mut Nothing, 1, 1_000));
    }
    let alone = |work: &dyn Work, taken: f64| match work.batch() {
        1 => (taken - clock).max(0.0),
        _ => taken,
    };
    let each = works.iter().zip(&best);
    each.map(|((name, work), taken)| (*name, alone(work.as_ref(), *taken)))
        .collect()
}

/// How many runs fill a turn.
fn fill_turn(work: &mut dyn Work) -> u32 {
    let batch = work.batch();
    let one = turn(work, batch, 64).max(1.0);
    let runs = TURN.as_nanos() as f64 / one;
    (runs as u32).clamp(8, 100_000)
}

/// Nanoseconds of one run, the mean of so many.
///
/// The clock is read around each batch. What that takes matters where each run is a batch of its
/// own, and is measured by [`Nothing`].
fn turn(work: &mut dyn Work, batch: u32, runs: u32) -> f64 {
    let mut taken = Duration::ZERO;
    let mut left = runs;
    while left > 0 {
        let together = left.min(batch);
        work.prepare();
        let start = Instant::now();
        for _ in 0..together {
            counted_run(black_box(work));
        }
        taken += start.elapsed();
        left -= together;
    }
    taken.as_nanos() as f64 / f64::from(runs)
}
