//! This project's codec.

use shadow_core::mqtt::{
    ConnAck, Connect, ConnectReturnCode, DecodeError, Entries, Packet, PacketId, PacketKind,
    ProtocolVersion, PubAck, PubComp, PubRec, PubRel, Publish, QoS, SubAck, Subscribe,
    SubscribeReturnCode, UnsubAck, Unsubscribe, Will,
};

use crate::model::{self, Model};

pub(crate) fn decode(packet: &[u8]) -> Result<Model, DecodeError> {
    let packet = Packet::decode(packet, ProtocolVersion::V311)?;
    let acknowledgement = |packet_id: PacketId| Model::Acknowledgement {
        kind: packet.kind(),
        packet_id: packet_id.get(),
    };
    Ok(match packet {
        Packet::Connect(connect) => Model::Connect {
            client_id: connect.client_id.into(),
            clean_session: connect.clean_session,
            keep_alive: connect.keep_alive,
            user_name: connect.user_name.map(Into::into),
            password: connect.password.map(Into::into),
            will: connect.will.map(|will| model::Will {
                topic: will.topic.into(),
                payload: will.payload.into(),
                qos: will.qos.number(),
                retain: will.retain,
            }),
        },
        Packet::ConnAck(answer) => Model::ConnAck {
            session_present: answer.session_present,
            code: answer.code.number(),
        },
        Packet::Publish(publish) => Model::Publish {
            dup: publish.dup,
            qos: publish.qos.number(),
            retain: publish.retain,
            topic: publish.topic.into(),
            packet_id: publish.packet_id.map_or(0, PacketId::get),
            payload: publish.payload.into(),
        },
        Packet::PubAck(PubAck { packet_id })
        | Packet::PubRec(PubRec { packet_id })
        | Packet::PubRel(PubRel { packet_id, .. })
        | Packet::PubComp(PubComp { packet_id })
        | Packet::UnsubAck(UnsubAck { packet_id }) => acknowledgement(packet_id),
        Packet::Subscribe(subscribe) => Model::Subscribe {
            packet_id: subscribe.packet_id.get(),
            filters: subscribe
                .filters
                .iter()
                .map(|(filter, qos)| (filter.into(), qos.number()))
                .collect(),
        },
        Packet::SubAck(answer) => Model::SubAck {
            packet_id: answer.packet_id.get(),
            codes: answer
                .return_codes
                .iter()
                .map(|code| match code {
                    SubscribeReturnCode::Granted(qos) => qos.number(),
                    SubscribeReturnCode::Failure => 0x80,
                })
                .collect(),
        },
        Packet::Unsubscribe(unsubscribe) => Model::Unsubscribe {
            packet_id: unsubscribe.packet_id.get(),
            filters: unsubscribe.filters.iter().map(Into::into).collect(),
        },
        Packet::PingReq | Packet::PingResp | Packet::Disconnect => Model::Empty(packet.kind()),
    })
}

fn qos(number: u8) -> QoS {
    QoS::from_number(number).unwrap()
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

pub(super) fn encode(packet: &Model) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut write = |packet: Packet<'_>| packet.encode(ProtocolVersion::V311, &mut out);
    match packet {
        Model::Connect {
            client_id,
            clean_session,
            keep_alive,
            user_name,
            password,
            will,
        } => write(Packet::Connect(Connect {
            version: ProtocolVersion::V311,
            client_id,
            clean_session: *clean_session,
            keep_alive: *keep_alive,
            user_name: user_name.as_deref(),
            password: password.as_deref(),
            will: will.as_ref().map(|will| Will {
                topic: &will.topic,
                payload: &will.payload,
                qos: qos(will.qos),
                retain: will.retain,
            }),
        })),
        Model::ConnAck {
            session_present,
            code,
        } => write(Packet::ConnAck(ConnAck {
            session_present: *session_present,
            code: ConnectReturnCode::from_number(*code).unwrap(),
        })),
        Model::Publish {
            dup,
            qos: number,
            retain,
            topic,
            packet_id,
            payload,
        } => write(Packet::Publish(Publish {
            dup: *dup,
            qos: qos(*number),
            retain: *retain,
            topic,
            packet_id: PacketId::new(*packet_id),
            payload,
        })),
        Model::Acknowledgement { kind, packet_id } => {
            let packet_id = id(*packet_id);
            write(match kind {
                PacketKind::PubAck => Packet::PubAck(PubAck { packet_id }),
                PacketKind::PubRec => Packet::PubRec(PubRec { packet_id }),
                PacketKind::PubRel => Packet::PubRel(PubRel {
                    packet_id,
                    dup: false,
                }),
                PacketKind::PubComp => Packet::PubComp(PubComp { packet_id }),
                PacketKind::UnsubAck => Packet::UnsubAck(UnsubAck { packet_id }),
                other => panic!("{other} is no acknowledgement"),
            })
        }
        Model::Subscribe { packet_id, filters } => {
            let filters: Vec<(&str, QoS)> = filters
                .iter()
                .map(|(filter, number)| (filter.as_str(), qos(*number)))
                .collect();
            write(Packet::Subscribe(Subscribe {
                packet_id: id(*packet_id),
                dup: false,
                filters: Entries::from(&filters[..]),
            }))
        }
        Model::SubAck { packet_id, codes } => {
            let codes: Vec<SubscribeReturnCode> = codes
                .iter()
                .map(|code| match code {
                    0x80 => SubscribeReturnCode::Failure,
                    number => SubscribeReturnCode::Granted(qos(*number)),
                })
                .collect();
            write(Packet::SubAck(SubAck {
                packet_id: id(*packet_id),
                return_codes: Entries::from(&codes[..]),
            }))
        }
        Model::Unsubscribe { packet_id, filters } => {
            let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
            write(Packet::Unsubscribe(Unsubscribe {
                packet_id: id(*packet_id),
                dup: false,
                filters: Entries::from(&filters[..]),
            }))
        }
        Model::Empty(PacketKind::PingReq) => write(Packet::PingReq),
        Model::Empty(PacketKind::PingResp) => write(Packet::PingResp),
        Model::Empty(_) => write(Packet::Disconnect),
    }
    .map_err(|error| error.to_string())?;
    Ok(out)
}
