//! Plays random scripts on all cores and prints a table of what was met.
//!
//! ```text
//! cargo run --release -p transport-mock --example simulate -- --schedules 100000 --seed 1
//! cargo run --release -p transport-mock --example simulate -- --minutes 120 --seed 7
//! cargo run --release -p transport-mock --example simulate -- --replay script.json
//! cargo run --release -p transport-mock --example simulate -- --replay script.json --record out
//! ```
//!
//! A script in which something does not hold is printed, made as small as it gets, printed again
//! with its trace, and kept as a file, and the exit status is 1. `--seed` is the first script's;
//! each further one has the next. One script in sixteen is recorded, and its recordings are replayed.
//! `--record` writes those of a script into a directory: `out/device0-0.jsonl` is what the first
//! device's engine did until its power was cut for the first time.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use transport_mock::simulation::fault::FaultKind;
use transport_mock::simulation::script::Script;
use transport_mock::simulation::{Recording, Tally, record};
use transport_mock::strategies::{random_script, shrink_script};

#[path = "../tests/simulation/strategy.rs"]
mod strategy;

use strategy::attempt;

/// How many schedules must have been played for every kind of fault to have met something.
const ENOUGH: u64 = 20_000;

struct Arguments {
    schedules: u64,
    seed: u64,
    minutes: Option<u64>,
    replay: Option<PathBuf>,
    record: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    if let Some(path) = arguments.replay {
        return replay(&path, arguments.record.as_deref());
    }
    std::panic::set_hook(Box::new(|_| {}));
    let begin = clock();
    let (tally, failed) = run(&arguments);
    println!("{:<34}{:>14}", "seed of the first", arguments.seed);
    print!("{tally}");
    println!(
        "{:<34}{:>14.1}",
        "wall seconds",
        begin.elapsed().as_secs_f64()
    );
    if let Some((script, why)) = failed {
        return fail(script, &why);
    }
    let missing: Vec<&str> = tally
        .faults
        .iter()
        .filter(|(_, count)| *count == 0)
        .map(|(kind, _): (FaultKind, u64)| kind.name())
        .collect();
    if tally.schedules >= ENOUGH && !missing.is_empty() {
        eprintln!("faults that never took effect: {}", missing.join(", "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long it all took is told, and decides nothing but when to stop"
)]
fn clock() -> Instant {
    Instant::now()
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments {
        schedules: 10_000,
        seed: 1,
        minutes: None,
        replay: None,
        record: None,
    };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or(format!("{name} wants a value"))?;
        let number = || {
            value
                .parse::<u64>()
                .map_err(|error| format!("{name}: {error}"))
        };
        match name.as_str() {
            "--schedules" => arguments.schedules = number()?,
            "--seed" => arguments.seed = number()?,
            "--minutes" => arguments.minutes = Some(number()?),
            "--replay" => arguments.replay = Some(value.into()),
            "--record" => arguments.record = Some(value.into()),
            _ => return Err(format!("{name} is not known")),
        }
    }
    if arguments.record.is_some() && arguments.replay.is_none() {
        return Err("--record wants the script to record: --replay".into());
    }
    Ok(arguments)
}

/// Plays until as many are done as wanted or the time is over, or one fails.
fn run(arguments: &Arguments) -> (Tally, Option<(Script, String)>) {
    let end = arguments
        .minutes
        .map(|minutes| clock() + Duration::from_secs(minutes * 60));
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let results = Mutex::new((Tally::default(), None));
    let work = || {
        let mut tally = Tally::default();
        let mut failed = None;
        while !stop.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let over = match end {
                Some(end) => clock() >= end,
                None => number >= arguments.schedules,
            };
            if over {
                break;
            }
            let script = random_script(arguments.seed.wrapping_add(number));
            match attempt(&script, false) {
                Ok(one) => tally.add(&one),
                Err(why) => {
                    stop.store(true, Ordering::Relaxed);
                    failed = Some((script, why));
                }
            }
        }
        if let Ok(mut results) = results.lock() {
            results.0.add(&tally);
            results.1 = results.1.take().or(failed);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    results.into_inner().unwrap_or_default()
}

fn fail(script: Script, why: &str) -> ExitCode {
    let seed = script.seed;
    println!("\nseed {seed} fails: {why}\n{}", json(&script));
    let (smallest, why) = shrink_script(script, |script| attempt(script, false).map(drop));
    let traced = attempt(&smallest, true).err().unwrap_or(why);
    println!("\nmade small:\n{}\n{traced}", json(&smallest));
    let path = format!("simulation-failure-{seed}.json");
    match std::fs::write(&path, json(&smallest) + "\n") {
        Ok(()) => println!("kept as {path}"),
        Err(error) => eprintln!("{path}: {error}"),
    }
    ExitCode::FAILURE
}

fn replay(path: &Path, recordings: Option<&Path>) -> ExitCode {
    let script = std::fs::read_to_string(path).map_err(|error| error.to_string());
    let script = script
        .and_then(|text| serde_json::from_str::<Script>(&text).map_err(|error| error.to_string()));
    let script = match script {
        Ok(script) => script,
        Err(why) => {
            eprintln!("{}: {why}", path.display());
            return ExitCode::from(2);
        }
    };
    if let Some(directory) = recordings
        && let Err(error) = write_recordings(&script, directory)
    {
        eprintln!("{}: {error}", directory.display());
        return ExitCode::from(2);
    }
    match attempt(&script, true) {
        Ok(tally) => {
            print!("{tally}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn write_recordings(script: &Script, directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for Recording { device, boot, text } in record(script) {
        let name = format!("{}-{boot}.jsonl", device.device_name());
        std::fs::write(directory.join(name), text)?;
    }
    Ok(())
}

fn json(script: &Script) -> String {
    serde_json::to_string(script).unwrap_or_default()
}
