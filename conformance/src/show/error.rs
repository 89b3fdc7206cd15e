//! Why a recording cannot be told.

use std::fmt;
use std::io;

/// A file that cannot be read, or that is no recording of a format that is known here.
///
/// Printed as `line N, column C: WHY`. Never shows what the file holds.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoryError {
    /// Reading failed.
    Read(io::Error),
    /// The file is empty, or its only line was torn off.
    Empty,
    /// The recording is of a format that was made after this program.
    Newer {
        /// The format's number.
        format: u64,
    },
    /// A line that is not of the form.
    Line {
        /// Which, from 1.
        line: u64,
        /// Where in it, in bytes from 1.
        column: usize,
        /// What was expected there.
        why: String,
    },
}

impl fmt::Display for StoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoryError::Read(error) => write!(f, "cannot read it: {error}"),
            StoryError::Empty => f.write_str("not a recording: there is no whole line in it"),
            StoryError::Newer { format } => write!(
                f,
                "line 1, column 1: a recording of format {format}; format {} is the newest that \
                 is known here",
                super::FORMAT
            ),
            StoryError::Line { line, column, why } => {
                write!(f, "line {line}, column {column}: {why}")
            }
        }
    }
}

impl std::error::Error for StoryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoryError::Read(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for StoryError {
    fn from(error: io::Error) -> StoryError {
        StoryError::Read(error)
    }
}
