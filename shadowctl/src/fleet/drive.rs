//! A fleet from its first connection to its last.

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use shadow_core::{Instant, WallTime};
use smol::future::{or, yield_now};
use transport_tcp::Clock;

use super::crowd::Crowd;
use super::schedule::{Mix, Pace, Schedule};
use super::tally::Trouble;

/// The connections of a fleet.
pub(super) trait Carrier {
    /// Carries bytes both ways, until no engine wants anything that can be done now.
    fn carry(&mut self, clock: &impl Clock, crowd: &mut Crowd);

    /// When to [`carry`](Self::carry) even if nothing happens.
    fn deadline(&self) -> Option<Instant>;

    /// Ends when something has happened that [`carry`](Self::carry) is to look at.
    fn ready(&self) -> impl Future<Output = ()>;
}

/// What a fleet is to do.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) devices: u32,
    pub(super) rate: u32,
    pub(super) mix: Mix,
    pub(super) duration: Duration,
    /// How many devices connect in a second; `None`: as many as can.
    pub(super) connect_rate: Option<u32>,
    pub(super) timeout: Duration,
    pub(super) seed: u64,
}

/// How far a fleet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Devices log in.
    Connecting,
    /// Round trips begin, or devices are idle.
    Working,
    /// The last round trips end.
    Draining,
    /// Devices log out.
    Closing,
}

/// What a look at a running fleet shows.
pub(super) struct Glimpse<'a> {
    pub(super) now: Instant,
    pub(super) stage: Stage,
    /// Since when it is in this stage.
    pub(super) since: Instant,
    pub(super) crowd: &'a Crowd,
}

/// Sees a fleet at work.
pub(super) trait Watcher {
    /// How often it wants to look.
    fn interval(&self) -> Duration;

    /// A look; at each change of stage, too.
    fn look(&mut self, glimpse: &Glimpse<'_>);
}

/// How a fleet went.
pub(super) struct Course {
    pub(super) crowd: Crowd,
    /// How long it took until the devices were connected, or given up.
    pub(super) connecting: Duration,
    /// How long round trips began.
    pub(super) working: Duration,
    /// How many round trips were planned.
    pub(super) planned: u64,
    /// Whether it was ended early.
    pub(super) stopped: bool,
}

/// How many of a sort are begun before bytes are carried again.
const BATCH: usize = 256;

/// Runs a fleet until it has done what it is to do, or until `stop` ends.
///
/// Bounded: connecting takes what the rate needs and `timeout`, working `duration` and
/// draining `timeout`.
pub(super) async fn drive(
    plan: &Plan,
    carrier: &mut impl Carrier,
    clock: &impl Clock,
    wall: WallTime,
    mut stop: Pin<&mut impl Future<Output = ()>>,
    watcher: &mut impl Watcher,
) -> Course {
    let mut run = Run::new(plan, wall, clock.now());
    loop {
        let now = clock.now();
        let before = run.stage;
        if run.advance(now) {
            break;
        }
        run.crowd.tick(now, BATCH);
        carrier.carry(clock, &mut run.crowd);
        let now = clock.now();
        if run.look_at <= now || run.stage != before {
            run.look_at = now + watcher.interval();
            watcher.look(&Glimpse {
                now,
                stage: run.stage,
                since: run.since,
                crowd: &run.crowd,
            });
        }
        let wake = run.next_wake().into_iter().chain(carrier.deadline()).min();
        // Also where there is more to do at once: the connections and Ctrl-C want to be looked at.
        let more = run.crowd.is_touched() || wake.is_some_and(|wake| wake <= now);
        let rest = async {
            match wake {
                _ if more => yield_now().await,
                Some(wake) => clock.sleep_until(wake).await,
                None => pending().await,
            }
            false
        };
        let ready = async {
            carrier.ready().await;
            false
        };
        let stopped = async {
            match run.stopped {
                true => pending().await,
                false => stop.as_mut().await,
            }
            true
        };
        if or(stopped, or(ready, rest)).await {
            run.stop();
        }
    }
    Course {
        crowd: run.crowd,
        connecting: run.connecting,
        working: run.working,
        planned: run.schedule.map_or(0, |schedule| schedule.total()),
        stopped: run.stopped,
    }
}

/// A fleet on its way.
struct Run<'p> {
    plan: &'p Plan,
    wall: WallTime,
    start: Instant,
    crowd: Crowd,
    connects: Pace,
    /// From when all are connected.
    schedule: Option<Schedule>,
    stage: Stage,
    since: Instant,
    stopped: bool,
    look_at: Instant,
    connecting: Duration,
    working: Duration,
}

impl Run<'_> {
    fn new(plan: &Plan, wall: WallTime, now: Instant) -> Run<'_> {
        Run {
            plan,
            wall,
            start: now,
            crowd: Crowd::new(plan.devices, plan.timeout, plan.seed),
            connects: Pace::new(now, plan.connect_rate),
            schedule: None,
            stage: Stage::Connecting,
            since: now,
            stopped: false,
            look_at: now,
            connecting: Duration::ZERO,
            working: Duration::ZERO,
        }
    }

    /// Begins what is due, and goes on to the next stage when it is time; whether all is over.
    fn advance(&mut self, now: Instant) -> bool {
        match self.stage {
            Stage::Connecting => {
                self.connect(now);
                let all = self.crowd.tally.connected == self.plan.devices;
                if all || self.stopped || self.give_up_at().is_some_and(|at| at <= now) {
                    self.work(now);
                }
            }
            Stage::Working => {
                self.begin(now);
                if self.stopped || self.work_ends() <= now {
                    self.working = now.saturating_since(self.since);
                    self.enter(Stage::Draining, now);
                }
            }
            Stage::Draining => {
                if self.stopped || self.crowd.open() == 0 {
                    self.enter(Stage::Closing, now);
                }
            }
            // A turn later, so that a look at what the work took sees nothing of it.
            Stage::Closing if !self.crowd.is_closing() => self.crowd.close(now),
            // What each device said last has been carried.
            Stage::Closing => return true,
        }
        false
    }

    fn connect(&mut self, now: Instant) {
        for _ in 0..BATCH {
            if self.stopped || self.next_connect().is_none_or(|due| due > now) {
                return;
            }
            // It is the wall time of its making that an engine counts from.
            let wall = self.wall + now.saturating_since(self.start);
            self.crowd.add(now, wall);
        }
    }

    fn next_connect(&self) -> Option<Instant> {
        let next = self.crowd.len();
        (next < self.plan.devices).then(|| self.connects.due(next.into()))
    }

    /// Until when devices may take to connect, once all have begun to.
    fn give_up_at(&self) -> Option<Instant> {
        let last = self.connects.due(u64::from(self.plan.devices) - 1);
        let all = self.crowd.len() == self.plan.devices;
        all.then_some(last + self.plan.timeout)
    }

    fn work(&mut self, now: Instant) {
        self.connecting = now.saturating_since(self.start);
        if !self.stopped {
            let missing = self.plan.devices - self.crowd.tally.ever_connected;
            if missing > 0 {
                let timeout = self.plan.timeout;
                self.crowd.tally.note_many(
                    Trouble::NotConnected,
                    missing.into(),
                    format_args!("without its shadow after {timeout:?}"),
                );
            }
        }
        let Plan {
            rate,
            duration,
            devices,
            mix,
            ..
        } = *self.plan;
        self.schedule = Some(Schedule::new(now, rate, duration, devices, mix));
        self.enter(Stage::Working, now);
    }

    fn begin(&mut self, now: Instant) {
        let Some(schedule) = self.schedule.as_mut().filter(|_| !self.stopped) else {
            return;
        };
        for _ in 0..BATCH {
            let Some(turn) = schedule.take(now) else {
                return;
            };
            self.crowd.begin(now, &turn);
        }
    }

    fn work_ends(&self) -> Instant {
        self.since + self.plan.duration
    }

    fn enter(&mut self, stage: Stage, now: Instant) {
        (self.stage, self.since) = (stage, now);
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    /// When there is something to do if nothing happens.
    fn next_wake(&self) -> Option<Instant> {
        let stage = match self.stage {
            _ if self.stopped && self.stage != Stage::Closing => Some(Instant::ZERO),
            Stage::Connecting if self.crowd.tally.connected == self.plan.devices => {
                Some(Instant::ZERO)
            }
            Stage::Connecting => self.next_connect().or(self.give_up_at()),
            Stage::Working => {
                let turn = self.schedule.as_ref().and_then(Schedule::next_due);
                Some(self.work_ends()).into_iter().chain(turn).min()
            }
            Stage::Draining => (self.crowd.open() == 0).then_some(Instant::ZERO),
            Stage::Closing => Some(Instant::ZERO),
        };
        let wakes = [stage, self.crowd.next_wake(), Some(self.look_at)];
        wakes.into_iter().flatten().min()
    }
}
