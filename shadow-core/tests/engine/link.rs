//! Connecting, staying connected, and connecting again.

use core::time::Duration;

use shadow_core::mqtt::{ConnectReturnCode, QoS};
use shadow_core::{
    Config, DisconnectCause, Event, Outcome, Publication, Session, Timer, TransportFailure,
    WallTime,
};

use crate::device::{Device, Out, config};

const SECOND: Duration = Duration::from_secs(1);

fn cause(event: Event) -> DisconnectCause {
    match event {
        Event::Disconnected { cause, .. } => cause,
        other => panic!("expected Disconnected, got {other:?}"),
    }
}

#[test]
fn connects_at_once_and_sends_nothing_before_connack() {
    let mut device = Device::new(config());
    assert_eq!(device.poll(), [Out::Connect]);
    let shadow = device.shadow();
    device.engine.get(device.now, shadow).unwrap();
    device.silent();
    device.engine.handle_connected(device.now);
    assert_eq!(device.packet()[0], 0x10);
    device.silent();
}

#[test]
fn without_wall_time_a_signed_login_waits_and_says_so() {
    let now = shadow_core::Instant::ZERO;
    let engine = shadow_core::Engine::new(config(), Session::new(), 1, now);
    let version = shadow_core::mqtt::ProtocolVersion::V311;
    let mut device = Device {
        engine,
        now,
        version,
    };
    device.tick(Timer::Reconnect, Duration::ZERO);
    assert_eq!(device.event(), Event::WallTimeNeeded);
    device.silent();
    assert_eq!(
        device.engine.poll_deadline(),
        None,
        "nothing to wake up for"
    );
    device.engine.handle_tick(now + SECOND);
    assert_eq!(device.events(), [], "asked once");
    device
        .engine
        .handle_wall_time(now, WallTime::from_unix_millis(1));
    assert_eq!(device.poll(), [Out::Connect]);
}

#[test]
fn every_refusal_is_told_and_tried_again() {
    for (byte, code) in [
        (1, ConnectReturnCode::UnacceptableProtocolVersion),
        (2, ConnectReturnCode::IdentifierRejected),
        (3, ConnectReturnCode::ServerUnavailable),
        (4, ConnectReturnCode::BadUserNameOrPassword),
        (5, ConnectReturnCode::NotAuthorized),
    ] {
        let mut device = Device::new(config());
        device.poll();
        device.engine.handle_connected(device.now);
        device.packet();
        device.bytes(&[0x20, 2, 0, byte]);
        assert_eq!(cause(device.event()), DisconnectCause::Refused(code));
        assert_eq!(device.poll(), [Out::Close]);
        device.tick_until(Timer::Reconnect);
        assert_eq!(device.poll(), [Out::Connect]);
    }
}

#[test]
fn a_wrong_secret_or_clock_is_named() {
    let cause = DisconnectCause::Refused(ConnectReturnCode::BadUserNameOrPassword);
    let text = cause.to_string();
    assert!(text.contains("secret") && text.contains("clock"), "{text}");
}

#[test]
fn back_off_doubles_to_a_minute_and_never_gives_up() {
    let mut device = Device::new(config());
    let mut waits = Vec::new();
    for _ in 0..20 {
        assert_eq!(device.poll(), [Out::Connect]);
        let refused = TransportFailure::ConnectFailed("refused".into());
        device
            .engine
            .handle_disconnected(device.now, refused.clone());
        let Event::Disconnected { cause, retry_in } = device.event() else {
            panic!()
        };
        assert_eq!(cause, DisconnectCause::Transport(refused));
        waits.push(retry_in);
        device.tick(Timer::Reconnect, retry_in);
    }
    for (index, wait) in waits.iter().enumerate() {
        let nominal = SECOND * (1 << index.min(6)).min(60);
        assert!(
            *wait <= nominal && *wait >= nominal / 2,
            "try {index}: {wait:?}"
        );
    }
    assert!(
        waits.windows(2).any(|pair| pair[0] != pair[1] * 2),
        "there is jitter"
    );
}

#[test]
fn back_off_starts_over_only_after_a_stable_link() {
    for (up, expected) in [(SECOND, 2 * SECOND), (5 * SECOND, SECOND)] {
        let mut config = config();
        config.backoff.least_interval = Duration::ZERO; // It would hide the first wait.
        let mut device = Device::new(config);
        device.poll();
        let failure = TransportFailure::ConnectFailed(String::new());
        device.engine.handle_disconnected(device.now, failure);
        device.events();
        device.tick_until(Timer::Reconnect);
        device.connect(false);
        device.wait(up);
        device
            .engine
            .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
        let Event::Disconnected { retry_in, .. } = device.event() else {
            panic!()
        };
        assert!(
            retry_in <= expected && retry_in >= expected / 2,
            "{retry_in:?}"
        );
    }
}

#[test]
fn reconnect_skips_the_wait() {
    let mut device = Device::new(config());
    device.poll();
    device
        .engine
        .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
    device.silent();
    device.engine.reconnect(device.now);
    assert_eq!(device.poll(), [Out::Connect]);
    device.engine.reconnect(device.now);
    device.silent();
}

#[test]
fn a_connection_that_does_not_come_about_is_given_up() {
    let mut device = Device::new(config());
    device.poll();
    device.tick(Timer::Connect, 20 * SECOND);
    assert_eq!(cause(device.event()), DisconnectCause::ConnectTimedOut);
    assert_eq!(device.poll(), [Out::Close]);
    // The transport comes too late: nobody asked for it any more.
    device.engine.handle_connected(device.now);
    device.silent();
}

#[test]
fn a_connack_that_does_not_come_is_given_up() {
    let mut device = Device::new(config());
    device.poll();
    device.wait(5 * SECOND);
    device.engine.handle_connected(device.now);
    device.packet();
    device.tick(Timer::Connect, 15 * SECOND);
    assert_eq!(cause(device.event()), DisconnectCause::ConnectTimedOut);
}

#[test]
fn pings_after_silence_of_both_sides() {
    let mut device = Device::ready(config());
    device.tick(Timer::KeepAlive, 60 * SECOND);
    assert_eq!(device.packet(), [0xC0, 0]); // section 3.12
    device.wait(SECOND);
    device.bytes(&[0xD0, 0]); // section 3.13
    // The PINGREQ left a second before the answer came.
    device.tick(Timer::KeepAlive, 59 * SECOND);
    assert_eq!(device.packet(), [0xC0, 0]);
}

#[test]
fn pings_although_it_keeps_sending() {
    keep_sending(|_| ());
}

/// A driver that looks for bytes and finds none has not heard from the peer.
#[test]
fn reads_that_give_nothing_do_not_keep_a_link_alive() {
    keep_sending(|device| device.engine.handle_bytes(device.now, &[]));
}

fn keep_sending(meanwhile: impl Fn(&mut Device)) {
    let mut device = Device::ready(config());
    let start = device.now;
    while device.engine.poll_deadline().unwrap().timer != Timer::KeepAlive
        || device.engine.poll_deadline().unwrap().at > device.now + 7 * SECOND
    {
        device.wait(7 * SECOND);
        device.engine.handle_tick(device.now);
        let message = shadow_core::Publication::new("a/b", b"x");
        device.engine.publish(device.now, &message).unwrap();
        device.packet();
        device.events();
        meanwhile(&mut device);
        assert!(
            device.now.saturating_since(start) < 70 * SECOND,
            "no PINGREQ"
        );
    }
}

#[test]
fn pings_although_it_keeps_receiving() {
    let mut device = Device::ready(config());
    for _ in 0..8 {
        device.wait(7 * SECOND);
        device.engine.handle_tick(device.now);
        device.result(r#"{"type":"delta","payload":{"state":{"a":1},"version":2}}"#);
    }
    device.tick(Timer::KeepAlive, 4 * SECOND); // 60 s after the last packet it sent
    assert_eq!(device.packet(), [0xC0, 0]);
}

#[test]
fn a_dead_link_is_noticed_by_the_missing_pingresp() {
    let mut device = Device::ready(config());
    device.tick(Timer::KeepAlive, 60 * SECOND);
    device.packet();
    // Other bytes do not answer it.
    device.wait(SECOND);
    device.result(r#"{"type":"delta","payload":{"state":{"a":1},"version":2}}"#);
    device.events();
    device.tick(Timer::PingResponse, 9 * SECOND);
    assert_eq!(cause(device.event()), DisconnectCause::PingTimedOut);
    assert_eq!(device.poll(), [Out::Close]);
}

/// The server may end the link one and a half keep alive times after the last packet
/// [MQTT-3.1.2-24], so a longer wait for PINGRESP would never be over.
#[test]
fn a_dead_link_is_noticed_within_one_and_a_half_times_keep_alive() {
    let mut config = config();
    config.keep_alive = 4;
    config.limits.keep_alive_minimum = 4;
    let mut device = Device::ready(config);
    device.tick(Timer::KeepAlive, 4 * SECOND);
    assert_eq!(device.packet(), [0xC0, 0]);
    device.tick(Timer::PingResponse, 2 * SECOND);
    assert_eq!(cause(device.event()), DisconnectCause::PingTimedOut);
}

#[test]
fn keep_alive_zero_never_pings() {
    let mut config = config();
    config.keep_alive = 0;
    config.limits.keep_alive_minimum = 0;
    let device = Device::ready(config);
    assert_eq!(device.engine.poll_deadline(), None);
}

#[test]
fn what_only_a_client_sends_ends_the_link() {
    for packet in [
        &[0xC0, 0][..],
        &[0xE0, 0],
        &[0x20, 2, 0, 0],
        &[0x82, 6, 0, 1, 0, 1, b'a', 0],
    ] {
        let mut device = Device::ready(config());
        device.bytes(packet);
        assert!(
            matches!(cause(device.event()), DisconnectCause::Violation(_)),
            "{packet:?}"
        );
        assert_eq!(device.poll(), [Out::Close]);
        device.bytes(packet);
        assert_eq!(device.events(), [], "nothing is read after the end");
    }
}

#[test]
fn another_packet_before_connack_ends_the_link() {
    let mut device = Device::new(config());
    device.poll();
    device.engine.handle_connected(device.now);
    device.packet();
    device.bytes(&[0xD0, 0]);
    let DisconnectCause::Violation(clause) = cause(device.event()) else {
        panic!()
    };
    assert!(clause.contains("MQTT-3.2.0-1"), "{clause}");
}

#[test]
fn a_malformed_packet_ends_the_link_and_names_the_clause() {
    let mut device = Device::ready(config());
    device.bytes(&[0x36, 3, 0, 1, b'a']); // QoS 3
    let DisconnectCause::Malformed(error) = cause(device.event()) else {
        panic!()
    };
    assert_eq!(error.clause(), "MQTT-3.3.1-4");
}

#[test]
fn a_suback_that_does_not_come_ends_the_link() {
    let mut device = Device::online(config());
    device.packet();
    device.tick(Timer::Acknowledgement, 10 * SECOND);
    assert_eq!(cause(device.event()), DisconnectCause::SubscribeTimedOut);
}

#[test]
fn close_flushes_disconnect_and_is_final() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    let request = device.engine.get(device.now, shadow).unwrap();
    device.engine.close(device.now);
    let out = device.poll();
    assert!(
        matches!(&out[..], [Out::Packet(get), Out::Packet(end), Out::Close]
        if get[0] == 0x30 && end == &[0xE0, 0])
    ); // section 3.14
    let cancelled = Event::Ended {
        request,
        outcome: shadow_core::Outcome::Cancelled,
    };
    assert_eq!(device.events(), [cancelled, Event::Closed]);
    assert_eq!(device.engine.poll_deadline(), None);
    assert_eq!(
        device.engine.get(device.now, shadow),
        Err(shadow_core::RequestError::Closed)
    );
    device.engine.close(device.now);
    device
        .engine
        .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
    assert!(!device.engine.has_output());
}

#[test]
fn close_while_connecting_stops_it() {
    let mut device = Device::new(config());
    device.poll();
    device.engine.close(device.now);
    assert_eq!(device.poll(), [Out::Close]);
    assert_eq!(device.events(), [Event::Closed]);
}

#[test]
fn a_connection_nobody_asked_for_changes_nothing() {
    let mut device = Device::ready(config());
    device.bytes(&[0x30]); // half a packet
    device.engine.handle_connected(device.now);
    device.silent();
    device.bytes(&[3, 0, 1, b't']);
    assert!(matches!(device.event(), Event::Message(_)));
}

#[test]
fn time_does_not_run_back() {
    let mut device = Device::ready(config());
    let before = device.engine.poll_deadline();
    device.engine.handle_tick(shadow_core::Instant::ZERO);
    assert_eq!(device.engine.poll_deadline(), before);
    let shadow = device.shadow();
    device
        .engine
        .get(shadow_core::Instant::ZERO, shadow)
        .unwrap();
    let deadline = device.engine.poll_deadline().unwrap();
    assert_eq!(deadline.at, device.now + 10 * SECOND);
}

#[test]
fn a_login_too_long_for_connect_is_told() {
    let mut device = Device::new(Config::plain(&"x".repeat(70_000)));
    assert_eq!(device.poll(), [Out::Connect]);
    device.engine.handle_connected(device.now);
    assert!(matches!(
        cause(device.event()),
        DisconnectCause::InvalidConnect(_)
    ));
    assert_eq!(device.poll(), [Out::Close]);
}

/// A server that is alive and takes nothing would keep the window full for as long as the link lasts.
#[test]
fn a_server_that_acknowledges_nothing_loses_the_link() {
    let mut config = Config::plain("tool");
    config.maximum_in_flight = 2;
    let mut device = Device::online(config);
    let message = Publication::new("t", b"").qos(QoS::AtLeastOnce);
    for _ in 0..2 {
        device.engine.publish(device.now, &message).unwrap();
    }
    assert_eq!(device.poll().len(), 2);
    device.wait(4 * SECOND);
    let third = device.engine.publish(device.now, &message).unwrap();
    device.silent();
    device.tick(Timer::Request, 6 * SECOND);
    let events = device.events();
    assert_eq!(events.len(), 3, "{events:?}");
    assert_eq!(
        cause(events[2].clone()),
        DisconnectCause::PublishUnacknowledged
    );
    // On the next link it is taken, as the server kept no session of those that were given up.
    device.poll();
    device.tick_until(Timer::Reconnect);
    device.connect(false);
    let publish = device.packet();
    assert_eq!(publish[0], 0x32);
    device.bytes(&[0x40, 2, publish[5], publish[6]]);
    assert_eq!(device.outcome(third), Outcome::Published);
}

#[test]
fn one_message_that_is_awaited_keeps_the_link() {
    let mut config = Config::plain("tool");
    config.maximum_in_flight = 2;
    let mut device = Device::online(config);
    let message = Publication::new("t", b"").qos(QoS::AtLeastOnce);
    let (now, long) = (device.now, Duration::from_secs(1_000));
    device.engine.publish(now, &message).unwrap();
    let patient = device.engine.publish(now, &message).unwrap();
    device.engine.set_timeout(now, patient, long).unwrap();
    device.poll();
    device.tick(Timer::Request, 10 * SECOND);
    assert_eq!(device.events().len(), 1);
    assert!(device.engine.is_online());
}
