//! Sections 4.3, 4.5 and 4.6: the delivery protocols and their order.

use shadow_core::mqtt::{PacketId, PacketKind, QoS};
use shadow_core::{Config, Event, Outcome};

use super::{client, cut, keeping, packets, send};
use crate::device::Device;

/// The payloads of the events, all of which must be messages.
fn payloads(events: Vec<Event>) -> Vec<Vec<u8>> {
    let payload = |event| match event {
        Event::Message(message) => message.payload,
        other => panic!("expected messages only, got {other:?}"),
    };
    events.into_iter().map(payload).collect()
}

#[test]
fn qos_0_is_sent_once() {
    let mut device = client();
    let request = send(&mut device, b"x", QoS::AtMostOnce);
    assert_eq!(
        device.packet(),
        b"\x30\x04\x00\x01tx",
        "[MQTT-4.3.1-1] QoS 0, DUP 0"
    );
    assert_eq!(device.outcome(request), Outcome::Published);
    cut(&mut device);
    device.connect(false);
    device.silent();
}

#[test]
fn qos_1_is_unacknowledged_until_puback() {
    let mut device = keeping();
    let first = send(&mut device, b"1", QoS::AtLeastOnce);
    let second = send(&mut device, b"2", QoS::AtLeastOnce);
    assert_eq!(
        packets(&mut device),
        [
            b"\x32\x06\x00\x01t\x00\x011".to_vec(),
            b"\x32\x06\x00\x01t\x00\x022".to_vec()
        ],
        "[MQTT-4.3.2-1] an id of its own each, QoS 1, DUP 0"
    );
    // No other acknowledgement will do.
    for other in [[0x50, 2, 0, 1], [0x70, 2, 0, 1]] {
        device.bytes(&other);
    }
    let ended = |event: &Event| matches!(event, Event::Ended { .. });
    assert!(!device.events().iter().any(ended), "[MQTT-4.3.2-1]");
    packets(&mut device);
    device.bytes(&[0x40, 2, 0, 2]);
    assert_eq!(device.outcome(second), Outcome::Published);
    cut(&mut device);
    device.connect(true);
    assert_eq!(
        packets(&mut device),
        [b"\x3a\x06\x00\x01t\x00\x011"],
        "[MQTT-4.3.2-1] the one without PUBACK is unacknowledged"
    );
    device.bytes(&[0x40, 2, 0, 1]);
    assert_eq!(device.outcome(first), Outcome::Published);
}

#[test]
fn a_received_qos_1_message_is_acknowledged_and_its_id_free() {
    let mut device = keeping();
    for (packet, payload) in [
        (b"\x32\x06\x00\x01t\x00\x091", b"1"),
        (b"\x32\x06\x00\x01t\x00\x092", b"2"),
        // DUP makes no difference.
        (b"\x3a\x06\x00\x01t\x00\x093", b"3"),
    ] {
        device.bytes(packet);
        assert_eq!(device.packet(), [0x40, 2, 0, 9], "[MQTT-4.3.2-2] PUBACK");
        assert_eq!(
            payloads(device.events()),
            [payload],
            "[MQTT-4.3.2-2] the id is free once PUBACK was sent"
        );
    }
}

#[test]
fn qos_2_is_sent_released_and_complete() {
    let mut device = keeping();
    let request = send(&mut device, b"x", QoS::ExactlyOnce);
    assert_eq!(
        device.packet(),
        b"\x34\x06\x00\x01t\x00\x01x",
        "[MQTT-4.3.3-1] QoS 2, DUP 0"
    );
    device.bytes(&[0x40, 2, 0, 1]); // PUBACK is no answer to it
    device.bytes(&[0x70, 2, 0, 1]); // nor is PUBCOMP yet
    for kind in [PacketKind::PubAck, PacketKind::PubComp] {
        let packet_id = PacketId::FIRST;
        let expected = Event::UnexpectedAcknowledgement { kind, packet_id };
        assert_eq!(
            device.engine.poll_event(),
            Some(expected),
            "[MQTT-4.3.3-1] unacknowledged until PUBREC"
        );
    }
    cut(&mut device);
    device.connect(true);
    assert_eq!(
        packets(&mut device),
        [b"\x3c\x06\x00\x01t\x00\x01x"],
        "[MQTT-4.3.3-1] so it is sent again"
    );
    device.bytes(&[0x50, 2, 0, 1]);
    assert_eq!(
        device.packet(),
        [0x62, 2, 0, 1],
        "[MQTT-4.3.3-1] PUBREC is answered by PUBREL"
    );
    device.bytes(&[0x50, 2, 0, 1]);
    assert_eq!(
        device.packet(),
        [0x62, 2, 0, 1],
        "[MQTT-4.3.3-1] as often as it comes"
    );
    cut(&mut device);
    device.connect(true);
    assert_eq!(
        packets(&mut device),
        [[0x62, 2, 0, 1]],
        "[MQTT-4.3.3-1] released, so PUBREL is sent again and never PUBLISH"
    );
    assert_eq!(device.events(), []);
    device.bytes(&[0x70, 2, 0, 1]);
    assert_eq!(
        device.outcome(request),
        Outcome::Published,
        "[MQTT-4.3.3-1] PUBCOMP completes it"
    );
}

#[test]
fn a_received_qos_2_message_is_delivered_once() {
    const FIRST: &[u8] = b"\x34\x06\x00\x01t\x00\x091";
    const AGAIN: &[u8] = b"\x3c\x06\x00\x01t\x00\x091";
    let mut device = keeping();
    device.bytes(FIRST);
    assert_eq!(device.packet(), [0x50, 2, 0, 9], "[MQTT-4.3.3-2] PUBREC");
    assert_eq!(payloads(device.events()), [b"1"]);
    for packet in [FIRST, AGAIN] {
        device.bytes(packet);
        assert_eq!(
            device.packet(),
            [0x50, 2, 0, 9],
            "[MQTT-4.3.3-2] acknowledged each time"
        );
        assert_eq!(device.events(), [], "[MQTT-4.3.3-2] delivered once");
    }
    // A new link of the session changes nothing.
    cut(&mut device);
    device.connect(true);
    device.bytes(AGAIN);
    assert_eq!(device.packet(), [0x50, 2, 0, 9], "[MQTT-4.3.3-2]");
    assert_eq!(device.events(), [], "[MQTT-4.3.3-2]");
    for _ in 0..2 {
        device.bytes(&[0x62, 2, 0, 9]);
        assert_eq!(
            device.packet(),
            [0x70, 2, 0, 9],
            "[MQTT-4.3.3-2] PUBREL is answered by PUBCOMP, each time"
        );
    }
    device.bytes(FIRST);
    assert_eq!(
        payloads(device.events()),
        [b"1"],
        "[MQTT-4.3.3-2] after PUBCOMP the id is a new message's"
    );
}

/// Neither a message that is too large nor one that nobody subscribed to stays without an answer.
#[test]
fn what_is_not_processed_is_acknowledged_too() {
    let mut device = Device::online(Config {
        maximum_packet_size: 128,
        maximum_events: 1,
        ..Config::plain("c")
    });
    let large = [&b"\x32\x9c\x01\x00\x01t\x00\x09"[..], &[b'x'; 151]].concat();
    device.bytes(&large);
    assert_eq!(
        device.packet(),
        [0x40, 2, 0, 9],
        "[MQTT-4.5.0-2] too large to be taken"
    );
    // The one event that may wait does, so there is no room for this one.
    device.bytes(b"\x34\x06\x00\x01t\x00\x07x");
    assert_eq!(
        device.packet(),
        [0x50, 2, 0, 7],
        "[MQTT-4.5.0-2] the application does not keep up"
    );
    let events = device.events();
    assert!(
        matches!(
            events[..],
            [
                Event::OversizedMessage { .. },
                Event::EventsLost { count: 1 }
            ]
        ),
        "{events:?}"
    );
}

#[test]
fn what_is_sent_again_keeps_its_order() {
    let mut device = keeping();
    for (payload, qos) in [
        (b"1", QoS::ExactlyOnce),
        (b"2", QoS::AtLeastOnce),
        (b"3", QoS::AtLeastOnce),
        (b"4", QoS::ExactlyOnce),
        (b"5", QoS::AtLeastOnce),
    ] {
        send(&mut device, payload, qos);
    }
    packets(&mut device);
    device.bytes(&[0x40, 2, 0, 2]); // PUBACK in the middle
    for _ in 0..2 {
        cut(&mut device);
        device.connect(true);
        let last: Vec<u8> = packets(&mut device)
            .iter()
            .map(|p| p[p.len() - 1])
            .collect();
        assert_eq!(last, b"1345", "[MQTT-4.6.0-1]");
    }
    // New ones go behind.
    send(&mut device, b"6", QoS::AtLeastOnce);
    assert!(device.packet().ends_with(b"6"), "[MQTT-4.6.0-1]");
}

#[test]
fn acknowledgements_are_in_the_order_of_the_messages() {
    let mut device = client();
    for id in [7, 3, 5] {
        device.bytes(&[0x32, 6, 0, 1, b't', 0, id, b'x']);
    }
    assert_eq!(
        packets(&mut device),
        [[0x40, 2, 0, 7], [0x40, 2, 0, 3], [0x40, 2, 0, 5]],
        "[MQTT-4.6.0-2]"
    );
    for id in [7, 3, 5] {
        device.bytes(&[0x34, 6, 0, 1, b't', 0, id, b'x']);
    }
    assert_eq!(
        packets(&mut device),
        [[0x50, 2, 0, 7], [0x50, 2, 0, 3], [0x50, 2, 0, 5]],
        "[MQTT-4.6.0-3]"
    );
}

#[test]
fn releases_are_in_the_order_of_pubrec() {
    let mut device = client();
    for payload in [b"1", b"2", b"3"] {
        send(&mut device, payload, QoS::ExactlyOnce);
    }
    packets(&mut device);
    device.bytes(&[0x50, 2, 0, 2, 0x50, 2, 0, 3, 0x50, 2, 0, 1]);
    assert_eq!(
        packets(&mut device),
        [[0x62, 2, 0, 2], [0x62, 2, 0, 3], [0x62, 2, 0, 1]],
        "[MQTT-4.6.0-4]"
    );
}
