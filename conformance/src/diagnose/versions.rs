//! Versions: steps back, jumps, and what changed while the device was away.

use std::collections::BTreeMap;

use shadow_core::tencent::{Message, Operation, ShadowName, reply, request};

use super::client::{Client, Findings, Place, name_of};
use super::finding::Finding;
use super::micros;
use super::session::{Connection, Direction, Packet};
use super::subscriptions::{Standing, Subscriptions, continues};

#[derive(Default)]
struct Shadow {
    /// The last version seen, on whatever connection.
    last: Option<u64>,
    /// Whether every message since is known, and the subscription stood.
    is_followed: bool,
    /// Jumps on this connection, and whether the whole document was shown since.
    jumps: Vec<(Place, u64, u64, bool)>,
    /// Of this connection: what its first version shows of the time between.
    first: Option<(Option<u64>, u64)>,
    /// Whether the result topic is subscribed on this connection, and since when.
    subscribed: bool,
    /// Whether a get, or something that may be one, was sent on this connection.
    asked: bool,
    /// Whether an earlier connection had it subscribed.
    subscribed_before: bool,
}

pub(super) fn check(client: &Client<'_>, findings: &mut Findings) {
    let mut shadows: BTreeMap<ShadowName, Shadow> = BTreeMap::new();
    let mut subscriptions = Subscriptions::new();
    for &(index, connection) in &client.connections {
        if connection.packets.is_empty() {
            continue;
        }
        subscriptions.begin(connection);
        for shadow in shadows.values_mut() {
            shadow.subscribed_before |= shadow.subscribed;
            (shadow.subscribed, shadow.asked, shadow.is_followed) = (false, false, false);
            shadow.first = None;
        }
        for (ordinal, record) in connection.packets.iter().enumerate() {
            subscriptions.packet(connection, record);
            let place = Place::packet(index, ordinal, record);
            match (&record.packet, record.from) {
                (Packet::Subscribe { filters, .. }, Direction::Device) => {
                    let names = filters.iter();
                    let names =
                        names.filter_map(|(filter, _)| ShadowName::from_result_topic(filter));
                    for name in names {
                        let shadow = shadows.entry(name).or_default();
                        // It may have been live with another QoS.
                        shadow.subscribed = true;
                    }
                }
                (Packet::Publish(publish), Direction::Device) => {
                    let Some(name) = ShadowName::from_operation_topic(&publish.topic) else {
                        continue;
                    };
                    let shadow = shadows.entry(name).or_default();
                    let payload = publish.payload.readable();
                    shadow.asked |= match payload.map(request::parse_request) {
                        Some(Ok(request)) => request.operation == Operation::Get,
                        Some(Err(_)) => false,
                        None => true,
                    };
                }
                (Packet::Publish(publish), Direction::Server) => {
                    let Some(name) = ShadowName::from_result_topic(&publish.topic) else {
                        continue;
                    };
                    let live = subscriptions.standing(&publish.topic) == Standing::Live;
                    let sees = connection.sees(Direction::Server, 0, record.at_micros);
                    let shadow = shadows.entry(name.clone()).or_default();
                    shadow.subscribed |= live;
                    let Some(payload) = publish.payload.readable() else {
                        (shadow.last, shadow.is_followed) = (None, false);
                        continue;
                    };
                    let seen = shadow.message(payload, place, live && sees);
                    if let Some((before, after)) = seen {
                        let shadow = name_of(&name);
                        let finding = Finding::VersionWentBack {
                            shadow,
                            before,
                            after,
                        };
                        findings.add(place, finding);
                    }
                }
                _ => {}
            }
        }
        for (name, shadow) in &mut shadows {
            shadow.end(client, index, connection, &name_of(name), findings);
        }
    }
}

impl Shadow {
    /// Takes in a message; returns the versions where it goes back.
    fn message(&mut self, payload: &[u8], place: Place, live: bool) -> Option<(u64, u64)> {
        let (version, shows_all) = match reply::parse(payload) {
            Ok(Message::Delta { body }) => (body.version(), false),
            Ok(Message::Reply {
                operation,
                result,
                body,
                ..
            }) => {
                // A refused update's reply has the whole document too.
                let shows_all = operation == Operation::Get || result == reply::VERSION_CONFLICT;
                (
                    body.version(),
                    shows_all && (result == 0 || operation != Operation::Get),
                )
            }
            Err(_) => return None,
        };
        let version = version?;
        let before = self.last.replace(version);
        if self.first.is_none() {
            self.first = Some((before, version));
        }
        let was_followed = std::mem::replace(&mut self.is_followed, live);
        let before = before?;
        if version < before {
            return Some((before, version));
        }
        if was_followed && live && version > before + 1 {
            self.jumps.push((place, before, version, false));
        }
        if shows_all {
            self.asked = true;
            for (_, _, _, made_good) in &mut self.jumps {
                *made_good = true;
            }
        }
        None
    }

    fn end(
        &mut self,
        client: &Client<'_>,
        index: usize,
        connection: &Connection,
        name: &str,
        findings: &mut Findings,
    ) {
        for (place, before, after, made_good) in std::mem::take(&mut self.jumps) {
            let finding = Finding::VersionJumped {
                shadow: name.to_owned(),
                before,
                after,
                made_good,
            };
            findings.add(place, finding);
        }
        let Some((accepted_at, _)) = connection.accepted() else {
            return;
        };
        let until = client.stood_until(connection);
        let is_settled = until.saturating_sub(accepted_at) >= micros(client.patience.settling);
        let sees = connection.sees(Direction::Device, accepted_at, until.saturating_add(1));
        // A session that goes on may have kept what came meanwhile.
        let is_new = continues(connection) == Some(false);
        if is_new && self.subscribed_before && self.subscribed && !self.asked && is_settled && sees
        {
            // One step is the message's own.
            let missed = match self.first {
                Some((Some(before), after)) if after > before + 1 => Some((before, after)),
                _ => None,
            };
            let finding = Finding::NoGetAfterReconnect {
                shadow: name.to_owned(),
                missed,
            };
            findings.add(Place::connection(index, Some(accepted_at)), finding);
        }
    }
}
