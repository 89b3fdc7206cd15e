//! Logs and captures of other clients.

use std::fmt;

use conformance::import::{import_capture, import_logs};
use serde::Serialize;

use crate::arguments::ReplayArguments;
use crate::document::Foreign;
use crate::failure::Failure;
use crate::output::Output;
use crate::session_file::{self, Source};

/// Imports the logs as one session and prints the report.
pub(super) fn logs(sources: Vec<Source>, output: &mut Output) -> Result<(), Failure> {
    let logs = session_file::logs_of(sources)?;
    let report = import_logs(logs).map_err(session_file::no_session)?;
    output.result(&Printed(&report))?;
    unexplained("line or packet", "lines or packets", report.unexplained())
}

/// Imports each capture and prints its report.
pub(super) fn captures(
    arguments: &ReplayArguments,
    sources: Vec<Source>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut differ = 0;
    for source in sources {
        let path = source.path().to_owned();
        let capture = session_file::capture_of(source, &arguments.captures)?;
        session_file::remark_on(&path, &capture, output);
        let report = import_capture(&capture, None);
        output.result(&Printed(&report))?;
        let here = report.unexplained();
        if here == 0 && !report.is_identical() {
            return Err(Failure::operation(format_args!(
                "{}: there is no MQTT connection in it",
                path.display()
            )));
        }
        differ += here;
    }
    unexplained("connection or file", "connections or files", differ)
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
        Foreign(self.0.to_string().trim_end()).fmt(f)
    }
}
