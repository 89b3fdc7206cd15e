//! What a recording has to do to count as failing, in words.

mod evaluate;
mod parse;

use serde_json::Value;

use super::divergence::Difference;
use super::error::ShrinkError;
use super::lift::Lifted;
use super::search::Question;
use super::source::Recording;
use super::tape::Run;
use crate::recording::Replay;

pub use parse::ConditionError;

/// What has to hold for a recording for it to be the failure that is looked for.
///
/// | condition | holds if |
/// |---|---|
/// | `divergence` | the engine does something else than the recorded one did |
/// | `event`, `packet`, `outcome`, `refused`, `accepted`, `connect`, `close`, `deadline` | there is such an output |
/// | `event EventsLost` | there is one of that name: an event, a packet, the outcome of a request |
/// | `packet PUBLISH topic ~ "result", payload.state.reported.power == true` | there is one in which all that is listed holds, too |
/// | `refused "closed"` | there is one with that text in its line |
/// | `"text"` | any output has that text in its line |
/// | `count(event Disconnected) >= 3` | there are so many of them |
/// | `unended` | a request was accepted and has not ended |
/// | `unsynchronized` | no shadow was `Ready` since the device was last connected, or ever |
/// | `A and B`, `A or B`, `not A`, `(A)` | as usual; `not` binds closest, then `then`, `and`, `or` |
/// | `A then B` | both hold, B of what comes behind the output by which A first held |
///
/// A path names a field of the output's line, and what is within it: `payload.state.reported`,
/// `filters[0][1]`, `payload."a.b"`. Alone, it has to be there. `==`, `!=`, `<`, `<=`, `>`, `>=`
/// compare it with a JSON value, `~` asks whether a text is within its text; what is not there is not
/// equal, not less and not more.
///
/// # Divergence
///
/// What the recorded engine would do with fewer inputs is not known. But up to the first divergence
/// both engines do the same, so nothing before it is in doubt, and nothing behind it matters. The
/// divergence is kept if, in response to the same input, this engine still does what it did there, and
/// does not do what the recorded one did: of two outputs of one kind, the fields in which they differ
/// tell them apart; otherwise their kinds do. Packet ids, times and what else is alike may change. The
/// result is what this engine does, but for that one output, which is the recorded engine's: it
/// diverges there and says in what.
///
/// # Examples
///
/// ```
/// use conformance::shrink::Condition;
///
/// let condition: Condition = "event Disconnected kind == \"PingTimedOut\" then \
///     not event Connected".parse()?;
/// let error = "count(event) > many".parse::<Condition>().unwrap_err();
/// assert_eq!(error.to_string(), "column 16: here belongs a number");
/// # drop(condition);
/// # Ok::<(), conformance::shrink::ConditionError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Condition(Node);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Divergence,
    Unended,
    Unsynchronized,
    Text(String),
    Output(Pattern),
    Count(Pattern, Comparison, u64),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Then(Box<Node>, Box<Node>),
}

/// What is asked of one output.
#[derive(Clone, Debug, PartialEq)]
struct Pattern {
    kind: &'static str,
    name: Option<String>,
    clauses: Vec<Clause>,
}

#[derive(Clone, Debug, PartialEq)]
enum Clause {
    Text(String),
    Present(Vec<Key>),
    Compare(Vec<Key>, Comparison, Value),
}

#[derive(Clone, Debug, PartialEq)]
enum Key {
    Name(String),
    Index(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
    Contains,
}

impl Condition {
    /// That the engine does something else than the recorded one did.
    #[must_use]
    pub fn divergence() -> Condition {
        Condition(Node::Divergence)
    }

    fn has_divergence(&self) -> bool {
        fn any(node: &Node) -> bool {
            match node {
                Node::Divergence => true,
                Node::Not(inner) => any(inner),
                Node::And(a, b) | Node::Or(a, b) | Node::Then(a, b) => any(a) || any(b),
                _ => false,
            }
        }
        any(&self.0)
    }

    /// The condition of one recording, which meets it.
    ///
    /// # Errors
    ///
    /// [`ShrinkError::Read`], and [`ShrinkError::HoldsNot`] or [`ShrinkError::Same`] where it does
    /// not.
    pub(super) fn bind<'c>(
        &'c self,
        recording: &'c Recording,
        lifted: &Lifted,
    ) -> Result<Bound<'c>, ShrinkError> {
        let mut difference = None;
        if self.has_divergence() {
            let mut replay = Replay::new(recording.reader()?)?;
            difference = replay.run()?.map(|divergence| {
                // The line of an output is of the step of the input before it, and so is the place
                // at which an output came although there is none.
                let line = usize::try_from(divergence.place.line).unwrap_or(usize::MAX);
                let step = lifted.steps.get(line.saturating_sub(2));
                Difference::new(step.copied().unwrap_or(0), &divergence)
            });
            if difference.is_none() && self.0 == Node::Divergence {
                return Err(ShrinkError::Same);
            }
        }
        let bound = Bound {
            condition: self,
            header: recording.text().lines().next().unwrap_or_default(),
            difference,
        };
        if !self.has_divergence() {
            let recorded = Run::recorded(recording.text(), &lifted.steps);
            if !bound.holds(&recorded) {
                return Err(ShrinkError::HoldsNot);
            }
        }
        Ok(bound)
    }
}

/// A condition and what it means for one recording.
#[derive(Debug)]
pub(super) struct Bound<'c> {
    condition: &'c Condition,
    /// The first line of the recording.
    header: &'c str,
    difference: Option<Difference>,
}

impl Question for Bound<'_> {
    fn fails(&mut self, run: &Run) -> bool {
        self.holds(run)
    }

    fn renumber(&mut self, steps: &[(u32, u32)]) {
        if let Some(difference) = &mut self.difference {
            difference.renumber(steps);
        }
    }
}

impl Bound<'_> {
    fn holds(&self, run: &Run) -> bool {
        evaluate::holds(&self.condition.0, run, self.difference.as_ref())
    }

    /// The recording of a run. If it is the divergence that counts, it diverges.
    pub(super) fn recording(&self, run: &Run) -> String {
        let header = self.header;
        let planted = self
            .difference
            .as_ref()
            .and_then(|difference| difference.plant(run, header));
        planted.unwrap_or_else(|| run.recording().to_owned())
    }
}

#[cfg(test)]
mod tests;
