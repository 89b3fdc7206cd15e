//! A recorded packet as the bytes that it was.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use shadow_core::mqtt::{
    Connect, Entries, Packet, PacketId, ProtocolVersion, PubAck, PubComp, PubRec, PubRel, Publish,
    QoS, Subscribe, Unsubscribe, Will,
};
use shadow_core::recording::decode_bytes;

/// Encodes the packet of an output line again and appends it to `out`; tells the version if it is a
/// CONNECT, which says in what version the packets behind it are written.
///
/// The bytes are those that were sent, but for a password, which the recording does not have.
pub(super) fn encode(
    line: &str,
    version: ProtocolVersion,
    out: &mut Vec<u8>,
) -> Result<Option<ProtocolVersion>, String> {
    let fields: Fields<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let mut encode = |packet: Packet<'_>| {
        let encoded = packet.encode(version, out);
        encoded.map(|_| None).map_err(|error| error.to_string())
    };
    match &*fields.packet {
        "CONNECT" => fields.connect(out).map(Some),
        "PUBLISH" => {
            let payload = fields.payload()?;
            encode(Packet::Publish(Publish {
                dup: fields.dup,
                qos: quality(fields.qos)?,
                retain: fields.retain,
                topic: need(fields.topic.as_deref(), "topic")?,
                packet_id: fields.id.map(packet_id).transpose()?,
                payload: &payload,
            }))
        }
        "SUBSCRIBE" => {
            let filters: Vec<(Cow<'_, str>, u8)> = fields.filters()?;
            let pairs: Result<Vec<(&str, QoS)>, String> = filters
                .iter()
                .map(|(filter, qos)| Ok((&**filter, quality(Some(*qos))?)))
                .collect();
            encode(Packet::Subscribe(Subscribe {
                packet_id: fields.id()?,
                dup: fields.dup,
                filters: Entries::from(&*pairs?),
            }))
        }
        "UNSUBSCRIBE" => {
            let filters: Vec<Cow<'_, str>> = fields.filters()?;
            let filters: Vec<&str> = filters.iter().map(|filter| &**filter).collect();
            encode(Packet::Unsubscribe(Unsubscribe {
                packet_id: fields.id()?,
                dup: fields.dup,
                filters: Entries::from(&*filters),
            }))
        }
        "PUBACK" => encode(Packet::PubAck(PubAck {
            packet_id: fields.id()?,
        })),
        "PUBREC" => encode(Packet::PubRec(PubRec {
            packet_id: fields.id()?,
        })),
        "PUBREL" => encode(Packet::PubRel(PubRel {
            packet_id: fields.id()?,
            dup: fields.dup,
        })),
        "PUBCOMP" => encode(Packet::PubComp(PubComp {
            packet_id: fields.id()?,
        })),
        "PINGREQ" => encode(Packet::PingReq),
        "DISCONNECT" => encode(Packet::Disconnect),
        other => Err(format!("a device sends no {other}")),
    }
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    packet: Cow<'a, str>,
    #[serde(borrow)]
    version: Option<Cow<'a, str>>,
    client_id: Option<String>,
    user_name: Option<String>,
    password: Option<String>,
    #[serde(default)]
    keep_alive: u16,
    #[serde(default)]
    clean_session: bool,
    #[serde(borrow)]
    will: Option<&'a RawValue>,
    id: Option<u16>,
    #[serde(borrow)]
    filters: Option<&'a RawValue>,
    #[serde(default)]
    dup: bool,
    topic: Option<String>,
    qos: Option<u8>,
    #[serde(default)]
    retain: bool,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    payload_bytes: Option<String>,
}

/// CONNECT's will; the payload as in a PUBLISH.
#[derive(Deserialize)]
struct WillFields<'a> {
    topic: String,
    qos: u8,
    #[serde(default)]
    retain: bool,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    payload_bytes: Option<String>,
}

impl<'a> Fields<'a> {
    fn connect(&self, out: &mut Vec<u8>) -> Result<ProtocolVersion, String> {
        let version = match self.version.as_deref() {
            Some("MQTT 3.1") => ProtocolVersion::V31,
            Some("MQTT 3.1.1") => ProtocolVersion::V311,
            _ => return Err("there is no such `version`".to_owned()),
        };
        let will = match self.will {
            None => None,
            Some(raw) => {
                let fields: WillFields<'_> =
                    serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
                let message = payload(fields.payload, fields.payload_bytes.as_deref())?;
                Some((fields, message))
            }
        };
        let will = match &will {
            None => None,
            Some((fields, message)) => Some(Will {
                topic: &fields.topic,
                payload: message,
                qos: quality(Some(fields.qos))?,
                retain: fields.retain,
            }),
        };
        let connect = Connect {
            version,
            client_id: need(self.client_id.as_deref(), "client_id")?,
            clean_session: self.clean_session,
            keep_alive: self.keep_alive,
            user_name: self.user_name.as_deref(),
            password: self.password.as_deref().map(str::as_bytes),
            will,
        };
        let encoded = connect.encode(out);
        encoded.map(|_| version).map_err(|error| error.to_string())
    }

    fn id(&self) -> Result<PacketId, String> {
        packet_id(need(self.id, "id")?)
    }

    fn filters<T: Deserialize<'a>>(&self) -> Result<Vec<T>, String> {
        let raw = need(self.filters, "filters")?;
        serde_json::from_str(raw.get()).map_err(|error| error.to_string())
    }

    fn payload(&self) -> Result<Vec<u8>, String> {
        payload(self.payload, self.payload_bytes.as_deref())
    }
}

/// A payload in one of its three forms: an object, a text, or bytes.
fn payload(raw: Option<&RawValue>, bytes: Option<&str>) -> Result<Vec<u8>, String> {
    if let Some(text) = bytes {
        return decode_bytes(text).ok_or_else(|| "`payload_bytes` stands for no bytes".to_owned());
    }
    let raw = need(raw, "payload")?.get();
    if !raw.starts_with('"') {
        return Ok(raw.into());
    }
    let text: String = serde_json::from_str(raw).map_err(|error| error.to_string())?;
    Ok(text.into_bytes())
}

fn quality(number: Option<u8>) -> Result<QoS, String> {
    let number = need(number, "qos")?;
    QoS::from_number(number).ok_or_else(|| format!("there is no QoS {number}"))
}

fn packet_id(number: u16) -> Result<PacketId, String> {
    PacketId::new(number).ok_or_else(|| "a packet id is not 0".to_owned())
}

fn need<T>(field: Option<T>, name: &str) -> Result<T, String> {
    field.ok_or_else(|| format!("`{name}` is missing"))
}
