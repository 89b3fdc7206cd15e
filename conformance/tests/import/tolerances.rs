//! Each option of the compatibility profile: without it the session that needs it is not explained.

use conformance::capture::{Capture, MQTT_PORT};
use conformance::import::{
    CaptureReport, Fault, Report, Tolerance, import_capture_with, import_logs_with,
};
use conformance::log::Log;

use crate::fixtures::{FIRST_CONTACT, RECONNECT, REFUSED, UNANSWERED_PING, text};

const SDK: Tolerance = Tolerance::python_sdk();

fn log(name: &str, tolerance: Tolerance) -> Report {
    let log = Log::parse(name, text(name).as_bytes()).unwrap();
    import_logs_with(vec![log], tolerance).unwrap()
}

fn capture(name: &str, tolerance: Tolerance) -> CaptureReport {
    let path = format!("{}/fixtures/recorded/{name}", env!("CARGO_MANIFEST_DIR"));
    let capture = Capture::parse(&std::fs::read(path).unwrap(), MQTT_PORT).unwrap();
    import_capture_with(&capture, None, tolerance)
}

/// The unexplained lines, which are none with the option on.
fn without(name: &str, tolerance: Tolerance) -> Vec<String> {
    assert_eq!(log(name, SDK).unexplained(), 0);
    let report = log(name, tolerance);
    assert!(report.unexplained() > 0, "{report}");
    let lines = report.lines.iter();
    let lines = lines.filter(|line| line.verdict.is_unexplained());
    lines.map(|line| line.text.clone()).collect()
}

/// After CONNACK 5 the SDK waits 1 s, where a careful client waits 5 s at least.
#[test]
fn reconnects_too_soon() {
    let off = Tolerance {
        reconnects_too_soon: false,
        ..SDK
    };
    let lines = without(REFUSED, off);
    assert!(
        lines.iter().any(|line| line.contains("CONNECT")),
        "{lines:?}"
    );
    let report = capture("python-sdk-refused.pcap", SDK);
    assert!(report.is_identical(), "{report}");
    let report = capture("python-sdk-refused.pcap", off);
    let differences = report.connections.iter();
    let mut differences = differences.filter_map(|connection| connection.difference.as_ref());
    assert!(
        differences.any(|difference| difference.packet.starts_with("CONNECT")),
        "{report}"
    );
}

#[test]
fn pings_late() {
    let off = Tolerance {
        pings_late: false,
        ..SDK
    };
    let lines = without(UNANSWERED_PING, off);
    assert!(
        lines.iter().any(|line| line.contains("PINGREQ")),
        "{lines:?}"
    );
    let report = capture("python-sdk-unanswered-ping.pcap", SDK);
    assert!(report.is_identical(), "{report}");
    let report = capture("python-sdk-unanswered-ping.pcap", off);
    let differences = report.connections.iter();
    let mut differences = differences.filter_map(|connection| connection.difference.as_ref());
    assert!(
        differences.any(|difference| difference.packet.starts_with("PINGREQ")),
        "{report}"
    );
}

#[test]
fn drops_messages_offline() {
    let off = Tolerance {
        drops_messages_offline: false,
        ..SDK
    };
    let lines = without(RECONNECT, off);
    assert!(lines[0].contains("publish failed"), "{lines:?}");
}

#[test]
fn numbers_messages_that_wait() {
    let off = Tolerance {
        numbers_messages_that_wait: false,
        ..SDK
    };
    let name = "python-sdk-queued.pcap";
    assert!(capture(name, SDK).is_identical());
    let report = capture(name, off);
    let last = report.connections.last().unwrap();
    let packet = &last.difference.as_ref().unwrap().packet;
    assert!(packet.starts_with("PUBLISH"), "{report}");
    assert_eq!(last.alike, last.packets, "numbers only: {report}");
}

#[test]
fn swaps_subscribe_arguments() {
    let off = Tolerance {
        swaps_subscribe_arguments: false,
        ..SDK
    };
    let lines = without(FIRST_CONTACT, off);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("on_subscribe:mid:"), "{lines:?}");
}

/// Nothing is left to "the importer": each has an option, and the report names it.
#[test]
fn reports_name_the_options() {
    for (name, fault, option) in [
        (
            REFUSED,
            Fault::ReconnectsTooSoon,
            "(Tolerance::reconnects_too_soon)",
        ),
        (UNANSWERED_PING, Fault::PingsLate, "(Tolerance::pings_late)"),
        (
            RECONNECT,
            Fault::DropsMessagesOffline,
            "(Behaviour::drop_without_link)",
        ),
        (
            FIRST_CONTACT,
            Fault::SwapsSubscribeArguments,
            "(Tolerance::swaps_subscribe_arguments)",
        ),
    ] {
        let report = log(name, SDK);
        assert!(report.faults.contains(&fault), "{report}");
        assert!(report.to_string().contains(&format!("{fault} {option}")));
    }
    let report = capture("python-sdk-queued.pcap", SDK).to_string();
    assert!(report.contains("(Tolerance::numbers_messages_that_wait)"));
}
