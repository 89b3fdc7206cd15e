//! Where a driver's time comes from.

use std::future::Future;
use std::time::{SystemTime, UNIX_EPOCH};

use async_io::Timer;
use shadow_core::{Instant, WallTime};

/// The time as a [`Driver`](crate::Driver) sees it.
///
/// All clones of a clock show the same time.
pub trait Clock: Clone + Send + Sync + 'static {
    /// The monotonic time, from an epoch of the clock's choice.
    fn now(&self) -> Instant;

    /// The wall time; `None` as long as the device does not know it.
    fn wall_time(&self) -> Option<WallTime>;

    /// Ends when [`now`](Clock::now) is at or after `at`; at once where it already is. Dropping the
    /// future before is harmless.
    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + Send;
}

/// The operating system's clocks and async-io's timers. Its epoch is its making.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    epoch: std::time::Instant,
}

impl SystemClock {
    /// A clock that shows [`Instant::ZERO`] now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the monotonic clock"
    )]
    pub fn new() -> SystemClock {
        SystemClock {
            epoch: std::time::Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the monotonic clock"
    )]
    fn now(&self) -> Instant {
        let since_epoch = std::time::Instant::now().saturating_duration_since(self.epoch);
        Instant::ZERO + since_epoch
    }

    /// `None` when the system's clock shows a time before 1970.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    fn wall_time(&self) -> Option<WallTime> {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        Some(WallTime::from_unix_millis(0) + since_1970)
    }

    async fn sleep_until(&self, at: Instant) {
        let since_epoch = at.saturating_since(Instant::ZERO);
        match self.epoch.checked_add(since_epoch) {
            Some(at) => {
                Timer::at(at).await;
            }
            // Beyond what the operating system can express: never.
            None => std::future::pending().await,
        }
    }
}
