//! What the application is told, in words.

use super::line::{Direction, Line};
use crate::event::{Delta, DeltaOrigin, Event, Message, Outcome, Unmatched};
use crate::mqtt::link::{DisconnectCause, TransportFailure};
use crate::request::ShadowId;
use crate::tencent::Document;
use crate::time::Instant;

/// Writes one event.
pub(super) fn write<'l>(line: &'l mut Line, at: Instant, event: &Event) -> &'l mut Line {
    let line = line.begin(at, Direction::Out, "event");
    line.string("event", name(event));
    match event {
        Event::Connected { session_present } => line.boolean("session_present", *session_present),
        Event::Disconnected { cause, retry_in } => line
            .string("kind", cause_kind(cause))
            .display("cause", cause)
            .micros("retry_in", *retry_in),
        Event::Closed | Event::WallTimeNeeded => line,
        Event::ShadowSubscribed { shadow } | Event::ShadowRefused { shadow } => {
            line.shadow(*shadow)
        }
        Event::Ready { shadow, document } => line.shadow(*shadow).document(document),
        Event::GetRejected {
            shadow,
            code,
            document,
        } => line
            .shadow(*shadow)
            .signed("code", *code)
            .document(document),
        Event::Delta(delta) => line.delta(delta),
        Event::Ended { request, outcome } => {
            line.number("request", request.as_u64());
            end(line, outcome)
        }
        Event::Message(Message {
            topic,
            payload,
            qos,
            retain,
            duplicate,
        }) => line
            .string("topic", topic)
            .number("qos", qos.number())
            .flag("duplicate", *duplicate)
            .flag("retain", *retain)
            .payload(payload),
        Event::Unmatched(Unmatched {
            shadow,
            reason,
            token,
            operation,
            code,
            document,
        }) => line
            .shadow(*shadow)
            .debug("reason", reason)
            .some_string("token", token.as_deref())
            .string("operation", operation.as_str())
            .signed("code", *code)
            .document(document),
        Event::InvalidMessage {
            shadow,
            error,
            size,
        } => line
            .shadow(*shadow)
            .display("error", error)
            .size("size", *size),
        Event::OversizedMessage { topic, qos, size } => line
            .string("topic", topic)
            .number("qos", qos.number())
            .size("size", *size),
        Event::SubscriptionLost { filter } => line.string("filter", filter),
        Event::UnexpectedAcknowledgement { kind, packet_id } => {
            line.display("kind", kind).number("id", packet_id.get())
        }
        Event::EventsLost { count } => line.number("count", *count),
    }
}

fn end<'l>(line: &'l mut Line, outcome: &Outcome) -> &'l mut Line {
    match outcome {
        Outcome::Accepted(document) => line.string("outcome", "Accepted").document(document),
        Outcome::Rejected { code, document } => line
            .string("outcome", "Rejected")
            .signed("code", *code)
            .document(document),
        Outcome::Reported { version } => line
            .string("outcome", "Reported")
            .some_number("version", *version),
        Outcome::DeltaRejected { reason } => line
            .string("outcome", "DeltaRejected")
            .string("reason", reason),
        Outcome::Published => line.string("outcome", "Published"),
        Outcome::Subscribed { granted } => line
            .string("outcome", "Subscribed")
            .number("granted", granted.number()),
        Outcome::Unsubscribed => line.string("outcome", "Unsubscribed"),
        Outcome::SubscriptionRefused => line.string("outcome", "SubscriptionRefused"),
        Outcome::TimedOut => line.string("outcome", "TimedOut"),
        Outcome::Disconnected { maybe_applied } => line
            .string("outcome", "Disconnected")
            .boolean("maybe_applied", *maybe_applied),
        Outcome::Cancelled => line.string("outcome", "Cancelled"),
    }
}

impl Line {
    pub(super) fn shadow(&mut self, shadow: ShadowId) -> &mut Line {
        self.number("shadow", shadow.0)
    }

    fn document(&mut self, document: &Document) -> &mut Line {
        self.json("document", document.as_json())
    }

    /// The delta itself: `shadow`, `origin`, `version`, `state`, `redelivered`.
    pub(super) fn delta(&mut self, delta: &Delta) -> &mut Line {
        self.shadow(delta.shadow)
            .string("origin", origin_name(delta.origin))
            .some_number("version", delta.version)
            .json("state", delta.state.as_str())
            .flag("redelivered", delta.redelivered)
    }
}

pub(super) const fn origin_name(origin: DeltaOrigin) -> &'static str {
    match origin {
        DeltaOrigin::Pushed => "Pushed",
        DeltaOrigin::Fetched => "Fetched",
    }
}

pub(super) const fn name(event: &Event) -> &'static str {
    match event {
        Event::Connected { .. } => "Connected",
        Event::Disconnected { .. } => "Disconnected",
        Event::Closed => "Closed",
        Event::WallTimeNeeded => "WallTimeNeeded",
        Event::ShadowSubscribed { .. } => "ShadowSubscribed",
        Event::ShadowRefused { .. } => "ShadowRefused",
        Event::Ready { .. } => "Ready",
        Event::GetRejected { .. } => "GetRejected",
        Event::Delta(_) => "Delta",
        Event::Ended { .. } => "Ended",
        Event::Message(_) => "Message",
        Event::Unmatched(_) => "Unmatched",
        Event::InvalidMessage { .. } => "InvalidMessage",
        Event::OversizedMessage { .. } => "OversizedMessage",
        Event::SubscriptionLost { .. } => "SubscriptionLost",
        Event::UnexpectedAcknowledgement { .. } => "UnexpectedAcknowledgement",
        Event::EventsLost { .. } => "EventsLost",
    }
}

const fn cause_kind(cause: &DisconnectCause) -> &'static str {
    match cause {
        DisconnectCause::Transport(failure) => failure_kind(failure),
        DisconnectCause::Contested { .. } => "Contested",
        DisconnectCause::Refused(_) => "Refused",
        DisconnectCause::ConnectTimedOut => "ConnectTimedOut",
        DisconnectCause::PingTimedOut => "PingTimedOut",
        DisconnectCause::SubscribeTimedOut => "SubscribeTimedOut",
        DisconnectCause::PublishUnacknowledged => "PublishUnacknowledged",
        DisconnectCause::AcknowledgementsUnread => "AcknowledgementsUnread",
        DisconnectCause::InvalidConnect(_) => "InvalidConnect",
        DisconnectCause::LimitExceeded(_) => "LimitExceeded",
        DisconnectCause::Malformed(_) => "Malformed",
        DisconnectCause::Violation(_) => "Violation",
    }
}

pub(super) const fn failure_kind(failure: &TransportFailure) -> &'static str {
    match failure {
        TransportFailure::ConnectFailed(_) => "ConnectFailed",
        TransportFailure::Untrusted(_) => "Untrusted",
        TransportFailure::ClosedByPeer => "ClosedByPeer",
        TransportFailure::Broken(_) => "Broken",
    }
}
