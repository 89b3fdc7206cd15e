//! What every part of the measurements hands to the one table.
//!
//! A part is a program of its own in a folder beside this one. Asked with `--json` it writes one
//! [`Measurements`] to its standard output and nothing else; what it has to say while it works goes
//! to standard error. The program `bench` runs the parts one after another, so that they do not
//! disturb each other, and prints their rows as one table.

mod machine;
mod row;
mod table;

pub use machine::Machine;
pub use row::{Better, Measurements, OURS, Row, Target};
pub use table::{Report, markdown, print};
