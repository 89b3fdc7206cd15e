//! The recorded packet captures: the device's bytes come out of the engine.

use conformance::capture::{Capture, Direction, MQTT_PORT};
use conformance::import::{Fault, import_capture};
use shadow_core::tencent::Secret;

fn capture(name: &str) -> Capture {
    let path = format!("{}/fixtures/recorded/{name}", env!("CARGO_MANIFEST_DIR"));
    Capture::parse(&std::fs::read(path).unwrap(), MQTT_PORT).unwrap()
}

/// Packets of each connection by `tshark -Y 'mqtt && tcp.dstport == 1883'`: CONNECT, SUBSCRIBE and
/// the PUBLISHes up to m10 and m28 of the first two logs. Three connections were refused.
#[test]
fn recorded_bytes_come_out_identical() {
    let secret = Secret::from_base64("MDEyMzQ1Njc4OWFiY2RlZg==").unwrap();
    for (name, packets) in [
        ("python-sdk-first-contact.pcap", &[2 + 9][..]),
        ("python-sdk-delta.pcap", &[2 + 27]),
        ("python-sdk-reconnect.pcap", &[10, 0, 0, 0, 7]),
        ("python-sdk-own-requests.pcap", &[17]),
        ("python-sdk-unanswered-ping.pcap", &[5, 1, 5]),
        ("python-sdk-refused.pcap", &[0, 0, 0, 0, 1, 1, 5]),
        ("python-sdk-frozen.pcap", &[1, 5, 4, 15, 17]),
        ("python-sdk-deaf.pcap", &[5, 7]),
        ("python-sdk-frozen-late.pcap", &[8, 7]),
    ] {
        let capture = capture(name);
        for (secret, password) in [
            (Some(&secret), "derived from the secret"),
            (None, "taken from the capture"),
        ] {
            let report = import_capture(&capture, secret);
            assert!(report.is_identical(), "{report}");
            let connections = report.connections.iter();
            assert!(
                connections
                    .clone()
                    .map(|c| c.packets)
                    .eq(packets.iter().copied())
            );
            for connection in connections.filter(|connection| connection.packets > 0) {
                assert_eq!((connection.password, connection.by_codec), (password, 0));
            }
        }
    }
}

/// Five messages waited for their turn, with the numbers that they had been given: the first of them
/// has one that the engine has given to the get behind it.
#[test]
fn messages_that_waited_keep_their_numbers() {
    let report = import_capture(&capture("python-sdk-queued.pcap"), None);
    assert!(report.is_identical(), "{report}");
    let last = report.connections.last().unwrap();
    assert_eq!((last.packets, last.identical, last.by_codec), (28, 28, 1));
    assert!(
        report.faults.contains(&Fault::NumbersMessagesThatWait),
        "{report}"
    );
    assert!(last.goes_on);
}

/// What the SDK's source and the wire show of it, for each session by hand.
#[test]
fn faults_are_those_of_the_sdk() {
    for (name, there, not_there) in [
        (
            "python-sdk-first-contact.pcap",
            &[][..],
            &[Fault::ForgetsSubscriptions, Fault::SignsOnce][..],
        ),
        (
            "python-sdk-deaf.pcap",
            &[Fault::ForgetsSubscriptions, Fault::SignsOnce][..],
            &[
                Fault::ReconnectsTooSoon,
                Fault::BeginsTokensAgain,
                Fault::MarksNewMessagesAsDuplicates,
            ][..],
        ),
        (
            "python-sdk-refused.pcap",
            &[Fault::ReconnectsTooSoon, Fault::SignsOnce][..],
            &[Fault::ForgetsSubscriptions, Fault::PingsLate][..],
        ),
        (
            "python-sdk-reconnect.pcap",
            &[
                Fault::BeginsTokensAgain,
                Fault::MarksNewMessagesAsDuplicates,
                Fault::SignsOnce,
            ][..],
            &[Fault::PingsLate][..],
        ),
    ] {
        let report = import_capture(&capture(name), None);
        let has = |fault: &Fault| report.faults.contains(fault);
        assert!(there.iter().all(has), "{name}: {report}");
        assert!(!not_there.iter().any(has), "{name}: {report}");
    }
}

#[test]
fn another_secret_gives_another_password() {
    let secret = Secret::from_bytes(*b"another");
    let report = import_capture(&capture("python-sdk-delta.pcap"), Some(&secret));
    let difference = report.connections[0].difference.as_ref().unwrap();
    assert!(difference.packet.starts_with("CONNECT"), "{report}");
}

#[test]
fn a_damaged_packet_is_found() {
    let mut capture = capture("python-sdk-first-contact.pcap");
    let connection = &mut capture.connections[0];
    let last = connection
        .segments
        .iter_mut()
        .rev()
        .find(|segment| segment.direction == Direction::Device)
        .unwrap();
    // DUP without QoS: no packet.
    last.bytes[0] |= 0b1000;
    let report = import_capture(&capture, None);
    assert!(!report.is_identical(), "{report}");
}
