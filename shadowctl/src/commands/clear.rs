//! `clear-desired` and `clear-reported`.

use crate::arguments::DeviceArguments;
use crate::failure::Failure;
use crate::output::Output;

/// Runs `clear-desired`.
///
/// # Errors
///
/// [`Failure`], as its kinds say.
pub fn desired(_arguments: &DeviceArguments, _output: &mut Output) -> Result<(), Failure> {
    Err(Failure::operation("clear-desired is not there yet"))
}

/// Runs `clear-reported`.
///
/// # Errors
///
/// [`Failure`], as its kinds say.
pub fn reported(_arguments: &DeviceArguments, _output: &mut Output) -> Result<(), Failure> {
    Err(Failure::operation("clear-reported is not there yet"))
}
