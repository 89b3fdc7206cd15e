//! One device with a marker for every name and value, which no masked recording holds in any
//! spelling.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::cloud::Pair;
use super::masks;
use crate::config::{Config, Login, TokenStyle, Will};
use crate::json::{Json, JsonStyle};
use crate::mqtt::link::{Publication, TransportFailure};
use crate::mqtt::{ProtocolVersion, QoS};
use crate::recording::Mask;
use crate::recording::tests::SECRET;
use crate::session::Session;
use crate::tencent::{DeviceInfo, Secret, ShadowName, Update};

/// The base64 of `TOPSECRET-KEY`, which is [`SECRET`].
const SECRETS: [&str; 3] = ["TOPSECRET", SECRET, "plain-password"];

/// A sub-device's name is one only once it was attached, but where it is a level of a topic.
const NAMES: [&str; 5] = [
    "MARKPID001",
    "markdevice",
    "markchild",
    "marküber",
    "marklevel",
];

const VALUES: [&str; 9] = [
    "MARKVALUE-reported",
    "MARKVALUE-desired",
    "MARKVALUE-größer",
    "MARKVALUE-payload",
    "MARKVALUE-text",
    "MARKVALUE-will",
    "MARKVALUE-reason",
    "MARKVALUE-stored",
    "4711471147",
];

/// How a marker may stand in a recording: as it is, by the bytes of its UTF-8, with escapes, and in
/// base64 behind any number of other bytes.
fn spellings(marker: &str) -> Vec<String> {
    let bytes: String = marker.bytes().map(char::from).collect();
    let escaped = |text: &str, upper: bool| -> String {
        let escape = |unit: u16| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
            _ if upper => format!("\\u{unit:04X}"),
            _ => format!("\\u{unit:04x}"),
        };
        text.encode_utf16().map(escape).collect()
    };
    let mut spellings = Vec::from([
        marker.to_string(),
        escaped(marker, false),
        escaped(marker, true),
        escaped(&bytes, false),
        // A payload in Python's style, within a string.
        escaped(marker, false).replace('\\', "\\\\"),
        bytes,
    ]);
    for before in 0..3_usize {
        let text = "x".repeat(before) + marker;
        let encoded = STANDARD_NO_PAD.encode(text);
        // The first and the last character may have bits of others.
        let start = (before * 8).div_ceil(6);
        spellings.push(encoded[start..encoded.len() - 1].into());
    }
    spellings
}

fn holds(recording: &str, marker: &str) -> bool {
    let spellings = spellings(marker);
    spellings
        .iter()
        .any(|spelling| recording.contains(spelling))
}

/// A device's life with all that a recording can tell of it, in two runs; the recordings in clear and
/// masked.
fn recordings(mut config: Config, mask: Mask) -> [(String, String); 2] {
    let will = br#"{"gone":"MARKVALUE-will"}"#;
    config.will = Will::new("wills/marklevel/markdevice", will, QoS::AtLeastOnce, false);
    config.clean_session = false;
    config.shadow_qos = QoS::AtLeastOnce;
    let name = config.own_shadow.clone().unwrap();
    let mut pair = Pair::new(&config, &Session::new(), mask);
    pair.tick(Duration::from_secs(1));
    pair.deliver(&[1, 7, 3]);
    let own = pair.own().unwrap();
    let subscribed = pair
        .both(|engine, now| engine.subscribe(now, "MARKPID001/+/marklevel/#", QoS::AtLeastOnce));
    subscribed.unwrap();
    pair.drain();
    pair.deliver(&[5]);
    let document = r#"{"text":"MARKVALUE-stored","größe":"MARKVALUE-größer","n":4711471147}"#;
    let document = Json::new(document).unwrap();
    pair.both(|engine, now| engine.report(now, own, &document))
        .unwrap();
    pair.drain();
    pair.deliver(&[11]);
    // It answers no more: what is sent now is unacknowledged over the restart.
    pair.cloud.silent = true;
    pair.cloud.forgetful = true;
    let payload = br#"{"a":"MARKVALUE-payload","b":[4711471147.5]}"#;
    for payload in [
        &payload[..],
        b"the MARKVALUE-text of markdevice",
        b"\xff4711471147 MARKVALUE-text",
    ] {
        let topic = "MARKPID001/markdevice/marklevel";
        let publication = Publication::new(topic, payload).qos(QoS::AtLeastOnce);
        pair.both(|engine, now| engine.publish(now, &publication))
            .unwrap();
    }
    let document = Json::new(r#"{"text":"MARKVALUE-reported"}"#).unwrap();
    pair.both(|engine, now| engine.report(now, own, &document))
        .unwrap();
    let desired = r#"{"wish":{"of":"MARKVALUE-desired","n":4711471147e0}}"#;
    pair.cloud
        .desire(&name, desired, QoS::AtLeastOnce, &mut pair.wire);
    pair.drain();
    pair.deliver(&[13, 2]);
    assert_eq!(pair.deltas.len(), 1);
    let (session, plain, masked) = pair.finish(&[]);
    let first = (plain, masked);

    let session = Session::from_bytes(&session.to_bytes()).unwrap();
    let mut pair = Pair::new(&config, &session, mask);
    pair.tick(Duration::from_secs(1));
    pair.deliver(&[2, 9]);
    let child = ShadowName::new("MARKPID001", "markchild").unwrap();
    let über = ShadowName::new("MARKPID001", "marküber").unwrap();
    pair.both(|engine, now| engine.attach(now, &über)).unwrap();
    let id = pair.both(|engine, now| engine.attach(now, &child)).unwrap();
    pair.both(|engine, now| engine.attach(now, &child))
        .unwrap_err();
    pair.drain();
    pair.deliver(&[17]);
    pair.both(|engine, now| {
        let update = Update::new()
            .reported(&document)
            .desired(&document)
            .version(4);
        engine.update(now, id, &update)
    })
    .unwrap();
    pair.drain();
    pair.deliver(&[400]);
    let topic = child.result_topic();
    let stranger = br#"{"type":"get","clientToken":"MARKPID001-77","result":0,"payload":{"state":{"a":"MARKVALUE-text"}}}"#;
    for (topic, payload) in [
        (&*topic, &stranger[..]),
        (&topic, br#"{"type":"get","clientToken":"MARKPID001-77","#),
        (&topic, b"MARKVALUE-text"),
        (
            "MARKPID001/markchild/marklevel/x",
            br#"{"who":"markchild","what":"MARKVALUE-payload"}"#,
        ),
        ("MARKPID001/markchild/marklevel/x", &[b'M'; 300]),
    ] {
        pair.cloud
            .send(topic, payload, QoS::AtLeastOnce, &mut pair.wire);
        pair.deliver(&[40, 1]);
    }
    pair.cloud
        .desire(&child, desired, QoS::AtMostOnce, &mut pair.wire);
    pair.deliver(&[60]);
    let delta = pair.deltas.pop().unwrap();
    let reason = "MARKVALUE-reason: markdevice cannot";
    pair.both(|engine, now| engine.reject(now, &delta, reason))
        .unwrap();
    pair.both(|engine, now| engine.accept_as(now, &delta, &document))
        .unwrap();
    pair.drain();
    pair.deliver(&[8]);
    let refused = Publication::new("MARKPID001/#", b"MARKVALUE-payload");
    pair.both(|engine, now| engine.publish(now, &refused))
        .unwrap_err();
    let why = "MARKPID001.iotcloud.tencentdevices.com:8883 (markchild)".to_string();
    let failure = TransportFailure::Broken(why);
    pair.both(|engine, now| engine.handle_disconnected(now, failure.clone()));
    pair.drain();
    pair.tick(Duration::from_secs(100));
    pair.deliver(&[30]);
    pair.both(|engine, now| engine.detach(now, id)).unwrap();
    pair.both(|engine, now| engine.close(now));
    pair.drain();
    let (_, plain, masked) = pair.finish(&[]);
    [first, (plain, masked)]
}

fn device() -> Config {
    let device = DeviceInfo::with_key("MARKPID001", "markdevice", SECRET).unwrap();
    let mut config = Config::new(&device);
    config.maximum_packet_size = 250;
    config
}

fn check(config: &Config) {
    for mask in masks() {
        let all = recordings(config.clone(), mask);
        let [(plain, masked), (plain2, masked2)] = all;
        let (plain, masked) = (plain + &plain2, masked + &masked2);
        for secret in SECRETS {
            assert!(
                !holds(&masked, secret) && !holds(&plain, secret),
                "{secret}"
            );
        }
        for (markers, hidden) in [
            (&NAMES[..], mask.hides_names()),
            (&VALUES, mask.hides_values()),
        ] {
            for marker in markers {
                assert!(holds(&plain, marker), "{marker} was never there");
                let line = masked.lines().find(|line| holds(line, marker));
                assert_eq!(line.is_some(), !hidden, "{marker} under {mask}: {line:?}");
            }
        }
    }
}

#[test]
fn no_marker_is_in_a_masked_recording() {
    check(&device());
}

#[test]
fn nor_with_tokens_and_json_of_the_python_sdk() {
    let mut config = device();
    config.behaviour.json_style = JsonStyle::Python;
    config.behaviour.token_style = TokenStyle::ProductCounter { first: 0 };
    config.protocol_version = ProtocolVersion::V31;
    check(&config);
}

#[test]
fn nor_with_a_login_that_was_known_beforehand() {
    let mut config = device();
    config.login = Login::Plain {
        client_id: "MARKPID001markdevice".into(),
        user_name: Some("MARKPID001markdevice;12010126;abcde;1700000000".into()),
        password: Some(Secret::from_bytes(*b"plain-password")),
    };
    check(&config);
    config.login = Login::Plain {
        client_id: "marklevel".into(),
        user_name: Some("markdevice".into()),
        password: None,
    };
    check(&config);
}

/// What is the same in clear is the same under the mask, and a client id is still what it is made of.
#[test]
fn what_belongs_together_still_does() {
    let mask = masks()[0];
    let [(_, masked), _] = recordings(device(), mask);
    let start = masked.lines().nth(1).unwrap();
    let field = |key: &str| {
        let rest = start.split(r#""own_shadow":{"#).nth(1).unwrap();
        let rest = rest.split(&format!(r#""{key}":""#)).nth(1).unwrap();
        rest.split('"').next().unwrap().to_string()
    };
    let (product_id, device_name) = (field("product_id"), field("device_name"));
    assert_eq!((product_id.len(), device_name.len()), (10, 10));
    for part in [
        format!(
            r#""client_id":"{product_id}{device_name}","user_name":"{product_id}{device_name};12010126;"#
        ),
        format!(r#""topic":"$shadow/operation/{product_id}/{device_name}""#),
        format!(r#"["$shadow/operation/result/{product_id}/{device_name}",1]"#),
        format!(r#""in":"subscribe","filter":"{product_id}/+/"#),
        format!("the MARKVALUE-text of {device_name}"),
    ] {
        assert!(masked.contains(&part), "{part}");
    }
}
