//! Findings in words: how grave, by which clause, and what was seen.

use super::finding::{Finding, Severity, Side, WaitedUntil};

/// Microseconds as seconds.
pub(super) fn seconds(micros: u64) -> String {
    format!("{}.{:03} s", micros / 1_000_000, micros % 1_000_000 / 1_000)
}

fn token(token: Option<&String>) -> String {
    token.map_or_else(String::new, |token| format!(" with token {token}"))
}

/// At most this many names are listed.
const LISTED: usize = 5;

fn list(names: &[String]) -> String {
    let mut shown: Vec<&str> = names.iter().take(LISTED).map(String::as_str).collect();
    if names.len() > LISTED {
        shown.push("…");
    }
    shown.join(", ")
}

impl Finding {
    /// How grave it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        use Finding::*;
        match self {
            Malformed { .. }
            | NoConnectFirst { .. }
            | SecondConnect
            | SentAfterDisconnect { .. }
            | NoConnAckFirst { .. }
            | WrongSide { .. }
            | SessionPresentAfterClean
            | PingLate { .. }
            | PacketIdReused { .. }
            | DupMissing { .. }
            | DupWithoutOriginal {
                is_older: false, ..
            }
            | NotAcknowledged { .. }
            | UnexpectedAcknowledgement { .. }
            | SubAckMismatch { .. } => Severity::Broke,
            LoginUnanswered { .. }
            | LoginRefused { .. }
            | ExpiryPast { refused: true, .. }
            | PingUnanswered { .. }
            | FrozenPeer { .. }
            | Unacknowledged { .. }
            | AcknowledgementMissing { .. }
            | NotResubscribed { .. }
            | SubscriptionRefused { .. }
            | AskedUnsubscribed {
                before_suback: false,
                ..
            }
            | Unanswered {
                until: WaitedUntil::Patience | WaitedUntil::Cut,
                ..
            }
            | TokenReused {
                still_open: true, ..
            }
            | UnreadableRequest { .. }
            | UnreadableReply { .. }
            | Rejected {
                made_good: false, ..
            }
            | DeltaUnanswered { .. }
            | NewerDesiredDeleted {
                made_good: false, ..
            }
            | NoGetAfterReconnect {
                missed: Some(_), ..
            }
            | ClientIdContest { .. }
            | DroppedOffline { .. } => Severity::Lost,
            DupWithoutOriginal { is_older: true, .. }
            | ExpiryPast { refused: false, .. }
            | ExpiryInMilliseconds
            | SignatureReused { .. }
            | KeepAliveOff
            | KeepAliveOutOfLimits { .. }
            | AskedUnsubscribed {
                before_suback: true,
                ..
            }
            | Unanswered {
                until: WaitedUntil::Disconnect,
                ..
            }
            | AnsweredLate { .. }
            | ReplyWithoutToken { .. }
            | TokenReused {
                still_open: false, ..
            }
            | RequestWithoutToken { .. }
            | DeltaAnsweredLate { .. }
            | NewerDesiredDeleted {
                made_good: true, ..
            }
            | VersionWentBack { .. }
            | VersionJumped {
                made_good: false, ..
            }
            | NoGetAfterReconnect { missed: None, .. }
            | PayloadTooLarge { .. }
            | TopicTooLong { .. }
            | TooManyMessages { .. }
            | UnsupportedByVendor { .. }
            | ReconnectTooSoon { .. }
            | ReconnectStorm { .. }
            | TakenOver => Severity::Risky,
            ReplyToNothing { .. }
            | Rejected {
                made_good: true, ..
            }
            | VersionJumped {
                made_good: true, ..
            }
            | ConnectRefused { .. }
            | EndedWithoutDisconnect
            | CutByServer { .. }
            | BytesMissing { .. }
            | Encrypted { .. }
            | OtherVersion => Severity::Note,
        }
    }

    /// The rule that it is about: a clause of MQTT 3.1.1 such as `MQTT-3.1.2-23`, or the number of
    /// the vendor's document.
    #[must_use]
    pub fn clause(&self) -> Option<&'static str> {
        use Finding::*;
        Some(match self {
            Malformed { clause, .. } => clause,
            NoConnectFirst { .. } => "MQTT-3.1.0-1",
            SecondConnect => "MQTT-3.1.0-2",
            SentAfterDisconnect { .. } => "MQTT-3.14.4-2",
            NoConnAckFirst { .. } => "MQTT-3.2.0-1",
            WrongSide { .. } => "MQTT section 2.2.1",
            SessionPresentAfterClean => "MQTT-3.2.2-1",
            PingLate { .. } => "MQTT-3.1.2-23",
            PingUnanswered { .. } => "MQTT-3.12.4-1",
            PacketIdReused { by, .. } => match by {
                Side::Device => "MQTT-2.3.1-2",
                Side::Server => "MQTT-2.3.1-4",
            },
            DupMissing { .. } => "MQTT-3.3.1-1",
            DupWithoutOriginal { .. } => "MQTT-4.3.2-1",
            NotAcknowledged { missing, .. } => match *missing {
                "PUBACK" => "MQTT-4.3.2-2",
                "PUBREL" => "MQTT-4.3.3-1",
                _ => "MQTT-4.3.3-2",
            },
            AcknowledgementMissing { packet, .. } => match *packet {
                "SUBSCRIBE" => "MQTT-3.8.4-1",
                "UNSUBSCRIBE" => "MQTT-3.10.4-4",
                _ => "MQTT-4.3.3-2",
            },
            UnexpectedAcknowledgement { packet, .. } => match *packet {
                "SUBACK" | "UNSUBACK" => "MQTT-2.3.1-7",
                _ => "MQTT-2.3.1-6",
            },
            SubAckMismatch { .. } => "MQTT-3.8.4-5",
            ClientIdContest { .. } | TakenOver => "MQTT-3.1.4-2",
            ExpiryPast { .. } | ExpiryInMilliseconds | SignatureReused { .. } => {
                "vendor doc 634/46346"
            }
            KeepAliveOutOfLimits { .. }
            | PayloadTooLarge { .. }
            | TopicTooLong { .. }
            | TooManyMessages { .. }
            | UnsupportedByVendor { .. }
            | ReconnectTooSoon { .. } => "vendor doc 634/15241",
            _ => return None,
        })
    }

    /// What was seen.
    #[must_use]
    pub fn evidence(&self) -> String {
        use Finding::*;
        match self {
            Malformed { by, why, .. } => format!("{by} sent bytes that are no packet: {why}"),
            NoConnectFirst { packet } => format!("the device began with {packet}"),
            SecondConnect => "CONNECT on a connection that had one".to_owned(),
            SentAfterDisconnect { packet } => format!("{packet} after DISCONNECT"),
            NoConnAckFirst { packet } => format!("the server began with {packet}"),
            WrongSide { by, packet } => format!("{by} sent {packet}"),
            SessionPresentAfterClean => {
                "CONNACK says that a session is present, and a clean one was asked for".to_owned()
            }
            LoginUnanswered { waited } => {
                format!(
                    "no CONNACK came; CONNECT waited {} at least",
                    seconds(*waited)
                )
            }
            LoginRefused { code, cause } => format!("CONNACK has code {code}: {cause}"),
            ExpiryPast { seconds, refused } => format!(
                "the user name's expiry was {seconds} s past{}",
                if *refused {
                    ", and the login refused"
                } else {
                    ""
                }
            ),
            ExpiryInMilliseconds => {
                "the user name's expiry is in milliseconds, thousands of years ahead in seconds"
                    .to_owned()
            }
            SignatureReused { times } => format!(
                "user name and password are those of an earlier connection, on {times} of them"
            ),
            PingLate {
                keep_alive,
                silence,
                cut,
            } => format!(
                "the device was silent for {}, with a keep alive of {keep_alive} s{}",
                seconds(*silence),
                if *cut {
                    "; the server closed the connection"
                } else {
                    ""
                }
            ),
            PingUnanswered { waited } => format!(
                "no PINGRESP came; PINGREQ waited {} at least",
                seconds(*waited)
            ),
            KeepAliveOff => "keep alive is 0".to_owned(),
            KeepAliveOutOfLimits { keep_alive } => format!("keep alive is {keep_alive} s"),
            FrozenPeer { asked, silence } => format!(
                "nothing came from the server for {} and to the end, though {} called for an answer",
                seconds(*silence),
                match asked {
                    1 => "a packet".to_owned(),
                    asked => format!("{asked} packets"),
                }
            ),
            PacketIdReused { by, id, used_by } => {
                format!(
                    "{by} gave identifier {id} to a new packet; {used_by} has it, unacknowledged"
                )
            }
            DupMissing { id } => {
                format!("the message with identifier {id} was sent again without DUP")
            }
            DupWithoutOriginal { id, .. } => {
                format!(
                    "the message with identifier {id} has DUP, and its session knows no earlier one"
                )
            }
            Unacknowledged { qos, id, topic } => format!(
                "the QoS {qos} message with identifier {id} on {topic} was never acknowledged, nor \
                 sent again"
            ),
            AcknowledgementMissing { packet, id, waited } => format!(
                "{packet} with identifier {id} was not answered within {}",
                seconds(*waited)
            ),
            NotAcknowledged {
                packet,
                missing,
                id,
                waited,
            } => format!(
                "no {missing} followed the server's {packet} with identifier {id} within {}",
                seconds(*waited)
            ),
            UnexpectedAcknowledgement { by, packet, id } => {
                format!("{by} sent {packet} for identifier {id}, which nothing has")
            }
            SubAckMismatch { filters, codes } => {
                format!("SUBACK has {codes} codes for {filters} filters")
            }
            NotResubscribed { filters, stood } => format!(
                "{} had been subscribed, and was not on this new session in the {} that it stood",
                list(filters),
                seconds(*stood)
            ),
            SubscriptionRefused { filter } => format!("SUBACK refuses {filter}"),
            AskedUnsubscribed {
                shadow,
                before_suback: true,
            } => format!("a request of {shadow} left before the SUBACK of its result topic"),
            AskedUnsubscribed { shadow, .. } => {
                format!("a request of {shadow} left, and its result topic was not subscribed")
            }
            Unanswered {
                shadow,
                operation,
                token: of,
                waited,
                until,
            } => format!(
                "{operation} of {shadow}{} had no reply: {}",
                token(of.as_ref()),
                match until {
                    WaitedUntil::Patience => format!("it waited {}", seconds(*waited)),
                    WaitedUntil::Cut => format!("the connection ended {} later", seconds(*waited)),
                    WaitedUntil::Disconnect =>
                        format!("the device disconnected {} later", seconds(*waited)),
                }
            ),
            AnsweredLate {
                shadow,
                token: of,
                after,
            } => format!(
                "the reply of {shadow}{} came after {}",
                token(of.as_ref()),
                seconds(*after)
            ),
            ReplyToNothing {
                shadow,
                token: of,
                is_again,
            } => format!(
                "a reply of {shadow}{} answers {}",
                token(of.as_ref()),
                if *is_again {
                    "a request that had ended"
                } else {
                    "no request of this client"
                }
            ),
            ReplyWithoutToken { shadow } => format!("a reply of {shadow} has no token"),
            TokenReused {
                shadow,
                token,
                still_open,
            } => format!(
                "token {token} of {shadow} was that of an earlier request{}",
                if *still_open {
                    ", which is still open"
                } else {
                    ""
                }
            ),
            RequestWithoutToken { shadow } => format!("a request of {shadow} has no token"),
            UnreadableRequest { shadow, why } => format!("a request of {shadow}: {why}"),
            UnreadableReply { shadow, why } => format!("on the result topic of {shadow}: {why}"),
            Rejected {
                shadow,
                code,
                made_good,
            } => format!(
                "{shadow} refused a request with result {code}{}",
                if *made_good {
                    "; what it reported was accepted later"
                } else {
                    ", and what it asked for was not accepted later either"
                }
            ),
            DeltaUnanswered {
                shadow,
                version,
                keys,
                waited,
            } => format!(
                "{} of {shadow}{} was neither reported nor cleared in {}",
                list(keys),
                version.map_or_else(String::new, |version| format!(", version {version},")),
                seconds(*waited)
            ),
            DeltaAnsweredLate { shadow, key, after } => {
                format!("{key} of {shadow} was answered after {}", seconds(*after))
            }
            NewerDesiredDeleted {
                shadow,
                version,
                keys,
                made_good,
            } => format!(
                "clearing desired of {shadow} without a version deleted the newer {}{}{}",
                list(keys),
                version.map_or_else(String::new, |version| format!(" of version {version}")),
                if *made_good {
                    "; the device reported it afterwards"
                } else {
                    ", which the device never reported"
                }
            ),
            VersionWentBack {
                shadow,
                before,
                after,
            } => format!("the version of {shadow} went from {before} back to {after}"),
            VersionJumped {
                shadow,
                before,
                after,
                made_good,
            } => format!(
                "the version of {shadow} went from {before} to {after}{}",
                if *made_good {
                    "; a get showed the document"
                } else {
                    ", and no get followed"
                }
            ),
            NoGetAfterReconnect { shadow, missed } => match missed {
                Some((before, after)) => format!(
                    "{shadow} changed while the device was away, from version {before} to {after}, \
                     and was not asked for"
                ),
                None => format!("{shadow} was not asked for after the reconnect"),
            },
            PayloadTooLarge { size } => format!("a payload of {size} bytes"),
            TopicTooLong { length } => format!("a topic of {length} bytes"),
            TooManyMessages { within_a_second } => {
                format!("{within_a_second} messages within a second")
            }
            UnsupportedByVendor { what } => format!("the device used {what}"),
            ReconnectTooSoon { after } => {
                format!("CONNECT came {} after the one before", seconds(*after))
            }
            ReconnectStorm { attempts } => format!("{attempts} attempts within a minute"),
            ClientIdContest { times } => format!(
                "connections with one client identifier pushed each other out {times} times"
            ),
            TakenOver => "a new connection with its client identifier ended this one".to_owned(),
            ConnectRefused { attempts: 1 } => "nothing accepted the connection".to_owned(),
            ConnectRefused { attempts } => {
                format!("nothing accepted the connection, {attempts} times in a row")
            }
            EndedWithoutDisconnect => {
                "the device closed the connection without DISCONNECT".to_owned()
            }
            CutByServer { silence: None } => "the server closed the connection".to_owned(),
            CutByServer {
                silence: Some(silence),
            } => format!(
                "the server closed the connection {} after the device's last packet",
                seconds(*silence)
            ),
            DroppedOffline { place } => {
                format!("{place}: a message was dropped for want of a link")
            }
            BytesMissing { whose } => format!("packets of {whose} are missing here"),
            Encrypted { why: None } => "the connection is encrypted (TLS)".to_owned(),
            Encrypted { why: Some(why) } => {
                format!("the connection is encrypted (TLS), and the keys do not decrypt it: {why}")
            }
            OtherVersion => "the connection is one of MQTT 5, which is not read".to_owned(),
        }
    }
}
