use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{KEY, masks};
use crate::config::{Config, Login};
use crate::mqtt::link::TransportFailure;
use crate::recording::input::Request;
use crate::recording::mask::Mask;
use crate::recording::mask::masker::Masker;
use crate::session::Session;
use crate::tencent::{DeviceInfo, ShadowName, reply};

fn lamp() -> Config {
    Config::new(&DeviceInfo::with_key("PRODUCT001", "lamp", "c2VjcmV0").unwrap())
}

fn masker(mask: Mask, config: &Config) -> Masker {
    Masker::new(mask, &KEY, config, &Session::new())
}

fn payload(masker: &Masker, topic: &str, payload: &str) -> String {
    String::from_utf8(masker.message(topic, payload.as_bytes()).1).unwrap()
}

#[test]
fn all_that_an_engine_goes_by_stays() {
    let masker = masker(masks()[2], &lamp());
    let topic = "$shadow/operation/result/PRODUCT001/lamp";
    // Numbers and words of the protocol, a code in quotes among them, and nothing else.
    let kept = r#"{"clientToken":8480,"payload":{"state":null,"metadata":{"reported":{"a":{"timestamp":16}}},"timestamp":1626770626087,"version":8},"result":"-12","timestamp":1626770697,"type":"update"}"#;
    assert_eq!(payload(&masker, topic, kept), kept);
    let request = r#"{"type": "update", "state": {"reported": {}, "desired": null}, "version": 21, "overwriteUpdate": true, "clientToken": "AbCdEfGh-5"}"#;
    assert_eq!(payload(&masker, topic, request), request);
    // The same words as values, keys and kinds of their own.
    for values in [
        r#"{"payload":{"state":{"version":8888888,"timestamp":"7777777"}}}"#,
        r#"{"payload":{"metadata":{"a":"a text that is none"}},"type":"gets","result":"x1"}"#,
        r#"{"state":{"payload":{"version":123456}}}"#,
        r#"[{"version":123456}]"#,
        r#"{"payload":[{"version":123456}]}"#,
        r#"{"payload":{"version":"123456 and more"}}"#,
    ] {
        let masked = payload(&masker, topic, values);
        assert_eq!(masked.len(), values.len());
        for text in ["8888888", "7777777", "123456", "a text", "gets", "x1"] {
            assert!(!masked.contains(text), "{masked}");
        }
        let keys = |text: &str| text.matches("version").count() + text.matches("payload").count();
        assert_eq!(keys(&masked), keys(values));
    }
}

#[test]
fn a_token_keeps_its_number_and_goes_with_the_product() {
    let masker = masker(masks()[0], &lamp());
    let topic = masker.topic("$shadow/operation/PRODUCT001/lamp");
    let product_id = topic.split('/').nth(2).unwrap();
    assert_ne!(product_id, "PRODUCT001");
    let masked = payload(
        &masker,
        "$shadow/operation/PRODUCT001/lamp",
        r#"{"type":"get","clientToken":"PRODUCT001-17"}"#,
    );
    let expected = alloc::format!(r#"{{"type":"get","clientToken":"{product_id}-17"}}"#);
    assert_eq!(masked, expected);
    // It is another shadow's product, whose counter it is.
    let masked = payload(
        &masker,
        "$shadow/operation/P/x",
        r#"{"clientToken":"P-17"}"#,
    );
    let other = masker.topic("$shadow/operation/P/x");
    let expected = alloc::format!(r#"{{"clientToken":"{}-17"}}"#, &other[18..19]);
    assert_eq!(masked, expected);
}

#[test]
fn a_topic_keeps_its_levels_and_wildcards() {
    let masker = masker(masks()[0], &lamp());
    let own = masker.topic("$shadow/operation/PRODUCT001/lamp");
    let names = own.strip_prefix("$shadow/operation/").unwrap();
    let (product_id, device_name) = names.split_once('/').unwrap();
    assert_eq!((product_id.len(), device_name.len()), (10, 4));
    for (topic, expected) in [
        (
            "$shadow/operation/result/PRODUCT001/lamp",
            ["$shadow/operation/result/", names].concat(),
        ),
        ("$shadow/operation/#", "$shadow/operation/#".into()),
        ("PRODUCT001/+/#", [product_id, "/+/#"].concat()),
        ("/lamp//", ["/", device_name, "//"].concat()),
        ("PRODUCT001lamp", [product_id, device_name].concat()),
        ("#", "#".into()),
        ("", "".into()),
    ] {
        assert_eq!(masker.topic(topic), expected, "{topic}");
    }
    let other = masker.topic("$thing/up/lamp");
    assert!(
        other.starts_with("$thing/") && other.ends_with(device_name),
        "{other}"
    );
    assert_eq!(masker.topic("lamps").len(), 5);
    assert!(!masker.topic("lamps").starts_with(device_name));
}

#[test]
fn a_name_is_found_as_a_word() {
    let mut masker = masker(masks()[0], &lamp());
    let own = masker.topic("$shadow/operation/PRODUCT001/lamp");
    let names = own.strip_prefix("$shadow/operation/").unwrap();
    let (product_id, device_name) = names.split_once('/').unwrap();
    for (text, expected) in [
        ("lamp", device_name.to_string()),
        ("lamps clamp lamp1", "lamps clamp lamp1".into()),
        (
            "a-lamp_x: lamp",
            alloc::format!("a-{device_name}_x: {device_name}"),
        ),
        ("灯lamp灯", alloc::format!("灯{device_name}灯")),
        (
            "PRODUCT001lamp at PRODUCT001.iotcloud.tencentdevices.com:8883",
            alloc::format!(
                "{product_id}{device_name} at {product_id}.iotcloud.tencentdevices.com:8883"
            ),
        ),
        ("", "".into()),
    ] {
        let failure = TransportFailure::Broken(text.into());
        assert_eq!(
            masker.failure(failure),
            TransportFailure::Broken(expected.clone())
        );
        assert_eq!(payload(&masker, "t", text), expected);
        let json = alloc::format!("{{\"a\":\"{text}\"}}");
        let expected = alloc::format!("{{\"a\":\"{expected}\"}}");
        assert_eq!(payload(&masker, "$shadow/operation/x/y", &json), expected);
    }
    // A host name can have it in small letters, which tells as much.
    let host = TransportFailure::ConnectFailed("product001.example.com: Lamp".into());
    let small = product_id.to_ascii_lowercase();
    let mut capital = device_name.to_string();
    capital.replace_range(..1, &device_name[..1].to_ascii_uppercase());
    let expected = alloc::format!("{small}.example.com: {capital}");
    assert_eq!(
        masker.failure(host),
        TransportFailure::ConnectFailed(expected)
    );
    // Another's only once it is attached, and not in documents, which have to stay the same.
    let document = r#"{"a":"bulb"}"#;
    assert_eq!(payload(&masker, "t", document), document);
    let name = ShadowName::new("PRODUCT001", "bulb").unwrap();
    let Request::Attach(masked) = masker.request(Request::Attach(name)) else {
        panic!("it is another request");
    };
    assert_eq!(masked.product_id(), product_id);
    let expected = alloc::format!(r#"{{"a":"{}"}}"#, masked.device_name());
    assert_eq!(payload(&masker, "t", document), expected);
    assert_eq!(
        payload(&masker, "$shadow/operation/x/y", document),
        document
    );
}

/// However many shadows come and go.
#[test]
fn no_more_names_are_kept_than_shadows_can_be_attached() {
    let mut config = lamp();
    config.maximum_subscriptions = 2;
    let mut masker = masker(masks()[0], &config);
    for number in 100..200 {
        let name = ShadowName::new("PRODUCT001", &alloc::format!("bulb{number}")).unwrap();
        masker.request(Request::Attach(name));
    }
    let text = "bulb197 bulb198 bulb199 lamp";
    let masked = payload(&masker, "t", text);
    let same: Vec<bool> = text
        .split(' ')
        .zip(masked.split(' '))
        .map(|(a, b)| a == b)
        .collect();
    // Client id and device name of each: six texts have room for three of them.
    assert_eq!(same, [false; 4]);
    assert_eq!(payload(&masker, "t", "bulb196"), "bulb196");
}

#[test]
fn a_user_name_goes_with_its_client_id() {
    let mut config = lamp();
    config.login = Login::Plain {
        client_id: "PRODUCT001lamp".into(),
        user_name: Some("PRODUCT001lamp;12010126;abcde;1700000000".into()),
        password: None,
    };
    let start = masker(masks()[0], &config).start(&config, &Session::new(), 7);
    let Login::Plain {
        client_id,
        user_name,
        ..
    } = start.config.login
    else {
        panic!("it is another login");
    };
    assert_eq!(client_id, start.config.own_shadow.unwrap().client_id());
    assert_ne!(client_id, "PRODUCT001lamp");
    assert_eq!(user_name, Some(client_id + ";12010126;abcde;1700000000"));
    assert_eq!(start.seed, 7);
}

#[test]
fn what_is_no_text_stays_none_from_the_same_byte_on() {
    let masker = masker(masks()[1], &lamp());
    for bytes in [
        &b"\xff"[..],
        b"{\"a\":\"text\xc3",
        b"gr\xc3\xbcn \xed\xa0\x80 and more",
        b"\x00\x01\x80binary",
    ] {
        let topic = "$shadow/operation/result/PRODUCT001/lamp";
        let masked = masker.message(topic, bytes).1;
        assert_eq!(masked.len(), bytes.len());
        assert_eq!(
            reply::parse(&masked).unwrap_err(),
            reply::parse(bytes).unwrap_err()
        );
        assert!(
            !masked
                .windows(4)
                .any(|four| [&b"text"[..], b"bina", b"more"].contains(&four))
        );
    }
}
