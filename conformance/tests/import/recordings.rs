//! What an import drives is recorded, and the recording replays.

use conformance::capture::{Capture, MQTT_PORT};
use conformance::import::{Recorded, import_capture, import_logs, record_capture, record_logs};
use conformance::log::Log;
use conformance::recording::{Part, Reader, Replay};
use shadow_core::tencent::Secret;

use crate::fixtures::text;

/// Replays a recording, and returns how many inputs it had.
fn replay(recorded: &Recorded) -> u64 {
    let part = Part::of_text("imported", &recorded.lines);
    let mut replay = Replay::new(Reader::new(vec![part]).unwrap()).unwrap();
    let divergence = replay.run().unwrap();
    assert!(divergence.is_none(), "{}", divergence.unwrap());
    replay.summary().inputs
}

fn capture(name: &str) -> Capture {
    let path = format!("{}/fixtures/recorded/{name}", env!("CARGO_MANIFEST_DIR"));
    Capture::parse(&std::fs::read(path).unwrap(), MQTT_PORT).unwrap()
}

/// One engine lives as long as the client's program: over every reconnect of these.
#[test]
fn captures_give_one_recording_for_each_client() {
    for (name, links) in [
        ("python-sdk-first-contact.pcap", 1),
        ("python-sdk-delta.pcap", 1),
        ("python-sdk-own-requests.pcap", 1),
        ("python-sdk-reconnect.pcap", 2),
        ("python-sdk-unanswered-ping.pcap", 3),
        ("python-sdk-refused.pcap", 3),
        ("python-sdk-frozen.pcap", 5),
        ("python-sdk-deaf.pcap", 2),
        ("python-sdk-queued.pcap", 2),
    ] {
        let capture = capture(name);
        let (report, recorded) = record_capture(&capture, None);
        assert_eq!(report, import_capture(&capture, None), "{name}");
        let [recorded] = recorded.as_slice() else {
            panic!("{name}: {} recordings", recorded.len());
        };
        assert!(replay(recorded) > 5, "{name}");
        let connected = recorded.lines.matches(r#""in":"connected""#).count();
        assert_eq!(connected, links, "{name}");
    }
}

/// Attempts that nothing accepted, before the first connection and between two.
#[test]
fn refused_connections_are_in_the_recording() {
    for (name, refused) in [
        ("python-sdk-refused.pcap", 4),
        ("python-sdk-reconnect.pcap", 3),
        ("python-sdk-deaf.pcap", 0),
    ] {
        let (_, recorded) = record_capture(&capture(name), None);
        let found = recorded[0]
            .lines
            .matches("\"failure\":\"ConnectFailed\"")
            .count();
        assert_eq!(found, refused, "{name}");
    }
}

#[test]
fn logs_give_recordings_that_replay() {
    for name in [
        "documented/1-get-cached-status.log",
        "documented/3-regular-update.log",
        "recorded/python-sdk-delta.log",
        "recorded/python-sdk-reconnect.log",
        "recorded/python-sdk-own-requests.log",
        "recorded/python-sdk-unanswered-ping.log",
        "recorded/python-sdk-refused.log",
        "recorded/python-sdk-frozen.log",
        "recorded/python-sdk-deaf.log",
        "recorded/python-sdk-queued.log",
    ] {
        let log = || vec![Log::parse(name, text(name).as_bytes()).unwrap()];
        let (report, recorded) = record_logs(log()).unwrap();
        assert_eq!(report, import_logs(log()).unwrap(), "{name}");
        assert!(!recorded.is_empty(), "{name}");
        for recorded in &recorded {
            assert!(replay(recorded) > 5, "{name}");
        }
    }
}

#[test]
fn no_recording_has_a_secret() {
    let capture = capture("python-sdk-reconnect.pcap");
    let (secret, hashed) = ("MDEyMzQ1Njc4OWFiY2RlZg==", ";hmacsha1");
    for given in [None, Some(Secret::from_base64(secret).unwrap())] {
        for recorded in record_capture(&capture, given.as_ref()).1 {
            for text in [secret, hashed, "0123456789abcdef"] {
                assert!(!recorded.lines.contains(text), "{text}");
            }
        }
    }
}
