//! Reads along what goes over a connection.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use shadow_core::Instant;
use shadow_core::mqtt::{Incoming, Oversized, Packet, ProtocolVersion, StreamDecoder};
use smol::io::{AsyncRead, AsyncWrite};
use transport_tcp::{Clock, Connector};

use super::packet::Essence;

/// How many packets may wait to be told; more are dropped and counted.
const MAXIMUM_WAITING: usize = 1_000;

/// The largest packet that is read along, in bytes.
const MAXIMUM_PACKET_SIZE: usize = 64 * 1024;

/// Who is at this end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Device,
    Application,
}

/// A packet that went by.
#[derive(Clone, Debug)]
pub(super) struct Passed {
    pub(super) at: Instant,
    pub(super) who: Who,
    /// Whether it went to the server.
    pub(super) sent: bool,
    /// The packet's name in the specification, as in `PUBLISH`.
    pub(super) kind: String,
    pub(super) essence: Essence,
    /// Of a PUBLISH.
    pub(super) topic: Option<String>,
    /// Of a PUBLISH.
    pub(super) payload: Option<Vec<u8>>,
}

/// Collects the packets of several connections in the order in which they went by.
#[derive(Clone)]
pub(super) struct Tap<K> {
    clock: K,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    packets: VecDeque<Passed>,
    dropped: usize,
}

impl<K: Clock> Tap<K> {
    pub(super) fn new(clock: K) -> Tap<K> {
        Tap {
            clock,
            waiting: Arc::default(),
        }
    }

    /// The same connector, read along.
    pub(super) fn on<C>(&self, connector: C, who: Who) -> TappedConnector<C, K> {
        TappedConnector {
            connector,
            tap: self.clone(),
            who,
        }
    }

    /// What went by since the last call, and how many packets beside could not be kept.
    pub(super) fn take(&self) -> (VecDeque<Passed>, usize) {
        let Waiting { packets, dropped } = std::mem::take(&mut *self.lock());
        (packets, dropped)
    }

    fn pass(&self, who: Who, sent: bool, packet: &Packet<'_>) {
        let (topic, payload) = match packet {
            Packet::Publish(publish) => (
                Some(publish.topic.to_owned()),
                Some(publish.payload.to_vec()),
            ),
            _ => (None, None),
        };
        let passed = Passed {
            at: self.clock.now(),
            who,
            sent,
            kind: packet.kind().to_string(),
            essence: Essence::of(packet),
            topic,
            payload,
        };
        let mut waiting = self.lock();
        if waiting.packets.len() < MAXIMUM_WAITING {
            waiting.packets.push_back(passed);
        } else {
            waiting.dropped += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing can panic between two of its states.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connector whose connections are read along.
pub(super) struct TappedConnector<C, K> {
    connector: C,
    tap: Tap<K>,
    who: Who,
}

impl<C: Connector, K: Clock> Connector for TappedConnector<C, K> {
    type Stream = TappedStream<C::Stream, K>;

    async fn connect(&mut self) -> io::Result<TappedStream<C::Stream, K>> {
        let stream = self.connector.connect().await?;
        let decoder = StreamDecoder::new(
            ProtocolVersion::V311,
            MAXIMUM_PACKET_SIZE,
            Oversized::SkipPublish,
        );
        Ok(TappedStream {
            stream,
            tap: self.tap.clone(),
            who: self.who,
            sent: decoder.clone(),
            received: decoder,
        })
    }
}

/// A connection that is read along. What is no MQTT is let pass unread.
pub(super) struct TappedStream<S, K> {
    stream: S,
    tap: Tap<K>,
    who: Who,
    sent: StreamDecoder,
    received: StreamDecoder,
}

/// Nothing in it is pinned but the stream, which need not be.
impl<S: Unpin, K> Unpin for TappedStream<S, K> {}

impl<S: AsyncRead + Unpin, K: Clock> AsyncRead for TappedStream<S, K> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let length = ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        let mut bytes = buffer.get(..length).unwrap_or_default();
        while let Ok(Some(incoming)) = this.received.next(&mut bytes) {
            if let Incoming::Packet(packet) = incoming {
                this.tap.pass(this.who, false, &packet);
            }
        }
        Poll::Ready(Ok(length))
    }
}

impl<S: AsyncWrite + Unpin, K: Clock> AsyncWrite for TappedStream<S, K> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let length = ready!(Pin::new(&mut this.stream).poll_write(cx, bytes))?;
        let mut bytes = bytes.get(..length).unwrap_or_default();
        while let Ok(Some(incoming)) = this.sent.next(&mut bytes) {
            if let Incoming::Packet(packet) = incoming {
                this.tap.pass(this.who, true, &packet);
            }
        }
        Poll::Ready(Ok(length))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
