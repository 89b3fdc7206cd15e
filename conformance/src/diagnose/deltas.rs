//! Deltas: whether each was answered, in time, and without deleting a newer one.

use std::collections::BTreeMap;

use serde_json::Value;
use shadow_core::tencent::{Message, Operation, Part, ShadowName, reply, request};

use super::client::{Client, Findings, Place, name_of};
use super::finding::Finding;
use super::micros;
use super::requests::{members, object};
use super::session::{Connection, Direction, Packet, Payload, Publish};

/// A key that the cloud desires.
struct Wish {
    value: Value,
    version: Option<u64>,
    place: Place,
    at: u64,
}

/// An update of the device's that clears `desired` without a version.
struct Clearing {
    token: Option<String>,
    at: u64,
}

/// A delta that came while a clearing was under way.
struct Recent {
    at: u64,
    version: Option<u64>,
    place: Place,
    values: BTreeMap<String, Value>,
}

/// Keys that a clearing deleted unanswered.
struct Deleted {
    place: Place,
    version: Option<u64>,
    values: BTreeMap<String, Value>,
    keys: Vec<String>,
}

#[derive(Default)]
struct Shadow {
    wishes: BTreeMap<String, Wish>,
    /// When a wish was first answered since `desired` was last cleared.
    answering_since: Option<u64>,
    clearings: Vec<Clearing>,
    /// Wishes that came, until no clearing is open any more.
    recent: Vec<Recent>,
    deleted: Vec<Deleted>,
}

pub(super) fn check(client: &Client<'_>, findings: &mut Findings) {
    let mut shadows: BTreeMap<ShadowName, Shadow> = BTreeMap::new();
    let mut there_until = 0;
    for &(_, connection) in &client.connections {
        if connection.accepted().is_some() {
            there_until = client.stood_until(connection).max(there_until);
        }
    }
    for (place, connection, record) in client.records() {
        let Packet::Publish(publish) = &record.packet else {
            continue;
        };
        let at = record.at_micros;
        match record.from {
            Direction::Device => {
                if let Some(name) = ShadowName::from_operation_topic(&publish.topic) {
                    let shadow = shadows.entry(name.clone()).or_default();
                    let late = micros(client.patience.delta);
                    shadow.sent(&name_of(&name), publish, at, late, findings);
                }
            }
            Direction::Server => {
                if let Some(name) = ShadowName::from_result_topic(&publish.topic) {
                    let shadow = shadows.entry(name).or_default();
                    shadow.received(connection, publish, place, at);
                }
            }
        }
    }
    for (name, shadow) in shadows {
        shadow.end(client, &name_of(&name), there_until, findings);
    }
}

impl Shadow {
    fn sent(&mut self, name: &str, publish: &Publish, at: u64, late: u64, findings: &mut Findings) {
        let parsed = publish.payload.readable().map(request::parse_request);
        let parsed = match parsed {
            Some(Ok(parsed)) => parsed,
            // What the service cannot read answers nothing.
            Some(Err(_)) => return,
            // It may have answered anything.
            None if matches!(publish.payload, Payload::Unknown(_)) => return self.forget(),
            None => return,
        };
        if parsed.operation == Operation::Get {
            return;
        }
        let reported = members(parsed.reported);
        for deleted in &mut self.deleted {
            deleted
                .values
                .retain(|key, value| reported.get(key) != Some(value));
        }
        let clears = parsed.desired == Part::Null;
        let cleared: Vec<String> = members(parsed.desired)
            .into_iter()
            .filter(|(_, value)| value.is_null())
            .map(|(key, _)| key)
            .collect();
        if clears && parsed.version.unwrap_or(0) == 0 {
            self.delete_unanswered(&reported);
            let token = parsed.token.map(|token| token.trim_matches('"').to_owned());
            self.clearings.push(Clearing { token, at });
        }
        let keys: Vec<String> = self
            .wishes
            .keys()
            .filter(|key| clears || reported.contains_key(*key) || cleared.contains(key))
            .cloned()
            .collect();
        for key in keys {
            let Some(wish) = self.wishes.remove(&key) else {
                continue;
            };
            self.answering_since.get_or_insert(at);
            let after = at.saturating_sub(wish.at);
            if after > late {
                let shadow = name.to_owned();
                let finding = Finding::DeltaAnsweredLate { shadow, key, after };
                findings.add(wish.place, finding);
            }
        }
        if clears {
            self.answering_since = None;
        }
    }

    /// Wishes that came after the answer to earlier ones was begun, and are cleared with these.
    fn delete_unanswered(&mut self, reported: &BTreeMap<String, Value>) {
        let Some(since) = self.answering_since else {
            return;
        };
        let mut newer: BTreeMap<Option<u64>, (Place, BTreeMap<String, Value>)> = BTreeMap::new();
        for (key, wish) in &self.wishes {
            if wish.at > since && reported.get(key) != Some(&wish.value) {
                let (_, values) = newer
                    .entry(wish.version)
                    .or_insert_with(|| (wish.place, BTreeMap::new()));
                values.insert(key.clone(), wish.value.clone());
            }
        }
        for (version, (place, values)) in newer {
            self.deleted.push(Deleted {
                place,
                version,
                keys: values.keys().cloned().collect(),
                values,
            });
        }
    }

    fn forget(&mut self) {
        self.wishes.clear();
        self.clearings.clear();
        self.recent.clear();
        self.answering_since = None;
    }

    fn received(&mut self, connection: &Connection, publish: &Publish, place: Place, at: u64) {
        let Some(payload) = publish.payload.readable() else {
            return self.forget();
        };
        if !connection.sees(Direction::Device, 0, at) {
            self.clearings.clear();
        }
        match reply::parse(payload) {
            Ok(Message::Delta { body }) => {
                let values = object(body.to_document().delta().unwrap_or_default());
                self.wish(&values, body.version(), place, at);
            }
            Ok(Message::Reply {
                operation: Operation::Get,
                result: 0,
                body,
                ..
            }) => {
                // The whole document: what it does not desire is not desired any more.
                let document = body.to_document();
                let values = object(document.delta().unwrap_or_default());
                self.wishes.retain(|key, _| values.contains_key(key));
                let news = values
                    .into_iter()
                    .filter(|(key, value)| {
                        self.wishes.get(key).is_none_or(|wish| wish.value != *value)
                    })
                    .collect();
                self.wish(&news, body.version(), place, at);
            }
            Ok(Message::Reply {
                operation: Operation::Update,
                token,
                result,
                body,
            }) => self.updated(token.as_deref(), result, body.version()),
            _ => {}
        }
    }

    fn wish(
        &mut self,
        values: &BTreeMap<String, Value>,
        version: Option<u64>,
        place: Place,
        at: u64,
    ) {
        if values.is_empty() {
            return;
        }
        for (key, value) in values {
            let value = value.clone();
            let wish = Wish {
                value,
                version,
                place,
                at,
            };
            self.wishes.insert(key.clone(), wish);
        }
        if !self.clearings.is_empty() {
            self.recent.push(Recent {
                at,
                version,
                place,
                values: values.clone(),
            });
        }
    }

    /// The reply to an update. If it cleared `desired`, what had come meanwhile is gone.
    fn updated(&mut self, token: Option<&str>, result: i64, version: Option<u64>) {
        let its = |clearing: &Clearing| token.is_some() && clearing.token.as_deref() == token;
        let Some(place) = self.clearings.iter().position(its) else {
            return;
        };
        // Replies come in the order of their requests: those before it have none.
        let Some(clearing) = self.clearings.drain(..=place).next_back() else {
            return;
        };
        if result == 0
            && let Some(version) = version
        {
            for recent in &self.recent {
                let is_cleared =
                    recent.at > clearing.at && recent.version.is_some_and(|of| of < version);
                if !is_cleared {
                    continue;
                }
                // What was reported since was answered.
                let left: BTreeMap<String, Value> = recent
                    .values
                    .iter()
                    .filter(|(key, value)| {
                        self.wishes
                            .get(*key)
                            .is_some_and(|wish| wish.value == **value)
                    })
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                if !left.is_empty() {
                    self.deleted.push(Deleted {
                        place: recent.place,
                        version: recent.version,
                        keys: left.keys().cloned().collect(),
                        values: left,
                    });
                }
            }
        }
        let since = self.clearings.first().map_or(u64::MAX, |first| first.at);
        self.recent.retain(|recent| recent.at >= since);
    }

    fn end(mut self, client: &Client<'_>, name: &str, there_until: u64, findings: &mut Findings) {
        for deleted in self.deleted {
            // It is told of once.
            for key in &deleted.keys {
                self.wishes.remove(key);
            }
            let finding = Finding::NewerDesiredDeleted {
                shadow: name.to_owned(),
                version: deleted.version,
                keys: deleted.keys,
                made_good: deleted.values.is_empty(),
            };
            findings.add(deleted.place, finding);
        }
        let mut left: BTreeMap<(u64, Option<u64>), (Place, Vec<String>)> = BTreeMap::new();
        for (key, wish) in self.wishes {
            let entry = left.entry((wish.at, wish.version));
            entry
                .or_insert_with(|| (wish.place, Vec::new()))
                .1
                .push(key);
        }
        for ((at, version), (place, keys)) in left {
            let waited = there_until.saturating_sub(at);
            let sees = client.connections.iter().all(|(_, connection)| {
                let until = client.stood_until(connection);
                until <= at || connection.sees(Direction::Device, at, until.saturating_add(1))
            });
            if waited >= micros(client.patience.delta) && sees {
                let finding = Finding::DeltaUnanswered {
                    shadow: name.to_owned(),
                    version,
                    keys,
                    waited,
                };
                findings.add(place, finding);
            }
        }
    }
}
