//! Objects and merge patches (RFC 7396) as compact text: what a device keeps of its shadow between
//! two updates.
//!
//! A *leaf* is any value that is no object; an array is one leaf, as the cloud replaces it whole.
//! Objects below [`DEEPEST`](super::DEEPEST) levels count as leaves too, so that the recursion here has a bound.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::Reader;
use super::equality::same_value;
use super::members::{Cursor, Key, Pair, Pairs, Writer};
use super::order::{Node, is_sorted};
use super::serializer::COMPACT_TEXT;

/// A JSON object as compact text, members sorted by key, no key twice.
///
/// The empty one takes no memory. What its nulls mean is up to its user: in a patch a deletion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Object(Box<str>);

impl Object {
    /// Takes over valid JSON; `None` when it is no object, or nests deeper than a [`Reader`] goes.
    pub(crate) fn new(text: &str) -> Option<Object> {
        let mut reader = Reader::new(text);
        if reader.peek() != Some(b'{') {
            return None;
        }
        let is_sorted = is_sorted(&mut reader, 0);
        reader.end().ok()?;
        if is_sorted && !reader.has_spaces() {
            return Some(Object::from_text(text.into()));
        }
        let mut sorted = Vec::with_capacity(text.len());
        Node::next(&mut Reader::new(text), 0).write(&mut sorted);
        // Everything in it came out of a text.
        Some(Object::from_text(
            String::from_utf8(sorted).unwrap_or_default(),
        ))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn as_str(&self) -> &str {
        if self.is_empty() { "{}" } else { &self.0 }
    }

    /// Whether each of its leaves is a value that a merge sets; false in doubt.
    pub(crate) fn is_plain(&self) -> bool {
        let text = self.0.as_bytes();
        let pairs = text.iter().zip(text.get(1..).unwrap_or_default());
        // To the end, whatever is found: so the compiler looks at 16 at a time.
        !pairs.fold(false, |found, pair| {
            found | matches!(pair, (b':', b'n') | (b'{', b'}'))
        })
    }

    pub(crate) fn into_text(self) -> Box<str> {
        if self.is_empty() { "{}".into() } else { self.0 }
    }

    /// This patched by `patch`: its nulls delete, its other leaves replace.
    pub(crate) fn merged(&self, patch: &Object) -> Object {
        if patch.is_empty() {
            return self.clone();
        }
        if self.is_empty() && patch.is_plain() {
            return patch.clone();
        }
        self.written_with(patch, merge)
    }

    /// The patch that makes `wanted` of this. A null in this stands for a value that nobody knows,
    /// which equals none and may have to be deleted.
    pub(crate) fn patch_to(&self, wanted: &Object) -> Object {
        if self.is_empty() && wanted.is_empty() {
            return Object::default();
        }
        self.written_with(wanted, patch_between)
    }

    /// This with every leaf that `patch` would change turned into null: unknown from now on.
    pub(crate) fn unsettled_by(&self, patch: &Object) -> Object {
        if patch.is_empty() {
            return self.clone();
        }
        self.written_with(patch, unsettle)
    }

    /// Of this, what `first` or `second` has a value for too, whichever: where either has a leaf,
    /// all that stands in its place here.
    pub(crate) fn restricted_to(&self, first: &Object, second: &Object) -> Object {
        if self.is_empty() || (first.is_empty() && second.is_empty()) {
            return Object::default();
        }
        self.written_with(&first.united(second), restrict)
    }

    /// What this or `other` has: a leaf where either has one, that of this where both have.
    pub(crate) fn united(&self, other: &Object) -> Object {
        self.written_with(other, unite)
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
        if self == other {
            return match kept {
                Filter::Same => self.clone(),
                Filter::Other | Filter::News => Object::default(),
            };
        }
        self.written_with(other, |own, other, out| filter(own, other, kept, out))
    }

    /// This without whatever stands where `named` has a leaf.
    pub(crate) fn without(&self, named: &Object) -> Object {
        if self.is_empty() || named.is_empty() {
            return self.clone();
        }
        self.written_with(named, remove)
    }

    /// This without empty objects, and without objects that hold nothing else.
    pub(crate) fn without_empty(&self) -> Object {
        self.written(prune)
    }

    /// This with null for every leaf: the patch that deletes them.
    pub(crate) fn deletion(&self) -> Object {
        if self.is_empty() {
            return Object::default();
        }
        self.written(nullify)
    }

    /// As many members, whole or in part, as make a text of at most `size` bytes, and the rest. A
    /// single leaf that is larger stands alone.
    pub(crate) fn split(self, size: usize) -> (Object, Object) {
        if self.as_str().len() <= size {
            return (self, Object::default());
        }
        let (mut first, mut rest) = (Writer::new(size), Writer::new(self.0.len()));
        split(&mut self.cursor(), size, true, &mut first, &mut rest);
        (
            Object::from_text(first.into_text()),
            Object::from_text(rest.into_text()),
        )
    }

    /// Size of the largest leaf as an object of its own, in bytes of text.
    pub(crate) fn largest_leaf(&self) -> usize {
        largest(&mut self.cursor())
    }

    /// The top-level members for which `wanted` holds.
    pub(crate) fn members_where(&self, wanted: impl Fn(&str) -> bool) -> Object {
        self.written(|own, out| {
            let start = out.open();
            own.enter();
            while let Some(key) = own.key() {
                let member = own.member();
                if wanted(&key.read()) {
                    out.members(member);
                }
            }
            out.close_unless_empty(start)
        })
    }

    fn cursor(&self) -> Cursor<'_> {
        Cursor::new(self.as_str())
    }

    /// What `write` makes of this.
    fn written<'a, R>(&'a self, write: impl FnOnce(&mut Cursor<'a>, &mut Writer) -> R) -> Object {
        let mut out = Writer::new(self.as_str().len());
        write(&mut self.cursor(), &mut out);
        Object::from_text(out.into_text())
    }

    /// What `write` makes of this and another.
    fn written_with<'a, R>(
        &'a self,
        other: &'a Object,
        write: impl FnOnce(&mut Cursor<'a>, &mut Cursor<'a>, &mut Writer) -> R,
    ) -> Object {
        let mut out = Writer::new(self.as_str().len() + other.as_str().len());
        write(&mut self.cursor(), &mut other.cursor(), &mut out);
        Object::from_text(out.into_text())
    }

    /// Takes over text that is as it has to be, or none at all.
    fn from_text(text: String) -> Object {
        match text.as_str() {
            "{}" => Object::default(),
            _ => Object(text.into()),
        }
    }
}

/// For [`write_value`](super::write_value), which has nothing to do but copy it.
impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = serializer.serialize_struct(COMPACT_TEXT, 1)?;
        text.serialize_field(COMPACT_TEXT, self.as_str())?;
        text.end()
    }
}

/// Merges a patch into what is no leaf.
fn merge<'a>(target: &mut Cursor<'a>, patch: &mut Cursor<'a>, out: &mut Writer) {
    out.open();
    let mut pairs = Pairs::new(target, patch);
    while let Some(pair) = pairs.next_pair() {
        match pair {
            Pair::Left(members) => out.members(members),
            Pair::Right(members) => add(&mut pairs.members(members), out),
            Pair::Both(key) => {
                let (target, patch) = (&mut *pairs.left, &mut *pairs.right);
                if target.is_object() && patch.is_object() {
                    out.key(key);
                    merge(target, patch, out);
                } else {
                    target.skip();
                    add_value(key, patch, out);
                }
            }
        }
    }
    out.close();
}

/// Merges the members of a patch into nothing.
fn add(patch: &mut Cursor<'_>, out: &mut Writer) {
    while let Some(key) = patch.key() {
        add_value(key, patch, out);
    }
}

fn add_value(key: Key<'_>, patch: &mut Cursor<'_>, out: &mut Writer) {
    if patch.is_null() {
        return patch.skip();
    }
    out.key(key);
    if patch.is_object() {
        out.open();
        patch.enter();
        add(patch, out);
        out.close();
    } else {
        out.value(patch.value());
    }
}

/// Whether there is a difference.
fn patch_between<'a>(from: &mut Cursor<'a>, to: &mut Cursor<'a>, out: &mut Writer) -> bool {
    if !(from.is_object() && to.is_object()) {
        let comparable = !from.is_null() && from.is_object() == to.is_object();
        let (from, to) = (from.value(), to.value());
        let equal = comparable && same_value(from, to);
        if !equal {
            out.value(to);
        }
        return !equal;
    }
    let start = out.open();
    let mut pairs = Pairs::new(from, to);
    while let Some(pair) = pairs.next_pair() {
        match pair {
            Pair::Left(members) => {
                let mut gone = pairs.members(members);
                while let Some(key) = gone.key() {
                    gone.skip();
                    out.key(key);
                    out.null();
                }
            }
            Pair::Right(members) => out.members(members),
            Pair::Both(key) => out.key_if(key, |out| patch_between(pairs.left, pairs.right, out)),
        }
    }
    out.close_unless_empty(start)
}

fn unsettle<'a>(known: &mut Cursor<'a>, patch: &mut Cursor<'a>, out: &mut Writer) {
    if !(known.is_object() && patch.is_object()) {
        known.skip();
        patch.skip();
        return out.null();
    }
    out.open();
    let mut pairs = Pairs::new(known, patch);
    while let Some(pair) = pairs.next_pair() {
        match pair {
            Pair::Left(members) => out.members(members),
            Pair::Right(members) => nullify_members(&mut pairs.members(members), out),
            Pair::Both(key) => {
                out.key(key);
                unsettle(pairs.left, pairs.right, out);
            }
        }
    }
    out.close();
}

fn nullify(from: &mut Cursor<'_>, out: &mut Writer) {
    if !from.is_object() || from.is_empty_object() {
        from.skip();
        return out.null();
    }
    out.open();
    from.enter();
    nullify_members(from, out);
    out.close();
}

fn nullify_members(from: &mut Cursor<'_>, out: &mut Writer) {
    while let Some(key) = from.key() {
        out.key(key);
        nullify(from, out);
    }
}

/// What either has; a leaf where either has one.
fn unite<'a>(first: &mut Cursor<'a>, second: &mut Cursor<'a>, out: &mut Writer) {
    match (first.is_object(), second.is_object()) {
        (true, true) => {}
        (true, false) => {
            first.skip();
            return out.value(second.value());
        }
        (false, _) => {
            second.skip();
            return out.value(first.value());
        }
    }
    out.open();
    let mut pairs = Pairs::new(first, second);
    while let Some(pair) = pairs.next_pair() {
        match pair {
            Pair::Left(members) | Pair::Right(members) => out.members(members),
            Pair::Both(key) => {
                out.key(key);
                unite(pairs.left, pairs.right, out);
            }
        }
    }
    out.close();
}

fn restrict<'a>(from: &mut Cursor<'a>, named: &mut Cursor<'a>, out: &mut Writer) {
    if !(from.is_object() && named.is_object()) {
        named.skip();
        return out.value(from.value());
    }
    out.open();
    let mut pairs = Pairs::new(from, named);
    while let Some(pair) = pairs.next_pair() {
        match pair {
            Pair::Left(_) | Pair::Right(_) => {}
            Pair::Both(key) => {
                out.key(key);
                restrict(pairs.left, pairs.right, out);
            }
        }
    }
    out.close();
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

/// Whether anything is kept.
fn filter<'a>(
    from: &mut Cursor<'a>,
    other: &mut Cursor<'a>,
    kept: Filter,
    out: &mut Writer,
) -> bool {
    let same_kind = from.is_object() == other.is_object();
    if !from.is_object() || !other.is_object() || from.is_empty_object() {
        let is_object = from.is_object();
        let alike = kept == Filter::News || other.is_empty_object();
        let (value, other) = (from.value(), other.value());
        let equal = same_kind
            && (if is_object {
                alike
            } else {
                same_value(value, other)
            });
        let wanted = equal == (kept == Filter::Same);
        if wanted {
            out.value(value);
        }
        return wanted;
    }
    let start = out.open();
    let mut pairs = Pairs::new(from, other);
    while let Some(pair) = pairs.next_pair() {
        match pair {
            Pair::Left(members) if kept != Filter::Same => out.members(members),
            Pair::Left(_) | Pair::Right(_) => {}
            Pair::Both(key) => out.key_if(key, |out| filter(pairs.left, pairs.right, kept, out)),
        }
    }
    out.close_unless_empty(start)
}

/// Whether anything is left.
fn remove<'a>(from: &mut Cursor<'a>, named: &mut Cursor<'a>, out: &mut Writer) -> bool {
    let start = out.open();
    let mut pairs = Pairs::new(from, named);
    while let Some(pair) = pairs.next_pair() {
        match pair {
            Pair::Left(members) => out.members(members),
            Pair::Right(_) => {}
            Pair::Both(key) => {
                let (from, named) = (&mut *pairs.left, &mut *pairs.right);
                if from.is_object() && named.is_object() && !named.is_empty_object() {
                    out.key_if(key, |out| remove(from, named, out));
                } else {
                    from.skip();
                    named.skip();
                }
            }
        }
    }
    out.close_unless_empty(start)
}

/// Whether anything is left.
fn prune(from: &mut Cursor<'_>, out: &mut Writer) -> bool {
    if !from.is_object() {
        out.value(from.value());
        return true;
    }
    let start = out.open();
    from.enter();
    while let Some(key) = from.key() {
        out.key_if(key, |out| prune(from, out));
    }
    out.close_unless_empty(start)
}

/// Whether each part has anything. `must` makes the first take a leaf even if it is too large.
fn split(
    from: &mut Cursor<'_>,
    size: usize,
    must: bool,
    first: &mut Writer,
    rest: &mut Writer,
) -> (bool, bool) {
    let starts = (first.open(), rest.open());
    let mut used = 2; // The braces.
    from.enter();
    while let Some(key) = from.key() {
        let is_first = !first.has_member();
        let around = key.len() + usize::from(!is_first);
        let parts = (from.is_object() && !from.is_empty_object()).then(|| from.clone());
        let member = from.member();
        let needed = around + member.len() - key.len();
        let must = must && is_first;
        if rest.has_member() {
            rest.members(member);
        } else if used + needed <= size {
            used += needed;
            first.members(member);
        } else if let Some(mut parts) = parts {
            let size_left = size.saturating_sub(used + around);
            let marks = (first.len(), rest.len());
            first.key(key);
            rest.key(key);
            let (some, more) = split(&mut parts, size_left, must, first, rest);
            if some {
                used = size;
            } else {
                first.take_back(marks.0);
            }
            if !more {
                rest.take_back(marks.1);
            }
        } else if must {
            used = size;
            first.members(member);
        } else {
            rest.members(member);
        }
    }
    (
        first.close_unless_empty(starts.0),
        rest.close_unless_empty(starts.1),
    )
}

fn largest(from: &mut Cursor<'_>) -> usize {
    if !from.is_object() || from.is_empty_object() {
        return from.value().len();
    }
    let mut found = 0;
    from.enter();
    while let Some(key) = from.key() {
        let braces = 2;
        found = found.max(key.len() + braces + largest(from));
    }
    found
}

#[cfg(test)]
mod tests;
