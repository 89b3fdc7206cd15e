//! Byte streams in memory that behave like a socket's.
//!
//! [`memory_pair`] gives the two ends of one connection; [`memory_network`] gives a connector and a
//! listener that make such pairs. Both ends implement [`AsyncRead`] and [`AsyncWrite`] of
//! `futures-io`, so whatever runs over a TCP stream runs over them. What goes wrong on the way is a
//! list of [`Fault`]s.
//!
//! ```
//! use futures_lite::future::block_on;
//! use futures_lite::{AsyncReadExt, AsyncWriteExt};
//! use transport_mock::stream::{Fault, Faults, memory_pair_with};
//!
//! let faults = Faults { to_server: vec![Fault::CutAfter(3)], ..Faults::default() };
//! let (mut client, mut server) = memory_pair_with(1024, faults);
//! block_on(async {
//!     assert!(client.write_all(b"hello").await.is_err());
//!     let mut received = Vec::new();
//!     assert!(server.read_to_end(&mut received).await.is_err());
//!     assert_eq!(received, b"hel");
//! });
//! ```

mod fault;
mod network;
mod pipe;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use pipe::Pipe;

pub use fault::{Fault, Faults};
pub use network::{Connect, MemoryConnector, MemoryListener, memory_network};

/// One end of a connection in memory.
///
/// * Each direction holds up to `capacity` bytes; then writing waits for the reader.
/// * Closing ([`AsyncWrite::poll_close`]) ends this end's direction only: the peer reads what is
///   left, then the end of the stream, and may still write.
/// * Dropping ends both: the peer reads what is left, then the end of the stream, and gets
///   [`BrokenPipe`](io::ErrorKind::BrokenPipe) when it writes.
/// * Flushing does nothing, as every byte is on its way at once.
#[derive(Debug)]
pub struct MemoryStream {
    link: Arc<Mutex<Link>>,
    side: Side,
}

/// Both directions of a connection.
#[derive(Debug)]
struct Link {
    to_server: Pipe,
    to_client: Pipe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// A connection without faults: the client's end and the server's. `capacity` is how many bytes
/// each direction holds, at least 1.
#[must_use]
pub fn memory_pair(capacity: usize) -> (MemoryStream, MemoryStream) {
    memory_pair_with(capacity, Faults::default())
}

/// A connection with faults: the client's end and the server's.
#[must_use]
pub fn memory_pair_with(capacity: usize, faults: Faults) -> (MemoryStream, MemoryStream) {
    let mut link = Link {
        to_server: Pipe::new(capacity, faults.to_server),
        to_client: Pipe::new(capacity, faults.to_client),
    };
    link.to_server.begin();
    link.to_client.begin();
    link.break_if_cut();
    let link = Arc::new(Mutex::new(link));
    let stream = |side| MemoryStream {
        link: Arc::clone(&link),
        side,
    };
    (stream(Side::Client), stream(Side::Server))
}

impl MemoryStream {
    /// Breaks the connection at once, in both directions, as [`Fault::CutAfter`] does.
    pub fn cut(&self) {
        let mut link = self.lock();
        link.to_server.break_off();
        link.to_client.break_off();
    }

    fn lock(&self) -> MutexGuard<'_, Link> {
        // Nothing can panic between two states of a pipe, so it is in one.
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    fn inbound(&mut self, side: Side) -> &mut Pipe {
        match side {
            Side::Client => &mut self.to_client,
            Side::Server => &mut self.to_server,
        }
    }

    fn outbound(&mut self, side: Side) -> &mut Pipe {
        match side {
            Side::Client => &mut self.to_server,
            Side::Server => &mut self.to_client,
        }
    }

    fn break_if_cut(&mut self) {
        if self.to_server.is_cut() || self.to_client.is_cut() {
            self.to_server.break_off();
            self.to_client.break_off();
        }
    }
}

impl AsyncRead for MemoryStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let side = self.side;
        self.lock().inbound(side).poll_read(cx, buffer)
    }
}

impl AsyncWrite for MemoryStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let side = self.side;
        let mut link = self.lock();
        let written = link.outbound(side).poll_write(cx, bytes);
        link.break_if_cut();
        written
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let side = self.side;
        self.lock().outbound(side).close_writer();
        Poll::Ready(Ok(()))
    }
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        let side = self.side;
        let mut link = self.lock();
        link.outbound(side).close_writer();
        link.inbound(side).close_reader();
    }
}

#[cfg(test)]
mod tests;
