//! `demo`: the story of the vendor's document, told and checked.

use crate::arguments::DemoArguments;
use crate::failure::Failure;
use crate::output::Output;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`], as its kinds say.
pub fn run(_arguments: &DemoArguments, _output: &mut Output) -> Result<(), Failure> {
    Err(Failure::operation("demo is not there yet"))
}
