//! Faults of recorded clients, as options: each is switched on where a session needs it.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use shadow_core::tencent::{Operation, ShadowName, request};

use crate::diagnose::{Connection, Direction, Finding, Packet, Session, diagnose};

/// How soon an engine subscribes again, and asks, by itself; in microseconds, with some to spare.
const AT_ONCE: u64 = 500_000;

/// A behaviour of a recorded client that the engine would not show by itself. An import switches
/// on those that the session needs, and its report lists them.
///
/// Where the engine acts so, the option is a field of
/// [`Behaviour`](shadow_core::config::Behaviour) or [`Config`](shadow_core::Config); the faults of
/// which an import can also be told not to put up with them are in [`Tolerance`](super::Tolerance).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Requests leave before the SUBACK of their result topic: a fast reply goes to nobody.
    /// `Behaviour::wait_for_suback` is off.
    AsksBeforeSuback,
    /// After a reconnect nothing is subscribed again until the application does so.
    /// `Behaviour::resubscribe` is off.
    ForgetsSubscriptions,
    /// No get follows a subscription, so changes that were made meanwhile go unnoticed.
    /// `Behaviour::get_on_subscribe` is off.
    NeverAsksByItself,
    /// The same signature is used for every CONNECT, also past its expiry.
    /// `Behaviour::renew_credentials` is off.
    SignsOnce,
    /// DUP is set in what an earlier connection left, though the session is a new one.
    /// `Behaviour::duplicate_without_session` is on.
    MarksNewMessagesAsDuplicates,
    /// Tokens are `{productId}-{n}` and begin again at `-0`, so late replies match the wrong
    /// request. `TokenStyle::ProductCounter`, and the importer sets the number.
    BeginsTokensAgain,
    /// The application's own document is published whatever it is. `Behaviour::guard_shadow_topics`
    /// is off; the engine knows of no request then.
    PublishesAnyDocument,
    /// It connects again sooner than a careful back-off would, as with
    /// `Backoff::python_sdk`. [`Tolerance::reconnects_too_soon`](super::Tolerance::reconnects_too_soon).
    ReconnectsTooSoon,
    /// It looks at its keep alive from time to time, and pings late, as with
    /// `Behaviour::keep_alive_check`. [`Tolerance::pings_late`](super::Tolerance::pings_late).
    PingsLate,
    /// What is published without a link is dropped, and its number and token are used up.
    /// `Behaviour::drop_without_link` is on.
    /// [`Tolerance::drops_messages_offline`](super::Tolerance::drops_messages_offline).
    DropsMessagesOffline,
    /// A message gets its packet identifier when it is asked for, not when it leaves, so that
    /// identifiers of messages that waited go back behind later ones.
    /// [`Tolerance::numbers_messages_that_wait`](super::Tolerance::numbers_messages_that_wait).
    NumbersMessagesThatWait,
    /// The log has message number and QoS of `on_subscribe` in each other's place. It is not on the
    /// wire. [`Tolerance::swaps_subscribe_arguments`](super::Tolerance::swaps_subscribe_arguments).
    SwapsSubscribeArguments,
}

impl Fault {
    /// The option that switches it on: the engine's, or the import's where the engine has none.
    #[must_use]
    pub fn option(self) -> &'static str {
        match self {
            Fault::AsksBeforeSuback => "Behaviour::wait_for_suback",
            Fault::ForgetsSubscriptions => "Behaviour::resubscribe",
            Fault::NeverAsksByItself => "Behaviour::get_on_subscribe",
            Fault::SignsOnce => "Behaviour::renew_credentials",
            Fault::MarksNewMessagesAsDuplicates => "Behaviour::duplicate_without_session",
            Fault::BeginsTokensAgain => "TokenStyle::ProductCounter",
            Fault::PublishesAnyDocument => "Behaviour::guard_shadow_topics",
            Fault::ReconnectsTooSoon => "Tolerance::reconnects_too_soon",
            Fault::PingsLate => "Tolerance::pings_late",
            Fault::DropsMessagesOffline => "Behaviour::drop_without_link",
            Fault::NumbersMessagesThatWait => "Tolerance::numbers_messages_that_wait",
            Fault::SwapsSubscribeArguments => "Tolerance::swaps_subscribe_arguments",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::AsksBeforeSuback => "the client asks before its subscription is confirmed",
            Fault::ForgetsSubscriptions => "the client does not subscribe again after a reconnect",
            Fault::NeverAsksByItself => "the client asks for the document only when told to",
            Fault::SignsOnce => "the client uses one signature for every login",
            Fault::MarksNewMessagesAsDuplicates => {
                "the client marks messages as sent again to a session that never had them"
            }
            Fault::BeginsTokensAgain => "the client begins its tokens again",
            Fault::PublishesAnyDocument => "the client publishes whatever document it is given",
            Fault::ReconnectsTooSoon => "the client connects again sooner than it should",
            Fault::PingsLate => "the client pings late",
            Fault::DropsMessagesOffline => "the client drops messages for want of a link",
            Fault::NumbersMessagesThatWait => "the client numbers messages before they can leave",
            Fault::SwapsSubscribeArguments => {
                "the client tells the application message number and QoS of a subscription in each \
                 other's place"
            }
        })
    }
}

/// The faults that a session shows.
pub(super) fn shown(session: &Session) -> BTreeSet<Fault> {
    let report = diagnose(session);
    let of_finding = |finding: &Finding| {
        Some(match finding {
            Finding::AskedUnsubscribed {
                before_suback: true,
                ..
            } => Fault::AsksBeforeSuback,
            Finding::NotResubscribed { .. } => Fault::ForgetsSubscriptions,
            Finding::NoGetAfterReconnect { .. } => Fault::NeverAsksByItself,
            Finding::SignatureReused { .. } => Fault::SignsOnce,
            Finding::DupWithoutOriginal { .. } => Fault::MarksNewMessagesAsDuplicates,
            Finding::TokenReused { .. } => Fault::BeginsTokensAgain,
            Finding::UnreadableRequest { .. } => Fault::PublishesAnyDocument,
            Finding::ReconnectTooSoon { .. } | Finding::ReconnectStorm { .. } => {
                Fault::ReconnectsTooSoon
            }
            Finding::PingLate { .. } => Fault::PingsLate,
            Finding::DroppedOffline { .. } => Fault::DropsMessagesOffline,
            _ => return None,
        })
    };
    let found = report.findings.iter();
    let mut faults: BTreeSet<Fault> = found
        .filter_map(|found| match &found.finding {
            Finding::AskedUnsubscribed {
                before_suback: false,
                shadow,
            } => {
                let connection = found.connection;
                let connection = connection.and_then(|index| session.connections.get(index));
                let subscribed = connection.map(subscriptions).unwrap_or_default();
                let is_later = |(at, name): &(u64, ShadowName)| {
                    found.at_micros <= Some(*at)
                        && format!("{}/{}", name.product_id(), name.device_name()) == *shadow
                };
                Some(match subscribed.iter().any(is_later) {
                    true => Fault::AsksBeforeSuback,
                    false => Fault::ForgetsSubscriptions,
                })
            }
            finding => of_finding(finding),
        })
        .collect();
    let mut subscribed = BTreeSet::new();
    for connection in &session.connections {
        let Some((at, _)) = connection.accepted() else {
            continue;
        };
        let now = subscriptions(connection);
        let at_once = |(when, _): &&(u64, ShadowName)| *when <= at.saturating_add(AT_ONCE);
        let again: BTreeSet<&ShadowName> =
            now.iter().filter(at_once).map(|(_, name)| name).collect();
        let is_there_for_long =
            |from: u64| connection.stood_until(session) > from.saturating_add(AT_ONCE);
        if is_there_for_long(at) && subscribed.iter().any(|name| !again.contains(name)) {
            faults.insert(Fault::ForgetsSubscriptions);
        }
        let lacks_a_get = now.iter().any(|(when, name)| {
            confirmed(connection, *when).is_some_and(|confirmed| {
                is_there_for_long(confirmed) && !asks(connection, name, *when, confirmed)
            })
        });
        if lacks_a_get {
            faults.insert(Fault::NeverAsksByItself);
        }
        subscribed.extend(now.into_iter().map(|(_, name)| name));
    }
    faults
}

/// The shadows whose result topics are subscribed, and when.
fn subscriptions(connection: &Connection) -> Vec<(u64, ShadowName)> {
    let subscribes = connection
        .packets
        .iter()
        .filter_map(|record| match &record.packet {
            Packet::Subscribe { filters, .. } => Some((record.at_micros, filters)),
            _ => None,
        });
    let names = subscribes.flat_map(|(at, filters)| {
        let names = filters.iter();
        let names = names.filter_map(|(filter, _)| ShadowName::from_result_topic(filter));
        names.map(move |name| (at, name))
    });
    names.collect()
}

/// When the SUBACK came that follows a SUBSCRIBE.
fn confirmed(connection: &Connection, since: u64) -> Option<u64> {
    let mut later = connection.packets.iter();
    let confirmed =
        later.find(|r| r.at_micros >= since && matches!(r.packet, Packet::SubAck { .. }));
    confirmed.map(|record| record.at_micros)
}

/// Whether a get, or what may be one, follows a subscription, at once when it is confirmed.
fn asks(connection: &Connection, name: &ShadowName, since: u64, confirmed: u64) -> bool {
    connection.packets.iter().any(|record| {
        let in_time = (since..=confirmed.saturating_add(AT_ONCE)).contains(&record.at_micros);
        let Packet::Publish(publish) = &record.packet else {
            return false;
        };
        let is_its = ShadowName::from_operation_topic(&publish.topic).as_ref() == Some(name);
        let is_get = || match publish.payload.readable().map(request::parse_request) {
            Some(Ok(request)) => request.operation == Operation::Get,
            Some(Err(_)) => false,
            None => true,
        };
        in_time && record.from == Direction::Device && is_its && is_get()
    })
}
