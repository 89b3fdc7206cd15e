//! Sessions of clients: they are diagnosed, and imported, and what the import drives replays.

use conformance::capture::tls::KeyLog;
use conformance::capture::{Capture, Close, Connection, Direction, Segment};
use conformance::diagnose::{Session, diagnose};
use conformance::import::record_capture;
use conformance::recording::{Part, Reader, Replay};

use crate::input::Input;

/// Most connections of one session.
const MAXIMUM_CONNECTIONS: usize = 8;

/// Takes the bytes for connections, piece by piece: a byte that says whose piece comes, how long it
/// is and whether a connection ends; one for the time that went by; and the piece.
///
/// # Panics
/// If a finding is at a place that there is not, counts do not add up, more comes out of the engine
/// than went in, or a recording of it does not replay.
pub fn sessions(data: &[u8]) {
    let capture = capture(data);
    let session = Session::from(&capture);
    let report = diagnose(&session);
    let counts = report.counts;
    let found = counts.broke + counts.lost + counts.risky + counts.notes;
    assert_eq!(found, report.findings.len());
    for finding in &report.findings {
        assert!(!finding.evidence.is_empty() && !finding.advice.is_empty());
        if let Some(connection) = finding.connection {
            let packets = session.connections.get(connection).map(|c| c.packets.len());
            let place = finding.packet.unwrap_or_default();
            assert!(
                packets.is_some_and(|packets| place <= packets),
                "{finding:?}"
            );
        }
    }
    assert!(report.to_string().contains("verdict: "));
    let (report, recorded) = record_capture(&capture, None);
    for connection in &report.connections {
        assert!(connection.identical <= connection.alike);
        assert!(connection.alike <= connection.packets);
    }
    assert!(report.to_string().len() < 64 * 1024 + 64 * data.len());
    for recorded in recorded {
        let part = Part::of_text("imported", &recorded.lines);
        let replay = Reader::new(vec![part]).and_then(Replay::new);
        match replay.and_then(|mut replay| replay.run()) {
            Ok(None) => {}
            Ok(Some(divergence)) => panic!("{divergence}"),
            Err(error) => panic!("{error}"),
        }
    }
}

fn connection() -> Connection {
    Connection {
        device: ([192, 0, 2, 7], 40_000).into(),
        server: ([192, 0, 2, 1], 1883).into(),
        asked_at: None,
        opened_at: None,
        segments: Vec::new(),
        closed_by: None,
        ended_at: None,
        from_start: true,
        gaps: Vec::new(),
        is_decrypted: false,
        undelivered: [0; 2],
        undecrypted: None,
    }
}

fn capture(data: &[u8]) -> Capture {
    let mut connections = vec![connection()];
    let mut at_micros = 1_780_000_000_000_000;
    let mut input = Input::new(data);
    while !input.is_empty() {
        let control = input.byte();
        at_micros += u64::from(input.byte()) * 100_000;
        let direction = match control & 0x80 {
            0 => Direction::Device,
            _ => Direction::Server,
        };
        if control & 0x7F == 0x7F {
            if connections.len() == MAXIMUM_CONNECTIONS {
                break;
            }
            if let Some(last) = connections.last_mut() {
                last.closed_by = Some(Close::Finished(direction));
            }
            connections.push(connection());
            continue;
        }
        let bytes = input.bytes(usize::from(control & 0x7F) + 1).to_vec();
        if let (Some(last), false) = (connections.last_mut(), bytes.is_empty()) {
            last.segments.push(Segment {
                at_micros,
                direction,
                bytes,
            });
        }
    }
    Capture {
        connections,
        skipped: 0,
        headless: 0,
        truncated: false,
        key_log: KeyLog::default(),
    }
}
