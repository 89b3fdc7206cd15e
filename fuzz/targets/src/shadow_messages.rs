//! Shadow messages: what is read from them is what serde_json's tree of the same text says.

use serde_json::{Map, Value};
use shadow_core::json::{Json, JsonStyle, depth};
use shadow_core::tencent::request::{parse_request, write_get};
use shadow_core::tencent::{
    Document, Message, Operation, ParseError, Part, Request, Timestamp, Update, reply,
};

use crate::json::{MAXIMUM_DEPTH, OUTER_DEPTH, is_json, present, tree};

/// Reads the bytes as a message of the cloud, as a request of a device, and as any JSON.
///
/// # Panics
/// If a reading differs from that of serde_json's tree, or a request is not read back as it was
/// written.
pub fn shadow_messages(data: &[u8]) {
    let message = reply::parse(data);
    let request = parse_request(data);
    let Ok(text) = core::str::from_utf8(data) else {
        assert!(matches!(message, Err(ParseError::NotUtf8 { .. })));
        assert!(matches!(request, Err(ParseError::NotUtf8 { .. })));
        return;
    };
    let valid = is_json(text);
    assert_eq!(Json::new(text).is_ok(), valid);
    let levels = if valid { depth(text) } else { 0 };
    for error in [message.as_ref().err(), request.as_ref().err()] {
        let not_json = matches!(error, Some(ParseError::NotJson { .. }));
        let deep = matches!(error, Some(ParseError::TooDeep));
        assert!(!not_json || !valid, "{error:?}");
        assert!(valid || not_json || deep, "{error:?}");
        assert!(!valid || !deep || levels > MAXIMUM_DEPTH, "{error:?}");
        assert!(deep || levels <= MAXIMUM_DEPTH + OUTER_DEPTH, "{error:?}");
    }
    if let Ok(request) = &request {
        check_written(request);
    }
    match tree(text) {
        Some(Value::Object(object)) => {
            check_message(&object, message);
            check_request(&object, &request);
        }
        Some(_) => {
            assert_eq!(message, Err(ParseError::NotAnObject));
            assert_eq!(request, Err(ParseError::NotAnObject));
        }
        None => {}
    }
}

fn check_message(object: &Map<String, Value>, message: Result<Message<'_>, ParseError>) {
    let kind = present(object, "type").and_then(Value::as_str);
    let message = match message {
        Ok(message) => message,
        Err(error) => return check_refusal(object, &error, &["get", "update", "delta"]),
    };
    let (operation, body) = match message {
        Message::Reply {
            operation,
            token,
            result,
            body,
        } => {
            check_token(object, token.as_deref());
            let stated = match present(object, "result") {
                None => Some(0),
                Some(Value::String(text)) => text.parse().ok(),
                // The tree has no integer -0.
                Some(number) => number
                    .as_i64()
                    .or((number.as_f64() == Some(0.0)).then_some(0)),
            };
            assert_eq!(Some(result), stated);
            (Some(operation), body)
        }
        Message::Delta { body } => (None, body),
    };
    assert_eq!(kind, Some(operation.map_or("delta", Operation::as_str)));
    let version = body.version();
    check_document(object.get("payload"), operation, &body.to_document());
    assert_eq!(body.to_document().version(), version);
}

fn check_document(payload: Option<&Value>, operation: Option<Operation>, document: &Document) {
    let payload = payload.unwrap_or(&Value::Null);
    assert_eq!(tree(document.as_json()).as_ref(), Some(payload));
    let field = |key| payload.as_object().and_then(|object| object.get(key));
    let number = |key| field(key).filter(|value| !value.is_null());
    assert_eq!(
        document.version(),
        number("version").and_then(Value::as_u64)
    );
    assert_eq!(document.version().is_some(), number("version").is_some());
    let timestamp = number("timestamp").map(|value| {
        // What does not fit 64 bits is later than all that does.
        Timestamp::from_number(value.as_u64().unwrap_or(u64::MAX))
    });
    assert_eq!(document.timestamp(), timestamp);
    let state = field("state");
    let within = |key| {
        let reply = state.filter(|_| operation.is_some());
        reply.and_then(|state| state.as_object()?.get(key))
    };
    let delta = if operation.is_some() {
        within("delta")
    } else {
        state
    };
    for (text, expected) in [
        (document.state(), state),
        (document.metadata(), field("metadata")),
        (document.reported(), within("reported")),
        (document.desired(), within("desired")),
        (document.delta(), delta),
    ] {
        assert_eq!(text.and_then(tree).as_ref(), expected);
        assert_eq!(text.is_some(), expected.is_some());
    }
}

fn check_request(object: &Map<String, Value>, request: &Result<Request<'_>, ParseError>) {
    let request = match request {
        Ok(request) => request,
        Err(error) => return check_refusal(object, error, &["get", "update"]),
    };
    let kind = present(object, "type").and_then(Value::as_str);
    assert_eq!(kind, Some(request.operation.as_str()));
    let token = request.token.and_then(tree);
    assert_eq!(token.as_ref(), present(object, "clientToken"));
    assert!(
        matches!(token, None | Some(Value::String(_) | Value::Number(_))),
        "{token:?}"
    );
    if request.operation == Operation::Get {
        return;
    }
    let version = present(object, "version");
    assert_eq!(request.version, version.and_then(Value::as_u64));
    assert_eq!(request.version.is_some(), version.is_some());
    let overwrite = present(object, "overwriteUpdate");
    assert_eq!(overwrite.unwrap_or(&Value::Bool(false)), request.overwrite);
    let state = present(object, "state");
    assert!(state.is_none_or(Value::is_object), "{state:?}");
    for (part, key) in [(request.reported, "reported"), (request.desired, "desired")] {
        let stated = state.and_then(|state| state.get(key));
        match part {
            Part::Absent => assert_eq!(stated, None),
            Part::Null => assert_eq!(stated, Some(&Value::Null)),
            Part::Object(text) => {
                assert!(stated.is_some_and(Value::is_object), "{stated:?}");
                assert_eq!(tree(text).as_ref(), stated);
            }
        }
    }
}

fn check_token(object: &Map<String, Value>, token: Option<&str>) {
    match (present(object, "clientToken"), token) {
        (None, None) => {}
        (Some(Value::String(stated)), Some(token)) => assert_eq!(stated, token),
        (Some(number @ Value::Number(_)), Some(token)) => {
            assert_eq!(tree(token).as_ref(), Some(number));
        }
        (stated, token) => assert_eq!((stated, token), (None, None)),
    }
}

/// Whether the reason for which a message was refused is in it.
fn check_refusal(object: &Map<String, Value>, error: &ParseError, types: &[&str]) {
    let kind = present(object, "type");
    match error {
        ParseError::MissingType => assert_eq!(kind, None),
        ParseError::UnknownType { found } => {
            let stated = kind.and_then(Value::as_str).unwrap_or_default();
            assert!(!types.contains(&stated), "{stated:?}");
            assert!(stated.starts_with(&**found), "{stated:?}");
        }
        ParseError::InvalidField { field, .. } => {
            assert!(is_invalid(object, field), "{field} in {object:?}");
        }
        // Of these nothing is left to look at.
        ParseError::NotJson { .. } | ParseError::TooDeep => {}
        error => panic!("{error:?} of an object"),
    }
}

fn is_invalid(object: &Map<String, Value>, field: &str) -> bool {
    let payload = || object.get("payload")?.as_object();
    let state = || object.get("state")?.as_object();
    let integer = |value: Option<&Value>| value.is_none_or(Value::is_u64);
    match field {
        "type" => !matches!(present(object, field), None | Some(Value::String(_))),
        "clientToken" => !matches!(
            present(object, field),
            None | Some(Value::String(_) | Value::Number(_))
        ),
        // An escaped digit in a string is no digit.
        "result" => !present(object, field).is_none_or(Value::is_i64),
        "version" => !integer(present(object, field)),
        "payload.version" => !integer(payload().and_then(|payload| present(payload, "version"))),
        "payload.timestamp" => {
            !integer(payload().and_then(|payload| present(payload, "timestamp")))
        }
        "overwriteUpdate" => !present(object, field).is_none_or(Value::is_boolean),
        "state" => !present(object, field).is_none_or(Value::is_object),
        "state.reported" | "state.desired" => {
            let key = field.trim_start_matches("state.");
            let part = state().and_then(|state| present(state, key));
            !part.is_none_or(Value::is_object)
        }
        _ => false,
    }
}

/// Writes a request that was read, in both styles, and reads it again.
fn check_written(request: &Request<'_>) {
    let token = match request.token.and_then(tree) {
        Some(Value::String(token)) => token,
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let part = |part: Part<'_>| match part {
        Part::Absent => None,
        Part::Null => Json::new("null").ok(),
        Part::Object(text) => Json::new(text).ok(),
    };
    let (reported, desired) = (part(request.reported), part(request.desired));
    for style in [JsonStyle::Compact, JsonStyle::Python] {
        let mut out = Vec::new();
        let written = match (request.operation, &reported, &desired) {
            (Operation::Get, ..) => {
                write_get(&token, style, &mut out);
                Ok(())
            }
            (Operation::Update, Some(reported), Some(desired)) => {
                let update = Update::new().reported(reported).desired(desired);
                update.write(&token, style, &mut out)
            }
            (Operation::Update, Some(reported), None) => {
                let update = Update::new().reported(reported);
                update.write(&token, style, &mut out)
            }
            (Operation::Update, None, Some(desired)) => {
                let update = Update::new().desired(desired);
                update.write(&token, style, &mut out)
            }
            (Operation::Update, None, None) => return,
        };
        // Half of a surrogate pair is JSON, but no text.
        let Ok(()) = written else {
            assert!(out.is_empty());
            return;
        };
        let again = parse_request(&out);
        let Ok(again) = again else {
            panic!("{again:?} of {}", String::from_utf8_lossy(&out));
        };
        assert_eq!(again.operation, request.operation);
        assert_eq!(
            again.token.and_then(tree),
            Some(Value::String(token.clone()))
        );
        for (part, stated) in [
            (request.reported, again.reported),
            (request.desired, again.desired),
        ] {
            assert_eq!(value(part), value(stated));
        }
    }
}

/// What a part says, as far as a tree can hold it.
fn value(part: Part<'_>) -> Option<Option<Value>> {
    match part {
        Part::Absent => None,
        Part::Null => Some(Some(Value::Null)),
        Part::Object(text) => Some(tree(text)),
    }
}
