//! The payloads that show a document.

use shadow_core::WallTime;

use super::node::{Node, Object, delta, merge, write_key};
use super::part::{Named, Part, PartChange, selected};

/// A document as it is, or as it would be after an update that is not kept yet.
#[derive(Clone, Copy)]
pub(crate) struct Document<'a> {
    pub(crate) version: u64,
    pub(crate) updated: Option<WallTime>,
    pub(crate) reported: &'a Part,
    pub(crate) desired: &'a Part,
}

impl<'a> Document<'a> {
    /// The bytes that the document's two parts take as JSON.
    pub(crate) fn size(self) -> usize {
        let desired = match self.desired.is_empty() {
            true => 0,
            false => r#""desired":,"#.len() + self.desired.text().len(),
        };
        r#"{"reported":}"#.len() + self.reported.text().len() + desired
    }

    /// What of the desired part is not reported.
    pub(crate) fn difference(self) -> Object<'a> {
        if self.desired.is_empty() {
            return Object::default();
        }
        delta(&self.desired.values(), &self.reported.values())
    }

    /// Of `changed`, a patch of the desired part, the values that are not reported.
    pub(crate) fn difference_within<'b>(self, changed: &Object<'b>) -> Object<'b>
    where
        'a: 'b,
    {
        let mut wanted = Object::default();
        merge(&mut wanted, changed);
        delta(&wanted, &self.reported.values())
    }

    /// `{"delta":{..},"desired":{..},"reported":{..}}` of stamps, without empty parts.
    pub(crate) fn stamps(self) -> Object<'a> {
        let desired = self.desired.stamps();
        Object::of([
            ("delta", present(selected(&desired, &self.difference()))),
            ("desired", present(desired)),
            ("reported", present(self.reported.stamps())),
        ])
    }

    /// The document as a get reply's `payload`.
    pub(crate) fn write_payload(self, wall: WallTime, metadata: bool, out: &mut String) {
        let difference = self.difference();
        let state = |out: &mut String| {
            let mut members = Members::begin(out);
            if !difference.is_empty() {
                difference.write(members.value_of("delta"));
            }
            if !self.desired.is_empty() {
                members.value_of("desired").push_str(self.desired.text());
            }
            if !self.reported.is_empty() || !metadata {
                members.value_of("reported").push_str(self.reported.text());
            }
            members.end();
        };
        if metadata && self.updated.is_none() {
            write_message(out, Some(&self.stamps()), state, None, self.version);
        } else {
            let stamps = metadata.then(|| self.stamps());
            self.write_message(wall, stamps.as_ref(), state, out);
        }
    }

    /// The `payload` of an update's reply, whose `state` has what changed of the parts that the
    /// update named.
    pub(crate) fn write_update_payload(
        self,
        wall: WallTime,
        reported: &PartChange<'_>,
        desired: &PartChange<'_>,
        metadata: bool,
        out: &mut String,
    ) {
        let stamps = metadata.then(|| {
            let part = |part: &'a Part, change: &PartChange<'_>| match change.named {
                Named::Patched => present(selected(&part.stamps(), &change.changes)),
                Named::Not | Named::Cleared => None,
            };
            Object::of([
                ("desired", part(self.desired, desired)),
                ("reported", part(self.reported, reported)),
            ])
        });
        let state = |out: &mut String| {
            let mut members = Members::begin(out);
            for (name, change) in [("desired", desired), ("reported", reported)] {
                match change.named {
                    Named::Not => {}
                    Named::Patched => change.changes.write(members.value_of(name)),
                    Named::Cleared => members.value_of(name).push_str("null"),
                }
            }
            members.end();
        };
        self.write_message(wall, stamps.as_ref(), state, out);
    }

    /// The `payload` of a delta push.
    pub(crate) fn write_delta_payload(
        self,
        wall: WallTime,
        state: &Object<'_>,
        metadata: bool,
        out: &mut String,
    ) {
        let stamps = metadata.then(|| selected(&self.desired.stamps(), state));
        self.write_message(wall, stamps.as_ref(), |out| state.write(out), out);
    }

    fn write_message(
        self,
        wall: WallTime,
        metadata: Option<&Object<'_>>,
        state: impl FnOnce(&mut String),
        out: &mut String,
    ) {
        let timestamp = match self.updated {
            Some(updated) => updated.as_unix_millis(),
            None => wall.as_unix_seconds(),
        };
        write_message(out, metadata, state, Some(timestamp), self.version);
    }
}

fn write_message(
    out: &mut String,
    metadata: Option<&Object<'_>>,
    state: impl FnOnce(&mut String),
    timestamp: Option<u64>,
    version: u64,
) {
    out.push('{');
    if let Some(metadata) = metadata {
        out.push_str(r#""metadata":"#);
        metadata.write(out);
        out.push(',');
    }
    out.push_str(r#""state":"#);
    state(out);
    if let Some(timestamp) = timestamp {
        out.push_str(r#","timestamp":"#);
        write_number(timestamp, out);
    }
    out.push_str(r#","version":"#);
    write_number(version, out);
    out.push('}');
}

/// Writes an object whose keys need no escapes.
struct Members<'o> {
    out: &'o mut String,
    start: usize,
}

impl<'o> Members<'o> {
    fn begin(out: &'o mut String) -> Members<'o> {
        out.push('{');
        let start = out.len();
        Members { out, start }
    }

    /// Where to write the value of the next member.
    fn value_of(&mut self, key: &'static str) -> &mut String {
        if self.out.len() > self.start {
            self.out.push(',');
        }
        write_key(key, self.out);
        self.out
    }

    fn end(self) {
        self.out.push('}');
    }
}

pub(crate) fn write_number(number: u64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(number));
}

fn present(members: Object<'_>) -> Option<Node<'_>> {
    (!members.is_empty()).then_some(Node::Object(members))
}
