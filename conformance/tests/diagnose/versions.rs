//! Versions.

use conformance::diagnose::Finding;

use crate::tape::{ASK, RESULT, Tape, assert_finds, delta, publish, unsubscribe, update, updated};

fn versions(numbers: &[u64]) -> Tape {
    let mut tape = Tape::new().ready(0);
    for (index, version) in numbers.iter().enumerate() {
        let at = 1_000 + index as u64 * 100;
        tape = tape.server(at, publish(RESULT, &delta(r#"{"a":1}"#, *version)));
    }
    tape
}

#[test]
fn versions_count_upwards() {
    assert_finds!(
        1,
        Finding::VersionWentBack {
            before: 7,
            after: 3,
            ..
        },
        [versions(&[7, 3, 4])]
    );
    // An update that changes nothing leaves it as it was.
    assert_finds!(0, Finding::VersionWentBack { .. }, [versions(&[7, 7, 8])]);
}

#[test]
fn versions_do_not_skip() {
    let jumped = versions(&[7, 9]);
    assert_finds!(
        1,
        Finding::VersionJumped {
            before: 7,
            after: 9,
            made_good: false,
            ..
        },
        [jumped.clone()]
    );
    assert_finds!(0, Finding::VersionJumped { .. }, [versions(&[7, 8])]);
    assert_finds!(
        1,
        Finding::VersionJumped {
            made_good: true,
            ..
        },
        [jumped.get(5_000, "t", 9)]
    );
    // While nobody listened, nothing was to come.
    let deaf = versions(&[7])
        .device(2_000, unsubscribe(2, RESULT))
        .server(2_010, publish(RESULT, &delta(r#"{"a":1}"#, 8)))
        .device(2_020, crate::tape::subscribe(3, &[RESULT]))
        .server(2_030, crate::tape::suback(3, &[0]))
        .server(2_040, publish(RESULT, &delta(r#"{"a":1}"#, 12)));
    assert_finds!(0, Finding::VersionJumped { .. }, [deaf]);
    // From one connection to the next they may.
    let second = Tape::new().ready(20_000).get(20_100, "t", 30);
    assert_finds!(
        0,
        Finding::VersionJumped { .. },
        [versions(&[7]).goodbye(9_000), second]
    );
}

#[test]
fn a_device_that_comes_back_asks() {
    let first = || versions(&[7]).goodbye(9_000);
    let silent = || Tape::new().ready(20_000);
    assert_finds!(
        1,
        Finding::NoGetAfterReconnect { missed: None, .. },
        [first(), silent().ping(31_000)]
    );
    let asks = silent().get(20_100, "t", 7).ping(31_000);
    assert_finds!(0, Finding::NoGetAfterReconnect { .. }, [first(), asks]);
    // A session that goes on may have kept what came meanwhile.
    let kept = Tape::new()
        .device(20_000, crate::tape::connect_again(crate::tape::CLIENT))
        .server(20_010, crate::tape::connack_present())
        .server(20_020, publish(RESULT, &delta(r#"{"a":1}"#, 9)))
        .ping(31_000);
    assert_finds!(0, Finding::NoGetAfterReconnect { .. }, [first(), kept]);
    // Too short to tell.
    assert_finds!(
        0,
        Finding::NoGetAfterReconnect { .. },
        [first(), silent().ping(29_000)]
    );
    // The first connection of all needs none.
    assert_finds!(
        0,
        Finding::NoGetAfterReconnect { .. },
        [silent().ping(31_000)]
    );
    let reports = |version| {
        silent()
            .device(
                20_100,
                publish(ASK, &update("u", r#"{"reported":{"a":2}}"#)),
            )
            .server(20_120, publish(RESULT, &updated("u", 0, version)))
            .ping(31_000)
    };
    assert_finds!(
        1,
        Finding::NoGetAfterReconnect {
            missed: Some((7, 9)),
            ..
        },
        [first(), reports(9)]
    );
    assert_finds!(
        1,
        Finding::NoGetAfterReconnect { missed: None, .. },
        [first(), reports(8)]
    );
}
