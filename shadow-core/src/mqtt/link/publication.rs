//! An outbound message as its sender gives it.

use crate::mqtt::QoS;

/// A message to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publication<'a> {
    /// Topic name, without wildcards; at most 65,535 bytes.
    pub topic: &'a str,
    /// The payload; may be empty.
    pub payload: &'a [u8],
    /// Delivery guarantee. QoS 1 and 2 survive a reconnect.
    pub qos: QoS,
    /// Whether the server keeps it for later subscribers.
    pub retain: bool,
}

impl<'a> Publication<'a> {
    /// A QoS 0 message, not retained.
    #[must_use]
    pub const fn new(topic: &'a str, payload: &'a [u8]) -> Publication<'a> {
        Publication {
            topic,
            payload,
            qos: QoS::AtMostOnce,
            retain: false,
        }
    }

    /// The same with another QoS.
    #[must_use]
    pub const fn qos(self, qos: QoS) -> Publication<'a> {
        Publication { qos, ..self }
    }
}
