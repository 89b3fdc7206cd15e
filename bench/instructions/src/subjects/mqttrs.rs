//! mqttrs: a codec over slices, which borrows what it reads.

use std::convert::TryFrom;
use std::hint::black_box;

use mqttrs::{Connect, Packet, Pid, Protocol, Publish, QosPid, decode_slice, encode_slice};

use super::Subject;
use super::peer::{self, Client};
use super::peer_json::{Tree, Typed};
use crate::messages::{
    CLIENT_ID, OPERATION_TOPIC, PACKET_ID, PASSWORD, PINGRESP, PUBACK, SUBACK, UPDATE_119,
    USER_NAME, publish_218,
};
use crate::operation::Operation;
use crate::work::{Work, decoding};

pub(super) const SUBJECTS: [Subject; 3] = [
    Subject {
        name: "mqttrs",
        work: codec,
        idle: None,
    },
    Subject {
        name: "mqttrs + Value",
        work: peer::work::<Mqttrs, Tree>,
        idle: None,
    },
    Subject {
        name: "mqttrs + struct",
        work: peer::work::<Mqttrs, Typed>,
        idle: None,
    },
];

fn codec(operation: Operation) -> Option<Box<dyn Work>> {
    let id = Pid::try_from(PACKET_ID).ok()?;
    let decoded = |bytes: &[u8]| decoding(bytes.to_vec(), decode, describe);
    Some(match operation {
        Operation::EncodePublish => encoding(publish(QosPid::AtMostOnce)),
        Operation::EncodePublishAtLeastOnce => encoding(publish(QosPid::AtLeastOnce(id))),
        Operation::EncodePubAck => encoding(Packet::Puback(id)),
        Operation::EncodeConnect => encoding(Packet::Connect(Connect {
            protocol: Protocol::MQTT311,
            keep_alive: 60,
            client_id: CLIENT_ID,
            clean_session: true,
            last_will: None,
            username: Some(USER_NAME),
            password: Some(PASSWORD.as_bytes()),
        })),
        Operation::DecodePublish => decoded(&publish_218(false)),
        Operation::DecodePublishAtLeastOnce => decoded(&publish_218(true)),
        Operation::DecodePubAck => decoded(&PUBACK),
        Operation::DecodeSubAck => decoded(&SUBACK),
        Operation::DecodePingResp => decoded(&PINGRESP),
        Operation::DecodePublishByBytes => {
            // It has no stream of its own: what has come is looked at again with each byte.
            let mut gathered = Vec::with_capacity(1_024);
            decoding(
                publish_218(false),
                move |bytes| {
                    gathered.clear();
                    for &byte in bytes {
                        gathered.push(byte);
                        let _ = black_box(decode_slice(&gathered));
                    }
                },
                describe,
            )
        }
        _ => return None,
    })
}

fn publish(qospid: QosPid) -> Packet<'static> {
    Packet::Publish(Publish {
        dup: false,
        qospid,
        retain: false,
        topic_name: OPERATION_TOPIC,
        payload: UPDATE_119,
    })
}

/// A packet written into a slice that is long enough.
struct Encoding {
    packet: Packet<'static>,
    buffer: Vec<u8>,
    length: usize,
}

impl Work for Encoding {
    fn run(&mut self) {
        let written = encode_slice(black_box(&self.packet), &mut self.buffer);
        self.length = written.unwrap_or_default();
        let _ = black_box(&self.buffer);
    }

    fn outcome(&mut self) -> String {
        self.run();
        self.buffer
            .get(..self.length)
            .unwrap_or_default()
            .escape_ascii()
            .to_string()
    }
}

fn encoding(packet: Packet<'static>) -> Box<dyn Work> {
    Box::new(Encoding {
        packet,
        buffer: vec![0; 1_024],
        length: 0,
    })
}

fn decode(bytes: &[u8]) {
    let _ = black_box(decode_slice(bytes));
}

fn describe(bytes: &[u8]) -> String {
    match decode_slice(bytes) {
        Ok(Some(Packet::Publish(publish))) => {
            let id = match publish.qospid {
                QosPid::AtMostOnce => None,
                QosPid::AtLeastOnce(id) | QosPid::ExactlyOnce(id) => Some(id.get()),
            };
            let qos = publish.qospid.qos() as u8;
            let payload = String::from_utf8_lossy(publish.payload);
            format!("PUBLISH {qos} {id:?} {} {payload:?}", publish.topic_name)
        }
        Ok(Some(Packet::Puback(id))) => format!("PUBACK {}", id.get()),
        Ok(Some(Packet::Suback(answer))) => {
            format!("SUBACK {} {}", answer.pid.get(), answer.return_codes.len())
        }
        Ok(Some(Packet::Pingresp)) => "PINGRESP".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Buffers around the codec.
struct Mqttrs {
    received: Vec<u8>,
    sent: Vec<u8>,
    length: usize,
}

impl Default for Mqttrs {
    fn default() -> Mqttrs {
        Mqttrs {
            received: Vec::with_capacity(32 * 1024),
            sent: vec![0; 32 * 1024],
            length: 0,
        }
    }
}

impl Client for Mqttrs {
    fn fill(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    fn receive<T>(&mut self, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let heard = match decode_slice(&self.received) {
            Ok(None) => return None,
            Ok(Some(Packet::Publish(publish))) => read(publish.payload),
            _ => None,
        };
        self.received.clear(); // One packet comes at a time.
        heard
    }

    fn send(&mut self, payload: &[u8]) {
        let packet = Packet::Publish(Publish {
            dup: false,
            qospid: QosPid::AtMostOnce,
            retain: false,
            topic_name: black_box(OPERATION_TOPIC),
            payload,
        });
        self.length = encode_slice(&packet, &mut self.sent).unwrap_or_default();
    }

    fn sent(&self) -> &[u8] {
        self.sent.get(..self.length).unwrap_or_default()
    }
}
