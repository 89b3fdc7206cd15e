//! Why a request or a change was not carried out.

use std::error::Error;
use std::fmt;

#[cfg(doc)]
use super::Limits;
use super::node::ParseError;

/// The `result` of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultCode(u16);

impl ResultCode {
    /// The request was carried out (vendor doc 634/14072).
    pub const ACCEPTED: ResultCode = ResultCode(0);
    /// The update named a version that is not the document's (vendor doc 634/14072).
    pub const VERSION_CONFLICT: ResultCode = ResultCode(5005);
    /// This model's own: the payload is not UTF-8 JSON of a get or an update.
    pub const MALFORMED: ResultCode = ResultCode(9000);
    /// This model's own: the payload, or the document that the update would make, exceeds
    /// [`Limits::payload_bytes`] or [`Limits::document_bytes`].
    pub const TOO_LARGE: ResultCode = ResultCode(9001);
    /// This model's own: the update is nested deeper than [`Limits::levels`].
    pub const TOO_DEEP: ResultCode = ResultCode(9002);
    /// This model's own: the update would begin a document beyond [`Limits::shadows`].
    pub const TOO_MANY_SHADOWS: ResultCode = ResultCode(9003);

    /// The number on the wire.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }
}

/// Why a change of a document was refused. The document is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeError {
    /// The given text is not JSON.
    NotJson,
    /// The given JSON is neither an object nor (where a part is changed) `null`.
    NotAnObject,
    /// The document's version is not the expected one.
    VersionConflict {
        /// The version that the document has.
        current: u64,
    },
    /// The document would exceed [`Limits::document_bytes`].
    TooLarge {
        /// The bytes that it would take.
        bytes: usize,
    },
    /// The given JSON is nested deeper than [`Limits::levels`].
    TooDeep,
    /// The service already keeps [`Limits::shadows`] documents.
    TooManyShadows,
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChangeError::NotJson => f.write_str("the given text is not JSON"),
            ChangeError::NotAnObject => f.write_str("the given JSON is not an object"),
            ChangeError::VersionConflict { current } => {
                write!(
                    f,
                    "the shadow is at version {current}, not the expected one"
                )
            }
            ChangeError::TooLarge { bytes } => {
                write!(
                    f,
                    "the shadow document would take {bytes} bytes, more than it may"
                )
            }
            ChangeError::TooDeep => f.write_str("the given JSON is nested too deeply"),
            ChangeError::TooManyShadows => {
                f.write_str("the service keeps as many shadows as it may")
            }
        }
    }
}

impl Error for ChangeError {}

impl From<ParseError> for ChangeError {
    fn from(error: ParseError) -> ChangeError {
        match error {
            ParseError::NotJson => ChangeError::NotJson,
            ParseError::TooDeep => ChangeError::TooDeep,
        }
    }
}

impl From<ChangeError> for ResultCode {
    fn from(error: ChangeError) -> ResultCode {
        match error {
            ChangeError::NotJson | ChangeError::NotAnObject => ResultCode::MALFORMED,
            ChangeError::VersionConflict { .. } => ResultCode::VERSION_CONFLICT,
            ChangeError::TooLarge { .. } => ResultCode::TOO_LARGE,
            ChangeError::TooDeep => ResultCode::TOO_DEEP,
            ChangeError::TooManyShadows => ResultCode::TOO_MANY_SHADOWS,
        }
    }
}

impl From<ParseError> for ResultCode {
    fn from(error: ParseError) -> ResultCode {
        match error {
            ParseError::NotJson => ResultCode::MALFORMED,
            ParseError::TooDeep => ResultCode::TOO_DEEP,
        }
    }
}
