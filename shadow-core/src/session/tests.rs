//! What is stored is read back, and nothing else is taken for a session.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::json::Object;
use crate::mqtt::session::{Outgoing, Stage};
use crate::mqtt::{PacketId, Publish};

/// A session with something of everything, whose content a test knows by its text.
const BODY: &str = r#"{"nonce":"AbcD0189","next_token":7,"last_packet_id":3,"outgoing":[{"packet_id":2,"stage":"puback","packet":"MgYAAXQAAng=","abandoned":true},{"packet_id":3,"stage":"pubcomp","packet":"","abandoned":false}],"incoming_exactly_once":[9],"subscriptions":[{"filter":"a/+","qos":1}],"shadows":[{"product_id":"PRODUCT001","device_name":"lamp","version":12,"reported":{"a":1.50,"b":{"c":18446744073709551615}},"acknowledged":{"a":null},"pending":{},"answered":{"x":"é"}}]}"#;

fn stored(body: &str) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let mut digest = String::new();
    for byte in Sha256::digest(body.as_bytes()) {
        digest.push_str(&alloc::format!("{byte:02x}"));
    }
    alloc::format!("shadow-session 1 {digest}\n{body}\n").into_bytes()
}

fn read(body: &str) -> Result<Session, SessionError> {
    Session::from_bytes(&stored(body))
}

/// The body with one piece of it replaced.
fn with(piece: &str, other: &str) -> String {
    assert_eq!(BODY.matches(piece).count(), 1, "{piece}");
    BODY.replace(piece, other)
}

#[test]
#[cfg_attr(not(feature = "messages"), ignore = "the next test is without it")]
fn everything_is_read_and_written_as_documented() {
    let session = read(BODY).unwrap();
    assert_eq!(session.to_bytes(), stored(BODY));
    let id = |number| PacketId::new(number).unwrap();
    let [kept, released] = session.mqtt.outgoing() else {
        panic!("{session:?}")
    };
    assert_eq!((kept.packet_id, kept.abandoned), (id(2), true));
    // PUBLISH, QoS 1, topic "t", packet id 2, payload "x" (MQTT 3.1.1, section 3.3).
    assert_eq!(kept.packet, [0x32, 6, 0, 1, b't', 0, 2, b'x']);
    assert_eq!(
        (released.packet_id, released.stage),
        (id(3), Stage::PubComp)
    );
    assert_eq!(session.mqtt.incoming_exactly_once(), [id(9)]);
    assert!(session.is_subscribed("a/+"));
    let name = ShadowName::new("PRODUCT001", "lamp").unwrap();
    let mut kept = session.shadows.iter();
    let shadow = kept.find(|shadow| shadow.name == name).unwrap();
    assert_eq!(shadow.version, Some(12));
    let digits = r#"{"a":1.50,"b":{"c":18446744073709551615}}"#;
    assert_eq!(shadow.reported.as_str(), digits);
}

/// Of a session that a larger build has stored.
#[cfg(not(feature = "messages"))]
#[test]
fn messages_are_dropped_and_the_shadow_stays() {
    let session = read(BODY).unwrap();
    assert!(session.mqtt.outgoing().is_empty());
    assert!(session.mqtt.incoming_exactly_once().is_empty());
    let written = String::from_utf8(session.to_bytes()).unwrap();
    assert!(
        written.contains(r#""outgoing":[],"incoming_exactly_once":[],"#),
        "{written}"
    );
    let (_, shadows) = BODY.split_once(r#""shadows":"#).unwrap();
    assert!(written.trim_end().ends_with(shadows), "{written}");
    assert_eq!(
        Session::from_bytes(written.as_bytes()).unwrap().to_bytes(),
        written.as_bytes()
    );
}

#[test]
fn cut_off_after_any_byte_it_is_an_error() {
    let whole = stored(BODY);
    for length in 0..whole.len() {
        let read = Session::from_bytes(&whole[..length]);
        match read {
            Err(SessionError::NotASession) => assert!(length < 15, "{length}"),
            Err(SessionError::Corrupted(_)) => assert!(length >= 15, "{length}"),
            other => panic!("{length}: {other:?}"),
        }
    }
}

#[test]
fn with_any_bit_flipped_it_is_an_error() {
    let whole = stored(BODY);
    for place in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[place] ^= 1 << bit;
            assert!(Session::from_bytes(&damaged).is_err(), "{place}, bit {bit}");
        }
    }
}

#[test]
fn more_bytes_behind_it_are_an_error() {
    for more in ["\n", " ", "{}", "\0"] {
        let mut long = stored(BODY);
        long.extend_from_slice(more.as_bytes());
        let error = Session::from_bytes(&long).unwrap_err();
        assert!(matches!(error, SessionError::Corrupted(_)), "{error:?}");
    }
}

#[test]
fn foreign_files_and_other_versions_are_told_apart() {
    for foreign in [
        "",
        "{}",
        "shadow-session",
        "shadow-session ",
        "shadow-sessions 1 x\n",
        "\0\0",
    ] {
        let read = Session::from_bytes(foreign.as_bytes());
        let damaged = foreign == "shadow-session ";
        match read {
            Err(SessionError::NotASession) => assert!(!damaged),
            Err(SessionError::Corrupted(_)) => assert!(damaged),
            other => panic!("{foreign}: {other:?}"),
        }
    }
    for version in [0, 2, u32::MAX] {
        let other = alloc::format!("shadow-session {version} what it likes\n\n");
        let error = SessionError::UnsupportedFormat { version };
        assert_eq!(Session::from_bytes(other.as_bytes()), Err(error));
    }
    for strange in ["+1", "01", "-1", "4294967296", "one"] {
        let body = String::from_utf8(stored(BODY)).unwrap();
        let other = body.replacen(" 1 ", &alloc::format!(" {strange} "), 1);
        let read = Session::from_bytes(other.as_bytes());
        assert_eq!(read, Err(SessionError::NotASession), "{strange}");
    }
}

/// As by somebody who edits a file and its digest.
#[test]
fn nonsense_with_a_digest_that_fits_is_an_error() {
    let [shadow] = [BODY
        .split_once(r#""shadows":["#)
        .unwrap()
        .1
        .strip_suffix("]}")
        .unwrap()];
    let deep = alloc::format!(r#"{{"x":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let wrong = [
        String::from("{}"),
        String::from("null"),
        with(r#""AbcD0189""#, r#""short""#),
        with(r#""AbcD0189""#, r#""AbcD018 ""#),
        with(r#""next_token":7"#, r#""next_token":-7"#),
        // Packet ids are 1 to 65,535, each used once [MQTT-2.3.1-1].
        with(r#""packet_id":2"#, r#""packet_id":0"#),
        with(r#""packet_id":2"#, r#""packet_id":65536"#),
        with(r#""packet_id":3"#, r#""packet_id":2"#),
        with("[9]", "[0]"),
        with("[9]", "[9,9]"),
        // The PUBLISH has another id, QoS, or is none.
        with(r#""packet_id":2"#, r#""packet_id":4"#),
        with("puback", "pubrec"),
        with("puback", "pubcomp"),
        with("puback", "pubrel"),
        with("MgYAAXQAAng=", ""),
        with("MgYAAXQAAng=", "MgYAAXQAAng"),
        with("MgYAAXQAAng=", "MgYAAXQAAnh4"),
        with("MgYAAXQAAng=", "NAYAAXQAAng="),
        with("MgYAAXQAAng=", "MAQAAXR4"),
        with("MgYAAXQAAng=", "wAA="),
        with("a/+", "a/+b"),
        with("a/+", ""),
        with(r#""qos":1"#, r#""qos":3"#),
        with(
            r#"{"filter":"a/+","qos":1}"#,
            r#"{"filter":"b","qos":1},{"filter":"b","qos":0}"#,
        ),
        with("PRODUCT001", "PRODUCT0012"),
        with("lamp", "la/mp"),
        with(r#""version":12"#, r#""version":"12""#),
        with(r#""pending":{}"#, r#""pending":[]"#),
        with(r#""pending":{}"#, r#""pending":null"#),
        with(r#""pending":{}"#, &alloc::format!(r#""pending":{deep}"#)),
        with(shadow, &alloc::format!("{shadow},{shadow}")),
    ];
    for body in wrong {
        let error = read(&body).unwrap_err();
        assert!(matches!(error, SessionError::Corrupted(_)), "{body}");
    }
}

/// More would leave no packet id for anything else.
#[test]
fn more_messages_than_can_be_in_flight_are_an_error() {
    let bodies = [32_768, 32_769].map(|count| {
        let message = |id: u16| {
            alloc::format!(
                r#"{{"packet_id":{id},"stage":"pubcomp","packet":"","abandoned":false}}"#
            )
        };
        let messages: Vec<String> = (1..=count).map(message).collect();
        let start = BODY.find(r#""outgoing":["#).unwrap() + r#""outgoing":["#.len();
        let end = BODY.find(r#"],"incoming"#).unwrap();
        let (head, tail) = (&BODY[..start], &BODY[end..]);
        alloc::format!("{head}{}{tail}", messages.join(","))
    });
    assert!(read(&bodies[0]).is_ok());
    assert!(matches!(read(&bodies[1]), Err(SessionError::Corrupted(_))));
}

/// An engine would end the link over one more.
#[test]
fn more_unreleased_messages_than_an_engine_keeps_are_an_error() {
    let bodies = [256, 257].map(|count| {
        let ids: Vec<String> = (1..=count).map(|id: u16| alloc::format!("{id}")).collect();
        let start = BODY.find(r#""incoming_exactly_once":["#).unwrap();
        let end = start + BODY[start..].find(']').unwrap();
        let (head, tail) = (&BODY[..start], &BODY[end..]);
        let ids = ids.join(",");
        alloc::format!(r#"{head}"incoming_exactly_once":[{ids}{tail}"#)
    });
    assert!(read(&bodies[0]).is_ok());
    assert!(matches!(read(&bodies[1]), Err(SessionError::Corrupted(_))));
}

#[test]
fn thousands_of_shadows_are_read_in_time() {
    let mut session = Session::new();
    for number in 0..5_000 {
        let name = ShadowName::new("PRODUCT001", &alloc::format!("sub{number}")).unwrap();
        session.shadows.push(ShadowState::new(name));
    }
    assert_eq!(Session::from_bytes(&session.to_bytes()), Ok(session));
}

/// Fields of a later version of the same format are let through.
#[test]
fn unknown_fields_are_no_error() {
    assert!(
        read(&with(
            r#""next_token":7"#,
            r#""later":{"x":[1]},"next_token":7"#
        ))
        .is_ok()
    );
}

fn object() -> impl Strategy<Value = Object> {
    let leaf = prop_oneof![
        Just(String::from("null")),
        any::<f64>().prop_map(|n| alloc::format!("{}", if n.is_finite() { n } else { 0.5 })),
        any::<u64>().prop_map(|n| alloc::format!("{n}")),
        ".{0,4}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just(String::from(r#"[1,{"x":null}]"#)),
        Just(String::from("{}")),
    ];
    let members = |leaf| {
        let member = (".{0,3}", leaf).prop_map(|(key, value): (String, String)| {
            alloc::format!("{}:{value}", serde_json::to_string(&key).unwrap())
        });
        prop::collection::vec(member, 0..4).prop_map(|all| alloc::format!("{{{}}}", all.join(",")))
    };
    let nested = leaf.prop_recursive(3, 12, 4, members);
    members(nested.boxed()).prop_map(|text| Object::new(&text).unwrap())
}

prop_compose! {
    fn shadow()(
        number in 0_u8..20, version in any::<Option<u64>>(), reported in object(),
        acknowledged in object(), pending in object(), answered in object(),
    ) -> ShadowState {
        let name = ShadowName::new("PRODUCT001", &alloc::format!("sub{number}")).unwrap();
        ShadowState { name, reported, acknowledged, pending, answered, version }
    }
}

fn message() -> impl Strategy<Value = Outgoing> {
    let payload = prop::collection::vec(any::<u8>(), 0..20);
    (1_u16.., 0..3, any::<bool>(), payload).prop_map(|(id, stage, abandoned, payload)| {
        let packet_id = PacketId::new(id).unwrap();
        let (stage, qos) = match stage {
            0 => (Stage::PubAck, QoS::AtLeastOnce),
            1 => (Stage::PubRec, QoS::ExactlyOnce),
            _ => (Stage::PubComp, QoS::ExactlyOnce),
        };
        let mut packet = vec![];
        if stage != Stage::PubComp {
            let (dup, retain, topic) = (false, true, "t/é");
            let packet_id = Some(packet_id);
            let payload = &payload;
            let publish = Publish {
                dup,
                qos,
                retain,
                topic,
                packet_id,
                payload,
            };
            publish.encode(&mut packet).unwrap();
        }
        Outgoing {
            packet_id,
            stage,
            ticket: None,
            abandoned,
            packet,
        }
    })
}

/// Fewer messages than this are stored: none without the feature for them.
const MOST: usize = if cfg!(feature = "messages") { 5 } else { 1 };

proptest! {
    #[test]
    fn whatever_is_stored_is_read_back(
        mut shadows in prop::collection::vec(shadow(), 0..4),
        mut messages in prop::collection::vec(message(), 0..MOST),
        ids in prop::collection::btree_set(1_u16.., 0..MOST),
        (last, next_token, nonce) in (any::<u16>(), any::<u64>(), any::<Option<[u8; 4]>>()),
    ) {
        let mut names = BTreeSet::new();
        shadows.retain(|state| names.insert(alloc::string::ToString::to_string(state.name.device_name())));
        let mut used = BTreeSet::new();
        messages.retain(|message| used.insert(message.packet_id.get()));
        let ids = ids.into_iter().filter_map(PacketId::new).collect();
        let session = Session {
            mqtt: SessionState::restored(last, messages, ids),
            subscriptions: vec![Subscription { filter: "#".into(), qos: QoS::AtMostOnce }],
            shadows,
            nonce: nonce.map(|seed| {
                let seed = u32::from_le_bytes(seed);
                Nonce::draw(&mut Random::new(seed.into()), None)
            }),
            next_token,
            ..Session::default()
        };
        let bytes = session.to_bytes();
        let read = Session::from_bytes(&bytes);
        prop_assert_eq!(read.as_ref(), Ok(&session));
        prop_assert_eq!(read.unwrap().to_bytes(), bytes);
    }
}
