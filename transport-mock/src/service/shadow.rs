//! One shadow document and how an update turns it into the next one.

use shadow_core::WallTime;

use super::node::{Node, Object, changes, delta, merge, object_text};
use super::request::{PartPatch, Patch};

/// One device's shadow document (vendor doc 634/11918): what the device reported, what the
/// application desires, a version that every change raises by one, and when each value changed.
///
/// A read-only view: change it through [`ShadowService`](super::ShadowService). All JSON is
/// compact, with keys sorted, numbers as they were sent and strings in UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shadow {
    version: u64,
    updated: Option<WallTime>,
    reported: Part,
    desired: Part,
    initial: Values,
}

/// One half of the document with, in the same tree, the time at which each leaf last changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Part {
    values: Object,
    stamps: Object,
}

/// What a document holds, without its history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Values {
    pub(crate) reported: Object,
    pub(crate) desired: Object,
}

/// What an update did.
pub(crate) struct Outcome {
    pub(crate) changed: bool,
    /// The `state` of the reply: for each part that the request named, the keys that changed.
    pub(crate) state: Object,
    /// The patch from the desired part before to the one after.
    pub(crate) desired: Object,
}

impl Shadow {
    /// How often the document changed; 0 for a document that never held anything.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// When the document last changed; `None` at version 0.
    #[must_use]
    pub fn timestamp(&self) -> Option<WallTime> {
        self.updated
    }

    /// The reported part, `{}` if there is none.
    #[must_use]
    pub fn reported(&self) -> String {
        object_text(&self.reported.values)
    }

    /// The desired part; `None` if no key is desired.
    #[must_use]
    pub fn desired(&self) -> Option<String> {
        non_empty(&self.desired.values)
    }

    /// What of the desired part is not in the reported one, nested objects cut down to the members
    /// that differ; `None` if every desired value has been reported.
    #[must_use]
    pub fn delta(&self) -> Option<String> {
        non_empty(&self.difference())
    }

    /// The time of the last change of each value, in milliseconds since 1970:
    /// `{"delta":{..},"desired":{"key":{"timestamp":ms}},"reported":{..}}`, without empty parts. A
    /// nested object has the times of its members, an array has one for the whole.
    #[must_use]
    pub fn metadata(&self) -> String {
        object_text(&self.stamps())
    }

    pub(crate) fn seeded(initial: Values, version: u64, at: WallTime) -> Shadow {
        let part = |values: &Object| Part {
            values: values.clone(),
            stamps: stamped(&Part::default(), values, at),
        };
        Shadow {
            version,
            updated: Some(at),
            reported: part(&initial.reported),
            desired: part(&initial.desired),
            initial,
        }
    }

    pub(crate) fn initial(&self) -> &Values {
        &self.initial
    }

    /// Applies a patch. `count_unchanged` says whether one that changes nothing counts as a change.
    pub(crate) fn apply(&mut self, at: WallTime, patch: &Patch, count_unchanged: bool) -> Outcome {
        let reported = self.reported.apply(at, patch.reported.as_ref());
        let desired = self.desired.apply(at, patch.desired.as_ref());
        let named = |part: Option<&PartPatch>, changes: &Object| match part? {
            PartPatch::Clear => Some(Node::null()),
            PartPatch::Merge(_) | PartPatch::Replace(_) => Some(Node::Object(changes.clone())),
        };
        let state = [
            ("desired", named(patch.desired.as_ref(), &desired)),
            ("reported", named(patch.reported.as_ref(), &reported)),
        ];
        let changed = count_unchanged || !reported.is_empty() || !desired.is_empty();
        if changed {
            self.version = self.version.saturating_add(1);
            self.updated = Some(at);
        }
        Outcome {
            changed,
            state: present(state),
            desired,
        }
    }

    /// The bytes that the document's two parts take as JSON.
    pub(crate) fn size(&self) -> usize {
        object_text(&present([
            ("desired", object_node(&self.desired.values)),
            ("reported", Some(Node::Object(self.reported.values.clone()))),
        ]))
        .len()
    }

    pub(crate) fn difference(&self) -> Object {
        delta(&self.desired.values, &self.reported.values)
    }

    /// Of `changed`, a patch of the desired part, the values that are not reported.
    pub(crate) fn difference_within(&self, changed: &Object) -> Object {
        let mut wanted = Object::new();
        merge(&mut wanted, changed);
        delta(&wanted, &self.reported.values)
    }

    /// The document as a get reply's `payload`.
    pub(crate) fn payload(&self, wall: WallTime, metadata: bool) -> Object {
        let mut state = present([
            ("delta", object_node(&self.difference())),
            ("desired", object_node(&self.desired.values)),
            ("reported", object_node(&self.reported.values)),
        ]);
        if !metadata {
            state
                .entry("reported".to_owned())
                .or_insert_with(|| Node::Object(Object::new()));
        }
        let mut payload = self.message(wall, state, metadata.then(|| self.stamps()));
        if metadata && self.updated.is_none() {
            payload.remove("timestamp");
        }
        payload
    }

    /// The `payload` of an update's reply: `state` holds the keys that changed.
    pub(crate) fn update_payload(&self, wall: WallTime, state: Object, metadata: bool) -> Object {
        let stamps = metadata.then(|| {
            let part = |name: &str, part: &Part| match state.get(name) {
                Some(Node::Object(changed)) => object_node(&selected(&part.stamps, changed)),
                _ => None,
            };
            present([
                ("desired", part("desired", &self.desired)),
                ("reported", part("reported", &self.reported)),
            ])
        });
        self.message(wall, state, stamps)
    }

    /// The `payload` of a delta push.
    pub(crate) fn delta_payload(&self, wall: WallTime, state: Object, metadata: bool) -> Object {
        let stamps = metadata.then(|| selected(&self.desired.stamps, &state));
        self.message(wall, state, stamps)
    }

    fn message(&self, wall: WallTime, state: Object, metadata: Option<Object>) -> Object {
        let timestamp = match self.updated {
            Some(updated) => updated.as_unix_millis(),
            None => wall.as_unix_seconds(),
        };
        present([
            ("metadata", metadata.map(Node::Object)),
            ("state", Some(Node::Object(state))),
            ("timestamp", Some(Node::number(timestamp))),
            ("version", Some(Node::number(self.version))),
        ])
    }

    fn stamps(&self) -> Object {
        let delta = selected(&self.desired.stamps, &self.difference());
        present([
            ("delta", object_node(&delta)),
            ("desired", object_node(&self.desired.stamps)),
            ("reported", object_node(&self.reported.stamps)),
        ])
    }
}

impl Part {
    /// Applies a patch and returns the changes that it made.
    fn apply(&mut self, at: WallTime, patch: Option<&PartPatch>) -> Object {
        let mut after = match patch {
            None | Some(PartPatch::Merge(_)) => self.values.clone(),
            Some(PartPatch::Clear | PartPatch::Replace(_)) => Object::new(),
        };
        if let Some(PartPatch::Merge(members) | PartPatch::Replace(members)) = patch {
            merge(&mut after, members);
        }
        let changed = changes(&self.values, &after);
        self.stamps = stamped(self, &after, at);
        self.values = after;
        changed
    }
}

/// The stamps of `after`: those of `before` where the value stayed, `at` where it is new.
fn stamped(before: &Part, after: &Object, at: WallTime) -> Object {
    fn walk(values: &Object, stamps: &Object, after: &Object, now: &Node) -> Object {
        let none = Object::new();
        let stamp = |(key, new): (&String, &Node)| {
            let stamp = match (new, values.get(key), stamps.get(key)) {
                (Node::Object(new), Some(Node::Object(old)), Some(Node::Object(stamps))) => {
                    Node::Object(walk(old, stamps, new, now))
                }
                (Node::Object(new), _, _) => Node::Object(walk(&none, &none, new, now)),
                (new, Some(old), Some(stamp)) if new == old => stamp.clone(),
                _ => now.clone(),
            };
            (key.clone(), stamp)
        };
        after.iter().map(stamp).collect()
    }
    let now = present([("timestamp", Some(Node::number(at.as_unix_millis())))]);
    walk(&before.values, &before.stamps, after, &Node::Object(now))
}

/// The stamps of the values that `state`, a selection of a part, holds.
fn selected(stamps: &Object, state: &Object) -> Object {
    let mut selection = Object::new();
    for (key, value) in state {
        let stamp = match (stamps.get(key), value) {
            (Some(Node::Object(stamps)), Node::Object(inner)) => {
                Node::Object(selected(stamps, inner))
            }
            (Some(stamp), _) => stamp.clone(),
            (None, _) => continue, // the value was deleted
        };
        selection.insert(key.clone(), stamp);
    }
    selection
}

/// An object of the members that are there.
pub(crate) fn present<const N: usize>(members: [(&str, Option<Node>); N]) -> Object {
    members
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
}

fn object_node(members: &Object) -> Option<Node> {
    (!members.is_empty()).then(|| Node::Object(members.clone()))
}

fn non_empty(members: &Object) -> Option<String> {
    (!members.is_empty()).then(|| object_text(members))
}
