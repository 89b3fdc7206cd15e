//! Payloads by serde_json, in the two ways that it offers.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// What a peer's application has learned; `state` is its own.
pub(super) struct Heard<S> {
    pub(super) what: &'static str,
    pub(super) version: Option<u64>,
    pub(super) state: S,
}

/// A way to read and write payloads. What is written replaces what the buffer held.
pub(super) trait JsonText: 'static {
    /// A document.
    type State;

    fn write_get(token: &str, out: &mut Vec<u8>);
    fn write_update<R: Serialize>(token: &str, reported: &R, out: &mut Vec<u8>);

    /// A delta, or the reply that accepts the request with this token.
    fn read(payload: &[u8], token: &str) -> Option<Heard<Self::State>>;

    /// The document as JSON, for the tests.
    fn text(state: &Self::State) -> String;
}

/// The natural way: trees of values.
pub(super) struct Tree;

impl JsonText for Tree {
    type State = Value;

    fn write_get(token: &str, out: &mut Vec<u8>) {
        write(&json!({"type": "get", "clientToken": token}), out);
    }

    fn write_update<R: Serialize>(token: &str, reported: &R, out: &mut Vec<u8>) {
        let state = json!({"reported": reported});
        write(
            &json!({"type": "update", "state": state, "clientToken": token}),
            out,
        );
    }

    fn read(payload: &[u8], token: &str) -> Option<Heard<Value>> {
        let mut message: Value = serde_json::from_slice(payload).ok()?;
        let what = match message.get("type")?.as_str()? {
            "delta" => "delta",
            "get" | "update" => {
                let matches = message.get("clientToken")?.as_str()? == token;
                let accepted = message.get("result")?.as_i64()? == 0;
                (matches && accepted).then_some("accepted")?
            }
            _ => return None,
        };
        let payload = message.get_mut("payload")?;
        Some(Heard {
            what,
            version: payload.get("version").and_then(Value::as_u64),
            state: payload.get_mut("state")?.take(),
        })
    }

    fn text(state: &Value) -> String {
        state.to_string()
    }
}

/// The quickest way: a type for the message, borrowed from it, and the document kept as its text,
/// as ours keeps it.
pub(super) struct Typed;

#[derive(Serialize)]
struct Get<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(rename = "clientToken")]
    client_token: &'a str,
}

#[derive(Serialize)]
struct Update<'a, R> {
    #[serde(rename = "type")]
    kind: &'a str,
    state: State<'a, R>,
    #[serde(rename = "clientToken")]
    client_token: &'a str,
}

#[derive(Serialize)]
struct State<'a, R> {
    reported: &'a R,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(rename = "clientToken")]
    client_token: Option<&'a str>,
    result: Option<i64>,
    #[serde(borrow)]
    payload: Payload<'a>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    state: &'a RawValue,
    version: Option<u64>,
}

impl JsonText for Typed {
    type State = Box<RawValue>;

    fn write_get(client_token: &str, out: &mut Vec<u8>) {
        let kind = "get";
        write(&Get { kind, client_token }, out);
    }

    fn write_update<R: Serialize>(client_token: &str, reported: &R, out: &mut Vec<u8>) {
        let update = Update {
            kind: "update",
            state: State { reported },
            client_token,
        };
        write(&update, out);
    }

    fn read(payload: &[u8], token: &str) -> Option<Heard<Box<RawValue>>> {
        let message: Message<'_> = serde_json::from_slice(payload).ok()?;
        let what = match message.kind {
            "delta" => "delta",
            "get" | "update" => {
                let matches = message.client_token == Some(token);
                (matches && message.result == Some(0)).then_some("accepted")?
            }
            _ => return None,
        };
        Some(Heard {
            what,
            version: message.payload.version,
            state: message.payload.state.to_owned(),
        })
    }

    fn text(state: &Box<RawValue>) -> String {
        state.get().to_owned()
    }
}

fn write(message: &impl Serialize, out: &mut Vec<u8>) {
    out.clear();
    let written = serde_json::to_writer(out, message);
    written.expect("the message has a JSON form");
}
