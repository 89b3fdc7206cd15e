//! Which packets come when: the beginning, the end, and whose they are.

use shadow_core::mqtt::ProtocolVersion;

use super::client::{Client, Findings, Place};
use super::finding::{Finding, Side};
use super::micros;
use super::session::{Connection, Direction, End, Packet};

pub(super) fn check(client: &Client<'_>, findings: &mut Findings) {
    for &(index, connection) in &client.connections {
        first_packets(index, connection, findings);
        order(index, connection, findings);
        login_answered(client, index, connection, findings);
        gaps(index, connection, findings);
    }
}

fn first_packets(index: usize, connection: &Connection, findings: &mut Findings) {
    for side in [Direction::Device, Direction::Server] {
        let mut of_side = connection.packets.iter().enumerate();
        let Some((ordinal, first)) = of_side.find(|(_, record)| record.from == side) else {
            continue;
        };
        if !connection.sees(side, 0, first.at_micros) {
            continue;
        }
        let packet = first.packet.name();
        let finding = match (side, &first.packet) {
            // Told of as what it is.
            (_, Packet::Malformed { .. })
            | (Direction::Device, Packet::Connect(_))
            | (Direction::Server, Packet::ConnAck { .. }) => continue,
            (Direction::Device, _) => Finding::NoConnectFirst { packet },
            (Direction::Server, _) => Finding::NoConnAckFirst { packet },
        };
        findings.add(Place::packet(index, ordinal, first), finding);
    }
}

fn order(index: usize, connection: &Connection, findings: &mut Findings) {
    let (mut connected, mut disconnected) = (None, false);
    for (ordinal, record) in connection.packets.iter().enumerate() {
        let place = Place::packet(index, ordinal, record);
        let by_device = record.from == Direction::Device;
        let name = record.packet.name();
        if disconnected && by_device {
            findings.add(place, Finding::SentAfterDisconnect { packet: name });
            continue;
        }
        let belongs_to = match record.packet {
            Packet::Connect(_)
            | Packet::Subscribe { .. }
            | Packet::Unsubscribe { .. }
            | Packet::PingReq
            | Packet::Disconnect => Some(Direction::Device),
            Packet::ConnAck { .. }
            | Packet::SubAck { .. }
            | Packet::UnsubAck { .. }
            | Packet::PingResp => Some(Direction::Server),
            _ => None,
        };
        if belongs_to.is_some_and(|side| side != record.from) {
            let by = Side::from(record.from);
            findings.add(place, Finding::WrongSide { by, packet: name });
            continue;
        }
        match &record.packet {
            Packet::Connect(connect) => {
                if connected.is_some() {
                    findings.add(place, Finding::SecondConnect);
                }
                connected = connected.or(Some(connect));
            }
            Packet::ConnAck {
                session_present: true,
                code: 0,
            } if connected.is_some_and(|connect| {
                connect.clean_session && connect.version == Some(ProtocolVersion::V311)
            }) =>
            {
                findings.add(place, Finding::SessionPresentAfterClean);
            }
            Packet::Disconnect => disconnected = true,
            Packet::Malformed { clause, why } => {
                let finding = Finding::Malformed {
                    by: record.from.into(),
                    clause,
                    why: why.clone(),
                };
                findings.add(place, finding);
            }
            _ => {}
        }
    }
}

fn login_answered(
    client: &Client<'_>,
    index: usize,
    connection: &Connection,
    findings: &mut Findings,
) {
    let Some((at, _)) = connection.connect() else {
        return;
    };
    let from_server = |record: &super::Record| record.from == Direction::Server;
    let until = client.stood_until(connection);
    if connection.packets.iter().any(from_server) || !connection.sees(Direction::Server, at, until)
    {
        return;
    }
    // A gap that begins with the connection hides the answer too.
    if !connection.sees(Direction::Server, at, at.saturating_add(1)) {
        return;
    }
    let waited = until.saturating_sub(at);
    let ended = !matches!(connection.end, End::Open) && !connection.has_disconnect();
    if ended || waited >= micros(client.patience.answer) {
        let place = Place::connection(index, Some(at));
        findings.add(place, Finding::LoginUnanswered { waited });
    }
}

fn gaps(index: usize, connection: &Connection, findings: &mut Findings) {
    if connection.is_encrypted {
        let place = Place::connection(index, connection.opened_at);
        let why = connection.undecrypted.map(|why| why.to_string());
        return findings.add(place, Finding::Encrypted { why });
    }
    if connection.is_mqtt_5 {
        let place = Place::connection(index, connection.opened_at);
        return findings.add(place, Finding::OtherVersion);
    }
    for gap in &connection.gaps {
        let whose = match gap.side {
            None => "both sides",
            Some(Direction::Device) => "the device",
            Some(Direction::Server) => "the server",
        };
        let at = (gap.from > 0).then_some(gap.from).or(connection.opened_at);
        let place = Place::connection(index, at);
        findings.add(place, Finding::BytesMissing { whose });
    }
}
