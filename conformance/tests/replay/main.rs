//! The replay from outside: documented and recorded logs, excerpts of them, and forgeries.

mod excerpts;
mod fixtures;
mod forgeries;
mod synthetic;
