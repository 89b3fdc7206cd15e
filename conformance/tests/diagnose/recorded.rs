//! The documented and the recorded sessions of the vendor's SDK.

use conformance::capture::{Capture, MQTT_PORT};
use conformance::diagnose::{Finding, Report, Session, diagnose};
use conformance::log::Log;

use crate::tape::count;

fn bytes(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

fn logs(names: &[&str]) -> Report {
    let logs = names
        .iter()
        .map(|name| Log::parse(name, &bytes(name)).unwrap());
    diagnose(&Session::from_logs(logs.collect()).unwrap())
}

fn capture(name: &str) -> Report {
    let capture = Capture::parse(&bytes(name), MQTT_PORT).unwrap();
    diagnose(&Session::from(&capture))
}

#[test]
fn sessions_in_which_all_went_well_have_nothing_grave() {
    for names in [
        &["documented/1-get-cached-status.log"][..],
        &["documented/2a-modify-update.log"],
        &["documented/2b-modify-get.log"],
        &[
            "documented/1-get-cached-status.log",
            "documented/2a-modify-update.log",
            "documented/2b-modify-get.log",
        ],
        &["documented/3-regular-update.log"],
        &["recorded/python-sdk-first-contact.log"],
        &["recorded/python-sdk-delta.log"],
    ] {
        let report = logs(names);
        assert!(!report.is_grave(), "{names:?}\n{report}");
    }
    for name in [
        "recorded/python-sdk-first-contact.pcap",
        "recorded/python-sdk-delta.pcap",
    ] {
        let report = capture(name);
        assert!(!report.is_grave(), "{name}\n{report}");
        // The SDK writes the expiry of its user name in milliseconds.
        assert_eq!(count(&report, |f| *f == Finding::ExpiryInMilliseconds), 1);
    }
}

/// By hand, from what `fixtures/README.md` says of the session.
#[test]
fn a_reconnect_shows_what_the_sdk_does_not_do() {
    let report = capture("recorded/python-sdk-reconnect.pcap");
    let found = |fits: fn(&Finding) -> bool| count(&report, fits);
    assert_eq!(
        found(|f| matches!(f, Finding::ConnectRefused { attempts: 3 })),
        1,
        "{report}"
    );
    assert_eq!(
        found(|f| matches!(f, Finding::SignatureReused { times: 1 })),
        1,
        "{report}"
    );
    // Its tokens begin at `-0` again.
    assert_eq!(
        found(|f| matches!(f, Finding::TokenReused { .. })),
        2,
        "{report}"
    );
    assert_eq!(
        found(|f| matches!(f, Finding::DupWithoutOriginal { is_older: true, .. })),
        2,
        "{report}"
    );
    // A get and an update were under way.
    assert_eq!(
        found(|f| matches!(f, Finding::Unanswered { .. })),
        2,
        "{report}"
    );
    let report = logs(&["recorded/python-sdk-reconnect.log"]);
    let dropped = count(&report, |f| matches!(f, Finding::DroppedOffline { .. }));
    assert_eq!(dropped, 1, "{report}");
}

#[test]
fn an_unanswered_ping_is_found_in_both() {
    for report in [
        capture("recorded/python-sdk-unanswered-ping.pcap"),
        logs(&["recorded/python-sdk-unanswered-ping.log"]),
    ] {
        // The device closed the connection a keep alive after its PINGREQ.
        let frozen = |f: &Finding| matches!(f, Finding::FrozenPeer { asked: 1, silence } if silence / 10_000 == 500);
        assert_eq!(count(&report, frozen), 1, "{report}");
        assert_eq!(
            count(&report, |f| matches!(f, Finding::PingUnanswered { .. })),
            0,
            "{report}"
        );
        assert_eq!(
            count(&report, |f| matches!(f, Finding::PingLate { .. })),
            0,
            "{report}"
        );
    }
    // The CONNACK came when the device had given up, which the log does not show.
    let report = logs(&["recorded/python-sdk-unanswered-ping.log"]);
    assert_eq!(
        count(&report, |f| matches!(f, Finding::LoginUnanswered { .. })),
        1,
        "{report}"
    );
}

#[test]
fn the_report_is_for_programs_too() {
    let report = capture("recorded/python-sdk-reconnect.pcap");
    let value = serde_json::to_value(&report).unwrap();
    let mut found = value["findings"].as_array().unwrap().iter();
    let refused = found.find(|found| found["finding"] == "connect-refused");
    let refused = refused.unwrap();
    assert_eq!(refused["severity"], "note");
    assert_eq!(refused["attempts"], 3);
    assert_eq!(value["clients"][0]["connections"], 5);
}

/// By hand, from what `fixtures/README.md` says of each session.
#[test]
fn trouble_that_was_made_is_found() {
    let report = capture("recorded/python-sdk-refused.pcap");
    let found = |report: &Report, fits: fn(&Finding) -> bool| count(report, fits);
    assert_eq!(
        found(&report, |f| matches!(
            f,
            Finding::ConnectRefused { attempts: 4 }
        )),
        1,
        "{report}"
    );
    assert_eq!(
        found(&report, |f| matches!(
            f,
            Finding::LoginRefused { code: 5, .. }
        )),
        1,
        "{report}"
    );
    assert_eq!(
        found(&report, |f| matches!(
            f,
            Finding::LoginRefused { code: 4, .. }
        )),
        1,
        "{report}"
    );

    for report in [
        capture("recorded/python-sdk-deaf.pcap"),
        logs(&["recorded/python-sdk-deaf.log"]),
    ] {
        assert_eq!(
            found(&report, |f| matches!(f, Finding::NotResubscribed { .. })),
            1,
            "{report}"
        );
        let deaf = |f: &Finding| {
            matches!(
                f,
                Finding::AskedUnsubscribed {
                    before_suback: false,
                    ..
                }
            )
        };
        assert_eq!(found(&report, deaf), 3, "{report}");
        assert_eq!(
            found(&report, |f| matches!(f, Finding::Unanswered { .. })),
            1,
            "{report}"
        );
    }

    let report = capture("recorded/python-sdk-frozen.pcap");
    assert_eq!(
        found(&report, |f| matches!(f, Finding::LoginUnanswered { .. })),
        1,
        "{report}"
    );
    assert_eq!(
        found(&report, |f| matches!(f, Finding::FrozenPeer { .. })),
        1,
        "{report}"
    );
    let report = logs(&["recorded/python-sdk-frozen.log"]);
    assert_eq!(
        found(&report, |f| matches!(f, Finding::FrozenPeer { .. })),
        1,
        "{report}"
    );

    let report = capture("recorded/python-sdk-queued.pcap");
    assert_eq!(
        found(&report, |f| matches!(f, Finding::DupWithoutOriginal { .. })),
        20,
        "{report}"
    );
    assert_eq!(
        found(&report, |f| matches!(f, Finding::Unacknowledged { .. })),
        0,
        "{report}"
    );
}

/// A recording of an engine that was driven with the session shows the same.
#[test]
fn recordings_are_diagnosed_too() {
    use conformance::import::record_capture;
    use conformance::recording::{Part, Reader, Traffic};
    let captured = Capture::parse(&bytes("recorded/python-sdk-deaf.pcap"), MQTT_PORT).unwrap();
    let (_, recorded) = record_capture(&captured, None);
    let part = Part::of_text("deaf", &recorded[0].lines);
    let traffic = Traffic::read(Reader::new(vec![part]).unwrap()).unwrap();
    let report = diagnose(&Session::from(&traffic));
    assert_eq!(
        count(&report, |f| matches!(f, Finding::NotResubscribed { .. })),
        1,
        "{report}"
    );
    assert_eq!(report.clients[0].connections, 2, "{report}");
}

/// By hand: another client with its identifier came twice, and each time the server closed the
/// connection that stood 40 to 60 µs after it had the new CONNECT.
#[test]
fn a_second_client_with_the_same_identifier_is_found() {
    let report = capture("recorded/python-sdk-taken-over.pcap");
    let contest = Finding::ClientIdContest { times: 2 };
    assert_eq!(count(&report, |f| *f == contest), 1, "{report}");
    assert_eq!(
        count(&report, |f| matches!(f, Finding::CutByServer { .. })),
        0,
        "{report}"
    );
}
