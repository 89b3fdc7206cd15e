//! Replays a capture: the device's bytes must come out of the engine, one by one.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use shadow_core::config::{Behaviour, Expiry, Login, TokenStyle, UserName};
use shadow_core::json::{Json, JsonStyle};
use shadow_core::mqtt::{Packet, ProtocolVersion, QoS};
use shadow_core::tencent::credentials;
use shadow_core::tencent::{Operation, Part, Secret, ShadowName, SignatureMethod, Update, request};
use shadow_core::{
    Config, Engine, Instant, Publication, RequestError, Session, ShadowId, WallTime,
};

use super::identity::token_of;
use super::tokens::token_number;
use crate::capture::{Capture, Connection, Direction};

/// A capture replayed: one report for each connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaptureReport {
    /// In the order of the capture.
    pub connections: Vec<ConnectionReport>,
}

impl CaptureReport {
    /// Whether there is a connection, and the device's bytes of each came out identical.
    #[must_use]
    pub fn is_identical(&self) -> bool {
        !self.connections.is_empty()
            && self
                .connections
                .iter()
                .all(|connection| connection.difference.is_none())
    }
}

/// One connection replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectionReport {
    /// The device's and the server's address.
    pub ends: String,
    /// CONNECT's client id.
    pub client_id: String,
    /// CONNECT's protocol version.
    pub mqtt_version: &'static str,
    /// Where the password came from.
    pub password: &'static str,
    /// How many packets the device sent.
    pub packets: usize,
    /// How many bytes it sent.
    pub bytes: usize,
    /// The first place where the engine's bytes are others; none if they are identical.
    pub difference: Option<Difference>,
}

/// Where the engine's bytes part from the device's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Offset in the device's stream.
    pub offset: usize,
    /// The device's packet there.
    pub packet: String,
    /// What the capture has from there on, in hex, at most 32 bytes; withheld for CONNECT, which has the
    /// password in it.
    pub expected: String,
    /// What the engine has.
    pub found: String,
}

impl fmt::Display for CaptureReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for connection in &self.connections {
            let ConnectionReport {
                ends,
                client_id,
                mqtt_version,
                password,
                packets,
                bytes,
                difference,
            } = connection;
            writeln!(
                f,
                "{ends}: {client_id}, {mqtt_version}; the password is {password}"
            )?;
            match difference {
                None => writeln!(
                    f,
                    "  {packets} packets, {bytes} bytes of the device: identical"
                )?,
                Some(Difference {
                    offset,
                    packet,
                    expected,
                    found,
                }) => {
                    writeln!(f, "  the bytes differ from offset {offset} on, in {packet}")?;
                    writeln!(f, "    expected {expected}\n    found    {found}")?;
                }
            }
        }
        Ok(())
    }
}

/// Replays every connection of a capture with the server's bytes at their times; the device's
/// packets tell what the application asked for.
///
/// Connection id and expiry of a login are those of the captured user name. With the device's
/// `secret` the password is derived from it, as the device does; without one it is taken from the
/// capture.
#[must_use]
pub fn replay_capture(capture: &Capture, secret: Option<&Secret>) -> CaptureReport {
    CaptureReport {
        connections: capture
            .connections
            .iter()
            .map(|connection| replay_connection(connection, secret))
            .collect(),
    }
}

/// A packet of the device: where it is in the stream, and the segment that completes it.
struct Sent<'a> {
    offset: usize,
    bytes: &'a [u8],
}

fn replay_connection(connection: &Connection, secret: Option<&Secret>) -> ConnectionReport {
    let stream = connection.device_bytes();
    let (sent, rest) = split(&stream);
    let mut report = ConnectionReport {
        ends: format!("{} > {}", connection.device, connection.server),
        client_id: String::new(),
        mqtt_version: "unknown",
        password: "not sent",
        packets: sent.len(),
        bytes: stream.len(),
        difference: None,
    };
    let broken = |offset: usize, why: &str| {
        Some(Difference {
            offset,
            packet: why.to_owned(),
            expected: format!("{} bytes", stream.len()),
            found: String::new(),
        })
    };
    let first = sent
        .first()
        .map(|sent| Packet::decode(sent.bytes, ProtocolVersion::V311));
    let Some(Ok(Packet::Connect(connect))) = first else {
        report.difference = broken(0, "no CONNECT at the beginning");
        return report;
    };
    report.client_id = connect.client_id.to_owned();
    report.mqtt_version = match connect.version {
        ProtocolVersion::V31 => "MQTT 3.1",
        ProtocolVersion::V311 => "MQTT 3.1.1",
    };
    let names = names(&sent, connect.version);
    let (login, wall, password) = login(&connect, names.first(), secret);
    report.password = password;
    let mut config = Config::plain(connect.client_id);
    config.login = login;
    config.protocol_version = connect.version;
    config.keep_alive = connect.keep_alive;
    config.clean_session = connect.clean_session;
    config.request_timeout = Duration::MAX;
    config.connect_timeout = Duration::MAX;
    config.ping_timeout = Duration::MAX;
    config.maximum_requests = usize::MAX;
    config.maximum_packet_size = 1 << 24;
    config.maximum_payload_size = 1 << 24;
    config.maximum_queued_bytes = 1 << 26;
    config.behaviour = Behaviour {
        json_style: style(&sent, connect.version),
        token_style: TokenStyle::ProductCounter { first: 0 },
        ..Behaviour::python_sdk()
    };
    let session = Session::starting_at(first_number(&sent, connect.version));
    let mut player = Player {
        engine: Engine::new(config, session, 0, Instant::ZERO),
        now: Instant::ZERO,
        version: connect.version,
        shadows: Vec::new(),
        out: Vec::new(),
    };
    player.engine.handle_wall_time(Instant::ZERO, wall);
    player.engine.handle_tick(Instant::ZERO);
    player.drain();
    player.play(connection, &sent);
    let same = stream
        .iter()
        .zip(&player.out)
        .take_while(|(a, b)| a == b)
        .count();
    if same < stream.len() || same < player.out.len() {
        let at = sent.iter().rev().find(|sent| sent.offset <= same);
        // A CONNECT has the password in it.
        let shown = |bytes: &[u8]| match at {
            Some(Sent { offset: 0, .. }) => "(withheld)".to_owned(),
            _ => hex(bytes, same),
        };
        report.difference = Some(Difference {
            offset: same,
            packet: at.map_or_else(String::new, |sent| describe(sent, connect.version)),
            expected: shown(&stream),
            found: shown(&player.out),
        });
    } else if rest > 0 {
        report.difference = broken(stream.len() - rest, "an incomplete packet at the end");
    }
    report
}

struct Player {
    engine: Engine,
    now: Instant,
    version: ProtocolVersion,
    shadows: Vec<(ShadowName, ShadowId)>,
    out: Vec<u8>,
}

impl Player {
    fn drain(&mut self) {
        while self.engine.has_output() {
            while self.engine.poll_transmit(self.now, &mut self.out).is_some() {}
            while self.engine.poll_event().is_some() {}
        }
    }

    fn play(&mut self, connection: &Connection, sent: &[Sent<'_>]) {
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
                Direction::Server => self.engine.handle_bytes(self.now, &segment.bytes),
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

    /// Has the engine do what the device's packet shows that its application asked for. What the
    /// engine does of its own, or refuses, shows in the bytes.
    fn request(&mut self, sent: &Sent<'_>) {
        let Ok(packet) = Packet::decode(sent.bytes, self.version) else {
            return;
        };
        let now = self.now;
        match packet {
            Packet::Connect(_) => self.engine.handle_connected(now),
            Packet::Subscribe(subscribe) => {
                for (filter, qos) in subscribe.filters.iter() {
                    match ShadowName::from_result_topic(filter) {
                        Some(name) => {
                            if let Ok(id) = self.engine.attach(now, &name) {
                                self.shadows.push((name, id));
                            }
                        }
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
            Packet::Publish(publish) => {
                let name = ShadowName::from_operation_topic(publish.topic);
                let id = name.and_then(|name| {
                    self.shadows
                        .iter()
                        .find(|(known, _)| *known == name)
                        .cloned()
                });
                let parsed = request::parse_request(publish.payload);
                match (id, parsed) {
                    (Some((name, id)), Ok(parsed)) if publish.qos == QoS::AtMostOnce => {
                        let text = String::from_utf8_lossy(publish.payload);
                        let token = token_of(&text).and_then(|token| token_number(&token, &name));
                        if let Some(token) = token {
                            ignore(self.engine.set_next_token(id, token));
                        }
                        self.shadow_request(id, &parsed);
                    }
                    _ => {
                        let publication = Publication {
                            topic: publish.topic,
                            payload: publish.payload,
                            qos: publish.qos,
                            retain: publish.retain,
                        };
                        if !publish.dup {
                            ignore(self.engine.publish(now, &publication));
                        }
                    }
                }
            }
            Packet::PingReq => {
                // The SDK looks at its keep alive every 5 s; the engine may not be later.
                self.engine.handle_tick(now);
            }
            Packet::Disconnect => self.engine.close(now),
            _ => {}
        }
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

/// What the engine refuses is missing in its bytes, and reported there.
fn ignore<T>(_: Result<T, RequestError>) {}

/// The packets of a stream, and how many bytes at its end are none.
fn split(stream: &[u8]) -> (Vec<Sent<'_>>, usize) {
    let mut sent = Vec::new();
    let mut offset = 0;
    while let Some(length) = stream.get(offset..).and_then(packet_length) {
        let Some(bytes) = stream.get(offset..offset + length) else {
            break;
        };
        sent.push(Sent { offset, bytes });
        offset += length;
    }
    (sent, stream.len() - offset)
}

/// Length of the packet that begins here (MQTT section 2.2.3).
fn packet_length(bytes: &[u8]) -> Option<usize> {
    let mut length = 0;
    for (index, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(2 + index + length);
        }
    }
    None
}

fn packets<'a>(sent: &'a [Sent<'a>], version: ProtocolVersion) -> impl Iterator<Item = Packet<'a>> {
    sent.iter()
        .filter_map(move |sent| Packet::decode(sent.bytes, version).ok())
}

fn names(sent: &[Sent<'_>], version: ProtocolVersion) -> Vec<ShadowName> {
    let filters = packets(sent, version).filter_map(|packet| match packet {
        Packet::Subscribe(subscribe) => subscribe
            .filters
            .iter()
            .find_map(|(filter, _)| ShadowName::from_result_topic(filter)),
        Packet::Publish(publish) => ShadowName::from_operation_topic(publish.topic),
        _ => None,
    });
    filters.take(1).collect()
}

/// How the device spells its requests: as Python does, unless one shows otherwise.
fn style(sent: &[Sent<'_>], version: ProtocolVersion) -> JsonStyle {
    let compact = packets(sent, version).any(|packet| match packet {
        Packet::Publish(publish) => {
            ShadowName::from_operation_topic(publish.topic).is_some()
                && publish.payload.starts_with(br#"{"type":""#)
        }
        _ => false,
    });
    if compact {
        JsonStyle::Compact
    } else {
        JsonStyle::Python
    }
}

/// The number that the device's first numbered packet had, or would have had.
fn first_number(sent: &[Sent<'_>], version: ProtocolVersion) -> u16 {
    let mut before = 0_u16;
    for packet in packets(sent, version) {
        let id = match packet {
            Packet::Subscribe(subscribe) => Some(subscribe.packet_id),
            Packet::Unsubscribe(unsubscribe) => Some(unsubscribe.packet_id),
            Packet::Publish(publish) => {
                if publish.packet_id.is_none() {
                    before = before.saturating_add(1);
                }
                publish.packet_id
            }
            _ => None,
        };
        if let Some(id) = id {
            return id.get().saturating_sub(before).max(1);
        }
    }
    1
}

fn login(
    connect: &shadow_core::mqtt::Connect<'_>,
    name: Option<&ShadowName>,
    secret: Option<&Secret>,
) -> (Login, WallTime, &'static str) {
    let user_name = connect.user_name.and_then(credentials::UserName::parse);
    let password = connect.password.unwrap_or_default();
    let method = if password.ends_with(b";hmacsha1") {
        SignatureMethod::HmacSha1
    } else {
        SignatureMethod::HmacSha256
    };
    let split = || {
        let (product, device) = connect.client_id.split_at_checked(10)?;
        ShadowName::new(product, device).ok()
    };
    let device = name
        .filter(|name| name.client_id() == connect.client_id)
        .cloned()
        .or_else(split);
    let parts = user_name.and_then(|user_name| {
        let connection_id = user_name.connection_id.as_bytes().try_into().ok()?;
        let sdk_app_id = user_name.sdk_app_id.parse().ok()?;
        Some((sdk_app_id, connection_id, user_name.expiry))
    });
    if let (Some(secret), Some(device), Some((sdk_app_id, connection_id, expiry))) =
        (secret, device, parts)
    {
        // Seconds or milliseconds, as for every time of the vendor's.
        let in_seconds = expiry < 100_000_000_000;
        let (wall, kind) = if in_seconds {
            (expiry.saturating_mul(1_000), Expiry::After(Duration::ZERO))
        } else {
            (expiry, Expiry::NowInMilliseconds)
        };
        let login = Login::Key {
            device,
            secret: secret.clone(),
            method,
            user_name: UserName {
                sdk_app_id,
                connection_id: Some(connection_id),
                expiry: kind,
            },
        };
        let wall = WallTime::from_unix_millis(wall);
        return (login, wall, "derived from the secret");
    }
    let login = Login::Plain {
        client_id: connect.client_id.to_owned(),
        user_name: connect.user_name.map(str::to_owned),
        password: connect.password.map(Secret::from_bytes),
    };
    let source = match connect.password {
        Some(_) => "taken from the capture",
        None => "not sent",
    };
    (login, WallTime::from_unix_millis(0), source)
}

/// What kind of packet it is. Its content may be secret.
fn describe(sent: &Sent<'_>, version: ProtocolVersion) -> String {
    match Packet::decode(sent.bytes, version) {
        Ok(Packet::Publish(publish)) => format!(
            "PUBLISH on {} at offset {} ({} bytes of payload)",
            publish.topic,
            sent.offset,
            publish.payload.len()
        ),
        Ok(packet) => format!("{} at offset {}", packet.kind(), sent.offset),
        Err(error) => format!(
            "bytes at offset {} that are no packet: {error}",
            sent.offset
        ),
    }
}

fn hex(bytes: &[u8], from: usize) -> String {
    let shown = bytes.get(from..).unwrap_or_default().iter().take(32);
    shown.map(|byte| format!("{byte:02x}")).collect()
}
