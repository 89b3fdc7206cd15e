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
        let session = session.clone();
        let revision = session.revision();
        let (store, saved) = smol::unblock(move || {
            let saved = store.save(&session);
            (store, saved)
        })
        .await;
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
