//! Bytes that were read and not looked at yet.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::AsyncRead;

/// How many bytes there can be.
pub(super) const CAPACITY: usize = 8 * 1024;

/// A buffer of [`CAPACITY`] bytes.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: Box<[u8; CAPACITY]>,
    start: usize,
    end: usize,
}

impl Inbox {
    pub(super) fn new() -> Inbox {
        Inbox {
            bytes: Box::new([0; CAPACITY]),
            start: 0,
            end: 0,
        }
    }

    pub(super) fn bytes(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Drops `len` bytes, the first ones.
    pub(super) fn consume(&mut self, len: usize) {
        self.start = self.end.min(self.start + len);
    }

    /// Reads more: how much, 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// Those of the stream, and [`OutOfMemory`](io::ErrorKind::OutOfMemory) where there is no room.
    pub(super) fn poll_fill<S: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<io::Result<usize>> {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        if room.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        let len = ready!(Pin::new(stream).poll_read(cx, room))?;
        self.end = CAPACITY.min(self.end + len);
        Poll::Ready(Ok(len))
    }
}
