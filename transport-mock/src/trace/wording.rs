//! What happens, in words: the one place that words events and faults.
//!
//! A line is the name of what happened, then its fields, then at most one text, as a payload or an
//! error: `{name}, {field}, {field}: {text}`. Fields stand in a fixed order. A field that may be
//! absent, or that says yes or no, is left out where it is absent or says no; so will be one that is
//! added in a later version, wherever it says what could only be so before. Control characters are
//! escaped, so that a line is one line.

use std::fmt;
use std::time::Duration;

use shadow_core::event::{Delta, DeltaOrigin, Event, Message, Outcome, Unmatched, UnmatchedReason};
use shadow_core::tencent::Document;

use crate::cloud::ReplyFault;
use crate::server::ServerEvent;
use crate::simulation::fault::{Direction, Documents, Fault, Restore, WireFault};

/// What an engine tells its application, as a trace has it behind `{label} ! `.
///
/// | event | in words |
/// |---|---|
/// | [`Connected`](Event::Connected) | `connected[, session present]` |
/// | [`Disconnected`](Event::Disconnected) | `disconnected, again in {seconds} s: {cause}` |
/// | [`Closed`](Event::Closed) | `closed` |
/// | [`WallTimeNeeded`](Event::WallTimeNeeded) | `wall time needed` |
/// | [`ShadowSubscribed`](Event::ShadowSubscribed) | `subscribed, shadow {n}` |
/// | [`ShadowRefused`](Event::ShadowRefused) | `subscription refused, shadow {n}` |
/// | [`Ready`](Event::Ready) | `ready, shadow {n}: {document}` |
/// | [`GetRejected`](Event::GetRejected) | `get rejected, shadow {n}, code {code}: {document}` |
/// | [`Delta`](Event::Delta) | `delta pushed`\|`delta fetched`, `, shadow {n}[, version {v}][, redelivered]: {state}` |
/// | [`Ended`](Event::Ended) | `ended, request {n}, {outcome}` |
/// | [`Message`](Event::Message) | `message, QoS {q}[, duplicate][, retained], {topic}: {payload}` |
/// | [`Unmatched`](Event::Unmatched) | `unmatched {operation} reply, shadow {n}, late`\|`duplicate`\|`foreign`\|`tokenless`, `[, token "{t}"], code {code}: {document}` |
/// | [`InvalidMessage`](Event::InvalidMessage) | `invalid message, shadow {n}, {size} bytes: {error}` |
/// | [`OversizedMessage`](Event::OversizedMessage) | `oversized message, QoS {q}, {size} bytes, {topic}` |
/// | [`SubscriptionLost`](Event::SubscriptionLost) | `subscription lost, {filter}` |
/// | [`UnexpectedAcknowledgement`](Event::UnexpectedAcknowledgement) | `unexpected {packet}, id {id}` |
/// | [`EventsLost`](Event::EventsLost) | `events lost, {count}` |
///
/// The outcome is `accepted: {document}`, `rejected, code {code}: {document}`,
/// `reported[, version {v}]`, `delta rejected: {reason}`, `published`, `subscribed, granted QoS {q}`,
/// `unsubscribed`, `subscription refused`, `timed out`, `disconnected[, maybe applied]` or
/// `cancelled`.
///
/// ```
/// use shadow_core::Event;
/// use transport_mock::trace::describe_event;
///
/// let event = Event::Connected { session_present: true };
/// assert_eq!(describe_event(&event), "connected, session present");
/// ```
#[must_use]
pub fn describe_event(event: &Event) -> String {
    one_line(&match event {
        Event::Connected { session_present } => {
            format!("connected{}", flag(*session_present, "session present"))
        }
        Event::Disconnected { cause, retry_in } => {
            format!("disconnected, again in {} s: {cause}", seconds(*retry_in))
        }
        Event::Closed => "closed".to_owned(),
        Event::WallTimeNeeded => "wall time needed".to_owned(),
        Event::ShadowSubscribed { shadow } => format!("subscribed, shadow {}", shadow.as_u32()),
        Event::ShadowRefused { shadow } => {
            format!("subscription refused, shadow {}", shadow.as_u32())
        }
        Event::Ready { shadow, document } => {
            format!("ready, shadow {}: {}", shadow.as_u32(), document.as_json())
        }
        Event::GetRejected {
            shadow,
            code,
            document,
        } => rejected(
            &format!("get rejected, shadow {}", shadow.as_u32()),
            *code,
            document,
        ),
        Event::Delta(delta) => describe_delta(delta),
        Event::Ended { request, outcome } => {
            format!(
                "ended, request {}, {}",
                request.as_u64(),
                describe_outcome(outcome)
            )
        }
        Event::Message(message) => describe_message(message),
        Event::Unmatched(reply) => describe_unmatched(reply),
        Event::InvalidMessage {
            shadow,
            error,
            size,
        } => format!(
            "invalid message, shadow {}, {size} bytes: {error}",
            shadow.as_u32()
        ),
        Event::OversizedMessage { topic, qos, size } => {
            format!("oversized message, {qos}, {size} bytes, {topic}")
        }
        Event::SubscriptionLost { filter } => format!("subscription lost, {filter}"),
        Event::UnexpectedAcknowledgement { kind, packet_id } => {
            format!("unexpected {kind}, id {packet_id}")
        }
        Event::EventsLost { count } => format!("events lost, {count}"),
        // Of a later version of shadow-core than this crate was made for.
        other => format!("{other:?}"),
    })
}

fn describe_delta(delta: &Delta) -> String {
    let origin = match delta.origin {
        DeltaOrigin::Pushed => "pushed",
        DeltaOrigin::Fetched => "fetched",
    };
    format!(
        "delta {origin}, shadow {}{}{}: {}",
        delta.shadow.as_u32(),
        version(delta.version),
        flag(delta.redelivered, "redelivered"),
        delta.state
    )
}

fn describe_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted(document) => format!("accepted: {}", document.as_json()),
        Outcome::Rejected { code, document } => rejected("rejected", *code, document),
        Outcome::Reported { version: at } => format!("reported{}", version(*at)),
        Outcome::DeltaRejected { reason } => format!("delta rejected: {reason}"),
        Outcome::Published => "published".to_owned(),
        Outcome::Subscribed { granted } => format!("subscribed, granted {granted}"),
        Outcome::Unsubscribed => "unsubscribed".to_owned(),
        Outcome::SubscriptionRefused => "subscription refused".to_owned(),
        Outcome::TimedOut => "timed out".to_owned(),
        Outcome::Disconnected { maybe_applied } => {
            format!("disconnected{}", flag(*maybe_applied, "maybe applied"))
        }
        Outcome::Cancelled => "cancelled".to_owned(),
        // As for an event.
        other => format!("{other:?}"),
    }
}

fn describe_message(message: &Message) -> String {
    format!(
        "message, {}{}{}, {}: {}",
        message.qos,
        flag(message.duplicate, "duplicate"),
        flag(message.retain, "retained"),
        message.topic,
        String::from_utf8_lossy(&message.payload)
    )
}

fn describe_unmatched(reply: &Unmatched) -> String {
    let reason = match reply.reason {
        UnmatchedReason::Late => "late",
        UnmatchedReason::Duplicate => "duplicate",
        UnmatchedReason::Foreign => "foreign",
        UnmatchedReason::Tokenless => "tokenless",
    };
    let token = reply.token.as_ref();
    let token = token.map_or_else(String::new, |token| format!(", token {token:?}"));
    let (operation, shadow) = (reply.operation, reply.shadow.as_u32());
    let begin = format!("unmatched {operation} reply, shadow {shadow}, {reason}{token}");
    rejected(&begin, reply.code, &reply.document)
}

fn rejected(begin: &str, code: i64, document: &Document) -> String {
    format!("{begin}, code {code}: {}", document.as_json())
}

/// What a server tells, as a trace has it behind `cloud ! `.
///
/// | event | in words |
/// |---|---|
/// | [`Connected`](Self::Connected) | `connected, client {id}, connection {n}, MQTT {version}[, clean session][, session present][, will ignored]` |
/// | [`Refused`](Self::Refused) | `refused[, client {id}], connection {n}: {refusal}` |
/// | [`Subscribed`](Self::Subscribed) | `subscribed, client {id}, {filter}, granted QoS {q}`, or `refused` in place of the last |
/// | [`Unsubscribed`](Self::Unsubscribed) | `unsubscribed, client {id}, {filter}` |
/// | [`Published`](Self::Published) | `published, client {id}, QoS {q}, {topic}: {payload}` |
/// | [`PublishForbidden`](Self::PublishForbidden) | `publish forbidden, client {id}, {topic}` |
/// | [`Dropped`](Self::Dropped) | `dropped, client {id}, QoS {q}, {topic}` |
/// | [`Disconnected`](Self::Disconnected) | `disconnected, client {id}, connection {n}: {departure}` |
/// | [`EventsLost`](Self::EventsLost) | `events lost, {count}` |
impl fmt::Display for ServerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&match self {
            ServerEvent::Connected {
                connection,
                client_id,
                version,
                clean_session,
                session_present,
                will_ignored,
            } => format!(
                "connected, client {client_id}, connection {connection}, {version}{}{}{}",
                flag(*clean_session, "clean session"),
                flag(*session_present, "session present"),
                flag(*will_ignored, "will ignored"),
            ),
            ServerEvent::Refused {
                connection,
                client_id,
                refusal,
            } => {
                let client = client_id.as_ref();
                let client = client.map_or_else(String::new, |id| format!(", client {id}"));
                format!("refused{client}, connection {connection}: {refusal}")
            }
            ServerEvent::Subscribed {
                client_id,
                filter,
                granted,
            } => {
                let granted =
                    granted.map_or_else(|| "refused".to_owned(), |qos| format!("granted {qos}"));
                format!("subscribed, client {client_id}, {filter}, {granted}")
            }
            ServerEvent::Unsubscribed { client_id, filter } => {
                format!("unsubscribed, client {client_id}, {filter}")
            }
            ServerEvent::Published { client_id, message } => format!(
                "published, client {client_id}, {}, {}: {}",
                message.qos,
                message.topic,
                String::from_utf8_lossy(&message.payload)
            ),
            ServerEvent::PublishForbidden { client_id, topic } => {
                format!("publish forbidden, client {client_id}, {topic}")
            }
            ServerEvent::Dropped {
                client_id,
                topic,
                qos,
            } => format!("dropped, client {client_id}, {qos}, {topic}"),
            ServerEvent::Disconnected {
                connection,
                client_id,
                departure,
            } => format!("disconnected, client {client_id}, connection {connection}: {departure}"),
            ServerEvent::EventsLost { count } => format!("events lost, {count}"),
        }))
    }
}

/// As a trace has it behind `fault: `.
///
/// | fault | in words |
/// |---|---|
/// | [`Wire`](Self::Wire) | `cut`\|`half-close`\|`stall for {t} ms`\|`silence`\|`split`, `, device {n}, to cloud`\|`to device`, `, after {b} bytes` |
/// | [`Segments`](Self::Segments) | `segments, device {n}, to cloud`\|`to device`, `, at most {b} bytes, for {t} ms` |
/// | [`Merge`](Self::Merge) | `merge, device {n}, to cloud`\|`to device`, `, held {t} ms, for {t} ms` |
/// | [`RefuseConnections`](Self::RefuseConnections) | `connections refused, device {n}, for {t} ms` |
/// | [`Unreachable`](Self::Unreachable) | `unreachable, device {n}, for {t} ms` |
/// | [`RefuseLogins`](Self::RefuseLogins) | `logins refused, device {n}, code {c}, next {count}` |
/// | [`SlowServer`](Self::SlowServer) | `slow server, {t} ms late, for {t} ms` |
/// | [`Replies`](Self::Replies) | `replies lost`\|`replies {t} ms late`\|`replies twice`\|`replies after a push`, `, device {n}, next {count}` |
/// | [`RestartServer`](Self::RestartServer) | `restart, sessions kept`\|`lost`, `, documents kept`\|`older`\|`lost`, `, down {t} ms` |
/// | [`PowerCut`](Self::PowerCut) | `power cut, device {n}, after {s} steps, dark {t} ms, session latest`\|`older by {k}`\|`none` |
/// | [`WrongClock`](Self::WrongClock) | `wrong clock, device {n}, {t} s ahead` |
/// | [`SecondClient`](Self::SecondClient) | `second client, device {n}[, clean session]` |
/// | [`Deaf`](Self::Deaf) | `deaf, device {n}, for {t} ms` |
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Wire {
                device,
                direction,
                after,
                what,
            } => {
                match what {
                    WireFault::Cut => f.write_str("cut")?,
                    WireFault::HalfClose => f.write_str("half-close")?,
                    WireFault::Stall { millis } => write!(f, "stall for {millis} ms")?,
                    WireFault::Silence => f.write_str("silence")?,
                    WireFault::Split => f.write_str("split")?,
                }
                write!(
                    f,
                    ", device {device}, {}, after {after} bytes",
                    way(*direction)
                )
            }
            Fault::Segments {
                device,
                direction,
                size,
                millis,
            } => {
                let way = way(*direction);
                write!(
                    f,
                    "segments, device {device}, {way}, at most {size} bytes, for {millis} ms"
                )
            }
            Fault::Merge {
                device,
                direction,
                hold,
                millis,
            } => {
                let way = way(*direction);
                write!(
                    f,
                    "merge, device {device}, {way}, held {hold} ms, for {millis} ms"
                )
            }
            Fault::RefuseConnections { device, millis } => {
                write!(f, "connections refused, device {device}, for {millis} ms")
            }
            Fault::Unreachable { device, millis } => {
                write!(f, "unreachable, device {device}, for {millis} ms")
            }
            Fault::RefuseLogins {
                device,
                code,
                count,
            } => write!(
                f,
                "logins refused, device {device}, code {code}, next {count}"
            ),
            Fault::SlowServer { late, millis } => {
                write!(f, "slow server, {late} ms late, for {millis} ms")
            }
            Fault::Replies {
                device,
                what,
                count,
            } => {
                match what {
                    ReplyFault::Lost => f.write_str("replies lost")?,
                    ReplyFault::Late { millis } => write!(f, "replies {millis} ms late")?,
                    ReplyFault::Twice => f.write_str("replies twice")?,
                    ReplyFault::AfterPush => f.write_str("replies after a push")?,
                }
                write!(f, ", device {device}, next {count}")
            }
            Fault::RestartServer {
                sessions,
                documents,
                down,
            } => {
                let sessions = if *sessions { "kept" } else { "lost" };
                let documents = match documents {
                    Documents::Kept => "kept",
                    Documents::Older => "older",
                    Documents::Lost => "lost",
                };
                write!(
                    f,
                    "restart, sessions {sessions}, documents {documents}, down {down} ms"
                )
            }
            Fault::PowerCut {
                device,
                after,
                dark,
                restore,
            } => {
                write!(
                    f,
                    "power cut, device {device}, after {after} steps, dark {dark} ms, session "
                )?;
                match restore {
                    Restore::Latest => f.write_str("latest"),
                    Restore::Older { back } => write!(f, "older by {back}"),
                    Restore::Nothing => f.write_str("none"),
                }
            }
            Fault::WrongClock { device, seconds } => {
                write!(f, "wrong clock, device {device}, {seconds} s ahead")
            }
            Fault::SecondClient {
                device,
                clean_session,
            } => {
                let clean = flag(*clean_session, "clean session");
                write!(f, "second client, device {device}{clean}")
            }
            Fault::Deaf { device, millis } => write!(f, "deaf, device {device}, for {millis} ms"),
        }
    }
}

const fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::ToCloud => "to cloud",
        Direction::ToDevice => "to device",
    }
}

/// A field that is written only where it says yes.
fn flag(on: bool, words: &str) -> String {
    if on {
        format!(", {words}")
    } else {
        String::new()
    }
}

fn version(version: Option<u64>) -> String {
    version.map_or_else(String::new, |version| format!(", version {version}"))
}

/// As the times of a trace.
fn seconds(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

/// With control characters made visible.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => line.extend(character.escape_debug()),
            false => line.push(character),
        }
    }
    line
}

#[cfg(test)]
mod tests;
