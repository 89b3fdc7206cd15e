//! A certificate authority and its servers, and files for a client of theirs.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use futures_rustls::TlsAcceptor;
use futures_rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::server::WebPkiClientVerifier;
use futures_rustls::rustls::{RootCertStore, ServerConfig};
use futures_rustls::server::TlsStream;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use smol::net::TcpStream;
use tempfile::TempDir;
use transport_tcp::{ClientCertificate, TlsOptions};

use crate::peer::Server;

/// A certificate authority of a test.
pub(crate) struct Authority(pub(crate) CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Authority(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// A certificate for `name`, with its key, as PEM.
    pub(crate) fn issue(&self, name: &str) -> (String, KeyPair) {
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key)
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// A server for "localhost"; with `clients`, it wants a certificate of that authority.
    pub(crate) fn acceptor(&self, clients: Option<&Authority>) -> TlsAcceptor {
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        self.acceptor_with(&params, clients)
    }

    /// A server with this certificate; with `clients`, it wants one of that authority.
    pub(crate) fn acceptor_with(
        &self,
        params: &CertificateParams,
        clients: Option<&Authority>,
    ) -> TlsAcceptor {
        let provider = Arc::new(ring::default_provider());
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().der().clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(clients.roots()), provider)
                    .build()
                    .unwrap(),
            ),
        };
        let config = builder.with_single_cert(vec![certificate], key).unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Authority {
    /// A server that shows the authority's own certificate.
    pub(crate) fn acceptor_of_itself(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.0.key().serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.0.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

pub(crate) async fn accept(
    server: &Server,
    acceptor: &TlsAcceptor,
) -> io::Result<TlsStream<TcpStream>> {
    acceptor.accept(server.accept_stream().await).await
}

/// Files of a test, gone with it.
pub(crate) struct Files(pub(crate) TempDir);

impl Files {
    pub(crate) fn new() -> Files {
        Files(TempDir::new().unwrap())
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn trusting(&self, authority: &Authority) -> TlsOptions {
        TlsOptions {
            ca_file: Some(self.write("ca.pem", &authority.0.pem())),
            ..TlsOptions::default()
        }
    }

    pub(crate) fn client(&self, authority: &Authority) -> ClientCertificate {
        let (certificate, key) = authority.issue("lamp");
        ClientCertificate {
            certificate_file: self.write("client.pem", &certificate),
            private_key_file: self.write("client.key", &key.serialize_pem()),
        }
    }
}
