//! JSON as the shadow document keeps it: numbers by their text, strings in one spelling, objects
//! sorted by key, and the three operations a shadow needs: merge, changes and delta.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// An object's members, sorted by key in code point order, as the vendor's cloud prints them.
pub(crate) type Object = BTreeMap<String, Node>;

/// The most levels of nesting that are ever read, whatever the settings say: it bounds the stack.
pub(crate) const MAX_LEVELS: usize = 128;

/// One JSON value.
///
/// Two values are equal when they print the same: white space, the order of members and the way a
/// string was escaped make no difference, the spelling of a number does (`1.0` is not `1`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Object(Object),
    Array(Vec<Node>),
    /// The compact JSON text of a string, a number, `true`, `false` or `null`.
    Scalar(String),
}

/// Why a text was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParseError {
    NotJson,
    TooDeep,
}

impl Node {
    pub(crate) fn null() -> Node {
        Node::Scalar("null".to_owned())
    }

    pub(crate) fn number(number: u64) -> Node {
        Node::Scalar(number.to_string())
    }

    pub(crate) fn string(text: &str) -> Node {
        Node::Scalar(quoted(text))
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Node::Scalar(text) if text == "null")
    }

    /// Reads one JSON value of at most `levels` nested objects and arrays.
    pub(crate) fn parse(text: &str, levels: usize) -> Result<Node, ParseError> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|_| ParseError::NotJson)?;
        Node::from_raw(raw, levels.min(MAX_LEVELS))
    }

    /// As [`Node::parse`], of a value that was already delimited.
    ///
    /// Every level scans its text again, so a payload of `n` bytes costs at most `levels * n`: the
    /// price for keeping numbers as text without serde_json's `arbitrary_precision`, which would
    /// change how numbers behave in every crate of the user's build.
    pub(crate) fn from_raw(raw: &RawValue, levels: usize) -> Result<Node, ParseError> {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') => {
                let levels = levels.checked_sub(1).ok_or(ParseError::TooDeep)?;
                let members: BTreeMap<String, &RawValue> = read(text)?;
                members
                    .into_iter()
                    .map(|(key, raw)| Ok((key, Node::from_raw(raw, levels)?)))
                    .collect::<Result<Object, ParseError>>()
                    .map(Node::Object)
            }
            Some(b'[') => {
                let levels = levels.checked_sub(1).ok_or(ParseError::TooDeep)?;
                let items: Vec<&RawValue> = read(text)?;
                items
                    .into_iter()
                    .map(|raw| Node::from_raw(raw, levels))
                    .collect::<Result<Vec<Node>, ParseError>>()
                    .map(Node::Array)
            }
            Some(b'"') => Ok(Node::Scalar(quoted(&read::<String>(text)?))),
            _ => Ok(Node::Scalar(text.to_owned())),
        }
    }

    /// Appends the compact JSON text.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Node::Object(members) => write_object(members, out),
            Node::Array(items) => {
                out.push('[');
                for (position, item) in items.iter().enumerate() {
                    if position > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Node::Scalar(text) => out.push_str(text),
        }
    }
}

/// The compact JSON text of an object.
pub(crate) fn object_text(members: &Object) -> String {
    let mut out = String::new();
    write_object(members, &mut out);
    out
}

/// Merges `patch` into `target` by the rules of RFC 7386, which are those of vendor doc 634/11918:
/// objects member by member, `null` deletes, everything else (arrays too) is replaced whole.
pub(crate) fn merge(target: &mut Object, patch: &Object) {
    for (key, value) in patch {
        match value {
            Node::Object(patch) => {
                let member = target.entry(key.clone()).or_insert_with(Node::null);
                if let Node::Object(inner) = member {
                    merge(inner, patch);
                } else {
                    let mut inner = Object::new();
                    merge(&mut inner, patch);
                    *member = Node::Object(inner);
                }
            }
            value if value.is_null() => {
                target.remove(key);
            }
            value => {
                target.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The smallest patch that [`merge`] turns `from` into `to` with: changed and new members, and
/// `null` for those that are gone. Empty exactly if the two are equal.
pub(crate) fn changes(from: &Object, to: &Object) -> Object {
    let mut patch = Object::new();
    for (key, new) in to {
        match (from.get(key), new) {
            (Some(old), new) if old == new => {}
            (Some(Node::Object(old)), Node::Object(new)) => {
                patch.insert(key.clone(), Node::Object(changes(old, new)));
            }
            _ => {
                patch.insert(key.clone(), new.clone());
            }
        }
    }
    for key in from.keys().filter(|key| !to.contains_key(*key)) {
        patch.insert(key.clone(), Node::null());
    }
    patch
}

/// What of `desired` is not in `reported`; of nested objects only the members that differ.
pub(crate) fn delta(desired: &Object, reported: &Object) -> Object {
    let mut missing = Object::new();
    for (key, wanted) in desired {
        match (wanted, reported.get(key)) {
            (Node::Object(wanted), Some(Node::Object(held))) => {
                let inner = delta(wanted, held);
                if !inner.is_empty() {
                    missing.insert(key.clone(), Node::Object(inner));
                }
            }
            (wanted, Some(held)) if wanted == held => {}
            (wanted, _) => {
                missing.insert(key.clone(), wanted.clone());
            }
        }
    }
    missing
}

fn read<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, ParseError> {
    serde_json::from_str(text).map_err(|_| ParseError::NotJson)
}

fn write_object(members: &Object, out: &mut String) {
    out.push('{');
    for (position, (key, value)) in members.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        out.push_str(&quoted(key));
        out.push(':');
        value.write(out);
    }
    out.push('}');
}

/// A JSON string: `"`, `\` and control characters escaped, all else as UTF-8.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string has no key or value that JSON could not hold")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        match Node::parse(text, MAX_LEVELS).unwrap() {
            Node::Object(members) => members,
            other => panic!("not an object: {other:?}"),
        }
    }

    fn compact(text: &str) -> String {
        let mut out = String::new();
        Node::parse(text, MAX_LEVELS).unwrap().write(&mut out);
        out
    }

    #[test]
    fn numbers_keep_their_text_and_strings_get_one_spelling() {
        assert_eq!(
            compact(" { \"b\" : [ 1.10 , 1e400 , 12345678901234567890123, -0.0 ],\t\"a\":null } "),
            r#"{"a":null,"b":[1.10,1e400,12345678901234567890123,-0.0]}"#
        );
        assert_eq!(
            compact(r#""\u00e9\/\u0041\ud83d\ude00\u0000""#),
            "\"é/A😀\\u0000\""
        );
        assert_eq!(compact(r#"{"\u0061":1,"a":2}"#), r#"{"a":2}"#);
    }

    #[test]
    fn refuses_what_is_not_json_or_too_deep() {
        for text in [
            "",
            "{",
            "{}x",
            "01",
            "+1",
            "nul",
            "'a'",
            r#""\ud800""#,
            "[1,]",
            "\u{feff}1",
        ] {
            assert_eq!(
                Node::parse(text, MAX_LEVELS),
                Err(ParseError::NotJson),
                "{text:?}"
            );
        }
        assert_eq!(Node::parse("[[1]]", 1), Err(ParseError::TooDeep));
        assert!(Node::parse("[[1]]", 2).is_ok());
        assert!(Node::parse("1", 0).is_ok());
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(Node::parse(&deep, usize::MAX), Err(ParseError::TooDeep));
    }

    /// The pairs of RFC 7386, appendix A, whose target and patch are objects.
    #[test]
    fn merges_as_rfc_7386_shows() {
        for (target, patch, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (
                r#"{"a":{"b":"c"}}"#,
                r#"{"a":{"b":"d","c":null}}"#,
                r#"{"a":{"b":"d"}}"#,
            ),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            let mut merged = object(target);
            merge(&mut merged, &object(patch));
            assert_eq!(object_text(&merged), result, "{target} + {patch}");
        }
    }

    #[test]
    fn changes_name_new_changed_and_deleted_members() {
        let from = object(r#"{"a":1,"b":{"c":2,"d":3},"e":[1,{"x":1}],"f":{"g":1}}"#);
        let to = object(r#"{"a":1,"b":{"c":4,"z":5},"e":[1,{"x":2}],"f":6,"h":{"i":7}}"#);
        assert_eq!(
            object_text(&changes(&from, &to)),
            r#"{"b":{"c":4,"d":null,"z":5},"e":[1,{"x":2}],"f":6,"h":{"i":7}}"#
        );
        assert!(changes(&from, &from).is_empty());
    }

    #[test]
    fn delta_holds_only_what_differs() {
        let desired = object(r#"{"a":1,"b":{"c":2,"d":3},"e":{},"f":{},"g":[1,2],"h":1.0}"#);
        let reported =
            object(r#"{"a":1,"b":{"c":2,"d":4},"e":{"x":1},"f":1,"g":[2,1],"h":1,"i":0}"#);
        assert_eq!(
            object_text(&delta(&desired, &reported)),
            r#"{"b":{"d":3},"f":{},"g":[1,2],"h":1.0}"#
        );
    }
}
