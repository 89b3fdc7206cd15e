//! Connections as a pcapng file, for Wireshark and whatever else reads captures.
//!
//! The bytes of each connection are put into TCP segments as a network could have carried them: a
//! handshake, data in segments of at most [`MAX_PAYLOAD`] bytes, acknowledgements, and an end; with
//! right checksums and sequence numbers, so that Wireshark finds nothing to complain about. What
//! has no bytes, such as a timer, is a comment on a packet.
//!
//! ```
//! use conformance::capture::{Capture, Direction, Segment};
//! use conformance::export::pcapng::{self, Connection, Opening};
//!
//! let connection = Connection {
//!     device: ([192, 0, 2, 1], 50_000).into(),
//!     server: ([192, 0, 2, 2], 1883).into(),
//!     opened_at: 1_700_000_000_000_000,
//!     opening: Opening::Accepted(1_700_000_000_020_000),
//!     segments: vec![Segment {
//!         at_micros: 1_700_000_000_020_500,
//!         direction: Direction::Device,
//!         bytes: vec![0xC0, 0],
//!     }],
//!     closed: None,
//!     notes: vec![(1_700_000_000_020_500, "keep alive".to_owned())],
//! };
//! let mut file = Vec::new();
//! pcapng::write(&[connection], &mut file)?;
//! let capture = Capture::parse(&file, 1883).expect("what is written can be read");
//! assert_eq!(capture.connections[0].device_bytes(), [0xC0, 0]);
//! # Ok::<(), std::io::Error>(())
//! ```

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use etherparse::{PacketBuilder, TcpHeader};

use crate::capture::{self, Close, Direction, Segment};

/// Most bytes of a stream in one segment: what an Ethernet frame has room for over IPv4. Over IPv6
/// it is 20 less.
pub const MAX_PAYLOAD: usize = 1460;
/// Longest text of a comment, in bytes: an option has 16 bits for its length. The rest of a longer
/// one is left out, and the comment says so.
pub const MAX_COMMENT: usize = 60_000;

/// Bytes in flight after which the receiver acknowledges them without having sent anything: half of
/// what its window has room for.
const ACKNOWLEDGED_AFTER: u32 = 1 << 15;
const WINDOW: u16 = u16::MAX;
/// Locally administered addresses (IEEE 802).
const DEVICE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// One connection. Times are microseconds since 1970-01-01 00:00 UTC; what has a time before that
/// of what it has to follow is written at the latter's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The device's address. Connections that follow one another should differ in the port:
    /// Wireshark remarks on ports that are used again.
    pub device: SocketAddr,
    /// The server's address, of the same version of IP. Wireshark takes port 1883 for MQTT, and 8883
    /// for TLS, whatever is sent.
    pub server: SocketAddr,
    /// When the device began to connect.
    pub opened_at: u64,
    /// What came of that.
    pub opening: Opening,
    /// What both sides sent, in order; none if the connection was not accepted.
    pub segments: Vec<Segment>,
    /// When and how the connection ended, if it did; none if it was not accepted.
    pub closed: Option<(u64, Close)>,
    /// Comments. Each is on the connection's first packet that is not before it, or else on the
    /// last, and says how far away it was.
    pub notes: Vec<(u64, String)>,
}

/// What came of an attempt to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The server accepted, at this time.
    Accepted(u64),
    /// The server refused, at this time.
    Refused(u64),
    /// Nothing came back.
    Unanswered,
}

/// A connection of a capture, for one that was decrypted or picked out. Of one whose beginning was
/// not captured, which is noted, the handshake is put before the first that was. A gap is noted.
impl From<&capture::Connection> for Connection {
    fn from(captured: &capture::Connection) -> Self {
        let opened_at = captured.begins_at().unwrap_or_default();
        let last = captured.segments.last();
        let last_at = last.map_or(opened_at, |segment| segment.at_micros);
        let ended_at = captured.ended_at.unwrap_or(last_at);
        let (opening, closed) = match captured.closed_by {
            Some(Close::Reset(Direction::Server)) if captured.is_failed_attempt() => {
                (Opening::Refused(ended_at), None)
            }
            _ if captured.is_failed_attempt() => (Opening::Unanswered, None),
            close => {
                let accepted_at = captured.opened_at.unwrap_or(opened_at);
                let closed = close.map(|close| (ended_at, close));
                (Opening::Accepted(accepted_at), closed)
            }
        };
        let mut notes = Vec::new();
        if !captured.from_start {
            let note = "the capture lacks the beginning of this connection";
            notes.push((opened_at, note.to_owned()));
        }
        for side in &captured.gaps {
            let side = match side {
                Direction::Device => "device",
                Direction::Server => "server",
            };
            let note = format!("the capture lacks what the {side} sent after its last bytes");
            notes.push((last_at, note));
        }
        Connection {
            device: captured.device,
            server: captured.server,
            opened_at,
            opening,
            segments: captured.segments.clone(),
            closed,
            notes,
        }
    }
}

/// Writes a pcapng file of one section (little-endian) and one Ethernet interface. Packets of all
/// connections are in the order of their times. The same connections give the same bytes.
///
/// # Errors
/// Those of `out`; [`ErrorKind::InvalidInput`] if a connection has addresses of two versions of IP,
/// or has bytes or an end though it was not accepted.
pub fn write(connections: &[Connection], out: &mut impl io::Write) -> io::Result<()> {
    let mut packets = Vec::new();
    for (index, connection) in connections.iter().enumerate() {
        check(connection)?;
        Planned::new(connection, index, &mut packets).plan();
    }
    // The order among those of one time stays.
    packets.sort_by_key(|packet: &Packet| packet.at_micros);
    let application = concat!("shadowctl ", env!("CARGO_PKG_VERSION"));
    write_section(application, out)?;
    let mut frame = Vec::new();
    for packet in &packets {
        let Some(connection) = connections.get(packet.connection) else {
            continue;
        };
        frame.clear();
        packet.write(connection, &mut frame)?;
        write_packet(packet, connection, &frame, out)?;
    }
    out.flush()
}

fn check(connection: &Connection) -> io::Result<()> {
    let fault = if connection.device.is_ipv4() != connection.server.is_ipv4() {
        "addresses of two versions of IP"
    } else if matches!(connection.opening, Opening::Accepted(_)) {
        return Ok(());
    } else if !connection.segments.is_empty() || connection.closed.is_some() {
        "a connection that was not accepted has bytes or an end"
    } else {
        return Ok(());
    };
    Err(io::Error::new(ErrorKind::InvalidInput, fault))
}

/// One packet, without the bytes.
struct Packet {
    at_micros: u64,
    connection: usize,
    from: Direction,
    flags: Flags,
    sequence: u32,
    /// What it acknowledges, if it does.
    acknowledged: Option<u32>,
    /// Which segment its data are from, and where.
    data: Option<(usize, Range<usize>)>,
    /// Which notes are on it.
    notes: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flags {
    Syn,
    None,
    Push,
    Fin,
    Reset,
}

/// The packets of one connection, as they come to be.
struct Planned<'a> {
    connection: &'a Connection,
    index: usize,
    packets: &'a mut Vec<Packet>,
    /// Where in `packets` those of this connection begin.
    start: usize,
    at_micros: u64,
    device: End,
    server: End,
}

/// What an end of the connection has sent, and has of the other.
struct End {
    next: u32,
    received: Option<u32>,
    /// Bytes that it has not acknowledged.
    owed: u32,
}

impl<'a> Planned<'a> {
    fn new(connection: &'a Connection, index: usize, packets: &'a mut Vec<Packet>) -> Self {
        // Far apart for connections that follow one another, and different for all.
        let first = (index as u32).wrapping_add(1).wrapping_mul(0x9E37_79B9);
        let end = |next| End {
            next,
            received: None,
            owed: 0,
        };
        Planned {
            connection,
            index,
            start: packets.len(),
            packets,
            at_micros: connection.opened_at,
            device: end(first),
            server: end(first.wrapping_add(1 << 31)),
        }
    }

    fn plan(mut self) {
        use Direction::{Device, Server};

        self.packet(Device, Flags::Syn, None);
        match self.connection.opening {
            Opening::Unanswered => {}
            Opening::Refused(at) => {
                self.pass(at);
                // The number of a segment that answers a SYN with RST is 0 (RFC 9293 3.10.7.1).
                self.server.next = 0;
                self.packet(Server, Flags::Reset, None);
            }
            Opening::Accepted(at) => {
                self.pass(at);
                self.packet(Server, Flags::Syn, None);
                self.packet(Device, Flags::None, None);
                self.data();
            }
        }
        if let Some((at, close)) = self.connection.closed {
            self.pass(at);
            match close {
                Close::Reset(by) => self.packet(by, Flags::Reset, None),
                Close::Finished(by) => {
                    self.packet(by, Flags::Fin, None);
                    self.packet(other(by), Flags::Fin, None);
                    self.packet(by, Flags::None, None);
                }
            }
        }
        self.place_notes();
    }

    fn data(&mut self) {
        let room = match self.connection.server {
            SocketAddr::V4(_) => MAX_PAYLOAD,
            SocketAddr::V6(_) => MAX_PAYLOAD - 20,
        };
        for (index, segment) in self.connection.segments.iter().enumerate() {
            self.pass(segment.at_micros);
            let length = segment.bytes.len();
            for start in (0..length).step_by(room) {
                let end = length.min(start + room);
                let last = end == length;
                let flags = if last { Flags::Push } else { Flags::None };
                self.packet(segment.direction, flags, Some((index, start..end)));
                let receiver = other(segment.direction);
                if self.end(receiver).owed >= ACKNOWLEDGED_AFTER {
                    self.packet(receiver, Flags::None, None);
                }
            }
        }
    }

    fn pass(&mut self, at_micros: u64) {
        self.at_micros = self.at_micros.max(at_micros);
    }

    fn end(&mut self, direction: Direction) -> &mut End {
        match direction {
            Direction::Device => &mut self.device,
            Direction::Server => &mut self.server,
        }
    }

    fn packet(&mut self, from: Direction, flags: Flags, data: Option<(usize, Range<usize>)>) {
        let length = data.as_ref().map_or(0, |(_, range)| range.len());
        // No segment is longer than MAX_PAYLOAD. A SYN and a FIN take a number each.
        let takes = length as u32 + u32::from(matches!(flags, Flags::Syn | Flags::Fin));
        let sender = self.end(from);
        let sequence = sender.next;
        let acknowledged = sender.received;
        sender.next = sequence.wrapping_add(takes);
        sender.owed = 0;
        let next = sender.next;
        let receiver = self.end(other(from));
        receiver.received = Some(next);
        receiver.owed += takes;
        self.packets.push(Packet {
            at_micros: self.at_micros,
            connection: self.index,
            from,
            flags,
            sequence,
            acknowledged,
            data,
            notes: Vec::new(),
        });
    }

    fn place_notes(&mut self) {
        let packets = self.packets.get_mut(self.start..).unwrap_or_default();
        for (index, (at, _)) in self.connection.notes.iter().enumerate() {
            let place = packets.partition_point(|packet| packet.at_micros < *at);
            let place = place.min(packets.len().saturating_sub(1));
            if let Some(packet) = packets.get_mut(place) {
                packet.notes.push(index);
            }
        }
    }
}

fn other(direction: Direction) -> Direction {
    match direction {
        Direction::Device => Direction::Server,
        Direction::Server => Direction::Device,
    }
}

impl Packet {
    /// Appends the Ethernet frame.
    fn write(&self, connection: &Connection, frame: &mut Vec<u8>) -> io::Result<()> {
        let (source, destination, macs) = match self.from {
            Direction::Device => (
                connection.device,
                connection.server,
                (DEVICE_MAC, SERVER_MAC),
            ),
            Direction::Server => (
                connection.server,
                connection.device,
                (SERVER_MAC, DEVICE_MAC),
            ),
        };
        let mut tcp = TcpHeader::new(source.port(), destination.port(), self.sequence, WINDOW);
        tcp.syn = self.flags == Flags::Syn;
        tcp.fin = self.flags == Flags::Fin;
        tcp.rst = self.flags == Flags::Reset;
        tcp.psh = self.flags == Flags::Push;
        tcp.ack = self.acknowledged.is_some();
        tcp.acknowledgment_number = self.acknowledged.unwrap_or(0);
        let builder = PacketBuilder::ethernet2(macs.0, macs.1);
        let builder = match (source.ip(), destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                builder.ipv4(source.octets(), destination.octets(), 64)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                builder.ipv6(source.octets(), destination.octets(), 64)
            }
            _ => return Err(ErrorKind::InvalidInput.into()),
        };
        let data = self.data.as_ref().and_then(|(segment, range)| {
            let segment = connection.segments.get(*segment)?;
            segment.bytes.get(range.clone())
        });
        builder
            .tcp_header(tcp)
            .write(frame, data.unwrap_or_default())
            .map_err(|error| io::Error::new(ErrorKind::InvalidInput, error.to_string()))
    }
}

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const BYTE_ORDER: u32 = 0x1A2B_3C4D;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const ETHERNET: u16 = 1;
const COMMENT: u16 = 1;
const APPLICATION: u16 = 4;

/// A section header and an interface description, whose times are in microseconds unless it says
/// otherwise (draft, sections 4.1 and 4.2).
fn write_section(application: &str, out: &mut impl io::Write) -> io::Result<()> {
    let mut body = BYTE_ORDER.to_le_bytes().to_vec();
    body.extend([1, 0, 0, 0]);
    // The length of the section is not told.
    body.extend([0xFF; 8]);
    push_option(&mut body, APPLICATION, application);
    end_options(&mut body);
    write_block(SECTION_HEADER, &body, out)?;
    let mut body = ETHERNET.to_le_bytes().to_vec();
    body.extend([0; 6]);
    write_block(INTERFACE_DESCRIPTION, &body, out)
}

/// An enhanced packet block (draft, section 4.3).
fn write_packet(
    packet: &Packet,
    connection: &Connection,
    frame: &[u8],
    out: &mut impl io::Write,
) -> io::Result<()> {
    let interface = 0_u32;
    let (high, low) = ((packet.at_micros >> 32) as u32, packet.at_micros as u32);
    // A frame has MAX_PAYLOAD bytes and its headers.
    let length = frame.len() as u32;
    let mut body = Vec::with_capacity(frame.len() + 40);
    for number in [interface, high, low, length, length] {
        body.extend(number.to_le_bytes());
    }
    body.extend_from_slice(frame);
    pad(&mut body);
    for index in &packet.notes {
        if let Some((at, note)) = connection.notes.get(*index) {
            push_option(&mut body, COMMENT, &comment(note, *at, packet.at_micros));
        }
    }
    if !packet.notes.is_empty() {
        end_options(&mut body);
    }
    write_block(ENHANCED_PACKET, &body, out)
}

/// The text of a note, and how far it is from its packet.
fn comment(note: &str, at: u64, packet_at: u64) -> String {
    let mut kept = note.len().min(MAX_COMMENT);
    while !note.is_char_boundary(kept) {
        kept -= 1;
    }
    let (text, rest) = note.split_at(kept);
    let mut comment = text.to_owned();
    if !rest.is_empty() {
        comment += &format!(" [{} bytes more]", rest.len());
    }
    let distance = at.abs_diff(packet_at);
    let (seconds, micros) = (distance / 1_000_000, distance % 1_000_000);
    if distance > 0 {
        let side = if at < packet_at { "before" } else { "after" };
        comment += &format!(" ({seconds}.{micros:06} s {side} this packet)");
    }
    comment
}

fn push_option(body: &mut Vec<u8>, code: u16, text: &str) {
    // Longer ones are cut to MAX_COMMENT before.
    let length = text.len() as u16;
    body.extend(code.to_le_bytes());
    body.extend(length.to_le_bytes());
    body.extend_from_slice(text.as_bytes());
    pad(body);
}

fn end_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

fn write_block(kind: u32, body: &[u8], out: &mut impl io::Write) -> io::Result<()> {
    let length = u32::try_from(body.len() + 12).map_err(|_| ErrorKind::InvalidInput)?;
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(body)?;
    out.write_all(&length.to_le_bytes())
}
