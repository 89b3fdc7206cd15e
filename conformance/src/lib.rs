//! Replays documented and recorded device-shadow sessions and reports line by line.
//!
//! * [`log`] reads logs of the vendor's Python SDK.
//! * [`capture`] reads packet captures of MQTT connections.

pub mod capture;
pub mod log;

/// The code in the README compiles, and what it asserts holds.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
