//! CONNECT: what is in it, signed how, and renewed when.

use shadow_core::config::{Login, UserName, Will};
use shadow_core::mqtt::{Packet, ProtocolVersion, QoS};
use shadow_core::tencent::{DeviceInfo, credentials};
use shadow_core::{Config, Engine, Instant, Session, Timer, TransportFailure, WallTime};

use crate::device::{Device, config};

/// CONNECT's parts, owned.
#[derive(Debug, PartialEq)]
struct Connect {
    client_id: String,
    user_name: Option<String>,
    password: Option<String>,
    keep_alive: u16,
    clean_session: bool,
    will: Option<Will>,
}

fn next_connect(device: &mut Device) -> Connect {
    device.engine.handle_tick(device.now);
    device.poll();
    device.engine.handle_connected(device.now);
    let bytes = device.packet();
    let Packet::Connect(connect) = Packet::decode(&bytes, device.version).unwrap() else {
        panic!("not CONNECT")
    };
    assert_eq!(connect.version, device.version);
    Connect {
        client_id: connect.client_id.into(),
        user_name: connect.user_name.map(Into::into),
        password: connect
            .password
            .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()),
        keep_alive: connect.keep_alive,
        clean_session: connect.clean_session,
        will: connect
            .will
            .and_then(|will| Will::new(will.topic, will.payload, will.qos, will.retain)),
    }
}

fn fail(device: &mut Device) {
    device
        .engine
        .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
    device.events();
    device.tick_until(Timer::Reconnect);
}

#[test]
fn a_key_device_signs_each_connect_anew() {
    let mut device = Device::new(config());
    let first = next_connect(&mut device);
    assert_eq!(first.client_id, "PRODUCT001lamp");
    assert_eq!((first.keep_alive, first.clean_session), (60, true));
    let first_name = first.user_name.clone().unwrap();
    let parts: Vec<&str> = first_name.split(';').collect();
    // An hour after the wall time that was passed in, in seconds.
    assert_eq!(
        (parts[0], parts[1], parts[3]),
        ("PRODUCT001lamp", "12010126", "1700003600")
    );
    assert!(parts[2].len() == 5 && parts[2].bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let login = credentials::Login {
        user_name: first_name.clone(),
        password: credentials::Secret::from_bytes(first.password.clone().unwrap()),
    };
    assert!(login.password.expose().ends_with(b";hmacsha256"));
    let secret = credentials::Secret::from_bytes(*b"secret");
    assert!(credentials::verify(&login, &secret).is_ok());

    device.wait(core::time::Duration::from_secs(100));
    fail(&mut device);
    let second = next_connect(&mut device);
    let user_name = second.user_name.unwrap();
    let parts_again: Vec<&str> = user_name.split(';').collect();
    assert_eq!(parts_again[..2], parts[..2]);
    assert_ne!(parts_again[2], parts[2], "the connection id is drawn anew");
    let expiry = |parts: &[&str]| parts[3].parse::<u64>().unwrap();
    assert!(expiry(&parts_again) >= expiry(&parts) + 100);
    assert_ne!(first.password, second.password);
}

#[test]
fn wall_time_goes_on_with_the_clock() {
    let mut device = Device::new(config());
    device.wait(core::time::Duration::from_secs(10));
    let connect = next_connect(&mut device);
    assert!(connect.user_name.unwrap().ends_with(";1700003610"));
}

#[test]
fn a_certificate_device_sends_a_name_and_any_password() {
    let info = DeviceInfo::with_certificate(
        "PRODUCT001",
        "lamp",
        None,
        "cert.pem".into(),
        "key.pem".into(),
    );
    let mut device = Device::new(Config::new(&info.unwrap()));
    let connect = next_connect(&mut device);
    assert!(
        connect
            .user_name
            .unwrap()
            .starts_with("PRODUCT001lamp;12010126;")
    );
    assert!(connect.password.is_some());
}

#[test]
fn a_plain_client_needs_no_wall_time() {
    let now = Instant::ZERO;
    let config = Config::plain("tool");
    let engine = Engine::new(config, Session::new(), 1, now);
    let mut device = Device {
        engine,
        now,
        version: ProtocolVersion::V311,
    };
    let connect = next_connect(&mut device);
    assert_eq!(
        (connect.client_id.as_str(), connect.user_name),
        ("tool", None)
    );
}

#[test]
fn a_password_without_a_user_name_is_left_out() {
    let mut config = Config::plain("tool");
    let password = credentials::Secret::from_bytes(*b"hidden");
    let client_id = "tool".into();
    config.login = Login::Plain {
        client_id,
        user_name: None,
        password: Some(password),
    };
    assert_eq!(next_connect(&mut Device::new(config)).password, None); // [MQTT-3.1.2-22]
}

#[test]
fn keep_alive_and_clean_session_are_those_configured() {
    let mut config = config();
    config.keep_alive = 240;
    config.clean_session = false;
    let connect = next_connect(&mut Device::new(config));
    assert_eq!((connect.keep_alive, connect.clean_session), (240, false));
}

#[test]
fn a_will_is_sent() {
    let mut config = config();
    let will = Will::new("last/words", b"bye", QoS::AtLeastOnce, true);
    assert!(will.is_some());
    config.will = will.clone();
    assert_eq!(next_connect(&mut Device::new(config)).will, will);
    assert_eq!(Will::new("with/#", b"", QoS::AtMostOnce, false), None);
    assert_eq!(Will::new("a", &[0; 70_000], QoS::AtMostOnce, false), None);
}

/// The CONNECT of a recorded session of the vendor's Python SDK (made-up device), from its product,
/// name, secret, connection id and time.
#[test]
fn the_recorded_connect_comes_out_byte_for_byte() {
    const RECORDED: &[u8] = b"\x10\x80\x01\x00\x06MQIsdp\x03\xc2\x00\x3c\
        \x00\x10PYSDKCAP01test01\
        \x00\x2dPYSDKCAP01test01;21010406;N4sz6;1795373234216\
        \x00\x3113d60161217a860df1658216c25e128084b1b634;hmacsha1";
    let info = DeviceInfo::with_key("PYSDKCAP01", "test01", "MDEyMzQ1Njc4OWFiY2RlZg==").unwrap();
    let mut config = Config::python_sdk(&info);
    let Login::Key { user_name, .. } = &mut config.login else {
        panic!("a key device")
    };
    *user_name = UserName {
        connection_id: Some(*b"N4sz6"),
        ..*user_name
    };
    let now = Instant::ZERO;
    let mut engine = Engine::new(config, Session::new(), 1, now);
    engine.handle_wall_time(now, WallTime::from_unix_millis(1_795_373_234_216));
    let mut device = Device {
        engine,
        now,
        version: ProtocolVersion::V31,
    };
    device.poll();
    device.engine.handle_connected(now);
    assert_eq!(device.packet(), RECORDED);
}

#[test]
fn nothing_prints_the_secret_or_the_password() {
    let mut device = Device::new(config());
    let connect = next_connect(&mut device);
    let password = connect.password.unwrap();
    let signature = password.split(';').next().unwrap();
    let printed = format!("{:?} {:?}", device.engine, device.engine.config());
    assert!(!printed.contains(signature), "the signature is printed");
    assert!(
        !printed.contains("c2VjcmV0") && !printed.contains("[115, 101, 99"),
        "{printed}"
    );
}
