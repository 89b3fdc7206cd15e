//! Replays recorded device-shadow sessions, imports and diagnoses those of other clients, and lists
//! what MQTT demands.
//!
//! ```
//! // What a device recorded, through the engine as it is now:
//! let lamp = conformance::replay("fixtures/recordings/lamp.jsonl");
//! lamp.assert_same(); // it does what it did, bit for bit
//! lamp.assert_converges(); // or else: in the end it and the cloud agree
//! ```
//!
//! The chapter on replaying in the repository's `docs/guide` says when to use what.
//!
//! * [`recording`] reads recordings of the engine and replays them; [`replay()`] is for tests.
//! * [`shrink`](mod@shrink) makes a recording that fails as small as it can be.
//! * [`show`] tells a recording step by step, and draws it.
//! * [`export`] writes recordings for other programs, and as text for snapshots.
//! * [`log`] reads logs of the vendor's Python SDK.
//! * [`capture`] reads packet captures of MQTT connections.
//! * [`import`] drives the engine with a log or a capture and compares what it does.
//! * [`diagnose`](mod@diagnose) tells where a session's devices broke the specification or lost
//!   something.
//! * [`clauses`] has the normative statements of MQTT 3.1.1 with the tests that show each.

pub mod capture;
pub mod clauses;
pub mod diagnose;
pub mod export;
#[cfg(doctest)]
mod guide;
pub mod import;
pub mod log;
mod members;
pub mod recording;
pub mod show;
pub mod shrink;

pub use recording::{replay, replay_text};
