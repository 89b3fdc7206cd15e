//! Clean and kept sessions: sections 3.1.2.4, 4.1 and 4.4.

use core::time::Duration;

use shadow_core::mqtt::QoS;
use shadow_core::{Event, Outcome, Timer};

use super::{client, cut, keeping, keeping_config, packets, send};
use crate::device::Device;

/// A QoS 2 message of the server with packet id 9.
const INBOUND: &[u8] = b"\x34\x06\x00\x01t\x00\x09x";

#[test]
fn a_kept_session_is_stored_after_the_link() {
    let mut device = keeping();
    send(&mut device, b"out", QoS::AtLeastOnce);
    device.bytes(INBOUND);
    device.poll();
    // The link ends, and so does the engine: its session goes to the next one.
    cut(&mut device);
    let session = device.engine.into_session();
    let mut device = Device::with_session(keeping_config(), session, 2);
    device.connect(true);
    assert_eq!(
        device.packet(),
        b"\x3a\x08\x00\x01t\x00\x01out",
        "[MQTT-3.1.2-4] what was not acknowledged is not forgotten"
    );
    device.bytes(INBOUND);
    assert_eq!(
        device.events(),
        [],
        "[MQTT-3.1.2-4] nor is what was received and not released"
    );
    assert_eq!(device.packet(), [0x50, 2, 0, 9]);
}

/// What the application still wants is published as a new message: DUP is not set, and nothing of
/// the old session is left of it.
#[test]
fn a_clean_session_begins_with_nothing() {
    let mut device = client();
    send(&mut device, b"1", QoS::ExactlyOnce);
    send(&mut device, b"2", QoS::AtLeastOnce);
    packets(&mut device);
    device.bytes(&[0x50, 2, 0, 1]); // PUBREC for the first
    device.bytes(INBOUND);
    packets(&mut device);
    cut(&mut device);
    device.poll();
    device.engine.handle_connected(device.now);
    assert_eq!(
        device.packet()[9] & 0b10,
        0b10,
        "[MQTT-3.1.2-6] the flag is set on every link"
    );
    device.bytes(&[0x20, 2, 0, 0]);
    assert_eq!(
        packets(&mut device),
        [b"\x32\x06\x00\x01t\x00\x022"],
        "[MQTT-3.1.2-6] no PUBREL of the old session, no DUP"
    );
    device.events();
    device.bytes(INBOUND);
    assert!(
        matches!(device.event(), Event::Message(_)),
        "[MQTT-3.1.2-6] an id of the old session is a new message"
    );
}

#[test]
fn the_state_is_stored_as_long_as_the_session() {
    let mut device = keeping();
    let request = send(&mut device, b"out", QoS::ExactlyOnce);
    packets(&mut device);
    for _ in 0..3 {
        cut(&mut device);
        device.connect(true);
        assert_eq!(
            packets(&mut device),
            [b"\x3c\x08\x00\x01t\x00\x01out"],
            "[MQTT-4.1.0-1] the message, on each link"
        );
    }
    device.bytes(&[0x50, 2, 0, 1]);
    packets(&mut device);
    for _ in 0..3 {
        cut(&mut device);
        device.connect(true);
        assert_eq!(
            packets(&mut device),
            [[0x62, 2, 0, 1]],
            "[MQTT-4.1.0-1] its release, on each link"
        );
    }
    device.bytes(&[0x70, 2, 0, 1]);
    assert_eq!(device.outcome(request), Outcome::Published);
    cut(&mut device);
    device.connect(true);
    device.silent();
}

/// A request that ended does not end the state of its message while the link lasts.
#[test]
fn a_session_lasts_as_long_as_the_link() {
    let mut device = client();
    let request = send(&mut device, b"x", QoS::AtLeastOnce);
    packets(&mut device);
    device.tick(Timer::Request, Duration::from_secs(10));
    assert_eq!(device.outcome(request), Outcome::TimedOut);
    device.bytes(&[0x40, 2, 0, 1]);
    assert_eq!(
        device.events(),
        [],
        "[MQTT-4.1.0-2] the late PUBACK still belongs to something"
    );
    device.bytes(INBOUND);
    device.events();
    device.wait(Duration::from_secs(30));
    device.bytes(INBOUND);
    assert_eq!(
        device.events(),
        [],
        "[MQTT-4.1.0-2] nor is a received id forgotten"
    );
}

#[test]
fn a_reconnect_sends_again_what_was_not_acknowledged() {
    let mut device = keeping();
    send(&mut device, b"0", QoS::AtMostOnce);
    send(&mut device, b"1", QoS::AtLeastOnce);
    send(&mut device, b"2", QoS::ExactlyOnce);
    send(&mut device, b"3", QoS::ExactlyOnce);
    send(&mut device, b"4", QoS::AtLeastOnce);
    let sent = packets(&mut device);
    // QoS 0 takes a number of the counter too, though it is not on the wire.
    let ids: Vec<u8> = sent[1..].iter().map(|packet| packet[6]).collect();
    let [one, two, three, four] = ids[..] else {
        panic!("expected four ids, got {ids:?}")
    };
    device.bytes(&[0x50, 2, 0, three]);
    device.bytes(&[0x40, 2, 0, four]);
    packets(&mut device);
    // Time alone makes nothing be sent again.
    device.wait(Duration::from_secs(50));
    device.engine.handle_tick(device.now);
    device.silent();
    cut(&mut device);
    device.connect(true);
    assert_eq!(
        packets(&mut device),
        [
            [&b"\x3a\x06\x00\x01t\x00"[..], &[one], b"1"].concat(),
            [&b"\x3c\x06\x00\x01t\x00"[..], &[two], b"2"].concat(),
            vec![0x62, 2, 0, three],
        ],
        "[MQTT-4.4.0-1] PUBLISH and PUBREL with their ids"
    );
}
