//! The example device on blocking sockets and threads of the standard library.
//!
//! One thread measures, one for each connection connects and reads, and the main one owns the engine
//! and writes. All that happens comes to it through one queue: nothing is shared, nothing polled.

use std::error::Error;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, SystemTime};
use std::{env, thread, time};

use serde::{Deserialize, Serialize};
use shadow_core::tencent::DeviceInfo;
use shadow_core::{
    Config, Engine, Event, Instant, RequestError, RequestId, Session, Transmit, TransportFailure,
    WallTime,
};

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

/// What happens. A connection has a number, so that nobody minds what an old one still tells.
enum Input {
    Measured(Measured),
    Connected(u32, TcpStream),
    Received(u32, Vec<u8>),
    Lost(u32, TransportFailure),
}

/// The sensor's thread.
fn measure(inputs: &SyncSender<Input>) {
    for counter in 1.. {
        let temperature = 21.5;
        // Nothing is sent, here and below, when the main thread is gone.
        drop(inputs.send(Input::Measured(Measured {
            counter,
            temperature,
        })));
        thread::sleep(Duration::from_secs(1));
    }
}

/// A connection's thread, until the connection ends: why it did.
fn read(number: u32, server: &str, inputs: &SyncSender<Input>) -> TransportFailure {
    let connected = TcpStream::connect(server).and_then(|stream| {
        stream.set_nodelay(true)?;
        // So that a peer that reads nothing does not hold up the main thread for ever.
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        drop(inputs.send(Input::Connected(number, stream.try_clone()?)));
        Ok(stream)
    });
    let mut stream = match connected {
        Ok(stream) => stream,
        Err(error) => return TransportFailure::connect_failed(format_args!("{server}: {error}")),
    };
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return TransportFailure::ClosedByPeer,
            Ok(len) => drop(inputs.send(Input::Received(number, buffer[..len].to_vec()))),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return TransportFailure::broken(error),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let [_, host, port] = &env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: std_threads HOST PORT".into());
    };
    let server = format!("{host}:{port}");
    let start = time::Instant::now();
    let now = || Instant::ZERO + start.elapsed();
    let config = Config::new(&DeviceInfo::with_key("EXAMPLE001", "test01", SECRET)?);
    let seed = RandomState::new().build_hasher().finish();
    let mut engine = Engine::new(config, Session::new(), seed, now());
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    engine.handle_wall_time(now(), WallTime::UNIX_EPOCH + wall);
    let shadow = engine.own_shadow().ok_or("the device has no shadow")?;

    // It holds little, so that who tells faster than the engine takes has to wait.
    let (inputs, queue) = sync_channel(4);
    let sensor = inputs.clone();
    thread::spawn(move || measure(&sensor));
    let (mut number, mut socket, mut out) = (0, None::<TcpStream>, Vec::new());
    loop {
        loop {
            while let Some(transmit) = engine.poll_transmit(now(), &mut out) {
                match (transmit, &mut socket) {
                    (Transmit::Connect, _) => {
                        number += 1;
                        let (number, server, inputs) = (number, server.clone(), inputs.clone());
                        thread::spawn(move || {
                            let failure = read(number, &server, &inputs);
                            drop(inputs.send(Input::Lost(number, failure)));
                        });
                    }
                    (Transmit::Packet { .. }, Some(stream)) => {
                        if let Err(error) = stream.write_all(&out) {
                            engine.handle_disconnected(now(), TransportFailure::broken(error));
                        }
                    }
                    (Transmit::Close, Some(stream)) => drop(stream.shutdown(Shutdown::Both)),
                    (_, None) => {}
                }
                out.clear();
            }
            match engine.poll_event() {
                Some(event) => handle_event(&mut engine, now(), event),
                None => break,
            }
        }
        let wait = engine.poll_delay(now()).unwrap_or(Duration::MAX);
        match queue.recv_timeout(wait) {
            Ok(Input::Measured(measured)) => {
                tell_refused(engine.report(now(), shadow, &measured));
            }
            Ok(Input::Connected(of, stream)) if of == number => {
                socket = Some(stream);
                engine.handle_connected(now());
            }
            Ok(Input::Received(of, bytes)) if of == number => engine.handle_bytes(now(), &bytes),
            Ok(Input::Lost(of, failure)) if of == number => {
                engine.handle_disconnected(now(), failure);
            }
            _ => {}
        }
        engine.handle_tick(now());
    }
}
