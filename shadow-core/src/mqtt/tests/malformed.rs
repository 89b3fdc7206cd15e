//! Bytes that break one rule each, and the clause they have to be refused with.

use super::super::topic::TopicError;
use super::super::*;
use super::is_read;
use ProtocolVersion::{V31, V311};
use std::collections::BTreeSet;
use std::string::ToString;
use std::vec::Vec;

/// Bytes, the version they are read as, the clause, and why.
#[rustfmt::skip]
const MALFORMED: &[(&[u8], ProtocolVersion, &str, &str)] = &[
    // Fixed header.
    (b"\x00\x00", V311, "MQTT section 2.2.1", "type 0"),
    (b"\xf0\x00", V311, "MQTT section 2.2.1", "type 15"),
    (b"\x11\x00", V311, "MQTT-2.2.2-2", "flags of CONNECT"),
    (b"\x21\x02\x00\x00", V311, "MQTT-2.2.2-2", "flags of CONNACK"),
    (b"\x42\x02\x00\x01", V311, "MQTT-2.2.2-2", "flags of PUBACK"),
    (b"\x52\x02\x00\x01", V311, "MQTT-2.2.2-2", "flags of PUBREC"),
    (b"\x60\x02\x00\x01", V311, "MQTT-3.6.1-1", "flags of PUBREL"),
    (b"\x6a\x02\x00\x01", V311, "MQTT-3.6.1-1", "DUP in PUBREL"),
    (b"\x63\x02\x00\x01", V31, "MQTT-3.6.1-1", "RETAIN in PUBREL"),
    (b"\x72\x02\x00\x01", V311, "MQTT-2.2.2-2", "flags of PUBCOMP"),
    (b"\x80\x06\x00\x01\x00\x01a\x00", V311, "MQTT-3.8.1-1", "flags of SUBSCRIBE"),
    (b"\x8a\x06\x00\x01\x00\x01a\x00", V311, "MQTT-3.8.1-1", "DUP in SUBSCRIBE"),
    (b"\x92\x03\x00\x01\x00", V311, "MQTT-2.2.2-2", "flags of SUBACK"),
    (b"\xa0\x05\x00\x01\x00\x01a", V311, "MQTT-3.10.1-1", "flags of UNSUBSCRIBE"),
    (b"\xaa\x05\x00\x01\x00\x01a", V311, "MQTT-3.10.1-1", "DUP in UNSUBSCRIBE"),
    (b"\xb2\x02\x00\x01", V311, "MQTT-2.2.2-2", "flags of UNSUBACK"),
    (b"\xc8\x00", V311, "MQTT-2.2.2-2", "flags of PINGREQ"),
    (b"\xd1\x00", V311, "MQTT-2.2.2-2", "flags of PINGRESP"),
    (b"\xe1\x00", V311, "MQTT-3.14.1-1", "flags of DISCONNECT"),
    (b"\x36\x07\x00\x01a\x00\x01xx", V311, "MQTT-3.3.1-4", "QoS 3"),
    (b"\x3e\x07\x00\x01a\x00\x01xx", V31, "MQTT-3.3.1-4", "QoS 3 and DUP"),
    (b"\x38\x03\x00\x01a", V311, "MQTT-3.3.1-2", "DUP at QoS 0"),
    (b"\x30\xff\xff\xff\xff\x01", V311, "MQTT section 2.2.3", "fifth length byte"),
    (b"\x30\x80\x80\x80\x80\x00", V311, "MQTT section 2.2.3", "fifth length byte, zeros"),
    // Length.
    (b"\xc0\x01x", V311, "MQTT section 2.2.3", "bytes in PINGREQ"),
    (b"\xd0\x01x", V311, "MQTT section 2.2.3", "bytes in PINGRESP"),
    (b"\xe0\x01x", V311, "MQTT section 2.2.3", "bytes in DISCONNECT"),
    (b"\x20\x03\x00\x00x", V311, "MQTT section 2.2.3", "third byte in CONNACK"),
    (b"\x40\x03\x00\x01x", V311, "MQTT section 2.2.3", "third byte in PUBACK"),
    (b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x0a\x00\x01cx",
        V311, "MQTT section 2.2.3", "byte after CONNECT"),
    (b"\x40\x00", V311, "MQTT section 2.3.1", "no packet identifier"),
    (b"\x40\x01\x00", V311, "MQTT section 2.3.1", "half a packet identifier"),
    (b"\x32\x04\x00\x01a\x00", V311, "MQTT section 2.3.1", "half a packet identifier in PUBLISH"),
    (b"\x30\x00", V311, "MQTT-3.3.2-1", "no topic"),
    (b"\x30\x01\x00", V311, "MQTT-3.3.2-1", "half a topic length"),
    (b"\x30\x03\x00\x02a", V311, "MQTT-3.3.2-1", "topic longer than the packet"),
    (b"\x20\x00", V311, "MQTT section 3.2.2.1", "no acknowledge flags"),
    (b"\x20\x01\x00", V311, "MQTT section 3.2.2.3", "no return code"),
    // Strings, in PUBLISH.
    (b"\x30\x03\x00\x01\xff", V311, "MQTT-1.5.3-1", "no UTF-8"),
    (b"\x30\x04\x00\x02\xc1\xbf", V311, "MQTT-1.5.3-1", "overlong form"),
    (b"\x30\x04\x00\x02\xc0\x80", V31, "MQTT-1.5.3-1", "U+0000 as Java writes it"),
    (b"\x30\x05\x00\x03\xed\xa0\x80", V311, "MQTT-1.5.3-1", "surrogate U+D800"),
    (b"\x30\x05\x00\x03\xed\xbf\xbf", V311, "MQTT-1.5.3-1", "surrogate U+DFFF"),
    (b"\x30\x06\x00\x04\xf4\x90\x80\x80", V311, "MQTT-1.5.3-1", "above U+10FFFF"),
    (b"\x30\x04\x00\x02\xe2\x82", V311, "MQTT-1.5.3-1", "cut character"),
    (b"\x30\x05\x00\x03a\x00b", V311, "MQTT-1.5.3-2", "U+0000 in a topic"),
    (b"\x30\x02\x00\x00", V311, "MQTT-4.7.3-1", "empty topic"),
    (b"\x30\x05\x00\x03a/+", V311, "MQTT-3.3.2-2", "+ in a topic"),
    (b"\x30\x05\x00\x03a/#", V31, "MQTT-3.3.2-2", "# in a topic"),
    // Packet identifiers.
    (b"\x32\x05\x00\x01a\x00\x00", V311, "MQTT-2.3.1-1", "PUBLISH 0"),
    (b"\x40\x02\x00\x00", V311, "MQTT-2.3.1-1", "PUBACK 0"),
    (b"\x50\x02\x00\x00", V311, "MQTT-2.3.1-1", "PUBREC 0"),
    (b"\x62\x02\x00\x00", V311, "MQTT-2.3.1-1", "PUBREL 0"),
    (b"\x70\x02\x00\x00", V311, "MQTT-2.3.1-1", "PUBCOMP 0"),
    (b"\x82\x06\x00\x00\x00\x01a\x00", V311, "MQTT-2.3.1-1", "SUBSCRIBE 0"),
    (b"\x90\x03\x00\x00\x00", V311, "MQTT-2.3.1-1", "SUBACK 0"),
    (b"\xa2\x05\x00\x00\x00\x01a", V311, "MQTT-2.3.1-1", "UNSUBSCRIBE 0"),
    (b"\xb0\x02\x00\x00", V311, "MQTT-2.3.1-1", "UNSUBACK 0"),
    // CONNECT.
    (b"\x10\x00", V311, "MQTT section 3.1.2.1", "no protocol name"),
    (b"\x10\x0d\x00\x04mqtt\x04\x02\x00\x0a\x00\x01c", V311, "MQTT-3.1.2-1", "other protocol name"),
    (b"\x10\x06\x00\x04MQTT", V311, "MQTT section 3.1.2.2", "no protocol level"),
    (b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x0a\x00\x01c", V311, "MQTT-3.1.2-2", "level 5"),
    (b"\x10\x0d\x00\x04MQTT\x03\x02\x00\x0a\x00\x01c", V31, "MQTT-3.1.2-2", "level of 3.1"),
    (b"\x10\x0f\x00\x06MQIsdp\x04\x02\x00\x0a\x00\x01c", V311, "MQTT-3.1.2-2", "level of 3.1.1"),
    (b"\x10\x07\x00\x04MQTT\x04", V311, "MQTT section 3.1.2.3", "no flags"),
    (b"\x10\x0d\x00\x04MQTT\x04\x03\x00\x0a\x00\x01c", V311, "MQTT-3.1.2-3", "reserved flag"),
    (b"\x10\x0d\x00\x04MQTT\x04\x0a\x00\x0a\x00\x01c", V311, "MQTT-3.1.2-13", "will QoS, no will"),
    (b"\x10\x0d\x00\x04MQTT\x04\x22\x00\x0a\x00\x01c",
        V311, "MQTT-3.1.2-15", "will retain, no will"),
    (b"\x10\x13\x00\x04MQTT\x04\x1e\x00\x0a\x00\x01c\x00\x01w\x00\x01m",
        V311, "MQTT-3.1.2-14", "will QoS 3"),
    (b"\x10\x10\x00\x04MQTT\x04\x42\x00\x0a\x00\x01c\x00\x01p",
        V311, "MQTT-3.1.2-22", "password alone"),
    (b"\x10\x09\x00\x04MQTT\x04\x02\x00", V311, "MQTT section 3.1.2.10", "half a keep alive"),
    (b"\x10\x0a\x00\x04MQTT\x04\x02\x00\x0a", V311, "MQTT-3.1.3-3", "no client identifier"),
    (b"\x10\x0c\x00\x04MQTT\x04\x00\x00\x0a\x00\x00",
        V311, "MQTT-3.1.3-8", "empty client identifier"),
    (b"\x10\x0e\x00\x06MQIsdp\x03\x00\x00\x0a\x00\x00", V31, "MQTT-3.1.3-8", "the same in 3.1"),
    (b"\x10\x0d\x00\x04MQTT\x04\x06\x00\x0a\x00\x01c", V311, "MQTT-3.1.2-9", "no will topic"),
    (b"\x10\x10\x00\x04MQTT\x04\x06\x00\x0a\x00\x01c\x00\x01w",
        V311, "MQTT-3.1.2-9", "no will message"),
    (b"\x10\x0d\x00\x04MQTT\x04\x82\x00\x0a\x00\x01c", V311, "MQTT-3.1.2-19", "no user name"),
    (b"\x10\x10\x00\x04MQTT\x04\xc2\x00\x0a\x00\x01c\x00\x01u",
        V311, "MQTT-3.1.2-21", "no password"),
    (b"\x10\x10\x00\x06MQIsdp\x03\x82\x00\x0a\x00\x01c\x00",
        V31, "MQTT-3.1.2-19", "part of a user name in 3.1"),
    (b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01\x00",
        V311, "MQTT-1.5.3-2", "U+0000 in the client identifier"),
    (b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01\xff",
        V311, "MQTT-1.5.3-1", "client identifier not UTF-8"),
    (b"\x10\x10\x00\x04MQTT\x04\x82\x00\x0a\x00\x01c\x00\x01\xff",
        V311, "MQTT-1.5.3-1", "user name not UTF-8"),
    (b"\x10\x13\x00\x04MQTT\x04\x06\x00\x0a\x00\x01c\x00\x01#\x00\x01m",
        V311, "MQTT-4.7.1-1", "wildcard in the will topic"),
    // CONNACK.
    (b"\x20\x02\x02\x00", V311, "MQTT section 3.2.2.1", "reserved acknowledge flag"),
    (b"\x20\x02\x81\x00", V311, "MQTT section 3.2.2.1", "reserved flag beside session present"),
    (b"\x20\x02\x01\x05", V311, "MQTT-3.2.2-4", "session present in a refusal"),
    (b"\x20\x02\x00\x06", V311, "MQTT section 3.2.2.3", "return code 6"),
    (b"\x20\x02\x00\xff", V31, "MQTT section 3.2.2.3", "return code 255"),
    // SUBSCRIBE, SUBACK, UNSUBSCRIBE.
    (b"\x82\x02\x00\x01", V311, "MQTT-3.8.3-3", "SUBSCRIBE without filter"),
    (b"\x82\x05\x00\x01\x00\x01a", V311, "MQTT section 3.8.3", "no requested QoS"),
    (b"\x82\x06\x00\x01\x00\x01a\x03", V311, "MQTT-3.8.3-4", "requested QoS 3"),
    (b"\x82\x06\x00\x01\x00\x01a\x04",
        V311, "MQTT-3.8.3-4", "reserved bits beside the requested QoS"),
    (b"\x82\x0a\x00\x01\x00\x01a\x00\x00\x01b\x80",
        V311, "MQTT-3.8.3-4", "the same in the second filter"),
    (b"\x82\x07\x00\x01\x00\x01a\x00\x00", V311, "MQTT section 1.5.3", "half a filter length"),
    (b"\x82\x05\x00\x01\x00\x00\x00", V311, "MQTT-4.7.3-1", "empty filter"),
    (b"\x82\x07\x00\x01\x00\x02a#\x00", V311, "MQTT-4.7.1-2", "misplaced #"),
    (b"\x82\x07\x00\x01\x00\x02a+\x00", V311, "MQTT-4.7.1-3", "misplaced +"),
    (b"\x82\x06\x00\x01\x00\x01\x00\x00", V311, "MQTT-1.5.3-2", "U+0000 in a filter"),
    (b"\x82\x06\x00\x01\x00\x01\xff\x00", V311, "MQTT-1.5.3-1", "filter not UTF-8"),
    (b"\x90\x02\x00\x01", V311, "MQTT section 3.9.3", "SUBACK without return code"),
    (b"\x90\x03\x00\x01\x03", V311, "MQTT-3.9.3-2", "return code 3"),
    (b"\x90\x04\x00\x01\x00\x81", V311, "MQTT-3.9.3-2", "return code 0x81 behind another"),
    (b"\x90\x03\x00\x01\x81", V31, "MQTT-3.9.3-2", "return code 0x81 in 3.1"),
    (b"\xa2\x02\x00\x01", V311, "MQTT-3.10.3-2", "UNSUBSCRIBE without filter"),
    (b"\xa2\x05\x00\x01\x00\x02a", V311, "MQTT section 1.5.3", "filter longer than the packet"),
    (b"\xa2\x07\x00\x01\x00\x03#/a", V311, "MQTT-4.7.1-2", "misplaced # in UNSUBSCRIBE"),
];

#[test]
fn each_is_refused_with_its_clause() {
    for &(bytes, version, clause, why) in MALFORMED {
        let error = Packet::decode(bytes, version).expect_err(why);
        // Of what only a server reads, it is enough that it is refused where it is not read.
        let clause = if is_read(bytes) {
            clause
        } else {
            error.clause()
        };
        assert_eq!(error.clause(), clause, "{why}: {error}");
        assert!(
            error.to_string().ends_with(&std::format!(" [{clause}]")),
            "{why}: {error}"
        );
        // The stream decoder finds the same.
        let mut decoder = StreamDecoder::new(version, 1024, Oversized::Refuse);
        assert_eq!(decoder.next(&mut &bytes[..]), Err(error), "{why}");
    }
}

/// A rule that no line of the table breaks is a rule nobody tests.
#[test]
#[cfg_attr(not(feature = "server"), ignore = "reads what only a server does")]
fn the_table_breaks_every_rule() {
    let broken: BTreeSet<_> = MALFORMED
        .iter()
        .map(|&(bytes, version, _, why)| {
            name(Packet::decode(bytes, version).expect_err(why).kind())
        })
        .collect();
    let elsewhere = ["PacketTooLarge", "Incomplete", "BytesAfterPacket"];
    let missing: Vec<_> = NAMES
        .iter()
        .filter(|name| !broken.contains(*name) && !elsewhere.contains(name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

const NAMES: [&str; 29] = [
    "PacketTypeReserved",
    "FlagsInvalid",
    "QoSReserved",
    "DupAtMostOnce",
    "RemainingLengthTooLong",
    "PacketTooLarge",
    "Incomplete",
    "BytesAfterPacket",
    "FieldMissing",
    "TrailingBytes",
    "Utf8Invalid",
    "NulCharacter",
    "Topic",
    "PacketIdZero",
    "ProtocolNameUnknown",
    "ProtocolLevelUnknown",
    "ConnectFlagReserved",
    "WillQoSWithoutWill",
    "WillQoSReserved",
    "WillRetainWithoutWill",
    "PasswordWithoutUserName",
    "EmptyClientIdWithoutCleanSession",
    "ConnAckFlagsReserved",
    "ConnectReturnCodeReserved",
    "SessionPresentWithRefusal",
    "NoTopicFilter",
    "RequestedQoSReserved",
    "NoReturnCode",
    "SubscribeReturnCodeReserved",
];

/// Exhaustive, so that a new rule comes to mind here.
fn name(kind: DecodeErrorKind) -> &'static str {
    use DecodeErrorKind as Kind;
    match kind {
        Kind::PacketTypeReserved { .. } => "PacketTypeReserved",
        Kind::FlagsInvalid { .. } => "FlagsInvalid",
        Kind::QoSReserved => "QoSReserved",
        Kind::DupAtMostOnce => "DupAtMostOnce",
        Kind::RemainingLengthTooLong => "RemainingLengthTooLong",
        Kind::PacketTooLarge { .. } => "PacketTooLarge",
        Kind::Incomplete { .. } => "Incomplete",
        Kind::BytesAfterPacket { .. } => "BytesAfterPacket",
        Kind::FieldMissing { .. } => "FieldMissing",
        Kind::TrailingBytes { .. } => "TrailingBytes",
        Kind::Utf8Invalid { .. } => "Utf8Invalid",
        Kind::NulCharacter { .. } => "NulCharacter",
        Kind::Topic { .. } => "Topic",
        Kind::PacketIdZero => "PacketIdZero",
        Kind::ProtocolNameUnknown => "ProtocolNameUnknown",
        Kind::ProtocolLevelUnknown { .. } => "ProtocolLevelUnknown",
        Kind::ConnectFlagReserved => "ConnectFlagReserved",
        Kind::WillQoSWithoutWill => "WillQoSWithoutWill",
        Kind::WillQoSReserved => "WillQoSReserved",
        Kind::WillRetainWithoutWill => "WillRetainWithoutWill",
        Kind::PasswordWithoutUserName => "PasswordWithoutUserName",
        Kind::EmptyClientIdWithoutCleanSession => "EmptyClientIdWithoutCleanSession",
        Kind::ConnAckFlagsReserved { .. } => "ConnAckFlagsReserved",
        Kind::ConnectReturnCodeReserved { .. } => "ConnectReturnCodeReserved",
        Kind::SessionPresentWithRefusal => "SessionPresentWithRefusal",
        Kind::NoTopicFilter => "NoTopicFilter",
        Kind::RequestedQoSReserved { .. } => "RequestedQoSReserved",
        Kind::NoReturnCode => "NoReturnCode",
        Kind::SubscribeReturnCodeReserved { .. } => "SubscribeReturnCodeReserved",
    }
}

#[test]
fn one_whole_packet_is_wanted() {
    let kind = |bytes: &[u8]| Packet::decode(bytes, V311).unwrap_err().kind();
    let incomplete = |given, needed| DecodeErrorKind::Incomplete { given, needed };
    assert_eq!(kind(b""), incomplete(0, 2));
    assert_eq!(kind(b"\x30"), incomplete(1, 2));
    assert_eq!(kind(b"\x30\x80"), incomplete(2, 3));
    assert_eq!(kind(b"\x40\x02\x00"), incomplete(3, 4));
    assert_eq!(
        kind(b"\xc0\x00\xc0\x00"),
        DecodeErrorKind::BytesAfterPacket { count: 2 }
    );
}

#[test]
fn errors_carry_the_values_and_say_them() {
    let error = Packet::decode(b"\x30\x05\x00\x03a/+", V311).unwrap_err();
    assert_eq!(error.packet(), Some(PacketKind::Publish));
    assert_eq!(
        error.kind(),
        DecodeErrorKind::Topic {
            field: Field::TopicName,
            error: TopicError::WildcardInName
        }
    );
    assert_eq!(
        error.to_string(),
        "PUBLISH: the topic name contains a wildcard [MQTT-3.3.2-2]"
    );
    let error = Packet::decode(b"\xf0\x00", V311).unwrap_err();
    assert_eq!(
        error.to_string(),
        "packet type 15 is reserved [MQTT section 2.2.1]"
    );
    let error = Packet::decode(b"\x30\x05\x00\x03ab\xff", V311).unwrap_err();
    assert_eq!(
        error.to_string(),
        "PUBLISH: the topic name is not UTF-8 from byte 2 on [MQTT-1.5.3-1]"
    );
}

/// [MQTT-3.1.2-2], [MQTT-3.1.3-8] and [MQTT-3.1.4-1].
#[test]
#[cfg_attr(not(feature = "server"), ignore = "reads what only a server does")]
fn some_connects_are_answered_before_closing() {
    let code = |bytes: &[u8]| Packet::decode(bytes, V311).unwrap_err().connack_code();
    assert_eq!(
        code(b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x0a\x00\x01c"),
        Some(ConnectReturnCode::UnacceptableProtocolVersion)
    );
    assert_eq!(
        code(b"\x10\x0c\x00\x04MQTT\x04\x00\x00\x0a\x00\x00"),
        Some(ConnectReturnCode::IdentifierRejected)
    );
    assert_eq!(code(b"\x10\x0d\x00\x04MQTT\x04\x03\x00\x0a\x00\x01c"), None);
}
