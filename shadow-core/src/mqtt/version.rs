//! The protocol versions.

use core::fmt;

/// A version of the protocol, as CONNECT announces it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ProtocolVersion {
    /// MQTT 3.1 (IBM and Eurotech, 2010): name `MQIsdp`, level 3.
    V31,
    /// MQTT 3.1.1 (OASIS Standard, 2014): name `MQTT`, level 4.
    #[default]
    V311,
}

impl ProtocolVersion {
    /// The protocol name in CONNECT (MQTT section 3.1.2.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ProtocolVersion::V31 => "MQIsdp",
            ProtocolVersion::V311 => "MQTT",
        }
    }

    /// The protocol level in CONNECT (MQTT section 3.1.2.2).
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            ProtocolVersion::V31 => 3,
            ProtocolVersion::V311 => 4,
        }
    }
}

/// `MQTT 3.1` or `MQTT 3.1.1`.
impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ProtocolVersion::V31 => "MQTT 3.1",
            ProtocolVersion::V311 => "MQTT 3.1.1",
        })
    }
}
