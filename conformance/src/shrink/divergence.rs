//! What a divergence is once inputs have gone.

use serde_json::Value;

use super::tape::Run;
use super::tree::Tree;
use crate::recording::Divergence;

/// In what the engine differs from the recorded one, in response to which input.
///
/// Up to its first divergence a recording is what both engines do. So it is kept that the engine,
/// in response to the same input, gives what it gave, where the recorded one gave something else:
/// of two outputs of one kind the fields in which they differ, otherwise the kinds.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    step: u32,
    expected: Option<Output>,
    found: Option<Output>,
    /// Where both are of one kind: where they differ, and what stands there.
    fields: Vec<Field>,
}

#[derive(Clone, Debug)]
struct Output {
    line: String,
    value: Value,
}

#[derive(Clone, Debug)]
struct Field {
    /// As of [`Value::pointer`].
    path: String,
    expected: Option<Value>,
    found: Option<Value>,
}

impl Output {
    fn read(line: &str) -> Option<Output> {
        let mut value: Value = serde_json::from_str(line).ok()?;
        let fields = value.as_object_mut()?;
        fields.get("out")?;
        // Times are told from each other, and not from the start.
        let at = fields.remove("at").and_then(|at| at.as_u64())?;
        if let Some(due) = fields.get("due").and_then(Value::as_u64) {
            fields.insert("due".to_owned(), due.saturating_sub(at).into());
        }
        Some(Output {
            line: line.to_owned(),
            value,
        })
    }

    fn kind(&self) -> [Option<&Value>; 3] {
        ["out", "packet", "event"].map(|key| self.value.get(key))
    }
}

impl Difference {
    /// Of a divergence that the input of a step brought about.
    pub(super) fn new(step: u32, divergence: &Divergence) -> Difference {
        // An input stands where the recording has no output.
        let read = |line: &Option<String>| line.as_deref().and_then(Output::read);
        let (expected, found) = (read(&divergence.expected), read(&divergence.found));
        let mut fields = Vec::new();
        if let (Some(expected), Some(found)) = (&expected, &found)
            && expected.kind() == found.kind()
        {
            compare(&expected.value, &found.value, "", &mut fields);
        }
        Difference {
            step,
            expected,
            found,
            fields,
        }
    }

    /// The step has another number now.
    pub(super) fn renumber(&mut self, steps: &[(u32, u32)]) {
        if let Some((_, new)) = steps.iter().find(|(old, _)| *old == self.step) {
            self.step = *new;
        }
    }

    /// Whether an output is as this side's in what matters.
    fn is_like(&self, output: &Output, side: Side) -> bool {
        let (of, value): (_, fn(&Field) -> &Option<Value>) = match side {
            Side::Expected => (&self.expected, |field| &field.expected),
            Side::Found => (&self.found, |field| &field.found),
        };
        let Some(of) = of else {
            return false;
        };
        output.kind() == of.kind()
            && self
                .fields
                .iter()
                .all(|field| output.value.pointer(&field.path) == value(field).as_ref())
    }

    /// The line of a run that shows it: that of the output, or, where an output is missing, the last
    /// one of the step.
    pub(super) fn find(&self, run: &Run) -> Option<usize> {
        let mut last = None;
        for (index, (step, line)) in run.steps().enumerate() {
            if step != self.step {
                continue;
            }
            last = Some(index);
            let Some(output) = Output::read(line) else {
                continue;
            };
            if self.is_like(&output, Side::Expected) {
                return None;
            }
            if self.is_like(&output, Side::Found) {
                return last;
            }
        }
        last.filter(|_| self.found.is_none())
    }

    /// The recording of a run with what the recorded engine did in the place of what this one did:
    /// it diverges there. The header says which engine that was.
    pub(super) fn plant(&self, run: &Run, header: &str) -> Option<String> {
        let place = self.find(run)?;
        let mut text = String::with_capacity(run.recording().len());
        text.push_str(header);
        text.push('\n');
        for (index, (_, line)) in run.steps().enumerate().skip(1) {
            let is_place = index == place;
            if !is_place || self.found.is_none() {
                text.push_str(line);
                text.push('\n');
            }
            if is_place && let Some(expected) = &self.expected {
                text.push_str(&self.expected_instead(expected, line));
                text.push('\n');
            }
        }
        Some(text)
    }
}

#[derive(Clone, Copy)]
enum Side {
    Expected,
    Found,
}

impl Difference {
    /// What the recorded engine would have given in the place of this line, as far as is known: in
    /// what differs, what it gave.
    fn expected_instead(&self, expected: &Output, line: &str) -> String {
        let (Some(mut old), Some(new)) = (Tree::parse(&expected.line), Tree::parse(line)) else {
            return expected.line.clone();
        };
        let due = expected.value.get("due").and_then(Value::as_u64);
        let at = serde_json::from_str::<Value>(line)
            .ok()
            .and_then(|line| line.get("at")?.as_u64())
            .unwrap_or(0);
        if let Some(place) = old.member_mut("at") {
            *place = Tree::Leaf(at.to_string());
        }
        if let (Some(due), Some(place)) = (due, old.member_mut("due")) {
            *place = Tree::Leaf(at.saturating_add(due).to_string());
        }
        if !self.fields.is_empty() {
            self.take_alike(&mut old, &new, "");
        }
        old.to_string()
    }

    /// Takes all that is no difference from the new line.
    fn take_alike(&self, old: &mut Tree, new: &Tree, path: &str) {
        if self.fields.iter().any(|field| field.path == path) {
            return;
        }
        match (old, new) {
            (Tree::Object(old), Tree::Object(new)) => {
                // What is in one alone is a difference, or has come since.
                old.retain(|(key, _)| {
                    let path = format!("{path}/{}", escape(&unquoted(key)));
                    new.iter().any(|(other, _)| key == other)
                        || self.fields.iter().any(|field| field.path == path)
                });
                for (key, value) in old {
                    if let Some((_, other)) = new.iter().find(|(other, _)| other == key) {
                        let path = format!("{path}/{}", escape(&unquoted(key)));
                        self.take_alike(value, other, &path);
                    }
                }
            }
            (Tree::Array(old), Tree::Array(new)) if old.len() == new.len() => {
                for (index, (value, other)) in old.iter_mut().zip(new).enumerate() {
                    self.take_alike(value, other, &format!("{path}/{index}"));
                }
            }
            (old, new) => *old = new.clone(),
        }
    }
}

/// The text of a key.
fn unquoted(key: &str) -> String {
    serde_json::from_str(key).unwrap_or_default()
}

/// Adds where two values differ, as deep as they are objects and arrays alike.
fn compare(expected: &Value, found: &Value, path: &str, fields: &mut Vec<Field>) {
    if expected == found {
        return;
    }
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, value) in expected {
                let path = format!("{path}/{}", escape(key));
                match found.get(key) {
                    Some(other) => compare(value, other, &path, fields),
                    None => fields.push(Field {
                        path,
                        expected: Some(value.clone()),
                        found: None,
                    }),
                }
            }
            let added = found.iter().filter(|(key, _)| !expected.contains_key(*key));
            fields.extend(added.map(|(key, value)| Field {
                path: format!("{path}/{}", escape(key)),
                expected: None,
                found: Some(value.clone()),
            }));
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (index, (value, other)) in expected.iter().zip(found).enumerate() {
                compare(value, other, &format!("{path}/{index}"), fields);
            }
        }
        _ => fields.push(Field {
            path: path.to_owned(),
            expected: Some(expected.clone()),
            found: Some(found.clone()),
        }),
    }
}

/// A key as a part of a JSON pointer (RFC 6901).
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
