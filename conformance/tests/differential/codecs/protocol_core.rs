//! The codec of mqtt-protocol-core.

use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{
    PacketBuildResult, PacketBuilder, PacketData, RawPacket,
};
use mqtt_protocol_core::mqtt::packet::v3_1_1::{
    Connack, Connect, Disconnect, Pingreq, Pingresp, Puback, Pubcomp, Publish, Pubrec, Pubrel,
    Suback, Subscribe, Unsuback, Unsubscribe,
};
use mqtt_protocol_core::mqtt::packet::{Qos, SubEntry, SubOpts};
use mqtt_protocol_core::mqtt::result_code::{ConnectReturnCode, MqttError, SubackReturnCode};
use shadow_core::mqtt::PacketKind;

use crate::model::{Model, Will};

pub(super) fn decode(packet: &[u8]) -> Result<Model, String> {
    let mut stream = Cursor::new(packet);
    let raw = match PacketBuilder::new().feed(&mut stream) {
        PacketBuildResult::Complete(raw) => raw,
        PacketBuildResult::Incomplete => return Err("incomplete".into()),
        PacketBuildResult::Error(error) => return Err(format!("{error:?}")),
    };
    if stream.position() != u64::try_from(packet.len()).unwrap() {
        return Err("more than one packet".into());
    }
    read(&raw).map_err(|error| format!("{error:?}"))
}

/// As its own connection reads a packet whose fixed header it knows.
fn read(raw: &RawPacket) -> Result<Model, MqttError> {
    let acknowledgement = |kind, packet_id| Model::Acknowledgement { kind, packet_id };
    Ok(match raw.packet_type() {
        1 => {
            let connect = raw.parse_exact(Connect::parse)?;
            Model::Connect {
                client_id: connect.client_id().into(),
                clean_session: connect.clean_session(),
                keep_alive: connect.keep_alive(),
                user_name: connect.user_name().map(Into::into),
                password: connect.password().map(Into::into),
                will: connect.will_topic().map(|topic| Will {
                    topic: topic.into(),
                    payload: connect.will_payload().unwrap().into(),
                    qos: connect.will_qos() as u8,
                    retain: connect.will_retain(),
                }),
            }
        }
        2 => {
            let answer = raw.parse_exact(Connack::parse)?;
            Model::ConnAck {
                session_present: answer.session_present(),
                code: answer.return_code() as u8,
            }
        }
        3 => {
            let PacketData::Publish(data) = &raw.data else {
                panic!("PUBLISH has data of its own");
            };
            let (publish, _) = Publish::parse(raw.flags(), data.clone())?;
            Model::Publish {
                dup: publish.dup(),
                qos: publish.qos() as u8,
                retain: publish.retain(),
                topic: publish.topic_name().into(),
                packet_id: publish.packet_id().unwrap_or(0),
                payload: publish.payload().as_slice().into(),
            }
        }
        4 => acknowledgement(
            PacketKind::PubAck,
            raw.parse_exact(Puback::parse)?.packet_id(),
        ),
        5 => acknowledgement(
            PacketKind::PubRec,
            raw.parse_exact(Pubrec::parse)?.packet_id(),
        ),
        6 => acknowledgement(
            PacketKind::PubRel,
            raw.parse_exact(Pubrel::parse)?.packet_id(),
        ),
        7 => acknowledgement(
            PacketKind::PubComp,
            raw.parse_exact(Pubcomp::parse)?.packet_id(),
        ),
        8 => {
            let subscribe = raw.parse_exact(Subscribe::parse)?;
            Model::Subscribe {
                packet_id: subscribe.packet_id(),
                filters: subscribe
                    .entries()
                    .iter()
                    .map(|entry| (entry.topic_filter().into(), entry.sub_opts().qos() as u8))
                    .collect(),
            }
        }
        9 => {
            let answer = raw.parse_exact(Suback::parse)?;
            let codes = answer.return_codes();
            Model::SubAck {
                packet_id: answer.packet_id(),
                codes: codes.into_iter().map(|code| code as u8).collect(),
            }
        }
        10 => {
            let unsubscribe = raw.parse_exact(Unsubscribe::parse)?;
            let filters = unsubscribe.entries().iter();
            Model::Unsubscribe {
                packet_id: unsubscribe.packet_id(),
                filters: filters.map(|filter| filter.as_str().into()).collect(),
            }
        }
        11 => acknowledgement(
            PacketKind::UnsubAck,
            raw.parse_exact(Unsuback::parse)?.packet_id(),
        ),
        12 => {
            raw.parse_exact(Pingreq::parse)?;
            Model::Empty(PacketKind::PingReq)
        }
        13 => {
            raw.parse_exact(Pingresp::parse)?;
            Model::Empty(PacketKind::PingResp)
        }
        14 => {
            raw.parse_exact(Disconnect::parse)?;
            Model::Empty(PacketKind::Disconnect)
        }
        _ => return Err(MqttError::MalformedPacket),
    })
}

fn level(number: u8) -> Qos {
    [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce][usize::from(number)]
}

pub(super) fn encode(packet: &Model) -> Result<Vec<u8>, String> {
    write(packet).map_err(|error| format!("{error:?}"))
}

fn write(packet: &Model) -> Result<Vec<u8>, MqttError> {
    Ok(match packet {
        Model::Connect {
            client_id,
            clean_session,
            keep_alive,
            user_name,
            password,
            will,
        } => {
            let mut builder = Connect::builder()
                .client_id(client_id.as_str())?
                .clean_session(*clean_session)
                .keep_alive(*keep_alive);
            if let Some(will) = will {
                builder = builder.will_message(
                    will.topic.as_str(),
                    will.payload.clone(),
                    level(will.qos),
                    will.retain,
                )?;
            }
            if let Some(name) = user_name {
                builder = builder.user_name(name.as_str())?;
            }
            if let Some(bytes) = password {
                builder = builder.password(bytes.clone())?;
            }
            builder.build()?.to_continuous_buffer()
        }
        Model::ConnAck {
            session_present,
            code,
        } => Connack::builder()
            .session_present(*session_present)
            .return_code(ConnectReturnCode::try_from(*code).unwrap())
            .build()?
            .to_continuous_buffer(),
        Model::Publish {
            dup,
            qos,
            retain,
            topic,
            packet_id,
            payload,
        } => {
            let mut builder = Publish::builder()
                .topic_name(topic.as_str())?
                .qos(level(*qos))
                .dup(*dup)
                .retain(*retain)
                .payload(payload.as_slice());
            if *qos > 0 {
                builder = builder.packet_id(*packet_id);
            }
            builder.build()?.to_continuous_buffer()
        }
        Model::Acknowledgement { kind, packet_id } => {
            let id = *packet_id;
            match kind {
                PacketKind::PubAck => Puback::builder()
                    .packet_id(id)
                    .build()?
                    .to_continuous_buffer(),
                PacketKind::PubRec => Pubrec::builder()
                    .packet_id(id)
                    .build()?
                    .to_continuous_buffer(),
                PacketKind::PubRel => Pubrel::builder()
                    .packet_id(id)
                    .build()?
                    .to_continuous_buffer(),
                PacketKind::PubComp => Pubcomp::builder()
                    .packet_id(id)
                    .build()?
                    .to_continuous_buffer(),
                PacketKind::UnsubAck => Unsuback::builder()
                    .packet_id(id)
                    .build()?
                    .to_continuous_buffer(),
                other => panic!("{other} is no acknowledgement"),
            }
        }
        Model::Subscribe { packet_id, filters } => {
            let entry = |(filter, qos): &(String, u8)| {
                SubEntry::new(filter.as_str(), SubOpts::new().set_qos(level(*qos)))
            };
            let entries: Result<Vec<SubEntry>, MqttError> = filters.iter().map(entry).collect();
            Subscribe::builder()
                .packet_id(*packet_id)
                .entries(entries?)
                .build()?
                .to_continuous_buffer()
        }
        Model::SubAck { packet_id, codes } => {
            let code = |number: &u8| SubackReturnCode::try_from(*number).unwrap();
            Suback::builder()
                .packet_id(*packet_id)
                .return_codes(codes.iter().map(code).collect())
                .build()?
                .to_continuous_buffer()
        }
        Model::Unsubscribe { packet_id, filters } => Unsubscribe::builder()
            .packet_id(*packet_id)
            .entries(filters.iter().map(String::as_str))?
            .build()?
            .to_continuous_buffer(),
        Model::Empty(PacketKind::PingReq) => Pingreq::new().to_continuous_buffer(),
        Model::Empty(PacketKind::PingResp) => Pingresp::new().to_continuous_buffer(),
        Model::Empty(_) => Disconnect::new().to_continuous_buffer(),
    })
}
