//! In which state a log begins, and what was under way.

use std::collections::{BTreeMap, BTreeSet};

use shadow_core::tencent::{Operation, ShadowName};

use super::identity::Identity;
use super::numbers::back;
use super::outline::{Line, Outline};
use super::seams::stretch_lines;
use super::tokens::{PrintedReply, REACH, first_tokens};
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

impl Start {
    pub(super) fn find(outline: &Outline, identity: &Identity, replies: &[PrintedReply]) -> Start {
        let mut beginning = beginning(&outline.lines);
        let sent = outline
            .lines
            .iter()
            .find(|line| line.statement.allocated_number().is_some());
        if let Some(Statement::SendingSubscribe { message_number, .. }) =
            sent.map(|line| &line.statement)
            && *message_number > 1
            && beginning == Beginning::Start
            && first_subscribed(&outline.lines).is_none_or(|first| first == *message_number)
        {
            // It was connected before.
            beginning = Beginning::Reconnect;
        }
        let mut start = Start {
            beginning,
            first_number: 1,
            shadows: Vec::new(),
            awaits_suback: false,
            subscribed_as: None,
            first_tokens: first_tokens(&outline.lines, 0, replies, beginning),
            open: BTreeMap::new(),
        };
        if matches!(beginning, Beginning::Reconnect | Beginning::Handshake) {
            // On the link before.
            start.shadows = Subscriptions::before(&outline.lines, identity).shadows;
        }
        if beginning == Beginning::Middle {
            let before = Subscriptions::before(stretch_lines(outline, 0), identity);
            start.shadows = Subscriptions::before(&outline.lines, identity).shadows;
            if start.shadows.is_empty() && !before.own_is_subscribed {
                start.shadows.push(identity.name.clone());
            }
            // Of several, the callback tells whose SUBACK it is.
            start.awaits_suback = before.awaits_suback && start.shadows.len() == 1;
            start.subscribed_as = before.number.filter(|_| start.awaits_suback);
            for reply in replies {
                if reply.line >= outline.next_subscription(&reply.shadow, 0) {
                    // Its tokens began again.
                    continue;
                }
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
                Statement::OnPayload {
                    payload: Payload::Json(json),
                    ..
                } => {
                    // A token says once more whose it is.
                    let token = super::identity::token_of(json);
                    let product = token.as_deref().and_then(|token| token.rsplit_once('-'));
                    let same = |name: &&ShadowName| {
                        product.is_some_and(|(product, _)| name.product_id() == product)
                    };
                    uses.keys().find(same).cloned()
                }
                _ => None,
            };
            if let Some(name) = used
                && !subscribed.contains(&name)
            {
                *uses.entry(name).or_default() += 1;
            }
        }
        // One line alone may be wrong, but hardly in more than one character.
        let resembles_another = |name: &ShadowName| {
            let others = uses.keys().filter(|other| *other != name);
            others
                .chain([&identity.name])
                .any(|other| other != name && differ_in_one(other.client_id(), name.client_id()))
        };
        let sure = uses.iter().filter(|(name, count)| {
            **count > 1 || **name == identity.name || !resembles_another(name)
        });
        found.shadows = sure.map(|(name, _)| name.clone()).collect();
        found.own_is_subscribed = subscribed.contains(&identity.name);
        found
    }
}

/// The number that the first callback of a SUBSCRIBE prints.
fn first_subscribed(lines: &[Line]) -> Option<u16> {
    lines.iter().find_map(|line| match line.statement {
        Statement::OnSubscribe { message_number, .. } => Some(message_number),
        _ => None,
    })
}

/// Whether two texts of one length have all but one character in common.
fn differ_in_one(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count() <= 1
}

/// How a stretch of lines begins.
pub(super) fn beginning(lines: &[Line]) -> Beginning {
    let mut ended = false;
    for line in lines {
        ended |= matches!(
            line.statement,
            Statement::ThreadExit | Statement::OnDisconnect { .. }
        );
        return match &line.statement {
            Statement::ThreadEnter | Statement::ConnectAsync { .. } if !ended => Beginning::Start,
            Statement::StateError { state } if state.contains("DISCONNECTED") => continue,
            Statement::ThreadEnter
            | Statement::ConnectAsync { .. }
            | Statement::SendingConnect { .. }
            | Statement::ReconnectError { .. }
            | Statement::PublishFailed => Beginning::Reconnect,
            Statement::ReceivedConnAck { .. } | Statement::StateError { .. } => {
                Beginning::Handshake
            }
            Statement::AppRemark { .. }
            | Statement::Environment { .. }
            | Statement::Fault { .. }
            | Statement::Unknown { .. }
            | Statement::Output { .. }
            | Statement::ThreadExit
            | Statement::OnDisconnect { .. } => continue,
            _ => Beginning::Middle,
        };
    }
    Beginning::Reconnect
}

fn first_number(outline: &Outline, start: &Start) -> u16 {
    let (mut called_back, mut failed): (u16, usize) = (0, 0);
    for line in &outline.lines {
        match line.statement {
            Statement::PublishFailed => failed += 1,
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
                // The SDK numbers what it then does not send.
                _ => back(number, failed),
            };
        }
    }
    match start.beginning {
        Beginning::Start => 1,
        _ if called_back > 0 => called_back.saturating_add(1),
        _ => u16::try_from(start.packets_before() + 1).unwrap_or(1),
    }
}
