//! JSON as the shadow document keeps it: numbers by their text, strings in one spelling, objects
//! sorted by key, and the three operations a shadow needs: merge, changes and delta.

use std::borrow::Cow;

use super::reader::{Reader, plain_length, string};

/// The most levels of nesting that are ever read, whatever the settings say: it bounds the stack.
pub(crate) const MAX_LEVELS: usize = 128;

const TEXT_CAPACITY: usize = 128;

/// One JSON value, borrowed from the text that it was read from where that is spelled as it will be
/// written.
///
/// Two values are equal when they print the same: white space, the order of members and the way a
/// string was escaped make no difference, the spelling of a number does (`1.0` is not `1`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node<'a> {
    Object(Object<'a>),
    /// The compact JSON text of anything else. An array is one, as it only changes as a whole.
    Text(Cow<'a, str>),
}

/// An object's members, sorted by key in code point order, as the vendor's cloud prints them, each
/// key once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Node<'a>)>);

/// Why a text was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParseError {
    NotJson,
    TooDeep,
}

impl<'a> Node<'a> {
    pub(crate) fn null() -> Node<'a> {
        Node::Text(Cow::Borrowed("null"))
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Node::Text(text) if text == "null")
    }

    /// Reads one JSON value of at most `levels` nested objects and arrays.
    pub(crate) fn parse(text: &'a str, levels: usize) -> Result<Node<'a>, ParseError> {
        let mut reader = Reader::new(text);
        let node = reader.attempt(|reader| Node::read(reader, levels.min(MAX_LEVELS)))?;
        reader.end()?;
        node
    }

    /// Reads the value that comes next. `levels` bounds the stack: it is for the caller to keep it
    /// within [`MAX_LEVELS`].
    pub(super) fn read(reader: &mut Reader<'a>, levels: usize) -> Result<Node<'a>, ParseError> {
        let inner = || levels.checked_sub(1).ok_or(ParseError::TooDeep);
        match reader.peek() {
            Some(b'{') => Ok(Node::Object(Object::read(reader, inner()?)?)),
            Some(b'[') => {
                let levels = inner()?;
                let mut array = String::from("[");
                reader.elements(|reader| {
                    if array.len() > 1 {
                        array.push(',');
                    }
                    Node::read(reader, levels)?.write(&mut array);
                    Ok(())
                })?;
                array.push(']');
                Ok(Node::Text(Cow::Owned(array)))
            }
            Some(b'"') => match reader.string()? {
                // Without an escape there is one spelling.
                (text, false) => Ok(Node::Text(Cow::Borrowed(text))),
                (text, true) => {
                    let mut respelled = String::with_capacity(text.len());
                    write_quoted(&string(text).ok_or(ParseError::NotJson)?, &mut respelled);
                    Ok(Node::Text(Cow::Owned(respelled)))
                }
            },
            _ => Ok(Node::Text(Cow::Borrowed(reader.value()?))),
        }
    }

    /// Appends the compact JSON text.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Node::Object(members) => members.write(out),
            Node::Text(text) => out.push_str(text),
        }
    }
}

impl<'a> Object<'a> {
    /// Reads what [`Object::write`] wrote, or nothing.
    pub(crate) fn written(text: &'a str) -> Object<'a> {
        match Object::read(&mut Reader::new(text), MAX_LEVELS) {
            Ok(members) => members,
            Err(_) => {
                debug_assert!(text.is_empty(), "it was written by an object");
                Object::default()
            }
        }
    }

    /// Reads the object that comes next; `levels` is for its values. The last of a key counts.
    fn read(reader: &mut Reader<'a>, levels: usize) -> Result<Object<'a>, ParseError> {
        let mut members: Vec<(Cow<'a, str>, Node<'a>)> = Vec::new();
        let mut sorted = true;
        reader.members(|key, reader| {
            let value = Node::read(reader, levels)?;
            sorted &= members.last().is_none_or(|(last, _)| *last < key);
            members.push((key, value));
            Ok(())
        })?;
        if !sorted {
            members.reverse();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            members.dedup_by(|(a, _), (b, _)| a == b);
        }
        Ok(Object(members))
    }

    /// The members that are there; their keys have to be sorted.
    pub(crate) fn of<const N: usize>(members: [(&'static str, Option<Node<'a>>); N]) -> Object<'a> {
        debug_assert!(members.is_sorted_by_key(|(key, _)| *key));
        let present = members
            .into_iter()
            .filter_map(|(key, value)| Some((Cow::Borrowed(key), value?)));
        Object(present.collect())
    }

    pub(crate) fn with_capacity(members: usize) -> Object<'a> {
        Object(Vec::with_capacity(members))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Cow<'a, str>, &Node<'a>)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node<'a>> {
        let place = self.0.binary_search_by(|(held, _)| (**held).cmp(key));
        let (_, value) = self.0.get(place.ok()?)?;
        Some(value)
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Node<'a>> {
        let place = self.0.binary_search_by(|(held, _)| (**held).cmp(key));
        Some(self.0.remove(place.ok()?).1)
    }

    /// Adds a member whose key comes behind all others.
    pub(crate) fn push(&mut self, key: Cow<'a, str>, value: Node<'a>) {
        debug_assert!(self.0.last().is_none_or(|(last, _)| *last < key));
        self.0.push((key, value));
    }

    /// Appends the compact JSON text.
    pub(crate) fn write(&self, out: &mut String) {
        out.push('{');
        for (position, (key, value)) in self.iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            write_key(key, out);
            value.write(out);
        }
        out.push('}');
    }

    /// The compact JSON text.
    pub(crate) fn text(&self) -> String {
        // Room for most, as one that grows asks for memory again and again.
        let mut out = String::with_capacity(TEXT_CAPACITY);
        self.write(&mut out);
        out
    }
}

/// Merges `patch` into `target` by the rules of RFC 7386, which are those of vendor doc 634/11918:
/// objects member by member, `null` deletes, everything else (arrays too) is replaced whole.
pub(crate) fn merge<'a>(target: &mut Object<'a>, patch: &Object<'a>) {
    let held = std::mem::take(&mut target.0);
    let mut merged = Vec::with_capacity(held.len() + patch.0.len());
    let mut held = held.into_iter().peekable();
    for (key, value) in patch.iter() {
        while let Some(before) = held.next_if(|(held, _)| held < key) {
            merged.push(before);
        }
        let replaced = held.next_if(|(held, _)| held == key);
        match value {
            Node::Object(patch) => {
                let mut inner = match replaced {
                    Some((_, Node::Object(inner))) => inner,
                    _ => Object::default(),
                };
                merge(&mut inner, patch);
                merged.push((key.clone(), Node::Object(inner)));
            }
            value if value.is_null() => {}
            value => merged.push((key.clone(), value.clone())),
        }
    }
    merged.extend(held);
    target.0 = merged;
}

/// The smallest patch that [`merge`] turns `from` into `to` with: changed and new members, and
/// `null` for those that are gone. Empty exactly if the two are equal.
#[cfg(test)]
pub(crate) fn changes<'a>(from: &Object<'a>, to: &Object<'a>) -> Object<'a> {
    let mut patch = Object::default();
    let mut from = from.iter().peekable();
    for (key, new) in to.iter() {
        while let Some((gone, _)) = from.next_if(|(held, _)| *held < key) {
            patch.push(gone.clone(), Node::null());
        }
        match (from.next_if(|(held, _)| *held == key), new) {
            (Some((_, old)), new) if old == new => {}
            (Some((_, Node::Object(old))), Node::Object(new)) => {
                patch.push(key.clone(), Node::Object(changes(old, new)));
            }
            _ => patch.push(key.clone(), new.clone()),
        }
    }
    for (gone, _) in from {
        patch.push(gone.clone(), Node::null());
    }
    patch
}

/// What of `desired` is not in `reported`; of nested objects only the members that differ.
pub(crate) fn delta<'a>(desired: &Object<'a>, reported: &Object<'a>) -> Object<'a> {
    let mut missing = Object::default();
    for (key, wanted) in desired.iter() {
        match (wanted, reported.get(key)) {
            (Node::Object(wanted), Some(Node::Object(held))) => {
                let inner = delta(wanted, held);
                if !inner.is_empty() {
                    missing.push(key.clone(), Node::Object(inner));
                }
            }
            (wanted, Some(held)) if wanted == held => {}
            (wanted, _) => missing.push(key.clone(), wanted.clone()),
        }
    }
    missing
}

/// Appends a member's key and the colon.
pub(crate) fn write_key(key: &str, out: &mut String) {
    write_quoted(key, out);
    out.push(':');
}

/// Appends a JSON string: `"`, `\` and control characters escaped, all else as UTF-8.
pub(crate) fn write_quoted(text: &str, out: &mut String) {
    if plain_length(text.as_bytes()) < text.len() {
        let quoted = serde_json::to_string(text);
        out.push_str(&quoted.expect("a string has no key or value that JSON could not hold"));
    } else {
        out.push('"');
        out.push_str(text);
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object<'_> {
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
            assert_eq!(merged.text(), result, "{target} + {patch}");
        }
    }

    #[test]
    fn changes_name_new_changed_and_deleted_members() {
        let from = object(r#"{"a":1,"b":{"c":2,"d":3},"e":[1,{"x":1}],"f":{"g":1}}"#);
        let to = object(r#"{"a":1,"b":{"c":4,"z":5},"e":[1,{"x":2}],"f":6,"h":{"i":7}}"#);
        assert_eq!(
            changes(&from, &to).text(),
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
            delta(&desired, &reported).text(),
            r#"{"b":{"d":3},"f":{},"g":[1,2],"h":1.0}"#
        );
    }

    /// What is kept is read again as what it was.
    #[test]
    fn what_was_written_is_read_again() {
        for text in [
            "{}",
            r#"{"a":[1,{"b":2}],"b":{},"c":{"d":{"e":null}},"\"\\\u0001":"\"\\\u0001é/"}"#,
        ] {
            let kept = object(text).text();
            assert_eq!(Object::written(&kept), object(text));
            assert_eq!(Object::written(&kept).text(), kept);
        }
        assert!(Object::written("").is_empty());
    }

    #[test]
    fn the_last_of_a_key_counts() {
        let text = r#"{"b":1,"a":1,"b":{"x":1},"\u0061":2,"b":[ ]}"#;
        assert_eq!(compact(text), r#"{"a":2,"b":[]}"#);
    }
}
