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

/// The server ends each connection right after the CONNECT of the next, which comes from elsewhere.
#[test]
fn a_contest_is_found_in_a_capture() {
    let by = |address: &str, asked: u64| {
        Tape::new()
            .at_address(address)
            .asked(asked)
            .opened(asked + 10)
            .ready(asked + 20)
    };
    let (one, other) = ("192.0.2.7:40000", "192.0.2.8:40000");
    let server = Close::Finished(Direction::Server);
    let contest = [
        by(one, 0).ended(10_025, server),
        by(other, 10_000).ended(20_025, Close::Reset(Direction::Server)),
        by(one, 20_000).ended(30_025, server),
        by(other, 30_000),
    ];
    assert_finds!(1, Finding::ClientIdContest { times: 3 }, contest.clone());
    assert_finds!(0, Finding::CutByServer { .. }, contest);
    // Before the CONNECT of the next one it is no contest, but the server's doing.
    let cut = [
        by(one, 0).ended(10_019, server),
        by(other, 10_000).ended(20_019, server),
        by(one, 20_000),
    ];
    assert_finds!(0, Finding::ClientIdContest { .. }, cut.clone());
    assert_finds!(2, Finding::CutByServer { silence: Some(_) }, cut);
}

#[test]
fn attempts_have_the_time_at_which_they_were_made() {
    let server = Close::Reset(Direction::Server);
    let refused = |at| Tape::new().asked(at).ended(at + 1, server);
    let good = || Tape::new().asked(0).opened(1).login(2).goodbye(50);
    let report = crate::tape::report([good(), refused(7_000), refused(12_000)]);
    let found = report.findings.iter();
    let mut found =
        found.filter(|found| matches!(found.finding, Finding::ConnectRefused { attempts: 2 }));
    assert_eq!(
        found.next().unwrap().at_micros,
        Some(EPOCH + 7_000_000),
        "{report}"
    );
    // So do those that nothing answered, unless the capture ended too soon to tell.
    let unanswered = |at| Tape::new().asked(at);
    assert_finds!(
        1,
        Finding::ConnectRefused { attempts: 1 },
        [unanswered(0), good_at(1_000)]
    );
    assert_finds!(
        0,
        Finding::ConnectRefused { .. },
        [good_at(0), unanswered(60_000)]
    );
    // Ten of them within a minute are a storm, whatever became of them.
    let storm = (0..10).map(|n| refused(n * 6_600));
    assert_finds!(
        1,
        Finding::ReconnectStorm { attempts: 10 },
        storm.chain([good_at(100_000)])
    );
    let calm = (0..10).map(|n| refused(n * 6_700));
    assert_finds!(
        0,
        Finding::ReconnectStorm { .. },
        calm.chain([good_at(100_000)])
    );
}

fn good_at(at: u64) -> Tape {
    Tape::new().asked(at).opened(at + 1).login(at + 2)
}

/// A connection that goes quiet stands until it is closed, not until its last packet.
#[test]
fn silence_is_measured_up_to_the_end() {
    let quiet = || Tape::new().login(0);
    let cut = quiet().ended(90_010, Close::Finished(Direction::Server));
    assert_finds!(
        1,
        Finding::PingLate {
            keep_alive: 60,
            silence: 90_010_000,
            cut: true
        },
        [cut]
    );
    let soon = quiet().ended(60_010, Close::Finished(Direction::Server));
    assert_finds!(0, Finding::PingLate { .. }, [soon]);
}
