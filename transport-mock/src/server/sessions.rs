//! All sessions of a server, and their subscriptions.

use std::collections::BTreeMap;
use std::sync::Arc;

use shadow_core::mqtt::QoS;

use super::session::Session;
use super::subscriptions::Subscriptions;

/// The sessions by client id, and the subscriptions of all of them by filter.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// Each by itself: a tree has room for nearly as many more as it holds.
    all: BTreeMap<Arc<str>, Box<Session>>,
    subscriptions: Subscriptions,
}

impl Sessions {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn contains(&self, client_id: &str) -> bool {
        self.all.contains_key(client_id)
    }

    pub(super) fn get(&self, client_id: &str) -> Option<&Session> {
        self.all.get(client_id).map(|session| &**session)
    }

    pub(super) fn get_mut(&mut self, client_id: &str) -> Option<&mut Session> {
        self.all.get_mut(client_id).map(|session| &mut **session)
    }

    /// By client id, sorted.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Session)> {
        self.all.iter().map(|(id, session)| (&**id, &**session))
    }

    /// The session of a client, a new one if it has none; with the client id, to be kept without a
    /// copy.
    pub(super) fn begin(&mut self, client_id: &str) -> (Arc<str>, &mut Session) {
        let key = match self.all.get_key_value(client_id) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(client_id),
        };
        let session = self.all.entry(Arc::clone(&key)).or_default();
        (key, session)
    }

    /// Forgets a session and its subscriptions.
    pub(super) fn remove(&mut self, client_id: &str) {
        if let Some(session) = self.all.remove(client_id) {
            for filter in &session.filters {
                self.subscriptions.remove(filter, client_id);
            }
        }
    }

    /// Adds or replaces a subscription of a session; false if it would be one more than `maximum`,
    /// or there is no such session.
    pub(super) fn subscribe(
        &mut self,
        client_id: &Arc<str>,
        filter: &str,
        granted: QoS,
        maximum: usize,
    ) -> bool {
        let Some(session) = self.all.get_mut(client_id) else {
            return false;
        };
        let known = session.filters.iter().any(|known| **known == *filter);
        if !known && session.filters.len() >= maximum {
            return false;
        }
        let kept = self.subscriptions.insert(filter, client_id, granted);
        if !known {
            let mut filters = std::mem::take(&mut session.filters).into_vec();
            filters.reserve_exact(1);
            filters.push(kept);
            session.filters = filters.into_boxed_slice();
        }
        true
    }

    pub(super) fn unsubscribe(&mut self, client_id: &str, filter: &str) {
        if let Some(session) = self.all.get_mut(client_id) {
            let mut filters = std::mem::take(&mut session.filters).into_vec();
            filters.retain(|known| **known != *filter);
            session.filters = filters.into_boxed_slice();
            self.subscriptions.remove(filter, client_id);
        }
    }

    /// As [`Subscriptions::recipients`].
    pub(super) fn recipients(&self, topic: &str, qos: QoS) -> Vec<(Arc<str>, QoS)> {
        self.subscriptions.recipients(topic, qos)
    }
}
