//! Objects and merge patches (RFC 7396) as compact text: what a device keeps of its shadow between
//! two updates.
//!
//! An [`Object`] is stored as text and becomes a tree only while it is worked on, so what lies idle
//! takes its text and nothing else. A *leaf* is any value that is no object; an array is one leaf,
//! as the cloud replaces it whole. Objects below [`DEEPEST`] levels count as leaves too, so that
//! the recursion here has a bound.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::{JsonStyle, Reader, restyle, write_string};

/// How deep objects are told apart into members. The vendor's documents have 6 levels at most.
pub(crate) const DEEPEST: usize = 32;

/// A JSON object as compact text, members sorted by key, no key twice.
///
/// The empty one takes no memory. What its nulls mean is up to its user: in a patch a deletion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Object(Box<str>);

type Members<'a> = BTreeMap<Cow<'a, str>, Node<'a>>;

#[derive(Clone, Debug)]
enum Node<'a> {
    Leaf(&'a str),
    Members(Members<'a>),
}

const NULL: Node<'static> = Node::Leaf("null");

impl Object {
    /// Takes over valid JSON; `None` when it is no object, or nests deeper than a [`Reader`] goes.
    pub(crate) fn new(text: &str) -> Option<Object> {
        let mut reader = Reader::new(text);
        let node = Node::next(&mut reader, 0);
        let whole = reader.end().is_ok() && matches!(node, Node::Members(_));
        whole.then(|| Object::write(&node))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn as_str(&self) -> &str {
        if self.is_empty() { "{}" } else { &self.0 }
    }

    /// This patched by `patch`: its nulls delete, its other leaves replace.
    pub(crate) fn merged(&self, patch: &Object) -> Object {
        if patch.is_empty() {
            return self.clone();
        }
        let mut node = self.node();
        merge(&mut node, patch.node());
        Object::write(&node)
    }

    /// The patch that makes `wanted` of this. A null in this stands for a value that nobody knows,
    /// which equals none and may have to be deleted.
    pub(crate) fn patch_to(&self, wanted: &Object) -> Object {
        if self.is_empty() && wanted.is_empty() {
            return Object::default();
        }
        let (from, to) = (self.node(), wanted.node());
        match patch_between(&from, &to) {
            Some(node) => Object::write(&node),
            None => Object::default(),
        }
    }

    /// This with every leaf that `patch` would change turned into null: unknown from now on.
    pub(crate) fn unsettled_by(&self, patch: &Object) -> Object {
        if patch.is_empty() {
            return self.clone();
        }
        let mut node = self.node();
        unsettle(&mut node, patch.node());
        Object::write(&node)
    }

    /// Of this, what `first` or `second` has a value for too, whichever: where either has a leaf,
    /// all that stands in its place here.
    pub(crate) fn restricted_to(&self, first: &Object, second: &Object) -> Object {
        if self.is_empty() || (first.is_empty() && second.is_empty()) {
            return Object::default();
        }
        let node = restrict(&self.node(), Some(&first.node()), Some(&second.node()));
        Object::write(&node)
    }

    /// This without the leaves that `other` has with the same value.
    pub(crate) fn minus(&self, other: &Object) -> Object {
        self.filtered(other, Filter::Other)
    }

    /// As [`Object::minus`], but an empty object is nothing new where `other` has one with members.
    pub(crate) fn news_to(&self, other: &Object) -> Object {
        self.filtered(other, Filter::News)
    }

    /// The leaves of this that `other` has with the same value.
    pub(crate) fn common(&self, other: &Object) -> Object {
        self.filtered(other, Filter::Same)
    }

    fn filtered(&self, other: &Object, kept: Filter) -> Object {
        if self.is_empty() || (other.is_empty() && kept == Filter::Same) {
            return Object::default();
        }
        if other.is_empty() {
            return self.clone();
        }
        match filter(&self.node(), Some(&other.node()), kept) {
            Some(node) => Object::write(&node),
            None => Object::default(),
        }
    }

    /// This without whatever stands where `named` has a leaf.
    pub(crate) fn without(&self, named: &Object) -> Object {
        if self.is_empty() || named.is_empty() {
            return self.clone();
        }
        let mut node = self.node();
        remove(&mut node, &named.node());
        Object::write(&node)
    }

    /// This without empty objects, and without objects that hold nothing else.
    pub(crate) fn without_empty(&self) -> Object {
        let mut node = self.node();
        prune(&mut node);
        Object::write(&node)
    }

    /// This with null for every leaf: the patch that deletes them.
    pub(crate) fn deletion(&self) -> Object {
        let mut node = self.node();
        nullify(&mut node);
        Object::write(&node)
    }

    /// As many members, whole or in part, as make a text of at most `size` bytes, and the rest. A
    /// single leaf that is larger stands alone.
    pub(crate) fn split(&self, size: usize) -> (Object, Object) {
        if self.as_str().len() <= size {
            return (self.clone(), Object::default());
        }
        let Node::Members(members) = self.node() else {
            return (self.clone(), Object::default());
        };
        let (first, rest) = split(members, size, true);
        (
            Object::write(&Node::Members(first)),
            Object::write(&Node::Members(rest)),
        )
    }

    /// Size of the largest leaf as an object of its own, in bytes of text.
    pub(crate) fn largest_leaf(&self) -> usize {
        largest(&self.node())
    }

    /// The top-level members for which `wanted` holds.
    pub(crate) fn members_where(&self, wanted: impl Fn(&str) -> bool) -> Object {
        let mut node = self.node();
        if let Node::Members(members) = &mut node {
            members.retain(|key, _| wanted(key));
        }
        Object::write(&node)
    }

    fn node(&self) -> Node<'_> {
        Node::read(self.as_str())
    }

    fn write(node: &Node<'_>) -> Object {
        if matches!(node, Node::Members(members) if members.is_empty()) {
            return Object::default();
        }
        let mut text = Vec::new();
        node.write(&mut text);
        // Everything in it came out of a text.
        Object(String::from_utf8(text).unwrap_or_default().into())
    }
}

/// Whether two JSON values mean the same: numbers by value, strings by their characters, objects
/// without an order.
pub(crate) fn same_value(first: &str, second: &str) -> bool {
    if first == second {
        return true;
    }
    match (
        serde_json::from_str::<Value>(first),
        serde_json::from_str::<Value>(second),
    ) {
        (Ok(first), Ok(second)) => same(&first, &second),
        _ => false,
    }
}

fn same(first: &Value, second: &Value) -> bool {
    match (first, second) {
        // Integers are told apart beyond what a double can.
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            a.as_f64() == b.as_f64()
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

impl<'a> Node<'a> {
    fn read(text: &'a str) -> Node<'a> {
        Node::next(&mut Reader::new(text), 0)
    }

    fn next(reader: &mut Reader<'a>, depth: usize) -> Node<'a> {
        if reader.peek() != Some(b'{') || depth == DEEPEST {
            return Node::Leaf(reader.value());
        }
        let mut members = Vec::new();
        reader.members(|key, reader| {
            let value = Node::next(reader, depth + 1);
            let key = String::from_utf8_lossy(key).into_owned();
            members.push((Cow::Owned(key), value));
        });
        // What was written here is sorted, of which a map is made without a search for each. Of
        // equal keys the last holds.
        Node::Members(members.into_iter().collect())
    }

    fn is_null(&self) -> bool {
        matches!(self, Node::Leaf("null"))
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Node::Leaf(text) => restyle(text, JsonStyle::Compact, out),
            Node::Members(members) => {
                out.push(b'{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_string(key, JsonStyle::Compact, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }

    /// Bytes of its text.
    fn len(&self) -> usize {
        let mut out = Vec::new();
        self.write(&mut out);
        out.len()
    }
}

fn merge<'a>(target: &mut Node<'a>, patch: Node<'a>) {
    let Node::Members(patch) = patch else {
        *target = patch;
        return;
    };
    if !matches!(target, Node::Members(_)) {
        *target = Node::Members(Members::new());
    }
    let Node::Members(members) = target else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            members.remove(&key);
        } else {
            merge(members.entry(key).or_insert(NULL), value);
        }
    }
}

fn patch_between<'a>(from: &Node<'a>, to: &Node<'a>) -> Option<Node<'a>> {
    let (Node::Members(from), Node::Members(to)) = (from, to) else {
        let equal = match (from, to) {
            (Node::Leaf("null"), _) => false,
            (Node::Leaf(from), Node::Leaf(to)) => same_value(from, to),
            _ => false,
        };
        return (!equal).then(|| to.clone());
    };
    let gone = from.keys().filter(|key| !to.contains_key(*key));
    let mut patch: Members<'a> = gone.map(|key| (key.clone(), NULL)).collect();
    for (key, to) in to {
        let changed = match from.get(key) {
            Some(from) => patch_between(from, to),
            None => Some(to.clone()),
        };
        if let Some(changed) = changed {
            patch.insert(key.clone(), changed);
        }
    }
    (!patch.is_empty()).then_some(Node::Members(patch))
}

fn unsettle<'a>(known: &mut Node<'a>, patch: Node<'a>) {
    let (Node::Members(known), Node::Members(patch)) = (&mut *known, patch) else {
        *known = NULL;
        return;
    };
    for (key, value) in patch {
        match (known.get_mut(&key), value) {
            (Some(known), value) => unsettle(known, value),
            (None, Node::Leaf(_)) => {
                known.insert(key, NULL);
            }
            (None, mut value) => {
                nullify(&mut value);
                known.insert(key, value);
            }
        }
    }
}

fn nullify(node: &mut Node<'_>) {
    match node {
        Node::Leaf(_) => *node = NULL,
        Node::Members(members) if members.is_empty() => *node = NULL,
        Node::Members(members) => members.values_mut().for_each(nullify),
    }
}

fn restrict<'a>(node: &Node<'a>, first: Option<&Node<'_>>, second: Option<&Node<'_>>) -> Node<'a> {
    let leaf = |other: Option<&Node<'_>>| matches!(other, Some(Node::Leaf(_)));
    let Node::Members(members) = node else {
        return node.clone();
    };
    if leaf(first) || leaf(second) {
        return node.clone();
    }
    let mut kept = Members::new();
    for (key, value) in members {
        let (first, second) = (member(first, key), member(second, key));
        if first.is_some() || second.is_some() {
            kept.insert(key.clone(), restrict(value, first, second));
        }
    }
    Node::Members(kept)
}

fn member<'n, 'a>(node: Option<&'n Node<'a>>, key: &str) -> Option<&'n Node<'a>> {
    match node? {
        Node::Members(members) => members.get(key),
        Node::Leaf(_) => None,
    }
}

/// Which leaves are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Filter {
    /// Those that the other object has with the same value.
    Same,
    /// All others.
    Other,
    /// All others, but for empty objects in the place of any object.
    News,
}

fn filter<'a>(node: &Node<'a>, other: Option<&Node<'_>>, wanted: Filter) -> Option<Node<'a>> {
    match (node, other) {
        (Node::Members(members), other) if !members.is_empty() => {
            let kept: Members<'a> = members
                .iter()
                .filter_map(|(key, value)| {
                    let kept = filter(value, member(other, key), wanted)?;
                    Some((key.clone(), kept))
                })
                .collect();
            (!kept.is_empty()).then_some(Node::Members(kept))
        }
        (node, other) => {
            let equal = match (node, other) {
                (Node::Leaf(a), Some(Node::Leaf(b))) => same_value(a, b),
                (Node::Members(_), Some(Node::Members(other))) => {
                    other.is_empty() || wanted == Filter::News
                }
                _ => false,
            };
            (equal == (wanted == Filter::Same)).then(|| node.clone())
        }
    }
}

fn remove(node: &mut Node<'_>, named: &Node<'_>) {
    let (Node::Members(members), Node::Members(named)) = (node, named) else {
        return;
    };
    for (key, named) in named {
        let emptied = match (members.get_mut(key.as_ref()), named) {
            (Some(value @ Node::Members(_)), Node::Members(names)) if !names.is_empty() => {
                remove(value, named);
                matches!(value, Node::Members(left) if left.is_empty())
            }
            _ => true,
        };
        if emptied {
            members.remove(key.as_ref());
        }
    }
}

/// Whether nothing is left.
fn prune(node: &mut Node<'_>) -> bool {
    match node {
        Node::Leaf(_) => false,
        Node::Members(members) => {
            members.retain(|_, value| !prune(value));
            members.is_empty()
        }
    }
}

/// `must` makes the first part take a leaf even if it is too large.
fn split<'a>(members: Members<'a>, size: usize, must: bool) -> (Members<'a>, Members<'a>) {
    let (mut first, mut rest) = (Members::new(), Members::new());
    let mut used = 2; // The braces.
    for (key, value) in members {
        let mut name = Vec::new();
        write_string(&key, JsonStyle::Compact, &mut name);
        let around = name.len() + 1 + usize::from(!first.is_empty());
        if rest.is_empty() && used + around + value.len() <= size {
            used += around + value.len();
            first.insert(key, value);
            continue;
        }
        let must = must && first.is_empty();
        match value {
            Node::Members(inner) if rest.is_empty() => {
                let (a, b) = split(inner, size.saturating_sub(used + around), must);
                if !a.is_empty() {
                    used = size;
                    first.insert(key.clone(), Node::Members(a));
                }
                if !b.is_empty() {
                    rest.insert(key, Node::Members(b));
                }
            }
            value if must && rest.is_empty() => {
                used = size;
                first.insert(key, value);
            }
            value => {
                rest.insert(key, value);
            }
        }
    }
    (first, rest)
}

fn largest(node: &Node<'_>) -> usize {
    match node {
        Node::Members(members) if !members.is_empty() => {
            let of_member = |(key, value): (&Cow<'_, str>, &Node<'_>)| {
                let mut name = Vec::new();
                write_string(key, JsonStyle::Compact, &mut name);
                name.len() + 3 + largest(value)
            };
            members.iter().map(of_member).max().unwrap_or(0)
        }
        leaf => leaf.len(),
    }
}

#[cfg(test)]
mod tests;
