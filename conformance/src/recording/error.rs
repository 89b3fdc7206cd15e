//! What is wrong with a file.

use std::fmt;

/// Why a file is no recording, or from where on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// The file's name, as given by the caller.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The byte of the line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub what: String,
}

/// `FILE:LINE:COLUMN: what`.
impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReadError {
            file,
            line,
            column,
            what,
        } = self;
        write!(f, "{file}:{line}:{column}: {what}")
    }
}

impl std::error::Error for ReadError {}
