use std::cell::RefCell;
use std::rc::Rc;

use async_channel::{Receiver, Sender};
use futures_lite::future::{or, pending};
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt};
use shadow_core::{Session, TransportFailure};
use smol::LocalExecutor;
use transport_tcp::client;

use super::*;
use crate::VirtualClock;
use crate::server::{Message as Published, Server, ServerConfig, ServerEvent, ServerTransmit};
use crate::stream::{Connect, Fault, Faults, MemoryListener, MemoryStream, memory_network};

const WALL: WallTime = WallTime::from_unix_millis(1_626_770_697_670);
const GET: &str = r#"{"type":"get","clientToken":"g"}"#;
const EMPTY: &str = concat!(
    r#"{"clientToken":"g","payload":{"state":{"reported":{}},"timestamp":1626770697,"version":0},"#,
    r#""result":0,"timestamp":1626770697,"type":"get"}"#,
    "\n"
);

/// A broker with one client, the bridge: the crate's MQTT server without a shadow service.
struct Broker {
    clock: VirtualClock,
    server: Server,
    listener: MemoryListener,
    /// What the test does as the other clients.
    inputs: Receiver<Input>,
    /// What the bridge publishes.
    published: Sender<(String, String)>,
}

enum Input {
    Publish(Published),
    /// Cuts off the bridge.
    Cut,
}

impl Broker {
    async fn run(mut self) {
        let mut next = self.listener.next().await;
        while let Some(stream) = next {
            next = self.serve(stream).await;
        }
    }

    /// Serves one connection, until there is another.
    async fn serve(&mut self, mut stream: MemoryStream) -> Option<MemoryStream> {
        let id = self.server.accept(self.clock.now());
        let mut open = true;
        let mut chunk = [0; 1024];
        loop {
            let now = self.clock.now();
            let mut bytes = Vec::new();
            while let Some((_, transmit)) = self.server.poll_transmit(now, &mut bytes) {
                open &= transmit != ServerTransmit::Close;
            }
            open &= stream.write_all(&bytes).await.is_ok();
            while let Some(event) = self.server.poll_event() {
                if let ServerEvent::Published { message, .. } = event {
                    let payload = String::from_utf8(message.payload).unwrap();
                    self.published.try_send((message.topic, payload)).unwrap();
                }
            }
            let input = async { Happened::Input(self.inputs.recv().await.expect("a test")) };
            let connection = async { Happened::Connection(self.listener.next().await) };
            let read = async {
                match open {
                    true => Happened::Read(stream.read(&mut chunk).await.unwrap_or(0)),
                    false => pending().await,
                }
            };
            let happened = or(input, or(connection, read)).await;
            let now = self.clock.now();
            match happened {
                Happened::Input(Input::Publish(message)) => {
                    assert!(self.server.publish(now, &message));
                }
                Happened::Input(Input::Cut) => self.server.disconnect_all(now),
                Happened::Read(0) => open = false,
                Happened::Read(len) => self.server.handle_bytes(now, id, &chunk[..len]),
                Happened::Connection(next) => {
                    self.server.handle_closed(now, id);
                    return next;
                }
            }
            if !open {
                drop(stream.close().await);
            }
        }
    }
}

enum Happened {
    Input(Input),
    Connection(Option<MemoryStream>),
    Read(usize),
}

/// A bridge, its broker, and the test in the place of everybody else.
struct Bench {
    clock: VirtualClock,
    executor: LocalExecutor<'static>,
    client: Client,
    inputs: Sender<Input>,
    published: Receiver<(String, String)>,
    events: Receiver<BridgeEvent>,
    service: Rc<RefCell<ShadowService>>,
    ended: smol::Task<Result<(), BridgeError>>,
}

fn bench() -> Bench {
    bench_with(ServerConfig::default(), [])
}

fn bench_with(server: ServerConfig, attempts: impl IntoIterator<Item = Connect>) -> Bench {
    let clock = VirtualClock::new(WALL);
    let (connector, listener) = memory_network(64 * 1024, 4);
    let connector = connector.with_script(attempts);
    let executor = LocalExecutor::new();
    let (inputs, input_receiver) = async_channel::unbounded();
    let (publisher, published) = async_channel::unbounded();
    let broker = Broker {
        server: Server::new(server, clock.now(), WALL),
        clock: clock.clone(),
        listener,
        inputs: input_receiver,
        published: publisher,
    };
    executor.spawn(broker.run()).detach();
    let config = config("shadow-service");
    let (client, client_events, driver) =
        client(config, Session::new(), 1, connector, clock.clone());
    executor.spawn(driver.run()).detach();
    let (event_sender, events) = async_channel::unbounded();
    let service = Rc::new(RefCell::new(ShadowService::new()));
    let ended = executor.spawn({
        let (service, clock, client) = (Rc::clone(&service), clock.clone(), client.clone());
        async move {
            let mut own = ShadowService::new();
            let on_event = |event| event_sender.try_send(event).unwrap();
            let ended = bridge(&mut own, &client, client_events, &clock, on_event).await;
            *service.borrow_mut() = own;
            ended
        }
    });
    Bench {
        clock,
        executor,
        client,
        inputs,
        published,
        events,
        service,
        ended,
    }
}

impl Bench {
    fn publish(&self, topic: &str, payload: &str) {
        let message = Published {
            topic: topic.to_owned(),
            payload: payload.as_bytes().to_vec(),
            qos: QoS::AtLeastOnce,
        };
        self.inputs.try_send(Input::Publish(message)).unwrap();
    }

    fn event(&self) -> BridgeEvent {
        let event = self.clock.run(&self.executor, self.events.recv());
        event.unwrap()
    }

    fn published(&self) -> (String, String) {
        let published = self.clock.run(&self.executor, self.published.recv());
        published.unwrap()
    }

    fn online(&self) {
        let granted = QoS::AtLeastOnce;
        assert_eq!(self.event(), BridgeEvent::Online { granted });
    }

    fn handled(&self, topics: &[&str]) {
        let event = self.event();
        let BridgeEvent::Handled { responses, .. } = &event else {
            panic!("{event:?}");
        };
        let to: Vec<&str> = responses.iter().map(|r| r.topic.as_str()).collect();
        assert_eq!(to, topics);
    }
}

#[test]
fn answers_devices_and_applications_in_order() {
    let bench = bench();
    bench.online();
    bench.publish("$shadow/operation/P/d", GET);
    bench.publish(
        "$shadow/application/P/d",
        r#"{"type":"desire","desired":{"on":true},"clientToken":"a"}"#,
    );
    bench.publish("$shadow/operation/P/e", GET);
    bench.handled(&["$shadow/operation/result/P/d"]);
    bench.handled(&[
        "$shadow/application/result/P/d",
        "$shadow/operation/result/P/d",
    ]);
    bench.handled(&["$shadow/operation/result/P/e"]);
    let (topic, payload) = bench.published();
    assert_eq!(
        (topic.as_str(), payload.as_str()),
        ("$shadow/operation/result/P/d", EMPTY)
    );
    let (topic, payload) = bench.published();
    assert_eq!(topic, "$shadow/application/result/P/d");
    assert!(payload.contains(r#""clientToken":"a""#), "{payload}");
    let (topic, payload) = bench.published();
    assert_eq!(topic, "$shadow/operation/result/P/d");
    assert!(payload.contains(r#""type":"delta""#), "{payload}");
    let (topic, payload) = bench.published();
    assert_eq!(
        (topic.as_str(), payload.as_str()),
        ("$shadow/operation/result/P/e", EMPTY)
    );
}

#[test]
fn comes_back_after_the_broker_was_gone_and_keeps_the_documents() {
    let bench = bench();
    bench.online();
    let update = r#"{"type":"update","state":{"reported":{"a":1}},"clientToken":"u"}"#;
    bench.publish("$shadow/operation/P/d", update);
    bench.handled(&["$shadow/operation/result/P/d"]);
    bench.published();
    bench.inputs.try_send(Input::Cut).unwrap();
    let event = bench.event();
    assert!(matches!(event, BridgeEvent::Offline { .. }), "{event:?}");
    bench.online();
    bench.publish("$shadow/operation/P/d", GET);
    let (_, payload) = bench.published();
    assert!(payload.contains(r#""reported":{"a":1}},"#), "{payload}");
    assert!(payload.contains(r#""version":1"#), "{payload}");
}

/// The broker takes CONNECT (28 bytes) and both SUBSCRIBEs (28 and 30), and then says no more.
#[test]
fn a_response_that_is_not_acknowledged_is_told_and_comes_before_later_ones() {
    let deaf = Faults {
        to_server: vec![Fault::StallAfter(28 + 28 + 30)],
        ..Faults::default()
    };
    let bench = bench_with(ServerConfig::default(), [Connect::Accepted(deaf)]);
    bench.online();
    bench.publish("$shadow/operation/P/d", GET);
    bench.publish("$shadow/operation/P/e", GET);
    bench.handled(&["$shadow/operation/result/P/d"]);
    bench.handled(&["$shadow/operation/result/P/e"]);
    let event = bench.event();
    let BridgeEvent::Unacknowledged { topic, error } = event else {
        panic!("{event:?}");
    };
    assert_eq!(topic, "$shadow/operation/result/P/d");
    assert_eq!(error, ClientError::TimedOut);
    assert_eq!(bench.published().0, "$shadow/operation/result/P/d");
    assert_eq!(bench.published().0, "$shadow/operation/result/P/e");
}

#[test]
fn says_what_it_leaves_alone() {
    let bench = bench();
    bench.online();
    bench.publish("$shadow/operation/ELEVENCHARS/d", GET);
    let large = "x".repeat(129 * 1024);
    bench.publish("$shadow/operation/P/d", &large);
    let event = bench.event();
    let BridgeEvent::Ignored { topic, reason } = &event else {
        panic!("{event:?}");
    };
    assert_eq!(topic, "$shadow/operation/ELEVENCHARS/d");
    assert_eq!(*reason, IgnoredReason::NoShadowTopic);
    let event = bench.event();
    let BridgeEvent::Ignored { reason, .. } = &event else {
        panic!("{event:?}");
    };
    assert!(matches!(reason, IgnoredReason::Oversized { size } if *size > large.len()));
    assert!(bench.published.is_empty());
}

#[test]
fn a_refused_subscription_ends_it_with_the_filter() {
    for (allowed, filter) in [(0, "$shadow/operation/+/+"), (1, "$shadow/application/+/+")] {
        let server = ServerConfig {
            maximum_subscriptions: allowed,
            ..ServerConfig::default()
        };
        let bench = bench_with(server, []);
        let ended = bench.clock.run(&bench.executor, bench.ended);
        let error = BridgeError::SubscriptionRefused { filter };
        assert!(error.to_string().contains(filter));
        assert_eq!(ended, Err(error));
    }
}

#[test]
fn tells_of_every_try_and_ends_with_the_client() {
    let refused = Connect::Refused(std::io::ErrorKind::ConnectionRefused);
    let bench = bench_with(ServerConfig::default(), [refused.clone(), refused]);
    for _ in 0..2 {
        let event = bench.event();
        let BridgeEvent::Offline { cause, retry_in } = event else {
            panic!("{event:?}");
        };
        let failed = DisconnectCause::Transport(TransportFailure::ConnectFailed(
            "memory network: as scripted".into(),
        ));
        assert_eq!(cause, failed);
        assert!(retry_in <= Duration::from_secs(2), "{retry_in:?}");
    }
    bench.online();
    let update = r#"{"type":"update","state":{"reported":{"a":1}},"clientToken":"u"}"#;
    bench.publish("$shadow/operation/P/d", update);
    bench.published();
    bench.clock.run(&bench.executor, bench.client.close());
    assert_eq!(bench.clock.run(&bench.executor, bench.ended), Ok(()));
    let name = shadow_core::tencent::ShadowName::new("P", "d").unwrap();
    assert_eq!(bench.service.borrow().shadow(&name).unwrap().version(), 1);
}

/// More than the bridge keeps: every message is answered or accounted for, and nothing stops.
#[test]
fn a_flood_is_bounded_and_told() {
    const FLOOD: u64 = 5_000;
    let server = ServerConfig {
        maximum_queued_messages: 10_000,
        maximum_outgoing_bytes: 16 * 1024 * 1024,
        ..ServerConfig::default()
    };
    let bench = bench_with(server, []);
    bench.online();
    for _ in 0..FLOOD {
        bench
            .inputs
            .try_send(Input::Publish(Published {
                topic: "$shadow/operation/P/d".into(),
                payload: GET.into(),
                qos: QoS::AtMostOnce,
            }))
            .unwrap();
    }
    let (mut handled, mut lost) = (0, 0);
    while handled + lost < FLOOD {
        match bench.event() {
            BridgeEvent::Handled { .. } => handled += 1,
            BridgeEvent::Ignored {
                reason: IgnoredReason::Busy,
                ..
            } => lost += 1,
            BridgeEvent::MessagesLost { count } => lost += count,
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(handled + lost, FLOOD);
    assert!(lost > 0, "the flood is too small to say anything");
    for _ in 0..handled {
        bench.published();
    }
    bench.publish("$shadow/operation/P/e", GET);
    assert_eq!(bench.published().0, "$shadow/operation/result/P/e");
}
