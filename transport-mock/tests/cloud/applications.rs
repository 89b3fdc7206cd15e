//! Several clients at once.

use serde_json::Value;
use shadow_core::mqtt::{Packet, ProtocolVersion, QoS};
use shadow_core::tencent::{DeviceInfo, ShadowName};
use transport_mock::application::{self, ApplicationRequest};
use transport_mock::server::{ConnectionId, Credentials, KnownDevice, ServerConfig};

use crate::support::{Net, WALL, signed};

/// The topic and JSON of every message in `bytes`.
fn messages(mut bytes: &[u8]) -> Vec<(String, Value)> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let length = (2..=bytes.len())
            .find(|length| Packet::decode(&bytes[..*length], ProtocolVersion::V311).is_ok())
            .unwrap();
        let (packet, rest) = bytes.split_at(length);
        if let Packet::Publish(publish) = Packet::decode(packet, ProtocolVersion::V311).unwrap() {
            let json = serde_json::from_slice(publish.payload).unwrap();
            messages.push((publish.topic.to_owned(), json));
        }
        bytes = rest;
    }
    messages
}

fn log_in(net: &mut Net, device: &DeviceInfo, client_id: &str) -> ConnectionId {
    let id = net.accept();
    let connect = signed(device, client_id, WALL.as_unix_seconds() + 60);
    assert_eq!(net.send(id, &connect), [0x20, 2, 0, 0]);
    id
}

#[test]
fn two_devices_and_an_application_at_once() {
    let lamp = DeviceInfo::with_key("EXAMPLE001", "lamp", "bGFtcA==").unwrap();
    let door = DeviceInfo::with_key("EXAMPLE001", "door", "ZG9vcg==").unwrap();
    let known = [lamp.clone(), door.clone()].map(KnownDevice::new);
    let mut net = Net::new(ServerConfig {
        credentials: Credentials::Devices(known.to_vec()),
        ..ServerConfig::default()
    });
    let at_lamp = log_in(&mut net, &lamp, "EXAMPLE001lamp");
    let at_door = log_in(&mut net, &door, "EXAMPLE001door");
    let app = log_in(&mut net, &lamp, "EXAMPLE001lamp@phone");
    for (id, name) in [(at_lamp, &lamp.name), (at_door, &door.name)] {
        assert_eq!(net.subscribe(id, &name.result_topic(), QoS::AtMostOnce), 0);
    }
    let result = application::result_topic(&lamp.name);
    assert_eq!(net.subscribe(app, &result, QoS::AtMostOnce), 0);

    let mut ask = |request: ApplicationRequest<'_>| {
        let payload = request.to_json("t").unwrap();
        net.publish(app, &application::request_topic(&lamp.name), &payload)
    };
    let desire = ApplicationRequest::Desire {
        desired: r#"{"power":true}"#,
        version: None,
    };
    let reply = messages(&ask(desire));
    assert_eq!((reply.len(), reply[0].0.as_str()), (1, result.as_str()));
    assert_eq!(reply[0].1["result"], 0);
    assert_eq!(reply[0].1["clientToken"], "t");
    let delta = messages(&net.received(at_lamp));
    assert_eq!((delta.len(), &delta[0].0), (1, &lamp.name.result_topic()));
    assert_eq!(delta[0].1["type"], "delta");
    assert_eq!(delta[0].1["payload"]["state"]["power"], true);
    assert_eq!(net.received(at_door), b"", "the other device hears nothing");

    // Both devices report; each gets its own reply, and the shadows stay apart.
    for (id, name, value) in [(at_lamp, &lamp.name, 1), (at_door, &door.name, 2)] {
        let update = format!(r#"{{"type":"update","state":{{"reported":{{"n":{value}}}}}}}"#);
        let reply = messages(&net.publish(id, &name.operation_topic(), &update));
        assert_eq!((reply.len(), &reply[0].0), (1, &name.result_topic()));
        assert_eq!(reply[0].1["payload"]["state"]["reported"]["n"], value);
    }
    let reported = |net: &Net, name: &ShadowName| net.cloud.shadow(name).unwrap().reported();
    assert_eq!(reported(&net, &lamp.name), r#"{"n":1}"#);
    assert_eq!(reported(&net, &door.name), r#"{"n":2}"#);

    let get = ApplicationRequest::Get.to_json("g").unwrap();
    let topic = application::request_topic(&lamp.name);
    let reply = messages(&net.publish(app, &topic, &get));
    assert_eq!(reply[0].1["payload"]["state"]["desired"]["power"], true);
    // In another's name the application is not heard.
    let topic = application::request_topic(&door.name);
    assert_eq!(net.publish(app, &topic, &get), b"");
}

/// A delta that was missed waits for a device with a persistent session and QoS 1, and for no
/// other.
#[test]
fn missed_delta_waits_only_in_a_persistent_qos_1_session() {
    for (clean_session, qos, waits) in [
        (false, QoS::AtLeastOnce, true),
        (false, QoS::AtMostOnce, false),
        (true, QoS::AtLeastOnce, false),
    ] {
        let name = ShadowName::new("EXAMPLE001", "lamp").unwrap();
        let mut net = Net::new(ServerConfig::default());
        let id = net.log_in("EXAMPLE001lamp", clean_session);
        net.subscribe(id, &name.result_topic(), qos);
        net.cloud.handle_closed(net.now, id);
        let now = net.now;
        net.cloud
            .set_desired(now, &name, r#"{"power":true}"#, None)
            .unwrap();
        let id = net.log_in("EXAMPLE001lamp", clean_session);
        // log_in has taken what came with CONNACK; the message was not acknowledged, so it comes
        // again.
        net.cloud.handle_closed(now, id);
        let id = net.accept();
        let connect = crate::support::anonymous("EXAMPLE001lamp");
        let connect = shadow_core::mqtt::Connect {
            clean_session,
            ..connect
        };
        let answer = net.send(id, &crate::support::bytes(&Packet::Connect(connect)));
        let deltas = messages(&answer);
        assert_eq!(deltas.len(), usize::from(waits), "{clean_session} {qos}");
    }
}
