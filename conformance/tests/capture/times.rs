//! When connections were asked for, opened and ended.

use conformance::capture::Direction::{self, Device, Server};
use conformance::capture::{Capture, Close, Connection, MQTT_PORT};

use crate::tools::{self, fixture, run, text};
use crate::wire::{ACK, FIN, Flow, RST, SYN, pcap};

/// When a capture of these frames begins; each is a millisecond after the one before.
const BEGINNING: u64 = 1_700_000_000_000_000;

type Frame<'a> = (Direction, u8, u32, u32, &'a [u8]);

/// Indices of the frames in which a connection was asked for, opened and ended.
fn times(connection: &Connection) -> [Option<u64>; 3] {
    let Connection {
        asked_at,
        opened_at,
        ended_at,
        ..
    } = connection;
    [asked_at, opened_at, ended_at].map(|at| at.map(|at| (at - BEGINNING) / 1_000))
}

fn read(frames: &[Frame<'_>]) -> Capture {
    let flow = Flow::new(50_000, 1000, 5000);
    let frames: Vec<_> = frames
        .iter()
        .map(|(from, flags, at, acknowledged, payload)| {
            flow.frame(*from, *flags, *at, *acknowledged, payload)
        })
        .collect();
    Capture::parse(&pcap(&frames), MQTT_PORT).unwrap()
}

fn check(frames: &[Frame<'_>], expected: [Option<u64>; 3]) -> Connection {
    let capture = read(frames);
    let [connection] = <[Connection; 1]>::try_from(capture.connections).unwrap();
    assert_eq!(times(&connection), expected);
    assert_eq!(
        connection.ended_at.is_some(),
        connection.closed_by.is_some()
    );
    assert!(!connection.is_decrypted);
    connection
}

/// What is sent again, and what follows the first FIN, changes nothing.
#[test]
fn the_first_of_each_counts() {
    let connection = check(
        &[
            (Device, SYN, 0, 0, b""),
            (Device, SYN, 0, 0, b""),
            (Server, SYN | ACK, 0, 0, b""),
            (Server, SYN | ACK, 0, 0, b""),
            (Device, ACK, 0, 0, b""),
            (Device, ACK, 0, 0, b"0123"),
            (Server, FIN | ACK, 0, 4, b""),
            (Device, ACK, 4, 1, b"4567"),
            (Server, FIN | ACK, 0, 4, b""),
            (Device, FIN | ACK, 8, 1, b""),
            (Server, RST, 1, 0, b""),
        ],
        [Some(0), Some(4), Some(6)],
    );
    assert_eq!(connection.closed_by, Some(Close::Finished(Server)));
    assert_eq!(connection.device_bytes(), b"01234567");
    assert!(!connection.is_failed_attempt());
    let still_open = [
        (Device, SYN, 0, 0, &b""[..]),
        (Server, SYN | ACK, 0, 0, b""),
        (Device, ACK, 0, 0, b""),
    ];
    let connection = check(&still_open, [Some(0), Some(2), None]);
    assert!(!connection.is_failed_attempt());
}

#[test]
fn attempts_that_came_to_nothing_have_no_opening() {
    let refused = check(
        &[(Device, SYN, 0, 0, b""), (Server, RST | ACK, 0, 0, b"")],
        [Some(0), None, Some(1)],
    );
    assert_eq!(refused.closed_by, Some(Close::Reset(Server)));
    // As some systems do: the SYN once more after it was refused.
    check(
        &[
            (Device, SYN, 0, 0, b""),
            (Server, RST | ACK, 0, 0, b""),
            (Device, SYN, 0, 0, b""),
            (Server, RST | ACK, 0, 0, b""),
        ],
        [Some(0), None, Some(1)],
    );
    let unanswered = check(
        &[(Device, SYN, 0, 0, b""), (Device, SYN, 0, 0, b"")],
        [Some(0), None, None],
    );
    // The device had given up when the answer came.
    let given_up = check(
        &[
            (Device, SYN, 0, 0, b""),
            (Server, SYN | ACK, 0, 0, b""),
            (Device, RST, 0, 0, b""),
        ],
        [Some(0), None, Some(2)],
    );
    assert_eq!(given_up.closed_by, Some(Close::Reset(Device)));
    for attempt in [refused, unanswered, given_up] {
        assert!(attempt.is_failed_attempt());
        assert_eq!(attempt.begins_at(), Some(BEGINNING));
    }
}

#[test]
fn what_was_not_captured_has_no_time() {
    let without_beginning = check(
        &[(Device, ACK, 0, 0, b"0123"), (Device, FIN | ACK, 4, 0, b"")],
        [None, None, Some(1)],
    );
    assert_eq!(without_beginning.begins_at(), Some(BEGINNING));
    let stray_end = check(&[(Server, RST, 0, 0, b"")], [None, None, Some(0)]);
    let acknowledgements = check(&[(Server, ACK, 0, 0, b"")], [None, None, None]);
    assert_eq!(acknowledgements.begins_at(), None);
    for connection in [without_beginning, stray_end, acknowledgements] {
        assert!(!connection.is_failed_attempt());
    }
    // Without the device's SYN, and without what the device sent at all.
    check(
        &[(Server, SYN | ACK, 0, 0, b""), (Device, ACK, 0, 0, b"")],
        [None, Some(1), None],
    );
    check(
        &[
            (Device, SYN, 0, 0, b""),
            (Server, SYN | ACK, 0, 0, b""),
            (Server, ACK, 0, 4, b"abc"),
        ],
        [Some(0), Some(2), None],
    );
    // Without the server's SYN.
    check(
        &[(Device, SYN, 0, 0, b""), (Device, ACK, 0, 0, b"0123")],
        [Some(0), Some(1), None],
    );
}

/// RFC 9293 section 3.10.7.4: a server that still has an earlier connection of these ports
/// acknowledges that one when it gets a SYN.
#[test]
fn acknowledgements_of_an_earlier_connection_open_nothing() {
    check(
        &[
            (Device, SYN, 0, 0, b""),
            (Server, ACK, 700, 900, b""),
            (Device, SYN, 0, 0, b""),
            (Server, SYN | ACK, 0, 0, b""),
            (Device, ACK, 0, 0, b""),
        ],
        [Some(0), Some(4), None],
    );
}

/// Ports that are used again have connections with times of their own.
#[test]
fn each_connection_has_its_own_times() {
    let (first, second) = (Flow::new(1, 1000, 2000), Flow::new(1, 900_000_000, 3000));
    let mut frames = first.opening();
    frames.push(first.frame(Server, RST | ACK, 0, 0, b""));
    frames.extend(second.opening());
    frames.push(second.frame(Device, FIN | ACK, 0, 0, b""));
    let capture = Capture::parse(&pcap(&frames), MQTT_PORT).unwrap();
    let found: Vec<_> = capture.connections.iter().map(times).collect();
    assert_eq!(
        found,
        [[Some(0), Some(2), Some(3)], [Some(4), Some(6), Some(7)],]
    );
}

/// By tshark's fields: the first SYN, the first frame behind both, the first with FIN or RST.
#[test]
fn recorded_times_are_those_of_tshark() {
    if !tools::present("tshark") {
        return;
    }
    let names = ["deaf", "frozen", "queued", "refused"];
    let names = names.map(|name| format!("python-sdk-{name}.pcap"));
    let names = names.iter().map(String::as_str).chain(tools::FIXTURES);
    let mut failed = 0;
    for name in names {
        let path = fixture(name);
        let mut arguments = vec!["-r", text(&path), "-Y", "tcp", "-T", "fields"];
        for field in [
            "tcp.stream",
            "frame.time_epoch",
            "tcp.flags.syn",
            "tcp.flags.fin",
            "tcp.flags.reset",
        ] {
            arguments.extend(["-e", field]);
        }
        let mut expected: Vec<[Option<u64>; 3]> = Vec::new();
        for line in run("tshark", &arguments).lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let [stream, time, syn, fin, reset] = fields[..] else {
                panic!("{line}");
            };
            let is_set = |flag: &str| matches!(flag, "1" | "True");
            let (seconds, fraction) = time.split_once('.').unwrap();
            let micros = format!("{seconds}{}", &fraction[..6]).parse().unwrap();
            let stream: usize = stream.parse().unwrap();
            expected.resize(expected.len().max(stream + 1), [None; 3]);
            let [asked, opened, ended] = &mut expected[stream];
            if is_set(syn) {
                asked.get_or_insert(micros);
            } else if !is_set(reset) {
                opened.get_or_insert(micros);
            }
            if is_set(fin) || is_set(reset) {
                ended.get_or_insert(micros);
            }
        }
        let capture = Capture::parse(&std::fs::read(&path).unwrap(), MQTT_PORT).unwrap();
        let found = capture.connections.iter();
        let found: Vec<_> = found
            .map(|known| [known.asked_at, known.opened_at, known.ended_at])
            .collect();
        assert_eq!(found, expected, "{name}");
        let attempts = capture.connections.iter();
        failed += attempts.filter(|known| known.is_failed_attempt()).count();
    }
    // Three in python-sdk-reconnect.pcap, four in python-sdk-refused.pcap, two in
    // python-sdk-queued.pcap: tshark's `tcp.flags.reset==1 && tcp.seq_raw==0`.
    assert_eq!(failed, 9);
}
