//! Sessions that are played in memory and recorded: an engine, the model of the cloud, and a
//! network between them.

use std::collections::VecDeque;
use std::time::Duration;

use conformance::recording::{Part, Reader};
use conformance::show::{Step, Story};
use serde_json::json;
use shadow_core::mqtt::{ConnectReturnCode, QoS};
use shadow_core::recording::{Mask, Recorder};
use shadow_core::tencent::Update;
use shadow_core::{
    Config, Event, Instant, Publication, Session, ShadowId, Transmit, TransportFailure, WallTime,
};
use transport_mock::cloud::{Cloud, ReplyFault, example_device, example_name};
use transport_mock::server::{ConnectionId, ServerTransmit};

/// What would run if it became a part of the page.
pub(crate) const HOSTILE: &str =
    r#"</script><img src=x onerror="document.body.dataset.broken=1"><!--&"#;

/// One way through the network.
const LATENCY: Duration = Duration::from_micros(11_700);

pub(crate) struct Played {
    pub(crate) engine: Recorder<String>,
    pub(crate) cloud: Cloud,
    pub(crate) now: Instant,
    connection: Option<ConnectionId>,
    on_the_way: VecDeque<(Instant, Delivery)>,
    /// Nothing gets through, and nobody says so.
    pub(crate) silent: bool,
    /// No connection can be made.
    pub(crate) unreachable: bool,
    /// What the application was told and has not looked at.
    pub(crate) events: Vec<Event>,
}

enum Delivery {
    Connected,
    ToCloud(ConnectionId, Vec<u8>),
    ToDevice(ConnectionId, Vec<u8>),
    Closed(ConnectionId),
}

impl Played {
    pub(crate) fn new(mask: Mask) -> Played {
        // A clock that does not begin at 0.
        Played::begin(mask, 7, Instant::from_secs(1_000))
    }

    pub(crate) fn begin(mask: Mask, seed: u64, now: Instant) -> Played {
        let wall = WallTime::from_unix_millis(1_626_770_697_670);
        let config = Config::new(&example_device());
        let mut engine = Recorder::new(config, Session::new(), seed, now, mask, String::new());
        engine.handle_wall_time(now, wall);
        Played {
            engine,
            cloud: Cloud::example(now, wall),
            now,
            connection: None,
            on_the_way: VecDeque::new(),
            silent: false,
            unreachable: false,
            events: Vec::new(),
        }
    }

    pub(crate) fn shadow(&self) -> ShadowId {
        self.engine.own_shadow().unwrap()
    }

    /// Lets this much time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.settle();
            let delivery = self.on_the_way.front().map(|(at, _)| *at);
            let due = self.engine.poll_deadline().map(|deadline| deadline.at);
            let cloud = self.cloud.poll_deadline();
            let next = [delivery, due, cloud].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.now = next.max(self.now);
            if delivery.is_some_and(|at| at <= self.now) {
                let (_, delivery) = self.on_the_way.pop_front().unwrap();
                self.deliver(delivery);
            } else if due.is_some_and(|at| at <= self.now) {
                self.engine.handle_tick(self.now);
            } else {
                self.cloud.handle_tick(self.now);
            }
        }
        self.now = end;
    }

    /// The network breaks, and both sides are told.
    pub(crate) fn cut(&mut self) {
        self.settle();
        if let Some(id) = self.connection.take() {
            self.on_the_way.clear();
            self.cloud.handle_closed(self.now, id);
            let why = TransportFailure::Broken("connection reset by peer".into());
            self.engine.handle_disconnected(self.now, why);
        }
    }

    pub(crate) fn recording(self) -> String {
        self.engine.finish().1.unwrap()
    }

    /// Takes all that the two sides have to give.
    pub(crate) fn settle(&mut self) {
        let now = self.now;
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            match self.engine.poll_transmit(now, &mut buffer) {
                Some(Transmit::Connect) if self.unreachable => {
                    let why = TransportFailure::ConnectFailed("network unreachable".into());
                    self.engine.handle_disconnected(now, why);
                }
                Some(Transmit::Connect) => self.send(Delivery::Connected),
                Some(Transmit::Close) => {
                    if let Some(id) = self.connection.take() {
                        self.cloud.handle_closed(now, id);
                    }
                }
                Some(_) => {
                    if let Some(id) = self.connection.filter(|_| !self.silent) {
                        self.send(Delivery::ToCloud(id, buffer.clone()));
                    }
                }
                None => break,
            }
        }
        while let Some(event) = self.engine.poll_event() {
            self.events.push(event);
        }
        loop {
            buffer.clear();
            match self.cloud.poll_transmit(now, &mut buffer) {
                Some(_) if self.silent => {}
                Some((id, ServerTransmit::Close)) => self.send(Delivery::Closed(id)),
                Some((id, _)) => self.send(Delivery::ToDevice(id, buffer.clone())),
                None => break,
            }
        }
        while self.cloud.poll_event().is_some() {}
    }

    fn send(&mut self, delivery: Delivery) {
        self.on_the_way.push_back((self.now + LATENCY, delivery));
    }

    fn deliver(&mut self, delivery: Delivery) {
        let now = self.now;
        match delivery {
            Delivery::Connected => {
                self.connection = Some(self.cloud.accept(now));
                self.engine.handle_connected(now);
            }
            Delivery::ToCloud(id, bytes) => self.cloud.handle_bytes(now, id, &bytes),
            Delivery::ToDevice(id, bytes) if self.connection == Some(id) => {
                self.engine.handle_bytes(now, &bytes);
            }
            Delivery::Closed(id) if self.connection == Some(id) => {
                self.connection = None;
                let why = TransportFailure::ClosedByPeer;
                self.engine.handle_disconnected(now, why);
            }
            Delivery::ToDevice(..) | Delivery::Closed(_) => {}
        }
    }
}

/// A session in which most of what can go wrong does.
pub(crate) fn eventful(mask: Mask) -> String {
    let second = Duration::from_secs(1);
    let mut played = Played::new(mask);
    let shadow = played.shadow();
    let name = example_name();
    played.unreachable = true;
    played.run(Duration::from_millis(100));
    played.unreachable = false;
    let client_id = name.client_id().to_owned();
    let refusal = ConnectReturnCode::BadUserNameOrPassword;
    played.cloud.refuse_logins(&client_id, refusal, 1);
    played.run(60 * second);

    // State, and a change of it by an application.
    let state = json!({"updateCount": 1, "light": {"on": false, "level": 40}});
    played.engine.report(played.now, shadow, &state).unwrap();
    played.run(3 * second);
    let wish = r#"{"light":{"on":true},"mode":"eco"}"#;
    let changed = played.cloud.set_desired(played.now, &name, wish, None);
    changed.unwrap();
    played.run(Duration::from_millis(350));
    let delta = played.events.iter().find_map(|event| match event {
        Event::Delta(delta) => Some(delta.clone()),
        _ => None,
    });
    played.engine.accept(played.now, &delta.unwrap()).unwrap();
    played.run(2 * second);

    // A message that has to be sent again, and one that cannot be.
    let message = Publication::new("lamp/events", HOSTILE.as_bytes()).qos(QoS::AtLeastOnce);
    played.engine.publish(played.now, &message).unwrap();
    played.cut();
    let refused = Publication::new("lamp/#", b"");
    played.engine.publish(played.now, &refused).unwrap_err();
    played.run(20 * second);

    // A reply that is lost, one that is late, and a conflict.
    played.cloud.disturb_replies(&name, ReplyFault::Lost, 1);
    played.engine.get(played.now, shadow).unwrap();
    played.run(11 * second);
    played
        .cloud
        .disturb_replies(&name, ReplyFault::Late { millis: 12_000 }, 1);
    played.engine.get(played.now, shadow).unwrap();
    played.run(15 * second);
    let conflict = Update::new().reported(json!({"updateCount": 2})).version(3);
    played.engine.update(played.now, shadow, &conflict).unwrap();
    played.run(2 * second);

    // Silence: one ping is answered, the next is not.
    played.run(90 * second);
    played.silent = true;
    played.run(80 * second);
    played.silent = false;
    played.run(30 * second);
    let state = json!({"updateCount": 3, "updateCount11": null});
    played.engine.report(played.now, shadow, &state).unwrap();
    played.run(second);
    played.engine.close(played.now);
    played.run(second);
    played.recording()
}

pub(crate) fn reader(recording: &str) -> Reader<'_> {
    Reader::new(vec![Part::of_text("session", recording)]).unwrap()
}

pub(crate) fn story(recording: &str) -> Vec<Step> {
    Story::new(reader(recording))
        .collect::<Result<_, _>>()
        .unwrap()
}
