//! Engines and a cloud in memory, one clock, no async.
//!
//! A [`Simulation`] carries the packets between any number of engines and one [`Cloud`] itself.
//! When nothing is on its way it jumps to the next instant at which something is due. So a test
//! says what a device and an application do, and reads what came of it: events, the shadow, and a
//! trace of every packet and event that can be kept as a snapshot.
//!
//! ```
//! use std::time::Duration;
//!
//! use shadow_core::tencent::Update;
//! use shadow_core::{Config, Session, WallTime};
//! use transport_mock::cloud::{Cloud, example_device, example_name};
//! use transport_mock::simulation::{Latency, Simulation};
//!
//! let wall = WallTime::from_unix_millis(1_626_770_697_670);
//! let mut simulation = Simulation::new(|now| Cloud::example(now, wall), Latency::NONE);
//! let config = Config::new(&example_device());
//! let device = simulation.add_device("device", config, Session::new(), 1);
//! simulation.run_for(Duration::from_secs(1));
//!
//! let shadow = simulation.engine(device).own_shadow().unwrap();
//! let update = Update::new().reported(serde_json::json!({"updateCount": 12}));
//! simulation.with(device, |engine, now| engine.update(now, shadow, &update)).unwrap();
//! simulation.run_for(Duration::from_secs(1));
//!
//! assert_eq!(simulation.cloud().shadow(&example_name()).unwrap().version(), 9);
//! let first = &simulation.trace()[0];
//! assert_eq!(first, "    0.000000 device connects");
//! ```

mod network;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use shadow_core::tencent::ShadowName;
use shadow_core::{Config, Engine, Event, Instant, Session, Transmit, TransportFailure, WallTime};

use crate::cloud::Cloud;
use crate::server::{ConnectionId, ServerTransmit};
use crate::service::ChangeError;
use crate::trace::{Trace, describe};
use network::{Delivery, Network};

/// Names a device of a [`Simulation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(usize);

/// How long everything takes on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Latency {
    /// From a device to the cloud.
    pub to_cloud: Duration,
    /// From the cloud to a device.
    pub to_device: Duration,
}

impl Latency {
    /// Everything arrives at the instant at which it was sent.
    pub const NONE: Latency = Latency {
        to_cloud: Duration::ZERO,
        to_device: Duration::ZERO,
    };
}

/// How a device is connected to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reachability {
    /// Connections succeed and carry bytes.
    #[default]
    Up,
    /// Connections are refused at once. Those that exist are not touched: see
    /// [`Simulation::cut`].
    Refused,
    /// Whatever is sent either way vanishes and nobody is told, on connections that exist too. One
    /// that has lost something stays silent for ever, as a byte stream has no gaps.
    Silent,
}

/// Engines, a cloud, the network between them, and the clock of all.
///
/// Inputs are handled in the order in which they were sent; of two that are due at one instant, the
/// one that was caused first comes first, and inputs come before deadlines. The same calls give the
/// same trace.
#[derive(Debug)]
pub struct Simulation {
    cloud: Cloud,
    now: Instant,
    latency: Latency,
    devices: Vec<Device>,
    network: Network,
    trace: Trace,
    buffer: Vec<u8>,
    /// How often something happened since time last passed.
    rounds: usize,
}

#[derive(Debug)]
struct Device {
    label: String,
    engine: Engine,
    events: VecDeque<Event>,
    reachability: Reachability,
    /// Counts the connections that it asked for. What belongs to an earlier one is dropped.
    attempt: u64,
    connection: Option<ConnectionId>,
    /// Connections on which something was lost, so that nothing arrives any more.
    silenced: BTreeSet<ConnectionId>,
}

/// How many times something may happen at one instant before it counts as an endless loop.
const MAXIMUM_ROUNDS: usize = 1_000_000;

impl Simulation {
    /// A simulation at [`Instant::ZERO`], for which `cloud` makes the cloud.
    pub fn new(cloud: impl FnOnce(Instant) -> Cloud, latency: Latency) -> Simulation {
        let now = Instant::ZERO;
        Simulation {
            cloud: cloud(now),
            now,
            latency,
            devices: Vec::new(),
            network: Network::default(),
            trace: Trace::new(now),
            buffer: Vec::new(),
            rounds: 0,
        }
    }

    /// Adds a device whose wall clock shows the same as the cloud's. `label` names it in the trace.
    pub fn add_device(
        &mut self,
        label: &str,
        config: Config,
        session: Session,
        seed: u64,
    ) -> DeviceId {
        let mut engine = Engine::new(config, session, seed, self.now);
        engine.handle_wall_time(self.now, self.wall_time());
        // Made without a wall time, it had asked for one; that is not what a device would see.
        let first = engine.poll_event();
        let device = self.add_engine(label, engine);
        if let Some(event) = first.filter(|event| *event != Event::WallTimeNeeded) {
            self.tell(device, event);
        }
        device
    }

    /// Adds an engine that was made at [`now`](Self::now), and not told the wall time here.
    pub fn add_engine(&mut self, label: &str, engine: Engine) -> DeviceId {
        self.devices.push(Device {
            label: label.to_owned(),
            engine,
            events: VecDeque::new(),
            reachability: Reachability::Up,
            attempt: 0,
            connection: None,
            silenced: BTreeSet::new(),
        });
        DeviceId(self.devices.len() - 1)
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The cloud's wall time.
    #[must_use]
    pub fn wall_time(&self) -> WallTime {
        self.cloud.server().wall_time(self.now)
    }

    /// The cloud, to look at.
    #[must_use]
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// Does something with the cloud; what comes of it happens when the simulation runs on.
    pub fn with_cloud<T>(&mut self, work: impl FnOnce(&mut Cloud, Instant) -> T) -> T {
        work(&mut self.cloud, self.now)
    }

    /// A device's engine, to look at.
    ///
    /// # Panics
    /// When `device` is another simulation's. The same holds for every method that takes one.
    #[must_use]
    pub fn engine(&self, device: DeviceId) -> &Engine {
        &self.device(device).engine
    }

    /// Does something with a device's engine, as a request; what comes of it happens when the
    /// simulation runs on.
    pub fn with<T>(&mut self, device: DeviceId, work: impl FnOnce(&mut Engine, Instant) -> T) -> T {
        let now = self.now;
        work(&mut self.device_mut(device).engine, now)
    }

    /// The application changes what it desires, as [`Cloud::set_desired`], and the trace says so.
    ///
    /// # Errors
    /// As [`Cloud::set_desired`].
    pub fn set_desired(&mut self, name: &ShadowName, patch: &str) -> Result<u64, ChangeError> {
        let changed = self.cloud.set_desired(self.now, name, patch, None);
        let result = match &changed {
            Ok(version) => format!("version {version}"),
            Err(error) => error.to_string(),
        };
        self.note(&format!("app desires {patch} of {name}: {result}"));
        changed
    }

    /// Adds a line of the test's own to the trace.
    pub fn note(&mut self, text: &str) {
        self.trace.push(self.now, text);
    }

    /// Changes how a device is connected to the world.
    pub fn set_reachability(&mut self, device: DeviceId, reachability: Reachability) {
        self.device_mut(device).reachability = reachability;
        let label = self.device(device).label.clone();
        self.note(&format!("{label} is now {reachability:?}"));
    }

    /// Breaks a device's connection, if it has one; both ends learn it at once.
    pub fn cut(&mut self, device: DeviceId) {
        let now = self.now;
        let broken = TransportFailure::Broken("cut".to_owned());
        let this = self.device_mut(device);
        this.attempt += 1;
        let connection = this.connection.take();
        this.engine.handle_disconnected(now, broken);
        let text = format!("{} is cut off", this.label);
        if let Some(connection) = connection {
            self.cloud.handle_closed(now, connection);
        }
        self.note(&text);
    }

    /// The events of a device that were not taken yet, in order.
    pub fn take_events(&mut self, device: DeviceId) -> Vec<Event> {
        self.device_mut(device).events.drain(..).collect()
    }

    /// The trace so far. Each line begins with the seconds since the start, `{:>5}.{:06}`; then
    /// follows one of
    ///
    /// * `{label} connects`, `{label} closes`, `cloud closes {label}`: the transport;
    /// * `{label} > {packet}`: the device sends; `{label} < {packet}`: the cloud sends to it;
    /// * `{label} >> {kind}` and `{label} << {kind}`: the same arrives, where that is later;
    /// * `{label} ! {event}`: the engine tells its application;
    /// * `cloud ! {event}`: the server tells, but for messages published, which are seen above;
    /// * what the test did: a line of [`note`](Self::note), `app desires ..`, `{label} is ..`.
    #[must_use]
    pub fn trace(&self) -> &[String] {
        self.trace.lines()
    }

    /// Takes the trace; it begins anew.
    pub fn take_trace(&mut self) -> Vec<String> {
        self.trace.take()
    }

    /// Runs until everything has happened that happens by `at`.
    ///
    /// # Panics
    /// When things happen without end and no time passes.
    pub fn run_until(&mut self, at: Instant) {
        self.settle();
        while let Some(next) = self.next_instant().filter(|next| *next <= at) {
            self.move_to(next);
        }
        self.pass_to(at);
    }

    /// Runs for a while: [`run_until`](Self::run_until) as long after now.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// Runs until a device has an event that `wanted` is true of, at most until `limit` from now;
    /// it and the events before it are taken. `None` if none came; then none is taken.
    pub fn run_until_event(
        &mut self,
        device: DeviceId,
        limit: Duration,
        wanted: impl Fn(&Event) -> bool,
    ) -> Option<Event> {
        let end = self.now + limit;
        self.settle();
        loop {
            let events = &mut self.device_mut(device).events;
            if let Some(position) = events.iter().position(&wanted) {
                return events.drain(..=position).next_back();
            }
            let next = self.next_instant().filter(|next| *next <= end);
            let Some(next) = next else {
                self.pass_to(end);
                return None;
            };
            self.move_to(next);
        }
    }

    /// When the next thing happens.
    #[must_use]
    pub fn next_instant(&self) -> Option<Instant> {
        let engines = self.devices.iter().filter_map(|device| {
            let deadline = device.engine.poll_deadline();
            deadline.map(|deadline| deadline.at)
        });
        engines
            .chain(self.cloud.poll_deadline())
            .chain(self.network.next())
            .min()
    }

    /// Moves the clock and lets happen what is due.
    fn move_to(&mut self, at: Instant) {
        assert!(
            self.devices.iter().all(|d| !d.engine.has_output()) && !self.cloud.has_output(),
            "nothing that is queued may wait for a deadline"
        );
        self.pass_to(at);
        self.settle();
        // Only what no input has changed is due by now.
        let now = self.now;
        for device in &mut self.devices {
            let deadline = device.engine.poll_deadline();
            if deadline.is_some_and(|deadline| deadline.at <= now) {
                device.engine.handle_tick(now);
            }
        }
        if self.cloud.poll_deadline().is_some_and(|at| at <= now) {
            self.cloud.handle_tick(now);
        }
        self.settle();
    }

    fn pass_to(&mut self, at: Instant) {
        if at > self.now {
            self.now = at;
            self.rounds = 0;
        }
    }

    /// Carries everything that is due, until nothing is.
    fn settle(&mut self) {
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
            if !matches!(event, crate::server::ServerEvent::Published { .. }) {
                self.note(&format!("cloud ! {event:?}"));
            }
        }
    }

    fn drain_device(&mut self, id: DeviceId) {
        let now = self.now;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        while let Some(transmit) = self.device_mut(id).engine.poll_transmit(now, &mut buffer) {
            self.carry_to_cloud(id, &transmit, &buffer);
            buffer.clear();
        }
        self.buffer = buffer;
        while let Some(event) = self.device_mut(id).engine.poll_event() {
            self.tell(id, event);
        }
    }

    fn tell(&mut self, id: DeviceId, event: Event) {
        let text = format!("{} ! {event:?}", self.device(id).label);
        self.note(&text);
        self.device_mut(id).events.push_back(event);
    }

    fn carry_to_cloud(&mut self, id: DeviceId, transmit: &Transmit, packet: &[u8]) {
        let version = self.device(id).engine.config().protocol_version;
        let label = self.device(id).label.clone();
        let arrival = self.now + self.latency.to_cloud;
        let device = self.device_mut(id);
        match transmit {
            Transmit::Connect => {
                device.attempt += 1;
                device.connection = None;
                let attempt = device.attempt;
                self.note(&format!("{label} connects"));
                self.network.send(
                    arrival,
                    Delivery::Connect {
                        device: id,
                        attempt,
                    },
                );
            }
            Transmit::Packet { .. } => {
                let connection = device.connection;
                self.note(&format!("{label} > {}", describe(packet, version)));
                if let Some(connection) = connection {
                    let bytes = packet.to_vec();
                    let delivery = Delivery::ToCloud {
                        device: id,
                        connection,
                        bytes,
                    };
                    self.network.send(arrival, delivery);
                }
            }
            Transmit::Close => {
                device.attempt += 1;
                let connection = device.connection.take();
                self.note(&format!("{label} closes"));
                if let Some(connection) = connection {
                    let delivery = Delivery::CloseAtCloud {
                        device: id,
                        connection,
                    };
                    self.network.send(arrival, delivery);
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
        let holder = self
            .devices
            .iter()
            .position(|d| d.connection == Some(connection));
        let Some(device) = holder.or(self.network.dialing(connection)).map(DeviceId) else {
            return;
        };
        let (label, version) = {
            let device = self.device(device);
            let version = device.engine.config().protocol_version;
            (device.label.clone(), version)
        };
        let delivery = match transmit {
            ServerTransmit::Packet { .. } => {
                self.note(&format!("{label} < {}", describe(packet, version)));
                Delivery::ToDevice {
                    device,
                    connection,
                    bytes: packet.to_vec(),
                }
            }
            ServerTransmit::Close => {
                self.note(&format!("cloud closes {label}"));
                Delivery::CloseAtDevice { device, connection }
            }
        };
        self.network
            .send(self.now + self.latency.to_device, delivery);
    }

    fn device(&self, id: DeviceId) -> &Device {
        self.devices.get(id.0).expect("a device of this simulation")
    }

    fn device_mut(&mut self, id: DeviceId) -> &mut Device {
        self.devices
            .get_mut(id.0)
            .expect("a device of this simulation")
    }
}
