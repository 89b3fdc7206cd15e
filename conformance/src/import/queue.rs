//! The queues in which lines wait to be printed.

use std::ops::{Index, IndexMut};

use crate::log::Thread;

/// Order holds within each of these. The callback thread prints what two other threads hand it, and
/// the log does not tell in which order they did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// Lines of the application's thread.
    Application,
    /// Lines of the network's thread.
    Network,
    /// Lines of the callback thread that the application's thread called for.
    FromApplication,
    /// Lines of the callback thread that the network's thread called for.
    FromNetwork,
}

impl Queue {
    pub(super) const ALL: [Queue; 4] = [
        Queue::Application,
        Queue::Network,
        Queue::FromApplication,
        Queue::FromNetwork,
    ];

    /// The queue of a thread; of the callback thread's two the network's.
    pub(super) fn of(thread: Thread) -> Queue {
        match thread {
            Thread::Application => Queue::Application,
            Thread::Network => Queue::Network,
            Thread::Callback => Queue::FromNetwork,
        }
    }

    /// The queues that the lines of a thread come from.
    pub(super) fn all_of(thread: Thread) -> &'static [Queue] {
        match thread {
            Thread::Application => &[Queue::Application],
            Thread::Network => &[Queue::Network],
            Thread::Callback => &[Queue::FromApplication, Queue::FromNetwork],
        }
    }
}

/// One value for each queue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Each<T> {
    application: T,
    network: T,
    from_application: T,
    from_network: T,
}

impl<T> Index<Queue> for Each<T> {
    type Output = T;

    fn index(&self, queue: Queue) -> &T {
        match queue {
            Queue::Application => &self.application,
            Queue::Network => &self.network,
            Queue::FromApplication => &self.from_application,
            Queue::FromNetwork => &self.from_network,
        }
    }
}

impl<T> IndexMut<Queue> for Each<T> {
    fn index_mut(&mut self, queue: Queue) -> &mut T {
        match queue {
            Queue::Application => &mut self.application,
            Queue::Network => &mut self.network,
            Queue::FromApplication => &mut self.from_application,
            Queue::FromNetwork => &mut self.from_network,
        }
    }
}
