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
    /// The connection was closed from this side. Nothing follows: what still comes is for nobody.
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
                    closed: false,
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
    /// Whether this side has closed.
    closed: bool,
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
            _ if this.closed => {}
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
        if closed.is_ready() && !std::mem::replace(&mut this.closed, true) {
            (this.observer)(Observation::Closed);
        }
        closed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_lite::future::block_on;
    use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt};

    use super::*;
    use crate::stream::memory_network;

    #[test]
    fn packets_are_told_until_this_side_closes() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let observer = {
            let told = Arc::clone(&told);
            move |observation: Observation<'_>| {
                let what = match observation {
                    Observation::Sent(packet) => format!("sent {}", packet.kind()),
                    Observation::Received(packet) => format!("received {}", packet.kind()),
                    other => format!("{other:?}"),
                };
                told.lock().unwrap().push(what);
            }
        };
        let (connector, mut listener) = memory_network(64, 1);
        let mut connector = ObservingConnector::new(connector, observer);
        block_on(async {
            let mut near = connector.connect().await.unwrap();
            let mut far = listener.next().await.unwrap();
            // Whole packets, however they are cut.
            near.write_all(b"\xc0").await.unwrap();
            near.write_all(b"\x00").await.unwrap();
            far.write_all(b"\xd0\x00\xd0\x00").await.unwrap();
            let mut buffer = [0; 3];
            near.read_exact(&mut buffer).await.unwrap();
            near.close().await.unwrap();
            near.close().await.unwrap();
            drop(far);
            let mut rest = Vec::new();
            near.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest, b"\x00");
        });
        let expected = ["Connecting", "sent PINGREQ", "received PINGRESP", "Closed"];
        assert_eq!(*told.lock().unwrap(), expected);
    }
}
