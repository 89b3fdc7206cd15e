//! Message numbers: 1 to 65535, then 1 again.

/// The number after this one; 1 comes after 65535.
pub(super) fn after(number: u16) -> u16 {
    number.checked_add(1).unwrap_or(1)
}

/// The number this many before.
pub(super) fn back(number: u16, count: usize) -> u16 {
    let zero_based = usize::from(number.max(1)) - 1;
    let before = (zero_based + 65_535 - count % 65_535) % 65_535;
    u16::try_from(before + 1).unwrap_or(1)
}

/// How many numbers `to` is after `from`.
pub(super) fn distance(from: u16, to: u16) -> usize {
    let zero_based = |number: u16| usize::from(number.max(1)) - 1;
    (zero_based(to) + 65_535 - zero_based(from)) % 65_535
}
