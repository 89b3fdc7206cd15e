use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// `repr(v)`, `json.dumps(v, ensure_ascii=False, separators=(',', ':'))` and `json.dumps(v)` of
/// the same values, printed by Python 3.11.7 (lone surrogates in the second put back as escapes).
#[rustfmt::skip]
const FROM_PYTHON: &[(&str, &str, &str)] = &[
    ("{}", "{}", "{}"),
    ("[]", "[]", "[]"),
    ("()", "[]", "[]"),
    ("(1,)", "[1]", "[1]"),
    ("(1, 2)", "[1,2]", "[1, 2]"),
    ("{'a': 1, 'b': [True, False, None]}", r#"{"a":1,"b":[true,false,null]}"#, r#"{"a": 1, "b": [true, false, null]}"#),
    (r#""it's""#, r#""it's""#, r#""it's""#),
    (r#"'say "x"'"#, r#""say \"x\"""#, r#""say \"x\"""#),
    (r#"'both \' and "'"#, r#""both ' and \"""#, r#""both ' and \"""#),
    (r#"'tab\tnl\ncr\rbs\\'"#, r#""tab\tnl\ncr\rbs\\""#, r#""tab\tnl\ncr\rbs\\""#),
    (r#"'\x00\x1f\x7f\x80\x9f\xa0\xad'"#, "\"\\u0000\\u001f\u{7f}\u{80}\u{9f}\u{a0}\u{ad}\"", r#""\u0000\u001f\u007f\u0080\u009f\u00a0\u00ad""#),
    ("'é来自应用'", r#""é来自应用""#, r#""\u00e9\u6765\u81ea\u5e94\u7528""#),
    ("'😀'", r#""😀""#, r#""\ud83d\ude00""#),
    (r#"'\u2028\u200b'"#, "\"\u{2028}\u{200b}\"", r#""\u2028\u200b""#),
    (r#"'\ud800'"#, r#""\ud800""#, r#""\ud800""#),
    (r#"'a\ud83d'"#, r#""a\ud83d""#, r#""a\ud83d""#),
    ("12345678901234567890123", "12345678901234567890123", "12345678901234567890123"),
    ("-7", "-7", "-7"),
    ("0", "0", "0"),
    ("1.5", "1.5", "1.5"),
    ("1e+16", "1e+16", "1e+16"),
    ("1e-07", "1e-07", "1e-07"),
    ("-0.0", "-0.0", "-0.0"),
    ("1.7976931348623157e+308", "1.7976931348623157e+308", "1.7976931348623157e+308"),
    ("5e-324", "5e-324", "5e-324"),
    ("{1: 2, None: 4, 1.5: 5, False: 6}", r#"{"1":2,"null":4,"1.5":5,"false":6}"#, r#"{"1": 2, "null": 4, "1.5": 5, "false": 6}"#),
    ("[[[]]]", "[[[]]]", "[[[]]]"),
    ("{'': {'': ''}}", r#"{"":{"":""}}"#, r#"{"": {"": ""}}"#),
    ("{'k': (1, 'x', None)}", r#"{"k":[1,"x",null]}"#, r#"{"k": [1, "x", null]}"#),
    (r#"'\x08\x0c\x0b'"#, r#""\b\f\u000b""#, r#""\b\f\u000b""#),
    ("[1e+22, 123456789.12345679]", "[1e+22,123456789.12345679]", "[1e+22, 123456789.12345679]"),
    ("'/'", r#""/""#, r#""/""#),
];

#[test]
fn agrees_with_python() {
    for (repr, compact, dumps) in FROM_PYTHON {
        assert_eq!(
            json(repr, JsonStyle::Compact).as_deref(),
            Ok(*compact),
            "{repr}"
        );
        assert_eq!(
            json(repr, JsonStyle::PythonDumps).as_deref(),
            Ok(*dumps),
            "{repr}"
        );
    }
}

#[test]
fn what_is_no_literal_is_refused_at_its_column() {
    for (text, column, why) in [
        ("", 1, "expected a value"),
        ("{'a': nan}", 7, "JSON has no nan and no inf"),
        ("[1, -inf]", 6, "JSON has no nan and no inf"),
        ("{1, 2}", 3, "expected `:` after the key"),
        ("set()", 1, "expected a value"),
        ("{'a': b'x'}", 7, "JSON has no bytes"),
        ("{[]: 1}", 2, "expected a key"),
        ("{'a' 1}", 6, "expected `:` after the key"),
        ("{'a': 1", 8, "expected `,` or `}`"),
        ("[1 2]", 4, "expected `,` or `]`"),
        ("[1,]", 4, "expected a value"),
        ("(1)", 3, "expected `,`: a tuple of one is written `(x,)`"),
        ("(1, 2,)", 7, "expected a value"),
        ("[1)", 3, "expected `,` or `]`"),
        ("01", 2, "expected the number to end"),
        ("1_000", 2, "expected the number to end"),
        ("1.", 3, "expected a digit"),
        ("+1", 1, "expected a value"),
        ("-", 2, "expected a digit"),
        ("'a", 3, "expected the closing quote"),
        ("'a\nb'", 3, "a control character is not escaped"),
        ("'é\\q'", 3, "not an escape that repr prints"),
        ("'\\x4'", 2, "not an escape that repr prints"),
        ("'\\x+4'", 2, "not an escape that repr prints"),
        ("'\\U00110000'", 2, "not an escape that repr prints"),
        ("'a\\", 4, "expected an escape"),
        ("'a' 'b'", 5, "expected nothing after the literal"),
        ("True1", 5, "expected nothing after the literal"),
    ] {
        assert_eq!(
            json(text, JsonStyle::Compact),
            Err(LiteralError { column, why }),
            "{text}"
        );
    }
}

#[test]
fn nesting_ends_at_the_limit() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(
        json(&nested(MAX_DEPTH), JsonStyle::Compact),
        Ok(nested(MAX_DEPTH))
    );
    assert_eq!(
        json(&nested(MAX_DEPTH + 1), JsonStyle::Compact),
        Err(LiteralError {
            column: MAX_DEPTH + 1,
            why: "nested too deep"
        })
    );
    assert!(json(&"[".repeat(1_000_000), JsonStyle::Compact).is_err());
}

/// Python 3.11.7: `bytes(range(256))` in three pieces, and the two ways of quoting.
#[test]
fn bytes_literals_agree_with_python() {
    let cases: [(&str, &[u8]); 5] = [
        (r"b''", b""),
        (
            r"b'\x00\t\n\r\x1b ~\x7f\x80\xff'",
            b"\x00\t\n\r\x1b ~\x7f\x80\xff",
        ),
        (r#"b"it's""#, b"it's"),
        (r#"b'a"b'"#, b"a\"b"),
        (r#"b'a\'"b\\c'"#, b"a'\"b\\c"),
    ];
    for (text, bytes) in cases {
        assert_eq!(
            bytes_prefix(text),
            Ok((bytes.to_vec(), text.len())),
            "{text}"
        );
    }
    assert_eq!(bytes_prefix("b'a', 0").map(|(_, used)| used), Ok(4));
    assert_eq!(bytes_prefix("'a'").map_err(|error| error.column), Err(1));
    assert_eq!(bytes_prefix("b'é'").map_err(|error| error.column), Err(3));
    assert_eq!(
        bytes_prefix(r"b'\u0041'").map_err(|error| error.column),
        Err(3)
    );
}

/// `repr` after Python's reference: single quotes unless the text has some and no double ones.
/// Python leaves printable characters as they are; escaping more of them means the same.
fn repr(value: &Value, escape: fn(char) -> bool, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => repr_text(text, escape, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                repr(item, escape, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (key, item)) in members.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                repr_text(key, escape, out);
                out.push_str(": ");
                repr(item, escape, out);
            }
            out.push('}');
        }
    }
}

fn repr_text(text: &str, escape: fn(char) -> bool, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match (c, u32::from(c)) {
            ('\\', _) => out.push_str("\\\\"),
            ('\n', _) => out.push_str("\\n"),
            ('\r', _) => out.push_str("\\r"),
            ('\t', _) => out.push_str("\\t"),
            (c, _) if c == quote => out.extend(['\\', c]),
            (c, code @ 0..=0xFF) if c.is_control() || escape(c) => {
                out.push_str(&format!("\\x{code:02x}"));
            }
            (c, code @ 0x100..=0xFFFF) if escape(c) => out.push_str(&format!("\\u{code:04x}")),
            (c, code) if escape(c) => out.push_str(&format!("\\U{code:08x}")),
            (c, _) => out.push(c),
        }
    }
    out.push(quote);
}

fn any_json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
    ];
    let text = prop_oneof![any::<String>(), "['\"\\\\\n\t\r\u{1}-\u{ff}]{0,8}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::vec((text.clone(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_json_value_comes_back(value in any_json()) {
        let escapes: [fn(char) -> bool; 2] = [|_| false, |c| !c.is_ascii()];
        for escape in escapes {
            let mut text = String::new();
            repr(&value, escape, &mut text);
            for style in [JsonStyle::Compact, JsonStyle::PythonDumps] {
                let json = json(&text, style).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Value>(&json).unwrap(), &value, "{}", text);
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(
        text in any::<String>(),
        other in "[\\[({'\":, 0-9nNTb\\\\x}\\])]{0,40}",
    ) {
        for text in [text, other] {
            if let Err(error) = json(&text, JsonStyle::Compact) {
                prop_assert!(error.column <= text.chars().count() + 1);
            }
            let _ = bytes_prefix(&text);
            let _ = string_prefix(&text);
        }
    }
}
