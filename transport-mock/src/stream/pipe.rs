//! One direction of a stream: a bounded queue of bytes with a reader and a writer.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::task::{Context, Poll, Waker};

use super::fault::{Fault, Script};

pub(super) struct Pipe {
    bytes: VecDeque<u8>,
    capacity: usize,
    /// Only where there are faults: most streams have none.
    script: Option<Box<Script>>,
    /// How many bytes were written in all.
    written: u64,
    /// How many bytes were read in all.
    read: u64,
    writer: End,
    reader: End,
    broken: bool,
}

/// Without the bytes, which may be a login.
impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe")
            .field("waiting", &self.bytes.len())
            .field("written", &self.written)
            .field("read", &self.read)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

/// One end of a pipe.
#[derive(Debug, Default)]
struct End {
    closed: bool,
    waker: Option<Waker>,
}

impl End {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn sleep<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Pipe {
    pub(super) fn new(capacity: usize, faults: Vec<Fault>) -> Pipe {
        Pipe {
            bytes: VecDeque::new(),
            capacity: capacity.max(1),
            script: (!faults.is_empty()).then(|| Box::new(Script::new(faults))),
            written: 0,
            read: 0,
            writer: End::default(),
            reader: End::default(),
            broken: false,
        }
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let stall_after = self.script.as_ref().and_then(|script| script.stall_after);
        let deliverable = match stall_after {
            Some(limit) => usize::try_from(limit.saturating_sub(self.read)).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        let stalled = deliverable == 0;
        let available = self.bytes.len().min(deliverable);
        if available == 0 {
            return if stalled {
                self.reader.sleep(cx)
            } else if self.broken {
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            } else if self.writer.closed {
                Poll::Ready(Ok(0))
            } else {
                self.reader.sleep(cx)
            };
        }
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let wanted = buffer.len().min(available);
        let allowed = self.script.as_mut().map_or(usize::MAX, |s| s.next_read());
        let count = wanted.min(allowed);
        let (wanted, _) = buffer.split_at_mut_checked(count).unwrap_or_default();
        self.bytes.read_exact(wanted)?;
        if self.bytes.is_empty() {
            // A stream that waits holds nothing.
            self.bytes = VecDeque::new();
        }
        self.read += count as u64;
        self.writer.wake();
        Poll::Ready(Ok(count))
    }

    /// Takes bytes. Whether the connection now breaks is for the caller to ask.
    pub(super) fn poll_write(&mut self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.broken || self.writer.closed || self.reader.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = self.capacity - self.bytes.len();
        if room == 0 {
            return self.writer.sleep(cx);
        }
        let allowed = self.script.as_mut().map_or(usize::MAX, |s| s.next_write());
        let count = bytes.len().min(room).min(allowed).min(self.until_fault());
        self.bytes.extend(bytes.get(..count).unwrap_or_default());
        self.written += count as u64;
        self.end_if_due();
        self.reader.wake();
        Poll::Ready(Ok(count))
    }

    /// Whether a fault breaks the connection at this point.
    pub(super) fn is_cut(&self) -> bool {
        let cut_after = self.script.as_ref().and_then(|script| script.cut_after);
        cut_after.is_some_and(|at| at <= self.written)
    }

    /// Applies the faults that are due before the first byte.
    pub(super) fn begin(&mut self) {
        self.end_if_due();
    }

    fn end_if_due(&mut self) {
        let end_after = self.script.as_ref().and_then(|script| script.end_after);
        if end_after == Some(self.written) {
            self.writer.closed = true;
        }
    }

    pub(super) fn break_off(&mut self) {
        self.broken = true;
        self.reader.wake();
        self.writer.wake();
    }

    pub(super) fn close_writer(&mut self) {
        self.writer.closed = true;
        self.reader.wake();
    }

    pub(super) fn close_reader(&mut self) {
        self.reader.closed = true;
        self.bytes = VecDeque::new();
        self.writer.wake();
    }

    /// How many bytes may be written before the next fault.
    fn until_fault(&self) -> usize {
        let Some(script) = &self.script else {
            return usize::MAX;
        };
        let faults = [script.cut_after, script.end_after];
        let left = faults
            .into_iter()
            .flatten()
            .map(|at| at.saturating_sub(self.written))
            .min();
        left.map_or(usize::MAX, |left| {
            usize::try_from(left).unwrap_or(usize::MAX)
        })
    }
}
