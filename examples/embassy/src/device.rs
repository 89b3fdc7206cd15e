//! The device, on any [`Board`]: reports a counter and a temperature, and obeys a desired color.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use embassy_time::{TimeoutError, Timer, with_deadline, with_timeout};
use embedded_io_async::{Error, Read, Write};
use serde::{Deserialize, Serialize};
use shadow_core::tencent::DeviceInfo;
use shadow_core::typed::TypedEvent::{Delta, Invalid, Other};
use shadow_core::{Config, Engine, Event, Instant, Session, Transmit, TransportFailure};

use crate::Board;

/// That of the example device, made up and public.
const SECRET: &str = "bm90IGEgcmVhbCBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZQ==";

struct Device<B: Board> {
    board: B,
    engine: Engine,
    stream: Option<B::Stream>,
    measured: Measured,
    report_at: Instant,
}

#[derive(Serialize)]
struct Measured {
    counter: u32,
    temperature: f32,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Desired {
    color: Option<String>,
}

/// Runs the device for ever.
pub(crate) async fn run<B: Board>(board: B) {
    let info = DeviceInfo::with_key("EXAMPLE001", "test01", SECRET).expect("all three are valid");
    let mut device = Device {
        engine: Engine::new(Config::new(&info), Session::new(), board.seed(), now()),
        board,
        stream: None,
        measured: Measured {
            counter: 0,
            temperature: 21.5,
        },
        report_at: now(),
    };
    loop {
        if let Err(failure) = device.turn().await {
            device.stream = None;
            device.engine.handle_disconnected(now(), failure);
        }
    }
}

impl<B: Board> Device<B> {
    /// Polls all that the engine has, then waits for bytes or time, whichever comes first.
    async fn turn(&mut self) -> Result<(), TransportFailure> {
        if self.report_at <= now() {
            // From now, as a connect may have taken many seconds.
            self.report_at = now() + Duration::from_secs(1);
            self.engine.handle_wall_time(now(), self.board.wall_time());
            self.measured.counter += 1;
            let own = self.engine.own_shadow().expect("it is configured");
            let reported = self.engine.report(now(), own, &self.measured);
            self.board.tell_refused(reported);
        }
        let mut packet = Vec::new();
        while let Some(transmit) = self.engine.poll_transmit(now(), &mut packet) {
            match (transmit, &mut self.stream) {
                (Transmit::Connect, _) => {
                    let stream = in_time(self.board.connect()).await;
                    let named = stream.map_err(|why| format!("{}: {why}", self.board.server()));
                    self.stream = Some(named.map_err(TransportFailure::connect_failed)?);
                    self.engine.handle_connected(now());
                }
                (Transmit::Packet { .. }, Some(stream)) => {
                    let written = in_time(stream.write_all(&packet)).await;
                    written.map_err(TransportFailure::broken)?;
                }
                (Transmit::Packet { .. } | Transmit::Close, _) => self.stream = None,
            }
            packet.clear();
        }
        while let Some(event) = self.engine.poll_event() {
            self.handle_event(event);
        }
        if self.engine.has_output() {
            return Ok(());
        }
        let deadline = self.engine.poll_deadline().map(|deadline| deadline.at);
        let due = deadline.map_or(self.report_at, |at| at.min(self.report_at));
        let due = embassy_time::Instant::from_micros(due.as_micros());
        let mut bytes = [0; 256];
        match &mut self.stream {
            None => Timer::at(due).await,
            Some(stream) => match with_deadline(due, stream.read(&mut bytes)).await {
                Ok(Ok(0)) => return Err(TransportFailure::ClosedByPeer),
                Ok(Ok(len)) => self.engine.handle_bytes(now(), &bytes[..len]),
                Ok(Err(error)) => return Err(TransportFailure::broken(error)),
                Err(TimeoutError) => {}
            },
        }
        self.engine.handle_tick(now());
        Ok(())
    }

    /// The device itself: what it does about what happens.
    fn handle_event(&mut self, event: Event) {
        let (board, engine) = (&self.board, &mut self.engine);
        for event in event.typed::<Desired>() {
            match event {
                Delta { state, delta } => {
                    if let Some(color) = state.color {
                        board.print(format_args!("color {color}"));
                    }
                    board.tell_refused(engine.accept(now(), &delta));
                }
                Invalid(bad) => board.tell_refused(engine.reject(now(), &bad.delta, &bad.reason)),
                Other(Event::Connected { .. }) => board.print(format_args!("connected")),
                Other(Event::Disconnected { cause, .. }) => {
                    board.print(format_args!("disconnected: {cause}"));
                }
                Other(Event::Ended { outcome, .. }) if outcome.is_failure() => {
                    board.print(format_args!("{outcome}"));
                }
                Other(_) => {}
            }
        }
    }
}

/// What comes of something that the network should not take long for.
async fn in_time<T, E: Error>(what: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    let done = with_timeout(embassy_time::Duration::from_secs(10), what).await;
    let done = done.map_err(|TimeoutError| "it takes too long".to_string())?;
    done.map_err(|error| error.to_string())
}

fn now() -> Instant {
    Instant::from_micros(embassy_time::Instant::now().as_micros())
}
