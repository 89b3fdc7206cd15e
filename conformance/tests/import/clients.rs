//! Captures of other clients than the vendor's Python SDK.

use std::collections::BTreeSet;

use bytes::BytesMut;
use conformance::capture::{Capture, Close, Connection, Direction, Segment};
use conformance::import::{CaptureReport, Fault, Tokens, import_capture};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4;

const ASK: &str = "$shadow/operation/CLIENT0001/dev";
const RESULT: &str = "$shadow/operation/result/CLIENT0001/dev";

/// A connection whose packets rumqttc writes.
struct Tape {
    connection: Connection,
    at: u64,
}

impl Tape {
    fn new() -> Tape {
        Tape {
            connection: Connection {
                device: "192.0.2.7:40000".parse().unwrap(),
                server: "192.0.2.1:1883".parse().unwrap(),
                asked_at: None,
                opened_at: None,
                segments: Vec::new(),
                closed_by: None,
                ended_at: None,
                from_start: true,
                gaps: Vec::new(),
                is_decrypted: false,
                undelivered: [0; 2],
                undecrypted: None,
            },
            at: 1_780_000_000_000_000,
        }
    }

    fn push(mut self, direction: Direction, bytes: Vec<u8>) -> Tape {
        self.at += 20_000;
        self.connection.segments.push(Segment {
            at_micros: self.at,
            direction,
            bytes,
        });
        self
    }

    fn login(self, keep_alive: u16, clean_session: bool) -> Tape {
        let mut bytes = BytesMut::new();
        let mut connect = v4::Connect::new("CLIENT0001dev");
        (connect.keep_alive, connect.clean_session) = (keep_alive, clean_session);
        connect.write(&mut bytes).unwrap();
        self.push(Direction::Device, bytes.to_vec())
            .push(Direction::Server, vec![0x20, 2, 0, 0])
    }

    fn subscribe(self, id: u16, qos: QoS) -> Tape {
        let mut bytes = BytesMut::new();
        let mut subscribe = v4::Subscribe::new(RESULT, qos);
        subscribe.pkid = id;
        subscribe.write(&mut bytes).unwrap();
        let [high, low] = id.to_be_bytes();
        self.push(Direction::Device, bytes.to_vec())
            .push(Direction::Server, vec![0x90, 3, high, low, qos as u8])
    }

    fn request(self, id: u16, qos: QoS, payload: &str) -> Tape {
        let mut bytes = BytesMut::new();
        let mut publish = v4::Publish::new(ASK, qos, payload);
        publish.pkid = id;
        publish.write(&mut bytes).unwrap();
        let tape = self.push(Direction::Device, bytes.to_vec());
        match qos {
            QoS::AtLeastOnce => {
                let [high, low] = id.to_be_bytes();
                tape.push(Direction::Server, vec![0x40, 2, high, low])
            }
            _ => tape,
        }
    }

    fn ask(self, payload: &str) -> Tape {
        self.request(0, QoS::AtMostOnce, payload)
    }

    fn close(mut self) -> Tape {
        self.connection.closed_by = Some(Close::Finished(Direction::Server));
        self
    }
}

fn import(tapes: impl IntoIterator<Item = Tape>) -> CaptureReport {
    let capture = Capture {
        connections: tapes.into_iter().map(|tape| tape.connection).collect(),
        skipped: 0,
        headless: 0,
        truncated: false,
        key_log: Default::default(),
    };
    import_capture(&capture, None)
}

/// As the engine's default: a nonce, compact JSON, and no session that is kept.
fn engine_like() -> Tape {
    Tape::new()
        .login(60, true)
        .subscribe(1, QoS::AtMostOnce)
        .ask(r#"{"type":"get","clientToken":"k3Jd82hs-0"}"#)
        .ask(r#"{"type":"update","state":{"reported":{"a":1}},"version":3,"clientToken":"k3Jd82hs-1"}"#)
}

#[test]
fn the_profile_is_found_by_looking() {
    let report = import([engine_like()]);
    assert!(report.is_identical(), "{report}");
    let [connection] = report.connections.as_slice() else {
        panic!("{report}");
    };
    let profile = connection.profile.as_ref().unwrap();
    assert_eq!(
        (
            profile.mqtt_version,
            profile.keep_alive,
            profile.clean_session
        ),
        ("MQTT 3.1.1", 60, true)
    );
    assert_eq!((profile.json, profile.tokens), ("compact", Tokens::Nonce));
    assert_eq!((connection.as_they_are, connection.alike), (0, 4));
    assert_eq!(report.faults, [], "{report}");
}

/// What is before the number has other than eight letters and digits.
#[test]
fn other_tokens_are_published_as_they_are() {
    for (token, tokens) in [
        ("sensor-7", Tokens::OtherCounter),
        ("k3Jd82h_-7", Tokens::OtherCounter),
        ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", Tokens::Other),
    ] {
        let payload = format!(r#"{{"type":"get","clientToken":"{token}"}}"#);
        let report = import([Tape::new()
            .login(60, true)
            .subscribe(1, QoS::AtMostOnce)
            .ask(&payload)]);
        assert!(report.is_identical(), "{report}");
        let connection = &report.connections[0];
        assert_eq!(connection.profile.as_ref().unwrap().tokens, tokens);
        assert_eq!(connection.as_they_are, 1);
    }
}

/// Another nonce is another run of the program, and another engine.
#[test]
fn each_run_has_its_nonce() {
    let again = |id, number: u32| {
        let get = format!(r#"{{"type":"get","clientToken":"Zz000000-{number}"}}"#);
        Tape::new()
            .login(60, true)
            .subscribe(id, QoS::AtMostOnce)
            .ask(&get)
    };
    let report = import([engine_like().close(), again(1, 0).close(), again(3, 1)]);
    assert!(report.is_identical(), "{report}");
    let as_they_are = report.connections.iter().map(|one| one.as_they_are);
    assert!(as_they_are.eq([0, 0, 0]), "{report}");
    let goes_on = report.connections.iter().map(|one| one.goes_on);
    assert!(goes_on.eq([false, false, true]), "{report}");
}

/// As the vendor's C SDK: `{productId}-{n}`, compact, 240 s, and here QoS 1 and a session that is
/// kept.
#[test]
fn another_sdk_is_followed_by_its_own_profile() {
    let with = |request_qos| {
        Tape::new()
            .login(240, false)
            .subscribe(1, QoS::AtLeastOnce)
            .request(2, request_qos, r#"{"type":"get","clientToken":"CLIENT0001-0"}"#)
            .request(
                3,
                request_qos,
                r#"{"type":"update","state":{"reported":{"a":1},"desired":null},"clientToken":"CLIENT0001-1"}"#,
            )
    };
    // The engine has one QoS for requests and replies; otherwise it publishes them as they are.
    for (qos, as_they_are) in [(QoS::AtLeastOnce, 0), (QoS::AtMostOnce, 2)] {
        let report = import([with(qos)]);
        assert!(report.is_identical(), "{report}");
        let connection = &report.connections[0];
        let profile = connection.profile.as_ref().unwrap();
        assert_eq!((profile.keep_alive, profile.clean_session), (240, false));
        assert_eq!(
            (profile.json, profile.tokens),
            ("compact", Tokens::ProductCounter)
        );
        assert_eq!(profile.shadow_qos, 1);
        assert_eq!(
            (connection.as_they_are, connection.identical),
            (as_they_are, 4)
        );
    }
}

/// A login that was refused shows nothing of how the client writes; what follows does.
#[test]
fn the_profile_is_that_of_the_connections_that_show_it() {
    let mut refused = Tape::new().login(60, true);
    refused.connection.segments[1].bytes[3] = 3;
    let mut second = Tape::new();
    second.at += 20_000_000;
    let second = second
        .login(60, true)
        .subscribe(1, QoS::AtLeastOnce)
        .request(
            2,
            QoS::AtLeastOnce,
            r#"{"type":"get","clientToken":"CLIENT0001-0"}"#,
        );
    let report = import([refused.close(), second]);
    assert!(report.is_identical(), "{report}");
    assert!(report.connections[1].goes_on, "{report}");
    assert_eq!(report.connections[1].as_they_are, 0, "{report}");
    for connection in &report.connections {
        let profile = connection.profile.as_ref().unwrap();
        assert_eq!((profile.json, profile.shadow_qos), ("compact", 1));
    }
}

/// The same requests with other spelling are published as they are.
#[test]
fn what_the_engine_does_not_write_is_published_as_it_is() {
    let tape = Tape::new()
        .login(60, true)
        .subscribe(1, QoS::AtMostOnce)
        .ask(r#"{"clientToken":"mine","type":"get"}"#);
    let report = import([tape]);
    assert!(report.is_identical(), "{report}");
    let connection = &report.connections[0];
    assert_eq!(connection.as_they_are, 1);
    assert_eq!(connection.profile.as_ref().unwrap().tokens, Tokens::Other);
}

/// A packet that the engine has sent otherwise: the rest is compared all the same.
#[test]
fn what_means_the_same_is_counted_behind_a_difference() {
    let mut tape = engine_like();
    // SUBSCRIBE with a number beyond those that are skipped, and then with the next.
    let mut bytes = BytesMut::new();
    for id in [40_000, 40_001] {
        let mut subscribe = v4::Subscribe::new(format!("t/{id}"), QoS::AtMostOnce);
        subscribe.pkid = id;
        subscribe.write(&mut bytes).unwrap();
    }
    tape = tape.push(Direction::Device, bytes.to_vec());
    tape = tape.ask(r#"{"type":"get","clientToken":"k3Jd82hs-2"}"#);
    let report = import([tape]);
    let connection = &report.connections[0];
    assert!(connection.difference.is_some(), "{report}");
    assert_eq!(connection.packets, 7);
    // All but the two identifiers.
    assert_eq!((connection.identical, connection.alike), (5, 7), "{report}");
}

#[test]
fn faults_are_listed_where_they_were_needed() {
    let first = || {
        Tape::new()
            .login(60, true)
            .subscribe(1, QoS::AtMostOnce)
            .ask(r#"{"type":"get","clientToken":"CLIENT0001-0"}"#)
            .close()
    };
    let mut second = Tape::new();
    second.at += 20_000_000;
    let mut second = second.login(60, true);
    second.at += 20_000_000;
    let second = second.ask(r#"{"type":"get","clientToken":"CLIENT0001-0"}"#);
    let report = import([first(), second]);
    assert!(report.is_identical(), "{report}");
    assert!(report.connections[1].goes_on);
    let faults: BTreeSet<Fault> = report.faults.iter().copied().collect();
    assert!(faults.contains(&Fault::ForgetsSubscriptions), "{report}");
    assert!(faults.contains(&Fault::BeginsTokensAgain), "{report}");
    assert!(
        report.to_string().contains("Behaviour::resubscribe"),
        "{report}"
    );
    // The near miss: it subscribes at once, and its tokens go on.
    let mut good = Tape::new();
    good.at += 20_000_000;
    let good = good
        .login(60, true)
        .subscribe(2, QoS::AtMostOnce)
        .ask(r#"{"type":"get","clientToken":"CLIENT0001-1"}"#);
    let report = import([first(), good]);
    assert!(report.is_identical(), "{report}");
    assert_eq!(report.faults, [], "{report}");
}

/// rumqttc pings by a clock of its own, and newer versions of paho after any silence of the server.
#[test]
fn pings_that_the_engine_has_no_need_of_are_written_all_the_same() {
    let ping = |tape: Tape| tape.push(Direction::Device, vec![0xC0, 0]);
    let answered = |tape: Tape| ping(tape).push(Direction::Server, vec![0xD0, 0]);
    let asked = || engine_like().ask(r#"{"type":"get","clientToken":"k3Jd82hs-2"}"#);
    for (tape, by_codec) in [
        (answered(asked()), 1),
        // It does not wait for the answer, and does not give up either.
        (ping(ping(asked())), 2),
        (
            answered(answered(asked())).ask(r#"{"type":"get","clientToken":"k3Jd82hs-3"}"#),
            2,
        ),
    ] {
        let report = import([tape]);
        assert!(report.is_identical(), "{report}");
        assert_eq!(report.connections[0].by_codec, by_codec, "{report}");
    }
}

#[test]
fn a_will_is_sent() {
    let mut bytes = BytesMut::new();
    let mut connect = v4::Connect::new("CLIENT0001dev");
    let will = v4::LastWill::new("will/dev", b"gone\xFF".to_vec(), QoS::AtLeastOnce, true);
    connect.last_will = Some(will);
    connect.write(&mut bytes).unwrap();
    let tape = Tape::new()
        .push(Direction::Device, bytes.to_vec())
        .push(Direction::Server, vec![0x20, 2, 0, 0])
        .subscribe(1, QoS::AtMostOnce);
    let report = import([tape]);
    assert!(report.is_identical(), "{report}");
}

/// What is no session of MQTT 3 is not guessed at, and the report says why.
#[test]
fn what_cannot_be_read_is_called_by_its_name() {
    let why = |tape: Tape| {
        let report = import([tape]);
        let connection = &report.connections[0];
        assert!(!report.is_identical(), "{report}");
        connection.difference.as_ref().unwrap().packet.clone()
    };
    // MQTT 5.0, section 3.1.2: level 5, flags, keep alive, the length of the properties.
    let five = b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3C\x00\x00\x03abc".to_vec();
    let found = why(Tape::new().push(Direction::Device, five));
    assert!(found.contains("MQTT 5"), "{found}");
    let mut middle = Tape::new().push(Direction::Device, vec![0xC0, 0]);
    middle.connection.from_start = false;
    let found = why(middle);
    assert!(found.contains("in the middle of the connection"), "{found}");
    let mut cut = Tape::new().push(Direction::Device, vec![0x10, 0x20, 0, 4]);
    cut.connection.gaps.push(Direction::Device);
    let found = why(cut);
    assert!(found.contains("lacks a part"), "{found}");
}
