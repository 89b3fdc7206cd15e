//! CONNECT (MQTT section 3.1).

use alloc::vec::Vec;
use core::fmt;

use super::ProtocolVersion;
use super::cursor::{Prefixed, Reader, append_fixed_header};
use super::error::{DecodeErrorKind, EncodeError, Field};
use super::packet::{PacketKind, QoS};

/// The first packet of a connection, from client to server.
///
/// ```text
/// 1 | 0 | remaining length
/// protocol name | level (1 byte) | flags (1 byte) | keep alive (2 bytes)
/// client identifier | will topic, will message | user name | password
/// ```
///
/// The flags, from the top: user name, password, will retain, will QoS (2), will, clean session, 0.
///
/// `Debug` shows that there is a password, not which.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The version the client speaks, on which the packet's first fields depend.
    pub version: ProtocolVersion,
    /// Who it is. May be empty if `clean_session` is set [MQTT-3.1.3-7]. A server of MQTT 3.1 may
    /// refuse identifiers outside 1 to 23 characters; that is the server's decision and no error
    /// here.
    pub client_id: &'a str,
    /// Whether to drop what the server kept of an earlier connection, and keep nothing of this one.
    pub clean_session: bool,
    /// The longest silence of the client, in seconds [MQTT-3.1.2-23]; 0 for no limit. A server ends
    /// the connection after one and a half times this [MQTT-3.1.2-24].
    pub keep_alive: u16,
    /// The user name.
    pub user_name: Option<&'a str>,
    /// The password; only beside a user name [MQTT-3.1.2-22].
    pub password: Option<&'a [u8]>,
    /// What the server publishes if the connection ends without DISCONNECT.
    pub will: Option<Will<'a>>,
}

/// A message that the server publishes on the client's behalf when it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Will<'a> {
    /// Where it goes: a topic name.
    pub topic: &'a str,
    /// The message, at most 65,535 bytes. May be empty.
    pub payload: &'a [u8],
    /// The QoS of the message.
    pub qos: QoS,
    /// Whether the server keeps the message.
    pub retain: bool,
}

const USER_NAME: u8 = 0b1000_0000;
const PASSWORD: u8 = 0b0100_0000;
const WILL_RETAIN: u8 = 0b0010_0000;
const WILL_QOS_SHIFT: u8 = 3;
const WILL: u8 = 0b0000_0100;
const CLEAN_SESSION: u8 = 0b0000_0010;
const RESERVED: u8 = 0b0000_0001;

impl fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("client_id", &self.client_id)
            .field("clean_session", &self.clean_session)
            .field("keep_alive", &self.keep_alive)
            .field("user_name", &self.user_name)
            .field("password", &self.password.map(|_| format_args!("...")))
            .field("will", &self.will)
            .finish()
    }
}

impl<'a> Connect<'a> {
    /// Appends the packet to `out`, in the version of its `version` field; returns how many bytes.
    ///
    /// # Errors
    /// [`EncodeError::FieldTooLong`], [`EncodeError::NulCharacter`], [`EncodeError::Topic`],
    /// [`EncodeError::PasswordWithoutUserName`] or
    /// [`EncodeError::EmptyClientIdWithoutCleanSession`]; `out` is then as it was.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<usize, EncodeError> {
        if self.password.is_some() && self.user_name.is_none() {
            return Err(EncodeError::PasswordWithoutUserName);
        }
        if self.client_id.is_empty() && !self.clean_session {
            return Err(EncodeError::EmptyClientIdWithoutCleanSession);
        }
        let mut flags = if self.clean_session { CLEAN_SESSION } else { 0 };
        let mut fields = [None; 5];
        let [client_id, will_topic, will_payload, user_name, password] = &mut fields;
        *client_id = Some(Prefixed::string(Field::ClientId, self.client_id)?);
        if let Some(will) = &self.will {
            flags |= WILL | will.qos.number() << WILL_QOS_SHIFT;
            flags |= if will.retain { WILL_RETAIN } else { 0 };
            *will_topic = Some(Prefixed::topic_name(Field::WillTopic, will.topic)?);
            *will_payload = Some(Prefixed::binary(Field::WillPayload, will.payload)?);
        }
        if let Some(text) = self.user_name {
            flags |= USER_NAME;
            *user_name = Some(Prefixed::string(Field::UserName, text)?);
        }
        if let Some(bytes) = self.password {
            flags |= PASSWORD;
            *password = Some(Prefixed::binary(Field::Password, bytes)?);
        }
        let fields = fields.iter().flatten();

        let name = self.version.name().as_bytes();
        let protocol = Prefixed::binary(Field::ProtocolName, name)?;
        let [keep_alive_high, keep_alive_low] = self.keep_alive.to_be_bytes();
        let fixed = [self.version.level(), flags, keep_alive_high, keep_alive_low];
        let payload_length: usize = fields.clone().map(|field| field.encoded_length()).sum();
        let remaining = protocol.encoded_length() + fixed.len() + payload_length;
        let size = append_fixed_header(out, PacketKind::Connect.first_byte(0), remaining)?;
        protocol.append(out);
        out.extend_from_slice(&fixed);
        for field in fields {
            field.append(out);
        }
        Ok(size)
    }

    /// Reads what follows the fixed header.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Connect<'a>, DecodeErrorKind> {
        let version = read_version(reader)?;
        let flags = reader.byte(Field::ConnectFlags)?;
        check_flags(flags)?;
        let keep_alive = reader.integer(Field::KeepAlive)?;
        let clean_session = flags & CLEAN_SESSION != 0;
        let client_id = reader.string(Field::ClientId)?;
        if client_id.is_empty() && !clean_session {
            return Err(DecodeErrorKind::EmptyClientIdWithoutCleanSession);
        }
        let will = match flags & WILL {
            0 => None,
            _ => Some(read_will(reader, flags)?),
        };
        // MQTT 3.1 section 3.1: the remaining length goes before these two flags.
        let announced = |flag, reader: &Reader<'_>| {
            flags & flag != 0 && !(version == ProtocolVersion::V31 && reader.is_empty())
        };
        let user_name = match announced(USER_NAME, reader) {
            true => Some(reader.string(Field::UserName)?),
            false => None,
        };
        let password = match announced(PASSWORD, reader) {
            true => Some(reader.binary(Field::Password)?),
            false => None,
        };
        Ok(Connect {
            version,
            client_id,
            clean_session,
            keep_alive,
            user_name,
            password,
            will,
        })
    }
}

fn read_version(reader: &mut Reader<'_>) -> Result<ProtocolVersion, DecodeErrorKind> {
    let name = reader.binary(Field::ProtocolName)?;
    let version = [ProtocolVersion::V311, ProtocolVersion::V31]
        .into_iter()
        .find(|version| version.name().as_bytes() == name)
        .ok_or(DecodeErrorKind::ProtocolNameUnknown)?;
    let level = reader.byte(Field::ProtocolLevel)?;
    match level == version.level() {
        true => Ok(version),
        false => Err(DecodeErrorKind::ProtocolLevelUnknown { level }),
    }
}

fn check_flags(flags: u8) -> Result<(), DecodeErrorKind> {
    if flags & RESERVED != 0 {
        return Err(DecodeErrorKind::ConnectFlagReserved);
    }
    if flags & WILL == 0 && flags >> WILL_QOS_SHIFT & 0b11 != 0 {
        return Err(DecodeErrorKind::WillQoSWithoutWill);
    }
    if flags & WILL == 0 && flags & WILL_RETAIN != 0 {
        return Err(DecodeErrorKind::WillRetainWithoutWill);
    }
    if flags & PASSWORD != 0 && flags & USER_NAME == 0 {
        return Err(DecodeErrorKind::PasswordWithoutUserName);
    }
    Ok(())
}

fn read_will<'a>(reader: &mut Reader<'a>, flags: u8) -> Result<Will<'a>, DecodeErrorKind> {
    let qos =
        QoS::from_number(flags >> WILL_QOS_SHIFT & 0b11).ok_or(DecodeErrorKind::WillQoSReserved)?;
    Ok(Will {
        topic: reader.topic_name(Field::WillTopic)?,
        payload: reader.binary(Field::WillPayload)?,
        qos,
        retain: flags & WILL_RETAIN != 0,
    })
}
