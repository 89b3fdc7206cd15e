//! When a driver saves its session.

use std::time::Duration;

use shadow_core::{Instant, Session};

use super::{Durability, SessionStore, StoreError};
use crate::clock::Clock;

/// How long after a failed save the next is tried.
const RETRY: Duration = Duration::from_secs(1);

/// A driver's store, and what it holds.
pub(crate) struct Saving {
    /// Away while a session is being saved.
    store: Option<Box<dyn SessionStore>>,
    durability: Durability,
    /// The revision that is stored.
    saved: Option<u64>,
    /// When to save next at the earliest.
    earliest: Instant,
    failing: bool,
}

impl Saving {
    pub(crate) fn new(store: impl SessionStore, durability: Durability) -> Saving {
        Saving {
            store: Some(Box::new(store)),
            durability,
            saved: None,
            earliest: Instant::ZERO,
            failing: false,
        }
    }

    /// When to save this session, if it is not stored.
    pub(crate) fn due(&self, session: &Session) -> Option<Instant> {
        (self.saved != Some(session.revision())).then_some(self.earliest)
    }

    /// Saves it. `Ok(true)` when that works again after it did not.
    pub(crate) async fn save(
        &mut self,
        clock: &impl Clock,
        session: &Session,
    ) -> Result<bool, StoreError> {
        // It stays away only if a save was dropped half-way, and the driver with it.
        let Some(mut store) = self.store.take() else {
            return Ok(false);
        };
        let revision = session.revision();
        let (store, saved) = if store.is_blocking() {
            let session = session.clone();
            let save = move || {
                let saved = store.save(&session);
                (store, saved)
            };
            smol::unblock(save).await
        } else {
            let saved = store.save(session);
            (store, saved)
        };
        self.store = Some(store);
        // However long that took: the time is for what comes between two saves.
        let now = clock.now();
        match saved {
            Ok(()) => {
                self.saved = Some(revision);
                self.earliest = match self.durability {
                    Durability::EveryChange => now,
                    Durability::AtMostEvery(time) => now + time,
                };
                Ok(std::mem::take(&mut self.failing))
            }
            Err(error) => {
                self.earliest = now + RETRY;
                self.failing = true;
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::thread::{self, ThreadId};

    use super::*;
    use crate::SystemClock;

    /// Keeps by which thread it was called.
    struct Called {
        blocking: bool,
        by: Arc<Mutex<Option<ThreadId>>>,
    }

    impl SessionStore for Called {
        fn save(&mut self, _: &Session) -> Result<(), StoreError> {
            *self.by.lock().unwrap() = Some(thread::current().id());
            Ok(())
        }

        fn is_blocking(&self) -> bool {
            self.blocking
        }
    }

    #[test]
    fn a_store_that_does_not_block_is_called_in_the_drivers_task() {
        for blocking in [true, false] {
            let by = Arc::new(Mutex::new(None));
            let store = Called {
                blocking,
                by: Arc::clone(&by),
            };
            let mut saving = Saving::new(store, Durability::EveryChange);
            let session = Session::new();
            let saved = smol::block_on(saving.save(&SystemClock::new(), &session));
            assert_eq!(saved, Ok(false));
            let here = Some(thread::current().id());
            assert_eq!(*by.lock().unwrap() == here, !blocking);
            assert_eq!(saving.due(&session), None);
        }
    }
}
