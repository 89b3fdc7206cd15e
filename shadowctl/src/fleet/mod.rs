//! `fleet`: many devices at once, over the model of the cloud or over TCP.
//!
//! * `arguments`: what can be typed. `identity`: who the devices are.
//! * `schedule`: when which device does what. `crowd`: their engines. `tally`: what became of
//!   it.
//! * `drive`: from the first connection to the last, over a carrier: `model` or `network`,
//!   which goes by `ready`.
//! * `live`, with its `bar`, and `summary`: how it is shown. `process`: memory, time, and limits.
//! * `curve`: several sizes, one after the other.

mod arguments;
mod bar;
mod clouds;
mod crowd;
mod curve;
mod drive;
mod identity;
mod live;
mod model;
mod network;
mod process;
mod ready;
mod schedule;
mod summary;
mod tally;
#[cfg(test)]
mod tests;

pub use arguments::FleetArguments;
pub(crate) use arguments::{ABOUT, EXAMPLES, devices};
pub(crate) use clouds::{let_in, make_room};
pub(crate) use process::{check_open_files, raise_open_files};
pub use schedule::Mix;

use std::pin::pin;

use transport_tcp::Clock;

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::runtime::block_on;
use crate::seed::random_seed;
use crate::server::Place;
use drive::{Plan, drive};
use live::Live;
use model::Model;
use network::Network;
use summary::Summary;
use tally::Trouble;

/// Runs the command until it is done, or Ctrl-C.
///
/// # Errors
///
/// * Those of [`ServerOptions::resolve`](crate::server::ServerOptions::resolve).
/// * [`FailureKind::Operation`](crate::failure::FailureKind::Operation): more devices than open
///   files or ports; and after the summary, round trips that failed or devices that did not
///   connect.
/// * [`FailureKind::Server`](crate::failure::FailureKind::Server) after the summary: no device could
///   connect or log in.
/// * Results that cannot be written.
pub fn run(arguments: &FleetArguments, output: &mut Output) -> Result<(), Failure> {
    match arguments.devices.as_slice() {
        [devices] => {
            let summary = run_one(arguments, *devices, output)?;
            output.result(&summary)?;
            verdict(&summary)
        }
        sizes => curve::run(arguments, sizes, output),
    }
}

/// Runs one fleet.
fn run_one(
    arguments: &FleetArguments,
    devices: u32,
    output: &mut Output,
) -> Result<Summary, Failure> {
    let plan = Plan {
        devices,
        rate: arguments.rate,
        mix: arguments.mix,
        duration: arguments.duration,
        connect_rate: arguments.connects_per_second(),
        timeout: arguments.timeout,
        seed: arguments.seed.unwrap_or_else(random_seed),
    };
    let place = arguments.server().map(|options| options.resolve());
    let place = place.transpose()?.map(|server| server.place);
    let open_files = match &place {
        None => None,
        Some(_) => {
            let files = raise_open_files();
            if let Some(files) = files {
                output.remark(format_args!(
                    "open files: the limit was {}, is {}",
                    files.was, files.is
                ));
                check_open_files(devices, files)?;
            }
            process::check_ports(devices)?;
            files
        }
    };
    block_on(async |runtime| {
        let mut interrupt = Interrupt::new()?;
        let stop = pin!(interrupt.wait());
        let clock = runtime.clock;
        let wall = clock.wall_time().ok_or_else(no_wall_time)?;
        let mut live = Live::new(&plan, clock.now());
        let (server, course) = match place {
            Some(Place::Network {
                connector, address, ..
            }) => {
                let mut carrier = Network::new(devices, *connector);
                let course = drive(&plan, &mut carrier, clock, wall, stop, &mut live).await;
                (address, course)
            }
            Some(Place::Embedded) | None => {
                let mut carrier = Model::new(devices, clock.now(), wall);
                let course = drive(&plan, &mut carrier, clock, wall, stop, &mut live).await;
                ("the model".to_owned(), course)
            }
        };
        let usage = live.finish();
        let seed = plan.seed;
        Ok(Summary::new(
            server, seed, devices, plan.rate, &course, usage, open_files,
        ))
    })
}

fn no_wall_time() -> Failure {
    Failure::operation("a login is signed with the time, and this machine's clock shows none")
}

/// Whether a fleet did what it was to do.
fn verdict(summary: &Summary) -> Result<(), Failure> {
    let of_kind = |kind| summary.errors.iter().find(|errors| errors.kind == kind);
    if summary.connected == 0 && !summary.stopped {
        for kind in [Trouble::LoginRefused, Trouble::ConnectFailed] {
            if let Some(errors) = of_kind(kind) {
                return Err(Failure::server(format_args!(
                    "{}: {}",
                    summary.server, errors.example
                )));
            }
        }
    }
    let missing = of_kind(Trouble::NotConnected).map_or(0, |errors| errors.count);
    if summary.failed == 0 && missing == 0 {
        return Ok(());
    }
    Err(Failure::operation(format_args!(
        "{} round trips of {} failed, and {missing} devices of {} did not connect in time",
        summary.failed, summary.begun, summary.devices
    )))
}
