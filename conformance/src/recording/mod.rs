//! Recordings of an engine ([`shadow_core::recording`]): read from files, and replayed.
//!
//! * [`Reader`] reads the lines of a recording, of one file or several parts, in bounded memory.
//! * [`Replay`] runs the recorded inputs through an engine and compares what it does, line by line.
//! * [`Traffic`] is what went over the network.
//! * [`Divergence`] is the first line in which it does something else.

mod divergence;
mod error;
mod fields;
mod packet;
mod reader;
mod replay;
mod traffic;
mod words;

pub use divergence::{Divergence, FieldDifference};
pub use error::ReadError;
pub use reader::{Line, MAX_LINE, Part, Place, Reader};
pub use replay::{Replay, Summary};
pub use traffic::{Connection, Direction, End, MAXIMUM_TRAFFIC, Traffic};
pub use words::describe;

#[cfg(test)]
mod tests;
