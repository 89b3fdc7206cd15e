//! The stored form of a session.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{Session, ShadowState, Subscription};
use crate::config::Nonce;
use crate::json::Object;
use crate::mqtt::link::{MAXIMUM_IN_FLIGHT, MAXIMUM_UNRELEASED};
use crate::mqtt::session::{Outgoing, SessionState, Stage};
use crate::mqtt::{Packet, PacketId, ProtocolVersion, QoS, topic};
use crate::tencent::ShadowName;

/// The first word of every stored session.
const MAGIC: &str = "shadow-session";

/// The one form that this version writes and reads.
const FORMAT: u32 = 1;

impl Session {
    /// The session as text, to be stored: a line `shadow-session 1 {digest}`, the format's version
    /// and the SHA-256 of what follows in hex, and then one line of JSON:
    ///
    /// ```json
    /// {"nonce":"..", "next_token":n, "last_packet_id":n,
    ///  "outgoing":[{"packet_id":n, "stage":"puback"|"pubrec"|"pubcomp", "packet":"base64", "abandoned":b}],
    ///  "incoming_exactly_once":[n], "subscriptions":[{"filter":"..", "qos":n}],
    ///  "shadows":[{"product_id":"..", "device_name":"..", "version":n|null, "reported":{..},
    ///              "acknowledged":{..}, "pending":{..}, "answered":{..}}]}
    /// ```
    ///
    /// It takes what its parts take, which [`Config`](crate::Config) bounds: the vendor's largest
    /// document four times for each shadow, and the messages in flight.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = self.to_json();
        format!("{MAGIC} {FORMAT} {}\n{body}\n", digest(&body)).into_bytes()
    }

    /// Reads what [`Session::to_bytes`] wrote.
    ///
    /// ```
    /// use shadow_core::{Session, SessionError};
    ///
    /// let stored = Session::new().to_bytes();
    /// assert_eq!(Session::from_bytes(&stored)?, Session::new());
    /// assert_eq!(Session::from_bytes(b"{}"), Err(SessionError::NotASession));
    /// # Ok::<(), SessionError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SessionError`]: other bytes than a session's, a format of another version, or a session
    /// that is damaged or cut off.
    pub fn from_bytes(bytes: &[u8]) -> Result<Session, SessionError> {
        let rest = bytes
            .strip_prefix(MAGIC.as_bytes())
            .and_then(|rest| rest.strip_prefix(b" "))
            .ok_or(SessionError::NotASession)?;
        let damaged = |what: &str| SessionError::Corrupted(what.into());
        let rest = core::str::from_utf8(rest).map_err(|_| damaged("it is not text"))?;
        let (header, body) = rest.split_once('\n').ok_or(damaged("it is cut off"))?;
        let (version, expected) = header.split_once(' ').ok_or(SessionError::NotASession)?;
        // As it is written, without a sign or zeros in front.
        let number = version.parse::<u32>().ok();
        let number = number.filter(|number| number.to_string() == version);
        let version = number.ok_or(SessionError::NotASession)?;
        if version != FORMAT {
            return Err(SessionError::UnsupportedFormat { version });
        }
        let body = body.strip_suffix('\n').ok_or(damaged("it is cut off"))?;
        if digest(body) != expected {
            return Err(damaged("its digest does not fit its content"));
        }
        Session::from_json(body)
    }

    /// The line of JSON alone.
    pub(crate) fn to_json(&self) -> String {
        // Strings, numbers and valid JSON: nothing in it can fail to be written.
        serde_json::to_string(&Stored::of(self)).unwrap_or_default()
    }

    /// Reads what [`Session::to_json`] wrote.
    pub(crate) fn from_json(body: &str) -> Result<Session, SessionError> {
        let stored: Stored<'_> = serde_json::from_str(body)
            .map_err(|error| SessionError::Corrupted(error.to_string()))?;
        let session = stored.into_session();
        session.map_err(|what| SessionError::Corrupted(what.into()))
    }
}

/// Why stored bytes are no session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionError {
    /// They never were one.
    NotASession,
    /// They are one of a format that this version does not know, as that of a later one.
    UnsupportedFormat {
        /// The version of the format.
        version: u32,
    },
    /// They were one and are damaged; the text says how.
    Corrupted(String),
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionError::NotASession => write!(f, "this is not a stored session"),
            SessionError::UnsupportedFormat { version } => write!(
                f,
                "the session is stored in format {version}, and this version reads format {FORMAT}"
            ),
            SessionError::Corrupted(how) => write!(f, "the stored session is damaged: {how}"),
        }
    }
}

impl core::error::Error for SessionError {}

#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    nonce: Option<String>,
    next_token: u64,
    last_packet_id: u16,
    outgoing: Vec<StoredMessage>,
    incoming_exactly_once: Vec<u16>,
    subscriptions: Vec<StoredSubscription>,
    #[serde(borrow)]
    shadows: Vec<StoredShadow<'a>>,
}

#[derive(Serialize, Deserialize)]
struct StoredMessage {
    packet_id: u16,
    stage: StoredStage,
    packet: String,
    abandoned: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    clippy::enum_variant_names,
    reason = "they are the names of the packets"
)]
enum StoredStage {
    PubAck,
    PubRec,
    PubComp,
}

#[derive(Serialize, Deserialize)]
struct StoredSubscription {
    filter: String,
    qos: u8,
}

#[derive(Serialize, Deserialize)]
struct StoredShadow<'a> {
    product_id: String,
    device_name: String,
    version: Option<u64>,
    #[serde(borrow)]
    reported: Text<'a>,
    #[serde(borrow)]
    acknowledged: Text<'a>,
    #[serde(borrow)]
    pending: Text<'a>,
    #[serde(borrow)]
    answered: Text<'a>,
}

/// An object as it is, so that numbers keep their digits.
type Text<'a> = alloc::borrow::Cow<'a, RawValue>;

impl Stored<'_> {
    fn of(session: &Session) -> Stored<'static> {
        let message = |message: &Outgoing| StoredMessage {
            packet_id: message.packet_id.get(),
            stage: match message.stage {
                Stage::PubAck => StoredStage::PubAck,
                Stage::PubRec => StoredStage::PubRec,
                Stage::PubComp => StoredStage::PubComp,
            },
            packet: STANDARD.encode(&message.packet),
            abandoned: message.abandoned,
        };
        let subscription = |subscription: &Subscription| StoredSubscription {
            filter: subscription.filter.clone(),
            qos: subscription.qos as u8,
        };
        let shadow = |shadow: &ShadowState| StoredShadow {
            product_id: shadow.name.product_id().into(),
            device_name: shadow.name.device_name().into(),
            version: shadow.version,
            reported: text(&shadow.reported),
            acknowledged: text(&shadow.acknowledged),
            pending: text(&shadow.pending),
            answered: text(&shadow.answered),
        };
        Stored {
            nonce: session.nonce.as_ref().map(|nonce| nonce.as_str().into()),
            next_token: session.next_token,
            last_packet_id: session.mqtt.last_packet_id(),
            outgoing: session.mqtt.outgoing().iter().map(message).collect(),
            incoming_exactly_once: {
                let ids = session.mqtt.incoming_exactly_once();
                ids.iter().map(|id| id.get()).collect()
            },
            subscriptions: session.subscriptions.iter().map(subscription).collect(),
            shadows: session.shadows.iter().map(shadow).collect(),
        }
    }

    /// Everything is checked that the engine relies on.
    fn into_session(self) -> Result<Session, &'static str> {
        let nonce = self.nonce.as_deref().map(Nonce::new);
        if nonce == Some(None) {
            return Err("its nonce is none");
        }
        let outgoing = self.outgoing.into_iter().map(StoredMessage::into_outgoing);
        let outgoing: Vec<Outgoing> = outgoing.collect::<Result<_, _>>()?;
        if outgoing.len() > usize::from(MAXIMUM_IN_FLIGHT) {
            return Err("it has more messages than can be in flight");
        }
        if !differ(outgoing.iter().map(|message| message.packet_id)) {
            return Err("two of its messages have one packet id");
        }
        let ids = self.incoming_exactly_once.into_iter().map(packet_id);
        let incoming: Vec<PacketId> = ids.collect::<Result<_, _>>()?;
        if incoming.len() > MAXIMUM_UNRELEASED {
            return Err("too many inbound messages are unreleased");
        }
        if !differ(incoming.iter()) {
            return Err("two of its inbound messages have one packet id");
        }
        let subscriptions = self.subscriptions.into_iter().map(|stored| {
            topic::validate_filter(&stored.filter).map_err(|_| "a subscription has no filter")?;
            Ok(Subscription {
                filter: stored.filter,
                qos: QoS::from_number(stored.qos).ok_or("a subscription has no such QoS")?,
            })
        });
        let subscriptions = subscriptions.collect::<Result<Vec<_>, &'static str>>()?;
        if !differ(subscriptions.iter().map(|kept| &kept.filter)) {
            return Err("two of its subscriptions have one filter");
        }
        let shadows = self.shadows.into_iter().map(StoredShadow::into_state);
        let shadows: Vec<ShadowState> = shadows.collect::<Result<_, _>>()?;
        let names = shadows.iter().map(|state| &state.name);
        if !differ(names.map(|name| (name.product_id(), name.device_name()))) {
            return Err("two of its shadows have one name");
        }
        Ok(Session {
            mqtt: SessionState::restored(self.last_packet_id, outgoing, incoming),
            subscriptions,
            shadows,
            nonce: nonce.flatten(),
            next_token: self.next_token,
            ..Session::default()
        })
    }
}

impl StoredMessage {
    fn into_outgoing(self) -> Result<Outgoing, &'static str> {
        let packet_id = packet_id(self.packet_id)?;
        let packet = STANDARD
            .decode(&self.packet)
            .map_err(|_| "a message is not base64")?;
        let stage = match self.stage {
            StoredStage::PubAck => Stage::PubAck,
            StoredStage::PubRec => Stage::PubRec,
            StoredStage::PubComp => Stage::PubComp,
        };
        // It is sent again as it stands, so it must be what it says.
        let fits = match Packet::decode(&packet, ProtocolVersion::V311) {
            Ok(Packet::Publish(publish)) => {
                Stage::of(publish.qos) == Some(stage) && publish.packet_id == Some(packet_id)
            }
            _ => packet.is_empty() && stage == Stage::PubComp,
        };
        fits.then_some(Outgoing {
            packet_id,
            stage,
            ticket: None,
            abandoned: self.abandoned,
            packet,
        })
        .ok_or("a message is not the PUBLISH it should be")
    }
}

impl StoredShadow<'_> {
    fn into_state(self) -> Result<ShadowState, &'static str> {
        let name = ShadowName::new(&self.product_id, &self.device_name);
        let object =
            |text: &RawValue| Object::new(text.get()).ok_or("a shadow's part is no object");
        Ok(ShadowState {
            name: name.map_err(|_| "a shadow has no such name")?,
            version: self.version,
            reported: object(&self.reported)?,
            acknowledged: object(&self.acknowledged)?,
            pending: object(&self.pending)?,
            answered: object(&self.answered)?,
        })
    }
}

/// Whether no two are equal.
fn differ<T: Ord>(mut all: impl Iterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    all.all(|one| seen.insert(one))
}

fn packet_id(number: u16) -> Result<PacketId, &'static str> {
    PacketId::new(number).ok_or("a packet id is 0")
}

fn text(object: &Object) -> Text<'static> {
    let raw = RawValue::from_string(object.as_str().into());
    // An object's text is valid, and so is the one that stands in for it.
    Text::Owned(raw.unwrap_or_else(|_| RawValue::NULL.to_owned()))
}

fn digest(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
