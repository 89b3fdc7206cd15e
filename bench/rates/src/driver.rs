//! The asynchronous client and the served cloud, joined by a memory stream.

use std::future::ready;

use futures_lite::StreamExt;
use shadow_core::tencent::{Limits, Update};
use shadow_core::{Config, Session};
use smol::LocalExecutor;
use transport_mock::cloud::{Cloud, example_device};
use transport_mock::stream::memory_network;
use transport_mock::{SharedCloud, VirtualClock, serve};
use transport_tcp::{Clock, client};

use crate::Kind;
use crate::device::WALL;

/// So many round trips one after another, through the client's handle and its driver on one side
/// and [`serve`] on the other, on one thread.
///
/// # Panics
/// If one of them does not end with an accepted reply.
pub fn drive(kind: Kind, count: usize) {
    let clock = VirtualClock::new(WALL);
    let executor = LocalExecutor::new();
    let cloud = SharedCloud::new(Cloud::example(clock.now(), WALL));
    let (connector, listener) = memory_network(64 * 1024, 8);
    let incoming = listener.map(|stream| ready(Some(stream)));
    executor
        .spawn(serve(cloud, incoming, clock.clone(), |_event| {}))
        .detach();
    let mut config = Config::new(&example_device());
    config.limits = Limits {
        messages_per_second: None,
        ..Limits::current()
    };
    let (device, mut events, driver) = client(config, Session::new(), 7, connector, clock.clone());
    executor.spawn(driver.run()).detach();
    executor
        .spawn(async move { while events.next().await.is_some() {} })
        .detach();
    clock.run(&executor, async {
        let shadow = device.own_shadow().expect("its configuration names one");
        for number in 0..count {
            match kind {
                Kind::Get => {
                    shadow.get().await.expect("it is accepted");
                }
                Kind::Update => {
                    let report = serde_json::json!({"power": true, "updateCount": number});
                    let update = Update::new().reported(report);
                    shadow.update(update).await.expect("it is accepted");
                }
            }
        }
    });
}
