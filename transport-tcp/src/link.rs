//! One connection's bytes, both ways at once.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

/// How much is read at a time, in bytes.
const READ_SIZE: usize = 4 * 1024;

/// How much is read while a write is stalled, in bytes. Reading goes on, since the peer may be one
/// that writes before it reads; but not for ever, since what is read gives rise to acknowledgements
/// that wait for the write.
const READ_AHEAD: usize = 64 * 1024;

/// A write buffer of at most this many bytes is kept; a larger one is given back.
const KEPT_BYTES: usize = 4 * 1024;

/// Packets on their way into a stream.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    bytes: Vec<u8>,
    written: usize,
}

impl Outgoing {
    /// Whether everything is written and flushed.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Where to append packets.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Drops what has not left.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.written = 0;
    }

    /// Writes and flushes all of it.
    pub(crate) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<io::Result<()>> {
        while let Some(rest @ [_, ..]) = self.bytes.get(self.written..) {
            match ready!(Pin::new(&mut *stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
        }
        ready!(Pin::new(stream).poll_flush(cx))?;
        self.clear();
        Poll::Ready(Ok(()))
    }
}

/// What happened on a link.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Bytes came: the first so many of [`Link::received`].
    Received(usize),
    /// The peer closed its direction.
    Ended,
    /// What was to be written has left.
    Written,
}

/// A connected stream with its read buffer.
pub(crate) struct Link<S> {
    stream: S,
    buffer: Box<[u8; READ_SIZE]>,
    /// Bytes read since the present write began.
    read_ahead: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub(crate) fn new(stream: S) -> Link<S> {
        Link {
            stream,
            buffer: Box::new([0; READ_SIZE]),
            read_ahead: 0,
        }
    }

    /// The bytes of the last [`Progress::Received`].
    pub(crate) fn received(&self, len: usize) -> &[u8] {
        self.buffer.get(..len).unwrap_or_default()
    }

    /// Writes what there is to write and reads what there is to read, whichever goes on first.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        outgoing: &mut Outgoing,
    ) -> Poll<io::Result<Progress>> {
        let mut write = Poll::Pending;
        if !outgoing.is_empty() {
            write = outgoing.poll_write(cx, &mut self.stream);
        }
        if outgoing.is_empty() {
            self.read_ahead = 0;
        }
        if self.read_ahead < READ_AHEAD {
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut self.buffer[..]);
            // A failed write waits here: what the peer said before still counts, and the next
            // write fails again.
            match read? {
                Poll::Ready(0) => return Poll::Ready(Ok(Progress::Ended)),
                Poll::Ready(len) => {
                    self.read_ahead = self.read_ahead.saturating_add(len);
                    return Poll::Ready(Ok(Progress::Received(len)));
                }
                Poll::Pending => {}
            }
        }
        write.map_ok(|()| Progress::Written)
    }

    /// Writes what there is to write and closes the stream. Errors do not matter any more.
    pub(crate) async fn close(mut self, outgoing: &mut Outgoing) {
        let closed = futures_lite::future::poll_fn(|cx| {
            if !outgoing.is_empty() {
                ready!(outgoing.poll_write(cx, &mut self.stream))?;
            }
            Pin::new(&mut self.stream).poll_close(cx)
        });
        let result: io::Result<()> = closed.await;
        if let Err(error) = result {
            tracing::debug!(event = "close_failed", %error);
        }
    }
}
