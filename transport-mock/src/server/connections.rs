//! All connections of a server, and what is asked of all of them at once.

use std::collections::{BTreeMap, BTreeSet};

use shadow_core::Instant;
use shadow_core::mqtt::StreamDecoder;

use super::connection::Connection;
use super::outbox::Outbox;
use super::{ConnectionId, ServerTransmit};

/// The connections, which of them have something to send, and when each of them is due.
///
/// With a hundred thousand of them nothing may look at each: the next deadline and the next
/// connection with output are kept in order instead. All changes that bear on them go through
/// [`change`](Self::change) and [`pop`](Self::pop), so that they stay in order.
#[derive(Debug, Default)]
pub(super) struct Connections {
    all: BTreeMap<ConnectionId, Box<Entry>>,
    deadlines: BTreeSet<(Instant, ConnectionId)>,
    with_output: BTreeSet<ConnectionId>,
    /// Empty ones with their buffers: most connections have nothing to send and hold none, and the
    /// next one that has something need not ask for memory.
    #[expect(
        clippy::vec_box,
        reason = "they move into an entry and back box and all"
    )]
    spare: Vec<Box<Outbox>>,
}

#[derive(Debug)]
struct Entry {
    connection: Connection,
    /// `None` while nothing waits to leave.
    outbox: Option<Box<Outbox>>,
}

/// How many empty outboxes are kept.
const SPARE: usize = 64;

impl Connections {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.all.get(&id).map(|entry| &entry.connection)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ConnectionId> {
        self.all.keys().copied()
    }

    /// Those that have something to send, the oldest first.
    pub(super) fn with_output(&self) -> impl Iterator<Item = ConnectionId> {
        self.with_output.iter().copied()
    }

    /// When the first of them is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Those that are due, the oldest connection first.
    pub(super) fn due(&self, now: Instant) -> Vec<ConnectionId> {
        let due = self.deadlines.iter().take_while(|(at, _)| *at <= now);
        let mut due: Vec<ConnectionId> = due.map(|(_, id)| *id).collect();
        due.sort_unstable();
        due
    }

    pub(super) fn insert(&mut self, id: ConnectionId, connection: Connection) {
        if let Some(at) = connection.deadline() {
            self.deadlines.insert((at, id));
        }
        let entry = Entry {
            connection,
            outbox: None,
        };
        self.all.insert(id, Box::new(entry));
    }

    pub(super) fn remove(&mut self, id: ConnectionId) {
        if let Some(entry) = self.all.remove(&id) {
            if let Some(at) = entry.connection.deadline() {
                self.deadlines.remove(&(at, id));
            }
            self.with_output.remove(&id);
        }
    }

    /// Changes a connection and what waits to leave on it; `None` if there is none of this id.
    pub(super) fn change<T>(
        &mut self,
        id: ConnectionId,
        change: impl FnOnce(&mut Connection, &mut Outbox) -> T,
    ) -> Option<T> {
        let Entry { connection, outbox } = &mut **self.all.get_mut(&id)?;
        let due_before = connection.deadline();
        let had_output = outbox.is_some();
        let mut taken = outbox
            .take()
            .or_else(|| self.spare.pop())
            .unwrap_or_default();
        let result = change(connection, &mut taken);
        let due = connection.deadline();
        if due != due_before {
            due_before.map(|at| self.deadlines.remove(&(at, id)));
            due.map(|at| self.deadlines.insert((at, id)));
        }
        if !taken.is_empty() {
            *outbox = Some(taken);
            if !had_output {
                self.with_output.insert(id);
            }
        } else {
            if had_output {
                self.with_output.remove(&id);
            }
            if self.spare.len() < SPARE {
                taken.shrink();
                self.spare.push(taken);
            }
        }
        Some(result)
    }

    /// As [`Connection::take_decoder`]; `None` also if there is none of this id.
    pub(super) fn take_decoder(
        &mut self,
        id: ConnectionId,
        maximum_packet_size: usize,
    ) -> Option<StreamDecoder> {
        let entry = self.all.get_mut(&id)?;
        entry.connection.take_decoder(maximum_packet_size)
    }

    /// As [`Connection::put_decoder`].
    pub(super) fn put_decoder(&mut self, id: ConnectionId, decoder: StreamDecoder) {
        if let Some(entry) = self.all.get_mut(&id) {
            entry.connection.put_decoder(decoder);
        }
    }

    /// Takes the next thing to do on a connection, which is gone when that is to close it.
    pub(super) fn pop(&mut self, id: ConnectionId, buffer: &mut Vec<u8>) -> Option<ServerTransmit> {
        let transmit = self.change(id, |_, outbox| outbox.pop(buffer))??;
        if transmit == ServerTransmit::Close {
            self.remove(id);
        }
        Some(transmit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::connection::Phase;

    /// What is kept in order is what a look at every connection would find.
    fn assert_in_order(connections: &Connections) {
        let entries = || connections.all.iter();
        let deadlines = entries().filter_map(|(id, e)| Some((e.connection.deadline()?, *id)));
        assert_eq!(connections.deadlines, deadlines.collect());
        let with_output =
            entries().filter(|(_, e)| e.outbox.as_ref().is_some_and(|o| !o.is_empty()));
        assert_eq!(
            connections.with_output,
            with_output.map(|(id, _)| *id).collect()
        );
        assert!(entries().all(|(_, e)| e.outbox.as_ref().is_none_or(|o| !o.is_empty())));
    }

    #[test]
    fn deadlines_and_output_stay_in_order() {
        let mut connections = Connections::default();
        let at = Instant::from_secs;
        for (id, due) in [(0, 9), (1, 3), (2, 9), (3, 1)] {
            connections.insert(ConnectionId(id), Connection::new(at(due)));
            assert_in_order(&connections);
        }
        assert_eq!(connections.deadline(), Some(at(1)));
        assert_eq!(connections.due(at(3)), [ConnectionId(1), ConnectionId(3)]);
        let later = |connection: &mut Connection, _: &mut Outbox| {
            connection.phase = Phase::Opening { deadline: at(20) };
        };
        connections.change(ConnectionId(3), later);
        assert_in_order(&connections);
        assert_eq!(connections.due(at(9)).len(), 3);
        for id in [2, 0] {
            connections.change(ConnectionId(id), |c, outbox| c.close(outbox));
            assert_in_order(&connections);
        }
        assert!(
            connections
                .with_output()
                .eq([ConnectionId(0), ConnectionId(2)])
        );
        let mut buffer = Vec::new();
        let closed = connections.pop(ConnectionId(0), &mut buffer);
        assert_eq!(closed, Some(ServerTransmit::Close));
        assert_in_order(&connections);
        connections.remove(ConnectionId(2));
        connections.remove(ConnectionId(1));
        assert_in_order(&connections);
        assert_eq!(connections.len(), 1);
        assert_eq!(connections.pop(ConnectionId(3), &mut buffer), None);
    }
}
