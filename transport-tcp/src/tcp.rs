//! Plain TCP.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use smol::net::TcpStream;

use crate::connector::Connector;

/// Connects by TCP to one host and port.
///
/// Every connection resolves the name anew and tries every address it has, one after the other. A
/// try that was given up in the middle, as by the engine's connect timeout, makes the next one begin
/// with the next address, so that one address that never answers does not hide the others.
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
        let mut kind = io::ErrorKind::NotFound;
        let mut failures = Vec::new();
        let first = self.first.checked_rem(addresses.len()).unwrap_or(0);
        let order = (first..addresses.len()).chain(0..first);
        for (index, address) in order.filter_map(|index| Some((index, addresses.get(index)?))) {
            self.first = index + 1;
            match open(*address).await {
                Ok(stream) => {
                    self.first = index;
                    return Ok(stream);
                }
                Err(error) => {
                    kind = error.kind();
                    failures.push(format!("{address}: {error}"));
                }
            }
        }
        if failures.is_empty() {
            failures.push("the name has no address".into());
        }
        Err(self.failure(kind, failures.join(", ")))
    }
}

async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
