//! Keep alive.

use conformance::capture::{Close, Direction};
use conformance::diagnose::Finding;

use crate::tape::{CLIENT, Tape, assert_finds, connack, connect, publish, subscribe};

#[test]
fn pings_come_in_time() {
    let late = Tape::new().login(0).ping(62_000).goodbye(70_000);
    assert_finds!(
        1,
        Finding::PingLate {
            keep_alive: 60,
            silence: 62_000_000,
            cut: false
        },
        [late]
    );
    // Just in time, with what happens on the way.
    let timely = Tape::new().login(0).ping(61_000).goodbye(121_000);
    assert_finds!(0, Finding::PingLate { .. }, [timely]);
    // Any packet will do; what comes does not count.
    let busy = Tape::new()
        .login(0)
        .device(40_000, publish("a", "b"))
        .server(70_000, publish("a", "b"))
        .goodbye(99_000);
    assert_finds!(0, Finding::PingLate { .. }, [busy]);
}

#[test]
fn a_silence_at_the_end_counts_as_far_as_it_is_known() {
    let silent = Tape::new().login(0).server(91_000, publish("a", "b"));
    let cut = silent.clone().closed_by(Close::Finished(Direction::Server));
    assert_finds!(1, Finding::PingLate { cut: true, .. }, [cut]);
    // What the server sent may have crossed the device's own end.
    let left = silent.closed_by(Close::Finished(Direction::Device));
    assert_finds!(0, Finding::PingLate { .. }, [left]);
}

#[test]
fn keep_alive_is_on_and_within_limits() {
    let with = |keep_alive| {
        Tape::new()
            .device(0, connect(CLIENT, keep_alive))
            .server(1, connack(0))
            .device(2, subscribe(1, &[crate::tape::RESULT]))
    };
    assert_finds!(1, Finding::KeepAliveOff, [with(0)]);
    assert_finds!(0, Finding::KeepAliveOff, [with(1)]);
    for (keep_alive, found) in [(1, 1), (59, 1), (60, 0), (900, 0), (901, 1)] {
        assert_finds!(
            found,
            Finding::KeepAliveOutOfLimits { .. },
            [with(keep_alive)]
        );
    }
    // They are the vendor's, and others have none.
    let other = Tape::new().device(0, connect("c", 5)).server(1, connack(0));
    assert_finds!(0, Finding::KeepAliveOutOfLimits { .. }, [other]);
}

#[test]
fn pings_are_answered() {
    let unanswered = |until| {
        Tape::new()
            .login(0)
            .device(50_000, vec![0xC0, 0])
            // So that the server is not silent altogether.
            .server(50_001, publish("a", "b"))
            .device(until, publish("a", "b"))
    };
    assert_finds!(1, Finding::PingUnanswered { .. }, [unanswered(60_001)]);
    assert_finds!(0, Finding::PingUnanswered { .. }, [unanswered(59_000)]);
    let late = unanswered(59_000).server(64_000, vec![0xD0, 0]);
    assert_finds!(0, Finding::PingUnanswered { .. }, [late]);
    // The device gave up; when, the capture does not tell.
    let given_up = Tape::new()
        .login(0)
        .device(50_000, vec![0xC0, 0])
        .closed_by(Close::Finished(Direction::Device));
    assert_finds!(1, Finding::PingUnanswered { .. }, [given_up]);
}

#[test]
fn a_silent_server_is_found_once() {
    let frozen = |until| {
        Tape::new()
            .login(0)
            .device(20, subscribe(1, &["a"]))
            .device(5_000, vec![0xC0, 0])
            .device(until, publish("a", "b"))
    };
    assert_finds!(1, Finding::FrozenPeer { asked: 2, .. }, [frozen(10_020)]);
    assert_finds!(0, Finding::PingUnanswered { .. }, [frozen(16_000)]);
    assert_finds!(0, Finding::FrozenPeer { .. }, [frozen(10_000)]);
    // What calls for no answer gets none.
    let quiet = Tape::new()
        .login(0)
        .device(20, publish("a", "b"))
        .device(30_000, publish("a", "b"));
    assert_finds!(0, Finding::FrozenPeer { .. }, [quiet]);
    let alive = frozen(16_000).server(16_001, publish("a", "b"));
    assert_finds!(0, Finding::FrozenPeer { .. }, [alive]);
}
