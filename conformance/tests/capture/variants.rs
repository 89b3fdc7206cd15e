//! Recordings that editcap, mergecap and text2pcap have changed, read as tshark reads them.

use std::path::Path;

use conformance::capture::Direction::{Device, Server};
use conformance::capture::{Capture, Connection, MQTT_PORT};

use crate::tools::{self, fixture, follow, followed, run, text};

fn read(path: &Path) -> Capture {
    Capture::parse(&std::fs::read(path).unwrap(), MQTT_PORT).unwrap()
}

fn missing() -> bool {
    let programs = ["tshark", "editcap", "mergecap", "text2pcap", "reordercap"];
    !programs.iter().all(|program| tools::present(program))
}

#[test]
fn merged_recordings_have_each_connection_of_each() {
    if missing() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let merged = directory.path().join("merged.pcapng");
    let inputs = tools::FIXTURES.map(fixture);
    // In the order of time, and one file after the other; with an interface for each.
    for order in [None, Some("-a")] {
        let mut arguments = vec!["-I", "none", "-w", text(&merged)];
        arguments.extend(order);
        arguments.extend(inputs.iter().map(|path| text(path)));
        run("mergecap", &arguments);
        let mut expected: Vec<Connection> = Vec::new();
        for input in &inputs {
            expected.extend(read(input).connections);
        }
        let capture = read(&merged);
        let connections = capture.connections.iter().map(followed);
        assert!(connections.eq(follow(&merged)));
        let mut found = capture.connections;
        assert_eq!(found.len(), expected.len());
        for connections in [&mut expected, &mut found] {
            connections
                .sort_by_key(|known| (known.segments.first().map(|s| s.at_micros), known.device));
        }
        assert_eq!(found, expected);
    }
}

/// What `tcpdump -i any` sees of packets that are forwarded or looped back.
#[test]
fn packets_captured_twice_count_once() {
    if missing() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let twice = directory.path().join("twice.pcapng");
    let later = directory.path().join("later.pcap");
    for name in tools::FIXTURES {
        let path = fixture(name);
        run(
            "editcap",
            &["-F", "pcap", "-t", "0.000040", text(&path), text(&later)],
        );
        let arguments = ["-I", "none", "-w", text(&twice), text(&path), text(&later)];
        run("mergecap", &arguments);
        let capture = read(&twice);
        let expected = read(&path);
        assert_eq!(capture.connections, expected.connections, "{name}");
    }
}

/// Each frame is cut to so many bytes: each stream is a beginning of the whole one, and its side
/// has a gap if it is not the whole.
#[test]
fn cut_recordings_have_gaps() {
    if missing() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let cut = directory.path().join("cut.pcapng");
    for name in tools::FIXTURES {
        for length in [68, 100, 150, 200, 300] {
            let path = fixture(name);
            run(
                "editcap",
                &["-s", &length.to_string(), text(&path), text(&cut)],
            );
            let (whole, cut) = (read(&path), read(&cut));
            assert_eq!(cut.connections.len(), whole.connections.len());
            for (known, whole) in cut.connections.iter().zip(&whole.connections) {
                assert_eq!((known.device, known.server), (whole.device, whole.server));
                for (side, bytes, whole) in [
                    (Device, known.device_bytes(), whole.device_bytes()),
                    (Server, known.server_bytes(), whole.server_bytes()),
                ] {
                    assert!(whole.starts_with(&bytes));
                    let is_gap = known.gaps.contains(&side);
                    assert_eq!(
                        is_gap,
                        bytes.len() < whole.len(),
                        "{name} {length} {known:?}"
                    );
                }
            }
        }
    }
}

/// Some frames in another order than that of their times, as captures of several queues have them.
/// tshark takes what is acknowledged before it comes for missing, unless reordercap has sorted it.
#[test]
fn reordered_recordings_read_the_same() {
    if missing() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = fixture("python-sdk-delta.pcap");
    let expected = read(&path);
    let parts: Vec<_> = ["1-20", "31-40", "21-30", "41-999"]
        .iter()
        .enumerate()
        .map(|(index, frames)| {
            let part = directory.path().join(format!("{index}.pcap"));
            run(
                "editcap",
                &["-F", "pcap", "-r", text(&path), text(&part), frames],
            );
            part
        })
        .collect();
    let reordered = directory.path().join("reordered.pcapng");
    let mut arguments = vec!["-a", "-w", text(&reordered)];
    arguments.extend(parts.iter().map(|part| text(part)));
    run("mergecap", &arguments);
    let capture = read(&reordered);
    let sorted = directory.path().join("sorted.pcapng");
    run("reordercap", &[text(&reordered), text(&sorted)]);
    let streams = |capture: &Capture| capture.connections.iter().map(followed).collect::<Vec<_>>();
    assert_eq!(streams(&capture), follow(&sorted));
    assert_eq!(streams(&capture), streams(&expected));
    assert!(capture.connections[0].gaps.is_empty());
}

/// text2pcap makes frames of bytes: both directions of one made-up connection without a handshake.
#[test]
fn dumped_bytes_come_back() {
    if missing() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (dump, file) = (
        directory.path().join("dump.txt"),
        directory.path().join("dump.pcapng"),
    );
    std::fs::write(
        &dump,
        "O\n0000 10 0c 00 04 4d 51 54 54\nI\n0000 20 02 00 00\nO\n0000 c0 00\n",
    )
    .unwrap();
    for version in [["-4", "10.0.0.1,10.0.0.2"], ["-6", "fe80::1,fe80::2"]] {
        let [option, addresses] = version;
        let ports = "1883,50000";
        let arguments = [
            "-q",
            "-D",
            "-T",
            ports,
            option,
            addresses,
            text(&dump),
            text(&file),
        ];
        run("text2pcap", &arguments);
        let capture = read(&file);
        let connections = capture.connections.iter().map(followed);
        let mut followed = follow(&file);
        for stream in &mut followed {
            if stream.ends[0].port() == 1883 {
                stream.ends.reverse();
                stream.sent.reverse();
            }
        }
        assert!(connections.eq(followed));
        assert_eq!(capture.connections[0].device_bytes().len(), 10);
        assert!(!capture.connections[0].from_start);
    }
}
