//! Sessions in other forms, for other programs and for snapshots.
//!
//! * [`trace`](fn@trace) is a recording as text for snapshots.
//! * [`pcapng`] writes connections for Wireshark.

pub mod pcapng;
mod trace;

pub use trace::{Trace, trace};
