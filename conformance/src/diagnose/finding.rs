//! What can be wrong with a session.

use std::fmt;

use serde::Serialize;

use super::session::Direction;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A side broke a rule of MQTT.
    Broke,
    /// Something was lost: a message, an answer, a change of the state, the connection's use.
    Lost,
    /// It went well this time, or is wasteful.
    Risky,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// All, gravest first.
    pub const ALL: [Severity; 4] = [
        Severity::Broke,
        Severity::Lost,
        Severity::Risky,
        Severity::Note,
    ];

    /// Whether a session with it has failed: a rule was broken or something lost.
    #[must_use]
    pub fn is_grave(self) -> bool {
        matches!(self, Severity::Broke | Severity::Lost)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Broke => "broke the specification",
            Severity::Lost => "lost something",
            Severity::Risky => "risky or wasteful",
            Severity::Note => "notes",
        })
    }
}

/// Until when a request waited for its answer in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitedUntil {
    /// Longer than an answer takes, on a connection that stood.
    Patience,
    /// The connection ended first, not by the device's wish.
    Cut,
    /// The device disconnected without waiting.
    Disconnect,
}

/// Something that is wrong, or worth knowing. All times are in microseconds.
///
/// Each variant says when it is found; what is not named there is not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", rename_all = "kebab-case")]
pub enum Finding {
    /// Bytes that are no control packet. The clause is that of the first rule they break.
    Malformed {
        /// Who sent them.
        by: Side,
        /// The clause.
        clause: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The device's first packet is no CONNECT [MQTT-3.1.0-1].
    NoConnectFirst {
        /// The packet in its place.
        packet: &'static str,
    },
    /// A second CONNECT on one connection [MQTT-3.1.0-2].
    SecondConnect,
    /// A packet after DISCONNECT [MQTT-3.14.4-2].
    SentAfterDisconnect {
        /// Which.
        packet: &'static str,
    },
    /// The server's first packet is no CONNACK [MQTT-3.2.0-1].
    NoConnAckFirst {
        /// The packet in its place.
        packet: &'static str,
    },
    /// A packet that only the other side sends (MQTT 3.1.1, table 2.1).
    WrongSide {
        /// Who sent it.
        by: Side,
        /// Which.
        packet: &'static str,
    },
    /// Session present although a clean session was asked for [MQTT-3.2.2-1]. MQTT 3.1 has no such
    /// flag.
    SessionPresentAfterClean,
    /// CONNECT was not answered: for as long as an answer takes, or until the connection ended.
    LoginUnanswered {
        /// How long it is known to have waited.
        waited: u64,
    },
    /// CONNACK refuses the client.
    LoginRefused {
        /// CONNACK's code.
        code: u8,
        /// What is the likely cause.
        cause: String,
    },
    /// The expiry in the vendor's user name is past by the clock of the capture.
    ExpiryPast {
        /// By how many seconds.
        seconds: u64,
        /// Whether the login was refused.
        refused: bool,
    },
    /// The expiry in the vendor's user name is in milliseconds, where seconds are meant: it never
    /// ends.
    ExpiryInMilliseconds,
    /// A signed login of the vendor's was used again as it was, instead of signed anew: from its
    /// expiry on, it is refused.
    SignatureReused {
        /// On how many connections after the first.
        times: usize,
    },
    /// More than keep alive went by without a packet of the device [MQTT-3.1.2-23]. A second more is
    /// put up with.
    PingLate {
        /// Keep alive in seconds.
        keep_alive: u16,
        /// The silence.
        silence: u64,
        /// Whether the server closed the connection then, as it must after one and a half times
        /// keep alive [MQTT-3.1.2-24].
        cut: bool,
    },
    /// PINGREQ without PINGRESP, until the connection ended or for longer than an answer takes.
    PingUnanswered {
        /// How long it is known to have waited.
        waited: u64,
    },
    /// Keep alive is 0: neither side notices that the other is gone.
    KeepAliveOff,
    /// Keep alive is none that the vendor's servers take: 60 to 850 s, the older ones up to 900.
    KeepAliveOutOfLimits {
        /// In seconds.
        keep_alive: u16,
    },
    /// Packets that call for an answer went out, and nothing at all came back any more.
    FrozenPeer {
        /// How many such packets.
        asked: usize,
        /// From the first of them to the last moment that the connection is known to have stood.
        silence: u64,
    },
    /// A new packet has an identifier that is still in use [MQTT-2.3.1-2], for a server's
    /// [MQTT-2.3.1-4].
    PacketIdReused {
        /// Who sent it.
        by: Side,
        /// The identifier.
        id: u16,
        /// The packet that has it.
        used_by: &'static str,
    },
    /// A message is sent again without DUP [MQTT-3.3.1-1].
    DupMissing {
        /// Its packet identifier.
        id: u16,
    },
    /// DUP is set in a message that is new to its session [MQTT-4.3.2-1], [MQTT-4.3.3-1].
    DupWithoutOriginal {
        /// Its packet identifier.
        id: u16,
        /// Whether the protocol may be 3.1, which does not forbid it.
        is_older: bool,
    },
    /// A message of QoS 1 or 2 was not acknowledged by the server, nor sent again on a later
    /// connection.
    Unacknowledged {
        /// Its quality of service.
        qos: u8,
        /// Its packet identifier.
        id: u16,
        /// Its topic.
        topic: String,
    },
    /// SUBSCRIBE, UNSUBSCRIBE or PUBREL without its answer for longer than one takes.
    AcknowledgementMissing {
        /// Which packet was not answered.
        packet: &'static str,
        /// Its packet identifier.
        id: u16,
        /// How long it waited.
        waited: u64,
    },
    /// The device did not answer a packet that it must answer [MQTT-4.3.2-2] or [MQTT-4.3.3-2], or
    /// no PUBREL followed PUBREC [MQTT-4.3.3-1], while the connection stood long enough.
    NotAcknowledged {
        /// The server's packet.
        packet: &'static str,
        /// The packet that is missing.
        missing: &'static str,
        /// The packet identifier.
        id: u16,
        /// How long the connection still stood.
        waited: u64,
    },
    /// An acknowledgement of nothing that was sent [MQTT-2.3.1-6], [MQTT-2.3.1-7].
    UnexpectedAcknowledgement {
        /// Who sent it.
        by: Side,
        /// Which packet.
        packet: &'static str,
        /// Its identifier.
        id: u16,
    },
    /// SUBACK has not one code for each filter [MQTT-3.8.4-5].
    SubAckMismatch {
        /// Filters asked for.
        filters: usize,
        /// Codes that came.
        codes: usize,
    },
    /// What was subscribed before is not subscribed on a new session, which stood long enough.
    NotResubscribed {
        /// The filters that are missing.
        filters: Vec<String>,
        /// How long the connection stood after its CONNACK.
        stood: u64,
    },
    /// SUBACK refuses a filter.
    SubscriptionRefused {
        /// Which.
        filter: String,
    },
    /// A shadow request went out while its result topic was not subscribed.
    AskedUnsubscribed {
        /// `product/device` of the shadow.
        shadow: String,
        /// Whether SUBSCRIBE had been sent, and SUBACK had not come yet.
        before_suback: bool,
    },
    /// A shadow request without its reply.
    Unanswered {
        /// Which shadow.
        shadow: String,
        /// get, update, or `request` where the source does not show which.
        operation: &'static str,
        /// Its token, if it is known.
        token: Option<String>,
        /// How long it is known to have waited.
        waited: u64,
        /// What ended the wait.
        until: WaitedUntil,
    },
    /// A reply that came later than a request should wait.
    AnsweredLate {
        /// Which shadow.
        shadow: String,
        /// Its token.
        token: Option<String>,
        /// How long it took.
        after: u64,
    },
    /// A reply that answers no open request of this client. Everything that the client sent is
    /// known.
    ReplyToNothing {
        /// Which shadow.
        shadow: String,
        /// Its token; none for a reply without one.
        token: Option<String>,
        /// Whether a request with that token had its answer, or was given up, before.
        is_again: bool,
    },
    /// A reply without a token, which nobody can match.
    ReplyWithoutToken {
        /// Which shadow.
        shadow: String,
    },
    /// A token that an earlier request of the same shadow had, unless it is the same request once
    /// more while it is open.
    TokenReused {
        /// Which shadow.
        shadow: String,
        /// The token.
        token: String,
        /// Whether the earlier one was still open on this connection: its reply and that of the
        /// new one cannot be told apart.
        still_open: bool,
    },
    /// A request without a token.
    RequestWithoutToken {
        /// Which shadow.
        shadow: String,
    },
    /// A request that the vendor's service cannot read.
    UnreadableRequest {
        /// Which shadow.
        shadow: String,
        /// What is wrong.
        why: String,
    },
    /// A message on a result topic that is none of the shadow protocol.
    UnreadableReply {
        /// Which shadow.
        shadow: String,
        /// What is wrong.
        why: String,
    },
    /// The service refused a request.
    Rejected {
        /// Which shadow.
        shadow: String,
        /// The result code; 5005 is a version that is not the document's.
        code: i64,
        /// Whether what it reported was accepted later: all of its keys, or there were none.
        made_good: bool,
    },
    /// A delta that was not answered: its keys neither reported nor cleared, while the client was
    /// there long enough.
    DeltaUnanswered {
        /// Which shadow.
        shadow: String,
        /// The document's version with it.
        version: Option<u64>,
        /// The keys without an answer.
        keys: Vec<String>,
        /// How long the client was still there.
        waited: u64,
    },
    /// A delta whose answer took longer than it should.
    DeltaAnsweredLate {
        /// Which shadow.
        shadow: String,
        /// A key of it.
        key: String,
        /// How long it took.
        after: u64,
    },
    /// `desired` was cleared without a version, and with it a change that the update does not
    /// answer: it came after the answer had been begun.
    NewerDesiredDeleted {
        /// Which shadow.
        shadow: String,
        /// The version of the newer delta.
        version: Option<u64>,
        /// Its keys.
        keys: Vec<String>,
        /// Whether the device reported its values afterwards.
        made_good: bool,
    },
    /// A version that is lower than one before: the document was reset, or messages came in another
    /// order.
    VersionWentBack {
        /// Which shadow.
        shadow: String,
        /// The one before.
        before: u64,
        /// The lower one.
        after: u64,
    },
    /// Versions skip while the result topic is subscribed: a change of which nothing came.
    VersionJumped {
        /// Which shadow.
        shadow: String,
        /// The one before.
        before: u64,
        /// The next one seen.
        after: u64,
        /// Whether a get's reply showed the whole document then or later on the connection.
        made_good: bool,
    },
    /// After a reconnect the shadow was subscribed and never asked for.
    NoGetAfterReconnect {
        /// Which shadow.
        shadow: String,
        /// The versions before and after, if they show that something changed meanwhile.
        missed: Option<(u64, u64)>,
    },
    /// A payload above the vendor's 16 KiB.
    PayloadTooLarge {
        /// In bytes.
        size: usize,
    },
    /// A topic above the vendor's 255 bytes.
    TopicTooLong {
        /// In bytes.
        length: usize,
    },
    /// More messages within a second than the vendor's 20 to a device.
    TooManyMessages {
        /// How many at most within one second of this burst.
        within_a_second: usize,
    },
    /// Something that the vendor's server does not have: QoS 2, retain, a will, several filters in
    /// one SUBSCRIBE.
    UnsupportedByVendor {
        /// What.
        what: &'static str,
    },
    /// Two CONNECTs nearer to each other than the vendor's five seconds.
    ReconnectTooSoon {
        /// The time between them.
        after: u64,
    },
    /// Ten or more attempts at a connection within a minute.
    ReconnectStorm {
        /// How many within the worst minute.
        attempts: usize,
    },
    /// Two connections with one client identifier push each other out, again and again
    /// [MQTT-3.1.4-2].
    ClientIdContest {
        /// How often.
        times: usize,
    },
    /// A new connection with its client identifier pushed this one out [MQTT-3.1.4-2].
    TakenOver,
    /// Nothing accepted the connection.
    ConnectRefused {
        /// How many attempts in a row.
        attempts: usize,
    },
    /// The device closed the connection without DISCONNECT, so its will is published.
    EndedWithoutDisconnect,
    /// The server closed the connection, and nothing that was seen is the cause.
    CutByServer {
        /// How long the device had been silent, where the source shows when the connection ended.
        silence: Option<u64>,
    },
    /// A message was dropped, as there was no link.
    DroppedOffline {
        /// Where, in the source.
        place: String,
    },
    /// The source lacks packets of this connection.
    BytesMissing {
        /// Whose.
        whose: &'static str,
    },
    /// The connection is encrypted: nothing is known of it.
    Encrypted {
        /// Why the keys did not decrypt it; `None` if there were none.
        why: Option<String>,
    },
    /// The connection is one of MQTT 5: nothing is known of it.
    OtherVersion,
}

/// A side, as reports name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The client.
    Device,
    /// The server.
    Server,
}

impl From<Direction> for Side {
    fn from(direction: Direction) -> Side {
        match direction {
            Direction::Device => Side::Device,
            Direction::Server => Side::Server,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Device => "the device",
            Side::Server => "the server",
        })
    }
}
