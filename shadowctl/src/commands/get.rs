//! `get`.

use transport_mock::application::ApplicationRequest;

use crate::application;
use crate::arguments::GetArguments;
use crate::device;
use crate::document::{ShadowReport, finish};
use crate::failure::Failure;
use crate::output::Output;

/// Asks for the whole shadow and prints it.
///
/// # Errors
///
/// Those of [`device::ask`] and [`finish`], or with `--app` of [`application::ask`].
pub fn run(arguments: &GetArguments, output: &mut Output) -> Result<(), Failure> {
    let (server, document) = if arguments.app {
        let (request, otherwise) = (ApplicationRequest::Get, "`get` without --app");
        application::ask(&arguments.server, &request, otherwise, output)?
    } else {
        let (server, result) = device::ask(
            &arguments.server,
            &arguments.files,
            output,
            async |shadow| shadow.get().await,
        )?;
        (server, finish(result, output)?)
    };
    output.result(&ShadowReport {
        name: &server.device.name,
        document: &document,
    })
}
