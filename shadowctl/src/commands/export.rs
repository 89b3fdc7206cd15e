//! `export`.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::slice;

use clap::{Args, ValueEnum};
use conformance::export::{Trace, connections, pcapng};
use conformance::recording::Traffic;

use crate::failure::Failure;
use crate::output::Output;
use crate::session_file::{self, no_recording};

/// What `--help` says first.
pub const ABOUT: &str = "\
Write a recording for another program

pcapng is a capture that Wireshark and tshark dissect as MQTT: the packets of the recording in TCP \
segments, with made-up addresses. It is in clear also where TLS was between, and has no passwords.

trace is text for snapshots: sorted keys, times since the start, tokens numbered in the order in \
which they came. Equal behaviour is equal text, whatever the seed.";

/// What `--help` says last.
pub const EXAMPLES: &str = "\
Examples:
  shadowctl export lamp.jsonl --to pcapng -o lamp.pcapng
  shadowctl export lamp.jsonl --to pcapng | tshark -r - -Y mqtt
  shadowctl export lamp.jsonl --to trace > lamp.trace

shadowctl replay lamp.jsonl --to-test makes it a test in Rust, and shadowctl show lamp.jsonl -o \
lamp.html a page.";

/// Arguments of `export`.
#[derive(Args, Clone, Debug)]
pub struct ExportArguments {
    /// Recording; several files are parts of one, in order. Or a capture or logs, which are imported
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// What to write
    #[arg(long, value_enum, value_name = "FORM")]
    pub to: Form,

    /// Into this file instead of stdout
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    pub target: Option<PathBuf>,
}

/// What a recording can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// A capture.
    Pcapng,
    /// Text for snapshots.
    Trace,
}

/// Writes the recording in another form.
///
/// # Errors
///
/// * [`FailureKind::InputFile`](crate::failure::FailureKind::InputFile): it cannot be read or is no recording, with line and column.
/// * [`FailureKind::Usage`](crate::failure::FailureKind::Usage): the result would replace the
///   recording, or is a capture and would go to a terminal.
/// * [`FailureKind::Operation`](crate::failure::FailureKind::Operation): it cannot be written.
pub fn run(arguments: &ExportArguments, output: &mut Output) -> Result<(), Failure> {
    let reader = session_file::recording(&arguments.files)?;
    if let Some(path) = &arguments.target {
        let read = session_file::read_files(&arguments.files);
        session_file::refuse_to_replace(slice::from_ref(path), &read)?;
    }
    let mut content = Vec::new();
    match arguments.to {
        Form::Pcapng => {
            if arguments.target.is_none() && io::stdout().is_terminal() {
                return Err(Failure::usage(
                    "a capture is no text: name a file with -o, or pipe it on",
                ));
            }
            let traffic = Traffic::read(reader).map_err(|error| no_recording(&error))?;
            pcapng::write(&connections(&traffic), &mut content).map_err(Failure::operation)?;
        }
        Form::Trace => {
            for line in Trace::new(reader) {
                let line = line.map_err(|error| no_recording(&error))?;
                content.extend_from_slice(line.as_bytes());
                content.push(b'\n');
            }
        }
    }
    match &arguments.target {
        // Not through what leaves out colours where there is no terminal: it would change bytes.
        None if arguments.to == Form::Pcapng => {
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(&content).and_then(|()| stdout.flush());
            written.map_err(|error| Failure::output(&error))
        }
        None => output.lines(&String::from_utf8_lossy(&content)),
        Some(path) => session_file::write(path, &content),
    }
}
