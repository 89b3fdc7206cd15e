//! In which state a log begins, and what was under way.

use std::collections::{BTreeMap, BTreeSet};

use shadow_core::tencent::{Operation, ShadowName};

use super::identity::Identity;
use super::outline::{Line, Outline};
use super::tokens::{PrintedReply, REACH, first_tokens};
use crate::log::Statement;

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
            | Statement::Output { .. }
            | Statement::ThreadExit
            | Statement::OnDisconnect { .. } => continue,
            _ => Beginning::Middle,
        };
    }
    Beginning::Reconnect
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
