//! Who the device is, and what was taken out of the log.

use std::collections::BTreeMap;

use shadow_core::tencent::ShadowName;

use crate::log::{Payload, Session, Statement};

/// Stands for a product id that was taken out.
const STAND_IN: &str = "ABCDEFGHIJ";
const STAND_IN_DEVICE: &str = "device";

/// Names of the session's device, and how they are printed.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The names to replay with.
    pub(super) name: ShadowName,
    /// What is printed in place of the product id, if it was taken out.
    pub(super) redacted_as: Option<String>,
    /// CONNECT's client id to replay with: that of `name` unless it is another device's.
    pub(super) client_id: String,
}

/// The product id and device name in a shadow topic.
fn names_in(topic: &str) -> Option<(&str, &str)> {
    let rest = topic.strip_prefix("$shadow/operation/")?;
    let rest = match rest.strip_prefix("result/") {
        Some(inner) if inner.contains('/') => inner,
        _ => rest,
    };
    rest.split_once('/')
        .filter(|(product, device)| !product.is_empty() && !device.contains('/'))
}

/// Whether the text cannot be a product id or client id: placeholders such as `xxx`, `***`,
/// `{productID}`, `YOUR_PRODUCT_ID`.
pub(super) fn looks_redacted(text: &str) -> bool {
    let blank = text.chars().all(|c| matches!(c, 'x' | 'X' | '*'));
    let marked = text.contains(['*', '<', '{', '$', '.', ' ']) || text.starts_with("YOUR_");
    text.is_empty() || blank || marked
}

impl Identity {
    pub(crate) fn find(session: &Session) -> Identity {
        let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut client_id = None;
        let mut token_prefix = None;
        for (_, entry) in session.entries() {
            let mut note = |topic| {
                if let Some(names) = names_in(topic) {
                    *seen.entry(names).or_default() += 1;
                }
            };
            match &entry.statement {
                Statement::SendingConnect { client_id: id, .. } => {
                    client_id.get_or_insert(id.as_str());
                }
                Statement::SendingSubscribe { filters, .. } => {
                    filters.iter().for_each(|(filter, _)| note(filter));
                }
                Statement::SubscribeSuccess { filters }
                | Statement::SendingUnsubscribe { filters, .. } => {
                    filters.iter().for_each(|filter| note(filter));
                }
                Statement::SendingPublish { topic, .. }
                | Statement::ReceivedPublish { topic, .. } => note(topic),
                Statement::ShadowUpdate { json }
                | Statement::OnPayload {
                    payload: Payload::Json(json),
                    ..
                } if token_prefix.is_none() => {
                    token_prefix = token_of(json).and_then(|token| {
                        let (prefix, _) = token.rsplit_once('-')?;
                        Some(prefix.to_owned())
                    });
                }
                _ => {}
            }
        }
        let own = seen.iter().find(|((product, device), _)| {
            client_id.is_some_and(|id| id == format!("{product}{device}"))
        });
        let most = seen.iter().max_by_key(|(_, count)| **count);
        let (product, device) = match own.or(most) {
            Some(((product, device), _)) => ((*product).to_owned(), (*device).to_owned()),
            None => {
                // A client id is ten characters of product id and the device's name.
                let split = client_id.and_then(|id| Some((id.get(..10)?, id.get(10..)?)));
                match split.filter(|(_, device)| !device.is_empty()) {
                    Some((product, device)) => (product.to_owned(), device.to_owned()),
                    None => (
                        token_prefix.unwrap_or_else(|| STAND_IN.to_owned()),
                        STAND_IN_DEVICE.to_owned(),
                    ),
                }
            }
        };
        let redacted = looks_redacted(&product);
        let filled = if redacted {
            let length = voted_length(session, &product);
            STAND_IN.get(..length).unwrap_or(STAND_IN).to_owned()
        } else {
            product.clone()
        };
        let stand_in = || {
            // Both are fixed and short.
            ShadowName::new(STAND_IN, STAND_IN_DEVICE).expect("the stand-ins are valid names")
        };
        let name = ShadowName::new(&filled, &device);
        let beyond_limits = name.is_err();
        let name = name.unwrap_or_else(|_| stand_in());
        // A gateway may use its sub-devices' topics only; its other topics say so.
        let others = client_id.is_some_and(|id| {
            let is_gateway = session.entries().any(|(_, entry)| {
                matches!(&entry.statement, Statement::SendingSubscribe { filters, .. }
                    if filters.iter().any(|(filter, _)| filter.starts_with("$gateway/")))
            });
            is_gateway && !looks_redacted(id) && id != format!("{product}{device}")
        });
        let client_id = match client_id {
            Some(id) if others || beyond_limits && !looks_redacted(id) => id.to_owned(),
            _ => name.client_id().to_owned(),
        };
        Identity {
            name,
            redacted_as: redacted.then_some(product),
            client_id,
        }
    }

    /// Puts the product id back in where it was taken out.
    pub(super) fn fill(&self, statement: &mut Statement) {
        if let Statement::SendingConnect { client_id, .. } = statement {
            let printed = self.redacted_as.as_ref();
            let as_topics = printed.map(|printed| format!("{printed}{}", self.name.device_name()));
            if looks_redacted(client_id) || as_topics.as_ref() == Some(client_id) {
                self.client_id.clone_into(client_id);
            }
        }
        let Some(printed) = &self.redacted_as else {
            return;
        };
        let topic = |topic: &mut String| {
            let product = self.name.product_id();
            let levels = topic
                .split('/')
                .map(|level| if level == printed { product } else { level });
            *topic = levels.collect::<Vec<_>>().join("/");
        };
        match statement {
            Statement::SendingSubscribe { filters, .. } => {
                filters.iter_mut().for_each(|(filter, _)| topic(filter));
            }
            Statement::SubscribeSuccess { filters }
            | Statement::SubscribeError { filters }
            | Statement::SendingUnsubscribe { filters, .. } => filters.iter_mut().for_each(topic),
            Statement::SendingPublish { topic: t, .. }
            | Statement::ReceivedPublish { topic: t, .. }
            | Statement::PublishCall { topic: t, .. } => topic(t),
            Statement::OnMessage {
                topic: t, payload, ..
            } => {
                topic(t);
                self.fill_payload(printed, payload);
            }
            Statement::OnPayload { payload, .. } => self.fill_payload(printed, payload),
            Statement::ShadowUpdate { json } => self.fill_token(printed, json),
            _ => {}
        }
    }

    fn fill_payload(&self, printed: &str, payload: &mut Payload) {
        if let Payload::Json(json) = payload {
            self.fill_token(printed, json);
        }
    }

    fn fill_token(&self, printed: &str, json: &mut String) {
        for separator in [":", ": "] {
            let before = format!("\"clientToken\"{separator}\"{printed}-");
            if json.contains(&before) {
                let after = format!("\"clientToken\"{separator}\"{}-", self.name.product_id());
                *json = json.replace(&before, &after);
            }
        }
    }
}

/// The `clientToken` of a message, if it is a string.
pub(super) fn token_of(json: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    value.get("clientToken")?.as_str().map(str::to_owned)
}

/// How long the product id is by the printed lengths: ten unless most of them, and at least two,
/// say otherwise.
fn voted_length(session: &Session, printed: &str) -> usize {
    let mut votes: BTreeMap<usize, usize> = BTreeMap::new();
    let (mut update, mut received) = (None, None);
    for (_, entry) in session.entries() {
        // What is left of the length without the product id in the token.
        let vote = match &entry.statement {
            Statement::ShadowUpdate { json } => {
                update = Some(json.clone());
                None
            }
            Statement::SendingPublish { length, .. } => {
                update.take().map(|json| (json, *length, 0))
            }
            Statement::ReceivedPublish { length, .. } => {
                received = Some(*length);
                None
            }
            Statement::OnPayload {
                payload: Payload::Json(json),
                ..
            } => received.take().map(|length| (json.clone(), length, 1)),
            _ => None,
        };
        let Some((json, length, more)) = vote else {
            continue;
        };
        let in_token = token_of(&json).is_some_and(|t| t.starts_with(&format!("{printed}-")));
        if in_token && let Some(rest) = (length + printed.len()).checked_sub(json.len() + more) {
            *votes.entry(rest).or_default() += 1;
        }
    }
    let all: usize = votes.values().sum();
    votes
        .into_iter()
        .find(|(length, count)| (1..=10).contains(length) && *count >= 2 && *count * 2 > all)
        .map_or(10, |(length, _)| length)
}
