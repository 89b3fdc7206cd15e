//! What is on its way: a stream of bytes in each direction of each connection.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use shadow_core::Instant;

use super::fault::{Direction, FaultCounts, FaultKind, WireFault};
use super::{DeviceId, Latency};
use crate::server::ConnectionId;

/// Something on its way.
pub(super) enum Delivery {
    /// A device's wish to connect, at the cloud.
    Connect { device: DeviceId, attempt: u64 },
    /// The news that it is connected, at the device.
    Connected {
        device: DeviceId,
        attempt: u64,
        connection: ConnectionId,
    },
    /// The news that it is not.
    Refused { device: DeviceId, attempt: u64 },
    /// Bytes that arrive in one piece.
    Segment {
        connection: ConnectionId,
        direction: Direction,
        bytes: Vec<u8>,
        /// Whether they are one packet.
        packet: bool,
    },
    /// What was held back on this way leaves.
    Flush {
        connection: ConnectionId,
        direction: Direction,
    },
    /// The end of what is sent on this way.
    End {
        connection: ConnectionId,
        direction: Direction,
    },
    /// The news that the connection is broken, at both ends.
    Break { connection: ConnectionId },
}

/// All that is on its way, by arrival; of one instant, what was sent first comes first.
#[derive(Default)]
pub(super) struct Network {
    deliveries: BTreeMap<(Instant, u64), Delivery>,
    sent: u64,
    pub(super) latency: Latency,
    links: BTreeMap<ConnectionId, Link>,
    pub(super) counts: FaultCounts,
}

/// A connection, as long as either end has it or something is on its way.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) device: DeviceId,
    to_cloud: Wire,
    to_device: Wire,
    on_their_way: usize,
    /// Whether the device may still send on it.
    held_by_device: bool,
    /// Whether the cloud may.
    held_by_cloud: bool,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// How many bytes were written.
    written: u64,
    faults: Vec<(u64, WireFault)>,
    /// Largest piece.
    pub(super) segment: Option<usize>,
    /// How long writes are held back.
    pub(super) hold: Option<Duration>,
    held: Vec<u8>,
    /// Whether what is held was written by more than one write.
    held_several: bool,
    stalled_until: Instant,
    last_arrival: Instant,
    /// Nothing that is written goes anywhere.
    ended: bool,
    /// It ended without a word, and nothing was lost by it yet.
    swallows: bool,
    /// Nothing that is on its way arrives.
    pub(super) silent: bool,
}

/// Without the bytes, which may be a login.
impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("on_their_way", &self.deliveries.len())
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn wire_mut(&mut self, direction: Direction) -> &mut Wire {
        match direction {
            Direction::ToCloud => &mut self.to_cloud,
            Direction::ToDevice => &mut self.to_device,
        }
    }

    pub(super) fn is_held_by_device(&self) -> bool {
        self.held_by_device
    }

    pub(super) fn silence(&mut self) {
        self.to_cloud.silent = true;
        self.to_device.silent = true;
    }
}

impl Wire {
    /// Has something happen after so many more bytes.
    pub(super) fn arm(&mut self, after: u64, what: WireFault) {
        self.faults.push((self.written + after, what));
    }

    /// Nothing happens any more, but what has happened stays.
    pub(super) fn lift(&mut self) {
        self.faults.clear();
        self.segment = None;
        self.hold = None;
        self.stalled_until = Instant::ZERO;
    }

    fn take_fault(&mut self) -> Option<WireFault> {
        let due = self.faults.iter().position(|(at, _)| *at <= self.written)?;
        Some(self.faults.remove(due).1)
    }

    /// Whether bytes before and after this place are to arrive apart.
    fn splits_here(&self) -> bool {
        let here =
            |(at, what): &(u64, WireFault)| *at <= self.written && matches!(what, WireFault::Split);
        self.faults.iter().any(here)
    }

    /// How many of `length` bytes go before something happens.
    fn undisturbed(&self, length: usize) -> usize {
        let first = self.faults.iter().map(|(at, _)| at - self.written).min();
        let first = first.and_then(|bytes| usize::try_from(bytes).ok());
        length.min(first.unwrap_or(length))
    }
}

impl Network {
    pub(super) fn new(latency: Latency) -> Network {
        Network {
            latency,
            ..Network::default()
        }
    }

    pub(super) fn send(&mut self, arrival: Instant, delivery: Delivery) {
        self.sent += 1;
        self.deliveries.insert((arrival, self.sent), delivery);
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.deliveries.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Delivery> {
        let first = self.deliveries.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let delivery = first.remove();
        if let Delivery::Segment { connection, .. }
        | Delivery::Flush { connection, .. }
        | Delivery::End { connection, .. }
        | Delivery::Break { connection } = delivery
            && let Some(link) = self.links.get_mut(&connection)
        {
            link.on_their_way -= 1;
        }
        Some(delivery)
    }

    /// A connection that both ends begin, with what was ordered for it.
    pub(super) fn open(&mut self, id: ConnectionId, device: DeviceId, wires: [Wire; 2]) {
        let [to_cloud, to_device] = wires;
        let link = Link {
            device,
            to_cloud,
            to_device,
            on_their_way: 0,
            held_by_device: true,
            held_by_cloud: true,
        };
        self.links.insert(id, link);
    }

    pub(super) fn link(&self, id: ConnectionId) -> Option<&Link> {
        self.links.get(&id)
    }

    pub(super) fn link_mut(&mut self, id: ConnectionId) -> Option<&mut Link> {
        self.links.get_mut(&id)
    }

    pub(super) fn links_mut(&mut self) -> impl Iterator<Item = &mut Link> {
        self.links.values_mut()
    }

    /// The writer of a direction will not write any more.
    pub(super) fn release(&mut self, id: ConnectionId, writer: Direction) {
        if let Some(link) = self.links.get_mut(&id) {
            match writer {
                Direction::ToCloud => link.held_by_device = false,
                Direction::ToDevice => link.held_by_cloud = false,
            }
        }
        self.tidy(id);
    }

    /// Forgets a connection that is nobody's any more.
    pub(super) fn tidy(&mut self, id: ConnectionId) {
        let over =
            |link: &Link| link.on_their_way == 0 && !link.held_by_device && !link.held_by_cloud;
        if self.links.get(&id).is_some_and(over) {
            self.links.remove(&id);
        }
    }

    /// Writes bytes at `now`: one packet, or none to let happen what is due.
    pub(super) fn write(
        &mut self,
        now: Instant,
        id: ConnectionId,
        direction: Direction,
        packet: &[u8],
    ) {
        let mut rest = packet;
        loop {
            let Some(link) = self.links.get_mut(&id) else {
                return;
            };
            let wire = link.wire_mut(direction);
            if wire.ended {
                if !rest.is_empty() && std::mem::take(&mut wire.swallows) {
                    self.counts.count(FaultKind::Silence);
                }
                return;
            }
            if let Some(fault) = wire.take_fault() {
                self.disturb(now, id, direction, fault);
                continue;
            }
            if rest.is_empty() {
                return;
            }
            let hold = wire.hold;
            let most = if hold.is_some() { None } else { wire.segment };
            let most = most.unwrap_or(usize::MAX).max(1);
            let length = wire.undisturbed(rest.len()).min(most);
            let (bytes, behind) = rest.split_at(length);
            wire.written += bytes.len() as u64;
            if !behind.is_empty() && (length == most || wire.splits_here()) {
                self.counts.count(FaultKind::SplitSegments);
            }
            match hold {
                None => {
                    // Nothing overtakes what was held back before.
                    self.flush(now, id, direction);
                    let whole = bytes.len() == packet.len();
                    self.depart(now, id, direction, bytes.to_vec(), whole);
                }
                Some(hold) => {
                    wire.held_several |= !wire.held.is_empty();
                    let first = wire.held.is_empty();
                    wire.held.extend_from_slice(bytes);
                    if first {
                        link.on_their_way += 1;
                        let connection = id;
                        let delivery = Delivery::Flush {
                            connection,
                            direction,
                        };
                        self.send(now + hold, delivery);
                    }
                }
            }
            rest = behind;
        }
    }

    /// The writer ends its direction, behind all that it wrote.
    pub(super) fn end(&mut self, now: Instant, id: ConnectionId, direction: Direction) {
        self.flush(now, id, direction);
        let Some(wire) = self.links.get_mut(&id).map(|link| link.wire_mut(direction)) else {
            return;
        };
        if !wire.ended {
            wire.ended = true;
            let connection = id;
            let end = Delivery::End {
                connection,
                direction,
            };
            self.arrive(now, id, direction, end);
        }
    }

    /// What was held back leaves.
    pub(super) fn flush(&mut self, now: Instant, id: ConnectionId, direction: Direction) {
        let Some(wire) = self.links.get_mut(&id).map(|link| link.wire_mut(direction)) else {
            return;
        };
        if wire.held.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut wire.held);
        if std::mem::take(&mut wire.held_several) {
            self.counts.count(FaultKind::MergedSegments);
        }
        self.depart(now, id, direction, bytes, false);
    }

    fn disturb(&mut self, now: Instant, id: ConnectionId, direction: Direction, fault: WireFault) {
        if !matches!(fault, WireFault::Stall { .. }) {
            self.flush(now, id, direction);
        }
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let wire = link.wire_mut(direction);
        match fault {
            WireFault::Cut => {
                link.to_cloud.ended = true;
                link.to_device.ended = true;
                let kind = match direction {
                    Direction::ToCloud => FaultKind::CutToCloud,
                    Direction::ToDevice => FaultKind::CutToDevice,
                };
                self.counts.count(kind);
                self.arrive(now, id, direction, Delivery::Break { connection: id });
            }
            WireFault::HalfClose => {
                let kind = match direction {
                    Direction::ToCloud => FaultKind::HalfCloseByDevice,
                    Direction::ToDevice => FaultKind::HalfCloseByCloud,
                };
                self.counts.count(kind);
                self.end(now, id, direction);
            }
            WireFault::Stall { millis } => {
                let until = now + Duration::from_millis(millis.into());
                wire.stalled_until = wire.stalled_until.max(until);
            }
            WireFault::Silence => {
                wire.ended = true;
                wire.swallows = true;
            }
            WireFault::Split => {}
        }
    }

    fn depart(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        direction: Direction,
        bytes: Vec<u8>,
        packet: bool,
    ) {
        let segment = Delivery::Segment {
            connection,
            direction,
            bytes,
            packet,
        };
        self.arrive(now, connection, direction, segment);
    }

    /// Puts something at the end of a direction.
    fn arrive(&mut self, now: Instant, id: ConnectionId, direction: Direction, delivery: Delivery) {
        let latency = match direction {
            Direction::ToCloud => self.latency.to_cloud,
            Direction::ToDevice => self.latency.to_device,
        };
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.on_their_way += 1;
        let wire = link.wire_mut(direction);
        if wire.stalled_until > now {
            self.counts.count(FaultKind::Stall);
        }
        let arrival = wire.last_arrival.max(wire.stalled_until.max(now) + latency);
        wire.last_arrival = arrival;
        self.send(arrival, delivery);
    }
}
