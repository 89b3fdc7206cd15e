//! The bytes of one connection.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use shadow_core::Instant;

use super::SharedCloud;
use crate::server::{ConnectionId, ServerTransmit};

/// How many bytes are read, and about how many are collected to be written, at a time.
const CHUNK: usize = 4 * 1024;

/// How long the last bytes of a connection may take to leave before they are dropped.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// A connection's stream and the bytes on their way out.
pub(super) struct Carrier<S> {
    id: ConnectionId,
    stream: S,
    waker: Waker,
    outgoing: Vec<u8>,
    written: usize,
    /// Until when what is left must have been written, once the cloud has closed the connection.
    close_by: Option<Instant>,
}

/// How it stands with a connection.
pub(super) enum Carried {
    /// Nothing can be done before its waker is woken or the cloud has something for it.
    Idle,
    /// Something was done, and there may be more to do.
    Busy,
    /// The connection is over.
    Over,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Carrier<S> {
    pub(super) fn new(id: ConnectionId, stream: S, waker: Waker) -> Carrier<S> {
        Carrier {
            id,
            stream,
            waker,
            outgoing: Vec::new(),
            written: 0,
            close_by: None,
        }
    }

    /// When it has to be carried again even if nothing happens.
    pub(super) fn close_by(&self) -> Option<Instant> {
        self.close_by
    }

    /// Reads once and writes what there is to write.
    pub(super) fn carry(&mut self, now: Instant, cloud: &SharedCloud) -> Carried {
        let waker = self.waker.clone();
        let cx = &mut Context::from_waker(&waker);
        let mut busy = false;
        if self.close_by.is_none() {
            let mut chunk = [0; CHUNK];
            match Pin::new(&mut self.stream).poll_read(cx, &mut chunk) {
                Poll::Ready(Ok(len)) if len > 0 => {
                    let received = chunk.get(..len).unwrap_or_default();
                    cloud.lock().cloud.handle_bytes(now, self.id, received);
                    busy = true;
                }
                Poll::Ready(Ok(_) | Err(_)) => return self.lost(now, cloud),
                Poll::Pending => {}
            }
        }
        loop {
            if self.written == self.outgoing.len() {
                self.collect(now, cloud);
            }
            let left = self.outgoing.get(self.written..).unwrap_or_default();
            if left.is_empty() {
                // A connection that waits holds nothing.
                self.outgoing = Vec::new();
                self.written = 0;
                break;
            }
            match Pin::new(&mut self.stream).poll_write(cx, left) {
                Poll::Ready(Ok(len)) if len > 0 => {
                    self.written += len;
                    busy = true;
                }
                Poll::Ready(Ok(_) | Err(_)) => return self.lost(now, cloud),
                Poll::Pending => return self.waiting(now, cloud, busy),
            }
        }
        let closed = match self.close_by {
            None => Pin::new(&mut self.stream).poll_flush(cx),
            Some(_) => Pin::new(&mut self.stream).poll_close(cx),
        };
        match (closed, self.close_by) {
            (Poll::Ready(Err(_)), _) => self.lost(now, cloud),
            (Poll::Ready(Ok(())), Some(_)) => Carried::Over,
            (Poll::Ready(Ok(())), None) | (Poll::Pending, _) => self.waiting(now, cloud, busy),
        }
    }

    /// Takes the next packets from the cloud.
    fn collect(&mut self, now: Instant, cloud: &SharedCloud) {
        self.outgoing.clear();
        self.written = 0;
        let cloud = &mut cloud.lock().cloud;
        while self.outgoing.len() < CHUNK {
            match cloud.poll_transmit_to(now, self.id, &mut self.outgoing) {
                Some(ServerTransmit::Packet { .. }) => {}
                Some(ServerTransmit::Close) => self.close_soon(now),
                None => break,
            }
        }
    }

    fn waiting(&mut self, now: Instant, cloud: &SharedCloud, busy: bool) -> Carried {
        // What is written now may never leave, and only behind it the cloud says that it closes.
        if cloud.lock().cloud.server().is_closing(self.id) {
            self.close_soon(now);
        }
        match self.close_by {
            Some(close_by) if close_by <= now => self.lost(now, cloud),
            _ if busy => Carried::Busy,
            _ => Carried::Idle,
        }
    }

    fn close_soon(&mut self, now: Instant) {
        self.close_by.get_or_insert(now + CLOSE_GRACE);
    }

    fn lost(&self, now: Instant, cloud: &SharedCloud) -> Carried {
        cloud.lock().cloud.handle_closed(now, self.id);
        Carried::Over
    }
}
