//! Who subscribed to what.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use shadow_core::mqtt::{QoS, topic};

/// The subscriptions of all sessions, by topic filter.
///
/// A message looks only at filters that can match it, however many there are: the one that is its
/// topic, and those with a wildcard behind a literal beginning that the topic shares.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    literal: BTreeMap<Arc<str>, Subscribers>,
    /// Those whose filter holds a wildcard.
    wildcard: BTreeMap<Arc<str>, Subscribers>,
}

/// Who has one filter: nearly always one client, which needs no map.
#[derive(Debug)]
enum Subscribers {
    One(Arc<str>, QoS),
    Many(BTreeMap<Arc<str>, QoS>),
}

impl Subscriptions {
    /// Adds a subscription, or replaces the client's one with the same filter [MQTT-3.8.4-3].
    /// Returns the filter, to be kept without a copy.
    pub(super) fn insert(&mut self, filter: &str, client_id: &Arc<str>, granted: QoS) -> Arc<str> {
        let filters = self.filters(filter);
        let shared = match filters.get_key_value(filter) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(filter),
        };
        let client_id = Arc::clone(client_id);
        match filters.get_mut(filter) {
            Some(subscribers) => subscribers.insert(client_id, granted),
            None => {
                let subscribers = Subscribers::One(client_id, granted);
                filters.insert(Arc::clone(&shared), subscribers);
            }
        }
        shared
    }

    pub(super) fn remove(&mut self, filter: &str, client_id: &str) {
        let filters = self.filters(filter);
        if filters.get_mut(filter).is_some_and(|s| s.remove(client_id)) {
            filters.remove(filter);
        }
    }

    /// Whom a message reaches, by client id and each once, with the QoS of its best matching
    /// subscription [MQTT-3.3.5-1], at most `qos`.
    pub(super) fn recipients(&self, name: &str, qos: QoS) -> Vec<(Arc<str>, QoS)> {
        let literal = self.literal.get(name);
        // Mostly it is one client, or none.
        let mut found = Vec::with_capacity(usize::from(literal.is_some()));
        let mut add = |subscribers: &Subscribers| {
            subscribers.each(|client_id, granted| {
                found.push((Arc::clone(client_id), granted.min(qos)));
            });
        };
        if let Some(subscribers) = literal {
            add(subscribers);
        }
        self.each_wildcard(name, add);
        if found.len() > 1 {
            // The best of a client's comes first, and the others go.
            found.sort_unstable_by(|(a, x), (b, y)| a.cmp(b).then(y.cmp(x)));
            found.dedup_by(|(a, _), (b, _)| a == b);
        }
        found
    }

    /// The filters with a wildcard that match a topic name. Every one is `{prefix}#..` or
    /// `{prefix}+..`, where the prefix is empty or ends in `/` and `{name}/` begins with it.
    fn each_wildcard(&self, name: &str, mut found: impl FnMut(&Subscribers)) {
        if self.wildcard.is_empty() {
            return;
        }
        let mut levels = name.split('/');
        let mut start = String::new();
        loop {
            let length = start.len();
            for wildcard in ['#', '+'] {
                start.push(wildcard);
                for (filter, subscribers) in self.beginning_with(&start) {
                    if topic::filter_matches(filter, name) {
                        found(subscribers);
                    }
                }
                start.truncate(length);
            }
            let Some(level) = levels.next() else {
                return;
            };
            start.push_str(level);
            start.push('/');
            // This ends it early for most names: a longer beginning has no filter either.
            if self.beginning_with(&start).next().is_none() {
                return;
            }
        }
    }

    fn beginning_with(&self, start: &str) -> impl Iterator<Item = (&str, &Subscribers)> {
        self.wildcard
            .range::<str, _>((Bound::Included(start), Bound::Unbounded))
            .map(|(filter, subscribers)| (&**filter, subscribers))
            .take_while(move |(filter, _)| filter.starts_with(start))
    }

    fn filters(&mut self, filter: &str) -> &mut BTreeMap<Arc<str>, Subscribers> {
        if filter.contains(['#', '+']) {
            &mut self.wildcard
        } else {
            &mut self.literal
        }
    }
}

impl Subscribers {
    fn insert(&mut self, client_id: Arc<str>, granted: QoS) {
        match self {
            Subscribers::One(only, qos) if *only == client_id => *qos = granted,
            Subscribers::One(only, qos) => {
                let both = [(Arc::clone(only), *qos), (client_id, granted)];
                *self = Subscribers::Many(both.into());
            }
            Subscribers::Many(all) => {
                all.insert(client_id, granted);
            }
        }
    }

    /// Whether none is left.
    fn remove(&mut self, client_id: &str) -> bool {
        match self {
            Subscribers::One(only, _) => **only == *client_id,
            Subscribers::Many(all) => {
                all.remove(client_id);
                all.is_empty()
            }
        }
    }

    fn each(&self, mut found: impl FnMut(&Arc<str>, QoS)) {
        match self {
            Subscribers::One(only, granted) => found(only, *granted),
            Subscribers::Many(all) => all.iter().for_each(|(id, granted)| found(id, *granted)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Few enough levels that names, filters and their beginnings often agree.
    fn text(levels: &'static [&'static str]) -> impl Strategy<Value = String> {
        let level = proptest::sample::select(levels);
        proptest::collection::vec(level, 1..5).prop_map(|levels| levels.join("/"))
    }

    fn filter() -> impl Strategy<Value = String> {
        let levels = text(&["", "a", "b", "ab", "$s", "!", "+", "+"]);
        (levels, any::<bool>()).prop_map(|(levels, rest)| match rest {
            true => format!("{levels}/#"),
            false => levels,
        })
    }

    #[derive(Clone, Debug)]
    enum Step {
        Subscribe(String, usize, QoS),
        Unsubscribe(String, usize),
        Publish(String, QoS),
    }

    fn step() -> impl Strategy<Value = Step> {
        let qos = || proptest::sample::select(&[QoS::AtMostOnce, QoS::AtLeastOnce][..]);
        let filter = || prop_oneof![9 => filter(), 1 => Just("#".to_owned())];
        let name = text(&["", "a", "b", "ab", "$s", "!"]);
        prop_oneof![
            4 => (filter(), 0..4_usize, qos()).prop_map(|(f, c, q)| Step::Subscribe(f, c, q)),
            1 => (filter(), 0..4_usize).prop_map(|(f, c)| Step::Unsubscribe(f, c)),
            4 => (name, qos()).prop_map(|(n, q)| Step::Publish(n, q)),
        ]
    }

    proptest! {
        /// Whoever is found is whom a look at every subscription finds.
        #[test]
        fn finds_whom_a_look_at_all_finds(steps in proptest::collection::vec(step(), 1..60)) {
            let clients: [Arc<str>; 4] = ["c", "a", "d", "b"].map(Arc::from);
            let mut index = Subscriptions::default();
            let mut all: BTreeMap<(Arc<str>, String), QoS> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Subscribe(filter, client, granted) => {
                        let kept = index.insert(&filter, &clients[client], granted);
                        prop_assert_eq!(&*kept, &*filter);
                        all.insert((Arc::clone(&clients[client]), filter), granted);
                    }
                    Step::Unsubscribe(filter, client) => {
                        index.remove(&filter, &clients[client]);
                        all.remove(&(Arc::clone(&clients[client]), filter));
                    }
                    Step::Publish(name, qos) => {
                        let mut expected: BTreeMap<Arc<str>, QoS> = BTreeMap::new();
                        for ((client, filter), granted) in &all {
                            if topic::filter_matches(filter, &name) {
                                let best = expected.entry(Arc::clone(client)).or_default();
                                *best = (*best).max((*granted).min(qos));
                            }
                        }
                        let expected: Vec<_> = expected.into_iter().collect();
                        prop_assert_eq!(index.recipients(&name, qos), expected);
                    }
                }
            }
        }
    }
}
