//! What the vendor's document says below each of its logs, checked against the log.
//!
//! The logs are recognised by what they say, not by the name of the file: the client, the second in
//! which the session begins, and the kind of its first lines.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::outline::Outline;
use crate::log::{Payload, Session, Statement};

/// One sentence of the document and what the log says to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conclusion {
    /// The document's words.
    pub sentence: &'static str,
    /// What the log shows.
    pub found: String,
    /// Whether they agree.
    pub agrees: bool,
    /// Whether the disagreement lies in the vendor's document itself and is known.
    pub known: bool,
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.agrees { "agrees" } else { "DISAGREES" };
        write!(f, "“{}”: the log {word}: {}", self.sentence, self.found)
    }
}

/// A get reply or a report of the log.
struct Seen {
    at: u64,
    line: usize,
    reported: Value,
}

/// The seconds of the two documented sessions on the log's clock: 2021-07-20 16:44:56 to 58, and
/// 16:58:40 to 53.
const FIRST_SESSION: std::ops::RangeInclusive<u64> = 1_626_799_496..=1_626_799_498;
const SECOND_SESSION: std::ops::RangeInclusive<u64> = 1_626_800_320..=1_626_800_333;

/// The sentences that apply, and the line to blame for each that should agree and does not.
pub(super) fn check(session: &Session, outline: &Outline) -> Vec<(Conclusion, Option<usize>)> {
    let redacted = session.entries().any(|(_, entry)| match &entry.statement {
        Statement::SendingPublish { topic, .. } | Statement::ReceivedPublish { topic, .. } => {
            topic.contains("/xxx/test01")
        }
        _ => false,
    });
    let within = |range: &std::ops::RangeInclusive<u64>| {
        redacted
            && outline
                .lines
                .iter()
                .all(|line| range.contains(&(line.at / 1000)))
    };
    let (mut gets, mut reports) = (Vec::new(), Vec::new());
    for (index, line) in outline.lines.iter().enumerate() {
        match &line.statement {
            Statement::OnPayload {
                payload: Payload::Json(json),
                ..
            } => gets.extend(
                reported(json, "get", "/payload/state/reported").map(|value| Seen {
                    at: line.at,
                    line: index,
                    reported: value,
                }),
            ),
            Statement::ShadowUpdate { json } => {
                reports.extend(
                    reported(json, "update", "/state/reported").map(|value| Seen {
                        at: line.at,
                        line: index,
                        reported: value,
                    }),
                );
            }
            _ => {}
        }
    }
    if within(&FIRST_SESSION) {
        first_session(&gets, &reports)
    } else if within(&SECOND_SESSION) && !outline.lines.iter().any(|line| line.seam) {
        second_session(&gets, &reports)
    } else {
        Vec::new()
    }
}

fn reported(json: &str, kind: &str, path: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(json).ok()?;
    (value.get("type")?.as_str()? == kind).then(|| value.pointer(path).cloned())?
}

fn first_session(gets: &[Seen], reports: &[Seen]) -> Vec<(Conclusion, Option<usize>)> {
    let mut conclusions = Vec::new();
    let mut state = |sentence, seen: &Seen, expected: Value| {
        let agrees = seen.reported == expected;
        let conclusion = Conclusion {
            sentence,
            found: format!("reported is {}", seen.reported),
            agrees,
            known: false,
        };
        conclusions.push((conclusion, (!agrees).then_some(seen.line)));
    };
    let in_second = |second: u64| move |seen: &&Seen| seen.at / 1000 == second;
    if let Some(seen) = gets.iter().find(in_second(1_626_799_497)) {
        state(
            "the values of the `updateCount` and `updateCount11` fields are `0` and `shadow` \
             respectively",
            seen,
            serde_json::json!({ "updateCount": 0, "updateCount11": "shadow" }),
        );
    }
    if let Some(seen) = reports.iter().find(in_second(1_626_799_497)) {
        state(
            "update the value of the `updateCount` field to `12`, add the new `updateCount12` \
             field with the value `shadow`",
            seen,
            serde_json::json!({ "updateCount": 12, "updateCount12": "shadow" }),
        );
    }
    if let Some(seen) = gets.iter().find(in_second(1_626_799_498)) {
        state(
            "the value of the `updateCount` field is updated to `12`, the value of the \
             `updateCount11` field is `shadow`, and the value of the new `updateCount12` field is \
             also `shadow`",
            seen,
            serde_json::json!({
                "updateCount": 12, "updateCount11": "shadow", "updateCount12": "shadow"
            }),
        );
    }
    conclusions
}

fn second_session(gets: &[Seen], reports: &[Seen]) -> Vec<(Conclusion, Option<usize>)> {
    let mut conclusions = Vec::new();
    let mut push = |sentence, found, blame: Option<usize>, known| {
        let agrees = blame.is_none();
        let conclusion = Conclusion {
            sentence,
            found,
            agrees,
            known,
        };
        conclusions.push((conclusion, blame.filter(|_| !known)));
    };
    let counts: Vec<Option<i64>> = reports
        .iter()
        .map(|seen| seen.reported.get("updateCount").and_then(Value::as_i64))
        .collect();
    let gaps: Vec<u64> = reports
        .windows(2)
        .filter_map(|pair| Some(pair.last()?.at.saturating_sub(pair.first()?.at)))
        .collect();
    if reports.len() > 1 {
        let uneven = gaps.iter().position(|gap| gap.abs_diff(3000) > 100);
        push(
            "the device shadow is updated once every 3 seconds",
            format!("the reports are {gaps:?} ms apart"),
            uneven
                .and_then(|gap| reports.get(gap + 1))
                .map(|seen| seen.line),
            false,
        );
        let wrong = counts
            .windows(2)
            .position(|pair| !matches!(pair, [Some(a), Some(b)] if *b == a + 1));
        push(
            "the value of the `updateCount` field is increased by 1 after each time of reporting",
            format!("the reports say {}", listed(&counts)),
            wrong
                .and_then(|pair| reports.get(pair + 1))
                .map(|seen| seen.line),
            false,
        );
    }
    if counts.first() == Some(&Some(1)) && counts.len() >= 3 {
        let three = counts.get(..3) == Some(&[Some(1), Some(2), Some(3)]);
        push(
            "from 1 to 3 after three times of reporting",
            format!(
                "the first three are {}",
                listed(counts.get(..3).unwrap_or_default())
            ),
            reports.get(2).filter(|_| !three).map(|seen| seen.line),
            false,
        );
    }
    // The get after the third report, and all later ones.
    if let Some(third) = reports.get(2).filter(|_| counts.first() == Some(&Some(1))) {
        let later: Vec<&Seen> = gets
            .iter()
            .filter(|seen| seen.line > third.line)
            .skip(1)
            .collect();
        let kept = later.iter().find(|seen| {
            seen.reported.get("updateCount11").is_some()
                && seen.reported.get("updateCount12").is_some()
        });
        if let Some(seen) = later.first() {
            push(
                "after the cloud cache is reset, it restores to its initial status (with the \
                 `updateCount11` and `updateCount12` fields cleared)",
                format!("no line shows a reset; the next get has {}", seen.reported),
                kept.map(|seen| seen.line),
                true,
            );
        }
    }
    conclusions
}

/// As in `[1, 2, none]`.
fn listed(counts: &[Option<i64>]) -> String {
    let counts: Vec<String> = counts
        .iter()
        .map(|count| count.map_or_else(|| "none".into(), |count| count.to_string()))
        .collect();
    format!("[{}]", counts.join(", "))
}
