//! Chapters 1 and 2: strings, flags and packet identifiers.

use shadow_core::mqtt::QoS;
use shadow_core::{Config, Event, Publication, RequestError, Timer};

use super::{client, cut, ended, first_bytes, keeping, numbering_from, packets, refused, send};
use crate::device::{Device, Out};

fn received_topic(bytes: &[u8]) -> String {
    let mut device = client();
    device.bytes(bytes);
    match device.event() {
        Event::Message(message) => message.topic,
        other => panic!("expected a message, got {other:?}"),
    }
}

#[test]
fn strings_are_well_formed_utf8() {
    for (bytes, what) in [
        (&b"\x30\x03\x00\x01\xff"[..], "a byte that UTF-8 never has"),
        (b"\x30\x04\x00\x02\xc0\xaf", "an overlong form"),
        (b"\x30\x05\x00\x03\xed\xa0\x80", "U+D800"),
        (b"\x30\x05\x00\x03\xed\xbf\xbf", "U+DFFF"),
        (b"\x30\x06\x00\x04\xf4\x90\x80\x80", "above U+10FFFF"),
        (b"\x30\x04\x00\x02\xe2\x82", "a cut character"),
    ] {
        assert_eq!(refused(bytes), "MQTT-1.5.3-1", "[MQTT-1.5.3-1] {what}");
    }
    // Figure 1.2: "A" and U+2A6D4.
    let mut device = client();
    let publication = Publication::new("A\u{2A6D4}", b"");
    device.engine.publish(device.now, &publication).unwrap();
    assert_eq!(
        device.packet(),
        b"\x30\x07\x00\x05A\xf0\xaa\x9b\x94",
        "[MQTT-1.5.3-1] what is sent is UTF-8"
    );
}

#[test]
fn strings_have_no_u_0000() {
    let breach = refused(b"\x30\x05\x00\x03a\x00b");
    assert_eq!(breach, "MQTT-1.5.3-2", "[MQTT-1.5.3-2] received");

    let mut device = client();
    let now = device.now;
    let published = device.engine.publish(now, &Publication::new("a\0b", b""));
    let subscribed = device.engine.subscribe(now, "a\0b", QoS::AtMostOnce);
    for refused in [published, subscribed] {
        assert!(
            matches!(refused, Err(RequestError::InvalidTopic(_))),
            "[MQTT-1.5.3-2] {refused:?}"
        );
    }
    let mut device = Device::new(Config::plain("a\0b"));
    assert_eq!(device.poll(), [Out::Connect]);
    device.engine.handle_connected(device.now);
    assert_eq!(
        device.poll(),
        [Out::Close],
        "[MQTT-1.5.3-2] no CONNECT with such a client identifier"
    );
}

#[test]
fn a_byte_order_mark_is_a_character_like_others() {
    assert_eq!(
        received_topic(b"\x30\x09\x00\x07\xef\xbb\xbfa\xef\xbb\xbf"),
        "\u{feff}a\u{feff}",
        "[MQTT-1.5.3-3] received"
    );
    let mut device = client();
    let publication = Publication::new("\u{feff}a", b"");
    device.engine.publish(device.now, &publication).unwrap();
    assert_eq!(
        device.packet(),
        b"\x30\x06\x00\x04\xef\xbb\xbfa",
        "[MQTT-1.5.3-3] sent"
    );
}

/// Everything a client sends, once.
#[test]
fn reserved_flags_are_those_of_table_2_2() {
    let mut device = Device::new(Config::plain("c"));
    device.poll();
    device.engine.handle_connected(device.now);
    let mut sent = packets(&mut device);
    device.bytes(&[0x20, 2, 0, 0]);

    device
        .engine
        .subscribe(device.now, "f", QoS::AtMostOnce)
        .unwrap();
    device.engine.unsubscribe(device.now, "g").unwrap();
    send(&mut device, b"x", QoS::ExactlyOnce);
    sent.extend(packets(&mut device));
    for bytes in [
        &[0x50, 2, 0, 3][..],                    // PUBREC
        b"\x32\x06\x00\x01t\x00\x07x",           // PUBLISH, QoS 1
        b"\x34\x06\x00\x01t\x00\x08x",           // PUBLISH, QoS 2
        &[0x62, 2, 0, 8],                        // PUBREL
        b"\x90\x03\x00\x01\x00\xb0\x02\x00\x02", // SUBACK, UNSUBACK
    ] {
        device.bytes(bytes);
        sent.extend(packets(&mut device));
    }
    device.tick_until(Timer::KeepAlive);
    sent.extend(packets(&mut device));
    device.engine.close(device.now);
    sent.extend(device.poll().into_iter().filter_map(|out| match out {
        Out::Packet(bytes) => Some(bytes),
        _ => None,
    }));
    // CONNECT, SUBSCRIBE, UNSUBSCRIBE, PUBLISH of QoS 2, PUBREL, PUBACK, PUBREC, PUBCOMP, PINGREQ,
    // DISCONNECT.
    assert_eq!(
        first_bytes(&sent),
        [0x10, 0x82, 0xA2, 0x34, 0x62, 0x40, 0x50, 0x70, 0xC0, 0xE0],
        "[MQTT-2.2.2-1]"
    );
}

#[test]
fn invalid_flags_end_the_link() {
    for (right, rest) in [
        (0x40, &[2, 0, 1][..]),
        (0x50, &[2, 0, 1]),
        (0x62, &[2, 0, 1]),
        (0x70, &[2, 0, 1]),
        (0x90, &[3, 0, 1, 0]),
        (0xB0, &[2, 0, 1]),
        (0xD0, &[0]),
    ] {
        for flags in 0..=0x0F_u8 {
            let first = right & 0xF0 | flags;
            let packet = [&[first], rest].concat();
            let mut device = client();
            device.bytes(&packet);
            if first == right {
                assert!(device.engine.is_online(), "[MQTT-2.2.2-2] {packet:02x?}");
            } else {
                device.events();
                assert_eq!(device.poll(), [Out::Close], "[MQTT-2.2.2-2] {packet:02x?}");
            }
        }
    }
    let mut device = Device::new(Config::plain("c"));
    device.poll();
    device.engine.handle_connected(device.now);
    device.packet();
    device.bytes(&[0x21, 2, 0, 0]);
    assert_eq!(ended(&mut device), "MQTT-2.2.2-2", "[MQTT-2.2.2-2] CONNACK");
}

fn packet_id(packet: &[u8]) -> [u8; 2] {
    match packet[0] >> 4 {
        3 => [packet[5], packet[6]], // behind the topic "t"
        _ => [packet[2], packet[3]],
    }
}

#[test]
fn packet_ids_are_never_zero() {
    let mut device = numbering_from(65_534);
    send(&mut device, b"x", QoS::AtLeastOnce);
    device
        .engine
        .subscribe(device.now, "f", QoS::AtMostOnce)
        .unwrap();
    device.engine.unsubscribe(device.now, "g").unwrap();
    send(&mut device, b"x", QoS::ExactlyOnce);
    let ids: Vec<_> = packets(&mut device).iter().map(|p| packet_id(p)).collect();
    assert_eq!(
        ids,
        [[0xFF, 0xFE], [0xFF, 0xFF], [0, 1], [0, 2]],
        "[MQTT-2.3.1-1]"
    );
}

/// Twice around all 65,535: past one that is in use, then past the same when it is free.
#[test]
fn a_new_packet_takes_an_unused_id_or_an_acknowledged_one() {
    let next_id = |device: &mut Device| {
        send(device, b"", QoS::AtLeastOnce);
        u16::from_be_bytes(packet_id(&device.packet()))
    };
    let acknowledge = |device: &mut Device, id: u16| {
        let [high, low] = id.to_be_bytes();
        device.bytes(&[0x40, 2, high, low]);
        device.events();
    };
    let mut device = numbering_from(1);
    assert_eq!(next_id(&mut device), 1);
    for expected in (2..=u16::MAX).chain([2]) {
        let id = next_id(&mut device);
        assert_eq!(id, expected, "[MQTT-2.3.1-2] 1 is in use");
        acknowledge(&mut device, id);
    }
    acknowledge(&mut device, 1);
    for expected in (3..=u16::MAX).chain([1]) {
        let id = next_id(&mut device);
        assert_eq!(id, expected, "[MQTT-2.3.1-3] 1 is free since PUBACK came");
        acknowledge(&mut device, id);
    }
}

#[test]
fn what_is_sent_again_keeps_its_id() {
    let mut device = keeping();
    send(&mut device, b"1", QoS::AtLeastOnce);
    send(&mut device, b"2", QoS::ExactlyOnce);
    send(&mut device, b"3", QoS::ExactlyOnce);
    device.poll();
    device.bytes(&[0x50, 2, 0, 3]); // PUBREC for the third, so that its id waits for PUBCOMP
    device.poll();
    for _ in 0..2 {
        cut(&mut device);
        device.connect(true);
        let ids: Vec<_> = packets(&mut device).iter().map(|p| packet_id(p)).collect();
        assert_eq!(ids, [[0, 1], [0, 2], [0, 3]], "[MQTT-2.3.1-3]");
    }
}

#[test]
fn qos_0_has_no_packet_id() {
    let mut device = client();
    send(&mut device, b"hi", QoS::AtMostOnce);
    assert_eq!(
        device.packet(),
        b"\x30\x05\x00\x01thi",
        "[MQTT-2.3.1-5] the payload comes right behind the topic"
    );
    device.events();
    device.bytes(b"\x30\x05\x00\x01thi");
    let Event::Message(message) = device.event() else {
        panic!("expected a message")
    };
    assert_eq!(message.payload, b"hi", "[MQTT-2.3.1-5] and so it is read");
}

#[test]
fn acknowledgements_carry_the_id_of_the_message() {
    let mut device = client();
    device.bytes(b"\x32\x06\x00\x01t\x12\x34x");
    assert_eq!(
        device.packet(),
        [0x40, 2, 0x12, 0x34],
        "[MQTT-2.3.1-6] PUBACK"
    );
    device.bytes(b"\x34\x06\x00\x01t\x56\x78x");
    assert_eq!(
        device.packet(),
        [0x50, 2, 0x56, 0x78],
        "[MQTT-2.3.1-6] PUBREC"
    );

    let mut device = numbering_from(0x1234);
    send(&mut device, b"x", QoS::ExactlyOnce);
    device.packet();
    device.bytes(&[0x50, 2, 0x12, 0x34]);
    assert_eq!(
        device.packet(),
        [0x62, 2, 0x12, 0x34],
        "[MQTT-2.3.1-6] PUBREL"
    );
}
