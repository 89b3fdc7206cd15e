//! `desire`.

use transport_mock::application::ApplicationRequest;

use crate::application::ask;
use crate::arguments::DesireArguments;
use crate::document::UpdateReport;
use crate::failure::Failure;
use crate::output::Output;

/// Asks for state as an application does, and prints what changed by it.
///
/// # Errors
///
/// Those of [`StateArguments::to_json`](crate::arguments::StateArguments::to_json) and [`ask`].
pub fn run(arguments: &DesireArguments, output: &mut Output) -> Result<(), Failure> {
    let state = arguments.state.to_json(output)?;
    let request = ApplicationRequest::Desire {
        desired: state.as_str(),
        version: arguments.version,
    };
    let (_, document) = ask(&arguments.server, &request, "`get`", output)?;
    output.result(&UpdateReport {
        done: "desired",
        document: &document,
    })
}
