//! A recording on disk.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use shadow_core::recording::{Header, Sink};

use super::parts::{is_recording, later_parts, part_path};
use super::{RecordingError, RecordingSink};
use crate::store::private;

/// How a [`RecordingFile`] is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordingOptions {
    /// The most bytes of a part; 64 MiB by default. A part has one line behind its header at least,
    /// however long that is.
    pub maximum_size: u64,
    /// How many parts to keep, the newest; all by default. With all of it a recording can be
    /// replayed; without its first part it can only be looked at.
    pub keep: Option<NonZeroU32>,
    /// Whether to overwrite an earlier recording, all parts of it. What is no recording, and not
    /// empty, is never overwritten. Not by default.
    pub overwrite: bool,
}

impl Default for RecordingOptions {
    fn default() -> RecordingOptions {
        RecordingOptions {
            maximum_size: 64 << 20,
            keep: None,
            overwrite: false,
        }
    }
}

/// A recording in a file, or in several as it grows.
///
/// # What survives
///
/// Each line is handed to the operating system at once, by one write. So when the process ends,
/// however it ends, at most its last line is missing or torn. A power cut also takes what the
/// operating system had not put on the disk yet, as a rule that of some seconds.
///
/// **An error ends the recording**: a full disk, a directory that is gone. The device goes on, the
/// application is told ([`Notification::NotRecorded`](crate::Notification)), and what has been
/// written stays. Nothing is written behind a gap, so what there is is true up to its end, which may
/// be a torn line; that it is not all is seen by its missing `end`.
///
/// # Parts
///
/// Before a line that would make a part larger than
/// [`maximum_size`](RecordingOptions::maximum_size) a new one begins, beside the first:
/// `lamp.jsonl`, `lamp.2.jsonl`, `lamp.3.jsonl` ([`part_path`]). Each has a header with its number.
/// A line is never split. All of them in order, without the later headers, are the recording.
///
/// Only their owner may read them (mode 0600, where there are modes): the device's values are in
/// them.
#[derive(Debug)]
pub struct RecordingFile {
    /// That of the first part.
    path: PathBuf,
    options: RecordingOptions,
    /// `None` once something could not be written.
    file: Option<File>,
    /// Whether it is a file that others can stand beside, and no device such as `/dev/null`.
    regular: bool,
    /// The recorder's first line.
    header: Option<Header>,
    /// The number of the part being written, from 1.
    part: u32,
    /// How many bytes are in it.
    size: u64,
    /// How many lines are in it behind its header.
    lines: u64,
    /// The error that ended it, until it is taken.
    error: Option<RecordingError>,
}

impl RecordingFile {
    /// Begins a recording with this path. Its directory must exist.
    ///
    /// It may be an empty file, or a character device, which is not divided into parts.
    ///
    /// # Errors
    ///
    /// [`RecordingError::Exists`] when the file is there and not empty, or a later part of that name
    /// is there, and [`overwrite`](RecordingOptions::overwrite) is not set;
    /// [`RecordingError::Foreign`] when it is set and that is no recording;
    /// [`RecordingError::File`] when the directory is missing or may not be written, or the path is
    /// that of something else than a file; [`RecordingError::NoFileName`].
    pub fn create(
        path: impl AsRef<Path>,
        options: RecordingOptions,
    ) -> Result<RecordingFile, RecordingError> {
        let path = path.as_ref();
        if path.file_name().is_none() {
            return Err(RecordingError::NoFileName { path: path.into() });
        }
        // Parts are made in the same directory whatever becomes of the current one.
        let path = std::path::absolute(path)
            .map_err(|error| RecordingError::file("find", path, &error))?;
        let found = look(&path).map_err(|error| RecordingError::file("use", &path, &error))?;
        let regular = found.as_ref().is_none_or(Metadata::is_file);
        if regular {
            let begun = found.as_ref().is_some_and(|found| found.len() > 0);
            make_way(&path, begun, options.overwrite)?;
        }
        let file = open(&path, found.is_some(), regular)
            .map_err(|error| RecordingError::file("create", &path, &error))?;
        Ok(RecordingFile {
            path,
            options,
            file: Some(file),
            regular,
            header: None,
            part: 1,
            size: 0,
            lines: 0,
            error: None,
        })
    }

    /// The path of its first part, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write(&mut self, line: &str) -> Result<(), RecordingError> {
        let length = line.len() as u64;
        match &self.header {
            // A recorder's first line is one.
            None => self.header = Some(Header::parse(line).unwrap_or_default()),
            Some(header) => {
                let full = self.size.saturating_add(length) > self.options.maximum_size;
                if full && self.lines > 0 && self.regular {
                    let header = header.clone();
                    self.begin_part(header)?;
                }
                self.lines += 1;
            }
        }
        self.append(line)
    }

    /// Goes on in the next file.
    fn begin_part(&mut self, header: Header) -> Result<(), RecordingError> {
        // Four milliards of files are beyond any disk.
        self.part = self.part.saturating_add(1);
        let keep = self.options.keep.map_or(u32::MAX, NonZeroU32::get);
        // First, so that there are never more.
        if let Some(old @ 1..) = self.part.checked_sub(keep) {
            let old = part_path(&self.path, old);
            match fs::remove_file(&old) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(RecordingError::file("delete", &old, &error));
                }
                _ => {}
            }
        }
        let path = part_path(&self.path, self.part);
        let file = open(&path, false, true)
            .map_err(|error| RecordingError::file("create", &path, &error))?;
        self.file = Some(file);
        (self.size, self.lines) = (0, 0);
        let part = self.part;
        let begun = self.append(&Header { part, ..header }.to_line());
        if begun.is_err() {
            // Nothing is lost with it. That it cannot be removed either changes nothing: a part
            // without a whole header does not count.
            self.file = None;
            drop(fs::remove_file(&path));
        }
        begun
    }

    /// Appends to the part that is being written.
    ///
    /// It blocks, but for no longer than it takes to copy the line to the system's cache: nothing is
    /// synced. A thread for it would cost each line more than that, and have lines wait that a crash
    /// then takes.
    fn append(&mut self, line: &str) -> Result<(), RecordingError> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        // One write, unless it is interrupted or the disk is full half-way.
        file.write_all(line.as_bytes()).map_err(|error| {
            RecordingError::file("write", &part_path(&self.path, self.part), &error)
        })?;
        self.size = self.size.saturating_add(line.len() as u64);
        Ok(())
    }
}

impl Sink for RecordingFile {
    fn line(&mut self, line: &str) {
        if self.file.is_none() {
            return;
        }
        if let Err(error) = self.write(line) {
            // What came behind a hole would be taken for what followed.
            self.file = None;
            self.error = Some(error);
        }
    }
}

impl RecordingSink for RecordingFile {
    fn take_error(&mut self) -> Option<RecordingError> {
        self.error.take()
    }
}

/// What there is at a path, if anything: a regular file or a character device.
fn look(path: &Path) -> io::Result<Option<Metadata>> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    #[cfg(unix)]
    let device = std::os::unix::fs::FileTypeExt::is_char_device(&found.file_type());
    #[cfg(not(unix))]
    let device = false;
    // Writing into a pipe waits for who reads it, and the device with it.
    if found.is_file() || device {
        return Ok(Some(found));
    }
    let kind = io::ErrorKind::InvalidInput;
    Err(io::Error::new(kind, "it is not a regular file"))
}

/// Sees that no earlier recording is in the way, or deletes its later parts.
fn make_way(first: &Path, begun: bool, overwrite: bool) -> Result<(), RecordingError> {
    let later = later_parts(first)?;
    let first = begun.then(|| first.to_owned());
    for path in first.iter().chain(&later) {
        if !overwrite {
            return Err(RecordingError::Exists { path: path.clone() });
        }
        match is_recording(path) {
            Ok(true) => {}
            // Begun when the disk was full.
            Ok(false) if is_empty(path) => {}
            Ok(false) => return Err(RecordingError::Foreign { path: path.clone() }),
            Err(error) => return Err(RecordingError::file("read", path, &error)),
        }
    }
    for path in later {
        fs::remove_file(&path).map_err(|error| RecordingError::file("delete", &path, &error))?;
    }
    Ok(())
}

fn is_empty(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0)
}

/// Opens an empty file that only its owner may read, or a device.
fn open(path: &Path, exists: bool, regular: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    if exists {
        options.truncate(regular);
    } else {
        options.create_new(true);
    }
    let file = private(&mut options).open(path)?;
    #[cfg(unix)]
    if exists && regular {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        file.set_permissions(mode)?;
    }
    Ok(file)
}
