//! Section 4.8: what breaks the protocol, or cannot be taken now, ends the link.

use shadow_core::{Config, DisconnectCause, Event};

use super::{client, ended, refused};
use crate::device::{Device, Out};

#[test]
fn a_breach_of_the_protocol_ends_the_link() {
    for (packet, what) in [
        (&b"\x00\x00"[..], "packet type 0"),
        (b"\xf0\x00", "packet type 15"),
        (
            b"\x30\xff\xff\xff\xff\x7f",
            "a remaining length of five bytes",
        ),
        (b"\x40\x03\x00\x01\x00", "PUBACK with a byte too many"),
        (b"\x40\x01\x00", "PUBACK with a byte too few"),
        (b"\x40\x02\x00\x00", "packet identifier 0"),
        (b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01c", "CONNECT"),
        (b"\x20\x02\x00\x00", "a second CONNACK"),
        (b"\x82\x06\x00\x01\x00\x01f\x00", "SUBSCRIBE"),
        (b"\xa2\x05\x00\x01\x00\x01f", "UNSUBSCRIBE"),
        (b"\xc0\x00", "PINGREQ"),
        (b"\xe0\x00", "DISCONNECT"),
    ] {
        let mut device = client();
        device.bytes(packet);
        let clause = ended(&mut device);
        assert!(!clause.is_empty(), "[MQTT-4.8.0-1] {what}");
        // What is behind it is not looked at any more.
        device.bytes(b"\x32\x06\x00\x01t\x00\x09x");
        assert_eq!(device.poll(), [], "[MQTT-4.8.0-1] {what}");
        assert_eq!(device.events(), [], "[MQTT-4.8.0-1] {what}");
    }
    let both = b"\xd1\x00\x32\x06\x00\x01t\x00\x09x";
    assert_eq!(
        refused(both),
        "MQTT-2.2.2-2",
        "[MQTT-4.8.0-1] nor if it came along"
    );
}

/// The buffers that acknowledging needs are bounded. Without room in them a message cannot be taken
/// as its QoS demands.
#[test]
fn without_room_for_the_acknowledgement_the_link_ends() {
    // The transport takes nothing, so PUBACK after PUBACK waits.
    let mut device = Device::online(Config {
        maximum_queued_bytes: 0,
        ..Config::plain("c")
    });
    let mut taken = 0;
    while device.engine.is_online() {
        device.bytes(b"\x32\x06\x00\x01t\x00\x09x");
        taken += 1;
        assert!(taken <= 1_000, "[MQTT-4.8.0-2] it never ends");
    }
    let unread = |event: &Event| {
        matches!(event, Event::Disconnected { cause, .. }
            if *cause == DisconnectCause::AcknowledgementsUnread)
    };
    assert!(device.events().iter().any(unread), "[MQTT-4.8.0-2]");
    assert_eq!(
        device.poll(),
        [Out::Close],
        "[MQTT-4.8.0-2] and no PUBACK leaves"
    );

    // The server never releases, so id after id has to be remembered.
    let mut device = client();
    let mut number = 0_u16;
    while device.engine.is_online() {
        number += 1;
        let [high, low] = number.to_be_bytes();
        device.bytes(&[0x34, 6, 0, 1, b't', high, low, b'x']);
        if device.engine.is_online() {
            assert_eq!(device.packet(), [0x50, 2, high, low]);
            assert!(matches!(device.event(), Event::Message(_)));
        }
        assert!(number < u16::MAX, "[MQTT-4.8.0-2] it never ends");
    }
    assert_eq!(
        device.poll(),
        [Out::Close],
        "[MQTT-4.8.0-2] the message that could not be remembered is not acknowledged"
    );
    assert!(matches!(device.event(), Event::Disconnected { .. }));
}
