//! Objects with their members in the order of the keys.

use alloc::borrow::Cow;
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::members::DEEPEST;
use super::reader::unescape;
use super::{JsonStyle, Reader, restyle, write_string};

/// Whether the object that `reader` is before has its keys sorted, none twice and none with escapes.
/// Reads it.
pub(super) fn is_sorted(reader: &mut Reader<'_>, depth: usize) -> bool {
    let (mut sorted, mut before) = (true, None);
    reader.raw_members(|key, is_escaped, reader| {
        sorted &= !is_escaped && before.is_none_or(|before| before < key);
        before = Some(key);
        if depth + 1 < DEEPEST && reader.peek() == Some(b'{') {
            sorted &= is_sorted(reader, depth + 1);
        } else {
            reader.value_span();
        }
    });
    sorted
}

/// A value that is to be brought into order.
pub(super) enum Node<'a> {
    Leaf(&'a str),
    Members(Vec<Member<'a>>),
}

/// A member of an object, in the order of the keys.
pub(super) struct Member<'a> {
    pub(super) key: Cow<'a, str>,
    /// How many members stand before it.
    place: usize,
    pub(super) value: Node<'a>,
}

impl Ord for Member<'_> {
    /// Of equal keys the last one first.
    fn cmp(&self, other: &Self) -> Ordering {
        let by_place = || other.place.cmp(&self.place);
        self.key.cmp(&other.key).then_with(by_place)
    }
}

impl PartialOrd for Member<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Member<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Member<'_> {}

impl<'a> Node<'a> {
    pub(super) fn next(reader: &mut Reader<'a>, depth: usize) -> Node<'a> {
        if reader.peek() != Some(b'{') || depth == DEEPEST {
            return Node::Leaf(reader.value());
        }
        let mut members = Vec::new();
        reader.raw_members(|raw, is_escaped, reader| {
            let read = if is_escaped { unescape(raw) } else { None };
            members.push(Member {
                key: read.map_or(Cow::Borrowed(raw), Cow::Owned),
                place: members.len(),
                value: Node::next(reader, depth + 1),
            });
        });
        // The standard library's sort takes 4.5 KB of a microcontroller, its heap 0.5 KB.
        let mut members = BinaryHeap::from(members).into_sorted_vec();
        // Of equal keys the last holds.
        members.dedup_by(|a, b| a.key == b.key);
        Node::Members(members)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Node::Leaf(text) => restyle(text, JsonStyle::Compact, out),
            Node::Members(members) => {
                out.push(b'{');
                for (index, member) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_string(&member.key, JsonStyle::Compact, out);
                    out.push(b':');
                    member.value.write(out);
                }
                out.push(b'}');
            }
        }
    }
}
