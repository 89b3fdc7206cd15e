//! A packet as all codecs see it.

use shadow_core::mqtt::PacketKind;

/// A will of CONNECT.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Will {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
}

/// Everything that is in a packet of MQTT 3.1.1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Model {
    Connect {
        client_id: String,
        clean_session: bool,
        keep_alive: u16,
        user_name: Option<String>,
        password: Option<Vec<u8>>,
        will: Option<Will>,
    },
    ConnAck {
        session_present: bool,
        code: u8,
    },
    Publish {
        dup: bool,
        qos: u8,
        retain: bool,
        topic: String,
        /// 0 at QoS 0.
        packet_id: u16,
        payload: Vec<u8>,
    },
    /// PUBACK, PUBREC, PUBREL, PUBCOMP or UNSUBACK.
    Acknowledgement {
        kind: PacketKind,
        packet_id: u16,
    },
    Subscribe {
        packet_id: u16,
        filters: Vec<(String, u8)>,
    },
    SubAck {
        packet_id: u16,
        codes: Vec<u8>,
    },
    Unsubscribe {
        packet_id: u16,
        filters: Vec<String>,
    },
    /// PINGREQ, PINGRESP or DISCONNECT.
    Empty(PacketKind),
}
