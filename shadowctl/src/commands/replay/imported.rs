//! Logs and captures of other clients.

use std::fmt;
use std::fs::File;
use std::path::Path;

use conformance::capture::{Capture, MQTT_PORT, MQTT_TLS_PORT};
use conformance::import::{import_capture, import_logs};
use conformance::log::Log;
use serde::Serialize;

use crate::arguments::ReplayArguments;
use crate::failure::{Failure, FailureKind};
use crate::output::Output;

/// Imports the logs as one session and prints the report.
pub(super) fn logs(arguments: &ReplayArguments, output: &mut Output) -> Result<(), Failure> {
    let logs: Result<Vec<Log>, Failure> = arguments.files.iter().map(|path| read(path)).collect();
    let report = import_logs(logs?)
        .map_err(|error| Failure::new(FailureKind::InputFile, error.to_string()))?;
    output.result(&Printed(&report))?;
    unexplained("line or packet", "lines or packets", report.unexplained())
}

fn read(path: &Path) -> Result<Log, Failure> {
    // The error names the file itself.
    Log::read(&path.display().to_string(), open(path)?)
        .map_err(|error| Failure::new(FailureKind::InputFile, error.to_string()))
}

/// Imports each capture and prints its report.
pub(super) fn captures(arguments: &ReplayArguments, output: &mut Output) -> Result<(), Failure> {
    let mut differ = 0;
    for path in &arguments.files {
        let capture = Capture::read(open(path)?, &[MQTT_PORT, MQTT_TLS_PORT])
            .map_err(|error| Failure::input_file(path, error))?;
        let report = import_capture(&capture, None);
        output.result(&Printed(&report))?;
        let connections = report.connections.iter();
        let here = connections.filter(|one| one.difference.is_some()).count();
        if here == 0 && !report.is_identical() {
            return Err(Failure::operation(format_args!(
                "{}: there is no MQTT connection in it",
                path.display()
            )));
        }
        differ += here;
    }
    unexplained("connection", "connections", differ)
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path)
        .map_err(|error| Failure::input_file(path, format_args!("cannot read it: {error}")))
}

fn unexplained(one: &str, several: &str, count: usize) -> Result<(), Failure> {
    match count {
        0 => Ok(()),
        1 => Err(Failure::operation(format_args!("1 {one} is unexplained"))),
        count => Err(Failure::operation(format_args!(
            "{count} {several} are unexplained"
        ))),
    }
}

/// A report that does not end its last line itself.
#[derive(Serialize)]
#[serde(transparent)]
struct Printed<'a, R>(&'a R);

impl<R: fmt::Display> fmt::Display for Printed<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_string().trim_end())
    }
}
