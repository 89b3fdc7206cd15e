//! `desire`.

use transport_mock::application::ApplicationRequest;

use crate::application::{Absence, Application, ApplicationError};
use crate::arguments::DesireArguments;
use crate::destination::Destination;
use crate::document::{UpdateReport, rejected};
use crate::failure::Failure;
use crate::output::Output;
use crate::runtime::block_on;
use crate::seed::random_seed;

/// Asks for state as an application does, and prints what changed by it.
///
/// # Errors
///
/// Those of [`StateArguments::to_json`](crate::arguments::StateArguments::to_json),
/// [`Destination::find_aloud`] and [`Application`].
pub fn run(arguments: &DesireArguments, output: &mut Output) -> Result<(), Failure> {
    let state = arguments.state.to_json(output)?;
    let request = ApplicationRequest::Desire {
        desired: state.as_str(),
        version: arguments.version,
    };
    let result = block_on(async |runtime| {
        let destination = Destination::find_aloud(runtime, &arguments.server, output).await?;
        let Destination {
            server,
            connector,
            patience,
        } = destination;
        let seed = random_seed();
        let device = &server.device;
        let mut application =
            Application::connect(runtime, device, seed, connector, &patience, output).await?;
        let result = application.ask(runtime.clock, &request, output).await;
        application.close().await;
        result
    });
    match result {
        Ok(document) => output.result(&UpdateReport {
            done: "desired",
            document: &document,
        }),
        // From here it looks the same when the secret is wrong.
        Err(ApplicationError::Absent(absence @ Absence::LoginRefused(_))) => {
            Err(Failure::operation(format_args!(
                "{}. If `get` is refused as well, the login itself is wrong",
                absence.explain()
            )))
        }
        Err(ApplicationError::Absent(absence)) => Err(Failure::operation(absence.explain())),
        Err(ApplicationError::Rejected { code, document }) => {
            Err(rejected(code, &document, output))
        }
        Err(ApplicationError::Failed(failure)) => Err(failure),
    }
}
