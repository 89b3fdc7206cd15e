//! Recorded sessions told step by step, drawn and traced.
#![expect(
    clippy::unwrap_used,
    reason = "a test that meets the unexpected should stop there"
)]

mod hand_written;
mod page;
mod played;
mod robustness;
mod session;
mod trace;
