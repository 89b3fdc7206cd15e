//! What to do about each finding.

use shadow_core::tencent::VERSION_CONFLICT;

use super::finding::{Finding, Side};

impl Finding {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        use Finding::*;
        match self {
            Malformed {
                by: Side::Device, ..
            } => "mend the client's encoder; a server closes such a connection",
            Malformed { .. }
            | NoConnAckFirst { .. }
            | SessionPresentAfterClean
            | SubAckMismatch { .. }
            | UnexpectedAcknowledgement {
                by: Side::Server, ..
            }
            | PacketIdReused {
                by: Side::Server, ..
            } => "tell whoever runs the server, and whether something stands between",
            NoConnectFirst { .. } | SecondConnect => {
                "send CONNECT once, first; open a new connection to log in anew"
            }
            SentAfterDisconnect { .. } => "close the connection after DISCONNECT",
            WrongSide { .. } => "see whether the streams are those of a client and a server",
            LoginUnanswered { .. } => {
                "give up after a while and try elsewhere or later; see whether the server accepts MQTT \
                 on this port"
            }
            LoginRefused { .. } => "mend the login; trying again as it is will not help",
            ExpiryPast { .. } => "set the device's clock, or sign with a later expiry",
            ExpiryInMilliseconds => {
                "state the expiry in seconds, soon enough that a stolen login ends"
            }
            SignatureReused { .. } => "sign each CONNECT anew",
            PingLate { .. } => {
                "send PINGREQ in time: look at the clock more often than keep alive, and wake for it"
            }
            PingUnanswered { .. } | FrozenPeer { .. } => {
                "take silence after PINGREQ for a dead connection, and connect again"
            }
            KeepAliveOff | KeepAliveOutOfLimits { .. } => "choose a keep alive from 60 to 850 s",
            PacketIdReused { .. } => "keep an identifier until it is acknowledged",
            DupMissing { .. } => "set DUP when a message is sent again on its session",
            DupWithoutOriginal { .. } => {
                "send what an earlier session left as new messages, without DUP"
            }
            Unacknowledged { .. } => {
                "keep messages of QoS 1 and 2 until they are acknowledged, and send them again"
            }
            AcknowledgementMissing { .. } => "end the connection if an answer does not come",
            NotAcknowledged { .. } => "acknowledge what comes; the server keeps it until then",
            UnexpectedAcknowledgement { .. } => "acknowledge each packet once, by its identifier",
            NotResubscribed { .. } => {
                "subscribe again after every CONNACK without session present: until then the device is \
                 connected and deaf"
            }
            SubscriptionRefused { .. } => "see whether the device may read that topic",
            AskedUnsubscribed { .. } => {
                "ask only after the SUBACK of the result topic, or the reply may go to nobody"
            }
            Unanswered { .. } => "end a request after a time, tell the application, and ask again",
            AnsweredLate { .. } => "make sure that a late reply is not taken for another request's",
            ReplyToNothing { .. } | ReplyWithoutToken { .. } => {
                "match replies by token, and leave alone what matches nothing"
            }
            TokenReused { .. } | RequestWithoutToken { .. } => {
                "give each request a token that no other has, over restarts too"
            }
            UnreadableRequest { .. } => {
                "build requests with a JSON library, in the documented form"
            }
            UnreadableReply { .. } => "see who publishes on the result topic",
            Rejected { code, .. } if *code != VERSION_CONFLICT => {
                "mend the request: the service takes no such one"
            }
            Rejected { .. } => {
                "after 5005 get the document and make the update anew at its version"
            }
            DeltaUnanswered { .. } => "apply a delta, report its keys, and clear them in desired",
            DeltaAnsweredLate { .. } => "answer deltas as soon as they are applied",
            NewerDesiredDeleted { .. } => {
                "send the version with what clears desired, so that it is refused if there is news"
            }
            VersionWentBack { .. } => "see who reset the document; get it anew",
            VersionJumped { .. } => "get the document whenever versions skip",
            NoGetAfterReconnect { .. } => {
                "get the document after each subscription: QoS 0 pushes are not kept"
            }
            PayloadTooLarge { .. } | TopicTooLong { .. } => "stay within what the server takes",
            TooManyMessages { .. } => "spread messages, or put several values into one",
            UnsupportedByVendor { .. } => "do without it: the vendor's server does not have it",
            ReconnectTooSoon { .. } | ReconnectStorm { .. } => {
                "wait between attempts, longer each time, and by chance"
            }
            ClientIdContest { .. } | TakenOver => {
                "give each program a device of its own; see whether one runs twice"
            }
            ConnectRefused { .. } => "see whether the server runs, and is reached at this address",
            EndedWithoutDisconnect => "send DISCONNECT where the end is meant",
            CutByServer { .. } => "ask the server's log why",
            DroppedOffline { .. } => "keep messages for the next link, or tell the application",
            BytesMissing { .. } => {
                "capture nearer to the device, from before it connects, whole packets"
            }
            Encrypted { .. } => {
                "capture without TLS, or give the keys that an end logged (--key-log FILE)"
            }
            OtherVersion => "use MQTT 3.1.1, which the vendor's server speaks",
        }
    }
}
