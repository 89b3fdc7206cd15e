//! The connections of a capture, and which of them a segment belongs to.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use super::packet::Tcp;
use super::stream::{Stream, advance, is_ahead};
use super::{CaptureError, Close, Connection, Direction, MAX_CONNECTIONS, Segment};

/// What a segment takes in memory beside its bytes.
const SEGMENT_COST: usize = 96;

/// All connections seen so far.
pub(super) struct Tracker<'a> {
    ports: &'a [u16],
    /// In the order of their first frame.
    all: Vec<Tracked>,
    /// Where in `all` those between a device and a server are.
    between: BTreeMap<(SocketAddr, SocketAddr), Vec<usize>>,
    /// Bytes and costs of what was delivered and what waits.
    kept: usize,
}

impl<'a> Tracker<'a> {
    pub(super) fn new(ports: &'a [u16]) -> Self {
        Tracker {
            ports,
            all: Vec::new(),
            between: BTreeMap::new(),
            kept: 0,
        }
    }

    /// Takes one segment. False if it is none of a connection to the ports.
    pub(super) fn segment(&mut self, at_micros: u64, tcp: &Tcp<'_>) -> Result<bool, CaptureError> {
        let Some((direction, known)) = self.find(tcp) else {
            return Ok(false);
        };
        let index = match known {
            Some(index) => index,
            None => self.open(direction, tcp)?,
        };
        if let Some(tracked) = self.all.get_mut(index) {
            let before = tracked.cost();
            tracked.segment(at_micros, direction, tcp);
            self.kept = self.kept - before + tracked.cost();
        }
        Ok(true)
    }

    /// What all segments take in memory.
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    /// Who sent a segment, and over which connection if it is no new one.
    fn find(&self, tcp: &Tcp<'_>) -> Option<(Direction, Option<usize>)> {
        let from_device = self.between.get(&(tcp.source, tcp.destination));
        let from_server = self.between.get(&(tcp.destination, tcp.source));
        let to_port = self.ports.contains(&tcp.destination.port());
        let from_port = self.ports.contains(&tcp.source.port());
        let (direction, known) = match (from_device, from_server) {
            (Some(known), _) => (Direction::Device, known),
            (None, Some(known)) => (Direction::Server, known),
            // Who answers a SYN is the server, even if both ends have such a port.
            (None, None) if from_port && (!to_port || tcp.syn && tcp.acknowledged.is_some()) => {
                return Some((Direction::Server, None));
            }
            (None, None) if to_port => return Some((Direction::Device, None)),
            (None, None) => return None,
        };
        // What comes late may be of a connection before the latest one.
        let fits = |index: &&usize| {
            self.all
                .get(**index)
                .is_some_and(|tracked| tracked.fits(direction, tcp))
        };
        let index = known.iter().rev().find(fits).copied();
        let latest = known.last().copied().filter(|_| !tcp.syn);
        Some((direction, index.or(latest)))
    }

    fn open(&mut self, direction: Direction, tcp: &Tcp<'_>) -> Result<usize, CaptureError> {
        if self.all.len() == MAX_CONNECTIONS {
            return Err(CaptureError::TooManyConnections);
        }
        let (device, server) = match direction {
            Direction::Device => (tcp.source, tcp.destination),
            Direction::Server => (tcp.destination, tcp.source),
        };
        let index = self.all.len();
        self.all.push(Tracked::new(device, server));
        self.between
            .entry((device, server))
            .or_default()
            .push(index);
        Ok(index)
    }

    pub(super) fn finish(self) -> Vec<Connection> {
        self.all.into_iter().map(Tracked::finish).collect()
    }
}

/// Bytes that continue one side's stream.
struct Delivered {
    segment: Segment,
    /// Sequence number of the first of them.
    start: Option<u32>,
    /// What their sender had from the other side.
    acknowledges: Option<u32>,
}

impl Delivered {
    /// Whether the sender of these had some of `other`, of the other side, when it sent them.
    fn follows(&self, other: &Delivered) -> bool {
        self.acknowledges
            .zip(other.start)
            .is_some_and(|(acknowledged, start)| is_ahead(acknowledged, start))
    }
}

/// Puts what acknowledges bytes behind them. Frames that a capture takes from several queues, or at
/// two places, may be in another order than they were sent in.
fn in_order_of_cause(all: Vec<Delivered>) -> Vec<Segment> {
    let mut ordered = Vec::with_capacity(all.len());
    let mut sides: [VecDeque<(usize, Delivered)>; 2] = Default::default();
    let [device, server] = &mut sides;
    for (place, delivered) in all.into_iter().enumerate() {
        match delivered.segment.direction {
            Direction::Device => device.push_back((place, delivered)),
            Direction::Server => server.push_back((place, delivered)),
        }
    }
    let mut now = 0;
    loop {
        let device_is_next = match (device.front(), server.front()) {
            (None, None) => break,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some((place, sent)), Some((other, answer))) => {
                match (sent.follows(answer), answer.follows(sent)) {
                    (true, false) => false,
                    (false, true) => true,
                    _ => place < other,
                }
            }
        };
        let next = if device_is_next {
            &mut *device
        } else {
            &mut *server
        };
        if let Some((_, Delivered { mut segment, .. })) = next.pop_front() {
            now = segment.at_micros.max(now);
            segment.at_micros = now;
            ordered.push(segment);
        }
    }
    ordered
}

struct Tracked {
    connection: Connection,
    device: Side,
    server: Side,
    /// What both sides sent, in the order of the capture.
    segments: Vec<Delivered>,
    /// Bytes and costs of `segments`.
    delivered: usize,
}

#[derive(Default)]
struct Side {
    stream: Stream,
    /// Sequence number of its SYN, which was seen or answered.
    syn: Option<u32>,
}

impl Tracked {
    fn new(device: SocketAddr, server: SocketAddr) -> Self {
        let connection = Connection {
            device,
            server,
            asked_at: None,
            opened_at: None,
            segments: Vec::new(),
            closed_by: None,
            ended_at: None,
            from_start: false,
            gaps: Vec::new(),
            is_decrypted: false,
            undelivered: [0; 2],
            undecrypted: None,
        };
        Tracked {
            connection,
            device: Side::default(),
            server: Side::default(),
            segments: Vec::new(),
            delivered: 0,
        }
    }

    /// Whether a segment may be of this connection: a SYN is if it is the same once more, or the
    /// stream of its side, which has not ended, begins there; others are if their number is near
    /// those of the stream.
    fn fits(&self, direction: Direction, tcp: &Tcp<'_>) -> bool {
        let side = match direction {
            Direction::Device => &self.device,
            Direction::Server => &self.server,
        };
        match (tcp.syn, side.syn) {
            (true, Some(syn)) => syn == tcp.sequence,
            (true, None) => {
                let open = self.connection.closed_by.is_none();
                open && side.stream.may_begin(tcp.sequence.wrapping_add(1))
            }
            (false, _) => side.stream.is_near(tcp.sequence),
        }
    }

    fn cost(&self) -> usize {
        let waiting = [&self.device, &self.server].map(|side| {
            let (bytes, segments) = side.stream.waiting();
            bytes + segments * SEGMENT_COST
        });
        self.delivered + waiting.iter().sum::<usize>()
    }

    fn segment(&mut self, at_micros: u64, direction: Direction, tcp: &Tcp<'_>) {
        let (side, other) = match direction {
            Direction::Device => (&mut self.device, &mut self.server),
            Direction::Server => (&mut self.server, &mut self.device),
        };
        let mut sequence = tcp.sequence;
        if tcp.syn {
            side.syn.get_or_insert(sequence);
            // A SYN takes a number of its own.
            sequence = sequence.wrapping_add(1);
            side.stream.begin(sequence);
            if let Some(acknowledged) = tcp.acknowledged {
                other.syn.get_or_insert(acknowledged.wrapping_sub(1));
            }
            self.connection.from_start = true;
            if direction == Direction::Device {
                self.connection.asked_at.get_or_insert(at_micros);
            }
        } else if !tcp.rst && self.connection.from_start {
            // What a server sends before its SYN is about an earlier connection of the same ports
            // (RFC 9293 section 3.10.7.4, an acknowledgement that answers a SYN).
            let is_open = direction == Direction::Device || side.syn.is_some();
            if is_open {
                self.connection.opened_at.get_or_insert(at_micros);
            }
        }
        // Not of a RST: one that answers a SYN acknowledges what it refuses.
        if let Some(acknowledged) = tcp.acknowledged.filter(|_| !tcp.rst) {
            other.stream.acknowledged(acknowledged);
        }
        // What follows the header of a RST is no data (RFC 9293 section 3.5.3).
        if !tcp.rst {
            let bytes = side.stream.take(sequence, tcp.payload);
            if !tcp.payload.is_empty() || tcp.cut > 0 {
                let end = advance(sequence, tcp.payload.len().saturating_add(tcp.cut));
                side.stream.begin(sequence);
                side.stream.reaches(end);
            }
            if tcp.fin {
                let length = tcp.payload.len().saturating_add(tcp.cut);
                side.stream.finishes(advance(sequence, length));
            }
            if !bytes.is_empty() {
                self.delivered += bytes.len() + SEGMENT_COST;
                let start = side.stream.start_of(bytes.len());
                let segment = Segment {
                    at_micros,
                    direction,
                    bytes,
                };
                self.segments.push(Delivered {
                    segment,
                    start,
                    acknowledges: tcp.acknowledged,
                });
            }
        }
        let close = match (tcp.rst, tcp.fin) {
            (true, _) => Some(Close::Reset(direction)),
            (false, true) => Some(Close::Finished(direction)),
            (false, false) => None,
        };
        if let (None, Some(_)) = (self.connection.closed_by, close) {
            self.connection.closed_by = close;
            self.connection.ended_at = Some(at_micros);
        }
    }

    fn finish(self) -> Connection {
        let mut connection = self.connection;
        connection.segments = in_order_of_cause(self.segments);
        connection.undelivered = [&self.device, &self.server].map(|side| side.stream.undelivered());
        for (side, direction) in [
            (&self.device, Direction::Device),
            (&self.server, Direction::Server),
        ] {
            if side.stream.has_gap() {
                connection.gaps.push(direction);
            }
        }
        connection
    }
}
