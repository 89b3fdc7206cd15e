//! Packets that cannot be written.

use super::super::topic::TopicError;
use super::super::*;
use super::{connect, id, publish};
use ProtocolVersion::V31;
use std::vec;
use std::vec::Vec;

/// What cannot be written is refused, and nothing of it stays in the buffer.
#[test]
fn refuses_to_encode() {
    let long = "x".repeat(65_536);
    let two_filters = [("a", QoS::AtMostOnce), ("a#", QoS::AtMostOnce)];
    let failure = [SubscribeReturnCode::Failure];
    let at_most_once = Publish {
        qos: QoS::AtMostOnce,
        packet_id: None,
        ..publish()
    };
    let will = |topic| {
        Some(Will {
            topic,
            payload: b"",
            qos: QoS::AtMostOnce,
            retain: false,
        })
    };
    let cases = [
        (
            Packet::Publish(Publish {
                packet_id: None,
                ..publish()
            }),
            EncodeError::PacketIdMissing,
        ),
        (
            Packet::Publish(Publish {
                qos: QoS::AtMostOnce,
                ..publish()
            }),
            EncodeError::PacketIdAtMostOnce,
        ),
        (
            Packet::Publish(Publish {
                dup: true,
                ..at_most_once
            }),
            EncodeError::DupAtMostOnce,
        ),
        (
            Packet::Publish(Publish {
                topic: "a/+",
                ..publish()
            }),
            EncodeError::Topic {
                field: Field::TopicName,
                error: TopicError::WildcardInName,
            },
        ),
        (
            Packet::Publish(Publish {
                topic: &long,
                ..publish()
            }),
            EncodeError::Topic {
                field: Field::TopicName,
                error: TopicError::TooLong { length: 65_536 },
            },
        ),
        (
            Packet::Connect(Connect {
                user_name: None,
                ..connect()
            }),
            EncodeError::PasswordWithoutUserName,
        ),
        (
            Packet::Connect(Connect {
                client_id: "",
                clean_session: false,
                ..connect()
            }),
            EncodeError::EmptyClientIdWithoutCleanSession,
        ),
        (
            Packet::Connect(Connect {
                client_id: "a\0",
                ..connect()
            }),
            EncodeError::NulCharacter {
                field: Field::ClientId,
            },
        ),
        (
            Packet::Connect(Connect {
                password: Some(long.as_bytes()),
                ..connect()
            }),
            EncodeError::FieldTooLong {
                field: Field::Password,
                length: 65_536,
            },
        ),
        (
            Packet::Connect(Connect {
                will: will(""),
                ..connect()
            }),
            EncodeError::Topic {
                field: Field::WillTopic,
                error: TopicError::Empty,
            },
        ),
        (
            Packet::ConnAck(ConnAck {
                session_present: true,
                code: ConnectReturnCode::NotAuthorized,
            }),
            EncodeError::SessionPresentWithRefusal,
        ),
        (
            Packet::Subscribe(Subscribe {
                packet_id: id(1),
                dup: false,
                filters: Entries::from(&[]),
            }),
            EncodeError::NoTopicFilter,
        ),
        (
            Packet::Subscribe(Subscribe {
                packet_id: id(1),
                dup: false,
                filters: Entries::from(&two_filters),
            }),
            EncodeError::Topic {
                field: Field::TopicFilter,
                error: TopicError::MisplacedMultiLevelWildcard,
            },
        ),
        (
            Packet::Unsubscribe(Unsubscribe {
                packet_id: id(1),
                dup: false,
                filters: Entries::from(&[]),
            }),
            EncodeError::NoTopicFilter,
        ),
        (
            Packet::SubAck(SubAck {
                packet_id: id(1),
                return_codes: Entries::from(&[]),
            }),
            EncodeError::NoReturnCode,
        ),
        (
            Packet::SubAck(SubAck {
                packet_id: id(1),
                return_codes: Entries::from(&failure),
            }),
            EncodeError::FailureNotInVersion,
        ),
    ];
    for (packet, error) in cases {
        let mut out = vec![1, 2, 3];
        assert_eq!(packet.encode(V31, &mut out), Err(error));
        assert_eq!(out, [1, 2, 3], "{error}");
    }
}

/// One byte above what the remaining length can say (table 2.4). The zeroed payload is never
/// touched, so it costs no real memory.
#[test]
fn refuses_to_encode_above_the_largest_remaining_length() {
    let payload = vec![0; MAXIMUM_REMAINING_LENGTH - 2 - 3 - 2 + 1];
    let mut out = Vec::new();
    assert_eq!(
        Publish {
            payload: &payload,
            ..publish()
        }
        .encode(&mut out),
        Err(EncodeError::PacketTooLarge {
            remaining_length: 268_435_456
        })
    );
    assert_eq!(out.capacity(), 0);
}
