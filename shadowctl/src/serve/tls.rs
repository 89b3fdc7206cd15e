//! The server's half of TLS.

use std::path::Path;
use std::sync::Arc;

use futures_rustls::TlsAcceptor;
use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::{Error, InconsistentKeys, ServerConfig};

use crate::failure::Failure;
use crate::input;

/// TLS 1.2 and 1.3 with a certificate and its key, which asks clients for none.
///
/// # Errors
///
/// [`FailureKind::InputFile`](crate::failure::FailureKind), naming the file; it quotes nothing of
/// it.
pub(super) fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Failure> {
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&input::read(certificate)?).collect();
    let chain = chain.map_err(|error| not_pem(certificate, &error))?;
    if chain.is_empty() {
        return Err(Failure::input_file(
            certificate,
            "there is no certificate in it",
        ));
    }
    let private_key =
        PrivateKeyDer::from_pem_slice(&input::read(key)?).map_err(|error| match error {
            pem::Error::NoItemsFound => {
                Failure::input_file(key, "there is no unencrypted private key in it")
            }
            error => not_pem(key, &error),
        })?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::operation(format_args!("cannot set up TLS: {error}")))?
        .with_no_client_auth()
        .with_single_cert(chain, private_key)
        .map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Failure::input_file(
                key,
                format_args!(
                    "the private key does not belong to the certificate in {}",
                    certificate.display()
                ),
            ),
            Error::InvalidCertificate(_) => Failure::input_file(certificate, error),
            error => Failure::input_file(key, error),
        })?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The library's own text would quote lines of the file, which can be a key.
fn not_pem(path: &Path, error: &pem::Error) -> Failure {
    let why = match error {
        pem::Error::MissingSectionEnd { .. } => "not a PEM file: a section has no END line",
        pem::Error::IllegalSectionStart { .. } => "not a PEM file: a BEGIN line is malformed",
        pem::Error::Base64Decode(_) => "not a PEM file: a section is not base64",
        _ => "not a PEM file",
    };
    Failure::input_file(path, why)
}
