//! Runs a script and checks what must hold.

use std::collections::VecDeque;
use std::time::Duration;

use shadow_core::event::{Unmatched, UnmatchedReason};
use shadow_core::recording::Mask;
use shadow_core::tencent::{DeviceInfo, ShadowName, VERSION_CONFLICT};
use shadow_core::{Delta, DisconnectCause, Event, Instant, Outcome, Session, ShadowId};

use super::fault::{Documents, Fault, Restore};
use super::invariant::{Checks, Invariant, Violation};
use super::model::{Asked, Leaves, Model, leaves, requested};
use super::replay::replay;
use super::script::{Answer, KEYS, Key, Script, Step};
use super::stage::{cloud, config, device, latency};
use super::tally::{Failure, Tally};
use super::watch::Watch;
use super::{DeviceId, Simulation};
use crate::server::Message;
use crate::trace::LineKind;

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
    let mut play = Play::new(script, trace, None);
    let played = play.run(script);
    play.end(played)
}

/// The same with every engine recorded, under one of the masks there are, and at the end each
/// recording replayed, which has to give the same again. It takes about twice the time.
///
/// # Errors
///
/// As [`play`]; [`Invariant::Replay`] is one of those that have to hold.
///
/// # Panics
///
/// As [`play`].
pub fn play_and_replay(script: &Script, trace: bool) -> Result<Tally, Box<Failure>> {
    let mask = Mask::keyed([7; 16]);
    let mask = match script.steps.len() % 4 {
        0 => mask,
        1 => mask.names(),
        2 => mask.values(),
        _ => mask.names().values(),
    };
    let mut play = Play::new(script, trace, Some(mask));
    let played = play.run(script).and_then(|()| play.replay());
    play.end(played)
}

/// What the engines of a script were recorded doing, as far as it goes: those of each device in the
/// order of its boots.
///
/// # Panics
///
/// As [`play`].
#[must_use]
pub fn record(script: &Script) -> Vec<Recording> {
    let mut play = Play::new(script, false, Some(Mask::default()));
    // Where it ends is for `play` to say.
    let _ = play.run(script);
    play.take_recordings()
}

/// What one engine of a script was recorded doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The device.
    pub device: ShadowName,
    /// How often its power had been cut before.
    pub boot: usize,
    /// The recording.
    pub text: String,
}

/// The trace of a script, as far as it goes.
///
/// # Panics
///
/// As [`play`].
#[must_use]
pub fn trace(script: &Script) -> Vec<String> {
    let mut play = Play::new(script, true, None);
    // Where it ends is for `play` to say.
    let _ = play.run(script);
    play.simulation.take_trace()
}

pub(super) struct Play {
    pub(super) simulation: Simulation,
    pub(super) actors: Vec<Actor>,
    pub(super) checks: Checks,
    step: usize,
    rests: u64,
    /// The last new value. Each is one key's of one device.
    value: u64,
    /// How long it takes at least until a dead link is noticed.
    patience: Duration,
}

/// A device's application, and what stands beside it.
pub(super) struct Actor {
    pub(super) id: DeviceId,
    pub(super) name: ShadowName,
    pub(super) shadow: ShadowId,
    pub(super) model: Model,
    /// Deltas that it was told and has not answered.
    pub(super) deltas: VecDeque<Delta>,
    at_once: Option<Answer>,
    pub(super) written: Written,
    /// The document's version, as it last heard of it.
    pub(super) heard: Option<u64>,
    /// The version that was last looked at in the cloud.
    looked: Option<u64>,
    pub(super) reported: Leaves,
    desired: Leaves,
}

/// The last values that were desired or reported of each key, the latest last; none twice.
#[derive(Default)]
pub(super) struct Written([Vec<u64>; KEYS]);

impl Written {
    /// How many of a key are remembered.
    const REMEMBERED: usize = 4;

    pub(super) fn push(&mut self, values: &[(Key, Option<u64>)]) {
        for (key, value) in values {
            if let (Some(values), Some(value)) = (self.0.get_mut(*key as usize), value) {
                values.retain(|other| other != value);
                if values.len() == Written::REMEMBERED {
                    values.remove(0);
                }
                values.push(*value);
            }
        }
    }

    /// The value that is the last but so many, 1 for the last.
    fn again(&self, key: Key, back: u8) -> Option<u64> {
        let values = self.0.get(key as usize)?;
        let at = values.len().checked_sub(usize::from(back))?;
        values.get(at).copied()
    }
}

/// So many reports of a shadow can be open beyond the bound on requests: what is reported later
/// joins one of them, and is never refused for it.
const REPORTS_APART: usize = 4;

/// How long everything may take to come to rest when nothing is wrong and dead links are noticed:
/// the longest wait of the back-off, ten minutes, and a few round trips and pauses of the engine's.
const LONGEST_REST: Duration = Duration::from_secs(900);

impl Play {
    fn new(script: &Script, trace: bool, recording: Option<Mask>) -> Play {
        let setup = &script.setup;
        let devices: Vec<DeviceInfo> = (0..script.devices.clamp(1, 8)).map(device).collect();
        let mut simulation = Simulation::new(|now| cloud(setup, &devices, now), latency(setup));
        simulation.set_tracing(trace);
        simulation.set_recording(recording);
        simulation.with_cloud(|cloud, _| cloud.record_requests(true));
        simulation.watch();
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
                model: Model::new(setup.policy, setup.clean_session),
                deltas: VecDeque::new(),
                at_once: None,
                written: Written::default(),
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

    /// Replays what was recorded.
    fn replay(&mut self) -> Result<(), Violation> {
        for Recording { device, boot, text } in self.take_recordings() {
            let replayed = replay(&text);
            self.checks
                .that(Invariant::Replay, replayed.is_ok(), || match replayed {
                    Ok(()) => String::new(),
                    Err(divergence) => format!("{device}, boot {boot}, {divergence}"),
                })?;
        }
        Ok(())
    }

    fn take_recordings(&mut self) -> Vec<Recording> {
        let mut recordings = Vec::new();
        for actor in &self.actors {
            let texts = self.simulation.take_recordings(actor.id);
            recordings.extend(texts.into_iter().enumerate().map(|(boot, text)| Recording {
                device: actor.name.clone(),
                boot,
                text,
            }));
        }
        recordings
    }

    fn end(mut self, played: Result<(), Violation>) -> Result<Tally, Box<Failure>> {
        match played {
            Ok(()) => Ok(self.tally()),
            Err(violation) => Err(Box::new(Failure {
                step: self.step,
                violation,
                trace: self.simulation.take_trace(),
            })),
        }
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
        self.simulation
            .note_with(LineKind::Note, || format!("-- {step:?}"));
        match step {
            Step::Wait { millis } => self.run_for(Duration::from_millis((*millis).into()))?,
            Step::Desire {
                device,
                keys,
                again,
            } => {
                let values = self.values(*device, keys, again);
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
                again,
            } => {
                let mut values = self.values(*device, keys, again);
                for (_, value) in &mut values {
                    *value = value.filter(|_| !delete);
                }
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
        self.watch()?;
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

    /// Sees what the server has seen.
    fn watch(&mut self) -> Result<(), Violation> {
        let Watch { messages, offences } = self.simulation.take_watch();
        let offence = offences.first();
        self.checks
            .that(Invariant::Protocol, offence.is_none(), || {
                format!("the server says {offence:?}")
            })?;
        for (client_id, Message { payload, qos, .. }) in messages {
            let simulation = &self.simulation;
            let sender = self
                .actors
                .iter_mut()
                .find(|actor| simulation.engine(actor.id).config().login.client_id() == client_id);
            let value = std::str::from_utf8(&payload)
                .ok()
                .and_then(|text| text.parse().ok());
            if let (Some(actor), Some(value)) = (sender, value) {
                actor.model.delivered(&mut self.checks, value, qos)?;
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
        let model = &mut actor.model;
        model.document_is(&mut self.checks, &actor.reported, &actor.desired)
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
            Event::Disconnected { cause, .. } => {
                let own = matches!(
                    cause,
                    DisconnectCause::Malformed(_)
                        | DisconnectCause::Violation(_)
                        | DisconnectCause::InvalidConnect(_)
                        | DisconnectCause::LimitExceeded(_)
                        | DisconnectCause::AcknowledgementsUnread
                );
                self.checks.that(Invariant::Protocol, !own, || {
                    format!("nobody but the engine can have caused {cause:?}")
                })?;
            }
            Event::UnexpectedAcknowledgement { .. } => {
                self.checks
                    .that(Invariant::Protocol, false, || format!("{event:?}"))?;
            }
            Event::Unmatched(Unmatched { reason, token, .. }) => {
                let holds = match reason {
                    UnmatchedReason::Late | UnmatchedReason::Duplicate => true,
                    // Of the tokens of a run before the last nobody knows any more.
                    UnmatchedReason::Foreign => actor.model.has_begun_again,
                    UnmatchedReason::Tokenless => false,
                };
                self.checks.that(Invariant::Truth, holds, || {
                    format!("a reply with the token {token:?} is called {reason:?}")
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
        let lost = match fault {
            Fault::RestartServer { sessions, .. } => !sessions,
            Fault::SecondClient { clean_session, .. } => *clean_session,
            Fault::PowerCut { restore, .. } => *restore != Restore::Latest,
            _ => false,
        };
        for actor in &mut self.actors {
            actor.model.twice |= lost;
        }
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

    pub(super) fn value(&mut self) -> u64 {
        self.value += 1;
        self.value
    }

    /// What a step writes to these keys.
    fn values(&mut self, index: usize, keys: &[Key], again: &[u8]) -> Vec<(Key, Option<u64>)> {
        let again = again.iter().copied().chain(std::iter::repeat(0));
        let value = |(key, again): (&Key, u8)| {
            let written = self.actors.get(index).map(|actor| &actor.written);
            let old = written.and_then(|written| written.again(*key, again));
            (*key, Some(old.unwrap_or_else(|| self.value())))
        };
        keys.iter().zip(again).map(value).collect()
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
        // Whoever has a dead link has to notice it.
        self.run_for(self.patience)?;
        let begin = self.simulation.now();
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
            let rests = self.actors.iter().all(|actor| self.is_at_rest(actor));
            let waited = self.simulation.now().saturating_since(begin);
            if !rests && waited < LONGEST_REST {
                step = (step * 2).min(Duration::from_secs(60));
                continue;
            }
            self.checks.that(Invariant::Rest, rests, || {
                let states = self.actors.iter().map(|actor| {
                    let engine = self.simulation.engine(actor.id);
                    let (online, synchronized) =
                        (engine.is_online(), engine.is_synchronized(actor.shadow));
                    let (open, deltas) = (&actor.model.open, actor.deltas.len());
                    format!("online {online}, in step {synchronized}, {open:?}, {deltas} deltas")
                });
                states.collect::<Vec<_>>().join("; ")
            })?;
            break;
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
