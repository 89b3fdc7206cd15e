//! Numbers of things, in words.

use std::fmt;

/// A number and what it counts: `1 attempt to connect`, `2 attempts to connect`.
///
/// The noun is given in the singular. It comes first, and takes an s in the plural.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count<N>(pub N, pub &'static str);

impl<N: fmt::Display + PartialEq + From<u8>> fmt::Display for Count<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count(number, what) = self;
        if *number == N::from(1) {
            return write!(f, "{number} {what}");
        }
        match what.split_once(' ') {
            None => write!(f, "{number} {what}s"),
            Some((noun, rest)) => write!(f, "{number} {noun}s {rest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_the_singular() {
        let tried = |number: u64| Count(number, "attempt to connect").to_string();
        assert_eq!(tried(0), "0 attempts to connect");
        assert_eq!(tried(1), "1 attempt to connect");
        assert_eq!(tried(21), "21 attempts to connect");
        assert_eq!(Count(1_usize, "run").to_string(), "1 run");
        assert_eq!(Count(2_usize, "run").to_string(), "2 runs");
    }
}
