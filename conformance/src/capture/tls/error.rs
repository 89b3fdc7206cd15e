//! Why a connection cannot be decrypted.

use std::fmt;

use super::Direction;

/// A TLS connection that cannot be decrypted. Nothing in it depends on a key.
///
/// Offsets are in bytes from the beginning of the side's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsError {
    /// The side's stream does not begin with the hello of a handshake: it is no TLS, or the
    /// capture does not have its beginning.
    NoHello(Direction),
    /// What the server chose is no version that is supported: 0x0303 is TLS 1.2, 0x0304 TLS 1.3.
    Version(u16),
    /// The cipher suite is not supported
    /// (<https://www.iana.org/assignments/tls-parameters>).
    CipherSuite(u16),
    /// The client may have sent 0-RTT data (RFC 8446 section 2.3).
    EarlyData,
    /// The key log lacks a secret of this connection.
    NoKey {
        /// The secret's label.
        label: &'static str,
        /// The client's random, the second word of the line that is missing.
        client_random: [u8; 32],
    },
    /// The key log's secret has a length that the cipher suite does not have.
    KeyLength {
        /// The secret's label.
        label: &'static str,
    },
    /// The side negotiates a second time (RFC 5246 section 7.4.1.1).
    Renegotiated {
        /// Who does.
        direction: Direction,
        /// Where its record begins.
        offset: usize,
    },
    /// A record or a hello is not as the protocol demands.
    Malformed {
        /// Who sent it.
        direction: Direction,
        /// Where it begins.
        offset: usize,
    },
    /// A record cannot be decrypted with the key log's secret.
    Unauthentic {
        /// Who sent it.
        direction: Direction,
        /// Where it begins.
        offset: usize,
    },
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |direction: &Direction| match direction {
            Direction::Device => "device",
            Direction::Server => "server",
        };
        match self {
            TlsError::NoHello(direction) => write!(
                f,
                "the capture has no beginning of a TLS handshake by the {}",
                who(direction)
            ),
            TlsError::Version(version) => write!(
                f,
                "TLS version 0x{version:04x} is not supported; TLS 1.2 and 1.3 are"
            ),
            TlsError::CipherSuite(suite) => write!(
                f,
                "cipher suite 0x{suite:04x} is not supported; those of AES-GCM and \
                 ChaCha20-Poly1305 are"
            ),
            TlsError::EarlyData => f.write_str("0-RTT data is not supported"),
            TlsError::NoKey {
                label,
                client_random,
            } => {
                write!(f, "the key log has no line `{label} ")?;
                for byte in client_random {
                    write!(f, "{byte:02x}")?;
                }
                f.write_str(" ..`")
            }
            TlsError::KeyLength { label } => write!(
                f,
                "the key log's {label} has another length than the cipher suite demands"
            ),
            TlsError::Renegotiated { direction, offset } => write!(
                f,
                "renegotiation, by the {} at offset {offset}, is not supported",
                who(direction)
            ),
            TlsError::Malformed { direction, offset } => write!(
                f,
                "malformed TLS of the {} at offset {offset}",
                who(direction)
            ),
            TlsError::Unauthentic { direction, offset } => write!(
                f,
                "the TLS record of the {} at offset {offset} does not authenticate with the key \
                 log's secret",
                who(direction)
            ),
        }
    }
}

impl std::error::Error for TlsError {}
