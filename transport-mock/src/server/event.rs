//! What a [`Server`](super::Server) tells.

use std::collections::VecDeque;
use std::fmt;

use shadow_core::mqtt::{ConnectReturnCode, DecodeError, ProtocolVersion, QoS};
use shadow_core::tencent::credentials::LoginError;

use super::ConnectionId;

/// A message on its way through the server.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its topic name.
    pub topic: String,
    /// Its payload; may be empty.
    pub payload: Vec<u8>,
    /// The QoS it was published with; each subscriber gets it with that or less.
    pub qos: QoS,
}

/// The payload as text; what is not UTF-8 is replaced.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic)
            .field("payload", &String::from_utf8_lossy(&self.payload))
            .field("qos", &self.qos)
            .finish()
    }
}

/// Something that happened at the server. Owned, comparable, without passwords.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A client logged in.
    Connected {
        /// On which connection.
        connection: ConnectionId,
        /// Its client id; one that the server chose if it sent an empty one.
        client_id: String,
        /// The protocol version it speaks.
        version: ProtocolVersion,
        /// Whether it asked for no session beyond this connection.
        clean_session: bool,
        /// Whether it found a session from before.
        session_present: bool,
        /// Whether it announced a will, which this server never publishes.
        will_ignored: bool,
    },
    /// A login was refused, or a connection before it could log in.
    Refused {
        /// On which connection.
        connection: ConnectionId,
        /// The client id it gave, where one could be read.
        client_id: Option<String>,
        /// Why.
        refusal: Refusal,
    },
    /// A client asked for a subscription.
    Subscribed {
        /// Its client id.
        client_id: String,
        /// The topic filter.
        filter: String,
        /// What it got; `None` if it was refused: the topic is forbidden or one too many.
        granted: Option<QoS>,
    },
    /// A client ended a subscription, or what it thought to be one.
    Unsubscribed {
        /// Its client id.
        client_id: String,
        /// The topic filter.
        filter: String,
    },
    /// A client published a message.
    Published {
        /// Its client id.
        client_id: String,
        /// The message.
        message: Message,
    },
    /// A client published a message on a topic that it may not use. It was acknowledged as any
    /// other and went nowhere [MQTT-3.3.5-2].
    PublishForbidden {
        /// Its client id.
        client_id: String,
        /// The topic.
        topic: String,
    },
    /// A message did not reach a subscriber, as too much was waiting for it already.
    Dropped {
        /// The subscriber's client id.
        client_id: String,
        /// The message's topic.
        topic: String,
        /// The QoS it would have come with.
        qos: QoS,
    },
    /// A client that was logged in is gone.
    Disconnected {
        /// On which connection.
        connection: ConnectionId,
        /// Its client id.
        client_id: String,
        /// Why.
        departure: Departure,
    },
    /// Events were dropped, as [`ServerConfig::maximum_events`](super::ServerConfig) were waiting.
    EventsLost {
        /// How many.
        count: u64,
    },
}

/// Why a client was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There are [`ServerConfig::maximum_connections`](super::ServerConfig) open.
    TooManyConnections,
    /// There are [`ServerConfig::maximum_sessions`](super::ServerConfig) sessions.
    TooManySessions,
    /// No CONNECT within [`ServerConfig::connect_timeout`](super::ServerConfig).
    NoConnect,
    /// The first bytes are no CONNECT that a server must take.
    Malformed(DecodeError),
    /// The first packet is another one than CONNECT [MQTT-3.1.0-1].
    NotConnect,
    /// The peer closed the connection before it sent a CONNECT.
    ClosedByPeer,
    /// The client id is neither a known device's nor an application's.
    UnknownClientId,
    /// There is no user name or no password.
    NoCredentials,
    /// The user name or password is not as the vendor's rules want it, or the signature is wrong.
    Login(LoginError),
    /// The user name is another client's.
    ForeignUserName,
    /// The expiry in the user name has passed: the device's clock may be wrong.
    Expired,
    /// The server was told to, with this code ([`Server::refuse_logins`](super::Server)).
    Ordered(ConnectReturnCode),
    /// The server was stopped.
    Stopped,
}

impl Refusal {
    /// What CONNACK says; `None` where the connection is closed without one.
    #[must_use]
    pub const fn code(&self) -> Option<ConnectReturnCode> {
        match self {
            Refusal::Malformed(error) => error.connack_code(),
            Refusal::UnknownClientId => Some(ConnectReturnCode::IdentifierRejected),
            Refusal::TooManySessions => Some(ConnectReturnCode::ServerUnavailable),
            Refusal::Login(_) | Refusal::ForeignUserName | Refusal::Expired => {
                Some(ConnectReturnCode::BadUserNameOrPassword)
            }
            Refusal::Ordered(code) => Some(*code),
            Refusal::NoCredentials => Some(ConnectReturnCode::NotAuthorized),
            Refusal::TooManyConnections
            | Refusal::NoConnect
            | Refusal::NotConnect
            | Refusal::ClosedByPeer
            | Refusal::Stopped => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::TooManyConnections => f.write_str("too many connections"),
            Refusal::TooManySessions => f.write_str("too many sessions"),
            Refusal::NoConnect => f.write_str("no CONNECT in time"),
            Refusal::Malformed(error) => write!(f, "{error}"),
            Refusal::NotConnect => f.write_str("CONNECT must come first [MQTT-3.1.0-1]"),
            Refusal::ClosedByPeer => f.write_str("closed before CONNECT"),
            Refusal::UnknownClientId => f.write_str("no known device has this client id"),
            Refusal::NoCredentials => f.write_str("no user name or no password"),
            Refusal::Login(error) => write!(f, "{error}"),
            Refusal::ForeignUserName => f.write_str("the user name is another client's"),
            Refusal::Expired => f.write_str("the expiry in the user name has passed"),
            Refusal::Ordered(code) => write!(f, "the server was told to: {code}"),
            Refusal::Stopped => f.write_str("the server was stopped"),
        }
    }
}

/// Why a client that was logged in is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Departure {
    /// It sent DISCONNECT.
    Disconnect,
    /// It closed the connection without one, or the connection broke.
    ClosedByPeer,
    /// It was silent for one and a half keep alive times [MQTT-3.1.2-24].
    KeepAlive,
    /// Another connection logged in with its client id [MQTT-3.1.4-2].
    Replaced,
    /// It sent bytes that are no MQTT packet, or a packet above
    /// [`ServerConfig::maximum_packet_size`](super::ServerConfig).
    Malformed(DecodeError),
    /// It sent a packet that has no place here; the text names the clause.
    Violation(&'static str),
    /// It does not take what it is sent: more than
    /// [`ServerConfig::maximum_outgoing_bytes`](super::ServerConfig) were waiting.
    OutgoingQueueFull,
    /// The server was told to close the connection.
    Stopped,
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Departure::Disconnect => f.write_str("sent DISCONNECT"),
            Departure::ClosedByPeer => f.write_str("closed the connection"),
            Departure::KeepAlive => f.write_str("silent for one and a half keep alive times"),
            Departure::Replaced => f.write_str("replaced by another connection"),
            Departure::Malformed(error) => write!(f, "{error}"),
            Departure::Violation(clause) => f.write_str(clause),
            Departure::OutgoingQueueFull => f.write_str("does not take what it is sent"),
            Departure::Stopped => f.write_str("cut off by the server"),
        }
    }
}

/// The events that wait to be polled.
#[derive(Debug, Default)]
pub(super) struct Events {
    queue: VecDeque<ServerEvent>,
    lost: u64,
}

impl Events {
    pub(super) fn push(&mut self, event: impl FnOnce() -> ServerEvent, maximum: usize) {
        if self.queue.len() < maximum {
            self.queue.push_back(event());
        } else {
            self.lost = self.lost.saturating_add(1);
        }
    }

    pub(super) fn pop(&mut self) -> Option<ServerEvent> {
        if let Some(event) = self.queue.pop_front() {
            return Some(event);
        }
        let count = std::mem::take(&mut self.lost);
        (count > 0).then_some(ServerEvent::EventsLost { count })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.lost == 0
    }
}
