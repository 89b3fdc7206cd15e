//! One half of a shadow document, as it is kept.

use std::borrow::Cow;

use shadow_core::WallTime;

use super::node::{Node, Object, changes, merge};
use super::request::PartPatch;

/// One half of the document with the time at which each leaf of it last changed: what is neither
/// an object nor in an array.
///
/// It is kept as the text that a get reply has: that takes a tenth of the memory of a tree, and
/// nothing to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Compact JSON of an object that is not empty; `None` for an empty one.
    text: Option<Box<str>>,
    stamps: Stamps,
}

/// When the leaves of a part last changed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stamps {
    /// All at one time.
    Same(WallTime),
    /// Not all: in the order in which they stand in the text.
    Each(Box<[WallTime]>),
}

/// What a patch makes of a part.
pub(crate) struct PartChange<'a> {
    /// The patch from the part before to the one after.
    pub(crate) changes: Object<'a>,
    /// The part after; `None` if it is as before.
    pub(crate) after: Option<Part>,
}

impl Part {
    pub(crate) const EMPTY: Part = Part {
        text: None,
        stamps: Stamps::Same(WallTime::from_unix_millis(0)),
    };

    /// A part whose values are all of one time.
    pub(crate) fn new(values: &Object<'_>, at: WallTime) -> Part {
        Part::EMPTY.followed_by(&Object::default(), values, at)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_none()
    }

    /// Compact JSON of the part.
    pub(crate) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or("{}")
    }

    pub(crate) fn values(&self) -> Object<'_> {
        Object::written(self.text())
    }

    /// In the place of each leaf, `{"timestamp":ms}`.
    pub(crate) fn stamps(&self) -> Object<'_> {
        stamped(&self.values(), &mut self.stamps.iter())
    }

    /// What a patch makes of it.
    pub(crate) fn apply<'a>(
        &'a self,
        at: WallTime,
        patch: Option<&PartPatch<'a>>,
    ) -> PartChange<'a> {
        let Some(patch) = patch else {
            return PartChange {
                changes: Object::default(),
                after: None,
            };
        };
        let before = self.values();
        let mut values = match patch {
            PartPatch::Merge(_) => before.clone(),
            PartPatch::Clear | PartPatch::Replace(_) => Object::default(),
        };
        if let PartPatch::Merge(members) | PartPatch::Replace(members) = patch {
            merge(&mut values, members);
        }
        let changes = changes(&before, &values);
        let changed = !changes.is_empty();
        let after = changed.then(|| self.followed_by(&before, &values, at));
        PartChange { changes, after }
    }

    /// The part with these values in the place of those before: the stamps stay where the value
    /// does.
    fn followed_by(&self, before: &Object<'_>, values: &Object<'_>, at: WallTime) -> Part {
        let mut stamps = Vec::new();
        restamp(before, &mut self.stamps.iter(), values, at, &mut stamps);
        let text = (!values.is_empty()).then(|| values.text().into_boxed_str());
        let stamps = match stamps.first() {
            None => Part::EMPTY.stamps,
            Some(first) if stamps.iter().all(|stamp| stamp == first) => Stamps::Same(*first),
            Some(_) => Stamps::Each(stamps.into_boxed_slice()),
        };
        Part { text, stamps }
    }
}

impl Default for Part {
    fn default() -> Part {
        Part::EMPTY
    }
}

impl Stamps {
    /// Of each leaf in turn; of one time, as often as is asked.
    fn iter(&self) -> impl Iterator<Item = WallTime> {
        let (same, each) = match self {
            Stamps::Same(at) => (Some(*at), &[][..]),
            Stamps::Each(each) => (None, &**each),
        };
        let same = same.into_iter().flat_map(std::iter::repeat);
        each.iter().copied().chain(same)
    }
}

/// Collects the stamps of `after`: those of `before` where the value stayed, `now` where it is new.
fn restamp(
    before: &Object<'_>,
    stamps: &mut impl Iterator<Item = WallTime>,
    after: &Object<'_>,
    now: WallTime,
    collected: &mut Vec<WallTime>,
) {
    let mut before = before.iter().peekable();
    for (key, new) in after.iter() {
        while let Some((_, gone)) = before.next_if(|(held, _)| *held < key) {
            skip(gone, stamps);
        }
        match (before.next_if(|(held, _)| *held == key), new) {
            (Some((_, Node::Object(old))), Node::Object(new)) => {
                restamp(old, stamps, new, now, collected);
            }
            (Some((_, Node::Text(old))), Node::Text(new)) => {
                let stamp = stamps.next().filter(|_| old == new);
                collected.push(stamp.unwrap_or(now));
            }
            (old, new) => {
                if let Some((_, old)) = old {
                    skip(old, stamps);
                }
                collected.extend(std::iter::repeat_n(now, leaves(new)));
            }
        }
    }
    for (_, gone) in before {
        skip(gone, stamps);
    }
}

fn skip(value: &Node<'_>, stamps: &mut impl Iterator<Item = WallTime>) {
    for _ in 0..leaves(value) {
        stamps.next();
    }
}

fn leaves(value: &Node<'_>) -> usize {
    match value {
        Node::Object(members) => members.iter().map(|(_, value)| leaves(value)).sum(),
        Node::Text(_) => 1,
    }
}

fn stamped<'a>(values: &Object<'a>, stamps: &mut impl Iterator<Item = WallTime>) -> Object<'a> {
    let mut tree = Object::default();
    for (key, value) in values.iter() {
        let stamp = match value {
            Node::Object(members) => stamped(members, stamps),
            Node::Text(_) => {
                let millis = stamps
                    .next()
                    .map(|stamp| stamp.as_unix_millis().to_string());
                let millis = millis.map(|millis| Node::Text(Cow::Owned(millis)));
                Object::of([("timestamp", millis)])
            }
        };
        tree.push(key.clone(), Node::Object(stamp));
    }
    tree
}

/// The stamps of the values that `state`, a selection of a part, holds.
pub(crate) fn selected<'a>(stamps: &Object<'a>, state: &Object<'_>) -> Object<'a> {
    let mut selection = Object::default();
    for (key, stamp) in stamps.iter() {
        let stamp = match (stamp, state.get(key)) {
            (Node::Object(stamps), Some(Node::Object(inner))) => {
                Node::Object(selected(stamps, inner))
            }
            (stamp, Some(_)) => stamp.clone(),
            (_, None) => continue,
        };
        selection.push(key.clone(), stamp);
    }
    selection
}
