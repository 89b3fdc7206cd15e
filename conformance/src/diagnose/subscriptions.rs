//! What is subscribed, and whether it is again on a new session.

use std::collections::{BTreeMap, BTreeSet};

use shadow_core::mqtt::ProtocolVersion;
use shadow_core::mqtt::topic;

use super::client::{Client, Findings, Place};
use super::finding::Finding;
use super::micros;
use super::session::{Connection, Direction, Packet, Record};

/// How far the subscription that a topic needs is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// There is none.
    None,
    /// SUBSCRIBE was sent.
    Asked,
    /// SUBACK came.
    Live,
    /// The source does not show it.
    Unknown,
}

/// A client's subscriptions, followed over its connections.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    /// By filter: whether SUBACK came.
    filters: BTreeMap<String, bool>,
    /// SUBSCRIBEs without their SUBACK.
    waiting: Vec<(u16, Vec<String>)>,
    /// Whether there may be others.
    unknown: bool,
    /// Filters that a SUBACK refuses, since they were last asked for.
    refused: Vec<String>,
}

impl Subscriptions {
    pub(super) fn new() -> Subscriptions {
        Subscriptions {
            unknown: true,
            ..Subscriptions::default()
        }
    }

    /// A connection begins: unless the session goes on, nothing is subscribed.
    pub(super) fn begin(&mut self, connection: &Connection) {
        self.waiting.clear();
        match continues(connection) {
            Some(false) => {
                self.filters.clear();
                self.unknown = false;
            }
            Some(true) => {}
            None => self.unknown = true,
        }
        self.unknown |= self.hears_unasked(connection);
    }

    /// Whether messages come that nothing that was seen has subscribed: then the server has
    /// subscriptions of its own.
    fn hears_unasked(&self, connection: &Connection) -> bool {
        let mut asked: Vec<&str> = self.filters.keys().map(String::as_str).collect();
        let mut covered: BTreeSet<&str> = BTreeSet::new();
        for record in &connection.packets {
            match (&record.packet, record.from) {
                (Packet::Subscribe { filters, .. }, Direction::Device) => {
                    asked.extend(filters.iter().map(|(filter, _)| filter.as_str()));
                }
                (Packet::Publish(publish), Direction::Server) => {
                    let covers = |filter: &&str| topic::filter_matches(filter, &publish.topic);
                    if covered.insert(&publish.topic) && !asked.iter().any(covers) {
                        return true;
                    }
                }
                _ => {}
            }
        }
        false
    }

    /// Takes in one packet.
    pub(super) fn packet(&mut self, connection: &Connection, record: &Record) {
        match (&record.packet, record.from) {
            (Packet::Subscribe { id, filters }, Direction::Device) => {
                let names: Vec<String> = filters.iter().map(|(filter, _)| filter.clone()).collect();
                for name in &names {
                    self.filters.entry(name.clone()).or_insert(false);
                }
                self.waiting.push((*id, names));
            }
            (Packet::SubAck { id, codes }, Direction::Server) => {
                // Where the source does not show whose it is, it is that of the oldest.
                let place = match id {
                    Some(id) => self.waiting.iter().position(|(of, _)| of == id),
                    None => (!self.waiting.is_empty()).then_some(0),
                };
                let Some(place) = place else {
                    return;
                };
                let (_, names) = self.waiting.remove(place);
                for (index, name) in names.into_iter().enumerate() {
                    let code = codes.as_ref().and_then(|codes| codes.get(index));
                    if code == Some(&128) {
                        self.filters.remove(&name);
                        self.refused.push(name);
                    } else {
                        self.filters.insert(name, true);
                    }
                }
            }
            (Packet::Unsubscribe { filters, .. }, Direction::Device) => {
                for filter in filters {
                    self.filters.remove(filter);
                }
            }
            _ => {}
        }
        let now = record.at_micros;
        if !connection.sees(Direction::Device, 0, now.saturating_add(1)) {
            self.unknown = true;
        }
    }

    pub(super) fn standing(&self, name: &str) -> Standing {
        let matching = self
            .filters
            .iter()
            .filter(|(filter, _)| topic::filter_matches(filter, name));
        match matching.map(|(_, live)| *live).max() {
            Some(true) => Standing::Live,
            _ if self.unknown => Standing::Unknown,
            Some(false) => Standing::Asked,
            None => Standing::None,
        }
    }

    fn live(&self) -> impl Iterator<Item = &String> {
        self.filters
            .iter()
            .filter(|(_, live)| **live)
            .map(|(filter, _)| filter)
    }
}

/// Whether a connection goes on with an earlier session; `None` if the source does not show it.
pub(super) fn continues(connection: &Connection) -> Option<bool> {
    let (_, connect) = connection.connect()?;
    if connect.clean_session {
        return Some(false);
    }
    // Only 3.1.1 has the flag.
    let (_, session_present) = connection.accepted()?;
    (connect.version == Some(ProtocolVersion::V311)).then_some(session_present)
}

pub(super) fn check(client: &Client<'_>, findings: &mut Findings) {
    let mut subscriptions = Subscriptions::new();
    // What was live on the last connection that stood, and is wanted again.
    let mut wanted: Vec<String> = Vec::new();
    for &(index, connection) in &client.connections {
        if connection.connect().is_none() && connection.packets.is_empty() {
            continue;
        }
        subscriptions.begin(connection);
        let mut asked: Vec<&String> = Vec::new();
        for (ordinal, record) in connection.packets.iter().enumerate() {
            subscriptions.packet(connection, record);
            if let Packet::Subscribe { filters, .. } = &record.packet {
                asked.extend(filters.iter().map(|(filter, _)| filter));
            }
            for filter in subscriptions.refused.drain(..) {
                let place = Place::packet(index, ordinal, record);
                findings.add(place, Finding::SubscriptionRefused { filter });
            }
        }
        let is_new = continues(connection) == Some(false);
        if let (Some((at, _)), true) = (connection.accepted(), is_new) {
            let missing: Vec<String> = wanted
                .iter()
                .filter(|filter| !asked.contains(filter))
                .cloned()
                .collect();
            let until = client.stood_until(connection);
            let stood = until.saturating_sub(at);
            if stood < micros(client.patience.settling) {
                // Too short to tell; what was wanted still is.
                let live: Vec<String> = subscriptions.live().cloned().collect();
                wanted.extend(live.into_iter().filter(|f| !missing.contains(f)));
                wanted.sort();
                wanted.dedup();
                continue;
            }
            if !missing.is_empty() && connection.sees(Direction::Device, at, until) {
                let place = Place::connection(index, Some(at));
                let filters = missing;
                findings.add(place, Finding::NotResubscribed { filters, stood });
            }
        }
        if connection.accepted().is_some() {
            wanted = subscriptions.live().cloned().collect();
        }
    }
}
