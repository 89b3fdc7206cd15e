//! The example device as firmware without an operating system has it: one loop, buffers of a fixed
//! size, no async and no threads. It waits in [`Board::connect`] and [`Board::idle`]
//! only.

use std::error::Error;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};
use std::{env, thread, time};

use serde::{Deserialize, Serialize};
use shadow_core::tencent::DeviceInfo;
use shadow_core::{
    Config, Engine, Event, Instant, RequestError, RequestId, Session, Transmit, TransportFailure,
    WallTime,
};

const SECRET: &str = "bm90IGEgcmVhbCBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZQ==";
/// Room for one packet: payload, topic and less than 16 bytes of headers. A CONNECT is shorter.
const OUT_SIZE: usize = 1024;
const PAYLOAD_SIZE: u32 = 512;

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

    /// As many modems it answers when it has connected or given up.
    fn connect(&mut self) -> io::Result<()> {
        let modem = TcpStream::connect(&self.server)?;
        modem.set_nodelay(true)?;
        modem.set_nonblocking(true)?;
        self.modem = Some(modem);
        Ok(())
    }

    fn read(&mut self, input: &mut [u8]) -> io::Result<usize> {
        self.modem
            .as_mut()
            .map_or(Err(ErrorKind::WouldBlock.into()), |modem| modem.read(input))
    }

    fn write(&mut self, out: &[u8]) -> io::Result<usize> {
        self.modem
            .as_mut()
            .map_or(Err(ErrorKind::WouldBlock.into()), |modem| modem.write(out))
    }

    /// Firmware sleeps here until an interrupt. The host has none: it looks again after a time that
    /// a network does not notice, and a processor hardly.
    fn idle(&self) {
        thread::sleep(Duration::from_millis(5));
    }
}

/// What to tell the engine of an error; nothing if there is just nothing to read or no room to write.
fn failure(error: io::Error) -> Option<TransportFailure> {
    let waits = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted);
    (!waits).then(|| TransportFailure::broken(error))
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
    let mut config = Config::new(&DeviceInfo::with_key("EXAMPLE001", "test01", SECRET)?);
    config.limits.payload_size = PAYLOAD_SIZE;
    config.maximum_packet_size = 4096;
    config.maximum_queued_bytes = 1024;
    config.maximum_event_bytes = 4096;
    let seed = RandomState::new().build_hasher().finish();
    let mut engine = Engine::new(config, Session::new(), seed, board.now());
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    engine.handle_wall_time(board.now(), WallTime::UNIX_EPOCH + wall);
    let shadow = engine.own_shadow().ok_or("the device has no shadow")?;

    let (mut counter, mut next_measurement) = (0, board.now());
    let (mut input, mut out) = ([0; 256], Vec::with_capacity(OUT_SIZE));
    loop {
        let lost = match board.read(&mut input) {
            Ok(0) => Some(TransportFailure::ClosedByPeer),
            Ok(len) => {
                engine.handle_bytes(board.now(), &input[..len]);
                None
            }
            Err(error) => failure(error),
        };
        let lost = lost.or_else(|| match board.write(&out) {
            Ok(len) => {
                out.drain(..len);
                None
            }
            Err(error) => failure(error),
        });
        if let Some(failure) = lost {
            board.modem = None;
            engine.handle_disconnected(board.now(), failure);
        }
        if next_measurement <= board.now() {
            next_measurement = next_measurement + Duration::from_secs(1);
            counter += 1;
            let temperature = 21.5;
            tell_refused(engine.report(
                board.now(),
                shadow,
                &Measured {
                    counter,
                    temperature,
                },
            ));
        }
        engine.handle_tick(board.now());
        while let Some(event) = engine.poll_event() {
            handle_event(&mut engine, board.now(), event);
        }
        // One packet at a time: what has to wait for it stays in the engine, which keeps it bounded.
        while out.is_empty() || !engine.is_online() {
            match engine.poll_transmit(board.now(), &mut out) {
                Some(Transmit::Connect) => {
                    out.clear();
                    match board.connect() {
                        Ok(()) => engine.handle_connected(board.now()),
                        Err(error) => engine.handle_disconnected(
                            board.now(),
                            TransportFailure::connect_failed(error),
                        ),
                    }
                }
                Some(Transmit::Packet { .. }) => assert_eq!(out.capacity(), OUT_SIZE),
                Some(Transmit::Close) => board.modem = None,
                None => break,
            }
        }
        board.idle();
    }
}
