//! An engine and what an application asks of it.

use std::hint::black_box;

use clap::ValueEnum;
use serde::Serialize;
use shadow_core::tencent::{DeviceInfo, Limits, Update};
use shadow_core::{Config, Engine, Event, Instant, Outcome, Session, ShadowId, Transmit, WallTime};

/// A moment in the vendor's printed session.
pub(crate) const WALL: WallTime = WallTime::from_unix_millis(1_626_770_697_670);

/// What a device asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// For the whole document.
    Get,
    /// To change a value of two that it names: the one that counts up.
    Update,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    power: bool,
    update_count: u64,
}

/// An engine, and what it has asked.
#[derive(Debug)]
pub struct Device {
    engine: Engine,
    shadow: ShadowId,
    asked: u64,
}

impl Device {
    /// A device that has not connected yet. It sends as often as it is asked to: what the vendor
    /// allows, 20 messages a second, is off.
    ///
    /// # Panics
    /// If an engine has no shadow of its own, which no configuration here asks for.
    #[must_use]
    pub fn new(device: &DeviceInfo) -> Device {
        let mut config = Config::new(device);
        config.limits = Limits {
            messages_per_second: None,
            ..Limits::current()
        };
        let mut engine = Engine::new(config, Session::new(), 7, Instant::ZERO);
        engine.handle_wall_time(Instant::ZERO, WALL);
        let shadow = engine.own_shadow().expect("its configuration names one");
        Device {
            engine,
            shadow,
            asked: 0,
        }
    }

    /// Asks once.
    ///
    /// # Panics
    /// If the engine has no room for a request: as many are open as it takes.
    pub fn ask(&mut self, now: Instant, kind: Kind) {
        self.asked += 1;
        let asked = match kind {
            Kind::Get => self.engine.get(now, self.shadow),
            Kind::Update => {
                let report = Report {
                    power: true,
                    update_count: self.asked,
                };
                let update = Update::new().reported(&report);
                self.engine.update(now, self.shadow, &update)
            }
        };
        asked.expect("there is room for as many as are in flight");
    }

    /// Appends everything that the engine sends to `bytes`; a connection that it asks for is there
    /// at once. Then asks for the deadline, as a driver does on every wait.
    pub fn send(&mut self, now: Instant, bytes: &mut Vec<u8>) {
        while let Some(transmit) = self.engine.poll_transmit(now, bytes) {
            if transmit == Transmit::Connect {
                self.engine.handle_connected(now);
            }
        }
        black_box(self.engine.poll_deadline());
    }

    /// Takes bytes, and all events that come of them; how many requests ended well. Then asks for
    /// the deadline, as a driver does on every wait.
    ///
    /// # Panics
    /// If one ended otherwise.
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) -> usize {
        self.engine.handle_bytes(now, bytes);
        let mut ended = 0;
        while let Some(event) = self.engine.poll_event() {
            if let Event::Ended { outcome, .. } = &event {
                assert!(matches!(outcome, Outcome::Accepted { .. }), "{event:?}");
                ended += 1;
            }
        }
        black_box(self.engine.poll_deadline());
        ended
    }
}
