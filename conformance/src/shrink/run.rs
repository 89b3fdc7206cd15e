//! Runs a case through an engine, as a driver would.

use std::collections::BTreeMap;

use shadow_core::mqtt::ProtocolVersion;
use shadow_core::recording::{Input, Recorder, Request};
use shadow_core::{Event, Instant, RequestId, ShadowId};

use super::cause::{Asked, Case, Cause, How, Poll, Received, Stage, What};
use super::lift::{accepts_login, request_id, shadow_id};
use super::note::{Fields, Matching, note_of_delta};
use super::rewrite::{with_id, with_token, with_version};
use super::tape::{Run, Tape, is_input};
use super::version::{Counted, Counts};

/// The step of ticks that the recording does not have.
const TICK: u32 = u32::MAX;

/// How often time may pass to a deadline of which the recording knows nothing, for each of its
/// causes, and in any case.
const TICKS_PER_CAUSE: usize = 16;
const LEAST_TICKS: usize = 10_000;

/// How many deadlines may go by until a connection is asked for.
const TICKS_PER_CONNECT: usize = 64;

/// Runs a case.
pub(super) fn run(case: &Case) -> Run {
    Player::new(case).play(None)
}

/// Runs a case as it was recorded, and keeps for each cause how late it came.
pub(super) fn measure(case: &mut Case) -> Run {
    let mut lateness = Vec::with_capacity(case.causes.len());
    let run = Player::new(case).play(Some(&mut lateness));
    for (cause, lateness) in case.causes.iter_mut().zip(lateness) {
        cause.lateness = lateness;
    }
    run
}

struct Player<'c> {
    case: &'c Case,
    version: ProtocolVersion,
    engine: Recorder<Tape>,
    buffer: Vec<u8>,
    /// How many lines of the tape were looked at.
    read: usize,
    /// When the engine last got something, and when it gets the next.
    now: u64,
    due: u64,
    matching: Matching<'c>,
    counts: Counts,
    /// Where each cause is in the case.
    index: Vec<Option<u32>>,
    stage: Stage,
    link: u32,
    /// Bytes that go in together, the step that they are of, and when.
    chunk: Option<(u32, u64, Vec<u8>)>,
    /// The packet of which only a part has gone in.
    partial: Option<Partial>,
    accepted: Option<u64>,
    requests: BTreeMap<u32, RequestId>,
    shadows: BTreeMap<u32, ShadowId>,
    inputs: usize,
    ticks: usize,
    endless: bool,
}

struct Partial {
    of: u32,
    bytes: Vec<u8>,
    given: usize,
    version: Option<Counted>,
}

impl<'c> Player<'c> {
    fn new(case: &'c Case) -> Player<'c> {
        let start = &case.start.1;
        let engine = Recorder::new(
            start.config.clone(),
            start.session.clone(),
            start.seed,
            case.from,
            case.mask,
            Tape::default(),
        );
        let mut index = vec![None; case.ids];
        for (place, cause) in (0..).zip(&case.causes) {
            if let Some(index) = index.get_mut(cause.id as usize) {
                *index = Some(place);
            }
        }
        Player {
            case,
            version: start.config.protocol_version,
            engine,
            buffer: Vec::new(),
            read: 2,
            now: case.from.as_micros(),
            due: case.from.as_micros(),
            matching: Matching::new(&case.notes),
            counts: Counts::new(case.recorded_versions),
            index,
            stage: Stage::None,
            link: 0,
            chunk: None,
            partial: None,
            accepted: None,
            requests: BTreeMap::new(),
            shadows: BTreeMap::new(),
            inputs: 0,
            ticks: 0,
            endless: false,
        }
    }

    fn play(mut self, mut lateness: Option<&mut Vec<u64>>) -> Run {
        let mut used = Vec::with_capacity(self.case.causes.len());
        for cause in &self.case.causes {
            self.due = self.due.saturating_add(cause.delay);
            if !(cause.joined && self.chunk.is_some()) {
                self.flush();
                self.poll(cause.polls.as_deref());
                if lateness.is_none() {
                    let until = self.due.saturating_sub(cause.lateness);
                    self.wait(cause.polls.is_some(), |_, at| at < until);
                }
            }
            if let Some(lateness) = &mut lateness {
                let deadline = self.engine.poll_deadline();
                let late = deadline.map(|deadline| deadline.at.as_micros());
                lateness.push(late.map_or(0, |at| self.due.saturating_sub(at)));
            }
            let fed = self.feed(cause);
            self.inputs += usize::from(fed);
            used.push(fed);
            if self.endless {
                break;
            }
        }
        self.flush();
        self.poll(None);
        used.resize(self.case.causes.len(), false);
        let tape = self.engine.sink_mut().map(std::mem::take);
        let tape = tape.unwrap_or_default();
        Run {
            text: tape.text,
            marks: tape.marks,
            used,
            inputs: self.inputs + self.ticks,
            ticks: self.ticks,
            endless: self.endless,
        }
    }

    fn instant(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    /// Ticks at the next deadlines, as long as that is wanted.
    fn wait(&mut self, pending: bool, wanted: impl Fn(&Self, u64) -> bool) {
        let mut last = None;
        while let Some(deadline) = self.engine.poll_deadline() {
            let at = deadline.at.as_micros();
            if !wanted(self, at) || last == Some(deadline) {
                return;
            }
            if self.ticks >= LEAST_TICKS.max(self.case.causes.len() * TICKS_PER_CAUSE) {
                self.endless = true;
                return;
            }
            last = Some(deadline);
            self.ticks += 1;
            self.apply(TICK, at, &Input::Tick);
            if pending {
                while self.transmit() {}
            } else {
                self.poll(None);
            }
        }
    }

    /// Lets time pass until the engine asks for a connection, if it is to do so. What follows, follows
    /// later.
    fn wait_for_connect(&mut self) {
        if self.stage == Stage::None {
            let limit = self.ticks + TICKS_PER_CONNECT;
            self.wait(false, |this, _| {
                this.stage == Stage::None && this.ticks < limit
            });
            self.due = self.due.max(self.now);
        }
    }

    /// Polls what was polled, or everything.
    fn poll(&mut self, polls: Option<&[Poll]>) {
        match polls {
            Some(polls) => {
                for poll in polls {
                    match poll {
                        Poll::Transmit => drop(self.transmit()),
                        Poll::Event => drop(self.event()),
                    }
                }
            }
            None => loop {
                while self.transmit() {}
                while self.event() {}
                if !self.engine.has_output() {
                    return;
                }
            },
        }
    }

    fn transmit(&mut self) -> bool {
        self.buffer.clear();
        let now = self.instant();
        let polled = self.engine.poll_transmit(now, &mut self.buffer).is_some();
        self.read_tape();
        polled
    }

    fn event(&mut self) -> bool {
        let Some(event) = self.engine.poll_event() else {
            return false;
        };
        self.read_tape();
        if let Event::Delta(delta) = &event {
            let step = self.step();
            self.matching.push(step, note_of_delta(delta));
        }
        true
    }

    /// The step that outputs are of.
    fn step(&mut self) -> Option<u32> {
        let step = self.engine.sink_mut().map(|tape| tape.step);
        step.filter(|step| *step != TICK)
    }

    fn apply(&mut self, step: u32, at: u64, input: &Input) {
        self.now = self.now.max(at);
        if let Some(tape) = self.engine.sink_mut() {
            tape.next = step;
        }
        let now = self.instant();
        input.apply(now, &mut self.engine);
        self.read_tape();
    }

    /// Takes note of what the tape has got.
    fn read_tape(&mut self) {
        let Some(tape) = self.engine.sink_mut() else {
            return;
        };
        let new = tape.marks.get(self.read..).unwrap_or_default();
        self.read = tape.marks.len();
        for mark in new {
            let line = tape.text.get(mark.start..).unwrap_or_default();
            let line = line.split('\n').next().unwrap_or_default();
            // Events need not be read: they are had as what they are.
            let Some(fields) = (!is_input(line) && !line.contains(",\"out\":\"event\","))
                .then(|| Fields::read(line))
                .flatten()
            else {
                continue;
            };
            match &*fields.out {
                "accepted" => {
                    self.accepted = fields.request.or(fields.shadow.map(u64::from));
                }
                "connect" => self.stage = Stage::Asked,
                "close" => {
                    self.stage = Stage::None;
                    self.partial = None;
                }
                _ => {}
            }
            if let Some(mut note) = fields.note() {
                note.link = self.link;
                let step = Some(mark.step).filter(|step| *step != TICK);
                self.matching.push(step, note);
            }
        }
    }

    /// Gives the bytes that go in together.
    fn flush(&mut self) {
        if let Some((step, at, bytes)) = self.chunk.take() {
            self.apply(step, at, &Input::Bytes(bytes));
        }
    }

    /// Gives a cause to the engine, unless there is no longer what it refers to.
    fn feed(&mut self, cause: &Cause) -> bool {
        let step = cause.step;
        match &*cause.what {
            What::Plain(input) => self.apply(step, self.due, input),
            What::Connected { asked } => {
                if *asked {
                    self.wait_for_connect();
                    if self.stage != Stage::Asked {
                        return false;
                    }
                    self.stage = Stage::Up;
                    self.link += 1;
                }
                self.apply(step, self.due, &Input::Connected);
            }
            What::Disconnected { failure, stage } => {
                if *stage == Stage::Asked {
                    self.wait_for_connect();
                }
                let fits = match stage {
                    Stage::None => true,
                    Stage::Asked => self.stage == Stage::Asked,
                    Stage::Up | Stage::LoggedIn => self.stage >= Stage::Up,
                };
                if !fits {
                    return false;
                }
                self.stage = Stage::None;
                self.partial = None;
                self.apply(step, self.due, &Input::Disconnected(failure.clone()));
            }
            What::Packet(packet) => {
                let whole = match self.partial.take() {
                    Some(partial) if partial.of == cause.id => {
                        let rest = partial.bytes.get(partial.given..).unwrap_or_default();
                        self.give(step, rest);
                        self.tell(partial.version);
                        if accepts_login(&partial.bytes) {
                            self.stage = self.stage.max(Stage::LoggedIn);
                        }
                        return true;
                    }
                    _ => self.encode(packet),
                };
                let Some((bytes, version)) = whole else {
                    return false;
                };
                self.give(step, &bytes);
                self.tell(version);
                if accepts_login(&bytes) && self.stage == Stage::Up {
                    self.stage = Stage::LoggedIn;
                }
            }
            What::Head { of, length } => return self.feed_head(step, *of, *length),
            What::Raw { bytes, stage } => {
                if self.stage < *stage {
                    return false;
                }
                self.give(step, bytes);
            }
            What::Request(asked) => {
                let Some(request) = self.request(asked) else {
                    return false;
                };
                self.accepted = None;
                self.apply(step, self.due, &Input::Request(request));
                if let Some(number) = self.accepted.take() {
                    if let Request::Attach(_) = asked.request {
                        let shadow = u32::try_from(number).ok().and_then(shadow_id);
                        self.shadows.extend(shadow.map(|shadow| (cause.id, shadow)));
                    } else {
                        let request = request_id(number);
                        self.requests
                            .extend(request.map(|request| (cause.id, request)));
                    }
                }
            }
        }
        true
    }

    fn give(&mut self, step: u32, bytes: &[u8]) {
        let due = self.due;
        let (_, _, chunk) = self.chunk.get_or_insert_with(|| (step, due, Vec::new()));
        chunk.extend_from_slice(bytes);
    }

    /// All of a packet was given: the version that it told is known.
    fn tell(&mut self, version: Option<Counted>) {
        if let Some(version) = version {
            self.counts.tell(version);
        }
    }

    /// Gives the beginning of a packet, if the packet is to come.
    fn feed_head(&mut self, step: u32, of: u32, length: usize) -> bool {
        if self.partial.as_ref().is_none_or(|partial| partial.of != of) {
            let place = self.index.get(of as usize).copied().flatten();
            let cause = place.and_then(|place| self.case.causes.get(place as usize));
            let Some(What::Packet(packet)) = cause.map(|cause| &*cause.what) else {
                return false;
            };
            let Some((bytes, version)) = self.encode(packet) else {
                return false;
            };
            self.partial = Some(Partial {
                of,
                bytes,
                given: 0,
                version,
            });
        }
        let Some(mut partial) = self.partial.take() else {
            return false;
        };
        // It may have become shorter, and must not be complete.
        let end = length.min(partial.bytes.len().saturating_sub(1));
        let given = partial.given;
        partial.given = end.max(given);
        if let Some(bytes) = partial.bytes.get(given..end).filter(|new| !new.is_empty()) {
            self.give(step, bytes);
        }
        let any = partial.given > given;
        if partial.given > 0 {
            self.partial = Some(partial);
        }
        any
    }

    /// A packet as the peer would send it now; `None` if it would not.
    fn encode(&mut self, packet: &Received) -> Option<(Vec<u8>, Option<Counted>)> {
        if self.stage < packet.stage {
            return None;
        }
        if let Some(subscription) = packet.subscription
            && !self.matching.has_met(subscription)
        {
            return None;
        }
        let note = match &packet.answer {
            Some(answer) => Some((self.matching.find(answer.to)?, &answer.how)),
            None => None,
        };
        let carried = note.and_then(|(note, _)| note.version);
        let counted = match &packet.version {
            Some(version) => Some(self.counts.count(version, carried)?),
            None => None,
        };
        let bytes = match counted {
            Some(counted) => with_version(&packet.bytes, counted.version, self.version)?,
            None => packet.bytes.clone(),
        };
        let link = self.link;
        let bytes = match note {
            None => bytes,
            Some((note, How::Link)) => (note.link == link).then_some(bytes)?,
            Some((note, How::Id)) if note.link != link => return None,
            Some((note, How::Id)) => with_id(&bytes, note.id?, self.version)?,
            Some((note, How::Token(old))) => {
                with_token(&bytes, old, note.token.as_ref()?, self.version)?
            }
        };
        Some((bytes, counted))
    }

    /// A request with the ids of now; `None` if there is no longer what it is about.
    fn request(&mut self, asked: &Asked) -> Option<Request> {
        let mut request = asked.request.clone();
        if let Some(attach) = asked.shadow {
            let now = *self.shadows.get(&attach)?;
            match &mut request {
                Request::Get(shadow)
                | Request::Detach(shadow)
                | Request::Update { shadow, .. }
                | Request::Report { shadow, .. }
                | Request::SetNextToken { shadow, .. } => *shadow = now,
                Request::Accept(delta)
                | Request::AcceptAs { delta, .. }
                | Request::Reject { delta, .. } => delta.shadow = now,
                _ => {}
            }
        }
        if let Some(about) = asked.about {
            let now = *self.requests.get(&about)?;
            if let Request::Cancel(request) | Request::SetTimeout { request, .. } = &mut request {
                *request = now;
            }
        }
        if let Some(asked) = &asked.version
            && let Request::Update { version, .. } = &mut request
        {
            *version = Some(self.counts.count(asked, None)?.version);
        }
        if let Some(told) = asked.told {
            let now = self.matching.find(told.note)?.delta.as_ref()?;
            if let Request::Accept(delta)
            | Request::AcceptAs { delta, .. }
            | Request::Reject { delta, .. } = &mut request
            {
                // It can be that of another shadow, where the delta itself was not told.
                if delta.shadow != now.shadow {
                    return None;
                }
                if told.whole {
                    delta.state = now.state.clone();
                }
                delta.origin = now.origin;
                delta.version = now.version;
                delta.redelivered = now.redelivered;
            }
        }
        Some(request)
    }
}
