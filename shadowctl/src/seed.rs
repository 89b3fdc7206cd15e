//! What makes one run differ from another.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A seed for an [`Engine`](shadow_core::Engine), from the operating system's randomness, by which
/// the standard library keys its hash maps.
///
/// It makes client tokens and connids of this run differ from those of the last; no secret depends
/// on it.
#[must_use]
pub fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
