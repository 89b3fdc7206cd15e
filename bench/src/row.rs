//! One number that was measured.

use serde::{Deserialize, Serialize};

/// The subject that is this project's. Every other subject is a peer, or a limit of the machine.
pub const OURS: &str = "shadow";

/// All that a part has measured.
///
/// In JSON: `{"rows": [..], "skipped": [".."]}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurements {
    /// In the order in which they are to be printed.
    pub rows: Vec<Row>,
    /// What could not be measured here, each with the reason, in words for a person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
}

/// One number: of one subject, at one operation, by one measure.
///
/// Rows that agree in `group`, `operation` and `measure` are compared with one another and make one
/// line of the table.
///
/// In JSON: `{"group": "codec", "operation": "encode PUBLISH, 119 B", "measure": "instructions",
/// "subject": "shadow", "value": 247.0, "better": "lower", "target": {"at_most": 300.0}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The heading under which it stands.
    pub group: String,
    /// What was done, with its size where it has one.
    pub operation: String,
    /// What was counted, with its unit: "instructions", "allocations", "us, p50".
    pub measure: String,
    /// Who did it: [`OURS`], or a peer by its name.
    pub subject: String,
    /// The number. Finite.
    pub value: f64,
    /// Which way is better.
    pub better: Better,
    /// What the number has to reach, where something was promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

/// Which of two numbers is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// The lower: costs.
    Lower,
    /// The higher: rates.
    Higher,
}

/// What a number has to reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Target {
    /// Whether `value` reaches it.
    #[must_use]
    pub fn is_met_by(self, value: f64) -> bool {
        match self {
            Target::AtMost(limit) => value <= limit,
            Target::AtLeast(limit) => value >= limit,
        }
    }
}

impl Row {
    /// A cost: the lower the better.
    #[must_use]
    pub fn cost(group: &str, operation: &str, measure: &str, subject: &str, value: f64) -> Row {
        Row {
            group: group.to_owned(),
            operation: operation.to_owned(),
            measure: measure.to_owned(),
            subject: subject.to_owned(),
            value,
            better: Better::Lower,
            target: None,
        }
    }

    /// A rate: the higher the better.
    #[must_use]
    pub fn rate(group: &str, operation: &str, measure: &str, subject: &str, value: f64) -> Row {
        Row {
            better: Better::Higher,
            ..Row::cost(group, operation, measure, subject, value)
        }
    }

    /// With what it has to reach.
    #[must_use]
    pub fn with_target(self, target: Target) -> Row {
        Row {
            target: Some(target),
            ..self
        }
    }
}
