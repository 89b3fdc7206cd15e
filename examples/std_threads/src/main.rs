//! The example device on blocking sockets and threads of the standard library: one measures, one for
//! each connection connects and reads, and the main one owns the engine and writes. All that happens
//! comes to it through one queue: nothing is shared, nothing polled.

use std::convert::Infallible;
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, SystemTime};
use std::{env, thread, time};

use serde::Deserialize;
use serde_json::{Value, json};
use shadow_core::tencent::DeviceInfo;
use shadow_core::typed::TypedEvent::{Delta, Invalid, Other};
use shadow_core::{
    Config, Engine, Event, Instant, RequestError, Session, Transmit, TransportFailure, WallTime,
};

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

/// What happens. A connection has a number, as what an old one tells comes too late.
enum Input {
    Measured(Value),
    Connected(u32, TcpStream),
    Received(u32, Vec<u8>),
    Lost(u32, TransportFailure),
}

/// A connection's thread: reads until it ends.
fn read(number: u32, server: &str, tell: impl Fn(Input)) -> Result<Infallible, TransportFailure> {
    let failed = |why| TransportFailure::connect_failed(format_args!("{server}: {why}"));
    let mut stream = TcpStream::connect(server).map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    // Or a peer that reads nothing would hold up the main thread for ever.
    let longest = Some(Duration::from_secs(10));
    stream.set_write_timeout(longest).map_err(failed)?;
    let writer = stream.try_clone().map_err(failed)?;
    tell(Input::Connected(number, writer));
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).map_err(TransportFailure::broken)? {
            0 => return Err(TransportFailure::ClosedByPeer),
            len => tell(Input::Received(number, buffer[..len].to_vec())),
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
    let device = DeviceInfo::from_json(include_str!("../../device_info.json"))?;
    let seed = RandomState::new().hash_one(0);
    let mut engine = Engine::new(Config::new(&device), Session::new(), seed, now());
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    engine.handle_wall_time(now(), WallTime::UNIX_EPOCH + wall);
    let shadow = engine.own_shadow().ok_or("the device has no shadow")?;

    // It holds little: who tells faster than the engine takes has to wait.
    let (inputs, queue) = sync_channel(4);
    let sensor = inputs.clone();
    thread::spawn(move || {
        for counter in 1.. {
            let measured = json!({"counter": counter, "temperature": 21.5});
            drop(sensor.send(Input::Measured(measured)));
            thread::sleep(Duration::from_secs(1));
        }
    });
    let (mut number, mut socket, mut out) = (0, None::<TcpStream>, Vec::new());
    loop {
        while let Some(transmit) = engine.poll_transmit(now(), &mut out) {
            match (transmit, &mut socket) {
                (Transmit::Connect, _) => {
                    (number, socket) = (number + 1, None);
                    let (number, server, inputs) = (number, server.clone(), inputs.clone());
                    thread::spawn(move || {
                        let tell = |input| drop(inputs.send(input));
                        let Err(failure) = read(number, &server, tell);
                        tell(Input::Lost(number, failure));
                    });
                }
                (Transmit::Packet { .. }, Some(stream)) => {
                    if let Err(error) = stream.write_all(&out) {
                        drop(stream.shutdown(Shutdown::Both));
                        number += 1; // so that its thread does not tell it again
                        engine.handle_disconnected(now(), TransportFailure::broken(error));
                    }
                }
                (Transmit::Close, Some(stream)) => drop(stream.shutdown(Shutdown::Both)),
                (Transmit::Close, None) => number += 1, // what connects now comes too late
                (Transmit::Packet { .. }, None) => {}
            }
            out.clear();
        }
        if let Some(event) = engine.poll_event() {
            handle_event(&mut engine, now(), event);
            continue;
        }
        let wait = engine.poll_delay(now()).unwrap_or(Duration::MAX);
        match queue.recv_timeout(wait) {
            Ok(Input::Measured(values)) => tell_refused(engine.report(now(), shadow, &values)),
            Ok(Input::Connected(of, stream)) if of == number => {
                socket = Some(stream);
                engine.handle_connected(now());
            }
            Ok(Input::Connected(_, stream)) => drop(stream.shutdown(Shutdown::Both)),
            Ok(Input::Received(of, bytes)) if of == number => engine.handle_bytes(now(), &bytes),
            Ok(Input::Lost(of, why)) if of == number => engine.handle_disconnected(now(), why),
            _ => {}
        }
        engine.handle_tick(now());
    }
}
