//! Time that passes only when nothing else can happen.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use shadow_core::{Instant, WallTime};
use smol::LocalExecutor;
use transport_tcp::Clock;

use crate::wall_clock::WallClock;

/// A clock that a test moves: for code that takes a [`Clock`].
///
/// [`run`](Self::run) polls all tasks until none of them can go on, and only then jumps to the next
/// instant at which one of them wants to be woken. Hours pass in no time, and two runs of the same
/// tasks are the same, poll by poll.
///
/// A sleep until an instant that has passed ends at the second poll: all others have a turn first, so
/// that a loop of such sleeps stops nobody. So poll a sleep again, rather than make one at each poll.
///
/// ```
/// use std::time::Duration;
///
/// use shadow_core::{Instant, WallTime};
/// use smol::LocalExecutor;
/// use transport_mock::VirtualClock;
/// use transport_tcp::Clock;
///
/// let clock = VirtualClock::new(WallTime::from_unix_millis(1_626_770_697_670));
/// let executor = LocalExecutor::new();
/// let slow = executor.spawn({
///     let clock = clock.clone();
///     async move {
///         clock.sleep_until(clock.now() + Duration::from_secs(3_600)).await;
///         clock.now()
///     }
/// });
/// let ended = clock.run(&executor, slow);
/// assert_eq!(ended, Instant::from_secs(3_600));
/// assert_eq!(clock.wall_time(), Some(WallTime::from_unix_millis(1_626_774_297_670)));
/// ```
#[derive(Clone, Debug)]
pub struct VirtualClock {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    now: Instant,
    wall: Option<WallClock>,
    /// Who sleeps until when; among those of one instant, who came first.
    sleepers: BTreeMap<(Instant, u64), Waker>,
    next_sleeper: u64,
}

/// How often tasks may be polled in one [`VirtualClock::run`] before it takes them for an endless
/// loop.
const MAXIMUM_POLLS: u64 = 10_000_000;

impl VirtualClock {
    /// A clock at [`Instant::ZERO`], at which it is `wall`.
    #[must_use]
    pub fn new(wall: WallTime) -> VirtualClock {
        VirtualClock::with_wall(Some(WallClock::new(Instant::ZERO, wall)))
    }

    /// A clock at [`Instant::ZERO`] that does not know the wall time, as that of a device without a
    /// battery.
    #[must_use]
    pub fn without_wall_time() -> VirtualClock {
        VirtualClock::with_wall(None)
    }

    fn with_wall(wall: Option<WallClock>) -> VirtualClock {
        let shared = Shared {
            now: Instant::ZERO,
            wall,
            sleepers: BTreeMap::new(),
            next_sleeper: 0,
        };
        VirtualClock {
            shared: Arc::new(Mutex::new(shared)),
        }
    }

    /// Sets the wall time that it is now.
    pub fn set_wall_time(&self, wall: WallTime) {
        let mut shared = self.lock();
        shared.wall = Some(WallClock::new(shared.now, wall));
    }

    /// Moves to `at` and wakes whoever slept until then, the earliest first. An `at` that has
    /// passed changes nothing.
    pub fn advance_to(&self, at: Instant) {
        let mut shared = self.lock();
        let now = shared.now.max(at);
        shared.now = now;
        let later = shared.sleepers.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut shared.sleepers, later);
        drop(shared);
        due.into_values().for_each(Waker::wake);
    }

    /// The next instant at which somebody wants to be woken.
    #[must_use]
    pub fn next_wake_up(&self) -> Option<Instant> {
        let shared = self.lock();
        shared.sleepers.keys().next().map(|(at, _)| *at)
    }

    /// Runs `main`, and with it the tasks of `executor`, until `main` ends.
    ///
    /// Tasks are polled in the order in which they were woken, and `main` in turn with them. Time
    /// moves only when none is awake.
    ///
    /// # Panics
    /// When nobody is awake and nobody sleeps, so that nothing will ever happen again: a deadlock,
    /// or a task that waits for something outside, as a socket or a thread. And when tasks were
    /// polled ten million times and `main` has not ended: they keep each other awake, or one sleeps
    /// again and again while `main` waits for nothing.
    #[expect(
        clippy::panic,
        reason = "a test that can never end has to say so rather than hang"
    )]
    pub fn run<T>(&self, executor: &LocalExecutor<'_>, main: impl Future<Output = T>) -> T {
        let mut main = pin!(main);
        let awake = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&awake));
        let mut cx = Context::from_waker(&waker);
        let (began, mut polls) = (self.now(), 0);
        loop {
            polls += 1;
            if polls > MAXIMUM_POLLS {
                let now = self.now();
                let why = endless(now.saturating_since(began), MAXIMUM_POLLS);
                panic!("the virtual clock stands at {now}: {why}");
            }
            let turn = awake.0.swap(false, Ordering::Relaxed);
            if turn && let Poll::Ready(output) = main.as_mut().poll(&mut cx) {
                return output;
            }
            if !executor.try_tick() && !turn {
                let Some(next) = self.next_wake_up() else {
                    let now = self.now();
                    panic!("the virtual clock stands at {now}: no task is awake and none sleeps");
                };
                self.advance_to(next);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // No code of others runs while it is held, so it is never left half changed.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        self.lock().now
    }

    fn wall_time(&self) -> Option<WallTime> {
        let shared = self.lock();
        shared.wall.map(|wall| wall.at(shared.now))
    }

    async fn sleep_until(&self, at: Instant) {
        let mut sleeper = Sleeper {
            clock: self,
            at,
            number: None,
            polled: false,
        };
        poll_fn(|cx| sleeper.poll(cx)).await;
    }
}

/// A place among the sleepers, given up when dropped.
struct Sleeper<'a> {
    clock: &'a VirtualClock,
    at: Instant,
    number: Option<u64>,
    polled: bool,
}

impl Sleeper<'_> {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        let first = !std::mem::replace(&mut self.polled, true);
        let mut shared = self.clock.lock();
        if self.at <= shared.now {
            if first {
                drop(shared);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(());
        }
        let number = *self.number.get_or_insert_with(|| {
            shared.next_sleeper += 1;
            shared.next_sleeper
        });
        shared
            .sleepers
            .insert((self.at, number), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.clock.lock().sleepers.remove(&(self.at, number));
        }
    }
}

/// Why tasks that were polled so often in so much virtual time will not end.
pub(crate) fn endless(passed: Duration, polls: u64) -> String {
    if passed.is_zero() {
        return "the tasks keep each other awake".to_owned();
    }
    let passed = passed.as_secs_f64();
    format!(
        "the future has not ended after {polls} polls in {passed} s of virtual time: it may wait for \
         what never comes while some task sleeps again and again"
    )
}

/// Whether the main future was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use futures_lite::future::{poll_once, yield_now};

    use super::*;

    fn clock() -> VirtualClock {
        VirtualClock::new(WallTime::from_unix_millis(1_000_000))
    }

    #[test]
    fn sleepers_wake_in_order_and_time_jumps() {
        let clock = clock();
        let log = RefCell::new(Vec::new());
        let executor = LocalExecutor::new();
        let tasks: Vec<_> = [("c", 3), ("a", 1), ("b", 1), ("z", 0)]
            .map(|(name, seconds)| {
                let (clock, log) = (&clock, &log);
                executor.spawn(async move {
                    clock.sleep_until(Instant::from_secs(seconds)).await;
                    log.borrow_mut().push((name, clock.now()));
                    yield_now().await;
                    log.borrow_mut().push((name, clock.now()));
                })
            })
            .into();
        clock.run(&executor, async {
            for task in tasks {
                task.await;
            }
        });
        let expected = [
            ("z", 0),
            ("z", 0),
            ("a", 1),
            ("b", 1),
            ("a", 1),
            ("b", 1),
            ("c", 3),
            ("c", 3),
        ];
        let expected = expected.map(|(name, seconds)| (name, Instant::from_secs(seconds)));
        assert_eq!(*log.borrow(), expected);
    }

    #[test]
    fn time_does_not_move_while_a_task_is_awake() {
        let clock = clock();
        let executor = LocalExecutor::new();
        let sleeping = executor.spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(Instant::from_secs(1)).await }
        });
        clock.run(&executor, async {
            for _ in 0..1_000 {
                yield_now().await;
                assert_eq!(clock.now(), Instant::ZERO);
            }
            sleeping.await;
            assert_eq!(clock.now(), Instant::from_secs(1));
        });
    }

    /// Above all the main future does not keep all others waiting.
    #[test]
    fn everybody_has_a_turn() {
        let clock = clock();
        let turns = Cell::new(0);
        let executor = LocalExecutor::new();
        executor
            .spawn(async {
                loop {
                    turns.set(turns.get() + 1);
                    yield_now().await;
                }
            })
            .detach();
        clock.run(&executor, async {
            for turn in 0..10 {
                assert_eq!(turns.get(), turn);
                yield_now().await;
            }
        });
    }

    #[test]
    fn dropped_sleep_wakes_nobody() {
        let clock = clock();
        let executor = LocalExecutor::new();
        clock.run(&executor, async {
            assert!(
                poll_once(clock.sleep_until(Instant::from_secs(9)))
                    .await
                    .is_none()
            );
            assert_eq!(clock.next_wake_up(), None);
        });
    }

    #[test]
    fn wall_time_runs_along_and_may_be_set_or_missing() {
        let clock = clock();
        clock.advance_to(Instant::from_millis(1_500));
        clock.advance_to(Instant::from_millis(500));
        assert_eq!(clock.now(), Instant::from_millis(1_500));
        assert_eq!(
            clock.wall_time(),
            Some(WallTime::from_unix_millis(1_001_500))
        );
        clock.set_wall_time(WallTime::from_unix_millis(5));
        clock.advance_to(clock.now() + Duration::from_millis(2));
        assert_eq!(clock.wall_time(), Some(WallTime::from_unix_millis(7)));
        assert_eq!(VirtualClock::without_wall_time().wall_time(), None);
    }

    #[test]
    #[should_panic(expected = "the virtual clock stands at 2.000000s: no task is awake")]
    fn deadlock_says_when() {
        let clock = clock();
        let executor = LocalExecutor::new();
        clock.run(&executor, async {
            clock.sleep_until(Instant::from_secs(2)).await;
            std::future::pending::<()>().await;
        });
    }

    /// One that always sleeps until then keeps nobody else waiting.
    #[test]
    fn sleep_until_what_has_passed_gives_others_a_turn() {
        let clock = clock();
        let turns = Cell::new(0);
        let executor = LocalExecutor::new();
        executor
            .spawn(async {
                loop {
                    turns.set(turns.get() + 1);
                    clock.sleep_until(Instant::ZERO).await;
                }
            })
            .detach();
        clock.run(&executor, async {
            for turn in 0..10 {
                assert_eq!(turns.get(), turn);
                clock.sleep_until(clock.now()).await;
            }
        });
        assert_eq!(clock.now(), Instant::ZERO);
    }

    #[test]
    #[should_panic(expected = "the virtual clock stands at 0.000000s: the tasks keep each other")]
    fn sleeping_until_what_has_passed_for_ever_ends() {
        let clock = clock();
        clock.run(&LocalExecutor::new(), async {
            loop {
                clock.sleep_until(Instant::ZERO).await;
            }
        });
    }

    #[test]
    #[should_panic(expected = "the future has not ended after 10000000 polls in ")]
    fn sleeping_again_and_again_for_ever_ends() {
        let clock = clock();
        let executor = LocalExecutor::new();
        executor
            .spawn(async {
                loop {
                    let next = clock.now() + Duration::from_millis(1);
                    clock.sleep_until(next).await;
                }
            })
            .detach();
        clock.run(&executor, std::future::pending::<()>());
    }
}
