//! What a call says.

use alloc::string::{String, ToString};
use core::fmt;

use shadow_core::RequestError;

/// What a function says. Negative is a refusal: then nothing has changed and no event follows.
///
/// `shadow_last_error` has the words, of functions with an engine. Those of `shadow_new` are in its
/// `error`. Of `shadow_config_init`, of `shadow_json_member` and its like, and where the engine is
/// NULL, there is this number alone.
#[expect(non_camel_case_types, reason = "these are C's names")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum shadow_result {
    /// Done; what was asked for has been written.
    SHADOW_OK = 0,
    /// There is nothing: no more to poll, no deadline, no such member, nothing to answer. What would
    /// have been written is zero or empty.
    SHADOW_EMPTY = 1,
    /// A pointer that has to be given is NULL.
    SHADOW_NULL_ARGUMENT = -1,
    /// A number is not one of those that are allowed, or a length is more than half of the memory.
    SHADOW_INVALID_ARGUMENT = -2,
    /// A text is not UTF-8.
    SHADOW_NOT_UTF8 = -3,
    /// A text is not JSON, or not the kind of value that is asked for, or a number that does not fit.
    SHADOW_INVALID_JSON = -4,
    /// The buffer has no room for the whole text; nothing but a NUL was written to it.
    SHADOW_BUFFER_TOO_SMALL = -5,
    /// Product id, device name, secret or `device_info` is not usable.
    SHADOW_INVALID_DEVICE = -6,
    /// The configuration asks for what the server does not take.
    SHADOW_INVALID_CONFIG = -7,
    /// The stored session cannot be read, or is that of another device.
    SHADOW_INVALID_SESSION = -8,
    /// The configuration asks for what this library was built without.
    SHADOW_NOT_BUILT_IN = -9,
    /// `shadow_close` was called before.
    SHADOW_CLOSED = -10,
    /// No attached shadow has that id.
    SHADOW_UNKNOWN_SHADOW = -11,
    /// The shadow is attached already.
    SHADOW_ALREADY_ATTACHED = -12,
    /// No open request has that id: it has ended.
    SHADOW_UNKNOWN_REQUEST = -13,
    /// As many requests are open as `maximum_requests` says. Try again when one has ended.
    SHADOW_TOO_MANY_REQUESTS = -14,
    /// As many bytes wait as `maximum_queued_bytes` says. Try again when some have left.
    SHADOW_QUEUE_FULL = -15,
    /// As many shadows and subscriptions exist as `maximum_subscriptions` says.
    SHADOW_TOO_MANY_SUBSCRIPTIONS = -16,
    /// Larger or deeper than the server takes.
    SHADOW_LIMIT_EXCEEDED = -17,
    /// The text is no topic name, or no topic filter.
    SHADOW_INVALID_TOPIC = -18,
    /// The topic is an attached shadow's: use the requests for shadows.
    SHADOW_SHADOW_TOPIC = -19,
    /// The update names no part, or a part that is no JSON object.
    SHADOW_INVALID_UPDATE = -20,
    /// Refused for another reason, which `shadow_last_error` tells.
    SHADOW_REFUSED = -21,
    /// The library has a bug, and met it in this call or an earlier one. The engine does nothing any
    /// more: free it, and report the bug.
    SHADOW_PANICKED = -100,
}

use shadow_result::*;

impl shadow_result {
    const ALL: [shadow_result; 24] = [
        SHADOW_OK,
        SHADOW_EMPTY,
        SHADOW_NULL_ARGUMENT,
        SHADOW_INVALID_ARGUMENT,
        SHADOW_NOT_UTF8,
        SHADOW_INVALID_JSON,
        SHADOW_BUFFER_TOO_SMALL,
        SHADOW_INVALID_DEVICE,
        SHADOW_INVALID_CONFIG,
        SHADOW_INVALID_SESSION,
        SHADOW_NOT_BUILT_IN,
        SHADOW_CLOSED,
        SHADOW_UNKNOWN_SHADOW,
        SHADOW_ALREADY_ATTACHED,
        SHADOW_UNKNOWN_REQUEST,
        SHADOW_TOO_MANY_REQUESTS,
        SHADOW_QUEUE_FULL,
        SHADOW_TOO_MANY_SUBSCRIPTIONS,
        SHADOW_LIMIT_EXCEEDED,
        SHADOW_INVALID_TOPIC,
        SHADOW_SHADOW_TOPIC,
        SHADOW_INVALID_UPDATE,
        SHADOW_REFUSED,
        SHADOW_PANICKED,
    ];

    /// The result with this number.
    pub(crate) fn from_number(number: i32) -> Option<shadow_result> {
        let mut all = shadow_result::ALL.into_iter();
        all.find(|result| *result as i32 == number)
    }

    /// In a few words.
    pub(crate) const fn text(self) -> &'static core::ffi::CStr {
        match self {
            SHADOW_OK => c"done",
            SHADOW_EMPTY => c"there is nothing",
            SHADOW_NULL_ARGUMENT => c"an argument is NULL",
            SHADOW_INVALID_ARGUMENT => c"an argument is out of its range",
            SHADOW_NOT_UTF8 => c"a text is not UTF-8",
            SHADOW_INVALID_JSON => c"a text is not the JSON that it has to be",
            SHADOW_BUFFER_TOO_SMALL => c"the buffer is too small",
            SHADOW_INVALID_DEVICE => c"the device's name or secret is not usable",
            SHADOW_INVALID_CONFIG => c"the server does not take this configuration",
            SHADOW_INVALID_SESSION => c"the stored session is not usable",
            SHADOW_NOT_BUILT_IN => c"this library was built without it",
            SHADOW_CLOSED => c"the engine is closed",
            SHADOW_UNKNOWN_SHADOW => c"no such shadow is attached",
            SHADOW_ALREADY_ATTACHED => c"the shadow is attached already",
            SHADOW_UNKNOWN_REQUEST => c"no such request is open",
            SHADOW_TOO_MANY_REQUESTS => c"too many requests are open",
            SHADOW_QUEUE_FULL => c"the send queue is full",
            SHADOW_TOO_MANY_SUBSCRIPTIONS => c"too many subscriptions exist",
            SHADOW_LIMIT_EXCEEDED => c"more than the server takes",
            SHADOW_INVALID_TOPIC => c"the topic is not valid",
            SHADOW_SHADOW_TOPIC => c"the topic belongs to an attached shadow",
            SHADOW_INVALID_UPDATE => c"the update is not valid",
            SHADOW_REFUSED => c"refused",
            SHADOW_PANICKED => c"the library has a bug; the engine is of no use any more",
        }
    }
}

/// A refusal with its words.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) result: shadow_result,
    pub(crate) text: String,
}

impl Refusal {
    pub(crate) fn new(result: shadow_result, text: impl fmt::Display) -> Refusal {
        Refusal {
            result,
            text: text.to_string(),
        }
    }

    /// What is asked for takes a feature that is off.
    #[cfg(not(all(feature = "device-info", feature = "messages", feature = "session")))]
    pub(crate) fn without(feature: &str, wanted: &str) -> Refusal {
        let text =
            alloc::format!("`{wanted}` takes the library's feature `{feature}`, which is off");
        Refusal::new(SHADOW_NOT_BUILT_IN, text)
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Refusal {
        let result = match &error {
            RequestError::Closed => SHADOW_CLOSED,
            RequestError::UnknownShadow(_) => SHADOW_UNKNOWN_SHADOW,
            RequestError::AlreadyAttached(_) => SHADOW_ALREADY_ATTACHED,
            RequestError::UnknownRequest(_) => SHADOW_UNKNOWN_REQUEST,
            RequestError::TooManyRequests { .. } => SHADOW_TOO_MANY_REQUESTS,
            RequestError::QueueFull { .. } => SHADOW_QUEUE_FULL,
            RequestError::TooManySubscriptions { .. } => SHADOW_TOO_MANY_SUBSCRIPTIONS,
            RequestError::LimitExceeded(_) => SHADOW_LIMIT_EXCEEDED,
            RequestError::InvalidTopic(_) => SHADOW_INVALID_TOPIC,
            RequestError::ShadowTopic => SHADOW_SHADOW_TOPIC,
            RequestError::InvalidUpdate(_) => SHADOW_INVALID_UPDATE,
            _ => SHADOW_REFUSED,
        };
        Refusal::new(result, error)
    }
}
