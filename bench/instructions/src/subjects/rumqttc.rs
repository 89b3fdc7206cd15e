//! rumqttc: the codec of the widely used asynchronous client. It reads from and writes into
//! `BytesMut`; what it reads it takes out of it.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Connect, Packet, PubAck, Publish};

use super::Subject;
use super::peer::{self, Client};
use super::peer_json::{Tree, Typed};
use crate::messages::{
    CLIENT_ID, OPERATION_TOPIC, PACKET_ID, PASSWORD, PINGRESP, PUBACK, SUBACK, UPDATE_119,
    USER_NAME, publish_218,
};
use crate::operation::Operation;
use crate::work::Work;

/// The largest packet that is read or written.
const MAXIMUM: usize = 128 * 1024;

pub(super) const SUBJECTS: [Subject; 3] = [
    Subject {
        name: "rumqttc",
        work: codec,
        idle: None,
    },
    Subject {
        name: "rumqttc + Value",
        work: peer::work::<Rumqttc, Tree>,
        idle: None,
    },
    Subject {
        name: "rumqttc + struct",
        work: peer::work::<Rumqttc, Typed>,
        idle: None,
    },
];

fn codec(operation: Operation) -> Option<Box<dyn Work>> {
    Some(match operation {
        Operation::EncodePublish => encoding(Packet::Publish(publish(QoS::AtMostOnce, 0))),
        Operation::EncodePublishAtLeastOnce => {
            encoding(Packet::Publish(publish(QoS::AtLeastOnce, PACKET_ID)))
        }
        Operation::EncodePubAck => encoding(Packet::PubAck(PubAck::new(PACKET_ID))),
        Operation::EncodeConnect => {
            let mut connect = Connect::new(CLIENT_ID);
            connect.keep_alive = 60;
            connect.set_login(USER_NAME, PASSWORD);
            encoding(Packet::Connect(connect))
        }
        Operation::DecodePublish => decoding(publish_218(false), false),
        Operation::DecodePublishAtLeastOnce => decoding(publish_218(true), false),
        Operation::DecodePubAck => decoding(PUBACK.to_vec(), false),
        Operation::DecodeSubAck => decoding(SUBACK.to_vec(), false),
        Operation::DecodePingResp => decoding(PINGRESP.to_vec(), false),
        Operation::DecodePublishByBytes => decoding(publish_218(false), true),
        _ => return None,
    })
}

fn publish(qos: QoS, id: u16) -> Publish {
    let mut publish = Publish::new(OPERATION_TOPIC, qos, UPDATE_119);
    publish.pkid = id;
    publish
}

struct Encoding {
    packet: Packet,
    buffer: BytesMut,
}

impl Work for Encoding {
    fn run(&mut self) {
        self.buffer.clear();
        let _ = black_box(black_box(&self.packet).write(&mut self.buffer, MAXIMUM));
    }

    fn outcome(&mut self) -> String {
        self.run();
        self.buffer.escape_ascii().to_string()
    }
}

fn encoding(packet: Packet) -> Box<dyn Work> {
    let buffer = BytesMut::with_capacity(1_024);
    Box::new(Encoding { packet, buffer })
}

/// So many packets lie in the stream before they are read.
const PACKETS: u32 = 64;

/// The bytes lie in the stream before a packet is read, as a socket puts them there, unless they
/// come one by one.
struct Decoding {
    bytes: Vec<u8>,
    by_bytes: bool,
    stream: BytesMut,
}

impl Decoding {
    fn read(&mut self) -> Option<Packet> {
        if !self.by_bytes {
            return Packet::read(&mut self.stream, MAXIMUM).ok();
        }
        let Decoding { bytes, stream, .. } = self;
        bytes.chunks(1).find_map(|byte| {
            stream.extend_from_slice(byte);
            Packet::read(stream, MAXIMUM).ok()
        })
    }
}

impl Work for Decoding {
    fn batch(&self) -> u32 {
        if self.by_bytes { u32::MAX } else { PACKETS }
    }

    fn prepare(&mut self) {
        if !self.by_bytes {
            self.stream.clear();
            for _ in 0..PACKETS {
                self.stream.extend_from_slice(&self.bytes);
            }
        }
    }

    fn run(&mut self) {
        drop(black_box(self.read()));
    }

    fn outcome(&mut self) -> String {
        self.prepare();
        match self.read() {
            Some(Packet::Publish(publish)) => {
                let Publish { topic, pkid, .. } = &publish;
                let id = (*pkid != 0).then_some(pkid);
                let (qos, payload) = (publish.qos as u8, String::from_utf8_lossy(&publish.payload));
                format!("PUBLISH {qos} {id:?} {topic} {payload:?}")
            }
            Some(Packet::PubAck(answer)) => format!("PUBACK {}", answer.pkid),
            Some(Packet::SubAck(answer)) => {
                format!("SUBACK {} {}", answer.pkid, answer.return_codes.len())
            }
            Some(Packet::PingResp) => "PINGRESP".to_owned(),
            other => format!("{other:?}"),
        }
    }
}

fn decoding(bytes: Vec<u8>, by_bytes: bool) -> Box<dyn Work> {
    Box::new(Decoding {
        bytes,
        by_bytes,
        stream: BytesMut::with_capacity(32 * 1024),
    })
}

/// The buffers of its client, and a message that is kept for its topic.
struct Rumqttc {
    received: BytesMut,
    sent: BytesMut,
    message: Publish,
}

impl Default for Rumqttc {
    fn default() -> Rumqttc {
        Rumqttc {
            received: BytesMut::with_capacity(32 * 1024),
            sent: BytesMut::with_capacity(32 * 1024),
            message: publish(QoS::AtMostOnce, 0),
        }
    }
}

impl Client for Rumqttc {
    fn fill(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    fn receive<T>(&mut self, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        match Packet::read(&mut self.received, MAXIMUM) {
            Ok(Packet::Publish(publish)) => read(&publish.payload),
            _ => None,
        }
    }

    fn send(&mut self, payload: &[u8]) {
        // A message owns its payload.
        self.message.payload = Bytes::copy_from_slice(payload);
        self.sent.clear();
        let _ = black_box(self.message.write(&mut self.sent));
    }

    fn sent(&self) -> &[u8] {
        &self.sent
    }
}
