//! Where a driver's byte streams come from.

use std::fmt;
use std::future::Future;
use std::io;

use futures_io::{AsyncRead, AsyncWrite};

/// Opens connections for a [`Driver`](crate::Driver): one for each
/// [`Transmit::Connect`](shadow_core::Transmit::Connect) of its engine.
///
/// A driver drops the future of [`connect`](Connector::connect) when its engine gives the
/// connection up (connect timeout, close), so dropping it half-way must leave nothing behind.
pub trait Connector: Send {
    /// A connected, ordered and reliable byte stream. Dropping it closes it.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Opens one connection.
    ///
    /// # Errors
    ///
    /// Why there is none. The text goes to the application in
    /// [`DisconnectCause`](shadow_core::DisconnectCause), so it should name the peer. An error that
    /// holds an [`UntrustedPeer`] is told as
    /// [`TransportFailure::Untrusted`](shadow_core::TransportFailure).
    fn connect(&mut self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// A peer that could not prove who it is; the text says what is wrong. Goes into an
/// [`io::Error`] of a [`Connector`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrustedPeer(pub String);

impl fmt::Display for UntrustedPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UntrustedPeer {}
