//! The driver loop.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use async_channel::Sender;
use futures_lite::future::{or, poll_fn, yield_now};
use shadow_core::mqtt::PacketKind;
use shadow_core::recording::{Mask, Recorder};
use shadow_core::{
    DisconnectCause, Engine, Event, Instant, Outcome, RequestError, RequestId, Session, Transmit,
    TransportFailure,
};

use crate::client::{Accepted, Command, Commands, Ender, Ending};
use crate::clock::{Alarm, Clock};
use crate::connector::{Connector, UntrustedPeer};
use crate::events::{EventSender, Notification};
use crate::link::{Link, Outgoing, Progress};
use crate::recording::{RecordedEngine, RecordingSink};
use crate::store::{Durability, Saving, SessionStore};

/// How long the last bytes of a connection may take to leave before they are dropped, and after
/// DISCONNECT how long the server may take to close its direction.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// How many commands are carried out in one turn.
const COMMANDS_PER_TURN: usize = 16;

/// After how many turns in a row that found work waiting the other tasks of the executor get a
/// turn.
const TURNS_PER_POLL: u32 = 32;

/// Runs an engine over a connector's streams and a clock.
///
/// Made by [`client`](crate::client()). It is a loop and no more: carry out what the engine wants
/// of the transport, tell the application, wait for bytes, a command or a deadline, whichever comes
/// first. Every decision is the engine's. It spawns nothing and needs no particular executor.
///
/// Waiting never waits for one thing alone: while a connection is made, a write is stalled or the
/// last bytes leave, commands are taken and deadlines kept. While a write is stalled, packets stay
/// in the engine, which bounds them and can still take them back.
#[must_use = "a driver does nothing until it runs"]
pub struct Driver<C, K> {
    connector: C,
    core: Core<K>,
    origin: Origin,
}

/// What an engine is made of beside its configuration, so that it can be made again.
pub(crate) struct Origin {
    pub(crate) session: Session,
    pub(crate) seed: u64,
    pub(crate) now: Instant,
}

impl<C: Connector, K: Clock> Driver<C, K> {
    pub(crate) fn new(
        engine: Engine,
        origin: Origin,
        connector: C,
        clock: K,
        commands: Commands,
        events: EventSender,
        running: Sender<Infallible>,
    ) -> Driver<C, K> {
        let core = Core {
            engine: Recorder::off(engine),
            clock,
            commands,
            command: None,
            closed: false,
            endings: Vec::new(),
            accepted: Vec::new(),
            events,
            told: Vec::new(),
            saving: None,
            alarm: Alarm::new(),
            answered: false,
            busy_turns: 0,
            _running: running,
        };
        Driver {
            connector,
            core,
            origin,
        }
    }

    /// Has the session stored: once at the start, when it changes, as `durability` says, and at the
    /// end. A save that fails is told as [`Notification::NotStored`] and tried again, a second later
    /// at the earliest; the link goes on.
    ///
    /// Whether what the store holds is what the client was made with is the caller's business.
    pub fn with_store(mut self, store: impl SessionStore, durability: Durability) -> Driver<C, K> {
        self.core.saving = Some(Saving::new(store, durability));
        self
    }

    /// Has everything that goes into the engine and comes out of it recorded, from the very start,
    /// with this masked beside secrets. A sink that fails is told as
    /// [`Notification::NotRecorded`]; the link goes on.
    ///
    /// A recording that has an `end` is whole: it has none when the future of [`Driver::run`] is
    /// dropped before. Called twice, the last call counts.
    pub fn with_recording(mut self, mask: Mask, sink: impl RecordingSink) -> Driver<C, K> {
        let Origin { session, seed, now } = &self.origin;
        // Nobody has asked anything of the engine yet: this is the same one.
        let config = self.core.engine.config().clone();
        let sink: Box<dyn RecordingSink> = Box::new(sink);
        self.core.engine = Recorder::new(config, session.clone(), *seed, *now, mask, sink);
        self
    }

    /// Runs until the client is closed or all its handles are dropped, and gives back what
    /// survives.
    ///
    /// Dropping the future drops the connection without DISCONNECT; requests then end with
    /// [`ClientError::DriverStopped`](crate::ClientError::DriverStopped).
    pub async fn run(self) -> Session {
        // Dropped in reverse: what ends `Client::close` goes last.
        let Driver {
            mut core,
            mut connector,
            origin,
        } = self;
        // A copy of the session that only a recording's beginning needs: not to be held for the run.
        drop(origin);
        let mut outgoing = Outgoing::default();
        core.read_wall_clock();
        loop {
            match core.turn(&mut outgoing).await {
                Step::Connect => {
                    // What an earlier link did not take is no business of this one.
                    outgoing.clear();
                    if let Some(stream) = establish(&mut connector, &mut core, &mut outgoing).await
                    {
                        converse(stream, &mut core, &mut outgoing).await;
                    }
                }
                // There is nothing to close.
                Step::Close => {}
                Step::Wait if core.closed => break,
                Step::Wait => {
                    core.wait(pin!(pending::<Infallible>())).await;
                }
            }
        }
        core.save().await;
        let (session, sink) = core.engine.finish();
        if let Some(mut sink) = sink {
            core.events.tell_unrecorded(sink.as_mut());
        }
        session
    }
}

/// Opens a connection, unless the engine gives it up.
async fn establish<C: Connector, K: Clock>(
    connector: &mut C,
    core: &mut Core<K>,
    outgoing: &mut Outgoing,
) -> Option<C::Stream> {
    tracing::debug!(event = "connecting");
    let mut connecting = pin!(connector.connect());
    loop {
        match core.turn(outgoing).await {
            Step::Close => return None,
            Step::Connect | Step::Wait => {}
        }
        match core.wait(connecting.as_mut()).await {
            None => {}
            Some(Ok(stream)) => {
                core.read_wall_clock();
                core.engine.handle_connected(core.clock.now());
                return Some(stream);
            }
            Some(Err(error)) => {
                let text = error.to_string();
                let untrusted = error
                    .get_ref()
                    .is_some_and(|inner| inner.is::<UntrustedPeer>());
                core.lost(if untrusted {
                    TransportFailure::Untrusted(text)
                } else {
                    TransportFailure::ConnectFailed(text)
                });
                return None;
            }
        }
    }
}

/// Carries bytes both ways until either side closes.
async fn converse<S, K: Clock>(stream: S, core: &mut Core<K>, outgoing: &mut Outgoing)
where
    S: futures_io::AsyncRead + futures_io::AsyncWrite + Unpin,
{
    let mut link = Link::new(stream);
    let mut gave_way = false;
    loop {
        match core.turn(outgoing).await {
            Step::Close => break,
            Step::Connect | Step::Wait => {}
        }
        let answered = std::mem::take(&mut core.answered) && outgoing.is_empty();
        if answered && !gave_way {
            // Whoever got an answer may ask again at once. On one thread with the driver that
            // saves the look at a stream that has nothing yet, and several leave in one write. Once
            // only: requests that end without a packet must not keep the link from being read.
            gave_way = true;
            yield_now().await;
            continue;
        }
        gave_way = false;
        let progress = core.wait(pin!(poll_fn(|cx| link.poll(cx, outgoing)))).await;
        match progress {
            None | Some(Ok(Progress::Written)) => {}
            Some(Ok(Progress::Received(len))) => {
                tracing::trace!(event = "received", len);
                let now = core.clock.now();
                core.engine.handle_bytes(now, link.received(len));
            }
            Some(Ok(Progress::Ended)) => return core.lost(TransportFailure::ClosedByPeer),
            Some(Err(error)) => return core.lost(TransportFailure::broken(error)),
        }
    }
    let clock = core.clock.clone();
    let grace = clock.sleep_until(clock.now() + CLOSE_GRACE);
    // Only DISCONNECT is worth the wait; whatever else ends a connection has nothing left to say.
    let linger = core.closed;
    let mut closing = pin!(or(link.close(outgoing, linger), grace));
    while core.wait(closing.as_mut()).await.is_none() {
        core.attend(core.clock.now());
        core.tell().await;
    }
}

/// What the engine wants next.
enum Step {
    /// To open a connection.
    Connect,
    /// To close the connection.
    Close,
    /// Nothing before something happens.
    Wait,
}

/// All of a driver but its connection.
struct Core<K> {
    engine: RecordedEngine,
    clock: K,
    commands: Commands,
    /// A command that ended the last wait.
    command: Option<Command>,
    /// Whether the engine was closed.
    closed: bool,
    /// What waits for which request, in the order of the requests' numbers.
    endings: Vec<(RequestId, Ender)>,
    /// Requests to be told as accepted once the session is stored; empty between turns.
    accepted: Vec<(Accepted, Result<Ending, RequestError>)>,
    events: EventSender,
    /// What is to be told once the session is stored; empty between turns, kept for its memory.
    told: Vec<Event>,
    saving: Option<Saving>,
    /// Goes off at the next deadline.
    alarm: Alarm,
    /// Whether the last turn ended a request.
    answered: bool,
    /// Turns in a row that found work waiting.
    busy_turns: u32,
    /// Dropped last of all, which ends [`Client::close`](crate::Client::close).
    _running: Sender<Infallible>,
}

impl<K: Clock> Core<K> {
    /// Carries out commands and deadlines, collects what is to be sent, and tells what there is to
    /// tell. What was collected has not left yet, so the session is stored before both.
    async fn turn(&mut self, outgoing: &mut Outgoing) -> Step {
        let now = self.clock.now();
        self.attend(now);
        let step = self.collect(now, outgoing);
        self.tell().await;
        step
    }

    fn collect(&mut self, now: Instant, outgoing: &mut Outgoing) -> Step {
        // A stalled write holds packets back. Without a session there are none to hold back, and
        // the wish to close must come through.
        let writable = outgoing.is_empty();
        while writable || !self.engine.is_online() {
            match self.engine.poll_transmit(now, outgoing.bytes()) {
                Some(Transmit::Connect) => return Step::Connect,
                Some(Transmit::Close) => return Step::Close,
                Some(Transmit::Packet { kind, len, .. }) => {
                    if kind == PacketKind::Connect {
                        outgoing.keep_secret();
                    }
                    tracing::trace!(event = "sending", kind = %kind, len);
                }
                None => break,
            }
        }
        Step::Wait
    }

    /// Carries out commands, then what is due.
    fn attend(&mut self, now: Instant) {
        for _ in 0..COMMANDS_PER_TURN {
            let waiting = self.command.take();
            match waiting.or_else(|| self.commands.next_waiting()) {
                Some(command) => self.carry_out(now, command),
                None => break,
            }
        }
        if self.engine.poll_deadline().is_some_and(|due| due.at <= now) {
            self.engine.handle_tick(now);
        }
    }

    fn carry_out(&mut self, now: Instant, command: Command) {
        match command {
            Command::Ask { start, answer } => match start(&mut self.engine, now) {
                Ok(request) => {
                    let place = self.endings.partition_point(|(id, _)| *id < request);
                    self.endings.insert(place, (request, Ender::Asked(answer)));
                }
                // Nobody listens if the application dropped its future.
                Err(refused) => drop(answer.send(Err(refused))),
            },
            Command::Post { start, accepted } => {
                let started = start(&mut self.engine, now);
                let ending = started.map(|request| self.ending(request));
                self.accepted.push((accepted, ending));
            }
            Command::Call(call) => call(&mut self.engine, now),
            Command::Reconnect => {
                self.read_wall_clock();
                self.engine.reconnect(now);
            }
            Command::Close => {
                tracing::debug!(event = "closing");
                self.engine.close(now);
                self.closed = true;
            }
        }
    }

    /// Waits for `io`, a command or the next deadline. What `io` gave is to be handled before the
    /// next turn, so that an answer that comes with a deadline counts.
    async fn wait<T>(&mut self, mut io: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        let deadline = self.engine.poll_deadline().map(|deadline| deadline.at);
        let deadline = deadline.into_iter().chain(self.save_due()).min();
        let (clock, alarm) = (&self.clock, &mut self.alarm);
        let (commands, closed) = (&mut self.commands, self.closed);
        let mut command = None;
        let mut rested = false;
        let result = poll_fn(|cx| {
            let io = io.as_mut().poll(cx);
            command = match commands.poll_next(cx) {
                Poll::Ready(Some(next)) => Some(next),
                // All handles are dropped.
                Poll::Ready(None) if !closed => Some(Command::Close),
                Poll::Ready(None) | Poll::Pending => None,
            };
            let ready = match io {
                Poll::Ready(value) => Poll::Ready(Some(value)),
                Poll::Pending if command.is_some() => Poll::Ready(None),
                Poll::Pending => alarm.poll(cx, clock, deadline).map(|()| None),
            };
            rested |= ready.is_pending();
            ready
        })
        .await;
        self.command = command;
        self.busy_turns = if rested { 0 } else { self.busy_turns + 1 };
        if self.busy_turns == TURNS_PER_POLL {
            self.busy_turns = 0;
            yield_now().await;
        }
        result
    }

    /// Hands on what the engine has to tell, once the session is stored that it comes with.
    async fn tell(&mut self) {
        while let Some(event) = self.engine.poll_event() {
            self.told.push(event);
        }
        if let Some(sink) = self.engine.sink_mut() {
            self.events.tell_unrecorded(sink.as_mut());
        }
        if self.save_due().is_some_and(|due| due <= self.clock.now()) {
            self.save().await;
        }
        for (accepted, ending) in self.accepted.drain(..) {
            // Nobody listens if the application dropped its future.
            drop(accepted.try_send(ending));
        }
        let mut told = std::mem::take(&mut self.told);
        for event in told.drain(..) {
            match event {
                Event::Ended { request, outcome } => self.end(request, outcome),
                event => {
                    trace(&event);
                    self.events.send(Notification::Event(event));
                }
            }
        }
        self.told = told;
    }

    /// When the session is to be stored, if it is not.
    fn save_due(&self) -> Option<Instant> {
        let saving = self.saving.as_ref()?;
        saving.due(self.engine.session())
    }

    /// Stores the session if it is not.
    async fn save(&mut self) {
        let session = self.engine.session();
        let unsaved = |saving: &&mut Saving| saving.due(session).is_some();
        let Some(saving) = self.saving.as_mut().filter(unsaved) else {
            return;
        };
        match saving.save(&self.clock, session).await {
            Ok(false) => {}
            Ok(true) => {
                tracing::debug!(event = "stored_again");
                self.events.send(Notification::StoredAgain);
            }
            Err(error) => {
                tracing::warn!(event = "not_stored", %error);
                self.events.send(Notification::NotStored(error));
            }
        }
    }

    /// What waits for the end of a request: several may, as reports that leave together are one.
    fn ending(&mut self, request: RequestId) -> Ending {
        let place = self.endings.partition_point(|(id, _)| *id < request);
        match self.endings.get(place) {
            Some((id, Ender::Posted { ending, .. })) if *id == request => ending.clone(),
            _ => {
                let (ender, ending) = Ender::posted();
                self.endings.insert(place, (request, ender));
                ending
            }
        }
    }

    fn end(&mut self, request: RequestId, outcome: Outcome) {
        let position = self.endings.binary_search_by_key(&request, |(id, _)| *id);
        if let Ok(position) = position {
            let (_, ender) = self.endings.remove(position);
            ender.end(outcome);
            self.answered = true;
        }
    }

    fn read_wall_clock(&mut self) {
        if let Some(wall) = self.clock.wall_time() {
            self.engine.handle_wall_time(self.clock.now(), wall);
        }
    }

    fn lost(&mut self, failure: TransportFailure) {
        self.engine.handle_disconnected(self.clock.now(), failure);
    }
}

/// Traces what a person looks for first; payloads never.
fn trace(event: &Event) {
    match event {
        Event::Connected { session_present } => {
            tracing::debug!(event = "connected", session_present);
        }
        // Waiting alone does not heal these: somebody has to act.
        Event::Disconnected {
            cause: cause @ (DisconnectCause::LimitExceeded(_) | DisconnectCause::Contested { .. }),
            retry_in,
        } => tracing::warn!(event = "disconnected", %cause, ?retry_in),
        Event::Disconnected { cause, retry_in } => {
            tracing::debug!(event = "disconnected", %cause, ?retry_in);
        }
        Event::WallTimeNeeded => tracing::warn!(event = "wall_time_needed"),
        Event::EventsLost { count } => tracing::warn!(event = "events_lost", count),
        Event::Closed => tracing::debug!(event = "closed"),
        _ => {}
    }
}
