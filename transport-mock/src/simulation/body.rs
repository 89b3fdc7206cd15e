//! What a device is made of: an engine in the simulation, or one elsewhere behind a port.

use shadow_core::{Config, Event, Instant, TransportFailure, WallTime};

use super::SimulatedEngine;
use super::port::Port;

/// A device's engine, or the port to it.
#[derive(Debug)]
pub(super) enum Body {
    Engine(Box<SimulatedEngine>),
    Port(Port),
}

/// What a device wants of the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Connect,
    /// The packet is in the buffer.
    Packet,
    Close,
}

impl Body {
    /// # Panics
    /// When the engine is elsewhere.
    #[expect(
        clippy::panic,
        reason = "no such device is handed out with a simulation"
    )]
    pub(super) fn engine(&self) -> &SimulatedEngine {
        match self {
            Body::Engine(engine) => engine,
            Body::Port(_) => panic!("this device's engine is not in the simulation"),
        }
    }

    /// # Panics
    /// As [`engine`](Self::engine).
    #[expect(
        clippy::panic,
        reason = "no such device is handed out with a simulation"
    )]
    pub(super) fn engine_mut(&mut self) -> &mut SimulatedEngine {
        match self {
            Body::Engine(engine) => engine,
            Body::Port(_) => panic!("this device's engine is not in the simulation"),
        }
    }

    pub(super) fn config(&self) -> &Config {
        match self {
            Body::Engine(engine) => engine.config(),
            Body::Port(port) => port.config(),
        }
    }

    pub(super) fn handle_connected(&mut self, now: Instant) {
        match self {
            Body::Engine(engine) => engine.handle_connected(now),
            Body::Port(port) => port.connected(),
        }
    }

    pub(super) fn handle_disconnected(&mut self, now: Instant, failure: TransportFailure) {
        match self {
            Body::Engine(engine) => engine.handle_disconnected(now, failure),
            Body::Port(port) => port.disconnected(failure),
        }
    }

    pub(super) fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        match self {
            Body::Engine(engine) => engine.handle_bytes(now, bytes),
            Body::Port(port) => port.received(bytes),
        }
    }

    pub(super) fn handle_tick(&mut self, now: Instant) {
        match self {
            Body::Engine(engine) => engine.handle_tick(now),
            Body::Port(_) => {}
        }
    }

    /// The wall clock shows `wall`, which is so many seconds ahead of what it should.
    pub(super) fn handle_wall_time(&mut self, now: Instant, wall: WallTime, ahead: i32) {
        match self {
            Body::Engine(engine) => engine.handle_wall_time(now, wall),
            Body::Port(port) => port.set_clock_ahead(ahead),
        }
    }

    pub(super) fn poll_output(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<Output> {
        match self {
            Body::Engine(engine) => Some(match engine.poll_transmit(now, buffer)? {
                shadow_core::Transmit::Connect => Output::Connect,
                shadow_core::Transmit::Packet { .. } => Output::Packet,
                shadow_core::Transmit::Close => Output::Close,
            }),
            Body::Port(port) => port.poll_output(buffer),
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        match self {
            Body::Engine(engine) => engine.poll_event(),
            Body::Port(_) => None,
        }
    }

    pub(super) fn has_output(&self) -> bool {
        match self {
            Body::Engine(engine) => engine.has_output(),
            Body::Port(port) => port.has_output(),
        }
    }

    pub(super) fn poll_deadline(&self) -> Option<Instant> {
        match self {
            Body::Engine(engine) => engine.poll_deadline().map(|deadline| deadline.at),
            Body::Port(_) => None,
        }
    }
}
