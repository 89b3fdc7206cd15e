//! The engine: see [`Engine`].

#[cfg(feature = "messages")]
mod attach;
mod counters;
mod desired;
mod events;
mod inbound;
mod inspect;
mod link;
mod log;
mod login;
#[cfg(feature = "messages")]
mod plain;
#[cfg(not(feature = "messages"))]
#[path = "no_plain.rs"]
mod plain;
mod plan;
mod requests;
mod shadow;
mod shadows;
mod synchronize;
mod token;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use self::events::Events;
use self::inbound::Inbound;
#[cfg(feature = "recording")]
pub(crate) use self::link::maximum_packet_size;
use self::login::Credentials;
use self::requests::{Owner, Progress, Request, Requests, Task};
use self::shadows::Shadows;
use crate::config::Config;
use crate::event::{Event, Outcome};
use crate::mqtt::link::Transmit;
use crate::mqtt::link::{
    Connection, ConnectionTimer, DisconnectCause, MAXIMUM_IN_FLIGHT, Pace, Settings, Signal,
    Timing, TransportFailure,
};
use crate::mqtt::{QoS, StreamDecoder};
use crate::random::Random;
use crate::request::{RequestError, RequestId};
use crate::session::Session;
use crate::time::{Instant, WallTime, earlier};

pub use self::counters::Counters;
pub use self::inspect::{
    InspectedLink, InspectedRequest, InspectedShadow, Inspection, QueuedTransmit,
};

/// A device's half of its shadows, as a state machine without I/O.
///
/// One engine is one MQTT connection, over all links it takes, with any number of shadows on it. It
/// opens no socket and reads no clock: its owner, the *driver*, does both. All calls are
/// synchronous, none blocks, and the same calls always give the same results.
///
/// # Inputs
///
/// The `handle_` methods say what happened, and when; they never fail, whatever the peer does. The
/// requests ([`report`](Engine::report), [`accept`](Engine::accept), [`get`](Engine::get),
/// [`update`](Engine::update), [`publish`](Engine::publish), …) say what the application wants. A
/// refused request changes nothing; an accepted one ends with exactly one [`Event::Ended`]. Time
/// that runs back is taken for the latest time seen.
///
/// # Outputs
///
/// After *any* input, poll until there is nothing left:
///
/// 1. [`poll_transmit`](Engine::poll_transmit) until `None`: what to do on the transport, in order;
/// 2. [`poll_event`](Engine::poll_event) until `None`: what the application should know;
/// 3. [`poll_deadline`](Engine::poll_deadline), or [`poll_delay`](Engine::poll_delay): when to call
///    [`handle_tick`](Engine::handle_tick) if nothing happens before. A tick too early is harmless,
///    one too late delays timeouts.
///
/// In this order, since handing bytes over can itself end a request (a QoS 0 message is done when
/// it leaves) and moves the deadline of the keep alive. Nothing that is ready to leave waits for a
/// deadline.
///
/// # The guarantee
///
/// Whatever happened before: once the link is up long enough for one exchange, and as long as the
/// application keeps polling events,
///
/// 1. the cloud's `reported` equals what the device last [reported](Engine::report), key by key;
/// 2. every change of `desired` that no newer one has superseded is told by an [`Event::Delta`] at
///    least once, and the same version and content never twice as new
///    ([`redelivered`](crate::Delta::redelivered) tells);
/// 3. every accepted request ends exactly once, with the truth as far as a device can know it;
/// 4. memory stays within the bounds of [`Config`], whatever the peer does.
///
/// An *exchange* is a SUBSCRIBE and a get, each accepted, and as many accepted updates as it takes to
/// carry what is reported. Over a power cut the guarantee holds for what was stored
/// ([`Session`]).
///
/// It has limits that no client can lift:
///
/// * A change of `desired` that was superseded while the device was away was never the device's to
///   see. Two changes to the same value in a row may be told as one.
/// * What is desired just as the cloud has it reported makes no delta, and is not told, unless it
///   takes the place of a change that was told and has no answer yet: the application may be about
///   to apply that. No push says so; it is told with the next get, and one precedes an answer to a
///   change that a push left out, or that is over. Else it is told once the device reports something
///   else of its own accord: with the get of the next link, or with that of this link, if it comes
///   before the report has left. Until then it counts as obeyed, and an answer to all the rest of
///   `desired` deletes it too.
/// * That something is desired no more is not told. An answer to it then is a report like any other.
/// * A link that loses a push and keeps quiet about it (QoS 0 promises nothing) is found out by the
///   next reply or push, as versions then skip, or by the get on the next link; without any traffic
///   it is not.
/// * A cloud that refuses is told of and asked again, but not obeyed by magic: after an update with
///   another result than 0 or 5005, and under [`VersionPolicy::Strict`](crate::VersionPolicy) after
///   5005 too, the values wait for the next report, answer, change or link; after SUBACK 0x80 all
///   waits for the next link. A get reply above
///   [`maximum_packet_size`](Config::maximum_packet_size) is none.
/// * A [`Behaviour`](crate::config::Behaviour) that copies a client without gets or subscriptions of
///   its own, as that of the vendor's Python SDK, gives up points 1 and 2.
/// * [`Outcome::Disconnected`] with `maybe_applied`, and [`Outcome::TimedOut`], are all that a device
///   can know of a one-shot update whose reply did not come. Use [`Engine::report`] for state.
/// * With [`VersionPolicy::Unchecked`](crate::VersionPolicy) an answer can delete a change of `desired`
///   that is on its way, and with a server that states no versions it always can.
/// * A cloud that loses its documents begins with version 0 again. A key whose deletion it had
///   acknowledged may come back with a backup, and an update that is under way then, or that a
///   persistent session sends again, may meet a version that means something else: what was answered
///   is deleted although it was desired anew.
/// * What another client writes under a key that the device has reported is put right on the next
///   link, not before.
/// * A store that has lost what it had acknowledged, as a dying flash does, takes the device back to
///   an older session, or to none: then `reported` is what that session holds until the device
///   reports again, and a delta may be told as new a second time. In a persistent session it may then
///   give a QoS 2 message a packet id that the server still holds, and the server takes the message
///   for the old one.
///
/// Also: input is handled before deadlines, so a reply that comes with the tick that would time its
/// request out counts. Replies are matched by shadow, operation and client token, so that a late or
/// foreign one is never taken for the answer; it is an [`Event::Unmatched`].
#[derive(Debug)]
pub struct Engine {
    config: Config,
    session: Session,
    random: Random,
    /// The latest time seen.
    now: Instant,
    /// The wall time last passed in, and when.
    wall: Option<(Instant, WallTime)>,
    /// Whether the application was asked for it.
    wall_asked: bool,
    /// Those of the last CONNECT, where they are not renewed.
    credentials: Option<Box<Credentials>>,
    connection: Connection,
    decoder: StreamDecoder,
    shadows: Shadows,
    requests: Requests,
    events: Events,
    /// The payload being written; kept for its memory.
    payload: Vec<u8>,
    /// Whether an update of the engine's waits until more of the queue has left.
    waits_for_room: bool,
    /// Whether the requests that wait go before the engine's updates the next time.
    requests_first: bool,
}

/// When to tick at the latest, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Deadline {
    /// When.
    pub at: Instant,
    /// What is due then.
    pub timer: Timer,
}

/// What a [`Deadline`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Timer {
    /// To connect again.
    Reconnect,
    /// To give up a connection that did not get as far as CONNACK.
    Connect,
    /// To send PINGREQ, as one direction was silent for the keep alive time.
    KeepAlive,
    /// To give up a link that did not answer PINGREQ.
    PingResponse,
    /// To give up a link that did not answer SUBSCRIBE or UNSUBSCRIBE.
    Acknowledgement,
    /// To send a message that waits, as more had to leave than
    /// [`Limits::messages_per_second`](crate::tencent::Limits) allows.
    Pace,
    /// To end a request as timed out.
    Request,
}

impl From<ConnectionTimer> for Timer {
    fn from(timer: ConnectionTimer) -> Timer {
        match timer {
            ConnectionTimer::Reconnect => Timer::Reconnect,
            ConnectionTimer::Connect => Timer::Connect,
            ConnectionTimer::KeepAlive => Timer::KeepAlive,
            ConnectionTimer::PingResponse => Timer::PingResponse,
            ConnectionTimer::Acknowledgement => Timer::Acknowledgement,
            ConnectionTimer::Pace => Timer::Pace,
        }
    }
}

/// Buffers of at most this many bytes are kept between requests; larger ones are given back.
const KEPT_BYTES: usize = 256;

/// Room for the acknowledgements of what may come in one piece, however small the queue.
const LEAST_ACKNOWLEDGEMENTS: usize = 256;

/// The least time between two gets that the engine sends of its own accord.
const SHORTEST_RETRY: Duration = Duration::from_secs(1);

/// A wall time that is off by more than this from the last one shows that one of them was wrong.
/// What is less cannot be why a login was refused: it is signed to hold for long.
const CLOCK_STEP: Duration = Duration::from_secs(60);

impl Engine {
    /// An engine that wants to connect at once: pass in the wall time, if there is one, and tick.
    ///
    /// `seed` should differ from run to run where the session does not outlive the run: the nonce
    /// that tells this run's replies from the last run's comes from it, as do the connection id and
    /// the jitter.
    #[must_use]
    pub fn new(config: Config, mut session: Session, seed: u64, now: Instant) -> Engine {
        let mut random = Random::new(seed);
        session.begin_run(config.effective_behaviour().token_style, &mut random);
        session.mqtt.forget_tickets();
        let acknowledgements = config.maximum_queued_bytes.max(LEAST_ACKNOWLEDGEMENTS);
        let settings = Settings {
            version: config.protocol_version,
            clean_session: config.clean_session,
            always_duplicate: config.effective_behaviour().duplicate_without_session,
            keep_alive: config.keep_alive,
            keep_alive_check: config.effective_behaviour().keep_alive_check,
            ping_timeout: config.ping_timeout.into(),
            connect_timeout: config.connect_timeout.max(Duration::from_secs(1)).into(),
            acknowledgement_timeout: config.request_timeout.into(),
            maximum_in_flight: u16::try_from(config.maximum_in_flight)
                .unwrap_or(u16::MAX)
                .clamp(1, MAXIMUM_IN_FLIGHT),
            maximum_acknowledgements: u32::try_from(acknowledgements).unwrap_or(u32::MAX),
        };
        let pace = Pace::new(config.limits.messages_per_second);
        let mut shadows = Shadows::default();
        if let Some(name) = &config.own_shadow {
            let place = session.keep_shadow(name);
            let first = config.effective_behaviour().token_style.first();
            shadows.attach(name.clone(), place, first);
        }
        Engine {
            decoder: link::decoder(&config),
            events: Events::new(config.maximum_events, config.maximum_event_bytes),
            connection: Connection::new(settings, pace, now),
            config,
            session,
            random,
            now,
            wall: None,
            wall_asked: false,
            credentials: None,
            shadows,
            requests: Requests::default(),
            payload: Vec::new(),
            waits_for_room: false,
            requests_first: false,
        }
    }

    /// The wall time, for signing. May be passed in at any time and any number of times. One that
    /// shows the last to have been wrong, by more than a minute, ends the wait after a refused
    /// login, as that may have been the cause; but never is the vendor's floor between two connects
    /// undercut ([`Backoff::least_interval`](crate::Backoff)).
    pub fn handle_wall_time(&mut self, now: Instant, wall: WallTime) {
        let now = self.advance(now);
        if let Some(expected) = self.wall_time(now) {
            let (earlier, later) = (expected.min(wall), expected.max(wall));
            if earlier + CLOCK_STEP < later {
                self.connection.hasten_refused(now);
            }
        }
        self.wall = Some((now, wall));
        self.flush(now);
    }

    /// The transport has the connection that [`Transmit::Connect`] asked for. Ignored when none was
    /// asked for.
    pub fn handle_connected(&mut self, now: Instant) {
        let now = self.advance(now);
        self.send_connect(now);
        self.flush(now);
    }

    /// The transport received `bytes`, in any cutting. Ignored when there is no connection, and where
    /// there are none: a read that gave nothing is no sign of a peer that lives.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.handle_received(now, bytes);
        }
    }

    /// As [`Engine::handle_bytes`], but hearing nothing is hearing from the peer: in a masked recording
    /// bytes that complete no packet yet have no others in their place.
    #[inline]
    pub(crate) fn handle_received(&mut self, now: Instant, bytes: &[u8]) {
        let now = self.advance(now);
        // Where bytes come one by one, few of them complete a packet.
        if self.connection.note_received_online(now) && self.decoder.takes_byte(bytes) {
            self.events.counters.count_bytes_received(1);
            self.flush(now);
        } else {
            self.handle_packets(now, bytes);
        }
    }

    #[inline(never)]
    fn handle_packets(&mut self, now: Instant, mut input: &[u8]) {
        self.connection.note_received(now);
        if self.connection.is_open() {
            self.events.counters.count_bytes_received(input.len());
        }
        while self.connection.is_open() {
            let notice = match self.decoder.next(&mut input) {
                Ok(None) => break,
                Ok(Some(incoming)) => {
                    self.events.counters.count_packet_received();
                    let mqtt = &mut self.session.mqtt;
                    let timing = &mut Timing::new(&self.config.backoff, &mut self.random);
                    match self.connection.handle_incoming(now, mqtt, incoming, timing) {
                        None => continue,
                        Some(Signal::Message(publish)) => {
                            let inbound = Inbound {
                                now,
                                config: &self.config,
                                session: &mut self.session,
                                shadows: &mut self.shadows,
                                requests: &mut self.requests,
                                events: &mut self.events,
                            };
                            inbound.handle(&publish);
                            continue;
                        }
                        Some(Signal::Oversized { topic, qos, size }) => {
                            let topic = topic.into();
                            self.events
                                .push(Event::OversizedMessage { topic, qos, size });
                            continue;
                        }
                        Some(Signal::Notice(notice)) => notice,
                    }
                }
                Err(error) => {
                    let cause = DisconnectCause::Malformed(error);
                    let timing = &mut Timing::new(&self.config.backoff, &mut self.random);
                    self.connection.fail(now, cause, timing)
                }
            };
            self.handle_notice(now, notice);
        }
        self.flush(now);
    }

    /// The transport lost its connection, or could not make one. Ignored when none is asked for.
    /// Not for a connection that [`Transmit::Close`] has ended: the next one may have begun.
    pub fn handle_disconnected(&mut self, now: Instant, failure: TransportFailure) {
        let now = self.advance(now);
        let timing = &mut Timing::new(&self.config.backoff, &mut self.random);
        if let Some(notice) = self.connection.handle_disconnected(now, failure, timing) {
            self.handle_notice(now, notice);
        }
        self.flush(now);
    }

    /// Time has passed. Carries out what is due by `now`.
    pub fn handle_tick(&mut self, now: Instant) {
        let now = self.advance(now);
        let timing = &mut Timing::new(&self.config.backoff, &mut self.random);
        if let Some(notice) = self.connection.handle_tick(now, timing) {
            self.handle_notice(now, notice);
        }
        // What a timeout puts in its place is for a later tick, or this one might never end.
        let newest = self.requests.next_id();
        let overdue = |request: &Request| {
            request.id < newest && request.deadline.is_some_and(|deadline| deadline <= now)
        };
        while let Some(request) = self.requests.remove_first(overdue) {
            self.time_out(now, &request);
        }
        if self.connection.is_stuck(now, &self.session.mqtt) {
            let cause = DisconnectCause::PublishUnacknowledged;
            let timing = &mut Timing::new(&self.config.backoff, &mut self.random);
            let notice = self.connection.fail(now, cause, timing);
            self.handle_notice(now, notice);
        }
        self.flush(now);
    }

    /// Connects now instead of waiting for the next try, as when the network is known to be back, or
    /// the reason for a refused login to be gone; at the earliest
    /// [`Backoff::least_interval`](crate::Backoff) after the last CONNECT.
    pub fn reconnect(&mut self, now: Instant) {
        let now = self.advance(now);
        self.connection.hasten(now);
        self.flush(now);
    }

    /// Ends everything: open requests end as cancelled, DISCONNECT is sent if there is a link, and
    /// the last event is [`Event::Closed`]. What was published before still leaves.
    pub fn close(&mut self, now: Instant) {
        self.advance(now);
        if self.connection.is_closed() {
            return;
        }
        self.connection.close();
        while let Some(request) = self.requests.remove_first(|_| true) {
            self.end(&request, Outcome::Cancelled);
        }
        self.events.close();
    }

    /// Ends an open request as cancelled. What has left cannot be called back, and what was
    /// [reported](Engine::report) or answered stays so: nobody waits for it any more, of all whose
    /// reports were one request.
    ///
    /// # Errors
    ///
    /// [`RequestError::UnknownRequest`] when it has ended.
    pub fn cancel(&mut self, now: Instant, request: RequestId) -> Result<(), RequestError> {
        let now = self.advance(now);
        let own = self
            .requests
            .find_mut(request)
            .is_some_and(|r| r.owner == Owner::Application);
        let removed = if own {
            self.requests.remove(request)
        } else {
            None
        };
        let removed = removed.ok_or(RequestError::UnknownRequest(request))?;
        self.withdraw(&removed);
        self.end(&removed, Outcome::Cancelled);
        self.flush(now);
        Ok(())
    }

    /// Gives an open request until `timeout` from now, instead of the configured time. A report has
    /// no time unless it is given one here; then it ends as [`Outcome::TimedOut`] for all whose
    /// reports were the same request, and the values stay.
    ///
    /// # Errors
    ///
    /// [`RequestError::UnknownRequest`] when it has ended.
    pub fn set_timeout(
        &mut self,
        now: Instant,
        request: RequestId,
        timeout: Duration,
    ) -> Result<(), RequestError> {
        let now = self.advance(now);
        let found = self
            .requests
            .find_mut(request)
            .filter(|r| r.owner == Owner::Application);
        found.ok_or(RequestError::UnknownRequest(request))?.deadline = Some(now + timeout);
        Ok(())
    }

    /// The next thing to do on the transport. A packet's bytes are appended to `buffer`, one whole
    /// packet a call; a driver may collect several before it writes.
    ///
    /// A driver whose write is stalled may leave packets here, where they are bounded and can still
    /// be taken back. It should go on polling once [`is_online`](Engine::is_online) is false: a
    /// link that was given up leaves nothing behind but [`Transmit::Close`], which must come
    /// through.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<Transmit> {
        let now = self.advance(now);
        if self.waits_for_room && !self.connection.has_output() {
            self.waits_for_room = false;
            self.flush(now);
        }
        let backoff = &self.config.backoff;
        let (transmit, ticket) = self.connection.poll_transmit(now, buffer, backoff)?;
        self.events.counters.count_transmit(transmit);
        log::transmit(transmit);
        let leaving = ticket.and_then(|ticket| self.requests.find_mut(RequestId(ticket)));
        if let Some(request) = leaving {
            request.progress = Progress::Sent;
            if matches!(
                request.task,
                Task::Publish {
                    qos: QoS::AtMostOnce,
                    ..
                }
            ) {
                let id = request.id;
                self.requests.remove(id);
                self.events.end(id, Outcome::Published);
            }
        }
        Some(transmit)
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// When to call [`Engine::handle_tick`] at the latest; `None` when nothing is due ever.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Deadline> {
        let connection = self
            .connection
            .deadline()
            .map(|(timer, at)| (Timer::from(timer), at));
        // Once the wall time was asked for, there is nothing to wake up for before it comes.
        let useful = self.may_connect() || !self.wall_asked;
        let connection = connection.filter(|(timer, _)| *timer != Timer::Reconnect || useful);
        let request = self.requests.deadline().map(|at| (Timer::Request, at));
        earlier(connection, request).map(|(timer, at)| Deadline { at, timer })
    }

    /// How long from `now` until [`Engine::poll_deadline`], for waits that take a duration: zero when
    /// it is due, `None` when nothing is due ever. Poll all output before, or it waits as long.
    ///
    /// ```
    /// use core::time::Duration;
    /// use shadow_core::{Config, Engine, Instant, Session};
    ///
    /// let mut engine = Engine::new(Config::plain("me"), Session::new(), 1, Instant::ZERO);
    /// assert_eq!(engine.poll_delay(Instant::ZERO), Some(Duration::ZERO));
    /// engine.handle_tick(Instant::ZERO);
    /// // It asks for a connection, and waits for it as long as its configuration says.
    /// let timeout = engine.config().connect_timeout;
    /// assert_eq!(engine.poll_delay(Instant::ZERO), Some(timeout));
    /// assert_eq!(engine.poll_delay(Instant::ZERO + timeout), Some(Duration::ZERO));
    /// ```
    #[must_use]
    pub fn poll_delay(&self, now: Instant) -> Option<Duration> {
        let deadline = self.poll_deadline()?;
        Some(deadline.at.saturating_since(now))
    }

    /// Whether `poll_transmit` or `poll_event` would give something. A virtual clock may not move
    /// before this is false.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.connection.has_output() || !self.events.is_empty()
    }

    /// What survives the link.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Gives up the engine for what survives it.
    #[must_use]
    pub fn into_session(self) -> Session {
        self.session
    }

    /// What it was told at its start.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the server has accepted the login on the present link.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.connection.is_online()
    }

    /// How many requests of the application are open.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.requests.of_application() + self.requests.reports()
    }

    /// Whether there is a link that bytes can come on.
    #[cfg(feature = "recording")]
    pub(crate) fn is_open(&self) -> bool {
        self.connection.is_open()
    }

    /// Whether the next `poll_transmit` may do something even if it gives nothing.
    #[cfg(feature = "recording")]
    pub(crate) const fn waits_for_room(&self) -> bool {
        self.waits_for_room
    }

    /// The wall time, as far as it is known.
    fn wall_time(&self, now: Instant) -> Option<WallTime> {
        self.wall.map(|(at, wall)| wall + now.saturating_since(at))
    }

    /// The latest time seen, which `now` cannot undercut.
    // 20 bytes there, in each of its many callers.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn advance(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    /// Tells the application how its request ended.
    fn end(&mut self, request: &Request, outcome: Outcome) {
        if request.owner == Owner::Application {
            self.events.end(request.id, outcome);
        }
    }

    /// Whether one more request of `size` payload bytes fits.
    fn admit(&self, size: usize) -> Result<(), RequestError> {
        let Config {
            maximum_requests,
            maximum_queued_bytes,
            ..
        } = self.config;
        if self.connection.is_closed() {
            return Err(RequestError::Closed);
        }
        self.config.limits.check_payload(size)?;
        if self.requests.of_application() + self.events.ends() >= maximum_requests {
            return Err(RequestError::TooManyRequests {
                limit: maximum_requests,
            });
        }
        let queued = self.connection.queued_bytes() + self.requests.held_bytes();
        if queued + size > maximum_queued_bytes {
            return Err(RequestError::QueueFull {
                limit: maximum_queued_bytes,
            });
        }
        Ok(())
    }

    fn request_deadline(&self, now: Instant, owner: Owner) -> Option<Instant> {
        let timeout = self.config.request_timeout;
        Some(match owner {
            Owner::Application => now + timeout,
            Owner::Engine => now + timeout.max(SHORTEST_RETRY),
        })
    }
}
