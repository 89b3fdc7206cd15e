//! In which state a log begins, and what was under way.

use std::collections::{BTreeMap, BTreeSet};

use shadow_core::tencent::{Operation, ShadowName};

use super::identity::Identity;
use super::outline::Outline;
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
        let beginning = beginning(outline);
        let mut start = Start {
            beginning,
            first_number: 1,
            shadows: Vec::new(),
            awaits_suback: false,
            subscribed_as: None,
            first_tokens: first_tokens(outline, replies, beginning),
            open: BTreeMap::new(),
        };
        if beginning == Beginning::Middle {
            start.find_subscriptions(outline, identity);
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

    fn find_subscriptions(&mut self, outline: &Outline, identity: &Identity) {
        let mut subscribed = BTreeSet::new();
        let (mut any, mut orphan) = (false, false);
        for line in &outline.lines {
            let used = match &line.statement {
                Statement::SendingSubscribe { filters, .. } => {
                    any = true;
                    subscribed.extend(
                        filters
                            .iter()
                            .filter_map(|(filter, _)| ShadowName::from_result_topic(filter)),
                    );
                    None
                }
                Statement::ReceivedSubAck if !any => {
                    orphan = true;
                    None
                }
                Statement::OnSubscribe { message_number, .. } if orphan && !any => {
                    self.subscribed_as.get_or_insert(*message_number);
                    None
                }
                Statement::SendingPublish { topic, .. } => ShadowName::from_operation_topic(topic),
                Statement::ReceivedPublish { topic, .. } => ShadowName::from_result_topic(topic),
                _ => None,
            };
            if let Some(name) = used
                && !subscribed.contains(&name)
                && !self.shadows.contains(&name)
            {
                self.shadows.push(name);
            }
        }
        if self.shadows.is_empty() && !subscribed.contains(&identity.name) {
            self.shadows.push(identity.name.clone());
        }
        self.awaits_suback = orphan && !self.shadows.is_empty();
    }
}

fn beginning(outline: &Outline) -> Beginning {
    for line in &outline.lines {
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

/// The first token that the log sends for each shadow: exact where an update prints one, else the
/// smallest that fits lengths and replies.
fn first_tokens(
    outline: &Outline,
    replies: &[PrintedReply],
    beginning: Beginning,
) -> BTreeMap<ShadowName, u64> {
    struct Seen {
        sent: u64,
        first: u64,
        exact: bool,
    }
    let mut seen: BTreeMap<ShadowName, Seen> = BTreeMap::new();
    let mut update: Option<String> = None;
    let mut next_reply = replies.iter().peekable();
    for (index, line) in outline.lines.iter().enumerate() {
        match &line.statement {
            Statement::ShadowUpdate { json } => update = super::identity::token_of(json),
            Statement::SendingPublish {
                topic,
                length,
                dup: false,
                ..
            } => {
                let Some(name) = ShadowName::from_operation_topic(topic) else {
                    continue;
                };
                let printed = update.take().and_then(|token| token_number(&token, &name));
                let digits = length.checked_sub(get_length(&name, 0));
                let entry = seen.entry(name).or_insert(Seen {
                    sent: 0,
                    first: 0,
                    exact: false,
                });
                if !entry.exact {
                    if let Some(first) = printed.and_then(|token| token.checked_sub(entry.sent)) {
                        entry.first = first;
                        entry.exact = true;
                    } else if let Some(digits @ 1..=19) = digits {
                        let smallest = match digits {
                            1 => 0,
                            more => 10_u64.saturating_pow(more as u32 - 1),
                        };
                        entry.first = entry.first.max(smallest.saturating_sub(entry.sent));
                    }
                }
                entry.sent += 1;
            }
            Statement::ReceivedPublish { .. } => {
                while let Some(reply) = next_reply.next_if(|reply| reply.line <= index) {
                    let entry = seen.entry(reply.shadow.clone()).or_insert(Seen {
                        sent: 0,
                        first: 0,
                        exact: false,
                    });
                    if !entry.exact {
                        let least = (reply.token + 1).saturating_sub(entry.sent);
                        entry.first = entry.first.max(least);
                    }
                }
            }
            _ => {}
        }
    }
    let from_start = beginning == Beginning::Start;
    seen.into_iter()
        // From the start of the SDK on, tokens begin at 0, or the gap is to be explained.
        .map(|(name, seen)| {
            (
                name,
                if from_start && seen.first < REACH {
                    0
                } else {
                    seen.first
                },
            )
        })
        .collect()
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
