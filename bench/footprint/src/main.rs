//! What the engine takes of a microcontroller's memory: builds the programs in `firmware` for it
//! and reads the sizes of their sections.

mod build;
mod elf;
mod peers;

use std::error::Error;
use std::process::ExitCode;

use bench::{Machine, Measurements, OURS, Report, Row, Target, markdown};
use clap::Parser;

use crate::build::{Program, TARGET, build};
use crate::elf::Sections;

/// The promise: 64 KiB.
const LIMIT: f64 = 65_536.0;

const OPERATION: &str = "engine + shadow protocol + HMAC";

/// What each feature of the core, and each liberty of the application, adds to the device.
const ADDED: [(&str, &str); 8] = [
    ("core-default", "all features of the core"),
    ("core-diagnostics", "feature diagnostics"),
    ("core-floats", "feature floats"),
    ("core-hmac-sha1", "feature hmac-sha1"),
    ("device-info", "the vendor's device_info.json"),
    ("fraction", "a number with a fraction in the document"),
    ("publish", "messages of its own"),
    ("types", "documents read into types by serde_json"),
];

/// Builds a device for a microcontroller and tells how large it is.
#[derive(Debug, Parser)]
struct Arguments {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Only the device itself, without what each feature adds.
    #[arg(long)]
    quick: bool,
    /// Fail when the device's code is larger than this.
    #[arg(long, value_name = "BYTES")]
    at_most: Option<u64>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("footprint: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the device is as small as was asked for.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let mut measured = Measurements::default();
    let mut code = 0;
    if build::has_target()? {
        code = measure(arguments, &mut measured)?;
    } else {
        let reason = format!("footprint: the target {TARGET} is not installed");
        measured.skipped.push(reason);
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&measured)?);
    } else {
        print!(
            "{}",
            markdown(&Report {
                machine: Machine::this(),
                measurements: measured,
            })
        );
    }
    match arguments.at_most {
        Some(limit) if code > limit => {
            eprintln!("footprint: {code} bytes of code, which is more than {limit}");
            Ok(false)
        }
        _ => Ok(true),
    }
}

/// The bytes of the device's code.
fn measure(arguments: &Arguments, measured: &mut Measurements) -> Result<u64, Box<dyn Error>> {
    let rows = &mut measured.rows;
    let group = &format!("footprint, {TARGET}");
    let mut push = |operation: &str, measure: &str, subject: &str, value: u64| {
        let row = Row::cost(group, operation, measure, subject, value as f64);
        let is_promised = operation == OPERATION && measure == ".text bytes" && subject == OURS;
        rows.push(if is_promised {
            row.with_target(Target::AtMost(LIMIT))
        } else {
            row
        });
    };
    let empty = Sections::read(&build(Program::Empty, None)?)?;
    let device = Sections::read(&build(Program::Device, None)?)?;
    for ((name, whole), (_, beneath)) in device.named().into_iter().zip(empty.named()) {
        let measure = &format!("{name} bytes");
        push(OPERATION, measure, OURS, whole);
        if name == ".text" {
            for (peer, bytes) in peers::CODE {
                push(OPERATION, measure, peer, bytes);
            }
        }
        push(
            "of it runtime, allocator and console",
            measure,
            OURS,
            beneath,
        );
        let own = whole.saturating_sub(beneath);
        push("of it engine and application", measure, OURS, own);
    }
    push("room for the heap", ".bss bytes", OURS, device.heap);
    if !arguments.quick {
        for (feature, what) in ADDED {
            let larger = Sections::read(&build(Program::Device, Some(feature))?)?;
            let operation = &format!("more with {what}");
            for ((name, more), (_, less)) in larger.named().into_iter().zip(device.named()) {
                if more != less {
                    let measure = &format!("{name} bytes");
                    push(operation, measure, OURS, more.saturating_sub(less));
                }
            }
        }
    }
    Ok(device.text)
}
