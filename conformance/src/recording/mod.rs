//! Recordings of an engine ([`shadow_core::recording`]): read from files, and replayed.
//!
//! * [`Reader`] reads the lines of a recording, of one file or several parts, in bounded memory.
//! * [`Replay`] runs the recorded inputs through an engine and compares what it does, line by line.
//! * [`replay`](fn@replay) and [`replay_text`] are for tests: does a session still go as recorded, do
//!   device and cloud agree after it.
//! * [`regression_test`](fn@regression_test) writes such a test.
//! * [`Walk`] goes through one line by line, forward and back.
//! * [`Traffic`] is what went over the network.
//! * [`Divergence`] is the first line in which it does something else.

mod assertions;
mod convergence;
mod divergence;
mod documents;
mod error;
mod fields;
mod files;
mod packet;
mod reader;
mod regression_test;
mod replay;
mod traffic;
mod walk;
mod words;

pub use assertions::{RecordedSession, ReplayError, replay, replay_text};
pub use convergence::{Convergence, ConvergenceError};
pub use divergence::{Divergence, FieldDifference, Random};
pub use documents::{Documents, ShownDocument};
pub use error::ReadError;
pub use files::Files;
pub use reader::{Line, MAX_LINE, Part, Place, Reader};
pub use regression_test::{MAXIMUM_TEST, regression_test};
pub use replay::Replay;
pub use shadow_core::recording::Summary;
pub use traffic::{Connection, Direction, End, MAXIMUM_TRAFFIC, Traffic};
pub use walk::{Moment, Walk};
pub use words::describe;

#[cfg(test)]
mod tests;
