//! The engine from outside, against a server that each test plays itself.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

mod answers;
mod backoff;
mod bounds;
mod clauses;
mod counters;
mod device;
mod events;
mod exchange;
mod hostile;
mod in_doubt;
mod limits;
mod link;
mod login;
mod memory;
mod model;
mod pace;
mod plain;
mod profile;
mod reports;
mod requests;
mod restart;
mod robustness;
mod servers;
mod shadow;
mod superseded;
mod synchronize;
