//! In which state a log begins, and what was under way.

use std::collections::{BTreeMap, BTreeSet};

use shadow_core::tencent::{Operation, ShadowName};

use super::identity::Identity;
use super::outline::{Line, Outline};
use crate::log::{Payload, Statement};

/// How a log begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Before the connection, with the start of the SDK's thread: everything is printed.
    Start,
    /// Before a connection of a client that has run before.
    Reconnect,
    /// Between CONNECT and CONNACK.
    Handshake,
    /// Connected and subscribed.
    Middle,
}

/// What an engine is brought to before the first line.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) beginning: Beginning,
    /// The message number of the first packet that the log prints, or would print.
    pub(super) first_number: u16,
    /// Shadows that are subscribed already.
    pub(super) shadows: Vec<ShadowName>,
    /// The number of a SUBSCRIBE whose SUBACK is yet to come.
    pub(super) awaits_suback: bool,
    /// The number of that SUBSCRIBE, if its callback prints it.
    pub(super) subscribed_as: Option<u16>,
    /// The first token of each shadow that the log sends, or would send.
    pub(super) first_tokens: BTreeMap<ShadowName, u64>,
    /// Requests that were sent before and are answered within: by shadow and token.
    pub(super) open: BTreeMap<(ShadowName, u64), Operation>,
}

/// A reply of the log.
#[derive(Clone, Debug)]
pub(super) struct PrintedReply {
    pub(super) line: usize,
    pub(super) shadow: ShadowName,
    pub(super) token: u64,
    pub(super) operation: Operation,
}

/// How far before the first sent token an answered one may be.
const REACH: u64 = 64;

/// Reads the number of a token `{productId}-{n}`.
pub(super) fn token_number(token: &str, shadow: &ShadowName) -> Option<u64> {
    let digits = token.strip_prefix(shadow.product_id())?.strip_prefix('-')?;
    let canonical = digits == "0" || !digits.starts_with(['0', '+']);
    digits.parse().ok().filter(|_| canonical)
}

/// Every reply that the log prints with a token of the usual form.
pub(super) fn printed_replies(outline: &Outline) -> Vec<PrintedReply> {
    let mut replies = Vec::new();
    for (line, callback) in outline.callback_of.iter().enumerate() {
        let Some(Payload::Json(json)) = callback.and_then(|callback| outline.payload(callback))
        else {
            continue;
        };
        let Some(Statement::ReceivedPublish { topic, .. }) = outline.statement(line) else {
            continue;
        };
        let Some(shadow) = ShadowName::from_result_topic(topic) else {
            continue;
        };
        if let Some((token, operation)) = reply_to(json)
            && let Some(token) = token_number(&token, &shadow)
        {
            replies.push(PrintedReply {
                line,
                shadow,
                token,
                operation,
            });
        }
    }
    replies
}

fn reply_to(json: &str) -> Option<(String, Operation)> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    let operation = match value.get("type")?.as_str()? {
        "get" => Operation::Get,
        "update" => Operation::Update,
        _ => return None,
    };
    Some((value.get("clientToken")?.as_str()?.to_owned(), operation))
}

impl Start {
    pub(super) fn find(outline: &Outline, identity: &Identity, replies: &[PrintedReply]) -> Start {
        let beginning = beginning(&outline.lines);
        let mut start = Start {
            beginning,
            first_number: 1,
            shadows: Vec::new(),
            awaits_suback: false,
            subscribed_as: None,
            first_tokens: first_tokens(&outline.lines, 0, replies, beginning),
            open: BTreeMap::new(),
        };
        if beginning == Beginning::Middle {
            let before = Subscriptions::before(&outline.lines, identity);
            start.shadows = before.shadows;
            if start.shadows.is_empty() && !before.own_is_subscribed {
                start.shadows.push(identity.name.clone());
            }
            start.awaits_suback = before.awaits_suback && !start.shadows.is_empty();
            start.subscribed_as = before.number.filter(|_| start.awaits_suback);
            for reply in replies {
                let first = start.first_tokens.get(&reply.shadow).copied();
                let reach =
                    first.is_none_or(|first| reply.token < first && first - reply.token <= REACH);
                if reach && start.shadows.contains(&reply.shadow) {
                    let key = (reply.shadow.clone(), reply.token);
                    start.open.entry(key).or_insert(reply.operation);
                }
            }
        }
        start.first_number = first_number(outline, &start);
        start
    }

    /// How many packets the engine has sent before the first line.
    pub(super) fn packets_before(&self) -> usize {
        self.shadows.len() + self.open.len()
    }
}

/// What is subscribed when a stretch of lines begins.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    /// Shadows that are used before they are subscribed.
    pub(super) shadows: Vec<ShadowName>,
    /// Whether a SUBACK comes before any SUBSCRIBE.
    pub(super) awaits_suback: bool,
    /// The number that its callback prints.
    pub(super) number: Option<u16>,
    /// Whether the device's own shadow is subscribed within.
    pub(super) own_is_subscribed: bool,
}

impl Subscriptions {
    pub(super) fn before(lines: &[Line], identity: &Identity) -> Subscriptions {
        let mut found = Subscriptions::default();
        let mut subscribed = BTreeSet::new();
        let mut any = false;
        let mut uses: BTreeMap<ShadowName, usize> = BTreeMap::new();
        for line in lines {
            let used = match &line.statement {
                Statement::SendingSubscribe { filters, .. } => {
                    any = true;
                    let filters = filters.iter();
                    subscribed.extend(
                        filters.filter_map(|(filter, _)| ShadowName::from_result_topic(filter)),
                    );
                    None
                }
                Statement::ReceivedSubAck if !any => {
                    found.awaits_suback = true;
                    None
                }
                Statement::OnSubscribe { message_number, .. } if found.awaits_suback && !any => {
                    found.number.get_or_insert(*message_number);
                    None
                }
                Statement::SendingPublish { topic, .. } => ShadowName::from_operation_topic(topic),
                Statement::ReceivedPublish { topic, .. } => ShadowName::from_result_topic(topic),
                _ => None,
            };
            if let Some(name) = used
                && !subscribed.contains(&name)
            {
                *uses.entry(name).or_default() += 1;
            }
        }
        // One line alone may be wrong.
        let sure = uses
            .into_iter()
            .filter(|(name, count)| *count > 1 || *name == identity.name);
        found.shadows = sure.map(|(name, _)| name).collect();
        found.own_is_subscribed = subscribed.contains(&identity.name);
        found
    }
}

/// How a stretch of lines begins.
pub(super) fn beginning(lines: &[Line]) -> Beginning {
    for line in lines {
        return match &line.statement {
            Statement::ThreadEnter | Statement::ConnectAsync { .. } => Beginning::Start,
            Statement::SendingConnect { .. } | Statement::ReconnectError { .. } => {
                Beginning::Reconnect
            }
            Statement::ReceivedConnAck { .. } | Statement::StateError { .. } => {
                Beginning::Handshake
            }
            Statement::AppRemark { .. }
            | Statement::Environment { .. }
            | Statement::Fault { .. }
            | Statement::Unknown { .. }
            | Statement::ThreadExit
            | Statement::OnDisconnect { .. } => continue,
            _ => Beginning::Middle,
        };
    }
    Beginning::Reconnect
}

/// The first token that these lines, from line `from` on, send for each shadow: exact where an update prints one, else the
/// smallest that fits lengths and replies.
pub(super) fn first_tokens(
    lines: &[Line],
    from: usize,
    replies: &[PrintedReply],
    beginning: Beginning,
) -> BTreeMap<ShadowName, u64> {
    let start = replies.partition_point(|reply| reply.line < from);
    let end = replies.partition_point(|reply| reply.line < from + lines.len());
    let replies = replies.get(start..end).unwrap_or_default();
    let mut sent: BTreeMap<ShadowName, Vec<Sent>> = BTreeMap::new();
    let mut update: Option<String> = None;
    for (index, line) in (from..).zip(lines) {
        match &line.statement {
            Statement::ShadowUpdate { json } => update = Some(json.clone()),
            Statement::SendingPublish {
                topic,
                length,
                dup: false,
                ..
            } => {
                let update = update.take();
                if let Some(name) = ShadowName::from_operation_topic(topic) {
                    let token = update.as_deref().and_then(super::identity::token_of);
                    let token = token.and_then(|token| token_number(&token, &name));
                    let digits = length.checked_sub(get_length(&name, 0));
                    let digits = digits.filter(|digits| (1..=19).contains(digits));
                    let is_get = update.is_none() && digits.is_some();
                    sent.entry(name).or_default().push(Sent {
                        line: index,
                        operation: if is_get {
                            Operation::Get
                        } else {
                            Operation::Update
                        },
                        token,
                        digits: digits.filter(|_| is_get),
                    });
                }
            }
            _ => {}
        }
    }
    let mut tokens: BTreeMap<ShadowName, u64> = BTreeMap::new();
    for reply in replies {
        // Those of which nothing is sent.
        let first = tokens.entry(reply.shadow.clone()).or_default();
        *first = (*first).max(reply.token.saturating_add(1));
    }
    for (name, sent) in sent {
        let replies = replies.iter().filter(|reply| reply.shadow == name);
        tokens.insert(
            name.clone(),
            first_token(&sent, &replies.collect::<Vec<_>>()),
        );
    }
    // From the start of the SDK on, tokens begin at 0, or the gap is to be explained.
    if beginning == Beginning::Start {
        for first in tokens.values_mut().filter(|first| **first < REACH) {
            *first = 0;
        }
    }
    tokens
}

/// A shadow request of the log.
struct Sent {
    line: usize,
    operation: Operation,
    /// Where it is printed.
    token: Option<u64>,
    /// How many digits a get's token has.
    digits: Option<usize>,
}

fn first_token(sent: &[Sent], replies: &[&PrintedReply]) -> u64 {
    let printed = sent
        .iter()
        .zip(0..)
        .find_map(|(sent, before)| sent.token?.checked_sub(before));
    if let Some(first) = printed {
        return first;
    }
    let by_length = sent.iter().zip(0..).filter_map(|(sent, before)| {
        let smallest = match sent.digits? {
            1 => 0,
            more => 10_u64.saturating_pow(u32::try_from(more).unwrap_or(u32::MAX) - 1),
        };
        Some(smallest.saturating_sub(before))
    });
    let before = |line: usize| sent.partition_point(|sent| sent.line < line) as u64;
    let by_replies = replies.iter().map(|reply| {
        reply
            .token
            .saturating_add(1)
            .saturating_sub(before(reply.line))
    });
    let least = by_length.chain(by_replies).max().unwrap_or_default();
    // A reply that is to another operation than was sent is to an earlier request.
    (least..least.saturating_add(REACH))
        .find(|first| {
            replies.iter().all(|reply| {
                let place = reply.token.checked_sub(*first);
                let place = place.and_then(|place| usize::try_from(place).ok());
                let answered = place.and_then(|place| sent.get(place));
                answered.is_none_or(|sent| sent.operation == reply.operation)
            })
        })
        .unwrap_or(least)
}

/// Length of a get whose token has that many digits.
pub(super) fn get_length(shadow: &ShadowName, digits: usize) -> usize {
    r#"{"type": "get", "clientToken": "-"}"#.len() + shadow.product_id().len() + digits
}

fn first_number(outline: &Outline, start: &Start) -> u16 {
    let mut called_back: u16 = 0;
    for line in &outline.lines {
        match line.statement {
            Statement::OnPublish { message_number }
            | Statement::OnSubscribe { message_number, .. } => {
                called_back = called_back.max(message_number);
            }
            _ => {}
        }
        if let Some(number) = line.statement.allocated_number() {
            return match start.beginning {
                // From the start of the SDK on they begin at 1, or the gap is to be explained.
                Beginning::Start if number <= 100 => 1,
                _ => number.max(1),
            };
        }
    }
    match start.beginning {
        Beginning::Start => 1,
        _ if called_back > 0 => called_back.saturating_add(1),
        _ => u16::try_from(start.packets_before() + 1).unwrap_or(1),
    }
}
