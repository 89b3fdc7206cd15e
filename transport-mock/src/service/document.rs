//! The payloads that show a document.

use std::borrow::Cow;

use shadow_core::WallTime;

use super::node::{Node, Object, delta, merge};
use super::part::{Part, selected};

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
        let text = |part: &'a Part| Node::Text(Cow::Borrowed(part.text()));
        let shown = |part: &'a Part| (!part.is_empty()).then(|| text(part));
        let state = Object::of([
            ("delta", present(self.difference())),
            ("desired", shown(self.desired)),
            (
                "reported",
                shown(self.reported).or_else(|| (!metadata).then(|| text(self.reported))),
            ),
        ]);
        if metadata && self.updated.is_none() {
            write_message(out, Some(&self.stamps()), &state, None, self.version);
        } else {
            let stamps = metadata.then(|| self.stamps());
            self.write_message(wall, stamps.as_ref(), &state, out);
        }
    }

    /// The `payload` of an update's reply: `state` holds the keys that changed.
    pub(crate) fn write_update_payload(
        self,
        wall: WallTime,
        state: &Object<'_>,
        metadata: bool,
        out: &mut String,
    ) {
        let stamps = metadata.then(|| {
            let part = |name: &str, part: &'a Part| match state.get(name) {
                Some(Node::Object(changed)) => present(selected(&part.stamps(), changed)),
                _ => None,
            };
            Object::of([
                ("desired", part("desired", self.desired)),
                ("reported", part("reported", self.reported)),
            ])
        });
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
        self.write_message(wall, stamps.as_ref(), state, out);
    }

    fn write_message(
        self,
        wall: WallTime,
        metadata: Option<&Object<'_>>,
        state: &Object<'_>,
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
    state: &Object<'_>,
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
    state.write(out);
    if let Some(timestamp) = timestamp {
        out.push_str(r#","timestamp":"#);
        write_number(timestamp, out);
    }
    out.push_str(r#","version":"#);
    write_number(version, out);
    out.push('}');
}

pub(crate) fn write_number(number: u64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(number));
}

fn present(members: Object<'_>) -> Option<Node<'_>> {
    (!members.is_empty()).then_some(Node::Object(members))
}
