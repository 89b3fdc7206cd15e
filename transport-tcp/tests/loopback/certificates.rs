//! Which certificates and keys are taken, and how a TLS connection ends.

use std::path::PathBuf;

use futures_lite::{AsyncWriteExt, future};
use futures_rustls::TlsAcceptor;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use shadow_core::{DisconnectCause, Event, TransportFailure};
use transport_tcp::{ClientCertificate, Connector, TlsConnector, TlsError, TlsOptions};

use crate::authority::{Authority, Files, accept};
use crate::peer::{Peer, Server, event_where, lamp_config, start, within};

/// Tries one handshake with a server at `host`; why it fails.
fn handshake(host: &'static str, acceptor: TlsAcceptor, options: TlsOptions) -> Result<(), String> {
    within(async move {
        let server = Server::bind().await;
        let port = server.port();
        let mut connector = TlsConnector::new(host, port, &options).unwrap();
        let (connected, _) = future::zip(connector.connect(), accept(&server, &acceptor)).await;
        connected.map(drop).map_err(|error| {
            let (text, start) = (error.to_string(), format!("TLS with {host}:{port}: "));
            let why = text.strip_prefix(&start);
            why.unwrap_or_else(|| panic!("{text}")).to_owned()
        })
    })
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).unwrap()
}

#[test]
fn a_host_that_is_an_address_is_verified_as_one() {
    let (authority, files) = (Authority::new("ca"), Files::new());
    let acceptor = authority.acceptor_with(&params("127.0.0.1"), None);
    let options = files.trusting(&authority);
    assert_eq!(handshake("127.0.0.1", acceptor, options.clone()), Ok(()));

    // The server answers at the address, but its certificate is for another or for a name.
    for other in ["127.0.0.2", "localhost"] {
        let acceptor = authority.acceptor_with(&params(other), None);
        let why = handshake("127.0.0.1", acceptor, options.clone()).unwrap_err();
        let start = "the server's certificate is not for the name 127.0.0.1 but for ";
        assert!(why.starts_with(start) && why.contains(other), "{why}");
    }
}

#[test]
fn every_ca_of_a_file_is_trusted() {
    let (first, second, third) = (
        Authority::new("1"),
        Authority::new("2"),
        Authority::new("3"),
    );
    let files = Files::new();
    let text = format!("a remark\n{}\n{}", first.0.pem(), second.0.pem());
    let options = TlsOptions {
        ca_file: Some(files.write("ca.pem", &text)),
        ..TlsOptions::default()
    };
    for authority in [&first, &second] {
        let tried = handshake("localhost", authority.acceptor(None), options.clone());
        assert_eq!(tried, Ok(()));
    }
    let why = handshake("localhost", third.acceptor(None), options).unwrap_err();
    assert!(why.contains("was not issued by a CA in "), "{why}");
}

#[test]
fn a_certificate_of_another_time_makes_one_look_at_the_clock() {
    let (authority, files) = (Authority::new("ca"), Files::new());
    let options = files.trusting(&authority);
    for (from, until) in [(1990, 2000), (2990, 3000)] {
        let mut params = params("localhost");
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let acceptor = authority.acceptor_with(&params, None);
        let why = handshake("localhost", acceptor, options.clone()).unwrap_err();
        assert!(why.ends_with("; is this device's clock right?"), "{why}");
    }
}

/// `openssl req -x509` makes such a certificate unless it is told not to.
#[test]
fn a_ca_s_certificate_is_no_server_s_and_that_is_said_in_words() {
    let (authority, files) = (Authority::new("ca"), Files::new());
    let mut ca = params("localhost");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let acceptor = authority.acceptor_with(&ca, None);
    let why = handshake("localhost", acceptor, files.trusting(&authority)).unwrap_err();
    assert!(
        why.contains("the server shows the certificate of a CA"),
        "{why}"
    );
    assert!(why.contains("basicConstraints CA:FALSE"), "{why}");
    assert!(!why.contains("CaUsedAsEndEntity"), "{why}");
}

/// What it says to do: one's own certificate that is no CA's is taken by whoever trusts it.
#[test]
fn a_certificate_of_its_own_is_trusted_where_it_is_no_ca_s() {
    let (mut own, files) = (params("localhost"), Files::new());
    own.is_ca = IsCa::ExplicitNoCa;
    let own = Authority(CertifiedIssuer::self_signed(own, KeyPair::generate().unwrap()).unwrap());
    let options = files.trusting(&own);
    assert_eq!(
        handshake("localhost", own.acceptor_of_itself(), options),
        Ok(())
    );
}

/// What the server says of a client certificate that it does not take.
#[test]
fn a_client_certificate_that_is_refused_is_told_by_the_server() {
    within(async {
        let (authority, files) = (Authority::new("ca"), Files::new());
        let key = KeyPair::generate().unwrap();
        let mut expired = params("lamp");
        expired.not_after = date_time_ymd(2000, 1, 1);
        let expired = expired.signed_by(&key, &authority.0).unwrap();
        let expired = ClientCertificate {
            certificate_file: files.write("expired.pem", &expired.pem()),
            private_key_file: files.write("expired.key", &key.serialize_pem()),
        };
        let foreign = Files::new();
        let foreign_certificate = foreign.client(&Authority::new("theirs"));
        for (client, alert) in [
            (expired, "CertificateExpired"),
            (foreign_certificate, "UnknownCA"),
        ] {
            let server = Server::bind().await;
            let options = TlsOptions {
                client: Some(client),
                ..files.trusting(&authority)
            };
            let connector = TlsConnector::new("localhost", server.port(), &options).unwrap();
            let (_client, mut events, driver) = start(lamp_config(), connector);
            let acceptor = authority.acceptor(Some(&authority));
            assert!(accept(&server, &acceptor).await.is_err());
            let lost = |event: &Event| matches!(event, Event::Disconnected { .. });
            let event = event_where(&mut events, lost).await;
            assert!(format!("{event:?}").contains(alert), "{alert}: {event:?}");
            driver.cancel().await;
        }
    });
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn with_key(certificate: &str, key: &str) -> Result<TlsConnector, TlsError> {
    let (authority, files) = (Authority::new("ca"), Files::new());
    let options = TlsOptions {
        client: Some(ClientCertificate {
            certificate_file: fixture(certificate),
            private_key_file: fixture(key),
        }),
        ..files.trusting(&authority)
    };
    TlsConnector::new("localhost", 8883, &options)
}

#[test]
fn keys_of_openssl_are_taken() {
    for (certificate, key) in [
        ("rsa.crt", "rsa.pkcs1.key"),
        ("rsa.crt", "rsa.pkcs8.key"),
        ("ec.crt", "ec.sec1.key"),
        ("ec.crt", "ec.pkcs8.key"),
    ] {
        assert!(with_key(certificate, key).is_ok(), "{key}");
        let other = if certificate == "rsa.crt" {
            "ec.crt"
        } else {
            "rsa.crt"
        };
        let error = with_key(other, key).unwrap_err();
        assert!(
            matches!(error, TlsError::KeyMismatch { .. }),
            "{key}: {error}"
        );
    }
}

#[test]
fn an_encrypted_key_is_said_to_be_one() {
    for key in ["rsa.encrypted.key", "rsa.pkcs1.encrypted.key"] {
        let error = with_key("rsa.crt", key).unwrap_err();
        assert!(matches!(error, TlsError::NoPrivateKey { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.starts_with("there is no unencrypted private key in "),
            "{text}"
        );
    }
}

/// TLS says when a peer ends in order; without a word the rest of its stream may be missing.
#[test]
fn an_end_without_close_notify_is_a_broken_connection() {
    within(async {
        let (authority, files) = (Authority::new("ca"), Files::new());
        let server = Server::bind().await;
        let options = files.trusting(&authority);
        let connector = TlsConnector::new("localhost", server.port(), &options).unwrap();
        let (_client, mut events, driver) = start(lamp_config(), connector);
        let acceptor = authority.acceptor(None);
        for in_order in [true, false] {
            let mut peer = Peer::new(accept(&server, &acceptor).await.unwrap());
            peer.welcome().await;
            if in_order {
                peer.stream.close().await.unwrap();
            } else {
                let (tcp, _) = peer.stream.get_mut();
                tcp.close().await.unwrap();
            }
            let lost = |event: &Event| matches!(event, Event::Disconnected { .. });
            let event = event_where(&mut events, lost).await;
            let Event::Disconnected {
                cause: DisconnectCause::Transport(failure),
                ..
            } = event
            else {
                panic!("{event:?}");
            };
            assert_eq!(
                failure == TransportFailure::ClosedByPeer,
                in_order,
                "{failure}"
            );
        }
        driver.cancel().await;
    });
}

/// A connection that is given up after any number of polls leaves nothing behind.
#[test]
fn a_handshake_may_be_dropped_after_any_poll() {
    within(async {
        let (authority, files) = (Authority::new("ca"), Files::new());
        let server = Server::bind().await;
        let options = files.trusting(&authority);
        let mut connector = TlsConnector::new("localhost", server.port(), &options).unwrap();
        let acceptor = authority.acceptor(None);
        for polls in 0..6 {
            // It may get as far as taking the one that is given up.
            let serving = async {
                let mut accepted = Vec::new();
                loop {
                    accepted.push(accept(&server, &acceptor).await);
                }
            };
            let connecting = async {
                let mut given_up = Box::pin(connector.connect());
                for _ in 0..polls {
                    if future::poll_once(&mut given_up).await.is_some() {
                        break;
                    }
                    future::yield_now().await;
                }
                drop(given_up);
                drop(connector.connect().await.unwrap());
            };
            future::or(connecting, serving).await;
        }
    });
}
