//! The engines of a fleet, and what becomes of their round trips.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use shadow_core::tencent::Update;
use shadow_core::{
    Config, Engine, Event, Instant, Outcome, RequestId, Session, Transmit, TransportFailure,
    WallTime,
};

use super::identity;
use super::schedule::{Task, Turn};
use super::tally::{Tally, Trouble};

/// Many engines, driven as one.
///
/// Sans-IO as an engine is: a [`Carrier`] tells what happens on the connections and carries out what
/// the engines want of them. Whatever is put into an engine makes it *touched*; take the touched
/// ones by [`next_touched`](Self::next_touched), do what [`poll_transmit`](Self::poll_transmit)
/// says, then [`settle`](Self::settle).
///
/// A device costs its engine and one entry in the order of wake-ups. Devices with nothing to do are
/// not looked at.
///
/// [`Carrier`]: super::drive::Carrier
pub(super) struct Crowd {
    devices: Vec<Device>,
    /// When which device has to be looked at. One entry a device, which may be earlier than its
    /// engine's deadline, as that mostly moves away again with the next packet; never later.
    wakes: BTreeSet<(Instant, u32)>,
    touched: Vec<u32>,
    /// Since when which round trip should have been under way.
    open: BTreeMap<(u32, RequestId), Instant>,
    timeout: Duration,
    seed: u64,
    /// Whether connections end because they are told to.
    closing: bool,
    pub(super) tally: Tally,
}

struct Device {
    engine: Engine,
    wake: Option<Instant>,
    /// Whether it is among the touched ones.
    touched: bool,
    /// Whether it has its shadow on the present link.
    connected: bool,
    /// Whether it had it on any.
    ever_connected: bool,
}

impl Crowd {
    /// Room for this many devices, of which none is there yet.
    pub(super) fn new(devices: u32, timeout: Duration, seed: u64) -> Crowd {
        Crowd {
            // As it grew, it would for a time be there twice.
            devices: Vec::with_capacity(devices as usize),
            wakes: BTreeSet::new(),
            touched: Vec::new(),
            open: BTreeMap::new(),
            timeout,
            seed,
            closing: false,
            tally: Tally::new(),
        }
    }

    /// Makes the next device, which wants to connect at once.
    pub(super) fn add(&mut self, now: Instant, wall: WallTime) {
        let Ok(number) = u32::try_from(self.devices.len()) else {
            return;
        };
        let mut config = Config::new(&identity::device(number));
        config.request_timeout = self.timeout;
        // A fleet is there to see what a server takes: no message waits for the vendor's pace.
        config.limits.messages_per_second = None;
        let seed = seed_of(self.seed, number);
        let mut engine = Engine::new(config, Session::new(), seed, now);
        engine.handle_wall_time(now, wall);
        engine.handle_tick(now);
        self.devices.push(Device {
            engine,
            wake: None,
            touched: true,
            connected: false,
            ever_connected: false,
        });
        self.touched.push(number);
    }

    /// How many devices there are.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.devices.len()).unwrap_or(u32::MAX)
    }

    /// How many round trips are under way.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Begins a round trip.
    pub(super) fn begin(&mut self, now: Instant, turn: &Turn) {
        self.tally.begun += 1;
        let asked = self.input(turn.device, |engine| {
            let shadow = engine.own_shadow()?;
            Some(match turn.task {
                Task::Get => engine.get(now, shadow),
                Task::Report(number) => {
                    // One message for each, as `shadowctl report` sends; those of
                    // `Engine::report` would be joined when they come late.
                    let state = serde_json::json!({ "count": number });
                    engine.update(now, shadow, &Update::new().reported(state))
                }
            })
        });
        match asked.flatten() {
            Some(Ok(id)) => drop(self.open.insert((turn.device, id), turn.due)),
            Some(Err(error)) => self.tally.fail(Trouble::NotTaken, error),
            None => self
                .tally
                .fail(Trouble::NotConnected, "there is no such device yet"),
        }
    }

    /// Lets time pass for whoever it matters to; at most `limit` of them.
    pub(super) fn tick(&mut self, now: Instant, limit: usize) {
        for _ in 0..limit {
            let Some((at, number)) = self.wakes.first().copied().filter(|(at, _)| *at <= now)
            else {
                return;
            };
            self.wakes.remove(&(at, number));
            if let Some(device) = self.devices.get_mut(number as usize) {
                device.wake = None;
            }
            self.input(number, |engine| engine.handle_tick(now));
        }
    }

    /// When to tick.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// Ends all connections; what is open ends as cancelled.
    pub(super) fn close(&mut self, now: Instant) {
        self.closing = true;
        for number in 0..self.len() {
            self.input(number, |engine| engine.close(now));
        }
    }

    /// Whether they were told to end.
    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    /// A device that may want something.
    pub(super) fn next_touched(&mut self) -> Option<u32> {
        let number = self.touched.pop()?;
        if let Some(device) = self.devices.get_mut(number as usize) {
            device.touched = false;
        }
        Some(number)
    }

    /// Has a device looked at as if something had been put into it.
    pub(super) fn touch(&mut self, number: u32) {
        self.input(number, |_| ());
    }

    /// Whether any may.
    pub(super) fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// What the device wants next of its connection.
    pub(super) fn poll_transmit(
        &mut self,
        number: u32,
        now: Instant,
        buffer: &mut Vec<u8>,
    ) -> Option<Transmit> {
        let device = self.devices.get_mut(number as usize)?;
        device.engine.poll_transmit(now, buffer)
    }

    /// Whether the device is logged in, so that packets may wait in its engine.
    pub(super) fn is_online(&self, number: u32) -> bool {
        let device = self.devices.get(number as usize);
        device.is_some_and(|device| device.engine.is_online())
    }

    /// The device's connection is there.
    pub(super) fn handle_connected(&mut self, number: u32, now: Instant) {
        self.input(number, |engine| engine.handle_connected(now));
    }

    /// Bytes have come on it.
    pub(super) fn handle_bytes(&mut self, number: u32, now: Instant, bytes: &[u8]) {
        self.input(number, |engine| engine.handle_bytes(now, bytes));
    }

    /// It is gone.
    pub(super) fn handle_disconnected(
        &mut self,
        number: u32,
        now: Instant,
        failure: TransportFailure,
    ) {
        self.input(number, |engine| engine.handle_disconnected(now, failure));
    }

    /// Takes what the device has to tell, once it wants no more of its connection.
    pub(super) fn settle(&mut self, number: u32, now: Instant) {
        let Some(device) = self.devices.get_mut(number as usize) else {
            return;
        };
        while let Some(event) = device.engine.poll_event() {
            match event {
                Event::Ended { request, outcome } => {
                    // Of those that are not there the begin was told as failed.
                    if let Some(due) = self.open.remove(&(number, request)) {
                        end(&mut self.tally, now.saturating_since(due), outcome);
                    }
                }
                Event::Ready { .. } if !device.connected => {
                    device.connected = true;
                    self.tally.connected += 1;
                    if !std::mem::replace(&mut device.ever_connected, true) {
                        self.tally.ever_connected += 1;
                    }
                }
                Event::Disconnected { cause, .. } => {
                    if std::mem::take(&mut device.connected) {
                        self.tally.connected -= 1;
                    }
                    if !self.closing {
                        self.tally.note(Trouble::of(&cause), cause);
                    }
                }
                Event::ShadowRefused { .. } => {
                    let why = "the server does not let the device read its result topic";
                    self.tally.note(Trouble::SubscriptionRefused, why);
                }
                Event::GetRejected { code, .. } => {
                    self.tally.note(
                        Trouble::Rejected,
                        format_args!("the first get: result {code}"),
                    );
                }
                Event::EventsLost { count } => {
                    self.tally.note_many(
                        Trouble::EventsLost,
                        count,
                        format_args!("{count} of one device at once"),
                    );
                }
                _ => {}
            }
        }
        let deadline = device.engine.poll_deadline().map(|deadline| deadline.at);
        let sooner = |at: &Instant| device.wake.is_none_or(|wake| *at < wake);
        if let Some(at) = deadline.filter(sooner) {
            if let Some(before) = device.wake.replace(at) {
                self.wakes.remove(&(before, number));
            }
            self.wakes.insert((at, number));
        }
    }

    fn input<T>(&mut self, number: u32, input: impl FnOnce(&mut Engine) -> T) -> Option<T> {
        let device = self.devices.get_mut(number as usize)?;
        if !std::mem::replace(&mut device.touched, true) {
            self.touched.push(number);
        }
        Some(input(&mut device.engine))
    }
}

fn end(tally: &mut Tally, latency: Duration, outcome: Outcome) {
    match outcome {
        Outcome::Accepted(_) => tally.answer(latency),
        Outcome::Cancelled => tally.cancelled += 1,
        Outcome::TimedOut => {
            let seconds = latency.as_secs_f64();
            tally.fail(
                Trouble::TimedOut,
                format_args!("no answer within {seconds:.3} s"),
            );
        }
        Outcome::Rejected { code, .. } => {
            tally.fail(Trouble::Rejected, format_args!("result {code}"));
        }
        Outcome::SubscriptionRefused => {
            tally.fail(
                Trouble::SubscriptionRefused,
                "the device has no result topic",
            );
        }
        other => {
            let why = match other {
                Outcome::Disconnected {
                    maybe_applied: true,
                } => "after the request had left",
                _ => "before the request had left",
            };
            tally.fail(Trouble::CutOff, why);
        }
    }
}

/// Another seed for each device, and the same for the same fleet: a step of SplitMix64, as numbers
/// in a row are no good seeds.
fn seed_of(seed: u64, number: u32) -> u64 {
    let mut mixed = seed.wrapping_add(u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
