//! Keep alive: pings in time, pings answered, and servers that fell silent.

use super::client::{Client, Findings, Place};
use super::finding::Finding;
use super::micros;
use super::session::{Connect, Connection, Direction, End, Packet, Record};

/// How much later than keep alive a packet may be seen, for what happens on its way.
const TOLERANCE: u64 = 1_000_000;
/// The vendor's limits in seconds: the present ones, and the older ones' upper bound (vendor doc
/// 634/15241 and 634/46346).
const VENDOR_LEAST: u16 = 60;
const VENDOR_MOST: u16 = 900;

pub(super) fn check(client: &Client<'_>, findings: &mut Findings) {
    for &(index, connection) in &client.connections {
        let Some((at, connect)) = connection.connect() else {
            continue;
        };
        let place = Place::connection(index, Some(at));
        let keep_alive = connect.keep_alive;
        if keep_alive == 0 {
            findings.add(place, Finding::KeepAliveOff);
        } else {
            if client.is_vendors && !(VENDOR_LEAST..=VENDOR_MOST).contains(&keep_alive) {
                findings.add(place, Finding::KeepAliveOutOfLimits { keep_alive });
            }
            silences(client, (index, connection), at, connect, findings);
        }
        let frozen = frozen(client, index, connection, findings);
        pings(client, index, connection, frozen, findings);
    }
}

fn silences(
    client: &Client<'_>,
    (index, connection): (usize, &Connection),
    connected_at: u64,
    connect: &Connect,
    findings: &mut Findings,
) {
    let keep_alive = connect.keep_alive;
    let longest = u64::from(keep_alive) * 1_000_000 + TOLERANCE;
    let mut check = |place: Place, last: u64, now: u64, cut: bool| {
        let silence = now.saturating_sub(last);
        if silence > longest && connection.sees(Direction::Device, last, now) {
            let finding = Finding::PingLate {
                keep_alive,
                silence,
                cut,
            };
            findings.add(place, finding);
        }
    };
    let mut last = connected_at;
    for (ordinal, record) in connection.packets.iter().enumerate() {
        if record.from != Direction::Device || record.at_micros < connected_at {
            continue;
        }
        check(
            Place::packet(index, ordinal, record),
            last,
            record.at_micros,
            false,
        );
        last = record.at_micros;
        if matches!(record.packet, Packet::Disconnect) {
            return;
        }
    }
    let until = client.stood_until(connection);
    let cut = connection.end == End::ByServer;
    check(Place::connection(index, Some(until)), last, until, cut);
}

/// How long an answer may take before the server counts as silent: no longer than keep alive, after
/// which clients give a connection up.
fn patience(client: &Client<'_>, connection: &Connection) -> u64 {
    let usual = micros(client.patience.answer);
    match connection.connect() {
        Some((_, connect)) if connect.keep_alive > 0 => {
            usual.min(u64::from(connect.keep_alive) * 1_000_000)
        }
        _ => usual,
    }
}

/// Whether the packet is to be answered by the server.
fn calls_for_an_answer(record: &Record) -> bool {
    record.from == Direction::Device
        && match &record.packet {
            Packet::PingReq
            | Packet::Subscribe { .. }
            | Packet::Unsubscribe { .. }
            | Packet::PubRel { .. } => true,
            Packet::Publish(publish) => publish.qos > 0,
            _ => false,
        }
}

/// From when on the server was silent although it was asked.
fn frozen(
    client: &Client<'_>,
    index: usize,
    connection: &Connection,
    findings: &mut Findings,
) -> Option<u64> {
    connection.accepted()?;
    let last = |record: &&Record| record.from == Direction::Server;
    let heard = connection.packets.iter().rev().find(last)?.at_micros;
    let mut asked = connection
        .packets
        .iter()
        .enumerate()
        .filter(|(_, record)| record.at_micros > heard && calls_for_an_answer(record));
    let (ordinal, first) = asked.next()?;
    let until = client.stood_until(connection);
    let silence = until.saturating_sub(first.at_micros);
    if silence < patience(client, connection)
        || !connection.sees(Direction::Server, heard, until.saturating_add(1))
    {
        return None;
    }
    let finding = Finding::FrozenPeer {
        asked: 1 + asked.count(),
        silence,
    };
    findings.add(Place::packet(index, ordinal, first), finding);
    Some(heard)
}

fn pings(
    client: &Client<'_>,
    index: usize,
    connection: &Connection,
    frozen: Option<u64>,
    findings: &mut Findings,
) {
    let until = client.stood_until(connection);
    let mut open: Vec<(Place, u64)> = Vec::new();
    for (ordinal, record) in connection.packets.iter().enumerate() {
        match record.packet {
            Packet::PingReq if record.from == Direction::Device => {
                open.push((Place::packet(index, ordinal, record), record.at_micros));
            }
            // One that came late may be the answer to any of them.
            Packet::PingResp if record.from == Direction::Server => open.clear(),
            _ => {}
        }
    }
    let given_up = connection.end == End::ByDevice
        && !connection.has_disconnect()
        && connection.packets.last().is_some_and(|last| {
            matches!(last.packet, Packet::PingReq) && last.from == Direction::Device
        });
    for (place, at) in open {
        let waited = until.saturating_sub(at);
        if frozen.is_some_and(|since| at > since)
            || !connection.sees(Direction::Server, at, until.saturating_add(1))
        {
            continue;
        }
        if given_up || waited >= patience(client, connection) {
            findings.add(place, Finding::PingUnanswered { waited });
        }
    }
}
