//! Replays a capture: the device's bytes must come out of the engine, one by one.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use shadow_core::config::{Behaviour, Expiry, Login, TokenStyle, UserName};
use shadow_core::json::JsonStyle;
use shadow_core::mqtt::{Packet, ProtocolVersion};
use shadow_core::tencent::{Secret, ShadowName, SignatureMethod, credentials};
use shadow_core::{Config, Engine, Instant, Session, WallTime};

use super::player::Player;
use crate::capture::{Capture, Connection};

/// A capture replayed: one report for each connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaptureReport {
    /// In the order of the capture.
    pub connections: Vec<ConnectionReport>,
}

impl CaptureReport {
    /// Whether the device sent something, and its bytes came out identical on every connection.
    #[must_use]
    pub fn is_identical(&self) -> bool {
        self.connections
            .iter()
            .any(|connection| connection.bytes > 0)
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
    /// How many of them the engine has no request for, such as SUBSCRIBE of several topics: its codec
    /// wrote them, with the engine's packet identifiers.
    pub by_codec: usize,
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
                by_codec,
                difference,
            } = connection;
            if *bytes == 0 {
                writeln!(f, "{ends}: the device sent nothing")?;
                continue;
            }
            writeln!(
                f,
                "{ends}: {client_id}, {mqtt_version}; the password is {password}"
            )?;
            if *by_codec > 0 {
                writeln!(
                    f,
                    "  the engine has no request for {by_codec} of the packets; its codec writes them"
                )?;
            }
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
pub fn import_capture(capture: &Capture, secret: Option<&Secret>) -> CaptureReport {
    let mut sessions = BTreeMap::new();
    CaptureReport {
        connections: capture
            .connections
            .iter()
            .map(|connection| replay_connection(connection, secret, &mut sessions))
            .collect(),
    }
}

/// What goes on over the connections of one client: the session, and its next packet's number.
type Sessions = BTreeMap<String, (Session, u16)>;

/// A packet of the device, and where it is in the stream.
pub(super) struct Sent<'a> {
    pub(super) offset: usize,
    pub(super) bytes: &'a [u8],
}

fn replay_connection(
    connection: &Connection,
    secret: Option<&Secret>,
    sessions: &mut Sessions,
) -> ConnectionReport {
    let stream = connection.device_bytes();
    let (sent, rest) = split(&stream);
    let mut report = ConnectionReport {
        ends: format!("{} > {}", connection.device, connection.server),
        client_id: String::new(),
        mqtt_version: "unknown",
        password: "not sent",
        packets: sent.len(),
        bytes: stream.len(),
        by_codec: 0,
        difference: None,
    };
    if stream.is_empty() {
        // It was refused, or given up before anything was sent.
        return report;
    }
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
    config.maximum_in_flight = u16::MAX.into();
    config.maximum_packet_size = 1 << 24;
    config.maximum_queued_bytes = 1 << 26;
    config.limits.payload_size = 1 << 24;
    let style = style(&sent, connect.version);
    config.behaviour = Behaviour {
        json_style: style,
        token_style: TokenStyle::ProductCounter { first: 0 },
        ..Behaviour::python_sdk()
    };
    let first = first_number(&sent, connect.version);
    // What is sent again is in the session of the connection before.
    let before = sessions
        .remove(connect.client_id)
        .filter(|_| is_resumed(&sent, connect.version));
    let (session, next) = before.unwrap_or_else(|| (Session::starting_at(first), first));
    let numbers = (next, first);
    let engine = Engine::new(config, session, 0, Instant::ZERO);
    let mut player = Player::new(engine, connect.version, style, numbers);
    player.start(wall);
    player.play(connection, &sent);
    let (session, next) = (player.engine.session().clone(), player.next_number);
    sessions.insert(connect.client_id.to_owned(), (session, next));
    report.by_codec = player.by_codec;
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
pub(super) fn packet_length(bytes: &[u8]) -> Option<usize> {
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

/// Whether the device sends messages again that it sent on an earlier connection.
fn is_resumed(sent: &[Sent<'_>], version: ProtocolVersion) -> bool {
    packets(sent, version).any(|packet| matches!(packet, Packet::Publish(publish) if publish.dup))
}

/// The number that the device's first numbered packet had, or would have had.
fn first_number(sent: &[Sent<'_>], version: ProtocolVersion) -> u16 {
    let mut before = 0_u16;
    for packet in packets(sent, version) {
        let id = match packet {
            Packet::Subscribe(subscribe) => Some(subscribe.packet_id),
            Packet::Unsubscribe(unsubscribe) => Some(unsubscribe.packet_id),
            // What is sent again has the number that it had.
            Packet::Publish(publish) if publish.dup => None,
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
