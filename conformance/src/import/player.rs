//! The engine with a capture played to it: the server's bytes go in at their times, and it is asked
//! for what the device's packets show.

use std::collections::{BTreeMap, BTreeSet};

use shadow_core::config::TokenStyle;
use shadow_core::json::{Json, JsonStyle};
use shadow_core::mqtt::{
    Packet, PacketId, PacketKind, ProtocolVersion, PubAck, PubComp, Publish, QoS, Subscribe,
    Unsubscribe,
};
use shadow_core::recording::{Mask, Recorder};
use shadow_core::tencent::{Operation, Part, ShadowName, Update, request};
use shadow_core::{
    Engine, Event, Instant, Publication, RequestError, RequestId, Session, ShadowId, Timer,
    Transmit, TransportFailure, WallTime,
};

use super::again::{Unacknowledged, is_sent_again, note};
use super::fault::Fault;
use super::identity::token_of;
use super::keep_alive::PUNCTUAL;
use super::numbers::{after, distance};
use super::own::is_of_the_engines_form;
use super::profile::{Found, number_of};
use super::tolerance::Tolerance;
use super::wire::{Sent, packet_length};
use crate::capture::{Close, Connection, Direction};

/// Most numbers that are skipped at once; all together they may be four times as many.
pub(super) const MAXIMUM_SKIPPED: usize = 1024;

/// Why an attempt failed, as far as a capture shows.
const IN_VAIN: &str = "nothing accepted it";

/// What the engine has of a link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    None,
    /// It has asked for a connection.
    Asked,
    Open,
}

/// An engine that does what the device's packets show.
pub(super) struct Player {
    engine: Recorder<String>,
    now: Instant,
    /// The capture's time at the engine's beginning.
    base: Option<u64>,
    /// The wall time of the login, if the engine is to sign it, and when that is in the capture.
    signed_at: Option<WallTime>,
    login_at: u64,
    link: Link,
    /// When the last link was lost.
    lost_at: Instant,
    version: ProtocolVersion,
    pub(super) style: JsonStyle,
    pub(super) token_style: TokenStyle,
    tolerance: Tolerance,
    /// QoS of the shadows' messages; none if the engine cannot have them.
    shadow_qos: Option<QoS>,
    shadows: Vec<(ShadowName, ShadowId)>,
    /// Shadow requests that have not ended.
    open: Vec<RequestId>,
    /// One past the largest number that a token has had: of each shadow, or with a nonce of all.
    next_tokens: BTreeMap<Option<ShadowName>, u64>,
    /// Everything that the engine sent on this connection.
    pub(super) out: Vec<u8>,
    /// The number of the engine's next packet.
    pub(super) next_number: u16,
    /// The number that the first packet is to have.
    first_number: Option<u16>,
    /// What has come from the server and was not taken up yet.
    arrived: Vec<u8>,
    /// Packets of the device above QoS 0 that the server has yet to acknowledge.
    unacknowledged: Unacknowledged,
    /// How many numbers may still be skipped.
    may_skip: usize,
    /// Of this connection: packets that the codec wrote, and requests that were published as they
    /// are.
    pub(super) by_codec: usize,
    pub(super) as_they_are: usize,
    pub(super) faults: BTreeSet<Fault>,
}

impl Player {
    /// With the number of the engine's next packet and the one that it is to have.
    pub(super) fn new(
        found: Found,
        session: Session,
        (next_number, first_number): (u16, u16),
        login_at: u64,
        tolerance: Tolerance,
        records: bool,
    ) -> Player {
        let Found {
            config,
            version,
            style,
            attaches,
            signed_at,
            ..
        } = found;
        let shadow_qos = attaches.then_some(config.shadow_qos);
        let token_style = config.behaviour.token_style;
        let engine = if records {
            let mask = Mask::default();
            Recorder::new(config, session, 0, Instant::ZERO, mask, String::new())
        } else {
            Recorder::off(Engine::new(config, session, 0, Instant::ZERO))
        };
        Player {
            engine,
            now: Instant::ZERO,
            base: None,
            signed_at,
            login_at,
            link: Link::None,
            lost_at: Instant::ZERO,
            version,
            style,
            token_style,
            tolerance,
            shadow_qos,
            shadows: Vec::new(),
            open: Vec::new(),
            next_tokens: BTreeMap::new(),
            out: Vec::new(),
            next_number,
            first_number: Some(first_number),
            arrived: Vec::new(),
            unacknowledged: Unacknowledged::new(),
            may_skip: 4 * MAXIMUM_SKIPPED,
            by_codec: 0,
            as_they_are: 0,
            faults: BTreeSet::new(),
        }
    }

    /// What survives the engine, and its recording if there is one.
    pub(super) fn finish(self) -> (Session, Option<String>) {
        self.engine.finish()
    }

    /// Messages above QoS 0 that are still under way.
    pub(super) fn unacknowledged(&self) -> &Unacknowledged {
        &self.unacknowledged
    }

    /// Takes over those of an engine whose session this one has.
    pub(super) fn resume(&mut self, unacknowledged: Unacknowledged) {
        self.unacknowledged = unacknowledged;
    }

    /// Another connection is about to begin, whose first packet is to have a number.
    pub(super) fn begin_link(&mut self, first_number: u16) {
        self.out.clear();
        self.arrived.clear();
        self.first_number = Some(first_number);
        (self.by_codec, self.as_they_are) = (0, 0);
    }

    /// Has the engine ask for a connection, at this time of the capture. One that it has without the
    /// capture showing an end is gone by then.
    pub(super) fn ask(&mut self, at_micros: Option<u64>) {
        let is_first = self.base.is_none();
        self.base = self.base.or(at_micros);
        self.pass(at_micros);
        if is_first {
            self.engine.handle_wall_time(self.now, self.wall());
            self.engine.handle_tick(self.now);
        } else {
            // Of what the capture does not show the end it is not known how long the client waited.
            let waited = (self.link == Link::None).then_some(self.lost_at);
            self.disconnect(match self.link {
                Link::None | Link::Asked => TransportFailure::ConnectFailed(IN_VAIN.to_owned()),
                Link::Open => TransportFailure::ClosedByPeer,
            });
            self.connect_again(waited);
        }
        self.drain();
    }

    /// The wall time at the engine's beginning: the capture's, unless that of the login is another.
    fn wall(&self) -> WallTime {
        let base = self.base.unwrap_or(self.login_at);
        let until_login = self.login_at.saturating_sub(base) / 1_000;
        WallTime::from_unix_millis(match self.signed_at {
            Some(wall) => wall.as_unix_millis().saturating_sub(until_login),
            None => base / 1_000,
        })
    }

    /// The connection that the engine has asked for came to nothing at this time.
    pub(super) fn fail(&mut self, at_micros: u64) {
        self.pass(Some(at_micros));
        self.disconnect(TransportFailure::ConnectFailed(IN_VAIN.to_owned()));
    }

    /// The engine has its connection.
    fn connect(&mut self) {
        if self.link == Link::Asked {
            self.link = Link::Open;
            self.engine.handle_connected(self.now);
            self.drain();
        }
    }

    /// Tells the engine that its connection is gone, if it has one.
    fn disconnect(&mut self, failure: TransportFailure) {
        if std::mem::replace(&mut self.link, Link::None) != Link::None {
            self.engine.handle_disconnected(self.now, failure);
            self.lost_at = self.now;
            self.drain();
        }
        for request in std::mem::take(&mut self.open) {
            // The SDKs know of no request that outlives its link.
            ignore(self.engine.cancel(self.now, request));
            self.drain();
        }
    }

    /// Goes on to a time of the capture, unless it is past.
    fn pass(&mut self, at_micros: Option<u64>) {
        if let (Some(at), Some(base)) = (at_micros, self.base) {
            self.now = self.now.max(Instant::from_micros(at.saturating_sub(base)));
        }
    }

    fn drain(&mut self) {
        while self.engine.has_output() {
            while let Some(transmit) = self.engine.poll_transmit(self.now, &mut self.out) {
                match transmit {
                    Transmit::Connect => self.link = Link::Asked,
                    Transmit::Close => self.link = Link::None,
                    Transmit::Packet {
                        kind: PacketKind::Subscribe | PacketKind::Unsubscribe | PacketKind::Publish,
                        packet_id: Some(id),
                        ..
                    } if id.get() == self.next_number => {
                        // Not that of a packet that is sent again.
                        self.next_number = after(self.next_number);
                    }
                    Transmit::Packet { .. } => {}
                }
            }
            while let Some(event) = self.engine.poll_event() {
                if let Event::Ended { request, .. } = event {
                    self.open.retain(|open| *open != request);
                }
            }
        }
    }

    /// Takes the number of a packet of its own, of which nothing is kept.
    fn take_number(&mut self) -> u16 {
        self.drain();
        let kept = self.out.len();
        let number = self.next_number;
        let publication = Publication::new("replay/number", &[]);
        ignore(self.engine.publish(self.now, &publication));
        self.drain();
        self.out.truncate(kept);
        number
    }

    /// Skips the numbers of what was not sent for want of a link.
    fn skip_numbers(&mut self) {
        let Some(first) = self.first_number.take() else {
            return;
        };
        self.skip_to(first);
    }

    /// Skips the numbers up to this one, unless it is behind.
    fn skip_to(&mut self, number: u16) {
        let gap = distance(self.next_number, number);
        if gap <= MAXIMUM_SKIPPED.min(self.may_skip) {
            self.may_skip -= gap;
            for _ in 0..gap {
                self.take_number();
            }
        }
    }

    /// Sends a packet that the engine has no request for: the codec writes it, with the engine's
    /// next packet identifier.
    fn send_by_codec<'a>(&mut self, packet: impl FnOnce(PacketId) -> Packet<'a>) {
        let number = self.take_number();
        if let Some(id) = PacketId::new(number)
            && packet(id).encode(self.version, &mut self.out).is_ok()
        {
            self.by_codec += 1;
        }
    }

    pub(super) fn play(&mut self, connection: &Connection, sent: &[Sent<'_>]) {
        // The engine logs in as soon as it can, and TLS has a handshake of its own before that.
        if let Some(at) = connection.opened_at
            && !connection.is_decrypted
        {
            self.pass(Some(at));
            self.connect();
        }
        let mut next = sent.iter().peekable();
        let mut received = 0;
        for segment in &connection.segments {
            self.pass(Some(segment.at_micros));
            match segment.direction {
                Direction::Server => {
                    self.arrived.extend_from_slice(&segment.bytes);
                    self.receive_quietly();
                }
                Direction::Device => {
                    received += segment.bytes.len();
                    let complete = |sent: &&Sent<'_>| sent.offset + sent.bytes.len() <= received;
                    while let Some(sent) = next.next_if(complete) {
                        self.request(sent);
                        self.drain();
                    }
                }
            }
            self.drain();
        }
        if let Some(close) = connection.closed_by {
            self.pass(connection.ended_at);
            self.disconnect(match close {
                Close::Finished(Direction::Server) => TransportFailure::ClosedByPeer,
                Close::Reset(Direction::Server) => TransportFailure::Broken("reset".to_owned()),
                Close::Finished(Direction::Device) | Close::Reset(Direction::Device) => {
                    TransportFailure::Broken("the device closed it".to_owned())
                }
            });
        }
    }

    /// Takes up what calls for no answer. The device's threads may send other things before it
    /// answers the rest.
    fn receive_quietly(&mut self) {
        while let Some(length) = packet_length(&self.arrived).filter(|n| *n <= self.arrived.len())
            && !calls_for_an_answer(&self.arrived)
        {
            self.receive(length);
        }
    }

    /// Takes up what came until the engine has sent this much.
    fn receive_up_to(&mut self, bytes: usize) {
        while self.out.len() < bytes
            && let Some(length) = packet_length(&self.arrived)
            && length <= self.arrived.len()
        {
            self.receive(length);
        }
        self.receive_quietly();
    }

    fn receive(&mut self, length: usize) {
        let packet: Vec<u8> = self.arrived.drain(..length).collect();
        if let Ok(Packet::PubAck(PubAck { packet_id }) | Packet::PubComp(PubComp { packet_id })) =
            Packet::decode(&packet, self.version)
        {
            self.unacknowledged.remove(&packet_id.get());
        }
        self.engine.handle_bytes(self.now, &packet);
        self.drain();
    }

    /// Has the engine do what the device's packet shows that its application asked for. What the
    /// engine does of its own, or refuses, shows in the bytes.
    fn request(&mut self, sent: &Sent<'_>) {
        let Ok(packet) = Packet::decode(sent.bytes, self.version) else {
            return;
        };
        let now = self.now;
        let is_again = matches!(&packet, Packet::Publish(publish)
            if is_sent_again(publish, sent, &self.unacknowledged));
        if !is_again && !matches!(packet, Packet::Connect(_)) {
            self.skip_numbers();
        }
        if self.faults.contains(&Fault::NumbersMessagesThatWait)
            && let Packet::Subscribe(Subscribe { packet_id: id, .. })
            | Packet::Unsubscribe(Unsubscribe { packet_id: id, .. })
            | Packet::Publish(Publish {
                dup: false,
                packet_id: Some(id),
                ..
            }) = &packet
        {
            // Numbers that were given to what waited.
            self.skip_to(id.get());
        }
        match packet {
            Packet::Connect(_) => self.connect(),
            Packet::Subscribe(subscribe) if subscribe.filters.iter().count() > 1 => {
                self.send_by_codec(|packet_id| {
                    Packet::Subscribe(Subscribe {
                        packet_id,
                        ..subscribe
                    })
                });
            }
            Packet::Unsubscribe(unsubscribe) if unsubscribe.filters.iter().count() > 1 => {
                self.send_by_codec(|packet_id| {
                    Packet::Unsubscribe(Unsubscribe {
                        packet_id,
                        ..unsubscribe
                    })
                });
            }
            Packet::Subscribe(subscribe) => {
                for (filter, qos) in subscribe.filters.iter() {
                    let name = ShadowName::from_result_topic(filter);
                    let name = name.filter(|_| self.shadow_qos == Some(qos));
                    let attached = name.and_then(|name| {
                        let id = self.engine.attach(now, &name).ok()?;
                        Some((name, id))
                    });
                    match attached {
                        Some(shadow) => self.shadows.push(shadow),
                        // No shadow's, or subscribed before.
                        None => ignore(self.engine.subscribe(now, filter, qos)),
                    }
                }
            }
            Packet::Unsubscribe(unsubscribe) => {
                for filter in unsubscribe.filters.iter() {
                    let known = self
                        .shadows
                        .iter()
                        .position(|(name, _)| name.is_result_topic(filter));
                    match known {
                        Some(place) => {
                            let (_, id) = self.shadows.remove(place);
                            ignore(self.engine.detach(now, id));
                        }
                        None => ignore(self.engine.unsubscribe(now, filter)),
                    }
                }
            }
            Packet::Publish(publish) if is_again => self.send_again(&publish, sent),
            Packet::Publish(publish) => {
                note(&mut self.unacknowledged, &publish, sent);
                self.publish(&publish);
            }
            Packet::PingReq => self.ping(),
            Packet::Disconnect => self.engine.close(now),
            Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => {
                self.receive_up_to(sent.offset + sent.bytes.len());
            }
            _ => {}
        }
    }

    fn ping(&mut self) {
        if !self.is_punctual() {
            return;
        }
        let before = self.out.len();
        // A client that pings twice before it is answered does not give up its link yet.
        let deadline = self.engine.poll_deadline();
        if deadline.is_some_and(|deadline| deadline.timer == Timer::KeepAlive) {
            // The SDK looks at its keep alive every 5 s; the engine may not be later.
            self.engine.handle_tick(self.now);
            self.drain();
        }
        // Some ping by a clock of their own, whether there is silence or not.
        if self.out.len() == before && Packet::PingReq.encode(self.version, &mut self.out).is_ok() {
            self.by_codec += 1;
        }
    }

    /// Whether a PINGREQ is in time now, or may be late.
    fn is_punctual(&self) -> bool {
        let due = self.engine.poll_deadline();
        let due = due.filter(|due| due.timer == Timer::KeepAlive);
        self.tolerance.pings_late || due.is_none_or(|due| self.now <= due.at + PUNCTUAL)
    }

    /// Has the engine connect, if it is waiting until it may: what it waits for is over, or does
    /// not matter to the client.
    fn connect_again(&mut self, lost_at: Option<Instant>) {
        let due = self.engine.poll_deadline();
        if let Some(due) = due.filter(|due| due.timer == Timer::Reconnect) {
            // A wait is a random one between half of it and all of it, as the engine's is.
            let is_too_soon = lost_at.is_some_and(|lost_at| {
                let waited = self.now.saturating_since(lost_at);
                waited + waited < due.at.saturating_since(lost_at)
            });
            if due.at <= self.now {
                self.engine.handle_tick(self.now);
            } else if !is_too_soon {
                self.engine.reconnect(self.now);
            } else if self.tolerance.reconnects_too_soon {
                self.faults.insert(Fault::ReconnectsTooSoon);
                self.engine.reconnect(self.now);
            }
            self.drain();
        }
    }

    fn publish(&mut self, publish: &Publish<'_>) {
        if publish
            .packet_id
            .is_some_and(|id| id.get() != self.next_number)
            && self.tolerance.numbers_messages_that_wait
        {
            return self.send_late(publish);
        }
        let text = String::from_utf8_lossy(publish.payload);
        if self.shadow_qos == Some(publish.qos)
            && is_of_the_engines_form(&text, self.style)
            && let Some(name) = ShadowName::from_operation_topic(publish.topic)
            && let Some((_, id)) = self.shadows.iter().find(|(known, _)| *known == name)
            && let Some(token) = token_of(&text)
            && let Some(token) = number_of(self.token_style, &token, &name)
            && let Ok(parsed) = request::parse_request(publish.payload)
        {
            let id = *id;
            ignore(self.engine.set_next_token(id, token));
            self.shadow_request(id, &parsed);
            let is_counted_together = matches!(self.token_style, TokenStyle::FixedNonce(_));
            let counted = Some(name).filter(|_| !is_counted_together);
            let next = self.next_tokens.entry(counted).or_default();
            *next = token.saturating_add(1).max(*next);
            // Behind a request that was repeated the engine would take the replies to those with
            // larger numbers for foreign.
            if *next > token.saturating_add(1) {
                ignore(self.engine.set_next_token(id, *next));
            }
            return;
        }
        // Another topic, or a request that the application wrote itself.
        let is_request = ShadowName::from_operation_topic(publish.topic).is_some();
        self.as_they_are += usize::from(is_request);
        let publication = Publication {
            topic: publish.topic,
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
        };
        ignore(self.engine.publish(self.now, &publication));
    }

    /// Sends a message again that is of before the capture; others the engine's session has sent.
    fn send_again(&mut self, publish: &Publish<'_>, sent: &Sent<'_>) {
        if self.out.len() <= sent.offset && publish.encode(&mut self.out).is_ok() {
            self.by_codec += 1;
            note(&mut self.unacknowledged, publish, sent);
        }
    }

    /// Sends a message that had to wait, with the number that it was given when it was asked for.
    fn send_late(&mut self, publish: &Publish<'_>) {
        self.drain();
        if publish.encode(&mut self.out).is_ok() {
            self.by_codec += 1;
            self.faults.insert(Fault::NumbersMessagesThatWait);
        }
    }

    fn shadow_request(&mut self, id: ShadowId, parsed: &request::Request<'_>) {
        let now = self.now;
        if parsed.operation == Operation::Get {
            let asked = self.engine.get(now, id);
            return self.note(asked);
        }
        let part = |part: Part<'_>| match part {
            Part::Absent => None,
            Part::Null => Json::new("null").ok(),
            Part::Object(text) => Json::new(text).ok(),
        };
        macro_rules! send {
            ($update:expr) => {{
                let mut update = $update.overwrite(parsed.overwrite);
                if let Some(version) = parsed.version {
                    update = update.version(version);
                }
                let asked = self.engine.update(now, id, &update);
                self.note(asked)
            }};
        }
        match (part(parsed.reported), part(parsed.desired)) {
            (Some(reported), Some(desired)) => {
                send!(Update::new().reported(reported).desired(desired));
            }
            (Some(reported), None) => send!(Update::new().reported(reported)),
            (None, Some(desired)) => send!(Update::new().desired(desired)),
            (None, None) => send!(Update::new()),
        }
    }

    fn note(&mut self, asked: Result<RequestId, RequestError>) {
        self.open.extend(asked);
    }
}

/// Whether the client acknowledges the packet that begins here.
fn calls_for_an_answer(bytes: &[u8]) -> bool {
    match bytes.first() {
        // PUBLISH of QoS 1 or 2.
        Some(first @ 0x30..=0x3F) => first & 0x06 != 0,
        Some(first) => matches!(first >> 4, 5 | 6),
        None => false,
    }
}

/// What the engine refuses is missing in its bytes, and reported there.
fn ignore<T>(_: Result<T, RequestError>) {}
