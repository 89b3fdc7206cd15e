//! The packets that consist of a packet identifier: PUBACK, PUBREC, PUBREL, PUBCOMP (MQTT sections
//! 3.4 to 3.7) and UNSUBACK (section 3.11).
//!
//! ```text
//! type | flags | 2
//! packet identifier (2 bytes)
//! ```

use alloc::vec::Vec;

use super::ProtocolVersion;
use super::packet::{PacketId, PacketKind, request_flags};

macro_rules! acknowledgement {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            /// The identifier of the packet that is acknowledged.
            pub packet_id: PacketId,
        }

        impl $name {
            /// Appends the packet to `out`, the same bytes in every version; returns how many.
            pub fn encode(&self, out: &mut Vec<u8>) -> usize {
                append(out, PacketKind::$name.first_byte(0), self.packet_id)
            }
        }
    };
}

acknowledgement!(
    /// The answer to a PUBLISH of QoS 1.
    PubAck
);
acknowledgement!(
    /// The first answer to a PUBLISH of QoS 2: the message has come.
    PubRec
);
acknowledgement!(
    /// The answer to PUBREL, and the end of a QoS 2 exchange.
    PubComp
);
acknowledgement!(
    /// The answer to UNSUBSCRIBE.
    UnsubAck
);

/// The answer to PUBREC: the message may be handed on and its identifier forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PubRel {
    /// The identifier of the PUBLISH.
    pub packet_id: PacketId,
    /// Whether it is sent again. Only MQTT 3.1 has a bit for this; in 3.1.1 it is not written and
    /// always read as false.
    pub dup: bool,
}

impl PubRel {
    /// Appends the packet to `out`; returns how many bytes.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> usize {
        let flags = request_flags(self.dup, version);
        append(out, PacketKind::PubRel.first_byte(flags), self.packet_id)
    }
}

fn append(out: &mut Vec<u8>, first_byte: u8, packet_id: PacketId) -> usize {
    let [high, low] = packet_id.get().to_be_bytes();
    let packet = [first_byte, 2, high, low];
    out.extend_from_slice(&packet);
    packet.len()
}
