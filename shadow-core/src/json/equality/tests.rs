#[cfg(feature = "floats")]
use serde_json::Value;

use super::*;

/// Both spell the double in their middle, which a parser that rounds twice takes for two.
#[cfg(feature = "floats")]
#[test]
fn numbers_are_compared_exactly() {
    assert!(same_value("1134727640781796.2", "1134727640781796.3"));
    assert!(!same_value("1134727640781796.2", "1134727640781796.4"));
}

/// Two numbers of one double, wherever they stand, and two spellings of one number.
#[cfg(not(feature = "floats"))]
#[test]
fn without_floats_every_digit_of_a_number_counts() {
    for (first, second) in [
        ("0.1", "0.1000000000000000055511151231257827"),
        ("1134727640781796.2", "1134727640781796.3"),
        ("9007199254740992.0", "9007199254740993.0"),
        ("1e-400", "0"),
        ("[1,0.1]", "[1,0.100000000000000001]"),
        (r#"{"a":{"b":0.1}}"#, r#"{"a":{"b":0.100000000000000001}}"#),
    ] {
        assert!(!same_value(first, second), "{first} and {second}");
        assert!(!same_value(second, first), "{second} and {first}");
    }
    for (first, second) in [
        ("0.1", "0.10"),
        ("0.1", "1e-1"),
        ("-0.0", "0"),
        ("1e400", "10E+399"),
        ("9007199254740993.0", "9007199254740993"),
        ("[1,0.1]", "[1.0,1e-1]"),
        (r#"{"a":{"b":0.1},"c":2}"#, r#"{"c":2.0,"a":{"b":1e-1}}"#),
    ] {
        assert!(same_value(first, second), "{first} and {second}");
    }
}

/// What two values of serde_json mean, told apart as this crate does.
#[cfg(feature = "floats")]
fn same_as_values(first: &Value, second: &Value) -> bool {
    match (first, second) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            a.as_f64() == b.as_f64()
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_as_values(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && (a.iter()).all(|(key, a)| b.get(key).is_some_and(|b| same_as_values(a, b)))
        }
        (a, b) => a == b,
    }
}

#[cfg(feature = "floats")]
#[test]
fn values_mean_what_serde_json_reads_in_them() {
    let digits = r#"0 -0 0.0 -0.0 0e9 1 1.0 10e-1 1e0 -1 -1.0 100 1e2 1E+2 1e400 -1e400 1e-400
        0.1 0.10 0.100000000000000001 9007199254740992 9007199254740993 9007199254740993.0
        9223372036854775807 -9223372036854775808 -9223372036854775809 18446744073709551615
        18446744073709551616 18446744073709551616.0 184467440737095516160e-1 123456789012345678901
        1.7976931348623157e308 1.7976931348623159e308 5e-324 2e-324"#;
    let others = [
        "null",
        "true",
        "false",
        r#""""#,
        r#""a""#,
        r#""\u0061""#,
        r#""\ud83d\ude00""#,
        r#""😀""#,
        r#""\ud83d""#,
        "[]",
        "[1,2]",
        "[2,1]",
        "[1.0,2]",
        "[1]",
        "{}",
        r#"{"a":1,"b":[2]}"#,
        r#"{"b":[2.0],"a":1}"#,
        r#"{"\u0061":1,"b":[2]}"#,
        r#"{"a":0,"a":1,"b":[2]}"#,
        r#"{"a":1}"#,
        r#"{"a":null}"#,
        r#"{"a":1e400}"#,
        r#"[{"a":{"b":[{"c":1}]}}]"#,
        r#"[{"a":{"b":[{"c":1.0}]}}]"#,
        "[[[[[[[[[[1]]]]]]]]]]",
        "[[[[[[[[[[1e0]]]]]]]]]]",
    ];
    let all: Vec<&str> = digits.split_whitespace().chain(others).collect();
    for first in &all {
        for second in &all {
            let read = |text| serde_json::from_str::<Value>(text);
            let expected = match (read(first), read(second)) {
                _ if first == second => true,
                (Ok(first), Ok(second)) => same_as_values(&first, &second),
                _ => false,
            };
            assert_eq!(same_value(first, second), expected, "{first} and {second}");
        }
    }
}

/// How numbers are compared without the feature `floats`.
#[test]
fn decimals_are_the_same_whatever_their_spelling() {
    for same in [
        &["0", "-0", "0.0", "-0.00", "0e5", "0E-7"][..],
        &[
            "1", "1.0", "1.00e0", "10e-1", "0.1e1", "0.001E+3", "1000e-3",
        ],
        &["-12.5", "-1.25e1", "-125e-1", "-0.0125E3"],
        &[
            "123456789012345678901234567890",
            "1.2345678901234567890123456789e29",
        ],
        &["1e400", "10e399", "0.1e401"],
    ] {
        for (first, second) in same.iter().zip(same.iter().skip(1)) {
            assert_eq!(decimal(first), decimal(second), "{first} and {second}");
        }
    }
    let all = [
        "0",
        "1",
        "-1",
        "10",
        "0.1",
        "1.01",
        "1.001",
        "101",
        "1e400",
        "9007199254740993",
    ];
    for (index, first) in all.iter().enumerate() {
        for second in all.iter().skip(index + 1) {
            assert_ne!(decimal(first), decimal(second), "{first} and {second}");
        }
    }
}
