//! One shadow document and how an update turns it into the next one.

use shadow_core::WallTime;

use super::document::Document;
use super::node::Object;
use super::part::{Part, PartChange};
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
    /// `None` if no key is desired, as of most devices at most times.
    desired: Option<Box<Part>>,
    /// What it was seeded with; `None` if with nothing.
    initial: Option<Box<Seed>>,
}

/// What a document was seeded with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seed {
    reported: Part,
    desired: Part,
}

/// What an update makes of a document, until it is kept.
pub(crate) struct Outcome<'a> {
    before: &'a Shadow,
    /// Whether the document is another one now.
    pub(crate) changed: bool,
    version: u64,
    updated: Option<WallTime>,
    pub(crate) reported: PartChange<'a>,
    pub(crate) desired: PartChange<'a>,
}

/// What is to be kept of an [`Outcome`].
pub(crate) struct Next {
    version: u64,
    updated: Option<WallTime>,
    reported: Option<Part>,
    desired: Option<Part>,
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
        self.reported.text().to_owned()
    }

    /// The desired part; `None` if no key is desired.
    #[must_use]
    pub fn desired(&self) -> Option<String> {
        let desired = self.desired.as_ref();
        desired.map(|desired| desired.text().to_owned())
    }

    /// What of the desired part is not in the reported one, nested objects cut down to the members
    /// that differ; `None` if every desired value has been reported.
    #[must_use]
    pub fn delta(&self) -> Option<String> {
        let difference = self.document().difference();
        (!difference.is_empty()).then(|| difference.text())
    }

    /// The time of the last change of each value, in milliseconds since 1970:
    /// `{"delta":{..},"desired":{"key":{"timestamp":ms}},"reported":{..}}`, without empty parts. A
    /// nested object has the times of its members, an array has one for the whole.
    #[must_use]
    pub fn metadata(&self) -> String {
        self.document().stamps().text()
    }

    pub(crate) fn seeded(
        reported: &Object<'_>,
        desired: &Object<'_>,
        version: u64,
        at: WallTime,
    ) -> Shadow {
        let seed = Seed {
            reported: Part::new(reported, at),
            desired: Part::new(desired, at),
        };
        Shadow {
            version,
            updated: Some(at),
            reported: seed.reported.clone(),
            desired: kept(seed.desired.clone()),
            initial: Some(Box::new(seed)),
        }
    }

    /// The patch that brings back what it was seeded with.
    pub(crate) fn reset_patch(&self) -> Patch<'_> {
        let (reported, desired) = match &self.initial {
            Some(seed) => (seed.reported.values(), seed.desired.values()),
            None => <(Object<'_>, Object<'_>)>::default(),
        };
        Patch {
            reported: Some(PartPatch::Replace(reported)),
            desired: Some(PartPatch::Replace(desired)),
        }
    }

    pub(crate) fn document(&self) -> Document<'_> {
        Document {
            version: self.version,
            updated: self.updated,
            reported: &self.reported,
            desired: self.desired_part(),
        }
    }

    /// What a patch makes of it. `count_unchanged` says whether one that changes nothing counts as
    /// a change.
    pub(crate) fn apply<'a>(
        &'a self,
        at: WallTime,
        patch: &Patch<'a>,
        count_unchanged: bool,
    ) -> Outcome<'a> {
        let reported = self.reported.apply(at, patch.reported.as_ref());
        let desired = self.desired_part().apply(at, patch.desired.as_ref());
        let changed = count_unchanged || reported.after.is_some() || desired.after.is_some();
        Outcome {
            before: self,
            changed,
            version: self.version.saturating_add(u64::from(changed)),
            updated: if changed { Some(at) } else { self.updated },
            reported,
            desired,
        }
    }

    fn desired_part(&self) -> &Part {
        static NOTHING: Part = Part::EMPTY;
        self.desired.as_deref().unwrap_or(&NOTHING)
    }

    /// Becomes what an update has made of it.
    pub(crate) fn keep(&mut self, next: Next) {
        self.version = next.version;
        self.updated = next.updated;
        if let Some(reported) = next.reported {
            self.reported = reported;
        }
        if let Some(desired) = next.desired {
            self.desired = kept(desired);
        }
    }
}

fn kept(part: Part) -> Option<Box<Part>> {
    (!part.is_empty()).then(|| Box::new(part))
}

impl Outcome<'_> {
    /// The document as it would be.
    pub(crate) fn document(&self) -> Document<'_> {
        Document {
            version: self.version,
            updated: self.updated,
            reported: self
                .reported
                .after
                .as_ref()
                .unwrap_or(&self.before.reported),
            desired: self
                .desired
                .after
                .as_ref()
                .unwrap_or(self.before.desired_part()),
        }
    }

    pub(crate) fn into_next(self) -> Next {
        Next {
            version: self.version,
            updated: self.updated,
            reported: self.reported.after,
            desired: self.desired.after,
        }
    }
}
