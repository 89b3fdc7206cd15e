//! The example device on one thread and a blocking socket, as the README shows it.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};
use std::{env, fs, thread, time};

use serde::Deserialize;
use shadow_core::tencent::DeviceInfo;
use shadow_core::typed::TypedEvent;
use shadow_core::{
    Config, Engine, Event, Instant, RequestError, Session, Transmit, TransportFailure, WallTime,
};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Desired {
    color: Option<String>,
}

/// What this device does about what happens.
fn handle(engine: &mut Engine, now: Instant, event: Event) -> Result<(), RequestError> {
    for event in event.typed::<Desired>() {
        match event {
            TypedEvent::Delta { state, delta } => {
                if let Some(color) = state.color {
                    println!("color {color}"); // set the light here
                }
                engine.accept(now, &delta)?;
            }
            TypedEvent::Invalid(wrong) => drop(engine.reject(now, &wrong.delta, &wrong.reason)?),
            TypedEvent::Other(Event::Connected { .. }) => println!("connected"),
            TypedEvent::Other(Event::Disconnected { cause, .. }) => {
                println!("disconnected: {cause}")
            }
            TypedEvent::Other(Event::Ended { outcome, .. }) if outcome.is_failure() => {
                println!("{outcome}");
            }
            TypedEvent::Other(_) => {}
        }
    }
    Ok(())
}

/// Waits for bytes, or for as long as `wait`; how many came.
fn receive(
    socket: &mut Option<TcpStream>,
    input: &mut [u8],
    wait: Duration,
) -> Result<usize, TransportFailure> {
    let wait = wait.max(Duration::from_millis(1));
    let Some(stream) = socket else {
        thread::sleep(wait);
        return Ok(0);
    };
    let timed = stream.set_read_timeout(Some(wait));
    match timed.and_then(|()| stream.read(input)) {
        Ok(0) => Err(TransportFailure::ClosedByPeer),
        Ok(len) => Ok(len),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(0),
        Err(error) => Err(TransportFailure::broken(error)),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let [_, host, port] = &env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: blocking_device HOST PORT".into());
    };
    let device = DeviceInfo::from_json(&fs::read_to_string("device_info.json")?)?;
    let start = time::Instant::now();
    let now = || Instant::ZERO + start.elapsed();
    let seed = RandomState::new().hash_one(0); // another one for each run
    let mut engine = Engine::new(Config::new(&device), Session::new(), seed, now());
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    engine.handle_wall_time(now(), WallTime::UNIX_EPOCH + wall);
    let shadow = engine.own_shadow().ok_or("the configuration names one")?;

    let (mut socket, mut out, mut input) = (None::<TcpStream>, Vec::new(), [0; 1024]);
    let (mut counter, mut next_report) = (0, now());
    loop {
        while let Some(transmit) = engine.poll_transmit(now(), &mut out) {
            let carried = match (transmit, &mut socket) {
                (Transmit::Connect, _) => match TcpStream::connect(format!("{host}:{port}")) {
                    Ok(stream) => {
                        stream.set_nodelay(true)?;
                        socket = Some(stream);
                        engine.handle_connected(now());
                        Ok(())
                    }
                    Err(error) => {
                        let error = format!("{host}:{port}: {error}");
                        Err(TransportFailure::connect_failed(error))
                    }
                },
                (Transmit::Packet { .. }, Some(stream)) => {
                    stream.write_all(&out).map_err(TransportFailure::broken)
                }
                (Transmit::Packet { .. } | Transmit::Close, _) => {
                    socket = None;
                    Ok(())
                }
            };
            out.clear();
            if let Err(failure) = carried {
                socket = None;
                engine.handle_disconnected(now(), failure);
            }
        }
        while let Some(event) = engine.poll_event() {
            if let Err(error) = handle(&mut engine, now(), event) {
                println!("refused: {error}"); // too long, say; it comes again on the next link
            }
        }
        if next_report <= now() {
            counter += 1;
            let measured = serde_json::json!({"counter": counter, "temperature": 21.5});
            engine.report(now(), shadow, &measured)?; // leaves when it can, as the latest state
            next_report = now() + Duration::from_secs(1);
        }
        if engine.has_output() {
            continue;
        }
        let until_report = next_report.saturating_since(now());
        let wait = engine.poll_delay(now()).unwrap_or(until_report);
        match receive(&mut socket, &mut input, wait.min(until_report)) {
            Ok(len) => engine.handle_bytes(now(), &input[..len]),
            Err(failure) => {
                socket = None;
                engine.handle_disconnected(now(), failure);
            }
        }
        engine.handle_tick(now());
    }
}
