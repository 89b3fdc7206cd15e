//! TLS: whom it trusts, who it is, and what it says when it fails.

use std::io;
use std::path::{Path, PathBuf};

use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use rcgen::KeyPair;
use shadow_core::{DisconnectCause, Event, TransportFailure};
use transport_tcp::{
    ClientCertificate, Connector, NetworkConnector, TlsConnector, TlsError, TlsOptions,
};

use crate::authority::{Authority, Files, accept};
use crate::peer::{
    DOCUMENT, Peer, Seen, Server, event_where, lamp_config, next_event, start, within,
};

/// Tries one handshake with a server of `authority`; why it fails.
fn failure(authority: Authority, options: TlsOptions) -> String {
    within(async move {
        let server = Server::bind().await;
        let port = server.port();
        let mut connector = TlsConnector::new("localhost", port, &options).unwrap();
        let acceptor = authority.acceptor(None);
        let (connected, _) = future::zip(connector.connect(), accept(&server, &acceptor)).await;
        let text = connected.unwrap_err().to_string();
        let start = format!("TLS with localhost:{port}: ");
        text.strip_prefix(&start)
            .unwrap_or_else(|| panic!("{text}"))
            .to_owned()
    })
}

#[test]
fn the_driver_runs_over_tls_as_over_tcp() {
    within(async {
        let (authority, files) = (Authority::new("ca"), Files::new());
        let server = Server::bind().await;
        let options = files.trusting(&authority);
        let connector = NetworkConnector::tls("localhost", server.port(), &options).unwrap();
        let (client, mut events, driver) = start(lamp_config(), connector);
        let acceptor = authority.acceptor(None);
        let mut peer = Peer::new(accept(&server, &acceptor).await.unwrap());
        peer.welcome().await;
        event_where(&mut events, |event| matches!(event, Event::Ready { .. })).await;
        let lamp = client.own_shadow().unwrap();
        let (got, _) = future::zip(lamp.get(), peer.answer("get", 0, DOCUMENT)).await;
        assert!(got.is_ok());

        // The link is lost and comes back.
        drop(peer);
        let mut peer = Peer::new(accept(&server, &acceptor).await.unwrap());
        peer.welcome().await;
        client.close().await;
        assert_eq!(peer.next().await, Seen::Disconnect);
        assert_eq!(peer.next().await, Seen::Ended);
        driver.await;
    });
}

#[test]
fn another_ca_is_named_as_the_reason() {
    let files = Files::new();
    let options = files.trusting(&Authority::new("theirs"));
    let expected = format!(
        "the server's certificate was not issued by a CA in {}",
        options.ca_file.as_deref().unwrap().display()
    );
    assert_eq!(failure(Authority::new("ours"), options.clone()), expected);
    // One of the same name, but not the same.
    assert_eq!(failure(Authority::new("theirs"), options), expected);
}

#[test]
fn a_private_ca_is_not_among_the_system_s() {
    // A machine without any CA certificates cannot even make the connector.
    if TlsConnector::new("localhost", 1, &TlsOptions::default()).is_ok() {
        assert_eq!(
            failure(Authority::new("ca"), TlsOptions::default()),
            "the server's certificate was not issued by a CA that this system trusts"
        );
    }
}

#[test]
fn another_name_is_named_as_the_reason() {
    let (authority, files) = (Authority::new("ca"), Files::new());
    let options = TlsOptions {
        server_name: Some("device.example".into()),
        ..files.trusting(&authority)
    };
    let text = failure(authority, options);
    assert_eq!(
        text,
        "the server's certificate is not for the name device.example but for localhost"
    );
}

#[test]
fn a_port_without_tls_is_doubted() {
    for (answer, expected) in [
        (
            &b""[..],
            "the server closed the connection during the handshake: is this its TLS port?",
        ),
        // A CONNACK.
        (
            &[0x20, 2, 0, 1, 0],
            "what the server answers is not TLS: is this its TLS port?",
        ),
    ] {
        let text = within(async move {
            let (authority, files) = (Authority::new("ca"), Files::new());
            let server = Server::bind().await;
            let options = files.trusting(&authority);
            let mut connector = TlsConnector::new("localhost", server.port(), &options).unwrap();
            let hang_up = async {
                let mut stream = server.accept_stream().await;
                // The hello is read, as a reset would follow otherwise.
                stream.read(&mut [0; 4096]).await.unwrap();
                stream.write_all(answer).await.unwrap();
            };
            let (connected, ()) = future::zip(connector.connect(), hang_up).await;
            connected.unwrap_err().to_string()
        });
        assert!(text.ends_with(expected), "{text}");
    }
}

#[test]
#[cfg(unix)]
fn a_file_without_an_end_is_not_read_to_its_end() {
    let text = refusal(&with_ca_file(Path::new("/dev/zero"))).to_string();
    assert_eq!(text, "cannot read /dev/zero: it is larger than 4 MiB");
}

#[test]
fn a_server_that_proves_nothing_is_told_as_untrusted() {
    within(async {
        let (authority, files) = (Authority::new("ca"), Files::new());
        let server = Server::bind().await;
        let options = files.trusting(&Authority::new("other"));
        let connector = TlsConnector::new("localhost", server.port(), &options).unwrap();
        let (_client, mut events, driver) = start(lamp_config(), connector);
        assert!(accept(&server, &authority.acceptor(None)).await.is_err());
        let event = next_event(&mut events).await;
        let Event::Disconnected { cause, .. } = event else {
            panic!("{event:?}");
        };
        let DisconnectCause::Transport(TransportFailure::Untrusted(why)) = cause else {
            panic!("{cause:?}");
        };
        let start = format!("TLS with localhost:{}: ", server.port());
        assert!(why.starts_with(&start), "{why}");
        driver.cancel().await;
    });
}

#[test]
fn a_client_certificate_is_shown() {
    within(async {
        let (authority, files) = (Authority::new("ca"), Files::new());
        let server = Server::bind().await;
        let options = TlsOptions {
            client: Some(files.client(&authority)),
            ..files.trusting(&authority)
        };
        let connector = TlsConnector::new("localhost", server.port(), &options).unwrap();
        let (client, _events, driver) = start(lamp_config(), connector);
        let acceptor = authority.acceptor(Some(&authority));
        let stream = accept(&server, &acceptor).await.unwrap();
        assert_eq!(stream.get_ref().1.peer_certificates().unwrap().len(), 1);
        let mut peer = Peer::new(stream);
        peer.welcome().await;
        client.close().await;
        assert_eq!(peer.next().await, Seen::Disconnect);
        driver.await;
    });
}

#[test]
fn a_missing_client_certificate_is_told_by_the_server() {
    within(async {
        let (authority, files) = (Authority::new("ca"), Files::new());
        let server = Server::bind().await;
        let options = files.trusting(&authority);
        let connector = TlsConnector::new("localhost", server.port(), &options).unwrap();
        let (_client, mut events, driver) = start(lamp_config(), connector);
        let acceptor = authority.acceptor(Some(&authority));
        assert!(accept(&server, &acceptor).await.is_err());
        let event = next_event(&mut events).await;
        assert!(
            matches!(&event, Event::Disconnected { cause: DisconnectCause::Transport(failure), .. }
                if failure.to_string().contains("CertificateRequired")),
            "{event:?}"
        );
        driver.cancel().await;
    });
}

/// What a connector with these options is refused for.
fn refusal(options: &TlsOptions) -> TlsError {
    TlsConnector::new("localhost", 8883, options).unwrap_err()
}

fn with_ca_file(path: &Path) -> TlsOptions {
    TlsOptions {
        ca_file: Some(path.into()),
        ..TlsOptions::default()
    }
}

#[test]
fn errors_name_the_file_and_what_is_wrong_with_it() {
    let (authority, files) = (Authority::new("ca"), Files::new());
    let (_, key) = authority.issue("lamp");

    let path = files.0.path().join("missing.pem");
    let error = refusal(&with_ca_file(&path));
    let start = format!("cannot read {}: ", path.display());
    assert!(error.to_string().starts_with(&start), "{error}");
    assert!(matches!(error, TlsError::Unreadable { error, .. }
        if error.kind() == io::ErrorKind::NotFound));

    let path = files.write("key-only.pem", &key.serialize_pem());
    let error = refusal(&with_ca_file(&path)).to_string();
    assert_eq!(
        error,
        format!("there is no certificate in {}", path.display())
    );

    let path = files.write("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    let error = refusal(&with_ca_file(&path)).to_string();
    let expected = "is not a PEM file: a section has no END line";
    assert_eq!(error, format!("{} {expected}", path.display()));

    let text = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let path = files.write("not-der.pem", text);
    let error = refusal(&with_ca_file(&path));
    assert!(
        matches!(&error, TlsError::Unusable { path: p, .. } if *p == path),
        "{error}"
    );

    let name = "no name".to_owned();
    let options = TlsOptions {
        server_name: Some(name),
        ..files.trusting(&authority)
    };
    assert_eq!(
        refusal(&options).to_string(),
        r#""no name" is neither a DNS name nor an IP address"#
    );
}

#[test]
fn errors_of_a_client_certificate_name_the_file_and_quote_no_key() {
    let (authority, files) = (Authority::new("ca"), Files::new());
    let good = files.client(&authority);
    let refusal = |client: ClientCertificate| {
        refusal(&TlsOptions {
            client: Some(client),
            ..files.trusting(&authority)
        })
    };
    let with_key = |private_key_file: PathBuf| ClientCertificate {
        private_key_file,
        ..good.clone()
    };

    let other = files.write("other.key", &KeyPair::generate().unwrap().serialize_pem());
    assert_eq!(
        refusal(with_key(other.clone())).to_string(),
        format!(
            "the private key in {} does not belong to the certificate in {}",
            other.display(),
            good.certificate_file.display()
        )
    );

    let error = refusal(with_key(good.certificate_file.clone()));
    assert!(matches!(&error, TlsError::NoPrivateKey { path } if *path == good.certificate_file));

    let error = refusal(ClientCertificate {
        certificate_file: good.private_key_file.clone(),
        ..good.clone()
    });
    assert!(matches!(error, TlsError::NoCertificate { path } if path == good.private_key_file));

    let text = "-----BEGIN PRIVATE KEY-----\nsecret!\n-----END PRIVATE KEY-----\n";
    let path = files.write("broken.key", text);
    let error = refusal(with_key(path.clone()));
    let text = format!("{error} {error:?}");
    assert!(
        error.to_string().ends_with("a section is not base64"),
        "{error}"
    );
    assert!(
        text.contains("broken.key") && !text.contains("secret"),
        "{text}"
    );

    let text = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    let path = files.write("not-der.key", text);
    let error = refusal(with_key(path.clone()));
    assert!(
        matches!(&error, TlsError::Unusable { path: p, .. } if *p == path),
        "{error}"
    );
}
