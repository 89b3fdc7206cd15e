//! Files of sessions: which kind they are, and how they are opened.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use conformance::capture::tls::{self, KeyLog};
use conformance::capture::{Capture, MQTT_PORT, MQTT_TLS_PORT};
use conformance::log::Log;
use conformance::recording::{Files, ReadError, Reader};

use crate::failure::{Failure, FailureKind};
use crate::input;

/// How captures are read.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Captures")]
pub struct CaptureOptions {
    /// TCP port of the server [default: 1883 and 8883]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,

    /// Decrypt TLS with the secrets in this file (as SSLKEYLOGFILE names one to browsers and curl),
    /// beside those that a pcapng brings along
    #[arg(long, value_name = "FILE")]
    pub key_log: Option<PathBuf>,
}

/// What a file is, by how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A recording of this project's engine.
    Recording,
    /// A packet capture: pcap or pcapng, compressed ones included, which say so when they are read.
    Capture,
    /// Anything else: a log of the vendor's Python SDK, or nothing that can be read.
    Log,
}

/// What captures begin with: pcap in either byte order, with microseconds and with nanoseconds;
/// pcapng; and gzip, as which captures are often kept.
const CAPTURES: [&[u8]; 6] = [
    &[0xA1, 0xB2, 0xC3, 0xD4],
    &[0xD4, 0xC3, 0xB2, 0xA1],
    &[0xA1, 0xB2, 0x3C, 0x4D],
    &[0x4D, 0x3C, 0xB2, 0xA1],
    &[0x0A, 0x0D, 0x0D, 0x0A],
    &[0x1F, 0x8B],
];

impl FileKind {
    /// Looks at the first bytes of a file.
    ///
    /// # Errors
    ///
    /// [`FailureKind::InputFile`]: it cannot be read.
    pub fn of(path: &Path) -> Result<FileKind, Failure> {
        let mut file = open(path)?;
        let start = file.fill_buf().map_err(|error| unreadable(path, &error))?;
        Ok(if CAPTURES.iter().any(|magic| start.starts_with(magic)) {
            FileKind::Capture
        } else if start.trim_ascii_start().starts_with(b"{") {
            // No line of a log begins so.
            FileKind::Recording
        } else {
            FileKind::Log
        })
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileKind::Recording => "a recording",
            FileKind::Capture => "a capture",
            FileKind::Log => "a log",
        })
    }
}

/// Opens a recording: these parts, or if it is one file, that and the parts beside it that go on
/// where it ends.
///
/// # Errors
///
/// [`FailureKind::InputFile`], naming file, line and column.
pub fn recording(files: &[PathBuf]) -> Result<Reader<'static>, Failure> {
    let files = match files {
        [first] => Files::beginning_with(first),
        several => Files::listed(several.to_vec()),
    };
    files.open().map_err(|error| no_recording(&error))
}

/// What is wrong with a recording, as a failure. The error names the file itself.
#[must_use]
pub fn no_recording(error: &ReadError) -> Failure {
    Failure::new(FailureKind::InputFile, error.to_string())
}

/// Reads a capture and decrypts the connections that there are keys of; the others stay as they are.
///
/// # Errors
///
/// [`FailureKind::InputFile`], naming the file: the capture or the key log cannot be read, or is none.
pub fn capture(path: &Path, options: &CaptureOptions) -> Result<Capture, Failure> {
    let ports: &[u16] = match &options.port {
        Some(port) => &[*port],
        None => &[MQTT_PORT, MQTT_TLS_PORT],
    };
    let mut capture =
        Capture::read(open(path)?, ports).map_err(|error| Failure::input_file(path, error))?;
    let mut keys = capture.key_log.clone();
    if let Some(path) = &options.key_log {
        keys.merge(&KeyLog::parse(&input::read(path)?));
    }
    for connection in &mut capture.connections {
        if tls::is_tls(connection)
            && let Ok(clear) = tls::decrypt(connection, &keys)
        {
            *connection = clear;
        }
    }
    Ok(capture)
}

/// Reads a log of the vendor's Python SDK.
///
/// # Errors
///
/// [`FailureKind::InputFile`], naming the file and, where there is one, the line.
pub fn log(path: &Path) -> Result<Log, Failure> {
    // The error names the file itself.
    Log::read(&path.display().to_string(), open(path)?)
        .map_err(|error| Failure::new(FailureKind::InputFile, error.to_string()))
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok(BufReader::with_capacity(64 * 1024, file))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::input_file(path, format_args!("cannot read it: {error}"))
}
