//! The driver of a fuzzed engine, which holds it to its promises.

use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};

use conformance::recording::{Part, Reader, Replay};
use serde_json::{Map, Value};
use shadow_core::mqtt::{Packet, PacketKind, ProtocolVersion};
use shadow_core::recording::{Mask, Recorder};
use shadow_core::tencent::ShadowName;
use shadow_core::{
    Config, Delta, Event, Instant, RequestError, RequestId, Session, ShadowId, Transmit,
    TransportFailure, WallTime,
};

/// An engine, its clock and its transport.
///
/// After each step it checks, of the engine:
///
/// * packets leave only through an open connection, CONNECT first and once, each whole and valid;
/// * nothing is left to poll once everything was polled;
/// * ids of requests grow; a request ends once, and none that was not accepted;
/// * as many requests are open as it says;
/// * after a tick nothing is due, or after a few where a time-out is zero;
/// * the session that was stored is the session, and changes with its revision;
/// * no queue is longer than its configuration allows;
/// * closing ends every request, [`Event::Closed`] comes last, and nothing is due or accepted then;
/// * the recording of it replays line for line.
pub(super) struct Driver {
    pub(super) engine: Recorder<String>,
    pub(super) now: Instant,
    /// The transport takes nothing while the link is up.
    pub(super) stalled: bool,
    /// The application takes no events.
    pub(super) deaf: bool,
    pub(super) shadows: Vec<ShadowId>,
    /// The latest changes of `desired` that were told, oldest first.
    pub(super) deltas: VecDeque<Delta>,
    pub(super) version: ProtocolVersion,
    /// The latest packets that left, oldest first.
    pub(super) sent: Vec<Vec<u8>>,
    /// What came in last.
    pub(super) received: Vec<u8>,
    bounds: Option<Bounds>,
    seed: u64,
    open: BTreeSet<RequestId>,
    last: Option<RequestId>,
    link: Link,
    /// The transport broke its side of the contract, so that the order of calls shows nothing.
    rude: bool,
    closed: bool,
    /// The session as it was last stored, and its revision then; not kept where nothing is stored.
    stored: Option<(u64, Vec<u8>)>,
    /// The wall time, if it is known.
    wall: Option<WallTime>,
}

/// What the transport is at.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Link {
    Down,
    Connecting,
    /// Connected, and nothing has left yet.
    Fresh,
    Up,
}

/// Bounds that a short program can reach.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    requests: usize,
    events: usize,
    /// Bytes that may wait for the transport, with all that the engine itself adds.
    bytes: usize,
}

impl Bounds {
    /// Puts them into a configuration.
    pub(super) fn apply(config: &mut Config) -> Bounds {
        config.maximum_requests = 4;
        config.maximum_events = 4;
        config.maximum_event_bytes = 1_024;
        config.maximum_queued_bytes = 512;
        config.limits.payload_size = 200;
        config.maximum_packet_size = 256;
        config.maximum_in_flight = 2;
        config.maximum_subscriptions = 3;
        Bounds {
            // A shadow keeps some reports apart, whatever else is open.
            requests: 4 + 4 * 3,
            events: 4,
            // Twice the queue (requests and acknowledgements), and at most 300 bytes for each
            // message that is sent again, each subscription with its get, and CONNECT.
            bytes: 2 * 512 + 300 * (2 + 2 * 3 + 1),
        }
    }
}

/// How many packets that left are remembered.
const REMEMBERED: usize = 16;

/// How many events may wait beside those that the bounds count: [`Event::EventsLost`] and
/// [`Event::Closed`].
const LAST_EVENTS: usize = 2;

impl Driver {
    /// With `stores`, what the revision says of the session is checked after each step.
    pub(super) fn new(config: Config, bounds: Option<Bounds>, seed: u64, stores: bool) -> Driver {
        let now = Instant::from_secs(1_000);
        let version = config.protocol_version;
        let engine = record(config, Session::new(), seed, now);
        let session = engine.session();
        Driver {
            stored: stores.then(|| (session.revision(), session.to_bytes())),
            shadows: engine.own_shadow().into_iter().collect(),
            deltas: VecDeque::new(),
            engine,
            now,
            stalled: false,
            deaf: false,
            version,
            sent: Vec::new(),
            received: Vec::new(),
            bounds,
            seed,
            open: BTreeSet::new(),
            last: None,
            link: Link::Down,
            rude: false,
            closed: false,
            wall: None,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Polls what the transport and the application want to take now.
    pub(super) fn settle(&mut self) {
        self.store();
        if !self.stalled || !self.engine.is_online() {
            self.transmit();
        }
        if !self.deaf {
            self.take_events();
            assert_eq!(
                self.open.len(),
                self.engine.open_requests(),
                "open requests"
            );
        }
        if !self.stalled && !self.deaf {
            // What left may have ended requests, and no event makes packets.
            assert!(!self.engine.has_output(), "output after all was polled");
        }
    }

    /// Stores the session if its revision says that it has changed.
    fn store(&mut self) {
        let Some((revision, bytes)) = &mut self.stored else {
            return;
        };
        let session = self.engine.session();
        let now = session.to_bytes();
        if session.revision() == *revision {
            assert_eq!(
                needed(bytes),
                needed(&now),
                "the session changed, its revision did not"
            );
        }
        (*revision, *bytes) = (session.revision(), now);
    }

    fn transmit(&mut self) {
        let mut total = 0;
        loop {
            let mut bytes = Vec::new();
            let Some(transmit) = self.engine.poll_transmit(self.now, &mut bytes) else {
                break;
            };
            let from = self.link;
            let fits = match transmit {
                Transmit::Connect => {
                    self.link = Link::Connecting;
                    from == Link::Down
                }
                Transmit::Close => {
                    self.link = Link::Down;
                    from != Link::Down
                }
                Transmit::Packet { kind, len, .. } => {
                    assert_eq!(len, bytes.len());
                    let packet = Packet::decode(&bytes, self.version);
                    assert_eq!(packet.map(|packet| packet.kind()), Ok(kind));
                    self.link = Link::Up;
                    let first = kind == PacketKind::Connect;
                    from == if first { Link::Fresh } else { Link::Up }
                }
            };
            assert!(fits || self.rude, "{transmit:?} while {from:?}");
            total += bytes.len();
            if !bytes.is_empty() {
                if self.sent.len() == REMEMBERED {
                    self.sent.remove(0);
                }
                self.sent.push(bytes);
            }
        }
        if let Some(bounds) = self.bounds {
            assert!(total <= bounds.bytes, "{total} bytes waited");
        }
    }

    fn take_events(&mut self) {
        let mut taken = 0;
        while let Some(event) = self.engine.poll_event() {
            assert!(!self.closed, "{event:?} after the last");
            taken += 1;
            match event {
                Event::Ended { request, .. } => {
                    assert!(
                        self.open.remove(&request),
                        "{request} ended and was not open"
                    );
                }
                Event::Delta(delta) => {
                    self.deltas.push_back(delta);
                    if self.deltas.len() > REMEMBERED {
                        self.deltas.pop_front();
                    }
                }
                Event::Closed => self.closed = true,
                _ => {}
            }
        }
        if let Some(bounds) = self.bounds {
            let most = bounds.events + bounds.requests + LAST_EVENTS;
            assert!(taken <= most, "{taken} events waited");
        }
    }

    /// A request was accepted or refused.
    pub(super) fn asked(&mut self, request: &Result<RequestId, RequestError>) {
        let Ok(request) = *request else {
            return;
        };
        // Reports that leave together are one request.
        let joined = self.open.contains(&request);
        assert!(joined || self.last < Some(request), "{request} is not new");
        self.last = self.last.max(Some(request));
        self.open.insert(request);
        if let Some(bounds) = self.bounds {
            assert!(self.open.len() <= bounds.requests, "too many are open");
        }
    }

    /// A report was accepted or refused. It may be told with an open one.
    pub(super) fn reported(&mut self, request: &Result<RequestId, RequestError>) {
        if !request.as_ref().is_ok_and(|id| self.open.contains(id)) {
            self.asked(request);
        }
    }

    fn nth_open(&self, number: u8) -> Option<RequestId> {
        let index = usize::from(number).checked_rem(self.open.len())?;
        self.open.iter().nth(index).copied()
    }

    pub(super) fn cancel(&mut self, number: u8) {
        if let Some(request) = self.nth_open(number) {
            // It may have ended, with the event still waiting.
            let cancelled = self.engine.cancel(self.now, request);
            assert!(cancelled.is_ok() || self.deaf, "{request} is open");
        }
    }

    pub(super) fn set_timeout(&mut self, number: u8, timeout: Duration) {
        if let Some(request) = self.nth_open(number) {
            let set = self.engine.set_timeout(self.now, request, timeout);
            assert!(set.is_ok() || self.deaf, "{request} is open");
        }
    }

    pub(super) fn attach(&mut self, name: &ShadowName) {
        // One whose subscription was refused is tried again under the same id.
        if let Ok(shadow) = self.engine.attach(self.now, name)
            && !self.shadows.contains(&shadow)
        {
            self.shadows.push(shadow);
        }
    }

    pub(super) fn detach(&mut self, number: u8) {
        if let Some(index) = usize::from(number).checked_rem(self.shadows.len()) {
            let shadow = self.shadows.remove(index);
            assert_eq!(self.engine.detach(self.now, shadow), Ok(()));
        }
    }

    pub(super) fn set_next_token(&mut self, number: u8) {
        let number = u64::from(number);
        if let Some(shadow) = self.shadows.first() {
            // Not every style of tokens has such a number.
            let _ = self.engine.set_next_token(*shadow, number);
        }
    }

    pub(super) fn tell_wall_time(&mut self, wall: WallTime) {
        self.wall = Some(wall);
        self.engine.handle_wall_time(self.now, wall);
    }

    /// Lets time pass until a connection is asked for, if that is not long.
    pub(super) fn await_wish(&mut self) {
        for _ in 0..8 {
            if self.link != Link::Down {
                return;
            }
            self.tick_at_deadline();
        }
    }

    /// The connection that was asked for came about.
    pub(super) fn connected(&mut self) {
        if self.link == Link::Connecting {
            self.link = Link::Fresh;
            self.engine.handle_connected(self.now);
        }
    }

    pub(super) fn disconnected(&mut self, why: TransportFailure) {
        if self.link != Link::Down {
            self.link = Link::Down;
            self.engine.handle_disconnected(self.now, why);
        }
    }

    /// The transport tells of a connection that nobody asked for.
    pub(super) fn rude_connected(&mut self) {
        self.rude = true;
        self.engine.handle_connected(self.now);
    }

    /// The transport tells of the end of a connection that there is not.
    pub(super) fn rude_disconnected(&mut self) {
        self.rude = true;
        let why = TransportFailure::ClosedByPeer;
        self.engine.handle_disconnected(self.now, why);
    }

    pub(super) fn pass(&mut self, duration: Duration) {
        self.now += duration;
        self.tick();
    }

    pub(super) fn tick_at_deadline(&mut self) {
        if let Some(deadline) = self.engine.poll_deadline() {
            self.now = self.now.max(deadline.at);
            self.tick();
        }
    }

    fn tick(&mut self) {
        // What a deadline puts in its place may be due at once where a time-out is zero, but not
        // without end.
        let ticks = if self.engine.config().ping_timeout.is_zero() {
            4
        } else {
            1
        };
        for _ in 0..ticks {
            self.engine.handle_tick(self.now);
            self.settle();
            match self.engine.poll_deadline() {
                Some(deadline) if deadline.at <= self.now => {}
                _ => return,
            }
        }
        let deadline = self.engine.poll_deadline();
        panic!("{deadline:?} is still due at {}", self.now);
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) {
        bytes.clone_into(&mut self.received);
        self.engine.handle_bytes(self.now, bytes);
    }

    /// The device is switched off and on, and has stored its session.
    pub(super) fn restart(&mut self) {
        let stored = self.engine.session().to_bytes();
        let session = match Session::from_bytes(&stored) {
            Ok(session) => session,
            Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&stored)),
        };
        assert_eq!(session, *self.engine.session());
        let config = self.engine.config().clone();
        let next = record(config, session, self.seed, self.now);
        replay(std::mem::replace(&mut self.engine, next));
        if let Some(stored) = &mut self.stored {
            let session = self.engine.session();
            *stored = (session.revision(), session.to_bytes());
        }
        if let Some(wall) = self.wall {
            self.engine.handle_wall_time(self.now, wall);
        }
        self.deltas.clear();
        self.shadows = self.engine.own_shadow().into_iter().collect();
        self.open.clear();
        self.last = None;
        self.link = Link::Down;
        self.sent.clear();
    }

    /// Ends the run.
    pub(super) fn finish(mut self) {
        // A peer that stays silent: time goes on, and everything is told in the end.
        (self.stalled, self.deaf) = (false, false);
        self.settle();
        for _ in 0..8 {
            self.tick_at_deadline();
        }
        self.engine.close(self.now);
        self.settle();
        assert!(self.closed, "the last event is missing");
        assert!(self.open.is_empty(), "{:?} never ended", self.open);
        assert_eq!(self.engine.open_requests(), 0);
        assert_eq!(self.engine.poll_deadline(), None, "nothing is due any more");
        assert!(!self.engine.is_online());
        if let Some(shadow) = self.shadows.first() {
            let asked = self.engine.get(self.now, *shadow);
            assert_eq!(asked, Err(RequestError::Closed));
        }
        self.engine.handle_bytes(self.now, &[0xd0, 0]);
        self.engine.handle_connected(self.now);
        self.pass(Duration::from_secs(1_000));
        assert!(
            !self.engine.has_output(),
            "an engine that is closed is silent"
        );
        replay(self.engine);
    }
}

fn record(config: Config, session: Session, seed: u64, now: Instant) -> Recorder<String> {
    Recorder::new(config, session, seed, now, Mask::default(), String::new())
}

/// Runs the recording of an engine again.
fn replay(engine: Recorder<String>) {
    let recording = engine.finish().1.unwrap_or_default();
    let parts = vec![Part::of_text("recording", &recording)];
    let replayed = Reader::new(parts)
        .and_then(Replay::new)
        .and_then(|mut replay| replay.run());
    match replayed {
        Ok(None) => {}
        Ok(Some(divergence)) => panic!("{divergence}"),
        Err(error) => panic!("{error}\n{recording}"),
    }
}

/// What of a stored session a restart must not forget: all but where its numberings are, of which
/// a new run begins new ones, and shadows of which nothing but their name is known.
fn needed(stored: &[u8]) -> Option<Value> {
    let body = stored.split(|byte| *byte == b'\n').nth(1)?;
    let mut value: Value = serde_json::from_slice(body).ok()?;
    let object = value.as_object_mut()?;
    object.remove("next_token");
    object.remove("last_packet_id");
    if let Some(Value::Array(shadows)) = object.get_mut("shadows") {
        let empty = |part: &Value| part.as_object().is_some_and(Map::is_empty);
        let parts = ["reported", "acknowledged", "pending", "answered"];
        shadows.retain(|shadow| !parts.iter().all(|part| shadow.get(part).is_some_and(empty)));
    }
    Some(value)
}
