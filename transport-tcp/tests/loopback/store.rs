//! When a driver stores its session.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::{StreamExt, future};
use shadow_core::{Event, RequestError, Session};
use smol::Task;
use smol::net::TcpStream;
use transport_tcp::store::{Durability, SessionFile, SessionStore, StoreError};
use transport_tcp::{
    Client, ClientError, Connector, Events, Notification, SystemClock, TcpConnector,
};

use crate::clock::ManualClock;
use crate::peer::{DOCUMENT, Seen, Server, event_where, lamp_config, within};

/// What happened, in its order.
#[derive(Clone, Debug, PartialEq)]
enum Happened {
    /// A session was stored; its bytes as text.
    Saved(String),
    /// A connection was asked for.
    Connect,
    /// Bytes left.
    Wrote(Vec<u8>),
    /// The application was told.
    Told(Box<Notification>),
}

/// Writes everything down.
#[derive(Clone)]
struct Witness {
    log: Arc<Mutex<Vec<Happened>>>,
    events: Arc<Mutex<Option<Events>>>,
}

impl Witness {
    fn new() -> Witness {
        Witness {
            log: Arc::default(),
            events: Arc::default(),
        }
    }

    fn note(&self, happened: Happened) {
        self.log.lock().unwrap().push(happened);
    }

    /// Notes what the application was told until now.
    fn listen(&self) {
        let mut events = self.events.lock().unwrap();
        let events = events.as_mut().unwrap();
        while let Some(Some(told)) = future::block_on(future::poll_once(events.next())) {
            self.note(Happened::Told(Box::new(told)));
        }
    }

    /// Where the first of a kind stands.
    #[track_caller]
    fn place(&self, of: impl Fn(&Happened) -> bool) -> usize {
        let log = self.log.lock().unwrap();
        log.iter()
            .position(of)
            .unwrap_or_else(|| panic!("{log:#?}"))
    }
}

impl SessionStore for Witness {
    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        self.listen();
        let text = String::from_utf8(session.to_bytes()).unwrap();
        self.note(Happened::Saved(text));
        Ok(())
    }
}

/// TCP that writes down what is asked of it.
struct Watched {
    tcp: TcpConnector,
    witness: Witness,
}

struct WatchedStream {
    stream: TcpStream,
    witness: Witness,
}

impl Connector for Watched {
    type Stream = WatchedStream;

    async fn connect(&mut self) -> io::Result<WatchedStream> {
        self.witness.note(Happened::Connect);
        let stream = self.tcp.connect().await?;
        let witness = self.witness.clone();
        Ok(WatchedStream { stream, witness })
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.witness.note(Happened::Wrote(bytes.into()));
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

#[test]
fn what_changes_is_stored_before_it_is_handed_out() {
    within(async {
        let server = Server::bind().await;
        let witness = Witness::new();
        let connector = Watched {
            tcp: server.connector(),
            witness: witness.clone(),
        };
        let (config, session) = (lamp_config(), Session::new());
        let (client, events, driver) =
            transport_tcp::client(config, session, 1, connector, SystemClock::new());
        *witness.events.lock().unwrap() = Some(events);
        let driver = driver.with_store(witness.clone(), Durability::EveryChange);
        let driver = smol::spawn(driver.run());
        let mut peer = server.accept().await;
        peer.welcome().await;
        let lamp = client.own_shadow().unwrap();
        let on = BTreeMap::from([("power", true)]);
        let (receipt, _) = future::zip(
            lamp.report(&on),
            peer.answer("update", 0, r#"{"version":4}"#),
        )
        .await;
        receipt.unwrap().acknowledged().await.unwrap();
        peer.push_delta(5, r#"{"level":7}"#).await;
        // Once this is answered, everything before it was read.
        let (got, _) = future::zip(lamp.get(), peer.answer("get", 0, DOCUMENT)).await;
        assert!(got.is_ok());
        future::zip(client.close(), async {
            assert_eq!(peer.next().await, Seen::Disconnect);
            drop(peer);
        })
        .await;
        let session = driver.await;
        witness.listen();

        let stored = |what: &str| {
            let what = what.to_owned();
            move |happened: &Happened| matches!(happened, Happened::Saved(session) if session.contains(&what))
        };
        let sent = |happened: &Happened| {
            let update = br#"{"reported":{"power":true}}"#;
            matches!(happened, Happened::Wrote(bytes)
                if bytes.windows(update.len()).any(|part| part == update))
        };
        let told = |happened: &Happened| {
            matches!(happened, Happened::Told(told)
                if matches!(**told, Notification::Event(Event::Delta(_))))
        };
        assert_eq!(witness.place(stored("")), 0);
        assert!(witness.place(|happened| *happened == Happened::Connect) > 0);
        assert!(witness.place(stored(r#""power":true"#)) < witness.place(sent));
        assert!(witness.place(stored(r#""level":7"#)) < witness.place(told));
        let log = witness.log.lock().unwrap();
        let last = log.iter().rev().find_map(|happened| match happened {
            Happened::Saved(session) => Some(session.as_bytes()),
            _ => None,
        });
        assert_eq!(last, Some(session.to_bytes().as_slice()));
    });
}

/// The driver is dropped as by a power cut: the next one begins with the file.
#[test]
fn a_power_cut_takes_nothing_that_was_reported() {
    within(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("session");
        let run = |server: &Server| {
            let mut file = SessionFile::open(&path).unwrap();
            let session = file.load().unwrap().unwrap_or_default();
            let (config, clock) = (lamp_config(), SystemClock::new());
            let (client, events, driver) =
                transport_tcp::client(config, session, 1, server.connector(), clock);
            let driver = driver.with_store(file, Durability::EveryChange);
            (client, events, smol::spawn(driver.run()))
        };
        // A server that never answers.
        let silent = Server::bind().await;
        let (client, _events, driver) = run(&silent);
        let lamp = client.own_shadow().unwrap();
        let on = BTreeMap::from([("power", true)]);
        let receipt = lamp.report(&on).await.unwrap();
        driver.cancel().await;
        assert_eq!(
            receipt.acknowledged().await,
            Err(ClientError::DriverStopped)
        );

        let server = Server::bind().await;
        let (_client, _events, driver) = run(&server);
        let mut peer = server.accept().await;
        peer.welcome().await;
        let sent = peer.answer("update", 0, "{}").await;
        assert!(sent.contains(r#""reported":{"power":true}"#), "{sent}");
        driver.cancel().await;
    });
}

/// What a lamp reads back when it starts is what it reported last, acknowledged or not.
#[test]
fn what_was_reported_is_read_back_in_the_next_run() {
    within(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("session");
        let run = |server: &Server| {
            let mut file = SessionFile::open(&path).unwrap();
            let session = file.load().unwrap().unwrap_or_default();
            let (config, clock) = (lamp_config(), SystemClock::new());
            let (client, events, driver) =
                transport_tcp::client(config, session, 1, server.connector(), clock);
            let driver = driver.with_store(file, Durability::EveryChange);
            (client, events, smol::spawn(driver.run()))
        };
        let server = Server::bind().await;
        let (client, mut events, driver) = run(&server);
        let lamp = client.own_shadow().unwrap();
        assert_eq!(lamp.reported().await.unwrap().as_str(), "{}");
        let mut peer = server.accept().await;
        peer.welcome().await;
        let off = BTreeMap::from([("level", 40), ("mode", 1)]);
        let (receipt, _) = future::zip(lamp.report(&off), peer.answer("update", 0, "{}")).await;
        receipt.unwrap().acknowledged().await.unwrap();
        peer.push_delta(5, r#"{"level":77,"on":true}"#).await;
        let pushed =
            |event: &Event| matches!(event, Event::Delta(delta) if delta.version == Some(5));
        let Event::Delta(delta) = event_where(&mut events, pushed).await else {
            panic!("a delta was looked for");
        };
        lamp.accept(&delta).await.unwrap();
        let last = r#"{"level":77,"mode":1,"on":true}"#;
        assert_eq!(lamp.reported().await.unwrap().as_str(), last);
        driver.cancel().await;
        assert_eq!(lamp.reported().await, Err(ClientError::DriverStopped));

        // Nobody accepts its connection.
        let silent = Server::bind().await;
        let (client, _events, driver) = run(&silent);
        let lamp = client.own_shadow().unwrap();
        assert_eq!(lamp.reported().await.unwrap().as_str(), last);
        let (id, again) = (lamp.id(), lamp.clone());
        lamp.detach().await.unwrap();
        assert_eq!(
            again.reported().await,
            Err(ClientError::Refused(RequestError::UnknownShadow(id)))
        );
        driver.cancel().await;
    });
}

/// A store that is out of order until the test mends it, and says when it was asked.
#[derive(Clone)]
struct Broken {
    broken: Arc<AtomicBool>,
    asked: Sender<Session>,
}

impl SessionStore for Broken {
    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        drop(self.asked.try_send(session.clone()));
        match self.broken.load(Ordering::SeqCst) {
            true => Err(StoreError::Other("worn out".into())),
            false => Ok(()),
        }
    }
}

/// What a store was asked to keep last.
fn last(asks: &Receiver<Session>) -> Option<Session> {
    std::iter::from_fn(|| asks.try_recv().ok()).last()
}

/// A lamp with a store, by a clock that the test moves.
fn lamp(
    server: &Server,
    store: impl SessionStore,
    durability: Durability,
) -> (Client, Events, Task<Session>, ManualClock) {
    let clock = ManualClock::default();
    let (mut config, session) = (lamp_config(), Session::new());
    // The minutes that pass are none for the server.
    config.keep_alive = 0;
    config.limits.keep_alive_minimum = 0;
    let (client, events, driver) =
        transport_tcp::client(config, session, 1, server.connector(), clock.clone());
    let driver = driver.with_store(store, durability);
    (client, events, smol::spawn(driver.run()), clock)
}

#[test]
fn a_store_that_fails_is_told_and_disturbs_nobody() {
    within(async {
        let server = Server::bind().await;
        let (asked, asks) = async_channel::unbounded();
        let broken = Arc::new(AtomicBool::new(true));
        let store = Broken {
            broken: Arc::clone(&broken),
            asked,
        };
        let (client, mut events, driver, clock) = lamp(&server, store, Durability::EveryChange);
        let failed = Notification::NotStored(StoreError::Other("worn out".into()));
        assert_eq!(events.next().await, Some(failed.clone()));
        let mut peer = server.accept().await;
        peer.welcome().await;
        event_where(&mut events, |event| matches!(event, Event::Ready { .. })).await;
        assert_eq!(asks.len(), 1, "it is spared for a second");

        // Nothing happens but that the time comes.
        clock.advance(Duration::from_secs(1));
        assert_eq!(events.next().await, Some(failed));
        assert_eq!(asks.len(), 2);
        broken.store(false, Ordering::SeqCst);
        clock.advance(Duration::from_secs(1));
        assert_eq!(events.next().await, Some(Notification::StoredAgain));
        future::or(client.close(), clock.keep_moving()).await;
        let session = driver.await;
        assert_eq!(last(&asks), Some(session));
    });
}

#[test]
fn at_most_every_so_often_is_kept_to() {
    within(async {
        let server = Server::bind().await;
        let (asked, asks) = async_channel::unbounded();
        let store = Broken {
            broken: Arc::default(),
            asked,
        };
        let minute = Durability::AtMostEvery(Duration::from_secs(60));
        let (client, mut events, driver, clock) = lamp(&server, store, minute);
        let mut peer = server.accept().await;
        peer.welcome().await;
        event_where(&mut events, |event| matches!(event, Event::Ready { .. })).await;
        let lamp = client.own_shadow().unwrap();
        let mut report = async |level: u8| {
            let level = BTreeMap::from([("level", level)]);
            let sent = peer.answer("update", 0, "{}");
            let (receipt, _) = future::zip(lamp.report(&level), sent).await;
            assert_eq!(receipt.unwrap().acknowledged().await, Ok(()));
        };
        report(1).await;
        // The one of the start.
        assert_eq!(asks.len(), 1);
        clock.advance(Duration::from_secs(60));
        // Nothing happens but that the time comes.
        let mut stored = asks.recv().await.unwrap();
        while !holds(&stored, 1) {
            stored = asks.recv().await.unwrap();
        }
        report(2).await;
        report(3).await;
        assert_eq!(asks.len(), 0);
        future::or(client.close(), clock.keep_moving()).await;
        driver.await;
        assert_eq!(asks.len(), 1, "the end does not wait for the minute");
        assert!(holds(&asks.recv().await.unwrap(), 3));
    });
}

/// Whether this level is reported in it.
fn holds(session: &Session, level: u8) -> bool {
    let text = String::from_utf8(session.to_bytes()).unwrap();
    text.contains(&format!(r#""reported":{{"level":{level}}}"#))
}

/// A store that takes its time, while it is slow: until the test lets it go on.
struct Slow {
    slow: Arc<AtomicBool>,
    asked: Sender<()>,
    go_on: Receiver<()>,
}

impl SessionStore for Slow {
    fn save(&mut self, _: &Session) -> Result<(), StoreError> {
        if self.slow.load(Ordering::SeqCst) {
            let _ = self.asked.send_blocking(());
            let _ = self.go_on.recv_blocking();
        }
        Ok(())
    }
}

#[test]
fn an_answer_that_came_while_it_saved_counts() {
    within(async {
        let server = Server::bind().await;
        let (asked, asks) = async_channel::unbounded();
        let (go, go_on) = async_channel::unbounded();
        let slow = Arc::new(AtomicBool::new(false));
        let store = Slow {
            slow: Arc::clone(&slow),
            asked,
            go_on,
        };
        let (client, mut events, driver, clock) = lamp(&server, store, Durability::EveryChange);
        let mut peer = server.accept().await;
        peer.welcome().await;
        event_where(&mut events, |event| matches!(event, Event::Ready { .. })).await;
        let lamp = client.own_shadow().unwrap();
        let mut got = Box::pin(lamp.get());
        assert!(future::poll_once(&mut got).await.is_none());
        let Seen::Publish { payload, .. } = peer.next().await else {
            panic!("the get does not leave");
        };
        slow.store(true, Ordering::SeqCst);
        let on = BTreeMap::from([("power", true)]);
        let mut reported = Box::pin(lamp.report(&on));
        assert!(future::poll_once(&mut reported).await.is_none());
        asks.recv().await.unwrap();
        peer.reply(&payload, "get", 0, DOCUMENT).await;
        // Past the time that the get was given.
        clock.advance(Duration::from_secs(11));
        drop(go);
        assert!(got.await.is_ok());
        driver.cancel().await;
    });
}

/// All of it on one thread.
#[test]
fn a_slow_store_keeps_only_its_driver_waiting() {
    within(async {
        let server = Server::bind().await;
        let (asked, asks) = async_channel::unbounded();
        let (go, go_on) = async_channel::unbounded();
        let (client, _events, driver) = transport_tcp::client(
            lamp_config(),
            Session::new(),
            1,
            server.connector(),
            SystemClock::new(),
        );
        let driver = driver.with_store(
            Slow {
                slow: Arc::new(AtomicBool::new(true)),
                asked,
                go_on,
            },
            Durability::EveryChange,
        );
        let test = async {
            asks.recv().await.unwrap();
            let mut accept = Box::pin(server.accept());
            assert!(future::poll_once(&mut accept).await.is_none());
            drop(go);
            accept.await.welcome().await;
            client.close().await;
        };
        future::zip(driver.run(), test).await;
    });
}
