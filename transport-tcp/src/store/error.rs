//! Why a session was not stored or not found.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use shadow_core::SessionError;

/// Why a [`SessionStore`](super::SessionStore) failed. Its text names the file, says what is wrong
/// and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// Another [`SessionFile`](super::SessionFile) has this file open, in this process or another.
    /// Two devices with one session would take each other's answers.
    InUse {
        /// The session's file.
        path: PathBuf,
    },
    /// The operating system refused an operation: the directory is missing, may not be written, or
    /// the disk is full, say. The file holds the old session or the new one, whole.
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
    /// The file is no session, was damaged, or comes from a later version. It was left as it is.
    Unreadable {
        /// The session's file.
        path: PathBuf,
        /// What is wrong with it.
        error: SessionError,
    },
    /// The path ends in no file name.
    NoFileName {
        /// The path.
        path: PathBuf,
    },
    /// The session, or what lies in its place, is too large for a session.
    TooLarge {
        /// The session's file.
        path: PathBuf,
        /// The largest that is allowed, in bytes.
        limit: u64,
    },
    /// As many files were [discarded](super::SessionFile::discard) as are kept.
    TooManyBroken {
        /// The session's file.
        path: PathBuf,
    },
    /// A store of the application's own failed; the text says why.
    Other(String),
}

impl StoreError {
    pub(super) fn file(operation: &'static str, path: &Path, error: &io::Error) -> StoreError {
        StoreError::File {
            path: path.to_owned(),
            operation,
            kind: error.kind(),
            text: error.to_string(),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::InUse { path } => write!(
                f,
                "{}: in use by another process, or a second time by this one; each device needs a \
                 session file of its own",
                path.display()
            ),
            StoreError::File {
                path,
                operation,
                text,
                ..
            } => write!(f, "cannot {operation} {}: {text}", path.display()),
            StoreError::Unreadable { path, error } => write!(
                f,
                "{}: {error}; it was left as it is. Move the file away, or name another",
                path.display()
            ),
            StoreError::NoFileName { path } => {
                write!(f, "{path:?}: this path ends in no file name")
            }
            StoreError::TooLarge { path, limit } => write!(
                f,
                "{}: above {limit} bytes, which no session may have; it was left as it is. Move \
                 the file away, or name another",
                path.display()
            ),
            StoreError::TooManyBroken { path } => write!(
                f,
                "{}: not moved away, as there are too many files beside it that were; delete them",
                path.display()
            ),
            StoreError::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::Unreadable { error, .. } => Some(error),
            _ => None,
        }
    }
}
