use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::*;

/// Every style there is.
const STYLES: &[JsonStyle] = &[
    JsonStyle::Compact,
    #[cfg(feature = "behaviours")]
    JsonStyle::Python,
];

fn restyled(text: &str, style: JsonStyle) -> String {
    let mut out = Vec::new();
    restyle(text, style, &mut out);
    String::from_utf8(out).unwrap()
}

fn written<T: Serialize + ?Sized>(value: &T, style: JsonStyle) -> Result<String, String> {
    let mut out = Vec::new();
    write_value(value, style, &mut out).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

/// Text and what `json.dumps(json.loads(text))` of Python 3 prints for it.
#[cfg(feature = "behaviours")]
const PYTHON: &[(&str, &str)] = &[
    (
        r#"{"a":[1,2.5,{}],"b":{"c":null,"d":[]},"e":true}"#,
        r#"{"a": [1, 2.5, {}], "b": {"c": null, "d": []}, "e": true}"#,
    ),
    (
        "\"é😀\x7f/ \\\" \\\\ \\u0000 \\u001f \\b\\f\\n\\r\\t\"",
        "\"\\u00e9\\ud83d\\ude00\x7f/ \\\" \\\\ \\u0000 \\u001f \\b\\f\\n\\r\\t\"",
    ),
    (
        r#"{"k\u0041\/\u00E9":"\uD83D\uDE00 \ud800"}"#,
        r#"{"kA/\u00e9": "\ud83d\ude00 \ud800"}"#,
    ),
    ("[ ]", "[]"),
    (
        r#"["a,b:c{}[] \"d\" ",-0.0]"#,
        r#"["a,b:c{}[] \"d\" ", -0.0]"#,
    ),
];

#[cfg(feature = "behaviours")]
#[test]
fn python_style_is_what_python_prints() {
    for (text, expected) in PYTHON {
        assert_eq!(restyled(text, JsonStyle::Python), *expected);
        // Restyling twice changes nothing more.
        assert_eq!(restyled(expected, JsonStyle::Python), *expected);
    }
}

#[test]
fn compact_drops_white_space_and_nothing_else() {
    let text = " {\t\"a b\" :\r\n [ 1.50 , 1E5 , \"\\u00E9\\/ \\\" , : \" ] , \"a b\" : -0 }\n";
    assert_eq!(
        restyled(text, JsonStyle::Compact),
        r#"{"a b":[1.50,1E5,"\u00E9\/ \" , : "],"a b":-0}"#
    );
}

#[cfg(feature = "behaviours")]
#[test]
fn python_style_keeps_the_spelling_of_numbers() {
    let text = "[18446744073709551615,1.50,1E5,-0,0.1000000000000000055511151231257827]";
    let expected = "[18446744073709551615, 1.50, 1E5, -0, 0.1000000000000000055511151231257827]";
    assert_eq!(restyled(text, JsonStyle::Python), expected);
}

#[test]
fn depth_counts_brackets_outside_of_strings() {
    for (text, expected) in [
        ("1", 0),
        ("\"[{\"", 0),
        ("{}", 1),
        (" [ [] , {} ] ", 2),
        (r#"{"a[[[\"":{"b":[1]}}"#, 3),
    ] {
        assert_eq!(depth(text), expected, "{text}");
    }
}

#[test]
fn deep_nesting_costs_no_stack() {
    let text = "[".repeat(100_000) + &"]".repeat(100_000);
    assert_eq!(depth(&text), 100_000);
    for style in STYLES {
        assert_eq!(restyled(&text, *style), text);
    }
    let json = Json::new(text.as_str()).unwrap();
    assert_eq!(written(&json, JsonStyle::Compact).as_deref(), Ok(&*text));
    assert!(json.parse::<Value>().is_err());
}

#[test]
fn json_keeps_its_text() {
    let text = r#"{"b": 1.50, "a": 18446744073709551615}"#;
    let json = Json::new(format!("\n {text} ")).unwrap();
    assert_eq!(json.as_str(), text);
    assert_eq!(format!("{json:?}"), text);
    assert_eq!(json, text.parse().unwrap());
    assert_eq!(serde_json::to_string(&json).unwrap(), text);
    let error = Json::new("{\"a\":\n1,}").unwrap_err();
    assert_eq!((error.line(), error.column()), (2, 3));
}

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct Newtype(u8);

#[derive(Serialize)]
struct Pair(u8, &'static str);

#[derive(Serialize)]
enum Choice {
    Unit,
    Newtype(i8),
    Pair(u8, u8),
    Struct { a: u8, b: Option<u8> },
}

#[derive(Serialize)]
struct Everything {
    none: Option<u8>,
    some: Option<u8>,
    unit: Unit,
    newtype: Newtype,
    pair: Pair,
    choices: Vec<Choice>,
    tuple: (i8, i16, i32, i64, i128, u8, u16, u32, u64, u128),
    edges: (i64, u64, i128),
    floats: Vec<f64>,
    singles: Vec<f32>,
    letter: char,
    text: &'static str,
    by_text: BTreeMap<&'static str, u8>,
    by_number: BTreeMap<i32, u8>,
    by_flag: BTreeMap<bool, ()>,
    by_letter: BTreeMap<char, u8>,
    empty: (Vec<u8>, BTreeMap<u8, u8>),
    #[serde(skip)]
    _skipped: u8,
}

fn everything() -> Everything {
    Everything {
        none: None,
        some: Some(1),
        unit: Unit,
        newtype: Newtype(2),
        pair: Pair(3, "x"),
        choices: vec![
            Choice::Unit,
            Choice::Newtype(-1),
            Choice::Pair(4, 5),
            Choice::Struct { a: 6, b: None },
        ],
        tuple: (-1, -2, -3, -4, -5, 1, 2, 3, 4, 5),
        edges: (i64::MIN, u64::MAX, i128::from(i64::MIN) - 1),
        floats: vec![0.0, -0.0, 1.0, 0.1, 1.5e10, 5e-324],
        singles: vec![0.1, 16_777_216.0, -2.5],
        letter: 'é',
        text: "q\" b\\ t\t n\n c\u{1} del\u{7f} / é 😀",
        by_text: [("k", 1), ("l\"", 2)].into(),
        by_number: [(-1, 1), (10, 2)].into(),
        by_flag: [(false, ()), (true, ())].into(),
        by_letter: [('"', 1)].into(),
        empty: (Vec::new(), BTreeMap::new()),
        _skipped: 0,
    }
}

/// serde_json is the reference.
#[test]
fn the_serializer_writes_what_serde_json_writes() {
    let reference = serde_json::to_string(&everything()).unwrap();
    assert_eq!(restyled(&reference, JsonStyle::Compact), reference);
    for style in STYLES {
        let expected = restyled(&reference, *style);
        assert_eq!(written(&everything(), *style), Ok(expected));
    }
}

/// Floats far from 1 are spelt with or without an exponent, as they come; the value is the same.
#[test]
fn floats_read_back_as_the_same_number() {
    for number in [
        1e16,
        1e-7,
        123_456_789_012_345_680.0,
        f64::MIN_POSITIVE,
        1e300,
        -2.5e-200,
    ] {
        let text = written(&number, JsonStyle::Compact).unwrap();
        assert_eq!(
            text.parse::<f64>().unwrap().to_bits(),
            number.to_bits(),
            "{text}"
        );
        assert!(Json::new(text).is_ok());
    }
}

/// Rust's own form is the reference, however a float came to its digits.
#[test]
fn floats_are_written_as_rust_prints_them() {
    let same = |number: f64| {
        let text = written(&number, JsonStyle::Compact);
        assert_eq!(text, Ok(format!("{number:?}")));
    };
    let edges = [
        0.0,
        0.001,
        0.000_999,
        0.05,
        0.5,
        1.0,
        17.25,
        0.1 + 0.2,
        999_999_999_999.999,
        999_999_999_999.999_9,
        1e12,
        1e12 + 0.5,
        1e15,
        1e16,
        f64::from_bits(17.25_f64.to_bits() + 1),
        f64::from_bits(17.25_f64.to_bits() - 1),
    ];
    for number in edges {
        same(number);
        same(-number);
    }
    for number in 0_u32..5_000 {
        for scale in [1.0, 10.0, 100.0, 1_000.0, 10_000.0] {
            same(f64::from(number) / scale);
            same(f64::from(number) * 7_919_113.0 / scale);
        }
    }
}

#[test]
fn how_deep_a_value_nests_is_told_as_it_is_written() {
    #[derive(Serialize)]
    enum Kind {
        Unit,
        One(Vec<u8>),
        Two(u8, Vec<u8>),
        Named { inner: Vec<Vec<u8>> },
    }
    let one = || Kind::One(vec![]);
    fn depths<T: Serialize>(value: &T) -> (usize, usize) {
        let mut out = Vec::new();
        let mut found = Vec::new();
        for style in STYLES {
            out.clear();
            let told = write_value(value, *style, &mut out).unwrap();
            found.push((told, depth(core::str::from_utf8(&out).unwrap())));
        }
        assert!(found.iter().all(|each| *each == found[0]), "{found:?}");
        found[0]
    }
    let inner = vec![vec![], vec![1]];
    assert_eq!(depths(&1), (0, 0));
    assert_eq!(depths(&[Kind::Unit, one(), one(), one()]), (3, 3));
    assert_eq!(depths(&(one(), Kind::Two(1, vec![2]), one())), (4, 4));
    assert_eq!(depths(&[Kind::Named { inner }, one()]), (5, 5));
    // In text that is handed through each beginning counts.
    let raw = Json::new(r#"{"a":[],"b":[]}"#).unwrap();
    assert_eq!(depths(&[&raw, &raw]), (4, 3));
}

#[test]
fn raw_values_pass_as_json() {
    let raw = RawValue::from_string(r#"{"a": [1.50, "é"]}"#.to_string()).unwrap();
    let json = Json::new(r#"{"a": [1.50, "é"]}"#).unwrap();
    let cases = [
        (JsonStyle::Compact, r#"[{"a":[1.50,"é"]},"t"]"#),
        #[cfg(feature = "behaviours")]
        (JsonStyle::Python, r#"[{"a": [1.50, "\u00e9"]}, "t"]"#),
    ];
    for (style, expected) in cases {
        assert_eq!(written(&(&raw, "t"), style), Ok(expected.into()));
        assert_eq!(written(&(&json, "t"), style), Ok(expected.into()));
    }
}

#[test]
#[cfg_attr(
    not(feature = "diagnostics"),
    ignore = "the texts are shorter without it"
)]
fn what_has_no_json_form_is_refused() {
    let not_finite = Err("NaN and infinity have no JSON form".to_string());
    assert_eq!(written(&f64::NAN, JsonStyle::Compact), not_finite);
    assert_eq!(
        written(&[f32::NEG_INFINITY], JsonStyle::Compact),
        not_finite
    );
    let not_text = Err("a map key has to be a string".to_string());
    assert_eq!(
        written(&BTreeMap::from([((1, 2), 3)]), JsonStyle::Compact),
        not_text
    );
    assert_eq!(
        written(&BTreeMap::from([((), 3)]), JsonStyle::Compact),
        not_text
    );
    assert!(Json::from_serialize(&f64::INFINITY).is_err());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        proptest::num::f64::NORMAL.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~é\u{80}\u{7ff}\u{ffff}😀\\\\\"\u{0}-\u{1f}\u{7f}]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// json.dumps by its documentation, over a tree.
#[cfg(feature = "behaviours")]
fn python(value: &Value) -> String {
    match value {
        Value::String(text) => python_string(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(python).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("{}: {}", python_string(key), python(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(feature = "behaviours")]
fn python_string(text: &str) -> String {
    let mut out = String::from("\"");
    for unit in text.encode_utf16() {
        match char::from_u32(u32::from(unit)) {
            Some('"') => out += "\\\"",
            Some('\\') => out += "\\\\",
            Some('\n') => out += "\\n",
            Some('\r') => out += "\\r",
            Some('\t') => out += "\\t",
            Some('\u{8}') => out += "\\b",
            Some('\u{c}') => out += "\\f",
            Some(c @ ' '..='\u{7f}') => out.push(c),
            _ => out += &format!("\\u{unit:04x}"),
        }
    }
    out + "\""
}

const JSON_BYTES: &str = "[\\[\\]{}\",:\\\\/bu019 \n\t\u{1}.eE+-tnx]";

fn read_all(text: &str) -> Result<(), Malformed> {
    let mut reader = Reader::new(text);
    reader.value();
    reader.end()
}

/// What serde_json says of each is the reference; the list is of the grammar's corners (RFC 8259).
#[test]
fn the_reader_knows_the_corners_of_the_grammar() {
    for text in [
        "",
        " ",
        "0",
        "-0",
        "-",
        "00",
        "01",
        "-01",
        "0.",
        "0.0",
        ".5",
        "1.e1",
        "1e",
        "1e+",
        "1e5",
        "1E-05",
        "+1",
        "1a",
        "1 2",
        "0x1",
        "NaN",
        "null",
        "nul",
        "nulll",
        "true",
        "True",
        "false ",
        "\"",
        "\"\"",
        "\"\\\"",
        "\"\\a\"",
        "\"\\/\"",
        "\"\\u00g0\"",
        "\"\\u00E9\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\t\"",
        "\"\u{7f}\"",
        "\"\u{1f}\"",
        "\"\\",
        "\"\\u",
        "[",
        "]",
        "[]",
        "[,]",
        "[1,]",
        "[1 2]",
        "[1",
        "[1}",
        "{]",
        "{}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{1:1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":{\"b\":[{}]}}",
        "[[[]]",
        "[[]]]",
        "{\"a\":[}]",
        "[] x",
        "\u{feff}1",
        "\u{a0}1",
        "\u{b}1",
        "\r\n\t 1\r\n\t ",
        "[1]\0",
        "\\",
        "/**/1",
        "'a'",
    ] {
        let reference = serde_json::from_str::<IgnoredAny>(text).is_ok();
        assert_eq!(read_all(text).is_ok(), reference, "{text:?}");
        let member = format!("{{\"k\":{text}}}");
        let reference = serde_json::from_str::<IgnoredAny>(&member).is_ok();
        let mut reader = Reader::new(&member);
        reader.members(|_, reader| {
            reader.value_span();
        });
        assert_eq!(reader.end().is_ok(), reference, "{member:?}");
    }
}

#[test]
fn the_reader_stops_at_128_levels() {
    let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(read_all(&nested(128)), Ok(()));
    assert_eq!(read_all(&nested(129)), Err(Malformed::TooDeep));
    assert_eq!(read_all(&nested(100_000)), Err(Malformed::TooDeep));
}

proptest! {
    #[test]
    fn any_value_survives_both_styles(value in any_json()) {
        let compact = serde_json::to_string(&value).unwrap();
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(restyled(&pretty, JsonStyle::Compact), compact.clone());
        #[cfg(feature = "behaviours")]
        {
            let expected = python(&value);
            prop_assert_eq!(restyled(&pretty, JsonStyle::Python), expected.clone());
            prop_assert_eq!(
                serde_json::from_str::<Value>(&expected).unwrap(),
                serde_json::from_str::<Value>(&compact).unwrap()
            );
        }
    }

    #[test]
    fn any_value_is_written_as_one_that_reads_the_same(value in any_json()) {
        let reference: Value =
            serde_json::from_str(&serde_json::to_string(&value).unwrap()).unwrap();
        for style in STYLES {
            let text = written(&value, *style).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), reference.clone());
            prop_assert_eq!(restyled(&text, *style), text);
        }
    }

    #[test]
    fn the_reader_finds_every_member(members in prop::collection::vec(
        (any::<String>(), any_json()),
        0..6,
    )) {
        let mut text = String::from(" {");
        for (index, (key, value)) in members.iter().enumerate() {
            let comma = if index == 0 { "" } else { " , " };
            let key = serde_json::to_string(key).unwrap();
            text += &format!("{comma}{key} :\n{value:#}\t");
        }
        text += "} ";
        let mut reader = Reader::new(&text);
        prop_assert_eq!(reader.peek(), Some(b'{'));
        let mut found = Vec::new();
        reader.members(|key, reader| {
            found.push((String::from_utf8(key.to_vec()).unwrap(), reader.value().to_string()));
        });
        prop_assert_eq!(reader.position() as usize, text.len() - 1);
        prop_assert_eq!(reader.end(), Ok(()));
        let expected: Vec<_> =
            members.into_iter().map(|(key, value)| (key, format!("{value:#}"))).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn the_reader_accepts_what_serde_json_accepts(
        value in any_json(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), JSON_BYTES), 0..3),
        soup in "[\\[\\]{}\",:\\\\au01 .eE+-]{0,12}",
    ) {
        let mut damaged = value.to_string().into_bytes();
        for (index, byte) in damage {
            let index = index.index(damaged.len());
            damaged[index] = byte.as_bytes()[0];
        }
        let damaged = String::from_utf8_lossy(&damaged);
        for text in [&*damaged, &*soup, &format!("[{soup}]"), &format!("\"{soup}\"")] {
            let reference = serde_json::from_str::<IgnoredAny>(text).is_ok();
            prop_assert_eq!(read_all(text).is_ok(), reference, "{}", text);
        }
    }

    #[test]
    fn text_that_is_no_json_does_no_harm(text in any::<String>(), cut in any::<Vec<u8>>()) {
        let cut = String::from_utf8_lossy(&cut);
        for text in [&*text, &*cut, &format!("{{{text}"), &format!("[\"{text}")] {
            let _ = depth(text);
            let _ = read_all(text);
            Reader::new(text).members(|_, reader| {
 reader.value_span();
 });
            for style in STYLES {
                let mut out = Vec::new();
                restyle(text, *style, &mut out);
                if *style == JsonStyle::Compact {
                    String::from_utf8(out).unwrap();
                }
            }
        }
    }
}
