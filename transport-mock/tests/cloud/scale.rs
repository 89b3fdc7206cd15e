//! What many devices take.

use allocation_counter::measure;
use shadow_core::Instant;
use shadow_core::mqtt::{Packet, QoS};
use transport_mock::cloud::{Cloud, CloudConfig};
use transport_mock::server::{ConnectionId, ServerConfig};
use transport_mock::service::{Limits, ServiceConfig};

use crate::support::{WALL, anonymous, bytes, publish, subscribe};

/// So many devices, each logged in, subscribed to its results and with a document of three keys.
struct Fleet {
    cloud: Cloud,
    connections: Vec<ConnectionId>,
    buffer: Vec<u8>,
}

const NOW: Instant = Instant::ZERO;

impl Fleet {
    fn new(size: usize) -> Fleet {
        let config = CloudConfig {
            server: ServerConfig {
                maximum_connections: size,
                maximum_sessions: size,
                ..ServerConfig::default()
            },
            service: ServiceConfig {
                limits: Limits {
                    shadows: size,
                    ..Limits::default()
                },
                ..ServiceConfig::default()
            },
        };
        let mut fleet = Fleet {
            cloud: Cloud::new(config, NOW, WALL),
            connections: Vec::new(),
            buffer: Vec::new(),
        };
        for number in 0..size {
            let id = fleet.cloud.accept(NOW);
            fleet.connections.push(id);
            let client_id = format!("FLEET00001device{number:06}");
            let result = format!("$shadow/operation/result/FLEET00001/device{number:06}");
            fleet.send(id, &bytes(&Packet::Connect(anonymous(&client_id))));
            fleet.send(id, &subscribe(&result, QoS::AtLeastOnce));
            fleet.update(number, 1);
        }
        fleet
    }

    /// Sends bytes; how many come back.
    fn send(&mut self, id: ConnectionId, bytes: &[u8]) -> usize {
        self.cloud.handle_bytes(NOW, id, bytes);
        while self.cloud.poll_event().is_some() {}
        self.buffer.clear();
        while let Some((to, _)) = self.cloud.poll_transmit(NOW, &mut self.buffer) {
            assert_eq!(to, id);
        }
        self.buffer.len()
    }

    /// A device reports; the reply is acknowledged.
    fn update(&mut self, number: usize, count: u32) {
        let id = self.connections[number];
        let topic = format!("$shadow/operation/FLEET00001/device{number:06}");
        let update = format!(
            r#"{{"type":"update","state":{{"reported":{{"power":true,"mode":"auto","updateCount":{count}}}}},"clientToken":"t"}}"#
        );
        let came = self.send(id, &publish(&topic, update.as_bytes(), QoS::AtMostOnce));
        assert!(came > 100);
        let packet_id = u16::try_from(count).unwrap().to_be_bytes();
        self.send(id, &[0x40, 2, packet_id[0], packet_id[1]]);
    }
}

/// The bytes that a waiting device takes of the cloud, and the allocations that a round trip of it
/// makes, are the same however many there are.
#[test]
fn a_waiting_device_takes_little_and_as_much_in_any_company() {
    let [few, many] = [1_000, 10_000].map(|size| {
        let mut fleet = None;
        let taken = measure(|| fleet = Some(Fleet::new(size)));
        let mut fleet = fleet.unwrap();
        let trips = measure(|| (0..100).for_each(|number| fleet.update(number * 7, 2)));
        let of_lists = size_of::<ConnectionId>() * fleet.connections.capacity();
        let bytes = u64::try_from(taken.bytes_current).unwrap() - of_lists as u64;
        println!("{size} devices: {} bytes each", bytes / size as u64);
        (bytes / size as u64, trips.count_total)
    });
    assert!(few.0.abs_diff(many.0) * 20 <= many.0, "{few:?} {many:?}");
    assert!(few.1.abs_diff(many.1) * 20 <= many.1, "{few:?} {many:?}");
    assert!(many.0 <= 640, "{} bytes a device", many.0);
}

/// Each is as many keep alive times away from its end as the others, and the first that is due is
/// found without looking at them.
#[test]
fn deadlines_of_many_come_in_order() {
    let mut fleet = Fleet::new(1_000);
    let heard = Instant::from_secs(30);
    fleet
        .cloud
        .handle_bytes(heard, fleet.connections[0], &[0xc0, 0]);
    assert_eq!(fleet.cloud.poll_deadline(), Some(Instant::from_secs(90)));
    fleet.cloud.handle_tick(Instant::from_secs(90));
    assert_eq!(fleet.cloud.server().clients().count(), 1);
    assert_eq!(fleet.cloud.poll_deadline(), Some(Instant::from_secs(120)));
    let gone = std::iter::from_fn(|| fleet.cloud.poll_event()).count();
    assert_eq!(gone, 999);
}
