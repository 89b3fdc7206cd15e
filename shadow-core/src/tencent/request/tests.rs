use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Counter {
    update_count: u32,
    update_count12: &'static str,
}

fn counter(update_count: u32) -> Counter {
    Counter {
        update_count,
        update_count12: "shadow",
    }
}

fn get(client_token: &str, style: JsonStyle) -> String {
    let mut out = Vec::new();
    write_get(client_token, style, &mut out);
    String::from_utf8(out).unwrap()
}

fn text<R: Serialize, D: Serialize>(update: &Update<R, D>, style: JsonStyle) -> String {
    let mut out = Vec::new();
    update.write("T", style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// PUBLISH payloads of the recorded session `python-sdk-delta`, frames 11, 14, 70 and 73. Their
/// lengths are those the vendor's printed logs show.
#[cfg(feature = "behaviours")]
#[test]
fn python_style_is_byte_for_byte_the_recorded_one() {
    let style = crate::tencent::python_sdk::JSON_STYLE;
    let first = get("PYSDKCAP01-0", style);
    assert_eq!(first, r#"{"type": "get", "clientToken": "PYSDKCAP01-0"}"#);
    assert_eq!(first.len(), 46);
    assert_eq!(get("PYSDKCAP01-20", style).len(), 47);

    for (count, token, expected, length) in [
        (
            1,
            "PYSDKCAP01-1",
            r#"{"type": "update", "state": {"reported": {"updateCount": 1, "updateCount12": "shadow"}}, "clientToken": "PYSDKCAP01-1"}"#,
            119,
        ),
        (
            7,
            "PYSDKCAP01-19",
            r#"{"type": "update", "state": {"reported": {"updateCount": 7, "updateCount12": "shadow"}}, "clientToken": "PYSDKCAP01-19"}"#,
            120,
        ),
    ] {
        let mut out = Vec::new();
        Update::new()
            .reported(counter(count))
            .write(token, style, &mut out)
            .unwrap();
        assert_eq!(out, expected.as_bytes());
        assert_eq!(out.len(), length);
    }
    // The update of the vendor's first printed log: "Sending PUBLISH ... (120 bytes)".
    let mut out = Vec::new();
    Update::new()
        .reported(counter(12))
        .write("PYSDKCAP01-1", style, &mut out)
        .unwrap();
    assert_eq!(out.len(), 120);
}

#[test]
fn parts_and_options_come_in_a_fixed_order() {
    let empty = BTreeMap::<&str, u8>::new;
    for (written, expected) in [
        (
            text(&Update::new().reported(json!({"a": 1})), JsonStyle::Compact),
            r#"{"type":"update","state":{"reported":{"a":1}},"clientToken":"T"}"#,
        ),
        (
            text(
                &Update::new().desired(empty()).reported(empty()),
                JsonStyle::Compact,
            ),
            r#"{"type":"update","state":{"reported":{},"desired":{}},"clientToken":"T"}"#,
        ),
        (
            text(&Update::new().clear_desired(), JsonStyle::Compact),
            r#"{"type":"update","state":{"desired":null},"clientToken":"T"}"#,
        ),
        #[cfg(feature = "behaviours")]
        (
            text(
                &Update::new().clear_reported().clear_desired(),
                JsonStyle::Python,
            ),
            r#"{"type": "update", "state": {"reported": null, "desired": null}, "clientToken": "T"}"#,
        ),
        #[cfg(feature = "behaviours")]
        (
            text(
                &Update::new()
                    .reported(json!({"é": null}))
                    .version(u64::MAX)
                    .overwrite(true),
                JsonStyle::Python,
            ),
            r#"{"type": "update", "state": {"reported": {"\u00e9": null}}, "version": 18446744073709551615, "overwriteUpdate": true, "clientToken": "T"}"#,
        ),
        (
            text(
                &Update::new().clear_reported().version(0).overwrite(false),
                JsonStyle::Compact,
            ),
            r#"{"type":"update","state":{"reported":null},"version":0,"clientToken":"T"}"#,
        ),
    ] {
        assert_eq!(written, expected);
    }
}

#[test]
fn tokens_are_escaped() {
    assert_eq!(
        get("a\"\\\n\u{1}é", JsonStyle::Compact),
        r#"{"type":"get","clientToken":"a\"\\\n\u0001é"}"#
    );
    #[cfg(feature = "behaviours")]
    assert_eq!(
        get("a\"é😀", JsonStyle::Python),
        r#"{"type": "get", "clientToken": "a\"\u00e9\ud83d\ude00"}"#
    );
}

#[test]
#[cfg_attr(
    not(feature = "diagnostics"),
    ignore = "the texts are shorter without it"
)]
fn a_refused_update_leaves_the_buffer_as_it_was() {
    let mut out = b"before".to_vec();
    let refused = |result: Result<(), UpdateError>, message: &str| {
        assert_eq!(result.unwrap_err().to_string(), message);
    };
    let style = JsonStyle::Compact;
    refused(
        Update::new().version(1).write("T", style, &mut out),
        "the update names neither `reported` nor `desired`",
    );
    refused(
        Update::new().reported([1]).write("T", style, &mut out),
        "`reported` is not a JSON object and not null",
    );
    refused(
        Update::new()
            .reported(counter(1))
            .desired("text")
            .write("T", style, &mut out),
        "`desired` is not a JSON object and not null",
    );
    refused(
        Update::new()
            .desired(BTreeMap::from([("a", f64::NAN)]))
            .write("T", style, &mut out),
        "the update has no JSON form: NaN and infinity have no JSON form",
    );
    refused(
        Update::new()
            .reported(BTreeMap::from([((), 1)]))
            .write("T", style, &mut out),
        "the update has no JSON form: a map key has to be a string",
    );
    assert_eq!(out, b"before");
}

#[test]
fn reads_the_recorded_requests() {
    let request = parse_request(br#"{"type": "get", "clientToken": "PYSDKCAP01-0"}"#).unwrap();
    assert_eq!(request.operation, Operation::Get);
    assert_eq!(request.token, Some(r#""PYSDKCAP01-0""#));
    let payload = br#"{"type": "update", "state": {"reported": {"updateCount": 1, "updateCount12": "shadow"}}, "clientToken": "PYSDKCAP01-1"}"#;
    assert_eq!(
        parse_request(payload).unwrap(),
        Request {
            operation: Operation::Update,
            reported: Part::Object(r#"{"updateCount": 1, "updateCount12": "shadow"}"#),
            desired: Part::Absent,
            version: None,
            overwrite: false,
            token: Some(r#""PYSDKCAP01-1""#),
        }
    );
}

#[test]
fn reads_every_field_in_any_order() {
    let payload = br#" {"x":[{}],"clientToken":8480,"overwriteUpdate":true,"version":7,
        "state":{"y":1,"desired":null,"reported":{"a":[1]}},"type":"update"} "#;
    assert_eq!(
        parse_request(payload).unwrap(),
        Request {
            operation: Operation::Update,
            reported: Part::Object(r#"{"a":[1]}"#),
            desired: Part::Null,
            version: Some(7),
            overwrite: true,
            token: Some("8480"),
        }
    );
    let payload = br#"{"type":"update","type":"get","version":"x","clientToken":null}"#;
    let request = parse_request(payload).unwrap();
    assert_eq!((request.operation, request.token), (Operation::Get, None));
}

#[test]
#[cfg_attr(
    not(feature = "diagnostics"),
    ignore = "the texts are shorter without it"
)]
fn refuses_requests_with_the_field() {
    for (payload, message) in [
        (
            "",
            "payload is not JSON: EOF while parsing a value at line 1 column 0",
        ),
        ("7", "payload is not a JSON object"),
        ("{}", "field `type` is missing"),
        (r#"{"type":"delta"}"#, "unknown `type` \"delta\""),
        (r#"{"type":1}"#, "field `type` is not a string"),
        (
            r#"{"type":"get","clientToken":true}"#,
            "field `clientToken` is not a string or a number",
        ),
        (
            r#"{"type":"update","state":[]}"#,
            "field `state` is not an object",
        ),
        (
            r#"{"type":"update","state":{"reported":1}}"#,
            "field `state.reported` is not an object or null",
        ),
        (
            r#"{"type":"update","state":{"desired":"{"}}"#,
            "field `state.desired` is not an object or null",
        ),
        (
            r#"{"type":"update","version":-1}"#,
            "field `version` is not an integer from 0 to 18446744073709551615",
        ),
        (
            r#"{"type":"update","version":1.0}"#,
            "field `version` is not an integer from 0 to 18446744073709551615",
        ),
        (
            r#"{"type":"update","overwriteUpdate":1}"#,
            "field `overwriteUpdate` is not true or false",
        ),
    ] {
        let error = parse_request(payload.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), message, "{payload}");
    }
}

proptest! {
    #[test]
    fn what_the_device_writes_the_cloud_reads(
        token in any::<String>(),
        text in any::<String>(),
        version in any::<Option<u64>>(),
        overwrite in any::<bool>(),
        style in prop::sample::select(&[
            JsonStyle::Compact,
            #[cfg(feature = "behaviours")]
            JsonStyle::Python,
        ]),
    ) {
        let value = json!({ "text": text });
        let mut update = Update::new().reported(&value).clear_desired().overwrite(overwrite);
        if let Some(version) = version {
            update = update.version(version);
        }
        let mut out = Vec::new();
        update.write(&token, style, &mut out).unwrap();
        let request = parse_request(&out).unwrap();
        prop_assert_eq!(request.operation, Operation::Update);
        let Part::Object(reported) = request.reported else { panic!("no object") };
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(reported).unwrap(), value);
        prop_assert_eq!(request.desired, Part::Null);
        prop_assert_eq!(request.version, version);
        prop_assert_eq!(request.overwrite, overwrite);
        prop_assert_eq!(serde_json::from_str::<String>(request.token.unwrap()).unwrap(), token);
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(payload in any::<Vec<u8>>(), tail in "[\\[\\]{}\",:\\\\a0 ]*") {
        let _ = parse_request(&payload);
        let _ = parse_request(format!(r#"{{"type":"update","state":{tail}"#).as_bytes());
    }
}
