//! Why a client's request failed.

use std::fmt;

use shadow_core::tencent::Document;
use shadow_core::tencent::reply::VERSION_CONFLICT;
use shadow_core::{Outcome, RequestError};

/// Why a request of a [`Client`](crate::Client) or [`Shadow`](crate::Shadow) failed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientError {
    /// The cloud answered with a result other than 0.
    Rejected {
        /// The result code; [`VERSION_CONFLICT`] is the only documented one.
        code: i64,
        /// What came with it: for a version conflict the whole current document.
        document: Document,
    },
    /// No answer within [`Config::request_timeout`](shadow_core::Config). The cloud may have
    /// applied it all the same.
    TimedOut,
    /// The link was lost before the answer.
    Disconnected {
        /// Whether it had left, so that the cloud may have applied it.
        maybe_applied: bool,
    },
    /// The client was closed or the shadow detached before the answer.
    Cancelled,
    /// The server refused the subscription (SUBACK 0x80): the one that was asked for, or that of
    /// the shadow's result topic.
    SubscriptionRefused,
    /// The engine refused the request; nothing was sent.
    Refused(RequestError),
    /// The driver has ended, or was dropped, so nobody can answer. What was asked just before may
    /// have left.
    DriverStopped,
    /// The request ended in a way that this version of the crate does not know for it.
    Unknown(Outcome),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Rejected { code, document } if *code == VERSION_CONFLICT => {
                write!(f, "refused by the cloud: version conflict (result {code})")?;
                match document.version() {
                    Some(version) => write!(f, "; its document is at version {version}"),
                    None => Ok(()),
                }
            }
            ClientError::Rejected { code, .. } => {
                write!(f, "refused by the cloud with result {code}")
            }
            ClientError::TimedOut => write!(f, "no answer in time"),
            ClientError::Disconnected {
                maybe_applied: true,
            } => write!(
                f,
                "the link was lost before the answer; the cloud may have applied the request"
            ),
            ClientError::Disconnected {
                maybe_applied: false,
            } => write!(f, "the link was lost before the request was sent"),
            ClientError::Cancelled => write!(f, "cancelled before the answer"),
            ClientError::SubscriptionRefused => write!(f, "the server refused the subscription"),
            ClientError::Refused(error) => write!(f, "{error}"),
            ClientError::DriverStopped => write!(f, "the driver has stopped"),
            ClientError::Unknown(outcome) => write!(f, "ended unexpectedly: {outcome:?}"),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClientError::Refused(error) => Some(error),
            _ => None,
        }
    }
}

impl From<RequestError> for ClientError {
    fn from(error: RequestError) -> ClientError {
        ClientError::Refused(error)
    }
}

/// For the outcomes that are not the success which the request asked for.
impl From<Outcome> for ClientError {
    fn from(outcome: Outcome) -> ClientError {
        match outcome {
            Outcome::Rejected { code, document } => ClientError::Rejected { code, document },
            Outcome::SubscriptionRefused => ClientError::SubscriptionRefused,
            Outcome::TimedOut => ClientError::TimedOut,
            Outcome::Disconnected { maybe_applied } => ClientError::Disconnected { maybe_applied },
            Outcome::Cancelled => ClientError::Cancelled,
            other => ClientError::Unknown(other),
        }
    }
}
