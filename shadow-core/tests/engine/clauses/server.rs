//! Statements that bind the server, where the client notices that one is broken.

use shadow_core::mqtt::QoS;
use shadow_core::{Config, DisconnectCause, Event};

use super::{client, ended, refused};
use crate::device::{Device, Out};

/// A client that has sent CONNECT and got `answer`.
fn answered(config: Config, answer: &[u8]) -> Device {
    let mut device = Device::new(config);
    device.poll();
    device.engine.handle_connected(device.now);
    device.packet();
    device.bytes(answer);
    device
}

#[test]
fn connack_comes_first_and_once() {
    for packet in [&b"\xd0\x00"[..], b"\x30\x04\x00\x01tx", b"\x40\x02\x00\x01"] {
        let mut device = answered(Config::plain("c"), packet);
        let clause = ended(&mut device);
        assert!(clause.contains("[MQTT-3.2.0-1]"), "{clause}");
    }
    let clause = refused(b"\x20\x02\x00\x00");
    assert!(clause.contains("[MQTT-3.2.0-1]"), "{clause}");
}

#[test]
fn session_present_goes_with_what_was_asked() {
    let mut device = answered(Config::plain("c"), b"\x20\x02\x01\x00");
    let clause = ended(&mut device);
    assert!(clause.contains("[MQTT-3.2.2-1]"), "{clause}");
    let mut device = answered(Config::plain("c"), b"\x20\x02\x01\x05");
    assert_eq!(
        ended(&mut device),
        "MQTT-3.2.2-4",
        "[MQTT-3.2.2-4] with a refusal"
    );
}

/// The client does not wait for the server to close the link.
#[test]
fn a_refusal_ends_the_link() {
    for code in 1..=5 {
        let mut device = answered(Config::plain("c"), &[0x20, 2, 0, code]);
        assert_eq!(device.poll(), [Out::Close], "[MQTT-3.2.2-5] code {code}");
        let Event::Disconnected { cause, .. } = device.event() else {
            panic!("expected the end of the link")
        };
        assert!(matches!(cause, DisconnectCause::Refused(_)), "{cause:?}");
    }
}

#[test]
fn suback_and_unsuback_have_the_id_of_the_request() {
    let mut device = client();
    let now = device.now;
    device.engine.subscribe(now, "f", QoS::AtMostOnce).unwrap();
    device.engine.unsubscribe(now, "g").unwrap();
    device.poll();
    device.bytes(&[0x90, 3, 0, 2, 0, 0xB0, 2, 0, 1]);
    let events = device.events();
    let unexpected = |event: &Event| matches!(event, Event::UnexpectedAcknowledgement { .. });
    assert!(
        events.len() == 2 && events.iter().all(unexpected),
        "[MQTT-2.3.1-7] [MQTT-3.8.4-2] [MQTT-3.10.4-4] {events:?}"
    );
}

#[test]
fn suback_answers_each_filter_with_a_known_code() {
    for (packet, clause) in [
        (&b"\x90\x04\x00\x01\x00\x00"[..], "[MQTT-3.8.4-5]"),
        (b"\x90\x03\x00\x01\x03", "MQTT-3.9.3-2"),
        (b"\x90\x03\x00\x01\x7f", "MQTT-3.9.3-2"),
        (b"\x90\x03\x00\x01\x81", "MQTT-3.9.3-2"),
    ] {
        let mut device = client();
        let subscribed = device.engine.subscribe(device.now, "f", QoS::AtMostOnce);
        subscribed.unwrap();
        device.packet();
        device.bytes(packet);
        let named = ended(&mut device);
        assert!(
            named.contains(clause),
            "[MQTT-3.8.4-5] [MQTT-3.9.3-2] {named}"
        );
    }
}

#[test]
fn a_ping_that_is_not_answered_ends_the_link() {
    let mut device = client();
    device.tick_until(shadow_core::Timer::KeepAlive);
    assert_eq!(device.packet(), [0xC0, 0]);
    device.tick_until(shadow_core::Timer::PingResponse);
    let Event::Disconnected { cause, .. } = device.event() else {
        panic!("expected the end of the link")
    };
    assert_eq!(cause, DisconnectCause::PingTimedOut, "[MQTT-3.12.4-1]");
    assert_eq!(device.poll(), [Out::Close], "[MQTT-3.12.4-1]");
}
