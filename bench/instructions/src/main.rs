//! Instructions, allocations and time of single operations, ours and the peers'.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;

use allocation_counter::measure;
use bench::{Machine, Measurements, OURS, Row, Target};
use clap::{Parser, Subcommand};
use instructions::baseline::{Baseline, Counts, RENEW, compare, table};
use instructions::operation::Operation;
use instructions::profile::{self, Profile};
use instructions::subjects::{able, subjects, worked_engine};
use instructions::work::{counted_run, repeat};
use instructions::{callgrind, wall_time};

/// Instructions, allocations and time of single operations, ours and the peers'.
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
    /// Compare our own counts with the committed ones; fails if they are more than 5 % worse.
    Check,
    /// Count ours and write them over the committed ones.
    Renew,
    /// Print where the instructions of one operation go.
    Profile {
        /// Its name, as in baseline.json.
        operation: String,
        /// Whose.
        #[arg(long, default_value = OURS)]
        subject: String,
        /// How many functions.
        #[arg(long, default_value_t = 20)]
        lines: usize,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether what was asked for holds.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    build()?;
    match &arguments.command {
        None => everything(arguments.json).map(|()| true),
        Some(Task::Check) => check(),
        Some(Task::Renew) => renew().map(|()| true),
        Some(Task::Profile {
            operation,
            subject,
            lines,
        }) => profile(operation, subject, *lines).map(|()| true),
    }
}

/// Makes the program that is counted, as only this one has been built so far.
fn build() -> Result<(), Box<dyn Error>> {
    if cfg!(debug_assertions) {
        return Err("only what was built with --release is worth counting".into());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--quiet", "--locked"]);
    command.args(["--package", "instructions", "--bin", "operation"]);
    if cfg!(not(feature = "peers")) {
        command.arg("--no-default-features");
    }
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    let status = command.stdout(Stdio::null()).status()?;
    match status.success() && callgrind::repeater().exists() {
        true => Ok(()),
        false => Err("the program `operation` could not be built beside this one".into()),
    }
}

/// Instructions of one run of each, by operation and subject, those of the loop taken off.
struct Instructions(BTreeMap<(&'static str, &'static str), f64>);

impl Instructions {
    /// Counts as many at a time as there are processors.
    fn count(asked: Vec<(Operation, &'static str)>) -> Result<Instructions, Box<dyn Error>> {
        callgrind::version()?;
        let repetitions = Operation::Nothing.repetitions();
        let empty = callgrind::count(Operation::Nothing, OURS, repetitions)?;
        let empty = empty as f64 / f64::from(repetitions);
        let waiting = Mutex::new(asked);
        let counted = Mutex::new(BTreeMap::new());
        let work = || -> Result<(), callgrind::CountError> {
            loop {
                let next = waiting.lock().ok().and_then(|mut waiting| waiting.pop());
                let Some((operation, subject)) = next else {
                    return Ok(());
                };
                let repetitions = operation.repetitions();
                let sum = callgrind::count(operation, subject, repetitions)?;
                let each = sum as f64 / f64::from(repetitions) - empty;
                eprintln!("{} {subject}: {each:.1} instructions", operation.name());
                if let Ok(mut counted) = counted.lock() {
                    counted.insert((operation.name(), subject), each);
                }
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let mut ended = workers.into_iter().map(|worker| worker.join());
            ended.try_for_each(|end| end.expect("counting does not panic"))
        })?;
        let mut counted = counted.into_inner().unwrap_or_default();
        counted.insert((Operation::Nothing.name(), OURS), empty);
        Ok(Instructions(counted))
    }

    fn of(&self, operation: Operation, subject: &'static str) -> f64 {
        self.0
            .get(&(operation.name(), subject))
            .copied()
            .unwrap_or(f64::NAN)
    }
}

/// Allocations of one run.
fn allocations(operation: Operation, subject: &str) -> f64 {
    let Some((_, mut work)) = able(operation).find(|(able, _)| able.name == subject) else {
        return f64::NAN;
    };
    let repetitions = operation.repetitions();
    repeat(work.as_mut(), repetitions, |work| work.run());
    let mut taken = 0;
    repeat(work.as_mut(), repetitions, |work| {
        taken += measure(|| counted_run(work)).count_total;
    });
    taken as f64 / f64::from(repetitions)
}

/// Every operation that is more than the loop.
fn operations() -> impl Iterator<Item = Operation> {
    let all = Operation::ALL.into_iter();
    all.filter(|operation| *operation != Operation::Nothing)
}

fn everything(json: bool) -> Result<(), Box<dyn Error>> {
    let mut asked = Vec::new();
    for operation in operations() {
        asked.extend(able(operation).map(|(subject, _)| (operation, subject.name)));
    }
    let counted = Instructions::count(asked)?;
    let mut measurements = Measurements::default();
    let rows = &mut measurements.rows;
    for operation in operations() {
        let row = |measure: &str, subject: &str, value: f64| {
            Row::cost(
                operation.group(),
                operation.title(),
                measure,
                subject,
                value,
            )
        };
        let names: Vec<_> = able(operation).map(|(subject, _)| subject.name).collect();
        for &name in &names {
            let count = row("instructions", name, counted.of(operation, name).round());
            rows.push(targeted(count, operation.instructions()));
        }
        for &name in &names {
            let count = row("allocations", name, allocations(operation, name));
            rows.push(targeted(count, operation.allocations()));
        }
        for (name, nanoseconds) in wall_time::ask(operation)? {
            rows.push(row("ns", &name, nanoseconds));
        }
    }
    let title = Operation::Nothing.title();
    let loops = counted.of(Operation::Nothing, OURS);
    rows.push(Row::cost("engine", title, "instructions", OURS, loops));
    rows.extend(memory());
    Ok(bench::print(measurements, json)?)
}

fn targeted(row: Row, target: Option<Target>) -> Row {
    match target {
        Some(target) if row.subject == OURS => row.with_target(target),
        _ => row,
    }
}

/// What a connection holds that has nothing to do.
fn memory() -> Vec<Row> {
    let bytes = |make: fn() -> Box<dyn std::any::Any>| {
        let mut made = None;
        let held = measure(|| made = Some(make()));
        held.bytes_current as f64
    };
    let row = |operation: &str, subject: &str, value: f64| {
        let row = Row::cost("engine", operation, "bytes", subject, value);
        targeted(row, Some(Target::AtMost(2_048.0)))
    };
    let idle = subjects()
        .into_iter()
        .filter_map(|subject| Some((subject.name, subject.idle?)));
    let mut rows: Vec<_> = idle
        .map(|(name, make)| row("memory, connected and idle", name, bytes(make)))
        .collect();
    rows.push(row("memory, idle after work", OURS, bytes(worked_engine)));
    rows
}

/// The committed counts.
fn baseline_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("baseline.json")
}

/// Our own counts.
fn count_ours() -> Result<Baseline, Box<dyn Error>> {
    let counted = Instructions::count(operations().map(|operation| (operation, OURS)).collect())?;
    let counts = operations().map(|operation| {
        let counts = Counts {
            instructions: counted.of(operation, OURS).round() as u64,
            allocations: allocations(operation, OURS),
        };
        (operation.name().to_owned(), counts)
    });
    Ok(Baseline {
        compiler: Machine::this().compiler,
        valgrind: callgrind::version()?,
        counts: counts.collect(),
    })
}

/// Refuses to go on with the peers: what they ask of crates that ours needs too changes ours by a
/// little.
fn without_peers() -> Result<(), Box<dyn Error>> {
    match cfg!(feature = "peers") {
        true => {
            Err("the committed counts are made without the peers: --no-default-features".into())
        }
        false => Ok(()),
    }
}

fn renew() -> Result<(), Box<dyn Error>> {
    without_peers()?;
    let now = count_ours()?;
    let path = baseline_path();
    std::fs::write(&path, format!("{}\n", serde_json::to_string_pretty(&now)?))?;
    println!(
        "{} operations written to {}",
        now.counts.len(),
        path.display()
    );
    Ok(())
}

fn check() -> Result<bool, Box<dyn Error>> {
    without_peers()?;
    let committed = Baseline::read(&baseline_path())?;
    let now = count_ours()?;
    let comparisons = compare(&committed, &now);
    print!("{}", table(&comparisons));
    for (what, then, here) in [
        ("compiler", &committed.compiler, &now.compiler),
        ("valgrind", &committed.valgrind, &now.valgrind),
    ] {
        if then != here {
            println!("\nThe committed counts are of another {what}: {then}; here it is {here}.");
        }
    }
    let fails = comparisons.iter().filter(|one| one.verdict.fails()).count();
    if fails > 0 {
        println!("\n{fails} counts are worse, new or missing. If it is meant so: {RENEW}");
    }
    Ok(fails == 0)
}

fn profile(operation: &str, subject: &str, lines: usize) -> Result<(), Box<dyn Error>> {
    let operation = Operation::named(operation).ok_or("there is no such operation")?;
    let Profile { own, inclusive } = profile::profile(operation, subject)?;
    let all: f64 = own.iter().map(|(count, _)| count).sum();
    println!("{}, {subject}: {all:.0} instructions", operation.title());
    for (title, functions) in [("by itself", own), ("with what it calls", inclusive)] {
        println!("\n| function, {title} | instructions | share |\n|---|--:|--:|");
        for (count, name) in functions.iter().take(lines) {
            println!("| `{name}` | {count:.0} | {:.1} % |", count / all * 100.0);
        }
    }
    Ok(())
}
