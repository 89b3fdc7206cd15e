//! TCP, TLS or WebSocket, as a configuration says.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite, IoSlice};
#[cfg(feature = "tls")]
use futures_rustls::client::TlsStream;
use smol::net::TcpStream;

use crate::connector::Connector;
use crate::tcp::TcpConnector;
#[cfg(feature = "tls")]
use crate::tls::{TlsConnector, TlsError, TlsOptions};
#[cfg(feature = "websocket")]
use crate::websocket::{WebSocketConnector, WebSocketStream};

/// Connects by TCP, TLS or WebSocket, for callers that learn which only at run time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NetworkConnector {
    /// Plain TCP.
    Tcp(TcpConnector),
    /// TLS over TCP.
    #[cfg(feature = "tls")]
    Tls(TlsConnector),
    /// WebSocket over TCP.
    #[cfg(feature = "websocket")]
    WebSocket(WebSocketConnector<TcpConnector>),
    /// WebSocket over TLS.
    #[cfg(all(feature = "websocket", feature = "tls"))]
    SecureWebSocket(WebSocketConnector<TlsConnector>),
}

impl NetworkConnector {
    /// Plain TCP to `host` and `port`.
    #[must_use]
    pub fn tcp(host: &str, port: u16) -> NetworkConnector {
        NetworkConnector::Tcp(TcpConnector::new(host, port))
    }

    /// TLS to `host` and `port`.
    ///
    /// # Errors
    ///
    /// Those of [`TlsConnector::new`].
    #[cfg(feature = "tls")]
    pub fn tls(host: &str, port: u16, options: &TlsOptions) -> Result<NetworkConnector, TlsError> {
        TlsConnector::new(host, port, options).map(NetworkConnector::Tls)
    }

    /// WebSocket without TLS to `host` and `port`, at the
    /// [default path](crate::websocket::DEFAULT_PATH).
    #[cfg(feature = "websocket")]
    #[must_use]
    pub fn websocket(host: &str, port: u16) -> NetworkConnector {
        NetworkConnector::WebSocket(WebSocketConnector::new(host, port))
    }

    /// WebSocket over TLS to `host` and `port`, at the
    /// [default path](crate::websocket::DEFAULT_PATH).
    ///
    /// # Errors
    ///
    /// Those of [`TlsConnector::new`].
    #[cfg(all(feature = "websocket", feature = "tls"))]
    pub fn secure_websocket(
        host: &str,
        port: u16,
        options: &TlsOptions,
    ) -> Result<NetworkConnector, TlsError> {
        WebSocketConnector::secure(host, port, options).map(NetworkConnector::SecureWebSocket)
    }
}

impl Connector for NetworkConnector {
    type Stream = NetworkStream;

    /// # Errors
    ///
    /// Those of the connector within.
    async fn connect(&mut self) -> io::Result<NetworkStream> {
        match self {
            NetworkConnector::Tcp(tcp) => tcp.connect().await.map(NetworkStream::Tcp),
            #[cfg(feature = "tls")]
            NetworkConnector::Tls(tls) => {
                let stream = tls.connect().await?;
                Ok(NetworkStream::Tls(Box::new(stream)))
            }
            #[cfg(feature = "websocket")]
            NetworkConnector::WebSocket(websocket) => {
                let stream = websocket.connect().await?;
                Ok(NetworkStream::WebSocket(Box::new(stream)))
            }
            #[cfg(all(feature = "websocket", feature = "tls"))]
            NetworkConnector::SecureWebSocket(websocket) => {
                let stream = websocket.connect().await?;
                Ok(NetworkStream::SecureWebSocket(Box::new(stream)))
            }
        }
    }
}

/// A connection of a [`NetworkConnector`].
#[derive(Debug)]
#[non_exhaustive]
pub enum NetworkStream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<TcpStream>>),
    /// WebSocket over TCP.
    #[cfg(feature = "websocket")]
    WebSocket(Box<WebSocketStream<TcpStream>>),
    /// WebSocket over TLS.
    #[cfg(all(feature = "websocket", feature = "tls"))]
    SecureWebSocket(Box<WebSocketStream<TlsStream<TcpStream>>>),
}

impl NetworkStream {
    fn reader(&mut self) -> Pin<&mut (dyn AsyncRead + Unpin)> {
        match self {
            NetworkStream::Tcp(stream) => Pin::new(stream),
            #[cfg(feature = "tls")]
            NetworkStream::Tls(stream) => Pin::new(&mut **stream),
            #[cfg(feature = "websocket")]
            NetworkStream::WebSocket(stream) => Pin::new(&mut **stream),
            #[cfg(all(feature = "websocket", feature = "tls"))]
            NetworkStream::SecureWebSocket(stream) => Pin::new(&mut **stream),
        }
    }

    fn writer(&mut self) -> Pin<&mut (dyn AsyncWrite + Unpin)> {
        match self {
            NetworkStream::Tcp(stream) => Pin::new(stream),
            #[cfg(feature = "tls")]
            NetworkStream::Tls(stream) => Pin::new(&mut **stream),
            #[cfg(feature = "websocket")]
            NetworkStream::WebSocket(stream) => Pin::new(&mut **stream),
            #[cfg(all(feature = "websocket", feature = "tls"))]
            NetworkStream::SecureWebSocket(stream) => Pin::new(&mut **stream),
        }
    }
}

impl AsyncRead for NetworkStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.reader().poll_read(cx, buffer)
    }
}

impl AsyncWrite for NetworkStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writer().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writer().poll_write_vectored(cx, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer().poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer().poll_close(cx)
    }
}
