//! What a connection is doing, to be looked at.

use alloc::vec::Vec;

use super::{Connection, ConnectionTimer, State};
use crate::engine::{InspectedLink, QueuedTransmit};
use crate::mqtt::{PacketId, PacketKind};
use crate::time::Instant;

impl Connection {
    pub(crate) fn inspect(&self) -> InspectedLink {
        match &self.state {
            State::Waiting { until } => InspectedLink::Waiting { until: *until },
            State::Connecting { deadline } => InspectedLink::Connecting {
                deadline: *deadline,
            },
            State::Handshake { deadline, .. } => InspectedLink::Handshake {
                deadline: *deadline,
            },
            State::Online(online) => InspectedLink::Online {
                since: online.since,
                last_sent: online.activity.sent,
                last_received: online.activity.received,
                ping_response_by: online.ping_response_by,
            },
            State::Closed => InspectedLink::Closed,
        }
    }

    /// What waits for the transport, the next one first.
    pub(crate) fn inspect_queue(&self) -> Vec<QueuedTransmit> {
        self.outbox.inspect()
    }

    /// The SUBSCRIBEs and UNSUBSCRIBEs that are not acknowledged.
    pub(crate) fn inspect_awaiting(&self) -> Vec<(PacketKind, PacketId)> {
        match &self.state {
            State::Online(online) => {
                let awaiting = online.awaiting.iter();
                awaiting.map(|one| (one.kind, one.packet_id)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Every timer that runs, in no order.
    pub(crate) fn inspect_timers(&self) -> Vec<(ConnectionTimer, Instant)> {
        let mut timers = Vec::new();
        match &self.state {
            State::Online(online) => {
                timers.extend(online.alive_deadline(&self.settings));
                let awaiting = online.awaiting.iter();
                timers.extend(awaiting.map(|one| (ConnectionTimer::Acknowledgement, one.deadline)));
            }
            _ => timers.extend(self.state_deadline()),
        }
        if self.paced {
            timers.push((ConnectionTimer::Pace, self.pace.opens_at()));
        }
        timers
    }
}
