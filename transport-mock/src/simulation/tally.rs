//! What came of scripts.

use std::fmt;

use super::fault::FaultCounts;
use super::invariant::{Checks, Violation};

/// What came of a script, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many scripts were run to their end.
    pub schedules: u64,
    /// How many steps they had.
    pub steps: u64,
    /// How many inputs and outputs their engines had.
    pub engine_steps: u64,
    /// The most that a single script's had.
    pub deepest: u64,
    /// How often everything came to rest.
    pub rests: u64,
    /// The time that passed in them, in microseconds.
    pub virtual_micros: u64,
    /// The faults that took effect.
    pub faults: FaultCounts,
    /// The invariants that were checked.
    pub checks: Checks,
}

impl Tally {
    /// Adds another's.
    pub fn add(&mut self, other: &Tally) {
        self.schedules += other.schedules;
        self.steps += other.steps;
        self.engine_steps += other.engine_steps;
        self.deepest = self.deepest.max(other.deepest);
        self.rests += other.rests;
        self.virtual_micros += other.virtual_micros;
        self.faults.add(&other.faults);
        self.checks.add(&other.checks);
    }
}

/// A table of it, one line each.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.virtual_micros / 3_600_000_000;
        for (name, count) in [
            ("schedules", self.schedules),
            ("steps", self.steps),
            ("engine inputs and outputs", self.engine_steps),
            ("deepest run", self.deepest),
            ("times at rest", self.rests),
            ("virtual hours", hours),
        ] {
            writeln!(f, "{name:<34}{count:>14}")?;
        }
        writeln!(f, "faults that took effect")?;
        for (kind, count) in self.faults.iter() {
            writeln!(f, "  {kind:<32}{count:>14}")?;
        }
        writeln!(f, "invariants checked")?;
        for (invariant, count) in self.checks.iter() {
            writeln!(f, "  {:<32}{count:>14}", invariant.name())?;
        }
        Ok(())
    }
}

/// A script in which something did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// At which step of the script; one past the last for the rest at its end.
    pub step: usize,
    /// What.
    pub violation: Violation,
    /// The trace, if one was asked for.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        write!(f, "step {}: {}", self.step, self.violation)
    }
}

impl std::error::Error for Failure {}
