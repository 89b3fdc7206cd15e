//! What the application may ask of an engine.

use alloc::string::String;
use core::fmt;

use crate::limit::LimitExceeded;

/// Names one request from its acceptance to its end. Never used again by the same engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RequestId(pub(crate) u64);

impl RequestId {
    /// The number behind it: 0 for an engine's first request.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The id with this number, for whoever keeps ids as numbers, as a binding of another language.
    /// A number that was never given out names a request that has ended.
    #[must_use]
    pub const fn from_u64(number: u64) -> RequestId {
        RequestId(number)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Names one attached shadow. Never used again by the same engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ShadowId(pub(crate) u32);

impl ShadowId {
    /// The number behind it: 0 for the shadow that was attached first, which is the device's own if
    /// the configuration names one.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    /// The id with this number, for whoever keeps ids as numbers, as a binding of another language.
    /// A number that was never given out names a shadow that is not attached.
    #[must_use]
    pub const fn from_u32(number: u32) -> ShadowId {
        ShadowId(number)
    }
}

/// Why a request was refused. A refused request changed nothing, and no event follows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RequestError {
    /// The engine was closed. The caller's code must not ask any more.
    Closed,
    /// No attached shadow has that id: it was detached, or belongs to another engine.
    UnknownShadow(ShadowId),
    /// The shadow is attached already, as the id given.
    AlreadyAttached(ShadowId),
    /// No open request has that id: it has ended.
    UnknownRequest(RequestId),
    /// As many requests are open as [`Config::maximum_requests`](crate::Config) allows. Try again
    /// when one has ended.
    TooManyRequests {
        /// The configured bound.
        limit: usize,
    },
    /// As many bytes are queued as [`Config::maximum_queued_bytes`](crate::Config) allows. Try
    /// again when some have left.
    QueueFull {
        /// The configured bound in bytes.
        limit: usize,
    },
    /// As many shadows and subscriptions exist as
    /// [`Config::maximum_subscriptions`](crate::Config) allows.
    TooManySubscriptions {
        /// The configured bound.
        limit: usize,
    },
    /// The server would not take it: it is above one of [`Config::limits`](crate::Config), or above
    /// what MQTT has room for.
    LimitExceeded(LimitExceeded),
    /// The topic name or filter is not one; the text says which rule it breaks.
    InvalidTopic(String),
    /// A topic of an attached shadow: use the shadow's own requests for it, or lift
    /// [`guard_shadow_topics`](crate::config::Behaviour::guard_shadow_topics).
    ShadowTopic,
    /// An update's content cannot be sent; the text says why (no part given, a part that is not an
    /// object, a value that JSON cannot hold).
    InvalidUpdate(String),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Closed => write!(f, "the engine is closed"),
            RequestError::UnknownShadow(id) => write!(f, "no shadow {} is attached", id.0),
            RequestError::AlreadyAttached(id) => {
                write!(f, "this shadow is attached already, as shadow {}", id.0)
            }
            RequestError::UnknownRequest(id) => write!(f, "no request {id} is open"),
            RequestError::TooManyRequests { limit } => {
                write!(
                    f,
                    "{limit} requests are open, which is the configured maximum"
                )
            }
            RequestError::QueueFull { limit } => {
                write!(
                    f,
                    "the send queue is at its configured maximum of {limit} bytes"
                )
            }
            RequestError::TooManySubscriptions { limit } => {
                write!(
                    f,
                    "{limit} subscriptions exist, which is the configured maximum"
                )
            }
            RequestError::LimitExceeded(exceeded) => write!(f, "{exceeded}"),
            RequestError::InvalidTopic(why) => write!(f, "{why}"),
            RequestError::ShadowTopic => {
                write!(
                    f,
                    "the topic belongs to an attached shadow; use the shadow's requests"
                )
            }
            RequestError::InvalidUpdate(why) => write!(f, "{why}"),
        }
    }
}

impl core::error::Error for RequestError {}

/// What an error says; without the feature `diagnostics` only `brief`, since no other text is put
/// together in an engine, and what does that takes 3 KB.
#[cfg(feature = "diagnostics")]
pub(crate) fn account(error: &dyn fmt::Display, _brief: &str) -> String {
    alloc::string::ToString::to_string(error)
}

#[cfg(not(feature = "diagnostics"))]
pub(crate) fn account(_error: &dyn fmt::Display, brief: &str) -> String {
    brief.into()
}

impl From<LimitExceeded> for RequestError {
    fn from(exceeded: LimitExceeded) -> RequestError {
        RequestError::LimitExceeded(exceeded)
    }
}
