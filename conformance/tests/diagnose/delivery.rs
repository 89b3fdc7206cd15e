//! Packet identifiers and acknowledgements.

use conformance::capture::{Close, Direction};
use conformance::diagnose::{Finding, Side};

use crate::tape::{
    CLIENT, Tape, acknowledgement, assert_finds, connack, connack_present, connect, connect_again,
    connect_with, publish, publish_with, suback, subscribe, unsubscribe,
};

const QOS_1: u8 = 0b0010;
const QOS_2: u8 = 0b0100;
const DUP: u8 = 0b1000;

fn cut(tape: Tape) -> Tape {
    tape.closed_by(Close::Finished(Direction::Server))
}

#[test]
fn an_identifier_in_use_is_not_given_away() {
    let first = Tape::new()
        .login(0)
        .device(20, publish_with(QOS_1, 5, "t", "one"));
    let reused = first.clone().device(30, publish_with(QOS_1, 5, "t", "two"));
    assert_finds!(
        1,
        Finding::PacketIdReused {
            by: Side::Device,
            id: 5,
            used_by: "PUBLISH"
        },
        [reused]
    );
    let subscribed = first.clone().device(30, subscribe(5, &["a"]));
    assert_finds!(1, Finding::PacketIdReused { .. }, [subscribed]);
    let free = first
        .server(25, acknowledgement(4, 5))
        .device(30, publish_with(QOS_1, 5, "t", "two"));
    assert_finds!(0, Finding::PacketIdReused { .. }, [free]);
}

#[test]
fn a_servers_identifiers_are_its_own() {
    let first = Tape::new()
        .login(0)
        .device(15, publish_with(QOS_1, 5, "t", "one"))
        .server(20, publish_with(QOS_1, 5, "t", "one"));
    assert_finds!(0, Finding::PacketIdReused { .. }, [first.clone()]);
    let reused = first.clone().server(30, publish_with(QOS_1, 5, "t", "two"));
    assert_finds!(
        1,
        Finding::PacketIdReused {
            by: Side::Server,
            ..
        },
        [reused]
    );
    let free = first
        .device(25, acknowledgement(4, 5))
        .server(30, publish_with(QOS_1, 5, "t", "two"));
    assert_finds!(0, Finding::PacketIdReused { .. }, [free]);
}

#[test]
fn dup_marks_what_is_sent_again_and_nothing_else() {
    let first = || {
        cut(Tape::new()
            .device(0, connect_again(CLIENT))
            .server(10, connack(0))
            .device(20, publish_with(QOS_1, 5, "t", "p")))
    };
    let again = |flags| {
        Tape::new()
            .device(9_000, connect_again(CLIENT))
            .server(9_010, connack_present())
            .device(9_020, publish_with(flags, 5, "t", "p"))
            .server(9_030, acknowledgement(4, 5))
    };
    assert_finds!(1, Finding::DupMissing { id: 5 }, [first(), again(QOS_1)]);
    assert_finds!(0, Finding::DupMissing { .. }, [first(), again(QOS_1 | DUP)]);
    assert_finds!(
        0,
        Finding::DupWithoutOriginal { .. },
        [first(), again(QOS_1 | DUP)]
    );
    assert_finds!(
        0,
        Finding::Unacknowledged { .. },
        [first(), again(QOS_1 | DUP)]
    );
    // To a clean session it is a new message.
    let new = |flags, protocol| {
        Tape::new()
            .device(9_000, connect_with(protocol, CLIENT, 60, 2, &[]))
            .server(9_010, connack(0))
            .device(9_020, publish_with(flags, 5, "t", "p"))
            .server(9_030, acknowledgement(4, 5))
    };
    let pattern = |flags, protocol| crate::tape::report([first(), new(flags, protocol)]);
    let found = |report: &conformance::diagnose::Report, older: bool| {
        crate::tape::count(
            report,
            |finding| matches!(finding, Finding::DupWithoutOriginal { is_older, .. } if *is_older == older),
        )
    };
    assert_eq!(found(&pattern(QOS_1 | DUP, ("MQTT", 4)), false), 1);
    assert_eq!(found(&pattern(QOS_1 | DUP, ("MQIsdp", 3)), true), 1);
    assert_eq!(found(&pattern(QOS_1, ("MQTT", 4)), false), 0);
}

/// A client that keeps its session sends again what the server may have forgotten, with DUP or
/// without.
#[test]
fn a_server_that_lost_the_session_is_sent_what_was_left() {
    let first = cut(Tape::new()
        .device(0, connect_again(CLIENT))
        .server(10, connack(0))
        .device(20, publish_with(QOS_1, 5, "t", "p")));
    for flags in [QOS_1, QOS_1 | DUP] {
        let again = Tape::new()
            .device(9_000, connect_again(CLIENT))
            .server(9_010, connack(0))
            .device(9_020, publish_with(flags, 5, "t", "p"))
            .server(9_030, acknowledgement(4, 5));
        assert_finds!(
            0,
            Finding::DupMissing { .. }
                | Finding::DupWithoutOriginal { .. }
                | Finding::Unacknowledged { .. },
            [first.clone(), again]
        );
    }
}

#[test]
fn a_capture_that_begins_late_does_not_know_what_was_sent_before() {
    let tape = Tape::new()
        .without_start()
        .device(0, publish_with(QOS_1 | DUP, 5, "t", "p"))
        .server(10, acknowledgement(4, 5))
        .server(20, acknowledgement(4, 6));
    assert_finds!(
        0,
        Finding::DupWithoutOriginal { .. } | Finding::UnexpectedAcknowledgement { .. },
        [tape]
    );
}

#[test]
fn messages_are_acknowledged_or_sent_again() {
    let sent = |flags| {
        Tape::new()
            .login(0)
            .device(20, publish_with(flags, 5, "t", "p"))
    };
    assert_finds!(
        1,
        Finding::Unacknowledged { qos: 1, id: 5, .. },
        [cut(sent(QOS_1))]
    );
    assert_finds!(
        1,
        Finding::Unacknowledged { qos: 2, .. },
        [cut(sent(QOS_2))]
    );
    let answered = sent(QOS_1).server(30, acknowledgement(4, 5));
    assert_finds!(0, Finding::Unacknowledged { .. }, [cut(answered)]);
    // There was no time for it.
    assert_finds!(0, Finding::Unacknowledged { .. }, [sent(QOS_1)]);
    assert_finds!(
        1,
        Finding::Unacknowledged { .. },
        [sent(QOS_1).ping(10_021)]
    );
    let anew = Tape::new()
        .login(9_000)
        .device(9_100, publish_with(QOS_1, 1, "t", "p"))
        .server(9_110, acknowledgement(4, 1));
    assert_finds!(0, Finding::Unacknowledged { .. }, [cut(sent(QOS_1)), anew]);
}

#[test]
fn qos_2_takes_four_packets() {
    let sent = |tape: Tape| {
        tape.login(0)
            .device(20, publish_with(QOS_2, 5, "t", "p"))
            .server(30, acknowledgement(5, 5))
    };
    let whole = sent(Tape::new())
        .device(40, acknowledgement(6, 5))
        .server(50, acknowledgement(7, 5))
        .goodbye(20_000);
    let report = crate::tape::report([whole]);
    assert_eq!(report.findings, [], "{report}");
    let unreleased = sent(Tape::new()).device(11_000, publish("t", "p"));
    assert_finds!(
        1,
        Finding::NotAcknowledged {
            packet: "PUBREC",
            missing: "PUBREL",
            ..
        },
        [unreleased]
    );
    let incomplete = sent(Tape::new())
        .device(40, acknowledgement(6, 5))
        .server(9_000, publish("t", "p"))
        .device(11_000, publish("t", "p"));
    assert_finds!(
        1,
        Finding::AcknowledgementMissing {
            packet: "PUBREL",
            id: 5,
            ..
        },
        [incomplete]
    );
}

#[test]
fn the_device_acknowledges_what_comes() {
    let came = |flags, kind: u8, until| {
        let tape = Tape::new()
            .login(0)
            .server(20, publish_with(flags, 5, "t", "p"));
        let tape = match kind {
            0 => tape,
            kind => tape.device(30, acknowledgement(kind, 5)),
        };
        tape.device(until, publish("t", "p"))
    };
    for (flags, kind, until, missing) in [
        (QOS_1, 0, 11_000, Some("PUBACK")),
        (QOS_1, 0, 9_000, None),
        (QOS_1, 4, 11_000, None),
        (QOS_2, 0, 11_000, Some("PUBREC")),
        (QOS_2, 5, 11_000, None),
    ] {
        let report = crate::tape::report([came(flags, kind, until)]);
        let found = report
            .findings
            .iter()
            .find_map(|found| match found.finding {
                Finding::NotAcknowledged { missing, .. } => Some(missing),
                _ => None,
            });
        assert_eq!(found, missing, "{report}");
    }
    let released = |answered: bool| {
        let tape = came(QOS_2, 5, 40).server(50, acknowledgement(6, 5));
        let tape = match answered {
            true => tape.device(60, acknowledgement(7, 5)),
            false => tape,
        };
        tape.device(11_000, publish("t", "p"))
    };
    assert_finds!(
        1,
        Finding::NotAcknowledged {
            missing: "PUBCOMP",
            ..
        },
        [released(false)]
    );
    assert_finds!(0, Finding::NotAcknowledged { .. }, [released(true)]);
}

#[test]
fn acknowledgements_are_of_something() {
    let tape = Tape::new()
        .login(0)
        .device(20, acknowledgement(4, 5))
        .server(30, suback(9, &[0]));
    assert_finds!(
        1,
        Finding::UnexpectedAcknowledgement {
            by: Side::Device,
            packet: "PUBACK",
            id: 5
        },
        [tape.clone()]
    );
    assert_finds!(
        1,
        Finding::UnexpectedAcknowledgement {
            by: Side::Server,
            packet: "SUBACK",
            id: 9
        },
        [tape]
    );
    let good = Tape::new()
        .ready(0)
        .device(40, unsubscribe(2, "a"))
        .server(50, acknowledgement(11, 2));
    assert_finds!(0, Finding::UnexpectedAcknowledgement { .. }, [good]);
}

#[test]
fn subscribe_is_answered() {
    let with = |until| {
        Tape::new()
            .device(0, connect(CLIENT, 60))
            .server(10, connack(0))
            .device(20, subscribe(1, &["a"]))
            .ping(until)
    };
    assert_finds!(
        1,
        Finding::AcknowledgementMissing {
            packet: "SUBSCRIBE",
            id: 1,
            ..
        },
        [with(10_020)]
    );
    assert_finds!(0, Finding::AcknowledgementMissing { .. }, [with(9_000)]);
}
