//! JSON that is made simpler step by step, and keeps its order.

use std::fmt;

use serde_json::value::RawValue;

use crate::members::Members;

/// A JSON value whose numbers and strings keep their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    /// Keys as they are written, with their quotes.
    Object(Vec<(String, Tree)>),
    Array(Vec<Tree>),
    Leaf(String),
}

/// What can be done to one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    /// It is taken out of its object or array.
    Remove,
    /// A number becomes 0, or 1.
    Number(&'static str),
    /// A string becomes empty, or shorter.
    Empty,
    Half,
}

/// A way to make a tree simpler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Simplification {
    path: Vec<usize>,
    edit: Edit,
}

impl Tree {
    /// Reads a JSON text; `None` for what is none, or is too deep.
    pub(super) fn parse(text: &str) -> Option<Tree> {
        Tree::read(text, 0)
    }

    fn read(text: &str, depth: usize) -> Option<Tree> {
        if depth > 64 {
            return None;
        }
        let text = text.trim();
        Some(match text.as_bytes().first()? {
            b'{' => {
                let Members(members) = Members::<&RawValue>::of(text)?;
                let read = |(key, value): (&RawValue, &RawValue)| {
                    Some((key.get().to_owned(), Tree::read(value.get(), depth + 1)?))
                };
                Tree::Object(members.into_iter().map(read).collect::<Option<_>>()?)
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                let read = |item: &RawValue| Tree::read(item.get(), depth + 1);
                Tree::Array(items.into_iter().map(read).collect::<Option<_>>()?)
            }
            _ => {
                serde_json::from_str::<&RawValue>(text).ok()?;
                Tree::Leaf(text.to_owned())
            }
        })
    }

    /// The value of a member of an object.
    pub(super) fn member_mut(&mut self, name: &str) -> Option<&mut Tree> {
        let Tree::Object(members) = self else {
            return None;
        };
        let is_it = |key: &str| key.get(1..key.len().saturating_sub(1)) == Some(name);
        let found = members.iter_mut().find(|(key, _)| is_it(key));
        found.map(|(_, value)| value)
    }

    /// How it can be made simpler, what does most first. Each way leads nearer to an end.
    pub(super) fn simplifications(&self) -> Vec<Simplification> {
        let mut found = Vec::new();
        self.collect(&mut Vec::new(), &mut found);
        found
    }

    fn collect(&self, path: &mut Vec<usize>, found: &mut Vec<Simplification>) {
        let mut add = |edit| {
            found.push(Simplification {
                path: path.clone(),
                edit,
            });
        };
        match self {
            Tree::Leaf(text) if text.starts_with('"') => {
                if text.len() > 2 {
                    add(Edit::Empty);
                }
                if text.len() > 3 && !text.contains('\\') {
                    add(Edit::Half);
                }
            }
            Tree::Leaf(text) => {
                let is_number =
                    text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
                if is_number && text != "0" {
                    add(Edit::Number("0"));
                    if text != "1" {
                        add(Edit::Number("1"));
                    }
                }
            }
            _ => {}
        }
        let values: Vec<&Tree> = match self {
            Tree::Object(members) => members.iter().map(|(_, value)| value).collect(),
            Tree::Array(items) => items.iter().collect(),
            Tree::Leaf(_) => return,
        };
        for (index, value) in values.into_iter().enumerate() {
            path.push(index);
            found.push(Simplification {
                path: path.clone(),
                edit: Edit::Remove,
            });
            value.collect(path, found);
            path.pop();
        }
    }

    /// The tree with one simplification.
    pub(super) fn simplified(&self, simplification: &Simplification) -> Tree {
        let mut tree = self.clone();
        tree.edit(&simplification.path, simplification.edit);
        tree
    }

    fn edit(&mut self, path: &[usize], edit: Edit) {
        let Some((&index, rest)) = path.split_first() else {
            if let Tree::Leaf(text) = self {
                match edit {
                    Edit::Number(number) => number.clone_into(text),
                    Edit::Empty => "\"\"".clone_into(text),
                    Edit::Half => {
                        let inside = text.trim_matches('"');
                        let half = inside.chars().count().div_ceil(2);
                        let half: String = inside.chars().take(half.max(1)).collect();
                        *text = format!("\"{half}\"");
                    }
                    Edit::Remove => {}
                }
            }
            return;
        };
        let removes = rest.is_empty() && edit == Edit::Remove;
        match self {
            Tree::Object(members) if removes && index < members.len() => {
                members.remove(index);
            }
            Tree::Array(items) if removes && index < items.len() => {
                items.remove(index);
            }
            Tree::Object(members) => {
                if let Some((_, value)) = members.get_mut(index) {
                    value.edit(rest, edit);
                }
            }
            Tree::Array(items) => {
                if let Some(value) = items.get_mut(index) {
                    value.edit(rest, edit);
                }
            }
            Tree::Leaf(_) => {}
        }
    }
}

/// Compact JSON.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tree::Leaf(text) => f.write_str(text),
            Tree::Object(members) => {
                for (index, (key, value)) in members.iter().enumerate() {
                    let sign = if index == 0 { '{' } else { ',' };
                    write!(f, "{sign}{key}:{value}")?;
                }
                f.write_str(if members.is_empty() { "{}" } else { "}" })
            }
            Tree::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    write!(f, "{}{value}", if index == 0 { '[' } else { ',' })?;
                }
                f.write_str(if items.is_empty() { "[]" } else { "]" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_in_its_order() {
        let text = r#"{"z":[1.50,"a\n",{}],"a":{"b":null,"a":[]},"é":-0.0}"#;
        assert_eq!(Tree::parse(text).unwrap().to_string(), text);
        for text in ["", "{", "{\"a\":}", "nul", "[1,]", "1 2"] {
            assert_eq!(Tree::parse(text), None, "{text}");
        }
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert_eq!(Tree::parse(&deep), None);
    }

    /// Whichever ways are gone, there is an end, at which nothing is left.
    #[test]
    fn simplifying_ends() {
        let text = r#"{"z":[1.50,"abcde",{"x":7}],"a":{"b":null,"a":[]},"c":-12}"#;
        for skip in 0..4 {
            let mut tree = Tree::parse(text).unwrap();
            let mut steps = 0;
            loop {
                let ways = tree.simplifications();
                let Some(way) = ways.get(skip.min(ways.len().saturating_sub(1))) else {
                    break;
                };
                tree = tree.simplified(way);
                steps += 1;
                assert!(steps < 100, "{tree}");
            }
            assert_eq!(tree.to_string(), "{}");
        }
    }
}
