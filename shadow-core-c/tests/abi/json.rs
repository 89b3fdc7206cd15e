//! JSON values that are read without types. Expected is what RFC 8259 and IEEE 754 say.

use shadow_core_c::ffi::{shadow_json_bool, shadow_json_integer, shadow_json_number};
use shadow_core_c::shadow_result::{self, *};

/// What `read` says of `text`, and what it leaves in a place that held `before`.
fn read<T: Copy>(
    read: unsafe extern "C" fn(*const std::ffi::c_char, usize, *mut T) -> shadow_result,
    before: T,
    text: &str,
) -> Result<T, (shadow_result, T)> {
    let mut place = before;
    // SAFETY: all of it is valid.
    let result = unsafe { read(text.as_ptr().cast(), text.len(), &mut place) };
    match result {
        SHADOW_OK => Ok(place),
        refused => Err((refused, place)),
    }
}

fn number(text: &str) -> Result<u64, (shadow_result, u64)> {
    let read = read(shadow_json_number, 7.0, text);
    // Of 0 the sign counts too.
    read.map(f64::to_bits)
        .map_err(|(result, place)| (result, place.to_bits()))
}

fn integer(text: &str) -> Result<i64, (shadow_result, i64)> {
    read(shadow_json_integer, 7, text)
}

fn truth(text: &str) -> Result<bool, (shadow_result, bool)> {
    read(shadow_json_bool, true, text)
}

/// What `strtod`, `atoi` or Rust's `parse` would take, and is no JSON.
const NO_JSON: [&str; 20] = [
    "", " ", "01", "-01", "00", "+1", "1.", ".5", "-", "--1", "1e", "1e+", "0x10", "inf",
    "Infinity", "nan", "1,5", "1 2", "1_000", "True",
];

/// JSON that is neither a number nor a truth value.
const OTHERS: [&str; 6] = ["null", "\"7\"", "\"true\"", "[1]", "{\"a\":1}", "\"\""];

#[test]
fn a_number_is_the_nearest_double() {
    for (text, expected) in [
        ("0", 0.0),
        ("-0", -0.0),
        ("-0.0e5", -0.0),
        (" 21.5\n", 21.5),
        ("1E3", 1_000.0),
        ("-12.5e+1", -125.0),
        ("0.1", 0.1),
        ("1e-400", 0.0),
        ("5e-324", f64::from_bits(1)),
        ("1.7976931348623157e308", f64::MAX),
        // Halfway between two doubles, to the even one; and a digit more.
        ("9007199254740993", 9_007_199_254_740_992.0),
        (
            "9007199254740993.0000000000000000000000001",
            9_007_199_254_740_994.0,
        ),
        ("18446744073709551616", 18_446_744_073_709_551_616.0),
    ] {
        assert_eq!(number(text), Ok(expected.to_bits()), "{text}");
    }
    for text in ["1e400", "-1e400", "1.7976931348623159e308", "true", "false"] {
        assert_eq!(number(text), Err((SHADOW_INVALID_JSON, 0)), "{text}");
    }
}

#[test]
fn an_integer_has_64_bits_with_a_sign() {
    for (text, expected) in [
        ("0", 0),
        ("-0", 0),
        (" 42\t", 42),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ] {
        assert_eq!(integer(text), Ok(expected), "{text}");
    }
    for text in [
        "9223372036854775808",
        "-9223372036854775809",
        "1e400",
        "1.0",
        "1e3",
        "-0.0",
        "true",
        "false",
    ] {
        assert_eq!(integer(text), Err((SHADOW_INVALID_JSON, 0)), "{text}");
    }
}

#[test]
fn a_truth_value_is_true_or_false() {
    assert_eq!((truth("true"), truth(" false ")), (Ok(true), Ok(false)));
    for text in ["0", "1", "TRUE", "truetrue", "t"] {
        assert_eq!(truth(text), Err((SHADOW_INVALID_JSON, false)), "{text}");
    }
}

#[test]
fn nothing_else_is_read() {
    for text in NO_JSON.into_iter().chain(OTHERS) {
        assert_eq!(number(text), Err((SHADOW_INVALID_JSON, 0)), "{text}");
        assert_eq!(integer(text), Err((SHADOW_INVALID_JSON, 0)), "{text}");
        assert_eq!(truth(text), Err((SHADOW_INVALID_JSON, false)), "{text}");
    }
}
