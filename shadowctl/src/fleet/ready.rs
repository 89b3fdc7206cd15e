//! Which of many connections can go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Remembers which devices' connections were woken, and wakes the one task that carries them all.
#[derive(Debug, Default)]
pub(super) struct Ready {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    woken: Vec<Arc<DeviceWaker>>,
    /// Whom to wake; `None` once it was woken.
    task: Option<Waker>,
}

#[derive(Debug)]
struct DeviceWaker {
    ready: Arc<Ready>,
    device: u32,
    /// Whether it is among the woken.
    woken: AtomicBool,
}

impl Ready {
    /// A waker for one device's connection.
    pub(super) fn waker(self: &Arc<Self>, device: u32) -> Waker {
        Waker::from(Arc::new(DeviceWaker {
            ready: Arc::clone(self),
            device,
            woken: AtomicBool::new(false),
        }))
    }

    /// Moves the devices that were woken since the last call to the end of `devices`.
    pub(super) fn take(&self, devices: &mut Vec<u32>) {
        let woken = std::mem::take(&mut self.lock().woken);
        devices.extend(woken.iter().map(|waker| {
            // From here on a wake counts anew, before the device is looked at.
            waker.woken.store(false, Ordering::SeqCst);
            waker.device
        }));
    }

    /// Ready when a device was woken since [`take`](Self::take).
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if !state.woken.is_empty() {
            return Poll::Ready(());
        }
        let before = state.task.replace(cx.waker().clone());
        drop(state);
        // Not under the lock: it may be the last trace of a task.
        drop(before);
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of others runs while it is held, so it is never left half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for DeviceWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.woken.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut state = self.ready.lock();
        state.woken.push(Arc::clone(self));
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_told_once_for_all_its_wakes() {
        let ready = Arc::new(Ready::default());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(ready.poll(&mut cx).is_pending());
        let (first, second) = (ready.waker(1), ready.waker(2));
        second.wake_by_ref();
        second.wake_by_ref();
        first.wake_by_ref();
        assert!(ready.poll(&mut cx).is_ready());
        let mut devices = Vec::new();
        ready.take(&mut devices);
        assert_eq!(devices, [2, 1]);
        assert!(ready.poll(&mut cx).is_pending());
        second.wake();
        ready.take(&mut devices);
        assert_eq!(devices, [2, 1, 2]);
    }
}
