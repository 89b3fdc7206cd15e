//! Section 3.1: CONNECT.

use shadow_core::config::{Login, Will};
use shadow_core::mqtt::{Connect, EncodeError, ProtocolVersion, QoS};
use shadow_core::tencent::credentials::Secret;
use shadow_core::{Config, Publication};

use super::{connect_bytes, cut, keeping, kind, packets};
use crate::device::{Device, Out};

/// Where the flags of CONNECT are: behind fixed header, protocol name and level.
const FLAGS: usize = 2 + 6 + 1;

fn with_will(qos: QoS, retain: bool) -> Config {
    Config {
        will: Will::new("w", b"gone", qos, retain),
        ..Config::plain("c")
    }
}

fn with_login(user_name: Option<&str>, password: Option<&[u8]>) -> Config {
    let mut config = Config::plain("c");
    config.login = Login::Plain {
        client_id: "c".into(),
        user_name: user_name.map(Into::into),
        password: password.map(Secret::from_bytes),
    };
    config
}

#[test]
fn connect_is_the_first_packet() {
    let mut device = Device::new(Config::plain("c"));
    let publication = Publication::new("t", b"x");
    device.engine.publish(device.now, &publication).unwrap();
    let subscribed = device.engine.subscribe(device.now, "f", QoS::AtMostOnce);
    subscribed.unwrap();
    assert_eq!(
        device.poll(),
        [Out::Connect],
        "[MQTT-3.1.0-1] nothing is sent before there is a link"
    );
    device.engine.handle_connected(device.now);
    let first = packets(&mut device);
    assert_eq!(
        first.iter().map(|packet| kind(packet)).collect::<Vec<_>>(),
        [1],
        "[MQTT-3.1.0-1] CONNECT, and nothing behind it until the server answers"
    );
    // So it is on the next link.
    cut(&mut device);
    device.connect(false);
    assert_eq!(packets(&mut device).len(), 2, "what waited goes then");
}

#[test]
fn a_will_is_announced_and_there() {
    for (qos, retain, flags) in [
        (QoS::AtMostOnce, false, 0b0000_0110),
        (QoS::AtLeastOnce, false, 0b0000_1110),
        (QoS::ExactlyOnce, false, 0b0001_0110),
        (QoS::AtMostOnce, true, 0b0010_0110),
        (QoS::ExactlyOnce, true, 0b0011_0110),
    ] {
        let connect = connect_bytes(with_will(qos, retain));
        let expected = [
            &b"\x10\x16\x00\x04MQTT\x04"[..],
            &[flags],
            b"\x00\x3c\x00\x01c\x00\x01w\x00\x04gone",
        ];
        assert_eq!(connect, expected.concat(), "[MQTT-3.1.2-9] {qos}, {retain}");
        assert_ne!(
            connect[FLAGS] & 0b0001_1000,
            0b0001_1000,
            "[MQTT-3.1.2-14] the will's QoS is never 3"
        );
    }
}

#[test]
fn without_a_will_there_is_nothing_of_it() {
    let connect = connect_bytes(Config::plain("c"));
    assert_eq!(
        connect, b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c",
        "[MQTT-3.1.2-11] the payload ends with the client identifier"
    );
    let flags = connect[FLAGS];
    assert_eq!(flags & 0b0001_1000, 0, "[MQTT-3.1.2-13] will QoS");
    assert_eq!(flags & 0b0010_0000, 0, "[MQTT-3.1.2-15] will retain");
}

#[test]
fn user_name_and_password_are_there_if_announced() {
    assert_eq!(
        connect_bytes(with_login(None, None)),
        b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c",
        "[MQTT-3.1.2-18] [MQTT-3.1.2-20] neither"
    );
    assert_eq!(
        connect_bytes(with_login(Some("u"), None)),
        b"\x10\x10\x00\x04MQTT\x04\x82\x00\x3c\x00\x01c\x00\x01u",
        "[MQTT-3.1.2-19] [MQTT-3.1.2-20] a user name alone"
    );
    assert_eq!(
        connect_bytes(with_login(Some("u"), Some(b"p\xff"))),
        b"\x10\x14\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01c\x00\x01u\x00\x02p\xff",
        "[MQTT-3.1.2-19] [MQTT-3.1.2-21] both"
    );
    assert_eq!(
        connect_bytes(with_login(Some(""), Some(b""))),
        b"\x10\x11\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01c\x00\x00\x00\x00",
        "[MQTT-3.1.2-19] [MQTT-3.1.2-21] both, though empty"
    );
}

#[test]
fn there_is_no_password_without_a_user_name() {
    assert_eq!(
        connect_bytes(with_login(None, Some(b"p"))),
        b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c",
        "[MQTT-3.1.2-22] the client leaves it out"
    );
    let connect = Connect {
        version: ProtocolVersion::V311,
        client_id: "c",
        clean_session: true,
        keep_alive: 60,
        user_name: None,
        password: Some(b"p"),
        will: None,
    };
    assert_eq!(
        connect.encode(&mut Vec::new()),
        Err(EncodeError::PasswordWithoutUserName),
        "[MQTT-3.1.2-22] and the codec does not write it"
    );
}

#[test]
fn the_payload_has_its_fields_in_order() {
    let mut config = with_login(Some("u"), Some(b"p"));
    config.will = Will::new("w", b"gone", QoS::AtMostOnce, false);
    assert_eq!(
        connect_bytes(config),
        b"\x10\x1c\x00\x04MQTT\x04\xc6\x00\x3c\
          \x00\x01c\x00\x01w\x00\x04gone\x00\x01u\x00\x01p",
        "[MQTT-3.1.3-1] client identifier, will topic, will message, user name, password"
    );
}

/// The client identifier behind the ten bytes of the variable header.
fn client_id(connect: &[u8]) -> &[u8] {
    let length = usize::from(u16::from_be_bytes([connect[12], connect[13]]));
    &connect[14..14 + length]
}

#[test]
fn a_session_has_one_client_id() {
    let mut device = keeping();
    for _ in 0..3 {
        cut(&mut device);
        device.poll();
        device.engine.handle_connected(device.now);
        assert_eq!(
            client_id(&device.packet()),
            b"c",
            "[MQTT-3.1.3-2] each link of the session names it"
        );
        device.bytes(&[0x20, 2, 1, 0]);
        device.events();
    }
}

#[test]
fn the_client_id_is_the_first_field() {
    for id in ["c", "PRODUCT001lamp", ""] {
        let connect = connect_bytes(Config::plain(id));
        assert_eq!(client_id(&connect), id.as_bytes(), "[MQTT-3.1.3-3] {id:?}");
    }
}

#[test]
fn the_strings_of_connect_are_utf8() {
    let connect = connect_bytes(Config::plain("ü"));
    assert_eq!(client_id(&connect), b"\xc3\xbc", "[MQTT-3.1.3-4]");

    let mut config = Config::plain("c");
    config.will = Will::new("ü", b"\xff", QoS::AtMostOnce, false);
    let connect = connect_bytes(config);
    assert!(
        connect.ends_with(b"\x00\x02\xc3\xbc\x00\x01\xff"),
        "[MQTT-3.1.3-10] will topic; the message is any bytes: {connect:02x?}"
    );
    let connect = connect_bytes(with_login(Some("ü"), None));
    assert!(
        connect.ends_with(b"\x00\x02\xc3\xbc"),
        "[MQTT-3.1.3-11] {connect:02x?}"
    );
}

#[test]
fn an_empty_client_id_goes_with_a_clean_session() {
    let connect = connect_bytes(Config::plain(""));
    assert_eq!(
        connect, b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00",
        "[MQTT-3.1.3-7]"
    );
    let mut device = Device::new(Config {
        clean_session: false,
        ..Config::plain("")
    });
    device.poll();
    device.engine.handle_connected(device.now);
    assert_eq!(
        device.poll(),
        [Out::Close],
        "[MQTT-3.1.3-7] no CONNECT that asks to keep a session without a name"
    );
}
