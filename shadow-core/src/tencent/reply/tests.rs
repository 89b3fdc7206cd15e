use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Replies of the vendor's cloud as its printed logs show them, compact, with the product id the
/// lengths call for and the one byte more that they have; and the lengths printed beside them.
const PRINTED: &[(&str, usize, Operation, &str, u64, u64, &str)] = &[
    (
        "{\"clientToken\":\"PYSDKCAP01-0\",\"payload\":{\"state\":{\"reported\":{\"updateCount\":0,\"updateCount11\":\"shadow\"}},\"timestamp\":1626770626087,\"version\":8},\"result\":0,\"timestamp\":1626770697,\"type\":\"get\"}\n",
        192,
        Operation::Get,
        "PYSDKCAP01-0",
        8,
        1_626_770_626_087,
        r#"{"updateCount":0,"updateCount11":"shadow"}"#,
    ),
    (
        "{\"clientToken\":\"PYSDKCAP01-3\",\"payload\":{\"state\":{\"reported\":{\"updateCount\":12,\"updateCount11\":\"shadow\",\"updateCount12\":\"shadow\"}},\"timestamp\":1626770698640,\"version\":10},\"result\":0,\"timestamp\":1626770698,\"type\":\"get\"}\n",
        219,
        Operation::Get,
        "PYSDKCAP01-3",
        10,
        1_626_770_698_640,
        r#"{"updateCount":12,"updateCount11":"shadow","updateCount12":"shadow"}"#,
    ),
    (
        "{\"clientToken\":\"PYSDKCAP01-0\",\"payload\":{\"state\":{\"reported\":{\"updateCount\":1}},\"timestamp\":1626771521739,\"version\":21},\"result\":0,\"timestamp\":1626771521739,\"type\":\"update\"}\n",
        174,
        Operation::Update,
        "PYSDKCAP01-0",
        21,
        1_626_771_521_739,
        r#"{"updateCount":1}"#,
    ),
    (
        "{\"clientToken\":\"PYSDKCAP01-1\",\"payload\":{\"state\":{\"reported\":{\"updateCount\":1,\"updateCount11\":\"shadow\",\"updateCount12\":\"shadow\"}},\"timestamp\":1626771521739,\"version\":21},\"result\":0,\"timestamp\":1626771521,\"type\":\"get\"}\n",
        218,
        Operation::Get,
        "PYSDKCAP01-1",
        21,
        1_626_771_521_739,
        r#"{"updateCount":1,"updateCount11":"shadow","updateCount12":"shadow"}"#,
    ),
];

fn document(payload: &str) -> Document {
    match parse(payload.as_bytes()).unwrap() {
        Message::Reply { body, .. } | Message::Delta { body } => body.to_document(),
    }
}

#[test]
fn reads_the_printed_replies() {
    for (payload, length, operation, token, version, millis, reported) in PRINTED {
        assert_eq!(payload.len(), *length);
        let message = parse(payload.as_bytes()).unwrap();
        let Message::Reply {
            operation: found,
            token: found_token,
            result,
            body,
        } = message
        else {
            panic!("not a reply");
        };
        assert_eq!(
            (found, found_token.as_deref(), result),
            (*operation, Some(*token), 0)
        );
        let document = Document::from(&body);
        assert_eq!(document.version(), Some(*version));
        assert_eq!(document.timestamp().unwrap().as_unix_millis(), *millis);
        assert_eq!(document.reported(), Some(*reported));
        assert_eq!(
            document.state(),
            Some(&*format!("{{\"reported\":{reported}}}"))
        );
        assert_eq!((document.desired(), document.delta()), (None, None));
        assert!(payload.contains(&format!("\"payload\":{},\"result\"", document.as_json())));
    }
}

/// Frames 29 and 77 of the recorded session `python-sdk-delta`.
#[test]
fn reads_the_recorded_deltas() {
    let payload = "{\"payload\":{\"state\":{\"updateCount12\":\"from-app\"},\"timestamp\":1795374219441,\"version\":3},\"timestamp\":1795374219441,\"type\":\"delta\"}\n";
    let Message::Delta { body } = parse(payload.as_bytes()).unwrap() else {
        panic!("not a delta");
    };
    let document = body.to_document();
    assert_eq!(document.delta(), Some(r#"{"updateCount12":"from-app"}"#));
    assert_eq!(document.state(), document.delta());
    assert_eq!((document.desired(), document.reported()), (None, None));
    assert_eq!((body.version(), document.version()), (Some(3), Some(3)));

    let payload = "{\"payload\":{\"state\":{\"nested\":{\"a\":[1,2],\"b\":1.5},\"power\":false,\"updateCount12\":\"来自应用 \\\"x\\\"\"},\"timestamp\":1795374242958,\"version\":10},\"timestamp\":1795374242958,\"type\":\"delta\"}\n";
    let delta: Value = self::document(payload).delta_as().unwrap().unwrap();
    assert_eq!(delta["updateCount12"], "来自应用 \"x\"");
    assert_eq!(delta["nested"]["b"], 1.5);
}

/// Frame 32 of the recorded session `python-sdk-delta`.
#[test]
fn a_get_reply_has_the_delta_beside_desired_and_reported() {
    let document = document(
        "{\"clientToken\":\"PYSDKCAP01-6\",\"payload\":{\"state\":{\"delta\":{\"updateCount12\":\"from-app\"},\"desired\":{\"updateCount12\":\"from-app\"},\"reported\":{\"updateCount\":2,\"updateCount12\":\"shadow\"}},\"timestamp\":1795374219441,\"version\":3},\"result\":0,\"timestamp\":1795374221,\"type\":\"get\"}\n",
    );
    assert_eq!(document.delta(), Some(r#"{"updateCount12":"from-app"}"#));
    assert_eq!(document.desired(), Some(r#"{"updateCount12":"from-app"}"#));
    assert_eq!(
        document.reported(),
        Some(r#"{"updateCount":2,"updateCount12":"shadow"}"#)
    );
}

/// A device may have properties by the names of the parts.
#[test]
fn a_delta_of_a_property_called_reported_is_a_delta() {
    let document = document(
        r#"{"type":"delta","payload":{"state":{"reported":1,"desired":2,"delta":3},"version":1}}"#,
    );
    assert_eq!(
        document.delta(),
        Some(r#"{"reported":1,"desired":2,"delta":3}"#)
    );
    assert_eq!((document.reported(), document.desired()), (None, None));
}

#[test]
fn order_white_space_and_other_fields_do_not_matter() {
    let payload = "\r\n\t {\n\"type\" : \"get\" , \"x\" : [ { \"type\" : 1 } , \"}\" ] ,
        \"payload\" : { \"version\" : 5 , \"metadata\" : { \"reported\" : { } } , \"y\" : null ,
        \"state\" : { \"z\" : { } , \"desired\" : null , \"reported\" : { \"a\" : 1 } } ,
        \"timestamp\" : 1626770697 } , \"result\" : \"5005\" , \"clientToken\" : 8480 }  \n\0"
        .trim_end_matches('\0');
    let Message::Reply {
        operation,
        token,
        result,
        body,
    } = parse(payload.as_bytes()).unwrap()
    else {
        panic!("not a reply");
    };
    assert_eq!(
        (operation, token.as_deref()),
        (Operation::Get, Some("8480"))
    );
    assert_eq!(result, VERSION_CONFLICT);
    let document = body.to_document();
    assert_eq!(document.reported(), Some("{ \"a\" : 1 }"));
    assert_eq!(document.desired(), Some("null"));
    assert_eq!(document.desired_as::<Value>().unwrap(), None);
    assert_eq!(document.metadata(), Some("{ \"reported\" : { } }"));
    assert!(document.metadata_as::<Value>().unwrap().is_some());
    assert_eq!(document.delta_as::<Value>().unwrap(), None);
    assert_eq!(
        document.timestamp().unwrap().as_unix_millis(),
        1_626_770_697_000
    );
    assert!(document.as_json().starts_with("{ \"version\"") && document.as_json().ends_with("7 }"));
}

#[test]
fn of_a_key_that_comes_twice_the_last_holds() {
    let document = document(
        r#"{"payload":{"version":1,"state":{"desired":{}}},"payload":{"version":"x","version":2,
        "state":{"reported":{"a":1},"delta":{}},"state":{"reported":{"a":2}}},"type":0,"type":"get"}"#,
    );
    assert_eq!(document.version(), Some(2));
    assert_eq!(document.reported(), Some(r#"{"a":2}"#));
    assert_eq!((document.desired(), document.delta()), (None, None));
}

#[test]
fn escaped_keys_and_tokens_are_read() {
    let payload = br#"{"\u0074ype":"\u0067et","clientToken":"a\"\u00e9\ud83d\ude00"}"#;
    let Message::Reply {
        operation, token, ..
    } = parse(payload).unwrap()
    else {
        panic!("not a reply");
    };
    assert_eq!(
        (operation, token.as_deref()),
        (Operation::Get, Some("a\"é😀"))
    );
}

#[test]
fn a_payload_may_be_anything() {
    for (payload, json, state) in [
        (r#"{"type":"get"}"#, "null", None),
        (r#"{"type":"get","payload":null}"#, "null", None),
        (
            r#"{"type":"get","payload":[1, {"state":2}]}"#,
            r#"[1, {"state":2}]"#,
            None,
        ),
        (r#"{"type":"update","payload":"text"}"#, r#""text""#, None),
        (r#"{"type":"get","payload":{}}"#, "{}", None),
        (
            r#"{"type":"get","payload":{"state":7}}"#,
            r#"{"state":7}"#,
            Some("7"),
        ),
        (
            r#"{"type":"delta","payload":{"state":null}}"#,
            r#"{"state":null}"#,
            Some("null"),
        ),
        (
            r#"{"type":"get","payload":{"version":null,"timestamp":null}}"#,
            r#"{"version":null,"timestamp":null}"#,
            None,
        ),
    ] {
        let document = document(payload);
        assert_eq!(document.as_json(), json);
        assert_eq!(document.state(), state);
        assert_eq!((document.version(), document.timestamp()), (None, None));
        assert_eq!(format!("{document:?}"), json);
    }
}

#[test]
fn result_codes_are_open() {
    for (result, expected) in [
        ("", 0),
        (r#","result":null"#, 0),
        (r#","result":-9223372036854775808"#, i64::MIN),
        (r#","result":"17""#, 17),
    ] {
        let payload = format!(r#"{{"type":"update"{result}}}"#);
        let Message::Reply { result, token, .. } = parse(payload.as_bytes()).unwrap() else {
            panic!("not a reply");
        };
        assert_eq!((result, token), (expected, None));
    }
}

#[test]
fn timestamps_of_any_size_become_milliseconds() {
    for (number, millis) in [
        ("0", 0),
        ("1795373235", 1_795_373_235_000),
        ("99999999999", 99_999_999_999_000),
        ("100000000000", 100_000_000_000),
        ("1795373235720", 1_795_373_235_720),
        ("18446744073709551615", u64::MAX),
        ("99999999999999999999999999", u64::MAX),
    ] {
        let payload = format!(r#"{{"type":"get","payload":{{"timestamp":{number}}}}}"#);
        assert_eq!(
            document(&payload).timestamp().unwrap().as_unix_millis(),
            millis,
            "{number}"
        );
    }
}

#[test]
fn numbers_survive_unchanged() {
    let reported = r#"{"big":18446744073709551615,"small":-9223372036854775808,"decimal":0.1000000000000000055511151231257827021181583404541015625,"trailing":1.50,"exponent":1E-7}"#;
    let payload = format!(r#"{{"type":"get","payload":{{"state":{{"reported":{reported}}}}}}}"#);
    let document = document(&payload);
    assert_eq!(document.reported(), Some(reported));
    #[derive(serde::Deserialize)]
    struct Numbers {
        big: u64,
        small: i64,
        trailing: f64,
    }
    let numbers: Numbers = document.reported_as().unwrap().unwrap();
    assert_eq!(
        (numbers.big, numbers.small, numbers.trailing),
        (u64::MAX, i64::MIN, 1.5)
    );
    assert!(document.reported_as::<BTreeMap<String, u8>>().is_err());
}

#[test]
fn equal_means_equal_text() {
    let one = document(r#"{"type":"get","payload":{"version":1},"clientToken":"a"}"#);
    let same = document(r#"{"clientToken":"b","payload":{"version":1},"type":"update"}"#);
    let other = document(r#"{"type":"get","payload":{"version":2}}"#);
    assert_eq!(one, same);
    assert_ne!(one, other);
}

#[test]
#[cfg_attr(
    not(feature = "diagnostics"),
    ignore = "the texts are shorter without it"
)]
fn faults_are_told_with_the_field() {
    let long = format!(r#"{{"type":"{}"}}"#, "é".repeat(65));
    let cut = format!("unknown `type` {:?}", "é".repeat(64));
    let not_json = "payload is not JSON: ";
    for (payload, message) in [
        (
            "",
            format!("{not_json}EOF while parsing a value at line 1 column 0"),
        ),
        (
            "{\"type\":\n\"get\",}",
            format!("{not_json}key must be a string at line 2 column 7"),
        ),
        (
            "{} {}",
            format!("{not_json}trailing characters at line 1 column 4"),
        ),
        ("[]", "payload is not a JSON object".into()),
        ("null", "payload is not a JSON object".into()),
        ("{}", "field `type` is missing".into()),
        (r#"{"type":null}"#, "field `type` is missing".into()),
        (r#"{"type":{}}"#, "field `type` is not a string".into()),
        (
            r#"{"type":"\ud800"}"#,
            "field `type` is not a string".into(),
        ),
        (r#"{"type":"report"}"#, "unknown `type` \"report\"".into()),
        (&long, cut),
        (
            r#"{"type":"get","clientToken":["a"]}"#,
            "field `clientToken` is not a string or a number".into(),
        ),
        (
            r#"{"type":"get","result":1.5}"#,
            "field `result` is not an integer of 64 bits".into(),
        ),
        (
            r#"{"type":"get","result":"ok"}"#,
            "field `result` is not an integer of 64 bits".into(),
        ),
        // The text "null" is not null: it says nothing of success.
        (
            r#"{"type":"get","result":"null"}"#,
            "field `result` is not an integer of 64 bits".into(),
        ),
        (
            r#"{"type":"get","result":true}"#,
            "field `result` is not an integer of 64 bits".into(),
        ),
        (
            r#"{"type":"get","payload":{"version":-1}}"#,
            "field `payload.version` is not an integer from 0 to 18446744073709551615".into(),
        ),
        (
            r#"{"type":"get","payload":{"version":18446744073709551616}}"#,
            "field `payload.version` is not an integer from 0 to 18446744073709551615".into(),
        ),
        (
            r#"{"type":"delta","payload":{"version":"3"}}"#,
            "field `payload.version` is not an integer from 0 to 18446744073709551615".into(),
        ),
        (
            r#"{"type":"delta","payload":{"timestamp":-5}}"#,
            "field `payload.timestamp` is not an integer that is not negative".into(),
        ),
        (
            r#"{"type":"delta","payload":{"timestamp":1.5}}"#,
            "field `payload.timestamp` is not an integer that is not negative".into(),
        ),
    ] {
        assert_eq!(
            parse(payload.as_bytes()).unwrap_err().to_string(),
            message,
            "{payload}"
        );
    }
    assert_eq!(
        parse(b"{\"type\":\"\xff\"}"),
        Err(ParseError::NotUtf8 { valid_up_to: 9 })
    );
    let error = parse(b"{\"type\":\n\"get\",}").unwrap_err();
    assert!(matches!(
        error,
        ParseError::NotJson {
            line: 2,
            column: 7,
            ..
        }
    ));
}

#[test]
fn deep_nesting_is_refused_without_using_the_stack() {
    let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
    for levels in [129, 100_000] {
        let deep = nested(levels);
        for payload in [
            deep.clone(),
            format!(r#"{{"unknown":{deep},"type":"get"}}"#),
            format!(r#"{{"type":"get","payload":{{"x":{deep}}}}}"#),
            format!(r#"{{"type":"get","payload":{{"state":{{"reported":{deep}}}}}}}"#),
            format!(r#"{{"type":"get","payload":{{"state":{{"x":{deep}}}}}}}"#),
        ] {
            assert_eq!(parse(payload.as_bytes()), Err(ParseError::TooDeep));
        }
    }
    let reported = nested(128);
    let payload = format!(r#"{{"type":"get","payload":{{"state":{{"reported":{reported}}}}}}}"#);
    assert_eq!(document(&payload).reported(), Some(&*reported));
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(payload in any::<Vec<u8>>(), tail in "[\\[\\]{}\",:\\\\a0 ]*") {
        let _ = parse(&payload);
        let _ = parse(tail.as_bytes());
        let _ = parse(format!(r#"{{"type":"get","payload":{{"state":{tail}"#).as_bytes());
    }

    /// A recorded payload with one byte changed is read or refused, and what is read is JSON.
    #[test]
    fn damaged_replies_do_not_panic(at in 0_usize..218, byte in any::<u8>()) {
        let mut payload = PRINTED[3].0.as_bytes().to_vec();
        payload[at] = byte;
        if let Ok(Message::Reply { body, .. } | Message::Delta { body }) = parse(&payload) {
            let document = body.to_document();
            for part in [Some(document.as_json()), document.state(), document.reported()] {
                prop_assert!(part.is_none_or(|part| crate::json::Json::new(part).is_ok()));
            }
        }
    }

    /// serde_json's tree is the reference.
    #[test]
    fn parts_are_those_serde_json_finds(key in any::<String>(), text in any::<String>(), at in 0..4) {
        let mut state = serde_json::Map::new();
        for (index, part) in ["reported", "desired", "delta"].into_iter().enumerate() {
            if index as i32 != at {
                state.insert(part.into(), serde_json::json!({ &key: [&text, { &text: index }] }));
            }
        }
        let payload = serde_json::json!({ "state": state, "version": 3, format!("_{text}"): &key });
        let message = serde_json::json!({ "type": "get", "payload": &payload, "a": &text });
        let document = document(&message.to_string());
        prop_assert_eq!(&serde_json::from_str::<Value>(document.as_json()).unwrap(), &payload);
        for (name, part) in [
            ("reported", document.reported_as::<Value>()),
            ("desired", document.desired_as()),
            ("delta", document.delta_as()),
        ] {
            prop_assert_eq!(part.unwrap(), payload["state"].get(name).cloned());
        }
    }
}
