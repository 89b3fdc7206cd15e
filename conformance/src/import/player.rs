//! The engine with a capture played to it: the server's bytes go in at their times, and it is asked
//! for what the device's packets show.

use shadow_core::json::{Json, JsonStyle};
use shadow_core::mqtt::{
    Packet, PacketId, PacketKind, ProtocolVersion, Publish, QoS, Subscribe, Unsubscribe,
};
use shadow_core::tencent::{Operation, Part, ShadowName, Update, request};
use shadow_core::{Engine, Instant, Publication, RequestError, ShadowId, Transmit, WallTime};

use super::identity::token_of;
use super::numbers::{after, distance};
use super::own::is_of_the_engines_form;
use super::tokens::token_number;
use super::wire::{Sent, packet_length};
use crate::capture::{Connection, Direction};

/// Most numbers that are skipped between two connections.
const MAXIMUM_SKIPPED: usize = 4096;

/// An engine that does what the device's packets show.
pub(super) struct Player {
    pub(super) engine: Engine,
    now: Instant,
    version: ProtocolVersion,
    style: JsonStyle,
    shadows: Vec<(ShadowName, ShadowId)>,
    /// Everything that the engine sent.
    pub(super) out: Vec<u8>,
    /// The number of the engine's next packet.
    pub(super) next_number: u16,
    /// The number that the first packet is to have.
    first_number: Option<u16>,
    /// What has come from the server and was not taken up yet.
    arrived: Vec<u8>,
    pub(super) by_codec: usize,
}

impl Player {
    /// With the number of the engine's next packet and the one that it is to have.
    pub(super) fn new(
        engine: Engine,
        version: ProtocolVersion,
        style: JsonStyle,
        (next_number, first_number): (u16, u16),
    ) -> Player {
        Player {
            engine,
            now: Instant::ZERO,
            version,
            style,
            shadows: Vec::new(),
            out: Vec::new(),
            next_number,
            first_number: Some(first_number),
            arrived: Vec::new(),
            by_codec: 0,
        }
    }

    /// Has the engine ask for its connection at this wall time.
    pub(super) fn start(&mut self, wall: WallTime) {
        self.engine.handle_wall_time(self.now, wall);
        self.engine.handle_tick(self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while self.engine.has_output() {
            while let Some(transmit) = self.engine.poll_transmit(self.now, &mut self.out) {
                if let Transmit::Packet {
                    kind: PacketKind::Subscribe | PacketKind::Unsubscribe | PacketKind::Publish,
                    packet_id: Some(id),
                    ..
                } = transmit
                {
                    // Not that of a packet that is sent again.
                    if id.get() == self.next_number {
                        self.next_number = after(self.next_number);
                    }
                }
            }
            while self.engine.poll_event().is_some() {}
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
        let gap = distance(self.next_number, first);
        for _ in 0..gap.min(MAXIMUM_SKIPPED) {
            self.take_number();
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
        let start = connection
            .segments
            .first()
            .map_or(0, |segment| segment.at_micros);
        let mut next = sent.iter().peekable();
        let mut received = 0;
        for segment in &connection.segments {
            let at = Instant::from_micros(segment.at_micros.saturating_sub(start));
            self.now = self.now.max(at);
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
        let is_again = matches!(&packet, Packet::Publish(publish) if publish.dup);
        if !is_again && !matches!(packet, Packet::Connect(_)) {
            self.skip_numbers();
        }
        match packet {
            Packet::Connect(_) => self.engine.handle_connected(now),
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
                    let attached = ShadowName::from_result_topic(filter).and_then(|name| {
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
            // The engine's session sends it again.
            Packet::Publish(publish) if publish.dup => {}
            Packet::Publish(publish) => self.publish(&publish),
            Packet::PingReq => {
                // The SDK looks at its keep alive every 5 s; the engine may not be later.
                self.engine.handle_tick(now);
            }
            Packet::Disconnect => self.engine.close(now),
            Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => {
                self.receive_up_to(sent.offset + sent.bytes.len());
            }
            _ => {}
        }
    }

    fn publish(&mut self, publish: &Publish<'_>) {
        let text = String::from_utf8_lossy(publish.payload);
        if publish.qos == QoS::AtMostOnce
            && is_of_the_engines_form(&text, self.style)
            && let Some(name) = ShadowName::from_operation_topic(publish.topic)
            && let Some((_, id)) = self.shadows.iter().find(|(known, _)| *known == name)
            && let Some(token) = token_of(&text).and_then(|token| token_number(&token, &name))
            && let Ok(parsed) = request::parse_request(publish.payload)
        {
            let id = *id;
            ignore(self.engine.set_next_token(id, token));
            return self.shadow_request(id, &parsed);
        }
        // Another topic, or a request that the application wrote itself.
        let publication = Publication {
            topic: publish.topic,
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
        };
        ignore(self.engine.publish(self.now, &publication));
    }

    fn shadow_request(&mut self, id: ShadowId, parsed: &request::Request<'_>) {
        let now = self.now;
        if parsed.operation == Operation::Get {
            return ignore(self.engine.get(now, id));
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
                ignore(self.engine.update(now, id, &update))
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
