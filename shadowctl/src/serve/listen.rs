//! `serve --listen`: the embedded cloud on TCP or TLS, and on WebSocket over either.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_rustls::TlsAcceptor;
use shadow_core::WallTime;
use smol::future::{or, pending};
use smol::io::{AsyncRead, AsyncWrite};
use smol::net::{TcpListener, TcpStream};
use smol::stream::{Stream, StreamExt, race, unfold};
use transport_mock::cloud::{Cloud, CloudConfig, example_device};
use transport_mock::server::{Credentials, KnownDevice, ServerConfig, ServerEvent};
use transport_mock::{SharedCloud, serve};
use transport_tcp::{Clock, websocket};

use super::arguments::{Address, ServeArguments};
use super::example::{example_seed, seed_failure};
use super::line::{What, addressee};
use super::log::Log;
use super::tls;
use crate::document::Compact;
use crate::failure::Failure;
use crate::fleet::{check_open_files, let_in, make_room, raise_open_files};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::runtime::block_on;
use crate::server::read_device;

/// How long the handshakes of TLS and WebSocket may take together.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait after a connection could not be accepted, as when too many files are open:
/// the next try would fail at once and keep the processor busy.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Any byte stream.
trait Connection: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection for S {}

/// Serves until Ctrl-C.
///
/// # Errors
///
/// Those of [`run`](super::run).
pub(super) fn run(arguments: &ServeArguments, output: &mut Output) -> Result<(), Failure> {
    let mut known = vec![KnownDevice::new(example_device())];
    for path in &arguments.device {
        let device = read_device(path)?;
        // Only the first of its name would ever be asked for its secret.
        if known.iter().any(|known| known.device.name == device.name) {
            return Err(Failure::input_file(
                path,
                format_args!("{} is let in already", device.name),
            ));
        }
        known.push(KnownDevice::new(device));
    }
    let acceptor = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(certificate), Some(key)) => Some(tls::acceptor(certificate, key)?),
        _ => None,
    };
    if let Some(fleet) = arguments.fleet
        && let Some(files) = raise_open_files()
    {
        check_open_files(fleet, files)?;
    }
    block_on(async |runtime| {
        let mut interrupt = Interrupt::new()?;
        let clock = runtime.clock;
        let devices: Vec<String> = known.iter().map(|k| k.device.name.to_string()).collect();
        let cloud = SharedCloud::new(cloud(known, arguments.fleet, clock)?);
        let (listener, address) = bind(&arguments.listen).await?;
        let websocket = match arguments.websocket {
            Some(port) => Some(bind(&arguments.listen.with_port(port)).await?),
            None => None,
        };
        let (websocket, websocket_address) = websocket.unzip();
        let log = Log::new(output, *clock, arguments.quiet);
        log.line(What::Listening {
            address: address.to_string(),
            websocket: websocket_address.map(|address| address.to_string()),
            tls: acceptor.is_some(),
            devices,
            fleet: arguments.fleet,
        });
        log.remark(advice(
            address,
            websocket_address,
            acceptor.is_some(),
            !arguments.device.is_empty(),
        ));
        let plain = accept(Some(&listener), clock, &log);
        let plain = plain.map(|accepted| (accepted, Framing::None));
        let framed = accept(websocket.as_ref(), clock, &log);
        let framed = framed.map(|accepted| (accepted, Framing::WebSocket));
        let incoming = race(Box::pin(plain), Box::pin(framed)).map(|(accepted, framing)| {
            shake_hands(accepted, acceptor.as_ref(), framing, clock, &log)
        });
        let mut deltas = Deltas::default();
        let on_event = |event| {
            if arguments.quiet && matches!(event, ServerEvent::Published { .. }) {
                // Nor is a delta looked for that would not be told.
                return;
            }
            let shadow = shadow_of(&event);
            log.line(event.into());
            if let Some(topic) = shadow
                && let Some(delta) = cloud.with(|cloud| deltas.after(cloud, &topic))
            {
                log.line(delta);
            }
        };
        let serving = async {
            serve(cloud.clone(), incoming, *clock, on_event).await;
            Ok(())
        };
        let interrupted = async {
            interrupt.wait().await;
            Ok(())
        };
        let failed = async { Err(log.failed().await) };
        or(or(serving, interrupted), failed).await
    })
}

/// A cloud that knows these devices and a fleet, with the example device's shadow in it.
fn cloud(
    known: Vec<KnownDevice>,
    fleet: Option<u32>,
    clock: &impl Clock,
) -> Result<Cloud, Failure> {
    let mut config = CloudConfig {
        server: ServerConfig {
            credentials: Credentials::Devices(known),
            ..ServerConfig::default()
        },
        ..CloudConfig::default()
    };
    if let Some(devices) = fleet {
        let_in(&mut config.server, devices);
        make_room(&mut config.service, devices);
    }
    let wall = clock.wall_time();
    let wall = wall.unwrap_or(WallTime::from_unix_millis(0));
    let mut cloud = Cloud::new(config, clock.now(), wall);
    if let Some(seed) = example_seed(clock) {
        cloud
            .seed(&seed.name, &seed.state, seed.version, seed.last_change)
            .map_err(|error| seed_failure(&error))?;
    }
    Ok(cloud)
}

async fn bind(address: &Address) -> Result<(TcpListener, SocketAddr), Failure> {
    let bound = TcpListener::bind((address.host.as_str(), address.port)).await;
    let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (local, listener) = bound.map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => {
                ": something listens there already; --listen HOST:PORT and --websocket PORT take \
                 another port, and port 0 a free one"
            }
            io::ErrorKind::PermissionDenied => ": ports below 1024 need privileges",
            _ => "",
        };
        Failure::operation(format_args!("cannot listen on {address}: {error}{advice}"))
    })?;
    Ok((listener, local))
}

/// How to talk to the example device here, and to others if there are any.
fn advice(address: SocketAddr, websocket: Option<SocketAddr>, tls: bool, others: bool) -> String {
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => "127.0.0.1".into(),
        IpAddr::V6(ip) if ip.is_unspecified() => "::1".into(),
        ip => ip.to_string(),
    };
    let (default_port, tls) = match tls {
        true => (8883, " --tls --ca CA_FILE"),
        false => (1883, ""),
    };
    let port = match address.port() {
        port if port == default_port => String::new(),
        port => format!(" --port {port}"),
    };
    let there = format!("--host {host}{port}{tls}");
    let websocket = websocket.map_or_else(String::new, |address| {
        let port = address.port();
        format!("\x20 shadowctl get --host {host} --port {port} --websocket{tls}\n")
    });
    let others = match (others, tls) {
        (false, _) => "",
        // With --device, TLS is the default.
        (true, "") => "for another device, add --device FILE --no-tls; ",
        (true, _) => "for another device, add --device FILE; ",
    };
    format!(
        "the example device is there; in another terminal:\n\
         \x20 shadowctl watch {there}\n\
         \x20 shadowctl desire power=true {there}\n\
         {websocket}{others}Ctrl-C ends it"
    )
}

/// The connections that come in, if somebody listens, with their peers. One that could not be
/// accepted is told.
fn accept<'a, K: Clock>(
    listener: Option<&'a TcpListener>,
    clock: &'a K,
    log: &'a Log<'_, K>,
) -> impl Stream<Item = (TcpStream, SocketAddr)> + 'a {
    unfold((), move |()| async move {
        let Some(listener) = listener else {
            return pending().await;
        };
        loop {
            let error = match listener.accept().await {
                Ok(accepted) => return Some((accepted, ())),
                Err(error) => error,
            };
            log.line(What::ConnectionFailed {
                peer: None,
                why: error.to_string(),
            });
            clock.sleep_until(clock.now() + ACCEPT_PAUSE).await;
        }
    })
}

/// What is around the packets.
#[derive(Clone, Copy)]
enum Framing {
    None,
    WebSocket,
}

/// Carries out the handshakes, if there are any to carry out. `None` where one failed, which is
/// told.
async fn shake_hands<K: Clock>(
    (stream, peer): (TcpStream, SocketAddr),
    acceptor: Option<&TlsAcceptor>,
    framing: Framing,
    clock: &K,
    log: &Log<'_, K>,
) -> Option<Box<dyn Connection>> {
    // Without it small packets would only wait longer.
    drop(stream.set_nodelay(true));
    let handshakes = async {
        let stream: Box<dyn Connection> = match acceptor {
            Some(acceptor) => Box::new(acceptor.accept(stream).await?),
            None => Box::new(stream),
        };
        match framing {
            Framing::None => Ok(stream),
            Framing::WebSocket => {
                let stream = websocket::accept(stream).await?;
                Ok(Box::new(stream) as Box<dyn Connection>)
            }
        }
    };
    let handshakes = async { handshakes.await.map_err(|e: io::Error| e.to_string()) };
    let late = async {
        clock.sleep_until(clock.now() + HANDSHAKE_TIMEOUT).await;
        Err("the handshake took too long".into())
    };
    match or(handshakes, late).await {
        Ok(stream) => Some(stream),
        Err(why) => {
            log.line(What::ConnectionFailed {
                peer: Some(peer.to_string()),
                why,
            });
            None
        }
    }
}

/// The topic of a request to a shadow, if this event is one.
fn shadow_of(event: &ServerEvent) -> Option<String> {
    match event {
        ServerEvent::Published { message, .. } => Some(message.topic.clone()),
        _ => None,
    }
}

/// What was desired of each device when it was last looked at.
///
/// The cloud does not tell which deltas it publishes. It publishes one whenever `desired` has
/// changed and differs from `reported`, which can be seen.
#[derive(Default)]
struct Deltas {
    /// By client id; at most as many as the service has shadows.
    desired: BTreeMap<String, Option<String>>,
}

impl Deltas {
    /// The delta that the request on this topic made, if it did.
    fn after(&mut self, cloud: &Cloud, topic: &str) -> Option<What> {
        let (_, name) = addressee(topic)?;
        let shadow = cloud.shadow(&name)?;
        let desired = shadow.desired();
        let before = self
            .desired
            .insert(name.client_id().to_owned(), desired.clone())
            .flatten();
        let delta = shadow.delta().filter(|_| desired != before)?;
        Some(What::Delta {
            shadow: name.to_string(),
            version: Some(shadow.version()),
            state: Compact::from_text(&delta),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_can_be_typed_as_it_is() {
        let address = |text: &str| text.parse().unwrap();
        let plain = advice(address("0.0.0.0:1883"), None, false, true);
        assert!(
            plain.contains("  shadowctl watch --host 127.0.0.1\n"),
            "{plain}"
        );
        assert!(plain.contains("add --device FILE --no-tls; "), "{plain}");
        let websocket = Some(address("[::]:2"));
        let tls = advice(address("[::]:1"), websocket, true, true);
        let there = "power=true --host ::1 --port 1 --tls --ca CA_FILE\n";
        assert!(tls.contains(there), "{tls}");
        let there = "get --host ::1 --port 2 --websocket --tls --ca CA_FILE\n";
        assert!(tls.contains(there), "{tls}");
        assert!(tls.contains("add --device FILE; "), "{tls}");
        let alone = advice(address("127.0.0.1:8883"), None, true, false);
        assert!(
            !alone.contains("--device") && !alone.contains("--port"),
            "{alone}"
        );
    }
}
