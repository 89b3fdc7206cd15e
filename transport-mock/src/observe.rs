//! A connector that lets somebody listen in.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use shadow_core::mqtt::{
    Incoming, MAXIMUM_REMAINING_LENGTH, Oversized, Packet, ProtocolVersion, StreamDecoder,
};
use transport_tcp::Connector;

/// What an [`ObservingConnector`] tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum Observation<'a> {
    /// A connection is asked for.
    Connecting,
    /// It did not come about.
    Failed(&'a io::Error),
    /// A packet went to the peer.
    Sent(&'a Packet<'a>),
    /// A packet came from the peer.
    Received(&'a Packet<'a>),
    /// The connection was closed from this side.
    Closed,
    /// The peer closed its direction.
    Ended,
}

/// A connector whose connections are read along, packet by packet. Bytes that are no MQTT pass
/// unread, as do those behind them.
#[derive(Debug)]
pub struct ObservingConnector<C, O> {
    inner: C,
    observer: O,
}

impl<C, O> ObservingConnector<C, O>
where
    C: Connector,
    O: FnMut(Observation<'_>) + Clone + Send + 'static,
{
    /// Tells `observer` what happens on the connections of `inner`. Each connection has a clone of
    /// it.
    pub fn new(inner: C, observer: O) -> ObservingConnector<C, O> {
        ObservingConnector { inner, observer }
    }
}

impl<C, O> Connector for ObservingConnector<C, O>
where
    C: Connector,
    O: FnMut(Observation<'_>) + Clone + Send + 'static,
{
    type Stream = ObservedStream<C::Stream, O>;

    /// # Errors
    ///
    /// Those of the connector inside.
    fn connect(&mut self) -> impl Future<Output = io::Result<Self::Stream>> + Send {
        let mut observer = self.observer.clone();
        let connecting = self.inner.connect();
        async move {
            observer(Observation::Connecting);
            match connecting.await {
                Ok(inner) => Ok(ObservedStream {
                    inner,
                    observer,
                    sent: decoder(),
                    received: decoder(),
                }),
                Err(error) => {
                    observer(Observation::Failed(&error));
                    Err(error)
                }
            }
        }
    }
}

/// A stream of an [`ObservingConnector`].
#[derive(Debug)]
pub struct ObservedStream<S, O> {
    inner: S,
    observer: O,
    sent: StreamDecoder,
    received: StreamDecoder,
}

// Only the stream is ever pinned.
impl<S: Unpin, O> Unpin for ObservedStream<S, O> {}

/// For the version of MQTT 3.1.1 until the CONNECT tells another.
fn decoder() -> StreamDecoder {
    let version = ProtocolVersion::V311;
    StreamDecoder::new(version, MAXIMUM_REMAINING_LENGTH, Oversized::Refuse)
}

impl<S, O: FnMut(Observation<'_>)> ObservedStream<S, O> {
    fn observe_sent(&mut self, mut bytes: &[u8]) {
        while let Ok(Some(incoming)) = self.sent.next(&mut bytes) {
            let Incoming::Packet(packet) = incoming else {
                continue;
            };
            (self.observer)(Observation::Sent(&packet));
            if let Packet::Connect(connect) = packet {
                let version = connect.version;
                self.sent.set_version(version);
                self.received.set_version(version);
            }
        }
    }

    fn observe_received(&mut self, mut bytes: &[u8]) {
        while let Ok(Some(incoming)) = self.received.next(&mut bytes) {
            if let Incoming::Packet(packet) = incoming {
                (self.observer)(Observation::Received(&packet));
            }
        }
    }
}

impl<S: AsyncRead + Unpin, O: FnMut(Observation<'_>)> AsyncRead for ObservedStream<S, O> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let read = Pin::new(&mut this.inner).poll_read(cx, buffer);
        match read {
            Poll::Ready(Ok(0)) if !buffer.is_empty() => (this.observer)(Observation::Ended),
            Poll::Ready(Ok(len)) => this.observe_received(buffer.get(..len).unwrap_or_default()),
            Poll::Ready(Err(_)) | Poll::Pending => {}
        }
        read
    }
}

impl<S: AsyncWrite + Unpin, O: FnMut(Observation<'_>)> AsyncWrite for ObservedStream<S, O> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write(cx, bytes);
        if let Poll::Ready(Ok(len)) = written {
            this.observe_sent(bytes.get(..len).unwrap_or_default());
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let closed = Pin::new(&mut this.inner).poll_close(cx);
        if closed.is_ready() {
            (this.observer)(Observation::Closed);
        }
        closed
    }
}
