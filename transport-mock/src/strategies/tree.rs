//! How a value that fails is made small: by trying, one after another, all that is simpler.

use std::fmt::Debug;

use proptest::strategy::ValueTree;

/// A value that knows what is simpler than it.
pub(super) trait Simplify: Clone + Debug + PartialEq {
    /// The candidate of this number, from 0, the simplest first; `None` when there are not so many.
    /// One that is the same as the value is passed over.
    fn simpler(&self, number: usize) -> Option<Self>;
}

/// Takes each candidate that fails in the place of the value, until none does.
#[derive(Clone, Debug)]
pub(super) struct SimplifyTree<T> {
    /// The smallest that is known to fail.
    best: T,
    candidate: T,
    /// Which candidate of `best` is tried.
    cursor: usize,
    /// Whether `best` has become smaller since the first candidate was tried.
    improved: bool,
}

impl<T: Simplify> SimplifyTree<T> {
    pub(super) fn new(value: T) -> SimplifyTree<T> {
        SimplifyTree {
            candidate: value.clone(),
            best: value,
            cursor: 0,
            improved: false,
        }
    }

    fn next(&mut self) -> bool {
        loop {
            let Some(candidate) = self.best.simpler(self.cursor) else {
                if !std::mem::take(&mut self.improved) {
                    self.candidate = self.best.clone();
                    return false;
                }
                self.cursor = 0;
                continue;
            };
            if candidate != self.best {
                self.candidate = candidate;
                return true;
            }
            self.cursor += 1;
        }
    }
}

impl<T: Simplify> ValueTree for SimplifyTree<T> {
    type Value = T;

    fn current(&self) -> T {
        self.candidate.clone()
    }

    fn simplify(&mut self) -> bool {
        if self.candidate != self.best {
            self.best = self.candidate.clone();
            self.improved = true;
        }
        self.next()
    }

    fn complicate(&mut self) -> bool {
        self.cursor += 1;
        self.next()
    }
}
