//! `clear-desired` and `clear-reported`.

use crate::arguments::DeviceArguments;
use crate::device::ask;
use crate::document::{UpdateReport, finish};
use crate::failure::Failure;
use crate::output::Output;

/// Deletes the desired part, as the device does when it has obeyed.
///
/// # Errors
///
/// Those of [`ask`] and [`finish`].
pub fn desired(arguments: &DeviceArguments, output: &mut Output) -> Result<(), Failure> {
    let (_, result) = ask(
        &arguments.server,
        &arguments.files,
        output,
        async |shadow| shadow.clear_desired().await,
    )?;
    let document = finish(result, output)?;
    output.result(&UpdateReport {
        done: "cleared desired",
        document: &document,
    })
}

/// Deletes the reported part.
///
/// # Errors
///
/// Those of [`ask`] and [`finish`].
pub fn reported(arguments: &DeviceArguments, output: &mut Output) -> Result<(), Failure> {
    let (_, result) = ask(
        &arguments.server,
        &arguments.files,
        output,
        async |shadow| shadow.clear_reported().await,
    )?;
    let document = finish(result, output)?;
    output.result(&UpdateReport {
        done: "cleared reported",
        document: &document,
    })
}
