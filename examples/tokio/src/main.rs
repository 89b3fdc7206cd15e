//! The example device on tokio: one task waits for the network, the sensor and the engine's deadline
//! at once.

use std::error::Error;
use std::future::{Future, pending};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use shadow_core::tencent::DeviceInfo;
use shadow_core::{
    Config, Engine, Event, Instant, RequestError, RequestId, Session, Transmit, TransportFailure,
    WallTime,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::select;
use tokio::time::{interval, sleep};

const SECRET: &str = "bm90IGEgcmVhbCBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZQ==";

#[derive(Serialize)]
struct Measured {
    counter: u64,
    temperature: f64,
}

#[derive(Deserialize)]
struct Desired {
    color: String,
}

/// The device itself: what it does about what happens.
fn handle_event(engine: &mut Engine, now: Instant, event: Event) {
    match event {
        Event::Connected { .. } => println!("connected"),
        Event::Disconnected { cause, .. } => println!("disconnected: {cause}"),
        Event::Delta(delta) => match delta.state.parse() {
            Ok(Desired { color }) => {
                println!("color {color}");
                tell_refused(engine.accept(now, &delta.only(&["color"])));
                tell_refused(engine.reject(now, &delta.without(&["color"]), "unknown"));
            }
            Err(error) => tell_refused(engine.reject(now, &delta, &error.to_string())),
        },
        _ => {}
    }
}

/// The engine sends nothing that the cloud would not take, such as a very long color.
fn tell_refused(result: Result<RequestId, RequestError>) {
    if let Err(error) = result {
        println!("refused: {error}");
    }
}

enum Link {
    Closed,
    Connecting(Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>),
    Open(TcpStream),
}

enum Progress {
    Connected,
    Received(usize),
    Written(usize),
    Lost(TransportFailure),
}

impl Link {
    /// What the network does next. Dropping the future loses nothing.
    async fn progress(&mut self, input: &mut [u8], out: &[u8]) -> Progress {
        let done = match self {
            Link::Closed => pending().await,
            Link::Connecting(connecting) => match connecting.await {
                Ok(stream) => {
                    *self = Link::Open(stream);
                    Ok(Progress::Connected)
                }
                Err(error) => Err(TransportFailure::connect_failed(error)),
            },
            Link::Open(stream) => {
                let (mut reader, mut writer) = stream.split();
                let done = select! {
                    read = reader.read(input) => read.map(Progress::Received),
                    written = writer.write(out), if !out.is_empty() => {
                        written.map(Progress::Written)
                    }
                };
                done.map_err(TransportFailure::broken)
            }
        };
        match done {
            Ok(Progress::Received(0)) => Progress::Lost(TransportFailure::ClosedByPeer),
            Ok(progress) => progress,
            Err(failure) => Progress::Lost(failure),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let [_, host, port] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: tokio_device HOST PORT".into());
    };
    let server = format!("{host}:{port}");
    let start = std::time::Instant::now();
    let now = || Instant::ZERO + start.elapsed();
    let config = Config::new(&DeviceInfo::with_key("EXAMPLE001", "test01", SECRET)?);
    let seed = RandomState::new().build_hasher().finish();
    let mut engine = Engine::new(config, Session::new(), seed, now());
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    engine.handle_wall_time(now(), WallTime::UNIX_EPOCH + wall);
    let shadow = engine.own_shadow().ok_or("the device has no shadow")?;

    let mut measured = Measured {
        counter: 0,
        temperature: 21.5,
    };
    let mut seconds = interval(Duration::from_secs(1));
    let (mut link, mut input, mut out) = (Link::Closed, [0; 1024], Vec::new());
    loop {
        loop {
            // While a write is stalled what follows stays in the engine, which keeps it bounded.
            while (out.is_empty() || !engine.is_online())
                && let Some(transmit) = engine.poll_transmit(now(), &mut out)
            {
                match transmit {
                    Transmit::Connect => {
                        out.clear();
                        link = Link::Connecting(Box::pin(TcpStream::connect(server.clone())));
                    }
                    Transmit::Packet { .. } => {}
                    Transmit::Close => link = Link::Closed,
                }
            }
            match engine.poll_event() {
                Some(event) => handle_event(&mut engine, now(), event),
                None => break,
            }
        }
        let wait = engine.poll_delay(now()).unwrap_or(Duration::MAX);
        select! {
            progress = link.progress(&mut input, &out) => match progress {
                Progress::Connected => engine.handle_connected(now()),
                Progress::Received(len) => engine.handle_bytes(now(), &input[..len]),
                Progress::Written(len) => drop(out.drain(..len)),
                Progress::Lost(failure) => {
                    link = Link::Closed;
                    engine.handle_disconnected(now(), failure);
                }
            },
            _ = seconds.tick() => {
                measured.counter += 1;
                tell_refused(engine.report(now(), shadow, &measured));
            }
            () = sleep(wait) => {}
        }
        engine.handle_tick(now());
    }
}
