//! The opening handshake of RFC 6455, section 4: both halves.

use std::future::poll_fn;
use std::io;

use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::AsyncWriteExt;
use tungstenite::Error;
use tungstenite::handshake::client::{Response, generate_key};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, create_response, write_response};
use tungstenite::http::StatusCode;
use tungstenite::http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use tungstenite::http::uri::PathAndQuery;

use super::inbox::Inbox;

/// MQTT among the subprotocols [MQTT-6.0.0-3], [MQTT-6.0.0-4].
const SUBPROTOCOL: &str = "mqtt";

/// Asks a server for MQTT at this path. `host` becomes the Host header.
///
/// Gives what was read beyond the answer.
///
/// # Errors
///
/// Those of the stream, and:
///
/// * [`InvalidInput`](io::ErrorKind::InvalidInput): the host cannot stand in a header.
/// * [`ConnectionRefused`](io::ErrorKind::ConnectionRefused): the server answers with another HTTP
///   status than 101, or does not take the subprotocol.
/// * [`InvalidData`](io::ErrorKind::InvalidData): the answer is no HTTP, longer than 8 KiB, or not
///   that of a WebSocket server.
/// * [`UnexpectedEof`](io::ErrorKind::UnexpectedEof): there is no answer.
pub(super) async fn ask<S>(stream: &mut S, host: &str, path: &PathAndQuery) -> io::Result<Inbox>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if HeaderValue::from_str(host).is_err() {
        let text = format!("{host:?} is no host");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let key = generate_key();
    let request = format!(
        "GET {path} HTTP/1.1\r\n\
         Host: {host}\r\n\
         Connection: Upgrade\r\n\
         Upgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {key}\r\n\
         Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\
         \r\n"
    );
    let sent = async {
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await
    };
    sent.await.map_err(hung_up)?;
    let mut inbox = Inbox::new();
    let response: Response = read_head(stream, &mut inbox).await.map_err(hung_up)?;
    check(&response, path.path(), &key)?;
    Ok(inbox)
}

/// Answers a client that asks for MQTT.
///
/// Gives what was read beyond the request.
///
/// # Errors
///
/// Those of the stream, and:
///
/// * [`InvalidData`](io::ErrorKind::InvalidData): the request is no HTTP, longer than 8 KiB, not
///   that of a WebSocket client, or does not ask for the subprotocol. The client is told by status
///   400.
/// * [`UnexpectedEof`](io::ErrorKind::UnexpectedEof): there is no request.
pub(super) async fn answer<S>(stream: &mut S) -> io::Result<Inbox>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut inbox = Inbox::new();
    let accepted = match read_head(stream, &mut inbox).await {
        Ok(request) => accept(&request),
        Err(error) => Err(error),
    };
    let response = match &accepted {
        Ok(response) => response.as_slice(),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            b"HTTP/1.1 400 Bad Request\r\n\
              Connection: close\r\n\
              Content-Length: 0\r\n\
              Sec-WebSocket-Version: 13\r\n\
              \r\n"
        }
        Err(_) => b"",
    };
    if !response.is_empty() {
        stream.write_all(response).await?;
        stream.flush().await?;
    }
    if accepted.is_err() {
        stream.close().await?;
    }
    accepted.map(|_| inbox)
}

/// Reads a request or a response up to its empty line.
async fn read_head<S: AsyncRead + Unpin, H: TryParse>(
    stream: &mut S,
    inbox: &mut Inbox,
) -> io::Result<H> {
    loop {
        let filled = poll_fn(|cx| inbox.poll_fill(cx, stream)).await;
        match filled {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                return Err(invalid("its HTTP headers are longer than 8 KiB"));
            }
            Err(error) => return Err(error),
        }
        match H::try_parse(inbox.bytes()) {
            Ok(Some((len, head))) => {
                inbox.consume(len);
                return Ok(head);
            }
            Ok(None) => {}
            Err(error) => return Err(not_http(&error)),
        }
    }
}

fn not_http(error: &Error) -> io::Error {
    match error {
        Error::Capacity(_) => invalid("it has too many HTTP headers"),
        _ => invalid("what it says is not HTTP"),
    }
}

/// The checks of RFC 6455, section 4.1, and those of MQTT.
fn check(response: &Response, path: &str, key: &str) -> io::Result<()> {
    let status = response.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refused(format_args!("HTTP status {status} for {path}")));
    }
    let headers = response.headers();
    let accept = headers.get(SEC_WEBSOCKET_ACCEPT);
    let right_key = accept.is_some_and(|accept| *accept == derive_accept_key(key.as_bytes()));
    if !lists(headers, &UPGRADE, "websocket") || !lists(headers, &CONNECTION, "upgrade") {
        return Err(invalid("its answer does not upgrade to WebSocket"));
    }
    if !right_key {
        return Err(invalid("its answer is not to this request"));
    }
    if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Err(invalid(
            "it answers with an extension that was not asked for",
        ));
    }
    let mut subprotocols = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    match (subprotocols.next(), subprotocols.next()) {
        (Some(subprotocol), None) if subprotocol == SUBPROTOCOL => Ok(()),
        (None, _) => Err(refused("it does not take the subprotocol mqtt")),
        _ => Err(refused("it takes another subprotocol than mqtt")),
    }
}

/// The response to a request that is as it should be.
fn accept(request: &Request) -> io::Result<Vec<u8>> {
    let mut response = create_response(request)
        .map_err(|error| invalid(format!("its request is not for WebSocket: {error}")))?;
    let asked = tokens(request.headers(), &SEC_WEBSOCKET_PROTOCOL).any(|name| name == SUBPROTOCOL);
    if !asked {
        return Err(invalid("it does not ask for the subprotocol mqtt"));
    }
    let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
    response
        .headers_mut()
        .insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
    let mut bytes = Vec::new();
    write_response(&mut bytes, &response).map_err(io::Error::other)?;
    Ok(bytes)
}

fn lists(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

/// The elements of a header that is a list.
fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).into_iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim)
}

fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

fn refused(why: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, why.to_string())
}

/// Says what to look at when a server hangs up.
fn hung_up(error: io::Error) -> io::Error {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, InvalidData, UnexpectedEof};
    match error.kind() {
        UnexpectedEof | ConnectionReset | BrokenPipe => io::Error::new(
            error.kind(),
            "it closed the connection during the handshake: is this its WebSocket port?",
        ),
        InvalidData => io::Error::new(InvalidData, format!("{error}: is this its WebSocket port?")),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455, section 1.3, for MQTT.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn request() -> String {
        format!(
            "GET /chat HTTP/1.1\r\n\
             Host: server.example.com\r\n\
             Upgrade: websocket\r\n\
             Connection: Upgrade\r\n\
             Sec-WebSocket-Key: {KEY}\r\n\
             Origin: http://example.com\r\n\
             Sec-WebSocket-Protocol: chat, mqtt\r\n\
             Sec-WebSocket-Version: 13\r\n\
             \r\n"
        )
    }

    fn response() -> String {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\n\
             Upgrade: websocket\r\n\
             Connection: Upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\n\
             Sec-WebSocket-Protocol: mqtt\r\n\
             \r\n"
        )
    }

    /// What is wrong with the response where this is replaced by that.
    #[track_caller]
    fn fault(from: &str, to: &str) -> String {
        assert!(response().contains(from));
        let text = response().replace(from, to);
        let (_, response) = Response::try_parse(text.as_bytes()).unwrap().unwrap();
        check(&response, "/mqtt", KEY).unwrap_err().to_string()
    }

    #[test]
    fn the_right_answer_is_taken() {
        for text in [
            response(),
            response().replace("websocket", "WebSocket"),
            response().replace("n: Upgrade", "n: keep-alive, upgrade"),
        ] {
            let (len, response) = Response::try_parse(text.as_bytes()).unwrap().unwrap();
            assert_eq!(len, text.len());
            assert!(check(&response, "/mqtt", KEY).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_wrong_answer_is_told() {
        let status = fault("101 Switching Protocols", "404 No such thing here");
        assert_eq!(status, "HTTP status 404 Not Found for /mqtt");
        let no_upgrade = "its answer does not upgrade to WebSocket";
        assert_eq!(fault("Upgrade: websocket\r\n", ""), no_upgrade);
        assert_eq!(fault("Connection: Upgrade\r\n", ""), no_upgrade);
        let other_key = "its answer is not to this request";
        assert_eq!(fault("s3pP", "s3pp"), other_key);
        let extension = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        assert!(fault("\r\n\r\n", &format!("\r\n{extension}")).contains("extension"));
        let none = "it does not take the subprotocol mqtt";
        let without = fault("Sec-WebSocket-Protocol: mqtt\r\n", "");
        assert_eq!(without, none, "[MQTT-6.0.0-4]");
        let another = "it takes another subprotocol than mqtt";
        assert_eq!(fault("Protocol: mqtt", "Protocol: mqttv3.1"), another);
        assert_eq!(fault("Protocol: mqtt", "Protocol: mqtt, chat"), another);
    }

    fn accepted(text: &str) -> io::Result<String> {
        let (_, request) = Request::try_parse(text.as_bytes()).unwrap().unwrap();
        accept(&request).map(|response| String::from_utf8(response).unwrap())
    }

    #[test]
    fn a_request_is_answered_as_the_specification_prints_it() {
        let answered = accepted(&request()).unwrap();
        assert!(answered.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
        assert!(answered.ends_with("\r\n\r\n"));
        for line in response().lines() {
            let same = |other: &str| other.eq_ignore_ascii_case(line);
            assert!(answered.lines().any(same), "{line} in {answered}");
        }
        assert_eq!(answered.lines().count(), response().lines().count());
    }

    #[test]
    fn a_request_for_something_else_is_not() {
        let why = |from: &str, to: &str| {
            let request = request();
            assert!(request.contains(from));
            accepted(&request.replace(from, to))
                .unwrap_err()
                .to_string()
        };
        let asked = "Sec-WebSocket-Protocol: chat, mqtt\r\n";
        assert_eq!(why(asked, ""), "it does not ask for the subprotocol mqtt");
        let other = "it does not ask for the subprotocol mqtt";
        assert_eq!(why("chat, mqtt", "chat, mqtt5"), other);
        for (from, to) in [
            ("Upgrade: websocket\r\n", ""),
            ("Connection: Upgrade\r\n", ""),
            ("Version: 13", "Version: 8"),
            (KEY, "c2hvcnQ="),
        ] {
            let why = why(from, to);
            assert!(
                why.starts_with("its request is not for WebSocket: "),
                "{why}"
            );
        }
    }
}
