//! The codecs behind one face.

mod ours;
mod protocol_core;
mod rumqtt;

use crate::model::Model;

pub(crate) use ours::decode as decode_ours;

/// A codec of MQTT 3.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Ours,
    ProtocolCore,
    Rumqtt,
}

impl Codec {
    pub(crate) const OTHERS: [Codec; 2] = [Codec::ProtocolCore, Codec::Rumqtt];

    /// Reads exactly one packet; the error is whatever the codec says.
    pub(crate) fn decode(self, packet: &[u8]) -> Result<Model, String> {
        match self {
            Codec::Ours => ours::decode(packet).map_err(|error| error.to_string()),
            Codec::ProtocolCore => protocol_core::decode(packet),
            Codec::Rumqtt => rumqtt::decode(packet),
        }
    }

    pub(crate) fn encode(self, packet: &Model) -> Result<Vec<u8>, String> {
        match self {
            Codec::Ours => ours::encode(packet),
            Codec::ProtocolCore => protocol_core::encode(packet),
            Codec::Rumqtt => rumqtt::encode(packet),
        }
    }
}
