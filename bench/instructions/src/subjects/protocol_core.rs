//! mqtt-protocol-core: a codec, and a connection without I/O as ours is one, though without shadows.
//!
//! With its default features. Those that keep small strings and payloads off the heap change its
//! counts here by -3 to +9 % (`sso-min-64bit`) and by up to +17 % (`sso-lv20`).

use std::any::Any;
use std::hint::black_box;

use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{
    Connection, Event, GenericEvent, PacketBuildResult, PacketBuilder, PacketData, RawPacket,
    TimerKind,
};
use mqtt_protocol_core::mqtt::packet::v3_1_1::{Connect, Pingresp, Puback, Publish, Suback};
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait, Packet, Qos};
use mqtt_protocol_core::mqtt::{Version, role};

use super::Subject;
use super::peer::{self, Client};
use super::peer_json::{Tree, Typed};
use crate::messages::{
    CLIENT_ID, OPERATION_TOPIC, PACKET_ID, PASSWORD, PINGRESP, PUBACK, SUBACK, UPDATE_119,
    USER_NAME, publish_218,
};
use crate::operation::Operation;
use crate::work::{Work, decoding, encoding};

pub(super) const SUBJECTS: [Subject; 4] = [
    Subject {
        name: "mqtt-protocol-core",
        work: codec,
        idle: None,
    },
    Subject {
        name: "mqtt-protocol-core codec + struct",
        work: peer::work::<Codec, Typed>,
        idle: None,
    },
    Subject {
        name: "mqtt-protocol-core connection + Value",
        work: peer::work::<Connected, Tree>,
        idle: None,
    },
    Subject {
        name: "mqtt-protocol-core connection + struct",
        work: connection,
        idle: Some(idle),
    },
];

fn codec(operation: Operation) -> Option<Box<dyn Work>> {
    // A builder is kept from packet to packet, as its connection keeps it and ours its decoder.
    let decoded = |bytes: &[u8]| {
        let mut builder = PacketBuilder::new();
        let decode = move |bytes: &[u8]| drop(black_box(feed(&mut builder, bytes)));
        decoding(bytes.to_vec(), decode, describe)
    };
    Some(match operation {
        Operation::EncodePublish => {
            encoding(|out| append(out, &publish(Qos::AtMostOnce, black_box(UPDATE_119))))
        }
        Operation::EncodePublishAtLeastOnce => {
            encoding(|out| append(out, &publish(Qos::AtLeastOnce, black_box(UPDATE_119))))
        }
        Operation::EncodePubAck => encoding(|out| {
            let packet = Puback::builder().packet_id(black_box(PACKET_ID)).build();
            append(out, &packet.expect("it is valid"));
        }),
        Operation::EncodeConnect => encoding(|out| append(out, &connect())),
        Operation::DecodePublish => decoded(&publish_218(false)),
        Operation::DecodePublishAtLeastOnce => decoded(&publish_218(true)),
        Operation::DecodePubAck => decoded(&PUBACK),
        Operation::DecodeSubAck => decoded(&SUBACK),
        Operation::DecodePingResp => decoded(&PINGRESP),
        Operation::DecodePublishByBytes => {
            let mut builder = PacketBuilder::new();
            let decode = move |bytes: &[u8]| {
                for byte in bytes.chunks(1) {
                    drop(black_box(feed(&mut builder, byte)));
                }
            };
            decoding(publish_218(false), decode, describe)
        }
        _ => return None,
    })
}

/// A message, which is made anew each time: its parts cannot be changed.
fn publish(qos: Qos, payload: &[u8]) -> Publish {
    let builder = Publish::builder().topic_name(black_box(OPERATION_TOPIC));
    let builder = builder.expect("it is valid").qos(qos).payload(payload);
    let builder = match qos {
        Qos::AtMostOnce => builder,
        _ => builder.packet_id(PACKET_ID),
    };
    builder.build().expect("it is valid")
}

fn connect() -> Connect {
    let builder = Connect::builder().client_id(black_box(CLIENT_ID));
    let builder = builder.and_then(|builder| builder.user_name(USER_NAME));
    let builder = builder.and_then(|builder| builder.password(PASSWORD.as_bytes().to_vec()));
    let builder = builder
        .expect("it is valid")
        .clean_session(true)
        .keep_alive(60);
    builder.build().expect("it is valid")
}

/// What a driver hands to a vectored write, written into a buffer.
fn append(out: &mut Vec<u8>, packet: &impl GenericPacketTrait) {
    for part in packet.to_buffers() {
        out.extend_from_slice(&part);
    }
}

enum Decoded {
    Publish(Publish),
    PubAck(Puback),
    SubAck(Suback),
    PingResp,
}

fn feed(builder: &mut PacketBuilder, bytes: &[u8]) -> Option<Decoded> {
    match builder.feed(&mut Cursor::new(bytes)) {
        PacketBuildResult::Complete(raw) => parse(raw),
        _ => None,
    }
}

/// As its connection reads a packet whose fixed header it knows.
fn parse(raw: RawPacket) -> Option<Decoded> {
    let flags = raw.flags();
    match raw.packet_type() {
        3 => match raw.data {
            PacketData::Publish(data) => Publish::parse(flags, data)
                .ok()
                .map(|(packet, _)| Decoded::Publish(packet)),
            PacketData::Normal(_) => None,
        },
        4 => raw.parse_exact(Puback::parse).ok().map(Decoded::PubAck),
        9 => raw.parse_exact(Suback::parse).ok().map(Decoded::SubAck),
        13 => raw
            .parse_exact(Pingresp::parse)
            .ok()
            .map(|_| Decoded::PingResp),
        _ => None,
    }
}

fn describe(bytes: &[u8]) -> String {
    match feed(&mut PacketBuilder::new(), bytes) {
        Some(Decoded::Publish(publish)) => {
            let (qos, id) = (publish.qos() as u8, publish.packet_id());
            let payload = String::from_utf8_lossy(publish.payload().as_slice());
            format!("PUBLISH {qos} {id:?} {} {payload:?}", publish.topic_name())
        }
        Some(Decoded::PubAck(answer)) => format!("PUBACK {}", answer.packet_id()),
        Some(Decoded::SubAck(answer)) => {
            format!(
                "SUBACK {} {}",
                answer.packet_id(),
                answer.return_codes().len()
            )
        }
        Some(Decoded::PingResp) => "PINGRESP".to_owned(),
        None => String::new(),
    }
}

/// The codec with a buffer on either side.
struct Codec {
    builder: PacketBuilder,
    received: Vec<u8>,
    sent: Vec<u8>,
}

impl Default for Codec {
    fn default() -> Codec {
        Codec {
            builder: PacketBuilder::new(),
            received: Vec::with_capacity(32 * 1024),
            sent: Vec::with_capacity(32 * 1024),
        }
    }
}

impl Client for Codec {
    fn fill(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    fn receive<T>(&mut self, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let packet = feed(&mut self.builder, &self.received);
        self.received.clear();
        match packet {
            Some(Decoded::Publish(publish)) => read(publish.payload().as_slice()),
            _ => None,
        }
    }

    fn send(&mut self, payload: &[u8]) {
        self.sent.clear();
        append(&mut self.sent, &publish(Qos::AtMostOnce, payload));
    }

    fn sent(&self) -> &[u8] {
        &self.sent
    }
}

/// The connection, its login accepted.
struct Connected {
    connection: Connection<role::Client>,
    received: Vec<u8>,
    sent: Vec<u8>,
}

impl Default for Connected {
    fn default() -> Connected {
        Connected {
            connection: online(),
            received: Vec::with_capacity(32 * 1024),
            sent: Vec::with_capacity(32 * 1024),
        }
    }
}

fn online() -> Connection<role::Client> {
    let mut connection = Connection::<role::Client>::new(Version::V3_1_1);
    drop(connection.checked_send(connect()));
    let events = connection.recv(&mut Cursor::new(&[0x20, 2, 0, 0]));
    let heard = events
        .iter()
        .any(|event| matches!(event, GenericEvent::NotifyPacketReceived(_)));
    assert!(heard, "the login is accepted");
    connection
}

impl Connected {
    /// Carries out what the connection asks of its driver.
    fn carry_out(&mut self, events: Vec<Event>) {
        self.sent.clear();
        for event in events {
            match event {
                GenericEvent::RequestSendPacket { packet, .. } => append(&mut self.sent, &packet),
                other => drop(black_box(other)),
            }
        }
    }
}

impl Client for Connected {
    fn fill(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    fn receive<T>(&mut self, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let events = self.connection.recv(&mut Cursor::new(&self.received));
        self.received.clear();
        let publish = events.iter().find_map(|event| match event {
            GenericEvent::NotifyPacketReceived(Packet::V3_1_1Publish(publish)) => Some(publish),
            _ => None,
        })?;
        read(publish.payload().as_slice())
    }

    fn send(&mut self, payload: &[u8]) {
        let publish = publish(Qos::AtMostOnce, payload);
        let events = self.connection.checked_send(publish);
        self.carry_out(events);
    }

    fn sent(&self) -> &[u8] {
        &self.sent
    }
}

fn connection(operation: Operation) -> Option<Box<dyn Work>> {
    match operation {
        Operation::KeepAlive => Some(Box::new(Ping(Connected::default()))),
        _ => peer::work::<Connected, Typed>(operation),
    }
}

/// PINGREQ is due, and PINGRESP comes.
struct Ping(Connected);

impl Work for Ping {
    fn run(&mut self) {
        let events = self.0.connection.notify_timer_fired(TimerKind::PingreqSend);
        self.0.carry_out(events);
        drop(black_box(
            self.0.connection.recv(&mut Cursor::new(&PINGRESP)),
        ));
    }

    fn outcome(&mut self) -> String {
        self.run();
        super::description::described_publish(&self.0.sent)
    }
}

fn idle() -> Box<dyn Any> {
    Box::new(online())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builder_that_is_kept_reads_one_packet_after_another() {
        let packet = publish_218(false);
        let mut builder = PacketBuilder::new();
        for _ in 0..2 {
            let whole = feed(&mut builder, &packet);
            assert!(matches!(whole, Some(Decoded::Publish(_))));
            let mut by_bytes = packet.chunks(1).filter_map(|byte| feed(&mut builder, byte));
            assert!(matches!(by_bytes.next(), Some(Decoded::Publish(_))));
            assert!(by_bytes.next().is_none());
        }
    }
}
