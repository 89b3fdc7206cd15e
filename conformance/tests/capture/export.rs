//! Files for Wireshark, read by tshark and by ourselves.

use std::net::SocketAddr;
use std::path::Path;

use conformance::capture::Direction::{Device, Server};
use conformance::capture::{self, Capture, Close, MQTT_PORT, Segment};
use conformance::export::pcapng::{self, Connection, MAX_COMMENT, Opening};
use proptest::prelude::*;

use crate::tools::{self, fixture, follow, followed, run, text};

fn written(connections: &[Connection]) -> Vec<u8> {
    let mut file = Vec::new();
    pcapng::write(connections, &mut file).unwrap();
    file
}

fn read(file: &[u8]) -> Capture {
    let capture = Capture::parse(file, MQTT_PORT).unwrap();
    assert_eq!((capture.skipped, capture.truncated), (0, false));
    capture
}

/// What tshark says of the MQTT packets of a file.
fn mqtt(path: &Path) -> String {
    let fields = [
        "mqtt.msgtype",
        "mqtt.topic",
        "mqtt.msg",
        "mqtt.msgid",
        "mqtt.qos",
    ];
    let mut arguments = vec!["-r", text(path), "-Y", "mqtt", "-T", "fields"];
    for field in fields {
        arguments.extend(["-e", field]);
    }
    run("tshark", &arguments)
}

/// What tshark complains of: warnings and errors (0x600000 and above; a note is that a frame ends a
/// connection), malformed packets, and whatever is odd in TCP, with checksums looked at.
fn complaints(path: &Path) -> String {
    let filter = "_ws.expert.severity >= 0x600000 || _ws.malformed || tcp.analysis.flags";
    let check = ["tcp.check_checksum:TRUE", "ip.check_checksum:TRUE"];
    let arguments = [
        "-r",
        text(path),
        "-o",
        check[0],
        "-o",
        check[1],
        "-Y",
        filter,
    ];
    run("tshark", &arguments)
}

#[test]
fn recordings_are_dissected_as_the_captures_they_are_from() {
    if !tools::present("tshark") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for name in tools::FIXTURES {
        let path = fixture(name);
        let capture = Capture::parse(&std::fs::read(&path).unwrap(), MQTT_PORT).unwrap();
        let connections: Vec<_> = capture.connections.iter().map(Connection::from).collect();
        let exported = directory.path().join("exported.pcapng");
        std::fs::write(&exported, written(&connections)).unwrap();
        assert_eq!(mqtt(&exported), mqtt(&path), "{name}");
        // Connections that end in a RST are remarked on, by right.
        let resets = capture
            .connections
            .iter()
            .filter(|known| matches!(known.closed_by, Some(Close::Reset(_))));
        assert_eq!(
            complaints(&exported).lines().count(),
            resets.count(),
            "{name}"
        );
        let again = read(&std::fs::read(&exported).unwrap());
        let streams = |capture: &Capture| -> Vec<_> {
            let mut streams: Vec<_> = capture.connections.iter().map(followed).collect();
            streams.sort_by_key(|stream| stream.ends);
            streams
        };
        assert_eq!(streams(&again), streams(&capture));
        let times = |capture: &Capture| -> Vec<_> {
            let known = capture.connections.iter();
            // The writer ends a connection behind all that was sent, also what came behind a FIN.
            let ended_at = |of: &capture::Connection| {
                let last = of.segments.last().map(|segment| segment.at_micros);
                of.ended_at.map(|ended| ended.max(last.unwrap_or_default()))
            };
            known
                .map(|of| [of.asked_at, of.opened_at, ended_at(of)])
                .collect()
        };
        assert_eq!(times(&again), times(&capture), "{name}");
        let mut tshark = follow(&exported);
        tshark.sort_by_key(|stream| stream.ends);
        assert_eq!(tshark, streams(&capture), "{name}");
    }
}

fn ends(version: u8, port: u16) -> (SocketAddr, SocketAddr) {
    let [device, server] = match version {
        4 => ["192.0.2.1:1", "192.0.2.2:1883"],
        _ => ["[2001:db8::1]:1", "[2001:db8::2]:1883"],
    }
    .map(|text| text.parse::<SocketAddr>().unwrap());
    (SocketAddr::new(device.ip(), port), server)
}

fn connection(version: u8, port: u16) -> Connection {
    let (device, server) = ends(version, port);
    Connection {
        device,
        server,
        opened_at: 1_700_000_000_000_000,
        opening: Opening::Accepted(1_700_000_000_010_000),
        segments: Vec::new(),
        closed: None,
        notes: Vec::new(),
    }
}

fn segment(after: u64, direction: capture::Direction, bytes: &[u8]) -> Segment {
    Segment {
        at_micros: 1_700_000_000_000_000 + after,
        direction,
        bytes: bytes.to_vec(),
    }
}

/// A PUBLISH of a payload that is long enough for a window and more, over both versions of IP.
#[test]
fn long_packets_are_dissected_whole() {
    if !tools::present("tshark") {
        return;
    }
    let connect = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00";
    // Packet type, remaining length 200,003 in three digits (MQTT 2.2.3), topic "t".
    let mut publish = vec![0x30, 0xC3, 0x9A, 0x0C, 0, 1, b't'];
    publish.resize(200_007, b'x');
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("long.pcapng");
    for version in [4, 6] {
        let mut long = connection(version, 50_000);
        long.segments = vec![
            segment(20_000, Device, connect),
            segment(20_000, Device, &publish),
            segment(30_000, Server, &publish),
            segment(30_000, Device, &[0xE0, 0]),
        ];
        long.closed = Some((1_700_000_000_040_000, Close::Finished(Device)));
        std::fs::write(&path, written(std::slice::from_ref(&long))).unwrap();
        assert_eq!(complaints(&path), "");
        let arguments = [
            "-r",
            text(&path),
            "-Y",
            "mqtt",
            "-T",
            "fields",
            "-e",
            "mqtt.msgtype",
        ];
        assert_eq!(run("tshark", &arguments), "1\n3\n3\n14\n");
        let capture = read(&std::fs::read(&path).unwrap());
        let sent = [connect, &publish[..], &[0xE0, 0]].concat();
        assert!(capture.connections[0].device_bytes() == sent);
        assert!(capture.connections[0].server_bytes() == publish);
        assert_eq!(
            capture.connections[0].closed_by,
            Some(Close::Finished(Device))
        );
        assert!(capture.connections[0].from_start);
    }
}

#[test]
fn connections_that_came_to_nothing_or_broke() {
    let mut refused = connection(4, 1);
    refused.opening = Opening::Refused(1_700_000_000_000_500);
    let mut unanswered = connection(6, 2);
    unanswered.opening = Opening::Unanswered;
    let mut reset = connection(4, 3);
    reset.segments = vec![segment(11_000, Device, &[0xC0, 0])];
    reset.closed = Some((1_700_000_000_020_000, Close::Reset(Server)));
    let file = written(&[refused, unanswered, reset]);
    let capture = read(&file);
    let found: Vec<_> = capture
        .connections
        .iter()
        .map(|known| {
            (
                known.device.port(),
                known.closed_by,
                known.device_bytes(),
                known.gaps.len(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (1, Some(Close::Reset(Server)), vec![], 0),
            (2, None, vec![], 0),
            (3, Some(Close::Reset(Server)), vec![0xC0, 0], 0),
        ]
    );
    if !tools::present("tshark") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("broken.pcapng");
    std::fs::write(&path, &file).unwrap();
    let fields = ["tcp.stream", "tcp.flags.str", "frame.time_epoch"];
    let mut arguments = vec!["-r", text(&path), "-T", "fields"];
    for field in fields {
        arguments.extend(["-e", field]);
    }
    let printed = run("tshark", &arguments);
    assert_eq!(
        printed.replace('\u{b7}', "."),
        "0\t..........S.\t1700000000.000000000\n\
         1\t..........S.\t1700000000.000000000\n\
         2\t..........S.\t1700000000.000000000\n\
         0\t.......A.R..\t1700000000.000500000\n\
         2\t.......A..S.\t1700000000.010000000\n\
         2\t.......A....\t1700000000.010000000\n\
         2\t.......AP...\t1700000000.011000000\n\
         2\t.......A.R..\t1700000000.020000000\n"
    );
}

#[test]
fn notes_are_comments_on_packets() {
    if !tools::present("tshark") {
        return;
    }
    let mut noted = connection(4, 1);
    noted.segments = vec![segment(20_000, Device, &[0xC0, 0])];
    let note = |after: u64, text: &str| (1_700_000_000_000_000 + after, text.to_owned());
    noted.notes = vec![
        note(0, "connect"),
        note(19_999, "tick"),
        note(20_000, "häppi"),
        note(5_020_001, "close"),
    ];
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("noted.pcapng");
    std::fs::write(&path, written(std::slice::from_ref(&noted))).unwrap();
    let arguments = ["-r", text(&path), "-T", "fields", "-E", "aggregator=;"];
    let fields = ["-e", "frame.number", "-e", "frame.comment"];
    assert_eq!(
        run("tshark", &[&arguments[..], &fields].concat()),
        "1\tconnect\n2\t\n3\t\n4\ttick (0.000001 s before this packet);häppi;\
         close (5.000001 s after this packet)\n"
    );
    assert_eq!(complaints(&path), "");

    // A comment has 16 bits for its length.
    noted.notes = vec![note(0, &"ü".repeat(40_000))];
    std::fs::write(&path, written(std::slice::from_ref(&noted))).unwrap();
    let comments = run("tshark", &[&arguments[..], &fields[2..]].concat());
    let expected = format!("{} [20000 bytes more]", "ü".repeat(MAX_COMMENT / 2));
    assert!(comments.starts_with(&expected));
    read(&std::fs::read(&path).unwrap());
}

#[test]
fn what_is_no_connection_is_refused() {
    let mut mixed = connection(4, 1);
    mixed.server = connection(6, 1).server;
    let mut bytes = connection(4, 1);
    bytes.opening = Opening::Unanswered;
    bytes.segments = vec![segment(0, Device, b"x")];
    let mut end = connection(4, 1);
    end.opening = Opening::Refused(0);
    end.closed = Some((0, Close::Finished(Device)));
    for (connection, why) in [
        (mixed, "addresses of two versions of IP"),
        (
            bytes,
            "a connection that was not accepted has bytes or an end",
        ),
        (
            end,
            "a connection that was not accepted has bytes or an end",
        ),
    ] {
        let error = pcapng::write(&[connection], &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), why);
    }
}

fn closes() -> impl Strategy<Value = Option<Close>> {
    proptest::option::of(prop_oneof![
        Just(Close::Finished(Device)),
        Just(Close::Finished(Server)),
        Just(Close::Reset(Device)),
        Just(Close::Reset(Server)),
    ])
}

prop_compose! {
    fn any_connection(version: u8, port: u16)(
        opened_at in 0..1_000_000_u64,
        parts in proptest::collection::vec(
            (any::<bool>(), 1..4000_usize, 0..1_000_000_u64, any::<u8>()),
            0..12,
        ),
        close in closes(),
        notes in proptest::collection::vec((0..20_000_000_u64, ".{0,20}"), 0..4),
    ) -> Connection {
        let (device, server) = ends(version, port);
        let mut at_micros = opened_at;
        let segments = parts.into_iter().map(|(from_device, length, later, byte)| {
            at_micros += later;
            Segment {
                at_micros,
                direction: if from_device { Device } else { Server },
                bytes: vec![byte; length],
            }
        });
        let segments: Vec<_> = segments.collect();
        Connection {
            device,
            server,
            opened_at,
            opening: Opening::Accepted(opened_at),
            segments,
            closed: close.map(|close| (at_micros, close)),
            notes,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Several connections at once, two of them over the same ports one after the other.
    #[test]
    fn what_is_written_is_read_back(
        first in any_connection(4, 1),
        second in any_connection(6, 1),
        third in any_connection(4, 2),
        again in any_connection(4, 1),
    ) {
        let mut again = again;
        let later = 100_000_000;
        again.opened_at += later;
        again.opening = Opening::Accepted(again.opened_at);
        again.segments.iter_mut().for_each(|segment| segment.at_micros += later);
        again.closed = again.closed.map(|(at, close)| (at + later, close));
        let mut connections = vec![first, second, third, again];
        let capture = read(&written(&connections));
        connections.sort_by_key(|connection| connection.opened_at);
        prop_assert_eq!(capture.connections.len(), 4);
        for (known, connection) in capture.connections.iter().zip(&connections) {
            prop_assert_eq!((known.device, known.server), (connection.device, connection.server));
            prop_assert_eq!(known.closed_by, connection.closed.map(|(_, close)| close));
            prop_assert_eq!(known.asked_at, Some(connection.opened_at));
            prop_assert_eq!(known.opened_at, Some(connection.opened_at));
            prop_assert_eq!(known.ended_at, connection.closed.map(|(at, _)| at));
            prop_assert_eq!(&Connection::from(known).opening, &connection.opening);
            prop_assert_eq!(Connection::from(known).closed, connection.closed);
            prop_assert!(known.from_start && known.gaps.is_empty());
            // Long segments come in parts, of the same time.
            let joined = |segments: &[Segment]| {
                let mut joined: Vec<Segment> = Vec::new();
                for segment in segments {
                    let key = (segment.at_micros, segment.direction);
                    match joined.last_mut() {
                        Some(last) if (last.at_micros, last.direction) == key => {
                            last.bytes.extend(&segment.bytes);
                        }
                        _ => joined.push(segment.clone()),
                    }
                }
                joined
            };
            prop_assert_eq!(joined(&known.segments), joined(&connection.segments));
        }
    }
}
