//! What the engine's next update of a shadow holds.

use serde::{Serialize, Serializer};

use super::shadows::{Knowledge, Shadow};
use crate::config::{Config, VersionPolicy};
use crate::json::Object;
use crate::session::ShadowState;
use crate::tencent::Update;

/// Bytes of an update beside its parts, at most: the keys, a version and the token.
pub(super) const ENVELOPE: usize = 256;

/// What the next update holds.
pub(super) struct Plan {
    /// The patch of `reported` in it.
    pub(super) reported: Object,
    /// The answered values that it deletes from `desired`.
    pub(super) answered: Object,
    /// Whether it holds all that is to be reported.
    pub(super) whole: bool,
    /// Whether it holds every answer.
    pub(super) clears: bool,
    /// The version that it carries.
    pub(super) version: Option<u64>,
    /// How it deletes them.
    deletion: Option<Deletion>,
}

/// What an update says of `desired`.
pub(super) enum Deletion {
    /// That nothing of it stays.
    All,
    /// The patch that deletes some.
    Some(Object),
}

impl Serialize for Deletion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Deletion::All => serializer.serialize_unit(),
            Deletion::Some(patch) => patch.serialize(serializer),
        }
    }
}

impl Plan {
    /// `None` when there is nothing to send, or nothing that may be sent.
    pub(super) fn of(
        config: &Config,
        shadow: &Shadow,
        state: &ShadowState,
        limit: usize,
    ) -> Option<Plan> {
        let known = shadow.link.knowledge == Knowledge::Complete;
        let tries = match config.version_policy {
            VersionPolicy::Unchecked => 0,
            VersionPolicy::Strict => u8::MAX,
            VersionPolicy::Rebase { tries } => tries.max(1),
        };
        let may_check = known && shadow.link.conflicts < tries;
        let version = state.version.filter(|version| may_check && *version > 0);
        // A server whose documents have no version, or never another than 0, cannot check any.
        let counts = state.version.is_some_and(|version| version > 0);
        let may_delete = version.is_some()
            || config.version_policy == VersionPolicy::Unchecked
            || (known && !counts);
        let (reported, rest) = state.unacknowledged().split(limit);
        let whole = rest.is_empty();
        // A null may be longer than the value it stands for, but the key is there too.
        let room = limit.saturating_sub(reported.as_str().len()) / 2;
        let (answered, _) = state.answered.clone().split(room);
        // What was accepted is reported before it is deleted, or with it.
        let fits = answered.as_str().len() <= room || reported.is_empty();
        let answered = if whole && may_delete && fits {
            answered
        } else {
            Object::default()
        };
        let everything = state.pending.is_empty() && answered == state.answered;
        let deletion = if answered.is_empty() {
            None
        } else if everything && version.is_some() {
            Some(Deletion::All)
        } else {
            Some(Deletion::Some(answered.deletion()))
        };
        if reported.is_empty() && deletion.is_none() {
            return None;
        }
        Some(Plan {
            clears: answered == state.answered,
            reported,
            answered,
            whole,
            version,
            deletion,
        })
    }

    /// The request itself.
    pub(super) fn update(&self) -> Update<&Object, &Deletion> {
        let reported = Some(&self.reported).filter(|reported| !reported.is_empty());
        Update::of_parts(reported, self.deletion.as_ref(), self.version, false)
    }

    /// Bytes of the update, at most.
    pub(super) fn size(&self) -> usize {
        let deleted = self.answered.as_str().len().saturating_mul(2);
        self.reported.as_str().len() + deleted + ENVELOPE
    }
}
