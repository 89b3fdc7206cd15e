//! Clients that speak in bytes, and a network of nothing but buffers.

use std::collections::BTreeMap;

use shadow_core::mqtt::{Connect, Packet, ProtocolVersion, Publish, QoS, Subscribe};
use shadow_core::tencent::credentials::{SignatureMethod, sign};
use shadow_core::tencent::{Authentication, DEFAULT_SDK_APP_ID, DeviceInfo};
use shadow_core::{Instant, WallTime};
use transport_mock::cloud::{Cloud, CloudConfig};
use transport_mock::server::{ConnectionId, ServerConfig, ServerEvent, ServerTransmit};

/// A moment in the vendor's printed session.
pub(crate) const WALL: WallTime = WallTime::from_unix_millis(1_626_770_697_670);

/// A cloud and everything that it sent, by connection.
pub(crate) struct Net {
    pub(crate) cloud: Cloud,
    pub(crate) now: Instant,
    sent: BTreeMap<ConnectionId, Vec<u8>>,
    closed: Vec<ConnectionId>,
}

impl Net {
    pub(crate) fn new(server: ServerConfig) -> Net {
        let config = CloudConfig {
            server,
            ..CloudConfig::default()
        };
        Net::with_cloud(Cloud::new(config, Instant::ZERO, WALL))
    }

    pub(crate) fn with_cloud(cloud: Cloud) -> Net {
        Net {
            cloud,
            now: Instant::ZERO,
            sent: BTreeMap::new(),
            closed: Vec::new(),
        }
    }

    pub(crate) fn accept(&mut self) -> ConnectionId {
        self.cloud.accept(self.now)
    }

    /// Sends bytes to the cloud; what it sends back on this connection.
    pub(crate) fn send(&mut self, id: ConnectionId, bytes: &[u8]) -> Vec<u8> {
        self.cloud.handle_bytes(self.now, id, bytes);
        self.received(id)
    }

    /// What the cloud has sent on this connection since the last call.
    pub(crate) fn received(&mut self, id: ConnectionId) -> Vec<u8> {
        self.collect();
        self.sent.remove(&id).unwrap_or_default()
    }

    pub(crate) fn is_closed(&mut self, id: ConnectionId) -> bool {
        self.collect();
        self.closed.contains(&id)
    }

    pub(crate) fn tick(&mut self, now: Instant) {
        self.now = now;
        self.cloud.handle_tick(now);
    }

    pub(crate) fn events(&mut self) -> Vec<ServerEvent> {
        std::iter::from_fn(|| self.cloud.poll_event()).collect()
    }

    /// Logs a client in under any user.
    pub(crate) fn log_in(&mut self, client_id: &str, clean_session: bool) -> ConnectionId {
        let id = self.accept();
        let connect = Connect {
            clean_session,
            ..anonymous(client_id)
        };
        let answer = self.send(id, &bytes(&Packet::Connect(connect)));
        assert_eq!((answer[0], answer[3]), (0x20, 0), "{answer:02x?}");
        id
    }

    /// Subscribes and returns the code of SUBACK.
    pub(crate) fn subscribe(&mut self, id: ConnectionId, filter: &str, qos: QoS) -> u8 {
        let answer = self.send(id, &subscribe(filter, qos));
        assert_eq!(answer[..4], [0x90, 3, 0, 9], "{answer:02x?}");
        answer[4]
    }

    pub(crate) fn publish(&mut self, id: ConnectionId, topic: &str, payload: &str) -> Vec<u8> {
        self.send(id, &publish(topic, payload.as_bytes(), QoS::AtMostOnce))
    }

    fn collect(&mut self) {
        let mut buffer = Vec::new();
        while let Some((id, transmit)) = self.cloud.poll_transmit(self.now, &mut buffer) {
            match transmit {
                ServerTransmit::Packet { len, .. } => {
                    assert_eq!(len, buffer.len());
                    self.sent.entry(id).or_default().append(&mut buffer);
                }
                ServerTransmit::Close => self.closed.push(id),
            }
        }
    }
}

pub(crate) fn anonymous(client_id: &str) -> Connect<'_> {
    Connect {
        version: ProtocolVersion::V311,
        client_id,
        clean_session: true,
        keep_alive: 60,
        user_name: None,
        password: None,
        will: None,
    }
}

/// CONNECT of a client that signs with a device's secret.
pub(crate) fn signed(device: &DeviceInfo, client_id: &str, expiry: u64) -> Vec<u8> {
    let Authentication::Key { secret } = &device.authentication else {
        panic!("a device with a key");
    };
    let method = SignatureMethod::HmacSha256;
    let login = sign(
        method,
        client_id,
        DEFAULT_SDK_APP_ID,
        *b"aB3dE",
        expiry,
        secret,
    );
    bytes(&Packet::Connect(Connect {
        user_name: Some(&login.user_name),
        password: Some(login.password.expose()),
        ..anonymous(client_id)
    }))
}

pub(crate) fn bytes(packet: &Packet<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    packet.encode(ProtocolVersion::V311, &mut out).unwrap();
    out
}

/// SUBSCRIBE with packet id 9.
pub(crate) fn subscribe(filter: &str, qos: QoS) -> Vec<u8> {
    bytes(&Packet::Subscribe(Subscribe {
        packet_id: shadow_core::mqtt::PacketId::new(9).unwrap(),
        dup: false,
        filters: (&[(filter, qos)]).into(),
    }))
}

/// PUBLISH, with packet id 7 where the QoS wants one.
pub(crate) fn publish(topic: &str, payload: &[u8], qos: QoS) -> Vec<u8> {
    let id = shadow_core::mqtt::PacketId::new(7).unwrap();
    bytes(&Packet::Publish(Publish {
        dup: false,
        qos,
        retain: false,
        topic,
        packet_id: (qos != QoS::AtMostOnce).then_some(id),
        payload,
    }))
}
