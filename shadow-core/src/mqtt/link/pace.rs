//! How fast messages may leave.

use core::num::NonZeroU32;
use core::time::Duration;

use crate::time::Instant;

/// A token bucket for messages: `n` a second, of which up to `n` may leave at once when none has
/// left for a second.
///
/// Kept as the instant at which the bucket is full again, so nothing has to be added while time
/// passes. Times between two messages are rounded up to whole microseconds: the rate is never
/// above what was asked for. Without a rate everything may leave at any time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// When the bucket is full.
    full_at: Instant,
    /// Microseconds in which one message's room comes back.
    interval: u32,
    /// Microseconds that `full_at` may lie ahead for another message to leave: one message less
    /// than a bucket.
    slack: u32,
}

const MICROSECONDS: u32 = 1_000_000;

impl Pace {
    pub(crate) fn new(messages_per_second: Option<NonZeroU32>) -> Pace {
        let interval = messages_per_second.map_or(0, |rate| MICROSECONDS.div_ceil(rate.get()));
        let burst = messages_per_second.map_or(1, NonZeroU32::get);
        // At rates that microseconds cannot tell apart the bucket is still that of a second.
        let slack = interval.saturating_mul(burst - 1).min(MICROSECONDS);
        Pace {
            full_at: Instant::ZERO,
            interval,
            slack,
        }
    }

    /// Whether a message may leave.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        self.full_at <= now + micros(self.slack)
    }

    /// A message leaves.
    pub(crate) fn take(&mut self, now: Instant) {
        self.full_at = self.full_at.max(now) + micros(self.interval);
    }

    /// When the next message may leave, if it may not yet.
    pub(crate) fn opens_at(&self) -> Instant {
        Instant::from_micros(self.full_at.as_micros().saturating_sub(self.slack.into()))
    }
}

fn micros(micros: u32) -> Duration {
    Duration::from_micros(micros.into())
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// When `count` messages leave that all want to at `start`, in microseconds after it.
    fn leave(pace: &mut Pace, start: Instant, count: usize) -> Vec<u64> {
        let mut now = start;
        let mut times = Vec::new();
        for _ in 0..count {
            if !pace.is_open(now) {
                let opens = pace.opens_at();
                assert!(opens > now);
                now = opens;
                assert!(pace.is_open(now));
                let before = Instant::from_micros(now.as_micros() - 1);
                assert!(!pace.is_open(before), "it opened before it said so");
            }
            pace.take(now);
            times.push(now.as_micros() - start.as_micros());
        }
        times
    }

    #[test]
    fn a_bucket_empties_at_once_and_fills_evenly() {
        for start in [Instant::ZERO, Instant::from_secs(1_000)] {
            let mut pace = Pace::new(NonZeroU32::new(4));
            let times = leave(&mut pace, start, 7);
            assert_eq!(times, [0, 0, 0, 0, 250_000, 500_000, 750_000]);
            // Half a second later there is room for two.
            let later = Instant::from_micros(start.as_micros() + 1_250_000);
            assert_eq!(leave(&mut pace, later, 3), [0, 0, 250_000]);
            // However long nothing leaves, there is never room for more than four.
            let later = Instant::from_secs(100_000);
            assert_eq!(leave(&mut pace, later, 5), [0, 0, 0, 0, 250_000]);
        }
    }

    #[test]
    fn no_second_has_more_than_the_burst_and_the_rate() {
        for rate in [1, 3, 7, 30, 999, 1_000_000] {
            let mut pace = Pace::new(NonZeroU32::new(rate));
            let rate = rate as usize;
            let times = leave(&mut pace, Instant::ZERO, rate * 2 + 1);
            assert!(times.iter().take(rate).all(|at| *at == 0));
            assert!(
                times.last() >= Some(&1_000_000),
                "{rate}: {:?}",
                times.last()
            );
        }
    }

    #[test]
    fn without_a_rate_everything_leaves() {
        let mut pace = Pace::new(None);
        assert_eq!(leave(&mut pace, Instant::ZERO, 1_000), [0; 1_000]);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut pace = Pace::new(Some(NonZeroU32::MAX));
        pace.take(Instant::from_micros(u64::MAX));
        assert!(pace.is_open(Instant::from_micros(u64::MAX)));
    }
}
