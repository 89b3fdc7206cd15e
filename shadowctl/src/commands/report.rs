//! `report`.

use shadow_core::json::Json;
use shadow_core::tencent::Update;
use shadow_core::{Engine, Instant};
use transport_tcp::ClientError;

use crate::arguments::ReportArguments;
use crate::device::ask;
use crate::document::{UpdateReport, finish};
use crate::failure::{Failure, FailureKind};
use crate::output::Output;
use crate::seed::random_seed;

/// Reports state as the device does, and prints what changed by it.
///
/// With a session, what the cloud did not answer is kept in it, and sent by the next command that
/// has it; what the cloud refused is not.
///
/// # Errors
///
/// Those of [`StateArguments::to_json`](crate::arguments::StateArguments::to_json), [`ask`] and
/// [`finish`].
pub fn run(arguments: &ReportArguments, output: &mut Output) -> Result<(), Failure> {
    let state = arguments.state.to_json(output)?;
    let asked = ask(
        &arguments.server,
        &arguments.files,
        output,
        async |shadow| shadow.update(Update::new().reported(&state)).await,
    );
    let unanswered = match &asked {
        Ok((_, Ok(_) | Err(ClientError::Rejected { .. } | ClientError::Refused(_)))) => false,
        Ok((_, Err(_))) => true,
        Err(failure) => matches!(failure.kind(), FailureKind::Server | FailureKind::Operation),
    };
    if unanswered && let Err(failure) = keep(arguments, &state, output) {
        // Beside the one that the command ends with.
        output.failure(&failure);
    }
    let (_, result) = asked?;
    let document = finish(result, output)?;
    output.result(&UpdateReport {
        done: "reported",
        document: &document,
    })
}

/// Keeps it in the session, if there is one.
///
/// # Errors
///
/// Those of [`SessionOptions::load`](crate::session::SessionOptions::load),
/// [`KeptSession::check`](crate::session::KeptSession::check) and
/// [`SessionKeeper::save`](crate::session::SessionKeeper::save).
fn keep(arguments: &ReportArguments, state: &Json, output: &mut Output) -> Result<(), Failure> {
    let Some(path) = &arguments.files.session.session else {
        return Ok(());
    };
    let mut kept = arguments.files.session.load()?;
    let server = arguments.server.resolve()?;
    kept.check(&server.device.name)?;
    let mut engine = Engine::new(server.config(), kept.session, random_seed(), Instant::ZERO);
    let Some(shadow) = engine.own_shadow() else {
        return Ok(());
    };
    // What the engine does not take was not sent either, and the failure of that says why.
    if engine.report(Instant::ZERO, shadow, state).is_ok() {
        kept.store.save(engine.session())?;
        output.remark(format_args!(
            "{}: it is kept there, and sent by the next command with this session",
            path.display()
        ));
    }
    Ok(())
}
