//! The records of `docs/logs.md`: each with its level and its fields, and nothing secret in any.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, ready};
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::StreamExt;
use serde_json::json;
use shadow_core::mqtt::{ConnectReturnCode, QoS};
use shadow_core::recording::{Mask, Sink};
use shadow_core::{Config, DisconnectCause, Event, Publication, Session};
use smol::LocalExecutor;
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata, Subscriber, span, subscriber};
use transport_mock::bridge::{BridgeEvent, IgnoredReason, bridge};
use transport_mock::cloud::{
    Cloud, CloudConfig, EXAMPLE_DEVICE_SECRET, example_device, example_name,
};
use transport_mock::server::{Departure, Message, Refusal, ServerConfig, ServerEvent};
use transport_mock::service::ShadowService;
use transport_mock::stream::{Connect, MemoryConnector, MemoryListener, memory_network};
use transport_mock::{SharedCloud, VirtualClock, serve};
use transport_tcp::recording::{RecordingError, RecordingSink};
use transport_tcp::store::{Durability, SessionStore, StoreError};
use transport_tcp::{ClientError, Clock, Connector, Events, Notification, client};

use crate::support::WALL;

/// A record, with its fields as text.
#[derive(Clone, Debug, PartialEq)]
struct Record {
    level: Level,
    target: String,
    event: String,
    fields: BTreeMap<&'static str, String>,
}

impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}");
        match field.name() {
            "event" => self.event = value,
            name => drop(self.fields.insert(name, value)),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

/// Collects the records of this project's crates.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Record>>>);

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("transport_")
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut record = Record {
            level: *event.metadata().level(),
            target: event.metadata().target().to_owned(),
            event: String::new(),
            fields: BTreeMap::new(),
        };
        event.record(&mut record);
        self.0.lock().unwrap().push(record);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// What this thread logs meanwhile.
fn logged(work: impl FnOnce()) -> Vec<Record> {
    let collector = Collector::default();
    let records = Arc::clone(&collector.0);
    subscriber::with_default(collector, work);
    let records = records.lock().unwrap();
    records.clone()
}

/// How a line of the table in `docs/logs.md` begins: crate, event, level and fields.
fn line(record: &Record) -> String {
    let source = record.target.split("::").next().unwrap();
    let level = record.level.as_str().to_lowercase();
    let fields: Vec<_> = record
        .fields
        .keys()
        .map(|name| format!("`{name}`"))
        .collect();
    let fields = fields.join(", ");
    format!("| `{source}` | `{}` | {level} | {fields} |", record.event)
}

/// That each of the records is in the table as it is, and that these are among them.
#[track_caller]
fn are_documented(records: &[Record], events: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/logs.md");
    let table = std::fs::read_to_string(path).unwrap();
    for record in records {
        let line = line(record);
        assert!(table.contains(&line), "not in docs/logs.md: {line}");
    }
    for event in events {
        let written = records.iter().any(|record| record.event == *event);
        assert!(written, "no record {event}: {records:#?}");
    }
}

fn of<'r>(records: &'r [Record], event: &str) -> Vec<&'r Record> {
    let wanted = records.iter().filter(|record| record.event == event);
    wanted.collect()
}

/// Runs a device until the test is over.
fn with_device<F: Future>(
    config: Config,
    clock: &VirtualClock,
    connector: impl Connector + 'static,
    test: impl FnOnce(transport_tcp::Client, Events) -> F,
) -> F::Output {
    let executor = LocalExecutor::new();
    let (device, events, driver) = client(config, Session::new(), 7, connector, clock.clone());
    executor.spawn(driver.run()).detach();
    clock.run(&executor, test(device, events))
}

async fn told(events: &mut Events, wanted: impl Fn(&Event) -> bool) {
    loop {
        match events.next().await {
            Some(Notification::Event(event)) if wanted(&event) => return,
            Some(_) => {}
            None => panic!("the driver has ended"),
        }
    }
}

/// A network that nobody serves: what is connected is silent.
fn silent_network() -> (MemoryConnector, MemoryListener) {
    memory_network(4_096, 4)
}

#[test]
fn a_whole_session_is_logged_without_secrets_and_payloads() {
    const VALUE: &str = "what-the-device-reported";
    let records = logged(|| {
        let clock = VirtualClock::new(WALL);
        let cloud = SharedCloud::new(Cloud::example(clock.now(), WALL));
        let (connector, listener) = memory_network(512, 8);
        let executor = LocalExecutor::new();
        let incoming = listener.map(|stream| ready(Some(stream)));
        let serving = serve(cloud.clone(), incoming, clock.clone(), |_| {});
        executor.spawn(serving).detach();
        let config = Config::new(&example_device());
        let connector = connector.with_script([Connect::Refused(io::ErrorKind::ConnectionRefused)]);
        let (device, mut events, driver) =
            client(config, Session::new(), 7, connector, clock.clone());
        executor.spawn(driver.run()).detach();
        clock.run(&executor, async {
            let shadow = device.own_shadow().unwrap();
            let receipt = shadow.report(&json!({"note": VALUE})).await.unwrap();
            receipt.acknowledged().await.unwrap();
            let topic = "EXAMPLE001/test01/data";
            device.subscribe(topic, QoS::AtLeastOnce).await.unwrap();
            let message = Publication::new(topic, VALUE.as_bytes());
            device.publish(&message).await.unwrap();
            told(&mut events, |event| matches!(event, Event::Message(_))).await;
            device.unsubscribe(topic).await.unwrap();
            let now = clock.now();
            let desired = json!({"color": VALUE}).to_string();
            let set = |cloud: &mut Cloud| cloud.set_desired(now, &example_name(), &desired, None);
            cloud.with(set).unwrap();
            told(&mut events, |event| matches!(event, Event::Delta(_))).await;
            let counters = device.counters().await.unwrap();
            assert_eq!((counters.connects, counters.logins), (2, 1));
            device.close().await;
        });
    });
    let seen = [
        "accepted",
        "client_left",
        "closed",
        "closing",
        "connected",
        "connecting",
        "connection_ended",
        "disconnected",
        "login_accepted",
        "published",
        "received",
        "sending",
        "subscribed",
        "unsubscribed",
    ];
    are_documented(&records, &seen);
    assert_eq!(of(&records, "connecting").len(), 2);
    let lost = of(&records, "disconnected");
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].level, Level::DEBUG);
    assert!(lost[0].fields["cause"].starts_with("cannot connect: memory network"));
    let kinds: Vec<_> = of(&records, "sending")
        .iter()
        .map(|record| record.fields["kind"].as_str())
        .take(3)
        .collect();
    assert_eq!(kinds, ["CONNECT", "SUBSCRIBE", "PUBLISH"]);
    // The secret as it is written and as it is, the password that is made from it, and the values.
    let text = format!("{records:?}");
    for secret in [
        EXAMPLE_DEVICE_SECRET,
        "not a real secret",
        "hmacsha256",
        VALUE,
    ] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[test]
fn what_waiting_does_not_heal_is_a_warning() {
    let records = logged(|| {
        let mut config = Config::new(&example_device());
        config.keep_alive = 10_000;
        let clock = VirtualClock::new(WALL);
        let (connector, _listener) = silent_network();
        with_device(
            config,
            &clock,
            connector,
            |_device, mut events| async move {
                told(&mut events, |event| {
                    matches!(
                        event,
                        Event::Disconnected {
                            cause: DisconnectCause::LimitExceeded(_),
                            ..
                        }
                    )
                })
                .await;
            },
        );
    });
    are_documented(&records, &["disconnected"]);
    assert_eq!(of(&records, "disconnected")[0].level, Level::WARN);
}

#[test]
fn a_login_without_the_wall_time_is_a_warning() {
    let records = logged(|| {
        let clock = VirtualClock::without_wall_time();
        let config = Config::new(&example_device());
        let (connector, _listener) = silent_network();
        with_device(
            config,
            &clock,
            connector,
            |_device, mut events| async move {
                told(&mut events, |event| *event == Event::WallTimeNeeded).await;
            },
        );
    });
    are_documented(&records, &["wall_time_needed"]);
}

/// A stream whose server has said all that it will, in one piece, and that fails to close.
struct Scripted(io::Cursor<Vec<u8>>);

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match io::Read::read(&mut self.0, buffer) {
            Ok(0) => Poll::Pending,
            read => Poll::Ready(read),
        }
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }
}

impl Connector for Scripted {
    type Stream = Scripted;

    async fn connect(&mut self) -> io::Result<Scripted> {
        let bytes = std::mem::take(self.0.get_mut());
        Ok(Scripted(io::Cursor::new(bytes)))
    }
}

#[test]
fn events_that_are_lost_and_a_connection_that_does_not_close_are_logged() {
    // CONNACK, and two messages `t` in the same read.
    let bytes = [
        &[0x20, 2, 0, 0][..],
        &[0x30, 3, 0, 1, b't'],
        &[0x30, 3, 0, 1, b't'],
    ]
    .concat();
    let records = logged(|| {
        let mut config = Config::plain("tool");
        config.maximum_events = 1;
        let clock = VirtualClock::new(WALL);
        let connector = Scripted(io::Cursor::new(bytes));
        with_device(config, &clock, connector, |device, mut events| async move {
            while device.counters().await.unwrap().events_lost < 2 {
                smol::future::yield_now().await;
            }
            assert!(events.next().await.is_some());
            device.close().await;
        });
    });
    are_documented(&records, &["close_failed", "events_lost"]);
    let lost = of(&records, "events_lost");
    assert_eq!(lost[0].level, Level::WARN);
    assert_eq!(lost[0].fields["count"], "2");
}

/// A store that fails once.
struct Moody(AtomicBool);

impl SessionStore for Moody {
    fn save(&mut self, _: &Session) -> Result<(), StoreError> {
        match self.0.swap(true, Ordering::SeqCst) {
            true => Ok(()),
            false => Err(StoreError::Other("the flash is busy".into())),
        }
    }
}

/// A recording that cannot be written.
#[derive(Default)]
struct Full {
    failed: bool,
    told: bool,
}

impl Sink for Full {
    fn line(&mut self, _: &str) {
        self.failed = true;
    }
}

impl RecordingSink for Full {
    fn take_error(&mut self) -> Option<RecordingError> {
        let told = std::mem::replace(&mut self.told, self.failed);
        (self.failed && !told).then(|| RecordingError::Other("the disk is full".into()))
    }
}

/// Saving blocks in earnest, so this goes by the real executor.
#[test]
fn stores_and_recordings_that_fail_are_logged() {
    let records = logged(|| {
        let clock = VirtualClock::new(WALL);
        let (connector, _listener) = silent_network();
        let config = Config::new(&example_device());
        let (device, mut events, driver) =
            client(config, Session::new(), 7, connector, clock.clone());
        let driver = driver
            .with_store(Moody(AtomicBool::new(false)), Durability::EveryChange)
            .with_recording(Mask::default(), Full::default());
        let executor = LocalExecutor::new();
        executor.spawn(driver.run()).detach();
        smol::block_on(executor.run(async {
            let mut stored = None;
            while stored != Some(Notification::StoredAgain) {
                stored = events.next().await;
                if let Some(Notification::NotStored(_)) = stored {
                    clock.advance_to(clock.now() + Duration::from_secs(1));
                }
            }
            drop(device);
        }));
    });
    are_documented(&records, &["not_recorded", "not_stored", "stored_again"]);
    let error = |event| of(&records, event)[0].fields["error"].clone();
    assert!(error("not_stored").contains("the flash is busy"));
    assert!(error("not_recorded").contains("the disk is full"));
}

/// Those that a session with the served cloud does not have.
#[test]
fn every_event_of_the_cloud_is_logged() {
    const VALUE: &str = "what-a-client-published";
    let clock = VirtualClock::new(WALL);
    let mut cloud = Cloud::new(CloudConfig::default(), clock.now(), WALL);
    let connection = cloud.accept(clock.now());
    let (client_id, topic) = ("tool".to_owned(), "t".to_owned());
    let message = Message {
        topic: topic.clone(),
        payload: VALUE.into(),
        qos: QoS::AtLeastOnce,
    };
    let (filter, qos) = (topic.clone(), QoS::AtMostOnce);
    let events = [
        ServerEvent::Refused {
            connection,
            client_id: Some(client_id.clone()),
            refusal: Refusal::Ordered(ConnectReturnCode::NotAuthorized),
        },
        ServerEvent::Subscribed {
            client_id: client_id.clone(),
            filter,
            granted: None,
        },
        ServerEvent::Published {
            client_id: client_id.clone(),
            message: message.clone(),
        },
        ServerEvent::PublishForbidden {
            client_id: client_id.clone(),
            topic: topic.clone(),
        },
        ServerEvent::Dropped {
            client_id: client_id.clone(),
            topic: topic.clone(),
            qos,
        },
        ServerEvent::Disconnected {
            connection,
            client_id,
            departure: Departure::KeepAlive,
        },
        ServerEvent::EventsLost { count: 3 },
    ];
    let records = logged(|| events.iter().for_each(ServerEvent::trace));
    assert_eq!(records.len(), events.len());
    let names = [
        "client_left",
        "events_lost",
        "login_refused",
        "message_dropped",
        "publish_forbidden",
        "published",
        "subscription_refused",
    ];
    are_documented(&records, &names);
    assert_eq!(of(&records, "login_refused")[0].fields["client_id"], "tool");
    assert!(!format!("{records:?}").contains(VALUE));
}

#[test]
fn every_event_of_the_bridge_is_logged() {
    const VALUE: &str = "what-a-device-asked";
    let topic = || "t".to_owned();
    let error = ClientError::TimedOut;
    let request = shadow_core::event::Message {
        topic: topic(),
        payload: VALUE.into(),
        qos: QoS::AtMostOnce,
        retain: false,
        duplicate: false,
    };
    let events = [
        BridgeEvent::Offline {
            cause: DisconnectCause::PingTimedOut,
            retry_in: Duration::from_secs(1),
        },
        BridgeEvent::Handled {
            request,
            responses: Vec::new(),
        },
        BridgeEvent::Ignored {
            topic: topic(),
            reason: IgnoredReason::Busy,
        },
        BridgeEvent::MessagesLost { count: 2 },
        BridgeEvent::Unacknowledged {
            topic: topic(),
            error: error.clone(),
        },
        BridgeEvent::Undelivered {
            topic: topic(),
            error,
        },
    ];
    let records = logged(|| events.iter().for_each(BridgeEvent::trace));
    assert_eq!(records.len(), events.len());
    let names = [
        "bridge_offline",
        "handled",
        "ignored",
        "messages_lost",
        "unacknowledged",
        "undelivered",
    ];
    are_documented(&records, &names);
    assert!(!format!("{records:?}").contains(VALUE));
}

/// That the bridge logs by itself.
#[test]
fn a_bridge_that_gets_to_its_broker_logs_it() {
    let records = logged(|| {
        let clock = VirtualClock::new(WALL);
        let (connector, listener) = memory_network(512, 8);
        let config = CloudConfig {
            server: ServerConfig::default(),
            ..CloudConfig::default()
        };
        let broker = SharedCloud::new(Cloud::new(config, clock.now(), WALL));
        let executor = LocalExecutor::new();
        let incoming = listener.map(|stream| ready(Some(stream)));
        executor
            .spawn(serve(broker, incoming, clock.clone(), |_| {}))
            .detach();
        let config = transport_mock::bridge::config("bridge");
        let (client, events, driver) = client(config, Session::new(), 7, connector, clock.clone());
        executor.spawn(driver.run()).detach();
        let online = RefCell::new(false);
        let mut service = ShadowService::new();
        clock.run(&executor, async {
            let closer = client.clone();
            let bridging = bridge(&mut service, &client, events, &clock, |event| {
                *online.borrow_mut() |= matches!(event, BridgeEvent::Online { .. });
            });
            let closing = async {
                while !*online.borrow() {
                    smol::future::yield_now().await;
                }
                closer.close().await;
            };
            futures_lite::future::zip(bridging, closing)
                .await
                .0
                .unwrap();
        });
    });
    are_documented(&records, &["bridge_online"]);
}
