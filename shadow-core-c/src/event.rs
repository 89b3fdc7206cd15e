//! Events as C reads them: one flat structure, in which what does not belong to an event is zero or
//! empty.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::ToString;
use core::time::Duration;

use shadow_core::event::{DeltaOrigin, UnmatchedReason};
use shadow_core::tencent::Document;
use shadow_core::{DisconnectCause, Event, Outcome};

use crate::views::{Lent, shadow_bytes, shadow_text};

/// What an event is.
#[expect(non_camel_case_types, reason = "these are C's names")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum shadow_event_kind {
    /// None: there was nothing to poll.
    SHADOW_EVENT_NONE = 0,
    /// The server accepted the login. `session_present`.
    SHADOW_EVENT_CONNECTED = 1,
    /// There is no link any more, or it did not come about. `cause`, `text` in words,
    /// `retry_in_micros`; `code`: the server's return code if it refused the login.
    SHADOW_EVENT_DISCONNECTED = 2,
    /// `shadow_close` was carried out; nothing follows.
    SHADOW_EVENT_CLOSED = 3,
    /// The login needs the wall time: the engine does not connect before
    /// `shadow_handle_wall_time`.
    SHADOW_EVENT_WALL_TIME_NEEDED = 4,
    /// A shadow's topic is subscribed. `shadow`.
    SHADOW_EVENT_SHADOW_SUBSCRIBED = 5,
    /// The server refused the subscription of a shadow's topic. `shadow`.
    SHADOW_EVENT_SHADOW_REFUSED = 6,
    /// The device is in step with its shadow: every change of what is desired that was made before
    /// and not answered has been told. `shadow`, and the document.
    SHADOW_EVENT_READY = 7,
    /// The get before that was rejected; it is sent again. `shadow`, `code`, and the document.
    SHADOW_EVENT_GET_REJECTED = 8,
    /// What is desired has changed: answer `delta` with `shadow_accept` or `shadow_reject`; what is
    /// not answered comes again on each new link. `shadow`, `delta`, `version`, `fetched`,
    /// `redelivered`.
    SHADOW_EVENT_DELTA = 9,
    /// A request has ended, as each does exactly once. `request`, `outcome`, and what the outcome
    /// says.
    SHADOW_EVENT_ENDED = 10,
    /// A message on a topic that is no attached shadow's. `topic`, `payload`, `qos`, `retain`,
    /// `duplicate`.
    SHADOW_EVENT_MESSAGE = 11,
    /// A reply that answers no open request. `shadow`, `code`, the document; `text` is why: "late",
    /// "duplicate", "foreign" or "tokenless".
    SHADOW_EVENT_UNMATCHED = 12,
    /// A message on a shadow's topic that is no shadow message. `shadow`, `text` says what is wrong,
    /// `count` is its size in bytes.
    SHADOW_EVENT_INVALID_MESSAGE = 13,
    /// A message above `maximum_packet_size` went by unread. `topic`, `qos`, `count` is its size in
    /// bytes.
    SHADOW_EVENT_OVERSIZED_MESSAGE = 14,
    /// The server does not renew a subscription; it is given up. `topic` is its filter.
    SHADOW_EVENT_SUBSCRIPTION_LOST = 15,
    /// An acknowledgement for a packet id that awaits none; harmless. `text` is its kind, `code` the
    /// packet id.
    SHADOW_EVENT_UNEXPECTED_ACKNOWLEDGEMENT = 16,
    /// Events were dropped, as too many were waiting; never the end of a request. `count`.
    SHADOW_EVENT_EVENTS_LOST = 17,
    /// An event that this version of the library has no number for; `text` is in words.
    SHADOW_EVENT_OTHER = 18,
}

use shadow_event_kind::*;

/// How a request ended.
#[expect(non_camel_case_types, reason = "these are C's names")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum shadow_outcome {
    /// None: the event is not the end of a request.
    SHADOW_OUTCOME_NONE = 0,
    /// A get or update was answered with result 0. The document.
    SHADOW_OUTCOME_ACCEPTED = 1,
    /// A get or update was answered with another result: 5005 is a version conflict, and the
    /// document the whole current one. `code`, and the document.
    SHADOW_OUTCOME_REJECTED = 2,
    /// The cloud has everything that was reported or accepted under this request. `version`.
    SHADOW_OUTCOME_REPORTED = 3,
    /// What was rejected is desired no longer. `text` is the reason that was given.
    SHADOW_OUTCOME_DELTA_REJECTED = 4,
    /// A message was published: handed over for QoS 0, acknowledged for QoS 1 and 2.
    SHADOW_OUTCOME_PUBLISHED = 5,
    /// A topic was subscribed. `qos` is what the server grants.
    SHADOW_OUTCOME_SUBSCRIBED = 6,
    /// A topic was unsubscribed.
    SHADOW_OUTCOME_UNSUBSCRIBED = 7,
    /// The server refused a subscription, or that of the shadow asked.
    SHADOW_OUTCOME_SUBSCRIPTION_REFUSED = 8,
    /// No answer in time. The cloud may have applied it all the same.
    SHADOW_OUTCOME_TIMED_OUT = 9,
    /// The link was lost before the answer. `maybe_applied`.
    SHADOW_OUTCOME_DISCONNECTED = 10,
    /// The program cancelled it, detached its shadow or closed the engine.
    SHADOW_OUTCOME_CANCELLED = 11,
    /// An outcome that this version of the library has no number for; `text` is in words.
    SHADOW_OUTCOME_OTHER = 12,
}

use shadow_outcome::*;

/// Why there is no link.
#[expect(non_camel_case_types, reason = "these are C's names")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum shadow_cause {
    /// None: the event is not the end of a link.
    SHADOW_CAUSE_NONE = 0,
    /// The transport said so.
    SHADOW_CAUSE_TRANSPORT = 1,
    /// The transport said so, soon after login, several times in a row: another client probably
    /// uses the same client id. `count` is how many times.
    SHADOW_CAUSE_CONTESTED = 2,
    /// The server refused the login. `code` is its return code.
    SHADOW_CAUSE_REFUSED = 3,
    /// No answer to the login in time.
    SHADOW_CAUSE_CONNECT_TIMED_OUT = 4,
    /// No answer to a ping in time.
    SHADOW_CAUSE_PING_TIMED_OUT = 5,
    /// No answer to a subscription in time.
    SHADOW_CAUSE_SUBSCRIBE_TIMED_OUT = 6,
    /// The server does not acknowledge messages.
    SHADOW_CAUSE_PUBLISH_UNACKNOWLEDGED = 7,
    /// The server does not read its acknowledgements.
    SHADOW_CAUSE_ACKNOWLEDGEMENTS_UNREAD = 8,
    /// The configuration does not fit into a login.
    SHADOW_CAUSE_INVALID_CONNECT = 9,
    /// The configuration asks for what the server does not take.
    SHADOW_CAUSE_LIMIT_EXCEEDED = 10,
    /// The server sent what is not MQTT.
    SHADOW_CAUSE_MALFORMED = 11,
    /// The server sent what has no place there.
    SHADOW_CAUSE_VIOLATION = 12,
    /// A cause that this version of the library has no number for.
    SHADOW_CAUSE_OTHER = 13,
}

use shadow_cause::*;

/// Something the program should know. What does not belong to its kind is zero or empty. The texts
/// are lent until the next `shadow_poll_event`, whatever else is called meanwhile: copy what is to
/// outlive it.
///
/// "The document" is what came with a reply: `document`, of it `reported`, `desired` and `delta`, and
/// `version`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct shadow_event {
    /// What it is.
    pub kind: shadow_event_kind,
    /// Which shadow.
    pub shadow: u32,
    /// Which request.
    pub request: u64,
    /// How the request ended.
    pub outcome: shadow_outcome,
    /// Why there is no link.
    pub cause: shadow_cause,
    /// A code of the cloud, see `kind`, `outcome` and `cause`.
    pub code: i64,
    /// The document's version, if `has_version`.
    pub version: u64,
    /// How many, see `kind` and `cause`.
    pub count: u64,
    /// When the engine tries to connect again, counted from now.
    pub retry_in_micros: u64,
    /// In words, see `kind` and `outcome`. Never holds a secret.
    pub text: shadow_text,
    /// A topic, or a topic filter.
    pub topic: shadow_text,
    /// A message's payload, with a NUL behind it.
    pub payload: shadow_bytes,
    /// A JSON object: what is desired and differs from what is reported. Empty where there is none.
    pub delta: shadow_text,
    /// JSON: the shadow as the cloud sent it.
    pub document: shadow_text,
    /// JSON: what the cloud holds as reported; "null" or empty where there is none.
    pub reported: shadow_text,
    /// JSON: what the cloud holds as desired; "null" or empty where there is none.
    pub desired: shadow_text,
    /// QoS of a message, or the one that was granted.
    pub qos: u8,
    /// Whether the document's version was stated.
    pub has_version: bool,
    /// Whether the server had kept this client's session.
    pub session_present: bool,
    /// Whether the delta was found by a get, as after a time without a link; else it was pushed.
    pub fetched: bool,
    /// Whether the program was told of all of the delta before, on an earlier link, and has not
    /// answered.
    pub redelivered: bool,
    /// Whether what was cut off had been sent, so that the cloud may have applied it.
    pub maybe_applied: bool,
    /// Whether the server had kept the message from before the subscription.
    pub retain: bool,
    /// Whether the message may have come before.
    pub duplicate: bool,
}

impl shadow_event {
    pub(crate) const NONE: shadow_event = shadow_event {
        kind: SHADOW_EVENT_NONE,
        shadow: 0,
        request: 0,
        outcome: SHADOW_OUTCOME_NONE,
        cause: SHADOW_CAUSE_NONE,
        code: 0,
        version: 0,
        count: 0,
        retry_in_micros: 0,
        text: shadow_text::EMPTY,
        topic: shadow_text::EMPTY,
        payload: shadow_bytes::EMPTY,
        delta: shadow_text::EMPTY,
        document: shadow_text::EMPTY,
        reported: shadow_text::EMPTY,
        desired: shadow_text::EMPTY,
        qos: 0,
        has_version: false,
        session_present: false,
        fetched: false,
        redelivered: false,
        maybe_applied: false,
        retain: false,
        duplicate: false,
    };

    /// The event for C. Its texts are lent from `lent`, whose earlier loans end.
    pub(crate) fn new(event: &Event, lent: &mut Lent) -> shadow_event {
        let mut told = Told::default();
        told.tell(event);
        lent.clear();
        let texts = [
            told.text.as_bytes(),
            told.topic.as_bytes(),
            told.payload,
            told.delta.as_bytes(),
            told.document.as_bytes(),
            told.reported.as_bytes(),
            told.desired.as_bytes(),
        ];
        let [text, topic, payload, delta, document, reported, desired] =
            texts.map(|part| lent.push(part));
        shadow_event {
            text: lent.text(text),
            topic: lent.text(topic),
            payload: lent.bytes(payload),
            delta: lent.text(delta),
            document: lent.text(document),
            reported: lent.text(reported),
            desired: lent.text(desired),
            ..told.event
        }
    }
}

/// An event whose texts are still the engine's.
struct Told<'a> {
    event: shadow_event,
    text: Cow<'a, str>,
    topic: &'a str,
    payload: &'a [u8],
    delta: &'a str,
    document: &'a str,
    reported: &'a str,
    desired: &'a str,
}

impl Default for Told<'_> {
    fn default() -> Self {
        Told {
            event: shadow_event::NONE,
            text: Cow::Borrowed(""),
            topic: "",
            payload: b"",
            delta: "",
            document: "",
            reported: "",
            desired: "",
        }
    }
}

impl<'a> Told<'a> {
    fn tell(&mut self, event: &'a Event) {
        self.event.kind = match event {
            Event::Connected { session_present } => {
                self.event.session_present = *session_present;
                SHADOW_EVENT_CONNECTED
            }
            Event::Disconnected { cause, retry_in } => {
                self.event.retry_in_micros = micros(*retry_in);
                self.text = cause.to_string().into();
                self.cause(cause);
                SHADOW_EVENT_DISCONNECTED
            }
            Event::Closed => SHADOW_EVENT_CLOSED,
            Event::WallTimeNeeded => SHADOW_EVENT_WALL_TIME_NEEDED,
            Event::ShadowSubscribed { shadow } => {
                self.event.shadow = shadow.as_u32();
                SHADOW_EVENT_SHADOW_SUBSCRIBED
            }
            Event::ShadowRefused { shadow } => {
                self.event.shadow = shadow.as_u32();
                SHADOW_EVENT_SHADOW_REFUSED
            }
            Event::Ready { shadow, document } => {
                self.event.shadow = shadow.as_u32();
                self.document(document);
                SHADOW_EVENT_READY
            }
            Event::GetRejected {
                shadow,
                code,
                document,
            } => {
                self.event.shadow = shadow.as_u32();
                self.event.code = *code;
                self.document(document);
                SHADOW_EVENT_GET_REJECTED
            }
            Event::Delta(delta) => {
                self.event.shadow = delta.shadow.as_u32();
                self.version(delta.version);
                self.event.fetched = delta.origin == DeltaOrigin::Fetched;
                self.event.redelivered = delta.redelivered;
                self.delta = delta.state.as_str();
                SHADOW_EVENT_DELTA
            }
            Event::Ended { request, outcome } => {
                self.event.request = request.as_u64();
                self.outcome(outcome);
                SHADOW_EVENT_ENDED
            }
            Event::Message(message) => {
                self.topic = &message.topic;
                self.payload = &message.payload;
                self.event.qos = message.qos as u8;
                self.event.retain = message.retain;
                self.event.duplicate = message.duplicate;
                SHADOW_EVENT_MESSAGE
            }
            Event::Unmatched(unmatched) => {
                self.event.shadow = unmatched.shadow.as_u32();
                self.event.code = unmatched.code;
                self.document(&unmatched.document);
                self.text = Cow::Borrowed(match unmatched.reason {
                    UnmatchedReason::Late => "late",
                    UnmatchedReason::Duplicate => "duplicate",
                    UnmatchedReason::Foreign => "foreign",
                    UnmatchedReason::Tokenless => "tokenless",
                });
                SHADOW_EVENT_UNMATCHED
            }
            Event::InvalidMessage {
                shadow,
                error,
                size,
            } => {
                self.event.shadow = shadow.as_u32();
                self.event.count = *size as u64;
                self.text = error.to_string().into();
                SHADOW_EVENT_INVALID_MESSAGE
            }
            Event::OversizedMessage { topic, qos, size } => {
                self.topic = topic;
                self.event.qos = *qos as u8;
                self.event.count = *size as u64;
                SHADOW_EVENT_OVERSIZED_MESSAGE
            }
            Event::SubscriptionLost { filter } => {
                self.topic = filter;
                SHADOW_EVENT_SUBSCRIPTION_LOST
            }
            Event::UnexpectedAcknowledgement { kind, packet_id } => {
                self.text = kind.to_string().into();
                self.event.code = packet_id.get().into();
                SHADOW_EVENT_UNEXPECTED_ACKNOWLEDGEMENT
            }
            Event::EventsLost { count } => {
                self.event.count = *count;
                SHADOW_EVENT_EVENTS_LOST
            }
            other => {
                self.text = format!("{other:?}").into();
                SHADOW_EVENT_OTHER
            }
        };
    }

    fn outcome(&mut self, outcome: &'a Outcome) {
        self.event.outcome = match outcome {
            Outcome::Accepted(document) => {
                self.document(document);
                SHADOW_OUTCOME_ACCEPTED
            }
            Outcome::Rejected { code, document } => {
                self.event.code = *code;
                self.document(document);
                SHADOW_OUTCOME_REJECTED
            }
            Outcome::Reported { version } => {
                self.version(*version);
                SHADOW_OUTCOME_REPORTED
            }
            Outcome::DeltaRejected { reason } => {
                self.text = Cow::Borrowed(reason);
                SHADOW_OUTCOME_DELTA_REJECTED
            }
            Outcome::Published => SHADOW_OUTCOME_PUBLISHED,
            Outcome::Subscribed { granted } => {
                self.event.qos = *granted as u8;
                SHADOW_OUTCOME_SUBSCRIBED
            }
            Outcome::Unsubscribed => SHADOW_OUTCOME_UNSUBSCRIBED,
            Outcome::SubscriptionRefused => SHADOW_OUTCOME_SUBSCRIPTION_REFUSED,
            Outcome::TimedOut => SHADOW_OUTCOME_TIMED_OUT,
            Outcome::Disconnected { maybe_applied } => {
                self.event.maybe_applied = *maybe_applied;
                SHADOW_OUTCOME_DISCONNECTED
            }
            Outcome::Cancelled => SHADOW_OUTCOME_CANCELLED,
            other => {
                self.text = format!("{other:?}").into();
                SHADOW_OUTCOME_OTHER
            }
        };
    }

    fn cause(&mut self, cause: &DisconnectCause) {
        self.event.cause = match cause {
            DisconnectCause::Transport(_) => SHADOW_CAUSE_TRANSPORT,
            DisconnectCause::Contested { times, .. } => {
                self.event.count = (*times).into();
                SHADOW_CAUSE_CONTESTED
            }
            DisconnectCause::Refused(code) => {
                self.event.code = *code as i64;
                SHADOW_CAUSE_REFUSED
            }
            DisconnectCause::ConnectTimedOut => SHADOW_CAUSE_CONNECT_TIMED_OUT,
            DisconnectCause::PingTimedOut => SHADOW_CAUSE_PING_TIMED_OUT,
            DisconnectCause::SubscribeTimedOut => SHADOW_CAUSE_SUBSCRIBE_TIMED_OUT,
            DisconnectCause::PublishUnacknowledged => SHADOW_CAUSE_PUBLISH_UNACKNOWLEDGED,
            DisconnectCause::AcknowledgementsUnread => SHADOW_CAUSE_ACKNOWLEDGEMENTS_UNREAD,
            DisconnectCause::InvalidConnect(_) => SHADOW_CAUSE_INVALID_CONNECT,
            DisconnectCause::LimitExceeded(_) => SHADOW_CAUSE_LIMIT_EXCEEDED,
            DisconnectCause::Malformed(_) => SHADOW_CAUSE_MALFORMED,
            DisconnectCause::Violation(_) => SHADOW_CAUSE_VIOLATION,
            _ => SHADOW_CAUSE_OTHER,
        };
    }

    fn document(&mut self, document: &'a Document) {
        self.version(document.version());
        self.document = document.as_json();
        self.reported = document.reported().unwrap_or_default();
        self.desired = document.desired().unwrap_or_default();
        self.delta = document.delta().unwrap_or_default();
    }

    fn version(&mut self, version: Option<u64>) {
        self.event.has_version = version.is_some();
        self.event.version = version.unwrap_or_default();
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
