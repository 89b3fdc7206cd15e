//! Where a driver's byte streams come from.

use std::future::Future;
use std::io;

use futures_io::{AsyncRead, AsyncWrite};

/// Opens connections for a [`Driver`](crate::Driver): one for each
/// [`Transmit::Connect`](shadow_core::Transmit::Connect) of its engine.
///
/// A driver drops the future of [`connect`](Connector::connect) when its engine gives the connection
/// up (connect timeout, close), so dropping it half-way must leave nothing behind.
pub trait Connector: Send {
    /// A connected, ordered and reliable byte stream. Dropping it closes it.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Opens one connection.
    ///
    /// # Errors
    ///
    /// Why there is none. The text goes to the application in
    /// [`DisconnectCause`](shadow_core::DisconnectCause), so it should name the peer.
    fn connect(&mut self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}
