//! `watch`.

use crate::arguments::DeviceArguments;
use crate::failure::Failure;
use crate::output::Output;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`], as its kinds say.
pub fn run(_arguments: &DeviceArguments, _output: &mut Output) -> Result<(), Failure> {
    Err(Failure::operation("watch is not there yet"))
}
