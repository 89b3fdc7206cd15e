//! The stored form of a session.

use alloc::borrow::Cow;
use alloc::collections::BinaryHeap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::{Session, ShadowState, Subscription};
use crate::config::Nonce;
use crate::json::{JsonStyle, Object, Reader, read_string, write_string};
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
        let mut out = Vec::new();
        out.extend_from_slice(b"{\"nonce\":");
        match &self.nonce {
            Some(nonce) => write_string(nonce.as_str(), JsonStyle::Compact, &mut out),
            None => out.extend_from_slice(b"null"),
        }
        write_number(",\"next_token\":", self.next_token, &mut out);
        let last_packet_id = self.mqtt.last_packet_id();
        write_number(",\"last_packet_id\":", last_packet_id.into(), &mut out);
        write_list(
            ",\"outgoing\":",
            self.mqtt.outgoing(),
            write_message,
            &mut out,
        );
        let ids = self.mqtt.incoming_exactly_once();
        let write_id = |id: &PacketId, out: &mut Vec<u8>| write_number("", id.get().into(), out);
        write_list(",\"incoming_exactly_once\":", ids, write_id, &mut out);
        let kept = &self.subscriptions;
        write_list(",\"subscriptions\":", kept, write_subscription, &mut out);
        write_list(",\"shadows\":", &self.shadows, write_shadow, &mut out);
        out.push(b'}');
        // Strings, numbers and texts of objects are text.
        String::from_utf8(out).unwrap_or_default()
    }

    /// Reads what [`Session::to_json`] wrote.
    pub(crate) fn from_json(body: &str) -> Result<Session, SessionError> {
        read_session(body).map_err(|what| SessionError::Corrupted(what.into()))
    }
}

/// Why stored bytes are no session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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

/// The names of the stages, as those of the packets that end them.
const STAGES: [(&str, Stage); 3] = [
    ("puback", Stage::PubAck),
    ("pubrec", Stage::PubRec),
    ("pubcomp", Stage::PubComp),
];

fn write_message(message: &Outgoing, out: &mut Vec<u8>) {
    let stage = STAGES.iter().find(|(_, stage)| *stage == message.stage);
    write_number("{\"packet_id\":", message.packet_id.get().into(), out);
    write_text(",\"stage\":", stage.map_or("", |(name, _)| *name), out);
    write_text(",\"packet\":", &STANDARD.encode(&message.packet), out);
    out.extend_from_slice(match message.abandoned {
        true => b",\"abandoned\":true}",
        false => b",\"abandoned\":false}",
    });
}

fn write_subscription(subscription: &Subscription, out: &mut Vec<u8>) {
    write_text("{\"filter\":", &subscription.filter, out);
    write_number(",\"qos\":", subscription.qos as u64, out);
    out.push(b'}');
}

/// Objects as they are, so that numbers keep their digits.
fn write_shadow(shadow: &ShadowState, out: &mut Vec<u8>) {
    write_text("{\"product_id\":", shadow.name.product_id(), out);
    write_text(",\"device_name\":", shadow.name.device_name(), out);
    match shadow.version {
        Some(version) => write_number(",\"version\":", version, out),
        None => out.extend_from_slice(b",\"version\":null"),
    }
    for (name, object) in [
        (",\"reported\":", &shadow.reported),
        (",\"acknowledged\":", &shadow.acknowledged),
        (",\"pending\":", &shadow.pending),
        (",\"answered\":", &shadow.answered),
    ] {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(object.as_str().as_bytes());
    }
    out.push(b'}');
}

fn write_text(before: &str, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(before.as_bytes());
    write_string(text, JsonStyle::Compact, out);
}

fn write_number(before: &str, number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn write_list<T>(before: &str, all: &[T], write: impl Fn(&T, &mut Vec<u8>), out: &mut Vec<u8>) {
    out.extend_from_slice(before.as_bytes());
    out.push(b'[');
    for (index, one) in all.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(one, out);
    }
    out.push(b']');
}

/// Everything is checked that the engine relies on.
fn read_session(body: &str) -> Result<Session, &'static str> {
    let [
        nonce,
        next_token,
        last_packet_id,
        outgoing,
        incoming,
        subscriptions,
        shadows,
    ] = members(
        body,
        [
            "nonce",
            "next_token",
            "last_packet_id",
            "outgoing",
            "incoming_exactly_once",
            "subscriptions",
            "shadows",
        ],
    )?;
    let nonce = match nonce {
        "null" => None,
        raw => Some(Nonce::new(&string(raw)?).ok_or("its nonce is none")?),
    };
    let outgoing = list(outgoing, read_message)?;
    if outgoing.len() > usize::from(MAXIMUM_IN_FLIGHT) {
        return Err("it has more messages than can be in flight");
    }
    if !ids_differ(outgoing.iter().map(|message| message.packet_id)) {
        return Err("two of its messages have one packet id");
    }
    let incoming = list(incoming, packet_id)?;
    if incoming.len() > MAXIMUM_UNRELEASED {
        return Err("too many inbound messages are unreleased");
    }
    if !ids_differ(incoming.iter().copied()) {
        return Err("two of its inbound messages have one packet id");
    }
    let subscriptions = list(subscriptions, read_subscription)?;
    if !differ(subscriptions.iter().map(|kept| (kept.filter.as_str(), ""))) {
        return Err("two of its subscriptions have one filter");
    }
    let shadows = list(shadows, read_shadow)?;
    let names = shadows.iter().map(|state| &state.name);
    if !differ(names.map(|name| (name.product_id(), name.device_name()))) {
        return Err("two of its shadows have one name");
    }
    Ok(Session {
        mqtt: SessionState::restored(number(last_packet_id)?, outgoing, incoming),
        subscriptions,
        shadows,
        nonce,
        next_token: number(next_token)?,
        ..Session::default()
    })
}

fn read_message(text: &str) -> Result<Outgoing, &'static str> {
    let names = ["packet_id", "stage", "packet", "abandoned"];
    let [id, stage, packet, abandoned] = members(text, names)?;
    let (packet_id, stage) = (packet_id(id)?, string(stage)?);
    let stage = STAGES.iter().find(|(name, _)| *name == stage);
    let (_, stage) = *stage.ok_or("a message has no such stage")?;
    let packet = STANDARD.decode(string(packet)?.as_bytes());
    let packet = packet.map_err(|_| "a message is not base64")?;
    let abandoned = match abandoned {
        "true" => true,
        "false" => false,
        _ => return Err(OTHER_VALUE),
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
        abandoned,
        packet,
    })
    .ok_or("a message is not the PUBLISH it should be")
}

fn read_subscription(text: &str) -> Result<Subscription, &'static str> {
    let [filter, qos] = members(text, ["filter", "qos"])?;
    let filter = string(filter)?;
    topic::validate_filter(&filter).map_err(|_| "a subscription has no filter")?;
    Ok(Subscription {
        filter: filter.into_owned(),
        qos: QoS::from_number(number(qos)?).ok_or("a subscription has no such QoS")?,
    })
}

fn read_shadow(text: &str) -> Result<ShadowState, &'static str> {
    let [
        product_id,
        device_name,
        version,
        reported,
        acknowledged,
        pending,
        answered,
    ] = members(
        text,
        [
            "product_id",
            "device_name",
            "version",
            "reported",
            "acknowledged",
            "pending",
            "answered",
        ],
    )?;
    let name = ShadowName::new(&string(product_id)?, &string(device_name)?);
    let object = |text| Object::new(text).ok_or("a shadow's part is no object");
    Ok(ShadowState {
        name: name.map_err(|_| "a shadow has no such name")?,
        version: match version {
            "null" => None,
            raw => Some(number(raw)?),
        },
        reported: object(reported)?,
        acknowledged: object(acknowledged)?,
        pending: object(pending)?,
        answered: object(answered)?,
    })
}

const NOT_JSON: &str = "it is not JSON";
const OTHER_VALUE: &str = "a value is of another kind than it should be";

/// The values of an object's members of these names; of one that is not there it is `null`, which
/// is what an optional one may be.
fn members<'a, const N: usize>(
    text: &'a str,
    names: [&str; N],
) -> Result<[&'a str; N], &'static str> {
    let mut values = ["null"; N];
    find_members(text, &names, &mut values)?;
    Ok(values)
}

fn find_members<'a>(
    text: &'a str,
    names: &[&str],
    values: &mut [&'a str],
) -> Result<(), &'static str> {
    let mut found_twice = false;
    let mut found = 0_u32;
    let mut reader = Reader::new(text);
    reader.members(|key, reader| {
        let value = reader.value();
        let index = names.iter().position(|name| name.as_bytes() == key);
        if let Some((index, place)) = index.and_then(|index| Some((index, values.get_mut(index)?)))
        {
            found_twice |= found & (1 << index) != 0;
            found |= 1 << index;
            *place = value;
        }
    });
    reader.end().map_err(|_| NOT_JSON)?;
    if found_twice {
        return Err("a member of it is there twice");
    }
    Ok(())
}

fn list<T>(
    text: &str,
    read: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Vec<T>, &'static str> {
    let mut all = Vec::new();
    let mut failed = None;
    let mut reader = Reader::new(text);
    reader.elements(|reader| match read(reader.value()) {
        Ok(one) => all.push(one),
        Err(what) => failed = failed.or(Some(what)),
    });
    reader.end().map_err(|_| OTHER_VALUE)?;
    failed.map_or(Ok(all), Err)
}

fn string(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    read_string(raw).ok_or(OTHER_VALUE)
}

fn number<T: FromStr>(raw: &str) -> Result<T, &'static str> {
    raw.parse().map_err(|_| OTHER_VALUE)
}

/// Whether no two are equal.
fn differ<'a>(all: impl Iterator<Item = (&'a str, &'a str)>) -> bool {
    let mut sorted: BinaryHeap<(&str, &str)> = all.collect();
    while let Some(largest) = sorted.pop() {
        if sorted.peek() == Some(&largest) {
            return false;
        }
    }
    true
}

/// Whether no two are equal. One bit for each id up to the largest, at most 8 KiB.
fn ids_differ(mut all: impl Iterator<Item = PacketId>) -> bool {
    let mut seen = Vec::new();
    all.all(|id| {
        let (index, bit) = (usize::from(id.get() / 8), 1_u8 << (id.get() % 8));
        if seen.len() <= index {
            seen.resize(index + 1, 0);
        }
        seen.get_mut(index).is_some_and(|bits| {
            let is_new = *bits & bit == 0;
            *bits |= bit;
            is_new
        })
    })
}

fn packet_id(raw: &str) -> Result<PacketId, &'static str> {
    PacketId::new(number(raw)?).ok_or("a packet id is 0")
}

fn digest(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
