//! A cloud, a network and a clock in one value, for tests of async device code.

mod act;
mod device;
mod executor;
mod firmware;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use shadow_core::{Config, Instant};
use smol::LocalExecutor;
use transport_tcp::{Client, Clock, Events};

use crate::VirtualClock;
use crate::cloud::{Cloud, test_device};
use crate::simulation::fault::{Documents, Fault, FaultCounts};
use crate::simulation::port::Signal;
use crate::simulation::{Latency, Simulation, TEST_WALL_TIME};
use crate::trace::Transcript;
use executor::Panics;
use firmware::Machine;

pub use act::Act;
pub use device::TestDevice;

/// A cloud with devices on [`transport_tcp::Client`], the network between them, the clock of all,
/// and what goes wrong.
///
/// ```
/// use serde_json::json;
/// use transport_mock::TestCloud;
///
/// let cloud = TestCloud::new();
/// let (lamp, _events) = cloud.device();
/// cloud.run(async { lamp.own_shadow().unwrap().report(&json!({"power": false})).await }).unwrap();
/// assert_eq!(cloud.reported(), json!({"power": false}));
/// ```
///
/// * **Time** is virtual: it passes in [`run`](Self::run), and only when nobody can go on. Device
///   code sleeps on [`clock`](Self::clock), or on the one that it is given by [`boot`](Self::boot).
/// * **The cloud** is the model of it ([`Cloud`]), unless [`custom`](Self::custom) makes
///   another. The test is the application: [`desire`](Self::desire), [`reported`](Self::reported).
/// * **Devices** have numbers, from 0 in the order in which they were added. What is said of no
///   device in particular is said of the first; [`of`](Self::of) names another.
/// * **Faults** are those of the simulator, [`Fault`], now ([`inject`](Self::inject)) or at their
///   time ([`script`](Self::script)).
/// * **What happened** stands in [`trace`](Self::trace), which is the same text for the same test.
///
/// A test that cannot end does not hang: a panic of any task ends [`run`](Self::run), as does a day
/// of virtual time, and so do three million polls, which are seconds of real time. Only a loop that
/// awaits nothing still hangs, as it gives nobody else a turn. Misuse panics and says what to do.
///
/// # Which faults
///
/// All of them take effect on a device that was started by [`boot`](Self::boot). On one of
/// [`device`](Self::device) or [`connect`](Self::connect) the test holds the client, so that nobody
/// could start it again or keep it from being polled: [`Fault::PowerCut`] and [`Fault::Deaf`] panic
/// there. Three differ in a detail from the same in a [`Simulation`]: [`Fault::Deaf`] stops the
/// firmware as a whole, its timers too; [`Fault::WrongClock`] is noticed with the next connection,
/// as that is when a driver reads the wall clock; and a step of [`Fault::PowerCut`] is a piece of
/// bytes that came or a packet, connect or close that went.
///
/// # Beside it
///
/// For an engine without async there is [`Simulation::example`], with the same calls. For dealings
/// with single connections there are [`MockConnector`](crate::MockConnector), which expects calls
/// and gives streams whose other end is the test's, and
/// [`memory_network`](crate::stream::memory_network), whose faults are at bytes of a stream.
pub struct TestCloud {
    /// Dropped first: its tasks hold much of the rest.
    executor: LocalExecutor<'static>,
    clock: VirtualClock,
    simulation: Arc<Mutex<Simulation>>,
    signal: Signal,
    machines: RefCell<Vec<Machine>>,
    /// What goes wrong later, the next at the end.
    script: RefCell<Vec<(Instant, Fault)>>,
    panics: Panics,
    seed: u64,
    running: Cell<bool>,
}

impl Default for TestCloud {
    fn default() -> TestCloud {
        TestCloud::new()
    }
}

impl fmt::Debug for TestCloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestCloud")
            .field("now", &self.clock.now())
            .field("devices", &self.machines.borrow().len())
            .finish_non_exhaustive()
    }
}

impl TestCloud {
    /// A cloud that knows the [`test_device`]s and holds no shadow yet, at [`TEST_WALL_TIME`];
    /// nothing takes time.
    #[must_use]
    pub fn new() -> TestCloud {
        let cloud = |now| Cloud::with_test_devices(now, TEST_WALL_TIME);
        TestCloud::custom(cloud, Latency::NONE)
    }

    /// With a cloud of the test's own, made at [`Instant::ZERO`], and a network that takes time. The
    /// clock of the devices shows the wall time of the cloud.
    #[must_use]
    pub fn custom(cloud: impl FnOnce(Instant) -> Cloud, latency: Latency) -> TestCloud {
        let simulation = Simulation::new(cloud, latency);
        TestCloud {
            executor: LocalExecutor::new(),
            clock: VirtualClock::new(simulation.wall_time()),
            simulation: Arc::new(Mutex::new(simulation)),
            signal: Signal::default(),
            machines: RefCell::default(),
            script: RefCell::default(),
            panics: Panics::default(),
            seed: 1,
            running: Cell::new(false),
        }
    }

    /// With another seed for the devices that are added from now on; 1 by default. It decides
    /// tokens and pauses before connecting again. The n-th device has it plus n.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> TestCloud {
        TestCloud { seed, ..self }
    }

    /// Adds the next [`test_device`] and connects it: its client, and its events so far, up to
    /// [`Event::Ready`](shadow_core::Event::Ready) if nothing takes time. Inside of
    /// [`run`](Self::run) it connects a little later.
    ///
    /// # Panics
    /// When there are [`TEST_DEVICES`](crate::cloud::TEST_DEVICES) devices already.
    #[must_use = "the device ends when its client is dropped"]
    pub fn device(&self) -> (Client, Events) {
        let index = self.machines.borrow().len();
        self.connect(Config::new(&test_device(index)))
    }

    /// Adds a device that is configured so and connects it, as [`device`](Self::device).
    #[must_use = "the device ends when its client is dropped"]
    pub fn connect(&self, config: Config) -> (Client, Events) {
        let index = self.add(config);
        let plugged = self.plug_in(index);
        self.settle();
        plugged
    }

    /// Has an application desire these values of the first device; see [`TestDevice::desire`].
    ///
    /// # Panics
    /// As [`TestDevice::desire`], and when there is no device, as all that follow.
    pub fn desire(&self, values: impl Serialize) {
        self.of(0).desire(values);
    }

    /// What the cloud holds as reported by the first device; `{}` if nothing.
    #[must_use]
    pub fn reported(&self) -> Value {
        self.of(0).reported()
    }

    /// What the cloud holds as desired of the first device; `{}` if nothing.
    #[must_use]
    pub fn desired(&self) -> Value {
        self.of(0).desired()
    }

    /// The first device's whole shadow.
    #[must_use]
    pub fn document(&self) -> Value {
        self.of(0).document()
    }

    /// Breaks the first device's connection; both ends learn it at once.
    pub fn cut(&self) {
        self.of(0).cut();
    }

    /// Nothing comes through to or from the first device for a while; see
    /// [`TestDevice::offline_for`].
    pub fn offline_for(&self, time: Duration) {
        self.of(0).offline_for(time);
    }

    /// Stops the cloud and starts it again at once, with its documents and sessions.
    pub fn restart(&self) {
        self.inject(&Fault::RestartServer {
            sessions: true,
            documents: Documents::Kept,
            down: 0,
        });
    }

    /// The device of this number.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn of(&self, device: usize) -> TestDevice<'_> {
        let count = self.machines.borrow().len();
        assert!(
            device < count,
            "there is no device {device}, but {count}: add one by TestCloud::device or boot"
        );
        TestDevice::new(self, device)
    }

    /// Keeps a copy of all shadow documents for [`Documents::Older`].
    pub fn back_up(&self) {
        self.with(Simulation::back_up);
    }

    /// Has a fault happen now.
    ///
    /// # Panics
    /// When there is no such device, or it cannot have the fault: see [the type](Self#which-faults).
    pub fn inject(&self, fault: &Fault) {
        self.check(fault);
        self.with(|simulation| simulation.inject(fault));
    }

    /// Has faults happen at their times, counted from now, as the clock comes by. Those of one time
    /// happen in the order in which they are given.
    ///
    /// # Panics
    /// As [`inject`](Self::inject), at the time.
    pub fn script(&self, faults: impl IntoIterator<Item = (Duration, Fault)>) {
        let now = self.now();
        let mut script = self.script.borrow_mut();
        script.reverse();
        script.extend(faults.into_iter().map(|(at, fault)| (now + at, fault)));
        script.sort_by_key(|(at, _)| *at);
        script.reverse();
        self.signal.raise();
    }

    /// Ends all faults that last, and forgets those of [`script`](Self::script) that are to come.
    pub fn lift(&self) {
        self.script.borrow_mut().clear();
        self.with(Simulation::lift);
    }

    /// How often the faults that were injected took effect.
    #[must_use]
    pub fn fault_counts(&self) -> FaultCounts {
        self.with(|simulation| simulation.fault_counts())
    }

    /// Does something with the cloud, as an operator would.
    ///
    /// Do not call anything of this `TestCloud` from within: it would wait for itself.
    pub fn with_cloud<T>(&self, work: impl FnOnce(&mut Cloud, Instant) -> T) -> T {
        self.with(|simulation| simulation.with_cloud(work))
    }

    /// Runs a task beside all others, until it ends or the `TestCloud` is dropped. If it panics,
    /// so does [`run`](Self::run).
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.executor.spawn(self.panics.catch(task)).detach();
        self.signal.raise();
    }

    /// The clock of the test and of device code.
    #[must_use]
    pub fn clock(&self) -> VirtualClock {
        self.clock.clone()
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Ends when so much time has passed.
    pub async fn sleep(&self, time: Duration) {
        self.clock.sleep_until(self.now() + time).await;
    }

    /// Adds a line of the test's own to the trace.
    pub fn note(&self, text: &str) {
        self.with(|simulation| simulation.note(text));
    }

    /// What has happened so far: packets, connections, faults, what the cloud's server tells, and
    /// the test's own lines.
    ///
    /// What a client tells its application does not stand here: its
    /// [`Events`] are one stream, which belongs to the firmware or the test, and are seen when that
    /// reads them. A test that wants them in the trace writes each as it reads it, by
    /// [`note`](Self::note) and [`describe_event`](crate::trace::describe_event). A [`Simulation`]
    /// has those of its engines in its trace.
    ///
    /// ```
    /// use transport_mock::TestCloud;
    /// use transport_mock::trace::LineKind;
    ///
    /// let cloud = TestCloud::new();
    /// let (_lamp, _events) = cloud.device();
    /// let packets = cloud.trace().only(&[LineKind::Packet]).without_times().to_string();
    /// assert!(packets.starts_with("test01 > CONNECT MQTT 3.1.1, client EXAMPLE001test01, keep"));
    /// ```
    #[must_use]
    pub fn trace(&self) -> Transcript {
        self.with(|simulation| simulation.transcript())
    }

    /// Does something with the simulation, at the present time.
    fn with<T>(&self, work: impl FnOnce(&mut Simulation) -> T) -> T {
        let mut simulation = self.lock();
        simulation.run_until(self.clock.now());
        let result = work(&mut simulation);
        drop(simulation);
        self.signal.raise();
        result
    }

    fn lock(&self) -> MutexGuard<'_, Simulation> {
        // A panic inside of it ends the test anyway.
        let locked = self.simulation.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}
