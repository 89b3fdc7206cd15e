//! Captures and key logs: what is read does not depend on how it arrives, is no more than there
//! was, and is read back as it was written.

use std::io::{self, Read};

use conformance::capture::tls::{self, KeyLog};
use conformance::capture::{Capture, Connection, Direction, MQTT_PORT, MQTT_TLS_PORT};
use conformance::export::pcapng;

const PORTS: [u16; 2] = [MQTT_PORT, MQTT_TLS_PORT];

/// Takes the bytes for a capture file, whose TLS connections it decrypts with the keys that are in
/// it, and for a key log.
///
/// # Panics
/// If another cutting of the bytes gives another capture, connections have more bytes than the file
/// or more than one gap a side, or one that is exported is not read back the same.
pub fn captures(data: &[u8]) {
    check_key_log(data);
    let whole = Capture::read(data, &PORTS);
    let dripped = Capture::read(Drip { data, next: 1 }, &PORTS);
    assert_eq!(whole, dripped);
    let capture = match whole {
        Ok(capture) => capture,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let mut total = 0;
    for connection in &capture.connections {
        total += length(connection);
        check(connection);
        if tls::is_tls(connection) {
            match tls::decrypt(connection, &capture.key_log) {
                Ok(decrypted) => {
                    assert!(length(&decrypted) < length(connection));
                    check(&decrypted);
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
    assert!(total <= data.len(), "{total} bytes of {}", data.len());
}

fn length(connection: &Connection) -> usize {
    let lengths = connection
        .segments
        .iter()
        .map(|segment| segment.bytes.len());
    lengths.sum()
}

fn check(connection: &Connection) {
    assert!(
        connection
            .segments
            .iter()
            .all(|segment| !segment.bytes.is_empty())
    );
    use Direction::{Device, Server};
    let gaps = connection.gaps.as_slice();
    assert!(matches!(gaps, [] | [Device] | [Server] | [Device, Server]));
    if connection.device == connection.server {
        // Of an end that speaks with itself, nothing tells who sent what.
        return;
    }
    let mut file = Vec::new();
    let exported = pcapng::Connection::from(connection);
    let written = pcapng::write(&[exported], &mut file);
    written.expect("both ends have the same version of IP, and memory takes it");
    let read = Capture::read(file.as_slice(), &PORTS).expect("it was written by ourselves");
    let [again] = read.connections.as_slice() else {
        panic!("{} connections of one", read.connections.len());
    };
    assert_eq!(
        (again.device, again.server),
        (connection.device, connection.server)
    );
    assert!(again.device_bytes() == connection.device_bytes());
    assert!(again.server_bytes() == connection.server_bytes());
    assert_eq!(again.closed_by, connection.closed_by);
    assert!(again.from_start && again.gaps.is_empty());
}

/// Line ends make no difference, and nothing of a key log is in its Debug output but numbers.
fn check_key_log(data: &[u8]) {
    let key_log = KeyLog::parse(data);
    let lines = data.split(|byte| *byte == b'\n').count();
    assert!(key_log.unreadable() + key_log.left_out() <= lines);
    if !data.contains(&b'\r') {
        let lines: Vec<_> = data.split(|byte| *byte == b'\n').collect();
        assert!(KeyLog::parse(&lines.join(&b"\r\n"[..])) == key_log);
    }
    assert!(format!("{key_log:?}").len() < 120);
}

/// Gives one byte, then two, and so on up to seven, and then again.
struct Drip<'a> {
    data: &'a [u8],
    next: usize,
}

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.next.min(buffer.len());
        self.next = self.next % 7 + 1;
        let count = count.min(self.data.len());
        self.data.read(buffer.get_mut(..count).unwrap_or_default())
    }
}
