//! Clocks that do not keep a test waiting.

use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_lite::future;
use shadow_core::{Instant, WallTime};
use transport_tcp::{Clock, SystemClock};

/// The system's clock, a hundred times as fast.
#[derive(Clone)]
pub(crate) struct FastClock(pub(crate) SystemClock);

impl Clock for FastClock {
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.now().as_micros() * 100)
    }

    fn wall_time(&self) -> Option<WallTime> {
        self.0.wall_time()
    }

    async fn sleep_until(&self, at: Instant) {
        let at = Instant::from_micros(at.as_micros().div_ceil(100));
        self.0.sleep_until(at).await;
    }
}

/// A clock that a test moves.
#[derive(Clone, Default)]
pub(crate) struct ManualClock(Arc<Mutex<(Instant, Vec<Waker>)>>);

impl ManualClock {
    pub(crate) fn advance(&self, by: Duration) {
        let mut state = self.0.lock().unwrap();
        state.0 += by;
        state.1.drain(..).for_each(Waker::wake);
    }

    /// Advances as long as it is polled.
    pub(crate) async fn keep_moving<T>(&self) -> T {
        loop {
            self.advance(Duration::from_millis(100));
            future::yield_now().await;
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.0.lock().unwrap().0
    }

    fn wall_time(&self) -> Option<WallTime> {
        Some(WallTime::from_unix_millis(1_700_000_000_000))
    }

    async fn sleep_until(&self, at: Instant) {
        future::poll_fn(|cx| {
            let mut state = self.0.lock().unwrap();
            if state.0 >= at {
                return Poll::Ready(());
            }
            state.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
