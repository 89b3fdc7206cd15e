//! The servers, each in a process of its own.

use std::future::ready;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::thread;

use futures_lite::StreamExt;
use shadow_core::{Session, WallTime};
use smol::LocalExecutor;
use smol::net::TcpListener;
use transport_mock::bridge::{self, BridgeEvent, bridge};
use transport_mock::cloud::Cloud;
use transport_mock::service::ShadowService;
use transport_mock::{SharedCloud, serve};
use transport_tcp::{Clock, SystemClock, TcpConnector, client};

use crate::Failure;

/// Says where a server listens.
pub(crate) fn announce(port: u16) {
    println!("{port}");
    drop(io::stdout().flush());
}

/// Ends this process when the one that started it is gone, however it went.
pub(crate) fn end_with_parent() {
    thread::spawn(|| {
        drop(io::copy(&mut io::stdin(), &mut io::sink()));
        std::process::exit(0);
    });
}

/// The embedded cloud with the example device's shadow.
pub(crate) fn cloud() -> Result<(), Failure> {
    end_with_parent();
    smol::block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        announce(listener.local_addr()?.port());
        let clock = SystemClock::new();
        let wall = clock.wall_time().unwrap_or(WallTime::from_unix_millis(0));
        let cloud = SharedCloud::new(Cloud::example(clock.now(), wall));
        let incoming = listener.incoming().map(|stream| {
            let stream = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
            ready(stream.ok())
        });
        serve(cloud, incoming, clock, |_event| {}).await;
        Ok(())
    })
}

/// The shadow service behind the broker on this port, as `shadowctl serve --broker` runs it.
pub(crate) fn service(port: u16) -> Result<(), Failure> {
    end_with_parent();
    let clock = SystemClock::new();
    let executor = LocalExecutor::new();
    let mut service = ShadowService::new();
    let (config, session) = (bridge::config("shadow-service"), Session::new());
    let connector = TcpConnector::new("127.0.0.1", port);
    let (client, events, driver) = client(config, session, 1, connector, clock);
    executor.spawn(driver.run()).detach();
    let serving = bridge(&mut service, &client, events, &clock, |event| match event {
        BridgeEvent::Online { .. } => announce(port),
        BridgeEvent::Handled { .. } => {}
        event => eprintln!("round_trips: service: {event:?}"),
    });
    smol::block_on(executor.run(serving))?;
    Ok(())
}
