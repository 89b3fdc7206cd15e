//! Sessions of this project's engine, recorded, exported as a capture and imported again.
//!
//! A capture shows packets and connections. What the application asked for, and which requests were
//! the engine's own, it does not: in the import every request is the application's. So compared
//! are the bytes of every connection, the times of the links, and what became of each request.

use std::collections::BTreeSet;

use conformance::capture::{Capture, Connection, Direction, MQTT_PORT};
use conformance::export::{connections, pcapng};
use conformance::import::{Fault, Recorded, Tokens, record_capture};
use conformance::recording::{Part, Reader, Replay, Traffic};
use serde_json::Value;
use shadow_core::mqtt::{Packet, ProtocolVersion};
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
    /// Whether the device gave an attempt up: nothing of that is in a capture.
    is_given_up: bool,
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
            Some("disconnected" | "close") => {
                link.ended = since;
                link.is_given_up = kind == Some("close") && link.opened.is_none();
            }
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

/// What a message of a shadow's topics says.
struct Said {
    by_device: bool,
    is_again: bool,
    token: String,
    operation: String,
    /// A reply's code.
    result: Option<i64>,
}

/// The shadow messages of a connection, by its packets alone.
fn said(connection: &Connection) -> Vec<Said> {
    let mut streams = [Vec::new(), Vec::new()];
    let mut said = Vec::new();
    for segment in &connection.segments {
        let by_device = segment.direction == Direction::Device;
        let stream = &mut streams[usize::from(by_device)];
        stream.extend_from_slice(&segment.bytes);
        while let Some(length) = packet_length(stream).filter(|length| *length <= stream.len()) {
            let packet: Vec<u8> = stream.drain(..length).collect();
            let Ok(Packet::Publish(publish)) = Packet::decode(&packet, ProtocolVersion::V311)
            else {
                continue;
            };
            let value: Value = serde_json::from_slice(publish.payload).unwrap_or_default();
            let text = |key: &str| value[key].as_str().map(str::to_owned);
            if let (Some(token), Some(operation)) = (text("clientToken"), text("type")) {
                said.push(Said {
                    by_device,
                    is_again: publish.dup,
                    token,
                    operation,
                    result: value["result"].as_i64(),
                });
            }
        }
    }
    said
}

/// The codes of the replies that answer a request of the same connection. One that was sent again
/// is the session's, and not of the import's application.
fn replies(connection: &Connection) -> Vec<i64> {
    let mut asked = BTreeSet::new();
    let mut codes = Vec::new();
    for said in said(connection) {
        let key = (said.token, said.operation);
        match said.result {
            None if said.by_device && !said.is_again => drop(asked.insert(key)),
            Some(code) if !said.by_device && asked.remove(&key) => codes.push(code),
            _ => {}
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
    // What a stored session sends again is of a run that was not captured.
    let (mut again, mut earlier) = (0, 0);
    for (connection, captured) in report.connections.iter().zip(&capture.connections) {
        assert_eq!(connection.difference, None, "{name}: {report}");
        assert_eq!(connection.identical, connection.packets, "{name}: {report}");
        let profile = connection.profile.as_ref();
        let tokens = profile.map_or(Tokens::None, |profile| profile.tokens);
        assert!(
            matches!(tokens, Tokens::None | Tokens::Nonce),
            "{name}: {report}"
        );
        let said = said(captured);
        let device = || said.iter().filter(|said| said.by_device);
        let sent_again = device().filter(|said| said.is_again).count();
        assert!(connection.by_codec <= sent_again, "{name}: {report}");
        again += sent_again;
        earlier += connection.as_they_are;
        let nonces: BTreeSet<_> = device().map(|said| said.token.split_once('-')).collect();
        let nonces: BTreeSet<_> = nonces.into_iter().map(|token| token.unwrap().0).collect();
        if nonces.len() < 2 {
            assert_eq!(connection.as_they_are, 0, "{name}: {report}");
        }
    }
    let is_expected = |fault: &Fault| *fault == Fault::AsksBeforeSuback && earlier > 0;
    assert!(report.faults.iter().all(is_expected), "{name}: {report}");
    for Recorded { lines, .. } in &recorded {
        let part = Part::of_text("imported", lines);
        let mut replay = Replay::new(Reader::new(vec![part]).unwrap()).unwrap();
        let divergence = replay.run().unwrap();
        assert!(divergence.is_none(), "{name}: {}", divergence.unwrap());
    }
    if recorded.is_empty() {
        // Nobody said who it was.
        assert!(
            report.connections.iter().all(|one| one.packets == 0),
            "{name}"
        );
        return (0, 0);
    }
    let texts = || recorded.iter().map(|recorded| recorded.lines.as_str());
    let (mut found, expected) = (links(texts()), links([original]));
    if let (Some(found), Some(expected)) = (found.last_mut(), expected.last())
        && expected.ended.is_none()
    {
        // The recording ended before the engine could say so.
        found.ended = None;
    }
    for (found, expected) in found.iter_mut().zip(&expected) {
        if expected.is_given_up {
            // It shows with the next one.
            assert!(
                found.ended.is_none_or(|at| Some(at) >= expected.ended),
                "{name}"
            );
            *found = *expected;
        }
    }
    assert_eq!(found, expected, "{name}");
    let imported: Vec<_> = texts().flat_map(answers).collect();
    let expected: Vec<_> = capture.connections.iter().flat_map(replies).collect();
    let codes: Vec<i64> = imported.iter().map(|(code, _)| *code).collect();
    if earlier == 0 {
        assert_eq!(codes, expected, "{name}");
    }
    assert!(codes.len() + earlier >= expected.len(), "{name}");
    if again + earlier > 0 {
        return (capture.connections.len(), codes.len());
    }
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
    assert!(links > 100 && answered > 200, "{links} {answered}");
}
