//! Plain TCP.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use smol::net::TcpStream;

use crate::connector::Connector;

/// Connects by TCP to one host and port.
///
/// Every connection resolves the name anew and tries every address it has, one after the other. A
/// try that was given up in the middle, as by the engine's connect timeout, makes the next one
/// begin with the next address, so that one address that never answers does not hide the others.
///
/// The name is resolved on smol's thread pool, and small packets leave at once (`TCP_NODELAY`).
#[derive(Clone, Debug)]
pub struct TcpConnector {
    host: String,
    port: u16,
    /// Which of the addresses to begin with.
    first: usize,
}

impl TcpConnector {
    /// A connector for `host`, a name or an IP address (IPv6 without brackets), and `port`.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> TcpConnector {
        TcpConnector {
            host: host.into(),
            port,
            first: 0,
        }
    }

    /// The host as it was given.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    async fn connect_to_any(&mut self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        let mut kind = io::ErrorKind::NotFound;
        let mut failures = Vec::new();
        let round = addresses.iter().enumerate().cycle().skip(self.first);
        for (index, address) in round.take(addresses.len()) {
            self.first = index + 1;
            match open(*address).await {
                Ok(stream) => {
                    self.first = index;
                    return Ok(stream);
                }
                Err(error) => {
                    kind = error.kind();
                    failures.push(if address.to_string() == self.to_string() {
                        // The host is an address already.
                        error.to_string()
                    } else {
                        format!("{address}: {error}")
                    });
                }
            }
        }
        if failures.is_empty() {
            failures.push("the name has no address".into());
        }
        Err(self.failure(kind, failures.join(", ")))
    }

    fn failure(&self, kind: io::ErrorKind, why: impl fmt::Display) -> io::Error {
        io::Error::new(kind, format!("{self}: {why}"))
    }
}

/// Host and port, as in `example.com:1883`.
impl fmt::Display for TcpConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Connector for TcpConnector {
    type Stream = TcpStream;

    /// # Errors
    ///
    /// The text names host and port; then why the name has no address, or each address and why it
    /// cannot be reached. The kind is that of the last failure.
    async fn connect(&mut self) -> io::Result<TcpStream> {
        let addresses = smol::net::resolve((self.host.as_str(), self.port))
            .await
            .map_err(|error| self.failure(error.kind(), error))?;
        self.connect_to_any(&addresses).await
    }
}

async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use futures_lite::future;

    use super::*;

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[test]
    fn every_address_is_tried() {
        let (closed, refused) = listener();
        drop(closed);
        let (_listening, open) = listener();
        let mut connector = TcpConnector::new("device.example", 1883);
        smol::block_on(async {
            // The second time it begins with the one that was good.
            for _ in 0..2 {
                let stream = connector.connect_to_any(&[refused, open]).await.unwrap();
                assert_eq!(stream.peer_addr().unwrap(), open);
                assert_eq!(connector.first, 1);
            }
            let error = connector.connect_to_any(&[refused]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            let start = format!("device.example:1883: {refused}: ");
            assert!(error.to_string().starts_with(&start), "{error}");
            let error = connector.connect_to_any(&[]).await.unwrap_err();
            let expected = "device.example:1883: the name has no address";
            assert_eq!(error.to_string(), expected);
        });
    }

    #[test]
    fn a_try_that_was_given_up_makes_the_next_address_the_first() {
        let (_first, first) = listener();
        let (_second, second) = listener();
        let mut connector = TcpConnector::new("device.example", 1883);
        smol::block_on(async {
            let given_up = future::poll_once(connector.connect_to_any(&[first, second])).await;
            assert!(given_up.is_none(), "a connection takes at least one wait");
            let stream = connector.connect_to_any(&[first, second]).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), second);
        });
    }

    #[test]
    fn an_ipv6_address_is_shown_in_brackets() {
        assert_eq!(TcpConnector::new("::1", 1883).to_string(), "[::1]:1883");
    }
}
