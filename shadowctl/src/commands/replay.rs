//! `replay`.

use std::fmt;
use std::fs::File;
use std::path::Path;

use conformance::import::{Report, import_logs};
use conformance::log::Log;
use serde::Serialize;

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
pub fn run(arguments: &ReplayArguments, output: &mut Output) -> Result<(), Failure> {
    let logs: Result<Vec<Log>, Failure> = arguments.logs.iter().map(|path| read(path)).collect();
    let report = import_logs(logs?)
        .map_err(|error| Failure::new(FailureKind::InputFile, error.to_string()))?;
    output.result(&Printed(&report))?;
    match report.unexplained() {
        0 => Ok(()),
        1 => Err(Failure::operation("1 line or packet is unexplained")),
        count => Err(Failure::operation(format_args!(
            "{count} lines or packets are unexplained"
        ))),
    }
}

fn read(path: &Path) -> Result<Log, Failure> {
    let file = File::open(path)
        .map_err(|error| Failure::input_file(path, format_args!("cannot read it: {error}")))?;
    // The error names the file itself.
    Log::read(&path.display().to_string(), file)
        .map_err(|error| Failure::new(FailureKind::InputFile, error.to_string()))
}

/// A report that does not end its last line itself.
#[derive(Serialize)]
#[serde(transparent)]
struct Printed<'a>(&'a Report);

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_string().trim_end())
    }
}
