//! How devices are started, lose their power and begin again.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use shadow_core::{Config, Instant, Session, WallTime};
use smol::Task;
use transport_tcp::store::{Durability, SessionStore, StoreError};
use transport_tcp::{Client, Clock, Events, client};

use super::TestCloud;
use crate::VirtualClock;
use crate::cloud::test_device;
use crate::simulation::fault::Fault;
use crate::simulation::port::{Port, PortConnector};
use crate::simulation::{DeviceId, Simulation};

/// A device of a [`TestCloud`], beside its half in the simulation.
pub(super) struct Machine {
    pub(super) id: DeviceId,
    config: Config,
    port: Port,
    seed: u64,
    /// What runs on it; dropped when its power is cut.
    tasks: Vec<Task<()>>,
    /// `None` where the test holds the client.
    firmware: Option<Rc<RefCell<Firmware>>>,
    gate: Gate,
}

type Firmware = dyn FnMut(Client, Events, VirtualClock) -> Pin<Box<dyn Future<Output = ()>>>;

impl TestCloud {
    /// Adds the next [`test_device`] and starts its firmware: `firmware` is called now, and again
    /// whenever the device begins again after [`Fault::PowerCut`], with a client that has the
    /// session that was stored. What it captures is what survives, as a flash does; what it returns
    /// ends with the power. Returns the device's number.
    ///
    /// A firmware that returns is not started again before its power is cut. The trace says
    /// `{label}'s firmware has ended`, and `{label} closes` if its client went with it. The function
    /// itself may use the `TestCloud`, but for [`run`](Self::run) when it is called again, as all is
    /// running then.
    ///
    /// ```
    /// use futures_lite::StreamExt;
    /// use serde_json::json;
    /// use shadow_core::Event;
    /// use transport_mock::TestCloud;
    /// use transport_tcp::Notification;
    ///
    /// let cloud = TestCloud::new();
    /// let lamp = cloud.boot(|client, mut events, _clock| async move {
    ///     while let Some(notification) = events.next().await {
    ///         if let Notification::Event(Event::Delta(delta)) = notification {
    ///             client.own_shadow().unwrap().accept(&delta).await.unwrap();
    ///         }
    ///     }
    /// });
    /// cloud.desire(json!({"power": true}));
    /// cloud.of(lamp).restart();
    /// cloud.run_for(std::time::Duration::from_secs(1));
    /// assert_eq!(cloud.reported(), json!({"power": true}));
    /// ```
    ///
    /// # Panics
    /// When there are [`TEST_DEVICES`](crate::cloud::TEST_DEVICES) devices already, and when
    /// `firmware` has its own device begin again while it starts it.
    pub fn boot<F>(
        &self,
        firmware: impl FnMut(Client, Events, VirtualClock) -> F + 'static,
    ) -> usize
    where
        F: Future<Output = ()> + 'static,
    {
        let index = self.machines.borrow().len();
        self.boot_with(Config::new(&test_device(index)), firmware)
    }

    /// Adds a device that is configured so and starts its firmware, as [`boot`](Self::boot).
    pub fn boot_with<F>(
        &self,
        config: Config,
        mut firmware: impl FnMut(Client, Events, VirtualClock) -> F + 'static,
    ) -> usize
    where
        F: Future<Output = ()> + 'static,
    {
        let index = self.add(config);
        let seed = self.with_machine(index, |machine| {
            let firmware = move |client, events, clock| -> Pin<Box<dyn Future<Output = ()>>> {
                Box::pin(firmware(client, events, clock))
            };
            machine.firmware = Some(Rc::new(RefCell::new(firmware)));
            machine.seed
        });
        self.start(index, Session::new(), seed);
        self.settle();
        index
    }

    /// A device's number in the simulation.
    pub(super) fn id(&self, device: usize) -> DeviceId {
        self.with_machine(device, |machine| machine.id)
    }

    /// Does something with a machine. No code of others may run within.
    fn with_machine<T>(&self, device: usize, work: impl FnOnce(&mut Machine) -> T) -> T {
        let mut machines = self.machines.borrow_mut();
        work(machines.get_mut(device).expect("a device of this cloud"))
    }

    /// Adds a device that does nothing yet.
    pub(super) fn add(&self, config: Config) -> usize {
        let label = match &config.own_shadow {
            Some(name) => name.device_name().to_owned(),
            None => config.login.client_id(),
        };
        let port = Port::new(config.clone());
        let index = self.machines.borrow().len();
        let seed = self.seed.wrapping_add(index as u64);
        let id = self.with(|simulation| simulation.add_port(&label, port.clone(), seed));
        self.machines.borrow_mut().push(Machine {
            id,
            config,
            port,
            seed,
            tasks: Vec::new(),
            firmware: None,
            gate: Gate::default(),
        });
        index
    }

    /// Starts the driver of a device whose client is the test's.
    pub(super) fn plug_in(&self, index: usize) -> (Client, Events) {
        self.with_machine(index, |machine| {
            let seed = machine.seed;
            self.drive(machine, Session::new(), seed)
        })
    }

    /// Spawns a driver.
    fn drive(&self, machine: &mut Machine, session: Session, seed: u64) -> (Client, Events) {
        let (port, signal) = (machine.port.clone(), self.signal.clone());
        let clock = DeviceClock {
            clock: self.clock.clone(),
            port: port.clone(),
        };
        let connector = PortConnector::new(port, signal);
        let config = machine.config.clone();
        let (client, events, driver) = client(config, session, seed, connector, clock);
        let store = Flash {
            simulation: Arc::clone(&self.simulation),
            device: machine.id,
        };
        let driver = driver.with_store(store, Durability::EveryChange);
        let run = async move { drop(driver.run().await) };
        machine
            .tasks
            .push(self.executor.spawn(self.panics.catch(run)));
        (client, events)
    }

    /// Starts a device's firmware.
    #[expect(clippy::panic, reason = "it is for tests, which should stop there")]
    fn start(&self, index: usize, session: Session, seed: u64) {
        let ((client, events), firmware, gate, id) = self.with_machine(index, |machine| {
            let driven = self.drive(machine, session, seed);
            let firmware = machine.firmware.clone();
            (driven, firmware, machine.gate.clone(), machine.id)
        });
        let Some(firmware) = firmware else { return };
        let Ok(mut firmware) = firmware.try_borrow_mut() else {
            panic!(
                "device {index} begins again while its firmware is being started: the function \
                 given to TestCloud::boot must not do that itself"
            );
        };
        let running = firmware(client, events, self.clock.clone());
        let simulation = Arc::clone(&self.simulation);
        let running = async move {
            gate.guard(running).await;
            let simulation = simulation.lock();
            let mut simulation = simulation.unwrap_or_else(PoisonError::into_inner);
            simulation.note_firmware_end(id);
        };
        let task = self.executor.spawn(self.panics.catch(running));
        self.with_machine(index, |machine| machine.tasks.push(task));
    }

    /// Panics if there is no such device, or it cannot have a fault.
    #[expect(clippy::panic, reason = "it is for tests, which should stop there")]
    pub(super) fn check(&self, fault: &Fault) {
        let Some(device) = fault.device() else { return };
        let count = self.machines.borrow().len();
        assert!(
            device < count,
            "there is no device {device} to have this fault, but {count}: {fault}"
        );
        let booted = self.with_machine(device, |machine| machine.firmware.is_some());
        if matches!(fault, Fault::PowerCut { .. } | Fault::Deaf { .. }) && !booted {
            panic!(
                "device {device} cannot have this fault, as the test holds its client: start it by \
                 TestCloud::boot ({fault})"
            );
        }
    }

    /// Does to the devices what the simulation has done to their power. Whether it did anything.
    pub(super) fn attend_devices(&self) -> bool {
        let mut busy = false;
        // A firmware may add devices when it begins.
        for index in 0.. {
            if index >= self.machines.borrow().len() {
                break;
            }
            let (news, tasks) = self.with_machine(index, |machine| {
                let news = machine.port.take_power_news();
                let tasks = news.lost.then(|| std::mem::take(&mut machine.tasks));
                (news, tasks)
            });
            drop(tasks);
            busy |= news.lost || news.begin.is_some();
            if let Some((session, seed)) = news.begin {
                self.start(index, session, seed);
            }
            self.with_machine(index, |machine| {
                let mut simulation = self.lock();
                let deaf = simulation.is_deaf(machine.id);
                if machine.gate.set(deaf) {
                    simulation.count_deaf();
                }
            });
        }
        busy
    }

    /// When a device's application takes events again.
    pub(super) fn next_hearing(&self) -> Option<Instant> {
        let machines = self.machines.borrow();
        let simulation = self.lock();
        let until = machines.iter().filter_map(|m| simulation.deaf_until(m.id));
        until.min()
    }
}

/// A device's clock: its wall clock may be wrong.
#[derive(Clone)]
struct DeviceClock {
    clock: VirtualClock,
    port: Port,
}

impl Clock for DeviceClock {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn wall_time(&self) -> Option<WallTime> {
        let ahead = i64::from(self.port.clock_ahead()) * 1_000;
        let right = self.clock.wall_time()?.as_unix_millis();
        Some(WallTime::from_unix_millis(
            right.saturating_add_signed(ahead),
        ))
    }

    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + Send {
        self.clock.sleep_until(at)
    }
}

/// Where a device keeps its session.
struct Flash {
    simulation: Arc<Mutex<Simulation>>,
    device: DeviceId,
}

impl SessionStore for Flash {
    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        let simulation = self.simulation.lock();
        let mut simulation = simulation.unwrap_or_else(PoisonError::into_inner);
        simulation.store_session(self.device, session);
        Ok(())
    }

    fn is_blocking(&self) -> bool {
        false
    }
}

/// Keeps a firmware from being polled.
#[derive(Clone, Default)]
struct Gate {
    state: Rc<RefCell<GateState>>,
}

#[derive(Default)]
struct GateState {
    closed: bool,
    /// Whether it was to be polled since it was closed.
    knocked: bool,
    waker: Option<Waker>,
}

impl Gate {
    /// Closes or opens it. Whether there was a first knock since it was closed.
    fn set(&self, closed: bool) -> bool {
        let mut state = self.state.borrow_mut();
        let knocked = std::mem::take(&mut state.knocked);
        state.closed = closed;
        if !closed && let Some(waker) = state.waker.take() {
            waker.wake();
        }
        knocked
    }

    async fn guard(self, mut inner: Pin<Box<dyn Future<Output = ()>>>) {
        poll_fn(move |cx| self.poll(cx, inner.as_mut())).await;
    }

    fn poll(&self, cx: &Context<'_>, inner: Pin<&mut dyn Future<Output = ()>>) -> Poll<()> {
        {
            let mut state = self.state.borrow_mut();
            if state.closed {
                state.knocked |= state.waker.is_none();
                state.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        let mut cx = Context::from_waker(cx.waker());
        inner.poll(&mut cx)
    }
}
