//! The SDK's client tokens, `{productId}-{n}`: where they begin, and what the log shows of them.
//!
//! The SDK counts them for each shadow from 0 on, and from 0 again whenever the application
//! initialises the shadow (`shadowInit`), which is the only call that subscribes its topic. After a
//! reconnect applications have to do that, as the SDK does not.

use std::collections::BTreeMap;

use shadow_core::tencent::{Operation, ShadowName};

use super::outline::{Line, Outline};
use super::start::Beginning;
use crate::log::{Payload, Statement};

/// A reply of the log.
#[derive(Clone, Debug)]
pub(super) struct PrintedReply {
    pub(super) line: usize,
    pub(super) shadow: ShadowName,
    pub(super) token: u64,
    pub(super) operation: Operation,
}

/// How far before the first sent token an answered one may be.
pub(super) const REACH: u64 = 64;

/// Reads the number of a token `{productId}-{n}`.
pub(super) fn token_number(token: &str, shadow: &ShadowName) -> Option<u64> {
    numbered(token, shadow.product_id())
}

/// Reads the number of a token `{prefix}-{n}`.
pub(super) fn numbered(token: &str, prefix: &str) -> Option<u64> {
    let digits = token.strip_prefix(prefix)?.strip_prefix('-')?;
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

/// The first token that these lines, from line `from` on, send for each shadow up to where it is
/// initialised again: exact where an update prints one, else the smallest that fits lengths and
/// replies.
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
    let mut ended: BTreeMap<ShadowName, usize> = BTreeMap::new();
    let mut update: Option<String> = None;
    let mut stretch = 0;
    for (index, line) in (from..).zip(lines) {
        stretch += usize::from(line.seam);
        match &line.statement {
            Statement::ShadowUpdate { json } => update = Some(json.clone()),
            Statement::SendingSubscribe {
                dup: false,
                filters,
                ..
            } => {
                for name in initialised_by(filters) {
                    let is_used = sent.contains_key(&name)
                        || replies
                            .iter()
                            .take_while(|reply| reply.line < index)
                            .any(|reply| reply.shadow == name);
                    if is_used {
                        ended.entry(name).or_insert(index);
                    }
                }
            }
            Statement::SendingPublish {
                topic,
                length,
                dup: false,
                ..
            } => {
                let update = update.take();
                if let Some(name) = ShadowName::from_operation_topic(topic)
                    && !ended.contains_key(&name)
                {
                    let token = update.as_deref().and_then(super::identity::token_of);
                    let token = token.and_then(|token| token_number(&token, &name));
                    if update.is_some() && token.is_none() {
                        // The application's own token: none of the SDK's is taken.
                        continue;
                    }
                    let digits = length.checked_sub(get_length(&name, 0));
                    let digits = digits.filter(|digits| (1..=19).contains(digits));
                    let is_get = update.is_none() && digits.is_some();
                    sent.entry(name).or_default().push(Sent {
                        line: index,
                        stretch,
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
    let counts = |reply: &&PrintedReply| {
        let end = ended.get(&reply.shadow);
        end.is_none_or(|end| reply.line < *end)
    };
    for reply in replies.iter().filter(counts) {
        // Those of which nothing is sent.
        let first = tokens.entry(reply.shadow.clone()).or_default();
        *first = (*first).max(reply.token.saturating_add(1));
    }
    for (name, sent) in sent {
        let replies = replies
            .iter()
            .filter(counts)
            .filter(|reply| reply.shadow == name);
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

/// The shadows whose result topics a SUBSCRIBE names.
pub(super) fn initialised_by(filters: &[(String, u8)]) -> impl Iterator<Item = ShadowName> + '_ {
    filters
        .iter()
        .filter_map(|(filter, _)| ShadowName::from_result_topic(filter))
}

/// A shadow request of the log.
struct Sent {
    line: usize,
    /// How many times lines may be missing before it.
    stretch: usize,
    operation: Operation,
    /// Where it is printed.
    token: Option<u64>,
    /// How many digits a get's token has.
    digits: Option<usize>,
}

fn first_token(sent: &[Sent], replies: &[&PrintedReply]) -> u64 {
    // What most say, as the application may have made up some of them.
    let mut votes: BTreeMap<u64, usize> = BTreeMap::new();
    let stretch = sent.iter().find(|sent| sent.token.is_some());
    let stretch = stretch.map(|sent| sent.stretch);
    let printed = sent
        .iter()
        .zip(0..)
        .filter(|(sent, _)| Some(sent.stretch) == stretch)
        .filter_map(|(sent, before)| sent.token?.checked_sub(before));
    let mut most = None;
    for first in printed {
        let count = votes.entry(first).or_default();
        *count += 1;
        if most.is_none_or(|(_, before)| *count > before) {
            most = Some((first, *count));
        }
    }
    if let Some((first, _)) = most {
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
