//! JSON as another reader has it: what the targets compare with.

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

/// How deep a value of a message may nest.
pub(crate) const MAXIMUM_DEPTH: usize = 128;

/// How deep within its message a value can be that counts from 0: in a part of the payload's state.
pub(crate) const OUTER_DEPTH: usize = 3;

/// Whether serde_json takes the text for one JSON value. Nesting does not matter here.
pub(crate) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The text as a tree; `None` if it is no JSON, or holds what a tree cannot: a number beyond the
/// largest `f64`, half of a surrogate pair, too deep a nesting.
pub(crate) fn tree(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// A member that is there and not null.
pub(crate) fn present<'v>(object: &'v Map<String, Value>, key: &str) -> Option<&'v Value> {
    object.get(key).filter(|value| !value.is_null())
}
