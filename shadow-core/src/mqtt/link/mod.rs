//! The client's end of a network connection, over all connections it makes.
//!
//! `Connection` is the part of the engine that speaks MQTT: it decides when to connect, keeps the
//! link alive, numbers packets and follows acknowledgements. It knows nothing of shadows.

mod backoff;
mod cause;
mod connection;
mod online;
mod outbox;
mod pace;
mod publication;

pub use backoff::Backoff;
pub use cause::{DisconnectCause, TransportFailure};
pub use outbox::Transmit;
pub use publication::Publication;

pub(crate) use backoff::Timing;
pub(crate) use connection::{
    Connection, ConnectionTimer, MAXIMUM_IN_FLIGHT, Notice, Settings, Signal,
};
pub(crate) use online::MAXIMUM_UNRELEASED;
pub(crate) use pace::Pace;
