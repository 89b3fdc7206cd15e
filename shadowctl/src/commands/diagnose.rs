//! `diagnose`.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use conformance::capture::tls::{self, KeyLog};
use conformance::capture::{Capture, MQTT_PORT, MQTT_TLS_PORT};
use conformance::diagnose::{Report, Session, diagnose};
use conformance::log::Log;
use conformance::recording::{Part, Reader, Traffic};
use serde::Serialize;

use crate::arguments::DiagnoseArguments;
use crate::failure::{Failure, FailureKind};
use crate::input;
use crate::output::Output;

/// What classic captures and pcapng begin with, in either byte order.
const CAPTURES: [[u8; 4]; 5] = [
    [0xA1, 0xB2, 0xC3, 0xD4],
    [0xD4, 0xC3, 0xB2, 0xA1],
    [0xA1, 0xB2, 0x3C, 0x4D],
    [0x4D, 0x3C, 0xB2, 0xA1],
    [0x0A, 0x0D, 0x0D, 0x0A],
];
/// What a recording begins with.
const RECORDING: &[u8] = b"{\"shadow-recording\"";

/// Looks at each capture and recording, and at the logs as one session, and prints what is wrong.
///
/// # Errors
///
/// * [`FailureKind::InputFile`]: a file that cannot be read, or is none of these; logs that are not
///   of one session.
/// * [`FailureKind::Operation`]: something broke the specification or was lost.
pub fn run(arguments: &DiagnoseArguments, output: &mut Output) -> Result<(), Failure> {
    let key_log = match &arguments.key_log {
        Some(path) => KeyLog::parse(&input::read(path)?),
        None => KeyLog::default(),
    };
    let ports: &[u16] = match &arguments.port {
        Some(port) => &[*port],
        None => &[MQTT_PORT, MQTT_TLS_PORT],
    };
    let (mut reports, mut logs, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for path in &arguments.files {
        let name = path.display().to_string();
        let mut file = open(path)?;
        let start = file.fill_buf().map_err(|error| unreadable(path, &error))?;
        let session = if is_capture(start) {
            let capture =
                Capture::read(file, ports).map_err(|error| Failure::input_file(path, error))?;
            Session::from(&decrypted(capture, &key_log))
        } else if start.starts_with(RECORDING) {
            let part = Part {
                name: name.clone(),
                content: Box::new(file),
            };
            let traffic = Reader::new(vec![part]).and_then(Traffic::read);
            // The error names the file itself.
            let traffic =
                traffic.map_err(|error| Failure::new(FailureKind::InputFile, error.to_string()))?;
            Session::from(&traffic)
        } else {
            logs.push(log(&name, file)?);
            names.push(name);
            continue;
        };
        reports.push((vec![name], diagnose(&session)));
    }
    if !logs.is_empty() {
        let session = Session::from_logs(logs)
            .map_err(|error| Failure::new(FailureKind::InputFile, error.to_string()))?;
        reports.push((names, diagnose(&session)));
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

/// Whether a file that begins so is a capture.
pub(super) fn is_capture(start: &[u8]) -> bool {
    CAPTURES.iter().any(|magic| start.starts_with(magic))
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok(BufReader::with_capacity(64 * 1024, file))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::input_file(path, format_args!("cannot read it: {error}"))
}

fn log(name: &str, file: impl Read) -> Result<Log, Failure> {
    Log::read(name, file).map_err(|error| Failure::new(FailureKind::InputFile, error.to_string()))
}

/// With the connections in clear that the keys fit; the others stay as they are.
fn decrypted(mut capture: Capture, key_log: &KeyLog) -> Capture {
    let mut keys = capture.key_log.clone();
    keys.merge(key_log);
    for connection in &mut capture.connections {
        if tls::is_tls(connection)
            && let Ok(clear) = tls::decrypt(connection, &keys)
        {
            *connection = clear;
        }
    }
    capture
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
        writeln!(f, "{}:", self.files.join(", "))?;
        // Its last line is not ended by itself.
        f.write_str(self.report.to_string().trim_end())
    }
}
