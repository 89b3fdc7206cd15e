//! Packet captures of MQTT over TCP: the bytes that each side sent, and when.
//!
//! Reads the classic pcap format in either byte order with microseconds or nanoseconds, as
//! `tcpdump -w` writes it, and pcapng, as Wireshark does: any number of sections and interfaces.
//! Link types are Ethernet with or without VLAN tags, Linux cooked (v1 and v2), raw IP and BSD
//! loopback, over IPv4 and IPv6; fragments of IP packets are put together. Streams are put together
//! by sequence number: what is sent twice is taken once, what comes early waits for what is
//! missing, and what is missing for good ends the stream with a gap. Between the two streams, what
//! acknowledges bytes comes behind them.
//!
//! A file is read once from its beginning to its end. Memory is taken for the bytes that the
//! connections have sent, up to [`MAX_KEPT`], whatever the size of the file.
//!
//! [`tls`] decrypts connections with the keys that one of their ends has logged.

mod error;
mod file;
mod fragments;
mod packet;
mod pcap;
mod pcapng;
mod source;
mod stream;
pub mod tls;
mod tracker;

use std::fmt;
use std::io::Read;
use std::net::SocketAddr;

pub use error::{BlockFault, CaptureError};

use file::File;
use fragments::{Fragments, Payload};
use packet::Content;
use tls::{KeyLog, TlsError};
use tracker::Tracker;

/// Port of MQTT over TCP without TLS.
pub const MQTT_PORT: u16 = 1883;
/// Port of MQTT over TLS.
pub const MQTT_TLS_PORT: u16 = 8883;
/// Most memory that the connections of one capture take: the bytes that they sent, and 96 more for
/// each segment.
pub const MAX_KEPT: usize = 256 << 20;
/// Most connections in one capture.
pub const MAX_CONNECTIONS: usize = 1024;
/// Most bytes of one frame in a pcap file, as in libpcap and Wireshark.
pub const MAX_FRAME: u32 = 256 << 10;
/// Most bytes of one block in a pcapng file, as in Wireshark.
pub const MAX_BLOCK: u32 = 16 << 20;
/// Most interfaces in one section of a pcapng file.
pub const MAX_INTERFACES: usize = 4096;

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

/// One TCP connection, or an attempt at one: of what was refused or not answered there is a time at
/// which it was asked for, and none at which it opened.
///
/// Times are microseconds since 1970-01-01 00:00 UTC, those of the frames that show it. They follow
/// one another unless the capture's clock was set back, or its frames are in another order than they
/// were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The device's address.
    pub device: SocketAddr,
    /// The server's address.
    pub server: SocketAddr,
    /// When the device asked for it: its first SYN, not those that repeat it. None if the capture
    /// has no SYN of the device.
    pub asked_at: Option<u64>,
    /// When the handshake was complete: the first segment after both SYNs, which is the device's
    /// acknowledgement as a rule. None if it never was, or was so before the capture began.
    pub opened_at: Option<u64>,
    /// What was sent, in the order of the capture; but what acknowledges bytes of the other side
    /// comes behind them, also where the capture has them later.
    pub segments: Vec<Segment>,
    /// How it ended; none if it was still open at the end of the capture, and if nothing answered
    /// the device's SYN.
    pub closed_by: Option<Close>,
    /// When it ended: the FIN or RST that `closed_by` tells of, and like it the first. Bytes of the
    /// other side may follow a FIN. None exactly if `closed_by` is.
    pub ended_at: Option<u64>,
    /// Whether the capture has its beginning (a SYN of either side). If not, the streams begin with
    /// the first bytes that were seen, maybe in the middle of a packet.
    pub from_start: bool,
    /// The sides whose stream lacks bytes that the capture does not have, as later segments, a FIN
    /// or the other side's acknowledgements show. `segments` holds what came before the gap and
    /// nothing after it.
    pub gaps: Vec<Direction>,
    /// Whether `segments` are what TLS protected, as [`tls::decrypt`] leaves it: the first of them
    /// follow a second handshake, for which no time stands here.
    pub is_decrypted: bool,
    /// Bytes that the capture has behind a gap, and `segments` has not: the device's, the server's.
    /// Repeated ones may count again.
    pub undelivered: [usize; 2],
    /// Why it stays encrypted although there were keys ([`Capture::decrypt`]).
    pub undecrypted: Option<TlsError>,
}

impl Connection {
    /// How many bytes of a side the capture has behind a gap.
    #[must_use]
    pub fn undelivered(&self, direction: Direction) -> usize {
        let [device, server] = self.undelivered;
        match direction {
            Direction::Device => device,
            Direction::Server => server,
        }
    }

    /// Whether the device asked for it in vain: the server refused it with RST, or has not answered
    /// within the capture, or the device gave it up.
    #[must_use]
    pub fn is_failed_attempt(&self) -> bool {
        self.from_start && self.opened_at.is_none() && self.segments.is_empty()
    }

    /// When the capture first shows it: when it was asked for, or else the first thing known of it.
    /// None if nothing is, as of a connection of which there are acknowledgements alone.
    #[must_use]
    pub fn begins_at(&self) -> Option<u64> {
        let first = self.segments.first().map(|segment| segment.at_micros);
        let seen = [self.opened_at, first, self.ended_at];
        self.asked_at.or(seen.into_iter().flatten().min())
    }

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
    /// Connections to the server's ports, in the order of their first frame.
    pub connections: Vec<Connection>,
    /// Frames that are not TCP to or from those ports, or cannot be read.
    pub skipped: usize,
    /// How many of them are TCP whose header the capture cut off, so that nothing tells whose they
    /// are.
    pub headless: usize,
    /// Whether the file ends in the middle of a frame, which is left out.
    pub truncated: bool,
    /// The TLS secrets that a pcapng file brings along (Decryption Secrets Blocks).
    pub key_log: KeyLog,
}

impl Capture {
    /// Reads the bytes of a capture file, as [`Capture::read`] does for one port.
    ///
    /// # Errors
    /// Those of [`Capture::read`].
    pub fn parse(bytes: &[u8], port: u16) -> Result<Self, CaptureError> {
        Capture::read(bytes, &[port])
    }

    /// Reads a capture file. `ports` are the server's, [`MQTT_PORT`] and [`MQTT_TLS_PORT`] as a
    /// rule, and tell the device's side; if both ends have one, the receiver of the first frame is
    /// the server, unless that frame answers a SYN. The reader need not be buffered.
    ///
    /// Frames of a pcapng file that bear no time have that of the frame before.
    ///
    /// # Errors
    /// [`CaptureError`] if the file is neither a pcap nor a pcapng, breaks the rules of its format,
    /// has frames of link types that are not supported and no others, has more than
    /// [`MAX_CONNECTIONS`] connections or more than [`MAX_KEPT`] bytes in them, or cannot be read.
    pub fn read(input: impl Read, ports: &[u16]) -> Result<Self, CaptureError> {
        let mut file = File::open(input)?;
        let mut tracker = Tracker::new(ports);
        let mut fragments = Fragments::default();
        let (mut skipped, mut headless) = (0, 0);
        let mut supported = false;
        let mut unsupported = None;
        let mut last = 0;
        while let Some(frame) = file.next()? {
            let at_micros = frame.at_micros;
            last = at_micros;
            let Some(link) = frame.link() else {
                unsupported.get_or_insert(frame.link_type);
                skipped += 1;
                continue;
            };
            supported = true;
            match packet::content(link, frame.data, frame.cut) {
                Content::Tcp(tcp) => {
                    if !tracker.segment(at_micros, &tcp)? {
                        skipped += 1;
                    }
                }
                Content::Fragment(fragment) => {
                    for payload in fragments.add(at_micros, &fragment) {
                        skipped += take_payload(&mut tracker, at_micros, &payload)?;
                    }
                }
                Content::Headless => {
                    skipped += 1;
                    headless += 1;
                }
                Content::Other => skipped += 1,
            }
            if tracker.kept() > MAX_KEPT {
                let offset = file.offset();
                return Err(CaptureError::TooLarge { offset });
            }
        }
        if let (Some(link_type), false) = (unsupported, supported) {
            return Err(CaptureError::LinkType(link_type));
        }
        for payload in fragments.finish() {
            skipped += take_payload(&mut tracker, last, &payload)?;
        }
        let (truncated, key_log) = file.finish();
        Ok(Capture {
            connections: tracker.finish(),
            skipped,
            headless,
            truncated,
            key_log,
        })
    }

    /// Decrypts the TLS connections that `keys`, or the file's own, fit. The others stay as they
    /// are, and if there are any keys, [`Connection::undecrypted`] says why.
    pub fn decrypt(&mut self, keys: &KeyLog) {
        let mut all = self.key_log.clone();
        all.merge(keys);
        let encrypted = self.connections.iter_mut().filter(|one| tls::is_tls(one));
        for connection in encrypted {
            match tls::decrypt(connection, &all) {
                Ok(clear) => *connection = clear,
                Err(why) => connection.undecrypted = (!all.is_empty()).then_some(why),
            }
        }
    }
}

/// Takes what came of fragments; returns how many frames it was in if it is of no connection.
fn take_payload(
    tracker: &mut Tracker<'_>,
    at_micros: u64,
    payload: &Payload,
) -> Result<usize, CaptureError> {
    let taken = match packet::tcp(payload.packet, &payload.bytes, payload.cut) {
        Some(tcp) => tracker.segment(at_micros, &tcp)?,
        None => false,
    };
    Ok(if taken { 0 } else { payload.frames })
}

#[cfg(test)]
mod tests;
