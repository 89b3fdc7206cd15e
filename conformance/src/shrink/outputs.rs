//! What can be asked for in a recording.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::source::Recording;

/// How many names of a kind are printed.
const MAXIMUM_PRINTED: usize = 24;
/// The longest name that is one; the engine's are shorter.
const MAXIMUM_NAME: usize = 40;

/// The names of a recording's outputs, by which a [`Condition`](super::Condition) asks for them, and
/// how many there are of each.
///
/// Printed, it is a sentence without its full stop: `events: Connected 1, Ended 299; outcomes:
/// Published 299; packets: CONNECT 1, PUBLISH 299`, of each kind 24 names at most, and `and 3 more`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Those of `event NAME`.
    pub events: BTreeMap<String, u64>,
    /// Those of `outcome NAME`.
    pub outcomes: BTreeMap<String, u64>,
    /// Those of `packet NAME`.
    pub packets: BTreeMap<String, u64>,
}

/// The names in a line of a recording.
#[derive(Deserialize)]
struct Line {
    out: Option<String>,
    event: Option<String>,
    outcome: Option<String>,
    packet: Option<String>,
}

impl Outputs {
    /// Those of a recording. Lines that are no outputs, and names that no engine gives, do not
    /// count.
    #[must_use]
    pub fn of(recording: &Recording) -> Outputs {
        let mut outputs = Outputs::default();
        for line in recording.text().lines() {
            let Ok(line) = serde_json::from_str::<Line>(line) else {
                continue;
            };
            match line.out.as_deref() {
                Some("event") => {
                    count(&mut outputs.events, line.event);
                    count(&mut outputs.outcomes, line.outcome);
                }
                Some("packet") => count(&mut outputs.packets, line.packet),
                _ => {}
            }
        }
        outputs
    }
}

fn count(names: &mut BTreeMap<String, u64>, name: Option<String>) {
    let is_name = |name: &String| {
        name.len() <= MAXIMUM_NAME && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if let Some(name) = name.filter(is_name) {
        *names.entry(name).or_default() += 1;
    }
}

impl fmt::Display for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            ("events", &self.events),
            ("outcomes", &self.outcomes),
            ("packets", &self.packets),
        ];
        let mut mark = "";
        for (kind, names) in kinds.into_iter().filter(|(_, names)| !names.is_empty()) {
            write!(f, "{mark}{kind}:")?;
            mark = "; ";
            let mut comma = "";
            for (name, count) in names.iter().take(MAXIMUM_PRINTED) {
                write!(f, "{comma} {name} {count}")?;
                comma = ",";
            }
            let more = names.len().saturating_sub(MAXIMUM_PRINTED);
            if more > 0 {
                write!(f, " and {more} more")?;
            }
        }
        if mark.is_empty() {
            write!(f, "no events, outcomes or packets")?;
        }
        Ok(())
    }
}
