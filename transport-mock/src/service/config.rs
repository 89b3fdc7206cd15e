//! The settings of a [`ShadowService`].

#[cfg(doc)]
use super::ShadowService;

/// How a [`ShadowService`] behaves where the sources disagree, and what it takes at most.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ServiceConfig {
    /// Whether documents look as in vendor doc 634/11918: `metadata` beside `state`, empty parts
    /// left out, no `timestamp` on a shadow that was never written. Default `false`: the form of
    /// the vendor's printed logs, without metadata and with `reported` even when it is empty.
    pub metadata: bool,
    /// What a delta push holds. Default [`DeltaPush::Whole`].
    pub delta_push: DeltaPush,
    /// Whether an update that changes no value still raises the version and sets the document's
    /// timestamp. Default `false`.
    ///
    /// A printed session of the vendor's suggests `true`: its version goes from 8 to 10 and its
    /// document's timestamp is a second later than the one update that changed something.
    pub count_unchanged: bool,
    /// The bounds on what the service takes and keeps.
    pub limits: Limits,
}

/// What a delta push holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DeltaPush {
    /// All of desired that is not reported, as in a get reply's `delta` (the recorded sessions).
    #[default]
    Whole,
    /// Of the desired keys that this change touched, those that are not reported (a reading of
    /// vendor doc 634/14072). Nothing is pushed where that is empty.
    Changes,
}

/// The bounds of a [`ShadowService`]. Whatever exceeds one is refused and changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest request payload in bytes; default 16 KiB (vendor doc 634/15241). A longer one is
    /// not looked into, so its refusal has no token.
    pub payload_bytes: usize,
    /// The largest document: bytes of `{"desired":{..},"reported":{..}}` in compact JSON, without
    /// `desired` where nothing is desired; default 16 KiB (vendor doc 634/15241 says 8 or 16). A
    /// get reply is longer: it adds the delta, and the metadata if configured.
    pub document_bytes: usize,
    /// How many objects and arrays may be nested in a part, the part itself included:
    /// `{"a":{"b":[1]}}` has 3; default 6, at most 128 (vendor doc 634/15241 says 5 or 6, not where
    /// the count begins).
    pub levels: usize,
    /// How many documents the service keeps; default 1,000.
    pub shadows: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            payload_bytes: 16 * 1024,
            document_bytes: 16 * 1024,
            levels: 6,
            shadows: 1_000,
        }
    }
}
