//! One half of a shadow document, as it is kept.

use std::borrow::Cow;

use shadow_core::WallTime;

use super::node::{Node, Object, write_key};
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
    pub(crate) named: Named,
    /// The patch from the part before to the one after.
    pub(crate) changes: Object<'a>,
    /// The part after; `None` if it is as before.
    pub(crate) after: Option<Part>,
}

/// How an update names a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Not,
    /// With values.
    Patched,
    /// To clear it.
    Cleared,
}

impl Part {
    pub(crate) const EMPTY: Part = Part {
        text: None,
        stamps: Stamps::Same(WallTime::from_unix_millis(0)),
    };

    /// A part whose values are all of one time.
    pub(crate) fn new(values: &Object<'_>, at: WallTime) -> Part {
        Part::EMPTY
            .apply(at, Some(&PartPatch::Replace(values.clone())))
            .after
            .unwrap_or_default()
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
        let nothing = Object::default();
        let (named, replace, members) = match patch {
            None => (Named::Not, false, &nothing),
            Some(PartPatch::Clear) => (Named::Cleared, true, &nothing),
            Some(PartPatch::Merge(members)) => (Named::Patched, false, members),
            Some(PartPatch::Replace(members)) => (Named::Patched, true, members),
        };
        let mut changes = Object::default();
        let mut after = None;
        if named != Named::Not {
            let values = self.values();
            let mut writer = Writer::new(at, self.stamps.iter(), replace, values.len());
            changes = writer.merge(&values, members);
            after = (!changes.is_empty()).then(|| writer.into_part());
        }
        PartChange {
            named,
            changes,
            after,
        }
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

/// Writes a part while a patch is merged into the one before: by the rules of RFC 7386, which are
/// those of vendor doc 634/11918, objects member by member, `null` deletes, everything else (arrays
/// too) is replaced whole. A stamp stays where the value does.
///
/// All in one pass, as this is most of what a round trip of an update takes.
struct Writer<I> {
    now: WallTime,
    /// Of the leaves before that have not been passed yet.
    before: I,
    /// Whether what the patch does not name goes.
    replace: bool,
    text: String,
    stamps: Vec<WallTime>,
}

/// Room for most parts.
const TEXT_CAPACITY: usize = 256;

impl<I: Iterator<Item = WallTime>> Writer<I> {
    fn new(now: WallTime, before: I, replace: bool, members: usize) -> Writer<I> {
        Writer {
            now,
            before,
            replace,
            text: String::with_capacity(TEXT_CAPACITY),
            stamps: Vec::with_capacity(members),
        }
    }

    fn into_part(self) -> Part {
        let stamps = match self.stamps.first() {
            // Not even a key is left.
            None if self.text == "{}" => return Part::EMPTY,
            None => Part::EMPTY.stamps,
            Some(first) if self.stamps.iter().all(|stamp| stamp == first) => Stamps::Same(*first),
            Some(_) => Stamps::Each(self.stamps.into_boxed_slice()),
        };
        Part {
            text: Some(Box::from(self.text.as_str())),
            stamps,
        }
    }

    /// Writes what `patch` makes of the object `held`; returns the smallest patch that does the
    /// same: changed and new members, and `null` for those that are gone.
    fn merge<'a>(&mut self, held: &Object<'a>, patch: &Object<'a>) -> Object<'a> {
        let mut changes = Object::with_capacity(patch.len());
        let start = self.begin();
        let mut held = held.iter().peekable();
        for (key, value) in patch.iter() {
            while let Some((other, value)) = held.next_if(|(held, _)| *held < key) {
                self.unnamed(start, (other, value), &mut changes);
            }
            let before = held.next_if(|(held, _)| *held == key);
            match (before.map(|(_, before)| before), value) {
                (Some(Node::Object(before)), Node::Object(patch)) => {
                    self.write_key(start, key);
                    let inner = self.merge(before, patch);
                    if !inner.is_empty() {
                        changes.push(key.clone(), Node::Object(inner));
                    }
                }
                (None, value) if value.is_null() => {}
                (Some(before), value) if value.is_null() => {
                    self.skip(before);
                    changes.push(key.clone(), Node::null());
                }
                (Some(before), value @ Node::Text(text)) if before == value => {
                    self.write_key(start, key);
                    self.text.push_str(text);
                    self.keep_stamp();
                }
                (before, value) => {
                    if let Some(before) = before {
                        self.skip(before);
                    }
                    self.write_key(start, key);
                    let new = self.write_new(value);
                    changes.push(key.clone(), new);
                }
            }
        }
        for (other, value) in held {
            self.unnamed(start, (other, value), &mut changes);
        }
        self.text.push('}');
        changes
    }

    /// What happens to a member that the patch does not name.
    fn unnamed<'a>(
        &mut self,
        start: usize,
        (key, value): (&Cow<'a, str>, &Node<'a>),
        changes: &mut Object<'a>,
    ) {
        if self.replace {
            self.skip(value);
            changes.push(key.clone(), Node::null());
        } else {
            self.write_key(start, key);
            value.write(&mut self.text);
            for _ in 0..leaves(value) {
                self.keep_stamp();
            }
        }
    }

    /// Writes a value where there was none of its kind, without the members that are `null`.
    fn write_new<'a>(&mut self, value: &Node<'a>) -> Node<'a> {
        match value {
            Node::Object(members) => {
                let mut written = Object::default();
                let start = self.begin();
                for (key, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                    self.write_key(start, key);
                    let value = self.write_new(value);
                    written.push(key.clone(), value);
                }
                self.text.push('}');
                Node::Object(written)
            }
            Node::Text(text) => {
                self.text.push_str(text);
                self.stamps.push(self.now);
                Node::Text(text.clone())
            }
        }
    }

    /// Begins an object; returns where its members begin.
    fn begin(&mut self) -> usize {
        self.text.push('{');
        self.text.len()
    }

    fn write_key(&mut self, start: usize, key: &str) {
        if self.text.len() > start {
            self.text.push(',');
        }
        write_key(key, &mut self.text);
    }

    fn keep_stamp(&mut self) {
        self.stamps.push(self.before.next().unwrap_or(self.now));
    }

    /// Passes the stamps of a value that is gone.
    fn skip(&mut self, value: &Node<'_>) {
        for _ in 0..leaves(value) {
            self.before.next();
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::service::node::{MAX_LEVELS, changes, merge};

    const BEFORE: WallTime = WallTime::from_unix_millis(1);
    const NOW: WallTime = WallTime::from_unix_millis(2);

    fn object(text: &str) -> Object<'_> {
        match Node::parse(text, MAX_LEVELS) {
            Ok(Node::Object(members)) => members,
            other => panic!("not an object: {other:?}"),
        }
    }

    /// Objects with so few keys and values that they often agree.
    fn text() -> impl Strategy<Value = String> {
        let leaf = proptest::sample::select(vec!["1", "null", "\"x\"", "[1,{}]", "{}"]);
        let leaf = leaf.prop_map(str::to_owned);
        let value = leaf.prop_recursive(3, 12, 4, |inner| object_of(inner).boxed());
        object_of(value.boxed())
    }

    fn object_of(value: BoxedStrategy<String>) -> impl Strategy<Value = String> {
        let key = proptest::sample::select(vec!["a", "b", "c", "\\n", "é"]);
        let members = proptest::collection::btree_map(key, value, 0..4);
        members.prop_map(|members| {
            let members = members.iter().map(|(k, v)| format!("\"{k}\":{v}"));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        })
    }

    /// The stamp of each leaf, by its path.
    fn leaf_stamps(part: &Part) -> Vec<(String, WallTime)> {
        fn paths(values: &Object<'_>, path: &str, found: &mut Vec<(String, String)>) {
            for (key, value) in values.iter() {
                let path = format!("{path}/{key}");
                match value {
                    Node::Object(members) => paths(members, &path, found),
                    Node::Text(text) => found.push((path, text.to_string())),
                }
            }
        }
        let mut found = Vec::new();
        paths(&part.values(), "", &mut found);
        let paths = found.into_iter().map(|(path, text)| path + "=" + &text);
        paths.zip(part.stamps.iter()).collect()
    }

    proptest! {
        /// What is written in one pass is what its parts say one after the other; a stamp stays
        /// exactly where the value does.
        #[test]
        fn a_patch_is_merged_in_one_pass(before in text(), patch in text(), replace in any::<bool>()) {
            let mut kept = Object::default();
            merge(&mut kept, &object(&before));
            let part = Part::new(&kept, BEFORE);
            let mut expected = if replace { Object::default() } else { kept.clone() };
            merge(&mut expected, &object(&patch));
            let patch = match replace {
                true => PartPatch::Replace(object(&patch)),
                false => PartPatch::Merge(object(&patch)),
            };
            let PartChange { changes: made, after, .. } = part.apply(NOW, Some(&patch));
            prop_assert_eq!(&made, &changes(&kept, &expected));
            prop_assert_eq!(after.is_some(), kept != expected);
            let after = after.unwrap_or_else(|| part.clone());
            prop_assert_eq!(after.text(), expected.text());
            let held = leaf_stamps(&part);
            for (leaf, stamp) in leaf_stamps(&after) {
                let stays = held.iter().any(|(held, _)| *held == leaf);
                prop_assert_eq!(stamp, if stays { BEFORE } else { NOW }, "{}", leaf);
            }
        }
    }
}
