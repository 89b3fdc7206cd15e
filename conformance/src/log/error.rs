//! Why a log is refused.

use std::fmt;

/// A log that is not of the SDK's form. Nothing of the file is imported.
///
/// Printed as `FILE: line N, column C: WHY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogError {
    /// Name of the file, as given by the caller.
    pub file: String,
    /// Line that does not fit, 1-based; none if it is the file as a whole.
    pub line: Option<usize>,
    /// Column in characters, 1-based, where one character is to blame.
    pub column: Option<usize>,
    /// What was expected and what was found (at most 60 characters of it, never a secret).
    pub why: String,
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        if let Some(line) = self.line {
            write!(f, "line {line}")?;
            if let Some(column) = self.column {
                write!(f, ", column {column}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.why)
    }
}

impl std::error::Error for LogError {}

/// Two logs that were given as excerpts of one session and cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionError {
    /// File and line of the earlier statement.
    pub first: (String, usize),
    /// File and line of the statement that contradicts it.
    pub second: (String, usize),
    /// What the contradiction is.
    pub why: String,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((first, first_line), (second, second_line)) = (&self.first, &self.second);
        write!(
            f,
            "{first}: line {first_line} and {second}: line {second_line} are not of one session: \
             {}",
            self.why
        )
    }
}

impl std::error::Error for SessionError {}
