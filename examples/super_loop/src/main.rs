//! The example device as firmware without an operating system has it: one loop, buffers of a fixed
//! size, no async and no threads. It waits only while it connects, and when there is nothing to do.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io::{ErrorKind::WouldBlock, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};
use std::{env, thread, time};

use serde::Deserialize;
use serde_json::json;
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
            Other(Event::OversizedMessage { size, .. }) => println!("refused: {size} bytes"),
            Other(_) => {}
        }
    }
}

/// The engine refuses what is too long for it; what the cloud refuses is told by an [`Event::Ended`].
fn tell_refused<T>(result: Result<T, RequestError>) {
    result.map_or_else(|error| println!("refused: {error}"), drop);
}

/// The hardware: a modem that carries one connection.
struct Modem {
    server: String,
    stream: Option<TcpStream>,
}

impl Modem {
    /// Waits, as many modems do, until it has connected or given up. Closes the last connection.
    fn connect(&mut self) -> Result<(), TransportFailure> {
        self.stream = None;
        let failed = |why| TransportFailure::connect_failed(format_args!("{}: {why}", self.server));
        let stream = TcpStream::connect(&self.server).map_err(failed)?;
        stream.set_nonblocking(true).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        self.stream = Some(stream);
        Ok(())
    }

    /// Reads and writes what goes at once; the number of bytes read, which come before any failure.
    fn carry(&mut self, input: &mut [u8], out: &mut Vec<u8>) -> Result<usize, TransportFailure> {
        let Some(stream) = &mut self.stream else {
            return Ok(0);
        };
        let read = match stream.read(input) {
            Ok(0) => return Err(TransportFailure::ClosedByPeer),
            Err(error) if error.kind() == WouldBlock => 0,
            read => read.map_err(TransportFailure::broken)?,
        };
        match stream.write(out) {
            Ok(len) => drop(out.drain(..len)),
            Err(error) if read > 0 || error.kind() == WouldBlock => {}
            Err(error) => return Err(TransportFailure::broken(error)),
        }
        Ok(read)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let [_, host, port] = &env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: super_loop HOST PORT".into());
    };
    let (server, stream) = (format!("{host}:{port}"), None);
    let mut modem = Modem { server, stream };
    let start = time::Instant::now();
    let now = || Instant::ZERO + start.elapsed();
    let device = DeviceInfo::from_json(include_str!("../../device_info.json"))?;
    let mut config = Config::new(&device);
    config.limits.payload_size = 512;
    config.maximum_packet_size = 4096;
    config.maximum_queued_bytes = 1024;
    config.maximum_event_bytes = 4096;
    let seed = RandomState::new().hash_one(0);
    let mut engine = Engine::new(config, Session::new(), seed, now());
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    engine.handle_wall_time(now(), WallTime::UNIX_EPOCH + wall);
    let shadow = engine.own_shadow().ok_or("the device has no shadow")?;

    let (mut counter, mut report_at) = (0, now());
    // Room for any packet: a payload is at most half of it, and topics and logins are shorter.
    let (mut input, mut out) = ([0; 256], Vec::with_capacity(1024));
    loop {
        match modem.carry(&mut input, &mut out) {
            Ok(0) => {}
            Ok(len) => engine.handle_bytes(now(), &input[..len]),
            Err(failure) => {
                modem.stream = None;
                engine.handle_disconnected(now(), failure);
            }
        }
        if now() >= report_at {
            // Not from `report_at`, as a connect may have taken long.
            (counter, report_at) = (counter + 1, now() + Duration::from_secs(1));
            let measured = json!({"counter": counter, "temperature": 21.5});
            tell_refused(engine.report(now(), shadow, &measured));
        }
        engine.handle_tick(now());
        while let Some(event) = engine.poll_event() {
            handle_event(&mut engine, now(), event);
        }
        // One packet at a time: what has to wait for it stays in the engine, which keeps it bounded.
        while out.is_empty() || !engine.is_online() {
            match engine.poll_transmit(now(), &mut out) {
                Some(Transmit::Connect) => {
                    out.clear();
                    match modem.connect() {
                        Ok(()) => engine.handle_connected(now()),
                        Err(failure) => engine.handle_disconnected(now(), failure),
                    }
                }
                Some(Transmit::Packet { .. }) => debug_assert!(out.len() <= 1024),
                Some(Transmit::Close) => modem.stream = None,
                None => break,
            }
        }
        // Firmware sleeps here until an interrupt. The host has none, and looks again soon.
        thread::sleep(Duration::from_millis(5));
    }
}
