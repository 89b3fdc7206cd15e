//! `completions`.

use crate::arguments::CompletionsArguments;
use crate::failure::Failure;
use crate::output::Output;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`], as its kinds say.
pub fn run(_arguments: &CompletionsArguments, _output: &mut Output) -> Result<(), Failure> {
    Err(Failure::operation("completions is not there yet"))
}
