//! Messages leave no faster than the server takes them.

use core::num::NonZeroU32;
use core::time::Duration;

use serde_json::json;
use shadow_core::mqtt::{Packet, QoS};
use shadow_core::tencent::{ShadowName, Update};
use shadow_core::{
    Config, Event, Instant, Outcome, Publication, RequestId, Session, ShadowId, Timer,
    TransportFailure,
};

use crate::device::{Device, Out, config, info, token};

const SECOND: Duration = Duration::from_secs(1);
const RATE: usize = 20;
const INTERVAL: Duration = Duration::from_millis(50); // 20 a second

fn paced(mut config: Config, rate: u32) -> Config {
    config.limits.messages_per_second = NonZeroU32::new(rate);
    config.maximum_requests = 1_000;
    config
}

/// The payloads of PUBLISH packets; there must be no others.
fn payloads(device: &mut Device) -> Vec<String> {
    let version = device.version;
    let out = device.poll().into_iter().map(|out| {
        let Out::Packet(bytes) = out else {
            panic!("{out:?}");
        };
        match Packet::decode(&bytes, version).unwrap() {
            Packet::Publish(publish) => String::from_utf8(publish.payload.to_vec()).unwrap(),
            other => panic!("expected PUBLISH, got {other:?}"),
        }
    });
    out.collect()
}

/// Ticks at every deadline that is the pace's, until there is no such. What leaves, and how long
/// after the start.
fn run(device: &mut Device, start: Instant) -> Vec<(Duration, String)> {
    let mut left = Vec::new();
    loop {
        let at = device.now.saturating_since(start);
        left.extend(payloads(device).into_iter().map(|payload| (at, payload)));
        device.events();
        assert!(!device.engine.has_output(), "nothing that is ready waits");
        let deadline = device.engine.poll_deadline().unwrap();
        if deadline.timer != Timer::Pace {
            return left;
        }
        assert!(deadline.at > device.now, "a wake-up for nothing");
        device.now = deadline.at;
        device.engine.handle_tick(device.now);
    }
}

/// 60 at once under 20 a second: a second's worth leaves now, then one every 50 ms.
fn expected() -> Vec<(Duration, String)> {
    let at = |number: usize| INTERVAL * u32::try_from(number.saturating_sub(RATE - 1)).unwrap();
    (0..60)
        .map(|number| (at(number), format!("{number}")))
        .collect()
}

#[test]
fn sixty_messages_at_once_leave_at_their_ticks() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut config = paced(Config::plain("tool"), 20);
        config.maximum_in_flight = 100;
        let mut device = Device::online(config);
        for number in 0..60 {
            let payload = number.to_string();
            let message = Publication::new("t", payload.as_bytes()).qos(qos);
            device.engine.publish(device.now, &message).unwrap();
        }
        let start = device.now;
        assert_eq!(run(&mut device, start), expected(), "{qos:?}");
        assert_eq!(device.now.saturating_since(start), 2 * SECOND);
    }
}

/// The hot path, which does not go through the table of what waits.
#[test]
fn sixty_updates_at_once_leave_at_their_ticks_and_in_order() {
    let mut config = paced(config(), 20);
    config.behaviour.get_on_subscribe = false;
    let mut device = Device::online(config);
    device.subscribe_own();
    let shadow = device.shadow();
    for number in 0..60 {
        let update = Update::new().reported(serde_json::json!({ "n": number }));
        device.engine.update(device.now, shadow, &update).unwrap();
    }
    let start = device.now;
    let left = run(&mut device, start);
    let numbers = left.iter().map(|(at, payload)| {
        let value: serde_json::Value = serde_json::from_str(payload).unwrap();
        (*at, value["state"]["reported"]["n"].to_string())
    });
    assert_eq!(numbers.collect::<Vec<_>>(), expected());
}

#[test]
fn without_a_limit_all_leave_at_once() {
    let mut config = Config::plain("tool");
    config.maximum_requests = 1_000;
    let mut device = Device::online(config);
    for _ in 0..60 {
        device
            .engine
            .publish(device.now, &Publication::new("t", b""))
            .unwrap();
    }
    assert_eq!(device.poll().len(), 60);
}

/// The pace is for PUBLISH alone: what else there is does not wait, and takes nobody's place.
#[test]
fn other_packets_are_not_paced() {
    let mut device = Device::online(paced(Config::plain("tool"), 1));
    let publish = |device: &mut Device, payload: &[u8]| {
        let message = Publication::new("t", payload);
        device.engine.publish(device.now, &message).unwrap();
    };
    publish(&mut device, b"now");
    publish(&mut device, b"later");
    assert_eq!(payloads(&mut device), ["now"]);
    for filter in ["a", "b", "c"] {
        device
            .engine
            .subscribe(device.now, filter, QoS::AtLeastOnce)
            .unwrap();
        assert_eq!(device.packet()[0], 0x82);
    }
    device.message("a", b"", QoS::AtLeastOnce, Some(7));
    assert_eq!(device.packet(), [0x40, 2, 0, 7]);
    device.events();
    device.tick(Timer::Pace, SECOND);
    assert_eq!(payloads(&mut device), ["later"]);
}

#[test]
fn a_message_that_waits_for_the_pace_times_out_by_its_own_deadline() {
    let mut device = Device::online(paced(Config::plain("tool"), 1));
    let publish = |device: &mut Device| {
        let message = Publication::new("t", b"x");
        device.engine.publish(device.now, &message).unwrap()
    };
    publish(&mut device);
    let waiting = publish(&mut device);
    device.poll();
    device.events();
    let half = SECOND / 2;
    device
        .engine
        .set_timeout(device.now, waiting, half)
        .unwrap();
    device.tick(Timer::Request, half);
    assert_eq!(device.outcome(waiting), Outcome::TimedOut);
    device.silent();
    // Nothing waits any more, so there is nothing to wake up for.
    assert_eq!(
        device.engine.poll_deadline().unwrap().timer,
        Timer::KeepAlive
    );
    // It took nobody's place.
    device.wait(half);
    publish(&mut device);
    assert_eq!(payloads(&mut device), ["x"]);
}

#[test]
fn nothing_waits_for_the_pace_without_a_link() {
    let mut config = paced(Config::plain("tool"), 1);
    config.backoff.initial = SECOND * 5;
    let mut device = Device::online(config);
    for _ in 0..3 {
        device
            .engine
            .publish(device.now, &Publication::new("t", b"x"))
            .unwrap();
    }
    assert_eq!(payloads(&mut device), ["x"]);
    assert_eq!(device.engine.poll_deadline().unwrap().timer, Timer::Pace);
    let closed = TransportFailure::ClosedByPeer;
    device.engine.handle_disconnected(device.now, closed);
    assert_eq!(
        device.engine.poll_deadline().unwrap().timer,
        Timer::Reconnect
    );
    // The pace is the device's, not the link's.
    device.events();
    device.engine.reconnect(device.now);
    device.connect(false);
    device.silent();
    device.tick(Timer::Pace, SECOND);
    assert_eq!(payloads(&mut device), ["x"]);
    device.engine.close(device.now);
    assert_eq!(device.engine.poll_deadline(), None);
}

/// What is sent again counts, keeps its order [MQTT-4.6.0-1], and goes before what is new.
#[test]
fn messages_of_the_last_link_are_paced_too() {
    let mut config = paced(Config::plain("tool"), 2);
    config.clean_session = false;
    let mut device = Device::new(config);
    device.connect(false);
    for number in 0..5 {
        let payload = number.to_string();
        let message = Publication::new("t", payload.as_bytes()).qos(QoS::AtLeastOnce);
        device.engine.publish(device.now, &message).unwrap();
    }
    let start = device.now;
    run(&mut device, start);
    device.wait(SECOND);
    let closed = TransportFailure::ClosedByPeer;
    device.engine.handle_disconnected(device.now, closed);
    device.events();
    device.engine.reconnect(device.now);
    device.connect(true);
    let new = Publication::new("t", b"new");
    device.engine.publish(device.now, &new).unwrap();
    // One that is acknowledged meanwhile is not sent again.
    device.bytes(&[0x40, 2, 0, 4]);
    let half = SECOND / 2;
    let start = device.now;
    let left = run(&mut device, start);
    let expected = [(0, "0"), (0, "1"), (1, "2"), (2, "4"), (3, "new")];
    let expected = expected.map(|(halves, payload)| (half * halves, payload.to_owned()));
    assert_eq!(left, expected);
}

/// A device whose server has not acknowledged two messages, and took its login again just now; a
/// second is to pass between any two.
fn resumed(kept: bool, requests: &mut Vec<RequestId>) -> Device {
    let mut config = paced(config(), 1);
    config.clean_session = !kept;
    config.behaviour.get_on_subscribe = false;
    config.request_timeout = SECOND * 60;
    let mut device = Device::online(config);
    device.poll();
    for payload in [b"0", b"1"] {
        let message = Publication::new("t", payload).qos(QoS::AtLeastOnce);
        requests.push(device.engine.publish(device.now, &message).unwrap());
    }
    let start = device.now;
    assert_eq!(run(&mut device, start).len(), 2);
    device.wait(SECOND);
    let closed = TransportFailure::ClosedByPeer;
    device.engine.handle_disconnected(device.now, closed);
    device.events();
    device.wait(SECOND * 5);
    device.engine.reconnect(device.now);
    device.connect(kept);
    let out = device.poll();
    let [Out::Packet(publish), Out::Packet(subscribe)] = &out[..] else {
        panic!("{out:?}");
    };
    assert_eq!(publish.last(), Some(&b'0'));
    device.bytes(&[0x90, 3, subscribe[2], subscribe[3], 0]);
    device.events();
    device
}

/// Also where the application is faster than the driver's tick.
#[test]
fn nothing_new_overtakes_what_is_to_be_sent_again() {
    let mut device = resumed(true, &mut Vec::new());
    device.wait(SECOND);
    let (now, shadow) = (device.now, device.shadow());
    device.engine.get(now, shadow).unwrap();
    assert_eq!(payloads(&mut device), ["1"]);
    device.tick(Timer::Pace, SECOND);
    assert!(device.published().contains("get"));
}

/// Once the application was told that it timed out, only a server that may know of it gets it again.
#[test]
fn a_message_that_times_out_before_it_is_sent_again_is_dropped_with_the_servers_session() {
    for kept in [true, false] {
        let mut requests = Vec::new();
        let mut device = resumed(kept, &mut requests);
        let (now, half) = (device.now, SECOND / 2);
        device.engine.set_timeout(now, requests[1], half).unwrap();
        device.tick(Timer::Request, half);
        assert_eq!(device.outcome(requests[1]), Outcome::TimedOut);
        if kept {
            device.tick(Timer::Pace, half);
            assert_eq!(payloads(&mut device), ["1"]);
        } else {
            device.wait(half);
            device.engine.handle_tick(device.now);
            device.silent();
        }
    }
}

/// As after a reconnect with much to say: the get that finds out what was missed goes first.
#[test]
fn the_engines_own_get_does_not_wait_behind_what_the_application_asked_for() {
    let mut config = paced(config(), 1);
    config.request_timeout = SECOND * 60;
    let mut device = Device::with_session(config, Session::new(), 1);
    let shadow = device.shadow();
    for _ in 0..3 {
        device.engine.clear_desired(device.now, shadow).unwrap();
    }
    device.connect(false);
    let subscribe = device.packet();
    // The one message that may leave is another.
    device
        .engine
        .publish(device.now, &Publication::new("t", b"x"))
        .unwrap();
    assert_eq!(payloads(&mut device), ["x"]);
    device.bytes(&[0x90, 3, subscribe[2], subscribe[3], 0]);
    device.silent();
    device.events();
    device.tick(Timer::Pace, SECOND);
    let get = device.published();
    assert!(get.contains(r#""type":"get""#), "{get}");
    device.reply(
        &token(&get),
        "get",
        0,
        r#"{"state":{"reported":{}},"version":1}"#,
    );
    assert!(matches!(device.event(), Event::Ready { .. }));
    device.tick(Timer::Pace, SECOND);
    assert!(device.published().contains(r#""desired":null"#));
}

#[test]
fn the_python_sdk_has_no_pace() {
    assert_eq!(Config::python_sdk(&info()).limits.messages_per_second, None);
    let rate = config().limits.messages_per_second;
    assert_eq!(rate, NonZeroU32::new(20), "vendor doc 634/15241");
}

/// Reports a new value whenever the last has arrived, as a sensor that is read all the time.
fn report(device: &mut Device, shadow: ShadowId, value: usize) {
    let patch = json!({"n": value});
    device.engine.report(device.now, shadow, &patch).unwrap();
}

#[test]
fn later_values_take_the_place_of_those_that_wait_for_the_pace() {
    let mut device = Device::ready(paced(config(), 1));
    let shadow = device.shadow();
    let requests: Vec<RequestId> = (0..100)
        .map(|n| {
            let patch = json!({"n": n, (if n % 2 == 0 { "even" } else { "odd" }): n});
            device.engine.report(device.now, shadow, &patch).unwrap()
        })
        .collect();
    assert!(requests.iter().all(|request| *request == requests[0]));
    device.silent();
    device.tick(Timer::Pace, SECOND);
    let sent = device.published();
    let value: serde_json::Value = serde_json::from_str(&sent).unwrap();
    let latest = json!({"reported": {"n": 99, "even": 98, "odd": 99}});
    assert_eq!(value["state"], latest);
    let reply = r#"{"state":{"reported":{}},"version":2}"#;
    device.reply(&token(&sent), "update", 0, reply);
    let version = Some(2);
    assert_eq!(device.outcome(requests[0]), Outcome::Reported { version });
    assert_ne!(
        device.engine.poll_deadline().unwrap().timer,
        Timer::Pace,
        "nothing is left to send"
    );
}

#[test]
fn shadows_and_requests_take_turns_where_not_all_may_leave() {
    let mut slow = paced(config(), 1);
    slow.request_timeout = SECOND * 60;
    let mut device = Device::ready(slow);
    let (busy, names) = (device.shadow(), ["sub1", "sub2"]);
    let others = names.map(|name| {
        let name = ShadowName::new("PRODUCT001", name).unwrap();
        let shadow = device.engine.attach(device.now, &name).unwrap();
        let subscribe = device.packet();
        device.bytes(&[0x90, 3, subscribe[2], subscribe[3], 0]);
        device.tick(Timer::Pace, SECOND);
        answer(&mut device);
        shadow
    });
    report(&mut device, busy, 0);
    for shadow in others {
        report(&mut device, shadow, 0);
    }
    for topic in ["t1", "t2"] {
        let publication = Publication::new(topic, b"x");
        device.engine.publish(device.now, &publication).unwrap();
    }
    let mut left = Vec::new();
    for value in 1..9 {
        device.tick(Timer::Pace, SECOND);
        left.push(answer(&mut device));
        report(&mut device, busy, value);
    }
    for topic in ["sub1", "sub2", "t1", "t2"] {
        let first = left.iter().position(|other| other.ends_with(topic));
        assert!(first.is_some_and(|first| first < 6), "{topic}: {left:?}");
    }
    assert!(left.iter().filter(|topic| topic.ends_with("lamp")).count() >= 3);
}

/// Answers the one message that has left, if it is a request on a shadow; its topic.
fn answer(device: &mut Device) -> String {
    let bytes = device.packet();
    let Packet::Publish(publish) = Packet::decode(&bytes, device.version).unwrap() else {
        panic!("expected PUBLISH, got {bytes:?}")
    };
    let topic = publish.topic.to_owned();
    if let Some(name) = topic.strip_prefix("$shadow/operation/") {
        let request: serde_json::Value = serde_json::from_slice(publish.payload).unwrap();
        let reply = json!({
            "type": request["type"], "clientToken": request["clientToken"], "result": 0,
            "payload": {"state": {"reported": {}}},
        });
        let result = format!("$shadow/operation/result/{name}");
        let payload = reply.to_string();
        device.message(&result, payload.as_bytes(), QoS::AtMostOnce, None);
    }
    device.events();
    topic
}

/// A driver that ticks too late: what has waited goes first all the same.
#[test]
fn a_request_does_not_overtake_one_whose_room_has_come_meanwhile() {
    let mut device = Device::ready(paced(config(), 1));
    let shadow = device.shadow();
    device.wait(SECOND);
    for value in 1..=3 {
        let update = Update::new().reported(json!({ "a": value }));
        device.engine.update(device.now, shadow, &update).unwrap();
        if value == 2 {
            device.wait(SECOND);
        }
    }
    let start = device.now;
    let left: Vec<String> = run(&mut device, start)
        .into_iter()
        .map(|(_, payload)| payload)
        .collect();
    for (payload, value) in left.iter().zip(1..) {
        let expected = format!(r#"{{"a":{value}}}"#);
        assert!(payload.contains(&expected), "{left:?}");
    }
    assert_eq!(left.len(), 3);
}
