//! One connection's bytes, both ways at once.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use zeroize::Zeroize;

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
    /// There is a CONNECT among them, in which there can be a password.
    secret: bool,
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.clear();
    }
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

    /// Says that what was appended is secret: it is wiped as soon as it has left, or is dropped.
    pub(crate) fn keep_secret(&mut self) {
        self.secret = true;
    }

    /// Drops what has not left.
    pub(crate) fn clear(&mut self) {
        self.wipe();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.written = 0;
    }

    /// Overwrites what is secret.
    fn wipe(&mut self) {
        if std::mem::take(&mut self.secret) {
            self.bytes.as_mut_slice().zeroize();
        }
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
    /// What was to be written has left, and it had to wait for that.
    Written,
}

/// A connected stream with its read buffer.
pub(crate) struct Link<S> {
    stream: S,
    buffer: Box<[u8; READ_SIZE]>,
    /// Bytes read since the present write began.
    read_ahead: usize,
    /// Whether the present write has had to wait.
    stalled: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub(crate) fn new(stream: S) -> Link<S> {
        Link {
            stream,
            buffer: Box::new([0; READ_SIZE]),
            read_ahead: 0,
            stalled: false,
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
            let waited = std::mem::replace(&mut self.stalled, write.is_pending());
            if !waited && matches!(write, Poll::Ready(Ok(()))) {
                // Nobody had to hold anything back: that is nothing to tell.
                write = Poll::Pending;
            }
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
    ///
    /// With `linger` what the peer still says is read, and dropped, until it has closed too: a
    /// socket that goes with bytes unread resets the connection, and the peer may then lose what
    /// was sent last.
    pub(crate) async fn close(mut self, outgoing: &mut Outgoing, linger: bool) {
        let (mut closed, mut ended) = (false, !linger);
        let closing = futures_lite::future::poll_fn(|cx| {
            if !ended {
                match Pin::new(&mut self.stream).poll_read(cx, &mut self.buffer[..]) {
                    Poll::Ready(Ok(0) | Err(_)) => ended = true,
                    // One read at a time, so that a peer that never stops holds up nobody.
                    Poll::Ready(Ok(_)) => cx.waker().wake_by_ref(),
                    Poll::Pending => {}
                }
            }
            if !closed {
                closed = self.poll_close(cx, outgoing)?.is_ready();
            }
            if closed && ended {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        });
        let result: io::Result<()> = closing.await;
        if let Err(error) = result {
            tracing::debug!(event = "close_failed", %error);
        }
    }

    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        outgoing: &mut Outgoing,
    ) -> Poll<io::Result<()>> {
        if !outgoing.is_empty() {
            ready!(outgoing.poll_write(cx, &mut self.stream))?;
        }
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// A stream that always has a byte to read, and takes what `room` says.
    struct Chatty {
        room: usize,
        flushed: bool,
    }

    impl AsyncRead for Chatty {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buffer.len()))
        }
    }

    impl AsyncWrite for Chatty {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let len = bytes.len().min(self.room);
            self.room -= len;
            if len == 0 {
                return Poll::Pending;
            }
            Poll::Ready(Ok(len))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            if self.flushed {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn reading_goes_on_for_a_while_when_writing_does_not() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut link = Link::new(Chatty {
            room: 3,
            flushed: true,
        });
        let mut outgoing = Outgoing::default();
        outgoing.bytes().extend(b"12345");
        let mut read = 0;
        while let Poll::Ready(progress) = link.poll(&mut cx, &mut outgoing) {
            let Ok(Progress::Received(len)) = progress else {
                panic!("{progress:?}");
            };
            read += len;
            assert!(read <= READ_AHEAD);
        }
        assert_eq!(read, READ_AHEAD);
        // Room for the rest lets it read again.
        link.stream.room = 2;
        assert!(link.poll(&mut cx, &mut outgoing).is_ready());
        assert!(outgoing.is_empty());
    }

    #[test]
    fn a_login_is_wiped_when_it_has_left() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut stream = Chatty {
            room: 20,
            flushed: true,
        };
        let mut outgoing = Outgoing::default();
        outgoing.bytes().extend(b"s3cret");
        outgoing.keep_secret();
        assert!(outgoing.poll_write(&mut cx, &mut stream).is_ready());
        assert!(outgoing.is_empty() && !outgoing.secret);
        // What safe code can see of how: the bytes are overwritten where they are.
        outgoing.bytes().extend(b"s3cret");
        outgoing.wipe();
        assert_eq!(outgoing.bytes, b"s3cret", "only what is said to be secret");
        outgoing.keep_secret();
        outgoing.wipe();
        assert_eq!(outgoing.bytes, [0; 6]);
    }

    #[test]
    fn what_is_not_flushed_has_not_left() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut stream = Chatty {
            room: 10,
            flushed: false,
        };
        let mut outgoing = Outgoing::default();
        outgoing.bytes().extend(b"12345");
        assert!(outgoing.poll_write(&mut cx, &mut stream).is_pending());
        assert!(!outgoing.is_empty());
        stream.flushed = true;
        assert!(outgoing.poll_write(&mut cx, &mut stream).is_ready());
        assert!(outgoing.is_empty());
        assert_eq!(stream.room, 5, "nothing was written twice");
    }
}
