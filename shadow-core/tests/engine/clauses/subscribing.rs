//! Sections 3.8 and 3.10: SUBSCRIBE and UNSUBSCRIBE.

use shadow_core::mqtt::{
    EncodeError, Entries, PacketId, ProtocolVersion, QoS, Subscribe, Unsubscribe,
};

use super::{client, cut, keeping, packets};

#[test]
fn subscribe_is_laid_out_as_the_specification_says() {
    let mut device = client();
    for (qos, number) in [
        (QoS::AtMostOnce, 0),
        (QoS::AtLeastOnce, 1),
        (QoS::ExactlyOnce, 2),
    ] {
        device.engine.subscribe(device.now, "ü/+", qos).unwrap();
        let packet = device.packet();
        assert_eq!(packet[0], 0x82, "[MQTT-3.8.1-1] the flags are 0010");
        assert_eq!(
            packet[4..packet.len() - 1],
            *b"\x00\x04\xc3\xbc/+",
            "[MQTT-3.8.3-1] the filter is UTF-8 behind its length"
        );
        assert_eq!(
            packet[packet.len() - 1],
            number,
            "[MQTT-3.8.3-3] a filter and a QoS, without reserved bits"
        );
    }
}

#[test]
fn subscribe_has_a_filter() {
    let subscribe = Subscribe {
        packet_id: PacketId::FIRST,
        dup: false,
        filters: Entries::from(&[]),
    };
    let mut out = Vec::new();
    assert_eq!(
        subscribe.encode(ProtocolVersion::V311, &mut out),
        Err(EncodeError::NoTopicFilter),
        "[MQTT-3.8.3-3]"
    );
    assert!(out.is_empty());
}

#[test]
fn unsubscribe_is_laid_out_as_the_specification_says() {
    let mut device = client();
    device.engine.unsubscribe(device.now, "ü/#").unwrap();
    let packet = device.packet();
    assert_eq!(packet[0], 0xA2, "[MQTT-3.10.1-1] the flags are 0010");
    assert_eq!(
        packet[4..],
        *b"\x00\x04\xc3\xbc/#",
        "[MQTT-3.10.3-1] the filter is UTF-8 behind its length"
    );
    let filters = ["ü", "b/+"];
    let unsubscribe = Unsubscribe {
        packet_id: PacketId::FIRST,
        dup: false,
        filters: Entries::from(&filters[..]),
    };
    let mut out = Vec::new();
    unsubscribe.encode(ProtocolVersion::V311, &mut out).unwrap();
    assert_eq!(
        out, b"\xa2\x0b\x00\x01\x00\x02\xc3\xbc\x00\x03b/+",
        "[MQTT-3.10.3-1] two filters follow each other without a gap"
    );
}

#[test]
fn unsubscribe_has_a_filter() {
    let unsubscribe = Unsubscribe {
        packet_id: PacketId::FIRST,
        dup: false,
        filters: Entries::from(&[]),
    };
    let mut out = Vec::new();
    assert_eq!(
        unsubscribe.encode(ProtocolVersion::V311, &mut out),
        Err(EncodeError::NoTopicFilter),
        "[MQTT-3.10.3-2]"
    );
    assert!(out.is_empty());
}

/// DUP is no flag of SUBSCRIBE in MQTT 3.1.1, also where one is made again on a new link.
#[test]
fn a_repeated_subscribe_has_the_same_flags() {
    let mut device = keeping();
    let now = device.now;
    device.engine.subscribe(now, "f", QoS::AtMostOnce).unwrap();
    device.engine.unsubscribe(now, "g").unwrap();
    packets(&mut device);
    cut(&mut device);
    device.connect(true);
    let again = packets(&mut device);
    let mut firsts = super::first_bytes(&again);
    firsts.sort_unstable();
    assert_eq!(firsts, [0x82, 0xA2], "[MQTT-3.8.1-1] [MQTT-3.10.1-1]");
}
