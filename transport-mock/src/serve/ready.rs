//! Which of many connections can go on.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use crate::server::ConnectionId;

/// Remembers which connections were woken, and wakes the one task that serves them all.
///
/// A task that polled every connection each time it is woken would spend its time on those for
/// which nothing has happened.
#[derive(Debug, Default)]
pub(super) struct Ready {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    woken: BTreeSet<ConnectionId>,
    /// Whom to wake; `None` once it was woken.
    task: Option<Waker>,
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
        let ready = Arc::clone(self);
        Waker::from(Arc::new(ConnectionWaker { ready, connection }))
    }

    /// Counts a connection as woken, without waking the task.
    pub(super) fn mark(&self, connection: ConnectionId) {
        self.lock().woken.insert(connection);
    }

    /// The connections that were woken since the last call.
    pub(super) fn take(&self) -> BTreeSet<ConnectionId> {
        std::mem::take(&mut self.lock().woken)
    }

    fn wake(&self, connection: ConnectionId) {
        let mut state = self.lock();
        state.woken.insert(connection);
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

struct ConnectionWaker {
    ready: Arc<Ready>,
    connection: ConnectionId,
}

impl Wake for ConnectionWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.wake(self.connection);
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
    }
}
