//! `replay`.

use std::fs::File;
use std::path::Path;

use conformance::log::{Log, Session};

use crate::arguments::ReplayArguments;
use crate::failure::{Failure, FailureKind};
use crate::output::Output;

/// Replays the logs as one session and prints the report.
///
/// # Errors
///
/// * [`FailureKind::InputFile`]: a file that cannot be read, a line that is not of a log's form,
///   logs that are not of one session.
/// * [`FailureKind::Operation`]: something in the logs is unexplained.
pub fn run(arguments: &ReplayArguments, _output: &mut Output) -> Result<(), Failure> {
    let _session = read_session(&arguments.logs)?;
    Err(Failure::operation("replay is not there yet"))
}

/// Reads the logs and puts them in one order.
fn read_session(paths: &[impl AsRef<Path>]) -> Result<Session, Failure> {
    let mut logs = Vec::new();
    for path in paths {
        logs.push(read_log(path.as_ref())?);
    }
    Session::from_logs(logs)
        .map_err(|error| Failure::new(FailureKind::InputFile, error.to_string()))
}

fn read_log(path: &Path) -> Result<Log, Failure> {
    let file = File::open(path)
        .map_err(|error| Failure::input_file(path, format_args!("cannot read it: {error}")))?;
    // The error names the file itself.
    Log::read(&path.display().to_string(), file)
        .map_err(|error| Failure::new(FailureKind::InputFile, error.to_string()))
}
