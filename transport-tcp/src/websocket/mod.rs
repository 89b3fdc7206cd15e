//! MQTT over WebSocket: [MQTT-6.0.0-1] to [MQTT-6.0.0-4], over RFC 6455.
//!
//! For networks that let nothing but the web through: the vendor takes it on ports 80 and 443
//! (vendor doc 634/46347). The same packets go the same way, only in binary frames.
//!
//! [`WebSocketConnector`] is the device's end, over TCP, TLS or any other [`Connector`]; [`accept`]
//! is the other one, for tests and small servers.
//!
//! ```
//! use transport_tcp::NetworkConnector;
//! use transport_tcp::websocket::WebSocketConnector;
//!
//! // As the vendor's cloud takes it: port 80, path /mqtt.
//! let connector = NetworkConnector::websocket("PRODUCT001.iotcloud.tencentdevices.com", 80);
//! // Another path.
//! let connector = WebSocketConnector::new("broker.example", 9001).with_path("/")?;
//! assert_eq!(connector.to_string(), "ws://broker.example:9001/");
//! let connector = NetworkConnector::WebSocket(connector);
//! # Ok::<(), transport_tcp::websocket::InvalidPath>(())
//! ```

mod frame;
mod handshake;
mod inbox;
mod stream;

use std::fmt;
use std::io;

use futures_io::{AsyncRead, AsyncWrite};
use tungstenite::http::uri::PathAndQuery;

use crate::connector::Connector;
use crate::tcp::TcpConnector;
#[cfg(feature = "tls")]
use crate::tls::{TlsConnector, TlsError, TlsOptions};

pub use stream::WebSocketStream;

/// Where MQTT is unless [`WebSocketConnector::with_path`] says otherwise: where the vendor's SDKs
/// look for it, as their MQTT library does by default. Many brokers take any path.
pub const DEFAULT_PATH: &str = "/mqtt";

/// The port of WebSocket without TLS (RFC 6455, section 3).
const PORT: u16 = 80;
/// The port of WebSocket over TLS.
#[cfg(any(feature = "tls", test))]
const TLS_PORT: u16 = 443;

/// Connects by WebSocket over the streams of another connector.
///
/// Each connection asks for the subprotocol `mqtt` and is given up where the server does not take it
/// [MQTT-6.0.0-3]. Redirections are not followed, and proxies not asked.
#[derive(Clone)]
pub struct WebSocketConnector<C> {
    below: C,
    /// Where it goes, for people.
    scheme: &'static str,
    address: String,
    /// The Host header.
    host: String,
    path: PathAndQuery,
}

/// A text that is no path of a URL, as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPath(pub String);

impl fmt::Display for InvalidPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no path: it is of the kind of /mqtt", self.0)
    }
}

impl std::error::Error for InvalidPath {}

impl WebSocketConnector<TcpConnector> {
    /// A connector for `host`, a name or an IP address (IPv6 without brackets), and `port`, without
    /// TLS.
    #[must_use]
    pub fn new(host: &str, port: u16) -> WebSocketConnector<TcpConnector> {
        let below = TcpConnector::new(host, port);
        WebSocketConnector::to(below, "ws", host, port, PORT)
    }
}

#[cfg(feature = "tls")]
impl WebSocketConnector<TlsConnector> {
    /// A connector for `host`, a name or an IP address, and `port`, by TLS.
    ///
    /// # Errors
    ///
    /// Those of [`TlsConnector::new`].
    pub fn secure(
        host: &str,
        port: u16,
        options: &TlsOptions,
    ) -> Result<WebSocketConnector<TlsConnector>, TlsError> {
        let below = TlsConnector::new(host, port, options)?;
        let connector = WebSocketConnector::to(below, "wss", host, port, TLS_PORT);
        Ok(connector)
    }
}

impl<C> WebSocketConnector<C> {
    /// A connector over any other. `authority` is the host, with a port where it is not the default
    /// one, as it stands in the URL and the Host header.
    #[must_use]
    pub fn over(below: C, authority: &str) -> WebSocketConnector<C> {
        WebSocketConnector {
            below,
            scheme: "ws",
            address: authority.into(),
            host: authority.into(),
            path: PathAndQuery::from_static(DEFAULT_PATH),
        }
    }

    fn to(
        below: C,
        scheme: &'static str,
        host: &str,
        port: u16,
        default_port: u16,
    ) -> WebSocketConnector<C> {
        let host = match host.contains(':') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        let address = format!("{host}:{port}");
        let authority = match port == default_port {
            true => host,
            false => address.clone(),
        };
        WebSocketConnector {
            scheme,
            address,
            ..WebSocketConnector::over(below, &authority)
        }
    }

    /// The same connector with another path than [`DEFAULT_PATH`]. It begins with `/` and may end in
    /// a query, as in `/mqtt?v=1`.
    ///
    /// # Errors
    ///
    /// [`InvalidPath`] for any other text.
    pub fn with_path(self, path: &str) -> Result<WebSocketConnector<C>, InvalidPath> {
        let invalid = || InvalidPath(path.to_owned());
        if !path.starts_with('/') || path.contains('#') {
            return Err(invalid());
        }
        let path = path.parse().map_err(|_| invalid())?;
        Ok(WebSocketConnector { path, ..self })
    }
}

/// The URL, as in `wss://example.com:443/mqtt`, without the query: there can be a token in it.
impl<C> fmt::Display for WebSocketConnector<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.address, self.path.path())
    }
}

/// Without the query, as in text for people.
impl<C: fmt::Debug> fmt::Debug for WebSocketConnector<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketConnector")
            .field("below", &self.below)
            .field("host", &self.host)
            .field("path", &self.path.path())
            .finish_non_exhaustive()
    }
}

impl<C: Connector> Connector for WebSocketConnector<C> {
    type Stream = WebSocketStream<C::Stream>;

    /// # Errors
    ///
    /// Those of the connector below. Where the handshake fails, the text names host and port, and
    /// the HTTP status or what else is wrong with the server's answer.
    async fn connect(&mut self) -> io::Result<WebSocketStream<C::Stream>> {
        let mut stream = self.below.connect().await?;
        match handshake::ask(&mut stream, &self.host, &self.path).await {
            Ok(inbox) => Ok(WebSocketStream::client(stream, inbox)),
            Err(error) => Err(io::Error::new(
                error.kind(),
                format!("WebSocket with {}: {error}", self.address),
            )),
        }
    }
}

/// The server's end of a connection: waits for a client's request, answers it, and gives what the
/// client then writes. For tests and small servers.
///
/// Every path is taken, and any origin: who may do what is for MQTT's login to decide. How long a
/// client may take is for the caller to limit.
///
/// # Errors
///
/// Those of the stream, and:
///
/// * [`InvalidData`](io::ErrorKind::InvalidData): the request is no HTTP, its headers are longer
///   than 8 KiB, it is not that of a WebSocket client, or it does not ask for the subprotocol
///   `mqtt`. The client is told by status 400.
/// * [`UnexpectedEof`](io::ErrorKind::UnexpectedEof): there is no whole request.
pub async fn accept<S>(mut stream: S) -> io::Result<WebSocketStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let inbox = handshake::answer(&mut stream).await?;
    Ok(WebSocketStream::server(stream, inbox))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455, section 4.1: the port is left out where it is the default one.
    #[test]
    fn the_host_header_names_other_ports_only() {
        let host = |host, port| WebSocketConnector::new(host, port).host;
        assert_eq!(host("cloud.example", 80), "cloud.example");
        assert_eq!(host("cloud.example", 443), "cloud.example:443");
        assert_eq!(host("::1", 80), "[::1]");
        assert_eq!(host("::1", 9001), "[::1]:9001");
        let secure = |port| WebSocketConnector::to((), "wss", "::1", port, TLS_PORT);
        assert_eq!(secure(443).host, "[::1]");
        assert_eq!(secure(80).host, "[::1]:80");
        assert_eq!(secure(443).to_string(), "wss://[::1]:443/mqtt");
    }
}
