//! What an application sees.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use futures_lite::{AsyncWriteExt, StreamExt, future};
use serde::Serialize;
use shadow_core::mqtt::QoS;
use shadow_core::tencent::{ShadowName, Update};
use shadow_core::{Event, Publication, RequestError, Session};
use smol::net::TcpStream;
use transport_tcp::{ClientError, Connector, SystemClock, TcpConnector};

use crate::clock::ManualClock;
use crate::peer::{
    DOCUMENT, Seen, Server, event_where, lamp_config, next_event, start, start_by, within,
};

#[derive(Serialize)]
struct Lamp {
    power: bool,
}

#[test]
fn every_request_has_its_answer() {
    within(async {
        let server = Server::bind().await;
        let (client, mut events, driver, mut peer) = server.lamp().await;
        let Event::Connected { .. } = next_event(&mut events).await else {
            panic!("the first event is the connection: the clock knew the wall time");
        };
        let ready = event_where(&mut events, |event| matches!(event, Event::Ready { .. })).await;
        let lamp = client.own_shadow().unwrap();
        assert!(matches!(ready, Event::Ready { shadow, .. } if shadow == lamp.id()));

        let (got, _) = future::zip(lamp.get(), peer.answer("get", 0, DOCUMENT)).await;
        assert_eq!(got.unwrap().as_json(), DOCUMENT);

        let on = Lamp { power: true };
        let (reported, sent) = future::zip(lamp.report(&on), peer.answer("update", 0, "{}")).await;
        assert_eq!(reported.unwrap().acknowledged().await, Ok(()));
        // By default the engine's own updates are checked against the version it knows.
        let start =
            r#"{"type":"update","state":{"reported":{"power":true}},"version":3,"clientToken":""#;
        assert!(sent.starts_with(start), "{sent}");

        let update = Update::new().reported(on).clear_desired().version(9);
        let (refused, sent) =
            future::zip(lamp.update(update), peer.answer("update", 5005, DOCUMENT)).await;
        let refused = refused.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "refused by the cloud: version conflict (result 5005); its document is at version 3"
        );
        assert!(
            matches!(refused, ClientError::Rejected { code: 5005, document }
            if document.as_json() == DOCUMENT)
        );
        assert!(sent.contains(r#""desired":null},"version":9"#), "{sent}");

        let (cleared, sent) =
            future::zip(lamp.clear_desired(), peer.answer("update", 0, "{}")).await;
        assert!(cleared.is_ok() && sent.contains(r#""state":{"desired":null}"#));
        let (cleared, sent) =
            future::zip(lamp.clear_reported(), peer.answer("update", 0, "{}")).await;
        assert!(cleared.is_ok() && sent.contains(r#""state":{"reported":null}"#));

        let invalid = lamp.report(&7).await.unwrap_err();
        assert!(matches!(
            invalid,
            ClientError::Refused(RequestError::InvalidUpdate(_))
        ));
        driver.cancel().await;
    });
}

#[test]
fn reports_that_leave_together_are_acknowledged_together() {
    within(async {
        let server = Server::bind().await;
        let (client, _events, driver) = start(lamp_config(), server.connector());
        let lamp = client.own_shadow().unwrap();
        // Without a link.
        let mut receipts = Vec::new();
        for level in 1..=100 {
            let level = BTreeMap::from([("level", level)]);
            receipts.push(lamp.report(&level).await.unwrap());
        }
        receipts.push(lamp.report(&Lamp { power: true }).await.unwrap());
        let mut peer = server.accept().await;
        peer.welcome().await;
        let sent = peer.answer("update", 0, "{}").await;
        let all = r#"{"type":"update","state":{"reported":{"level":100,"power":true}}"#;
        assert!(sent.starts_with(all), "{sent}");
        for receipt in receipts {
            assert_eq!(receipt.acknowledged().await, Ok(()));
        }
        driver.cancel().await;
    });
}

#[test]
fn a_delta_is_accepted_in_part_and_rejected_for_the_rest() {
    within(async {
        let server = Server::bind().await;
        let (client, mut events, driver, mut peer) = server.lamp().await;
        let lamp = client.own_shadow().unwrap();
        peer.push_delta(4, r#"{"power":true,"level":150,"colour":"loud"}"#)
            .await;
        let event = event_where(&mut events, |event| matches!(event, Event::Delta(_))).await;
        let Event::Delta(delta) = event else {
            panic!("{event:?}");
        };
        let reply = r#"{"version":5}"#;
        let power = delta.only(&["power"]);
        let (receipt, sent) =
            future::zip(lamp.accept(&power), peer.answer("update", 0, reply)).await;
        assert_eq!(receipt.unwrap().acknowledged().await, Ok(()));
        let state = r#""state":{"reported":{"power":true},"desired":{"power":null}}"#;
        assert!(sent.contains(state), "{sent}");

        let level = (delta.only(&["level"]), BTreeMap::from([("level", 100)]));
        let reply = r#"{"version":6}"#;
        let (receipt, sent) = future::zip(
            lamp.accept_as(&level.0, &level.1),
            peer.answer("update", 0, reply),
        )
        .await;
        assert_eq!(receipt.unwrap().acknowledged().await, Ok(()));
        let state = r#""state":{"reported":{"level":100},"desired":{"level":null}}"#;
        assert!(sent.contains(state), "{sent}");

        let rest = delta.without(&["power", "level"]);
        let reply = r#"{"version":7}"#;
        let (receipt, sent) = future::zip(
            lamp.reject(&rest, "no such colour"),
            peer.answer("update", 0, reply),
        )
        .await;
        assert_eq!(receipt.unwrap().acknowledged().await, Ok(()));
        // Nothing else is desired: so it is cleared, as in the vendor's document.
        assert!(sent.contains(r#""state":{"desired":null}"#), "{sent}");
        driver.cancel().await;
    });
}

#[test]
fn plain_topics_and_other_shadows_share_the_connection() {
    within(async {
        let server = Server::bind().await;
        let (client, mut events, driver, mut peer) = server.lamp().await;

        let (granted, ()) =
            future::zip(client.subscribe("a/+", QoS::AtLeastOnce), peer.grant()).await;
        assert_eq!(granted, Ok(QoS::AtMostOnce));

        let (published, seen) =
            future::zip(client.publish(&Publication::new("a/b", b"hi")), peer.next()).await;
        assert_eq!(published, Ok(()));
        let (topic, payload) = ("a/b".to_owned(), "hi".to_owned());
        assert_eq!(seen, Seen::Publish { topic, payload });

        let name = ShadowName::new("PRODUCT001", "bulb").unwrap();
        let (bulb, ()) = future::zip(client.attach(&name), peer.grant()).await;
        let bulb = bulb.unwrap();
        let id = bulb.id();
        event_where(
            &mut events,
            |event| matches!(event, Event::ShadowSubscribed { shadow } if *shadow == id),
        )
        .await;
        let again = client.attach(&name).await.unwrap_err();
        assert_eq!(again, RequestError::AlreadyAttached(id).into());

        assert_eq!(client.shadow(id).detach().await, Ok(()));
        assert_eq!(
            bulb.get().await,
            Err(RequestError::UnknownShadow(id).into())
        );
        assert!(client.session().await.is_ok());
        driver.cancel().await;
    });
}

#[test]
fn a_dropped_future_disturbs_nobody() {
    within(async {
        let server = Server::bind().await;
        let (client, mut events, driver, mut peer) = server.lamp().await;
        let lamp = client.own_shadow().unwrap();

        // Dropped after the driver got it: it leaves, and its answer is taken for its own.
        let mut dropped = Box::pin(lamp.get());
        assert!(future::poll_once(&mut dropped).await.is_none());
        let Seen::Publish { payload, .. } = peer.next().await else {
            panic!("the request does not leave");
        };
        drop(dropped);

        let answered = async {
            let Seen::Publish { payload: later, .. } = peer.next().await else {
                panic!("the second request does not leave");
            };
            peer.reply(&payload, "get", 0, r#"{"version":1}"#).await;
            peer.reply(&later, "get", 0, r#"{"version":2}"#).await;
        };
        let (got, ()) = future::zip(lamp.get(), answered).await;
        assert_eq!(got.unwrap().version(), Some(2));

        drop((client, lamp));
        assert_eq!(peer.next().await, Seen::Disconnect);
        driver.await;
        let unmatched = events
            .any(|event| format!("{event:?}").contains("Unmatched"))
            .await;
        assert!(!unmatched, "the dropped request's answer was its own");
    });
}

#[test]
fn a_future_that_never_ran_asks_nothing() {
    within(async {
        let server = Server::bind().await;
        let (client, _events, driver, mut peer) = server.lamp().await;
        let lamp = client.own_shadow().unwrap();
        drop(lamp.get());
        drop((client, lamp));
        assert_eq!(peer.next().await, Seen::Disconnect);
        driver.await;
    });
}

#[test]
fn close_flushes_disconnect_and_ends_what_is_open() {
    within(async {
        let server = Server::bind().await;
        let (client, mut events, driver, mut peer) = server.lamp().await;
        let lamp = client.own_shadow().unwrap();
        let mut open = Box::pin(lamp.get());
        assert!(future::poll_once(&mut open).await.is_none());
        assert!(matches!(peer.next().await, Seen::Publish { .. }));

        client.close().await;
        assert_eq!(open.await, Err(ClientError::Cancelled));
        assert_eq!(peer.next().await, Seen::Disconnect);
        assert_eq!(peer.next().await, Seen::Ended);
        driver.await;
        event_where(&mut events, |event| *event == Event::Closed).await;
        assert_eq!(events.next().await, None);

        client.close().await;
        assert_eq!(lamp.get().await, Err(ClientError::DriverStopped));
        assert_eq!(client.session().await, Err(ClientError::DriverStopped));
    });
}

#[test]
fn the_driver_outlives_one_handle_but_not_the_last() {
    within(async {
        let server = Server::bind().await;
        let (client, events, driver) = start(lamp_config(), server.connector());
        drop(events);
        let mut peer = server.accept().await;
        peer.welcome().await;
        let lamp = client.own_shadow().unwrap();
        drop(client);
        let (got, _) = future::zip(lamp.get(), peer.answer("get", 0, DOCUMENT)).await;
        assert!(got.is_ok());
        drop(lamp);
        assert_eq!(peer.next().await, Seen::Disconnect);
        assert_eq!(peer.next().await, Seen::Ended);
        driver.await;
    });
}

#[test]
fn nobody_waits_for_a_driver_that_was_dropped() {
    within(async {
        let server = Server::bind().await;
        let connector = server.connector();
        let clock = transport_tcp::SystemClock::new();
        let session = shadow_core::Session::new();
        let (client, _events, driver) =
            transport_tcp::client(lamp_config(), session, 1, connector, clock);
        let lamp = client.own_shadow().unwrap();
        // It lies in the command channel when the driver goes.
        let mut queued = Box::pin(lamp.get());
        assert!(future::poll_once(&mut queued).await.is_none());
        drop(driver);
        assert_eq!(queued.await, Err(ClientError::DriverStopped));

        let (client, _events, driver, mut peer) = server.lamp().await;
        let lamp = client.own_shadow().unwrap();
        let mut open = Box::pin(lamp.get());
        assert!(future::poll_once(&mut open).await.is_none());
        assert!(matches!(peer.next().await, Seen::Publish { .. }));
        driver.cancel().await;
        assert!(matches!(
            future::poll_once(&mut open).await,
            Some(Err(ClientError::DriverStopped))
        ));
        assert_eq!(peer.next().await, Seen::Ended);
    });
}

#[test]
fn client_futures_and_the_driver_may_change_threads() {
    fn sendable<T: Send>(_: &T) {}
    let (client, events, driver) = transport_tcp::client(
        lamp_config(),
        shadow_core::Session::new(),
        1,
        TcpConnector::new("127.0.0.1", 1),
        transport_tcp::SystemClock::new(),
    );
    let lamp = client.own_shadow().unwrap();
    sendable(&lamp.get());
    sendable(&lamp.report(&1));
    sendable(&client.close());
    sendable(&events);
    let run = driver.run();
    sendable(&run);
    drop((client, lamp));
    within(run);
}

/// A socket that is dropped with bytes unread resets the connection; what was sent last may then
/// never be read.
#[test]
fn disconnect_reaches_a_server_that_is_still_talking() {
    within(async {
        let server = Server::bind().await;
        // It stands still: nothing is given up because this machine is slow.
        let clock = ManualClock::default();
        let (client, mut events, driver) = start_by(clock, lamp_config(), server.connector());
        let mut peer = server.accept().await;
        peer.welcome().await;
        let message = b"\x30\x05\x00\x01bhi";
        let flood = message.repeat(4 * 1024 * 1024 / message.len());
        event_where(&mut events, |event| matches!(event, Event::Ready { .. })).await;
        let talking = async {
            peer.stream.write_all(&flood).await.unwrap();
            assert_eq!(peer.next().await, Seen::Disconnect);
            assert_eq!(peer.next().await, Seen::Ended);
            drop(peer);
        };
        future::zip(talking, client.close()).await;
        driver.await;
    });
}

/// Whoever waits for the end may count on it that nothing is left.
#[test]
fn close_ends_when_the_connector_is_gone_too() {
    struct Unreachable(Arc<AtomicBool>);

    impl Drop for Unreachable {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    impl Connector for Unreachable {
        type Stream = TcpStream;

        async fn connect(&mut self) -> io::Result<TcpStream> {
            std::future::pending().await
        }
    }

    /// Keeps what held when it was woken.
    struct Witness {
        gone: Arc<AtomicBool>,
        woken: Mutex<Option<bool>>,
    }

    impl Wake for Witness {
        fn wake(self: Arc<Self>) {
            let gone = self.gone.load(Ordering::Relaxed);
            self.woken.lock().unwrap().get_or_insert(gone);
        }
    }

    within(async {
        let gone = Arc::new(AtomicBool::new(false));
        let connector = Unreachable(Arc::clone(&gone));
        let (clock, session) = (SystemClock::new(), Session::new());
        let (client, _events, driver) =
            transport_tcp::client(lamp_config(), session, 1, connector, clock);
        let mut run = Box::pin(driver.run());
        assert!(future::poll_once(&mut run).await.is_none());
        let witness = Arc::new(Witness {
            gone,
            woken: Mutex::new(None),
        });
        let waker = Waker::from(Arc::clone(&witness));
        let mut close = Box::pin(client.close());
        let polled = close.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        run.await;
        assert_eq!(*witness.woken.lock().unwrap(), Some(true));
        close.await;
    });
}
