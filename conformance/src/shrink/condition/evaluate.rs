//! Whether a condition holds.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::Value;

use super::super::divergence::Difference;
use super::super::tape::{Run, is_input};
use super::{Clause, Comparison, Key, Node, Pattern};

/// Whether it holds for a run.
pub(super) fn holds(node: &Node, run: &Run, difference: Option<&Difference>) -> bool {
    let lines: Vec<&str> = run.steps().map(|(_, line)| line).collect();
    let context = Context {
        lines: &lines,
        divergence: difference.and_then(|difference| difference.find(run)),
    };
    context.behind(node, 0).is_some()
}

struct Context<'r> {
    lines: &'r [&'r str],
    /// The line of the divergence.
    divergence: Option<usize>,
}

impl<'r> Context<'r> {
    /// Behind which line it first holds for the lines from `from` on.
    fn behind(&self, node: &Node, from: usize) -> Option<usize> {
        let end = self.lines.len();
        match node {
            Node::Divergence => self
                .divergence
                .filter(|place| *place >= from)
                .map(|place| place + 1),
            Node::Text(text) => self.first(from, |line| line.contains(text.as_str())),
            Node::Output(pattern) => self.first(from, |line| pattern.matches(line)),
            Node::Count(pattern, comparison, number) => {
                self.count(pattern, *comparison, *number, from)
            }
            Node::Unended => self.is_unended(from).then_some(end),
            Node::Unsynchronized => self.is_unsynchronized(from).then_some(end),
            Node::Not(inner) => match self.behind(inner, from) {
                Some(_) => None,
                None => Some(end),
            },
            Node::And(a, b) => Some(self.behind(a, from)?.max(self.behind(b, from)?)),
            Node::Or(a, b) => {
                let both = [self.behind(a, from), self.behind(b, from)];
                both.into_iter().flatten().min()
            }
            Node::Then(a, b) => self.behind(b, self.behind(a, from)?),
        }
    }

    fn outputs(&self, from: usize) -> impl Iterator<Item = (usize, &'r str)> {
        let lines = self.lines.iter().copied().enumerate();
        // The first line is the header.
        lines.skip(from.max(1)).filter(|(_, line)| !is_input(line))
    }

    fn first(&self, from: usize, matches: impl Fn(&str) -> bool) -> Option<usize> {
        let found = self.outputs(from).find(|(_, line)| matches(line))?;
        Some(found.0 + 1)
    }

    fn count(
        &self,
        pattern: &Pattern,
        comparison: Comparison,
        number: u64,
        from: usize,
    ) -> Option<usize> {
        let mut count: u64 = 0;
        for (index, line) in self.outputs(from) {
            if !pattern.matches(line) {
                continue;
            }
            count += 1;
            let lasting = match comparison {
                Comparison::More => count > number,
                Comparison::AtLeast => count >= number,
                _ => false,
            };
            if lasting {
                return Some(index + 1);
            }
        }
        let holds = match comparison {
            Comparison::Equal => count == number,
            Comparison::Unequal => count != number,
            Comparison::Less => count < number,
            Comparison::AtMost => count <= number,
            // That of none at all.
            Comparison::AtLeast => number == 0,
            Comparison::More | Comparison::Contains => false,
        };
        holds.then_some(self.lines.len())
    }

    fn is_unended(&self, from: usize) -> bool {
        let mut open = BTreeSet::new();
        let mut asked = "";
        for line in self.lines.iter().skip(from.max(1)) {
            if is_input(line) {
                asked = line;
                continue;
            }
            let is_end = line.contains(",\"event\":\"Ended\",");
            if !is_end && !line.contains(",\"out\":\"accepted\",") {
                continue;
            }
            let value: Option<Value> = serde_json::from_str(line).ok();
            let Some(request) = value.and_then(|value| value.get("request")?.as_u64()) else {
                continue;
            };
            if is_end {
                open.remove(&request);
            } else if !asked.is_empty() {
                open.insert(request);
            }
        }
        !open.is_empty()
    }

    fn is_unsynchronized(&self, from: usize) -> bool {
        let mut ready = false;
        for (_, line) in self.outputs(from) {
            if line.contains(",\"event\":\"Connected\"")
                || line.contains(",\"event\":\"Disconnected\"")
            {
                ready = false;
            } else if line.contains(",\"event\":\"Ready\"") {
                ready = true;
            }
        }
        !ready
    }
}

impl Pattern {
    /// Whether an output is one.
    pub(super) fn matches(&self, line: &str) -> bool {
        // Most lines need not be read.
        let (out, key) = match self.kind {
            "outcome" => ("event", "outcome"),
            kind => (kind, kind),
        };
        if !line.contains(out)
            || self
                .name
                .as_ref()
                .is_some_and(|name| !line.contains(name.as_str()))
        {
            return false;
        }
        let texts = self.clauses.iter().all(|clause| match clause {
            Clause::Text(text) => line.contains(text.as_str()),
            _ => true,
        });
        if !texts {
            return false;
        }
        let Ok(value) = serde_json::from_str::<Value>(line) else {
            return false;
        };
        if value.get("out").and_then(Value::as_str) != Some(out) {
            return false;
        }
        let named = match &self.name {
            Some(name) => value.get(key).and_then(Value::as_str) == Some(name),
            None => key != "outcome" || value.get(key).is_some(),
        };
        named
            && self.clauses.iter().all(|clause| match clause {
                Clause::Text(_) => true,
                Clause::Present(path) => at(&value, path).is_some(),
                Clause::Compare(path, comparison, other) => {
                    at(&value, path).is_some_and(|value| compare(value, *comparison, other))
                }
            })
    }
}

/// What is at a path.
fn at<'v>(value: &'v Value, path: &[Key]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| match key {
        Key::Name(name) => value.get(name),
        Key::Index(index) => value.get(index),
    })
}

fn compare(value: &Value, comparison: Comparison, other: &Value) -> bool {
    let order = || match (value, other) {
        (Value::String(value), Value::String(other)) => Some(value.cmp(other)),
        _ => match (value.as_i64(), other.as_i64()) {
            (Some(value), Some(other)) => Some(value.cmp(&other)),
            _ => value.as_f64()?.partial_cmp(&other.as_f64()?),
        },
    };
    let equal = || value == other || (value.is_number() && order() == Some(Ordering::Equal));
    match comparison {
        Comparison::Equal => equal(),
        Comparison::Unequal => !equal(),
        Comparison::Less => order() == Some(Ordering::Less),
        Comparison::AtMost => order().is_some_and(Ordering::is_le),
        Comparison::More => order() == Some(Ordering::Greater),
        Comparison::AtLeast => order().is_some_and(Ordering::is_ge),
        Comparison::Contains => {
            let needle = other
                .as_str()
                .map_or_else(|| other.to_string(), str::to_owned);
            match value {
                Value::String(text) => text.contains(&needle),
                value => value.to_string().contains(&needle),
            }
        }
    }
}
