//! This project's codec beside two others that share no line with it: that of mqtt-protocol-core
//! and that of rumqttc. The same packets, random and valid, go through each and come out equal, to
//! the byte; the same bytes, random and mutated, are taken by all or refused by all, or the
//! [`disagreements`] say why not and who is right.
//!
//! The cases are drawn from a fixed seed.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

mod agreement;
mod codecs;
mod disagreements;
mod model;
mod random;
mod session;
