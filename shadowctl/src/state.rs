//! State as it is typed: `key=value` pairs or a JSON object.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};
use shadow_core::json::Json;

use crate::arguments::StateArguments;
use crate::failure::Failure;
use crate::output::Output;

/// How deep the dots of a key may nest. The cloud allows less (vendor doc 634/15241: 5 or 6).
const MAXIMUM_DEPTH: usize = 16;

/// How many characters of an argument an error quotes.
const MAXIMUM_QUOTED: usize = 80;

impl StateArguments {
    /// The state as one JSON object.
    ///
    /// * A value is JSON if it parses as JSON, and a string otherwise. Numbers keep their digits.
    /// * A dot in a key nests: `light.on=true` is `{"light":{"on":true}}`. A key that has a dot
    ///   needs the JSON form.
    ///
    /// A value that begins as a JSON object, array or string and is none is a string too; a remark
    /// says so.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Usage`](crate::failure::FailureKind::Usage): JSON that is no object, a pair
    /// without `=`, an empty key, a key that is given twice.
    pub fn to_json(&self, output: &mut Output) -> Result<Json, Failure> {
        match &self.json {
            Some(text) => object(text),
            None => from_pairs(&self.pairs, output),
        }
    }
}

fn object(text: &str) -> Result<Json, Failure> {
    let json = Json::new(text)
        .map_err(|error| Failure::usage(format_args!("--json: this is not JSON: {error}")))?;
    let found = match json.as_str().as_bytes().first() {
        Some(b'{') => return Ok(json),
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    };
    Err(Failure::usage(format_args!(
        "--json: this is {found}; it has to be a JSON object such as '{{\"level\": 3}}'"
    )))
}

fn from_pairs(pairs: &[String], output: &mut Output) -> Result<Json, Failure> {
    let mut root = Members::default();
    for pair in pairs {
        let wrong = |why: &str| Failure::usage(format_args!("{}: {why}", Quoted(pair)));
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| wrong("there is no `=`; write KEY=VALUE"))?;
        let path: Vec<&str> = key.split('.').collect();
        if path.iter().any(|name| name.is_empty()) {
            return Err(wrong("the key, or a part of it between dots, is empty"));
        }
        if path.len() > MAXIMUM_DEPTH {
            return Err(wrong("the key nests too deep"));
        }
        root.insert(&path, value_of(pair, value, output)?)
            .map_err(|()| {
                wrong("the key is given twice, or both as a value and with keys below it")
            })?;
    }
    Json::from_serialize(&root).map_err(Failure::usage)
}

fn value_of(pair: &str, value: &str, output: &mut Output) -> Result<Json, Failure> {
    match Json::new(value) {
        Ok(json) => Ok(json),
        Err(error) => {
            if value.starts_with(['{', '[', '"']) {
                output.remark(format_args!(
                    "{}: the value is not JSON ({error}), so it is sent as a string",
                    Quoted(pair)
                ));
            }
            Json::from_serialize(value).map_err(Failure::usage)
        }
    }
}

/// The beginning of an argument, which can be long, in quotes.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(MAXIMUM_QUOTED) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => write!(f, "{:?}…", self.0.get(..end).unwrap_or_default()),
        }
    }
}

/// A JSON object that is being put together, its keys in the order in which they were given.
#[derive(Default)]
struct Members(Vec<(String, Member)>);

enum Member {
    Value(Json),
    Object(Members),
}

impl Members {
    /// Fails when there is a value at the path already, or on the way to it.
    fn insert(&mut self, path: &[&str], value: Json) -> Result<(), ()> {
        let [name, rest @ ..] = path else {
            return Err(());
        };
        let found = self.0.iter_mut().find(|(key, _)| key == name);
        match (found, rest) {
            (None, []) => self.0.push(((*name).to_owned(), Member::Value(value))),
            (None, rest) => {
                let mut members = Members::default();
                members.insert(rest, value)?;
                self.0.push(((*name).to_owned(), Member::Object(members)));
            }
            (Some((_, Member::Object(members))), [_, ..]) => members.insert(rest, value)?,
            (Some(_), _) => return Err(()),
        }
        Ok(())
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, member) in &self.0 {
            match member {
                Member::Value(value) => map.serialize_entry(key, value)?,
                Member::Object(members) => map.serialize_entry(key, members)?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;

    fn parse(pairs: &[&str]) -> Result<String, String> {
        let mut output = Output::new(
            Format::Text,
            Box::new(std::io::sink()),
            Box::new(std::io::sink()),
        );
        let pairs = pairs.iter().map(|pair| (*pair).to_owned()).collect();
        let state = StateArguments { pairs, json: None };
        match state.to_json(&mut output) {
            Ok(json) => Ok(json.to_string()),
            Err(failure) => Err(failure.to_string()),
        }
    }

    #[test]
    fn values_are_json_or_else_strings() {
        for (pair, json) in [
            ("a=1", r#"{"a":1}"#),
            ("a=-1.50e+3", r#"{"a":-1.50e+3}"#),
            ("a=18446744073709551616", r#"{"a":18446744073709551616}"#),
            ("a=0.1000000000000000055", r#"{"a":0.1000000000000000055}"#),
            ("a=true", r#"{"a":true}"#),
            ("a=null", r#"{"a":null}"#),
            (r#"a="1""#, r#"{"a":"1"}"#),
            (r#"a={"b":[1]}"#, r#"{"a":{"b":[1]}}"#),
            ("a=on", r#"{"a":"on"}"#),
            ("a=01", r#"{"a":"01"}"#),
            ("a=True", r#"{"a":"True"}"#),
            ("a=", r#"{"a":""}"#),
            ("a=b=c", r#"{"a":"b=c"}"#),
            ("a={b", r#"{"a":"{b"}"#),
            ("a=50% \t\"x\" 😀", r#"{"a":"50% \t\"x\" 😀"}"#),
            ("käse=1", r#"{"käse":1}"#),
        ] {
            assert_eq!(parse(&[pair]).as_deref(), Ok(json), "{pair}");
        }
    }

    #[test]
    fn dots_nest_and_order_stays() {
        assert_eq!(
            parse(&["z=1", "light.on=true", "a=2", "light.rgb.r=255"]).as_deref(),
            Ok(r#"{"z":1,"light":{"on":true,"rgb":{"r":255}},"a":2}"#)
        );
    }

    #[test]
    fn refusals_quote_the_pair() {
        let twice = "the key is given twice";
        for (pairs, why) in [
            (vec!["a"], "there is no `=`"),
            (vec!["=1"], "is empty"),
            (vec!["a.=1"], "is empty"),
            (vec!["a..b=1"], "is empty"),
            (vec!["a=1", "a=1"], twice),
            (vec!["a.b=1", "a.b=2"], twice),
            (vec!["a=1", "a.b=2"], twice),
            (vec!["a.b=2", "a=1"], twice),
            (vec![r#"a={"b":1}"#, "a.c=2"], twice),
            (vec!["a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q=1"], "too deep"),
        ] {
            let failure = parse(&pairs).unwrap_err();
            let last = format!("{:?}", pairs.last().unwrap());
            assert!(
                failure.contains(why) && failure.contains(&last),
                "{failure}"
            );
        }
    }

    #[test]
    fn only_the_beginning_of_a_long_pair_is_quoted() {
        let whole = "ä".repeat(80);
        assert_eq!(Quoted(&whole).to_string(), format!("{whole:?}"));
        assert_eq!(
            Quoted(&format!("{whole}b")).to_string(),
            format!("{whole:?}…")
        );
    }

    #[test]
    fn json_has_to_be_an_object() {
        assert_eq!(object(r#" {"a":1.0} "#).unwrap().as_str(), r#"{"a":1.0}"#);
        for (text, found) in [
            ("[]", "an array"),
            ("\"a\"", "a string"),
            ("false", "a boolean"),
            ("null", "null"),
            ("-1", "a number"),
            ("{", "not JSON: EOF"),
            ("", "not JSON: EOF"),
        ] {
            let failure = object(text).unwrap_err().to_string();
            assert!(failure.contains(found), "{failure}");
        }
    }
}
