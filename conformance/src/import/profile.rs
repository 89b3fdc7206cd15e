//! What kind of client a capture shows: found by looking at its packets.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use shadow_core::Config;
use shadow_core::WallTime;
use shadow_core::config::{Behaviour, Expiry, Login, Nonce, TokenStyle, UserName, Will};
use shadow_core::json::JsonStyle;
use shadow_core::mqtt::{Connect, Packet, ProtocolVersion, QoS};
use shadow_core::tencent::{Secret, ShadowName, SignatureMethod, credentials};

use super::identity::token_of;
use super::tokens::{numbered, token_number};
use super::tolerance::Tolerance;
use super::wire::Sent;

/// How the spelling is called where there is no request.
pub(super) const UNKNOWN: &str = "unknown";

/// How a client's tokens look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tokens {
    /// No request has one that is known.
    None,
    /// `{productId}-{n}`, as the vendor's SDKs: the engine makes them.
    ProductCounter,
    /// `{nonce}-{n}` with eight letters and digits that are one program run's, as this project's
    /// engine: it makes them with that nonce.
    Nonce,
    /// Something else before `-{n}`: the engine publishes such requests as they are.
    OtherCounter,
    /// Others: likewise.
    Other,
}

/// The profile of a client, as its packets show it: those of this connection, or of the next one that
/// has requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaptureProfile {
    /// CONNECT's protocol version.
    pub mqtt_version: &'static str,
    /// CONNECT's keep alive in seconds.
    pub keep_alive: u16,
    /// CONNECT's clean session flag.
    pub clean_session: bool,
    /// How requests are spelled: `compact` or as `Python` does. Compact is told by the first that
    /// is; `unknown` without requests.
    pub json: &'static str,
    /// How tokens look.
    pub tokens: Tokens,
    /// QoS with which result topics are subscribed.
    pub shadow_qos: u8,
}

impl fmt::Display for CaptureProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CaptureProfile {
            mqtt_version,
            keep_alive,
            clean_session,
            json,
            tokens,
            shadow_qos,
        } = self;
        let session = if *clean_session { "clean" } else { "kept" };
        let tokens = match tokens {
            Tokens::None => "none",
            Tokens::ProductCounter => "{productId}-{n}",
            Tokens::Nonce => "{nonce}-{n}",
            Tokens::OtherCounter => "{something else}-{n}",
            Tokens::Other => "of its own",
        };
        write!(
            f,
            "{mqtt_version}, keep alive {keep_alive} s, {session} session; {json} JSON, tokens {tokens}, \
             results at QoS {shadow_qos}"
        )
    }
}

/// A profile with what is needed to act by it.
pub(super) struct Found {
    pub(super) profile: CaptureProfile,
    pub(super) version: ProtocolVersion,
    pub(super) style: JsonStyle,
    pub(super) password: &'static str,
    /// The wall time at which the login was signed, if the engine is to sign it.
    pub(super) signed_at: Option<WallTime>,
    pub(super) config: Config,
    /// Whether the engine can have the client's shadows: QoS of requests and of result topics are
    /// one.
    pub(super) attaches: bool,
}

impl Found {
    /// Looks at all packets of a connection; of another one of the same client, if this one has no
    /// requests.
    pub(super) fn look(
        connect: &Connect<'_>,
        sent: &[Sent<'_>],
        secret: Option<&Secret>,
        tolerance: Tolerance,
    ) -> Found {
        let version = connect.version;
        let (style, json) = style(sent, version);
        let shadow_qos = shadow_qos(sent, version);
        let (login, signed_at, password) = login(connect, name(sent, version).as_ref(), secret);
        let mut config = Config::plain(connect.client_id);
        config.login = login;
        config.protocol_version = version;
        config.keep_alive = connect.keep_alive;
        config.clean_session = connect.clean_session;
        config.will = connect
            .will
            .and_then(|will| Will::new(will.topic, will.payload, will.qos, will.retain));
        let request_qos = request_qos(sent, version);
        config.shadow_qos = request_qos.unwrap_or(shadow_qos);
        config.request_timeout = Duration::MAX;
        config.connect_timeout = Duration::MAX;
        config.ping_timeout = Duration::MAX;
        config.maximum_requests = usize::MAX;
        config.maximum_in_flight = u16::MAX.into();
        config.maximum_packet_size = 1 << 24;
        config.maximum_queued_bytes = 1 << 26;
        config.limits.payload_size = 1 << 24;
        let (tokens, token_style) = tokens(sent, version);
        config.behaviour = Behaviour {
            json_style: style,
            token_style,
            // The safe choice goes with a nonce: the device knows whose session it is.
            duplicate_without_session: tokens != Tokens::Nonce,
            ..Behaviour::python_sdk()
        };
        tolerance.apply(&mut config);
        Found {
            profile: CaptureProfile {
                mqtt_version: name_of(version),
                keep_alive: connect.keep_alive,
                clean_session: connect.clean_session,
                json,
                tokens,
                shadow_qos: shadow_qos.number(),
            },
            version,
            style,
            password,
            signed_at,
            // The engine has one QoS for both.
            attaches: request_qos.is_none_or(|qos| qos == shadow_qos),
            config,
        }
    }
}

fn name_of(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::V31 => "MQTT 3.1",
        ProtocolVersion::V311 => "MQTT 3.1.1",
    }
}

pub(super) fn packets<'a>(
    sent: &'a [Sent<'a>],
    version: ProtocolVersion,
) -> impl Iterator<Item = Packet<'a>> {
    sent.iter()
        .filter_map(move |sent| Packet::decode(sent.bytes, version).ok())
}

/// The payloads of requests, and whose they are.
pub(super) fn requests<'a>(
    sent: &'a [Sent<'a>],
    version: ProtocolVersion,
) -> impl Iterator<Item = (ShadowName, &'a [u8])> {
    packets(sent, version).filter_map(|packet| match packet {
        Packet::Publish(publish) => Some((
            ShadowName::from_operation_topic(publish.topic)?,
            publish.payload,
        )),
        _ => None,
    })
}

/// The first shadow that is used.
fn name(sent: &[Sent<'_>], version: ProtocolVersion) -> Option<ShadowName> {
    packets(sent, version).find_map(|packet| match packet {
        Packet::Subscribe(subscribe) => subscribe
            .filters
            .iter()
            .find_map(|(filter, _)| ShadowName::from_result_topic(filter)),
        Packet::Publish(publish) => ShadowName::from_operation_topic(publish.topic),
        _ => None,
    })
}

/// How the device spells its requests: as Python does, unless one shows otherwise.
fn style(sent: &[Sent<'_>], version: ProtocolVersion) -> (JsonStyle, &'static str) {
    let mut requests = requests(sent, version).peekable();
    if requests.peek().is_none() {
        return (JsonStyle::Python, UNKNOWN);
    }
    if requests.any(|(_, payload)| payload.starts_with(br#"{"type":""#)) {
        (JsonStyle::Compact, "compact")
    } else {
        (JsonStyle::Python, "Python")
    }
}

/// How a client's tokens look, and what to have the engine write.
fn tokens(sent: &[Sent<'_>], version: ProtocolVersion) -> (Tokens, TokenStyle) {
    let of_product = TokenStyle::ProductCounter { first: 0 };
    let mut found = Tokens::None;
    // What is sent again has that of an earlier run.
    let mut nonces: Vec<(Nonce, usize)> = Vec::new();
    for (name, payload) in requests(sent, version) {
        let text = String::from_utf8_lossy(payload);
        let Some(token) = token_of(&text) else {
            continue;
        };
        if token_number(&token, &name).is_some() {
            return (Tokens::ProductCounter, of_product);
        }
        let counted = token.rsplit_once('-').filter(|(prefix, digits)| {
            !prefix.is_empty() && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
        });
        if let Some(nonce) = counted.and_then(|(prefix, _)| Nonce::new(prefix)) {
            match nonces.iter_mut().find(|(known, _)| *known == nonce) {
                Some((_, times)) => *times += 1,
                None => nonces.push((nonce, 1)),
            }
        }
        found = match (counted, found) {
            (Some(_), _) => Tokens::OtherCounter,
            (None, Tokens::None) => Tokens::Other,
            (None, known) => known,
        };
    }
    // Of those with as many requests the latest.
    match nonces.iter().max_by_key(|(_, times)| *times) {
        Some((nonce, _)) => (Tokens::Nonce, TokenStyle::FixedNonce(*nonce)),
        None => (found, of_product),
    }
}

/// The number of a token that an engine of this style writes for the shadow.
pub(super) fn number_of(style: TokenStyle, token: &str, shadow: &ShadowName) -> Option<u64> {
    match style {
        TokenStyle::FixedNonce(nonce) => numbered(token, nonce.as_str()),
        TokenStyle::Nonce | TokenStyle::ProductCounter { .. } => token_number(token, shadow),
    }
}

/// The QoS of requests, where there are some: the lowest.
fn request_qos(sent: &[Sent<'_>], version: ProtocolVersion) -> Option<QoS> {
    let requests = packets(sent, version).filter_map(|packet| match packet {
        Packet::Publish(publish) => {
            ShadowName::from_operation_topic(publish.topic).map(|_| publish.qos)
        }
        _ => None,
    });
    requests.min_by_key(|qos| qos.number())
}

fn shadow_qos(sent: &[Sent<'_>], version: ProtocolVersion) -> QoS {
    let qos = packets(sent, version).find_map(|packet| match packet {
        Packet::Subscribe(subscribe) => subscribe
            .filters
            .iter()
            .find(|(filter, _)| ShadowName::from_result_topic(filter).is_some())
            .map(|(_, qos)| qos),
        _ => None,
    });
    qos.unwrap_or_default()
}

fn login(
    connect: &Connect<'_>,
    name: Option<&ShadowName>,
    secret: Option<&Secret>,
) -> (Login, Option<WallTime>, &'static str) {
    let user_name = connect.user_name.and_then(credentials::UserName::parse);
    let password = connect.password.unwrap_or_default();
    let method = if password.ends_with(b";hmacsha1") {
        SignatureMethod::HmacSha1
    } else {
        SignatureMethod::HmacSha256
    };
    let split = || {
        let (product, device) = connect.client_id.split_at_checked(10)?;
        ShadowName::new(product, device).ok()
    };
    let device = name
        .filter(|name| name.client_id() == connect.client_id)
        .cloned()
        .or_else(split);
    let parts = user_name.and_then(|user_name| {
        let connection_id = user_name.connection_id.as_bytes().try_into().ok()?;
        let sdk_app_id = user_name.sdk_app_id.parse().ok()?;
        Some((sdk_app_id, connection_id, user_name.expiry))
    });
    if let (Some(secret), Some(device), Some((sdk_app_id, connection_id, expiry))) =
        (secret, device, parts)
    {
        // Seconds or milliseconds, as for every time of the vendor's.
        let in_seconds = expiry < 100_000_000_000;
        let (wall, kind) = if in_seconds {
            (expiry.saturating_mul(1_000), Expiry::After(Duration::ZERO))
        } else {
            (expiry, Expiry::NowInMilliseconds)
        };
        let login = Login::Key {
            device,
            secret: secret.clone(),
            method,
            user_name: UserName {
                sdk_app_id,
                connection_id: Some(connection_id),
                expiry: kind,
            },
        };
        let wall = WallTime::from_unix_millis(wall);
        return (login, Some(wall), "derived from the secret");
    }
    let login = Login::Plain {
        client_id: connect.client_id.to_owned(),
        user_name: connect.user_name.map(str::to_owned),
        password: connect.password.map(Secret::from_bytes),
    };
    let source = match connect.password {
        Some(_) => "taken from the capture",
        None => "not sent",
    };
    (login, None, source)
}
