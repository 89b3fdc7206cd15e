//! Random sessions: whatever happens, the masked recording shows it under other names and values.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use super::cloud::{Pair, any_request, quoted};
use super::masks;
use crate::config::{Config, Login, Nonce, TokenStyle};
use crate::json::{Json, JsonStyle};
use crate::mqtt::QoS;
use crate::mqtt::link::{Publication, TransportFailure};
use crate::recording::tests::SECRET;
use crate::request::ShadowId;
use crate::session::Session;
use crate::tencent::{DeviceInfo, ShadowName, Update};

const PRODUCT: &str = "MARKPID001";
const DEVICE: &str = "markdevice";
const NAMES: [&str; 4] = [PRODUCT, DEVICE, "markchild", "marküber"];
const VALUE: &str = "MARKVALUE";

/// What happens.
#[derive(Clone, Debug)]
enum Act {
    Report(String),
    Update(Option<String>, Option<String>, Option<u64>),
    Get,
    Desire(String, QoS),
    Answer(u8, String),
    Publish(usize, Vec<u8>, QoS),
    Subscribe(usize),
    Unsubscribe(usize),
    Attach(usize),
    Detach(u32),
    Cancel(u64),
    Message(usize, Vec<u8>, QoS),
    /// On the result topic.
    Say(String),
    Bytes(Vec<u8>),
    Break(u8),
    Pass(u32),
    Silent(bool),
    Forgetful(bool),
    /// Lets what the cloud said be under way.
    Hold,
}

const TOPICS: [&str; 8] = [
    "plain/topic",
    "MARKPID001/markdevice/data",
    "MARKPID001/+/data/#",
    "$thing/up/property/MARKPID001/markdevice",
    "clients/MARKPID001markdevice",
    "$shadow/operation/MARKPID001/markdevice",
    "$shadow/operation/result/MARKPID001/markchild",
    "not/a#topic",
];

/// A string of a document, as JSON spells it.
fn strings() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "\"on\"",
            "\"MARKVALUE\"",
            "\"a MARKVALUE\\n\\\"b\\\"\"",
            "\"Gr\\u00FCn\"",
            "\"Grün\"",
            "\"\\u0041\\/\\ud83d\\ude00\"",
            "\"A/😀\"",
            "\"\"",
            "\"markdevice of MARKPID001\"",
        ])
        .prop_map(String::from),
        "[ -~é€😀]{0,8}".prop_map(|text| quoted(&text)),
    ]
}

fn values() -> impl Strategy<Value = String> {
    let numbers = prop::sample::select(vec![
        "0",
        "-0.0",
        "1",
        "1.0",
        "10e-1",
        "7",
        "100",
        "1E+2",
        "-5",
        "0.25",
        "0.250",
        "12345678901234567890",
        "3.14159",
        "1e9",
        "300000000000000000000000",
    ]);
    let leaf = prop_oneof![
        3 => strings(),
        3 => numbers.prop_map(String::from),
        1 => any::<i16>().prop_map(|number| number.to_string()),
        1 => prop::sample::select(vec!["true", "false", "null"]).prop_map(String::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            members(inner.clone()),
            prop::collection::vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(","))),
        ]
    })
}

fn members(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec!["a", "b", "version", "reported", "é"]);
    let member = (key, value).prop_map(|(key, value)| format!("\"{key}\": {value}"));
    prop::collection::vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(" ,")))
}

fn documents() -> impl Strategy<Value = String> {
    members(values())
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        values().prop_map(String::into_bytes),
        documents().prop_map(String::into_bytes),
        documents().prop_map(|d| {
            format!(r#"{{"type":"update","state":{{"reported":{d}}},"version":3,"clientToken":"MARKPID001-7"}}"#)
                .into_bytes()
        }),
        prop::sample::select(vec![
            &b""[..],
            b"MARKVALUE of markdevice",
            b"\xff\xfeMARKVALUE markdevice",
            b"Gr\xc3\xbcn MARKVALUE\xc3",
            b"{\"a\":\"MARKVALUE\"",
        ])
        .prop_map(Vec::from),
        prop::collection::vec(any::<u8>(), 0..20),
    ]
}

/// What a cloud may say, or had better not.
fn sayings() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "null",
        "7",
        "\"MARKPID001-0\"",
        "\"MARKPID001-1\"",
        "\"stranger-4\"",
        "\"markdevice\"",
    ]);
    let whole = (
        token,
        documents(),
        documents(),
        0..12_u64,
        prop::sample::select(vec!["0", "\"0\"", "5005", "\"MARKVALUE\"", "1.5"]),
    );
    let whole = whole.prop_map(|(token, reported, desired, version, result)| {
        format!(
            r#"{{"type":"update","clientToken":{token},"result":{result},"payload":{{"state":{{"reported":{reported},"desired":{desired}}},"version":{version}}}}}"#
        )
    });
    let whole = whole.boxed();
    let damaged = (whole.clone(), any::<prop::sample::Index>()).prop_map(|(mut text, at)| {
        while !text.is_char_boundary(at.index(text.len())) {
            text.pop();
        }
        text.truncate(at.index(text.len()));
        text
    });
    let other = prop::sample::select(vec![
        "MARKVALUE",
        r#"{"type":"MARKVALUE"}"#,
        r#"{"type":"delta","payload":"MARKVALUE"}"#,
        r#"{"type":"delta","payload":{"state":{"a":"MARKVALUE"},"version":"MARKVALUE"}}"#,
        r#"{"type":"delta","payload":{"state":["MARKVALUE"]}}"#,
        r#"[{"type":"MARKVALUE"}]"#,
    ]);
    prop_oneof![whole, damaged, other.prop_map(String::from)]
}

fn qos() -> impl Strategy<Value = QoS> {
    (0..3_u8).prop_map(|number| QoS::from_number(number).unwrap())
}

fn acts() -> impl Strategy<Value = Act> {
    let topic = 0..TOPICS.len();
    prop_oneof![
        6 => documents().prop_map(Act::Report),
        3 => (prop::option::of(documents()), prop::option::of(values()), prop::option::of(0..9_u64))
            .prop_map(|(reported, desired, version)| Act::Update(reported, desired, version)),
        2 => Just(Act::Get),
        6 => (documents(), qos()).prop_map(|(patch, qos)| Act::Desire(patch, qos)),
        6 => (0..4_u8, documents()).prop_map(|(how, document)| Act::Answer(how, document)),
        4 => (topic.clone(), payloads(), qos()).prop_map(|(t, p, q)| Act::Publish(t, p, q)),
        2 => topic.clone().prop_map(Act::Subscribe),
        1 => topic.clone().prop_map(Act::Unsubscribe),
        1 => (2..4_usize).prop_map(Act::Attach),
        1 => (0..3_u32).prop_map(Act::Detach),
        1 => (0..9_u64).prop_map(Act::Cancel),
        4 => (topic, payloads(), qos()).prop_map(|(t, p, q)| Act::Message(t, p, q)),
        3 => sayings().prop_map(Act::Say),
        1 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Act::Bytes),
        2 => (0..4_u8).prop_map(Act::Break),
        4 => (1..100_u32).prop_map(Act::Pass),
        2 => any::<bool>().prop_map(Act::Silent),
        1 => any::<bool>().prop_map(Act::Forgetful),
        2 => Just(Act::Hold),
    ]
}

/// Which device it is.
#[derive(Clone, Copy, Debug)]
enum Profile {
    Safe,
    Counting,
    /// Whose nonce is a name, too.
    Fixed,
    Persistent,
    Python,
    Small,
}

fn config(profile: Profile) -> Config {
    let device = DeviceInfo::with_key(PRODUCT, DEVICE, SECRET).unwrap();
    let mut config = match profile {
        Profile::Python => Config::python_sdk(&device),
        _ => Config::new(&device),
    };
    match profile {
        Profile::Safe | Profile::Python => {}
        Profile::Counting => config.behaviour.token_style = TokenStyle::ProductCounter { first: 0 },
        Profile::Fixed => {
            let nonce = "MARKPID8";
            config.behaviour.token_style = TokenStyle::FixedNonce(Nonce::new(nonce).unwrap());
            config.login = Login::Plain {
                client_id: nonce.into(),
                user_name: None,
                password: None,
            };
        }
        Profile::Persistent => {
            config.clean_session = false;
            config.shadow_qos = QoS::AtLeastOnce;
            config.behaviour.json_style = JsonStyle::Python;
        }
        Profile::Small => {
            config.maximum_packet_size = 200;
            config.maximum_queued_bytes = 300;
            config.maximum_event_bytes = 300;
            config.maximum_events = 3;
        }
    }
    config
}

fn json(text: &str) -> Json {
    Json::new(text).unwrap()
}

impl Pair {
    fn act(&mut self, act: &Act, own: Option<ShadowId>) {
        let name = ShadowName::new(PRODUCT, DEVICE).unwrap();
        let shadow = own.unwrap_or(ShadowId(0));
        match act {
            Act::Report(document) => {
                let document = json(document);
                let _ = self.both(|engine, now| engine.report(now, shadow, &document));
            }
            Act::Update(reported, desired, version) => {
                let update = Update::of_parts(
                    reported.as_deref().map(json),
                    desired.as_deref().map(json),
                    *version,
                    false,
                );
                let _ = self.both(|engine, now| engine.update(now, shadow, &update));
            }
            Act::Get => drop(self.both(|engine, now| engine.get(now, shadow))),
            Act::Desire(patch, qos) => self.cloud.desire(&name, patch, *qos, &mut self.wire),
            Act::Answer(how, document) => {
                let Some(delta) = self.deltas.pop() else {
                    return;
                };
                let document = json(document);
                let _ = self.both(|engine, now| match how {
                    0 => engine.reject(now, &delta, "MARKVALUE is not for markdevice"),
                    1 => engine.accept_as(now, &delta, &document),
                    _ => engine.accept(now, &delta),
                });
            }
            Act::Publish(topic, payload, qos) => {
                let publication = Publication::new(TOPICS[*topic], payload).qos(*qos);
                let _ = self.both(|engine, now| engine.publish(now, &publication));
            }
            Act::Subscribe(topic) => {
                let filter = TOPICS[*topic];
                let _ = self.both(|engine, now| engine.subscribe(now, filter, QoS::AtLeastOnce));
            }
            Act::Unsubscribe(topic) => {
                let _ = self.both(|engine, now| engine.unsubscribe(now, TOPICS[*topic]));
            }
            Act::Attach(device) => {
                let name = ShadowName::new(PRODUCT, NAMES[*device]).unwrap();
                let _ = self.both(|engine, now| engine.attach(now, &name));
            }
            Act::Detach(id) => drop(self.both(|engine, now| engine.detach(now, ShadowId(*id)))),
            Act::Cancel(id) => {
                let _ = self.both(|engine, now| engine.cancel(now, any_request(*id)));
            }
            Act::Message(topic, payload, qos) => {
                // A server sends to topics, not to filters.
                let topic = TOPICS[*topic].replace(['+', '#'], "x");
                self.cloud.send(&topic, payload, *qos, &mut self.wire);
            }
            Act::Say(text) => {
                let topic = name.result_topic();
                self.cloud
                    .send(&topic, text.as_bytes(), QoS::AtMostOnce, &mut self.wire);
            }
            Act::Bytes(bytes) => self.wire.extend_from_slice(bytes),
            Act::Break(how) => {
                let why = "MARKPID001.iotcloud.tencentdevices.com: no markdevice there";
                let failure = match how {
                    0 => TransportFailure::ClosedByPeer,
                    1 => TransportFailure::ConnectFailed(why.into()),
                    2 => TransportFailure::Untrusted(why.into()),
                    _ => TransportFailure::Broken(why.into()),
                };
                self.wire.clear();
                self.both(|engine, now| engine.handle_disconnected(now, failure.clone()));
                self.drain();
                self.both(|engine, now| engine.reconnect(now));
            }
            Act::Pass(seconds) => self.tick(Duration::from_secs((*seconds).into())),
            Act::Silent(silent) => self.cloud.silent = *silent,
            Act::Forgetful(forgetful) => self.cloud.forgetful = *forgetful,
            Act::Hold => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn a_masked_recording_tells_the_same_under_other_names(
        profile in prop::sample::select(vec![
            Profile::Safe, Profile::Counting, Profile::Fixed, Profile::Persistent, Profile::Python, Profile::Small,
        ]),
        which in 0..3_usize,
        runs in prop::collection::vec(prop::collection::vec(acts(), 1..25), 1..3),
        cuts in prop::collection::vec(1..200_usize, 1..6),
    ) {
        let mask = masks()[which];
        let mut hidden: Vec<&str> = vec!["TOPSECRET", SECRET];
        if mask.hides_names() {
            hidden.extend(NAMES);
        }
        if mask.hides_values() {
            hidden.push(VALUE);
        }
        let mut session = Session::new();
        for acts in &runs {
            let mut pair = Pair::new(&config(profile), &session, mask);
            pair.tick(Duration::from_secs(1));
            pair.deliver(&cuts);
            let mut own = pair.own();
            if own.is_none() {
                let name = ShadowName::new(PRODUCT, DEVICE).unwrap();
                own = pair.both(|engine, now| engine.attach(now, &name)).ok();
            }
            for act in acts {
                pair.act(act, own);
                if !matches!(act, Act::Hold) {
                    pair.drain();
                    pair.deliver(&cuts);
                }
            }
            session = pair.finish(&hidden).0;
            session = Session::from_bytes(&session.to_bytes()).unwrap();
        }
    }
}
