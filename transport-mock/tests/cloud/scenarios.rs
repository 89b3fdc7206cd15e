//! An engine against the cloud in a simulation: the vendor's three demonstrations, and bad
//! networks.

use std::time::Duration;

use serde_json::{Value, json};
use shadow_core::event::DeltaOrigin;
use shadow_core::mqtt::{ConnectReturnCode, QoS};
use shadow_core::tencent::{DeviceInfo, Update};
use shadow_core::{
    Config, Delta, DisconnectCause, Event, Outcome, Publication, Session, TransportFailure,
};
use transport_mock::cloud::{
    Cloud, EXAMPLE_DEVICE_NAME, EXAMPLE_PRODUCT_ID, example_device, example_name,
};
use transport_mock::simulation::{DeviceId, Latency, Reachability, Simulation};

use crate::support::WALL;

const SECOND: Duration = Duration::from_secs(1);

fn simulation(latency: Latency) -> (Simulation, DeviceId) {
    let mut simulation = Simulation::new(|now| Cloud::example(now, WALL), latency);
    let config = Config::new(&example_device());
    let device = simulation.add_device("device", config, Session::new(), 1);
    (simulation, device)
}

fn wait(simulation: &mut Simulation, device: DeviceId, wanted: impl Fn(&Event) -> bool) -> Event {
    let event = simulation.run_until_event(device, 120 * SECOND, wanted);
    event.unwrap_or_else(|| panic!("{:#?}", simulation.trace()))
}

/// Sends an update of `reported` and gives the reply's payload.
fn report(simulation: &mut Simulation, device: DeviceId, reported: Value) -> Value {
    let update = Update::new().reported(reported);
    let request = simulation.with(device, |engine, now| {
        let shadow = engine.own_shadow().unwrap();
        engine.update(now, shadow, &update).unwrap()
    });
    outcome(simulation, device, request)
}

fn get(simulation: &mut Simulation, device: DeviceId) -> Value {
    let request = simulation.with(device, |engine, now| {
        let shadow = engine.own_shadow().unwrap();
        engine.get(now, shadow).unwrap()
    });
    outcome(simulation, device, request)
}

fn outcome(simulation: &mut Simulation, device: DeviceId, wanted: shadow_core::RequestId) -> Value {
    let ended = |event: &Event| matches!(event, Event::Ended { request, .. } if *request == wanted);
    match wait(simulation, device, ended) {
        Event::Ended {
            outcome: Outcome::Accepted(document),
            ..
        } => serde_json::from_str(document.as_json()).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// "Get the cached status": what the document prints.
#[test]
fn first_demonstration_gets_the_cached_status() {
    let (mut simulation, device) = simulation(Latency::NONE);
    let ready = wait(&mut simulation, device, |event| {
        matches!(event, Event::Ready { .. })
    });
    let Event::Ready { document, .. } = ready else {
        panic!("no such event")
    };
    let printed = r#"{"state":{"reported":{"updateCount":0,"updateCount11":"shadow"}},"timestamp":1626770626087,"version":8}"#;
    assert_eq!(document.as_json(), printed);
    assert_eq!(
        get(&mut simulation, device),
        serde_json::from_str::<Value>(printed).unwrap()
    );
}

/// "Modify it": `updateCount` from 0 to 12, and `updateCount12` appears.
#[test]
fn second_demonstration_modifies_and_reads_back() {
    let (mut simulation, device) = simulation(Latency::NONE);
    let reply = report(
        &mut simulation,
        device,
        json!({"updateCount": 12, "updateCount12": "shadow"}),
    );
    assert_eq!(reply["version"], 9);
    let document = get(&mut simulation, device);
    assert_eq!(
        document["state"]["reported"],
        json!({"updateCount": 12, "updateCount11": "shadow", "updateCount12": "shadow"})
    );
}

/// "Update regularly": 1, 2, 3, 4, 5 every three seconds. A round takes no time here.
#[test]
fn third_demonstration_updates_every_three_seconds() {
    let (mut simulation, device) = simulation(Latency::NONE);
    for count in 1..=5 {
        let reply = report(
            &mut simulation,
            device,
            json!({"updateCount": count, "updateCount12": "shadow"}),
        );
        let expected = match count {
            1 => json!({"updateCount": 1, "updateCount12": "shadow"}),
            _ => json!({"updateCount": count}),
        };
        assert_eq!(reply["state"]["reported"], expected, "only what changed");
        let wall = WALL.as_unix_millis() + (count - 1) * 3_000;
        assert_eq!(reply["timestamp"], wall);
        let document = get(&mut simulation, device);
        assert_eq!(document["state"]["reported"]["updateCount"], count);
        assert_eq!(document["version"], 8 + count);
        simulation.run_for(3 * SECOND);
    }
}

#[test]
fn delta_is_pushed_to_a_device_that_is_there() {
    let (mut simulation, device) = simulation(Latency::NONE);
    wait(&mut simulation, device, |event| {
        matches!(event, Event::Ready { .. })
    });
    simulation
        .set_desired(&example_name(), r#"{"power":true}"#)
        .unwrap();
    let event = wait(&mut simulation, device, |event| {
        matches!(event, Event::Delta(_))
    });
    let Event::Delta(Delta {
        origin,
        version,
        state,
        ..
    }) = event
    else {
        panic!("no such event")
    };
    assert_eq!(
        (origin, version, state.as_str()),
        (DeltaOrigin::Pushed, Some(9), r#"{"power":true}"#)
    );
}

/// The device is away while the application changes what it desires, and catches up.
#[test]
fn delta_of_an_absence_is_fetched() {
    let (mut simulation, device) = simulation(Latency::NONE);
    wait(&mut simulation, device, |event| {
        matches!(event, Event::Ready { .. })
    });
    simulation.cut(device);
    simulation
        .set_desired(&example_name(), r#"{"power":true}"#)
        .unwrap();
    simulation.set_reachability(device, Reachability::Refused);
    let refused =
        DisconnectCause::Transport(TransportFailure::ConnectFailed("connection refused".into()));
    wait(
        &mut simulation,
        device,
        |event| matches!(event, Event::Disconnected { cause, .. } if *cause == refused),
    );
    simulation.set_reachability(device, Reachability::Up);
    let event = wait(&mut simulation, device, |event| {
        matches!(event, Event::Delta(_))
    });
    let Event::Delta(Delta { origin, state, .. }) = event else {
        panic!("no such event")
    };
    assert_eq!(
        (origin, state.as_str()),
        (DeltaOrigin::Fetched, r#"{"power":true}"#)
    );
}

/// A cable that was pulled: nobody says anything, so only the keep alive tells, at both ends.
#[test]
fn silence_is_noticed_by_both_ends() {
    let (mut simulation, device) = simulation(Latency::NONE);
    wait(&mut simulation, device, |event| {
        matches!(event, Event::Ready { .. })
    });
    simulation.set_reachability(device, Reachability::Silent);
    let cut_at = simulation.now();
    wait(&mut simulation, device, |event| {
        matches!(
            event,
            Event::Disconnected {
                cause: DisconnectCause::PingTimedOut,
                ..
            }
        )
    });
    assert_eq!(
        simulation.now(),
        cut_at + 70 * SECOND,
        "60 s keep alive, 10 s for the PINGRESP"
    );
    assert_eq!(simulation.cloud().server().clients().count(), 1);
    simulation.run_until(cut_at + 90 * SECOND);
    assert_eq!(
        simulation.cloud().server().clients().count(),
        0,
        "one and a half keep alive times"
    );
}

#[test]
fn wrong_secret_and_wrong_clock_are_refused_with_code_4() {
    let thief = DeviceInfo::with_key(EXAMPLE_PRODUCT_ID, EXAMPLE_DEVICE_NAME, "b3RoZXI=").unwrap();
    let mut simulation = Simulation::new(|now| Cloud::example(now, WALL), Latency::NONE);
    let thief = simulation.add_device("thief", Config::new(&thief), Session::new(), 1);
    let late = shadow_core::WallTime::from_unix_millis(WALL.as_unix_millis() - 4_000_000);
    let config = Config::new(&example_device());
    let mut engine = shadow_core::Engine::new(config, Session::new(), 2, simulation.now());
    engine.handle_wall_time(simulation.now(), late);
    let late = simulation.add_engine("late", engine);
    for device in [thief, late] {
        let code = ConnectReturnCode::BadUserNameOrPassword;
        wait(
            &mut simulation,
            device,
            |event| matches!(event, Event::Disconnected { cause: DisconnectCause::Refused(c), .. } if *c == code),
        );
    }
}

/// Two connections of one device: each comes back and kicks the other, with growing pauses.
#[test]
fn two_engines_with_one_client_id_kick_each_other() {
    let (mut simulation, first) = simulation(Latency::NONE);
    let config = Config::new(&example_device());
    let second = simulation.add_device("twin", config, Session::new(), 2);
    for device in [first, second] {
        wait(&mut simulation, device, |event| {
            let closed = DisconnectCause::Transport(TransportFailure::ClosedByPeer);
            matches!(event, Event::Disconnected { cause, .. } if *cause == closed)
        });
    }
    assert_eq!(simulation.cloud().server().clients().count(), 1);
}

#[test]
fn gateway_serves_its_sub_device_over_one_connection() {
    let lamp = shadow_core::tencent::ShadowName::new("SUBDEV0001", "lamp").unwrap();
    let mut simulation = Simulation::new(
        |now| Cloud::new(transport_mock::cloud::CloudConfig::default(), now, WALL),
        Latency::NONE,
    );
    let config = Config::new(&example_device());
    let device = simulation.add_device("gateway", config, Session::new(), 1);
    let shadow = simulation.with(device, |engine, now| engine.attach(now, &lamp).unwrap());
    simulation.run_for(SECOND);
    simulation.set_desired(&lamp, r#"{"on":1}"#).unwrap();
    let event = wait(&mut simulation, device, |event| {
        matches!(event, Event::Delta(_))
    });
    assert!(matches!(event, Event::Delta(delta) if delta.shadow == shadow));
}

/// QoS 1 over a link that breaks between message and acknowledgement: sent again, ended once.
#[test]
fn qos_1_message_survives_a_lost_acknowledgement() {
    let latency = Latency {
        to_cloud: Duration::from_millis(20),
        to_device: Duration::from_millis(30),
    };
    let mut simulation = Simulation::new(
        |now| Cloud::new(transport_mock::cloud::CloudConfig::default(), now, WALL),
        latency,
    );
    let config = Config {
        clean_session: false,
        ..Config::new(&example_device())
    };
    let device = simulation.add_device("device", config, Session::new(), 1);
    wait(&mut simulation, device, |event| {
        matches!(event, Event::Ready { .. })
    });
    let publication = Publication::new("a/b", b"!").qos(QoS::AtLeastOnce);
    let published = simulation.with(device, |engine, now| {
        engine.publish(now, &publication).unwrap()
    });
    simulation.run_for(Duration::from_millis(25)); // it has arrived, PUBACK has not
    simulation.cut(device);
    wait(
        &mut simulation,
        device,
        |event| matches!(event, Event::Ended { request, outcome: Outcome::Published } if *request == published),
    );
    let sent: Vec<&String> = simulation
        .trace()
        .iter()
        .filter(|line| line.contains("a/b: !"))
        .collect();
    let [first, second] = &sent[..] else {
        panic!("{sent:?}")
    };
    assert!(
        !first.contains("dup") && second.contains(", dup,"),
        "{sent:?}"
    );
}

/// The trace of a login, line by line, with 20 ms there and 30 ms back.
#[test]
fn trace_tells_who_sent_what_when() {
    let latency = Latency {
        to_cloud: Duration::from_millis(20),
        to_device: Duration::from_millis(30),
    };
    let mut simulation = Simulation::new(|now| Cloud::example(now, WALL), latency);
    let device = simulation.add_device("d", Config::plain("me"), Session::new(), 1);
    simulation.run_for(SECOND);
    let cloud_tells = "refused, client me, connection 0: no known device has this client id";
    let begin = [
        "    0.000000 d connects".to_owned(),
        "    0.050000 d > CONNECT MQTT 3.1.1, client me, keep alive 60 s, clean session".to_owned(),
        "    0.070000 d >> CONNECT".to_owned(),
        "    0.070000 d < CONNACK client identifier rejected".to_owned(),
        "    0.070000 cloud closes d".to_owned(),
        format!("    0.070000 cloud ! {cloud_tells}"),
        "    0.100000 d << CONNACK".to_owned(),
        "    0.100000 d closes".to_owned(),
    ];
    assert_eq!(simulation.trace()[..begin.len()], begin);
    assert!(
        simulation.trace()[begin.len()].starts_with("    0.100000 d ! disconnected, again in ")
    );
    assert!(!simulation.take_events(device).is_empty());
}

#[test]
fn same_calls_give_the_same_trace() {
    let run = || {
        let (mut simulation, device) = simulation(Latency::NONE);
        report(&mut simulation, device, json!({"a": 1}));
        simulation.cut(device);
        simulation.run_for(600 * SECOND);
        simulation.take_trace()
    };
    let trace = run();
    assert!(trace.len() > 20);
    assert_eq!(trace, run());
}
