//! Fleets of several sizes, each in a process of its own.
//!
//! An allocator keeps what it was given: a second fleet in the same process would live in the
//! memory of the first, and what it weighs could not be told.

use std::env;
use std::process::Stdio;

use smol::future::or;
use smol::process::Command;

use super::arguments::FleetArguments;
use super::summary::{Curve, Summary};
use super::verdict;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Format, Output};
use crate::runtime::block_on;

/// Runs a fleet for each size, in this order, and prints them as a table, or a line for each as
/// JSON. After Ctrl-C no other begins, and the last one names those that did not run.
///
/// # Errors
///
/// As [`run`](super::run) of each; the first, once all have run.
pub(super) fn run(
    arguments: &FleetArguments,
    sizes: &[u32],
    output: &mut Output,
) -> Result<(), Failure> {
    block_on(async |_| {
        let mut interrupt = Interrupt::new()?;
        let mut rows = Vec::new();
        let mut left = sizes;
        while let [devices, rest @ ..] = left {
            let (mut row, interrupted) = run_apart(arguments, *devices, &mut interrupt).await?;
            // From a terminal both are told, and it may have ended before this one looks.
            let ended_early = interrupted || row.stopped;
            left = if ended_early { &[] } else { rest };
            if ended_early {
                row.not_run = rest.to_vec();
            }
            output.json(&row)?;
            rows.push(row);
        }
        if output.format() == Format::Text {
            output.text(Curve(&rows))?;
            for row in rows.iter().filter(|row| !row.errors.is_empty()) {
                output.text(row)?;
            }
        }
        rows.iter().try_for_each(verdict)
    })
}

/// Runs one fleet in a process of its own; and whether that was told to end.
async fn run_apart(
    arguments: &FleetArguments,
    devices: u32,
    interrupt: &mut Interrupt,
) -> Result<(Summary, bool), Failure> {
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::operation(format_args!(
            "cannot run {devices} devices in a process of their own: {why}"
        ))
    };
    let program = env::current_exe().map_err(|error| cannot(&error))?;
    let mut command = Command::new(program);
    command.args(arguments.typed(devices)).stdin(Stdio::null());
    if tracing::enabled!(tracing::Level::DEBUG) {
        command.arg("-v");
    }
    // The bar, remarks and failures are seen as they come.
    command.stdout(Stdio::piped()).stderr(Stdio::inherit());
    let child = command.spawn().map_err(|error| cannot(&error))?;
    let id = child.id();
    let mut output = std::pin::pin!(child.output());
    let ended = async { Some(output.as_mut().await) };
    let interrupted = async {
        interrupt.wait().await;
        None
    };
    let (result, interrupted) = match or(ended, interrupted).await {
        Some(result) => (result, false),
        None => {
            end(id);
            (output.await, true)
        }
    };
    let result = result.map_err(|error| cannot(&error))?;
    let row = serde_json::from_slice(&result.stdout);
    // It has said why on stderr.
    let row = row.map_err(|_| cannot(&"it ended without a summary"))?;
    Ok((row, interrupted))
}

/// Tells a process to end, with a summary. From a terminal it was told already.
#[cfg(unix)]
fn end(id: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        // It fails only if the process has ended.
        kill_process(id, Signal::TERM).ok();
    }
}

#[cfg(not(unix))]
fn end(_: u32) {}
