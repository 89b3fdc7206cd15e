//! TLS over TCP.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_rustls::client::TlsStream;
use futures_rustls::pki_types::pem::{self, PemObject};
use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::{
    CertificateError, ClientConfig, Error, InconsistentKeys, OtherError, RootCertStore,
};
use smol::net::TcpStream;
use zeroize::Zeroizing;

use crate::connector::{Connector, UntrustedPeer};
use crate::tcp::TcpConnector;

/// The most that is read of a file: many times the CA certificates of an operating system.
const MAXIMUM_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Whom to trust and who to be.
///
/// The server's certificate and its name are always verified, by TLS 1.2 or 1.3; nothing here turns
/// that off, and no environment variable does. (On some systems SSL_CERT_FILE and SSL_CERT_DIR name
/// the CAs that the operating system trusts.) Nor is there a way back to plain TCP when TLS fails:
/// that is another connector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// PEM file with the certificates of the CAs to trust, and no others. `None`: those that the
    /// operating system trusts.
    pub ca_file: Option<PathBuf>,
    /// The certificate to show to the server, as devices of `auth_mode` CERT do.
    pub client: Option<ClientCertificate>,
    /// The name that the server's certificate must be for. `None`: the host that is connected to.
    pub server_name: Option<String>,
}

/// A client certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM file with the certificate, followed by those of intermediate CAs if there are any.
    pub certificate_file: PathBuf,
    /// PEM file with the private key: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub private_key_file: PathBuf,
}

/// Why a [`TlsConnector`] cannot be made: the configuration is at fault.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or is larger than 4 MiB.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is no well-formed PEM.
    InvalidPem {
        /// Which.
        path: PathBuf,
        /// What is wrong. Quotes nothing of the file.
        reason: &'static str,
    },
    /// There is no `BEGIN CERTIFICATE` section in the file.
    NoCertificate {
        /// Which.
        path: PathBuf,
    },
    /// There is no section with an unencrypted private key in the file.
    NoPrivateKey {
        /// Which.
        path: PathBuf,
    },
    /// A certificate or key in the file is well-formed PEM but not usable.
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why, in rustls' words.
        reason: String,
    },
    /// The private key is not that of the certificate.
    KeyMismatch {
        /// The certificate's file.
        certificate_file: PathBuf,
        /// The key's file.
        private_key_file: PathBuf,
    },
    /// The name is neither a DNS name nor an IP address.
    InvalidServerName {
        /// The name.
        name: String,
    },
    /// The operating system has no CA certificates to offer.
    NoSystemRoots {
        /// What it says.
        reason: String,
    },
    /// The TLS library refused its configuration.
    Unsupported {
        /// Why, in rustls' words.
        reason: String,
    },
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::Unreadable { path, error } => {
                write!(f, "cannot read {}: {error}", path.display())
            }
            TlsError::InvalidPem { path, reason } => {
                write!(f, "{} is not a PEM file: {reason}", path.display())
            }
            TlsError::NoCertificate { path } => {
                write!(f, "there is no certificate in {}", path.display())
            }
            TlsError::NoPrivateKey { path } => {
                write!(
                    f,
                    "there is no unencrypted private key in {}",
                    path.display()
                )
            }
            TlsError::Unusable { path, reason } => {
                write!(f, "{} cannot be used: {reason}", path.display())
            }
            TlsError::KeyMismatch {
                certificate_file,
                private_key_file,
            } => write!(
                f,
                "the private key in {} does not belong to the certificate in {}",
                private_key_file.display(),
                certificate_file.display()
            ),
            TlsError::InvalidServerName { name } => {
                write!(f, "{name:?} is neither a DNS name nor an IP address")
            }
            TlsError::NoSystemRoots { reason } => write!(
                f,
                "no CA file is configured and the system offers no CA certificates ({reason})"
            ),
            TlsError::Unsupported { reason } => write!(f, "cannot set up TLS: {reason}"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TlsError::Unreadable { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Connects by TLS 1.2 or 1.3 to one host and port.
#[derive(Clone)]
pub struct TlsConnector {
    tcp: TcpConnector,
    server_name: ServerName<'static>,
    config: Arc<ClientConfig>,
    /// Which CAs are trusted, for error texts.
    trusted: String,
}

impl TlsConnector {
    /// A connector for `host`, a name or an IP address, and `port`.
    ///
    /// Reads the files that `options` names, or the system's CA certificates, which takes a while
    /// and blocks.
    ///
    /// # Errors
    ///
    /// [`TlsError`]; no connection is tried.
    pub fn new(host: &str, port: u16, options: &TlsOptions) -> Result<TlsConnector, TlsError> {
        let name = options.server_name.as_deref().unwrap_or(host);
        let server_name = ServerName::try_from(name.to_owned())
            .map_err(|_| TlsError::InvalidServerName { name: name.into() })?;
        let (roots, trusted) = match &options.ca_file {
            Some(path) => (roots_in(path)?, format!("in {}", path.display())),
            None => (system_roots()?, "that this system trusts".into()),
        };
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Unsupported {
                reason: error.to_string(),
            })?
            .with_root_certificates(roots);
        let config = match &options.client {
            None => builder.with_no_client_auth(),
            Some(client) => {
                let chain = certificates_in(&client.certificate_file)?;
                let key = private_key_in(&client.private_key_file)?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| client.refused(&error))?
            }
        };
        Ok(TlsConnector {
            tcp: TcpConnector::new(host, port),
            server_name,
            config: Arc::new(config),
            trusted,
        })
    }

    /// Puts a failed handshake in words that say what to look at.
    fn explain(&self, error: &io::Error) -> String {
        let cause = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
        let invalid = match cause {
            Some(Error::InvalidCertificate(invalid)) => invalid,
            Some(Error::InvalidMessage(_)) => {
                return "what the server answers is not TLS: is this its TLS port?".into();
            }
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                return "the server closed the connection during the handshake: is this its TLS \
                        port?"
                    .into();
            }
            _ => return error.to_string(),
        };
        let name = self.server_name.to_str();
        match invalid {
            CertificateError::NotValidForName => {
                format!("the server's certificate is not for the name {name}")
            }
            CertificateError::NotValidForNameContext { presented, .. } => format!(
                "the server's certificate is not for the name {name} but for {}",
                presented
                    .iter()
                    .map(|name| bare(name))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
                "the server's certificate was not issued by a CA {}",
                self.trusted
            ),
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => {
                format!("{invalid}; is this device's clock right?")
            }
            // The verifier's own error, whose type this crate does not name.
            CertificateError::Other(OtherError(other))
                if other.to_string() == "CaUsedAsEndEntity" =>
            {
                "the server shows the certificate of a CA, which may sign others and identifies no \
                 server: let that CA issue one for the server, or make the server's own one with \
                 basicConstraints CA:FALSE and trust that"
                    .into()
            }
            other => format!("the server's certificate is refused: {other}"),
        }
    }
}

/// A name of a certificate as people write it, from rustls' `DnsName("device.example")`.
fn bare(presented: &str) -> &str {
    presented
        .strip_prefix("DnsName(\"")
        .and_then(|rest| rest.strip_suffix("\")"))
        .unwrap_or(presented)
}

/// Without keys.
impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector")
            .field("tcp", &self.tcp)
            .field("server_name", &self.server_name)
            .field("trusted", &self.trusted)
            .finish_non_exhaustive()
    }
}

impl Connector for TlsConnector {
    type Stream = TlsStream<TcpStream>;

    /// # Errors
    ///
    /// Those of [`TcpConnector::connect`](Connector::connect). Where the handshake fails, the text
    /// names host and port and says whether the name, the CA or the validity was wrong.
    async fn connect(&mut self) -> io::Result<TlsStream<TcpStream>> {
        let stream = self.tcp.connect().await?;
        futures_rustls::TlsConnector::from(Arc::clone(&self.config))
            .connect(self.server_name.clone(), stream)
            .await
            .map_err(|error| {
                let text = format!("TLS with {}: {}", self.tcp, self.explain(&error));
                let cause = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
                if let Some(Error::InvalidCertificate(_)) = cause {
                    io::Error::new(error.kind(), UntrustedPeer(text))
                } else {
                    io::Error::new(error.kind(), text)
                }
            })
    }
}

impl ClientCertificate {
    fn refused(&self, error: &Error) -> TlsError {
        match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::KeyMismatch {
                certificate_file: self.certificate_file.clone(),
                private_key_file: self.private_key_file.clone(),
            },
            Error::InvalidCertificate(_) => unusable(&self.certificate_file, error),
            _ => unusable(&self.private_key_file, error),
        }
    }
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Stores of operating systems hold certificates that no verifier takes; the others still count.
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let reason = found
            .errors
            .first()
            .map_or_else(|| "none found".into(), ToString::to_string);
        return Err(TlsError::NoSystemRoots { reason });
    }
    Ok(roots)
}

fn roots_in(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates_in(path)? {
        roots
            .add(certificate)
            .map_err(|error| unusable(path, &error))?;
    }
    Ok(roots)
}

fn certificates_in(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = certificates.map_err(|error| invalid_pem(path, &error))?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.into() });
    }
    Ok(certificates)
}

fn private_key_in(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoPrivateKey { path: path.into() },
        pem::Error::Base64Decode(_) if has_encryption_header(&text) => {
            TlsError::NoPrivateKey { path: path.into() }
        }
        error => invalid_pem(path, &error),
    })
}

/// Whether a section begins as an encrypted key of OpenSSL's older form (RFC 1421, section
/// 4.6.1.1), whose header is no base64.
fn has_encryption_header(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n')
        .any(|line| line.trim_ascii_end() == b"Proc-Type: 4,ENCRYPTED")
}

/// The text is wiped when it goes: there can be a private key in it.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let mut content = Zeroizing::new(Vec::new());
    let read = File::open(path).and_then(|file| {
        // Room for all of it at once: a buffer that grows leaves copies behind.
        let size = file.metadata()?.len().min(MAXIMUM_FILE_BYTES);
        content.reserve_exact(usize::try_from(size).unwrap_or_default());
        // A byte more than is allowed: a device such as /dev/zero tells no length.
        let length = file
            .take(MAXIMUM_FILE_BYTES + 1)
            .read_to_end(&mut content)?;
        match length as u64 > MAXIMUM_FILE_BYTES {
            true => Err(io::Error::other("it is larger than 4 MiB")),
            false => Ok(()),
        }
    });
    match read {
        Ok(()) => Ok(content),
        Err(error) => Err(TlsError::Unreadable {
            path: path.into(),
            error,
        }),
    }
}

/// The library's own text would quote lines of the file, which can be a key.
fn invalid_pem(path: &Path, error: &pem::Error) -> TlsError {
    let reason = match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no END line",
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is malformed",
        pem::Error::Base64Decode(_) => "a section is not base64",
        _ => "it is malformed",
    };
    TlsError::InvalidPem {
        path: path.into(),
        reason,
    }
}

fn unusable(path: &Path, error: &Error) -> TlsError {
    TlsError::Unusable {
        path: path.into(),
        reason: error.to_string(),
    }
}
