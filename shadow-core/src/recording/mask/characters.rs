//! The keyed permutation under every mask.

use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a text is, so that the same text as something else is masked by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Domain {
    Name = 1,
    Text = 2,
    Number = 3,
    Bytes = 4,
}

/// Puts characters of the same kinds in the place of characters.
///
/// A Feistel network over the places that can change (as FF1 of NIST SP 800-38G, with a radix for
/// each place, and HMAC-SHA-256 for its rounds): a permutation of all texts that have the same kinds
/// of characters at the same places, of which every place depends on all others.
#[derive(Clone)]
pub(super) struct Characters {
    code: Hmac<Sha256>,
}

/// Luby and Rackoff need four rounds for long texts; short ones get two more.
const ROUNDS: u8 = 6;

/// Up to this radix a single place has an alphabet in an order of its own; beyond, a shifted one.
const SMALL: u32 = 64;

/// The ranges in which a character stays: by case, and by length in UTF-8 and UTF-16, which have
/// bounds at U+0800 and U+10000. Control characters, U+0080 to U+009F among them, are in none.
const KINDS: [(char, char); 9] = [
    ('0', '9'),
    ('A', 'Z'),
    ('a', 'z'),
    ('\u{a0}', '\u{7ff}'),
    ('\u{800}', '\u{2fff}'),
    ('\u{3000}', '\u{9fff}'),
    ('\u{a000}', '\u{d7ff}'),
    ('\u{e000}', '\u{ffff}'),
    ('\u{10000}', '\u{10ffff}'),
];

/// One place that can change.
#[derive(Clone, Copy)]
struct Place {
    value: u32,
    radix: u32,
}

impl Characters {
    pub(super) fn new(key: &[u8; 16]) -> Characters {
        let code = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
        Characters { code }
    }

    /// Masks letters and digits, and all beyond ASCII but control characters.
    pub(super) fn text(&self, domain: Domain, text: &mut [char]) {
        let mut code = self.code(domain);
        let mut places = Vec::with_capacity(text.len());
        for character in text.iter() {
            match kind(*character) {
                Some((index, (first, last))) => {
                    code.update(&[index]);
                    let (first, last) = (u32::from(first), u32::from(last));
                    places.push(Place {
                        value: u32::from(*character) - first,
                        radix: last - first + 1,
                    });
                }
                None => {
                    code.update(&[u8::MAX]);
                    code.update(&u32::from(*character).to_be_bytes());
                }
            }
        }
        permute(&code, &mut places);
        let mut places = places.into_iter();
        for character in text {
            if let Some((_, (first, _))) = kind(*character)
                && let Some(place) = places.next()
                && let Some(masked) = char::from_u32(u32::from(first) + place.value)
            {
                *character = masked;
            }
        }
    }

    /// Masks the digits of a JSON number from the first to the last that is not zero, neither of
    /// which becomes zero: numbers that are equal by value stay so, however they are written. The
    /// exponent stays.
    pub(super) fn number(&self, number: &mut [u8]) {
        let exponent = number.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let digits = exponent.unwrap_or(number.len());
        let digits = number.get_mut(..digits).unwrap_or_default();
        let counts = |byte: &u8| matches!(byte, b'1'..=b'9');
        let (Some(first), Some(last)) = (
            digits.iter().position(counts),
            digits.iter().rposition(counts),
        ) else {
            return;
        };
        let digits = digits.get_mut(first..=last).unwrap_or_default();
        let end = digits.len() - 1;
        let place = |(index, byte): (usize, &u8)| {
            let (zero, radix) = lowest(index, end);
            let value = u32::from(byte.checked_sub(zero)?);
            (value < radix).then_some(Place { value, radix })
        };
        let mut places: Vec<Place> = digits.iter().enumerate().filter_map(place).collect();
        permute(&self.code(Domain::Number), &mut places);
        let mut places = places.into_iter();
        for (index, byte) in digits.iter_mut().enumerate() {
            if byte.is_ascii_digit()
                && let Some(place) = places.next()
            {
                *byte = lowest(index, end).0 + place.value as u8;
            }
        }
    }

    /// Puts bytes in the place of bytes, the same for the same: no permutation, as nothing needs to
    /// tell them apart.
    pub(super) fn bytes(&self, bytes: &mut [u8]) {
        let mut code = self.code(Domain::Bytes);
        code.update(bytes);
        let masked = Stream::new(code).flat_map(u32::to_be_bytes);
        bytes
            .iter_mut()
            .zip(masked)
            .for_each(|(byte, masked)| *byte = masked);
    }

    fn code(&self, domain: Domain) -> Hmac<Sha256> {
        let mut code = self.code.clone();
        code.update(&[domain as u8]);
        code
    }
}

/// The range that a character stays in.
fn kind(character: char) -> Option<(u8, (char, char))> {
    let mut kinds = (0..).zip(KINDS);
    kinds.find(|(_, (first, last))| (*first..=*last).contains(&character))
}

/// The digit that stands for 0 at a place of a number, and how many there are: neither the first nor
/// the last is zero.
fn lowest(index: usize, end: usize) -> (u8, u32) {
    if index == 0 || index == end {
        (b'1', 9)
    } else {
        (b'0', 10)
    }
}

fn permute(code: &Hmac<Sha256>, places: &mut [Place]) {
    if let [place] = places {
        substitute(code, place);
        return;
    }
    let (left, right) = places.split_at_mut(places.len() / 2);
    for round in 0..ROUNDS {
        let (turned, fixed) = match round % 2 {
            0 => (&mut *left, &*right),
            _ => (&mut *right, &*left),
        };
        let mut code = code.clone();
        code.update(&[round]);
        for place in fixed {
            code.update(&place.value.to_be_bytes());
        }
        for (place, word) in turned.iter_mut().zip(Stream::new(code)) {
            place.value = (place.value + below(word, place.radix)) % place.radix;
        }
    }
}

/// A permutation of one place's alphabet.
fn substitute(code: &Hmac<Sha256>, place: &mut Place) {
    let mut stream = Stream::new(code.clone());
    if place.radix > SMALL {
        let shift = stream.next().map_or(0, |word| below(word, place.radix));
        place.value = (place.value + shift) % place.radix;
        return;
    }
    // Its rank in a random order.
    let order: Vec<(u32, u32)> = stream.zip(0..place.radix).collect();
    let own = order.iter().find(|(_, value)| *value == place.value);
    place.value = order.iter().filter(|other| Some(*other) < own).count() as u32;
}

/// A number below `radix`, of a random word. The bias is below `radix` / 2^32.
fn below(word: u32, radix: u32) -> u32 {
    ((u64::from(word) * u64::from(radix)) >> 32) as u32
}

/// Endless words that depend on all that `code` has seen.
struct Stream {
    seed: Hmac<Sha256>,
    counter: u32,
    block: [u8; 32],
    used: usize,
}

impl Stream {
    fn new(seed: Hmac<Sha256>) -> Stream {
        Stream {
            seed,
            counter: 0,
            block: [0; 32],
            used: 32,
        }
    }
}

impl Iterator for Stream {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.used == self.block.len() {
            let mut code = self.seed.clone();
            code.update(&self.counter.to_be_bytes());
            self.block = code.finalize().into_bytes().into();
            self.counter = self.counter.wrapping_add(1);
            self.used = 0;
        }
        let word = self.block.get(self.used..)?.first_chunk()?;
        self.used += 4;
        Some(u32::from_be_bytes(*word))
    }
}
