//! Damaged sessions: nothing fails, and no place is named that there is not.

use conformance::capture::{Capture, MQTT_PORT};
use conformance::diagnose::{Session, diagnose};
use conformance::import::import_capture;
use conformance::log::Log;
use proptest::prelude::*;

use crate::tape::{ASK, RESULT, Tape, delta, get, got, publish, report, update, updated};

fn bytes(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/recorded/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

fn check(session: &Session) {
    let report = diagnose(session);
    let counts = report.counts;
    let all = counts.broke + counts.lost + counts.risky + counts.notes;
    assert_eq!(all, report.findings.len());
    for found in &report.findings {
        if let Some(connection) = found.connection {
            let packets = session.connections[connection].packets.len();
            assert!(
                found
                    .packet
                    .is_none_or(|packet| (1..=packets).contains(&packet))
            );
        }
    }
    assert!(report.to_string().contains("verdict: "));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn damaged_captures_are_looked_at(
        which in 0..4_usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        lost in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let name = ["reconnect", "own-requests", "frozen", "queued"][which];
        let file = bytes(&format!("python-sdk-{name}.pcap"));
        let mut capture = Capture::parse(&file, MQTT_PORT).unwrap();
        for connection in &mut capture.connections {
            for index in &lost {
                if !connection.segments.is_empty() {
                    connection.segments.remove(index.index(connection.segments.len()));
                }
            }
            for (index, byte) in &damage {
                if connection.segments.is_empty() {
                    continue;
                }
                let at = index.index(connection.segments.len());
                let bytes = &mut connection.segments[at].bytes;
                let place = index.index(bytes.len());
                bytes[place] = *byte;
            }
        }
        check(&Session::from(&capture));
        let report = import_capture(&capture, None);
        for connection in &report.connections {
            prop_assert!(connection.identical <= connection.alike);
            prop_assert!(connection.alike <= connection.packets);
        }
    }

    #[test]
    fn damaged_logs_are_looked_at(
        which in 0..3_usize,
        gone in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
    ) {
        let name = ["reconnect", "frozen", "deaf"][which];
        let text = String::from_utf8(bytes(&format!("python-sdk-{name}.log"))).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        for index in &gone {
            lines.remove(index.index(lines.len()));
        }
        let text = lines.join("\n") + "\n";
        if let Ok(log) = Log::parse("damaged.log", text.as_bytes()) {
            check(&Session::from_logs(vec![log]).unwrap());
        }
    }
}

/// The time it takes grows with the session and not with its square: this would take hours.
#[test]
fn a_long_session_is_looked_at_in_one_pass() {
    let mut tape = Tape::new().ready(0);
    for round in 0..20_000_u64 {
        let at = 1_000 + round * 400;
        let (ask, tell) = (format!("t-{}", 2 * round), format!("t-{}", 2 * round + 1));
        let state = format!(r#"{{"reported":{{"n":{round}}},"desired":null}}"#);
        tape = tape
            .server(
                at,
                publish(RESULT, &delta(&format!(r#"{{"n":{round}}}"#), 2 * round)),
            )
            .device(at + 50, publish(ASK, &update(&tell, &state)))
            .server(at + 100, publish(RESULT, &updated(&tell, 0, 2 * round + 1)))
            .device(at + 150, publish(ASK, &get(&ask)))
            .server(at + 200, publish(RESULT, &got(&ask, 2 * round + 1)));
    }
    let report = report([tape]);
    assert_eq!(report.findings, [], "{report}");
}

/// As many that never get an answer.
#[test]
fn a_long_session_without_answers_is_looked_at_in_one_pass() {
    let mut tape = Tape::new().ready(0);
    for round in 0..50_000_u64 {
        let (at, token) = (1_000 + round * 100, format!("t-{round}"));
        let state = format!(r#"{{"reported":{{"n":{round}}},"desired":null}}"#);
        tape = tape
            .device(at, publish(ASK, &update(&token, &state)))
            .server(at + 50, publish(RESULT, &delta(r#"{"n":0}"#, round)));
    }
    let report = report([tape]);
    assert!(report.counts.lost > 0, "{report}");
}
