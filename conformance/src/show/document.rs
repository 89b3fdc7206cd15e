//! Shadow documents, as far as a session has shown them.

use std::collections::BTreeMap;

use shadow_core::json::{JsonStyle, restyle};

use super::step::Change;
use crate::members::Members;

/// How many shadows are followed; those that come later are not.
const MAXIMUM_SHADOWS: usize = 1024;

/// Objects within objects beyond this depth count as one value: the vendor allows six.
const DEEPEST: usize = 32;

/// The documents of all shadows of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Documents {
    shadows: BTreeMap<String, Document>,
}

/// What the cloud says of a document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Saying<'a> {
    /// This is the whole of it. `asked` is the step that asked, if it is known.
    Whole { state: &'a str, asked: Option<u64> },
    /// An update has been carried out; the reply shows `state` of it.
    Updated {
        state: Option<&'a str>,
        request: Option<&'a Update>,
    },
    /// These keys of `desired` are others.
    Delta { state: &'a str },
}

/// An update that waits for its reply.
#[derive(Clone, Debug, Default)]
pub(super) struct Update {
    pub(super) reported: Option<String>,
    pub(super) desired: Option<String>,
    pub(super) overwrite: bool,
}

/// What came of a saying.
#[derive(Clone, Debug, Default)]
pub(super) struct Effect {
    pub(super) version: Option<u64>,
    pub(super) changes: Vec<Change>,
    /// What is wrong with the version.
    pub(super) fault: Option<String>,
}

/// One document.
#[derive(Clone, Debug, Default)]
struct Document {
    parts: Node,
    version: Option<u64>,
    /// The step that told the version.
    told: u64,
}

impl Documents {
    /// Takes in what the cloud says in step `step`.
    pub(super) fn hear(
        &mut self,
        shadow: &str,
        step: u64,
        version: Option<u64>,
        saying: Saying<'_>,
    ) -> Effect {
        if !self.shadows.contains_key(shadow) && self.shadows.len() >= MAXIMUM_SHADOWS {
            return Effect::default();
        }
        let document = self.shadows.entry(shadow.to_owned()).or_default();
        document.hear(step, version, saying)
    }

    /// All that is known, as changes of nothing, with each shadow's name and version.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, Option<u64>, Vec<Change>)> {
        let all = self.shadows.iter();
        all.map(|(name, document)| {
            let changes = differences(&Node::default(), &document.parts);
            (name.as_str(), document.version, changes)
        })
    }
}

impl Document {
    fn hear(&mut self, step: u64, version: Option<u64>, saying: Saying<'_>) -> Effect {
        let fault = match (self.version, version) {
            (Some(known), Some(told)) if told < known => {
                let asked_since = match saying {
                    Saying::Whole { asked, .. } => asked.is_some_and(|asked| asked > self.told),
                    _ => false,
                };
                if !asked_since {
                    return Effect {
                        version: None,
                        changes: self.hear_late(saying),
                        fault: Some(format!("late: version {known} is known already")),
                    };
                }
                Some(format!("the version falls from {known} to {told}"))
            }
            (Some(known), Some(told)) if !matches!(saying, Saying::Whole { .. }) => {
                match told - known {
                    0 | 1 => None,
                    2 => Some(format!("version {} was not seen", known + 1)),
                    _ => Some(format!(
                        "versions {} to {} were not seen",
                        known + 1,
                        told - 1
                    )),
                }
            }
            _ => None,
        };
        let before = self.parts.clone();
        match saying {
            Saying::Whole { state, .. } => {
                self.parts = Node::default();
                self.take(Members::of(state), &["reported", "desired"]);
            }
            Saying::Updated { state, request } => {
                if let Some(request) = request {
                    if request.overwrite && request.reported.is_some() {
                        self.parts.remove("reported");
                    }
                    for (part, text) in [
                        ("reported", &request.reported),
                        ("desired", &request.desired),
                    ] {
                        if let Some(text) = text {
                            self.parts.merge_member(part, text, 0);
                        }
                    }
                }
                self.take(state.and_then(Members::of), &["reported", "desired"]);
            }
            Saying::Delta { state } => self.parts.merge_member("desired", state, 0),
        }
        if version.is_some() {
            self.version = version;
            self.told = step;
        }
        Effect {
            version,
            changes: differences(&before, &self.parts),
            fault,
        }
    }

    /// What came after something newer. `reported` is the device's alone, so what it reported holds;
    /// the rest may be superseded.
    fn hear_late(&mut self, saying: Saying<'_>) -> Vec<Change> {
        let Saying::Updated { state, request } = saying else {
            return Vec::new();
        };
        let before = self.parts.clone();
        if let Some(text) = request.and_then(|request| request.reported.as_ref()) {
            self.parts.merge_member("reported", text, 0);
        }
        self.take(state.and_then(Members::of), &["reported"]);
        differences(&before, &self.parts)
    }

    fn take(&mut self, state: Option<Members<'_>>, parts: &[&str]) {
        let Some(state) = state else { return };
        for part in parts {
            if let Some(text) = state.get(part) {
                self.parts.merge_member(part, text, 0);
            }
        }
    }
}

/// JSON whose objects are taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Object(BTreeMap<String, Node>),
    /// Any other JSON, compact.
    Leaf(String),
}

impl Default for Node {
    fn default() -> Node {
        Node::Object(BTreeMap::new())
    }
}

impl Node {
    /// What is new: an object's members that are `null` are none.
    fn of(text: &str, depth: usize) -> Node {
        match members(text, depth) {
            Some(members) => {
                let mut object = Node::default();
                for (key, value) in members.iter() {
                    object.merge_member(key, value, depth + 1);
                }
                object
            }
            None => {
                let mut compact = Vec::with_capacity(text.len());
                restyle(text, JsonStyle::Compact, &mut compact);
                Node::Leaf(String::from_utf8_lossy(&compact).into_owned())
            }
        }
    }

    /// As the vendor's cloud merges (vendor doc 634/11918): `null` deletes, objects are merged,
    /// anything else replaces what was there.
    fn merge_member(&mut self, key: &str, text: &str, depth: usize) {
        let Node::Object(object) = self else { return };
        if text == "null" {
            object.remove(key);
            return;
        }
        match (object.get_mut(key), members(text, depth)) {
            (Some(old @ Node::Object(_)), Some(members)) => {
                for (key, value) in members.iter() {
                    old.merge_member(key, value, depth + 1);
                }
            }
            _ => {
                object.insert(key.to_owned(), Node::of(text, depth));
            }
        }
    }

    fn remove(&mut self, key: &str) {
        if let Node::Object(object) = self {
            object.remove(key);
        }
    }

    fn to_json(&self) -> String {
        match self {
            Node::Leaf(text) => text.clone(),
            Node::Object(object) => {
                let mut text = String::from("{");
                for (key, node) in object {
                    if text.len() > 1 {
                        text.push(',');
                    }
                    // A string always has a JSON form.
                    text.push_str(&serde_json::to_string(key).unwrap_or_default());
                    text.push(':');
                    text.push_str(&node.to_json());
                }
                text.push('}');
                text
            }
        }
    }
}

fn members(text: &str, depth: usize) -> Option<Members<'_>> {
    if depth < DEEPEST && text.starts_with('{') {
        Members::of(text)
    } else {
        None
    }
}

fn differences(before: &Node, after: &Node) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(&mut Vec::new(), Some(before), Some(after), &mut changes);
    changes
}

fn compare(
    path: &mut Vec<String>,
    before: Option<&Node>,
    after: Option<&Node>,
    changes: &mut Vec<Change>,
) {
    let mut tell = |before: Option<String>, after: Option<String>| {
        let path = path.clone();
        changes.push(Change {
            path,
            before,
            after,
        });
    };
    match (before, after) {
        (Some(Node::Object(before)), Some(Node::Object(after))) => {
            for (key, old) in before {
                path.push(key.clone());
                compare(path, Some(old), after.get(key), changes);
                path.pop();
            }
            for (key, new) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
                path.push(key.clone());
                compare(path, None, Some(new), changes);
                path.pop();
            }
        }
        (None, Some(Node::Object(after))) if !after.is_empty() => {
            for (key, new) in after {
                path.push(key.clone());
                compare(path, None, Some(new), changes);
                path.pop();
            }
        }
        // What is added is told key by key.
        (Some(Node::Leaf(old)), Some(new @ Node::Object(object))) if !object.is_empty() => {
            tell(Some(old.clone()), None);
            compare(path, None, Some(new), changes);
        }
        (Some(old), Some(new)) if old == new => {}
        (old, new) => tell(old.map(Node::to_json), new.map(Node::to_json)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(documents: &mut Documents, step: u64, version: u64, state: &str) -> Effect {
        let asked = Some(step - 1);
        documents.hear("s", step, Some(version), Saying::Whole { state, asked })
    }

    fn told(effect: &Effect) -> Vec<String> {
        let tell = |change: &Change| {
            let part = |part: &Option<String>| part.clone().unwrap_or_default();
            let (before, after) = (part(&change.before), part(&change.after));
            format!("{} {} {before}>{after}", change.sign(), change.path())
        };
        effect.changes.iter().map(tell).collect()
    }

    /// Merging is that of the vendor's document 634/11918.
    #[test]
    fn differences_are_told_by_path() {
        let mut documents = Documents::default();
        let state = r#"{"reported":{"a":{"b":1,"c":[1, 2]},"d e":1e400,"f":{}},"delta":{"a":1}}"#;
        let effect = whole(&mut documents, 2, 7, state);
        assert_eq!(
            told(&effect),
            [
                "+ reported.a.b >1",
                "+ reported.a.c >[1,2]",
                r#"+ reported["d e"] >1e400"#,
                "+ reported.f >{}",
            ]
        );
        let request = Update {
            reported: Some(r#"{"a":{"b":null,"c":[3]},"d e":1e400}"#.to_owned()),
            desired: Some("null".to_owned()),
            overwrite: false,
        };
        let saying = Saying::Updated {
            state: Some("{}"),
            request: Some(&request),
        };
        let effect = documents.hear("s", 3, Some(8), saying);
        assert_eq!(
            told(&effect),
            ["- reported.a.b 1>", "~ reported.a.c [1,2]>[3]"]
        );
        assert_eq!(effect.fault, None);
        let state = r#"{"a":{"x":1}}"#;
        let effect = documents.hear("s", 4, Some(9), Saying::Delta { state });
        assert_eq!(told(&effect), ["+ desired.a.x >1"]);
        let state = r#"{"reported":{"a":2},"desired":{"a":3}}"#;
        let effect = whole(&mut documents, 6, 10, state);
        assert_eq!(
            told(&effect),
            [
                r#"~ desired.a {"x":1}>3"#,
                r#"~ reported.a {"c":[3]}>2"#,
                r#"- reported["d e"] 1e400>"#,
                "- reported.f {}>",
            ]
        );
    }

    #[test]
    fn leaf_that_becomes_an_object_is_deleted_and_added() {
        let mut documents = Documents::default();
        whole(&mut documents, 2, 1, r#"{"reported":{"a":1}}"#);
        let effect = whole(&mut documents, 4, 2, r#"{"reported":{"a":{"b":2}}}"#);
        assert_eq!(told(&effect), ["- reported.a 1>", "+ reported.a.b >2"]);
    }

    #[test]
    fn overwriting_update_replaces_reported() {
        let mut documents = Documents::default();
        whole(
            &mut documents,
            2,
            1,
            r#"{"reported":{"a":1,"b":2},"desired":{"a":3}}"#,
        );
        let request = Update {
            reported: Some(r#"{"b":4}"#.to_owned()),
            desired: None,
            overwrite: true,
        };
        let saying = Saying::Updated {
            state: None,
            request: Some(&request),
        };
        let effect = documents.hear("s", 3, Some(2), saying);
        assert_eq!(told(&effect), ["- reported.a 1>", "~ reported.b 2>4"]);
    }

    #[test]
    fn versions_that_skip_fall_or_come_late_are_faults() {
        let mut documents = Documents::default();
        assert_eq!(whole(&mut documents, 2, 7, "{}").fault, None);
        let delta = |documents: &mut Documents, step, version| {
            let state = r#"{"a":1}"#;
            let effect = documents.hear("s", step, Some(version), Saying::Delta { state });
            (effect.fault, effect.changes.len())
        };
        assert_eq!(delta(&mut documents, 3, 8), (None, 1));
        let skipped = Some("version 9 was not seen".to_owned());
        assert_eq!(delta(&mut documents, 4, 10), (skipped, 0));
        let late = Some("late: version 10 is known already".to_owned());
        assert_eq!(delta(&mut documents, 5, 9), (late.clone(), 0));
        let skipped = Some("versions 11 to 12 were not seen".to_owned());
        assert_eq!(delta(&mut documents, 6, 13), (skipped, 0));

        // The reply to an update that a delta overtook.
        let request = Update {
            reported: Some(r#"{"r":1}"#.to_owned()),
            desired: Some("null".to_owned()),
            overwrite: false,
        };
        let saying = Saying::Updated {
            state: Some(r#"{"reported":{"r":1},"desired":null}"#),
            request: Some(&request),
        };
        let effect = documents.hear("s", 6, Some(12), saying);
        let late = Some("late: version 13 is known already".to_owned());
        assert_eq!(
            (told(&effect), effect.fault),
            (vec!["+ reported.r >1".to_owned()], late)
        );

        // Asked before the version was told.
        let state = r#"{"reported":{"z":1}}"#;
        let asked = Some(5);
        let effect = documents.hear("s", 7, Some(9), Saying::Whole { state, asked });
        assert_eq!(
            effect.fault,
            Some("late: version 13 is known already".to_owned())
        );
        assert_eq!(effect.changes, []);
        let effect = whole(&mut documents, 9, 1, state);
        let falls = Some("the version falls from 13 to 1".to_owned());
        assert_eq!((effect.fault, effect.changes.len()), (falls, 3));
    }

    #[test]
    fn depth_costs_no_stack() {
        let mut documents = Documents::default();
        let deep = format!("{}1{}", r#"{"a":"#.repeat(100), "}".repeat(100));
        let effect = whole(&mut documents, 2, 1, &format!(r#"{{"reported":{deep}}}"#));
        assert_eq!(effect.changes.len(), 1);
        assert_eq!(effect.changes[0].path.len(), DEEPEST + 1);
    }
}
