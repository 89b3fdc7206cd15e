//! `diagnose`.

use std::fmt;
use std::fs::File;
use std::path::Path;

use conformance::capture::Capture;
use conformance::diagnose::{Report, Session, diagnose};
use conformance::log::Log;
use serde::Serialize;

use crate::arguments::DiagnoseArguments;
use crate::failure::{Failure, FailureKind};
use crate::output::Output;

/// What the classic captures and pcapng begin with, in either byte order.
const CAPTURES: [[u8; 4]; 5] = [
    [0xA1, 0xB2, 0xC3, 0xD4],
    [0xD4, 0xC3, 0xB2, 0xA1],
    [0xA1, 0xB2, 0x3C, 0x4D],
    [0x4D, 0x3C, 0xB2, 0xA1],
    [0x0A, 0x0D, 0x0D, 0x0A],
];

/// Looks at each capture, and at the logs as one session, and prints what is wrong with it.
///
/// # Errors
///
/// * [`FailureKind::InputFile`]: a file that cannot be read, or is neither a capture nor a log; logs
///   that are not of one session.
/// * [`FailureKind::Operation`]: something broke the specification or was lost.
pub fn run(arguments: &DiagnoseArguments, output: &mut Output) -> Result<(), Failure> {
    let (mut reports, mut logs, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for path in &arguments.files {
        let bytes = read(path)?;
        let name = path.display().to_string();
        let is_capture = CAPTURES.iter().any(|magic| bytes.starts_with(magic));
        if is_capture {
            let capture = Capture::parse(&bytes, arguments.port)
                .map_err(|error| Failure::input_file(path, error))?;
            reports.push((vec![name], diagnose(&Session::from(&capture))));
        } else {
            // The error names the file itself.
            let log = Log::parse(&name, &bytes)
                .map_err(|error| Failure::new(FailureKind::InputFile, error.to_string()))?;
            logs.push(log);
            names.push(name);
        }
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

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let mut bytes = Vec::new();
    // One byte more than is taken, so that what is larger is told of.
    let limit = conformance::log::MAX_FILE as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| Failure::input_file(path, format_args!("cannot read it: {error}")))?;
    Ok(bytes)
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
