//! Who is let in, and what they may use.

use shadow_core::mqtt::{Packet, ProtocolVersion, QoS};
use shadow_core::tencent::credentials::LoginError;
use shadow_core::tencent::{DeviceInfo, ShadowName};
use transport_mock::cloud::{Cloud, CloudConfig, example_device};
use transport_mock::server::{
    ConnectionId, Credentials, KnownDevice, Refusal, ServerConfig, ServerEvent,
};

use crate::support::{Net, WALL, anonymous, bytes, publish, signed};

const ID: &str = "EXAMPLE001test01";
const HOUR: u64 = 3_600;

fn in_an_hour() -> u64 {
    WALL.as_unix_seconds() + HOUR
}

fn example() -> Net {
    Net::with_cloud(Cloud::example(shadow_core::Instant::ZERO, WALL))
}

/// The answer to a CONNECT and the reason of a refusal.
fn answer(net: &mut Net, connect: &[u8]) -> (ConnectionId, Vec<u8>, Option<Refusal>) {
    net.events();
    let id = net.accept();
    let answer = net.send(id, connect);
    let refusal = net.events().into_iter().find_map(|event| match event {
        ServerEvent::Refused { refusal, .. } => Some(refusal),
        _ => None,
    });
    assert_eq!(net.is_closed(id), refusal.is_some());
    (id, answer, refusal)
}

#[test]
fn device_and_application_sign_in_with_the_devices_secret() {
    let mut net = example();
    for client_id in [ID, "EXAMPLE001test01@app"] {
        let connect = signed(&example_device(), client_id, in_an_hour());
        assert_eq!(answer(&mut net, &connect).1, [0x20, 2, 0, 0], "{client_id}");
    }
    assert_eq!(
        net.cloud.server().clients().collect::<Vec<_>>(),
        [ID, "EXAMPLE001test01@app"]
    );
}

#[test]
fn wrong_secret_is_code_4() {
    let thief = DeviceInfo::with_key("EXAMPLE001", "test01", "c29tZSBvdGhlciBzZWNyZXQ=").unwrap();
    for client_id in [ID, "EXAMPLE001test01@app"] {
        let (_, code, refusal) = answer(&mut example(), &signed(&thief, client_id, in_an_hour()));
        assert_eq!(code, [0x20, 2, 0, 4]);
        assert_eq!(refusal, Some(Refusal::Login(LoginError::Signature)));
    }
}

#[test]
fn unknown_client_id_is_code_2() {
    for client_id in [
        "EXAMPLE001test02",
        "EXAMPLE001test01@",
        "EXAMPLE001test01x",
        "x",
        "EXAMPLE001",
    ] {
        let connect = signed(&example_device(), client_id, in_an_hour());
        let (_, code, refusal) = answer(&mut example(), &connect);
        assert_eq!(code, [0x20, 2, 0, 2], "{client_id}");
        assert_eq!(refusal, Some(Refusal::UnknownClientId));
    }
}

#[test]
fn no_credentials_are_code_5() {
    let connect = bytes(&Packet::Connect(anonymous(ID)));
    let (_, code, refusal) = answer(&mut example(), &connect);
    assert_eq!(code, [0x20, 2, 0, 5]);
    assert_eq!(refusal, Some(Refusal::NoCredentials));
}

/// A signature over one client id does not open another.
#[test]
fn signature_of_another_client_id_is_code_4() {
    let connect = signed(&example_device(), "EXAMPLE001test01@app", in_an_hour());
    let Packet::Connect(login) = Packet::decode(&connect, ProtocolVersion::V311).unwrap() else {
        panic!();
    };
    let stolen = shadow_core::mqtt::Connect {
        client_id: ID,
        ..login
    };
    let (_, code, refusal) = answer(&mut example(), &bytes(&Packet::Connect(stolen)));
    assert_eq!(code, [0x20, 2, 0, 4]);
    assert_eq!(refusal, Some(Refusal::ForeignUserName));
}

/// In seconds, as documented. The milliseconds of the vendor's Python SDK read as seconds of a far
/// future, which is why its logins never expire.
#[test]
fn expiry_is_compared_with_the_servers_wall_clock() {
    let (seconds, millis) = (WALL.as_unix_seconds(), WALL.as_unix_millis());
    for (expiry, accepted) in [
        (seconds + 1, true),
        (seconds, true),
        (seconds - 1, false),
        (0, false),
        (millis, true),
        (u64::MAX, true),
    ] {
        let connect = signed(&example_device(), ID, expiry);
        let (_, code, refusal) = answer(&mut example(), &connect);
        let expected = (!accepted).then_some(Refusal::Expired);
        assert_eq!(
            (code[3], refusal),
            (if accepted { 0 } else { 4 }, expected),
            "{expiry}"
        );
    }
    // The same login an hour and six minutes later, by the server's clock.
    let mut net = example();
    let connect = signed(&example_device(), ID, in_an_hour());
    net.now = shadow_core::Instant::from_secs(HOUR + 360);
    assert_eq!(answer(&mut net, &connect).2, Some(Refusal::Expired));
}

/// TLS has decided who it is; the password may be anything, the user name may not.
#[test]
fn certificate_device_needs_no_signature_and_has_no_applications() {
    let file = || "unread.pem".to_owned();
    let device =
        DeviceInfo::with_certificate("EXAMPLE001", "cert01", None, file(), file()).unwrap();
    let config = ServerConfig {
        credentials: Credentials::Devices(vec![KnownDevice::new(device)]),
        ..ServerConfig::default()
    };
    let connect = |client_id, user_name| {
        bytes(&Packet::Connect(shadow_core::mqtt::Connect {
            user_name: Some(user_name),
            password: Some(b"certificate"),
            ..anonymous(client_id)
        }))
    };
    let mut net = Net::new(config);
    let user_name = "EXAMPLE001cert01;12010126;aB3dE;1626774297";
    assert_eq!(
        answer(&mut net, &connect("EXAMPLE001cert01", user_name)).1,
        [0x20, 2, 0, 0]
    );
    let refusal = answer(&mut net, &connect("EXAMPLE001cert01", "me")).2;
    assert_eq!(refusal, Some(Refusal::Login(LoginError::UserName)));
    let refusal = answer(&mut net, &connect("EXAMPLE001cert01@app", user_name)).2;
    assert_eq!(refusal, Some(Refusal::UnknownClientId));
}

fn gateway() -> Net {
    let sub_device = ShadowName::new("SUBDEV0001", "lamp").unwrap();
    let known = KnownDevice {
        sub_devices: vec![sub_device],
        ..KnownDevice::new(example_device())
    };
    let config = CloudConfig {
        server: ServerConfig {
            credentials: Credentials::Devices(vec![known]),
            ..ServerConfig::default()
        },
        ..CloudConfig::default()
    };
    Net::with_cloud(Cloud::new(config, shadow_core::Instant::ZERO, WALL))
}

#[test]
fn subscriptions_end_at_the_devices_own_topics() {
    let mut net = gateway();
    let device = answer(&mut net, &signed(&example_device(), ID, in_an_hour())).0;
    let application = signed(&example_device(), "EXAMPLE001test01@app", in_an_hour());
    let application = answer(&mut net, &application).0;
    for (filter, by_device, by_application) in [
        ("$shadow/operation/result/EXAMPLE001/test01", true, true),
        ("$shadow/application/result/EXAMPLE001/test01", false, true),
        ("$shadow/operation/result/SUBDEV0001/lamp", true, false),
        ("EXAMPLE001/test01/#", true, true),
        ("EXAMPLE001/test01/data", true, true),
        ("SUBDEV0001/lamp/+", true, false),
        ("$shadow/operation/result/EXAMPLE001/test02", false, false),
        ("$shadow/operation/result/EXAMPLE001/+", false, false),
        ("$shadow/operation/result/+/+", false, false),
        ("$shadow/operation/EXAMPLE001/test01", false, false),
        ("$shadow/operation/#", false, false),
        ("EXAMPLE001/+/data", false, false),
        ("EXAMPLE001/#", false, false),
        ("+/test01/data", false, false),
        ("#", false, false),
    ] {
        let code = |allowed| if allowed { 0 } else { 0x80 };
        let qos = QoS::AtMostOnce;
        assert_eq!(
            net.subscribe(device, filter, qos),
            code(by_device),
            "{filter}"
        );
        assert_eq!(
            net.subscribe(application, filter, qos),
            code(by_application),
            "{filter}"
        );
    }
}

/// [MQTT-3.3.5-2]: acknowledged, and without effect.
#[test]
fn forbidden_publish_is_acknowledged_and_goes_nowhere() {
    let mut net = gateway();
    let device = answer(&mut net, &signed(&example_device(), ID, in_an_hour())).0;
    let result = "$shadow/operation/result/EXAMPLE001/test01";
    assert_eq!(net.subscribe(device, result, QoS::AtMostOnce), 0);
    net.events();
    for topic in [
        result,
        "$shadow/operation/EXAMPLE001/test02",
        "$shadow/application/EXAMPLE001/test01",
        "EXAMPLE001/test02/data",
    ] {
        let packet = publish(topic, br#"{"type":"get"}"#, QoS::AtLeastOnce);
        assert_eq!(net.send(device, &packet), [0x40, 2, 0, 7], "{topic}");
        let forbidden = ServerEvent::PublishForbidden {
            client_id: ID.into(),
            topic: topic.into(),
        };
        assert_eq!(net.events(), [forbidden]);
    }
    let reply = net.publish(
        device,
        "$shadow/operation/EXAMPLE001/test01",
        r#"{"type":"get"}"#,
    );
    assert!(!reply.is_empty());
    assert_eq!(net.events().len(), 1, "published");
}

#[test]
fn events_show_no_password() {
    let mut net = example();
    let connect = signed(&example_device(), ID, in_an_hour());
    let Packet::Connect(login) = Packet::decode(&connect, ProtocolVersion::V311).unwrap() else {
        panic!();
    };
    let password = String::from_utf8(login.password.unwrap().to_vec()).unwrap();
    let id = net.accept();
    net.send(id, &connect);
    let shown = format!("{:?} {:?}", net.events(), net.cloud);
    assert!(shown.contains(ID));
    assert!(!shown.contains(&password));
    assert!(!shown.contains("not a real secret"));
}
