//! MQTT 3.1.1 and 3.1: the packets, their bytes, and topics.
//!
//! One struct stands for each control packet, and the protocol version is a value that encoding and
//! decoding take: the two versions differ in a handful of bits. All fourteen packets are encoded
//! and decoded, so the same code serves a client and a server. Only [`link`] knows of connections,
//! sessions and time.
//!
//! * [`Packet::decode`] reads one whole packet and borrows every string and payload from it.
//! * [`StreamDecoder`] takes a byte stream in pieces of any size and yields packets. It copies only
//!   packets that were cut, and never takes memory for a packet above the caller's maximum.
//! * [`Packet::encode`], and `encode` of each packet struct, append to the caller's buffer.
//!
//! ```
//! use shadow_core::mqtt::{Packet, ProtocolVersion, Publish, QoS};
//!
//! let publish = Publish {
//!     dup: false,
//!     qos: QoS::AtMostOnce,
//!     retain: false,
//!     topic: "a/b",
//!     packet_id: None,
//!     payload: b"hi",
//! };
//! let mut bytes = Vec::new();
//! publish.encode(&mut bytes)?;
//! assert_eq!(bytes, b"\x30\x07\x00\x03a/bhi");
//! assert_eq!(Packet::decode(&bytes, ProtocolVersion::V311), Ok(Packet::Publish(publish)));
//! # Ok::<(), shadow_core::mqtt::EncodeError>(())
//! ```
//!
//! # What is refused
//!
//! A packet that breaks a rule of the specification is refused with a [`DecodeError`] that names
//! the numbered clause of MQTT 3.1.1. MQTT 3.1 has no numbered clauses. It is held to the same
//! rules, except where it says otherwise: its CONNACK has an unused byte in place of the flags,
//! PUBREL, SUBSCRIBE and UNSUBSCRIBE may carry DUP, SUBACK has no code for a failure (that of 3.1.1
//! is read, but not written), and a user name or password that the flags of CONNECT announce may be
//! missing at the end of the packet.

mod acknowledgement;
mod connack;
mod connect;
mod cursor;
mod entries;
mod error;
pub mod link;
mod packet;
mod publish;
pub(crate) mod session;
mod stream;
mod subscribe;
#[cfg(test)]
mod tests;
pub mod topic;
mod unsubscribe;
mod version;

pub use acknowledgement::{PubAck, PubComp, PubRec, PubRel, UnsubAck};
pub use connack::{ConnAck, ConnectReturnCode};
pub use connect::{Connect, Will};
pub use entries::{Entries, EntriesIter, Entry};
pub use error::{DecodeError, DecodeErrorKind, EncodeError, Field};
pub use packet::{Packet, PacketId, PacketKind, QoS};
pub use publish::Publish;
pub use stream::{Incoming, Oversized, SkippedPublish, StreamDecoder};
pub use subscribe::{SubAck, Subscribe, SubscribeReturnCode};
pub use unsubscribe::Unsubscribe;
pub use version::ProtocolVersion;

/// The largest number a packet's remaining length can carry: four bytes of seven bits, 256 MB
/// (MQTT section 2.2.3, table 2.4).
pub const MAXIMUM_REMAINING_LENGTH: usize = 268_435_455;
