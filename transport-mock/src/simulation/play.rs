//! Runs a script and checks what must hold.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use shadow_core::config::VersionPolicy;
use shadow_core::mqtt::QoS;
use shadow_core::tencent::{DeviceInfo, ShadowName, Update, VERSION_CONFLICT};
use shadow_core::{
    Config, Delta, Event, Instant, Outcome, Publication, RequestError, RequestId, Session,
    ShadowId, WallTime,
};

use super::fault::{Documents, Fault, FaultCounts};
use super::model::{Asked, Checks, Invariant, Leaves, Model, Violation, leaves, patch, requested};
use super::script::{Answer, Key, Policy, Script, Setup, Step};
use super::{DeviceId, Latency, Simulation};
use crate::cloud::{Cloud, CloudConfig};
use crate::server::{Credentials, KnownDevice, ServerConfig};
use crate::service::{DeltaPush, ServiceConfig};

/// What came of a script, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many scripts were run to their end.
    pub schedules: u64,
    /// How many steps they had.
    pub steps: u64,
    /// How many inputs and outputs their engines had.
    pub engine_steps: u64,
    /// The most that a single script's had.
    pub deepest: u64,
    /// How often everything came to rest.
    pub rests: u64,
    /// The time that passed in them, in microseconds.
    pub virtual_micros: u64,
    /// The faults that took effect.
    pub faults: FaultCounts,
    /// The invariants that were checked.
    pub checks: Checks,
}

impl Tally {
    /// Adds another's.
    pub fn add(&mut self, other: &Tally) {
        self.schedules += other.schedules;
        self.steps += other.steps;
        self.engine_steps += other.engine_steps;
        self.deepest = self.deepest.max(other.deepest);
        self.rests += other.rests;
        self.virtual_micros += other.virtual_micros;
        self.faults.add(&other.faults);
        self.checks.add(&other.checks);
    }
}

/// A table of it, one line each.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.virtual_micros / 3_600_000_000;
        for (name, count) in [
            ("schedules", self.schedules),
            ("steps", self.steps),
            ("engine inputs and outputs", self.engine_steps),
            ("deepest run", self.deepest),
            ("times at rest", self.rests),
            ("virtual hours", hours),
        ] {
            writeln!(f, "{name:<34}{count:>14}")?;
        }
        writeln!(f, "faults that took effect")?;
        for (kind, count) in self.faults.iter() {
            writeln!(f, "  {kind:<32}{count:>14}")?;
        }
        writeln!(f, "invariants checked")?;
        for (invariant, count) in self.checks.iter() {
            writeln!(f, "  {:<32}{count:>14}", invariant.name())?;
        }
        Ok(())
    }
}

/// A script in which something did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// At which step of the script; one past the last for the rest at its end.
    pub step: usize,
    /// What.
    pub violation: Violation,
    /// The trace, if one was asked for.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        write!(f, "step {}: {}", self.step, self.violation)
    }
}

impl std::error::Error for Failure {}

/// Runs a script to rest and says what it met.
///
/// # Errors
///
/// [`Failure`] as soon as an invariant does not hold; with a trace of all that happened if `trace`.
///
/// # Panics
///
/// When an engine or the cloud does: that is a failure too.
pub fn play(script: &Script, trace: bool) -> Result<Tally, Box<Failure>> {
    let mut play = Play::new(script, trace);
    match play.run(script) {
        Ok(()) => Ok(play.tally()),
        Err(violation) => Err(Box::new(Failure {
            step: play.step,
            violation,
            trace: play.simulation.take_trace(),
        })),
    }
}

/// The trace of a script, as far as it goes.
///
/// # Panics
///
/// As [`play`].
#[must_use]
pub fn trace(script: &Script) -> Vec<String> {
    let mut play = Play::new(script, true);
    // Where it ends is for `play` to say.
    let _ = play.run(script);
    play.simulation.take_trace()
}

struct Play {
    simulation: Simulation,
    actors: Vec<Actor>,
    checks: Checks,
    step: usize,
    rests: u64,
    /// The last value written; no value is written twice.
    value: u64,
    /// How long it takes at least until a dead link is noticed.
    patience: Duration,
}

/// A device's application, and what stands beside it.
struct Actor {
    id: DeviceId,
    name: ShadowName,
    shadow: ShadowId,
    model: Model,
    /// Deltas that it was told and has not answered.
    deltas: VecDeque<Delta>,
    at_once: Option<Answer>,
    /// The document's version, as it last heard of it.
    heard: Option<u64>,
    /// The version that was last looked at in the cloud.
    looked: Option<u64>,
    reported: Leaves,
    desired: Leaves,
}

const WALL: WallTime = WallTime::from_unix_millis(1_626_770_697_670);

/// So many reports of a shadow can be open beyond the bound on requests: what is reported later
/// joins one of them, and is never refused for it.
const REPORTS_APART: usize = 4;

/// How long everything may take to come to rest when nothing is wrong.
const LONGEST_REST: Duration = Duration::from_secs(7_200);

impl Play {
    fn new(script: &Script, trace: bool) -> Play {
        let setup = &script.setup;
        let devices: Vec<DeviceInfo> = (0..script.devices.clamp(1, 8)).map(device).collect();
        let mut simulation = Simulation::new(|now| cloud(setup, &devices, now), latency(setup));
        simulation.set_tracing(trace);
        simulation.with_cloud(|cloud, _| cloud.record_requests(true));
        let mut actors = Vec::with_capacity(devices.len());
        for (seed, info) in (script.seed..).zip(devices) {
            let config = config(setup, &info);
            let name = info.name;
            let id = simulation.add_device(name.device_name(), config, Session::new(), seed);
            simulation.store_sessions(id);
            let shadow = simulation.engine(id).own_shadow();
            actors.push(Actor {
                id,
                name,
                shadow: shadow.expect("a device's configuration has its own shadow"),
                model: Model::new(setup.policy),
                deltas: VecDeque::new(),
                at_once: None,
                heard: None,
                looked: None,
                reported: Leaves::default(),
                desired: Leaves::default(),
            });
        }
        Play {
            simulation,
            actors,
            checks: Checks::default(),
            step: 0,
            rests: 0,
            value: 0,
            patience: Duration::from_secs(u64::from(setup.keep_alive) * 2 + 30),
        }
    }

    fn run(&mut self, script: &Script) -> Result<(), Violation> {
        for step in &script.steps {
            self.take(step)?;
            self.step += 1;
        }
        self.take(&Step::Rest)
    }

    fn tally(&self) -> Tally {
        let steps = self
            .actors
            .iter()
            .map(|actor| self.simulation.steps(actor.id));
        let engine_steps = steps.sum();
        Tally {
            schedules: 1,
            steps: self.step as u64,
            engine_steps,
            deepest: engine_steps,
            rests: self.rests,
            virtual_micros: self.simulation.now().as_micros(),
            faults: self.simulation.fault_counts(),
            checks: self.checks,
        }
    }

    fn take(&mut self, step: &Step) -> Result<(), Violation> {
        self.simulation.note_with(|| format!("-- {step:?}"));
        match step {
            Step::Wait { millis } => self.run_for(Duration::from_millis((*millis).into()))?,
            Step::Desire { device, keys } => {
                let values: Vec<_> = keys.iter().map(|key| (*key, Some(self.value()))).collect();
                self.desire(*device, &values);
            }
            Step::Undesire { device, keys } => {
                let values: Vec<_> = keys.iter().map(|key| (*key, None)).collect();
                self.desire(*device, &values);
            }
            Step::Report {
                device,
                keys,
                delete,
            } => {
                let value = |play: &mut Play| (!delete).then(|| play.value());
                let values: Vec<_> = keys.iter().map(|key| (*key, value(self))).collect();
                self.report(*device, &values)?;
            }
            Step::Answer { device, how } => {
                if let Some(delta) = self.awake(*device).and_then(|a| a.deltas.pop_front()) {
                    self.answer(*device, &delta, *how)?;
                }
            }
            Step::AnswerAtOnce { device, how } => {
                if let Some(actor) = self.actors.get_mut(*device) {
                    actor.at_once = Some(*how);
                }
            }
            Step::Update {
                device,
                key,
                checked,
            } => self.update(*device, *key, *checked)?,
            Step::Get { device } => {
                self.request(*device, Asked::Get, |engine, now, shadow| {
                    engine.get(now, shadow)
                })?;
            }
            Step::Publish { device, qos } => self.publish(*device, *qos)?,
            Step::Cancel { device } => {
                if let Some(actor) = self.awake(*device)
                    && let Some(request) = actor.model.open.keys().next().copied()
                {
                    let id = actor.id;
                    // It may have ended with the event still waiting.
                    let _ = self
                        .simulation
                        .with(id, |engine, now| engine.cancel(now, request));
                }
            }
            Step::BackUp => self.simulation.back_up(),
            Step::Fault(fault) => self.inject(fault)?,
            Step::Rest => self.rest()?,
        }
        let now = self.simulation.now();
        self.run_until(now)?;
        self.check()
    }

    fn run_for(&mut self, time: Duration) -> Result<(), Violation> {
        self.run_until(self.simulation.now() + time)
    }

    fn run_until(&mut self, at: Instant) -> Result<(), Violation> {
        while self.simulation.advance(at) {
            self.observe()?;
        }
        self.observe()
    }

    /// Sees what has happened, until nothing more comes of it.
    fn observe(&mut self) -> Result<(), Violation> {
        for request in self.simulation.with_cloud(|cloud, _| cloud.take_requests()) {
            let actor = self.actors.iter_mut().find(|a| a.name == request.name);
            if let Some(actor) = actor
                && request.payload.starts_with(br#"{"type":"update""#)
            {
                let values = requested(&request.payload);
                let model = &mut actor.model;
                model.arrived(&mut self.checks, &values, request.accepted)?;
            }
        }
        for index in 0..self.actors.len() {
            self.look(index)?;
            let Some(id) = self.actors.get(index).map(|actor| actor.id) else {
                continue;
            };
            self.welcome(index)?;
            while let Some(event) = self.simulation.take_event(id) {
                self.hear(index, event)?;
            }
        }
        Ok(())
    }

    /// Looks at the cloud's document, if it has changed.
    fn look(&mut self, index: usize) -> Result<(), Violation> {
        let Some(actor) = self.actors.get_mut(index) else {
            return Ok(());
        };
        let shadow = self.simulation.cloud().shadow(&actor.name);
        let version = shadow.map(crate::service::Shadow::version);
        if version == actor.looked {
            return Ok(());
        }
        actor.looked = version;
        actor.reported = shadow.map_or_else(Leaves::default, |s| leaves(&s.reported()));
        let desired = shadow.and_then(crate::service::Shadow::desired);
        actor.desired = leaves(desired.as_deref().unwrap_or("{}"));
        actor.model.desired_is(&mut self.checks, &actor.desired)
    }

    /// A device that has begun again says what it is like, where it cannot know that it has said
    /// so before.
    fn welcome(&mut self, index: usize) -> Result<(), Violation> {
        let Some(actor) = self.actors.get_mut(index) else {
            return Ok(());
        };
        let id = actor.id;
        if self.simulation.is_dark(id) {
            actor.deltas.clear();
            return Ok(());
        }
        let Some(boot) = self.simulation.take_boot(id) else {
            return Ok(());
        };
        actor.deltas.clear();
        actor.heard = None;
        let own = self.simulation.engine(id).own_shadow();
        actor.shadow = own.expect("a device's configuration has its own shadow");
        let forgotten = boot.forgotten.then_some(boot.store);
        actor.model.booted(forgotten);
        if forgotten.is_some() {
            let kept: Vec<_> = actor.model.kept().collect();
            self.report(index, &kept)?;
        }
        Ok(())
    }

    fn hear(&mut self, index: usize, event: Event) -> Result<(), Violation> {
        let Some(actor) = self.actors.get_mut(index) else {
            return Ok(());
        };
        match event {
            Event::Delta(delta) => {
                let store = self.simulation.stores(actor.id);
                actor.model.told(&mut self.checks, &delta, store)?;
                match actor.at_once {
                    Some(how) => self.answer(index, &delta, how)?,
                    None => actor.deltas.push_back(delta),
                }
            }
            Event::Ended { request, outcome } => {
                let Actor {
                    model,
                    reported,
                    desired,
                    ..
                } = actor;
                let checks = &mut self.checks;
                let asked = model.ended(checks, request, &outcome, reported, desired)?;
                match (asked, outcome) {
                    (_, Outcome::Accepted(document)) => {
                        actor.heard = document.version().or(actor.heard);
                    }
                    // With Strict, whatever was refused goes out again with the next report.
                    (Asked::Report(leaves), Outcome::Rejected { code, .. })
                        if code == VERSION_CONFLICT =>
                    {
                        self.report_again(index, leaves)?;
                    }
                    (Asked::Reject(..), Outcome::Rejected { code, .. })
                        if code == VERSION_CONFLICT =>
                    {
                        self.report_again(index, Vec::new())?;
                    }
                    _ => {}
                }
            }
            Event::Ready { document, .. } => actor.heard = document.version().or(actor.heard),
            Event::InvalidMessage { .. }
            | Event::OversizedMessage { .. }
            | Event::GetRejected { .. }
            | Event::ShadowRefused { .. } => {
                self.checks.that(Invariant::Truth, false, || {
                    format!("nobody did anything to cause {event:?}")
                })?;
            }
            _ => {}
        }
        Ok(())
    }

    fn inject(&mut self, fault: &Fault) -> Result<(), Violation> {
        if let Fault::Deaf { .. } = fault {
            // What is heard by then was heard.
            self.observe()?;
        }
        self.simulation.inject(fault);
        if let Fault::RestartServer { documents, .. } = fault
            && *documents != Documents::Kept
        {
            for index in 0..self.actors.len() {
                let Some(actor) = self.actors.get_mut(index) else {
                    continue;
                };
                let shadow = self.simulation.cloud().shadow(&actor.name);
                let desired = shadow.and_then(crate::service::Shadow::desired);
                let desired = leaves(desired.as_deref().unwrap_or("{}"));
                actor.looked = Some(u64::MAX);
                actor.model.documents_replaced(&desired);
            }
        }
        Ok(())
    }

    fn value(&mut self) -> u64 {
        self.value += 1;
        self.value
    }

    /// A device's actor, unless it has no power.
    fn awake(&mut self, index: usize) -> Option<&mut Actor> {
        let actor = self.actors.get_mut(index)?;
        (!self.simulation.is_dark(actor.id)).then_some(actor)
    }

    fn desire(&mut self, index: usize, values: &[(Key, Option<u64>)]) {
        let Some(actor) = self.actors.get_mut(index) else {
            return;
        };
        let patch = patch(values.iter().copied()).to_string();
        if self.simulation.set_desired(&actor.name, &patch).is_ok() {
            for (key, value) in values {
                actor.model.desired(*key, *value);
            }
        }
    }

    /// Makes a request; one that is refused changes nothing.
    fn request(
        &mut self,
        index: usize,
        asked: Asked,
        make: impl FnOnce(
            &mut shadow_core::Engine,
            Instant,
            ShadowId,
        ) -> Result<RequestId, RequestError>,
    ) -> Result<bool, Violation> {
        let Some(actor) = self.awake(index) else {
            return Ok(false);
        };
        let (id, shadow) = (actor.id, actor.shadow);
        let made = self
            .simulation
            .with(id, |engine, now| make(engine, now, shadow));
        let refusal = made.as_ref().err();
        let expected = matches!(
            refusal,
            None | Some(RequestError::TooManyRequests { .. } | RequestError::QueueFull { .. })
        );
        self.checks.that(Invariant::Bounds, expected, || {
            format!("a request was refused: {refusal:?}")
        })?;
        let (Ok(request), Some(actor)) = (made, self.actors.get_mut(index)) else {
            return Ok(false);
        };
        actor.model.asked(&mut self.checks, request, asked)?;
        Ok(true)
    }

    fn report(&mut self, index: usize, values: &[(Key, Option<u64>)]) -> Result<(), Violation> {
        let Some(actor) = self.awake(index) else {
            return Ok(());
        };
        let before = actor.model.clone();
        let said = said(&mut actor.model, values);
        let asked = Asked::Report(said);
        let patch = patch(values.iter().copied());
        let made = self.request(index, asked, |engine, now, shadow| {
            engine.report(now, shadow, &patch)
        })?;
        self.take_back(index, made, before);
        Ok(())
    }

    fn report_again(&mut self, index: usize, leaves: Vec<(Key, usize)>) -> Result<(), Violation> {
        let asked = Asked::Report(leaves);
        self.request(index, asked, |engine, now, shadow| {
            engine.report(now, shadow, &serde_json::json!({}))
        })?;
        Ok(())
    }

    /// What was refused was never said.
    fn take_back(&mut self, index: usize, made: bool, before: Model) {
        if !made && let Some(actor) = self.actors.get_mut(index) {
            actor.model = before;
        }
    }

    fn update(&mut self, index: usize, key: Key, checked: bool) -> Result<(), Violation> {
        let value = self.value();
        let Some(actor) = self.awake(index) else {
            return Ok(());
        };
        let before = actor.model.clone();
        let version = actor.heard.filter(|_| checked);
        actor.model.said(key, Some(value), true);
        let mut update = Update::new().reported(patch([(key, Some(value))]));
        if let Some(version) = version {
            update = update.version(version);
        }
        let asked = Asked::Update(value);
        let made = self.request(index, asked, |engine, now, shadow| {
            engine.update(now, shadow, &update)
        })?;
        self.take_back(index, made, before);
        Ok(())
    }

    fn publish(&mut self, index: usize, qos: u8) -> Result<(), Violation> {
        let Some(actor) = self.awake(index) else {
            return Ok(());
        };
        let topic = format!(
            "{}/{}/data",
            actor.name.product_id(),
            actor.name.device_name()
        );
        let qos = qos.min(2);
        self.request(index, Asked::Publish { qos }, |engine, now, _| {
            let quality = QoS::from_number(qos).unwrap_or(QoS::AtMostOnce);
            engine.publish(now, &Publication::new(&topic, b"!").qos(quality))
        })?;
        Ok(())
    }

    fn answer(&mut self, index: usize, delta: &Delta, how: Answer) -> Result<(), Violation> {
        let first = first_member(delta);
        match how {
            Answer::Accept => self.accept(index, delta),
            Answer::AcceptAs => {
                let wanted = leaves(delta.state.as_str());
                let values: Vec<_> = Key::ALL
                    .into_iter()
                    .zip(wanted)
                    .filter(|(_, value)| value.is_some())
                    .map(|(key, _)| (key, Some(self.value())))
                    .collect();
                self.accept_as(index, delta, &values)
            }
            Answer::Reject => self.reject(index, delta),
            Answer::Partial => {
                self.accept(index, &delta.only(&[first.as_str()]))?;
                let rest = delta.without(&[first.as_str()]);
                match rest.state.as_str() {
                    "{}" => Ok(()),
                    _ => self.reject(index, &rest),
                }
            }
            Answer::First => {
                let rest = delta.without(&[first.as_str()]);
                if rest.state.as_str() != "{}"
                    && let Some(actor) = self.actors.get_mut(index)
                {
                    actor.deltas.push_back(rest);
                }
                self.accept(index, &delta.only(&[first.as_str()]))
            }
            Answer::Ignore => Ok(()),
        }
    }

    fn accept(&mut self, index: usize, delta: &Delta) -> Result<(), Violation> {
        let values = leaves(delta.state.as_str());
        let values: Vec<_> = Key::ALL
            .into_iter()
            .zip(values)
            .filter(|(_, value)| value.is_some())
            .collect();
        self.accept_with(index, delta, &values, |engine, now, delta| {
            engine.accept(now, delta)
        })
    }

    fn accept_as(
        &mut self,
        index: usize,
        delta: &Delta,
        values: &[(Key, Option<u64>)],
    ) -> Result<(), Violation> {
        let patch = patch(values.iter().copied());
        self.accept_with(index, delta, values, |engine, now, delta| {
            engine.accept_as(now, delta, &patch)
        })
    }

    fn accept_with(
        &mut self,
        index: usize,
        delta: &Delta,
        values: &[(Key, Option<u64>)],
        accept: impl FnOnce(
            &mut shadow_core::Engine,
            Instant,
            &Delta,
        ) -> Result<RequestId, RequestError>,
    ) -> Result<(), Violation> {
        let Some(actor) = self.awake(index) else {
            return Ok(());
        };
        let before = actor.model.clone();
        let said = said(&mut actor.model, values);
        actor.model.answered(&leaves(delta.state.as_str()));
        let asked = Asked::Report(said);
        let made = self.request(index, asked, |engine, now, _| accept(engine, now, delta))?;
        self.answer_later(index, made, delta);
        self.take_back(index, made, before);
        Ok(())
    }

    fn reject(&mut self, index: usize, delta: &Delta) -> Result<(), Violation> {
        let values = leaves(delta.state.as_str());
        let Some(actor) = self.awake(index) else {
            return Ok(());
        };
        let before = actor.model.clone();
        actor.model.answered(&values);
        let asked = Asked::Reject(values);
        let made = self.request(index, asked, |engine, now, _| {
            engine.reject(now, delta, "not today")
        })?;
        self.answer_later(index, made, delta);
        self.take_back(index, made, before);
        Ok(())
    }

    fn answer_later(&mut self, index: usize, made: bool, delta: &Delta) {
        if !made && let Some(actor) = self.actors.get_mut(index) {
            actor.deltas.push_front(delta.clone());
        }
    }

    /// What holds at any time, in every state.
    fn check(&mut self) -> Result<(), Violation> {
        for actor in &self.actors {
            if self.simulation.is_dark(actor.id) {
                continue;
            }
            let engine = self.simulation.engine(actor.id);
            if !engine.has_output() {
                let (engine_says, open) = (engine.open_requests(), actor.model.open.len());
                self.checks
                    .that(Invariant::EndsOnce, engine_says == open, || {
                        format!("{engine_says} requests are open, and should be {open}")
                    })?;
            }
            let most = engine.config().maximum_requests;
            let (reports, others) = actor.model.open_by_kind();
            let bounded = others <= most && reports <= most + REPORTS_APART;
            self.checks.that(Invariant::Bounds, bounded, || {
                format!("{reports} reports and {others} other requests are open, at most {most}")
            })?;
            let copy = leaves(engine.reported(actor.shadow).unwrap_or("{}"));
            actor.model.copy_is(&mut self.checks, &copy)?;
        }
        Ok(())
    }

    /// Lifts all faults and waits until everything is at rest.
    fn rest(&mut self) -> Result<(), Violation> {
        self.simulation.lift();
        let begin = self.simulation.now();
        // Whoever has a dead link has to notice it.
        self.run_until(begin + self.patience)?;
        let mut step = Duration::from_secs(1);
        loop {
            for index in 0..self.actors.len() {
                let pending = self.actors.get(index).map_or(0, |actor| actor.deltas.len());
                for _ in 0..pending {
                    let delta = self
                        .actors
                        .get_mut(index)
                        .and_then(|a| a.deltas.pop_front());
                    if let Some(delta) = delta {
                        self.answer(index, &delta, Answer::Accept)?;
                    }
                }
            }
            self.run_for(step)?;
            for index in 0..self.actors.len() {
                // With Strict nobody sends again what was refused, and who had it sent may have
                // cancelled the request that would have told.
                let waits = self.actors.get(index).is_some_and(|actor| {
                    let engine = self.simulation.engine(actor.id);
                    actor.model.is_strict()
                        && actor.model.open.is_empty()
                        && engine.is_online()
                        && !engine.is_synchronized(actor.shadow)
                });
                if waits {
                    self.report_again(index, Vec::new())?;
                }
            }
            if self.actors.iter().all(|actor| self.is_at_rest(actor)) {
                break;
            }
            let waited = self.simulation.now().saturating_since(begin);
            self.checks
                .that(Invariant::Rest, waited < LONGEST_REST, || {
                    let states = self.actors.iter().map(|actor| {
                        let engine = self.simulation.engine(actor.id);
                        let (online, synchronized) =
                            (engine.is_online(), engine.is_synchronized(actor.shadow));
                        let (open, deltas) = (&actor.model.open, actor.deltas.len());
                        format!(
                            "online {online}, in step {synchronized}, {open:?}, {deltas} deltas"
                        )
                    });
                    states.collect::<Vec<_>>().join("; ")
                })?;
            step = (step * 2).min(Duration::from_secs(60));
        }
        self.rests += 1;
        for index in 0..self.actors.len() {
            self.look(index)?;
            if let Some(actor) = self.actors.get_mut(index) {
                let (reported, desired) = (actor.reported, actor.desired);
                actor.model.rests(&mut self.checks, &reported, &desired)?;
            }
        }
        Ok(())
    }

    fn is_at_rest(&self, actor: &Actor) -> bool {
        let engine = self.simulation.engine(actor.id);
        engine.is_online()
            && engine.is_synchronized(actor.shadow)
            && actor.model.open.is_empty()
            && actor.deltas.is_empty()
    }
}

/// Has a model remember what the device says; returns where.
fn said(model: &mut Model, values: &[(Key, Option<u64>)]) -> Vec<(Key, usize)> {
    let say = |(key, value): &(Key, Option<u64>)| (*key, model.said(*key, *value, false));
    values.iter().map(say).collect()
}

/// The first member of a delta's state.
fn first_member(delta: &Delta) -> String {
    let text = delta.state.as_str();
    text.split('"').nth(1).unwrap_or_default().to_owned()
}

fn device(number: u8) -> DeviceInfo {
    let name = format!("device{number}");
    DeviceInfo::with_key("EXAMPLE001", &name, "c2VjcmV0").expect("within the vendor's limits")
}

fn latency(setup: &Setup) -> Latency {
    let (to_cloud, to_device) = setup.latency;
    Latency {
        to_cloud: Duration::from_millis(to_cloud.into()),
        to_device: Duration::from_millis(to_device.into()),
    }
}

fn cloud(setup: &Setup, devices: &[DeviceInfo], now: Instant) -> Cloud {
    let known = devices.iter().cloned().map(KnownDevice::new).collect();
    let config = CloudConfig {
        server: ServerConfig {
            credentials: Credentials::Devices(known),
            ..ServerConfig::default()
        },
        service: ServiceConfig {
            delta_push: match setup.push_changes {
                true => DeltaPush::Changes,
                false => DeltaPush::Whole,
            },
            count_unchanged: setup.count_unchanged,
            ..ServiceConfig::default()
        },
    };
    Cloud::new(config, now, WALL)
}

fn config(setup: &Setup, device: &DeviceInfo) -> Config {
    let mut config = Config::new(device);
    config.shadow_qos = QoS::from_number(setup.qos).unwrap_or(QoS::AtLeastOnce);
    config.clean_session = setup.clean_session;
    config.keep_alive = setup.keep_alive;
    config.version_policy = match setup.policy {
        Policy::Unchecked => VersionPolicy::Unchecked,
        Policy::Strict => VersionPolicy::Strict,
        Policy::Rebase { tries } => VersionPolicy::Rebase { tries },
    };
    if setup.narrow {
        config.maximum_requests = 4;
        config.maximum_queued_bytes = 700;
        config.maximum_in_flight = 2;
        config.maximum_events = 3;
    }
    config
}
