//! How outputs become inputs: the loop that carries everything that is due.

use std::time::Duration;

use shadow_core::mqtt::PacketKind;
use shadow_core::{Event, Instant, TransportFailure};

use super::body::{Body, Output};
use super::fault::{Direction, FaultKind, Restore};
use super::network::Delivery;
use super::{DeviceId, MAXIMUM_ROUNDS, Reachability, Simulation};
use crate::server::{ConnectionId, ServerTransmit};
use crate::trace::{LineKind, describe, describe_event, of_packet};

impl Simulation {
    /// Moves the clock and lets happen what is due.
    pub(super) fn move_to(&mut self, at: Instant) {
        let waits = self
            .devices
            .iter()
            .any(|d| !d.is_dark() && !d.is_deaf(self.now) && d.body.has_output());
        assert!(
            !waits && !self.cloud.has_output(),
            "nothing that is queued may wait for a deadline"
        );
        self.pass_to(at);
        self.settle();
        // Only what no input has changed is due by now.
        let now = self.now;
        for index in 0..self.devices.len() {
            let id = DeviceId(index);
            let this = self.device_mut(id);
            if this.is_dark() {
                if this.power.dark_until.is_some_and(|until| until <= now) {
                    self.boot(id);
                }
                continue;
            }
            let deadline = this.body.poll_deadline();
            if deadline.is_some_and(|at| at <= now) {
                this.body.handle_tick(now);
                self.stepped(id);
            }
        }
        if self.cloud.poll_deadline().is_some_and(|at| at <= now) {
            self.cloud.handle_tick(now);
        }
        self.settle();
    }

    pub(super) fn pass_to(&mut self, at: Instant) {
        if at > self.now {
            self.now = at;
            self.rounds = 0;
        }
    }

    /// Carries everything that is due, until nothing is.
    pub(super) fn settle(&mut self) {
        loop {
            self.rounds += 1;
            assert!(
                self.rounds < MAXIMUM_ROUNDS,
                "the simulation stands at {}: things happen without end",
                self.now
            );
            self.drain();
            match self.network.pop_due(self.now) {
                Some(delivery) => self.deliver(delivery),
                None => return,
            }
        }
    }

    /// Takes all output of the engines and the cloud.
    fn drain(&mut self) {
        for index in 0..self.devices.len() {
            self.drain_device(DeviceId(index));
        }
        let now = self.now;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        while let Some((connection, transmit)) = self.cloud.poll_transmit(now, &mut buffer) {
            self.carry_to_device(connection, transmit, &buffer);
            buffer.clear();
        }
        self.buffer = buffer;
        while let Some(event) = self.cloud.poll_event() {
            self.heed(event);
        }
    }

    fn drain_device(&mut self, id: DeviceId) {
        let now = self.now;
        let mut buffer = std::mem::take(&mut self.buffer);
        loop {
            let this = self.device_mut(id);
            if this.is_dark() {
                break;
            }
            if let Body::Engine(engine) = &this.body {
                this.power.store(engine.session());
            }
            buffer.clear();
            if let Some(output) = this.body.poll_output(now, &mut buffer) {
                self.carry_to_cloud(id, output, &buffer);
            } else if this.is_deaf(now) {
                if this.body.has_output() && !std::mem::replace(&mut this.ills.missed, true) {
                    self.network.counts.count(FaultKind::Deaf);
                }
                break;
            } else if let Some(event) = this.body.poll_event() {
                self.tell(id, event);
            } else {
                break;
            }
            self.stepped(id);
        }
        self.buffer = buffer;
    }

    pub(super) fn tell(&mut self, id: DeviceId, event: Event) {
        self.note_of(id, LineKind::Event, |label| {
            format!("{label} ! {}", describe_event(&event))
        });
        self.device_mut(id).events.push_back(event);
    }

    /// A device has taken a step; its power may go now.
    pub(super) fn stepped(&mut self, id: DeviceId) {
        let power = &mut self.device_mut(id).power;
        power.steps += 1;
        if let Some((at, dark, restore)) = power.cut
            && at <= power.steps
        {
            power.cut = None;
            self.cut_power(id, dark, restore);
        }
    }

    pub(super) fn cut_power(&mut self, id: DeviceId, dark: Duration, restore: Restore) {
        let until = self.now + dark;
        let this = self.device_mut(id);
        if this.is_dark() {
            return;
        }
        this.power.dark_until = Some(until);
        this.power.restore = Some(restore);
        this.attempt += 1;
        this.events.clear();
        if let Body::Port(port) = &this.body {
            port.lose_power();
        }
        let connection = this.connection.take();
        if let Some(connection) = connection {
            self.network.release(connection, Direction::ToCloud);
        }
        self.note_of(id, LineKind::Fault, |label| format!("{label} loses power"));
    }

    /// The power is back.
    fn boot(&mut self, id: DeviceId) {
        let (now, wall, mask) = (self.now, self.wall_time(), self.mask);
        let this = self.device_mut(id);
        let wall = this.ills.wall_time(wall);
        let restore = this.power.restore.take().unwrap_or(Restore::Latest);
        let session = this.power.find(restore);
        this.power.dark_until = None;
        this.power.boots += 1;
        let seed = this.power.seed.wrapping_add(this.power.boots << 32);
        let first = match &mut this.body {
            Body::Engine(engine) => {
                let config = engine.config().clone();
                // Without its end: that is what a power cut is.
                let recording = engine.sink_mut().map(std::mem::take);
                let recorded = recording.is_some();
                this.recordings.extend(recording);
                let mask = mask.filter(|_| recorded);
                let made = super::make(mask, config, session, seed, now);
                let (made, first) = super::begin(made, now, wall);
                **engine = made;
                first
            }
            Body::Port(port) => {
                // It may have been set while there was no power.
                port.set_clock_ahead(this.ills.clock_ahead);
                port.begin_again(session, seed);
                None
            }
        };
        let kind = match restore {
            Restore::Latest => FaultKind::PowerCut,
            Restore::Older { .. } => FaultKind::PowerCutOlderSession,
            Restore::Nothing => FaultKind::PowerCutNoSession,
        };
        self.network.counts.count(kind);
        self.note_of(id, LineKind::Fault, |label| format!("{label} has power"));
        if let Some(event) = first {
            self.tell(id, event);
        }
    }

    fn carry_to_cloud(&mut self, id: DeviceId, output: Output, packet: &[u8]) {
        let now = self.now;
        let arrival = now + self.network.latency.to_cloud;
        match output {
            Output::Connect => {
                self.note_of(id, LineKind::Link, |label| format!("{label} connects"));
                let device = self.device_mut(id);
                device.attempt += 1;
                let left = device.connection.take();
                let attempt = device.attempt;
                if let Some(connection) = left {
                    self.network.release(connection, Direction::ToCloud);
                }
                let connect = Delivery::Connect {
                    device: id,
                    attempt,
                };
                self.network.send(arrival, connect);
            }
            Output::Packet => {
                self.note_packet(id, ">", packet);
                if let Some(connection) = self.device_at(id).connection {
                    self.shape(id, connection, Direction::ToCloud);
                    self.network
                        .write(now, connection, Direction::ToCloud, packet);
                }
            }
            Output::Close => {
                self.note_of(id, LineKind::Link, |label| format!("{label} closes"));
                let device = self.device_mut(id);
                device.attempt += 1;
                if let Some(connection) = device.connection.take() {
                    self.network.end(now, connection, Direction::ToCloud);
                    self.network.release(connection, Direction::ToCloud);
                }
            }
        }
    }

    fn carry_to_device(
        &mut self,
        connection: ConnectionId,
        transmit: ServerTransmit,
        packet: &[u8],
    ) {
        // The cloud may still close a connection that the device has given up.
        let link = self.network.link(connection);
        let Some(device) = link
            .filter(|link| link.is_held_by_device())
            .map(|l| l.device)
        else {
            if transmit == ServerTransmit::Close {
                self.network.release(connection, Direction::ToDevice);
            }
            return;
        };
        let mut now = self.now;
        if self.server.slow_until > now {
            now += self.server.slow;
            self.network.counts.count(FaultKind::SlowServer);
        }
        match transmit {
            ServerTransmit::Packet { .. } => {
                self.note_packet(device, "<", packet);
                self.shape(device, connection, Direction::ToDevice);
                self.network
                    .write(now, connection, Direction::ToDevice, packet);
            }
            ServerTransmit::Close => {
                self.note_of(device, LineKind::Link, |label| {
                    format!("cloud closes {label}")
                });
                self.network.end(now, connection, Direction::ToDevice);
                self.network.release(connection, Direction::ToDevice);
            }
        }
    }

    /// Has a connection cut its bytes as the device's surroundings want it now.
    fn shape(&mut self, device: DeviceId, connection: ConnectionId, direction: Direction) {
        let now = self.now;
        if let Some(this) = self.devices.get_mut(device.0)
            && let Some(link) = self.network.link_mut(connection)
        {
            let wire = link.wire_mut(direction);
            this.ills.shape_mut(direction).apply(now, wire);
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        let now = self.now;
        match delivery {
            Delivery::Connect { device, attempt } => self.connect(device, attempt),
            Delivery::Connected {
                device,
                attempt,
                connection,
            } => {
                if self.loses(device, connection, Direction::ToDevice) {
                    // Neither end learns of the other.
                    self.network.release(connection, Direction::ToCloud);
                    return;
                }
                let this = self.device_mut(device);
                if this.attempt == attempt {
                    this.connection = Some(connection);
                    this.body.handle_connected(now);
                    self.network.write(now, connection, Direction::ToCloud, &[]);
                    self.network
                        .write(now, connection, Direction::ToDevice, &[]);
                    self.stepped(device);
                } else {
                    // It gave up meanwhile.
                    let dark = this.is_dark();
                    self.network.release(connection, Direction::ToCloud);
                    if !dark {
                        self.cloud.handle_closed(now, connection);
                        self.network.release(connection, Direction::ToDevice);
                    }
                }
            }
            Delivery::Refused { device, attempt } => {
                let this = self.device_mut(device);
                if this.attempt == attempt {
                    let why = "connection refused".to_owned();
                    let failure = TransportFailure::ConnectFailed(why);
                    this.body.handle_disconnected(now, failure);
                    self.stepped(device);
                }
            }
            Delivery::Segment {
                connection,
                direction,
                bytes,
                packet,
            } => {
                self.deliver_bytes(connection, direction, &bytes, packet);
                self.network.tidy(connection);
            }
            Delivery::Flush {
                connection,
                direction,
            } => {
                self.network.flush(now, connection, direction);
                self.network.tidy(connection);
            }
            Delivery::End {
                connection,
                direction,
            } => {
                self.deliver_end(connection, direction);
                self.network.tidy(connection);
            }
            Delivery::Break { connection } => {
                self.cloud.handle_closed(now, connection);
                self.network.release(connection, Direction::ToDevice);
                let broken = TransportFailure::Broken("connection reset".to_owned());
                self.lose_connection(connection, broken);
            }
        }
    }

    fn connect(&mut self, device: DeviceId, attempt: u64) {
        let now = self.now;
        let down = self.server.down_until > now;
        let this = self.device_at(device);
        if this.attempt != attempt {
            return;
        }
        let arrival = now + self.network.latency.to_device;
        let reachability = this.reachability(now);
        let delivery = if reachability == Reachability::Silent {
            self.network.counts.count(FaultKind::Unreachable);
            return;
        } else if reachability == Reachability::Refused || down {
            self.network.counts.count(FaultKind::ConnectionRefused);
            Delivery::Refused { device, attempt }
        } else {
            let connection = self.cloud.accept(now);
            let wires = self.device_mut(device).ills.take_wires();
            self.network.open(connection, device, wires);
            Delivery::Connected {
                device,
                attempt,
                connection,
            }
        };
        self.network.send(arrival, delivery);
    }

    /// Whether what is on its way over a connection is lost, as then is all that follows.
    fn loses(&mut self, device: DeviceId, id: ConnectionId, direction: Direction) -> bool {
        let silent = self.device_at(device).reachability(self.now) == Reachability::Silent;
        let Some(link) = self.network.link_mut(id) else {
            return false;
        };
        if silent {
            link.silence();
        }
        link.wire_mut(direction).silent
    }

    fn deliver_bytes(
        &mut self,
        connection: ConnectionId,
        direction: Direction,
        bytes: &[u8],
        packet: bool,
    ) {
        let now = self.now;
        let Some(device) = self.network.link(connection).map(|link| link.device) else {
            return;
        };
        let (arrow, latency) = match direction {
            Direction::ToCloud => (">>", self.network.latency.to_cloud),
            Direction::ToDevice => ("<<", self.network.latency.to_device),
        };
        let present = self.device_at(device).connection == Some(connection);
        if direction == Direction::ToDevice && !present {
            return;
        }
        if self.loses(device, connection, direction) {
            let count = bytes.len();
            self.note_of(device, LineKind::Arrival, |label| {
                format!("{label} {arrow} nothing, {count} bytes are lost")
            });
            return;
        }
        if !packet {
            let count = bytes.len();
            self.note_of(device, LineKind::Arrival, |label| {
                format!("{label} {arrow} {count} bytes")
            });
        } else if !latency.is_zero() {
            let kind = bytes.first().and_then(|b| PacketKind::from_number(b >> 4));
            self.note_of(device, LineKind::Arrival, |label| {
                let kind = kind.map_or_else(String::new, |kind| kind.to_string());
                format!("{label} {arrow} {kind}")
            });
        }
        match direction {
            Direction::ToCloud => self.cloud.handle_bytes(now, connection, bytes),
            Direction::ToDevice => {
                self.device_mut(device).body.handle_bytes(now, bytes);
                self.stepped(device);
            }
        }
    }

    fn deliver_end(&mut self, connection: ConnectionId, direction: Direction) {
        let now = self.now;
        let Some(device) = self.network.link(connection).map(|link| link.device) else {
            return;
        };
        if self.loses(device, connection, direction) {
            return;
        }
        match direction {
            Direction::ToCloud => {
                self.cloud.handle_closed(now, connection);
                // Where the device did not mean it: a server that has read the end closes too.
                self.network.end(now, connection, Direction::ToDevice);
                self.network.release(connection, Direction::ToDevice);
            }
            Direction::ToDevice => {
                let held = self.device_at(device).connection == Some(connection);
                self.lose_connection(connection, TransportFailure::ClosedByPeer);
                if held {
                    self.network.end(now, connection, Direction::ToCloud);
                }
            }
        }
    }

    /// A device learns that its connection is gone.
    fn lose_connection(&mut self, connection: ConnectionId, failure: TransportFailure) {
        let now = self.now;
        let Some(device) = self.network.link(connection).map(|link| link.device) else {
            return;
        };
        self.network.release(connection, Direction::ToCloud);
        let this = self.device_mut(device);
        if this.connection == Some(connection) {
            this.connection = None;
            this.body.handle_disconnected(now, failure);
            self.stepped(device);
        }
    }

    pub(super) fn note_with(&mut self, kind: LineKind, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(self.now, kind, &text());
        }
    }

    pub(super) fn note_of(
        &mut self,
        device: DeviceId,
        kind: LineKind,
        text: impl FnOnce(&str) -> String,
    ) {
        if let Some(trace) = &mut self.trace
            && let Some(device) = self.devices.get(device.0)
        {
            trace.push(self.now, kind, &text(&device.label));
        }
    }

    fn note_packet(&mut self, device: DeviceId, arrow: &str, packet: &[u8]) {
        if self.trace.is_some() {
            let version = self.device_at(device).body.config().protocol_version;
            let text = describe(packet, version);
            let kind = packet.first().and_then(|b| PacketKind::from_number(b >> 4));
            let kind = kind.map_or(LineKind::Packet, of_packet);
            self.note_of(device, kind, |label| format!("{label} {arrow} {text}"));
        }
    }
}
