//! `diagnose`.

use std::fmt;
use std::slice;

use conformance::diagnose::{Report, Session, diagnose};
use conformance::recording::Traffic;
use serde::Serialize;

use crate::arguments::DiagnoseArguments;
use crate::document::{Foreign, Printable};
use crate::failure::Failure;
use crate::output::Output;
use crate::session_file::{self, FileKind, no_recording};

/// Looks at each capture and recording, and at the logs as one session, and prints what is wrong.
///
/// # Errors
///
/// * [`FailureKind::InputFile`](crate::failure::FailureKind::InputFile): a file that cannot be read, or is none of these; logs that are not
///   of one session.
/// * [`FailureKind::Operation`](crate::failure::FailureKind::Operation): something broke the specification or was lost.
pub fn run(arguments: &DiagnoseArguments, output: &mut Output) -> Result<(), Failure> {
    let (mut reports, mut logs) = (Vec::new(), Vec::new());
    for path in &arguments.files {
        let session = match FileKind::of(path)? {
            FileKind::Capture => Session::from(&session_file::capture(path, &arguments.captures)?),
            FileKind::Recording => {
                let traffic = Traffic::read(session_file::recording(slice::from_ref(path))?);
                Session::from(&traffic.map_err(|error| no_recording(&error))?)
            }
            FileKind::Log => {
                logs.push(path.clone());
                continue;
            }
        };
        reports.push((vec![path.display().to_string()], diagnose(&session)));
    }
    if !logs.is_empty() {
        let session = Session::from_logs(session_file::logs(&logs)?);
        let names = logs.iter().map(|path| path.display().to_string());
        let session = session.map_err(session_file::no_session)?;
        reports.push((names.collect(), diagnose(&session)));
    }
    let mut grave = 0;
    for (files, report) in &reports {
        grave += report.counts.broke + report.counts.lost;
        output.result(&Printed { files, report })?;
    }
    match grave {
        0 => Ok(()),
        1 => Err(Failure::operation("1 finding is grave")),
        count => Err(Failure::operation(format_args!(
            "{count} findings are grave"
        ))),
    }
}

/// A report beside the files that it is about.
#[derive(Serialize)]
struct Printed<'a> {
    files: &'a [String],
    #[serde(flatten)]
    report: &'a Report,
}

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:", Printable(&self.files.join(", ")))?;
        // Its last line is not ended by itself.
        Foreign(self.report.to_string().trim_end()).fmt(f)
    }
}
