//! TLS connections, decrypted with the keys that one of their ends has logged.
//!
//! ```text
//! SSLKEYLOGFILE=keys.txt device &           # or keys in the file itself: editcap --inject-secrets
//! tcpdump -w session.pcap port 8883
//! ```
//!
//! ```
//! use conformance::capture::{Capture, MQTT_TLS_PORT, tls};
//!
//! fn read(file: &[u8], keys: &[u8]) -> Result<Capture, Box<dyn std::error::Error>> {
//!     let mut capture = Capture::parse(file, MQTT_TLS_PORT)?;
//!     let mut key_log = tls::KeyLog::parse(keys);
//!     key_log.merge(&capture.key_log);
//!     for connection in &mut capture.connections {
//!         if tls::is_tls(connection) {
//!             *connection = tls::decrypt(connection, &key_log)?;
//!         }
//!     }
//!     Ok(capture)
//! }
//! ```
//!
//! TLS 1.3 (RFC 8446) and TLS 1.2 (RFC 5246) with AES-GCM (RFC 5288, RFC 5289) and
//! ChaCha20-Poly1305 (RFC 7905). Each record is authenticated. 0-RTT data and renegotiation are
//! refused: no MQTT client is known to use them.

mod error;
mod hello;
mod key_log;
mod keys;
mod record;
mod side;

pub use error::TlsError;
pub use key_log::{KeyLog, MAX_SECRETS};

use super::{Connection, Direction, Segment};
use hello::Hellos;
use side::Side;

/// Whether the device's first bytes are those of a TLS handshake: a record of type 22 and major
/// version 3 (RFC 8446 section 5.1). A first byte of 22 is no packet of MQTT: 1 is reserved for
/// CONNECT, which alone may come first [MQTT-3.1.0-1].
#[must_use]
pub fn is_tls(connection: &Connection) -> bool {
    let mut first = connection
        .segments
        .iter()
        .filter(|segment| segment.direction == Direction::Device)
        .flat_map(|segment| &segment.bytes);
    (first.next(), first.next()) == (Some(&record::HANDSHAKE), Some(&3))
}

/// The connection with what its ends sent by TLS: segments hold the application's bytes, at the
/// time of the frame that completed their record. When it was asked for, opened and ended is as TCP
/// shows it. What the handshake, alerts and empty records
/// hold is left out, and so is a record that the capture has only a part of.
///
/// # Errors
/// [`TlsError`] if the capture lacks the handshake, the key log lacks its keys, something in it is
/// not supported, or a record is malformed or not authentic.
pub fn decrypt(connection: &Connection, key_log: &KeyLog) -> Result<Connection, TlsError> {
    let hellos = Hellos::find(&connection.device_bytes(), &connection.server_bytes())?;
    let keys = hellos.keys(key_log)?;
    let mut device = Side::new(Direction::Device, &keys);
    let mut server = Side::new(Direction::Server, &keys);
    let mut segments = Vec::new();
    for segment in &connection.segments {
        let side = match segment.direction {
            Direction::Device => &mut device,
            Direction::Server => &mut server,
        };
        let bytes = side.take(&segment.bytes)?;
        if !bytes.is_empty() {
            segments.push(Segment { bytes, ..*segment });
        }
    }
    Ok(Connection {
        segments,
        gaps: connection.gaps.clone(),
        is_decrypted: true,
        undecrypted: None,
        ..*connection
    })
}
