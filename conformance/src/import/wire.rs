//! Imports a capture: the device's bytes must come out of the engine, one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use shadow_core::Session;
use shadow_core::mqtt::{Packet, ProtocolVersion, Publish};
use shadow_core::tencent::Secret;

use super::Recorded;
use super::again::{Unacknowledged, is_sent_again};
use super::capture_report::{CaptureReport, ConnectionReport, Difference};
use super::fault::{self, Fault};
use super::missing::Missing;
use super::numbers::distance;
use super::player::{MAXIMUM_SKIPPED, Player};
use super::profile::{self, Found, UNKNOWN, packets};
use super::tolerance::Tolerance;
use crate::capture::{Capture, Connection, Direction, Segment, tls};
use crate::diagnose;

/// Imports every connection of a capture with the server's bytes at their times; the device's
/// packets tell what the application asked for.
///
/// One engine stands for one client as long as it may: over reconnects, until the client says
/// goodbye, starts anew or logs in otherwise.
///
/// Connection id and expiry of a login are those of the captured user name. With the device's
/// `secret` the password is derived from it, as the device does; without one it is taken from the
/// capture.
#[must_use]
pub fn import_capture(capture: &Capture, secret: Option<&Secret>) -> CaptureReport {
    import_capture_with(capture, secret, Tolerance::default())
}

/// As [`import_capture`], with the faults that are put up with chosen one by one.
#[must_use]
pub fn import_capture_with(
    capture: &Capture,
    secret: Option<&Secret>,
    tolerance: Tolerance,
) -> CaptureReport {
    Importer::new(secret, tolerance, false).import(capture).0
}

/// As [`import_capture`], with a recording of each engine that was driven, which replays. It has
/// neither secrets nor passwords.
#[must_use]
pub fn record_capture(
    capture: &Capture,
    secret: Option<&Secret>,
) -> (CaptureReport, Vec<Recorded>) {
    Importer::new(secret, Tolerance::default(), true).import(capture)
}

/// A packet of the device, and where it is in the stream.
pub(super) struct Sent<'a> {
    pub(super) offset: usize,
    pub(super) bytes: &'a [u8],
}

/// A client and the engine that stands for it.
struct Client {
    player: Player,
    connect: Vec<u8>,
    /// Whether the last connection ended with DISCONNECT.
    is_over: bool,
}

/// A connection that came to nothing, and when, as the capture tells.
#[derive(Clone, Copy)]
struct Attempt {
    asked_at: Option<u64>,
    ended_at: Option<u64>,
}

struct Importer<'a> {
    secret: Option<&'a Secret>,
    tolerance: Tolerance,
    records: bool,
    clients: BTreeMap<String, Client>,
    recorded: Vec<Recorded>,
    faults: BTreeSet<Fault>,
    /// The client at each address; none where there are several.
    addresses: BTreeMap<IpAddr, Option<String>>,
    /// Attempts from each address that came to nothing, since its last connection.
    attempts: BTreeMap<IpAddr, Vec<Attempt>>,
}

impl<'a> Importer<'a> {
    fn new(secret: Option<&'a Secret>, tolerance: Tolerance, records: bool) -> Importer<'a> {
        Importer {
            secret,
            tolerance,
            records,
            clients: BTreeMap::new(),
            recorded: Vec::new(),
            faults: BTreeSet::new(),
            addresses: BTreeMap::new(),
            attempts: BTreeMap::new(),
        }
    }

    fn import(mut self, capture: &Capture) -> (CaptureReport, Vec<Recorded>) {
        let mut telling: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, connection) in capture.connections.iter().enumerate() {
            let Some((client_id, has_requests)) = look_at(connection) else {
                continue;
            };
            if has_requests {
                telling.entry(client_id.clone()).or_default().push(index);
            }
            let known = self.addresses.entry(connection.device.ip());
            let known = known.or_insert_with(|| Some(client_id.clone()));
            if known.as_ref() != Some(&client_id) {
                *known = None;
            }
        }
        let mut connections = Vec::with_capacity(capture.connections.len());
        for (index, connection) in capture.connections.iter().enumerate() {
            // The next connection of the client that has requests tells how it writes them.
            let tells = |client_id: &str| {
                let telling = telling.get(client_id)?;
                let next = telling.partition_point(|other| *other < index);
                let next = telling.get(next).or(telling.last())?;
                capture.connections.get(*next)
            };
            connections.push(self.connection(connection, tells));
        }
        for (client_id, mut client) in std::mem::take(&mut self.clients) {
            if !client.is_over {
                let attempts = self.attempts_of(&client_id);
                try_in_vain(&mut client.player, &attempts);
            }
            self.finish(client_id, client);
        }
        let shown = fault::shown(&diagnose::Session::from(capture));
        self.faults.extend(shown);
        let report = CaptureReport {
            connections,
            faults: self.faults.into_iter().collect(),
            truncated: capture.truncated,
            skipped: capture.skipped,
            headless: capture.headless,
        };
        (report, self.recorded)
    }

    /// Gives up a client's engine for its session and the number of its next packet.
    fn finish(&mut self, client_id: String, client: Client) -> (Session, u16) {
        let next = client.player.next_number;
        let (session, lines) = client.player.finish();
        if let Some(lines) = lines {
            self.recorded.push(Recorded { client_id, lines });
        }
        (session, next)
    }

    fn connection<'c>(
        &mut self,
        connection: &Connection,
        tells: impl Fn(&str) -> Option<&'c Connection>,
    ) -> ConnectionReport {
        let stream = connection.device_bytes();
        let (sent, rest) = split(&stream);
        let mut report = ConnectionReport {
            ends: format!("{} > {}", connection.device, connection.server),
            client_id: String::new(),
            profile: None,
            goes_on: false,
            password: "not sent",
            packets: sent.len(),
            bytes: stream.len(),
            identical: 0,
            alike: 0,
            by_codec: 0,
            as_they_are: 0,
            difference: None,
            missing: Missing::of(connection),
        };
        if tls::is_tls(connection) {
            (report.packets, report.password) = (0, "not known");
            return report;
        }
        if stream.is_empty() {
            // It was refused, or not answered, or ended before anything was sent.
            if connection.is_failed_attempt() || connection.closed_by.is_some() {
                let attempts = self.attempts.entry(connection.device.ip());
                attempts.or_default().push(Attempt {
                    asked_at: connection.begins_at(),
                    ended_at: connection.ended_at,
                });
            }
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
            .map(|sent| (sent, Packet::decode(sent.bytes, ProtocolVersion::V311)));
        let Some((first, Ok(Packet::Connect(connect)))) = first else {
            report.password = "not known";
            let lacks_bytes = connection.gaps.contains(&Direction::Device);
            let why = match connection.from_start {
                _ if diagnose::asks_for_mqtt_5(&stream) => "CONNECT of MQTT 5, which is not read",
                true if lacks_bytes && sent.is_empty() => {
                    "CONNECT, of which the capture lacks a part"
                }
                true => "no CONNECT at the beginning",
                false => "no CONNECT, as the capture begins in the middle of the connection",
            };
            report.difference = broken(0, why);
            return report;
        };
        report.client_id = connect.client_id.to_owned();
        let other = tells(connect.client_id).filter(|other| !std::ptr::eq(*other, connection));
        let other = other.map(Connection::device_bytes).unwrap_or_default();
        let (other, _) = split(&other);
        let shown = match other.is_empty() {
            true => &sent,
            false => &other,
        };
        let found = Found::look(&connect, shown, self.secret, self.tolerance);
        report.password = found.password;
        report.profile = Some(found.profile.clone());
        let version = found.version;
        let attempts = self.attempts_of(connect.client_id);
        self.attempts.remove(&connection.device.ip());
        let (mut client, goes_on) =
            self.client(connect.client_id, first.bytes, found, &sent, connection);
        report.goes_on = goes_on;
        try_in_vain(&mut client.player, &attempts);
        client.player.ask(connection.begins_at());
        client.player.play(connection, &sent);
        client.is_over = packets(&sent, version).any(|packet| matches!(packet, Packet::Disconnect));
        self.faults.extend(client.player.faults.iter().copied());
        report.by_codec = client.player.by_codec;
        report.as_they_are = client.player.as_they_are;
        compare(&mut report, &stream, &sent, &client.player.out, version);
        if report.difference.is_none() && rest > 0 {
            report.difference = broken(stream.len() - rest, "an incomplete packet at the end");
        }
        self.clients.insert(report.client_id.clone(), client);
        report
    }

    /// Attempts that came to nothing since the last connection of the client. Whose they were is told
    /// by the address, where one client has it.
    fn attempts_of(&mut self, client_id: &str) -> Vec<Attempt> {
        let own = self.addresses.iter();
        let own = own.filter(|(_, owner)| owner.as_deref() == Some(client_id));
        let mut attempts: Vec<Attempt> = own
            .filter_map(|(address, _)| self.attempts.remove(address))
            .flatten()
            .collect();
        attempts.sort_by_key(|attempt| attempt.asked_at);
        attempts
    }

    /// The engine of the client's connection before if it can go on, or a new one.
    fn client(
        &mut self,
        client_id: &str,
        connect: &[u8],
        found: Found,
        sent: &[Sent<'_>],
        connection: &Connection,
    ) -> (Client, bool) {
        let known = self.clients.get(client_id);
        let known = known.map(|client| client.player.unacknowledged().clone());
        let known = known.unwrap_or_default();
        let numbered = first_number(sent, found.version, &known);
        let first = numbered.unwrap_or(1);
        let is_answered = !connection.server_bytes().is_empty();
        // Where the server never spoke the session could not go on, and waits for the next link.
        let is_resumed =
            is_resumed(sent, found.version, &known) || numbered.is_none() && !is_answered;
        let mut before = None;
        if let Some(mut client) = self.clients.remove(client_id) {
            let first = numbered.unwrap_or(client.player.next_number);
            let is_near = distance(client.player.next_number, first) <= MAXIMUM_SKIPPED;
            // Without a request nothing is known of the spelling.
            let is_spelled_so = found.profile.json == UNKNOWN
                || client.player.style == found.style
                    && client.player.token_style == found.config.behaviour.token_style;
            let goes_on = !client.is_over
                && client.connect == connect
                && is_spelled_so
                && (is_resumed || is_near && known.is_empty());
            if goes_on {
                client.player.begin_link(first);
                return (client, true);
            }
            before = Some(self.finish(client_id.to_owned(), client)).filter(|_| is_resumed);
        }
        // What is sent again is in the session of the connection before.
        let (session, next) = before.unwrap_or_else(|| (Session::starting_at(first), first));
        let opened_at = connection.opened_at.filter(|_| !connection.is_decrypted);
        let first_at = connection.segments.first().map(|segment| segment.at_micros);
        let login_at = opened_at.or(first_at).unwrap_or_default();
        let numbers = (next, first);
        let mut player = Player::new(
            found,
            session,
            numbers,
            login_at,
            self.tolerance,
            self.records,
        );
        if is_resumed {
            player.resume(known);
        }
        let client = Client {
            player,
            connect: connect.to_owned(),
            is_over: false,
        };
        (client, false)
    }
}

/// Attempts that came to nothing; what became of the last may be open.
fn try_in_vain(player: &mut Player, attempts: &[Attempt]) {
    for attempt in attempts {
        player.ask(attempt.asked_at);
        if let Some(at) = attempt.ended_at {
            player.fail(at);
        }
    }
}

/// The client identifier of a connection's CONNECT, and whether shadow requests follow.
fn look_at(connection: &Connection) -> Option<(String, bool)> {
    let stream = connection.device_bytes();
    let (sent, _) = split(&stream);
    let first = Packet::decode(sent.first()?.bytes, ProtocolVersion::V311);
    match first {
        Ok(Packet::Connect(connect)) => {
            let has_requests = profile::requests(&sent, connect.version).next().is_some();
            Some((connect.client_id.to_owned(), has_requests))
        }
        _ => None,
    }
}

/// Whether the first bytes of a connection are a CONNECT of the device.
pub(super) fn begins_with_connect(connection: &Connection) -> bool {
    let is_first = |first: &Segment| first.direction == Direction::Device;
    connection.segments.first().is_some_and(is_first) && look_at(connection).is_some()
}

/// Compares what the device sent with what the engine did.
fn compare(
    report: &mut ConnectionReport,
    stream: &[u8],
    sent: &[Sent<'_>],
    out: &[u8],
    version: ProtocolVersion,
) {
    let (made, _) = split(out);
    let mut next = 0;
    for sent in sent {
        let ahead = made.get(next..).unwrap_or_default().iter().take(LOOK_AHEAD);
        let alike = ahead
            .enumerate()
            .find(|(_, made)| is_alike(sent.bytes, made.bytes, version));
        if let Some((place, made)) = alike {
            next += place + 1;
            report.alike += 1;
            report.identical += usize::from(sent.bytes == made.bytes);
        }
    }
    let same = stream.iter().zip(out).take_while(|(a, b)| a == b).count();
    // A half packet at the end is none that the engine could have sent.
    let whole = sent.last().map_or(0, |last| last.offset + last.bytes.len());
    if same >= whole && out.len() <= whole {
        return;
    }
    let at = sent.iter().rev().find(|sent| sent.offset <= same);
    // A CONNECT has the password in it.
    let shown = |bytes: &[u8]| match at {
        Some(Sent { offset: 0, .. }) => "(withheld)".to_owned(),
        _ => hex(bytes, same),
    };
    report.difference = Some(Difference {
        offset: same,
        packet: at.map_or_else(String::new, |sent| describe(sent, version)),
        expected: shown(stream),
        found: shown(out),
    });
}

/// How many packets the engine's may be ahead of the one with the same meaning.
const LOOK_AHEAD: usize = 64;

/// Whether two packets mean the same, whatever their identifiers, tokens and spelling.
fn is_alike(a: &[u8], b: &[u8], version: ProtocolVersion) -> bool {
    if a == b {
        return true;
    }
    match (Packet::decode(a, version), Packet::decode(b, version)) {
        (Ok(Packet::Publish(a)), Ok(Packet::Publish(b))) => {
            (a.topic, a.qos, a.retain) == (b.topic, b.qos, b.retain) && is_same_payload(&a, &b)
        }
        (Ok(Packet::Subscribe(a)), Ok(Packet::Subscribe(b))) => a.filters == b.filters,
        (Ok(Packet::Unsubscribe(a)), Ok(Packet::Unsubscribe(b))) => a.filters == b.filters,
        (Ok(Packet::Connect(a)), Ok(Packet::Connect(b))) => {
            (a.version, a.client_id, a.keep_alive, a.clean_session)
                == (b.version, b.client_id, b.keep_alive, b.clean_session)
        }
        (Ok(a), Ok(b)) => a.kind() == b.kind(),
        _ => false,
    }
}

fn is_same_payload(a: &Publish<'_>, b: &Publish<'_>) -> bool {
    let meaning = |payload: &[u8]| {
        let mut value: serde_json::Value = serde_json::from_slice(payload).ok()?;
        if let Some(members) = value.as_object_mut() {
            members.remove("clientToken");
        }
        Some(value)
    };
    a.payload == b.payload
        || meaning(a.payload).is_some_and(|first| meaning(b.payload) == Some(first))
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

/// Whether the device sends messages again that it sent on an earlier connection.
fn is_resumed(sent: &[Sent<'_>], version: ProtocolVersion, known: &Unacknowledged) -> bool {
    let mut packets = decoded(sent, version);
    packets.any(|(sent, packet)| {
        matches!(packet, Packet::Publish(publish) if is_sent_again(&publish, sent, known))
    })
}

/// The number that the device's first numbered packet had, or would have had.
fn first_number(
    sent: &[Sent<'_>],
    version: ProtocolVersion,
    known: &Unacknowledged,
) -> Option<u16> {
    let mut before = 0_u16;
    for (sent, packet) in decoded(sent, version) {
        let id = match packet {
            Packet::Subscribe(subscribe) => Some(subscribe.packet_id),
            Packet::Unsubscribe(unsubscribe) => Some(unsubscribe.packet_id),
            // What is sent again has the number that it had.
            Packet::Publish(publish) if is_sent_again(&publish, sent, known) => None,
            Packet::Publish(publish) => {
                if publish.packet_id.is_none() {
                    before = before.saturating_add(1);
                }
                publish.packet_id
            }
            _ => None,
        };
        if let Some(id) = id {
            return Some(id.get().saturating_sub(before).max(1));
        }
    }
    None
}

fn decoded<'a>(
    sent: &'a [Sent<'a>],
    version: ProtocolVersion,
) -> impl Iterator<Item = (&'a Sent<'a>, Packet<'a>)> {
    sent.iter()
        .filter_map(move |sent| Some((sent, Packet::decode(sent.bytes, version).ok()?)))
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
