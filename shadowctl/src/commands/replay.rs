//! `replay`.

use crate::arguments::ReplayArguments;
use crate::failure::Failure;
use crate::output::Output;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`], as its kinds say.
pub fn run(_arguments: &ReplayArguments, _output: &mut Output) -> Result<(), Failure> {
    Err(Failure::operation("replay is not there yet"))
}
