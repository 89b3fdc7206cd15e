//! `demo`: the story of the vendor's document of the device shadow, told and checked.

mod narrator;
mod packet;
mod story;
mod tap;

use std::future::ready;
use std::time::Duration;

use shadow_core::WallTime;
use smol::LocalExecutor;
use smol::stream::StreamExt;
use transport_mock::cloud::{Cloud, example_device};
use transport_mock::stream::memory_network;
use transport_mock::{SharedCloud, VirtualClock, serve};

use crate::arguments::DemoArguments;
use crate::destination::Destination;
use crate::embedded::example_cloud;
use crate::failure::Failure;
use crate::output::Output;
use crate::runtime::{Patience, Runtime, block_on};
use crate::seed::random_seed;
use crate::server::Place;
use story::{Scene, tell};

/// When the story takes place in virtual time: when the document's first session did.
const DOCUMENTED_TIME: WallTime = WallTime::from_unix_millis(1_626_770_696_611);

/// Tells the story: against the embedded cloud or the server of the arguments, or in virtual time.
///
/// # Errors
///
/// Those of [`Destination::find`], those of a device that cannot connect, and
/// [`FailureKind::Operation`](crate::failure::FailureKind::Operation) where something comes out
/// other than the document says.
pub fn run(arguments: &DemoArguments, output: &mut Output) -> Result<(), Failure> {
    if arguments.fast {
        let clock = VirtualClock::new(DOCUMENTED_TIME);
        let cloud = example_cloud(&clock);
        return tell_fast(&clock, cloud, true, output);
    }
    block_on(async |runtime| {
        let destination = Destination::find(runtime, &arguments.server).await?;
        if let Some(warning) = arguments.server.warning() {
            output.remark(warning);
        }
        let scene = Scene {
            documented: matches!(destination.server.place, Place::Embedded),
            device: destination.server.device,
            connector: destination.connector,
            patience: destination.patience,
            seed: random_seed(),
        };
        tell(runtime, &scene, output).await
    })
}

/// The same in virtual time and over streams in memory: every run is the same.
fn tell_fast(
    clock: &VirtualClock,
    cloud: Cloud,
    documented: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let executor = LocalExecutor::new();
    let (connector, listener) = memory_network(4_096, 8);
    let incoming = listener.map(|stream| ready(Some(stream)));
    let serving = serve(
        SharedCloud::new(cloud),
        incoming,
        clock.clone(),
        |_event| {},
    );
    executor.spawn(serving).detach();
    let scene = Scene {
        device: example_device(),
        connector,
        patience: Patience {
            server: "an embedded cloud, in virtual time".into(),
            timeout: Duration::from_secs(10),
            hint: None,
        },
        documented,
        seed: 1,
    };
    let runtime = Runtime {
        executor: &executor,
        clock,
    };
    clock.run(&executor, tell(runtime, &scene, output))
}

#[cfg(test)]
mod tests;
