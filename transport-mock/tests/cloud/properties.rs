//! What holds whatever happens.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use shadow_core::event::UnmatchedReason;
use shadow_core::mqtt::QoS;
use shadow_core::tencent::Update;
use shadow_core::{Config, Event, Outcome, Publication, RequestId, Session};
use transport_mock::cloud::{Cloud, CloudConfig, example_device, example_name};
use transport_mock::server::{Credentials, KnownDevice, Message, ServerConfig};
use transport_mock::simulation::{DeviceId, Latency, Reachability, Simulation};

use crate::support::{Net, WALL, anonymous, bytes, publish, subscribe};
use shadow_core::mqtt::Packet;

proptest! {
    /// The server neither panics on arbitrary bytes nor says anything but CONNACK to a stranger.
    #[test]
    fn strangers_bytes_are_harmless(chunks in prop::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let known = KnownDevice::new(example_device());
        let mut net = Net::new(ServerConfig {
            credentials: Credentials::Devices(vec![known]),
            ..ServerConfig::default()
        });
        let id = net.accept();
        for chunk in chunks {
            let answer = net.send(id, &chunk);
            prop_assert!(answer.is_empty() || answer[0] == 0x20, "{answer:02x?}");
        }
        prop_assert_eq!(net.cloud.server().clients().count(), 0);
    }

    /// The same once it is logged in, with bytes that look like packets.
    #[test]
    fn clients_bytes_are_harmless(
        packets in prop::collection::vec((1u8..15, 0u8..16, prop::collection::vec(0u8..8, 0..12)), 0..8)
    ) {
        let mut net = Net::new(ServerConfig::default());
        let id = net.log_in("me", true);
        for (kind, flags, rest) in packets {
            let mut packet = vec![kind << 4 | flags, u8::try_from(rest.len()).unwrap()];
            packet.extend(rest);
            net.send(id, &packet);
        }
        let online = net.cloud.server().clients().count();
        prop_assert_eq!(online, usize::from(!net.is_closed(id)));
    }

    /// Any cutting of the same bytes gives the same answers and events.
    #[test]
    fn cutting_makes_no_difference(cuts in prop::collection::vec(1usize..40, 1..60)) {
        let operation = example_name().operation_topic();
        let stream = [
            bytes(&Packet::Connect(anonymous("me"))),
            subscribe(&example_name().result_topic(), QoS::AtLeastOnce),
            publish(&operation, br#"{"type":"get","clientToken":1}"#, QoS::AtLeastOnce),
            publish(&operation, br#"{"type":"update","state":{"reported":{"a":1}}}"#, QoS::ExactlyOnce),
            b"\x62\x02\x00\x07\xc0\x00".to_vec(),
            publish("other", b"", QoS::AtMostOnce),
            b"\xe0\x00".to_vec(),
        ]
        .concat();
        let run = |cuts: &mut dyn Iterator<Item = usize>| {
            let mut net = Net::new(ServerConfig::default());
            let id = net.accept();
            let mut left = &stream[..];
            let mut received = Vec::new();
            while !left.is_empty() {
                let (piece, rest) = left.split_at(cuts.next().unwrap().min(left.len()));
                received.extend(net.send(id, piece));
                left = rest;
            }
            (received, net.events())
        };
        let whole = run(&mut std::iter::repeat(stream.len()));
        prop_assert_eq!(whole, run(&mut cuts.iter().copied().cycle()));
    }
}

/// What happens to a device and around it.
#[derive(Clone, Debug)]
enum Action {
    Report(u8),
    Get,
    Publish(QoS),
    Subscribe(usize),
    Unsubscribe(usize),
    Cancel,
    Desire,
    ClearDesired,
    Reset,
    Cut,
    Kick,
    Restart,
    Reach(Reachability),
    Pass(u64),
}

fn action() -> impl Strategy<Value = Action> {
    let reachability = prop_oneof![
        3 => Just(Reachability::Up),
        1 => Just(Reachability::Refused),
        1 => Just(Reachability::Silent),
    ];
    prop_oneof![
        3 => any::<u8>().prop_map(Action::Report),
        2 => Just(Action::Get),
        2 => prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)]
            .prop_map(Action::Publish),
        2 => (0usize..2).prop_map(Action::Subscribe),
        1 => (0usize..2).prop_map(Action::Unsubscribe),
        1 => Just(Action::Cancel),
        3 => Just(Action::Desire),
        1 => Just(Action::ClearDesired),
        1 => Just(Action::Reset),
        1 => Just(Action::Cut),
        1 => Just(Action::Kick),
        1 => Just(Action::Restart),
        2 => reachability.prop_map(Action::Reach),
        6 => (0u64..40_000).prop_map(Action::Pass),
    ]
}

struct Run {
    simulation: Simulation,
    device: DeviceId,
    /// How often each accepted request has ended.
    ended: BTreeMap<RequestId, usize>,
    /// The desired value that the device knows.
    desired: Option<Value>,
    /// How often the application has desired something, each time something else.
    desires: u64,
    /// For each of [`FILTERS`] the last request about it, and whether it is then subscribed.
    subscriptions: [(Option<RequestId>, Option<bool>); 2],
    /// The topics of the messages that came.
    messages: Vec<String>,
}

const FILTERS: [&str; 2] = ["s/0", "s/1"];

impl Run {
    fn new(clean_session: bool, shadow_qos: QoS, latency: Latency, seed: u64) -> Run {
        let cloud = |now| Cloud::new(CloudConfig::default(), now, WALL);
        let mut simulation = Simulation::new(cloud, latency);
        let config = Config {
            clean_session,
            shadow_qos,
            ..Config::new(&example_device())
        };
        let device = simulation.add_device("device", config, Session::new(), seed);
        Run {
            simulation,
            device,
            ended: BTreeMap::new(),
            desired: None,
            desires: 0,
            subscriptions: [(None, Some(false)); 2],
            messages: Vec::new(),
        }
    }

    fn act(&mut self, action: &Action) {
        let name = example_name();
        let simulation = &mut self.simulation;
        let device = self.device;
        simulation.note(&format!("-- {action:?}"));
        let request = match action {
            Action::Report(value) => {
                let update = Update::new().reported(json!({"r": value}));
                simulation.with(device, |engine, now| {
                    let shadow = engine.own_shadow().unwrap();
                    engine.update(now, shadow, &update).ok()
                })
            }
            Action::Get => simulation.with(device, |engine, now| {
                let shadow = engine.own_shadow().unwrap();
                engine.get(now, shadow).ok()
            }),
            Action::Publish(qos) => simulation.with(device, |engine, now| {
                let publication = Publication::new("a/b", b"!").qos(*qos);
                engine.publish(now, &publication).ok()
            }),
            Action::Subscribe(index) => {
                let filter = FILTERS[*index];
                let request = simulation.with(device, |engine, now| {
                    engine.subscribe(now, filter, QoS::AtLeastOnce).ok()
                });
                if request.is_some() {
                    self.subscriptions[*index] = (request, None);
                }
                request
            }
            Action::Unsubscribe(index) => {
                let filter = FILTERS[*index];
                let request =
                    simulation.with(device, |engine, now| engine.unsubscribe(now, filter).ok());
                if request.is_some() {
                    self.subscriptions[*index] = (request, None);
                }
                request
            }
            Action::Cancel => {
                if let Some((request, _)) = self.ended.iter().find(|(_, times)| **times == 0) {
                    simulation
                        .with(device, |engine, now| engine.cancel(now, *request))
                        .ok();
                }
                None
            }
            Action::Desire => {
                self.desires += 1;
                let patch = format!(r#"{{"d":{}}}"#, self.desires);
                simulation.set_desired(&name, &patch).unwrap();
                None
            }
            Action::ClearDesired => {
                simulation.set_desired(&name, "null").unwrap();
                None
            }
            Action::Reset => {
                simulation.with_cloud(|cloud, now| cloud.reset(now, &name));
                None
            }
            Action::Cut => {
                simulation.cut(device);
                None
            }
            Action::Kick => {
                simulation.with_cloud(|cloud, now| cloud.disconnect(now, name.client_id()));
                None
            }
            Action::Restart => {
                simulation.with_cloud(|cloud, now| cloud.disconnect_all(now));
                None
            }
            Action::Reach(reachability) => {
                simulation.set_reachability(device, *reachability);
                None
            }
            Action::Pass(millis) => {
                simulation.run_for(Duration::from_millis(*millis));
                None
            }
        };
        if let Some(request) = request {
            assert!(
                self.ended.insert(request, 0).is_none(),
                "a request id twice"
            );
        }
        self.learn();
    }

    /// The device knows what is desired, if anything is.
    fn check_desired(&self, trace: &str) -> Result<(), TestCaseError> {
        let shadow = self.simulation.cloud().shadow(&example_name());
        if let Some(desired) = shadow.and_then(|shadow| shadow.desired()) {
            let desired: Value = serde_json::from_str(&desired).unwrap();
            prop_assert_eq!(Some(&desired["d"]), self.desired.as_ref(), "{}", trace);
        }
        Ok(())
    }

    fn learn(&mut self) {
        for event in self.simulation.take_events(self.device) {
            match event {
                Event::Ended { request, outcome } => {
                    let times = self.ended.get_mut(&request).expect("an end of no request");
                    *times += 1;
                    assert!(!matches!(outcome, Outcome::SubscriptionRefused));
                    for (last, subscribed) in &mut self.subscriptions {
                        if *last == Some(request) {
                            *subscribed = match outcome {
                                Outcome::Subscribed { .. } => Some(true),
                                Outcome::Unsubscribed => Some(false),
                                _ => None,
                            };
                        }
                    }
                }
                Event::Delta(delta) => {
                    let state: Value = serde_json::from_str(delta.state.as_str()).unwrap();
                    self.desired = state.get("d").cloned();
                }
                Event::Unmatched(reply) => assert!(
                    matches!(
                        reply.reason,
                        UnmatchedReason::Late | UnmatchedReason::Duplicate
                    ),
                    "{reply:?}"
                ),
                Event::Message(message) => self.messages.push(message.topic),
                Event::Connected { .. }
                | Event::Disconnected { .. }
                | Event::ShadowSubscribed { .. }
                | Event::Ready { .. } => {}
                other => panic!("{other:?}\n{}", self.simulation.trace().join("\n")),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// However bad the network was: every request ends exactly once, and once the network is good
    /// again the device is online and knows what the application desires.
    #[test]
    fn device_catches_up_after_anything(
        actions in prop::collection::vec(action(), 1..60),
        clean_session in any::<bool>(),
        shadow_qos in prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce)],
        millis in (0u64..200, 0u64..200),
        seed in any::<u64>(),
    ) {
        let latency = Latency {
            to_cloud: Duration::from_millis(millis.0),
            to_device: Duration::from_millis(millis.1),
        };
        let mut run = Run::new(clean_session, shadow_qos, latency, seed);
        for action in &actions {
            run.act(action);
        }
        run.act(&Action::Reach(Reachability::Up));
        // A ping to notice a dead link, a wait of 60 s, and some.
        run.act(&Action::Pass(300_000));
        let trace = run.simulation.trace().join("\n");
        prop_assert!(run.simulation.engine(run.device).is_online(), "{}", trace);
        prop_assert_eq!(run.simulation.engine(run.device).open_requests(), 0, "{}", trace);
        for (request, times) in &run.ended {
            prop_assert_eq!(*times, 1, "{} ended so often\n{}", request, trace);
        }
        run.check_desired(&trace)?;
        run.messages.clear();
        for topic in FILTERS {
            let message = Message { topic: topic.into(), payload: b"?".into(), qos: QoS::AtLeastOnce };
            prop_assert!(run.simulation.with_cloud(|cloud, now| cloud.publish(now, &message)));
        }
        // And it stays so.
        run.act(&Action::Desire);
        run.act(&Action::Pass(1_000));
        let trace = run.simulation.trace().join("\n");
        run.check_desired(&trace)?;
        for ((_, subscribed), filter) in run.subscriptions.iter().zip(FILTERS) {
            if let Some(subscribed) = subscribed {
                let came = run.messages.iter().filter(|topic| *topic == filter).count();
                prop_assert_eq!(came, usize::from(*subscribed), "{}\n{}", filter, trace);
            }
        }
    }
}
