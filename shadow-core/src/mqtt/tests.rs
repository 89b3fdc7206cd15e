//! The codec against the specification, recordings and itself.

mod malformed;
mod properties;
mod refused;
mod specification;
mod stream;
mod topic;

use super::{Connect, Packet, PacketId, ProtocolVersion, Publish, QoS, Will};
use std::vec::Vec;

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

fn encoded(packet: &Packet<'_>, version: ProtocolVersion) -> Vec<u8> {
    let mut out = Vec::new();
    let size = packet.encode(version, &mut out).unwrap();
    assert_eq!(size, out.len());
    out
}

/// Decodes `bytes` to `packet`; what only a server reads, is refused without the feature for it.
#[track_caller]
fn decodes_to(bytes: &[u8], version: ProtocolVersion, packet: Packet<'_>) {
    let decoded = Packet::decode(bytes, version);
    if is_read(bytes) {
        assert_eq!(decoded, Ok(packet));
    } else {
        assert!(decoded.is_err(), "{decoded:?}");
    }
}

/// Whether a packet that begins so is one that this build reads.
fn is_read(bytes: &[u8]) -> bool {
    let of_clients = [1, 8, 10].contains(&(bytes[0] >> 4));
    cfg!(feature = "server") || !of_clients
}

/// The CONNECT of the vendor's Python SDK (MQTT 3.1), as recorded on the wire.
const PYTHON_SDK_CONNECT: &[u8] = b"\x10\x80\x01\x00\x06MQIsdp\x03\xc2\x00\x3c\
    \x00\x10PYSDKCAP01test01\
    \x00\x2dPYSDKCAP01test01;21010406;N4sz6;1795373234216\
    \x00\x31\x31\x33d60161217a860df1658216c25e128084b1b634;hmacsha1";

/// Its SUBSCRIBE.
const PYTHON_SDK_SUBSCRIBE: &[u8] =
    b"\x82\x2f\x00\x01\x00\x2a$shadow/operation/result/PYSDKCAP01/test01\x00";

/// Its first PUBLISH.
const PYTHON_SDK_PUBLISH: &[u8] = b"\x30\x53\x00\x23$shadow/operation/PYSDKCAP01/test01\
    {\"type\": \"get\", \"clientToken\": \"PYSDKCAP01-0\"}";

/// A CONNECT with every field.
fn connect() -> Connect<'static> {
    Connect {
        version: ProtocolVersion::V311,
        client_id: "c",
        clean_session: true,
        keep_alive: 10,
        user_name: Some("u"),
        password: Some(b"p"),
        will: Some(Will {
            topic: "w",
            payload: b"gone",
            qos: QoS::AtLeastOnce,
            retain: false,
        }),
    }
}

/// A PUBLISH to change fields of.
fn publish() -> Publish<'static> {
    Publish {
        dup: false,
        qos: QoS::AtLeastOnce,
        retain: false,
        topic: "a/b",
        packet_id: Some(id(10)),
        payload: b"hi",
    }
}
