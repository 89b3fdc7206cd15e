//! The example device on tokio: one task waits for the network, the sensor and the engine's deadline
//! at once.

use std::error::Error;
use std::future::pending;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};
use std::{env, time};

use serde::Deserialize;
use serde_json::json;
use shadow_core::tencent::DeviceInfo;
use shadow_core::typed::TypedEvent::{Delta, Invalid, Other};
use shadow_core::{
    Config, Engine, Event, Instant, RequestError, Session, Transmit, TransportFailure, WallTime,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::select;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Desired {
    color: Option<String>,
}

/// The device itself: what it does about what happens.
fn handle_event(engine: &mut Engine, now: Instant, event: Event) {
    for event in event.typed::<Desired>() {
        match event {
            Delta { state, delta } => {
                if let Some(color) = state.color {
                    println!("color {color}");
                }
                tell_refused(engine.accept(now, &delta));
            }
            Invalid(bad) => tell_refused(engine.reject(now, &bad.delta, &bad.reason)),
            Other(Event::Connected { .. }) => println!("connected"),
            Other(Event::Disconnected { cause, .. }) => println!("disconnected: {cause}"),
            Other(Event::Ended { outcome, .. }) if outcome.is_failure() => println!("{outcome}"),
            Other(_) => {}
        }
    }
}

/// The engine refuses what is too long for it; what the cloud refuses is told by an [`Event::Ended`].
fn tell_refused<T>(result: Result<T, RequestError>) {
    result.map_or_else(|error| println!("refused: {error}"), drop);
}

/// Writes or reads, whichever goes on first; the number of bytes read. Dropping it loses nothing.
async fn carry(
    socket: &mut Option<TcpStream>,
    out: &mut Vec<u8>,
    input: &mut [u8],
) -> Result<usize, TransportFailure> {
    let Some(socket) = socket else {
        return pending().await;
    };
    let (mut reader, mut writer) = socket.split();
    select! {
        written = writer.write(out), if !out.is_empty() => {
            out.drain(..written.map_err(TransportFailure::broken)?);
            Ok(0)
        }
        read = reader.read(input) => match read {
            Ok(0) => Err(TransportFailure::ClosedByPeer),
            read => read.map_err(TransportFailure::broken),
        },
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let [_, host, port] = &env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: tokio_device HOST PORT".into());
    };
    let server = format!("{host}:{port}");
    let start = time::Instant::now();
    let now = || Instant::ZERO + start.elapsed();
    let device = DeviceInfo::from_json(include_str!("../../device_info.json"))?;
    let seed = RandomState::new().hash_one(0);
    let mut engine = Engine::new(Config::new(&device), Session::new(), seed, now());
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    engine.handle_wall_time(now(), WallTime::UNIX_EPOCH + wall);
    let shadow = engine.own_shadow().ok_or("the device has no shadow")?;

    let (mut counter, mut seconds) = (0, interval(Duration::from_secs(1)));
    let (mut connecting, mut socket) = (JoinSet::new(), None);
    let (mut out, mut input) = (Vec::new(), [0; 1024]);
    loop {
        // What cannot be written yet waits in the engine, which keeps it bounded.
        while (out.is_empty() || !engine.is_online())
            && let Some(transmit) = engine.poll_transmit(now(), &mut out)
        {
            match transmit {
                Transmit::Connect => {
                    out.clear();
                    connecting.spawn(TcpStream::connect(server.clone()));
                }
                Transmit::Packet { .. } => {}
                Transmit::Close => (connecting, socket) = (JoinSet::new(), None),
            }
        }
        if let Some(event) = engine.poll_event() {
            handle_event(&mut engine, now(), event);
            continue;
        }
        let wait = engine.poll_delay(now()).unwrap_or(Duration::MAX);
        select! {
            carried = carry(&mut socket, &mut out, &mut input) => match carried {
                Ok(0) => {}
                Ok(len) => engine.handle_bytes(now(), &input[..len]),
                Err(failure) => {
                    socket = None;
                    engine.handle_disconnected(now(), failure);
                }
            },
            Some(Ok(connected)) = connecting.join_next() => match connected {
                Ok(stream) => {
                    drop(stream.set_nodelay(true));
                    socket = Some(stream);
                    engine.handle_connected(now());
                }
                Err(error) => {
                    let why = format!("{server}: {error}");
                    engine.handle_disconnected(now(), TransportFailure::connect_failed(why));
                }
            },
            _ = seconds.tick() => {
                counter += 1;
                let measured = json!({"counter": counter, "temperature": 21.5});
                tell_refused(engine.report(now(), shadow, &measured));
            }
            () = sleep(wait) => {}
        }
        engine.handle_tick(now());
    }
}
