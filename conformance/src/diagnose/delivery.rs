//! Packet identifiers, acknowledgements, and messages of QoS 1 and 2.

use std::collections::BTreeMap;

use shadow_core::mqtt::ProtocolVersion;

use super::client::{Client, Findings, Place};
use super::finding::{Finding, Side};
use super::micros;
use super::session::{Connection, Direction, Packet, Publish, Record};
use super::subscriptions::continues;

/// What a sender awaits an answer to.
#[derive(Clone)]
struct Sent<'a> {
    what: &'static str,
    publish: Option<&'a Publish>,
    filters: usize,
    place: Place,
    at: u64,
    /// Whether it was sent on this connection.
    here: bool,
}

/// What one side has in flight, by packet identifier.
type InFlight<'a> = BTreeMap<u16, Sent<'a>>;

/// One client's flows.
struct Flows<'a, 'f> {
    connection: &'a Connection,
    findings: &'f mut Findings,
    /// Whether everything that either side has in flight is known.
    known: bool,
    is_older: bool,
    /// Whether the server has the session of the connection before.
    goes_on: bool,
    sent: InFlight<'a>,
    /// Packets of the server that the device has to answer: PUBLISH, PUBREL; and PUBREC.
    owed: BTreeMap<(u16, &'static str), (Place, u64, &'static str)>,
    /// The server's messages by identifier.
    received: BTreeMap<u16, &'a Publish>,
}

pub(super) fn check(client: &Client<'_>, findings: &mut Findings) {
    let mut carried: InFlight<'_> = BTreeMap::new();
    let mut known = false;
    let mut lost: Vec<(usize, Sent<'_>)> = Vec::new();
    for (order, &(index, connection)) in client.connections.iter().enumerate() {
        if connection.packets.is_empty() {
            continue;
        }
        match (connection.connect(), continues(connection)) {
            (Some((_, connect)), _) if connect.clean_session => {
                let gone = std::mem::take(&mut carried).into_values();
                lost.extend(gone.map(|sent| (order, sent)));
                known = true;
            }
            // The client's half of the session goes on, whatever the server kept of its own.
            (_, Some(_)) => {}
            (_, None) => known = false,
        }
        let first = connection
            .packets
            .first()
            .map_or(0, |first| first.at_micros);
        let until = client.stood_until(connection);
        let sees = |to: u64| {
            connection.sees(Direction::Device, 0, to) && connection.sees(Direction::Server, 0, to)
        };
        for sent in carried.values_mut() {
            sent.here = false;
        }
        let mut flows = Flows {
            connection,
            findings,
            known: known && sees(first.saturating_add(1)),
            is_older: connection
                .connect()
                .is_none_or(|(_, connect)| connect.version != Some(ProtocolVersion::V311)),
            goes_on: continues(connection) == Some(true),
            sent: std::mem::take(&mut carried),
            owed: BTreeMap::new(),
            received: BTreeMap::new(),
        };
        for (ordinal, record) in connection.packets.iter().enumerate() {
            if !sees(record.at_micros) {
                flows.known = false;
            }
            flows.packet(Place::packet(index, ordinal, record), record);
        }
        let is_blind = !sees(until.saturating_add(1));
        if !is_blind {
            flows.end(until, micros(client.patience.answer));
        }
        carried = flows.sent;
        known = flows.known && !is_blind;
        if is_blind {
            carried.clear();
        }
    }
    // Of the last connection that stood only what cannot come any more is lost.
    let last = client
        .connections
        .iter()
        .rev()
        .find(|(_, c)| !c.packets.is_empty());
    if let Some((_, connection)) = last {
        let until = client.stood_until(connection);
        let ended = connection.end != super::End::Open;
        let patience = micros(client.patience.answer);
        let over = carried
            .into_values()
            .filter(|sent| ended || until.saturating_sub(sent.at) >= patience);
        lost.extend(over.map(|sent| (client.connections.len(), sent)));
    }
    for (order, sent) in lost {
        unacknowledged(client, order, &sent, findings);
    }
}

/// A message that is gone with its session, unless the device sent it once more.
fn unacknowledged(client: &Client<'_>, order: usize, sent: &Sent<'_>, findings: &mut Findings) {
    let Some(publish) = sent.publish else {
        return;
    };
    let later = client.connections.get(order..).unwrap_or_default();
    let is_sent_again = later.iter().any(|(_, connection)| {
        connection.packets.iter().any(|record| {
            matches!(&record.packet, Packet::Publish(again)
                if record.from == Direction::Device && is_same_message(publish, again))
        })
    });
    let all_seen = later
        .iter()
        .all(|(_, connection)| connection.sees(Direction::Device, 0, u64::MAX));
    if !is_sent_again && all_seen {
        let finding = Finding::Unacknowledged {
            qos: publish.qos,
            id: publish.id.unwrap_or_default(),
            topic: publish.topic.clone(),
        };
        findings.add(sent.place, finding);
    }
}

fn is_same_message(a: &Publish, b: &Publish) -> bool {
    a.topic == b.topic
        && a.qos == b.qos
        && a.payload.length() == b.payload.length()
        && match (a.payload.readable(), b.payload.readable()) {
            (Some(first), Some(second)) => first == second,
            _ => true,
        }
}

impl<'a> Flows<'a, '_> {
    fn packet(&mut self, place: Place, record: &'a Record) {
        let at = record.at_micros;
        match (&record.packet, record.from) {
            (Packet::Publish(publish), Direction::Device) => self.publish(place, at, publish),
            (Packet::Subscribe { id, filters }, Direction::Device) => {
                self.new_packet(place, at, *id, "SUBSCRIBE", filters.len());
            }
            (Packet::Unsubscribe { id, filters }, Direction::Device) => {
                self.new_packet(place, at, *id, "UNSUBSCRIBE", filters.len());
            }
            (Packet::SubAck { id, codes }, Direction::Server) => {
                let id = id.or_else(|| self.oldest_subscribe());
                if let Some(id) = id
                    && let Some(sent) = self.answered(place, id, "SUBACK", "SUBSCRIBE")
                    && let Some(codes) = codes
                    && codes.len() != sent.filters
                {
                    let finding = Finding::SubAckMismatch {
                        filters: sent.filters,
                        codes: codes.len(),
                    };
                    self.findings.add(place, finding);
                }
            }
            (Packet::UnsubAck { id }, Direction::Server) => {
                self.answered(place, *id, "UNSUBACK", "UNSUBSCRIBE");
            }
            (Packet::PubAck { id }, Direction::Server) => {
                self.answered(place, *id, "PUBACK", "PUBLISH");
            }
            (Packet::PubRec { id }, Direction::Server) => self.released(place, at, *id),
            (Packet::PubComp { id }, Direction::Server) => {
                self.answered(place, *id, "PUBCOMP", "PUBREL");
            }
            (Packet::PubRel { id }, Direction::Device) => {
                self.owed.remove(&(*id, "PUBREL"));
                if let Some(sent) = self.sent.get_mut(id)
                    && sent.publish.is_some_and(|publish| publish.qos == 2)
                {
                    sent.what = "PUBREL";
                    (sent.at, sent.place, sent.here) = (at, place, true);
                }
            }
            (Packet::Publish(publish), Direction::Server) => self.received(place, at, publish),
            (Packet::PubRel { id }, Direction::Server) => {
                self.owed.insert((*id, "PUBCOMP"), (place, at, "PUBREL"));
            }
            (Packet::PubAck { id }, Direction::Device) => {
                self.paid(place, *id, "PUBACK");
                self.received.remove(id);
            }
            (Packet::PubRec { id }, Direction::Device) => self.paid(place, *id, "PUBREC"),
            (Packet::PubComp { id }, Direction::Device) => {
                self.paid(place, *id, "PUBCOMP");
                self.received.remove(id);
            }
            _ => {}
        }
    }

    fn oldest_subscribe(&self) -> Option<u16> {
        let subscribes = self
            .sent
            .iter()
            .filter(|(_, sent)| sent.what == "SUBSCRIBE");
        let oldest = subscribes.min_by_key(|(_, sent)| (sent.at, sent.place.packet));
        oldest.map(|(id, _)| *id)
    }

    fn publish(&mut self, place: Place, at: u64, publish: &'a Publish) {
        let (Some(id), 1..) = (publish.id, publish.qos) else {
            return;
        };
        let sent = Sent {
            what: "PUBLISH",
            publish: Some(publish),
            filters: 0,
            place,
            at,
            here: true,
        };
        let is_again = |known: &Sent<'_>| {
            known
                .publish
                .is_some_and(|before| is_same_message(before, publish))
        };
        match self.sent.get(&id) {
            // To a server without the session it may go as a new one.
            Some(known) if is_again(known) && (publish.dup || !(known.here || self.goes_on)) => {}
            Some(known) if is_again(known) => {
                self.findings.add(place, Finding::DupMissing { id });
            }
            Some(known) => {
                let finding = Finding::PacketIdReused {
                    by: Side::Device,
                    id,
                    used_by: known.what,
                };
                self.findings.add(place, finding);
            }
            None if publish.dup && self.known => {
                let is_older = self.is_older;
                let finding = Finding::DupWithoutOriginal { id, is_older };
                self.findings.add(place, finding);
            }
            None => {}
        }
        self.sent.insert(id, sent);
    }

    fn new_packet(&mut self, place: Place, at: u64, id: u16, what: &'static str, filters: usize) {
        let before = self.sent.insert(
            id,
            Sent {
                what,
                publish: None,
                filters,
                place,
                at,
                here: true,
            },
        );
        // What an earlier connection left unanswered of these is not awaited any more.
        if let Some(before) = before
            && (before.here || before.publish.is_some())
        {
            let finding = Finding::PacketIdReused {
                by: Side::Device,
                id,
                used_by: before.what,
            };
            self.findings.add(place, finding);
        }
    }

    /// The server answers a packet of the device's.
    fn answered(
        &mut self,
        place: Place,
        id: u16,
        packet: &'static str,
        to: &'static str,
    ) -> Option<Sent<'a>> {
        if self.sent.get(&id).is_some_and(|sent| sent.what == to) {
            return self.sent.remove(&id);
        }
        if self.known {
            let finding = Finding::UnexpectedAcknowledgement {
                by: Side::Server,
                packet,
                id,
            };
            self.findings.add(place, finding);
        }
        None
    }

    fn released(&mut self, place: Place, at: u64, id: u16) {
        let is_of_qos_2 = |sent: &Sent<'_>| sent.publish.is_some_and(|p| p.qos == 2);
        if self.sent.get(&id).is_some_and(is_of_qos_2) {
            self.owed.insert((id, "PUBREL"), (place, at, "PUBREC"));
        } else if self.known {
            let finding = Finding::UnexpectedAcknowledgement {
                by: Side::Server,
                packet: "PUBREC",
                id,
            };
            self.findings.add(place, finding);
        }
    }

    fn received(&mut self, place: Place, at: u64, publish: &'a Publish) {
        let Some(id) = publish.id else {
            return;
        };
        let answer = match publish.qos {
            1 => "PUBACK",
            2 => "PUBREC",
            _ => return,
        };
        if let Some(before) = self.received.insert(id, publish)
            && !publish.dup
            && !is_same_message(before, publish)
        {
            let finding = Finding::PacketIdReused {
                by: Side::Server,
                id,
                used_by: "PUBLISH",
            };
            self.findings.add(place, finding);
        }
        self.owed.insert((id, answer), (place, at, "PUBLISH"));
    }

    /// The device answers a packet of the server's.
    fn paid(&mut self, place: Place, id: u16, packet: &'static str) {
        if self.owed.remove(&(id, packet)).is_none() && self.known {
            let finding = Finding::UnexpectedAcknowledgement {
                by: Side::Device,
                packet,
                id,
            };
            self.findings.add(place, finding);
        }
    }

    /// The connection ended, or the session did.
    fn end(&mut self, until: u64, patience: u64) {
        for ((id, missing), (place, at, packet)) in std::mem::take(&mut self.owed) {
            let waited = until.saturating_sub(at);
            if waited >= patience {
                let finding = Finding::NotAcknowledged {
                    packet,
                    missing,
                    id,
                    waited,
                };
                self.findings.add(place, finding);
            }
        }
        let by_server = |record: &&Record| record.from == Direction::Server;
        let heard = self.connection.packets.iter().rev().find(by_server);
        let heard = heard.map_or(0, |record| record.at_micros);
        for (id, sent) in &self.sent {
            let waited = until.saturating_sub(sent.at);
            // A server that says nothing at all is told of as such.
            if sent.here && sent.what != "PUBLISH" && waited >= patience && heard > sent.at {
                let finding = Finding::AcknowledgementMissing {
                    packet: sent.what,
                    id: *id,
                    waited,
                };
                self.findings.add(sent.place, finding);
            }
        }
        self.sent.retain(|_, sent| sent.publish.is_some());
    }
}
