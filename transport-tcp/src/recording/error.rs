//! Why there is no recording, or not all of one.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a recording could not begin or go on. Its text names the file, says what is wrong and what
/// to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordingError {
    /// There is something already where the recording or one of its parts would be. It was left as
    /// it is.
    Exists {
        /// What there is.
        path: PathBuf,
    },
    /// What would have been overwritten, as was asked for, is no recording. It was left as it is.
    Foreign {
        /// What there is.
        path: PathBuf,
    },
    /// The operating system refused an operation: the directory is missing, may not be written, or
    /// the disk is full, say. A recording that had begun ends there.
    File {
        /// The file or directory that it was about.
        path: PathBuf,
        /// What was tried, as a verb.
        operation: &'static str,
        /// The kind of the failure.
        kind: io::ErrorKind,
        /// The operating system's words.
        text: String,
    },
    /// The path ends in no file name.
    NoFileName {
        /// The path.
        path: PathBuf,
    },
    /// A sink of the application's own failed; the text says why.
    Other(String),
}

impl RecordingError {
    pub(super) fn file(operation: &'static str, path: &Path, error: &io::Error) -> RecordingError {
        RecordingError::File {
            path: path.to_owned(),
            operation,
            kind: error.kind(),
            text: error.to_string(),
        }
    }
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordingError::Exists { path } => write!(
                f,
                "{}: it exists already, and a recording does not overwrite it. Move it away, or \
                 name another file",
                path.display()
            ),
            RecordingError::Foreign { path } => write!(
                f,
                "{}: this is no recording; it was left as it is. Move it away, or name another file",
                path.display()
            ),
            RecordingError::File {
                path,
                operation,
                text,
                ..
            } => write!(f, "cannot {operation} {}: {text}", path.display()),
            RecordingError::NoFileName { path } => {
                write!(f, "{path:?}: this path ends in no file name")
            }
            RecordingError::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for RecordingError {}
