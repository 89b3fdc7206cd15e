//! Why nothing was shrunk.

use std::fmt;

use crate::recording::ReadError;

/// Why a recording was not shrunk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShrinkError {
    /// The recording cannot be read.
    Read(ReadError),
    /// The recording does not fail as it is: its outputs do not meet the condition.
    HoldsNot,
    /// It is a divergence that is looked for, and the recording replays without one.
    Same,
    /// The recorded outputs meet the condition, but those of the present engine do not when it gets
    /// the same inputs.
    Gone,
}

impl fmt::Display for ShrinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShrinkError::Read(error) => error.fmt(f),
            ShrinkError::HoldsNot => {
                f.write_str("the condition does not hold for the recording as it is")
            }
            ShrinkError::Same => f.write_str("this engine does what was recorded"),
            ShrinkError::Gone => f.write_str(
                "the condition holds for the recording as it is, but no more when this engine gets \
                 the same inputs",
            ),
        }
    }
}

impl std::error::Error for ShrinkError {}

impl From<ReadError> for ShrinkError {
    fn from(error: ReadError) -> ShrinkError {
        ShrinkError::Read(error)
    }
}
