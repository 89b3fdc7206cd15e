use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::KEY;
use crate::json::same_value;
use crate::recording::mask::characters::{Characters, Domain};

fn masked(text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    Characters::new(&KEY).text(Domain::Text, &mut characters);
    characters.into_iter().collect()
}

fn masked_number(number: &str) -> String {
    let mut number = number.as_bytes().to_vec();
    Characters::new(&KEY).number(&mut number);
    String::from_utf8(number).unwrap()
}

/// By the properties that a limit, a topic or an escape goes by.
fn class(character: char) -> (usize, usize, bool, Option<char>) {
    let ascii = match character {
        '0'..='9' => Some('0'),
        'a'..='z' => Some('a'),
        'A'..='Z' => Some('A'),
        _ => character.is_ascii().then_some(character),
    };
    let (utf8, utf16) = (character.len_utf8(), character.len_utf16());
    (utf8, utf16, character.is_control(), ascii)
}

#[test]
fn a_short_text_is_a_permutation_of_all_of_its_kind() {
    let digits: Vec<String> = (b'0'..=b'9')
        .map(|d| masked(&String::from(d as char)))
        .collect();
    assert_eq!(digits.iter().collect::<BTreeSet<_>>().len(), 10);
    let letters = (b'a'..=b'z').flat_map(|a| (b'0'..=b'9').map(move |b| [a, b]));
    let all: BTreeSet<String> = letters
        .map(|pair| masked(core::str::from_utf8(&pair).unwrap()))
        .collect();
    assert_eq!(all.len(), 260);
    let numbers: BTreeSet<String> = (0..10_000)
        .map(|number| masked_number(&alloc::format!("{number}")))
        .collect();
    assert_eq!(numbers.len(), 10_000);
}

#[test]
fn every_place_depends_on_every_other() {
    let text = "the quick brown fox jumps over the lazy dog";
    let before: Vec<char> = masked(text).chars().collect();
    for place in 0..text.len() {
        let mut other: Vec<char> = text.chars().collect();
        if !other[place].is_ascii_lowercase() {
            continue;
        }
        other[place] = if other[place] == 'z' { 'a' } else { 'z' };
        let after: Vec<char> = masked(&other.iter().collect::<String>()).chars().collect();
        let same = before
            .iter()
            .zip(&after)
            .filter(|(a, b)| a == b && a.is_alphabetic());
        // Of 35 letters one or two fall on the same by chance.
        assert!(same.count() < 10, "{place}");
    }
}

#[test]
fn another_key_or_use_gives_another_text() {
    let text = "a text of some length";
    let with = |key: &[u8; 16], domain| {
        let mut characters: Vec<char> = text.chars().collect();
        Characters::new(key).text(domain, &mut characters);
        characters.into_iter().collect::<String>()
    };
    let all = [
        with(&KEY, Domain::Text),
        with(&KEY, Domain::Name),
        with(&[0; 16], Domain::Text),
        text.into(),
    ];
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 4);
    assert_eq!(all[0], masked(text));
}

#[test]
fn bytes_become_others_of_the_same_number() {
    let (mut a, mut b) = ([1; 100], [1; 100]);
    let characters = Characters::new(&KEY);
    characters.bytes(&mut a);
    characters.bytes(&mut b);
    assert_eq!(a, b);
    assert!(a.iter().filter(|byte| **byte == 1).count() < 10);
}

/// A JSON number, as digits and an exponent, in one of its spellings.
fn spelled(negative: bool, digits: u64, zeros: usize, spelling: u8) -> String {
    let sign = if negative { "-" } else { "" };
    let zeros = "0".repeat(zeros);
    match spelling {
        0 => alloc::format!("{sign}{digits}{zeros}"),
        1 => alloc::format!("{sign}{digits}{zeros}.0"),
        2 => alloc::format!("{sign}{digits}{zeros}.000e0"),
        3 => alloc::format!("{sign}{digits}E{}", zeros.len()),
        _ => alloc::format!(
            "{sign}0.0{digits}e+{}",
            zeros.len() + 1 + alloc::format!("{digits}").len()
        ),
    }
}

proptest! {
    #[test]
    fn text_keeps_its_length_and_kinds(text in any::<String>()) {
        let masked = masked(&text);
        let classes = |text: &str| text.chars().map(class).collect::<Vec<_>>();
        prop_assert_eq!(classes(&masked), classes(&text));
    }

    #[test]
    fn different_texts_stay_different(
        a in "[a-c0-1é€😀.]{0,4}",
        b in "[a-c0-1é€😀.]{0,4}",
    ) {
        prop_assert_eq!(a == b, masked(&a) == masked(&b));
    }

    #[test]
    fn numbers_keep_their_form(number in "-?(0|[1-9][0-9]{0,20})([.][0-9]{1,8})?([eE][+-]?[0-9]{1,2})?") {
        let masked = masked_number(&number);
        let parts = |number: &str| -> Vec<char> {
            let (digits, exponent) = number.split_at(number.find(['e', 'E']).unwrap_or(number.len()));
            let digits = digits.chars().map(|c| if c.is_ascii_digit() { '0' } else { c });
            digits.chain(exponent.chars()).collect()
        };
        prop_assert_eq!(parts(&masked), parts(&number));
        prop_assert!(crate::json::Json::new(masked.clone()).is_ok(), "{}", masked);
        let zero = |number: &str| number.split(['e', 'E']).next().unwrap().bytes().all(|b| !(b'1'..=b'9').contains(&b));
        prop_assert_eq!(zero(&masked), zero(&number));
    }

    /// As many digits as a double tells apart.
    #[test]
    fn numbers_that_are_equal_stay_so(
        negative: bool,
        digits in 1..=999_999_999_999_999_u64,
        other in 1..=999_999_999_999_999_u64,
        zeros in 0..5_usize,
        a in 0..5_u8,
        b in 0..5_u8,
    ) {
        let (a, b) = (spelled(negative, digits, zeros, a), spelled(negative, digits, zeros, b));
        prop_assert!(same_value(&a, &b), "{} {}", a, b);
        prop_assert!(same_value(&masked_number(&a), &masked_number(&b)), "{} {}", a, b);
        let other = spelled(negative, other, zeros, 0);
        prop_assert_eq!(
            same_value(&a, &other),
            same_value(&masked_number(&a), &masked_number(&other))
        );
    }
}
