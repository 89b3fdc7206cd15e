//! `serve`: the model of the cloud as a server of its own, or behind an existing broker.

mod arguments;

pub use arguments::ServeArguments;

use crate::failure::Failure;
use crate::output::Output;

/// Runs the command until Ctrl-C.
///
/// # Errors
///
/// [`Failure`], as its kinds say.
pub fn run(_arguments: &ServeArguments, _output: &mut Output) -> Result<(), Failure> {
    Err(Failure::operation("serve is not there yet"))
}
