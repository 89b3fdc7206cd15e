//! What a driver records, and that it costs the device nothing when it cannot.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_lite::{StreamExt, future};
use shadow_core::recording::{Header, Input, Mask, Sink};
use shadow_core::{Event, Session};
use smol::Task;
use transport_tcp::recording::{RecordingError, RecordingSink};
use transport_tcp::store::{Durability, SessionStore, StoreError};
use transport_tcp::{Client, Clock, Events, Notification, SystemClock};

use crate::peer::{DOCUMENT, Peer, Seen, Server, event_where, lamp_config, within};

/// Lines in memory; from a certain one on they are refused.
#[derive(Clone, Default)]
struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    room: Option<usize>,
    failed: bool,
    error: Option<RecordingError>,
}

impl Lines {
    fn with_room(room: usize) -> Lines {
        Lines {
            room: Some(room),
            ..Lines::default()
        }
    }

    fn all(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Where the first with this in it stands.
    #[track_caller]
    fn place(&self, part: &str) -> usize {
        let lines = self.all();
        let found = lines.iter().position(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("no {part} in {lines:#?}"))
    }
}

impl Sink for Lines {
    fn line(&mut self, line: &str) {
        let mut lines = self.lines.lock().unwrap();
        if self.room.is_none_or(|room| lines.len() < room) {
            lines.push(line.to_owned());
        } else if !std::mem::replace(&mut self.failed, true) {
            self.error = Some(worn_out());
        }
    }
}

impl RecordingSink for Lines {
    fn take_error(&mut self) -> Option<RecordingError> {
        self.error.take()
    }
}

fn worn_out() -> RecordingError {
    RecordingError::Other("worn out".into())
}

/// A store that notes how many lines were recorded when it was asked last.
struct Store(Lines, Arc<Mutex<usize>>);

impl SessionStore for Store {
    fn save(&mut self, _: &Session) -> Result<(), StoreError> {
        *self.1.lock().unwrap() = self.0.all().len();
        Ok(())
    }
}

/// A lamp that is recorded.
fn lamp(server: &Server, lines: &Lines) -> (Client, Events, Task<Session>) {
    let (config, session) = (lamp_config(), Session::new());
    let (client, events, driver) =
        transport_tcp::client(config, session, 7, server.connector(), SystemClock::new());
    let driver = driver.with_recording(Mask::default(), lines.clone());
    (client, events, smol::spawn(driver.run()))
}

/// Gets its shadow and says goodbye.
async fn get_and_close(client: Client, mut peer: Peer<smol::net::TcpStream>) {
    let lamp = client.own_shadow().unwrap();
    let (got, _) = future::zip(lamp.get(), peer.answer("get", 0, DOCUMENT)).await;
    assert!(got.is_ok());
    future::zip(client.close(), async {
        assert_eq!(peer.next().await, Seen::Disconnect);
        drop(peer);
    })
    .await;
}

/// From what the engine was made of to its end, and a store beside it gets the session before that.
#[test]
fn it_begins_with_the_start_and_ends_with_the_end() {
    within(async {
        let server = Server::bind().await;
        let (lines, saved) = (Lines::default(), Arc::default());
        let clock = SystemClock::new();
        let before = clock.now();
        let (client, _events, driver) =
            transport_tcp::client(lamp_config(), Session::new(), 7, server.connector(), clock);
        let after = clock.now();
        let driver = driver
            .with_store(
                Store(lines.clone(), Arc::clone(&saved)),
                Durability::EveryChange,
            )
            .with_recording(Mask::keyed([7; 16]).values(), lines.clone());
        assert_eq!(lines.all().len(), 2, "before it runs");
        let driver = smol::spawn(driver.run());
        let mut peer = server.accept().await;
        peer.welcome().await;
        let lamp = client.own_shadow().unwrap();
        let on = BTreeMap::from([("power", true)]);
        let sent = peer.answer("update", 0, r#"{"version":4}"#);
        let (receipt, _) = future::zip(lamp.report(&on), sent).await;
        receipt.unwrap().acknowledged().await.unwrap();
        drop(lamp);
        get_and_close(client, peer).await;
        driver.await;

        let all = lines.all();
        assert!(Header::parse(&all[0]).unwrap().mask.hides_values());
        let Some((at, Input::Start(start))) = Input::parse(&all[1]).unwrap() else {
            panic!("{}", all[1]);
        };
        assert_eq!((start.seed, start.session), (7, Session::new()));
        assert_eq!(start.config.own_shadow, lamp_config().own_shadow);
        assert!((before..=after).contains(&at), "the time of `client`");
        let report = lines.place(r#""in":"report","shadow":0,"reported":{"power":true}"#);
        assert!(report < lines.place(r#""outcome":"Reported","version":4"#));
        assert!(lines.place(r#""in":"get""#) < lines.place(r#""in":"close""#));
        assert_eq!(lines.place(r#""in":"end""#), all.len() - 1);
        assert!(*saved.lock().unwrap() < all.len());
        for line in &all[2..] {
            assert!(
                line.ends_with("}\n") && Input::parse(line).is_ok(),
                "{line}"
            );
        }
    });
}

/// Wherever the disk is full it is told once, and the device does what it does.
#[test]
fn a_sink_that_fails_is_told_once_and_disturbs_nobody() {
    within(async {
        let server = Server::bind().await;
        let mut room = 0;
        loop {
            let lines = Lines::with_room(room);
            let (client, events, driver) = lamp(&server, &lines);
            let mut peer = server.accept().await;
            peer.welcome().await;
            get_and_close(client, peer).await;
            driver.await;
            let told: Vec<_> = events
                .filter(|told| matches!(told, Notification::NotRecorded(_)))
                .collect()
                .await;
            let written = lines.all();
            if written
                .last()
                .is_some_and(|line| line.contains(r#""in":"end""#))
            {
                assert_eq!(told, []);
                break;
            }
            // Also if it is the last line that finds no room.
            assert_eq!(told, [Notification::NotRecorded(worn_out())], "{room}");
            assert_eq!(written.len(), room);
            room += 1;
        }
        assert!(room > 20, "{room}");
    });
}

/// As a crash: there is no end.
#[test]
fn a_driver_that_is_dropped_leaves_no_end() {
    within(async {
        let server = Server::bind().await;
        let lines = Lines::default();
        let (_client, mut events, driver) = lamp(&server, &lines);
        let mut peer = server.accept().await;
        peer.welcome().await;
        event_where(&mut events, |event| matches!(event, Event::Ready { .. })).await;
        driver.cancel().await;
        let ready = lines.place(r#""event":"Ready""#);
        assert!(ready > 5);
        assert!(
            lines
                .all()
                .iter()
                .all(|line| !line.contains(r#""in":"end""#))
        );
    });
}
