//! What is checked of a run, how often, and what it is called.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Invariant {
    /// At rest the cloud's `reported` is what the device last reported, key by key.
    Reported,
    /// The engine's copy of `reported` is what the device last reported.
    Copy,
    /// At rest every value that is desired was told.
    Told,
    /// One version with one content is told once as new, and only what was told is told again.
    ToldOnce,
    /// The device deletes nothing of `desired` but what it has answered, and at rest all of that.
    Answered,
    /// Each request ends exactly once.
    EndsOnce,
    /// It ends as what is true.
    Truth,
    /// Neither end of a connection finds that the other breaks the protocol.
    Protocol,
    /// Everything stays within the configured bounds.
    Bounds,
    /// Once nothing is wrong any more, everything comes to rest.
    Rest,
    /// A recording of an engine replays to the same.
    Replay,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Invariant; 11] = [
        Invariant::Reported,
        Invariant::Copy,
        Invariant::Told,
        Invariant::ToldOnce,
        Invariant::Answered,
        Invariant::EndsOnce,
        Invariant::Truth,
        Invariant::Protocol,
        Invariant::Bounds,
        Invariant::Rest,
        Invariant::Replay,
    ];

    /// What it is called in a table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Invariant::Reported => "reported in step at rest",
            Invariant::Copy => "the engine's copy of reported",
            Invariant::Told => "every desired value told",
            Invariant::ToldOnce => "told once as new",
            Invariant::Answered => "only answers delete, and all do",
            Invariant::EndsOnce => "requests end once",
            Invariant::Truth => "requests end truthfully",
            Invariant::Protocol => "the protocol is obeyed",
            Invariant::Bounds => "within bounds",
            Invariant::Rest => "comes to rest",
            Invariant::Replay => "recordings replay to the same",
        }
    }
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant.name(), self.what)
    }
}

impl std::error::Error for Violation {}

/// How often each invariant was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    counts: [u64; Invariant::ALL.len()],
}

impl Checks {
    /// How often this one was.
    #[must_use]
    pub fn of(&self, invariant: Invariant) -> u64 {
        self.counts.get(invariant as usize).copied().unwrap_or(0)
    }

    /// Each with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Invariant, u64)> + '_ {
        Invariant::ALL.into_iter().map(|one| (one, self.of(one)))
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Checks) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
    }

    pub(super) fn that(
        &mut self,
        invariant: Invariant,
        holds: bool,
        what: impl FnOnce() -> String,
    ) -> Result<(), Violation> {
        if let Some(count) = self.counts.get_mut(invariant as usize) {
            *count += 1;
        }
        match holds {
            true => Ok(()),
            false => Err(Violation {
                invariant,
                what: what(),
            }),
        }
    }
}
