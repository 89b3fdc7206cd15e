//! What an engine does by itself.

use std::hint::black_box;
use std::time::{Duration, Instant as RealInstant};

use shadow_core::Instant;
use transport_mock::cloud::example_device;

use crate::exchange::{LOGIN, next};
use crate::{Device, Exchange, Kind};

/// An engine whose replies were made before.
///
/// A twin of it asks the same of the cloud; as both are of one seed their requests are the same,
/// tokens and all, and what the cloud has answered to the one is the answer to the other. So
/// nothing has to be taken off what is timed, and nothing is left out but the stream.
#[derive(Debug)]
pub struct Alone {
    now: Instant,
    device: Device,
    twin: Exchange,
    outgoing: Vec<u8>,
    replies: Vec<u8>,
    /// The ends of each round's replies in `replies`.
    ends: Vec<usize>,
}

/// As many round trips are prepared at a time: their replies stay in a core's cache.
const PREPARED: usize = 512;

impl Alone {
    /// Both are logged in.
    #[must_use]
    pub fn new() -> Alone {
        let mut alone = Alone {
            now: Instant::ZERO,
            device: Device::new(&example_device()),
            twin: Exchange::begin(),
            outgoing: Vec::new(),
            replies: Vec::new(),
            ends: Vec::new(),
        };
        for _ in 0..LOGIN {
            alone.device.send(alone.now, &mut alone.outgoing);
            alone.twin.carry();
            alone.device.receive(alone.now, alone.twin.replies());
        }
        alone
    }

    /// At least so many round trips; how many, and how long the engine took: from the request to
    /// its bytes and from the reply's bytes to the event, each with the deadline to wait for.
    ///
    /// # Panics
    /// If one of them does not end with an accepted reply.
    pub fn round_trips(&mut self, kind: Kind, count: usize, in_flight: usize) -> (usize, Duration) {
        let mut ended = 0;
        let mut taken = Duration::ZERO;
        while ended < count {
            self.prepare(kind, in_flight);
            let begun = RealInstant::now();
            ended += self.play(kind, in_flight);
            taken += begun.elapsed();
        }
        (ended, taken)
    }

    fn prepare(&mut self, kind: Kind, in_flight: usize) {
        self.replies.clear();
        self.ends.clear();
        for _ in 0..PREPARED / in_flight {
            self.twin.round(kind, in_flight);
            self.replies.extend_from_slice(self.twin.replies());
            self.ends.push(self.replies.len());
        }
    }

    fn play(&mut self, kind: Kind, in_flight: usize) -> usize {
        let mut ended = 0;
        let mut start = 0;
        for end in &self.ends {
            self.now = next(self.now);
            for _ in 0..in_flight {
                self.device.ask(self.now, kind);
            }
            self.outgoing.clear();
            self.device.send(self.now, &mut self.outgoing);
            black_box(&self.outgoing);
            let replies = self.replies.get(start..*end).unwrap_or_default();
            ended += self.device.receive(self.now, replies);
            start = *end;
        }
        assert_eq!(
            ended,
            self.ends.len() * in_flight,
            "every request is answered"
        );
        ended
    }
}

impl Default for Alone {
    fn default() -> Alone {
        Alone::new()
    }
}
