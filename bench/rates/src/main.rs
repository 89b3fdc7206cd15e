//! Round trips a second in memory, and the memory of devices that wait.

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use bench::{Measurements, OURS, Row, Target};
use clap::{Parser, Subcommand};
use rates::{Alone, Exchange, Kind, drive};
use serde::Deserialize;

/// Round trips a second in memory, and the memory of devices that wait.
#[derive(Debug, Parser)]
struct Arguments {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    command: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Does so many round trips and ends: for a profiler.
    Exchange {
        /// Of what.
        kind: Kind,
        /// How many.
        count: usize,
        /// So many at a time.
        #[arg(default_value_t = 1)]
        in_flight: usize,
    },
}

/// How many round trips are timed at a time.
const COUNT: usize = 50_000;
/// The best of so many runs is told: others share the machine.
const RUNS: usize = 7;
/// How many round trips are in flight.
const IN_FLIGHT: [usize; 3] = [1, 8, 64];
const FLEETS: [usize; 4] = [100, 1_000, 10_000, 100_000];

const IN_MEMORY: &str = "engine and cloud in memory, one core";
const FLEET: &str = "fleet, idle, in memory";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rates: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if let Some(Task::Exchange {
        kind,
        count,
        in_flight,
    }) = arguments.command
    {
        Exchange::new().round_trips(kind, count, in_flight);
        return Ok(());
    }
    let mut measured = Measurements::default();
    for kind in [Kind::Get, Kind::Update] {
        rates(kind, &mut measured.rows);
        match instructions(kind) {
            Ok(count) => measured.rows.push(Row::cost(
                IN_MEMORY,
                &format!("{}, 1 in flight", name(kind)),
                "instructions",
                OURS,
                count,
            )),
            Err(error) => measured
                .skipped
                .push(format!("instructions of a round trip: {error}")),
        }
    }
    fleets(&mut measured.rows)?;
    Ok(bench::print(measured, arguments.json)?)
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Get => "get",
        Kind::Update => "update",
    }
}

fn rates(kind: Kind, rows: &mut Vec<Row>) {
    for in_flight in IN_FLIGHT {
        eprintln!("{}, {in_flight} in flight", name(kind));
        let mut exchange = Exchange::new();
        let whole = best(|| {
            let begun = now();
            let count = exchange.round_trips(kind, COUNT, in_flight);
            (count, begun.elapsed())
        });
        let mut alone = Alone::new();
        let engine = best(|| alone.round_trips(kind, COUNT, in_flight));
        let operation = format!("{}, {in_flight} in flight", name(kind));
        let row = |operation: &str, rate, target| {
            let row = Row::rate(IN_MEMORY, operation, "round trips/s", OURS, rate);
            row.with_target(Target::AtLeast(target))
        };
        rows.push(row(&operation, whole, 200_000.0));
        rows.push(row(
            &format!("{operation}, the engine alone"),
            engine,
            1_000_000.0,
        ));
    }
    let driven = best(|| {
        let begun = now();
        drive(kind, COUNT / 5);
        (COUNT / 5, begun.elapsed())
    });
    let operation = format!(
        "{}, 1 in flight, client and served cloud on smol",
        name(kind)
    );
    rows.push(Row::rate(
        IN_MEMORY,
        &operation,
        "round trips/s",
        OURS,
        driven,
    ));
}

/// The best rate of some runs, the first of which warms up.
fn best(mut run: impl FnMut() -> (usize, std::time::Duration)) -> f64 {
    let rates = (0..=RUNS).map(|_| {
        let (count, taken) = run();
        count as f64 / taken.as_secs_f64()
    });
    rates.skip(1).fold(0.0, f64::max)
}

fn now() -> Instant {
    Instant::now()
}

/// Instructions of one round trip, the model's work included: the difference between two runs that
/// differ in their number.
fn instructions(kind: Kind) -> Result<f64, Box<dyn Error>> {
    let (few, many) = (1_000, 3_000);
    let fewer = callgrind(kind, few)?;
    let more = callgrind(kind, many)?;
    Ok((more - fewer) / (many - few) as f64)
}

fn callgrind(kind: Kind, count: usize) -> Result<f64, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["exchange", name(kind), &count.to_string()])
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, collected) = collected.ok_or("valgrind has counted nothing")?;
    Ok(collected.trim().parse()?)
}

/// What a fleet takes, in bytes.
#[derive(Deserialize)]
struct Idle {
    live: f64,
    cloud: f64,
    resident: f64,
}

fn fleets(rows: &mut Vec<Row>) -> Result<(), Box<dyn Error>> {
    let program = idle_program()?;
    for size in FLEETS {
        eprintln!("{size} devices");
        let output = Command::new(&program)
            .arg(size.to_string())
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            let status = output.status;
            return Err(format!("the fleet of {size} devices ended with {status}").into());
        }
        let idle: Idle = serde_json::from_slice(&output.stdout)?;
        let operation = format!("{size} devices and the cloud");
        let row = |measure: &str, bytes: f64| {
            Row::cost(FLEET, &operation, measure, OURS, bytes / size as f64)
        };
        let resident = "resident bytes a device, without the process itself";
        let resident = row(resident, idle.resident);
        rows.extend([
            row("live bytes a device", idle.live),
            row("of these the cloud's", idle.cloud),
            resident.with_target(Target::AtMost(3_000.0)),
        ]);
    }
    Ok(())
}

/// Makes the program that holds a fleet: `cargo run` has built this one only.
fn idle_program() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "rates",
            "--bin",
            "idle",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    if !built.success() {
        return Err("the program that holds a fleet was not built".into());
    }
    Ok(std::env::current_exe()?.with_file_name("idle"))
}
