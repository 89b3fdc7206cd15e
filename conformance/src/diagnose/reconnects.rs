//! How connections end, and how soon the next one is tried.

use super::client::{Client, Findings, Place};
use super::finding::Finding;
use super::session::{Connection, Direction, End, Packet, Session};

/// The vendor takes one CONNECT of a device in this time (vendor doc 634/15241).
const CONNECT_INTERVAL: u64 = 5_000_000;
/// As many attempts within [`STORM_TIME`] are a storm.
const STORM: usize = 10;
const STORM_TIME: u64 = 60_000_000;
/// How soon after a CONNECT the server ends the connection that it pushes out.
const TAKE_OVER: u64 = 1_000_000;
/// As many connections pushed out in a row are a contest; one may be a device that came back over
/// another address.
const CONTEST: usize = 2;

pub(super) fn check(client: &Client<'_>, findings: &mut Findings) {
    intervals(client, findings);
    storm(client, findings);
    refused(client, findings);
    ends(client, findings);
}

/// What was dropped without a link.
pub(super) fn check_dropped(session: &Session, findings: &mut Findings) {
    for dropped in &session.dropped {
        let place = Place {
            connection: None,
            packet: None,
            at: Some(dropped.at_micros),
        };
        let finding = Finding::DroppedOffline {
            place: dropped.place.clone(),
        };
        findings.add(place, finding);
    }
}

fn intervals(client: &Client<'_>, findings: &mut Findings) {
    if !client.is_vendors || client.id.is_none() {
        return;
    }
    let mut last: Option<u64> = None;
    for &(index, connection) in &client.connections {
        let Some((at, _)) = connection.connect() else {
            continue;
        };
        if let Some(after) = last.and_then(|last| at.checked_sub(last))
            && after < CONNECT_INTERVAL
        {
            let place = Place::connection(index, Some(at));
            findings.add(place, Finding::ReconnectTooSoon { after });
        }
        last = Some(at);
    }
}

fn storm(client: &Client<'_>, findings: &mut Findings) {
    let attempts: Vec<(usize, u64)> = client
        .connections
        .iter()
        .filter_map(|(index, connection)| {
            let connect = || connection.connect().map(|(at, _)| at);
            let at = connection.opened_at.or_else(connect)?;
            Some((*index, at))
        })
        .collect();
    let mut worst: Option<(usize, Place)> = None;
    let mut end = 0;
    for (start, &(index, at)) in attempts.iter().enumerate() {
        while attempts
            .get(end)
            .is_some_and(|(_, later)| *later < at.saturating_add(STORM_TIME))
        {
            end += 1;
        }
        let within = end.saturating_sub(start);
        if within >= STORM && worst.is_none_or(|(most, _)| within > most) {
            worst = Some((within, Place::connection(index, Some(at))));
        }
    }
    if let Some((attempts, place)) = worst {
        findings.add(place, Finding::ReconnectStorm { attempts });
    }
}

fn refused(client: &Client<'_>, findings: &mut Findings) {
    let mut row: Option<(Place, usize)> = None;
    for &(index, connection) in &client.connections {
        if connection.end == End::Refused {
            let first = Place::connection(index, connection.opened_at);
            row.get_or_insert((first, 0)).1 += 1;
        } else if let Some((place, attempts)) = row.take() {
            findings.add(place, Finding::ConnectRefused { attempts });
        }
    }
    if let Some((place, attempts)) = row {
        findings.add(place, Finding::ConnectRefused { attempts });
    }
}

fn ends(client: &Client<'_>, findings: &mut Findings) {
    let mut pushed_out: Vec<Place> = Vec::new();
    for (order, &(index, connection)) in client.connections.iter().enumerate() {
        let Some((accepted_at, _)) = connection.accepted() else {
            continue;
        };
        let until = client.stood_until(connection);
        let place = Place::connection(index, Some(until));
        let later = client.connections.get(order + 1..).unwrap_or_default();
        if client.id.is_some() && is_taken_over(connection, until, accepted_at, later) {
            pushed_out.push(place);
            continue;
        }
        if connection.has_disconnect() {
            continue;
        }
        let by_device = |record: &&super::Record| record.from == Direction::Device;
        let last_sent = connection.packets.iter().rev().find(by_device);
        match connection.end {
            // What it did not hear is told of already.
            End::ByDevice if last_sent.is_some_and(|r| matches!(r.packet, Packet::PingReq)) => {}
            End::ByDevice => findings.add(place, Finding::EndedWithoutDisconnect),
            End::ByServer => {
                let ended = connection.ended_at.zip(last_sent);
                let silence = ended.map(|(at, sent)| at.saturating_sub(sent.at_micros));
                let too_long = connection.connect().is_some_and(|(_, connect)| {
                    let keep_alive = u64::from(connect.keep_alive) * 1_000_000;
                    keep_alive > 0 && silence.is_some_and(|silence| silence > keep_alive)
                });
                let malformed = connection
                    .packets
                    .iter()
                    .any(|record| matches!(record.packet, Packet::Malformed { .. }));
                if !too_long && !malformed {
                    findings.add(place, Finding::CutByServer { silence });
                }
            }
            End::Open | End::Unknown | End::Refused => {}
        }
    }
    if pushed_out.len() >= CONTEST {
        if let Some(&place) = pushed_out.first() {
            let times = pushed_out.len();
            findings.add(place, Finding::ClientIdContest { times });
        }
    } else {
        for place in pushed_out {
            findings.add(place, Finding::TakenOver);
        }
    }
}

/// Whether the server closed a connection that stood because of a later one.
fn is_taken_over(
    connection: &Connection,
    until: u64,
    accepted_at: u64,
    later: &[(usize, &Connection)],
) -> bool {
    // A device that found its connection dead does not use it any more; this one still heard
    // or said something.
    let last = connection.last_at().unwrap_or(accepted_at);
    let next = later.iter().find_map(|(_, next)| next.connect());
    connection.end == End::ByServer
        && !connection.has_disconnect()
        && next.is_some_and(|(at, connect)| {
            let keep_alive = u64::from(connect.keep_alive).max(1) * 1_500_000;
            at <= until && until <= at + TAKE_OVER && at.saturating_sub(last) < keep_alive
        })
}
