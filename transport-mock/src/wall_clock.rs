//! The cloud's wall clock, from one reading of it.

use shadow_core::{Instant, WallTime};

/// Tells the wall time at any instant, from what it was at one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    at: Instant,
    wall: WallTime,
}

impl WallClock {
    pub(crate) fn new(at: Instant, wall: WallTime) -> WallClock {
        WallClock { at, wall }
    }

    /// The wall time at `now`; before the reading, that of the reading.
    pub(crate) fn at(&self, now: Instant) -> WallTime {
        self.wall + now.saturating_since(self.at)
    }
}
