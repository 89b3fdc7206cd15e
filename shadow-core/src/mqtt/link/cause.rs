//! Why a connection ended.

use alloc::string::{String, ToString};
use core::fmt;

use crate::limit::LimitExceeded;
use crate::mqtt::{ConnectReturnCode, DecodeError, EncodeError};

/// Why there is no link.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DisconnectCause {
    /// The transport says so.
    Transport(TransportFailure),
    /// The transport says so, soon after login, for the n-th time in a row: another client probably
    /// uses the same client id, and the server lets only one of them stay. What that is concluded
    /// from, and when it errs, is told at [`Backoff`](crate::Backoff). Until it is over the engine
    /// tries again far less often.
    Contested {
        /// How many links in a row ended so, this one included.
        times: u32,
        /// What the transport says of this one.
        failure: TransportFailure,
    },
    /// The server refused the login. Told of every try.
    Refused(ConnectReturnCode),
    /// No CONNACK within the configured `connect_timeout`.
    ConnectTimedOut,
    /// No PINGRESP within the configured `ping_timeout`: the link is dead.
    PingTimedOut,
    /// No SUBACK or UNSUBACK within the configured `request_timeout`.
    SubscribeTimedOut,
    /// As many QoS 1 or 2 messages as the configured `maximum_in_flight` allows are unacknowledged,
    /// and the requests of all of them have timed out: the server answers PINGREQ and takes nothing.
    PublishUnacknowledged,
    /// As many acknowledgements wait for the transport as the configured `maximum_queued_bytes`
    /// allows: the server sends what has to be acknowledged, and does not read the
    /// acknowledgements.
    AcknowledgementsUnread,
    /// The configured login, will or client id does not fit into a CONNECT.
    InvalidConnect(EncodeError),
    /// The configuration asks for what the server's limits forbid, so nothing was sent:
    /// [`Config::check`](crate::Config::check) says it beforehand.
    LimitExceeded(LimitExceeded),
    /// The server sent bytes that are no MQTT packet.
    Malformed(DecodeError),
    /// The server sent a packet that has no place here; the text names the clause.
    Violation(&'static str),
}

impl fmt::Display for DisconnectCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DisconnectCause::Transport(failure) => write!(f, "{failure}"),
            DisconnectCause::Contested { times, failure } => write!(
                f,
                "{failure}, {times} times in a row soon after login: another client probably uses \
                 this client id"
            ),
            DisconnectCause::Refused(code @ ConnectReturnCode::BadUserNameOrPassword) => {
                write!(
                    f,
                    "login refused: {code}; usually a wrong device secret, or a wrong clock"
                )
            }
            DisconnectCause::Refused(code) => write!(f, "login refused: {code}"),
            DisconnectCause::ConnectTimedOut => write!(f, "no answer to CONNECT in time"),
            DisconnectCause::PingTimedOut => write!(f, "no answer to PINGREQ in time"),
            DisconnectCause::SubscribeTimedOut => write!(f, "no answer to SUBSCRIBE in time"),
            DisconnectCause::PublishUnacknowledged => {
                write!(f, "the server does not acknowledge messages")
            }
            DisconnectCause::AcknowledgementsUnread => {
                write!(f, "the server does not read its acknowledgements")
            }
            DisconnectCause::InvalidConnect(error) => write!(f, "cannot make a CONNECT: {error}"),
            DisconnectCause::LimitExceeded(exceeded) => write!(f, "not connecting: {exceeded}"),
            DisconnectCause::Malformed(error) => write!(f, "malformed packet: {error}"),
            DisconnectCause::Violation(clause) => write!(f, "protocol violation: {clause}"),
        }
    }
}

/// What a transport says of a link that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TransportFailure {
    /// The connection did not come about; the text says why and names the address.
    ConnectFailed(String),
    /// The peer could not prove who it is, as by a certificate for another name or of an unknown
    /// CA; the text says what is wrong and names the address. The engine tries again all the same:
    /// a certificate may be renewed, or the clock be set.
    Untrusted(String),
    /// The peer closed the connection in order.
    ClosedByPeer,
    /// The connection broke; the text says how.
    Broken(String),
}

impl TransportFailure {
    /// [`TransportFailure::ConnectFailed`] for what an error says; the text should name the address.
    #[must_use]
    pub fn connect_failed(error: impl fmt::Display) -> TransportFailure {
        TransportFailure::ConnectFailed(error.to_string())
    }

    /// [`TransportFailure::Broken`] for what an error says.
    #[must_use]
    pub fn broken(error: impl fmt::Display) -> TransportFailure {
        TransportFailure::Broken(error.to_string())
    }

    /// Its text, if it has one.
    #[cfg(feature = "recording")]
    pub(crate) fn why(&self) -> Option<&str> {
        match self {
            TransportFailure::ConnectFailed(why)
            | TransportFailure::Untrusted(why)
            | TransportFailure::Broken(why) => Some(why),
            TransportFailure::ClosedByPeer => None,
        }
    }
}

impl fmt::Display for TransportFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TransportFailure::ConnectFailed(why) => write!(f, "cannot connect: {why}"),
            TransportFailure::Untrusted(why) => write!(f, "cannot trust the server: {why}"),
            TransportFailure::ClosedByPeer => write!(f, "the server closed the connection"),
            TransportFailure::Broken(why) => write!(f, "the connection broke: {why}"),
        }
    }
}
