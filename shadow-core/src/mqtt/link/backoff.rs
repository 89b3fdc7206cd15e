//! When to connect again.

use core::time::Duration;

use crate::random::Random;

/// When to connect again: the n-th try in a row waits between half and all of
/// `initial` · 2^(n-1), at most `maximum`. It never gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Wait before the first try again. Default 1 s.
    pub initial: Duration,
    /// Longest wait. Default 60 s.
    pub maximum: Duration,
    /// How long a link must have been up for the next wait to be `initial` again. Default 5 s, the
    /// vendor's floor between two connects of one device (vendor doc 634/15241).
    pub stable_after: Duration,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff {
            initial: Duration::from_secs(1),
            maximum: Duration::from_secs(60),
            stable_after: Duration::from_secs(5),
        }
    }
}

impl Backoff {
    /// The wait before try number `failures` (from 1) in a row.
    pub(crate) fn delay(&self, failures: u32, random: &mut Random) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let nominal = self
            .initial
            .saturating_mul(1 << doublings)
            .min(self.maximum);
        let micros = u64::try_from(nominal.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(micros - micros / 2 + random.below(micros / 2 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_maximum_with_jitter_below() {
        let backoff = Backoff::default();
        let mut random = Random::new(1);
        for (failures, nominal) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (100, 60)] {
            let nominal = Duration::from_secs(nominal);
            let delays: [Duration; 100] =
                core::array::from_fn(|_| backoff.delay(failures, &mut random));
            assert!(
                delays
                    .iter()
                    .all(|delay| *delay >= nominal / 2 && *delay <= nominal)
            );
            assert!(
                delays.iter().any(|delay| *delay < nominal * 6 / 10),
                "no jitter"
            );
            assert!(
                delays.iter().any(|delay| *delay > nominal * 9 / 10),
                "no jitter"
            );
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        let backoff = Backoff {
            initial: Duration::MAX,
            maximum: Duration::MAX,
            ..Backoff::default()
        };
        assert!(backoff.delay(u32::MAX, &mut Random::new(1)) > Duration::from_secs(1));
        let none = Backoff {
            initial: Duration::ZERO,
            ..backoff
        };
        assert_eq!(none.delay(3, &mut Random::new(1)), Duration::ZERO);
    }
}
