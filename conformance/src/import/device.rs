//! The engine under test, driven by hand: it is told what happens, and asked what it does.

use std::collections::VecDeque;
use std::time::Duration;

use shadow_core::mqtt::{Packet, PacketKind, ProtocolVersion, QoS};
use shadow_core::recording::{Mask, Recorder};
use shadow_core::tencent::{DeviceInfo, Limits, ShadowName};
use shadow_core::{
    Config, Engine, Event, Instant, Publication, RequestId, Session, Transmit, WallTime,
};

use super::tolerance::Tolerance;

/// Requests that may stay unanswered before the oldest is given up.
const MAXIMUM_OPEN: usize = 256;
/// Largest payload that a replay makes up or passes in, in bytes.
pub(super) const MAXIMUM_PAYLOAD: usize = 1 << 20;

/// Something the engine did.
pub(super) enum Output {
    Packet { number: Option<u16>, bytes: Vec<u8> },
    Connect,
    Close,
    Event(Event),
}

/// How far the link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// None; the engine may be waiting for the next try.
    Down,
    /// The transport was asked for one.
    Wanted,
    /// CONNECT was sent.
    Handshake,
    /// CONNACK came.
    Online,
    /// The application closed the engine.
    Closed,
}

/// The engine in the compatibility profile.
pub(super) struct Device {
    pub(super) engine: Recorder<String>,
    pub(super) now: Instant,
    pub(super) link: Link,
    config: Config,
    open: VecDeque<RequestId>,
    buffer: Vec<u8>,
    /// Recordings of the engines that were given up.
    recorded: Vec<String>,
}

/// The SDK's settings, without deadlines of the engine's own: the log says how long things took.
pub(super) fn profile(
    name: &ShadowName,
    client_id: &str,
    keep_alive: u16,
    tolerance: Tolerance,
) -> Config {
    // The secret of a log's device is not known, and its password is not printed.
    let device = DeviceInfo::with_key(name.product_id(), name.device_name(), "AAAA");
    let mut config = match device {
        Ok(device) if name.client_id() == client_id => Config::python_sdk(&device),
        _ => {
            let mut config = Config::plain(client_id);
            config.login = shadow_core::config::Login::Plain {
                client_id: client_id.to_owned(),
                user_name: Some(String::new()),
                password: Some(shadow_core::tencent::Secret::from_bytes([])),
            };
            config.protocol_version = ProtocolVersion::V31;
            config.behaviour = shadow_core::config::Behaviour::python_sdk();
            config
        }
    };
    config.keep_alive = keep_alive;
    // paho gives a PINGREQ as long as any other silence.
    config.ping_timeout = Duration::from_secs(keep_alive.max(1).into());
    config.request_timeout = Duration::MAX;
    config.connect_timeout = Duration::MAX;
    // The log shows when there was room for one more.
    config.maximum_in_flight = u16::MAX.into();
    config.maximum_requests = MAXIMUM_OPEN * 2;
    config.limits = Limits {
        payload_size: MAXIMUM_PAYLOAD as u32,
        ..Limits::NONE
    };
    tolerance.apply(&mut config);
    config.maximum_packet_size = 2 * MAXIMUM_PAYLOAD;
    config.maximum_queued_bytes = 4 * MAXIMUM_PAYLOAD;
    config
}

impl Device {
    pub(super) fn new(config: Config, session: Session, now: Instant, records: bool) -> Device {
        let engine = if records {
            let mask = Mask::default();
            Recorder::new(config.clone(), session, 0, now, mask, String::new())
        } else {
            Recorder::off(Engine::new(config.clone(), session, 0, now))
        };
        let mut device = Device {
            engine,
            now,
            link: Link::Down,
            config,
            open: VecDeque::new(),
            buffer: Vec::new(),
            recorded: Vec::new(),
        };
        device.wake();
        device
    }

    fn wake(&mut self) {
        // Any wall time will do, as no signature is compared.
        let wall = WallTime::from_unix_millis(self.now.as_micros() / 1_000);
        self.engine.handle_wall_time(self.now, wall);
        self.engine.handle_tick(self.now);
    }

    /// A new engine that goes on with the session, as after `disconnect` and `connect`.
    pub(super) fn renew(&mut self, session: Option<Session>) {
        let session = session.unwrap_or_else(|| self.engine.session().clone());
        let records = self.engine.is_on();
        let fresh = Device::new(self.config.clone(), session, self.now, records);
        let before = std::mem::replace(self, fresh);
        self.recorded = before.finish();
    }

    /// The recordings of all engines, if they were recorded.
    pub(super) fn finish(self) -> Vec<String> {
        let mut recorded = self.recorded;
        recorded.extend(self.engine.finish().1);
        recorded
    }

    pub(super) fn version(&self) -> ProtocolVersion {
        self.config.protocol_version
    }

    pub(super) fn is_online(&self) -> bool {
        self.link == Link::Online
    }

    /// Everything that it does now, in order.
    pub(super) fn drain(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        while self.engine.has_output() {
            self.buffer.clear();
            while let Some(transmit) = self.engine.poll_transmit(self.now, &mut self.buffer) {
                outputs.push(match transmit {
                    Transmit::Connect => {
                        self.link = Link::Wanted;
                        Output::Connect
                    }
                    Transmit::Close => Output::Close,
                    Transmit::Packet {
                        kind, packet_id, ..
                    } => {
                        if kind == PacketKind::Connect {
                            self.link = Link::Handshake;
                        }
                        Output::Packet {
                            number: packet_id.map(|id| id.get()),
                            bytes: std::mem::take(&mut self.buffer),
                        }
                    }
                });
            }
            while let Some(event) = self.engine.poll_event() {
                match &event {
                    Event::Connected { .. } => self.link = Link::Online,
                    Event::Disconnected { .. } => self.link = Link::Down,
                    Event::Closed => self.link = Link::Closed,
                    Event::Ended { request, .. } => self.open.retain(|open| open != request),
                    _ => {}
                }
                outputs.push(Output::Event(event));
            }
        }
        outputs
    }

    /// Notes a request, and gives up the oldest where there are too many.
    pub(super) fn opened(&mut self, request: RequestId) {
        self.open.push_back(request);
        if self.open.len() > MAXIMUM_OPEN
            && let Some(oldest) = self.open.pop_front()
        {
            // It may have ended meanwhile.
            let _ = self.engine.cancel(self.now, oldest);
        }
    }

    /// Takes back a request that could not leave.
    pub(super) fn withdraw(&mut self, request: RequestId) {
        let _ = self.engine.cancel(self.now, request);
    }

    /// Sends something that stands for a packet of unknown content: it takes a message number.
    pub(super) fn stand_in(&mut self) -> Vec<Output> {
        let publication = Publication::new("replay/unprinted", &[]).qos(QoS::AtMostOnce);
        match self.engine.publish(self.now, &publication) {
            Ok(request) if !self.is_online() => self.withdraw(request),
            Ok(_) | Err(_) => {}
        }
        self.drain()
    }

    /// Passes one packet in.
    pub(super) fn receive(&mut self, packet: &Packet<'_>) -> Result<Vec<Output>, String> {
        let mut bytes = Vec::new();
        packet
            .encode(self.version(), &mut bytes)
            .map_err(|error| error.to_string())?;
        self.engine.handle_bytes(self.now, &bytes);
        Ok(self.drain())
    }
}
