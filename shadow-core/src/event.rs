//! What an engine tells its application.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::json::{Json, Object};
use crate::mqtt::link::DisconnectCause;
use crate::mqtt::{PacketId, PacketKind, QoS};
use crate::request::{RequestId, ShadowId};
use crate::tencent::{Document, Operation, ParseError};

/// Something the application should know. Owned, comparable, and printable without secrets.
///
/// Events come out in the order in which their causes went in.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event {
    /// The server accepted the login.
    Connected {
        /// Whether the server had kept this client's session; always false in MQTT 3.1, which has
        /// no way to say so.
        session_present: bool,
    },
    /// There is no link any more, or it did not come about.
    Disconnected {
        /// Why.
        cause: DisconnectCause,
        /// When the engine tries again, counted from now.
        retry_in: Duration,
    },
    /// [`Engine::close`](crate::Engine::close) was carried out; nothing follows.
    Closed,
    /// A login needs the wall time and none was ever passed in: the engine will not connect before
    /// [`Engine::handle_wall_time`](crate::Engine::handle_wall_time).
    WallTimeNeeded,
    /// A shadow's result topic is subscribed; its requests flow.
    ShadowSubscribed {
        /// Which shadow.
        shadow: ShadowId,
    },
    /// The server refused the subscription of a shadow's result topic (SUBACK 0x80). Requests that
    /// wait for it end as [`Outcome::SubscriptionRefused`]; reports and answers wait on. It is tried
    /// again on the next link.
    ShadowRefused {
        /// Which shadow.
        shadow: ShadowId,
    },
    /// The first get after a subscription was answered: the barrier behind which the device is in
    /// step with its shadow. Every change of `desired` that was made before now, and that the device
    /// has not answered, has been told by an [`Event::Delta`] that came before this.
    Ready {
        /// Which shadow.
        shadow: ShadowId,
        /// The whole shadow.
        document: Document,
    },
    /// The get that follows a subscription was rejected. It is sent again, one
    /// [`Config::request_timeout`](crate::Config) after the last but at least a second, until it is
    /// accepted.
    GetRejected {
        /// Which shadow.
        shadow: ShadowId,
        /// The result code.
        code: i64,
        /// What came with it.
        document: Document,
    },
    /// `desired` has changed, or differs from `reported` after a time without a link. Answer it with
    /// [`Engine::accept`](crate::Engine::accept) or [`Engine::reject`](crate::Engine::reject); what
    /// was not answered comes again on each new link.
    Delta(Delta),
    /// A request has ended. Each accepted request ends exactly once.
    Ended {
        /// Which request.
        request: RequestId,
        /// How.
        outcome: Outcome,
    },
    /// A message on a topic that is no attached shadow's.
    Message(Message),
    /// A reply that answers no open request. It is nobody else's answer either.
    Unmatched(Unmatched),
    /// A message on a shadow's result topic that is no shadow message.
    InvalidMessage {
        /// Whose topic.
        shadow: ShadowId,
        /// What is wrong with it.
        error: ParseError,
        /// Its size in bytes.
        size: usize,
    },
    /// A PUBLISH above [`Config::maximum_packet_size`](crate::Config) went by unread. The link
    /// stays up.
    OversizedMessage {
        /// Its topic.
        topic: String,
        /// Its QoS; it was acknowledged accordingly.
        qos: QoS,
        /// Size of the whole packet in bytes.
        size: usize,
    },
    /// The server refused to renew a plain subscription on a new link (SUBACK 0x80); it is given
    /// up.
    SubscriptionLost {
        /// Its filter.
        filter: String,
    },
    /// An acknowledgement for a packet id that awaits none. Harmless.
    UnexpectedAcknowledgement {
        /// Kind of the acknowledgement.
        kind: PacketKind,
        /// The id it names.
        packet_id: PacketId,
    },
    /// Events were dropped, as [`Config::maximum_events`](crate::Config) were waiting, or those that
    /// were held [`maximum_event_bytes`](crate::Config): messages, deltas or the like, never an end
    /// of a request.
    EventsLost {
        /// How many.
        count: u64,
    },
}

/// A change of `desired` that the device should apply.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Delta {
    /// Whose.
    pub shadow: ShadowId,
    /// How it was learnt.
    pub origin: DeltaOrigin,
    /// The document's version, when stated.
    pub version: Option<u64>,
    /// The keys of `desired` that differ from `reported`, as a JSON object; where it comes again,
    /// also those that were reported and not answered.
    pub state: Json,
    /// Whether the application was told of all this before, on an earlier link, and has not
    /// answered. Never so of a push.
    pub redelivered: bool,
}

impl Delta {
    /// The same delta with none but these top-level keys, for answering a part of it.
    ///
    /// ```
    /// use shadow_core::{Delta, Engine, Instant, RequestError};
    ///
    /// /// Accepts the power switch and refuses all else.
    /// fn answer(engine: &mut Engine, now: Instant, delta: &Delta) -> Result<(), RequestError> {
    ///     engine.accept(now, &delta.only(&["power"]))?;
    ///     engine.reject(now, &delta.without(&["power"]), "not supported")?;
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn only(&self, keys: &[&str]) -> Delta {
        self.part(|key| keys.contains(&key))
    }

    /// The same delta without these top-level keys.
    #[must_use]
    pub fn without(&self, keys: &[&str]) -> Delta {
        self.part(|key| !keys.contains(&key))
    }

    fn part(&self, wanted: impl Fn(&str) -> bool) -> Delta {
        let state = Object::new(self.state.as_str()).unwrap_or_default();
        Delta {
            state: state.members_where(wanted).into(),
            ..self.clone()
        }
    }
}

/// How a delta was learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DeltaOrigin {
    /// The cloud pushed it (`"type":"delta"`).
    Pushed,
    /// It stood in the reply to the get that follows a subscription.
    Fetched,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Outcome {
    /// A get or update was answered with result 0.
    Accepted(Document),
    /// A get or update was answered with another result.
    Rejected {
        /// The result code; [`VERSION_CONFLICT`](crate::tencent::VERSION_CONFLICT) is the only
        /// documented one.
        code: i64,
        /// What came with it: for a version conflict the whole current document.
        document: Document,
    },
    /// Everything that was reported or accepted under this request is in the cloud: an update with it
    /// was accepted, or a get showed it.
    Reported {
        /// The document's version then, when stated.
        version: Option<u64>,
    },
    /// What was rejected of `desired` is there no longer: the cloud deleted it, or the application
    /// had replaced it meanwhile.
    DeltaRejected {
        /// The reason that was given.
        reason: String,
    },
    /// A message was published: handed to the transport for QoS 0, acknowledged for QoS 1 and 2.
    Published,
    /// A topic was subscribed.
    Subscribed {
        /// What the server grants, which may be less than asked for.
        granted: QoS,
    },
    /// A topic was unsubscribed.
    Unsubscribed,
    /// The server refused a subscription (SUBACK 0x80), or that of the shadow asked.
    SubscriptionRefused,
    /// No answer in time. The cloud may have applied it all the same.
    TimedOut,
    /// The link was lost before the answer; or there was none, with
    /// [`Behaviour::drop_without_link`](crate::config::Behaviour::drop_without_link).
    Disconnected {
        /// Whether it had been handed to the transport, so that the cloud may have applied it.
        maybe_applied: bool,
    },
    /// The application cancelled it, detached its shadow or closed the engine.
    Cancelled,
}

impl Outcome {
    /// Whether the request did not come to what was asked for, as far as is known.
    ///
    /// ```
    /// use shadow_core::{Event, Outcome};
    ///
    /// /// What to log of an event.
    /// fn line(event: &Event) -> Option<String> {
    ///     match event {
    ///         Event::Ended { request, outcome } if outcome.is_failure() => {
    ///             Some(format!("{request}: {outcome}"))
    ///         }
    ///         _ => None,
    ///     }
    /// }
    ///
    /// let request = shadow_core::RequestId::from_u64(7);
    /// let ended = |outcome| Event::Ended { request, outcome };
    /// assert_eq!(line(&ended(Outcome::TimedOut)).unwrap(), "#7: no answer in time");
    /// assert_eq!(line(&ended(Outcome::Published)), None);
    /// ```
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        match self {
            Outcome::Accepted(_)
            | Outcome::Reported { .. }
            | Outcome::DeltaRejected { .. }
            | Outcome::Published
            | Outcome::Subscribed { .. }
            | Outcome::Unsubscribed => false,
            Outcome::Rejected { .. }
            | Outcome::SubscriptionRefused
            | Outcome::TimedOut
            | Outcome::Disconnected { .. }
            | Outcome::Cancelled => true,
        }
    }
}

/// In words, without documents and reasons.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Outcome::Accepted(_) => "the cloud accepted it",
            Outcome::Rejected { code, .. } => {
                return write!(f, "the cloud refused it with the code {code}");
            }
            Outcome::Reported { .. } => "the cloud has all that was reported",
            Outcome::DeltaRejected { .. } => "what was rejected is desired no longer",
            Outcome::Published => "the message was published",
            Outcome::Subscribed { .. } => "the topic was subscribed",
            Outcome::Unsubscribed => "the topic was unsubscribed",
            Outcome::SubscriptionRefused => "the server refused the subscription",
            Outcome::TimedOut => "no answer in time",
            Outcome::Disconnected { .. } => "the link was lost before the answer",
            Outcome::Cancelled => "it was cancelled",
        };
        f.write_str(text)
    }
}

/// A message of a plain subscription.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// The QoS it came with.
    pub qos: QoS,
    /// Whether the server had kept it from before the subscription.
    pub retain: bool,
    /// Whether it may have come before.
    pub duplicate: bool,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic)
            .field("payload", &String::from_utf8_lossy(&self.payload))
            .field("qos", &self.qos)
            .field("retain", &self.retain)
            .field("duplicate", &self.duplicate)
            .finish()
    }
}

/// A reply that answers no open request.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Unmatched {
    /// On whose result topic it came.
    pub shadow: ShadowId,
    /// Why it matches nothing.
    pub reason: UnmatchedReason,
    /// Its `clientToken`, at most 128 bytes of it.
    pub token: Option<String>,
    /// What it answers.
    pub operation: Operation,
    /// Its result code.
    pub code: i64,
    /// What it carries.
    pub document: Document,
}

/// Why a reply matches no open request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum UnmatchedReason {
    /// Its request had timed out, been cancelled or been cut off.
    Late,
    /// Its request was answered before.
    Duplicate,
    /// This session never gave out its token, or not for this operation.
    Foreign,
    /// It has no token.
    Tokenless,
}
