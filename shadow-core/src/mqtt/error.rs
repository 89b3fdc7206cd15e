//! Why bytes are no packet, and why a packet has no bytes.

use core::fmt;

use super::packet::PacketKind;
use super::topic::TopicError;
use super::{ConnectReturnCode, MAXIMUM_REMAINING_LENGTH};

/// A field of a packet, to say where an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Field {
    /// The protocol name of CONNECT.
    ProtocolName,
    /// The protocol level of CONNECT.
    ProtocolLevel,
    /// The flags byte of CONNECT.
    ConnectFlags,
    /// The keep alive of CONNECT.
    KeepAlive,
    /// The client identifier of CONNECT.
    ClientId,
    /// The will topic of CONNECT.
    WillTopic,
    /// The will message of CONNECT.
    WillPayload,
    /// The user name of CONNECT.
    UserName,
    /// The password of CONNECT.
    Password,
    /// The acknowledge flags of CONNACK.
    ConnAckFlags,
    /// The return code of CONNACK, or one of SUBACK.
    ReturnCode,
    /// The topic name of PUBLISH.
    TopicName,
    /// The packet identifier.
    PacketId,
    /// A topic filter of SUBSCRIBE or UNSUBSCRIBE.
    TopicFilter,
    /// The requested QoS behind a topic filter of SUBSCRIBE.
    RequestedQoS,
}

/// The specification's name of the field.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::ProtocolName => "protocol name",
            Field::ProtocolLevel => "protocol level",
            Field::ConnectFlags => "connect flags",
            Field::KeepAlive => "keep alive",
            Field::ClientId => "client identifier",
            Field::WillTopic => "will topic",
            Field::WillPayload => "will message",
            Field::UserName => "user name",
            Field::Password => "password",
            Field::ConnAckFlags => "acknowledge flags",
            Field::ReturnCode => "return code",
            Field::TopicName => "topic name",
            Field::PacketId => "packet identifier",
            Field::TopicFilter => "topic filter",
            Field::RequestedQoS => "requested QoS",
        })
    }
}

/// Bytes that the peer must not send: what was wrong, in which packet, and the clause it broke.
///
/// Whoever receives one has to close the connection [MQTT-4.8.0-1]. It holds numbers only, never
/// the packet's content, so it can be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DecodeError {
    packet: Option<PacketKind>,
    kind: DecodeErrorKind,
}

/// The rule that bytes broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The packet type is 0 or 15 (MQTT section 2.2.1, table 2.1); without the feature `server` also
    /// one with fields that only clients send.
    PacketTypeReserved {
        /// The four bits of the type.
        packet_type: u8,
    },
    /// The flags of the fixed header are not those of table 2.2 [MQTT-2.2.2-2], for some packets
    /// with a clause of their own [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1] [MQTT-3.14.1-1].
    FlagsInvalid {
        /// The four bits of the flags.
        flags: u8,
    },
    /// PUBLISH has both QoS bits set [MQTT-3.3.1-4].
    QoSReserved,
    /// PUBLISH has DUP set at QoS 0 [MQTT-3.3.1-2].
    DupAtMostOnce,
    /// The fourth byte of the remaining length announces a fifth (MQTT section 2.2.3).
    RemainingLengthTooLong,
    /// The packet is larger than the receiver takes. No rule of the specification: the maximum is
    /// the caller's.
    PacketTooLarge {
        /// The size of the whole packet, in bytes.
        size: usize,
        /// The largest the receiver takes, in bytes.
        maximum: usize,
    },
    /// One whole packet was expected and there are fewer bytes (MQTT section 2.2.3).
    Incomplete {
        /// How many bytes there are.
        given: usize,
        /// How many there must be at least.
        needed: usize,
    },
    /// One whole packet was expected and there are bytes behind it (MQTT section 2.2.3).
    BytesAfterPacket {
        /// How many.
        count: usize,
    },
    /// The packet ends before the end of a field, or has no such field at all.
    FieldMissing {
        /// The field.
        field: Field,
    },
    /// The remaining length is larger than the fields are (MQTT section 2.2.3).
    TrailingBytes {
        /// How many bytes too many.
        count: usize,
    },
    /// A string is not well-formed UTF-8, or encodes a surrogate [MQTT-1.5.3-1].
    Utf8Invalid {
        /// The field.
        field: Field,
        /// How many bytes of the string are well-formed.
        valid_up_to: usize,
    },
    /// A string contains U+0000 [MQTT-1.5.3-2].
    NulCharacter {
        /// The field.
        field: Field,
    },
    /// A topic name or filter breaks a rule of MQTT section 4.7.
    Topic {
        /// The field.
        field: Field,
        /// The rule.
        error: TopicError,
    },
    /// The packet identifier is 0 [MQTT-2.3.1-1].
    PacketIdZero,
    /// CONNECT has another protocol name than `MQTT` and `MQIsdp` [MQTT-3.1.2-1].
    ProtocolNameUnknown,
    /// CONNECT has a protocol level that does not go with its protocol name [MQTT-3.1.2-2].
    ProtocolLevelUnknown {
        /// The level.
        level: u8,
    },
    /// CONNECT has the reserved flag set [MQTT-3.1.2-3].
    ConnectFlagReserved,
    /// CONNECT has no will, yet a will QoS [MQTT-3.1.2-13].
    WillQoSWithoutWill,
    /// CONNECT has a will of QoS 3 [MQTT-3.1.2-14].
    WillQoSReserved,
    /// CONNECT has no will, yet its will retain flag is set [MQTT-3.1.2-15].
    WillRetainWithoutWill,
    /// CONNECT has a password but no user name [MQTT-3.1.2-22].
    PasswordWithoutUserName,
    /// CONNECT has an empty client identifier and asks to keep the session [MQTT-3.1.3-8].
    EmptyClientIdWithoutCleanSession,
    /// CONNACK has a reserved flag set (MQTT section 3.2.2.1).
    ConnAckFlagsReserved {
        /// The flags.
        flags: u8,
    },
    /// CONNACK has a return code above 5 (MQTT section 3.2.2.3, table 3.1).
    ConnectReturnCodeReserved {
        /// The return code.
        code: u8,
    },
    /// CONNACK refuses the connection and reports a session [MQTT-3.2.2-4].
    SessionPresentWithRefusal,
    /// SUBSCRIBE or UNSUBSCRIBE has no topic filter [MQTT-3.8.3-3] [MQTT-3.10.3-2].
    NoTopicFilter,
    /// SUBSCRIBE asks for a QoS other than 0, 1 and 2, or sets reserved bits there
    /// [MQTT-3.8.3-4].
    RequestedQoSReserved {
        /// The byte behind the topic filter.
        value: u8,
    },
    /// SUBACK has no return code (MQTT section 3.9.3).
    NoReturnCode,
    /// SUBACK has a return code other than 0, 1, 2 and 0x80, or has 0x80 in MQTT 3.1
    /// [MQTT-3.9.3-2].
    SubscribeReturnCodeReserved {
        /// The return code.
        code: u8,
    },
}

impl DecodeError {
    pub(super) const fn new(packet: Option<PacketKind>, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { packet, kind }
    }

    /// The rule that was broken, with the values that broke it.
    #[must_use]
    pub const fn kind(&self) -> DecodeErrorKind {
        self.kind
    }

    /// The packet it was broken in, if the type was readable.
    #[must_use]
    pub const fn packet(&self) -> Option<PacketKind> {
        self.packet
    }

    /// The clause of MQTT 3.1.1 that was broken, such as `MQTT-2.2.2-2`.
    ///
    /// Where the specification states a rule without a number this is the section, such as
    /// `MQTT section 2.2.3`; for [`DecodeErrorKind::PacketTooLarge`], which breaks a limit of the
    /// receiver and no rule, it is `local limit`.
    #[must_use]
    pub const fn clause(&self) -> &'static str {
        match self.kind {
            DecodeErrorKind::PacketTypeReserved { .. } => "MQTT section 2.2.1",
            DecodeErrorKind::FlagsInvalid { .. } => match self.packet {
                Some(PacketKind::PubRel) => "MQTT-3.6.1-1",
                Some(PacketKind::Subscribe) => "MQTT-3.8.1-1",
                Some(PacketKind::Unsubscribe) => "MQTT-3.10.1-1",
                Some(PacketKind::Disconnect) => "MQTT-3.14.1-1",
                _ => "MQTT-2.2.2-2",
            },
            DecodeErrorKind::QoSReserved => "MQTT-3.3.1-4",
            DecodeErrorKind::DupAtMostOnce => "MQTT-3.3.1-2",
            DecodeErrorKind::PacketTooLarge { .. } => "local limit",
            DecodeErrorKind::RemainingLengthTooLong
            | DecodeErrorKind::Incomplete { .. }
            | DecodeErrorKind::BytesAfterPacket { .. }
            | DecodeErrorKind::TrailingBytes { .. } => "MQTT section 2.2.3",
            DecodeErrorKind::FieldMissing { field } => missing_field_clause(field),
            DecodeErrorKind::Utf8Invalid { .. } => "MQTT-1.5.3-1",
            DecodeErrorKind::NulCharacter { .. } => "MQTT-1.5.3-2",
            DecodeErrorKind::Topic {
                field: Field::TopicName,
                error,
            } => match error {
                TopicError::WildcardInName => "MQTT-3.3.2-2",
                error => error.clause(),
            },
            DecodeErrorKind::Topic { error, .. } => error.clause(),
            DecodeErrorKind::PacketIdZero => "MQTT-2.3.1-1",
            DecodeErrorKind::ProtocolNameUnknown => "MQTT-3.1.2-1",
            DecodeErrorKind::ProtocolLevelUnknown { .. } => "MQTT-3.1.2-2",
            DecodeErrorKind::ConnectFlagReserved => "MQTT-3.1.2-3",
            DecodeErrorKind::WillQoSWithoutWill => "MQTT-3.1.2-13",
            DecodeErrorKind::WillQoSReserved => "MQTT-3.1.2-14",
            DecodeErrorKind::WillRetainWithoutWill => "MQTT-3.1.2-15",
            DecodeErrorKind::PasswordWithoutUserName => "MQTT-3.1.2-22",
            DecodeErrorKind::EmptyClientIdWithoutCleanSession => "MQTT-3.1.3-8",
            DecodeErrorKind::ConnAckFlagsReserved { .. } => "MQTT section 3.2.2.1",
            DecodeErrorKind::ConnectReturnCodeReserved { .. } => "MQTT section 3.2.2.3",
            DecodeErrorKind::SessionPresentWithRefusal => "MQTT-3.2.2-4",
            DecodeErrorKind::NoTopicFilter => match self.packet {
                Some(PacketKind::Unsubscribe) => "MQTT-3.10.3-2",
                _ => "MQTT-3.8.3-3",
            },
            DecodeErrorKind::RequestedQoSReserved { .. } => "MQTT-3.8.3-4",
            DecodeErrorKind::NoReturnCode => "MQTT section 3.9.3",
            DecodeErrorKind::SubscribeReturnCodeReserved { .. } => "MQTT-3.9.3-2",
        }
    }

    /// The CONNACK that a server owes the client before it closes the connection; `None` if it
    /// closes without a word, as it must after any other malformed CONNECT [MQTT-3.1.4-1].
    #[must_use]
    pub const fn connack_code(&self) -> Option<ConnectReturnCode> {
        match self.kind {
            DecodeErrorKind::ProtocolLevelUnknown { .. } => {
                Some(ConnectReturnCode::UnacceptableProtocolVersion)
            }
            DecodeErrorKind::EmptyClientIdWithoutCleanSession => {
                Some(ConnectReturnCode::IdentifierRejected)
            }
            _ => None,
        }
    }
}

/// The packet, what was wrong, and the clause in brackets, as in
/// `PUBLISH: the topic name is empty [MQTT-4.7.3-1]`.
impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(packet) = self.packet {
            write!(f, "{packet}: ")?;
        }
        write!(f, "{} [{}]", self.kind, self.clause())
    }
}

impl core::error::Error for DecodeError {}

/// What was wrong, without packet and clause.
impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeErrorKind::PacketTypeReserved { packet_type } => {
                write!(f, "packet type {packet_type} is reserved")
            }
            DecodeErrorKind::FlagsInvalid { flags } => {
                write!(f, "the fixed header has the flags {flags:#06b}")
            }
            DecodeErrorKind::QoSReserved => f.write_str("the QoS is 3"),
            DecodeErrorKind::DupAtMostOnce => f.write_str("DUP is set at QoS 0"),
            DecodeErrorKind::RemainingLengthTooLong => {
                f.write_str("the remaining length has more than four bytes")
            }
            DecodeErrorKind::PacketTooLarge { size, maximum } => {
                write!(f, "the packet has {size} bytes, more than {maximum}")
            }
            DecodeErrorKind::Incomplete { given, needed } => {
                write!(
                    f,
                    "{given} bytes are not a whole packet, which needs at least {needed}"
                )
            }
            DecodeErrorKind::BytesAfterPacket { count } => {
                write!(f, "{count} bytes follow the packet")
            }
            DecodeErrorKind::FieldMissing { field } => {
                write!(f, "the packet ends before the end of the {field}")
            }
            DecodeErrorKind::TrailingBytes { count } => {
                write!(f, "{count} bytes follow the last field")
            }
            DecodeErrorKind::Utf8Invalid { field, valid_up_to } => {
                write!(f, "the {field} is not UTF-8 from byte {valid_up_to} on")
            }
            DecodeErrorKind::NulCharacter { field } => write!(f, "the {field} contains U+0000"),
            DecodeErrorKind::Topic { field, error } => write!(f, "the {field} {error}"),
            DecodeErrorKind::PacketIdZero => f.write_str("the packet identifier is 0"),
            DecodeErrorKind::ProtocolNameUnknown => f.write_str("the protocol name is unknown"),
            DecodeErrorKind::ProtocolLevelUnknown { level } => {
                write!(
                    f,
                    "protocol level {level} is unknown under this protocol name"
                )
            }
            DecodeErrorKind::ConnectFlagReserved => f.write_str("the reserved flag is set"),
            DecodeErrorKind::WillQoSWithoutWill => f.write_str("there is a will QoS but no will"),
            DecodeErrorKind::WillQoSReserved => f.write_str("the will QoS is 3"),
            DecodeErrorKind::WillRetainWithoutWill => {
                f.write_str("will retain is set but there is no will")
            }
            DecodeErrorKind::PasswordWithoutUserName => {
                f.write_str("there is a password but no user name")
            }
            DecodeErrorKind::EmptyClientIdWithoutCleanSession => {
                f.write_str("the client identifier is empty and clean session is not set")
            }
            DecodeErrorKind::ConnAckFlagsReserved { flags } => {
                write!(f, "the acknowledge flags are {flags:#010b}")
            }
            DecodeErrorKind::ConnectReturnCodeReserved { code } => {
                write!(f, "return code {code} is reserved")
            }
            DecodeErrorKind::SessionPresentWithRefusal => {
                f.write_str("session present is set in a refusal")
            }
            DecodeErrorKind::NoTopicFilter => f.write_str("there is no topic filter"),
            DecodeErrorKind::RequestedQoSReserved { value } => {
                write!(f, "the requested QoS is {value:#04x}")
            }
            DecodeErrorKind::NoReturnCode => f.write_str("there is no return code"),
            DecodeErrorKind::SubscribeReturnCodeReserved { code } => {
                write!(f, "return code {code:#04x} is reserved")
            }
        }
    }
}

/// A packet that cannot be written: its fields contradict each other or a limit of the format.
///
/// A fault of the code that built the packet, or of values it took unchecked from its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EncodeError {
    /// A string or binary field is longer than its two-byte length can say (MQTT section 1.5.3).
    FieldTooLong {
        /// The field.
        field: Field,
        /// Its length in bytes; 65,535 is the most.
        length: usize,
    },
    /// A string contains U+0000 [MQTT-1.5.3-2].
    NulCharacter {
        /// The field.
        field: Field,
    },
    /// A topic name or filter is not valid.
    Topic {
        /// The field.
        field: Field,
        /// The rule it breaks.
        error: TopicError,
    },
    /// All fields together are longer than [`MAXIMUM_REMAINING_LENGTH`].
    PacketTooLarge {
        /// The length of the packet behind its fixed header, in bytes.
        remaining_length: usize,
    },
    /// PUBLISH of QoS 1 or 2 without a packet identifier [MQTT-2.3.1-1].
    PacketIdMissing,
    /// PUBLISH of QoS 0 with a packet identifier [MQTT-2.3.1-5].
    PacketIdAtMostOnce,
    /// PUBLISH of QoS 0 with DUP [MQTT-3.3.1-2].
    DupAtMostOnce,
    /// CONNECT with a password but no user name [MQTT-3.1.2-22].
    PasswordWithoutUserName,
    /// CONNECT with an empty client identifier that asks to keep the session [MQTT-3.1.3-7].
    EmptyClientIdWithoutCleanSession,
    /// CONNACK that refuses the connection and reports a session [MQTT-3.2.2-4].
    SessionPresentWithRefusal,
    /// SUBSCRIBE or UNSUBSCRIBE without a topic filter [MQTT-3.8.3-3] [MQTT-3.10.3-2].
    NoTopicFilter,
    /// SUBACK without a return code (MQTT section 3.9.3).
    NoReturnCode,
    /// SUBACK with a failure in MQTT 3.1, which has no code for it.
    FailureNotInVersion,
}

/// What was wrong, with the clause in brackets where there is one.
impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::FieldTooLong { field, length } => {
                write!(
                    f,
                    "the {field} has {length} bytes, more than 65535 [MQTT section 1.5.3]"
                )
            }
            EncodeError::NulCharacter { field } => {
                write!(f, "the {field} contains U+0000 [MQTT-1.5.3-2]")
            }
            EncodeError::Topic { field, error } => {
                write!(f, "the {field} {error} [{}]", error.clause())
            }
            EncodeError::PacketTooLarge { remaining_length } => write!(
                f,
                "the packet has {remaining_length} bytes behind its fixed header, more than \
                 {MAXIMUM_REMAINING_LENGTH} [MQTT section 2.2.3]"
            ),
            EncodeError::PacketIdMissing => {
                f.write_str("a PUBLISH of QoS 1 or 2 needs a packet identifier [MQTT-2.3.1-1]")
            }
            EncodeError::PacketIdAtMostOnce => {
                f.write_str("a PUBLISH of QoS 0 has no packet identifier [MQTT-2.3.1-5]")
            }
            EncodeError::DupAtMostOnce => {
                f.write_str("a PUBLISH of QoS 0 is never a duplicate [MQTT-3.3.1-2]")
            }
            EncodeError::PasswordWithoutUserName => {
                f.write_str("a password needs a user name [MQTT-3.1.2-22]")
            }
            EncodeError::EmptyClientIdWithoutCleanSession => {
                f.write_str("an empty client identifier needs a clean session [MQTT-3.1.3-7]")
            }
            EncodeError::SessionPresentWithRefusal => {
                f.write_str("a CONNACK that refuses has no session present [MQTT-3.2.2-4]")
            }
            EncodeError::NoTopicFilter => {
                f.write_str("a topic filter is needed [MQTT-3.8.3-3, MQTT-3.10.3-2]")
            }
            EncodeError::NoReturnCode => {
                f.write_str("a SUBACK needs a return code [MQTT section 3.9.3]")
            }
            EncodeError::FailureNotInVersion => {
                f.write_str("a SUBACK of MQTT 3.1 cannot say that a subscription failed")
            }
        }
    }
}

impl core::error::Error for EncodeError {}

/// The clause that demands the field, or the section that describes it.
const fn missing_field_clause(field: Field) -> &'static str {
    match field {
        Field::ProtocolName => "MQTT section 3.1.2.1",
        Field::ProtocolLevel => "MQTT section 3.1.2.2",
        Field::ConnectFlags => "MQTT section 3.1.2.3",
        Field::KeepAlive => "MQTT section 3.1.2.10",
        Field::ClientId => "MQTT-3.1.3-3",
        Field::WillTopic | Field::WillPayload => "MQTT-3.1.2-9",
        Field::UserName => "MQTT-3.1.2-19",
        Field::Password => "MQTT-3.1.2-21",
        Field::ConnAckFlags => "MQTT section 3.2.2.1",
        Field::ReturnCode => "MQTT section 3.2.2.3",
        Field::TopicName => "MQTT-3.3.2-1",
        Field::PacketId => "MQTT section 2.3.1",
        Field::TopicFilter => "MQTT section 1.5.3",
        Field::RequestedQoS => "MQTT section 3.8.3",
    }
}
