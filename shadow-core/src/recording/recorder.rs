//! An engine that is written down.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;
use core::time::Duration;

use serde::Serialize;

use super::input::{Input, Part, Request};
use super::line::{Direction, Line};
use super::mask::Twin;
use super::{Header, Mask, Sink, configuration, event, packet};
use crate::config::Config;
use crate::engine::{Deadline, Engine};
use crate::event::{Delta, Event};
use crate::mqtt::QoS;
use crate::mqtt::link::{Publication, Transmit, TransportFailure};
use crate::request::{RequestError, RequestId, ShadowId};
use crate::session::Session;
use crate::tencent::{ShadowName, Update};
use crate::time::{Instant, WallTime};

/// An [`Engine`] whose inputs and outputs are recorded, or are not.
///
/// It has the engine's methods, with the same effects; what the engine only tells is reached through
/// `Deref`. Drive it as an engine. [Off](Recorder::off) it writes and allocates nothing, and costs
/// a comparison a call: less than a hundredth of an exchange (`examples/record_cost.rs` tells).
///
/// What is written, line by line, is told by the [module](super). An input is written before the
/// engine gets it, so that the recording of an engine that panics ends with what made it.
///
/// Under a [`Mask`] that hides more than secrets it has a second engine, whose inputs are masked, and
/// records that one. All that its methods return, and `Deref`, are of the first.
pub struct Recorder<S> {
    engine: Engine,
    record: Record<S>,
}

/// Where the lines come from.
enum Record<S> {
    /// There are none.
    Off,
    /// From the engine.
    Tape(Tape<S>),
    /// From a second one, where something is masked.
    Twin(Box<Twin<S>>),
}

impl<S> Record<S> {
    const fn tape(&mut self) -> Option<&mut Tape<S>> {
        match self {
            Record::Tape(tape) => Some(tape),
            Record::Off | Record::Twin(_) => None,
        }
    }

    const fn twin(&mut self) -> Option<&mut Box<Twin<S>>> {
        match self {
            Record::Twin(twin) => Some(twin),
            Record::Off | Record::Tape(_) => None,
        }
    }
}

impl<S: Sink> Record<S> {
    fn finish(self) -> Option<S> {
        match self {
            Record::Off => None,
            Record::Tape(tape) => Some(tape.sink),
            Record::Twin(twin) => twin.finish(),
        }
    }
}

/// What a recorder that is on has beside the engine.
struct Tape<S> {
    sink: S,
    line: Line,
    /// The time of the last line.
    at: Instant,
    /// The latest time that the engine was given. A poll that gave nothing leaves no line, so what
    /// has no time of its own is written with that of the line before: a replay knows no other.
    seen: Instant,
    /// The deadline last written.
    deadline: Option<Deadline>,
}

impl<S: Sink> Recorder<S> {
    /// Makes an engine as [`Engine::new`] does, and records it from the start.
    ///
    /// A mask that was [read](Header::parse) has no key: it is written down and masks nothing, which
    /// is what a replay of a masked recording needs.
    pub fn new(
        config: Config,
        session: Session,
        seed: u64,
        now: Instant,
        mask: Mask,
        sink: S,
    ) -> Recorder<S> {
        let mut sink = match Twin::new(&config, &session, seed, now, mask, sink) {
            Ok(twin) => {
                return Recorder {
                    engine: Engine::new(config, session, seed, now),
                    record: Record::Twin(Box::new(twin)),
                };
            }
            Err(sink) => sink,
        };
        let mut line = Line::default();
        let header = Header {
            mask,
            ..Header::default()
        };
        sink.line(&header.to_line());
        line.begin(now, Direction::In, "start")
            .number("seed", seed)
            .json("config", &configuration::to_json(&config));
        if session == Session::new() {
            line.null("session");
        } else {
            line.json("session", &session.to_json());
        }
        sink.line(line.end());
        Recorder {
            engine: Engine::new(config, session, seed, now),
            record: Record::Tape(Tape {
                sink,
                line,
                at: now,
                seen: now,
                deadline: None,
            }),
        }
    }

    /// Wraps an engine without recording it.
    #[must_use]
    pub const fn off(engine: Engine) -> Recorder<S> {
        Recorder {
            engine,
            record: Record::Off,
        }
    }

    /// Whether it records.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        !matches!(self.record, Record::Off)
    }

    /// The one question that a method on the way of messages asks before it leaves them to the
    /// engine: with more between, an exchange took 267 instructions more than without a recorder.
    const fn is_off(&self) -> bool {
        !self.is_on()
    }

    /// Where the lines go, if they go anywhere.
    pub fn sink_mut(&mut self) -> Option<&mut S> {
        match &mut self.record {
            Record::Off => None,
            Record::Tape(tape) => Some(&mut tape.sink),
            Record::Twin(twin) => twin.sink_mut(),
        }
    }

    /// Gives up the engine for what survives it ([`Engine::into_session`]), ends the recording and
    /// gives back its sink.
    pub fn finish(mut self) -> (Session, Option<S>) {
        self.note_end();
        let sink = self.record.finish();
        (self.engine.into_session(), sink)
    }

    /// Ends the recording and gives back its sink, if it was on; the engine goes on unrecorded.
    pub fn stop(&mut self) -> Option<S> {
        self.note_end();
        core::mem::replace(&mut self.record, Record::Off).finish()
    }

    /// Gives back the engine, which goes on unrecorded; the recording stays without an end.
    #[must_use]
    pub fn into_engine(self) -> Engine {
        self.engine
    }

    /// Gives up the engine for what survives it, and ends the recording.
    #[must_use]
    pub fn into_session(self) -> Session {
        self.finish().0
    }

    /// [`Engine::handle_wall_time`].
    pub fn handle_wall_time(&mut self, now: Instant, wall: WallTime) {
        self.beside(now, || Input::WallTime(wall));
        self.input(now, "wall", |line| {
            line.number("unix_ms", wall.as_unix_millis())
        });
        self.engine.handle_wall_time(now, wall);
    }

    /// [`Engine::handle_connected`].
    pub fn handle_connected(&mut self, now: Instant) {
        self.beside(now, || Input::Connected);
        self.input(now, "connected", |line| line);
        self.engine.handle_connected(now);
    }

    /// [`Engine::handle_bytes`].
    #[inline]
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        if self.is_off() {
            self.engine.handle_bytes(now, bytes);
        } else if !bytes.is_empty() {
            self.handle_received(now, bytes);
        }
    }

    /// As [`Recorder::handle_bytes`], and as [`Engine::handle_received`] where there are none.
    pub(crate) fn handle_received(&mut self, now: Instant, bytes: &[u8]) {
        self.beside(now, || Input::Bytes(bytes.into()));
        self.input(now, "bytes", |line| line.bytes("bytes", bytes));
        self.engine.handle_received(now, bytes);
    }

    /// [`Engine::handle_disconnected`].
    pub fn handle_disconnected(&mut self, now: Instant, failure: TransportFailure) {
        self.beside(now, || Input::Disconnected(failure.clone()));
        self.input(now, "disconnected", |line| {
            line.string("failure", event::failure_kind(&failure))
                .some_string("why", failure.why())
        });
        self.engine.handle_disconnected(now, failure);
    }

    /// [`Engine::handle_tick`].
    #[inline]
    pub fn handle_tick(&mut self, now: Instant) {
        if self.is_off() {
            return self.engine.handle_tick(now);
        }
        self.beside(now, || Input::Tick);
        self.input(now, "tick", |line| line);
        self.engine.handle_tick(now);
    }

    /// [`Engine::reconnect`].
    pub fn reconnect(&mut self, now: Instant) {
        self.beside(now, || Input::Reconnect);
        self.input(now, "reconnect", |line| line);
        self.engine.reconnect(now);
    }

    /// [`Engine::close`].
    pub fn close(&mut self, now: Instant) {
        self.beside(now, || Input::Close);
        self.input(now, "close", |line| line);
        self.engine.close(now);
    }

    /// [`Engine::cancel`].
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn cancel(&mut self, now: Instant, request: RequestId) -> Result<(), RequestError> {
        self.beside(now, || Input::Request(Request::Cancel(request)));
        self.input(now, "cancel", |line| {
            line.number("request", request.as_u64())
        });
        let result = self.engine.cancel(now, request);
        self.answer(result, |line, ()| line)
    }

    /// [`Engine::set_timeout`].
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn set_timeout(
        &mut self,
        now: Instant,
        request: RequestId,
        timeout: Duration,
    ) -> Result<(), RequestError> {
        self.beside(now, || {
            Input::Request(Request::SetTimeout { request, timeout })
        });
        self.input(now, "set_timeout", |line| {
            line.number("request", request.as_u64())
                .micros("micros", timeout)
        });
        let result = self.engine.set_timeout(now, request, timeout);
        self.answer(result, |line, ()| line)
    }

    /// [`Engine::attach`].
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn attach(&mut self, now: Instant, name: &ShadowName) -> Result<ShadowId, RequestError> {
        self.beside(now, || Input::Request(Request::Attach(name.clone())));
        self.input(now, "attach", |line| {
            line.string("product_id", name.product_id())
                .string("device_name", name.device_name())
        });
        let result = self.engine.attach(now, name);
        self.answer(result, |line, shadow| line.shadow(*shadow))
    }

    /// [`Engine::detach`].
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn detach(&mut self, now: Instant, shadow: ShadowId) -> Result<(), RequestError> {
        self.beside(now, || Input::Request(Request::Detach(shadow)));
        self.input(now, "detach", |line| line.shadow(shadow));
        let result = self.engine.detach(now, shadow);
        self.answer(result, |line, ()| line)
    }

    /// [`Engine::get`].
    ///
    /// # Errors
    ///
    /// Those of the engine.
    #[inline]
    pub fn get(&mut self, now: Instant, shadow: ShadowId) -> Result<RequestId, RequestError> {
        if self.is_off() {
            return self.engine.get(now, shadow);
        }
        self.beside(now, || Input::Request(Request::Get(shadow)));
        self.input(now, "get", |line| line.shadow(shadow));
        let result = self.engine.get(now, shadow);
        self.answer_request(result)
    }

    /// [`Engine::update`].
    ///
    /// # Errors
    ///
    /// Those of the engine.
    #[inline]
    pub fn update<R: Serialize, D: Serialize>(
        &mut self,
        now: Instant,
        shadow: ShadowId,
        update: &Update<R, D>,
    ) -> Result<RequestId, RequestError> {
        if self.is_off() {
            return self.engine.update(now, shadow, update);
        }
        self.beside(now, || {
            Input::Request(Request::Update {
                shadow,
                reported: update.reported_part().map(Part::of),
                desired: update.desired_part().map(Part::of),
                version: update.expected_version(),
                overwrite: update.overwrites(),
            })
        });
        self.input(now, "update", |line| {
            line.shadow(shadow);
            if let Some(reported) = update.reported_part() {
                line.value("reported", reported);
            }
            if let Some(desired) = update.desired_part() {
                line.value("desired", desired);
            }
            line.some_number("version", update.expected_version())
                .flag("overwrite", update.overwrites())
        });
        let result = self.engine.update(now, shadow, update);
        self.answer_request(result)
    }

    /// [`Engine::clear_reported`]: recorded as the update that it is.
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn clear_reported(
        &mut self,
        now: Instant,
        shadow: ShadowId,
    ) -> Result<RequestId, RequestError> {
        self.update(now, shadow, &Update::new().clear_reported())
    }

    /// [`Engine::clear_desired`]: recorded as the update that it is.
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn clear_desired(
        &mut self,
        now: Instant,
        shadow: ShadowId,
    ) -> Result<RequestId, RequestError> {
        self.update(now, shadow, &Update::new().clear_desired())
    }

    /// [`Engine::set_next_token`].
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn set_next_token(&mut self, shadow: ShadowId, number: u64) -> Result<(), RequestError> {
        // It has no time, and neither has the twin's.
        self.beside(Instant::ZERO, || {
            Input::Request(Request::SetNextToken { shadow, number })
        });
        self.timeless_input("set_next_token", |line| {
            line.shadow(shadow).number("number", number)
        });
        let result = self.engine.set_next_token(shadow, number);
        self.answer(result, |line, ()| line)
    }

    /// [`Engine::report`].
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn report<R: Serialize + ?Sized>(
        &mut self,
        now: Instant,
        shadow: ShadowId,
        patch: &R,
    ) -> Result<RequestId, RequestError> {
        if self.is_off() {
            return self.engine.report(now, shadow, patch);
        }
        self.beside(now, || {
            Input::Request(Request::Report {
                shadow,
                reported: Part::of(patch),
            })
        });
        self.input(now, "report", |line| {
            line.shadow(shadow).value("reported", patch)
        });
        let result = self.engine.report(now, shadow, patch);
        self.answer_request(result)
    }

    /// [`Engine::accept`].
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn accept(&mut self, now: Instant, delta: &Delta) -> Result<RequestId, RequestError> {
        self.beside(now, || Input::Request(Request::Accept(delta.clone())));
        self.input(now, "accept", |line| line.delta(delta));
        let result = self.engine.accept(now, delta);
        self.answer_request(result)
    }

    /// [`Engine::accept_as`].
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn accept_as<R: Serialize + ?Sized>(
        &mut self,
        now: Instant,
        delta: &Delta,
        reported: &R,
    ) -> Result<RequestId, RequestError> {
        self.beside(now, || {
            Input::Request(Request::AcceptAs {
                delta: delta.clone(),
                reported: Part::of(reported),
            })
        });
        self.input(now, "accept_as", |line| {
            line.delta(delta).value("reported", reported)
        });
        let result = self.engine.accept_as(now, delta, reported);
        self.answer_request(result)
    }

    /// [`Engine::reject`].
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn reject(
        &mut self,
        now: Instant,
        delta: &Delta,
        reason: &str,
    ) -> Result<RequestId, RequestError> {
        self.beside(now, || {
            Input::Request(Request::Reject {
                delta: delta.clone(),
                reason: reason.into(),
            })
        });
        self.input(now, "reject", |line| {
            line.delta(delta).string("reason", reason)
        });
        let result = self.engine.reject(now, delta, reason);
        self.answer_request(result)
    }

    /// [`Engine::publish`].
    ///
    /// # Errors
    ///
    /// Those of the engine.
    #[inline]
    pub fn publish(
        &mut self,
        now: Instant,
        publication: &Publication<'_>,
    ) -> Result<RequestId, RequestError> {
        if self.is_off() {
            return self.engine.publish(now, publication);
        }
        self.beside(now, || {
            Input::Request(Request::Publish {
                topic: publication.topic.into(),
                payload: publication.payload.into(),
                qos: publication.qos,
                retain: publication.retain,
            })
        });
        self.input(now, "publish", |line| {
            line.string("topic", publication.topic)
                .number("qos", publication.qos.number())
                .flag("retain", publication.retain)
                .payload(publication.payload)
        });
        let result = self.engine.publish(now, publication);
        self.answer_request(result)
    }

    /// [`Engine::subscribe`].
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn subscribe(
        &mut self,
        now: Instant,
        filter: &str,
        qos: QoS,
    ) -> Result<RequestId, RequestError> {
        self.beside(now, || {
            Input::Request(Request::Subscribe {
                filter: filter.into(),
                qos,
            })
        });
        self.input(now, "subscribe", |line| {
            line.string("filter", filter).number("qos", qos.number())
        });
        let result = self.engine.subscribe(now, filter, qos);
        self.answer_request(result)
    }

    /// [`Engine::unsubscribe`].
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn unsubscribe(&mut self, now: Instant, filter: &str) -> Result<RequestId, RequestError> {
        self.beside(now, || Input::Request(Request::Unsubscribe(filter.into())));
        self.input(now, "unsubscribe", |line| line.string("filter", filter));
        let result = self.engine.unsubscribe(now, filter);
        self.answer_request(result)
    }

    /// [`Engine::poll_transmit`].
    #[inline]
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<Transmit> {
        if self.is_off() {
            return self.engine.poll_transmit(now, buffer);
        }
        self.write_transmit(now, buffer)
    }

    fn write_transmit(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<Transmit> {
        let Some(tape) = self.record.tape() else {
            let transmit = self.engine.poll_transmit(now, buffer);
            if let Some(twin) = self.record.twin() {
                twin.poll_transmit(now, transmit);
            }
            return transmit;
        };
        tape.see(now);
        // Then it does something although it may give nothing.
        let matters = self.engine.waits_for_room();
        if matters {
            tape.note_deadline(&self.engine);
        }
        let start = buffer.len();
        let transmit = self.engine.poll_transmit(now, buffer);
        match transmit {
            Some(transmit) => {
                let version = self.engine.config().protocol_version;
                let bytes = buffer.get(start..).unwrap_or_default();
                tape.at = tape.seen;
                let Tape { sink, line, at, .. } = tape;
                sink.line(packet::write(line, *at, transmit, bytes, version).end());
            }
            None if matters => {
                tape.at = tape.seen;
                let Tape { sink, line, at, .. } = tape;
                sink.line(line.begin(*at, Direction::In, "poll").end());
            }
            None => {}
        }
        transmit
    }

    /// [`Engine::poll_event`].
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.is_off() {
            return self.engine.poll_event();
        }
        let event = self.engine.poll_event();
        if let (Some(Tape { sink, line, at, .. }), Some(event)) = (self.record.tape(), &event) {
            sink.line(event::write(line, *at, event).end());
        }
        if let Some(twin) = self.record.twin() {
            twin.poll_event(event.as_ref());
        }
        event
    }

    pub(super) fn note_end(&mut self) {
        self.timeless_input("end", |line| line);
    }

    /// Gives the twin an input, if there is one.
    #[inline]
    fn beside(&mut self, now: Instant, input: impl FnOnce() -> Input) {
        if let Some(twin) = self.record.twin() {
            twin.input(now, &self.engine, input());
        }
    }

    /// Writes that this, which is a twin, has just done something else than the other.
    pub(super) fn note_unfaithful(&mut self, what: &str) {
        if let Some(Tape { sink, line, at, .. }) = self.record.tape() {
            let line = line.begin(*at, Direction::Out, "unfaithful");
            sink.line(line.string("what", what).end());
        }
    }

    /// Writes the deadline that was in force until now, and then an input.
    fn input(
        &mut self,
        now: Instant,
        kind: &str,
        fields: impl for<'l> FnOnce(&'l mut Line) -> &'l mut Line,
    ) {
        let Some(tape) = self.record.tape() else {
            return;
        };
        tape.note_deadline(&self.engine);
        tape.see(now);
        tape.at = tape.seen;
        tape.write_input(kind, self.engine.has_output(), fields);
    }

    /// The same for an input that comes without a time.
    fn timeless_input(
        &mut self,
        kind: &str,
        fields: impl for<'l> FnOnce(&'l mut Line) -> &'l mut Line,
    ) {
        let Some(tape) = self.record.tape() else {
            return;
        };
        tape.note_deadline(&self.engine);
        tape.write_input(kind, self.engine.has_output(), fields);
    }

    fn answer_request(
        &mut self,
        result: Result<RequestId, RequestError>,
    ) -> Result<RequestId, RequestError> {
        self.answer(result, |line, request| {
            line.number("request", request.as_u64())
        })
    }

    /// Writes how the engine answered a request.
    fn answer<T>(
        &mut self,
        result: Result<T, RequestError>,
        fields: impl for<'l> FnOnce(&'l mut Line, &T) -> &'l mut Line,
    ) -> Result<T, RequestError> {
        if let Some(Tape { sink, line, at, .. }) = self.record.tape() {
            let line = match &result {
                Ok(accepted) => fields(line.begin(*at, Direction::Out, "accepted"), accepted),
                Err(error) => line
                    .begin(*at, Direction::Out, "refused")
                    .display("why", error),
            };
            sink.line(line.end());
        }
        result
    }
}

impl<S: Sink> Tape<S> {
    /// What an engine sees of the time: it never falls.
    fn see(&mut self, now: Instant) {
        self.seen = self.seen.max(now);
    }

    fn write_input(
        &mut self,
        kind: &str,
        pending: bool,
        fields: impl for<'l> FnOnce(&'l mut Line) -> &'l mut Line,
    ) {
        let line = fields(self.line.begin(self.at, Direction::In, kind));
        self.sink.line(line.flag("pending", pending).end());
    }

    fn note_deadline(&mut self, engine: &Engine) {
        let deadline = engine.poll_deadline();
        if deadline == self.deadline {
            return;
        }
        self.deadline = deadline;
        let line = self.line.begin(self.at, Direction::Out, "deadline");
        match deadline {
            None => line.null("due"),
            Some(Deadline { at, timer }) => {
                line.number("due", at.as_micros()).debug("timer", &timer)
            }
        };
        self.sink.line(self.line.end());
    }
}

/// What the engine tells without being changed.
impl<S> Deref for Recorder<S> {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl<S> fmt::Debug for Recorder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("on", &!matches!(self.record, Record::Off))
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}
