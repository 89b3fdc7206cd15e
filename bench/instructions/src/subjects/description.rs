//! What came out, in a form in which all subjects can be compared.

use serde_json::Value;

/// What an application learns of the cloud's message.
pub(super) fn described(what: &str, version: Option<u64>, state: &str) -> String {
    let state: Value = serde_json::from_str(state).expect("the state is JSON");
    format!("{what} version {version:?} {state}")
}

/// A PUBLISH with a JSON payload, in which the order of the keys means nothing; any other bytes as
/// they are.
pub(super) fn described_publish(bytes: &[u8]) -> String {
    // A brace alone may be a length.
    let start = bytes.windows(2).position(|two| two == b"{\"");
    let (header, payload) = bytes.split_at(start.unwrap_or(bytes.len()));
    let payload = match serde_json::from_slice::<Value>(payload) {
        Ok(payload) => payload.to_string(),
        Err(_) => String::new(),
    };
    format!("{} {payload}", header.escape_ascii())
}
