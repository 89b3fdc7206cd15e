//! What the engine takes of a microcontroller's memory: builds the programs in `firmware` for it
//! and reads the sizes of their sections.

mod build;
mod elf;
mod peers;

use std::error::Error;
use std::process::ExitCode;

use bench::{Measurements, OURS, Row, Target};
use clap::Parser;

use crate::build::{Program, TARGET, build};
use crate::elf::Sections;

/// The promise: 64 KiB.
const LIMIT: f64 = 65_536.0;

const CODE: &str = ".text bytes";
const OPERATION: &str = "engine + shadow protocol + HMAC";

/// The same device with more, each with the feature of the program for it.
const LARGER: [(&str, &str); 2] = [
    ("stored", "the same + the stored session"),
    ("everything", "the same + all features and extras"),
];

/// What each feature of the core, and each liberty of the application, changes of the device.
const CHANGES: [(&str, &str); 14] = [
    ("core-default", "all features of the core"),
    ("core-behaviours", "feature behaviours"),
    ("core-diagnostics", "feature diagnostics"),
    ("core-floats", "feature floats"),
    ("core-hmac-sha1", "feature hmac-sha1"),
    ("core-messages", "feature messages"),
    ("core-server", "feature server"),
    ("reject", "rejecting what is desired"),
    (
        "own-topics",
        "feature messages, and topics of its own in use",
    ),
    ("base64", "the key in base64"),
    ("device-info", "the vendor's device_info.json"),
    ("fraction", "a number with a fraction in the document"),
    ("types", "documents read into types by serde_json"),
    ("stored", "the session stored"),
];

/// Builds a device for a microcontroller and tells how large it is.
#[derive(Debug, Parser)]
struct Arguments {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Only whole devices, without what each feature adds.
    #[arg(long)]
    quick: bool,
    /// Fail when the code of the smallest device is larger than this.
    #[arg(long, value_name = "BYTES")]
    at_most: Option<f64>,
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
    let mut code = 0.0;
    if build::has_target()? {
        code = measure(arguments, &mut measured)?;
    } else {
        let reason = format!("footprint: the target {TARGET} is not installed");
        measured.skipped.push(reason);
    }
    bench::print(measured, arguments.json)?;
    match arguments.at_most {
        Some(limit) if code > limit => {
            eprintln!(
                "footprint: {OPERATION}: {code} bytes of code, which is more than {limit}; \
                 the target is {LIMIT}"
            );
            Ok(false)
        }
        _ => Ok(true),
    }
}

/// The bytes of the smallest device's code.
fn measure(arguments: &Arguments, measured: &mut Measurements) -> Result<f64, Box<dyn Error>> {
    let rows = &mut measured.rows;
    let group = &format!("footprint, {TARGET}");
    let mut push = |operation: &str, measure: &str, subject: &str, value: f64| {
        let row = Row::cost(group, operation, measure, subject, value);
        let is_promised = operation == OPERATION && measure == CODE && subject == OURS;
        rows.push(if is_promised {
            row.with_target(Target::AtMost(LIMIT))
        } else {
            row
        });
    };
    let empty = Sections::read(&build(Program::Empty, None)?)?;
    let device = Sections::read(&build(Program::Device, None)?)?;
    let rows_of = device.named().into_iter().zip(empty.named());
    for ((name, whole), (_, beneath)) in rows_of {
        let measure = &format!("{name} bytes");
        push(OPERATION, measure, OURS, whole);
        if measure == CODE {
            for (peer, bytes) in peers::CODE {
                push(OPERATION, measure, peer, bytes);
            }
        }
        if whole > 0.0 {
            push("of it runtime, allocator, console", measure, OURS, beneath);
            push(
                "of it engine and application",
                measure,
                OURS,
                whole - beneath,
            );
        }
    }
    push("room for the heap", ".bss bytes", OURS, device.heap);
    for (feature, operation) in LARGER {
        let larger = Sections::read(&build(Program::Device, Some(feature))?)?;
        for (name, whole) in larger.named() {
            if whole > 0.0 {
                push(operation, &format!("{name} bytes"), OURS, whole);
            }
        }
    }
    if !arguments.quick {
        for (feature, what) in CHANGES {
            let changed = Sections::read(&build(Program::Device, Some(feature))?)?;
            let operation = &format!("difference: {what}");
            for ((name, after), (_, before)) in changed.named().into_iter().zip(device.named()) {
                let difference = after - before;
                if difference != 0.0 {
                    push(operation, &format!("{name} bytes"), OURS, difference);
                }
            }
        }
    }
    Ok(device.text)
}
