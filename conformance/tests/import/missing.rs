//! Captures that lack something: what was not looked at is told of.

use conformance::capture::{Capture, Direction, MQTT_PORT};
use conformance::diagnose::Side;
use conformance::import::{CaptureReport, Missing, import_capture};

const FILE_HEADER: usize = 24;
const FRAME_HEADER: usize = 16;
/// Of Ethernet and IPv4 without options.
const BEFORE_TCP: usize = 14 + 20;

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/recorded/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

fn number(bytes: &[u8]) -> usize {
    u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize
}

/// The records of a pcap file of this machine's byte order.
fn records(file: &[u8]) -> Vec<&[u8]> {
    let mut rest = &file[FILE_HEADER..];
    let mut records = Vec::new();
    while !rest.is_empty() {
        let (record, after) = rest.split_at(FRAME_HEADER + number(&rest[8..]));
        records.push(record);
        rest = after;
    }
    records
}

fn file<'a>(whole: &[u8], records: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut file = whole[..FILE_HEADER].to_vec();
    records
        .into_iter()
        .for_each(|record| file.extend_from_slice(record));
    file
}

/// The file with at most so many bytes of each frame.
fn cut(whole: &[u8], length: usize) -> Vec<u8> {
    let mut file = whole[..FILE_HEADER].to_vec();
    for record in records(whole) {
        let kept = number(&record[8..]).min(length);
        file.extend_from_slice(&record[..8]);
        file.extend_from_slice(&u32::try_from(kept).unwrap().to_le_bytes());
        file.extend_from_slice(&record[12..FRAME_HEADER + kept]);
    }
    file
}

/// Who sent a record, and how many bytes of the stream are in it.
fn payload(record: &[u8]) -> (Direction, usize) {
    let frame = &record[FRAME_HEADER..];
    let ip_length = usize::from(u16::from_be_bytes([frame[16], frame[17]]));
    let tcp_header = usize::from(frame[BEFORE_TCP + 12] >> 4) * 4;
    let to = u16::from_be_bytes([frame[BEFORE_TCP + 2], frame[BEFORE_TCP + 3]]);
    let direction = match to {
        MQTT_PORT => Direction::Device,
        _ => Direction::Server,
    };
    (direction, ip_length - 20 - tcp_header)
}

fn is_fin(record: &[u8]) -> bool {
    record[FRAME_HEADER + BEFORE_TCP + 13] & 0x01 != 0
}

fn import(file: &[u8]) -> CaptureReport {
    import_capture(&Capture::parse(file, MQTT_PORT).unwrap(), None)
}

/// Each frame is left out once. Lengths are those that tshark has of the whole.
#[test]
fn a_frame_that_is_not_there_is_told_of() {
    let whole = fixture("python-sdk-delta.pcap");
    let records = records(&whole);
    let (mut device, mut server) = (0, 0);
    for (index, record) in records.iter().enumerate() {
        let others = records.iter().enumerate().filter(|(at, _)| *at != index);
        let report = import(&file(&whole, others.map(|(_, record)| *record)));
        let (direction, length) = payload(record);
        if is_fin(record) {
            // Nothing tells the number that it takes from that of a byte.
            assert!(report.unexplained() <= 1, "frame {}: {report}", index + 1);
            continue;
        }
        if length == 0 {
            assert_eq!(report.unexplained(), 0, "frame {}: {report}", index + 1);
            assert!(report.is_identical(), "frame {}: {report}", index + 1);
            continue;
        }
        let (before, total) = match direction {
            Direction::Device => (&mut device, 3158),
            Direction::Server => (&mut server, 8837),
        };
        let missing = Missing::Gap {
            by: Side::from(direction),
            offset: *before,
            behind: total - *before - length,
        };
        *before += length;
        assert_eq!(report.connections[0].missing, [missing], "{}", index + 1);
        assert_eq!(report.unexplained(), 1, "frame {}", index + 1);
        assert!(!report.is_identical());
    }
    assert_eq!((device, server), (3158, 8837));
}

/// As `editcap` does it with one frame of the device.
#[test]
fn a_gap_stands_in_the_report() {
    let whole = fixture("python-sdk-delta.pcap");
    let records = records(&whole);
    let twentieth = payload(records[19]);
    assert_eq!(twentieth.0, Direction::Device);
    let others = records[..19].iter().chain(&records[20..]).copied();
    let report = import(&file(&whole, others));
    let behind = 3158 - 509 - twentieth.1;
    let text = report.to_string();
    let gap = format!(
        "the capture lacks bytes of the device from offset 509 on; {behind} bytes behind them were \
         not looked at"
    );
    assert!(text.contains(&gap), "{text}");
    assert!(
        text.contains("5 packets, 509 bytes of the device: identical, as far as they are there"),
        "{text}"
    );
    let json = serde_json::to_value(&report).unwrap();
    let missing = &json["connections"][0]["missing"][0];
    assert_eq!(
        *missing,
        serde_json::json!({"missing": "gap", "by": "device", "offset": 509, "behind": behind})
    );
}

#[test]
fn short_frames_are_told_of() {
    let whole = fixture("python-sdk-reconnect.pcap");
    let connections = import(&whole).connections.len();
    // Within the options of TCP's header: whose the frames are is known.
    for length in [60, 54] {
        let report = import(&cut(&whole, length));
        assert_eq!(report.connections.len(), connections, "{report}");
        let known = import(&whole).connections;
        for (cut, whole) in report.connections.iter().zip(known) {
            let has_gap = cut.missing.iter().any(|missing| {
                matches!(
                    missing,
                    Missing::Gap {
                        by: Side::Device,
                        offset: 0,
                        ..
                    }
                )
            });
            assert_eq!(has_gap, whole.bytes > 0, "{report}");
        }
        assert!(report.unexplained() >= 2, "{report}");
        assert_eq!((report.skipped, report.headless), (0, 0));
    }
    // Within its fixed part: it is not.
    let report = import(&cut(&whole, 53));
    assert_eq!(report.connections, []);
    assert_eq!(report.headless, records(&whole).len());
    assert_eq!(report.unexplained(), 1);
    assert!(
        report
            .to_string()
            .contains("frames without their TCP header: ")
    );
}

#[test]
fn a_file_that_is_cut_off_is_told_of() {
    let whole = fixture("python-sdk-delta.pcap");
    let report = import(&whole[..3000]);
    assert!(report.truncated && report.unexplained() > 0, "{report}");
    let text = report.to_string();
    assert!(
        text.contains("the file ends in the middle of a frame"),
        "{text}"
    );
    assert!(!import(&whole).truncated);
}

#[test]
fn a_capture_that_begins_late_is_told_of() {
    let whole = fixture("python-sdk-delta.pcap");
    let records = records(&whole);
    let connect = records
        .iter()
        .position(|record| payload(record).1 > 0)
        .unwrap();
    // Nothing that was said is missing.
    let report = import(&file(&whole, records[connect..].iter().copied()));
    let beginning = |is_harmless| Missing::Beginning { is_harmless };
    assert_eq!(report.connections[0].missing, [beginning(true)]);
    assert!(report.is_identical(), "{report}");
    assert!(report.to_string().contains("does not have the handshake"));
    // The login is.
    let report = import(&file(&whole, records[connect + 1..].iter().copied()));
    let missing = &report.connections[0].missing;
    assert!(missing.contains(&beginning(false)), "{report}");
    assert_eq!(report.unexplained(), 1);
    let text = report.to_string();
    assert!(
        text.contains("begins in the middle of the connection"),
        "{text}"
    );
    assert!(!text.contains("password"), "{text}");
    assert!(
        text.contains("bytes of the device were not compared"),
        "{text}"
    );
}

#[test]
fn other_frames_are_mentioned() {
    let whole = fixture("python-sdk-delta.pcap");
    let mut other = records(&whole)[0].to_vec();
    // ARP.
    other[FRAME_HEADER + 12..FRAME_HEADER + 14].copy_from_slice(&[0x08, 0x06]);
    let report = import(&[&whole[..], &other].concat());
    assert!(report.is_identical(), "{report}");
    let text = report.to_string();
    assert!(
        text.contains("frames that are no TCP of the server's port: 1\n"),
        "{text}"
    );
}
