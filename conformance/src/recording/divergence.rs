//! Where a replay does something else than the recording.

use std::fmt;

use shadow_core::Instant;

use super::reader::Place;

/// The first line in which an engine does something else than the recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The line of the recording.
    pub place: Place,
    /// How many inputs had gone in by then; the start is the first.
    pub step: u64,
    /// The engine's time.
    pub at: Instant,
    /// What the recording has; `None` if it has nothing.
    pub expected: Option<String>,
    /// What the engine did; `None` if it did nothing.
    pub found: Option<String>,
    /// The lines before, the last at the end.
    pub before: Vec<String>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line } = &self.place;
        writeln!(
            f,
            "{file}:{line}: step {}, at {}: the engine does something else",
            self.step, self.at
        )?;
        for line in &self.before {
            writeln!(f, "    {line}")?;
        }
        let nothing = "(nothing)";
        let shown = |line: &Option<String>| line.clone().unwrap_or_else(|| nothing.to_owned());
        writeln!(f, "  expected {}", shown(&self.expected))?;
        write!(f, "  found    {}", shown(&self.found))
    }
}
