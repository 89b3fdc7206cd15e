use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;
use serde_json::Value;

use super::KEY;
use crate::json::{JsonStyle, restyle};
use crate::recording::mask::characters::{Characters, Domain};
use crate::recording::mask::json::{Leaf, rewrite};
use crate::tencent::reply;

fn masked(text: &str) -> String {
    let characters = Characters::new(&KEY);
    rewrite(text, &mut |_, leaf| match leaf {
        Leaf::Text(text) => characters.text(Domain::Text, text),
        Leaf::Number(number) => characters.number(number),
    })
}

fn places(text: &str) -> Vec<(usize, String, String, String)> {
    let mut places = Vec::new();
    rewrite(text, &mut |place, leaf| {
        let leaf = match leaf {
            Leaf::Text(text) => text.iter().collect(),
            Leaf::Number(number) => String::from_utf8(number.clone()).unwrap(),
        };
        places.push((place.depth, place.first.clone(), place.second.clone(), leaf));
    });
    places
}

#[test]
fn a_leaf_is_told_where_it_stands() {
    let text = r#"{"a" : 1, "p\u0061y":{"s":{"x":"y","z":[true,-2e3]},"v":3},"c":[{"v":"\"4\""}],"d":"5"}"#;
    let place = |depth, first: &str, second: &str, leaf: &str| {
        (depth, first.into(), second.into(), leaf.into())
    };
    assert_eq!(
        places(text),
        [
            place(1, "a", "", "1"),
            place(3, "pay", "s", "y"),
            place(4, "pay", "s", "-2e3"),
            place(2, "pay", "v", "3"),
            place(3, "c", "", "\"4\""),
            place(1, "d", "", "5"),
        ]
    );
    assert_eq!(places("\"alone\""), [place(0, "", "", "alone")]);
}

#[test]
fn characters_that_are_equal_stay_so_however_they_are_written() {
    for (a, b) in [
        (r#""Gr\u00fcn \ud83d\ude00""#, r#""Grün 😀""#),
        (r#""a\/b\u0041""#, r#""a\u002FbA""#),
        (r#""\u000a\u0022x""#, r#""\n\"x""#),
        (r#""\ud800 x""#, r#""\uD800 x""#),
    ] {
        let (left, right) = (masked(a), masked(b));
        assert_eq!(left.len(), a.len());
        assert_eq!(right.len(), b.len());
        assert_ne!(left, a);
        let value = |text: &str| serde_json::from_str::<Value>(text).ok();
        assert_eq!(value(&left), value(&right), "{a} {b}");
        assert_eq!(value(&left).is_some(), value(a).is_some());
    }
}

#[test]
fn keys_words_and_white_space_stay() {
    let text = " { \"on\" : true , \"key\\n\": [ null, false ] ,\t\"\":{} , \"n\": 0.00 }\r\n";
    assert_eq!(masked(text), text);
}

/// What is no JSON is refused at the same place, and says nothing.
#[test]
fn what_is_no_json_fails_as_before() {
    for text in [
        "",
        "hello world",
        "truth",
        "tru3",
        "nullify",
        "{\"a\":12abc}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\" \"secret\"}",
        "[\"a\":\"secret\"]",
        "{\"a\":\"unfinished",
        "{\"a\":\"\\q secret\"}",
        "{\"a\":\"\\u12g4 secret\"}",
        "{\"a\":\"\\u12",
        "{\"a\":\"secret\u{1}\"}",
        "{'a':'secret'}",
        "{\"a\":1}secret",
        "é",
    ] {
        let masked = masked(text);
        let error = |text: &str| reply::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error(&masked), error(text), "{text} {masked}");
        assert_eq!(masked.len(), text.len());
        assert!(!masked.contains("secret"), "{masked}");
    }
}

/// The same values, each text by its length and each number by its sign.
fn form(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(text.encode_utf16().count()),
        Value::Number(number) => Value::from(number.to_string().starts_with('-')),
        Value::Array(values) => values.iter().map(form).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (key.clone(), form(value)))
            .collect(),
        other => other.clone(),
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        any::<i32>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn json_keeps_its_form_in_either_style(value in values()) {
        let text = value.to_string();
        let mut python = Vec::new();
        restyle(&text, JsonStyle::Python, &mut python);
        let python = String::from_utf8(python).unwrap();
        let (compact, python_masked) = (masked(&text), masked(&python));
        prop_assert_eq!(compact.len(), text.len());
        let read: Value = serde_json::from_str(&compact).unwrap();
        prop_assert_eq!(form(&read), form(&value));
        // And the one is the other, spelled otherwise.
        let mut restyled = Vec::new();
        restyle(&compact, JsonStyle::Python, &mut restyled);
        prop_assert_eq!(String::from_utf8(restyled).unwrap(), python_masked);
    }

    #[test]
    fn damaged_json_fails_as_before(value in values(), at: prop::sample::Index, with in "[a-z0-9\"\\\\{}:,. ]{0,3}", cut: bool) {
        let mut text: Vec<char> = value.to_string().chars().collect();
        let at = at.index(text.len());
        text.splice(at..=at, with.chars());
        if cut {
            text.truncate(at);
        }
        let text: String = text.into_iter().collect();
        let masked = masked(&text);
        prop_assert_eq!(masked.len(), text.len());
        let error = |text: &str| reply::parse(text.as_bytes()).map(drop);
        prop_assert_eq!(error(&masked), error(&text), "{} {}", text, masked);
    }
}
