//! Where a replay does something else than the recording, and in what.

mod difference;
mod sentence;
mod window;

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use shadow_core::Instant;

use super::reader::Place;
use super::words::{describe, seconds};
use difference::{differences, shown};

pub(super) use difference::shorten;

pub use difference::{FieldDifference, Random};

/// The first line in which an engine does something else than the recorded one.
///
/// `Display` tells all of it on some lines: where, in what the engine differs, the steps before, both
/// lines with the differing fields marked, and the fields one by one.
///
/// As JSON it is an object: `file`, `line`, `step`, `at` (microseconds), `sentence`, `expected` and
/// `found` (the lines as texts, or null), `differences` (each with `path`, `expected`, `found`, and
/// `random` if it is), and `before` (lines as texts).
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
    /// Whether the engine sends the packets that the recording has in this step, in another order.
    /// Their packet ids, which follow the order, do not count.
    pub reordered: bool,
}

impl Divergence {
    /// The fields in which the two lines differ. Empty if one of them is missing, or they are of
    /// different kinds, so that nothing in them can be compared.
    #[must_use]
    pub fn differences(&self) -> Vec<FieldDifference> {
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) if comparable(expected, found) => {
                differences(expected, found)
            }
            _ => Vec::new(),
        }
    }

    /// In what the engine differs, in one sentence whose subject is the engine: `sends PUBLISH where
    /// the recording has nothing`, `ticks at 31.000000s instead of 30.000000s (timer KeepAlive)`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let (expected, found) = (self.expected.as_deref(), self.found.as_deref());
        let sentence = sentence::sentence(expected, found, self.reordered, &self.differences());
        shorten(&sentence, 0, LONGEST_SENTENCE)
    }
}

/// Whether two lines say the same kind of thing.
fn comparable(expected: &str, found: &str) -> bool {
    let kind = |line| {
        let fields = super::fields::Fields::parse(line)?;
        let name = |key: &str| fields.json(key).map(str::to_owned);
        Some((name("in"), name("out"), name("packet"), name("event")))
    };
    match (kind(expected), kind(found)) {
        (Some(expected), Some(found)) => expected == found,
        // A line that cannot be read differs as a whole.
        _ => true,
    }
}

/// How many characters a sentence has: one can have a whole line in it.
const LONGEST_SENTENCE: usize = 1_000;

/// How many characters of a line before the divergence are shown.
const SHOWN_BEFORE: usize = 160;

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line } = &self.place;
        let (step, at) = (self.step, self.at);
        writeln!(
            f,
            "{file}:{line}: step {step}, at {at}: the engine {}",
            self.sentence()
        )?;
        if !self.before.is_empty() {
            writeln!(f, "  before:")?;
        }
        for line in &self.before {
            let at = super::fields::Fields::parse(line).and_then(|fields| fields.number("at"));
            let at = at.map(seconds).unwrap_or_default();
            writeln!(
                f,
                "    {at:>14} {}",
                shorten(&describe(line), 0, SHOWN_BEFORE)
            )?;
            writeln!(f, "                   {}", shorten(line, 0, SHOWN_BEFORE))?;
        }
        let differences = self.differences();
        let marks = |side: fn(&FieldDifference) -> Option<std::ops::Range<usize>>| {
            differences.iter().filter_map(side).collect::<Vec<_>>()
        };
        let anchor = match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => {
                let same = expected.chars().zip(found.chars());
                same.take_while(|(a, b)| a == b).count()
            }
            _ => 0,
        };
        for (name, line, marks) in [
            ("expected", &self.expected, marks(|d| d.expected_at.clone())),
            ("found   ", &self.found, marks(|d| d.found_at.clone())),
        ] {
            let (shown, marked) = match line {
                Some(line) => window::window(line, &marks, anchor),
                None => ("(nothing)".to_owned(), String::new()),
            };
            writeln!(f, "  {name} {shown}")?;
            if !marked.is_empty() {
                writeln!(f, "           {marked}")?;
            }
        }
        for difference in &differences {
            let (expected, found) = shown(difference);
            let text = |value: Option<String>| value.unwrap_or_else(|| "(nothing)".to_owned());
            let path = if difference.path.is_empty() {
                "the line"
            } else {
                &difference.path
            };
            write!(
                f,
                "  {path}: expected {}, found {}",
                text(expected),
                text(found)
            )?;
            match difference.random {
                Some(random) => writeln!(f, " ({random})")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

impl Serialize for Divergence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Divergence", 9)?;
        object.serialize_field("file", &self.place.file)?;
        object.serialize_field("line", &self.place.line)?;
        object.serialize_field("step", &self.step)?;
        object.serialize_field("at", &self.at.as_micros())?;
        object.serialize_field("sentence", &self.sentence())?;
        object.serialize_field("expected", &self.expected)?;
        object.serialize_field("found", &self.found)?;
        object.serialize_field("differences", &self.differences())?;
        object.serialize_field("before", &self.before)?;
        object.end()
    }
}
