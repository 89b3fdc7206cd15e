//! Runs every part of the measurements, one after another, and prints one table.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use bench::{Machine, Measurements, Report, markdown};
use clap::Parser;

/// The parts, in the order in which they run: programs of this folder's workspace.
const PARTS: [&str; 4] = ["instructions", "rates", "round_trips", "footprint"];

/// Measures the project and its peers in one run and prints one table.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only these parts; all of them without any.
    #[arg(value_parser = PARTS)]
    parts: Vec<String>,
    /// Print JSON instead of Markdown.
    #[arg(long)]
    json: bool,
    /// Also write both, as measurements.md and measurements.json, into this folder.
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every part that was asked for has measured something.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let asked = |part: &str| {
        arguments.parts.is_empty() || arguments.parts.iter().any(|asked| asked == part)
    };
    let mut report = Report {
        machine: Machine::this(),
        ..Report::default()
    };
    let mut whole = true;
    for part in PARTS.into_iter().filter(|part| asked(part)) {
        eprintln!("=== {part}");
        match measure(part) {
            Ok(measured) => {
                report.measurements.rows.extend(measured.rows);
                report.measurements.skipped.extend(measured.skipped);
            }
            Err(error) => {
                eprintln!("bench: {part}: {error}");
                report.measurements.skipped.push(format!("{part}: {error}"));
                whole = false;
            }
        }
    }
    let (table, json) = (markdown(&report), serde_json::to_string_pretty(&report)?);
    if arguments.json {
        println!("{json}");
    } else {
        print!("{table}");
    }
    if let Some(folder) = &arguments.write {
        write(folder, "measurements.md", &table)?;
        write(folder, "measurements.json", &format!("{json}\n"))?;
    }
    Ok(whole)
}

fn measure(part: &str) -> Result<Measurements, Box<dyn Error>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "run",
            "--release",
            "--quiet",
            "--package",
            part,
            "--",
            "--json",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Box<dyn Error>> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()).into())
}
