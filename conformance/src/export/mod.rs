//! Sessions in other forms, for other programs and for snapshots.
//!
//! * [`trace`](fn@trace) is a recording as text for snapshots.
//! * [`connections`] are those of a recording, and [`pcapng`] writes them for Wireshark.

pub mod pcapng;
mod trace;
mod traffic;

pub use trace::{Trace, trace};
pub use traffic::connections;
