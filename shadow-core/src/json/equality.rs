//! Whether two JSON values mean the same.

#[cfg(any(test, not(feature = "floats")))]
use alloc::string::String;
use alloc::vec::Vec;

use super::Reader;
use super::order::Node;
use super::reader::read_string;

/// Whether two JSON values mean the same: numbers by value, strings by their characters, objects
/// without an order.
pub(crate) fn same_value(first: &str, second: &str) -> bool {
    if first == second {
        return true;
    }
    if has_one_spelling(first) && has_one_spelling(second) {
        return false;
    }
    same(first, second)
}

/// Whether no other text means the same value. Most values can be told apart without reading them.
fn has_one_spelling(text: &str) -> bool {
    match text.as_bytes() {
        [b'"', ..] => !text.contains('\\'),
        [b'[' | b'{', ..] => false,
        [b't' | b'f' | b'n', ..] => true,
        // So many digits fit into 64 bits. Minus zero is zero too.
        [b'-', b'0', ..] => false,
        [b'-', digits @ ..] | digits => digits.len() <= 18 && digits.iter().all(u8::is_ascii_digit),
    }
}

fn same(first: &str, second: &str) -> bool {
    match (first.as_bytes().first(), second.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => {
            let [first, second] = [first, second].map(|text| Node::next(&mut Reader::new(text), 0));
            same_nodes(&first, &second)
        }
        (Some(b'['), Some(b'[')) => {
            let (first, second) = (elements(first), elements(second));
            first.len() == second.len() && first.iter().zip(second).all(|(a, b)| same(a, b))
        }
        (Some(b'"'), Some(b'"')) => {
            let first = read_string(first);
            first.is_some() && first == read_string(second)
        }
        (Some(b'-' | b'0'..=b'9'), Some(b'-' | b'0'..=b'9')) => same_number(first, second),
        _ => first == second,
    }
}

fn same_nodes(first: &Node<'_>, second: &Node<'_>) -> bool {
    match (first, second) {
        (Node::Leaf(first), Node::Leaf(second)) => same(first, second),
        (Node::Members(first), Node::Members(second)) => {
            first.len() == second.len()
                && (first.iter().zip(second))
                    .all(|(a, b)| a.key == b.key && same_nodes(&a.value, &b.value))
        }
        _ => false,
    }
}

fn elements(array: &str) -> Vec<&str> {
    let mut all = Vec::new();
    Reader::new(array).elements(|reader| all.push(reader.value()));
    all
}

/// Integers are told apart beyond what a double can; of other numbers there are only doubles, and
/// one that is too large for a double equals none.
#[cfg(feature = "floats")]
fn same_number(first: &str, second: &str) -> bool {
    if is_integer(first) && is_integer(second) {
        return first == second;
    }
    match (first.parse::<f64>(), second.parse::<f64>()) {
        (Ok(first), Ok(second)) => first.is_finite() && first == second,
        _ => false,
    }
}

/// Whether they are the same number, to the last digit.
#[cfg(not(feature = "floats"))]
fn same_number(first: &str, second: &str) -> bool {
    decimal(first) == decimal(second)
}

/// The sign, the digits from the first to the last that is not 0, and the place of the point behind
/// the first of them. An exponent beyond 32 bits is the farthest place.
#[cfg(any(test, not(feature = "floats")))]
fn decimal(number: &str) -> (bool, String, i64) {
    let end = number.bytes().position(|byte| matches!(byte, b'e' | b'E'));
    let (mantissa, exponent) = number
        .split_at_checked(end.unwrap_or(number.len()))
        .unwrap_or_default();
    let (mut is_negative, mut behind_point) = (false, false);
    let (mut digits, mut place) = (String::new(), 0_i64);
    for byte in mantissa.bytes() {
        match byte {
            b'-' => is_negative = true,
            b'.' => behind_point = true,
            b'0' if digits.is_empty() => place -= i64::from(behind_point),
            digit => {
                digits.push(char::from(digit));
                place += i64::from(!behind_point);
            }
        }
    }
    if digits.is_empty() {
        return (false, digits, 0);
    }
    digits.truncate(digits.trim_end_matches('0').len());
    let exponent = exponent.get(1..).unwrap_or("0");
    let farthest = if exponent.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    };
    let exponent: i64 = exponent.parse().unwrap_or(farthest);
    let exponent = exponent.clamp(i32::MIN.into(), i32::MAX.into());
    (is_negative, digits, place + exponent)
}

/// Whether it is an integer of 64 bits. What JSON writes as -0 is none.
#[cfg(feature = "floats")]
fn is_integer(number: &str) -> bool {
    number != "-0" && (number.parse::<u64>().is_ok() || number.parse::<i64>().is_ok())
}

#[cfg(test)]
mod tests;
