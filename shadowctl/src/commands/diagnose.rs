//! `diagnose`.

use std::fmt;

use conformance::diagnose::{Report, Session, diagnose};
use conformance::recording::{Part, Reader, Traffic};
use serde::Serialize;

use crate::arguments::DiagnoseArguments;
use crate::document::{Foreign, Printable};
use crate::failure::Failure;
use crate::output::Output;
use crate::session_file::{self, FileKind, Source, no_recording};

/// Looks at each capture, at each recording with its parts, and at the logs as one session, and
/// prints what is wrong.
///
/// # Errors
///
/// * [`FailureKind::InputFile`](crate::failure::FailureKind::InputFile): a file that cannot be read,
///   or is none of these; logs that are not of one session.
/// * [`FailureKind::Operation`](crate::failure::FailureKind::Operation): something broke the
///   specification or was lost, or a session has no MQTT packets.
pub fn run(arguments: &DiagnoseArguments, output: &mut Output) -> Result<(), Failure> {
    let (mut reports, mut logs) = (Vec::new(), Vec::new());
    // The files of each recording.
    let mut recordings: Vec<Vec<Source>> = Vec::new();
    for source in Source::look_at_all(&arguments.files)? {
        match source.kind() {
            FileKind::Capture => {
                let path = source.path().to_owned();
                let capture = session_file::capture_of(source, &arguments.captures)?;
                session_file::remark_on(&path, &capture, output);
                let report = diagnose(&Session::from(&capture));
                reports.push((vec![path.display().to_string()], report));
            }
            FileKind::Recording => match recordings.last_mut() {
                Some(parts) if is_later_part(&source)? => parts.push(source),
                _ => recordings.push(vec![source]),
            },
            FileKind::Log => logs.push(source),
        }
    }
    for sources in recordings {
        let names = names(&sources);
        let reader = Reader::new(session_file::parts_of(sources)?);
        let traffic = reader.and_then(Traffic::read);
        let session = Session::from(&traffic.map_err(|error| no_recording(&error))?);
        reports.push((names, diagnose(&session)));
    }
    if !logs.is_empty() {
        let names = names(&logs);
        let session = Session::from_logs(session_file::logs_of(logs)?);
        let session = session.map_err(session_file::no_session)?;
        reports.push((names, diagnose(&session)));
    }
    let mut grave = 0;
    for (files, report) in &reports {
        grave += report.counts.broke + report.counts.lost;
        output.result(&Printed { files, report })?;
    }
    let unseen = reports.iter().find(|(_, report)| !report.saw_packets());
    match grave {
        0 => unseen.map_or(Ok(()), |(files, _)| {
            let files = files.join(", ");
            let what = "no MQTT packets were seen, so there is nothing to judge";
            Err(Failure::operation(format_args!("{files}: {what}")))
        }),
        1 => Err(Failure::operation("1 finding is grave")),
        count => Err(Failure::operation(format_args!(
            "{count} findings are grave"
        ))),
    }
}

/// Whether a recording goes on where another file ends. A pipe is taken for a recording of its own,
/// as it can be read only once.
fn is_later_part(source: &Source) -> Result<bool, Failure> {
    if source.is_pipe() {
        return Ok(false);
    }
    let reader = Reader::new(vec![Part::to_open(source.path())]);
    let reader = reader.map_err(|error| no_recording(&error))?;
    Ok(reader.header().part > 1)
}

fn names(sources: &[Source]) -> Vec<String> {
    let names = sources.iter();
    names
        .map(|source| source.path().display().to_string())
        .collect()
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
