//! TCP segments of a capture, put together into the streams of each connection.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::frame::{Frame, Tcp};
use super::{CaptureError, Close, Connection, Direction, MAX_CONNECTIONS, Segment};

/// Most bytes of one stream that wait for missing ones before them.
const MAX_WAITING: usize = 1 << 20;
/// Most segments that they may be in.
const MAX_WAITING_SEGMENTS: usize = 1024;

/// All connections seen so far.
pub(super) struct Tracker {
    port: u16,
    open: Vec<Tracked>,
}

impl Tracker {
    pub(super) fn new(port: u16) -> Self {
        Tracker {
            port,
            open: Vec::new(),
        }
    }

    /// Takes one frame. False if it is none of a connection to the port.
    pub(super) fn frame(&mut self, frame: &Frame<'_>) -> Result<bool, CaptureError> {
        let Some(tcp) = &frame.tcp else {
            return Ok(false);
        };
        let of = |device: SocketAddr, server: SocketAddr| {
            move |tracked: &Tracked| {
                tracked.connection.device == device && tracked.connection.server == server
            }
        };
        // The latest connection between the two ends, from either side.
        let forward = self.open.iter().rposition(of(tcp.source, tcp.destination));
        let backward = self.open.iter().rposition(of(tcp.destination, tcp.source));
        let (direction, known) = match (forward, backward) {
            (Some(index), _) => (Direction::Device, Some(index)),
            (None, Some(index)) => (Direction::Server, Some(index)),
            (None, None) if tcp.destination.port() == self.port => (Direction::Device, None),
            (None, None) if tcp.source.port() == self.port => (Direction::Server, None),
            (None, None) => return Ok(false),
        };
        let begins = tcp.syn && !tcp.ack;
        let index = match known {
            Some(index) if !(begins && self.is_another(index, tcp.sequence)) => index,
            _ => {
                if self.open.len() == MAX_CONNECTIONS {
                    return Err(CaptureError::TooManyConnections);
                }
                let (device, server) = match direction {
                    Direction::Device => (tcp.source, tcp.destination),
                    Direction::Server => (tcp.destination, tcp.source),
                };
                let first_syn = begins.then_some(tcp.sequence);
                self.open.push(Tracked::new(device, server, first_syn));
                self.open.len() - 1
            }
        };
        if let Some(tracked) = self.open.get_mut(index) {
            tracked.segment(frame.at_micros, direction, tcp);
        }
        Ok(true)
    }

    /// Whether a SYN opens another connection over the same ports, and is not sent once more.
    fn is_another(&self, index: usize, sequence: u32) -> bool {
        self.open
            .get(index)
            .is_some_and(|tracked| tracked.first_syn != Some(sequence))
    }

    pub(super) fn finish(self) -> Vec<Connection> {
        self.open.into_iter().map(Tracked::finish).collect()
    }
}

struct Tracked {
    connection: Connection,
    /// Sequence number of the device's SYN.
    first_syn: Option<u32>,
    device: Stream,
    server: Stream,
}

impl Tracked {
    fn new(device: SocketAddr, server: SocketAddr, first_syn: Option<u32>) -> Self {
        let connection = Connection {
            device,
            server,
            segments: Vec::new(),
            closed_by: None,
            from_start: first_syn.is_some(),
            gaps: Vec::new(),
        };
        Tracked {
            connection,
            first_syn,
            device: Stream::default(),
            server: Stream::default(),
        }
    }

    fn segment(&mut self, at_micros: u64, direction: Direction, tcp: &Tcp<'_>) {
        let stream = match direction {
            Direction::Device => &mut self.device,
            Direction::Server => &mut self.server,
        };
        let mut sequence = tcp.sequence;
        if tcp.syn {
            // A SYN takes a number of its own.
            sequence = sequence.wrapping_add(1);
            stream.next.get_or_insert(sequence);
        }
        let bytes = stream.take(sequence, tcp.payload);
        if !bytes.is_empty() {
            self.connection.segments.push(Segment {
                at_micros,
                direction,
                bytes,
            });
        }
        let close = match (tcp.rst, tcp.fin) {
            (true, _) => Some(Close::Reset(direction)),
            (false, true) => Some(Close::Finished(direction)),
            (false, false) => None,
        };
        self.connection.closed_by = self.connection.closed_by.or(close);
    }

    fn finish(self) -> Connection {
        let mut connection = self.connection;
        for (stream, direction) in [
            (&self.device, Direction::Device),
            (&self.server, Direction::Server),
        ] {
            if stream.lossy || !stream.waiting.is_empty() {
                connection.gaps.push(direction);
            }
        }
        connection
    }
}

/// One side's bytes.
#[derive(Default)]
struct Stream {
    /// Sequence number of the next byte to deliver; none before the first segment.
    next: Option<u32>,
    /// Segments ahead of `next`, by sequence number.
    waiting: BTreeMap<u32, Vec<u8>>,
    waiting_bytes: usize,
    /// Whether a segment was dropped because too much was waiting.
    lossy: bool,
}

impl Stream {
    /// Takes a segment; returns what can be delivered now.
    fn take(&mut self, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut delivered = Vec::new();
        if payload.is_empty() {
            return delivered;
        }
        let next = *self.next.get_or_insert(sequence);
        match new_part(next, sequence, payload) {
            Part::Next(bytes) => {
                delivered.extend_from_slice(bytes);
                self.next = Some(advance(next, bytes.len()));
                self.take_waiting(&mut delivered);
            }
            Part::Early => self.keep(sequence, payload),
            Part::Old => {}
        }
        delivered
    }

    fn keep(&mut self, sequence: u32, payload: &[u8]) {
        let known = self.waiting.get(&sequence).map_or(0, Vec::len);
        if payload.len() <= known {
            return;
        }
        let full = known == 0 && self.waiting.len() == MAX_WAITING_SEGMENTS;
        if full || self.waiting_bytes - known + payload.len() > MAX_WAITING {
            self.lossy = true;
            return;
        }
        self.waiting_bytes += payload.len() - known;
        self.waiting.insert(sequence, payload.to_vec());
    }

    /// Delivers what waited for the bytes before it.
    fn take_waiting(&mut self, delivered: &mut Vec<u8>) {
        while let Some(next) = self.next {
            let due = self
                .waiting
                .iter()
                .find(|(sequence, bytes)| !matches!(new_part(next, **sequence, bytes), Part::Early))
                .map(|(sequence, _)| *sequence);
            let Some(bytes) = due.and_then(|sequence| self.waiting.remove(&sequence)) else {
                return;
            };
            self.waiting_bytes -= bytes.len();
            if let Some(Part::Next(bytes)) = due.map(|sequence| new_part(next, sequence, &bytes)) {
                delivered.extend_from_slice(bytes);
                self.next = Some(advance(next, bytes.len()));
            }
        }
    }
}

/// What a segment has for a stream.
enum Part<'a> {
    /// These bytes come next.
    Next(&'a [u8]),
    /// Bytes before it are missing.
    Early,
    /// All of it was delivered before.
    Old,
}

/// Compares modulo 2^32: a segment is ahead if it is less than 2^31 ahead.
fn new_part(next: u32, sequence: u32, payload: &[u8]) -> Part<'_> {
    let behind = next.wrapping_sub(sequence);
    if behind > u32::MAX / 2 {
        return Part::Early;
    }
    match usize::try_from(behind)
        .ok()
        .and_then(|behind| payload.get(behind..))
    {
        Some(bytes) if !bytes.is_empty() => Part::Next(bytes),
        _ => Part::Old,
    }
}

fn advance(sequence: u32, length: usize) -> u32 {
    // A frame of a capture is far below 4 GiB.
    sequence.wrapping_add(u32::try_from(length).unwrap_or(u32::MAX))
}
