//! `import`.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use conformance::capture::{Capture, MQTT_PORT, MQTT_TLS_PORT};
use conformance::import::{CaptureReport, Recorded, Report, record_capture, record_logs};
use conformance::log::Log;
use serde::Serialize;

use crate::arguments::ImportArguments;
use crate::commands::diagnose::is_capture;
use crate::failure::{Failure, FailureKind};
use crate::output::Output;

/// Imports one capture, or logs as one session, prints the report, and writes what was driven.
///
/// # Errors
///
/// * [`FailureKind::Usage`]: a capture beside another file.
/// * [`FailureKind::InputFile`]: a file that cannot be read, or is neither a capture nor a log; logs
///   that are not of one session.
/// * [`FailureKind::Operation`]: something is unexplained, bytes differ, or the recording cannot be
///   written.
pub fn run(arguments: &ImportArguments, output: &mut Output) -> Result<(), Failure> {
    let (mut logs, mut capture) = (Vec::new(), None);
    for path in &arguments.files {
        let unreadable = |error: std::io::Error| {
            Failure::input_file(path, format_args!("cannot read it: {error}"))
        };
        let mut file = BufReader::with_capacity(64 * 1024, File::open(path).map_err(unreadable)?);
        if is_capture(file.fill_buf().map_err(unreadable)?) {
            let ports = [arguments.port.unwrap_or(MQTT_PORT), MQTT_TLS_PORT];
            let ports = ports.get(..1 + usize::from(arguments.port.is_none()));
            let read = Capture::read(file, ports.unwrap_or_default());
            capture = Some(read.map_err(|error| Failure::input_file(path, error))?);
        } else {
            // The error names the file itself.
            let log = Log::read(&path.display().to_string(), file)
                .map_err(|error| Failure::new(FailureKind::InputFile, error.to_string()))?;
            logs.push(log);
        }
    }
    let (imported, recorded) = match capture {
        Some(_) if arguments.files.len() > 1 => {
            return Err(Failure::usage("a capture is imported by itself"));
        }
        Some(capture) => {
            let (report, recorded) = record_capture(&capture, None);
            (Imported::Capture(report), recorded)
        }
        None => {
            let (report, recorded) = record_logs(logs)
                .map_err(|error| Failure::new(FailureKind::InputFile, error.to_string()))?;
            (Imported::Logs(Box::new(report)), recorded)
        }
    };
    output.result(&imported)?;
    if let Some(path) = &arguments.recording {
        for (index, recorded) in recorded.iter().enumerate() {
            write(&numbered(path, index), recorded)?;
        }
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

fn write(path: &Path, recorded: &Recorded) -> Result<(), Failure> {
    File::create(path)
        .and_then(|mut file| file.write_all(recorded.lines.as_bytes()))
        .map_err(|error| {
            Failure::operation(format_args!("{}: cannot write it: {error}", path.display()))
        })
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
            Imported::Capture(report) => {
                let connections = report.connections.iter();
                let different = connections.filter(|c| c.difference.is_some()).count();
                (different, "connections differ")
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
        f.write_str(text.trim_end())
    }
}
