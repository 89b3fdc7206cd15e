//! Ends of connections, and what comes after.

use conformance::capture::{Close, Direction};
use conformance::diagnose::{End, Finding, diagnose};

use crate::tape::{CLIENT, EPOCH, Tape, assert_finds, connack, connect, session};

#[test]
fn the_vendor_wants_five_seconds_between_connects() {
    let at = |millis| Tape::new().ready(millis).goodbye(millis + 100);
    assert_finds!(
        1,
        Finding::ReconnectTooSoon { after: 4_999_000 },
        [at(0), at(4_999)]
    );
    assert_finds!(0, Finding::ReconnectTooSoon { .. }, [at(0), at(5_000)]);
    // Other servers have no such rule.
    let other = |millis| {
        Tape::new()
            .device(millis, connect("c", 60))
            .server(millis + 1, connack(0))
    };
    assert_finds!(0, Finding::ReconnectTooSoon { .. }, [other(0), other(100)]);
}

#[test]
fn ten_attempts_a_minute_are_a_storm() {
    let tries = |number: u64, every: u64| {
        let try_at = |n| {
            Tape::new()
                .device(n * every, connect(CLIENT, 60))
                .server(n * every + 1, connack(3))
        };
        (0..number).map(try_at).collect::<Vec<_>>()
    };
    assert_finds!(
        1,
        Finding::ReconnectStorm { attempts: 10 },
        tries(10, 6_000)
    );
    assert_finds!(0, Finding::ReconnectStorm { .. }, tries(9, 100));
    assert_finds!(0, Finding::ReconnectStorm { .. }, tries(30, 6_700));
}

#[test]
fn refused_connections_are_counted_in_a_row() {
    let refused = || Tape::new().closed_by(Close::Reset(Direction::Server));
    let good = || Tape::new().login(0).goodbye(50);
    let tapes = [refused(), refused(), good(), refused()];
    assert_finds!(1, Finding::ConnectRefused { attempts: 2 }, tapes.clone());
    assert_finds!(1, Finding::ConnectRefused { attempts: 1 }, tapes);
    assert_finds!(0, Finding::ConnectRefused { .. }, [good()]);
}

#[test]
fn connections_end_with_disconnect() {
    let tape = Tape::new().login(0);
    let left = tape.clone().closed_by(Close::Finished(Direction::Device));
    assert_finds!(1, Finding::EndedWithoutDisconnect, [left]);
    assert_finds!(
        0,
        Finding::EndedWithoutDisconnect,
        [tape.clone().goodbye(50)]
    );
    assert_finds!(0, Finding::EndedWithoutDisconnect, [tape.clone()]);
    let cut = tape.clone().closed_by(Close::Finished(Direction::Server));
    assert_finds!(1, Finding::CutByServer { silence: None }, [cut]);
    // A refused login, and a goodbye, end so.
    let refused = Tape::new()
        .device(0, connect(CLIENT, 60))
        .server(1, connack(5))
        .closed_by(Close::Finished(Direction::Server));
    assert_finds!(0, Finding::CutByServer { .. }, [refused]);
}

/// Connections that the server ends at these times.
fn ended(tapes: &[(u64, u64)]) -> conformance::diagnose::Session {
    let connections = tapes.iter().map(|(begin, _)| Tape::new().ready(*begin));
    let mut session = session(connections);
    for (connection, (_, end)) in session.connections.iter_mut().zip(tapes) {
        connection.end = End::ByServer;
        connection.ended_at = Some(EPOCH + end * 1_000);
    }
    session
}

#[test]
fn two_devices_with_one_client_id_push_each_other_out() {
    let contest = diagnose(&ended(&[(0, 10_050), (10_000, 20_050), (20_000, 30_000)]));
    let found = |report: &conformance::diagnose::Report, finding: &Finding| {
        crate::tape::count(report, |found| found == finding)
    };
    assert_eq!(
        found(&contest, &Finding::ClientIdContest { times: 2 }),
        1,
        "{contest}"
    );
    let once = diagnose(&ended(&[(0, 10_050), (10_000, 30_000)]));
    assert_eq!(found(&once, &Finding::TakenOver), 1, "{once}");
    assert_eq!(
        found(&once, &Finding::ClientIdContest { times: 1 }),
        0,
        "{once}"
    );
    // It was gone already when the next one came.
    let after = diagnose(&ended(&[(0, 9_000), (10_000, 30_000)]));
    assert_eq!(found(&after, &Finding::TakenOver), 0, "{after}");
    // It had been silent for too long to be in use.
    let stale = diagnose(&ended(&[(0, 100_050), (100_000, 101_000)]));
    assert_eq!(found(&stale, &Finding::TakenOver), 0, "{stale}");
}
