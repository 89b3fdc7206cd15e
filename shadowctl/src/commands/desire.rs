//! `desire`.

use crate::arguments::DesireArguments;
use crate::failure::Failure;
use crate::output::Output;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`], as its kinds say.
pub fn run(_arguments: &DesireArguments, _output: &mut Output) -> Result<(), Failure> {
    Err(Failure::operation("desire is not there yet"))
}
