//! TLS: whom the program trusts, and what it says where it does not.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use futures_rustls::TlsAcceptor;
use futures_rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use futures_rustls::rustls::ServerConfig;
use futures_rustls::rustls::crypto::ring;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::command::{Run, run};
use crate::peer::TestCloud;

/// A certificate authority of a test.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn write(&self, directory: &Path) -> String {
        let path = directory.join("ca.pem");
        fs::write(&path, self.0.pem()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A server with a certificate for `name`.
    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().der().clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn get_by_tls(port: u16, ca: &str, timeout: &str) -> Run {
    let port = port.to_string();
    run([
        "get",
        "--host",
        "localhost",
        "--port",
        &port,
        "--tls",
        "--ca",
        ca,
        "--timeout",
        timeout,
    ])
}

#[test]
fn server_of_the_authority_is_trusted() {
    let (directory, authority) = (TempDir::new().unwrap(), Authority::new());
    let ca = authority.write(directory.path());
    let cloud = TestCloud::with_tls(authority.acceptor("localhost"));
    let run = get_by_tls(cloud.port(), &ca, "30");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    assert!(
        run.stdout.starts_with("EXAMPLE001/test01  version 8"),
        "{run:#?}"
    );
}

#[test]
fn server_of_another_authority_is_not() {
    let (directory, authority) = (TempDir::new().unwrap(), Authority::new());
    let ca = authority.write(directory.path());
    let cloud = TestCloud::with_tls(Authority::new().acceptor("localhost"));
    let place = format!("TLS with localhost:{}: ", cloud.port());
    let why = format!("was not issued by a CA in {ca}");
    // At once: trying again would not help.
    let run = get_by_tls(cloud.port(), &ca, "600");
    run.assert_failed(3, &["error: cannot trust the server: ", &place, &why]);
}

#[test]
fn server_with_another_name_is_not() {
    let (directory, authority) = (TempDir::new().unwrap(), Authority::new());
    let ca = authority.write(directory.path());
    let cloud = TestCloud::with_tls(authority.acceptor("cloud.example"));
    let run = get_by_tls(cloud.port(), &ca, "600");
    run.assert_failed(
        3,
        &["error: ", "is not for the name localhost", "cloud.example"],
    );
}

#[test]
fn bad_ca_files_are_named() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ca.pem");
    let ca = path.to_str().unwrap();
    get_by_tls(1, ca, "2").assert_failed(4, &["cannot read", "ca.pem", "No such file"]);
    fs::write(&path, "not a certificate").unwrap();
    get_by_tls(1, ca, "2").assert_failed(4, &["no certificate in", "ca.pem"]);
}

#[test]
fn certificate_files_are_looked_for_beside_device_info() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("device_info.json");
    let ca = Authority::new().write(directory.path());
    let content = r#"{"auth_mode":"CERT","productId":"A","deviceName":"b","cert_deviceinfo":
        {"devCaFile":"ca.pem","devCertFile":"c.pem","devPrivateKeyFile":"k.pem"}}"#;
    fs::write(&path, content).unwrap();
    let missing = directory.path().join("c.pem");
    let words = ["cannot read", missing.to_str().unwrap()];
    let device = path.to_str().unwrap();
    run(["get", "--device", device, "--host", "localhost"]).assert_failed(4, &words);
    run([
        "get",
        "--device",
        device,
        "--host",
        "localhost",
        "--ca",
        &ca,
    ])
    .assert_failed(4, &words);
}
