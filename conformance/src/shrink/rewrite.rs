//! Packets of the peer with the identifiers, tokens and versions of another run.

use shadow_core::mqtt::{
    Packet, PacketId, ProtocolVersion, PubAck, PubComp, PubRec, PubRel, Publish, SubAck, UnsubAck,
};

use super::version::payload_with_version;

/// An acknowledgement with another identifier.
pub(super) fn with_id(bytes: &[u8], id: u16, version: ProtocolVersion) -> Option<Vec<u8>> {
    let packet_id = PacketId::new(id)?;
    let packet = match Packet::decode(bytes, version).ok()? {
        Packet::SubAck(packet) => Packet::SubAck(SubAck {
            packet_id,
            ..packet
        }),
        Packet::UnsubAck(_) => Packet::UnsubAck(UnsubAck { packet_id }),
        Packet::PubAck(_) => Packet::PubAck(PubAck { packet_id }),
        Packet::PubRec(_) => Packet::PubRec(PubRec { packet_id }),
        Packet::PubRel(packet) => Packet::PubRel(PubRel {
            packet_id,
            ..packet
        }),
        Packet::PubComp(_) => Packet::PubComp(PubComp { packet_id }),
        _ => return Some(bytes.to_vec()),
    };
    let mut out = Vec::with_capacity(bytes.len());
    packet.encode(version, &mut out).ok()?;
    Some(out)
}

/// A reply with another client token, and not a byte of it changed otherwise.
pub(super) fn with_token(
    bytes: &[u8],
    old: &str,
    new: &str,
    version: ProtocolVersion,
) -> Option<Vec<u8>> {
    if old == new {
        return Some(bytes.to_vec());
    }
    let Packet::Publish(publish) = Packet::decode(bytes, version).ok()? else {
        return None;
    };
    let text = std::str::from_utf8(publish.payload).ok()?;
    let old = serde_json::to_string(old).ok()?;
    let new = serde_json::to_string(new).ok()?;
    let key = text.find("\"clientToken\"")?;
    let (before, rest) = text.split_at(key);
    // Behind the key: a value before it may be the same text.
    if !rest.contains(&old) {
        return None;
    }
    let payload = format!("{before}{}", rest.replacen(&old, &new, 1));
    with_payload(&publish, payload.as_bytes())
}

/// A message with another version of its document, and not a byte of it changed otherwise.
pub(super) fn with_version(bytes: &[u8], number: u64, version: ProtocolVersion) -> Option<Vec<u8>> {
    let Packet::Publish(publish) = Packet::decode(bytes, version).ok()? else {
        return None;
    };
    let payload = payload_with_version(publish.payload, number)?;
    if payload == publish.payload {
        return Some(bytes.to_vec());
    }
    with_payload(&publish, &payload)
}

/// A message with another payload.
pub(super) fn with_payload(publish: &Publish<'_>, payload: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(payload.len() + publish.topic.len() + 16);
    let publish = Publish {
        payload,
        ..*publish
    };
    publish.encode(&mut out).ok()?;
    Some(out)
}
