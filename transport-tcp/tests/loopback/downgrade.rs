//! A server, or somebody between, that wants less than the client may give.

use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use transport_tcp::{Connector, TlsConnector, TlsOptions};

use crate::authority::{Authority, Files, accept};
use crate::peer::{Server, lamp_config, start, within};

/// The end of a server's random bytes by which it tells a client of TLS 1.3 that it was made to
/// speak 1.2, or less (RFC 8446, section 4.1.3).
const DOWNGRADED_TO_1_2: &[u8; 8] = b"DOWNGRD\x01";

/// A record with a ServerHello (RFC 5246, section 7.4.1.3).
fn server_hello(version: [u8; 2], end_of_random: &[u8; 8]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 24]);
    body.extend(end_of_random);
    body.push(0); // no session
    body.extend([0xc0, 0x2f]); // TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 (RFC 5289)
    body.push(0); // no compression
    let extended_master_secret = [0, 4, 0, 23, 0, 0]; // RFC 7627
    body.extend(extended_master_secret);
    let mut message = vec![2, 0, 0, u8::try_from(body.len()).unwrap()];
    message.append(&mut body);
    let mut record = vec![22, 3, 3, 0, u8::try_from(message.len()).unwrap()];
    record.append(&mut message);
    record
}

/// Answers a ClientHello with these bytes, and then waits or hangs up: why the handshake fails, and
/// what the client says then.
fn answered(hello: Vec<u8>, waits: bool) -> (String, Vec<u8>) {
    within(async move {
        let (authority, files) = (Authority::new("ca"), Files::new());
        let server = Server::bind().await;
        let options = files.trusting(&authority);
        let mut connector = TlsConnector::new("localhost", server.port(), &options).unwrap();
        let answer = async {
            let mut stream = server.accept_stream().await;
            stream.read(&mut [0; 4096]).await.unwrap();
            stream.write_all(&hello).await.unwrap();
            let mut rest = Vec::new();
            if waits {
                stream.read_to_end(&mut rest).await.unwrap();
            }
            rest
        };
        let (connected, rest) = future::zip(connector.connect(), answer).await;
        (connected.unwrap_err().to_string(), rest)
    })
}

/// What a client says that gives up: one alert, and nothing else.
fn assert_alert_alone(said: &[u8]) {
    let alert = matches!(said, [21, 3, _, 0, 2, 2, _]);
    assert!(alert, "a fatal alert and no more: {said:?}");
}

#[test]
fn a_server_of_an_older_tls_is_refused() {
    for version in [[3, 0], [3, 1], [3, 2]] {
        let (why, said) = answered(server_hello(version, &[7; 8]), true);
        assert!(why.contains("version") || why.contains("TLS"), "{why}");
        assert_alert_alone(&said);
    }
}

#[test]
fn a_downgrade_that_the_server_tells_of_is_refused() {
    let (why, said) = answered(server_hello([3, 3], DOWNGRADED_TO_1_2), true);
    assert!(
        why.contains("AttemptedDowngradeToTls12WhenTls13IsSupported"),
        "{why}"
    );
    assert_alert_alone(&said);
    // Without that the same hello is taken, and a certificate waited for.
    let (why, _) = answered(server_hello([3, 3], &[7; 8]), false);
    assert!(why.contains("the server closed the connection"), "{why}");
}

/// Every try begins with a handshake (a record of type 22), however often that fails.
#[test]
fn a_failed_handshake_is_not_followed_by_plain_mqtt() {
    within(async {
        let (authority, files) = (Authority::new("ca"), Files::new());
        let server = Server::bind().await;
        let options = files.trusting(&Authority::new("other"));
        let connector = TlsConnector::new("localhost", server.port(), &options).unwrap();
        let (_client, _events, driver) = start(lamp_config(), connector);
        assert!(accept(&server, &authority.acceptor(None)).await.is_err());
        for _ in 0..3 {
            let mut stream = server.accept_stream().await;
            let mut first = [0];
            stream.read_exact(&mut first).await.unwrap();
            assert_eq!(first, [22]);
        }
        driver.cancel().await;
    });
}

/// A new option has to be looked at here: none may turn verification off.
#[test]
fn no_option_turns_verification_off() {
    let TlsOptions {
        ca_file: _,
        client: _,
        server_name: _,
    } = TlsOptions::default();
}
