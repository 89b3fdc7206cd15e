//! The example device as firmware without an operating system has it: one loop, buffers of a fixed
//! size, no async and no threads. It waits only while it connects, and when there is nothing to do.

use std::error::Error;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::ErrorKind::WouldBlock;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};
use std::{env, thread, time};

use serde::Deserialize;
use serde_json::json;
use shadow_core::tencent::DeviceInfo;
use shadow_core::typed::TypedEvent;
use shadow_core::{
    Config, Engine, Event, Instant, RequestError, RequestId, Session, Transmit, TransportFailure,
    WallTime,
};

/// Room for any packet that the limits in `main` allow.
const OUT_SIZE: usize = 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Desired {
    color: String,
}

/// The device itself: what it does about what happens.
fn handle_event(engine: &mut Engine, now: Instant, event: Event) {
    for event in event.typed::<Desired>() {
        match event {
            TypedEvent::Other(Event::Connected { .. }) => println!("connected"),
            TypedEvent::Other(Event::Disconnected { cause, .. }) => {
                println!("disconnected: {cause}")
            }
            TypedEvent::Other(_) => {}
            TypedEvent::Delta { state, delta } => {
                println!("color {}", state.color);
                tell_refused(engine.accept(now, &delta));
            }
            TypedEvent::Invalid(bad) => tell_refused(engine.reject(now, &bad.delta, &bad.reason)),
        }
    }
}

/// The engine sends nothing that the cloud would not take, such as a very long color.
fn tell_refused(result: Result<RequestId, RequestError>) {
    if let Err(error) = result {
        println!("refused: {error}");
    }
}

/// The hardware: a timer, and a modem that carries one connection.
struct Board {
    power_on: time::Instant,
    server: String,
    modem: Option<TcpStream>,
}

impl Board {
    fn now(&self) -> Instant {
        Instant::ZERO + self.power_on.elapsed()
    }

    /// Waits, as many modems do, until it has connected or given up. Closes the last connection.
    fn connect(&mut self) -> io::Result<()> {
        self.modem = None;
        let modem = TcpStream::connect(&self.server)?;
        modem.set_nonblocking(true)?;
        self.modem = Some(modem);
        Ok(())
    }

    fn read(&mut self, input: &mut [u8]) -> io::Result<usize> {
        self.modem.as_mut().ok_or(WouldBlock)?.read(input)
    }

    fn write(&mut self, out: &[u8]) -> io::Result<usize> {
        self.modem.as_mut().ok_or(WouldBlock)?.write(out)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let [_, host, port] = &env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: super_loop HOST PORT".into());
    };
    let mut board = Board {
        power_on: time::Instant::now(),
        server: format!("{host}:{port}"),
        modem: None,
    };
    let device = DeviceInfo::from_json(include_str!("../../device_info.json"))?;
    let mut config = Config::new(&device);
    config.limits.payload_size = 512; // and a topic, and less than 16 bytes of headers
    config.maximum_packet_size = 4096;
    config.maximum_queued_bytes = 1024;
    config.maximum_event_bytes = 4096;
    let seed = RandomState::new().build_hasher().finish();
    let mut engine = Engine::new(config, Session::new(), seed, board.now());
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    engine.handle_wall_time(board.now(), WallTime::UNIX_EPOCH + wall);
    let shadow = engine.own_shadow().ok_or("the device has no shadow")?;

    let (mut counter, mut input, mut out) = (0, [0; 256], Vec::with_capacity(OUT_SIZE));
    loop {
        let now = board.now();
        match board.read(&mut input) {
            Ok(0) => engine.handle_disconnected(now, TransportFailure::ClosedByPeer),
            Ok(len) => engine.handle_bytes(now, &input[..len]),
            Err(error) if error.kind() == WouldBlock => {}
            Err(error) => engine.handle_disconnected(now, TransportFailure::broken(error)),
        }
        match board.write(&out) {
            Ok(len) => drop(out.drain(..len)),
            Err(error) if error.kind() == WouldBlock => {}
            Err(error) => engine.handle_disconnected(now, TransportFailure::broken(error)),
        }
        if now >= Instant::from_secs(counter) {
            counter += 1;
            let measured = json!({"counter": counter, "temperature": 21.5});
            tell_refused(engine.report(now, shadow, &measured));
        }
        engine.handle_tick(now);
        while let Some(event) = engine.poll_event() {
            handle_event(&mut engine, now, event);
        }
        // One packet at a time: what has to wait for it stays in the engine, which keeps it bounded.
        while out.is_empty() || !engine.is_online() {
            match engine.poll_transmit(now, &mut out) {
                Some(Transmit::Connect) => {
                    out.clear();
                    match board.connect().map_err(TransportFailure::connect_failed) {
                        Ok(()) => engine.handle_connected(board.now()),
                        Err(failure) => engine.handle_disconnected(board.now(), failure),
                    }
                }
                Some(Transmit::Packet { .. }) => assert_eq!(out.capacity(), OUT_SIZE),
                Some(Transmit::Close) => board.modem = None,
                None => break,
            }
        }
        // Firmware sleeps here until an interrupt. The host has none, so it looks again after a time
        // that a network does not notice, and a processor hardly.
        thread::sleep(Duration::from_millis(5));
    }
}
