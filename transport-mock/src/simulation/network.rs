//! What is on its way, and what happens when it arrives.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use shadow_core::mqtt::PacketKind;
use shadow_core::{Instant, TransportFailure};

use super::{Device, DeviceId, Latency, Reachability, Simulation};
use crate::server::ConnectionId;

/// Something on its way.
pub(super) enum Delivery {
    /// A device's wish to connect, at the cloud.
    Connect { device: DeviceId, attempt: u64 },
    /// The news that it is connected, at the device.
    Connected {
        device: DeviceId,
        attempt: u64,
        connection: ConnectionId,
    },
    /// The news that it is not.
    Refused { device: DeviceId, attempt: u64 },
    ToCloud {
        device: DeviceId,
        connection: ConnectionId,
        bytes: Vec<u8>,
    },
    ToDevice {
        device: DeviceId,
        connection: ConnectionId,
        bytes: Vec<u8>,
    },
    CloseAtCloud {
        device: DeviceId,
        connection: ConnectionId,
    },
    CloseAtDevice {
        device: DeviceId,
        connection: ConnectionId,
    },
}

/// All that is on its way, by arrival; of one instant, what was sent first comes first.
#[derive(Default)]
pub(super) struct Network {
    deliveries: BTreeMap<(Instant, u64), Delivery>,
    sent: u64,
}

/// Without the bytes, which may be a login.
impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("on_their_way", &self.deliveries.len())
            .field("sent", &self.sent)
            .finish()
    }
}

impl Network {
    pub(super) fn send(&mut self, arrival: Instant, delivery: Delivery) {
        self.sent += 1;
        self.deliveries.insert((arrival, self.sent), delivery);
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.deliveries.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Delivery> {
        let first = self.deliveries.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// The device that is being told of this connection.
    pub(super) fn dialing(&self, wanted: ConnectionId) -> Option<usize> {
        self.deliveries
            .values()
            .find_map(|delivery| match delivery {
                Delivery::Connected {
                    device, connection, ..
                } if *connection == wanted => Some(device.0),
                _ => None,
            })
    }
}

impl Device {
    /// Whether what is on its way over a connection is lost, as then is all that follows.
    fn loses(&mut self, connection: ConnectionId) -> bool {
        if self.reachability == Reachability::Silent {
            self.silenced.insert(connection);
        }
        self.silenced.contains(&connection)
    }
}

impl Simulation {
    pub(super) fn deliver(&mut self, delivery: Delivery) {
        let now = self.now;
        match delivery {
            Delivery::Connect { device, attempt } => self.connect(device, attempt),
            Delivery::Connected {
                device,
                attempt,
                connection,
            } => {
                let this = self.device_mut(device);
                if this.loses(connection) {
                    // Neither end learns of the other.
                } else if this.attempt == attempt {
                    this.connection = Some(connection);
                    this.engine.handle_connected(now);
                } else {
                    // It gave up meanwhile.
                    self.cloud.handle_closed(now, connection);
                }
            }
            Delivery::Refused { device, attempt } => {
                let this = self.device_mut(device);
                if this.attempt == attempt {
                    let why = "connection refused".to_owned();
                    let failure = TransportFailure::ConnectFailed(why);
                    this.engine.handle_disconnected(now, failure);
                }
            }
            Delivery::ToCloud {
                device,
                connection,
                bytes,
            } => {
                if self.arrives(device, connection, self.latency.to_cloud, ">>", &bytes) {
                    self.cloud.handle_bytes(now, connection, &bytes);
                }
            }
            Delivery::ToDevice {
                device,
                connection,
                bytes,
            } => {
                if self.device(device).connection == Some(connection)
                    && self.arrives(device, connection, self.latency.to_device, "<<", &bytes)
                {
                    self.device_mut(device).engine.handle_bytes(now, &bytes);
                }
            }
            Delivery::CloseAtCloud { device, connection } => {
                if !self.device_mut(device).loses(connection) {
                    self.cloud.handle_closed(now, connection);
                }
            }
            Delivery::CloseAtDevice { device, connection } => {
                let this = self.device_mut(device);
                if !this.loses(connection) && this.connection == Some(connection) {
                    this.connection = None;
                    let failure = TransportFailure::ClosedByPeer;
                    this.engine.handle_disconnected(now, failure);
                }
            }
        }
    }

    fn connect(&mut self, device: DeviceId, attempt: u64) {
        let this = self.device(device);
        if this.attempt != attempt {
            return;
        }
        let Latency { to_device, .. } = self.latency;
        let arrival = self.now + to_device;
        let delivery = match this.reachability {
            Reachability::Silent => return,
            Reachability::Refused => Delivery::Refused { device, attempt },
            Reachability::Up => Delivery::Connected {
                device,
                attempt,
                connection: self.cloud.accept(self.now),
            },
        };
        self.network.send(arrival, delivery);
    }

    /// Whether bytes arrive; if that is later than they were sent, the trace says so.
    fn arrives(
        &mut self,
        device: DeviceId,
        connection: ConnectionId,
        latency: Duration,
        arrow: &str,
        packet: &[u8],
    ) -> bool {
        let this = self.device_mut(device);
        if this.loses(connection) {
            let text = format!(
                "{} {arrow} nothing, {} bytes are lost",
                this.label,
                packet.len()
            );
            self.note(&text);
            return false;
        }
        if !latency.is_zero() {
            let kind = packet.first().and_then(|b| PacketKind::from_number(b >> 4));
            let kind = kind.map_or_else(String::new, |kind| kind.to_string());
            let text = format!("{} {arrow} {kind}", this.label);
            self.note(&text);
        }
        true
    }
}
