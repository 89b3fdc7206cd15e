//! WebSocket: the driver over it, and what is said when a server is none.

use std::io;

use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use shadow_core::Event;
use smol::net::TcpStream;
use transport_tcp::websocket::{WebSocketConnector, WebSocketStream, accept};
use transport_tcp::{Connector, NetworkConnector};

use crate::peer::{
    DOCUMENT, Peer, Seen, Server, event_where, lamp_config, next_event, start, within,
};

async fn accept_at(server: &Server) -> WebSocketStream<TcpStream> {
    accept(server.accept_stream().await).await.unwrap()
}

#[test]
fn the_driver_runs_over_websocket_as_over_tcp() {
    within(async {
        let server = Server::bind().await;
        let connector = NetworkConnector::websocket("127.0.0.1", server.port());
        let (client, mut events, driver) = start(lamp_config(), connector);
        let mut peer = Peer::new(accept_at(&server).await);
        peer.welcome().await;
        event_where(&mut events, |event| matches!(event, Event::Ready { .. })).await;
        let lamp = client.own_shadow().unwrap();
        let (got, _) = future::zip(lamp.get(), peer.answer("get", 0, DOCUMENT)).await;
        assert!(got.is_ok());

        // The link is lost and comes back.
        drop(peer);
        let mut peer = Peer::new(accept_at(&server).await);
        peer.welcome().await;
        client.close().await;
        assert_eq!(peer.next().await, Seen::Disconnect);
        // The close frame.
        assert_eq!(peer.next().await, Seen::Ended);
        driver.await;
    });
}

/// RFC 6455, section 4.1, and the subprotocol of MQTT.
#[test]
fn the_request_is_as_specified() {
    within(async {
        let server = Server::bind().await;
        let port = server.port();
        let connector = WebSocketConnector::new("127.0.0.1", port);
        let mut connector = connector.with_path("/ws?token=s3cret").unwrap();
        let shown = format!("{connector} {connector:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        let read = async {
            let mut stream = server.accept_stream().await;
            let mut request = vec![0; 1_024];
            let len = stream.read(&mut request).await.unwrap();
            String::from_utf8(request[..len].to_vec()).unwrap()
        };
        let (connected, request) = future::zip(connector.connect(), read).await;
        assert!(connected.is_err());
        let mut lines = request.split("\r\n");
        assert_eq!(lines.next(), Some("GET /ws?token=s3cret HTTP/1.1"));
        let host = format!("Host: 127.0.0.1:{port}");
        let protocol = "Sec-WebSocket-Protocol: mqtt";
        assert!(request.contains(protocol), "[MQTT-6.0.0-3] {request}");
        for header in [
            host.as_str(),
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            protocol,
        ] {
            assert!(
                request.split("\r\n").any(|line| line == header),
                "{request}"
            );
        }
        let (_, key) = request.split_once("\r\nSec-WebSocket-Key: ").unwrap();
        // 16 bytes in base64.
        assert_eq!(key.split_once("==\r\n").unwrap().0.len(), 22, "{request}");
        assert!(request.ends_with("\r\n\r\n"));
    });
}

#[test]
fn a_path_begins_with_a_slash() {
    let connector = || WebSocketConnector::new("cloud.example", 80);
    let shown = connector().with_path("/a/b?c=d").unwrap().to_string();
    assert_eq!(shown, "ws://cloud.example:80/a/b");
    for path in [
        "",
        "mqtt",
        "*",
        "/a b",
        "/a\r\nCookie: b",
        "/a#b",
        "http://b/",
    ] {
        let error = connector().with_path(path).unwrap_err();
        assert!(
            error.to_string().starts_with(&format!("{path:?}")),
            "{error}"
        );
    }
}

/// A server that answers this to whatever it is sent, and hangs up: the kind of the failure, and
/// why.
fn failure(answer: impl Into<Vec<u8>>) -> (io::ErrorKind, String) {
    let answer = answer.into();
    within(async move {
        let server = Server::bind().await;
        let port = server.port();
        let mut connector = WebSocketConnector::new("127.0.0.1", port);
        let hang_up = async {
            let mut stream = server.accept_stream().await;
            stream.read(&mut [0; 1_024]).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        };
        let (connected, ()) = future::zip(connector.connect(), hang_up).await;
        let error = connected.unwrap_err();
        let text = error.to_string();
        let start = format!("WebSocket with 127.0.0.1:{port}: ");
        let why = text
            .strip_prefix(&start)
            .unwrap_or_else(|| panic!("{text}"));
        (error.kind(), why.to_owned())
    })
}

#[test]
fn a_web_server_s_refusal_is_told_with_its_status() {
    for (status, expected) in [
        ("404 Not Found", "HTTP status 404 Not Found for /mqtt"),
        ("403 Forbidden", "HTTP status 403 Forbidden for /mqtt"),
        (
            "301 Moved Permanently\r\nLocation: /",
            "HTTP status 301 Moved Permanently for /mqtt",
        ),
        ("200 OK", "HTTP status 200 OK for /mqtt"),
    ] {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        let refused = (io::ErrorKind::ConnectionRefused, expected.to_owned());
        assert_eq!(failure(answer), refused);
    }
}

#[test]
fn a_port_without_websocket_is_doubted() {
    use io::ErrorKind::{InvalidData, UnexpectedEof};
    let doubt = "is this its WebSocket port?";
    let closed = format!("it closed the connection during the handshake: {doubt}");
    let other = format!("what it says is not HTTP: {doubt}");
    // A CONNACK, an alert of TLS, nothing, and the beginning of an answer.
    assert_eq!(failure([0x20, 2, 0, 1]), (InvalidData, other.clone()));
    assert_eq!(failure([21, 3, 3, 0, 2, 2, 10]), (InvalidData, other));
    assert_eq!(failure([]), (UnexpectedEof, closed.clone()));
    assert_eq!(failure(*b"HTTP/1.1 101 "), (UnexpectedEof, closed));
}

#[test]
fn an_answer_is_bounded() {
    let long = format!(
        "HTTP/1.1 101 Switching Protocols\r\nX: {}",
        "x".repeat(9_000)
    );
    let (kind, why) = failure(long);
    assert_eq!(kind, io::ErrorKind::InvalidData);
    assert!(
        why.starts_with("its HTTP headers are longer than 8 KiB"),
        "{why}"
    );
    let many = format!(
        "HTTP/1.1 101 Switching Protocols\r\n{}\r\n",
        "X: x\r\n".repeat(200)
    );
    let (kind, why) = failure(many);
    assert_eq!(kind, io::ErrorKind::InvalidData);
    assert!(why.starts_with("it has too many HTTP headers"), "{why}");
}

#[test]
fn a_client_that_asks_for_something_else_is_told_by_a_status() {
    // The longest request is 8 KiB long: one of which something is not read resets the connection.
    let websocket = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (request, why) in [
        (
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "not for WebSocket",
        ),
        (
            "\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0\r\n\r\n".to_owned(),
            "not HTTP",
        ),
        (
            format!("{websocket}\r\n"),
            "does not ask for the subprotocol mqtt",
        ),
        (
            format!("GET / HTTP/1.1\r\nX: {:x<8173}", ""),
            "longer than 8 KiB",
        ),
    ] {
        let (accepted, answer) = within(async move {
            let server = Server::bind().await;
            let ask = async {
                let mut stream = TcpStream::connect(("127.0.0.1", server.port()))
                    .await
                    .unwrap();
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).await.unwrap();
                String::from_utf8(answer).unwrap()
            };
            let accepted = async { accept(server.accept_stream().await).await.map(drop) };
            future::zip(accepted, ask).await
        });
        let error = accepted.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains(why), "{error}");
        assert!(
            answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
            "{answer}"
        );
    }
}

/// The application learns why, and the engine tries again.
#[test]
fn the_reason_is_told_to_the_application() {
    within(async {
        let server = Server::bind().await;
        let connector = NetworkConnector::websocket("127.0.0.1", server.port());
        let (_client, mut events, driver) = start(lamp_config(), connector);
        let mut stream = server.accept_stream().await;
        stream.read(&mut [0; 1_024]).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 404 Not Found\r\n\r\n")
            .await
            .unwrap();
        let event = next_event(&mut events).await;
        let Event::Disconnected { cause, .. } = event else {
            panic!("{event:?}");
        };
        let expected = "HTTP status 404 Not Found for /mqtt";
        assert!(cause.to_string().contains(expected), "{cause}");
        let mut peer = Peer::new(accept_at(&server).await);
        peer.welcome().await;
        driver.cancel().await;
    });
}

#[cfg(feature = "tls")]
mod secure {
    use shadow_core::{DisconnectCause, TransportFailure};
    use transport_tcp::{TlsOptions, UntrustedPeer};

    use super::*;
    use crate::authority::{self, Authority, Files};

    fn connector(server: &Server, options: &TlsOptions) -> NetworkConnector {
        NetworkConnector::secure_websocket("localhost", server.port(), options).unwrap()
    }

    #[test]
    fn the_driver_runs_over_tls_too() {
        within(async {
            let (authority, files) = (Authority::new("ca"), Files::new());
            let server = Server::bind().await;
            let connector = connector(&server, &files.trusting(&authority));
            let (client, mut events, driver) = start(lamp_config(), connector);
            let acceptor = authority.acceptor(None);
            let stream = authority::accept(&server, &acceptor).await.unwrap();
            let mut peer = Peer::new(accept(stream).await.unwrap());
            peer.welcome().await;
            event_where(&mut events, |event| matches!(event, Event::Ready { .. })).await;
            client.close().await;
            assert_eq!(peer.next().await, Seen::Disconnect);
            assert_eq!(peer.next().await, Seen::Ended);
            driver.await;
        });
    }

    #[test]
    fn a_server_that_is_not_trusted_is_told_as_such() {
        within(async {
            let files = Files::new();
            let server = Server::bind().await;
            let options = files.trusting(&Authority::new("theirs"));
            let mut connector = connector(&server, &options);
            let acceptor = Authority::new("ours").acceptor(None);
            let handshake = authority::accept(&server, &acceptor);
            let (connected, _) = future::zip(connector.connect(), handshake).await;
            let error = connected.unwrap_err();
            let untrusted = error.get_ref().unwrap().downcast_ref::<UntrustedPeer>();
            let place = format!("TLS with localhost:{}: ", server.port());
            assert!(untrusted.unwrap().0.starts_with(&place), "{error}");

            let (_client, mut events, driver) = start(lamp_config(), connector);
            assert!(authority::accept(&server, &acceptor).await.is_err());
            let event = next_event(&mut events).await;
            let Event::Disconnected { cause, .. } = event else {
                panic!("{event:?}");
            };
            let DisconnectCause::Transport(TransportFailure::Untrusted(_)) = cause else {
                panic!("{cause:?}");
            };
            driver.cancel().await;
        });
    }
}
