//! The settings of a [`Server`](super::Server).

use std::time::Duration;

use shadow_core::tencent::{DeviceInfo, ShadowName};

/// Whom a [`Server`](super::Server) lets in, and what it takes at most.
///
/// Every bound counts per server or per client, as it says. What goes beyond is refused or dropped
/// and told by a [`ServerEvent`](super::ServerEvent); no client can make the server grow without
/// end.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Who may log in. Default [`Credentials::Anyone`].
    pub credentials: Credentials,
    /// How long a new connection may take to its CONNECT; default 20 s. MQTT section 3.1 leaves
    /// the time to the server.
    pub connect_timeout: Duration,
    /// The largest packet a client may send, in bytes with its fixed header; default 32 KiB. A
    /// larger one ends the connection.
    pub maximum_packet_size: usize,
    /// How many connections may be open; default 1,000. One more is closed at once.
    pub maximum_connections: usize,
    /// How many clients' sessions exist, those kept for absent clients included; default 1,000. One
    /// more is refused with CONNACK 3.
    pub maximum_sessions: usize,
    /// How many subscriptions a client may have; default 100. One more is refused as a forbidden
    /// one is.
    pub maximum_subscriptions: usize,
    /// How many QoS 1 messages to a client may be unacknowledged; default 16, at least 1, at most
    /// the 65,535 that packet ids can tell apart. More wait in the client's queue.
    pub maximum_in_flight: usize,
    /// How many QoS 1 messages may wait for a client, present or not; default 100. The next one is
    /// dropped.
    pub maximum_queued_messages: usize,
    /// How many bytes may wait for one connection to take them; default 256 KiB. QoS 0 messages
    /// beyond are dropped, QoS 1 messages wait, and a client that does not even take its
    /// acknowledgements is cut off. Repeating unacknowledged messages to a client that comes back
    /// may exceed it, by `maximum_in_flight` messages.
    pub maximum_outgoing_bytes: usize,
    /// How many events may wait to be polled; default 10,000. More are dropped and counted.
    pub maximum_events: usize,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            credentials: Credentials::Anyone,
            connect_timeout: Duration::from_secs(20),
            maximum_packet_size: 32 * 1024,
            maximum_connections: 1_000,
            maximum_sessions: 1_000,
            maximum_subscriptions: 100,
            maximum_in_flight: 16,
            maximum_queued_messages: 100,
            maximum_outgoing_bytes: 256 * 1024,
            maximum_events: 10_000,
        }
    }
}

/// Who may log in, and with that who may use which topic.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    /// Every client may log in under every client id and use every topic, as with a broker that
    /// was just installed.
    #[default]
    Anyone,
    /// Only these devices, and applications with their keys. See [`KnownDevice`].
    Devices(Vec<KnownDevice>),
}

/// A device that may log in.
///
/// It logs in with the client id `{productId}{deviceName}`. An application may log in beside it
/// with `{productId}{deviceName}@{anything}` and the same secret, its user name beginning with that
/// client id (this project's own addition; the vendor serves applications over HTTP). The password
/// has to be the user name's signature, unless the device has a certificate: who that is was
/// decided by TLS, which this server does not see, and any password is taken (vendor doc
/// 634/46346).
///
/// What either may use, `{..}` standing for the device's product id and name:
///
/// | who | publishes | subscribes |
/// |---|---|---|
/// | device | `$shadow/operation/{..}/{..}`, `{..}/{..}/#` | `$shadow/operation/result/{..}/{..}`, `{..}/{..}/#` |
/// | application | `$shadow/application/{..}/{..}`, `{..}/{..}/#` | `$shadow/application/result/{..}/{..}`, `$shadow/operation/result/{..}/{..}`, `{..}/{..}/#` |
#[derive(Clone, Debug)]
pub struct KnownDevice {
    /// Who it is and how it proves it.
    pub device: DeviceInfo,
    /// The sub-devices behind it, if it is a gateway: it may use their topics as its own.
    pub sub_devices: Vec<ShadowName>,
}

impl KnownDevice {
    /// A device without sub-devices.
    #[must_use]
    pub fn new(device: DeviceInfo) -> KnownDevice {
        KnownDevice {
            device,
            sub_devices: Vec::new(),
        }
    }
}
