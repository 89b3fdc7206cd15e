//! A fleet's connections to a model of the cloud in this process.

use std::collections::BTreeMap;
use std::future::pending;

use shadow_core::{Instant, Transmit, TransportFailure, WallTime};
use transport_mock::cloud::Cloud;
use transport_mock::server::{ConnectionId, ServerTransmit};
use transport_tcp::Clock;

use super::clouds;
use super::crowd::Crowd;
use super::drive::Carrier;

/// Calls in place of connections: what an engine sends is handled before the next engine's turn.
pub(super) struct Model {
    cloud: Cloud,
    /// Which connection a device has.
    connections: Vec<Option<ConnectionId>>,
    /// Whose a connection is.
    owners: BTreeMap<ConnectionId, u32>,
    /// The packets on their way; kept for its memory.
    buffer: Vec<u8>,
}

impl Model {
    /// A cloud with room for this many devices.
    pub(super) fn new(devices: u32, now: Instant, wall: WallTime) -> Model {
        Model {
            cloud: clouds::model(devices, now, wall),
            connections: vec![None; devices as usize],
            owners: BTreeMap::new(),
            buffer: Vec::new(),
        }
    }

    /// The cloud, to play its operator.
    #[cfg(test)]
    pub(super) fn cloud(&mut self) -> &mut Cloud {
        &mut self.cloud
    }

    /// Hands everything that a device wants to the cloud.
    fn send(&mut self, device: u32, now: Instant, crowd: &mut Crowd) {
        self.buffer.clear();
        while let Some(transmit) = crowd.poll_transmit(device, now, &mut self.buffer) {
            match transmit {
                Transmit::Packet { .. } => {}
                Transmit::Connect => {
                    let id = self.cloud.accept(now);
                    self.owners.insert(id, device);
                    if let Some(connection) = self.connections.get_mut(device as usize) {
                        *connection = Some(id);
                    }
                    crowd.handle_connected(device, now);
                }
                Transmit::Close => {
                    self.deliver(device, now);
                    let connection = self.connections.get_mut(device as usize);
                    if let Some(id) = connection.and_then(Option::take) {
                        self.owners.remove(&id);
                        self.cloud.handle_closed(now, id);
                    }
                }
            }
        }
        self.deliver(device, now);
    }

    fn deliver(&mut self, device: u32, now: Instant) {
        let connection = self.connections.get(device as usize).copied().flatten();
        if let Some(id) = connection.filter(|_| !self.buffer.is_empty()) {
            self.cloud.handle_bytes(now, id, &self.buffer);
        }
        self.buffer.clear();
    }

    /// Hands everything that the cloud wants to the devices.
    fn receive(&mut self, now: Instant, crowd: &mut Crowd) {
        self.buffer.clear();
        while let Some((id, transmit)) = self.cloud.poll_transmit(now, &mut self.buffer) {
            let owner = self.owners.get(&id).copied();
            match (transmit, owner) {
                (ServerTransmit::Packet { .. }, Some(device)) => {
                    crowd.handle_bytes(device, now, &self.buffer);
                }
                (ServerTransmit::Close, Some(device)) => {
                    self.owners.remove(&id);
                    if let Some(connection) = self.connections.get_mut(device as usize) {
                        *connection = None;
                    }
                    crowd.handle_disconnected(device, now, TransportFailure::ClosedByPeer);
                }
                (_, None) => {}
            }
            self.buffer.clear();
        }
        // That there would have been others, as nobody wants them.
        while self.cloud.poll_event().is_some() {}
    }
}

impl Carrier for Model {
    fn carry(&mut self, clock: &impl Clock, crowd: &mut Crowd) {
        if self.deadline().is_some_and(|due| due <= clock.now()) {
            self.cloud.handle_tick(clock.now());
        }
        self.receive(clock.now(), crowd);
        while let Some(device) = crowd.next_touched() {
            // Read for each, so that a round trip shows the time that the cloud takes for it.
            let now = clock.now();
            self.send(device, now, crowd);
            crowd.settle(device, now);
            self.receive(now, crowd);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.cloud.poll_deadline()
    }

    async fn ready(&self) {
        pending::<()>().await;
    }
}
