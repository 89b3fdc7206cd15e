//! Random packets, and what can be done to their bytes.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use shadow_core::mqtt::PacketKind;

use crate::model::{Model, Will};

/// Runs `test` on this many cases, the same ones each time.
pub(crate) fn check<S: Strategy>(
    cases: u32,
    strategy: S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let run = TestRunner::new_with_rng(config, rng).run(&strategy, test);
    if let Err(failure) = run {
        panic!("{failure}");
    }
}

fn text() -> impl Strategy<Value = String> {
    "[^\\x00]{0,24}"
}

fn topic_name() -> impl Strategy<Value = String> {
    "[^\\x00+#]{1,40}"
}

fn topic_filter() -> impl Strategy<Value = String> {
    "([^\\x00+#/]{0,5}/|\\+/){0,4}([^\\x00+#/]{1,5}|\\+|#)"
}

fn qos() -> impl Strategy<Value = u8> {
    0_u8..3
}

fn packet_id() -> impl Strategy<Value = u16> {
    1..=u16::MAX
}

/// So long that the remaining length takes one, two or three bytes.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        16 => vec(any::<u8>(), 0..150),
        1 => vec(any::<u8>(), 0..17_000),
    ]
}

fn will() -> impl Strategy<Value = Will> {
    (topic_name(), payload(), qos(), any::<bool>()).prop_map(|(topic, payload, qos, retain)| Will {
        topic,
        payload,
        qos,
        retain,
    })
}

fn connect() -> impl Strategy<Value = Model> {
    let login = option::of((text(), option::of(vec(any::<u8>(), 0..40))));
    (
        text(),
        any::<bool>(),
        any::<u16>(),
        login,
        option::of(will()),
    )
        .prop_map(|(client_id, clean_session, keep_alive, login, will)| {
            let (user_name, password) = login.unzip();
            Model::Connect {
                clean_session: clean_session || client_id.is_empty(),
                client_id,
                keep_alive,
                user_name,
                password: password.flatten(),
                will,
            }
        })
}

fn publish() -> impl Strategy<Value = Model> {
    (
        any::<bool>(),
        qos(),
        any::<bool>(),
        topic_name(),
        packet_id(),
        payload(),
    )
        .prop_map(
            |(dup, qos, retain, topic, packet_id, payload)| Model::Publish {
                dup: dup && qos > 0,
                qos,
                retain,
                topic,
                packet_id: if qos > 0 { packet_id } else { 0 },
                payload,
            },
        )
}

fn acknowledgement() -> impl Strategy<Value = Model> {
    let kinds = [
        PacketKind::PubAck,
        PacketKind::PubRec,
        PacketKind::PubRel,
        PacketKind::PubComp,
        PacketKind::UnsubAck,
    ];
    (select(kinds.to_vec()), packet_id())
        .prop_map(|(kind, packet_id)| Model::Acknowledgement { kind, packet_id })
}

/// Any valid packet.
pub(crate) fn packet() -> impl Strategy<Value = Model> {
    let empty = [
        PacketKind::PingReq,
        PacketKind::PingResp,
        PacketKind::Disconnect,
    ];
    prop_oneof![
        4 => connect(),
        1 => (any::<bool>(), 0_u8..6).prop_map(|(session_present, code)| Model::ConnAck {
            session_present: session_present && code == 0,
            code,
        }),
        4 => publish(),
        2 => acknowledgement(),
        2 => (packet_id(), vec((topic_filter(), qos()), 1..5))
            .prop_map(|(packet_id, filters)| Model::Subscribe { packet_id, filters }),
        1 => (packet_id(), vec(select(vec![0, 1, 2, 0x80]), 1..5))
            .prop_map(|(packet_id, codes)| Model::SubAck { packet_id, codes }),
        2 => (packet_id(), vec(topic_filter(), 1..5))
            .prop_map(|(packet_id, filters)| Model::Unsubscribe { packet_id, filters }),
        1 => select(empty.to_vec()).prop_map(Model::Empty),
    ]
}

/// One thing done to bytes.
#[derive(Clone, Debug)]
pub(crate) enum Mutation {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
}

/// A few mutations, the most often only one.
pub(crate) fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let value = prop_oneof![
        1 => any::<u8>(),
        2 => select(vec![0x00, 0x01, 0x02, 0x04, 0x05, 0x80, 0xff, b'#', b'+', b'/', b'$', 0xed]),
    ];
    let one = prop_oneof![
        3 => (any::<Index>(), 0_u8..8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        3 => (any::<Index>(), value.clone()).prop_map(|(at, value)| Mutation::Set(at, value)),
        1 => (any::<Index>(), value).prop_map(|(at, value)| Mutation::Insert(at, value)),
        1 => any::<Index>().prop_map(Mutation::Remove),
        1 => any::<Index>().prop_map(Mutation::Truncate),
    ];
    prop_oneof![3 => vec(one.clone(), 1..2), 1 => vec(one, 2..4)]
}

impl Mutation {
    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        if length == 0 {
            return;
        }
        match self {
            Mutation::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Mutation::Set(at, value) => bytes[at.index(length)] = *value,
            Mutation::Insert(at, value) => bytes.insert(at.index(length), *value),
            Mutation::Remove(at) => {
                bytes.remove(at.index(length));
            }
            Mutation::Truncate(at) => bytes.truncate(at.index(length)),
        }
    }
}

/// A packet with this first byte and what follows its fixed header.
pub(crate) fn framed(first: u8, rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length = rest.len();
    loop {
        let digit = u8::try_from(length % 128).unwrap();
        length /= 128;
        if length == 0 {
            packet.push(digit);
            break;
        }
        packet.push(digit | 0x80);
    }
    packet.extend(rest);
    packet
}

/// First byte and rest of a packet that is valid.
pub(crate) fn unframed(packet: &[u8]) -> (u8, &[u8]) {
    let digits = packet[1..]
        .iter()
        .take_while(|byte| **byte & 0x80 != 0)
        .count()
        + 1;
    (packet[0], &packet[1 + digits..])
}
