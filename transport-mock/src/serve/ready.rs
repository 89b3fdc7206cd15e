//! Which of many connections can go on, and whether there may be more of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use crate::server::ConnectionId;

/// Remembers which connections were woken, and wakes the one task that serves them all.
///
/// A task that polled every connection each time it is woken would spend its time on those for
/// which nothing has happened. A listener that is asked without need costs even more: for an
/// `accept` that finds nobody the kernel makes a socket and drops it, which was a quarter of the
/// time that one round trip took.
#[derive(Debug, Default)]
pub(super) struct Ready {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Whether there may be somebody to accept.
    incoming: bool,
    woken: BTreeSet<ConnectionId>,
    /// Whom to wake; `None` once it was woken.
    task: Option<Waker>,
}

/// Nobody has looked for somebody to accept yet.
impl Default for State {
    fn default() -> State {
        State {
            incoming: true,
            woken: BTreeSet::new(),
            task: None,
        }
    }
}

impl Ready {
    /// Sets whom to wake.
    pub(super) fn set_task(&self, task: Waker) {
        let before = self.lock().task.replace(task);
        // Not under the lock: it may be the last trace of a task.
        drop(before);
    }

    /// A waker for one connection.
    pub(super) fn waker(self: &Arc<Self>, connection: ConnectionId) -> Waker {
        self.waker_of(Source::Connection(connection))
    }

    /// A waker for whoever is to be accepted.
    pub(super) fn incoming_waker(self: &Arc<Self>) -> Waker {
        self.waker_of(Source::Incoming)
    }

    fn waker_of(self: &Arc<Self>, source: Source) -> Waker {
        let ready = Arc::clone(self);
        Waker::from(Arc::new(SourceWaker { ready, source }))
    }

    /// Counts as if somebody might be accepted, without waking the task.
    pub(super) fn mark_incoming(&self) {
        self.lock().incoming = true;
    }

    /// Whether there may be somebody to accept since the last call.
    pub(super) fn take_incoming(&self) -> bool {
        std::mem::take(&mut self.lock().incoming)
    }

    /// Counts a connection as woken, without waking the task.
    pub(super) fn mark(&self, connection: ConnectionId) {
        self.lock().woken.insert(connection);
    }

    /// The connections that were woken since the last call.
    pub(super) fn take(&self) -> BTreeSet<ConnectionId> {
        std::mem::take(&mut self.lock().woken)
    }

    fn wake(&self, source: Source) {
        let mut state = self.lock();
        match source {
            Source::Incoming => state.incoming = true,
            Source::Connection(connection) => drop(state.woken.insert(connection)),
        }
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of others runs while it is held, so it is never left half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who can wake the task.
#[derive(Clone, Copy, Debug)]
enum Source {
    Incoming,
    Connection(ConnectionId),
}

struct SourceWaker {
    ready: Arc<Ready>,
    source: Source,
}

impl Wake for SourceWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.wake(self.source);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::server::{Server, ServerConfig};
    use shadow_core::{Instant, WallTime};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_task_is_woken_once_for_all_that_wake_it() {
        let wall = WallTime::from_unix_millis(0);
        let mut server = Server::new(ServerConfig::default(), Instant::ZERO, wall);
        let [first, second] = [(); 2].map(|()| server.accept(Instant::ZERO));
        let (ready, count) = (Arc::new(Ready::default()), Arc::new(Count::default()));
        let wakes = || count.0.load(Ordering::Relaxed);
        ready.set_task(Waker::from(Arc::clone(&count)));
        ready.mark(second);
        assert_eq!(wakes(), 0);
        ready.waker(second).wake();
        ready.waker(first).wake_by_ref();
        assert_eq!(wakes(), 1);
        assert_eq!(ready.take(), BTreeSet::from([first, second]));
        assert!(ready.take().is_empty());
        // Until it asks again nobody is woken, and nothing is forgotten.
        ready.waker(first).wake();
        assert_eq!(wakes(), 1);
        ready.set_task(Waker::from(Arc::clone(&count)));
        assert_eq!(ready.take(), BTreeSet::from([first]));
        ready.waker(first).wake();
        assert_eq!(wakes(), 2);
        // Whoever is to be accepted is asked for once at the start, and then when there is news.
        assert!(ready.take_incoming());
        assert!(!ready.take_incoming());
        ready.set_task(Waker::from(Arc::clone(&count)));
        ready.incoming_waker().wake();
        assert_eq!(wakes(), 3);
        assert!(ready.take_incoming());
        ready.mark_incoming();
        assert!(ready.take_incoming());
        assert_eq!(wakes(), 3);
    }
}
