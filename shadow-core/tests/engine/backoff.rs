//! When the next CONNECT leaves, at the earliest and at the latest.

use core::time::Duration;

use shadow_core::mqtt::ConnectReturnCode;
use shadow_core::tencent::{Limits, ShadowName};
use shadow_core::{
    Config, DisconnectCause, Event, Limit, LimitExceeded, RequestError, Timer, TransportFailure,
    WallTime,
};

use crate::device::{Device, Out, config, info};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// The vendor's floor (vendor doc 634/15241).
const FLOOR: Duration = Duration::from_secs(5);

/// What the device was configured with, as wall time.
const WALL: WallTime = WallTime::from_unix_millis(1_700_000_000_000);

/// Connects as far as CONNECT, which leaves now.
fn greet(device: &mut Device) {
    assert_eq!(device.poll(), [Out::Connect]);
    device.engine.handle_connected(device.now);
    assert_eq!(device.packet()[0], 0x10);
}

/// The one event: there is no link, and when the next try is due.
fn lost(device: &mut Device) -> (DisconnectCause, Duration) {
    match device.event() {
        Event::Disconnected { cause, retry_in } => (cause, retry_in),
        other => panic!("expected Disconnected, got {other:?}"),
    }
}

/// The server refuses the login.
fn refuse(device: &mut Device, code: u8) -> Duration {
    device.bytes(&[0x20, 2, 0, code]);
    assert_eq!(device.poll(), [Out::Close]);
    let (cause, retry_in) = lost(device);
    let code = ConnectReturnCode::from_number(code).unwrap();
    assert_eq!(cause, DisconnectCause::Refused(code));
    retry_in
}

/// The server closes the connection.
fn close(device: &mut Device) -> (DisconnectCause, Duration) {
    let closed = TransportFailure::ClosedByPeer;
    device.engine.handle_disconnected(device.now, closed);
    lost(device)
}

/// How long until the next try is due.
fn due_in(device: &Device) -> Duration {
    let deadline = device.engine.poll_deadline().unwrap();
    assert_eq!(deadline.timer, Timer::Reconnect);
    deadline.at.saturating_since(device.now)
}

#[test]
fn connects_are_at_least_the_floor_apart() {
    let mut device = Device::new(config());
    assert_eq!(device.poll(), [Out::Connect]);
    device.wait(3 * SECOND); // The connection takes its time; CONNECT leaves then.
    device.engine.handle_connected(device.now);
    device.packet();
    device.wait(SECOND);
    let (_, retry_in) = close(&mut device);
    assert_eq!(retry_in, 4 * SECOND, "5 s after CONNECT left");
    device.tick(Timer::Reconnect, 4 * SECOND);
    assert_eq!(device.poll(), [Out::Connect]);
}

#[test]
fn a_connection_without_connect_is_none_to_the_floor() {
    let mut device = Device::new(config());
    device.poll();
    let failed = TransportFailure::ConnectFailed("refused".into());
    device.engine.handle_disconnected(device.now, failed);
    let (_, retry_in) = lost(&mut device);
    assert!(retry_in <= SECOND, "{retry_in:?}");
    // Nor is a CONNECT that the transport never took.
    device.tick(Timer::Reconnect, retry_in);
    device.poll();
    device.engine.handle_connected(device.now);
    let (_, retry_in) = close(&mut device);
    assert!(retry_in <= 2 * SECOND, "{retry_in:?}");
}

#[test]
fn no_hurry_undercuts_the_floor() {
    let mut device = Device::new(config());
    device.connect(false);
    device.wait(SECOND);
    close(&mut device);
    device.engine.reconnect(device.now);
    device.silent();
    assert_eq!(due_in(&device), FLOOR - SECOND);
    device.tick(Timer::Reconnect, FLOOR - SECOND);
    assert_eq!(device.poll(), [Out::Connect]);
    // Long after the last CONNECT there is nothing to wait for.
    device.wait(MINUTE);
    device.engine.handle_tick(device.now);
    device.poll();
    device.events();
    device.engine.reconnect(device.now);
    assert_eq!(device.poll(), [Out::Connect]);
}

#[test]
fn other_servers_have_no_floor() {
    for mut config in [Config::plain("tool"), Config::python_sdk(&info())] {
        config.backoff.initial = Duration::ZERO;
        let mut device = Device::new(config);
        device.connect(false);
        assert_eq!(close(&mut device).1, Duration::ZERO);
    }
}

#[test]
fn refused_credentials_wait_longer_and_longer() {
    for code in [1, 2, 4, 5] {
        let mut device = Device::new(config());
        for nominal in [10, 20, 40, 80, 160, 320, 600, 600] {
            greet(&mut device);
            let retry_in = refuse(&mut device, code);
            let nominal = Duration::from_secs(nominal);
            assert!(
                (nominal / 2..=nominal).contains(&retry_in),
                "CONNACK {code}: {retry_in:?}"
            );
            device.tick(Timer::Reconnect, retry_in);
        }
        // A login that is taken starts over.
        greet(&mut device);
        device.bytes(&[0x20, 2, 0, 0]);
        device.events();
        device.poll();
        close(&mut device);
        device.tick_until(Timer::Reconnect);
        greet(&mut device);
        let retry_in = refuse(&mut device, code);
        assert!(retry_in <= 10 * SECOND, "{retry_in:?}");
    }
}

#[test]
fn an_unavailable_server_is_a_failure_like_any_other() {
    let mut device = Device::new(config());
    for nominal in [1, 2, 4, 8, 16, 32, 60, 60] {
        greet(&mut device);
        let retry_in = refuse(&mut device, 3);
        let nominal = Duration::from_secs(nominal);
        assert!(
            (nominal / 2..=nominal.max(FLOOR)).contains(&retry_in) && retry_in >= FLOOR,
            "{retry_in:?}"
        );
        device.tick(Timer::Reconnect, retry_in);
    }
}

/// A device whose login was refused five times, the last time just now.
fn refused_five_times() -> Device {
    let mut device = Device::new(config());
    for round in 0..5 {
        greet(&mut device);
        let retry_in = refuse(&mut device, 4);
        if round < 4 {
            device.tick(Timer::Reconnect, retry_in);
        }
    }
    assert!(due_in(&device) >= 80 * SECOND);
    device
}

#[test]
fn a_corrected_clock_ends_the_wait_of_a_refused_login() {
    for off in [61_000, -61_000] {
        let mut device = refused_five_times();
        let wall = |device: &Device, off: i64| {
            let since = device.now.as_micros() / 1_000 - 1_000_000;
            WallTime::from_unix_millis((WALL.as_unix_millis() + since).wrapping_add_signed(off))
        };
        // The clock goes as it should, nearly.
        device.wait(SECOND);
        for drift in [0, 59_000] {
            let before = due_in(&device);
            let time = wall(&device, drift);
            device.engine.handle_wall_time(device.now, time);
            assert_eq!(due_in(&device), before, "{drift} ms");
            let time = wall(&device, 0);
            device.engine.handle_wall_time(device.now, time);
        }
        let time = wall(&device, off);
        device.engine.handle_wall_time(device.now, time);
        device.silent();
        assert_eq!(due_in(&device), FLOOR - SECOND, "CONNECT left a second ago");
        device.tick(Timer::Reconnect, FLOOR - SECOND);
        greet(&mut device);
        // It was not the clock, or not only: the waits have started over.
        assert!(refuse(&mut device, 4) <= 10 * SECOND);
    }
}

#[test]
fn a_corrected_clock_hastens_nothing_else() {
    let mut device = Device::new(config());
    for _ in 0..6 {
        device.poll();
        let failed = TransportFailure::ConnectFailed("refused".into());
        device.engine.handle_disconnected(device.now, failed);
        device.events();
        device.tick_until(Timer::Reconnect);
    }
    device.poll();
    device.engine.handle_connected(device.now);
    device.packet();
    close(&mut device);
    let before = due_in(&device);
    assert!(before > FLOOR);
    let wall = WallTime::from_unix_millis(1);
    device.engine.handle_wall_time(device.now, wall);
    assert_eq!(due_in(&device), before);
}

#[test]
fn the_application_can_end_the_wait_of_a_refused_login() {
    let mut device = refused_five_times();
    device.wait(2 * SECOND);
    device.engine.reconnect(device.now);
    device.tick(Timer::Reconnect, FLOOR - 2 * SECOND);
    greet(&mut device);
    // Nothing is known to have changed, so the waits go on growing.
    assert!(refuse(&mut device, 4) >= 160 * SECOND);
}

#[test]
fn short_links_in_a_row_are_told_as_a_contested_client_id() {
    let mut device = Device::new(config());
    device.connect(false);
    device.wait(SECOND * 7_200);
    let closed = DisconnectCause::Transport(TransportFailure::ClosedByPeer);
    assert_eq!(
        close(&mut device).0,
        closed,
        "a server may restart some day"
    );
    for times in 1..=9 {
        device.tick_until(Timer::Reconnect);
        device.connect(false);
        device.wait(2 * SECOND);
        let (cause, retry_in) = close(&mut device);
        if times < 3 {
            assert_eq!(cause, closed);
            assert!(retry_in <= FLOOR);
            continue;
        }
        let failure = TransportFailure::ClosedByPeer;
        assert_eq!(cause, DisconnectCause::Contested { times, failure });
        let text = cause.to_string();
        assert!(
            text.contains("another client") && text.contains("client id"),
            "{text}"
        );
        let nominal = (10 * SECOND * (1 << (times - 3))).min(10 * MINUTE);
        assert!((nominal / 2..=nominal).contains(&retry_in), "{retry_in:?}");
    }
    // The rival is gone: this link lasts longer than any wait of a rival's.
    device.tick_until(Timer::Reconnect);
    device.connect(false);
    device.wait(20 * MINUTE);
    let (cause, retry_in) = close(&mut device);
    assert_eq!(cause, closed);
    assert!(retry_in <= SECOND, "{retry_in:?}");
}

/// A link that this side gives up, or whose peer says why it ends, was not ended by a rival.
#[test]
fn ends_with_a_reason_are_not_contested() {
    let mut config = config();
    config.keep_alive = 4;
    config.limits = Limits::NONE;
    let mut device = Device::new(config);
    for _ in 0..10 {
        device.connect(false);
        device.poll();
        device.bytes(&[0xC0, 0]); // PINGREQ, which only a client sends
        let (cause, _) = lost(&mut device);
        assert!(matches!(cause, DisconnectCause::Violation(_)), "{cause:?}");
        device.poll();
        device.tick_until(Timer::Reconnect);
    }
}

#[test]
fn a_keep_alive_or_name_beyond_the_limits_never_leads_to_a_connect() {
    let keep_alive = |seconds| {
        let mut config = config();
        config.keep_alive = seconds;
        config
    };
    let mut long_name = config();
    long_name.limits.device_name_length = 3;
    let mut own = config();
    own.own_shadow = ShadowName::new("P", "a long one").ok();
    own.limits.device_name_length = 9;
    let limit = Limit::KeepAlive { minimum: 60 };
    for (config, limit, value, maximum) in [
        (keep_alive(0), limit, 0, 850),
        (keep_alive(59), limit, 59, 850),
        (keep_alive(851), limit, 851, 850),
        (long_name, Limit::DeviceNameLength, 4, 3),
        (own, Limit::DeviceNameLength, 10, 9),
    ] {
        let exceeded = LimitExceeded {
            limit,
            value,
            maximum,
        };
        assert_eq!(config.check(), Err(exceeded));
        let mut device = Device::new(config);
        for nominal in [10, 20, 40] {
            device.silent();
            let (cause, retry_in) = lost(&mut device);
            assert_eq!(cause, DisconnectCause::LimitExceeded(exceeded));
            assert!(cause.to_string().contains(&exceeded.to_string()));
            let nominal = Duration::from_secs(nominal);
            assert!((nominal / 2..=nominal).contains(&retry_in));
            device.tick(Timer::Reconnect, retry_in);
        }
        device.engine.reconnect(device.now);
        device.silent();
    }
    for seconds in [60, 850] {
        assert_eq!(keep_alive(seconds).check(), Ok(()));
    }
}

#[test]
fn a_name_beyond_the_limits_is_not_attached() {
    let mut config = config();
    config.limits.device_name_length = 4;
    let mut device = Device::online(config);
    device.poll();
    let name = ShadowName::new("PRODUCT001", "lamps").unwrap();
    let exceeded = LimitExceeded {
        limit: Limit::DeviceNameLength,
        value: 5,
        maximum: 4,
    };
    let refused = device.engine.attach(device.now, &name);
    assert_eq!(refused, Err(RequestError::LimitExceeded(exceeded)));
    device.silent();
}
