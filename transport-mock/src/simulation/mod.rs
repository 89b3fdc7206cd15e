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

mod actions;
mod body;
mod carry;
mod device;
pub mod fault;
mod inject;
mod invariant;
mod kit;
mod model;
mod network;
mod play;
pub(crate) mod port;
mod random;
pub mod replay;
pub mod script;
mod stage;
mod tally;
mod watch;

use std::collections::VecDeque;
use std::time::Duration;

use shadow_core::recording::{Mask, Recorder};
use shadow_core::tencent::ShadowName;
use shadow_core::{Config, Engine, Event, Instant, Session, TransportFailure, WallTime};

use crate::cloud::Cloud;
use crate::service::{ChangeError, ShadowService};
use crate::trace::{LineKind, Trace, Transcript};
use body::Body;
use device::{Device, Ills, Power};
use fault::{Direction, FaultCounts, FaultKind};
use network::Network;
use watch::Watch;

pub use invariant::{Checks, Invariant, Violation};
pub use kit::TEST_WALL_TIME;
pub use play::{Recording, play, play_and_replay, record, trace};
pub use tally::{Failure, Tally};

/// A device's engine, recorded or not.
pub type SimulatedEngine = Recorder<String>;

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

/// A device has begun again after its power was cut, once or several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot {
    /// The earliest of its [`stores`](Simulation::stores) that it went back to; 0 if to none.
    pub store: u64,
    /// Whether it had stored others since.
    pub forgotten: bool,
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
///
/// # Faults
///
/// [`inject`](Self::inject) has a [`Fault`](fault::Fault) happen, [`lift`](Self::lift) ends all that
/// last. A connection carries a stream of bytes each way; as long as no fault concerns it, each
/// packet arrives in one piece.
#[derive(Debug)]
pub struct Simulation {
    cloud: Cloud,
    now: Instant,
    devices: Vec<Device>,
    network: Network,
    server: ServerIlls,
    /// `None` where nobody wants it.
    watch: Option<Watch>,
    /// `None` where nobody wants one.
    trace: Option<Trace>,
    /// What is masked in the recordings of devices that are added from now on, if there are any.
    mask: Option<Mask>,
    buffer: Vec<u8>,
    /// How often something happened since time last passed.
    rounds: usize,
}

/// What is wrong with the cloud, and until when.
#[derive(Debug, Default)]
struct ServerIlls {
    down_until: Instant,
    slow: Duration,
    slow_until: Instant,
    backup: Option<ShadowService>,
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
            devices: Vec::new(),
            network: Network::new(latency),
            server: ServerIlls::default(),
            watch: None,
            trace: Some(Trace::new(now)),
            mask: None,
            buffer: Vec::new(),
            rounds: 0,
        }
    }

    /// Writes a trace from now on, or none, which is faster. By default one is written.
    pub fn set_tracing(&mut self, on: bool) {
        self.trace = on.then(|| Trace::new(Instant::ZERO));
    }

    /// Has the engines of devices that are added from now on recorded, with this masked beside
    /// secrets, or not. By default they are not.
    pub fn set_recording(&mut self, mask: Option<Mask>) {
        self.mask = mask;
    }

    /// What a device's engines were recorded doing until now, one recording for each boot; empty
    /// if it is not recorded. One whose power was cut ends without `end`.
    pub fn take_recordings(&mut self, device: DeviceId) -> Vec<String> {
        let this = self.device_mut(device);
        let mut recordings = std::mem::take(&mut this.recordings);
        if let Body::Engine(engine) = &mut this.body {
            recordings.extend(engine.sink_mut().map(std::mem::take));
        }
        recordings
    }

    /// Adds a device whose wall clock shows the same as the cloud's. `label` names it in the trace.
    pub fn add_device(
        &mut self,
        label: &str,
        config: Config,
        session: Session,
        seed: u64,
    ) -> DeviceId {
        let wall = self.wall_time();
        let engine = make(self.mask, config, session, seed, self.now);
        let (engine, first) = begin(engine, self.now, wall);
        let device = self.add_device_with(label, engine);
        self.device_mut(device).power.seed = seed;
        if let Some(event) = first {
            self.tell(device, event);
        }
        device
    }

    /// Adds an engine that was made at [`now`](Self::now), and not told the wall time here. It is
    /// not recorded.
    pub fn add_engine(&mut self, label: &str, engine: Engine) -> DeviceId {
        self.add_device_with(label, Recorder::off(engine))
    }

    fn add_device_with(&mut self, label: &str, engine: SimulatedEngine) -> DeviceId {
        self.add_body(label, Body::Engine(Box::new(engine)))
    }

    fn add_body(&mut self, label: &str, body: Body) -> DeviceId {
        self.devices.push(Device {
            label: label.to_owned(),
            body,
            recordings: Vec::new(),
            events: VecDeque::new(),
            reachability: Reachability::Up,
            attempt: 0,
            connection: None,
            ills: Ills::default(),
            power: Power::default(),
        });
        DeviceId(self.devices.len() - 1)
    }

    /// The devices, in the order in which they were added.
    pub fn devices(&self) -> impl Iterator<Item = DeviceId> + use<> {
        (0..self.devices.len()).map(DeviceId)
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

    /// A device's engine, to look at. That of a device without power is as it was.
    ///
    /// # Panics
    /// When `device` is another simulation's. The same holds for every method that takes one.
    #[must_use]
    pub fn engine(&self, device: DeviceId) -> &Engine {
        self.device_at(device).body.engine()
    }

    /// Does something with a device's engine, as a request; what comes of it happens when the
    /// simulation runs on. The session is stored before, where it is stored.
    pub fn with<T>(
        &mut self,
        device: DeviceId,
        work: impl FnOnce(&mut SimulatedEngine, Instant) -> T,
    ) -> T {
        let now = self.now;
        let this = self.device_mut(device);
        let engine = this.body.engine_mut();
        let result = work(engine, now);
        this.power.store(engine.session());
        result
    }

    /// The application changes what it desires, as [`Cloud::set_desired`], and the trace says so.
    ///
    /// # Errors
    /// As [`Cloud::set_desired`].
    pub fn set_desired(&mut self, name: &ShadowName, patch: &str) -> Result<u64, ChangeError> {
        let changed = self.cloud.set_desired(self.now, name, patch, None);
        if self.trace.is_some() {
            let result = match &changed {
                Ok(version) => format!("version {version}"),
                Err(error) => error.to_string(),
            };
            self.note(&format!("app desires {patch} of {name}: {result}"));
        }
        changed
    }

    /// Adds a line of the test's own to the trace.
    pub fn note(&mut self, text: &str) {
        if let Some(trace) = &mut self.trace {
            trace.push(self.now, LineKind::Note, text);
        }
    }

    /// Changes how a device is connected to the world.
    pub fn set_reachability(&mut self, device: DeviceId, reachability: Reachability) {
        self.device_mut(device).reachability = reachability;
        self.note_of(device, LineKind::Fault, |label| {
            format!("{label} is now {reachability:?}")
        });
    }

    /// Breaks a device's connection, if it has one; both ends learn it at once.
    pub fn cut(&mut self, device: DeviceId) {
        let now = self.now;
        let this = self.device_mut(device);
        this.attempt += 1;
        let connection = this.connection.take();
        if !this.is_dark() {
            let broken = TransportFailure::Broken("cut".to_owned());
            this.body.handle_disconnected(now, broken);
            self.stepped(device);
        }
        if let Some(connection) = connection {
            self.cloud.handle_closed(now, connection);
            self.network.release(connection, Direction::ToCloud);
            self.network.release(connection, Direction::ToDevice);
        }
        self.note_of(device, LineKind::Fault, |label| {
            format!("{label} is cut off")
        });
    }

    /// The events of a device that were not taken yet, in order.
    pub fn take_events(&mut self, device: DeviceId) -> Vec<Event> {
        self.device_mut(device).events.drain(..).collect()
    }

    /// The oldest event of a device that was not taken yet.
    pub fn take_event(&mut self, device: DeviceId) -> Option<Event> {
        self.device_mut(device).events.pop_front()
    }

    /// The trace so far. Each line begins with the seconds since the start, `{:>5}.{:06}`; then
    /// follows one of
    ///
    /// * `{label} connects`, `{label} closes`, `cloud closes {label}`: the transport;
    /// * `{label} > {packet}`: the device sends; `{label} < {packet}`: the cloud sends to it;
    /// * `{label} >> {kind}` and `{label} << {kind}`: the same arrives, where that is later;
    ///   `{n} bytes` in place of a kind where the packet was cut in pieces;
    /// * `{label} ! {event}`: the engine tells its application, in the words of
    ///   [`describe_event`](crate::trace::describe_event);
    /// * `cloud ! {event}`: the server tells, but for messages published, which are seen above, as
    ///   [`ServerEvent`](crate::server::ServerEvent) prints;
    /// * what the test did: a line of [`note`](Self::note), `app desires ..`, `{label} is ..`;
    /// * `fault: {fault}`: a fault was injected, as [`Fault`](fault::Fault) prints;
    ///   `{label} has power`, `{label} loses power`.
    #[must_use]
    pub fn trace(&self) -> &[String] {
        self.trace.as_ref().map_or(&[], Trace::lines)
    }

    /// The trace so far in the form that is kept as a snapshot.
    #[must_use]
    pub fn transcript(&self) -> Transcript {
        let trace = self.trace.as_ref();
        trace.map_or_else(Transcript::default, Trace::transcript)
    }

    /// Takes the trace; it begins anew.
    pub fn take_trace(&mut self) -> Vec<String> {
        self.trace.as_mut().map(Trace::take).unwrap_or_default()
    }

    /// How often the faults that were injected took effect.
    #[must_use]
    pub fn fault_counts(&self) -> FaultCounts {
        let mut counts = self.network.counts;
        let replies = self.cloud.reply_counts();
        for (kind, times) in [
            (FaultKind::ReplyLost, replies.lost),
            (FaultKind::ReplyLate, replies.late),
            (FaultKind::ReplyTwice, replies.twice),
            (FaultKind::ReplyAfterPush, replies.after_push),
        ] {
            counts.count_times(kind, times);
        }
        counts
    }

    /// How many steps a device has taken: inputs that its engine handled, and outputs (what to do
    /// on the transport, events) that it handed out. Between any two of them its power can be cut.
    #[must_use]
    pub fn steps(&self, device: DeviceId) -> u64 {
        self.device_at(device).power.steps
    }

    /// Has a device store its session whenever it has changed, before its engine hands out
    /// anything. Without that, a device whose power is cut begins with an empty one.
    pub fn store_sessions(&mut self, device: DeviceId) {
        let this = self.device_mut(device);
        this.power.stores = true;
        if let Body::Engine(engine) = &this.body {
            this.power.store(engine.session());
        }
    }

    /// How often a device has stored its session.
    #[must_use]
    pub fn stores(&self, device: DeviceId) -> u64 {
        self.device_at(device).power.stores_made
    }

    /// Whether a device has begun again since this was last asked, and with what.
    pub fn take_boot(&mut self, device: DeviceId) -> Option<Boot> {
        self.device_mut(device).power.boot.take()
    }

    /// Whether a device is without power.
    #[must_use]
    pub fn is_dark(&self, device: DeviceId) -> bool {
        self.device_at(device).is_dark()
    }

    /// Keeps a copy of all shadow documents for [`Documents::Older`](fault::Documents).
    pub fn back_up(&mut self) {
        self.server.backup = Some(self.cloud.service().clone());
    }

    /// Runs until everything has happened that happens by `at`.
    ///
    /// # Panics
    /// When things happen without end and no time passes.
    pub fn run_until(&mut self, at: Instant) {
        while self.advance(at) {}
    }

    /// Runs for a while: [`run_until`](Self::run_until) as long after now.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// Lets happen what is due now and then, if it is due by `at`, what is due next. False when
    /// nothing was; then it is `at`.
    pub fn advance(&mut self, at: Instant) -> bool {
        self.settle();
        let next = self.next_instant().filter(|next| *next <= at);
        match next {
            Some(next) => self.move_to(next),
            None => self.pass_to(at),
        }
        next.is_some()
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
            if !self.advance(end) {
                return None;
            }
        }
    }

    /// When the next thing happens.
    #[must_use]
    pub fn next_instant(&self) -> Option<Instant> {
        let devices = self.devices.iter().filter_map(Device::next_instant);
        devices
            .chain(self.cloud.poll_deadline())
            .chain(self.network.next())
            .min()
            .map(|at| at.max(self.now))
    }

    fn device_at(&self, id: DeviceId) -> &Device {
        self.devices.get(id.0).expect("a device of this simulation")
    }

    fn device_mut(&mut self, id: DeviceId) -> &mut Device {
        self.devices
            .get_mut(id.0)
            .expect("a device of this simulation")
    }
}

/// An engine, recorded if there is a mask to do it with.
fn make(
    mask: Option<Mask>,
    config: Config,
    session: Session,
    seed: u64,
    now: Instant,
) -> SimulatedEngine {
    match mask {
        Some(mask) => Recorder::new(config, session, seed, now, mask, String::new()),
        None => Recorder::off(Engine::new(config, session, seed, now)),
    }
}

/// The engine, once it knows the wall time from the start, and its first event.
fn begin(
    mut engine: SimulatedEngine,
    now: Instant,
    wall: WallTime,
) -> (SimulatedEngine, Option<Event>) {
    engine.handle_wall_time(now, wall);
    // Made without a wall time, it had asked for one; that is not what a device would see.
    let first = engine.poll_event();
    (
        engine,
        first.filter(|event| *event != Event::WallTimeNeeded),
    )
}
