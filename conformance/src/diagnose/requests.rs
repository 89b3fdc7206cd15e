//! Shadow requests and their replies.

use std::collections::{BTreeMap, BTreeSet};

use shadow_core::json::Json;
use shadow_core::tencent::{Message, Operation, Part, ShadowName, reply, request};

use super::client::{Client, Findings, Place, name_of};
use super::finding::{Finding, WaitedUntil};
use super::micros;
use super::session::{Connection, Direction, End, Packet, Publish};
use super::subscriptions::{Standing, Subscriptions};

/// Most requests of a shadow that are followed at once.
const MAXIMUM_OPEN: usize = 1024;

/// A request that awaits its reply.
struct Open {
    operation: Option<Operation>,
    token: Option<String>,
    reported: Vec<String>,
    payload: Vec<u8>,
    place: Place,
    at: u64,
    /// Whether somebody listens for the reply.
    is_heard: bool,
}

/// What is known of one shadow's requests.
#[derive(Default)]
struct Shadow {
    open: Vec<Open>,
    /// Tokens of requests that ended.
    ended: BTreeSet<String>,
    /// Of those the ones whose connection ended before a reply, with their payloads.
    unanswered: BTreeMap<String, Vec<u8>>,
    /// Refused requests: the place, the code, and the reported keys not accepted since.
    refused: Vec<(Place, i64, Vec<String>, bool)>,
    /// Whether a message came that may have answered any of the open ones.
    is_ambiguous: bool,
}

pub(super) fn check(client: &Client<'_>, findings: &mut Findings) {
    let mut shadows: BTreeMap<ShadowName, Shadow> = BTreeMap::new();
    let mut subscriptions = Subscriptions::new();
    for &(index, connection) in &client.connections {
        if connection.packets.is_empty() {
            continue;
        }
        subscriptions.begin(connection);
        // Where nothing else is known, a request may have gone out unseen.
        let mut all_known = connection.accepted().is_some();
        for (ordinal, record) in connection.packets.iter().enumerate() {
            subscriptions.packet(connection, record);
            let place = Place::packet(index, ordinal, record);
            let at = record.at_micros;
            all_known &= connection.sees(Direction::Device, 0, at);
            let Packet::Publish(publish) = &record.packet else {
                continue;
            };
            match record.from {
                Direction::Device => {
                    if let Some(name) = ShadowName::from_operation_topic(&publish.topic) {
                        let standing = subscriptions.standing(&name.result_topic());
                        let shadow = shadows.entry(name.clone()).or_default();
                        let name = name_of(&name);
                        sent(shadow, &name, publish, standing, place, at, findings);
                    }
                }
                Direction::Server => {
                    if let Some(name) = ShadowName::from_result_topic(&publish.topic) {
                        let shadow = shadows.entry(name.clone()).or_default();
                        let late = micros(client.patience.answer);
                        let name = name_of(&name);
                        received(
                            shadow,
                            &name,
                            publish,
                            all_known,
                            (place, at, late),
                            findings,
                        );
                    }
                }
            }
        }
        for (name, shadow) in &mut shadows {
            end(client, connection, &name_of(name), shadow, findings);
        }
    }
    for (name, shadow) in shadows {
        for (place, code, missing, is_update) in shadow.refused {
            let finding = Finding::Rejected {
                shadow: name_of(&name),
                code,
                made_good: is_update && missing.is_empty(),
            };
            findings.add(place, finding);
        }
    }
}

/// A token as it is compared: a string without its quotes, a number as its digits.
fn token_of(text: &str) -> Option<String> {
    match serde_json::from_str(text).ok()? {
        serde_json::Value::String(token) => Some(token),
        _ => Some(text.to_owned()),
    }
}

/// Whether a token is `{productId}-..`, as the vendor's SDKs count from 0 whenever they start. A
/// shadow is named as [`name_of`] does.
fn is_of_product(token: &str, name: &str) -> bool {
    let product = name.split_once('/').map_or(name, |(product, _)| product);
    token
        .strip_prefix(product)
        .is_some_and(|rest| rest.starts_with('-'))
}

fn sent(
    shadow: &mut Shadow,
    name: &str,
    publish: &Publish,
    standing: Standing,
    place: Place,
    at: u64,
    findings: &mut Findings,
) {
    if publish.dup {
        // The same request once more.
        return;
    }
    let before_suback = standing == Standing::Asked;
    if before_suback || standing == Standing::None {
        let finding = Finding::AskedUnsubscribed {
            shadow: name.to_owned(),
            before_suback,
        };
        findings.add(place, finding);
    }
    let mut open = Open {
        operation: None,
        token: None,
        reported: Vec::new(),
        payload: Vec::new(),
        place,
        at,
        is_heard: standing != Standing::None,
    };
    if let Some(payload) = publish.payload.readable() {
        let parsed = match request::parse_request(payload) {
            Ok(parsed) => parsed,
            Err(error) => {
                let finding = Finding::UnreadableRequest {
                    shadow: name.to_owned(),
                    why: error.to_string(),
                };
                return findings.add(place, finding);
            }
        };
        open.operation = Some(parsed.operation);
        open.reported = keys(parsed.reported);
        open.payload = payload.to_vec();
        open.token = parsed.token.and_then(token_of);
        match &open.token {
            None => {
                let shadow = name.to_owned();
                findings.add(place, Finding::RequestWithoutToken { shadow });
            }
            // The same request once more, which one reply answers.
            Some(_)
                if shadow
                    .open
                    .iter()
                    .any(|other| other.token == open.token && other.payload == open.payload) =>
            {
                return;
            }
            // The same request once more, as the reply went with its link. A counter without
            // anything of the run in it may as well have begun again.
            Some(token)
                if shadow.unanswered.remove(token).as_ref() == Some(&open.payload)
                    && !is_of_product(token, name) => {}
            Some(token) => {
                let still_open = shadow.open.iter().any(|other| other.token == open.token);
                if still_open || shadow.ended.contains(token) {
                    let finding = Finding::TokenReused {
                        shadow: name.to_owned(),
                        token: token.clone(),
                        still_open,
                    };
                    findings.add(place, finding);
                }
            }
        }
    }
    if shadow.open.len() == MAXIMUM_OPEN {
        // What has waited for so many others is not followed any more.
        let oldest = shadow.open.remove(0);
        shadow.ended.extend(oldest.token);
    }
    shadow.open.push(open);
}

/// The keys of an object, and none of anything else.
pub(super) fn keys(part: Part<'_>) -> Vec<String> {
    members(part).into_keys().collect()
}

/// The members of an object as JSON text.
pub(super) fn members(part: Part<'_>) -> BTreeMap<String, serde_json::Value> {
    match part {
        Part::Object(text) => object(text),
        Part::Absent | Part::Null => BTreeMap::new(),
    }
}

pub(super) fn object(text: &str) -> BTreeMap<String, serde_json::Value> {
    let json = Json::new(text).ok();
    json.and_then(|json| json.parse().ok()).unwrap_or_default()
}

fn received(
    shadow: &mut Shadow,
    name: &str,
    publish: &Publish,
    all_known: bool,
    (place, at, late): (Place, u64, u64),
    findings: &mut Findings,
) {
    let Some(payload) = publish.payload.readable() else {
        shadow.is_ambiguous = true;
        return;
    };
    let (operation, token, result) = match reply::parse(payload) {
        Ok(Message::Reply {
            operation,
            token,
            result,
            ..
        }) => (operation, token.map(String::from), result),
        Ok(Message::Delta { .. }) => return,
        Err(error) => {
            let finding = Finding::UnreadableReply {
                shadow: name.to_owned(),
                why: error.to_string(),
            };
            return findings.add(place, finding);
        }
    };
    let Some(token) = token else {
        shadow.is_ambiguous = true;
        let shadow = name.to_owned();
        return findings.add(place, Finding::ReplyWithoutToken { shadow });
    };
    let is_its =
        |open: &Open| open.token.as_ref() == Some(&token) && open.operation == Some(operation);
    // One of unknown content may be any; replies come in the order of their requests.
    let known = shadow.open.iter().position(is_its);
    let unknown = |is_heard: bool| {
        let may_be = |open: &Open| open.operation.is_none() && (open.is_heard || !is_heard);
        shadow.open.iter().position(may_be)
    };
    let Some(answered) = known.or_else(|| unknown(true)).or_else(|| unknown(false)) else {
        if all_known {
            let finding = Finding::ReplyToNothing {
                shadow: name.to_owned(),
                is_again: shadow.ended.contains(&token),
                token: Some(token),
            };
            findings.add(place, finding);
        }
        return;
    };
    let open = shadow.open.remove(answered);
    let after = at.saturating_sub(open.at);
    if after > late {
        let finding = Finding::AnsweredLate {
            shadow: name.to_owned(),
            token: Some(token.clone()),
            after,
        };
        findings.add(open.place, finding);
    }
    shadow.ended.insert(token);
    let is_update = operation == Operation::Update;
    if result == 0 {
        if is_update {
            for (_, _, missing, _) in &mut shadow.refused {
                missing.retain(|key| !open.reported.contains(key));
            }
        }
    } else {
        // What deletes or desires something is not followed.
        let reported = open.reported;
        let is_followed = is_update && !reported.is_empty();
        shadow.refused.push((place, result, reported, is_followed));
    }
}

/// A connection ended: what is open on it gets no reply any more.
fn end(
    client: &Client<'_>,
    connection: &Connection,
    name: &str,
    shadow: &mut Shadow,
    findings: &mut Findings,
) {
    let until = client.stood_until(connection);
    let ambiguous = std::mem::take(&mut shadow.is_ambiguous);
    for open in std::mem::take(&mut shadow.open) {
        let waited = until.saturating_sub(open.at);
        let patience = micros(client.patience.answer);
        let how = match connection.end {
            _ if waited >= patience => Some(WaitedUntil::Patience),
            _ if connection.has_disconnect() => Some(WaitedUntil::Disconnect),
            End::Open => None,
            _ => Some(WaitedUntil::Cut),
        };
        let sees = connection.sees(Direction::Server, open.at, until.saturating_add(1));
        if let Some(how) = how
            && open.is_heard
            && sees
            && !ambiguous
        {
            let finding = Finding::Unanswered {
                shadow: name.to_owned(),
                operation: open.operation.map_or("request", Operation::as_str),
                token: open.token.clone(),
                waited,
                until: how,
            };
            findings.add(open.place, finding);
        }
        if let Some(token) = open.token {
            shadow.unanswered.insert(token.clone(), open.payload);
            shadow.ended.insert(token);
        }
    }
}
