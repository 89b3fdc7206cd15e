//! This project's codec.

use std::hint::black_box;

use shadow_core::mqtt::{
    Connect, Incoming, Oversized, Packet, PacketId, ProtocolVersion, PubAck, Publish, QoS,
    StreamDecoder,
};

use crate::messages::{
    CLIENT_ID, OPERATION_TOPIC, PACKET_ID, PASSWORD, PINGRESP, PUBACK, SUBACK, UPDATE_119,
    USER_NAME, publish_218,
};
use crate::operation::Operation;
use crate::work::{Work, decoding, encoding};

const VERSION: ProtocolVersion = ProtocolVersion::V311;

pub(super) fn work(operation: Operation) -> Option<Box<dyn Work>> {
    let decoded = |bytes: &[u8]| decoding(bytes.to_vec(), decode, describe);
    Some(match operation {
        Operation::EncodePublish => publish(QoS::AtMostOnce),
        Operation::EncodePublishAtLeastOnce => publish(QoS::AtLeastOnce),
        Operation::EncodePubAck => {
            let packet_id = PacketId::new(PACKET_ID)?;
            let packet = PubAck { packet_id };
            encoding(move |out| {
                let _ = black_box(black_box(&packet).encode(out));
            })
        }
        Operation::EncodeConnect => {
            let packet = Connect {
                version: VERSION,
                client_id: CLIENT_ID,
                clean_session: true,
                keep_alive: 60,
                user_name: Some(USER_NAME),
                password: Some(PASSWORD.as_bytes()),
                will: None,
            };
            encoding(move |out| {
                let _ = black_box(black_box(&packet).encode(out));
            })
        }
        Operation::DecodePublish => decoded(&publish_218(false)),
        Operation::DecodePublishAtLeastOnce => decoded(&publish_218(true)),
        Operation::DecodePubAck => decoded(&PUBACK),
        Operation::DecodeSubAck => decoded(&SUBACK),
        Operation::DecodePingResp => decoded(&PINGRESP),
        Operation::DecodePublishByBytes => {
            let decoder = || StreamDecoder::new(VERSION, 128 * 1024, Oversized::SkipPublish);
            let (mut kept, mut other) = (decoder(), decoder());
            decoding(
                publish_218(false),
                move |bytes| {
                    for byte in bytes.chunks(1) {
                        let _ = black_box(kept.next(&mut &*byte));
                    }
                },
                move |bytes| {
                    for byte in bytes.chunks(1) {
                        if let Ok(Some(Incoming::Packet(packet))) = other.next(&mut &*byte) {
                            return describe_packet(&packet);
                        }
                    }
                    String::new()
                },
            )
        }
        _ => return None,
    })
}

fn publish(qos: QoS) -> Box<dyn Work> {
    let packet = Publish {
        dup: false,
        qos,
        retain: false,
        topic: OPERATION_TOPIC,
        packet_id: match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce | QoS::ExactlyOnce => PacketId::new(PACKET_ID),
        },
        payload: UPDATE_119,
    };
    encoding(move |out| {
        let _ = black_box(black_box(&packet).encode(out));
    })
}

fn decode(bytes: &[u8]) {
    let _ = black_box(Packet::decode(bytes, VERSION));
}

fn describe(bytes: &[u8]) -> String {
    match Packet::decode(bytes, VERSION) {
        Ok(packet) => describe_packet(&packet),
        Err(error) => error.to_string(),
    }
}

fn describe_packet(packet: &Packet<'_>) -> String {
    match packet {
        Packet::Publish(publish) => format!(
            "PUBLISH {} {:?} {} {:?}",
            publish.qos.number(),
            publish.packet_id.map(PacketId::get),
            publish.topic,
            String::from_utf8_lossy(publish.payload),
        ),
        Packet::PubAck(answer) => format!("PUBACK {}", answer.packet_id),
        Packet::SubAck(answer) => {
            format!(
                "SUBACK {} {}",
                answer.packet_id,
                answer.return_codes.iter().count()
            )
        }
        other => other.kind().to_string(),
    }
}
