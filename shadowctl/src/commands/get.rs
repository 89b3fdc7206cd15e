//! `get`.

use crate::arguments::DeviceArguments;
use crate::device::ask;
use crate::document::{ShadowReport, finish};
use crate::failure::Failure;
use crate::output::Output;

/// Asks for the whole shadow and prints it.
///
/// # Errors
///
/// Those of [`ask`] and [`finish`].
pub fn run(arguments: &DeviceArguments, output: &mut Output) -> Result<(), Failure> {
    let (server, result) = ask(
        &arguments.server,
        &arguments.files,
        output,
        async |shadow| shadow.get().await,
    )?;
    let document = finish(result, output)?;
    output.result(&ShadowReport {
        name: &server.device.name,
        document: &document,
    })
}
