//! `report`.

use crate::arguments::ReportArguments;
use crate::failure::Failure;
use crate::output::Output;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`], as its kinds say.
pub fn run(_arguments: &ReportArguments, _output: &mut Output) -> Result<(), Failure> {
    Err(Failure::operation("report is not there yet"))
}
