//! Files of sessions: which kind they are, and how they are opened.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Chain, Cursor, Read, Seek, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use conformance::capture::tls::{self, KeyLog};
use conformance::capture::{Capture, MQTT_PORT, MQTT_TLS_PORT};
use conformance::import::{Recorded, record_capture, record_logs};
use conformance::log::{Log, SessionError};
use conformance::recording::{Files, Part, ReadError, Reader};

use crate::failure::{Failure, FailureKind};
use crate::input;
use crate::output::Output;

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

/// What a file is, by how it begins. A UTF-8 byte order mark before text does not count.
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
    /// What a file is that begins so.
    fn beginning(start: &[u8]) -> FileKind {
        let text = start.strip_prefix("\u{feff}".as_bytes()).unwrap_or(start);
        if CAPTURES.iter().any(|magic| start.starts_with(magic)) {
            FileKind::Capture
        } else if text.trim_ascii_start().starts_with(b"{") {
            // No line of a log begins so.
            FileKind::Recording
        } else {
            FileKind::Log
        }
    }
}

/// How many bytes are looked at to tell what a file is.
const START: u64 = 64;

/// A file that is going to be read, and was looked into.
///
/// What is no regular file, a pipe, stays open with what was looked at: it can be read only once.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    kind: FileKind,
    is_empty: bool,
    /// A regular file is opened when its turn comes: there can be more than may be open.
    pipe: Option<Chain<Cursor<Vec<u8>>, File>>,
}

impl Source {
    /// Opens a file and looks at its first bytes. A pipe is waited for.
    ///
    /// # Errors
    ///
    /// [`FailureKind::InputFile`]: it cannot be read.
    pub fn look(path: &Path) -> Result<Source, Failure> {
        let cannot = |error| unreadable(path, &error);
        let mut file = File::open(path).map_err(cannot)?;
        let mut start = Vec::new();
        // Of a pipe one read may give a single byte.
        let begun = (&mut file).take(START).read_to_end(&mut start);
        begun.map_err(cannot)?;
        let is_regular = file.metadata().map_err(cannot)?.is_file();
        Ok(Source {
            path: path.to_owned(),
            kind: FileKind::beginning(&start),
            is_empty: start.is_empty(),
            pipe: (!is_regular).then(|| Cursor::new(start).chain(file)),
        })
    }

    /// Looks into several.
    ///
    /// # Errors
    ///
    /// As [`look`](Self::look).
    pub fn look_at_all(files: &[PathBuf]) -> Result<Vec<Source>, Failure> {
        files.iter().map(|path| Source::look(path)).collect()
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Whether it can be read only once.
    #[must_use]
    pub fn is_pipe(&self) -> bool {
        self.pipe.is_some()
    }

    /// Reads it from its start.
    fn read(self) -> Result<Box<dyn BufRead>, Failure> {
        Ok(match self.pipe {
            Some(pipe) => Box::new(BufReader::with_capacity(64 * 1024, pipe)),
            None => Box::new(open(&self.path)?),
        })
    }

    fn part(self) -> Result<Part<'static>, Failure> {
        if self.pipe.is_none() {
            return Ok(Part::to_open(&self.path));
        }
        let name = self.path.display().to_string();
        let content = self.read()?;
        Ok(Part { name, content })
    }
}

/// The parts of the recording that these are, or that begins with it if it is one.
///
/// # Errors
///
/// [`FailureKind::InputFile`]: a file cannot be read.
pub fn parts_of(sources: Vec<Source>) -> Result<Vec<Part<'static>>, Failure> {
    match &sources[..] {
        [first] if !first.is_pipe() => Ok(Files::beginning_with(&first.path).parts()),
        _ => sources.into_iter().map(Source::part).collect(),
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

/// The files of a recording: these parts, or if it is one file, that and the parts beside it that
/// go on where it ends.
#[must_use]
pub fn recording_files(files: &[PathBuf]) -> Files {
    match files {
        [first] => Files::beginning_with(first),
        several => Files::listed(several.to_vec()),
    }
}

/// Opens a recording; or a capture or logs, as what the engine did that was driven by them.
///
/// # Errors
///
/// [`FailureKind::InputFile`], naming the file and, where there is one, line and column: it cannot
/// be read, or is none of these; [`FailureKind::Operation`]: a capture or log of several engines.
pub fn recording_parts(files: &[PathBuf]) -> Result<Vec<Part<'static>>, Failure> {
    let Some(first) = files.first() else {
        return Ok(Vec::new());
    };
    let source = Source::look(first)?;
    let rest = || Source::look_at_all(files.get(1..).unwrap_or_default());
    let recorded = match source.kind {
        FileKind::Recording => {
            let mut sources = vec![source];
            sources.extend(rest()?);
            return parts_of(sources);
        }
        FileKind::Capture => {
            if files.len() > 1 {
                return Err(Failure::usage("a capture is imported by itself"));
            }
            let capture = capture_of(source, &CaptureOptions::default())?;
            let recorded = record_capture(&capture, None).1;
            if recorded.is_empty() {
                let is_encrypted = capture.connections.iter().any(tls::is_tls);
                let why = match is_encrypted {
                    true => {
                        ", but TLS without its keys; shadowctl import --key-log FILE takes them"
                    }
                    false => "",
                };
                let name = first.display();
                return Err(Failure::operation(format_args!(
                    "{name}: there is no MQTT session in it{why}"
                )));
            }
            recorded
        }
        FileKind::Log => {
            let mut sources = vec![source];
            sources.extend(rest()?);
            record_logs(logs_of(sources)?).map_err(no_session)?.1
        }
    };
    let name = first.display().to_string();
    match <[Recorded; 1]>::try_from(recorded) {
        Ok([recorded]) => Ok(vec![Part {
            name,
            content: Box::new(Cursor::new(recorded.lines.into_bytes())),
        }]),
        Err(several) => Err(Failure::operation(format_args!(
            "{name}: there are {} sessions in it; shadowctl import {name} -o FILE makes a recording \
             of each",
            several.len()
        ))),
    }
}

/// Opens what [`recording_parts`] does.
///
/// # Errors
///
/// Those of [`recording_parts`].
pub fn recording(files: &[PathBuf]) -> Result<Reader<'static>, Failure> {
    Reader::new(recording_parts(files)?).map_err(|error| no_recording(&error))
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
/// [`FailureKind::InputFile`], naming the file: the capture or the key log cannot be read, or is none;
/// the key log has no secret.
pub fn capture_of(source: Source, options: &CaptureOptions) -> Result<Capture, Failure> {
    let path = &source.path.clone();
    let ports: &[u16] = match &options.port {
        Some(port) => &[*port],
        None => &[MQTT_PORT, MQTT_TLS_PORT],
    };
    let mut capture =
        Capture::read(source.read()?, ports).map_err(|error| Failure::input_file(path, error))?;
    let mut keys = KeyLog::default();
    if let Some(path) = &options.key_log {
        keys = KeyLog::parse(&input::read(path)?);
        if keys.is_empty() {
            let what =
                "no line of it is a secret of TLS (such as `CLIENT_RANDOM <random> <secret>`)";
            return Err(Failure::input_file(path, what));
        }
    }
    capture.decrypt(&keys);
    Ok(capture)
}

/// Says what of a capture stays unread: connections that are encrypted, and the end of a file that
/// is cut off.
pub fn remark_on(path: &Path, capture: &Capture, output: &mut Output) {
    let path = path.display();
    if capture.truncated {
        output.remark(format_args!("{path}: it ends in the middle of a frame"));
    }
    for connection in &capture.connections {
        if !tls::is_tls(connection) {
            continue;
        }
        let (device, server) = (connection.device, connection.server);
        let why = connection.undecrypted.map_or_else(
            || "there are no keys; --key-log FILE gives them".to_owned(),
            |why| why.to_string(),
        );
        output.remark(format_args!(
            "{path}: {device} > {server} is TLS, not decrypted: {why}"
        ));
    }
}

/// Reads logs of the vendor's Python SDK.
///
/// # Errors
///
/// [`FailureKind::InputFile`], naming the file and, where there is one, the line.
pub fn logs_of(sources: Vec<Source>) -> Result<Vec<Log>, Failure> {
    let read = |source: Source| {
        let name = source.path.display().to_string();
        // The error names the file itself.
        Log::read(&name, source.read()?).map_err(|error| {
            let what =
                format!("{error} (it is taken for a log: it begins as no recording or capture)");
            Failure::new(FailureKind::InputFile, what)
        })
    };
    sources.into_iter().map(read).collect()
}

/// Why logs are not of one session, as a failure.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
pub fn no_session(error: SessionError) -> Failure {
    Failure::new(FailureKind::InputFile, error.to_string())
}

/// The files that are read when these are named: they, and the later parts of a recording.
#[must_use]
pub fn read_files(files: &[PathBuf]) -> Vec<PathBuf> {
    recording_files(files).paths().to_vec()
}

/// A result does not replace what it is made of, by whatever name either has.
///
/// `targets` are all files that are going to be written, `files` all that are read.
///
/// # Errors
///
/// [`FailureKind::Usage`].
pub fn refuse_to_replace(targets: &[PathBuf], files: &[PathBuf]) -> Result<(), Failure> {
    for target in targets {
        // What is not there cannot be read either, and to write to a device replaces nothing.
        if !target.is_file() {
            continue;
        }
        if files.iter().any(|file| is_same(target, file)) {
            return Err(Failure::usage(format_args!(
                "{}: it would replace what it is made of",
                target.display()
            )));
        }
    }
    Ok(())
}

/// Whether two paths are of one file: through symbolic links, and hard ones where they can be seen.
fn is_same(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    if let (Ok(one), Ok(other)) = (fs::metadata(one), fs::metadata(other)) {
        use std::os::unix::fs::MetadataExt;
        if (one.dev(), one.ino()) == (other.dev(), other.ino()) {
            return true;
        }
    }
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Writes a result into a file, which replaces what was there.
///
/// # Errors
///
/// As [`write_whole`].
pub fn write(target: &Path, content: &[u8]) -> Result<(), Failure> {
    write_whole(target, |file| file.write_all(content)).map_err(|error| match error {
        WriteError::Content(error) | WriteError::Target(error) => cannot_write(target, &error),
    })
}

/// Why [`write_whole`] wrote nothing.
#[derive(Debug)]
pub enum WriteError<E> {
    /// What `content` failed with.
    Content(E),
    /// The target cannot be written.
    Target(io::Error),
}

/// What is told of a target that cannot be written.
#[must_use]
pub fn cannot_write(target: &Path, error: &io::Error) -> Failure {
    Failure::operation(format_args!(
        "{}: cannot write it: {error}",
        target.display()
    ))
}

/// Writes what `content` gives into a file once it is whole.
///
/// Until then it is in a temporary file beside the target, which then takes its name and its
/// permissions. So whatever fails, the target is as it was. A symbolic link stays one: the file
/// that it leads to is replaced. To what is no regular file, a device or a pipe, the whole is
/// copied; such a one is never removed.
///
/// # Errors
///
/// [`WriteError`]: `content` failed, or the target cannot be written.
pub fn write_whole<T, E>(
    target: &Path,
    content: impl FnOnce(&mut BufWriter<&mut File>) -> Result<T, E>,
) -> Result<T, WriteError<E>> {
    let found = match fs::metadata(target) {
        Ok(found) => Some(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(WriteError::Target(error)),
    };
    let is_link = fs::symlink_metadata(target).is_ok_and(|found| found.is_symlink());
    let replaced = match &found {
        Some(found) if found.is_file() => {
            // What may not be written is not replaced either.
            let written = OpenOptions::new().write(true).open(target);
            written.map_err(WriteError::Target)?;
            Some(fs::canonicalize(target).map_err(WriteError::Target)?)
        }
        // Where a link leads to nothing there is nothing to lose.
        None if !is_link => Some(target.to_owned()),
        _ => None,
    };
    let Some(replaced) = replaced else {
        let mut whole = tempfile::tempfile().map_err(WriteError::Target)?;
        let result = fill(&mut whole, content)?;
        let copied = whole.rewind().and_then(|()| {
            let mut target = File::create(target)?;
            io::copy(&mut whole, &mut target)
        });
        copied.map_err(WriteError::Target)?;
        return Ok(result);
    };
    let directory = match replaced.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let mut temporary = tempfile::Builder::new();
    temporary.prefix(".shadowctl-");
    // As a file that is created has them: less the process's mask.
    #[cfg(unix)]
    let created = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    #[cfg(unix)]
    temporary.permissions(created);
    let mut whole = temporary
        .tempfile_in(directory)
        .map_err(WriteError::Target)?;
    let result = fill(whole.as_file_mut(), content)?;
    if let Some(found) = found {
        let kept = whole.as_file().set_permissions(found.permissions());
        kept.map_err(WriteError::Target)?;
    }
    match whole.persist(&replaced) {
        Ok(_) => Ok(result),
        Err(error) => Err(WriteError::Target(error.error)),
    }
}

/// Writes all of the content into an empty file.
fn fill<T, E>(
    file: &mut File,
    content: impl FnOnce(&mut BufWriter<&mut File>) -> Result<T, E>,
) -> Result<T, WriteError<E>> {
    let mut buffered = BufWriter::new(file);
    let result = content(&mut buffered).map_err(WriteError::Content)?;
    buffered.flush().map_err(WriteError::Target)?;
    Ok(result)
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok(BufReader::with_capacity(64 * 1024, file))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::input_file(path, format_args!("cannot read it: {error}"))
}
