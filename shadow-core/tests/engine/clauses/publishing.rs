//! Sections 3.3 and 3.6: PUBLISH and PUBREL.

use shadow_core::mqtt::{EncodeError, Packet, ProtocolVersion, Publish, QoS, topic};
use shadow_core::{Publication, RequestError};

use super::{client, cut, is_taken, keeping, packets, refused, send};

const DUP: u8 = 0b1000;

#[test]
fn dup_marks_what_is_sent_again() {
    let mut device = keeping();
    send(&mut device, b"1", QoS::AtLeastOnce);
    send(&mut device, b"2", QoS::ExactlyOnce);
    let first = packets(&mut device);
    for packet in &first {
        assert_eq!(packet[0] & DUP, 0, "[MQTT-3.3.1-1] not yet: {packet:02x?}");
    }
    for _ in 0..2 {
        cut(&mut device);
        device.connect(true);
        let again = packets(&mut device);
        assert_eq!(
            again,
            [
                b"\x3a\x06\x00\x01t\x00\x011".to_vec(),
                b"\x3c\x06\x00\x01t\x00\x022".to_vec()
            ],
            "[MQTT-3.3.1-1]"
        );
    }
}

#[test]
fn dup_is_not_set_at_qos_0() {
    // A message that waited for a link over two tries is sent once all the same.
    let mut device = keeping();
    cut(&mut device);
    send(&mut device, b"x", QoS::AtMostOnce);
    device.connect(true);
    assert_eq!(
        device.packet(),
        b"\x30\x04\x00\x01tx",
        "[MQTT-3.3.1-2] sent"
    );
    let publish = Publish {
        dup: true,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "t",
        packet_id: None,
        payload: b"",
    };
    assert_eq!(
        publish.encode(&mut Vec::new()),
        Err(EncodeError::DupAtMostOnce),
        "[MQTT-3.3.1-2] not written"
    );
    assert_eq!(
        refused(b"\x38\x04\x00\x01tx"),
        "MQTT-3.3.1-2",
        "[MQTT-3.3.1-2] received"
    );
}

#[test]
fn qos_3_is_neither_sent_nor_taken() {
    let mut device = client();
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        send(&mut device, b"x", qos);
        let sent = device.packet()[0] >> 1 & 0b11;
        assert_eq!(sent, qos.number(), "[MQTT-3.3.1-4] sent");
    }
    assert_eq!(
        QoS::from_number(3),
        None,
        "[MQTT-3.3.1-4] there is no such QoS"
    );
    for first in [0x36, 0x37, 0x3E, 0x3F] {
        let packet = [&[first][..], b"\x06\x00\x01t\x00\x01x"].concat();
        assert_eq!(
            refused(&packet),
            "MQTT-3.3.1-4",
            "[MQTT-3.3.1-4] received {first:#x}"
        );
    }
}

#[test]
fn the_topic_is_the_first_field() {
    let mut device = client();
    let publication = Publication::new("ü/b", b"x").qos(QoS::AtLeastOnce);
    device.engine.publish(device.now, &publication).unwrap();
    assert_eq!(
        device.packet(),
        b"\x32\x09\x00\x04\xc3\xbc/b\x00\x01x",
        "[MQTT-3.3.2-1] topic, then packet identifier, then payload"
    );
    for packet in [
        &b"\x30\x00"[..],
        b"\x30\x01\x00",
        b"\x30\x03\x00\x02a",
        b"\x32\x02\x00\x07",
    ] {
        assert_eq!(
            refused(packet),
            "MQTT-3.3.2-1",
            "[MQTT-3.3.2-1] received {packet:02x?}"
        );
    }
}

#[test]
fn a_topic_name_has_no_wildcards() {
    let mut device = client();
    for name in ["+", "#", "a/+", "a/#", "a+b", "#a"] {
        let published = device
            .engine
            .publish(device.now, &Publication::new(name, b""));
        assert!(
            matches!(published, Err(RequestError::InvalidTopic(_))),
            "[MQTT-3.3.2-2] sent {name:?}"
        );
        assert!(
            topic::validate_name(name).is_err(),
            "[MQTT-4.7.1-1] {name:?}"
        );
        let [high, low] = u16::try_from(name.len()).unwrap().to_be_bytes();
        let length = u8::try_from(name.len()).unwrap() + 2;
        let packet = [&[0x30, length, high, low], name.as_bytes()].concat();
        assert_eq!(
            refused(&packet),
            "MQTT-3.3.2-2",
            "[MQTT-3.3.2-2] [MQTT-4.7.1-1] received {name:?}"
        );
    }
    device.silent();
}

/// Table 3.4.
#[test]
fn a_message_is_answered_as_its_qos_demands() {
    for (packet, answer) in [
        (&b"\x30\x04\x00\x01tx"[..], &[][..]),
        (b"\x32\x06\x00\x01t\x00\x09x", &[0x40, 2, 0, 9][..]),
        (b"\x34\x06\x00\x01t\x00\x09x", &[0x50, 2, 0, 9]),
    ] {
        let mut device = client();
        device.bytes(packet);
        assert_eq!(packets(&mut device).concat(), answer, "[MQTT-3.3.4-1]");
    }
}

#[test]
fn pubrel_has_the_flags_0010() {
    let mut device = keeping();
    send(&mut device, b"x", QoS::ExactlyOnce);
    device.packet();
    device.bytes(&[0x50, 2, 0, 1]);
    assert_eq!(device.packet(), [0x62, 2, 0, 1], "[MQTT-3.6.1-1] sent");
    cut(&mut device);
    device.connect(true);
    assert_eq!(
        device.packet(),
        [0x62, 2, 0, 1],
        "[MQTT-3.6.1-1] sent again"
    );

    for first in 0x60..=0x6F_u8 {
        let packet = [first, 2, 0, 1];
        let decoded = Packet::decode(&packet, ProtocolVersion::V311);
        if first == 0x62 {
            assert!(is_taken(&packet), "[MQTT-3.6.1-1] received");
        } else {
            assert_eq!(refused(&packet), "MQTT-3.6.1-1", "[MQTT-3.6.1-1] received");
            assert!(decoded.is_err(), "[MQTT-3.6.1-1] {decoded:?}");
        }
    }
}
