//! The numbers that a script is made from.

/// SplitMix64 (Steele, Lea, Flood 2014), as the engine's own.
#[derive(Debug)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`; zero when `bound` is zero.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        (wide >> 64) as u64
    }

    pub(super) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(super) fn index(&mut self, count: usize) -> usize {
        self.below(count as u64) as usize
    }

    /// One of `items`, which are some.
    pub(super) fn choose<T: Copy, const N: usize>(&mut self, items: &[T; N]) -> T {
        const { assert!(N > 0) };
        let index = self.index(N);
        *items.get(index).expect("an index below the length")
    }

    /// Between one and `most` of `items`, each at most once, in their order.
    pub(super) fn some_of<T: Copy, const N: usize>(&mut self, items: &[T; N], most: u64) -> Vec<T> {
        let mut wanted = 1 + self.below(most);
        let mut left = N as u64;
        let mut some = Vec::new();
        for item in items {
            if self.below(left) < wanted {
                some.push(*item);
                wanted -= 1;
            }
            left -= 1;
        }
        some
    }
}
