//! The client's half of an MQTT session: what outlives a network connection [MQTT-3.1.2-4].

use alloc::vec::Vec;

use crate::mqtt::{PacketId, QoS};

/// Packet ids and unacknowledged messages of a client.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionState {
    last_packet_id: u16,
    outgoing: Vec<Outgoing>,
    incoming_exactly_once: Vec<PacketId>,
    revision: u32,
}

impl PartialEq for SessionState {
    fn eq(&self, other: &SessionState) -> bool {
        self.last_packet_id == other.last_packet_id
            && self.outgoing == other.outgoing
            && self.incoming_exactly_once == other.incoming_exactly_once
    }
}

impl Eq for SessionState {}

/// An outbound QoS 1 or 2 message that is not fully acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) packet_id: PacketId,
    pub(crate) stage: Stage,
    /// What to tell when it is done; `None` when nobody waits for it.
    pub(crate) ticket: Option<u64>,
    /// Whether its end was told already. It stays until it is acknowledged, as its id is in use.
    pub(crate) abandoned: bool,
    /// The PUBLISH as it was first sent, DUP not set; empty from PUBREC on.
    pub(crate) packet: Vec<u8>,
}

/// What an outbound message waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::enum_variant_names,
    reason = "they are the names of the packets"
)]
pub(crate) enum Stage {
    PubAck,
    PubRec,
    PubComp,
}

impl Stage {
    /// The first acknowledgement of a PUBLISH; none for QoS 0.
    pub(crate) fn of(qos: QoS) -> Option<Stage> {
        match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce => Some(Stage::PubAck),
            QoS::ExactlyOnce => Some(Stage::PubRec),
        }
    }
}

impl SessionState {
    /// A session whose next packet id is `next`; 0 stands for 1. For continuing a numbering that
    /// is already under way, as the excerpt of a recording.
    #[must_use]
    pub(crate) fn starting_at(next: u16) -> SessionState {
        let last_packet_id = next.saturating_sub(1);
        SessionState {
            last_packet_id,
            ..SessionState::default()
        }
    }

    /// Made of what was stored.
    pub(crate) fn restored(
        last_packet_id: u16,
        outgoing: Vec<Outgoing>,
        incoming_exactly_once: Vec<PacketId>,
    ) -> SessionState {
        SessionState {
            last_packet_id,
            outgoing,
            incoming_exactly_once,
            revision: 0,
        }
    }

    /// The packet id given out last.
    pub(crate) fn last_packet_id(&self) -> u16 {
        self.last_packet_id
    }

    /// The outbound messages that are not fully acknowledged, in the order in which they were sent.
    pub(crate) fn outgoing(&self) -> &[Outgoing] {
        // Without the feature none gets there, which the compiler cannot know.
        if cfg!(feature = "messages") {
            &self.outgoing
        } else {
            &[]
        }
    }

    /// The same, to change them.
    pub(crate) fn outgoing_mut(&mut self) -> &mut Vec<Outgoing> {
        self.revision = self.revision.wrapping_add(1);
        &mut self.outgoing
    }

    /// The inbound QoS 2 messages that the server has not released.
    pub(crate) fn incoming_exactly_once(&self) -> &[PacketId] {
        if cfg!(feature = "messages") {
            &self.incoming_exactly_once
        } else {
            &[]
        }
    }

    /// The same, to change them.
    pub(crate) fn incoming_exactly_once_mut(&mut self) -> &mut Vec<PacketId> {
        self.revision = self.revision.wrapping_add(1);
        &mut self.incoming_exactly_once
    }

    /// Grows with every change of the messages kept here. Packet ids alone need not survive: only
    /// those of kept messages are in use.
    pub(crate) fn revision(&self) -> u64 {
        self.revision.into()
    }

    /// The next packet id: one more than the last, but never 0 and never one that an
    /// unacknowledged message or anything in `also_used` holds [MQTT-2.3.1-2].
    ///
    /// The caller bounds both lists far below 65,535 together, so there is always a free one.
    pub(crate) fn next_packet_id(&mut self, also_used: impl Fn(PacketId) -> bool) -> PacketId {
        loop {
            self.last_packet_id = self.last_packet_id.wrapping_add(1);
            if let Some(id) = PacketId::new(self.last_packet_id)
                && !also_used(id)
                && !self
                    .outgoing()
                    .iter()
                    .any(|message| message.packet_id == id)
            {
                return id;
            }
        }
    }

    /// Nobody waits for this message any more.
    pub(crate) fn abandon(&mut self, ticket: u64) {
        let of_ticket = |message: &Outgoing| message.ticket == Some(ticket);
        let index = self.outgoing().iter().position(of_ticket);
        if let Some(message) = index.and_then(|index| self.outgoing.get_mut(index)) {
            message.ticket = None;
            message.abandoned = true;
            self.revision = self.revision.wrapping_add(1);
        }
    }

    /// The tickets are of an engine that is no more.
    pub(crate) fn forget_tickets(&mut self) {
        for message in &mut self.outgoing {
            message.ticket = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(not(feature = "messages"), ignore = "no message holds a packet id")]
    fn packet_ids_wrap_and_skip_those_in_use() {
        let mut session = SessionState::starting_at(65_535);
        let id = |number| PacketId::new(number).unwrap();
        for (number, stage) in [(1, Stage::PubAck), (3, Stage::PubComp)] {
            let packet = Vec::new();
            session.outgoing.push(Outgoing {
                packet_id: id(number),
                stage,
                ticket: None,
                abandoned: false,
                packet,
            });
        }
        let mut next = || session.next_packet_id(|used| used == id(4)).get();
        assert_eq!([next(), next(), next(), next()], [65_535, 2, 5, 6]);
    }
}
