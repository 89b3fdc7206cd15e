//! The compatibility profile: the bytes of the vendor's Python SDK, as recorded (made-up device).

use core::time::Duration;

use shadow_core::event::UnmatchedReason;
use shadow_core::mqtt::{ProtocolVersion, QoS};
use shadow_core::tencent::{DeviceInfo, Update};
use shadow_core::{
    Config, Engine, Event, Instant, Outcome, Publication, Session, Timer, TransportFailure,
    WallTime,
};

use crate::device::{Device, Out};

fn recorded_config() -> Config {
    let info = DeviceInfo::with_key("PYSDKCAP01", "test01", "MDEyMzQ1Njc4OWFiY2RlZg==").unwrap();
    Config::python_sdk(&info)
}

fn recorded_device() -> Device {
    device_with(recorded_config())
}

fn device_with(config: Config) -> Device {
    let now = Instant::ZERO;
    let mut engine = Engine::new(config, Session::new(), 1, now);
    engine.handle_wall_time(now, WallTime::from_unix_millis(1_795_373_234_216));
    let mut device = Device {
        engine,
        now,
        version: ProtocolVersion::V31,
    };
    device.connect(false);
    device.silent();
    device
}

#[test]
fn subscribe_get_and_update_come_out_byte_for_byte() {
    let mut device = recorded_device();
    let name = shadow_core::tencent::ShadowName::new("PYSDKCAP01", "test01").unwrap();
    let shadow = device.engine.attach(device.now, &name).unwrap();
    let subscribe = b"\x82\x2f\x00\x01\x00\x2a$shadow/operation/result/PYSDKCAP01/test01\x00";
    assert_eq!(device.packet(), subscribe);

    // Before SUBACK, as the SDK does.
    device.engine.get(device.now, shadow).unwrap();
    let get = b"\x30\x53\x00\x23$shadow/operation/PYSDKCAP01/test01\
        {\"type\": \"get\", \"clientToken\": \"PYSDKCAP01-0\"}";
    assert_eq!(device.packet(), get);
    device.bytes(&[0x90, 3, 0, 1, 0]);
    assert_eq!(device.event(), Event::ShadowSubscribed { shadow });
    device.silent();

    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Reported {
        update_count: u32,
        update_count12: &'static str,
    }
    let reported = Reported {
        update_count: 1,
        update_count12: "shadow",
    };
    device
        .engine
        .update(device.now, shadow, &Update::new().reported(&reported))
        .unwrap();
    let update = b"\x30\x9c\x01\x00\x23$shadow/operation/PYSDKCAP01/test01\
        {\"type\": \"update\", \"state\": {\"reported\": {\"updateCount\": 1, \
        \"updateCount12\": \"shadow\"}}, \"clientToken\": \"PYSDKCAP01-1\"}";
    assert_eq!(device.packet(), update);
}

#[test]
fn one_counter_numbers_subscribe_and_publish() {
    let mut device = recorded_device();
    let name = shadow_core::tencent::ShadowName::new("PYSDKCAP01", "test01").unwrap();
    let shadow = device.engine.attach(device.now, &name).unwrap();
    device.engine.get(device.now, shadow).unwrap();
    device.engine.get(device.now, shadow).unwrap();
    let mut numbers = Vec::new();
    let mut bytes = Vec::new();
    while let Some(transmit) = device.engine.poll_transmit(device.now, &mut bytes) {
        if let shadow_core::Transmit::Packet { packet_id, .. } = transmit {
            numbers.extend(packet_id.map(|id| id.get()));
        }
    }
    assert_eq!(numbers, [1, 2, 3]); // m1, m2, m3 of the logs
}

/// MQTT 3.1 has no code for it. A server that sends it all the same means a refusal.
#[test]
fn a_refusal_by_the_code_of_3_1_1_is_a_refusal() {
    let mut device = recorded_device();
    let name = shadow_core::tencent::ShadowName::new("PYSDKCAP01", "test01").unwrap();
    let shadow = device.engine.attach(device.now, &name).unwrap();
    device.packet();
    device.bytes(&[0x90, 3, 0, 1, 0x80]);
    assert_eq!(device.event(), Event::ShadowRefused { shadow });
    device.silent();
}

#[test]
fn it_signs_once_and_does_not_subscribe_again() {
    let mut device = recorded_device();
    let name = shadow_core::tencent::ShadowName::new("PYSDKCAP01", "test01").unwrap();
    device.engine.attach(device.now, &name).unwrap();
    device.poll();
    let mut connects = Vec::new();
    for _ in 0..2 {
        device
            .engine
            .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
        device.events();
        device.tick_until(Timer::Reconnect);
        assert_eq!(device.poll(), [Out::Connect]);
        device.engine.handle_connected(device.now);
        connects.push(device.packet());
        device.bytes(&[0x20, 2, 0, 0]);
        device.silent();
    }
    assert_eq!(connects[0], connects[1]);
    // The application may subscribe again itself, as shadowInit does.
    device.engine.attach(device.now, &name).unwrap();
    assert_eq!(device.packet()[0], 0x82);
}

/// A recording may leave token numbers out, or print one twice.
#[test]
fn token_numbers_can_be_set_for_a_replay() {
    let mut device = recorded_device();
    let name = shadow_core::tencent::ShadowName::new("PYSDKCAP01", "test01").unwrap();
    let shadow = device.engine.attach(device.now, &name).unwrap();
    device.poll();
    for number in [7, 8, 3] {
        if number != 8 {
            device.engine.set_next_token(shadow, number).unwrap();
        }
        device.engine.get(device.now, shadow).unwrap();
        let token = format!("\"clientToken\": \"PYSDKCAP01-{number}\"}}");
        assert!(device.packet().ends_with(token.as_bytes()), "{number}");
    }
    device.engine.detach(device.now, shadow).unwrap();
    assert_eq!(
        device.engine.set_next_token(shadow, 0),
        Err(shadow_core::RequestError::UnknownShadow(shadow))
    );
}

/// `shadowUpdate` publishes any document, and `shadowInit` subscribes as often as it is called. The
/// bytes by hand, after MQTT 3.1 and the form of `json.dumps`.
#[test]
fn an_application_may_write_its_requests_itself() {
    let mut device = recorded_device();
    let name = shadow_core::tencent::ShadowName::new("PYSDKCAP01", "test01").unwrap();
    let shadow = device.engine.attach(device.now, &name).unwrap();
    device.poll();
    let document = br#"{"clientToken": 8480, "type": "get"}"#;
    let publication = Publication::new("$shadow/operation/PYSDKCAP01/test01", document);
    device.engine.publish(device.now, &publication).unwrap();
    let publish = b"\x30\x49\x00\x23$shadow/operation/PYSDKCAP01/test01\
        {\"clientToken\": 8480, \"type\": \"get\"}";
    assert_eq!(device.packet(), publish);
    device.events();
    let filter = "$shadow/operation/result/PYSDKCAP01/test01";
    device
        .engine
        .subscribe(device.now, filter, QoS::AtMostOnce)
        .unwrap();
    let subscribe = b"\x82\x2f\x00\x03\x00\x2a$shadow/operation/result/PYSDKCAP01/test01\x00";
    assert_eq!(device.packet(), subscribe);

    let reply = br#"{"clientToken":"8480","payload":{"state":{}},"result":0,"type":"get"}"#;
    let mut packet = vec![0x30, 2 + 42 + 69, 0, 42];
    packet.extend_from_slice(filter.as_bytes());
    packet.extend_from_slice(reply);
    device.bytes(&packet);
    let Event::Unmatched(unmatched) = device.event() else {
        panic!("a reply to no request of the engine's");
    };
    assert_eq!(unmatched.shadow, shadow);
    assert_eq!(unmatched.reason, UnmatchedReason::Foreign);
}

/// As recorded: the server was killed before it acknowledged, and kept nothing.
#[test]
fn a_message_is_sent_again_as_a_duplicate() {
    let mut device = recorded_device();
    let publication = Publication::new("REST000002/r-9/data", b"{\"i\": 1}").qos(QoS::AtLeastOnce);
    device.engine.publish(device.now, &publication).unwrap();
    let mut packet = b"\x32\x1f\x00\x13REST000002/r-9/data\x00\x01{\"i\": 1}".to_vec();
    assert_eq!(device.packet(), packet);
    device
        .engine
        .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
    device.events();
    device.tick_until(Timer::Reconnect);
    assert_eq!(device.poll(), [Out::Connect]);
    device.engine.handle_connected(device.now);
    device.packet();
    device.bytes(&[0x20, 2, 0, 0]);
    packet[0] = 0x3a;
    assert_eq!(device.packet(), packet);
}

/// A run whose tokens were recorded is run again with them; the seed has no part in it.
#[test]
fn a_nonce_can_be_set_for_a_replay() {
    use shadow_core::config::{Nonce, TokenStyle};
    let nonce = Nonce::new("k3Jd82hs").unwrap();
    let run = |style: TokenStyle, session: Session| {
        let mut config = Config::plain("c");
        config.behaviour.token_style = style;
        config.behaviour.wait_for_suback = false;
        config.behaviour.get_on_subscribe = false;
        let mut device = Device::with_session(config, session, 1);
        device.connect(false);
        device
    };
    let ask = |device: &mut Device, shadow| {
        device.engine.get(device.now, shadow).unwrap();
        crate::device::token(&device.published())
    };
    let mut device = run(TokenStyle::FixedNonce(nonce), Session::new());
    let name = |device: &str| shadow_core::tencent::ShadowName::new("PRODUCT001", device).unwrap();
    let one = device.engine.attach(device.now, &name("one")).unwrap();
    let other = device.engine.attach(device.now, &name("other")).unwrap();
    device.poll();
    // All shadows are numbered together.
    assert_eq!(ask(&mut device, one), "k3Jd82hs-0");
    assert_eq!(ask(&mut device, other), "k3Jd82hs-1");
    device.engine.set_next_token(one, 7).unwrap();
    assert_eq!(ask(&mut device, other), "k3Jd82hs-7");
    // What was stored goes on, and its replies are this run's.
    let session = device.engine.into_session();
    let mut again = run(TokenStyle::FixedNonce(nonce), session.clone());
    let one = again.engine.attach(again.now, &name("one")).unwrap();
    again.poll();
    assert_eq!(ask(&mut again, one), "k3Jd82hs-8");
    // Without it the next run draws its own.
    let mut drawn = run(TokenStyle::Nonce, session);
    let one = drawn.engine.attach(drawn.now, &name("one")).unwrap();
    drawn.poll();
    let token = ask(&mut drawn, one);
    assert!(
        token.ends_with("-8") && !token.starts_with("k3Jd82hs"),
        "{token}"
    );
    // Numbers cannot be set there.
    drawn.engine.set_next_token(one, 3).unwrap();
    assert!(ask(&mut drawn, one).ends_with("-9"));
}

/// Sends a message of QoS 1 and gives its packet identifier.
fn number_of_the_next(device: &mut Device) -> u8 {
    let publication = Publication::new("a/b", b"").qos(QoS::AtLeastOnce);
    device.engine.publish(device.now, &publication).unwrap();
    let packet = device.packet();
    assert_eq!(packet[..7], *b"\x32\x07\x00\x03a/b", "{packet:02x?}");
    packet[8]
}

/// paho numbers a message before it looks for a socket, a subscription after: of four things that
/// are asked for, three take a number, and the two requests a token each.
#[test]
fn what_is_asked_without_a_connection_is_dropped() {
    let name = shadow_core::tencent::ShadowName::new("PYSDKCAP01", "test01").unwrap();
    for drops in [true, false] {
        let mut config = recorded_config();
        assert!(config.behaviour.drop_without_link);
        config.behaviour.drop_without_link = drops;
        let mut device = device_with(config);
        let shadow = device.engine.attach(device.now, &name).unwrap();
        device.packet();
        device
            .engine
            .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
        device.events();

        let now = device.now;
        let reported = Update::new().reported([("a", 1)].into_iter().collect::<Reported>());
        let message = Publication::new("c/d", b"");
        let asked = [
            device.engine.get(now, shadow).unwrap(),
            device.engine.update(now, shadow, &reported).unwrap(),
            device.engine.publish(now, &message).unwrap(),
            device
                .engine
                .subscribe(now, "c/d", QoS::AtMostOnce)
                .unwrap(),
        ];
        let ended = device.events();
        if drops {
            let outcome = || Outcome::Disconnected {
                maybe_applied: false,
            };
            let expected = asked.map(|request| Event::Ended {
                request,
                outcome: outcome(),
            });
            assert_eq!(ended, expected);
        } else {
            assert_eq!(ended, []);
        }

        // A message of QoS 1 waits there as here.
        let kept = Publication::new("a/b", b"").qos(QoS::AtLeastOnce);
        device.engine.publish(device.now, &kept).unwrap();
        assert_eq!(device.events(), []);
        device.tick_until(Timer::Reconnect);
        assert_eq!(device.poll(), [Out::Connect]);
        device.engine.handle_connected(device.now);
        device.packet();
        device.bytes(&[0x20, 2, 0, 0]);
        if drops {
            // SUBSCRIBE was 1, what was dropped 2 to 4.
            assert_eq!(device.packet(), b"\x32\x07\x00\x03a/b\x00\x05");
            device.events();
            device.engine.get(device.now, shadow).unwrap();
            let get = device.published();
            assert!(get.ends_with("\"PYSDKCAP01-2\"}"), "{get}");
            assert_eq!(number_of_the_next(&mut device), 7);
        } else {
            assert_eq!(device.poll().len(), 5, "all of it leaves");
        }
    }
}

type Reported = std::collections::BTreeMap<&'static str, u8>;

/// Once the connection is there nothing is dropped, before CONNACK neither.
#[test]
fn what_is_asked_during_the_login_waits() {
    let info = DeviceInfo::with_key("PYSDKCAP01", "test01", "MDEyMzQ1Njc4OWFiY2RlZg==").unwrap();
    let mut device = Device::new(Config::python_sdk(&info));
    assert_eq!(device.poll(), [Out::Connect]);
    device.engine.handle_connected(device.now);
    device.packet();
    let message = Publication::new("c/d", b"");
    device.engine.publish(device.now, &message).unwrap();
    assert_eq!(device.events(), []);
    device.bytes(&[0x20, 2, 0, 0]);
    assert_eq!(device.packet(), b"\x30\x05\x00\x03c/d");
}

/// The SDK's `reconnect_wait`: 1 s after a link that was online, 1 s after each connection that
/// failed, 1 s and then ever more after refused logins. The engine's waits are at least half of that.
#[test]
fn it_connects_again_as_soon_as_the_sdk() {
    let wait = |device: &Device| {
        let deadline = device.engine.poll_deadline().unwrap();
        assert_eq!(deadline.timer, Timer::Reconnect);
        deadline.at.saturating_since(device.now)
    };
    let (half, second) = (Duration::from_millis(500), Duration::from_secs(1));
    let mut device = recorded_device();
    device
        .engine
        .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
    for _ in 0..10 {
        assert!((half..=second).contains(&wait(&device)));
        device.tick_until(Timer::Reconnect);
        assert_eq!(device.poll(), [Out::Connect]);
        let refused = TransportFailure::ConnectFailed("refused".into());
        device.engine.handle_disconnected(device.now, refused);
    }
    // By the source: 1 s, 2 s and 1 or 2, twice the last and as much again at most.
    for most in [1, 4, 16, 60] {
        device.tick_until(Timer::Reconnect);
        assert_eq!(device.poll(), [Out::Connect]);
        device.engine.handle_connected(device.now);
        device.packet();
        device.bytes(&[0x20, 2, 0, 5]);
        device.events();
        device.poll();
        assert!(wait(&device) <= Duration::from_secs(most), "{most}");
    }
    assert!(wait(&device) >= 4 * second);
    device.tick_until(Timer::Reconnect);
    assert_eq!(device.poll(), [Out::Connect]);
    device.engine.handle_connected(device.now);
    device.packet();
    device.bytes(&[0x20, 2, 0, 0]);
    device
        .engine
        .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
    assert!(wait(&device) <= second, "an accepted login forgets it all");
}

/// paho waits 5 s at a time from the last packet on: of a silence of 60 s in one direction that the
/// other broke 3 s after its beginning it hears at the end of the 12th wait.
#[test]
fn it_looks_at_its_keep_alive_from_time_to_time() {
    let seconds = Duration::from_secs;
    for (check, sent_after, due) in [
        (5, 3, 3 + 60),
        (5, 0, 60),
        (5, 5, 60),
        (5, 59, 59 + 5),
        (7, 3, 3 + 63),
        (0, 3, 60),
    ] {
        let mut config = recorded_config();
        assert_eq!(config.behaviour.keep_alive_check, 5);
        config.behaviour.keep_alive_check = check;
        let mut device = device_with(config);
        let start = device.now;
        device.wait(seconds(sent_after));
        let message = Publication::new("c/d", b"");
        device.engine.publish(device.now, &message).unwrap();
        device.packet();
        device.events();
        let case = (check, sent_after);
        let deadline = device.engine.poll_deadline().unwrap();
        assert_eq!(deadline.timer, Timer::KeepAlive, "{case:?}");
        let after = deadline.at.saturating_since(start);
        assert_eq!(after, seconds(due), "{case:?}");
        device.now = deadline.at;
        device.engine.handle_tick(device.now);
        assert_eq!(device.packet(), [0xC0, 0], "{case:?}");
    }
}
