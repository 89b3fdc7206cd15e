//! A cloud embedded in a command.

use std::future::ready;

use shadow_core::WallTime;
use smol::net::{Ipv4Addr, TcpListener, TcpStream};
use smol::stream::StreamExt;
use transport_mock::cloud::Cloud;
use transport_mock::{SharedCloud, serve};
use transport_tcp::{Clock, NetworkConnector};

use crate::failure::Failure;
use crate::runtime::Runtime;

/// Starts the [example cloud](Cloud::example) on a free port of loopback TCP; how to get there, and
/// its address. It ends with the runtime's executor.
///
/// # Errors
///
/// [`FailureKind::Operation`](crate::failure::FailureKind::Operation) when there is no port.
pub async fn start<K: Clock>(
    runtime: Runtime<'_, K>,
) -> Result<(NetworkConnector, String), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let bound = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = bound.map_err(|error| {
        Failure::operation(format_args!(
            "cannot start the embedded cloud on 127.0.0.1: {error}"
        ))
    })?;
    let cloud = SharedCloud::new(example_cloud(runtime.clock));
    let clock = runtime.clock.clone();
    let serving = async move {
        // Without it small packets would only wait longer.
        let at_once = |stream: &TcpStream| drop(stream.set_nodelay(true));
        let incoming = listener.incoming();
        let incoming = incoming.map(|stream| ready(stream.inspect(at_once).ok()));
        serve(cloud, incoming, clock, |_event| {}).await;
    };
    runtime.executor.spawn(serving).detach();
    let connector = NetworkConnector::tcp(&address.ip().to_string(), address.port());
    Ok((connector, address.to_string()))
}

/// The example cloud, at a clock's time.
pub fn example_cloud(clock: &impl Clock) -> Cloud {
    let wall = clock.wall_time();
    // Without a wall time no device can log in, which it says itself.
    let wall = wall.unwrap_or(WallTime::from_unix_millis(0));
    Cloud::example(clock.now(), wall)
}
