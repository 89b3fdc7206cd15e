//! Subscriptions, and what becomes of them.

use conformance::capture::{Close, Direction};
use conformance::diagnose::Finding;

use crate::tape::{
    CLIENT, RESULT, Tape, acknowledgement, assert_finds, connack, connack_present, connect_again,
    suback, subscribe, unsubscribe,
};

fn cut(tape: Tape) -> Tape {
    tape.closed_by(Close::Finished(Direction::Server))
}

#[test]
fn a_new_session_is_subscribed_again() {
    let first = || cut(Tape::new().ready(0).ping(40_000));
    let deaf = Tape::new().login(50_000).ping(61_000);
    assert_finds!(
        1,
        Finding::NotResubscribed { filters, .. } if *filters == [RESULT],
        [first(), deaf]
    );
    let good = Tape::new().ready(50_000).ping(61_000);
    assert_finds!(0, Finding::NotResubscribed { .. }, [first(), good]);
    // Too short to tell; the third one is long enough.
    let short = || cut(Tape::new().login(50_000).ping(59_000));
    assert_finds!(0, Finding::NotResubscribed { .. }, [first(), short()]);
    let third = Tape::new().login(70_000).ping(81_000);
    assert_finds!(
        1,
        Finding::NotResubscribed { .. },
        [first(), short(), third]
    );
}

#[test]
fn what_was_unsubscribed_is_not_missed() {
    let first = Tape::new()
        .ready(0)
        .device(100, unsubscribe(2, RESULT))
        .server(110, acknowledgement(11, 2));
    let second = Tape::new().login(50_000).ping(61_000);
    assert_finds!(0, Finding::NotResubscribed { .. }, [cut(first), second]);
}

#[test]
fn a_session_that_goes_on_has_its_subscriptions() {
    let first = || {
        let tape = Tape::new()
            .device(0, connect_again(CLIENT))
            .server(10, connack(0))
            .device(20, subscribe(1, &["a"]))
            .server(30, suback(1, &[0]));
        cut(tape)
    };
    let kept = Tape::new()
        .device(50_000, connect_again(CLIENT))
        .server(50_010, connack_present())
        .ping(61_000);
    assert_finds!(0, Finding::NotResubscribed { .. }, [first(), kept]);
    let lost = Tape::new()
        .device(50_000, connect_again(CLIENT))
        .server(50_010, connack(0))
        .ping(61_000);
    assert_finds!(1, Finding::NotResubscribed { .. }, [first(), lost]);
}

#[test]
fn refused_filters_are_named() {
    let with = |codes: &[u8]| {
        Tape::new()
            .login(0)
            .device(20, subscribe(1, &["a", "b"]))
            .server(30, suback(1, codes))
    };
    assert_finds!(
        1,
        Finding::SubscriptionRefused { filter } if filter == "b",
        [with(&[0, 128])]
    );
    assert_finds!(0, Finding::SubscriptionRefused { .. }, [with(&[0, 1])]);
    assert_finds!(
        1,
        Finding::SubAckMismatch {
            filters: 2,
            codes: 1
        },
        [with(&[0])]
    );
    assert_finds!(0, Finding::SubAckMismatch { .. }, [with(&[0, 128])]);
}
