//! Bytes of the specification: what goes in and what must come out.

use shadow_core::Instant;
use shadow_core::mqtt::{Connect, Packet, ProtocolVersion, QoS, Will};
use transport_mock::server::{Departure, Refusal, ServerConfig, ServerEvent};

use crate::support::{Net, anonymous, bytes};

const CONNECT: &[u8] = b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02me";
const CONNECT_V31: &[u8] = b"\x10\x10\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x02me";

fn online() -> (Net, transport_mock::server::ConnectionId) {
    let mut net = Net::new(ServerConfig::default());
    let id = net.accept();
    assert_eq!(net.send(id, CONNECT), [0x20, 2, 0, 0]);
    net.events();
    (net, id)
}

fn departure(net: &mut Net) -> Option<Departure> {
    net.events().into_iter().find_map(|event| match event {
        ServerEvent::Disconnected { departure, .. } => Some(departure),
        _ => None,
    })
}

/// Every answer that one packet has, in any cutting of the bytes.
#[test]
fn packets_are_answered_as_the_specification_says() {
    let exchanges: [(&[u8], &[u8]); 8] = [
        (b"\xc0\x00", b"\xd0\x00"), // 3.12, 3.13
        (b"\x82\x08\x12\x34\x00\x03a/b\x00", b"\x90\x03\x12\x34\x00"), // 3.8, 3.9
        (b"\x82\x08\x00\x01\x00\x03a/#\x01", b"\x90\x03\x00\x01\x01"),
        (b"\xa2\x07\x00\x02\x00\x03a/#", b"\xb0\x02\x00\x02"), // 3.10, 3.11
        (b"\x32\x08\x00\x03x/y\x00\x05!", b"\x40\x02\x00\x05"), // QoS 1
        (b"\x34\x08\x00\x03x/y\x00\x06!", b"\x50\x02\x00\x06"), // QoS 2
        (b"\x62\x02\x00\x06", b"\x70\x02\x00\x06"),
        (b"\x30\x06\x00\x03x/y!", b""), // QoS 0
    ];
    let (mut net, id) = online();
    for (packet, answer) in exchanges {
        assert_eq!(net.send(id, packet), answer, "{packet:02x?}");
    }
    let all: Vec<u8> = exchanges
        .iter()
        .flat_map(|(packet, _)| packet.to_vec())
        .collect();
    let answers: Vec<u8> = exchanges
        .iter()
        .flat_map(|(_, answer)| answer.to_vec())
        .collect();
    let (mut whole, id) = online();
    assert_eq!(whole.send(id, &all), answers);
    let (mut bytewise, id) = online();
    let received: Vec<u8> = all
        .iter()
        .flat_map(|byte| bytewise.send(id, &[*byte]))
        .collect();
    assert_eq!(received, answers);
}

/// [MQTT-3.8.4-5]: one code per filter, in order; QoS 2 is granted as QoS 1, as the vendor's server
/// has no QoS 2.
#[test]
fn subscribe_of_three_filters_gets_three_codes() {
    let (mut net, id) = online();
    let packet = b"\x82\x14\x00\x0a\x00\x03a/b\x01\x00\x03c/d\x02\x00\x03e/f\x00";
    assert_eq!(net.send(id, packet), b"\x90\x05\x00\x0a\x01\x01\x00");
}

/// Each of these ends the connection, with the CONNACK of table 3.1 or without one.
#[test]
fn connections_that_begin_wrong_are_refused() {
    let cases: [(&[u8], &[u8], &str); 6] = [
        // [MQTT-3.1.2-2]
        (
            b"\x10\x0e\x00\x04MQTT\x06\x02\x00\x3c\x00\x02me",
            b"\x20\x02\x00\x01",
            "MQTT-3.1.2-2",
        ),
        // [MQTT-3.1.3-8]
        (
            b"\x10\x0c\x00\x04MQTT\x04\x00\x00\x3c\x00\x00",
            b"\x20\x02\x00\x02",
            "MQTT-3.1.3-8",
        ),
        // [MQTT-3.1.2-3]
        (
            b"\x10\x0e\x00\x04MQTT\x04\x03\x00\x3c\x00\x02me",
            b"",
            "MQTT-3.1.2-3",
        ),
        // [MQTT-3.1.0-1]
        (b"\xc0\x00", b"", "MQTT-3.1.0-1"),
        // Packet type 0.
        (b"\x00\x00", b"", "MQTT section 2.2.1"),
        // 256 MB announced.
        (b"\x10\xff\xff\xff\x7f", b"", "local limit"),
    ];
    for (packet, answer, clause) in cases {
        let mut net = Net::new(ServerConfig::default());
        let id = net.accept();
        assert_eq!(net.send(id, packet), answer, "{packet:02x?}");
        assert!(net.is_closed(id));
        let events = net.events();
        let [ServerEvent::Refused { refusal, .. }] = &events[..] else {
            panic!("{events:?}");
        };
        assert!(refusal.to_string().contains(clause), "{refusal}");
        assert_eq!(net.send(id, CONNECT), b"", "the connection is forgotten");
    }
}

#[test]
fn packets_out_of_place_end_the_connection() {
    for (packet, clause) in [
        (CONNECT, "MQTT-3.1.0-2"),
        (b"\x20\x02\x00\x00", "section 2.2.1"),
        (b"\xd0\x00", "section 2.2.1"),
        (b"\x50\x02\x00\x01", "section 4.3.3"),
        (b"\x82\x02\x00\x01", "MQTT-3.8.3-3"),
        (b"\x36\x08\x00\x03x/y\x00\x05!", "MQTT-3.3.1-4"),
        (b"\x30\x05\x00\x03a/+", "MQTT-3.3.2-2"),
    ] {
        let (mut net, id) = online();
        assert_eq!(net.send(id, packet), b"", "{packet:02x?}");
        assert!(net.is_closed(id), "{packet:02x?}");
        let departure = departure(&mut net).unwrap();
        assert!(departure.to_string().contains(clause), "{departure}");
    }
}

#[test]
fn disconnect_closes_and_nothing_behind_it_counts() {
    let (mut net, id) = online();
    assert_eq!(net.send(id, b"\xe0\x00\xc0\x00"), b"");
    assert!(net.is_closed(id));
    assert_eq!(departure(&mut net), Some(Departure::Disconnect));
}

/// MQTT 3.1: no failure code, and no session present flag.
#[test]
fn version_3_1_is_spoken_to_who_speaks_it() {
    let mut net = Net::new(ServerConfig {
        maximum_subscriptions: 0,
        ..ServerConfig::default()
    });
    let id = net.accept();
    assert_eq!(net.send(id, CONNECT_V31), [0x20, 2, 0, 0]);
    // A subscription that is refused looks granted.
    assert_eq!(
        net.send(id, b"\x82\x08\x00\x01\x00\x03a/b\x01"),
        b"\x90\x03\x00\x01\x01"
    );
    assert_eq!(net.publish(id, "a/b", "!"), b"");
    let id = net.accept();
    net.send(id, CONNECT);
    assert_eq!(
        net.send(id, b"\x82\x08\x00\x01\x00\x03a/b\x01"),
        b"\x90\x03\x00\x01\x80"
    );
}

/// [MQTT-3.1.2-24]: one and a half times 60 s after the last packet, and not before.
#[test]
fn silence_of_one_and_a_half_keep_alive_times_ends_the_connection() {
    let (mut net, id) = online();
    assert_eq!(net.cloud.poll_deadline(), Some(Instant::from_secs(90)));
    net.now = Instant::from_secs(50);
    assert_eq!(net.send(id, b"\xc0\x00"), b"\xd0\x00");
    // Half a packet is no packet.
    net.now = Instant::from_secs(100);
    net.send(id, b"\xc0");
    assert_eq!(net.cloud.poll_deadline(), Some(Instant::from_secs(140)));
    net.tick(Instant::from_micros(139_999_999));
    assert!(!net.is_closed(id));
    net.tick(Instant::from_secs(140));
    assert!(net.is_closed(id));
    assert_eq!(departure(&mut net), Some(Departure::KeepAlive));
    assert_eq!(net.cloud.poll_deadline(), None);
}

#[test]
fn keep_alive_of_zero_allows_any_silence() {
    let mut net = Net::new(ServerConfig::default());
    let id = net.accept();
    let connect = Connect {
        keep_alive: 0,
        ..anonymous("me")
    };
    net.send(id, &bytes(&Packet::Connect(connect)));
    assert_eq!(net.cloud.poll_deadline(), None);
}

#[test]
fn connection_without_connect_is_closed() {
    let mut net = Net::new(ServerConfig::default());
    let id = net.accept();
    assert_eq!(net.cloud.poll_deadline(), Some(Instant::from_secs(20)));
    net.tick(Instant::from_secs(20));
    assert!(net.is_closed(id));
    let refused = ServerEvent::Refused {
        connection: id,
        client_id: None,
        refusal: Refusal::NoConnect,
    };
    assert_eq!(net.events(), [refused]);
}

/// [MQTT-3.1.4-2]
#[test]
fn second_connection_with_the_same_client_id_ends_the_first() {
    let (mut net, first) = online();
    let second = net.accept();
    assert_eq!(net.send(second, CONNECT), [0x20, 2, 0, 0]);
    assert!(net.is_closed(first));
    assert!(!net.is_closed(second));
    assert_eq!(departure(&mut net), Some(Departure::Replaced));
    assert_eq!(net.send(second, b"\xc0\x00"), b"\xd0\x00");
    assert_eq!(net.cloud.server().clients().collect::<Vec<_>>(), ["me"]);
    // The old connection's end is no news of the new one.
    net.cloud.handle_closed(net.now, first);
    assert_eq!(net.send(second, b"\xc0\x00"), b"\xd0\x00");
}

#[test]
fn empty_client_ids_are_given_names_of_their_own() {
    let mut net = Net::new(ServerConfig::default());
    for _ in 0..2 {
        let id = net.accept();
        let connect = Packet::Connect(anonymous(""));
        assert_eq!(net.send(id, &bytes(&connect)), [0x20, 2, 0, 0]);
    }
    assert_eq!(net.cloud.server().clients().count(), 2);
}

#[test]
fn will_is_ignored_and_said_to_be() {
    let mut net = Net::new(ServerConfig::default());
    let watcher = net.log_in("watcher", true);
    assert_eq!(net.subscribe(watcher, "#", QoS::AtMostOnce), 0);
    net.events();
    let id = net.accept();
    let connect = Connect {
        will: Some(Will {
            topic: "gone",
            payload: b"me",
            qos: QoS::AtMostOnce,
            retain: false,
        }),
        ..anonymous("me")
    };
    assert_eq!(
        net.send(id, &bytes(&Packet::Connect(connect))),
        [0x20, 2, 0, 0]
    );
    let connected = ServerEvent::Connected {
        connection: id,
        client_id: "me".into(),
        version: ProtocolVersion::V311,
        clean_session: true,
        session_present: false,
        will_ignored: true,
    };
    assert_eq!(net.events(), [connected]);
    net.cloud.handle_closed(net.now, id);
    assert_eq!(net.received(watcher), b"");
}

#[test]
fn what_is_too_many_is_turned_away() {
    let mut net = Net::new(ServerConfig {
        maximum_connections: 2,
        maximum_sessions: 1,
        ..ServerConfig::default()
    });
    let first = net.log_in("a", true);
    let second = net.accept();
    let third = net.accept();
    assert!(net.is_closed(third));
    let connect = bytes(&Packet::Connect(anonymous("b")));
    assert_eq!(net.send(second, &connect), [0x20, 2, 0, 3]);
    assert!(net.is_closed(second));
    assert!(!net.is_closed(first));
}
