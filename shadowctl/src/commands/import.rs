//! `import`.

use std::fmt;
use std::path::{Path, PathBuf};

use conformance::import::{CaptureReport, Report, record_capture, record_logs};
use serde::Serialize;

use crate::arguments::ImportArguments;
use crate::document::Foreign;
use crate::failure::Failure;
use crate::output::Output;
use crate::session_file::{self, FileKind, Source};

/// Imports one capture, or logs as one session, prints the report, and writes what was driven.
///
/// # Errors
///
/// * [`FailureKind::Usage`](crate::failure::FailureKind::Usage): a capture beside another file; a
///   recording would replace what is imported, or the key log.
/// * [`FailureKind::InputFile`](crate::failure::FailureKind::InputFile): a file that cannot be read, or is neither a capture nor a log; logs
///   that are not of one session.
/// * [`FailureKind::Operation`](crate::failure::FailureKind::Operation): something is unexplained, bytes differ, or the recording cannot be
///   written.
pub fn run(arguments: &ImportArguments, output: &mut Output) -> Result<(), Failure> {
    let read = arguments.files.iter().chain(&arguments.captures.key_log);
    let read: Vec<PathBuf> = read.cloned().collect();
    // The others are known once it is known how many there are.
    session_file::refuse_to_replace(arguments.recording.as_slice(), &read)?;
    let mut sources = Source::look_at_all(&arguments.files)?;
    let mut looked_at = sources.iter();
    if let Some(recording) = looked_at.find(|source| source.kind() == FileKind::Recording) {
        let what = "it is a recording already; shadowctl replay runs it";
        return Err(Failure::input_file(recording.path(), what));
    }
    let has_capture = sources
        .iter()
        .any(|source| source.kind() == FileKind::Capture);
    let (imported, recorded) = if !has_capture {
        let logs = session_file::logs_of(sources)?;
        let (report, recorded) = record_logs(logs).map_err(session_file::no_session)?;
        (Imported::Logs(Box::new(report)), recorded)
    } else if let (Some(source), true) = (sources.pop(), sources.is_empty()) {
        let path = source.path().to_owned();
        let capture = session_file::capture_of(source, &arguments.captures)?;
        session_file::remark_on(&path, &capture, output);
        let (report, recorded) = record_capture(&capture, None);
        (Imported::Capture(report), recorded)
    } else {
        return Err(Failure::usage("a capture is imported by itself"));
    };
    let targets: Vec<PathBuf> = match &arguments.recording {
        Some(path) => (0..recorded.len().max(1))
            .map(|index| numbered(path, index))
            .collect(),
        None => Vec::new(),
    };
    session_file::refuse_to_replace(&targets, &read)?;
    output.result(&imported)?;
    for (target, recorded) in targets.iter().zip(&recorded) {
        session_file::write(target, recorded.lines.as_bytes())?;
    }
    imported.verdict()
}

/// The path of the recording with this number: the first has the name that was given.
fn numbered(path: &Path, index: usize) -> PathBuf {
    if index == 0 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{}", index + 1));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// What became of the import.
#[derive(Serialize)]
#[serde(untagged)]
enum Imported {
    Logs(Box<Report>),
    Capture(CaptureReport),
}

impl Imported {
    fn verdict(&self) -> Result<(), Failure> {
        let (count, what) = match self {
            Imported::Logs(report) => (report.unexplained(), "lines or packets are unexplained"),
            Imported::Capture(report) if report.unexplained() == 0 && !report.is_identical() => {
                let what = "there is no MQTT connection in the capture";
                return Err(Failure::operation(what));
            }
            Imported::Capture(report) => {
                let what = "unexplained (connections that differ or are not whole, or the file)";
                (report.unexplained(), what)
            }
        };
        match count {
            0 => Ok(()),
            count => Err(Failure::operation(format_args!("{count} {what}"))),
        }
    }
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Imported::Logs(report) => report.to_string(),
            Imported::Capture(report) => report.to_string(),
        };
        // A result does not end its last line itself.
        Foreign(text.trim_end()).fmt(f)
    }
}
