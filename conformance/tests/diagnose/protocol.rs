//! Which packets come when.

use conformance::capture::Direction;
use conformance::diagnose::{Finding, Severity, Side};

use crate::tape::{
    CLIENT, Tape, acknowledgement, assert_finds, connack, connack_present, connect, connect_again,
    connect_with, publish, report, suback, subscribe,
};

/// A session with everything in it that is right.
fn healthy() -> Tape {
    Tape::new()
        .ready(0)
        .get(100, "t-0", 3)
        .ping(50_000)
        .goodbye(60_000)
}

#[test]
fn a_healthy_session_has_no_finding() {
    let report = report([healthy()]);
    assert_eq!(report.findings, [], "{report}");
    assert!(!report.is_grave());
    assert!(report.to_string().contains("verdict: healthy"), "{report}");
}

#[test]
fn a_malformed_packet_is_found_with_its_clause() {
    // SUBSCRIBE with the flags 0000 instead of 0010.
    let mut bytes = subscribe(1, &["a"]);
    bytes[0] = 0x80;
    let report = report([Tape::new().login(0).device(20, bytes)]);
    let found = &report.findings[0];
    assert_eq!(found.rule, Some("MQTT-3.8.1-1"), "{report}");
    assert_eq!(found.severity, Severity::Broke);
    assert_eq!((found.connection, found.packet), (Some(0), Some(3)));
    assert!(matches!(
        found.finding,
        Finding::Malformed {
            by: Side::Device,
            ..
        }
    ));
}

#[test]
fn a_length_of_five_bytes_ends_the_stream() {
    let bytes = vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
    let tape = Tape::new().login(0).device(20, bytes).ping(30);
    assert_finds!(1, Finding::Malformed { .. }, [tape]);
}

#[test]
fn packets_may_come_in_any_pieces() {
    let bytes = [connect(CLIENT, 60), subscribe(1, &["a", "b"])].concat();
    let mut tape = Tape::new();
    for (millis, byte) in bytes.into_iter().enumerate() {
        tape = tape.device(millis as u64, vec![byte]);
    }
    let tape = tape.server(200, [connack(0), suback(1, &[0, 0])].concat());
    let report = report([tape.goodbye(300)]);
    assert_eq!(report.findings, [], "{report}");
    assert_eq!((report.clients[0].sent, report.clients[0].received), (3, 2));
}

#[test]
fn connect_is_first_and_once() {
    let early = Tape::new()
        .device(0, publish("a", "b"))
        .device(1, connect(CLIENT, 60))
        .server(2, connack(0));
    assert_finds!(
        1,
        Finding::NoConnectFirst { packet: "PUBLISH" },
        [early.clone()]
    );
    // What was captured later may have begun before.
    assert_finds!(0, Finding::NoConnectFirst { .. }, [early.without_start()]);
    let twice = Tape::new().login(0).device(50, connect(CLIENT, 60));
    assert_finds!(1, Finding::SecondConnect, [twice]);
    assert_finds!(0, Finding::SecondConnect, [Tape::new().login(0)]);
}

#[test]
fn nothing_follows_disconnect() {
    let tape = Tape::new().login(0).goodbye(10);
    assert_finds!(0, Finding::SentAfterDisconnect { .. }, [tape.clone()]);
    let tape = tape.device(20, vec![0xC0, 0]);
    assert_finds!(
        1,
        Finding::SentAfterDisconnect { packet: "PINGREQ" },
        [tape]
    );
}

#[test]
fn connack_is_the_servers_first() {
    let tape = Tape::new()
        .device(0, connect(CLIENT, 60))
        .server(1, publish("a", "b"))
        .server(2, connack(0));
    assert_finds!(1, Finding::NoConnAckFirst { packet: "PUBLISH" }, [tape]);
    assert_finds!(0, Finding::NoConnAckFirst { .. }, [healthy()]);
}

#[test]
fn each_side_sends_its_own_packets() {
    let tape = Tape::new().login(0).server(20, subscribe(1, &["a"]));
    assert_finds!(
        1,
        Finding::WrongSide {
            by: Side::Server,
            packet: "SUBSCRIBE"
        },
        [tape]
    );
    // PUBACK is both sides'.
    let tape = Tape::new().login(0).server(20, acknowledgement(4, 9));
    assert_finds!(0, Finding::WrongSide { .. }, [tape]);
}

#[test]
fn session_present_is_for_those_who_asked() {
    let clean = Tape::new()
        .device(0, connect(CLIENT, 60))
        .server(1, connack_present());
    assert_finds!(1, Finding::SessionPresentAfterClean, [clean]);
    let kept = Tape::new()
        .device(0, connect_again(CLIENT))
        .server(1, connack_present());
    assert_finds!(0, Finding::SessionPresentAfterClean, [kept]);
    // MQTT 3.1 has an unused byte there.
    let older = Tape::new()
        .device(0, connect_with(("MQIsdp", 3), CLIENT, 60, 2, &[]))
        .server(1, connack_present());
    assert_finds!(0, Finding::SessionPresentAfterClean, [older]);
}

#[test]
fn missing_bytes_are_told_of_and_accuse_nobody() {
    let tape = Tape::new()
        .ready(0)
        .device(100, publish(crate::tape::ASK, &crate::tape::get("t")))
        .pings(100, 200_000)
        .with_gap(Direction::Server);
    let report = report([tape.clone().server(100, Vec::new())]);
    assert!(!report.is_grave(), "{report}");
    assert_finds!(
        1,
        Finding::BytesMissing {
            whose: "the server"
        },
        [tape]
    );
    assert_finds!(0, Finding::BytesMissing { .. }, [healthy()]);
}

#[test]
fn a_stream_captured_in_the_middle_of_a_packet_is_no_malformed_one() {
    let tape = Tape::new()
        .device(0, vec![0xFF, 0x00, 0x13, 0x37])
        .server(1, publish("a", "b"))
        .without_start();
    let report = report([tape]);
    assert!(!report.is_grave(), "{report}");
}

#[test]
fn tls_is_no_malformed_mqtt() {
    // A record of the type handshake, version 3.1.
    let hello = vec![0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x03];
    assert_finds!(
        1,
        Finding::Encrypted { why: None },
        [Tape::new().device(0, hello.clone())]
    );
    assert_finds!(0, Finding::Malformed { .. }, [Tape::new().device(0, hello)]);
}

#[test]
fn a_login_is_answered() {
    let silent = |until| {
        Tape::new()
            .device(0, connect(CLIENT, 60))
            .device(until, vec![0xC0, 0])
    };
    assert_finds!(
        1,
        Finding::LoginUnanswered { waited: 11_000_000 },
        [silent(11_000)]
    );
    assert_finds!(0, Finding::LoginUnanswered { .. }, [silent(9_000)]);
    // It ended before.
    let closed = Tape::new()
        .device(0, connect(CLIENT, 60))
        .closed_by(conformance::capture::Close::Finished(Direction::Server));
    assert_finds!(1, Finding::LoginUnanswered { .. }, [closed]);
    assert_finds!(0, Finding::LoginUnanswered { .. }, [healthy()]);
}

#[test]
fn mqtt_5_is_no_malformed_mqtt_3() {
    // MQTT 5.0, section 3.1: CONNECT with a long remaining length, a CONNACK with properties.
    let connect = b"\x10\x90\x00\x00\x04MQTT\x05\x02\x00\x3C\x00\x00\x03abc".to_vec();
    let tape = Tape::new()
        .device(0, connect)
        .server(1, vec![0x20, 3, 0, 0, 0])
        .device(2, vec![0xE0, 1, 4]);
    assert_finds!(1, Finding::OtherVersion, [tape.clone()]);
    assert_finds!(0, Finding::Malformed { .. }, [tape]);
    assert_finds!(0, Finding::OtherVersion, [healthy()]);
}
