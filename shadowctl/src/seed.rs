//! What makes one run differ from another.

use std::hash::{BuildHasher, Hasher, RandomState};

use futures_rustls::rustls::crypto::ring;

use crate::failure::Failure;

/// A seed for an [`Engine`](shadow_core::Engine), from the operating system's randomness, by which
/// the standard library keys its hash maps.
///
/// It makes client tokens and connids of this run differ from those of the last; no secret depends
/// on it.
#[must_use]
pub fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A key that nobody can guess, from the same source as those of TLS.
///
/// # Errors
///
/// [`FailureKind::Operation`](crate::failure::FailureKind::Operation): the operating system has no
/// randomness to give.
pub fn random_key() -> Result<[u8; 16], Failure> {
    let mut key = [0; 16];
    let filled = ring::default_provider().secure_random.fill(&mut key);
    filled.map_err(|_| Failure::operation("the operating system gives no random numbers"))?;
    Ok(key)
}
