//! Several clients, and other implementations' bytes.

use conformance::capture::{Close, Direction};
use conformance::diagnose::{Finding, diagnose};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4;

use crate::tape::{CLIENT, Tape, assert_finds, connack, connect, report, session, suback};

#[test]
fn each_client_is_looked_at_for_itself() {
    let other = |millis: u64| {
        Tape::new()
            .at_address("192.0.2.8:40000")
            .device(millis, connect("other", 60))
            .server(millis + 1, connack(0))
            .ping(millis + 12_000)
            .goodbye(millis + 13_000)
    };
    let first = Tape::new().ready(0).goodbye(4_000);
    let report = report([first, other(4_100)]);
    // Neither a reconnect nor subscriptions that are missing.
    assert_eq!(report.findings, [], "{report}");
    let ids: Vec<_> = report
        .clients
        .iter()
        .map(|client| client.id.as_deref())
        .collect();
    assert_eq!(ids, [Some(CLIENT), Some("other")]);
}

#[test]
fn an_attempt_is_the_only_client_of_its_address() {
    let refused = |address| {
        Tape::new()
            .at_address(address)
            .closed_by(Close::Reset(Direction::Server))
    };
    let good = Tape::new().ready(0).goodbye(4_000);
    let report = report([good, refused("192.0.2.7:40001"), refused("192.0.2.9:1")]);
    let summary: Vec<_> = report
        .clients
        .iter()
        .map(|client| (client.id.as_deref(), client.connections))
        .collect();
    assert_eq!(summary, [(Some(CLIENT), 2), (None, 1)], "{report}");
}

/// Packets as rumqttc writes them.
#[test]
fn bytes_of_another_client_are_read() {
    let mut bytes = bytes::BytesMut::new();
    let mut login = v4::Connect::new("rumqttc");
    login.keep_alive = 30;
    login.clean_session = true;
    login.write(&mut bytes).unwrap();
    let connected = bytes.split().to_vec();
    v4::Subscribe {
        pkid: 1,
        ..v4::Subscribe::new("a/#", QoS::AtLeastOnce)
    }
    .write(&mut bytes)
    .unwrap();
    let subscribed = bytes.split().to_vec();
    let mut message = v4::Publish::new("a/b", QoS::AtLeastOnce, "hello");
    message.pkid = 2;
    message.write(&mut bytes).unwrap();
    let published = bytes.split().to_vec();
    let tape = Tape::new()
        .device(0, connected)
        .server(10, connack(0))
        .device(20, subscribed)
        .server(30, suback(1, &[1]))
        .device(40, published)
        .closed_by(Close::Finished(Direction::Server));
    let session = session([tape]);
    let report = diagnose(&session);
    assert_eq!(report.clients[0].id.as_deref(), Some("rumqttc"));
    assert_eq!(report.counts.broke, 0, "{report}");
    let lost = Finding::Unacknowledged {
        qos: 1,
        id: 2,
        topic: "a/b".to_owned(),
    };
    assert!(
        report.findings.iter().any(|found| found.finding == lost),
        "{report}"
    );
}

#[test]
fn nothing_at_all_is_no_health() {
    let report = report([]);
    assert!(
        report.to_string().contains("no MQTT packets were seen"),
        "{report}"
    );
    assert!(!report.is_grave());
}

/// Long lists are bounded, and say what they leave out.
#[test]
fn findings_are_bounded() {
    let pings = (0..12_000_u64).fold(Tape::new().login(0), |tape, n| {
        tape.device(20 + n, crate::tape::acknowledgement(4, 7))
    });
    let report = report([pings.clone()]);
    assert_eq!(
        report.findings.len(),
        conformance::diagnose::MAXIMUM_FINDINGS
    );
    assert!(report.left_out >= 2_000, "{}", report.left_out);
    assert!(report.to_string().lines().count() < 40);
    assert_finds!(10_000, Finding::UnexpectedAcknowledgement { .. }, [pings]);
}
