//! Keep alive (section 3.1.2.10) and DISCONNECT (section 3.14).

use core::time::Duration;

use shadow_core::mqtt::{PacketKind, QoS};
use shadow_core::{Config, DisconnectCause, Event, RequestError, Timer};

use super::{client, is_kind, packets, send};
use crate::device::{Device, Out};

const SECOND: Duration = Duration::from_secs(1);

fn with_keep_alive(keep_alive: u16) -> Config {
    Config {
        keep_alive,
        ..Config::plain("c")
    }
}

/// Whatever comes in and goes out meanwhile, no pause between two packets is longer than the
/// announced one.
#[test]
fn no_pause_is_longer_than_keep_alive() {
    let mut device = Device::online(with_keep_alive(60));
    let end = device.now + 600 * SECOND;
    let (mut last, mut pings) = (device.now, 0);
    let mut step = 0_u64;
    while device.now < end {
        // Traffic in irregular steps of up to 52 s, mostly from the server.
        step += 1;
        let pause = Duration::from_secs(step * 29 % 53);
        let until = device.now + pause;
        while let Some(deadline) = device
            .engine
            .poll_deadline()
            .filter(|next| next.at <= until)
        {
            device.now = deadline.at;
            device.engine.handle_tick(device.now);
            for packet in packets(&mut device) {
                let since = device.now.saturating_since(last);
                assert!(since <= 60 * SECOND, "[MQTT-3.1.2-23] {since:?}");
                last = device.now;
                if is_kind(&packet, PacketKind::PingReq) {
                    pings += 1;
                    device.bytes(&[0xD0, 0]);
                }
            }
        }
        device.now = until;
        if step.is_multiple_of(7) {
            send(&mut device, b"x", QoS::AtMostOnce);
            packets(&mut device);
            last = device.now;
        } else {
            device.bytes(b"\x30\x04\x00\x01tx");
        }
        device.events();
    }
    assert!(pings > 0, "[MQTT-3.1.2-23] silence is broken by PINGREQ");
}

#[test]
fn silence_is_broken_by_pingreq() {
    let mut device = Device::online(with_keep_alive(60));
    device.tick(Timer::KeepAlive, 60 * SECOND);
    assert_eq!(
        device.packet(),
        [0xC0, 0],
        "[MQTT-3.1.2-23] after the keep alive time, not later"
    );
}

/// The pause runs from CONNECT on: a client that gets no CONNACK must not wait longer for it.
#[test]
fn the_wait_for_connack_is_no_longer_than_keep_alive() {
    let mut device = Device::new(with_keep_alive(4));
    device.poll();
    device.wait(3 * SECOND);
    device.engine.handle_connected(device.now);
    device.packet();
    device.tick(Timer::Connect, 4 * SECOND);
    let Event::Disconnected { cause, .. } = device.event() else {
        panic!("expected the end of the link")
    };
    assert_eq!(cause, DisconnectCause::ConnectTimedOut, "[MQTT-3.1.2-23]");
    assert_eq!(device.poll(), [Out::Close], "[MQTT-3.1.2-23]");
}

#[test]
fn disconnect_is_the_last_packet_and_the_link_is_closed() {
    let mut device = client();
    send(&mut device, b"1", QoS::AtLeastOnce);
    device.engine.close(device.now);
    let out = device.poll();
    let [Out::Packet(publish), end @ ..] = &out[..] else {
        panic!("expected PUBLISH first, got {out:?}")
    };
    assert!(is_kind(publish, PacketKind::Publish));
    assert_eq!(
        end,
        [Out::Packet(vec![0xE0, 0]), Out::Close],
        "[MQTT-3.14.4-1] DISCONNECT, then the client closes"
    );
    // Nothing makes it send again: input, time, requests.
    device.bytes(b"\x32\x06\x00\x01t\x00\x07x");
    device.wait(120 * SECOND);
    device.engine.handle_tick(device.now);
    device.engine.reconnect(device.now);
    let publication = shadow_core::Publication::new("t", b"2");
    let refused = device.engine.publish(device.now, &publication);
    assert_eq!(refused, Err(RequestError::Closed), "[MQTT-3.14.4-2]");
    assert_eq!(device.poll(), [], "[MQTT-3.14.4-2]");
}
