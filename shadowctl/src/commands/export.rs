//! `export`.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use conformance::export::{Trace, connections, pcapng};
use conformance::recording::Traffic;

use crate::failure::{Failure, FailureKind};
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
    /// Recording; several files are parts of one, in order
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// What to write
    #[arg(long, value_enum, value_name = "FORM")]
    pub to: Form,

    /// Into this file instead of stdout
    #[arg(short = 'o', long = "file", value_name = "OUT")]
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
/// * [`FailureKind::InputFile`]: it cannot be read or is no recording, with line and column.
/// * [`FailureKind::Usage`]: the result would replace the recording, or is a capture and would go to
///   a terminal.
/// * [`FailureKind::Operation`]: it cannot be written.
pub fn run(arguments: &ExportArguments, output: &mut Output) -> Result<(), Failure> {
    let reader = session_file::recording(&arguments.files)?;
    if let Some(path) = &arguments.target {
        refuse_to_replace(path, &arguments.files)?;
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
        None => output.verbatim(&content),
        Some(path) => write(path, &content).map_err(|error| {
            Failure::operation(format_args!("{}: cannot write it: {error}", path.display()))
        }),
    }
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(content)?;
    file.flush()
}

/// A result does not replace what it is made of.
///
/// # Errors
///
/// [`FailureKind::Usage`].
pub fn refuse_to_replace(target: &Path, files: &[PathBuf]) -> Result<(), Failure> {
    let Ok(canonical) = fs::canonicalize(target) else {
        return Ok(());
    };
    let same = |file: &PathBuf| fs::canonicalize(file).is_ok_and(|file| file == canonical);
    if files.iter().any(same) {
        return Err(Failure::new(
            FailureKind::Usage,
            format!("{}: it would replace what it is made of", target.display()),
        ));
    }
    Ok(())
}
