//! `report`.

use shadow_core::tencent::Update;

use crate::arguments::ReportArguments;
use crate::device::ask;
use crate::document::{UpdateReport, finish};
use crate::failure::Failure;
use crate::output::Output;

/// Reports state as the device does, and prints what changed by it.
///
/// # Errors
///
/// Those of [`StateArguments::to_json`](crate::arguments::StateArguments::to_json), [`ask`] and
/// [`finish`].
pub fn run(arguments: &ReportArguments, output: &mut Output) -> Result<(), Failure> {
    let state = arguments.state.to_json(output)?;
    let (_, result) = ask(
        &arguments.server,
        &arguments.files,
        output,
        async |shadow| shadow.update(Update::new().reported(&state)).await,
    )?;
    let document = finish(result, output)?;
    output.result(&UpdateReport {
        done: "reported",
        document: &document,
    })
}
