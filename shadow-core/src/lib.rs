//! skeleton
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod json;
pub mod mqtt;
mod random;
pub mod tencent;
mod time;

pub use time::{Instant, WallTime};
