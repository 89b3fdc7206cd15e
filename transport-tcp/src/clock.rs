//! Where a driver's time comes from.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
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
        Some(WallTime::UNIX_EPOCH + since_1970)
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

/// A sleep that is kept from one wait to the next, for loops whose deadline moves with everything
/// that they do.
///
/// Each new sleep costs a look through the timers and, with async-io, two system calls and a turn
/// of the loop for nothing. The deadline of a busy link mostly moves to later: then the sleep stays
/// as it is, and when it ends early, the rest is slept. Only a deadline that is earlier takes a new
/// one.
///
/// ```
/// use std::future::poll_fn;
/// use std::time::Duration;
///
/// use transport_tcp::{Alarm, Clock, SystemClock};
///
/// let (clock, mut alarm) = (SystemClock::new(), Alarm::new());
/// smol::block_on(async {
///     for deadline in [Duration::from_millis(2), Duration::from_millis(5)] {
///         let deadline = clock.now() + deadline;
///         poll_fn(|cx| alarm.poll(cx, &clock, Some(deadline))).await;
///         assert!(clock.now() >= deadline);
///     }
/// });
/// ```
#[derive(Default)]
pub struct Alarm {
    set: Option<Sleep>,
}

struct Sleep {
    until: Instant,
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Alarm {
    /// One that is not set.
    #[must_use]
    pub fn new() -> Alarm {
        Alarm::default()
    }

    /// Ready when `deadline` has come; `None` is never. Otherwise the task is woken then, or
    /// earlier; the deadline may be another each time.
    ///
    /// All calls are to be made with the same clock.
    pub fn poll<K: Clock>(
        &mut self,
        cx: &mut Context<'_>,
        clock: &K,
        deadline: Option<Instant>,
    ) -> Poll<()> {
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        loop {
            let sleep = match &mut self.set {
                Some(sleep) if sleep.until <= deadline => sleep,
                set => {
                    let clock = clock.clone();
                    set.insert(Sleep {
                        until: deadline,
                        future: Box::pin(async move { clock.sleep_until(deadline).await }),
                    })
                }
            };
            ready!(sleep.future.as_mut().poll(cx));
            self.set = None;
            if clock.now() >= deadline {
                return Poll::Ready(());
            }
        }
    }
}

/// When it goes off.
impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = self.set.as_ref().map(|sleep| sleep.until);
        f.debug_struct("Alarm").field("set", &until).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::task::Waker;

    use super::*;

    /// A clock that counts how often somebody went to sleep.
    #[derive(Clone, Default)]
    struct Counting(Arc<Mutex<(Instant, u32)>>);

    impl Clock for Counting {
        fn now(&self) -> Instant {
            self.0.lock().unwrap().0
        }

        fn wall_time(&self) -> Option<WallTime> {
            None
        }

        async fn sleep_until(&self, at: Instant) {
            self.0.lock().unwrap().1 += 1;
            let due = |_: &mut Context<'_>| match self.now() >= at {
                true => Poll::Ready(()),
                false => Poll::Pending,
            };
            std::future::poll_fn(due).await;
        }
    }

    #[test]
    fn only_an_earlier_deadline_takes_a_new_sleep() {
        let (clock, mut alarm) = (Counting::default(), Alarm::new());
        let mut cx = Context::from_waker(Waker::noop());
        let mut due = |now: u64, deadline: Option<u64>| {
            clock.0.lock().unwrap().0 = Instant::from_secs(now);
            let deadline = deadline.map(Instant::from_secs);
            let due = alarm.poll(&mut cx, &clock, deadline).is_ready();
            (due, clock.0.lock().unwrap().1)
        };
        assert_eq!(due(0, None), (false, 0));
        assert_eq!(due(0, Some(10)), (false, 1));
        assert_eq!(due(1, Some(11)), (false, 1), "later");
        assert_eq!(due(2, Some(5)), (false, 2), "earlier");
        assert_eq!(due(3, Some(12)), (false, 2));
        assert_eq!(due(5, Some(12)), (false, 3), "the earlier sleep has ended");
        assert_eq!(due(6, None), (false, 3));
        assert_eq!(due(12, Some(12)), (true, 3));
        assert_eq!(due(12, Some(12)), (true, 4), "of the past");
        assert_eq!(due(20, Some(30)), (false, 5));
        assert_eq!(due(40, Some(35)), (true, 5), "both have passed");
    }
}
