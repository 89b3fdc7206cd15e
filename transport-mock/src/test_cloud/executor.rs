//! Time and tasks: what runs until nobody can go on, and what happens then.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_lite::FutureExt;
use shadow_core::Instant;

use super::TestCloud;
use crate::clock::endless;

/// How much virtual time a future may take. A device that is never told anything still says PING,
/// so that time would go on for ever.
const LONGEST_RUN: Duration = Duration::from_secs(24 * 3_600);

/// How often tasks may be polled before they count as an endless loop: while no time passes, and
/// while a future runs that nobody said how long it takes.
const MAXIMUM_POLLS: u64 = 3_000_000;

/// How many lines of the trace a panic shows.
const SHOWN: usize = 20;

impl TestCloud {
    /// Runs a future, and with it all devices and tasks, until it ends and nothing more happens at
    /// that instant.
    ///
    /// # Panics
    /// When a task of [`spawn`](Self::spawn) or a firmware panics: with its panic. When the future
    /// has not ended after a day of virtual time or three million polls, when nothing will ever
    /// happen again, and when it is called from within itself.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.run_until(future, self.now() + LONGEST_RUN, Polls::InAll)
    }

    /// Lets time pass, however much happens in it.
    ///
    /// # Panics
    /// When a task panics, as [`run`](Self::run). When tasks were polled three million times while no
    /// time passed, and when it is called from within itself.
    pub fn run_for(&self, time: Duration) {
        let limit = self.now() + time + LONGEST_RUN;
        self.run_until(self.sleep(time), limit, Polls::AtOneInstant);
    }

    /// Runs what can run at this instant, unless everything is running already.
    pub(super) fn settle(&self) {
        if !self.running.get() {
            self.run(async {});
        }
    }

    fn run_until<T>(&self, future: impl Future<Output = T>, limit: Instant, bound: Polls) -> T {
        assert!(
            !self.running.replace(true),
            "TestCloud::run within itself: await the future instead"
        );
        let _running = Running(self);
        let mut future = pin!(future);
        let mut output = None;
        let awake = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&awake));
        let mut cx = Context::from_waker(&waker);
        let (mut began, mut polls) = (self.now(), 0);
        self.signal.raise();
        loop {
            polls += 1;
            if polls > MAXIMUM_POLLS {
                let passed = self.now().saturating_since(began);
                self.give_up(&endless(passed, MAXIMUM_POLLS));
            }
            let mut busy = self.signal.take();
            if busy {
                self.carry();
            }
            if output.is_none() && awake.0.swap(false, Ordering::Relaxed) {
                busy = true;
                if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
                    output = Some(value);
                }
            }
            busy |= self.executor.try_tick();
            self.panics.rethrow();
            if busy {
                continue;
            }
            if let Some(output) = output {
                return output;
            }
            match self.next_instant() {
                None => self.give_up("no task is awake and none sleeps"),
                Some(next) if next > limit => {
                    self.give_up("the future has not ended in a day of virtual time");
                }
                Some(next) => self.clock.advance_to(next),
            }
            if bound == Polls::AtOneInstant {
                (began, polls) = (self.now(), 0);
            }
            self.signal.raise();
        }
    }

    /// Lets happen in the network, the cloud and the devices' power what is due now.
    fn carry(&self) {
        let now = self.now();
        loop {
            self.lock().run_until(now);
            if let Some(fault) = self.take_due(now) {
                self.check(&fault);
                self.lock().inject(&fault);
            } else if !self.attend_devices() {
                return;
            }
        }
    }

    fn take_due(&self, now: Instant) -> Option<crate::simulation::fault::Fault> {
        let mut script = self.script.borrow_mut();
        let (_, fault) = script.pop_if(|(at, _)| *at <= now)?;
        Some(fault)
    }

    fn next_instant(&self) -> Option<Instant> {
        let scripted = self.script.borrow().last().map(|(at, _)| *at);
        let carried = self.lock().next_instant();
        let sleeper = self.clock.next_wake_up();
        [scripted, carried, sleeper, self.next_hearing()]
            .into_iter()
            .flatten()
            .min()
    }

    #[expect(
        clippy::panic,
        reason = "a test that can never end has to say so rather than hang"
    )]
    fn give_up(&self, why: &str) -> ! {
        let (now, last) = (self.now(), self.trace().last(SHOWN));
        panic!("the test cloud stands at {now}: {why}; last happened\n{last}");
    }
}

/// What [`MAXIMUM_POLLS`] bounds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Polls {
    InAll,
    AtOneInstant,
}

/// While something runs.
struct Running<'a>(&'a TestCloud);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.set(false);
    }
}

/// Whether the main future was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The first panic of a task, until the test has it.
#[derive(Clone, Default)]
pub(super) struct Panics {
    first: Rc<RefCell<Option<Box<dyn Any + Send>>>>,
}

impl Panics {
    /// The executor would keep a task's panic for whoever awaits it, which nobody does.
    pub(super) fn catch(
        &self,
        task: impl Future<Output = ()> + 'static,
    ) -> impl Future<Output = ()> + 'static {
        let panics = self.clone();
        async move {
            if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
                panics.first.borrow_mut().get_or_insert(panic);
            }
        }
    }

    fn rethrow(&self) {
        if let Some(panic) = self.first.take() {
            resume_unwind(panic);
        }
    }
}
