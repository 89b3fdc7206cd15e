//! Packet captures of MQTT over TCP: the bytes that each side sent, and when.
//!
//! Reads the classic pcap format in either byte order with microseconds or nanoseconds, as
//! `tcpdump -w` writes it, with link types Ethernet, Linux cooked (v1 and v2), raw IP and BSD
//! loopback, over IPv4 and IPv6. Streams are put together by sequence number: what is sent twice
//! is taken once, what comes early waits for what is missing.

mod error;
mod frame;
mod stream;

use std::fmt;
use std::net::SocketAddr;

pub use error::CaptureError;

use frame::Frames;
use stream::Tracker;

/// Port of MQTT over TCP without TLS.
pub const MQTT_PORT: u16 = 1883;
/// Largest file that is read, in bytes.
pub const MAX_FILE: usize = 64 << 20;
/// Most connections in one capture.
pub const MAX_CONNECTIONS: usize = 1024;

/// Who sent a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the device to the server.
    Device,
    /// From the server to the device.
    Server,
}

/// How a connection ended within the capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The side's FIN was the first.
    Finished(Direction),
    /// The side sent RST before any FIN.
    Reset(Direction),
}

/// Bytes that one side sent, as they continue its stream.
#[derive(Clone, PartialEq, Eq)]
pub struct Segment {
    /// Microseconds since 1970-01-01 00:00 UTC: when the frame was seen that completed the stream
    /// up to here.
    pub at_micros: u64,
    /// Who sent them.
    pub direction: Direction,
    /// The bytes, never empty.
    pub bytes: Vec<u8>,
}

/// Without the bytes, which may be a login.
impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment")
            .field("at_micros", &self.at_micros)
            .field("direction", &self.direction)
            .field("len", &self.bytes.len())
            .finish()
    }
}

/// One TCP connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The device's address.
    pub device: SocketAddr,
    /// The server's address.
    pub server: SocketAddr,
    /// What was sent, in the order of the capture.
    pub segments: Vec<Segment>,
    /// How it ended; none if it was still open at the end of the capture.
    pub closed_by: Option<Close>,
    /// Whether the capture has its beginning (a SYN of the device). If not, the streams begin with
    /// the first bytes that were seen, maybe in the middle of a packet.
    pub from_start: bool,
    /// The sides whose stream lacks bytes that the capture does not have. `segments` holds what
    /// came before the gap and nothing after it.
    pub gaps: Vec<Direction>,
}

impl Connection {
    /// Everything that the device sent.
    #[must_use]
    pub fn device_bytes(&self) -> Vec<u8> {
        self.bytes_of(Direction::Device)
    }

    /// Everything that the server sent.
    #[must_use]
    pub fn server_bytes(&self) -> Vec<u8> {
        self.bytes_of(Direction::Server)
    }

    fn bytes_of(&self, direction: Direction) -> Vec<u8> {
        let of_side = self
            .segments
            .iter()
            .filter(|segment| segment.direction == direction);
        of_side
            .flat_map(|segment| segment.bytes.iter().copied())
            .collect()
    }
}

/// A capture, imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Connections to the server's port, in the order of their first frame.
    pub connections: Vec<Connection>,
    /// Frames that are not TCP to or from that port, or cannot be read.
    pub skipped: usize,
    /// Whether the file ends in the middle of a frame, which is left out.
    pub truncated: bool,
}

impl Capture {
    /// Reads the bytes of a capture file. `port` is the server's, [`MQTT_PORT`] as a rule, and
    /// tells the device's side; if both ends have it, the receiver of the first frame is the
    /// server.
    ///
    /// # Errors
    /// [`CaptureError`] if the file is not a pcap, of a link type that is not supported, larger
    /// than [`MAX_FILE`], or has more than [`MAX_CONNECTIONS`] connections.
    pub fn parse(bytes: &[u8], port: u16) -> Result<Self, CaptureError> {
        if bytes.len() > MAX_FILE {
            return Err(CaptureError::TooLarge);
        }
        let mut frames = Frames::new(bytes)?;
        let mut tracker = Tracker::new(port);
        let mut skipped = 0;
        for frame in &mut frames {
            if !tracker.frame(&frame)? {
                skipped += 1;
            }
        }
        let truncated = frames.truncated();
        Ok(Capture {
            connections: tracker.finish(),
            skipped,
            truncated,
        })
    }
}

#[cfg(test)]
mod tests;
