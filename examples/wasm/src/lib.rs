//! The example device for JavaScript, which tells it what happens and does what it wants: in the
//! browser or in Node, `index.mjs` is both.

mod host;

use serde::Deserialize;
use shadow_core::json::Json;
use shadow_core::tencent::DeviceInfo;
use shadow_core::typed::TypedEvent::{Delta, Invalid, Other};
use shadow_core::{Config, Engine, Event, Instant, Session, Transmit, TransportFailure, WallTime};
use wasm_bindgen::prelude::*;

pub use host::Host;
use host::{monotonic_millis, unix_millis};

const SECRET: &str = "bm90IGEgcmVhbCBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZQ==";

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Desired {
    color: Option<String>,
}

/// The device. Each method tells it what happened; before they return, [`Host`] was told what to do.
#[wasm_bindgen]
pub struct Device {
    engine: Engine,
    host: Host,
}

#[wasm_bindgen]
impl Device {
    /// A device that does nothing before its first [`tick`](Device::tick). `seed` should differ
    /// from run to run.
    #[wasm_bindgen(constructor)]
    pub fn new(host: Host, seed: u64) -> Result<Device, JsError> {
        let config = Config::new(&DeviceInfo::with_key("EXAMPLE001", "test01", SECRET)?);
        let engine = Engine::new(config, Session::new(), seed, now());
        Ok(Device { engine, host })
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        let wall = WallTime::from_unix_millis(unix_millis() as u64);
        self.engine.handle_wall_time(now(), wall);
        self.engine.handle_tick(now());
        self.poll();
    }

    /// The WebSocket is open.
    pub fn connected(&mut self) {
        self.engine.handle_connected(now());
        self.poll();
    }

    /// A binary message came.
    pub fn received(&mut self, bytes: &[u8]) {
        self.engine.handle_bytes(now(), bytes);
        self.poll();
    }

    /// The WebSocket has closed, or did not open.
    pub fn disconnected(&mut self, why: &str) {
        let failure = match self.engine.is_online() {
            true => TransportFailure::broken(why),
            false => TransportFailure::connect_failed(why),
        };
        self.engine.handle_disconnected(now(), failure);
        self.poll();
    }

    /// The sensors were read: these keys have these values now.
    pub fn report(&mut self, json: &str) -> Result<(), JsError> {
        let own = self.engine.own_shadow().ok_or(JsError::new("no shadow"))?;
        self.engine.report(now(), own, &json.parse::<Json>()?)?;
        self.poll();
        Ok(())
    }

    /// Has the host do what comes out of the engine.
    fn poll(&mut self) {
        let mut packet = Vec::new();
        while self.engine.has_output() {
            while let Some(transmit) = self.engine.poll_transmit(now(), &mut packet) {
                match transmit {
                    Transmit::Connect => self.host.connect(),
                    Transmit::Packet { .. } => self.host.send(&packet),
                    Transmit::Close => self.host.close(),
                }
                packet.clear();
            }
            while let Some(event) = self.engine.poll_event() {
                self.handle_event(event);
            }
        }
        if let Some(wait) = self.engine.poll_delay(now()) {
            self.host.tick_in(wait.as_secs_f64() * 1e3);
        }
    }

    /// The device itself: what it does about what happens.
    fn handle_event(&mut self, event: Event) {
        let (host, engine) = (&self.host, &mut self.engine);
        for event in event.typed::<Desired>() {
            match event {
                Delta { state, delta } => {
                    if let Some(color) = state.color {
                        host.light(&color);
                    }
                    host.tell_refused(engine.accept(now(), &delta));
                }
                Invalid(bad) => host.tell_refused(engine.reject(now(), &bad.delta, &bad.reason)),
                Other(Event::Connected { .. }) => host.print("connected"),
                Other(Event::Disconnected { cause, .. }) => {
                    host.print(&format!("disconnected: {cause}"));
                }
                Other(Event::Ended { outcome, .. }) if outcome.is_failure() => {
                    host.print(&outcome.to_string());
                }
                Other(_) => {}
            }
        }
    }
}

fn now() -> Instant {
    Instant::from_micros((monotonic_millis() * 1e3) as u64)
}
