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
