//! Sessions of this project's engine, recorded, exported as a capture and imported again.
//!
//! A capture shows packets and connections. What the application asked for, and which requests were
//! the engine's own, it does not: in the import every request is the application's. So compared
//! are the bytes of every connection, the times of the links, and what became of each request.

use std::collections::BTreeSet;

use conformance::capture::{Capture, Connection, Direction, MQTT_PORT};
use conformance::export::{connections, pcapng};
use conformance::import::{Recorded, Tokens, record_capture};
use conformance::recording::{Part, Reader, Replay, Traffic};
use serde_json::Value;
use shadow_core::mqtt::{Packet, ProtocolVersion};
use shadow_core::tencent::ShadowName;
use transport_mock::simulation::record;
use transport_mock::simulation::script::Script;

/// The traffic of a recording as a capture, written and read.
fn captured(recording: &str) -> Capture {
    let part = Part::of_text("original", recording);
    let traffic = Traffic::read(Reader::new(vec![part]).unwrap()).unwrap();
    let written = connections(&traffic);
    let mut file = Vec::new();
    pcapng::write(&written, &mut file).unwrap();
    let capture = Capture::parse(&file, MQTT_PORT).unwrap();
    assert_eq!((capture.skipped, capture.truncated), (0, false));
    assert_eq!(capture.connections.len(), written.len());
    for (read, written) in capture.connections.iter().zip(&written) {
        for side in [Direction::Device, Direction::Server] {
            let sent = |segments: &[conformance::capture::Segment]| -> Vec<u8> {
                let of_side = segments.iter().filter(|segment| segment.direction == side);
                of_side.flat_map(|segment| segment.bytes.clone()).collect()
            };
            assert!(sent(&read.segments) == sent(&written.segments));
        }
        assert!(read.gaps.is_empty() && read.from_start);
    }
    capture
}

fn lines(recording: &str) -> impl Iterator<Item = Value> {
    recording
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
}

/// A link: when it opened and ended after it was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Link {
    opened: Option<u64>,
    ended: Option<u64>,
    /// Whether the device sent something.
    is_used: bool,
}

/// The links of recordings. One that was open and not used is none of which a capture tells whose it
/// was: it counts as an attempt, and one that stays so not at all.
fn links<'a>(recordings: impl IntoIterator<Item = &'a str>) -> Vec<Link> {
    let mut links: Vec<(u64, Link)> = Vec::new();
    for line in recordings.into_iter().flat_map(lines) {
        let at = line["at"].as_u64();
        let kind = line["in"].as_str().or(line["out"].as_str());
        if kind == Some("connect") {
            links.push((at.unwrap(), Link::default()));
        }
        let Some((asked, link)) = links.last_mut().filter(|(_, link)| link.ended.is_none()) else {
            continue;
        };
        let since = at.map(|at| at - *asked);
        match kind {
            Some("connected") => link.opened = since,
            Some("packet") => link.is_used = true,
            Some("disconnected" | "close") => link.ended = since,
            _ => {}
        }
    }
    let links = links.into_iter().map(|(_, link)| link);
    links
        .filter(|link| link.is_used || link.opened.is_none() || link.ended.is_some())
        .map(|link| Link {
            opened: link.opened.filter(|_| link.is_used),
            ..link
        })
        .collect()
}

/// The ends of requests that were answered: the code, and the document as it stands.
fn answers(recording: &str) -> Vec<(i64, String)> {
    let ended = lines(recording).filter(|line| line["event"] == "Ended");
    ended
        .filter_map(|line| {
            let code = match line["outcome"].as_str()? {
                "Accepted" => 0,
                "Rejected" => line["code"].as_i64().unwrap(),
                _ => return None,
            };
            Some((code, line["document"].to_string()))
        })
        .collect()
}

/// The codes of the replies that answer a request of the same connection, by its packets alone.
fn replies(connection: &Connection) -> Vec<i64> {
    let mut streams = [Vec::new(), Vec::new()];
    let mut asked = BTreeSet::new();
    let mut codes = Vec::new();
    for segment in &connection.segments {
        let is_device = segment.direction == Direction::Device;
        let stream = &mut streams[usize::from(is_device)];
        stream.extend_from_slice(&segment.bytes);
        while let Some(length) = packet_length(stream).filter(|length| *length <= stream.len()) {
            let packet: Vec<u8> = stream.drain(..length).collect();
            let Ok(Packet::Publish(publish)) = Packet::decode(&packet, ProtocolVersion::V311)
            else {
                continue;
            };
            let Ok(value) = serde_json::from_slice::<Value>(publish.payload) else {
                continue;
            };
            let key = (
                value["clientToken"].as_str().map(str::to_owned),
                value["type"].as_str().map(str::to_owned),
            );
            if is_device && ShadowName::from_operation_topic(publish.topic).is_some() {
                asked.insert(key);
            } else if !is_device && asked.remove(&key) {
                codes.push(value["result"].as_i64().unwrap());
            }
        }
    }
    codes
}

fn packet_length(stream: &[u8]) -> Option<usize> {
    let mut length = 0;
    for (index, byte) in stream.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(2 + index + length);
        }
    }
    None
}

/// What is imported of a recording's capture is the recorded session. Returns how many connections
/// it had and how many answered requests.
fn check(name: &str, original: &str) -> (usize, usize) {
    let capture = captured(original);
    let (report, recorded) = record_capture(&capture, None);
    assert!(report.is_identical(), "{name}: {report}");
    let diagnosis =
        conformance::diagnose::diagnose(&conformance::diagnose::Session::from(&capture));
    if !report.faults.is_empty() {
        std::fs::write("/tmp/rt-original.jsonl", original).unwrap();
    }
    assert_eq!(report.faults, [], "{name}: {report}\n{diagnosis}");
    for connection in &report.connections {
        let profile = connection.profile.as_ref();
        let tokens = profile.map_or(Tokens::None, |profile| profile.tokens);
        assert!(
            matches!(tokens, Tokens::None | Tokens::Nonce),
            "{name}: {report}"
        );
        assert_eq!(
            (connection.as_they_are, connection.by_codec),
            (0, 0),
            "{name}: {report}"
        );
    }
    for Recorded { lines, .. } in &recorded {
        let part = Part::of_text("imported", lines);
        let mut replay = Replay::new(Reader::new(vec![part]).unwrap()).unwrap();
        let divergence = replay.run().unwrap();
        assert!(divergence.is_none(), "{name}: {}", divergence.unwrap());
    }
    let texts = || recorded.iter().map(|recorded| recorded.lines.as_str());
    assert_eq!(links(texts()), links([original]), "{name}");
    let imported: Vec<_> = texts().flat_map(answers).collect();
    let expected: Vec<_> = capture.connections.iter().flat_map(replies).collect();
    let codes: Vec<i64> = imported.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, expected, "{name}");
    // The application's own, in their order, among all.
    let mut rest = imported.iter();
    for answer in answers(original) {
        assert!(
            rest.any(|imported| *imported == answer),
            "{name}: {answer:?} is missing"
        );
    }
    (capture.connections.len(), codes.len())
}

#[test]
fn simulated_sessions_come_back_from_their_captures() {
    let (mut links, mut answered) = (0, 0);
    for seed in 0..24 {
        for recording in record(&Script::random(seed, 60)) {
            let device = recording.device.device_name();
            let name = format!("seed {seed}, {device}, boot {}", recording.boot);
            let (connections, answers) = check(&name, &recording.text);
            links += connections;
            answered += answers;
        }
    }
    println!("{links} {answered}");
    assert!(links > 100 && answered > 300, "{links} {answered}");
}
