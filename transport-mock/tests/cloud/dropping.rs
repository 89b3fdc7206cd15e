//! Futures that are dropped in the middle, after any number of polls.

use std::cell::Cell;
use std::future::{Future, ready};
use std::pin::Pin;
use std::time::Duration;

use futures_lite::StreamExt;
use futures_lite::future::{poll_once, yield_now};
use serde_json::json;
use shadow_core::mqtt::QoS;
use shadow_core::tencent::{ShadowName, Update};
use shadow_core::{Config, Event, Publication, Session};
use smol::LocalExecutor;
use transport_mock::cloud::{Cloud, example_device, example_name};
use transport_mock::stream::memory_network;
use transport_mock::{SharedCloud, VirtualClock, serve};
use transport_tcp::{Client, Clock, Events, Notification, Shadow, client};

use crate::support::WALL;

/// More polls than any future here takes to its end.
const POLLS: usize = 64;

/// Polls a future so many times, between two polls all other tasks; then drops it. Whether it had
/// ended.
async fn poll_and_drop<T>(future: impl Future<Output = T>, polls: usize) -> bool {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        if poll_once(&mut future).await.is_some() {
            return true;
        }
        yield_now().await;
    }
    false
}

/// What a client can be asked, by name.
type Asked<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;
type Ask = (
    &'static str,
    for<'a> fn(&'a Client, &'a Shadow) -> Asked<'a>,
);

const ASKS: [Ask; 12] = [
    ("get", |_, lamp| {
        Box::pin(async { drop(lamp.get().await.unwrap()) })
    }),
    ("report", |_, lamp| {
        Box::pin(async {
            let receipt = lamp.report(&json!({"a": 1})).await.unwrap();
            receipt.acknowledged().await.unwrap();
        })
    }),
    ("update", |_, lamp| {
        let update = Update::new().reported(json!({"a": 2})).clear_desired();
        Box::pin(async { drop(lamp.update(update).await.unwrap()) })
    }),
    ("clear_desired", |_, lamp| {
        Box::pin(async { drop(lamp.clear_desired().await.unwrap()) })
    }),
    ("clear_reported", |_, lamp| {
        Box::pin(async { drop(lamp.clear_reported().await.unwrap()) })
    }),
    ("publish, QoS 0", |client, _| {
        Box::pin(async {
            let publication = Publication::new("EXAMPLE001/test01/x", b"hi");
            client.publish(&publication).await.unwrap();
        })
    }),
    ("publish, QoS 1", |client, _| {
        Box::pin(async {
            let publication = Publication::new("EXAMPLE001/test01/x", b"hi");
            client
                .publish(&publication.qos(QoS::AtLeastOnce))
                .await
                .unwrap();
        })
    }),
    ("subscribe", |client, _| {
        Box::pin(async {
            let filter = "EXAMPLE001/test01/#";
            let granted = client.subscribe(filter, QoS::AtLeastOnce).await;
            assert_eq!(granted, Ok(QoS::AtLeastOnce));
        })
    }),
    ("unsubscribe", |client, _| {
        Box::pin(async { client.unsubscribe("EXAMPLE001/test01/#").await.unwrap() })
    }),
    ("session", |client, _| {
        Box::pin(async { drop(client.session().await.unwrap()) })
    }),
    ("reconnect", |client, _| {
        Box::pin(async { client.reconnect().await.unwrap() })
    }),
    ("attach and detach", |client, _| {
        Box::pin(async {
            let name = ShadowName::new("EXAMPLE001", "bulb").unwrap();
            let bulb = client.attach(&name).await;
            // Refused where an earlier one was dropped after the driver had got it.
            if let Ok(bulb) = bulb {
                bulb.detach().await.unwrap();
            }
        })
    }),
];

/// A device on a served cloud, and a test with it.
fn with_device<F: Future>(test: impl FnOnce(VirtualClock, Client, Events) -> F) -> F::Output {
    let clock = VirtualClock::new(WALL);
    let executor = LocalExecutor::new();
    let cloud = SharedCloud::new(Cloud::example(clock.now(), WALL));
    // Small, so that a future is also dropped while bytes are on their way.
    let (connector, listener) = memory_network(32, 8);
    let incoming = listener.map(|stream| ready(Some(stream)));
    let serving = serve(cloud, incoming, clock.clone(), |_| {});
    executor.spawn(serving).detach();
    let config = Config::new(&example_device());
    let (device, events, driver) = client(config, Session::new(), 7, connector, clock.clone());
    executor.spawn(driver.run()).detach();
    clock.run(&executor, test(clock.clone(), device, events))
}

#[test]
fn a_clients_future_may_be_dropped_after_any_poll() {
    for (name, ask) in ASKS {
        let ended = &Cell::new(0);
        for polls in 0..POLLS {
            with_device(|_, device, mut events| async move {
                let lamp = device.own_shadow().unwrap();
                // Before the link is there, and on it.
                poll_and_drop(ask(&device, &lamp), polls).await;
                lamp.get().await.unwrap();
                let beside = json!({"beside": polls});
                let on_the_way = lamp.report(&beside);
                let mut on_the_way = Box::pin(on_the_way);
                assert!(poll_once(&mut on_the_way).await.is_none());
                if poll_and_drop(ask(&device, &lamp), polls).await {
                    ended.set(ended.get() + 1);
                }

                // What is beside it and behind it has its own answers.
                let receipt = on_the_way.await.unwrap();
                assert_eq!(receipt.acknowledged().await, Ok(()), "{name}, {polls}");
                let document = lamp.get().await.unwrap();
                let beside = format!(r#""beside":{polls}"#);
                if !document.as_json().contains(&beside) {
                    assert_eq!((name, document.reported()), ("clear_reported", Some("{}")));
                }
                drop(lamp);
                device.close().await;
                while let Some(notification) = events.next().await {
                    let Notification::Event(event) = notification else {
                        panic!("{notification:?}");
                    };
                    let text = format!("{event:?}");
                    assert!(!text.contains("Unmatched"), "{name}, {polls}: {text}");
                    assert!(!matches!(event, Event::Disconnected { .. }), "{text}");
                }
            });
        }
        assert!(ended.get() > 0, "{name} takes more than {POLLS} polls");
    }
}

#[test]
fn a_close_may_be_dropped_and_the_driver_ends_all_the_same() {
    for polls in 1..POLLS {
        with_device(|_, device, mut events| async move {
            device.own_shadow().unwrap().get().await.unwrap();
            poll_and_drop(device.close(), polls).await;
            while events.next().await.is_some() {}
            device.close().await;
        });
    }
}

/// Whoever waits for a driver that is dropped is told, however far it had come.
#[test]
fn a_driver_may_be_dropped_after_any_poll() {
    for polls in 0..2 * POLLS {
        let clock = VirtualClock::new(WALL);
        let executor = LocalExecutor::new();
        let cloud = SharedCloud::new(Cloud::example(clock.now(), WALL));
        let (connector, listener) = memory_network(32, 8);
        let incoming = listener.map(|stream| ready(Some(stream)));
        let serving = serve(cloud.clone(), incoming, clock.clone(), |_| {});
        let serving = executor.spawn(serving);
        let config = Config::new(&example_device());
        let (device, mut events, driver) =
            client(config, Session::new(), 7, connector, clock.clone());
        clock.run(&executor, async {
            let lamp = device.own_shadow().unwrap();
            let asking = executor.spawn(async move {
                let got = lamp.get().await;
                drop(lamp);
                got
            });
            let closing = executor.spawn({
                let (device, clock) = (device.clone(), clock.clone());
                async move {
                    clock
                        .sleep_until(clock.now() + Duration::from_secs(1))
                        .await;
                    device.close().await;
                }
            });
            poll_and_drop(driver.run(), polls).await;
            drop(asking.await);
            closing.await;
            while events.next().await.is_some() {}
            // The server has noticed too.
            serving.await;
            let clients = cloud.with(|cloud| cloud.server().clients().count());
            assert_eq!(clients, 0);
        });
    }
}

/// Whoever is served by what is dropped sees the end of the stream, and comes back to another.
#[test]
fn a_server_may_be_dropped_after_any_poll() {
    for polls in 0..2 * POLLS {
        let clock = VirtualClock::new(WALL);
        let executor = LocalExecutor::new();
        let cloud = SharedCloud::new(Cloud::example(clock.now(), WALL));
        let (connector, listener) = memory_network(32, 8);
        let mut incoming = listener.map(|stream| ready(Some(stream)));
        let config = Config::new(&example_device());
        let (device, mut events, driver) =
            client(config, Session::new(), 7, connector, clock.clone());
        executor.spawn(driver.run()).detach();
        clock.run(&executor, async {
            let first = serve(cloud.clone(), &mut incoming, clock.clone(), |_| {});
            poll_and_drop(first, polls).await;
            assert_eq!(cloud.with(|cloud| cloud.server().clients().count()), 0);
            let second = serve(cloud.clone(), &mut incoming, clock.clone(), |_| {});
            let ready = async {
                let ready = |notification: &Notification| {
                    matches!(notification, Notification::Event(Event::Ready { .. }))
                };
                assert!(events.find(ready).await.is_some());
                device.own_shadow().unwrap().get().await.unwrap();
            };
            futures_lite::future::or(second, ready).await;
        });
        let shadow = cloud.with(|cloud| cloud.shadow(&example_name()).cloned());
        assert_eq!(shadow.unwrap().version(), 8);
    }
}
