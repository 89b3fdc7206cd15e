//! CONNACK (MQTT section 3.2).

use alloc::vec::Vec;
use core::fmt;

use super::ProtocolVersion;
use super::cursor::Reader;
use super::error::{DecodeErrorKind, EncodeError, Field};
use super::packet::PacketKind;

/// The server's answer to CONNECT.
///
/// ```text
/// 2 | 0 | 2
/// 0 (7 bits), session present | return code
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnAck {
    /// Whether the server kept a session of this client; never with a refusal [MQTT-3.2.2-4].
    /// MQTT 3.1 has an unused byte in its place: there it is not written and always read as false.
    pub session_present: bool,
    /// Whether the connection is accepted.
    pub code: ConnectReturnCode,
}

/// Whether, and why not, the server accepts a connection (MQTT section 3.2.2.3, table 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ConnectReturnCode {
    /// The connection is accepted.
    Accepted = 0,
    /// The server does not speak this version of MQTT.
    UnacceptableProtocolVersion = 1,
    /// The server does not allow this client identifier.
    IdentifierRejected = 2,
    /// The MQTT service is not available.
    ServerUnavailable = 3,
    /// The user name or password is malformed or wrong.
    BadUserNameOrPassword = 4,
    /// The client may not connect.
    NotAuthorized = 5,
}

impl ConnectReturnCode {
    /// The code with this number; `None` above 5.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<ConnectReturnCode> {
        Some(match number {
            0 => ConnectReturnCode::Accepted,
            1 => ConnectReturnCode::UnacceptableProtocolVersion,
            2 => ConnectReturnCode::IdentifierRejected,
            3 => ConnectReturnCode::ServerUnavailable,
            4 => ConnectReturnCode::BadUserNameOrPassword,
            5 => ConnectReturnCode::NotAuthorized,
            _ => return None,
        })
    }

    /// 0 to 5.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// The code in words, as in `bad user name or password`.
impl fmt::Display for ConnectReturnCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConnectReturnCode::Accepted => "accepted",
            ConnectReturnCode::UnacceptableProtocolVersion => "unacceptable protocol version",
            ConnectReturnCode::IdentifierRejected => "client identifier rejected",
            ConnectReturnCode::ServerUnavailable => "server unavailable",
            ConnectReturnCode::BadUserNameOrPassword => "bad user name or password",
            ConnectReturnCode::NotAuthorized => "not authorized",
        })
    }
}

impl ConnAck {
    /// Appends the packet to `out`; returns how many bytes.
    ///
    /// # Errors
    /// [`EncodeError::SessionPresentWithRefusal`]; `out` is then as it was.
    pub fn encode(
        &self,
        version: ProtocolVersion,
        out: &mut Vec<u8>,
    ) -> Result<usize, EncodeError> {
        if self.session_present && self.code != ConnectReturnCode::Accepted {
            return Err(EncodeError::SessionPresentWithRefusal);
        }
        let flags = match version {
            ProtocolVersion::V31 => 0,
            ProtocolVersion::V311 => u8::from(self.session_present),
        };
        let packet = [
            PacketKind::ConnAck.first_byte(0),
            2,
            flags,
            self.code.number(),
        ];
        out.extend_from_slice(&packet);
        Ok(packet.len())
    }

    /// Reads what follows the fixed header.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        version: ProtocolVersion,
    ) -> Result<ConnAck, DecodeErrorKind> {
        let flags = reader.byte(Field::ConnAckFlags)?;
        let session_present = match (version, flags) {
            (ProtocolVersion::V31, _) | (_, 0) => false,
            (ProtocolVersion::V311, 1) => true,
            _ => return Err(DecodeErrorKind::ConnAckFlagsReserved { flags }),
        };
        let code = reader.byte(Field::ReturnCode)?;
        let code = ConnectReturnCode::from_number(code)
            .ok_or(DecodeErrorKind::ConnectReturnCodeReserved { code })?;
        if session_present && code != ConnectReturnCode::Accepted {
            return Err(DecodeErrorKind::SessionPresentWithRefusal);
        }
        Ok(ConnAck {
            session_present,
            code,
        })
    }
}
