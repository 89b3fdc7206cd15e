//! Reads along what goes over a connection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shadow_core::Instant;
use shadow_core::mqtt::Packet;
use transport_mock::observe::{Observation, ObservingConnector};
use transport_tcp::{Clock, Connector};

use super::packet::Essence;

/// How many packets may wait to be told; more are dropped and counted.
const MAXIMUM_WAITING: usize = 1_000;

/// Who is at this end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Device,
    Application,
}

/// A packet that went by.
#[derive(Clone, Debug)]
pub(super) struct Passed {
    pub(super) at: Instant,
    pub(super) who: Who,
    /// Whether it went to the server.
    pub(super) sent: bool,
    /// The packet's name in the specification, as in `PUBLISH`.
    pub(super) kind: String,
    pub(super) essence: Essence,
    /// Of a PUBLISH.
    pub(super) topic: Option<String>,
    /// Of a PUBLISH.
    pub(super) payload: Option<Vec<u8>>,
}

/// Collects the packets of several connections in the order in which they went by.
#[derive(Clone)]
pub(super) struct Tap<K> {
    clock: K,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    packets: VecDeque<Passed>,
    dropped: usize,
}

impl<K: Clock> Tap<K> {
    pub(super) fn new(clock: K) -> Tap<K> {
        Tap {
            clock,
            waiting: Arc::default(),
        }
    }

    /// The same connector, read along.
    pub(super) fn on<C: Connector>(
        &self,
        connector: C,
        who: Who,
    ) -> ObservingConnector<C, impl FnMut(Observation<'_>) + Clone + Send + use<C, K>> {
        let tap = self.clone();
        ObservingConnector::new(
            connector,
            move |observation: Observation<'_>| match observation {
                Observation::Sent(packet) => tap.pass(who, true, packet),
                Observation::Received(packet) => tap.pass(who, false, packet),
                _ => {}
            },
        )
    }

    /// What went by since the last call, and how many packets beside could not be kept.
    pub(super) fn take(&self) -> (VecDeque<Passed>, usize) {
        let Waiting { packets, dropped } = std::mem::take(&mut *self.lock());
        (packets, dropped)
    }

    fn pass(&self, who: Who, sent: bool, packet: &Packet<'_>) {
        let (topic, payload) = match packet {
            Packet::Publish(publish) => (
                Some(publish.topic.to_owned()),
                Some(publish.payload.to_vec()),
            ),
            _ => (None, None),
        };
        let passed = Passed {
            at: self.clock.now(),
            who,
            sent,
            kind: packet.kind().to_string(),
            essence: Essence::of(packet),
            topic,
            payload,
        };
        let mut waiting = self.lock();
        if waiting.packets.len() < MAXIMUM_WAITING {
            waiting.packets.push_back(passed);
        } else {
            waiting.dropped += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing can panic between two of its states.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
