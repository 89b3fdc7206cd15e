#![doc = include_str!("../README.md")]
//!
//! # In Rust
//!
//! Use `shadow-core` there. This crate is a Rust library only so that its functions can be tested as C
//! calls them; its names are those of the header, which is made of its doc comments.
#![no_std]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(not(target_os = "none"))]
extern crate std;

#[cfg(target_os = "none")]
#[expect(
    unsafe_code,
    reason = "the memory and the end of a panic are the C program's"
)]
mod bare_metal;
mod config;
mod counters;
mod engine;
mod event;
#[expect(unsafe_code, reason = "C's pointers are read and written here")]
pub mod ffi;
mod result;
mod views;

pub use config::{shadow_config, shadow_version_policy};
pub use counters::shadow_counts;
pub use engine::shadow_engine;
pub use event::{shadow_cause, shadow_event, shadow_event_kind, shadow_outcome};
pub use result::shadow_result;
pub use views::{shadow_bytes, shadow_failure, shadow_text, shadow_transmit, shadow_transmit_kind};
