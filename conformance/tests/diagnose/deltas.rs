//! Deltas and their answers.

use conformance::diagnose::Finding;

use crate::tape::{ASK, RESULT, Tape, assert_finds, delta, publish, update, updated};

fn told() -> Tape {
    Tape::new()
        .ready(0)
        .server(1_000, publish(RESULT, &delta(r#"{"light":1}"#, 5)))
}

fn answer(tape: Tape, millis: u64, token: &str, state: &str, version: u64) -> Tape {
    tape.device(millis, publish(ASK, &update(token, state)))
        .server(millis + 50, publish(RESULT, &updated(token, 0, version)))
}

#[test]
fn deltas_are_answered() {
    let unanswered = |until| told().ping(until);
    assert_finds!(
        1,
        Finding::DeltaUnanswered { version: Some(5), keys, waited: 30_010_000, .. } if *keys == ["light"],
        [unanswered(31_000)]
    );
    assert_finds!(0, Finding::DeltaUnanswered { .. }, [unanswered(30_000)]);
    for state in [
        r#"{"reported":{"light":1},"desired":null}"#,
        r#"{"reported":{"light":0}}"#,
        r#"{"desired":null}"#,
        r#"{"desired":{"light":null}}"#,
    ] {
        let answered = answer(told(), 2_000, "t-0", state, 6).ping(40_000);
        assert_finds!(0, Finding::DeltaUnanswered { .. }, [answered]);
    }
    let other = answer(told(), 2_000, "t-0", r#"{"reported":{"fan":1}}"#, 6).ping(40_000);
    assert_finds!(1, Finding::DeltaUnanswered { .. }, [other]);
}

#[test]
fn a_delta_in_a_gets_reply_counts_too() {
    let got = |state: &str| {
        let reply = format!(
            r#"{{"type":"get","clientToken":"t-0","result":0,"payload":{{"state":{state},"version":5}}}}"#
        );
        Tape::new()
            .ready(0)
            .device(900, publish(ASK, &crate::tape::get("t-0")))
            .server(1_000, publish(RESULT, &reply))
            .ping(31_000)
    };
    let wish = r#"{"reported":{},"desired":{"light":1},"delta":{"light":1}}"#;
    assert_finds!(1, Finding::DeltaUnanswered { .. }, [got(wish)]);
    assert_finds!(
        0,
        Finding::DeltaUnanswered { .. },
        [got(r#"{"reported":{}}"#)]
    );
    // The application has taken its wish back.
    let withdrawn = told()
        .device(5_000, publish(ASK, &crate::tape::get("t-1")))
        .server(5_020, publish(RESULT, &crate::tape::got("t-1", 6)))
        .ping(40_000);
    assert_finds!(0, Finding::DeltaUnanswered { .. }, [withdrawn]);
}

#[test]
fn deltas_are_answered_in_time() {
    let after = |millis: u64| {
        answer(
            told(),
            1_000 + millis,
            "t-0",
            r#"{"reported":{"light":1}}"#,
            6,
        )
    };
    assert_finds!(
        1,
        Finding::DeltaAnsweredLate {
            after: 30_001_000,
            ..
        },
        [after(30_001)]
    );
    assert_finds!(0, Finding::DeltaAnsweredLate { .. }, [after(30_000)]);
}

/// The answer is under way while the next delta is: the service clears both.
#[test]
fn clearing_without_a_version_deletes_what_crosses_it() {
    let crossing = |state: &str, versions: (u64, u64)| {
        told()
            .device(2_000, publish(ASK, &update("t-0", state)))
            .server(2_010, publish(RESULT, &delta(r#"{"light":2}"#, versions.0)))
            .server(2_050, publish(RESULT, &updated("t-0", 0, versions.1)))
    };
    let both = r#"{"reported":{"light":1},"desired":null}"#;
    assert_finds!(
        1,
        Finding::NewerDesiredDeleted {
            version: Some(6),
            made_good: false,
            ..
        },
        [crossing(both, (6, 7))]
    );
    // The delta came after the update was taken.
    assert_finds!(
        0,
        Finding::NewerDesiredDeleted { .. },
        [crossing(both, (7, 6))]
    );
    // Reporting alone deletes nothing.
    let report = r#"{"reported":{"light":1}}"#;
    assert_finds!(
        0,
        Finding::NewerDesiredDeleted { .. },
        [crossing(report, (6, 7))]
    );
    // The device had it all the same.
    let made_good = answer(
        crossing(both, (6, 7)),
        3_000,
        "t-1",
        r#"{"reported":{"light":2}}"#,
        8,
    );
    assert_finds!(
        1,
        Finding::NewerDesiredDeleted {
            made_good: true,
            ..
        },
        [made_good]
    );
    // With a version it would have been refused.
    let checked = r#"{"type":"update","state":{"desired":null},"version":5,"clientToken":"t-0"}"#;
    let refused = told()
        .device(2_000, publish(ASK, checked))
        .server(2_010, publish(RESULT, &delta(r#"{"light":2}"#, 6)))
        .server(2_050, publish(RESULT, &updated("t-0", 5005, 6)));
    assert_finds!(0, Finding::NewerDesiredDeleted { .. }, [refused]);
}

/// Reporting and clearing are two updates, and a delta comes in between.
#[test]
fn clearing_after_reporting_deletes_what_came_between() {
    let reported = answer(told(), 2_000, "t-0", r#"{"reported":{"light":1}}"#, 6);
    let clear = |tape: Tape| answer(tape, 4_000, "t-1", r#"{"desired":null}"#, 8);
    let between = reported
        .clone()
        .server(3_000, publish(RESULT, &delta(r#"{"light":2}"#, 7)));
    assert_finds!(
        1,
        Finding::NewerDesiredDeleted {
            made_good: false,
            ..
        },
        [clear(between.clone())]
    );
    assert_finds!(0, Finding::NewerDesiredDeleted { .. }, [clear(reported)]);
    let answered = answer(between, 3_500, "t-2", r#"{"reported":{"light":2}}"#, 7);
    assert_finds!(0, Finding::NewerDesiredDeleted { .. }, [clear(answered)]);
}
