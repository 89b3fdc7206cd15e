//! Many devices that wait.

use shadow_core::Instant;
use shadow_core::tencent::DeviceInfo;
use transport_mock::cloud::{Cloud, CloudConfig};
use transport_mock::server::{ConnectionId, ServerConfig};
use transport_mock::service::{Limits, ServiceConfig};

use crate::device::WALL;
use crate::{Device, Kind};

/// Many devices and their cloud.
#[derive(Debug)]
pub struct Fleet {
    cloud: Cloud,
    devices: Vec<(ConnectionId, Device)>,
}

impl Fleet {
    /// So many devices, each of which has logged in, subscribed, got its shadow and reported two
    /// values. The cloud lets in whoever comes: the secrets of all devices would be its
    /// configuration, not its work.
    ///
    /// # Panics
    /// If one of them is not answered.
    #[must_use]
    pub fn new(size: usize) -> Fleet {
        let now = Instant::ZERO;
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
            cloud: Cloud::new(config, now, WALL),
            devices: Vec::with_capacity(size),
        };
        let mut buffer = Vec::new();
        for number in 0..size {
            let name = format!("device{number:06}");
            let info = DeviceInfo::with_key("FLEET00001", &name, "c2VjcmV0");
            let info = info.expect("the names keep the limits of the vendor");
            let mut device = Device::new(&info);
            let connection = fleet.cloud.accept(now);
            for _ in 0..3 {
                carry(now, &mut device, &mut fleet.cloud, connection, &mut buffer);
            }
            device.ask(now, Kind::Update);
            let ended = carry(now, &mut device, &mut fleet.cloud, connection, &mut buffer);
            assert_eq!(ended, 1, "the update is answered");
            fleet.devices.push((connection, device));
        }
        fleet
    }

    /// Lets go of the devices, to see what the cloud holds.
    pub fn drop_devices(&mut self) {
        self.devices = Vec::new();
    }
}

fn carry(
    now: Instant,
    device: &mut Device,
    cloud: &mut Cloud,
    connection: ConnectionId,
    buffer: &mut Vec<u8>,
) -> usize {
    buffer.clear();
    device.send(now, buffer);
    cloud.handle_bytes(now, connection, buffer);
    while cloud.poll_event().is_some() {}
    buffer.clear();
    while cloud.poll_transmit(now, buffer).is_some() {}
    device.receive(now, buffer)
}
