//! Bytes written down from the specification's examples and tables, and from a recording.

use super::super::*;
use super::{
    PYTHON_SDK_CONNECT, PYTHON_SDK_PUBLISH, PYTHON_SDK_SUBSCRIBE, connect, decodes_to, encoded, id,
    publish,
};
use ProtocolVersion::{V31, V311};
use std::string::ToString;
use std::vec;
use std::vec::Vec;

/// The packet gives the bytes and the bytes give the packet.
#[track_caller]
fn same(packet: Packet<'_>, version: ProtocolVersion, bytes: &[u8]) {
    assert_eq!(encoded(&packet, version), bytes);
    decodes_to(bytes, version, packet);
}

/// The variable header is the example of section 3.1.2 (figure 3.6); the payload has the order of
/// section 3.1.3. MQTT 3.1 (section 3.1) has the same but for protocol name and level.
#[test]
fn connect_example() {
    let bytes =
        b"\x10\x1c\x00\x04MQTT\x04\xce\x00\x0a\x00\x01c\x00\x01w\x00\x04gone\x00\x01u\x00\x01p";
    same(Packet::Connect(connect()), V311, bytes);
    let bytes =
        b"\x10\x1e\x00\x06MQIsdp\x03\xce\x00\x0a\x00\x01c\x00\x01w\x00\x04gone\x00\x01u\x00\x01p";
    let version = V31;
    let connect = Connect {
        version,
        ..connect()
    };
    same(Packet::Connect(connect), V31, bytes);
}

/// Section 3.1.2.3: each flag bit on its own.
#[test]
fn connect_flags() {
    let plain = Connect {
        clean_session: false,
        user_name: None,
        password: None,
        will: None,
        ..connect()
    };
    let will = Will {
        topic: "w",
        payload: b"",
        qos: QoS::AtMostOnce,
        retain: false,
    };
    for (connect, flags) in [
        (plain, 0x00),
        (
            Connect {
                clean_session: true,
                ..plain
            },
            0x02,
        ),
        (
            Connect {
                will: Some(will),
                ..plain
            },
            0x04,
        ),
        (
            Connect {
                will: Some(Will {
                    qos: QoS::AtLeastOnce,
                    ..will
                }),
                ..plain
            },
            0x0c,
        ),
        (
            Connect {
                will: Some(Will {
                    qos: QoS::ExactlyOnce,
                    ..will
                }),
                ..plain
            },
            0x14,
        ),
        (
            Connect {
                will: Some(Will {
                    retain: true,
                    ..will
                }),
                ..plain
            },
            0x24,
        ),
        (
            Connect {
                user_name: Some("u"),
                ..plain
            },
            0x80,
        ),
        (
            Connect {
                user_name: Some("u"),
                password: Some(b""),
                ..plain
            },
            0xc0,
        ),
    ] {
        let bytes = encoded(&Packet::Connect(connect), V311);
        assert_eq!(bytes[9], flags);
        decodes_to(&bytes, V311, Packet::Connect(connect));
    }
}

#[test]
fn connect_of_the_python_sdk() {
    let connect = Connect {
        version: V31,
        client_id: "PYSDKCAP01test01",
        clean_session: true,
        keep_alive: 60,
        user_name: Some("PYSDKCAP01test01;21010406;N4sz6;1795373234216"),
        password: Some(b"13d60161217a860df1658216c25e128084b1b634;hmacsha1"),
        will: None,
    };
    // Read as a server does, which does not know the version yet.
    decodes_to(PYTHON_SDK_CONNECT, V311, Packet::Connect(connect));
    assert_eq!(encoded(&Packet::Connect(connect), V311), PYTHON_SDK_CONNECT);
}

#[test]
fn requests_of_the_python_sdk() {
    let subscribe = Subscribe {
        packet_id: id(1),
        dup: false,
        filters: Entries::from(&[(
            "$shadow/operation/result/PYSDKCAP01/test01",
            QoS::AtMostOnce,
        )]),
    };
    same(Packet::Subscribe(subscribe), V31, PYTHON_SDK_SUBSCRIBE);
    let publish = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "$shadow/operation/PYSDKCAP01/test01",
        packet_id: None,
        payload: b"{\"type\": \"get\", \"clientToken\": \"PYSDKCAP01-0\"}",
    };
    same(Packet::Publish(publish), V31, PYTHON_SDK_PUBLISH);
}

/// MQTT 3.1 section 3.1, "user name and password": the strings may be missing although announced.
#[test]
#[cfg_attr(not(feature = "server"), ignore = "reads what only a server does")]
fn connect_of_version_31_may_lack_announced_credentials() {
    let head = b"\x00\x06MQIsdp\x03\xc2\x00\x0a\x00\x01c";
    let decode = |tail: &[u8]| {
        let mut bytes = vec![0x10, (head.len() + tail.len()) as u8];
        bytes.extend_from_slice(head);
        bytes.extend_from_slice(tail);
        match Packet::decode(&bytes, V31) {
            Ok(Packet::Connect(connect)) => (
                connect.user_name.map(ToString::to_string),
                connect.password.map(Vec::from),
            ),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(decode(b""), (None, None));
    assert_eq!(decode(b"\x00\x01u"), (Some("u".to_string()), None));
    assert_eq!(
        decode(b"\x00\x01u\x00\x01p"),
        (Some("u".to_string()), Some(vec![b'p']))
    );
}

#[test]
fn debug_shows_no_password() {
    let text = std::format!(
        "{:?}",
        Connect {
            password: Some(b"hunter2"),
            ..connect()
        }
    );
    assert!(text.contains("password: Some(...)"), "{text}");
    assert!(
        !text.contains("hunter2") && !text.contains("104, 117"),
        "{text}"
    );
}

/// Table 3.1 and section 3.2.2.2.
#[test]
fn connack_codes() {
    use ConnectReturnCode::*;
    let refusals = [
        UnacceptableProtocolVersion,
        IdentifierRejected,
        ServerUnavailable,
        BadUserNameOrPassword,
        NotAuthorized,
    ];
    for version in [V31, V311] {
        let accepted = ConnAck {
            session_present: false,
            code: Accepted,
        };
        same(Packet::ConnAck(accepted), version, b"\x20\x02\x00\x00");
        for (code, number) in refusals.into_iter().zip(1..) {
            let refused = ConnAck {
                session_present: false,
                code,
            };
            same(Packet::ConnAck(refused), version, &[0x20, 2, 0, number]);
        }
    }
    let resumed = ConnAck {
        session_present: true,
        code: Accepted,
    };
    same(Packet::ConnAck(resumed), V311, b"\x20\x02\x01\x00");
    // MQTT 3.1 section 3.2: the first byte is not used.
    assert_eq!(encoded(&Packet::ConnAck(resumed), V31), b"\x20\x02\x00\x00");
    let accepted = ConnAck {
        session_present: false,
        code: Accepted,
    };
    assert_eq!(
        Packet::decode(b"\x20\x02\xff\x00", V31),
        Ok(Packet::ConnAck(accepted))
    );
}

/// The variable header is the example of section 3.3.2 (table 3.3): topic a/b, identifier 10.
#[test]
fn publish_example() {
    let bytes = b"\x32\x09\x00\x03a/b\x00\x0ahi";
    same(Packet::Publish(publish()), V311, bytes);
    same(Packet::Publish(publish()), V31, bytes);
}

/// Section 3.3.1: DUP is bit 3, QoS bits 2 and 1, RETAIN bit 0; table 3.2 for the QoS.
#[test]
fn publish_flags() {
    let at_most_once = Publish {
        qos: QoS::AtMostOnce,
        packet_id: None,
        payload: b"",
        ..publish()
    };
    same(Packet::Publish(at_most_once), V311, b"\x30\x05\x00\x03a/b");
    let retained = Publish {
        retain: true,
        ..at_most_once
    };
    same(Packet::Publish(retained), V311, b"\x31\x05\x00\x03a/b");
    let again = Publish {
        dup: true,
        payload: b"",
        ..publish()
    };
    same(Packet::Publish(again), V311, b"\x3a\x07\x00\x03a/b\x00\x0a");
    let exactly_once = Publish {
        qos: QoS::ExactlyOnce,
        payload: b"",
        ..publish()
    };
    same(
        Packet::Publish(exactly_once),
        V311,
        b"\x34\x07\x00\x03a/b\x00\x0a",
    );
}

/// Section 1.5.3: the string "A" and U+2A6D4 (figure 1.2), and U+FEFF, which stays [MQTT-1.5.3-3].
#[test]
fn strings_are_utf8() {
    let topic = |topic| {
        Packet::Publish(Publish {
            qos: QoS::AtMostOnce,
            packet_id: None,
            topic,
            payload: b"",
            ..publish()
        })
    };
    same(
        topic("A\u{2a6d4}"),
        V311,
        b"\x30\x07\x00\x05\x41\xf0\xaa\x9b\x94",
    );
    same(topic("\u{feff}"), V311, b"\x30\x05\x00\x03\xef\xbb\xbf");
}

/// Table 2.4: the smallest and the largest remaining length of each size.
#[test]
fn remaining_length() {
    let cases: [(usize, &[u8]); 6] = [
        (127, &[0x7f]),
        (128, &[0x80, 0x01]),
        (16_383, &[0xff, 0x7f]),
        (16_384, &[0x80, 0x80, 0x01]),
        (2_097_151, &[0xff, 0xff, 0x7f]),
        (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
    ];
    for (length, expected) in cases {
        let payload = vec![b'x'; length - 5];
        let packet = Packet::Publish(Publish {
            qos: QoS::AtMostOnce,
            packet_id: None,
            payload: &payload,
            ..publish()
        });
        let bytes = encoded(&packet, V311);
        assert_eq!(bytes.len(), 1 + expected.len() + length);
        assert_eq!(&bytes[1..=expected.len()], expected);
        assert_eq!(Packet::decode(&bytes, V311), Ok(packet));
    }
}

/// Sections 3.4 to 3.7 and 3.11, with the flags of table 2.2.
#[test]
fn acknowledgements() {
    for version in [V31, V311] {
        let packet_id = id(0x1234);
        same(
            Packet::PubAck(PubAck { packet_id }),
            version,
            b"\x40\x02\x12\x34",
        );
        same(
            Packet::PubRec(PubRec { packet_id }),
            version,
            b"\x50\x02\x12\x34",
        );
        same(
            Packet::PubRel(PubRel {
                packet_id,
                dup: false,
            }),
            version,
            b"\x62\x02\x12\x34",
        );
        same(
            Packet::PubComp(PubComp { packet_id }),
            version,
            b"\x70\x02\x12\x34",
        );
        same(
            Packet::UnsubAck(UnsubAck { packet_id }),
            version,
            b"\xb0\x02\x12\x34",
        );
    }
}

/// Sections 3.12 to 3.14.
#[test]
fn packets_without_fields() {
    for version in [V31, V311] {
        same(Packet::PingReq, version, b"\xc0\x00");
        same(Packet::PingResp, version, b"\xd0\x00");
        same(Packet::Disconnect, version, b"\xe0\x00");
    }
}

/// The examples of sections 3.8.2 (identifier 10) and 3.8.3 (a/b with QoS 1, c/d with QoS 2).
#[test]
fn subscribe_example() {
    let filters = [("a/b", QoS::AtLeastOnce), ("c/d", QoS::ExactlyOnce)];
    let subscribe = Subscribe {
        packet_id: id(10),
        dup: false,
        filters: Entries::from(&filters),
    };
    let bytes = b"\x82\x0e\x00\x0a\x00\x03a/b\x01\x00\x03c/d\x02";
    same(Packet::Subscribe(subscribe), V311, bytes);
    same(Packet::Subscribe(subscribe), V31, bytes);
    if cfg!(feature = "server") {
        let Ok(Packet::Subscribe(read)) = Packet::decode(bytes, V311) else {
            panic!()
        };
        assert!(read.filters.iter().eq(filters));
        assert_eq!(read.filters.len(), 2);
    }
}

/// The example of section 3.9.3: QoS 0, QoS 2, failure. MQTT 3.1 (section 3.9) has the granted QoS
/// only.
#[test]
fn suback_example() {
    let return_codes = [
        SubscribeReturnCode::Granted(QoS::AtMostOnce),
        SubscribeReturnCode::Granted(QoS::ExactlyOnce),
        SubscribeReturnCode::Failure,
    ];
    let granted = SubAck {
        packet_id: id(10),
        return_codes: Entries::from(&return_codes[..2]),
    };
    same(Packet::SubAck(granted), V31, b"\x90\x04\x00\x0a\x00\x02");
    let suback = SubAck {
        packet_id: id(10),
        return_codes: Entries::from(&return_codes),
    };
    same(
        Packet::SubAck(suback),
        V311,
        b"\x90\x05\x00\x0a\x00\x02\x80",
    );
}

/// The example of section 3.10.3: a/b and c/d.
#[test]
fn unsubscribe_example() {
    let filters = ["a/b", "c/d"];
    let unsubscribe = Unsubscribe {
        packet_id: id(10),
        dup: false,
        filters: Entries::from(&filters),
    };
    for version in [V31, V311] {
        same(
            Packet::Unsubscribe(unsubscribe),
            version,
            b"\xa2\x0c\x00\x0a\x00\x03a/b\x00\x03c/d",
        );
    }
}

/// MQTT 3.1 section 2.1: DUP is bit 3 of PUBREL, SUBSCRIBE and UNSUBSCRIBE too.
#[test]
fn dup_of_requests_in_version_31() {
    let packet_id = id(10);
    let filters = [("a", QoS::AtMostOnce)];
    let names = ["a"];
    let cases: [(Packet<'_>, &[u8], &[u8]); 3] = [
        (
            Packet::PubRel(PubRel {
                packet_id,
                dup: true,
            }),
            b"\x6a\x02\x00\x0a",
            b"\x62\x02\x00\x0a",
        ),
        (
            Packet::Subscribe(Subscribe {
                packet_id,
                dup: true,
                filters: Entries::from(&filters),
            }),
            b"\x8a\x06\x00\x0a\x00\x01a\x00",
            b"\x82\x06\x00\x0a\x00\x01a\x00",
        ),
        (
            Packet::Unsubscribe(Unsubscribe {
                packet_id,
                dup: true,
                filters: Entries::from(&names),
            }),
            b"\xaa\x05\x00\x0a\x00\x01a",
            b"\xa2\x05\x00\x0a\x00\x01a",
        ),
    ];
    for (packet, version_31, version_311) in cases {
        same(packet, V31, version_31);
        assert_eq!(encoded(&packet, V311), version_311);
    }
}

#[test]
fn values_are_those_of_the_specification() {
    assert_eq!((V31.name(), V31.level()), ("MQIsdp", 3));
    assert_eq!((V311.name(), V311.level()), ("MQTT", 4));
    assert_eq!(PacketId::new(0), None);
    assert_eq!(id(65_535).next(), PacketId::FIRST);
    assert_eq!(id(7).next(), id(8));
    // Table 2.1.
    let names: Vec<_> = (0..=16)
        .filter_map(PacketKind::from_number)
        .map(|kind| kind.to_string())
        .collect();
    assert_eq!(
        names.join(" "),
        "CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE \
         UNSUBACK PINGREQ PINGRESP DISCONNECT"
    );
}
