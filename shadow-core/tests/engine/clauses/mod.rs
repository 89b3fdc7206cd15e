//! The normative statements of MQTT 3.1.1 that bind a client, one test for each or for a few that
//! one exchange shows. The statements' numbers stand in the assertions; the table of all of them,
//! with these tests' names, is the conformance crate's `clauses`.
//!
//! Expected bytes are laid out by hand from the specification.

mod acknowledging;
mod bytes;
mod errors;
mod login;
mod publishing;
mod server;
mod sessions;
mod staying;
mod subscribing;
mod topics;

use core::time::Duration;

use shadow_core::mqtt::{PacketKind, QoS};
use shadow_core::{
    Config, DisconnectCause, Event, Publication, RequestId, Session, Timer, TransportFailure,
};

use crate::device::{Device, Out};

/// A client with a clean session, online.
fn client() -> Device {
    Device::online(Config::plain("c"))
}

/// No request times out while a test loses its links.
fn keeping_config() -> Config {
    Config {
        clean_session: false,
        request_timeout: Duration::from_secs(3_600),
        ..Config::plain("c")
    }
}

/// A client that asked the server to keep its session, online.
fn keeping() -> Device {
    Device::online(keeping_config())
}

/// A keeping client whose next packet id is `number`.
fn numbering_from(number: u16) -> Device {
    let session = Session::starting_at(number);
    let mut device = Device::with_session(keeping_config(), session, 1);
    device.connect(false);
    device
}

fn send(device: &mut Device, payload: &[u8], qos: QoS) -> RequestId {
    let publication = Publication::new("t", payload).qos(qos);
    device.engine.publish(device.now, &publication).unwrap()
}

/// The CONNECT that a client with this configuration sends.
fn connect_bytes(config: Config) -> Vec<u8> {
    let mut device = Device::new(config);
    device.poll();
    device.engine.handle_connected(device.now);
    device.packet()
}

/// Ends the link from outside and waits until the client wants the next one.
fn cut(device: &mut Device) {
    device.events();
    device
        .engine
        .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
    device.events();
    device.tick_until(Timer::Reconnect);
}

/// The packets that come out, and nothing else.
fn packets(device: &mut Device) -> Vec<Vec<u8>> {
    let packet = |out| match out {
        Out::Packet(bytes) => bytes,
        other => panic!("expected packets only, got {other:?}"),
    };
    device.poll().into_iter().map(packet).collect()
}

fn first_bytes(packets: &[Vec<u8>]) -> Vec<u8> {
    packets.iter().map(|packet| packet[0]).collect()
}

/// The clause that the client names when it ends the link, which it must do now.
fn ended(device: &mut Device) -> &'static str {
    assert_eq!(device.poll(), [Out::Close]);
    match device.event() {
        Event::Disconnected { cause, .. } => match cause {
            DisconnectCause::Malformed(error) => error.clause(),
            DisconnectCause::Violation(clause) => clause,
            other => panic!("expected a breach of the protocol, got {other:?}"),
        },
        other => panic!("expected the end of the link, got {other:?}"),
    }
}

/// The clause for which a client that is online ends the link after `bytes`.
fn refused(bytes: &[u8]) -> &'static str {
    let mut device = client();
    device.bytes(bytes);
    ended(&mut device)
}

/// Whether `bytes` leave the link as it was.
fn is_taken(bytes: &[u8]) -> bool {
    let mut device = client();
    device.bytes(bytes);
    device.engine.is_online()
}

fn kind(packet: &[u8]) -> u8 {
    packet[0] >> 4
}

fn is_kind(packet: &[u8], wanted: PacketKind) -> bool {
    kind(packet) == wanted.number()
}
