//! The codec of rumqttc.

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, LastWill, Login, Packet, PubAck, PubComp, PubRec, PubRel,
    Publish, SubAck, Subscribe, SubscribeFilter, SubscribeReasonCode, UnsubAck, Unsubscribe,
};
use rumqttc::mqttbytes::{Protocol, QoS, qos};
use shadow_core::mqtt::PacketKind;

use crate::model::{Model, Will};

/// Above every packet of these tests.
const MAXIMUM: usize = 1 << 20;

pub(super) fn decode(packet: &[u8]) -> Result<Model, String> {
    let mut stream = BytesMut::from(packet);
    let read = Packet::read(&mut stream, MAXIMUM).map_err(|error| error.to_string())?;
    if !stream.is_empty() {
        return Err("more than one packet".into());
    }
    let acknowledgement = |kind, packet_id| Model::Acknowledgement { kind, packet_id };
    Ok(match read {
        Packet::Connect(connect) => {
            // It has no way to say that a part of the login is there and empty.
            let login = connect.login.unwrap_or(Login::new("", ""));
            let some = |text: String| (!text.is_empty()).then_some(text);
            Model::Connect {
                client_id: connect.client_id,
                clean_session: connect.clean_session,
                keep_alive: connect.keep_alive,
                user_name: some(login.username),
                password: some(login.password).map(String::into_bytes),
                will: connect.last_will.map(|will| Will {
                    topic: will.topic,
                    payload: will.message.to_vec(),
                    qos: will.qos as u8,
                    retain: will.retain,
                }),
            }
        }
        Packet::ConnAck(answer) => Model::ConnAck {
            session_present: answer.session_present,
            code: answer.code as u8,
        },
        Packet::Publish(publish) => Model::Publish {
            dup: publish.dup,
            qos: publish.qos as u8,
            retain: publish.retain,
            topic: publish.topic,
            packet_id: publish.pkid,
            payload: publish.payload.to_vec(),
        },
        Packet::PubAck(PubAck { pkid }) => acknowledgement(PacketKind::PubAck, pkid),
        Packet::PubRec(PubRec { pkid }) => acknowledgement(PacketKind::PubRec, pkid),
        Packet::PubRel(PubRel { pkid }) => acknowledgement(PacketKind::PubRel, pkid),
        Packet::PubComp(PubComp { pkid }) => acknowledgement(PacketKind::PubComp, pkid),
        Packet::UnsubAck(UnsubAck { pkid }) => acknowledgement(PacketKind::UnsubAck, pkid),
        Packet::Subscribe(subscribe) => Model::Subscribe {
            packet_id: subscribe.pkid,
            filters: subscribe
                .filters
                .into_iter()
                .map(|filter| (filter.path, filter.qos as u8))
                .collect(),
        },
        Packet::SubAck(answer) => Model::SubAck {
            packet_id: answer.pkid,
            codes: answer
                .return_codes
                .into_iter()
                .map(|code| match code {
                    SubscribeReasonCode::Success(qos) => qos as u8,
                    SubscribeReasonCode::Failure => 0x80,
                })
                .collect(),
        },
        Packet::Unsubscribe(unsubscribe) => Model::Unsubscribe {
            packet_id: unsubscribe.pkid,
            filters: unsubscribe.topics,
        },
        Packet::PingReq => Model::Empty(PacketKind::PingReq),
        Packet::PingResp => Model::Empty(PacketKind::PingResp),
        Packet::Disconnect => Model::Empty(PacketKind::Disconnect),
    })
}

fn level(number: u8) -> QoS {
    qos(number).unwrap()
}

pub(super) fn encode(packet: &Model) -> Result<Vec<u8>, String> {
    let packet = match packet.clone() {
        Model::Connect {
            client_id,
            clean_session,
            keep_alive,
            user_name,
            password,
            will,
        } => {
            let password = password.map(String::from_utf8);
            let password = password.transpose().map_err(|error| error.to_string())?;
            Packet::Connect(Connect {
                protocol: Protocol::V4,
                keep_alive,
                client_id,
                clean_session,
                last_will: will.map(|will| {
                    LastWill::new(will.topic, will.payload, level(will.qos), will.retain)
                }),
                login: user_name.map(|name| Login::new(name, password.unwrap_or_default())),
            })
        }
        Model::ConnAck {
            session_present,
            code,
        } => Packet::ConnAck(ConnAck::new(return_code(code), session_present)),
        Model::Publish {
            dup,
            qos,
            retain,
            topic,
            packet_id,
            payload,
        } => Packet::Publish(Publish {
            dup,
            qos: level(qos),
            retain,
            topic,
            pkid: packet_id,
            payload: Bytes::from(payload),
        }),
        Model::Acknowledgement { kind, packet_id } => match kind {
            PacketKind::PubAck => Packet::PubAck(PubAck::new(packet_id)),
            PacketKind::PubRec => Packet::PubRec(PubRec::new(packet_id)),
            PacketKind::PubRel => Packet::PubRel(PubRel::new(packet_id)),
            PacketKind::PubComp => Packet::PubComp(PubComp::new(packet_id)),
            PacketKind::UnsubAck => Packet::UnsubAck(UnsubAck::new(packet_id)),
            other => panic!("{other} is no acknowledgement"),
        },
        Model::Subscribe { packet_id, filters } => Packet::Subscribe(Subscribe {
            pkid: packet_id,
            filters: filters
                .into_iter()
                .map(|(filter, qos)| SubscribeFilter::new(filter, level(qos)))
                .collect(),
        }),
        Model::SubAck { packet_id, codes } => {
            let code = |number| SubscribeReasonCode::try_from(number).unwrap();
            let codes = codes.into_iter().map(code).collect();
            Packet::SubAck(SubAck::new(packet_id, codes))
        }
        Model::Unsubscribe { packet_id, filters } => Packet::Unsubscribe(Unsubscribe {
            pkid: packet_id,
            topics: filters,
        }),
        Model::Empty(PacketKind::PingReq) => Packet::PingReq,
        Model::Empty(PacketKind::PingResp) => Packet::PingResp,
        Model::Empty(_) => Packet::Disconnect,
    };
    let mut out = BytesMut::new();
    let size = packet
        .write(&mut out, MAXIMUM)
        .map_err(|error| error.to_string())?;
    assert_eq!(size, out.len());
    Ok(out.to_vec())
}

fn return_code(number: u8) -> ConnectReturnCode {
    [
        ConnectReturnCode::Success,
        ConnectReturnCode::RefusedProtocolVersion,
        ConnectReturnCode::BadClientId,
        ConnectReturnCode::ServiceUnavailable,
        ConnectReturnCode::BadUserNamePassword,
        ConnectReturnCode::NotAuthorized,
    ][usize::from(number)]
}
