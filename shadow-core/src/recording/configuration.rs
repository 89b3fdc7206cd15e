//! A configuration as JSON, without its secrets.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::num::NonZeroU32;
use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::packet::MASKED;
use crate::config::{
    Behaviour, Config, Expiry, Login, Nonce, TokenStyle, UserName, VersionPolicy, Will,
};
use crate::json::JsonStyle;
use crate::mqtt::link::Backoff;
use crate::mqtt::{ProtocolVersion, QoS};
use crate::tencent::{Limits, Secret, ShadowName, SignatureMethod};

/// The configuration as one line of JSON. Device secret and password are not in it.
pub(super) fn to_json(config: &Config) -> String {
    // Strings, numbers and booleans: nothing in it can fail to be written.
    serde_json::to_string(&Stored::of(config)).unwrap_or_default()
}

/// Reads what [`to_json`] wrote. Where a secret was, a stand-in is.
pub(super) fn from_json(text: &str) -> Result<Config, serde_json::Error> {
    serde_json::from_str::<Stored>(text)?
        .into_config()
        .map_err(serde_json::Error::custom)
}

/// A replay signs with it what the recording masks.
const STAND_IN: &[u8] = b"stand-in for a secret";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    login: StoredLogin,
    own_shadow: Option<Name>,
    protocol_version: Version,
    keep_alive: u16,
    ping_timeout: Seconds,
    connect_timeout: Seconds,
    clean_session: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    will: Option<StoredWill>,
    request_timeout: Seconds,
    backoff: StoredBackoff,
    shadow_qos: u8,
    version_policy: Policy,
    maximum_packet_size: usize,
    limits: StoredLimits,
    maximum_requests: usize,
    maximum_queued_bytes: usize,
    maximum_in_flight: usize,
    maximum_events: usize,
    maximum_event_bytes: usize,
    maximum_subscriptions: usize,
    behaviour: StoredBehaviour,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    product_id: String,
    device_name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum StoredLogin {
    Key {
        device: Name,
        method: String,
        user_name: StoredUserName,
    },
    Certificate {
        device: Name,
        user_name: StoredUserName,
    },
    Plain {
        client_id: String,
        user_name: Option<String>,
        /// `***` or nothing.
        password: Option<String>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredUserName {
    sdk_app_id: u32,
    connection_id: Option<String>,
    expiry: StoredExpiry,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredExpiry {
    After(Seconds),
    NowInMilliseconds,
}

#[derive(Serialize, Deserialize)]
enum Version {
    #[serde(rename = "MQTT 3.1")]
    V31,
    #[serde(rename = "MQTT 3.1.1")]
    V311,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredWill {
    topic: String,
    /// In base64.
    payload: String,
    qos: u8,
    retain: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredBackoff {
    initial: Seconds,
    maximum: Seconds,
    stable_after: Seconds,
    least_interval: Seconds,
    slow_initial: Seconds,
    slow_maximum: Seconds,
    contested_after: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Policy {
    Unchecked,
    Strict,
    Rebase { tries: u8 },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredLimits {
    document_size: u32,
    document_depth: u32,
    payload_size: u32,
    topic_length: u32,
    product_id_length: u32,
    device_name_length: u32,
    keep_alive_minimum: u16,
    keep_alive_maximum: u16,
    messages_per_second: Option<NonZeroU32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredBehaviour {
    json_style: Style,
    token_style: Tokens,
    wait_for_suback: bool,
    get_on_subscribe: bool,
    resubscribe: bool,
    renew_credentials: bool,
    guard_shadow_topics: bool,
    duplicate_without_session: bool,
    // Newer than the format: what an older recording does not name is off, and is not written.
    #[serde(default, skip_serializing_if = "is_default")]
    drop_without_link: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    keep_alive_check: u16,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Style {
    Compact,
    Python,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tokens {
    Nonce,
    #[serde(serialize_with = "write_nonce", deserialize_with = "read_nonce")]
    FixedNonce(Nonce),
    ProductCounter {
        first: u64,
    },
}

fn write_nonce<S: Serializer>(nonce: &Nonce, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(nonce.as_str())
}

fn read_nonce<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Nonce, D::Error> {
    let text = String::deserialize(deserializer)?;
    Nonce::new(&text).ok_or_else(|| D::Error::custom("a nonce has eight letters and digits"))
}

/// A duration as a number of seconds, exact to the nanosecond.
struct Seconds(Duration);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (seconds, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        let text = match nanos {
            0 => seconds.to_string(),
            _ => format!("{seconds}.{nanos:09}")
                .trim_end_matches('0')
                .to_owned(),
        };
        let raw = RawValue::from_string(text).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Seconds, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let (seconds, nanos) = raw.get().split_once('.').unwrap_or((raw.get(), "0"));
        let duration = || {
            let digits = nanos.bytes().all(|byte| byte.is_ascii_digit());
            (digits && nanos.len() <= 9).then_some(())?;
            let nanos = format!("{nanos:0<9}").parse().ok()?;
            Some(Duration::new(seconds.parse().ok()?, nanos))
        };
        let duration = duration().ok_or_else(|| {
            D::Error::custom(format_args!(
                "{raw} is no number of seconds with 9 decimals"
            ))
        })?;
        Ok(Seconds(duration))
    }
}

impl Stored {
    fn of(config: &Config) -> Stored {
        let Config {
            login,
            own_shadow,
            protocol_version,
            keep_alive,
            ping_timeout,
            connect_timeout,
            clean_session,
            will,
            request_timeout,
            backoff,
            shadow_qos,
            version_policy,
            maximum_packet_size,
            limits,
            maximum_requests,
            maximum_queued_bytes,
            maximum_in_flight,
            maximum_events,
            maximum_event_bytes,
            maximum_subscriptions,
            behaviour,
        } = config;
        Stored {
            login: StoredLogin::of(login),
            own_shadow: own_shadow.as_ref().map(Name::of),
            protocol_version: match protocol_version {
                ProtocolVersion::V31 => Version::V31,
                ProtocolVersion::V311 => Version::V311,
            },
            keep_alive: *keep_alive,
            ping_timeout: Seconds(*ping_timeout),
            connect_timeout: Seconds(*connect_timeout),
            clean_session: *clean_session,
            will: will.as_ref().map(|Will(will)| StoredWill {
                topic: will.topic.clone(),
                payload: STANDARD.encode(&will.payload),
                qos: will.qos.number(),
                retain: will.retain,
            }),
            request_timeout: Seconds(*request_timeout),
            backoff: StoredBackoff::of(*backoff),
            shadow_qos: shadow_qos.number(),
            version_policy: match *version_policy {
                VersionPolicy::Unchecked => Policy::Unchecked,
                VersionPolicy::Strict => Policy::Strict,
                VersionPolicy::Rebase { tries } => Policy::Rebase { tries },
            },
            maximum_packet_size: *maximum_packet_size,
            limits: StoredLimits::of(*limits),
            maximum_requests: *maximum_requests,
            maximum_queued_bytes: *maximum_queued_bytes,
            maximum_in_flight: *maximum_in_flight,
            maximum_events: *maximum_events,
            maximum_event_bytes: *maximum_event_bytes,
            maximum_subscriptions: *maximum_subscriptions,
            behaviour: StoredBehaviour::of(*behaviour),
        }
    }

    fn into_config(self) -> Result<Config, String> {
        Ok(Config {
            login: self.login.into_login()?,
            own_shadow: self.own_shadow.map(Name::into_name).transpose()?,
            protocol_version: match self.protocol_version {
                Version::V31 => ProtocolVersion::V31,
                Version::V311 => ProtocolVersion::V311,
            },
            keep_alive: self.keep_alive,
            ping_timeout: self.ping_timeout.0,
            connect_timeout: self.connect_timeout.0,
            clean_session: self.clean_session,
            will: self.will.map(StoredWill::into_will).transpose()?,
            request_timeout: self.request_timeout.0,
            backoff: self.backoff.into_backoff(),
            shadow_qos: quality(self.shadow_qos)?,
            version_policy: match self.version_policy {
                Policy::Unchecked => VersionPolicy::Unchecked,
                Policy::Strict => VersionPolicy::Strict,
                Policy::Rebase { tries } => VersionPolicy::Rebase { tries },
            },
            maximum_packet_size: self.maximum_packet_size,
            limits: self.limits.into_limits(),
            maximum_requests: self.maximum_requests,
            maximum_queued_bytes: self.maximum_queued_bytes,
            maximum_in_flight: self.maximum_in_flight,
            maximum_events: self.maximum_events,
            maximum_event_bytes: self.maximum_event_bytes,
            maximum_subscriptions: self.maximum_subscriptions,
            behaviour: self.behaviour.into_behaviour(),
        })
    }
}

impl Name {
    fn of(name: &ShadowName) -> Name {
        Name {
            product_id: name.product_id().into(),
            device_name: name.device_name().into(),
        }
    }

    fn into_name(self) -> Result<ShadowName, String> {
        ShadowName::new(&self.product_id, &self.device_name).map_err(|error| error.to_string())
    }
}

impl StoredLogin {
    fn of(login: &Login) -> StoredLogin {
        match login {
            Login::Key {
                device,
                secret: _,
                method,
                user_name,
            } => StoredLogin::Key {
                device: Name::of(device),
                method: method.as_str().into(),
                user_name: StoredUserName::of(user_name),
            },
            Login::Certificate { device, user_name } => StoredLogin::Certificate {
                device: Name::of(device),
                user_name: StoredUserName::of(user_name),
            },
            Login::Plain {
                client_id,
                user_name,
                password,
            } => StoredLogin::Plain {
                client_id: client_id.clone(),
                user_name: user_name.clone(),
                password: password.as_ref().map(|_| MASKED.into()),
            },
        }
    }

    fn into_login(self) -> Result<Login, String> {
        Ok(match self {
            StoredLogin::Key {
                device,
                method,
                user_name,
            } => Login::Key {
                device: device.into_name()?,
                secret: Secret::from_bytes(STAND_IN),
                method: *SignatureMethod::ALL
                    .iter()
                    .find(|known| known.as_str() == method)
                    .ok_or_else(|| format!("there is no signature method {method}"))?,
                user_name: user_name.into_user_name()?,
            },
            StoredLogin::Certificate { device, user_name } => Login::Certificate {
                device: device.into_name()?,
                user_name: user_name.into_user_name()?,
            },
            StoredLogin::Plain {
                client_id,
                user_name,
                password,
            } => Login::Plain {
                client_id,
                user_name,
                password: password.map(|_| Secret::from_bytes(STAND_IN)),
            },
        })
    }
}

impl StoredUserName {
    fn of(user_name: &UserName) -> StoredUserName {
        let UserName {
            sdk_app_id,
            connection_id,
            expiry,
        } = user_name;
        // Whatever the five bytes are, each is one character.
        let text = |id: &[u8; 5]| id.iter().map(|byte| char::from(*byte)).collect();
        StoredUserName {
            sdk_app_id: *sdk_app_id,
            connection_id: connection_id.as_ref().map(text),
            expiry: match *expiry {
                Expiry::After(time) => StoredExpiry::After(Seconds(time)),
                Expiry::NowInMilliseconds => StoredExpiry::NowInMilliseconds,
            },
        }
    }

    fn into_user_name(self) -> Result<UserName, String> {
        let bytes = |text: String| {
            let mut id = [0; 5];
            let mut characters = text.chars().map(u8::try_from);
            for byte in &mut id {
                *byte = characters.next()?.ok()?;
            }
            characters.next().is_none().then_some(id)
        };
        let connection_id = match self.connection_id {
            None => None,
            Some(text) => Some(bytes(text).ok_or("a connection id has five characters")?),
        };
        Ok(UserName {
            sdk_app_id: self.sdk_app_id,
            connection_id,
            expiry: match self.expiry {
                StoredExpiry::After(Seconds(time)) => Expiry::After(time),
                StoredExpiry::NowInMilliseconds => Expiry::NowInMilliseconds,
            },
        })
    }
}

impl StoredWill {
    fn into_will(self) -> Result<Will, String> {
        let payload = STANDARD
            .decode(&self.payload)
            .map_err(|_| "the will's payload is not base64")?;
        Will::new(&self.topic, &payload, quality(self.qos)?, self.retain)
            .ok_or_else(|| "there can be no such will".into())
    }
}

impl StoredBackoff {
    fn of(backoff: Backoff) -> StoredBackoff {
        let Backoff {
            initial,
            maximum,
            stable_after,
            least_interval,
            slow_initial,
            slow_maximum,
            contested_after,
        } = backoff;
        StoredBackoff {
            initial: Seconds(initial),
            maximum: Seconds(maximum),
            stable_after: Seconds(stable_after),
            least_interval: Seconds(least_interval),
            slow_initial: Seconds(slow_initial),
            slow_maximum: Seconds(slow_maximum),
            contested_after,
        }
    }

    fn into_backoff(self) -> Backoff {
        Backoff {
            initial: self.initial.0,
            maximum: self.maximum.0,
            stable_after: self.stable_after.0,
            least_interval: self.least_interval.0,
            slow_initial: self.slow_initial.0,
            slow_maximum: self.slow_maximum.0,
            contested_after: self.contested_after,
        }
    }
}

impl StoredLimits {
    fn of(limits: Limits) -> StoredLimits {
        let Limits {
            document_size,
            document_depth,
            payload_size,
            topic_length,
            product_id_length,
            device_name_length,
            keep_alive_minimum,
            keep_alive_maximum,
            messages_per_second,
        } = limits;
        StoredLimits {
            document_size,
            document_depth,
            payload_size,
            topic_length,
            product_id_length,
            device_name_length,
            keep_alive_minimum,
            keep_alive_maximum,
            messages_per_second,
        }
    }

    fn into_limits(self) -> Limits {
        Limits {
            document_size: self.document_size,
            document_depth: self.document_depth,
            payload_size: self.payload_size,
            topic_length: self.topic_length,
            product_id_length: self.product_id_length,
            device_name_length: self.device_name_length,
            keep_alive_minimum: self.keep_alive_minimum,
            keep_alive_maximum: self.keep_alive_maximum,
            messages_per_second: self.messages_per_second,
        }
    }
}

impl StoredBehaviour {
    fn of(behaviour: Behaviour) -> StoredBehaviour {
        let Behaviour {
            json_style,
            token_style,
            wait_for_suback,
            get_on_subscribe,
            resubscribe,
            renew_credentials,
            guard_shadow_topics,
            duplicate_without_session,
            drop_without_link,
            keep_alive_check,
        } = behaviour;
        StoredBehaviour {
            json_style: match json_style {
                JsonStyle::Compact => Style::Compact,
                JsonStyle::Python => Style::Python,
            },
            token_style: match token_style {
                TokenStyle::Nonce => Tokens::Nonce,
                TokenStyle::FixedNonce(nonce) => Tokens::FixedNonce(nonce),
                TokenStyle::ProductCounter { first } => Tokens::ProductCounter { first },
            },
            wait_for_suback,
            get_on_subscribe,
            resubscribe,
            renew_credentials,
            guard_shadow_topics,
            duplicate_without_session,
            drop_without_link,
            keep_alive_check,
        }
    }

    fn into_behaviour(self) -> Behaviour {
        Behaviour {
            json_style: match self.json_style {
                Style::Compact => JsonStyle::Compact,
                Style::Python => JsonStyle::Python,
            },
            token_style: match self.token_style {
                Tokens::Nonce => TokenStyle::Nonce,
                Tokens::FixedNonce(nonce) => TokenStyle::FixedNonce(nonce),
                Tokens::ProductCounter { first } => TokenStyle::ProductCounter { first },
            },
            wait_for_suback: self.wait_for_suback,
            get_on_subscribe: self.get_on_subscribe,
            resubscribe: self.resubscribe,
            renew_credentials: self.renew_credentials,
            guard_shadow_topics: self.guard_shadow_topics,
            duplicate_without_session: self.duplicate_without_session,
            drop_without_link: self.drop_without_link,
            keep_alive_check: self.keep_alive_check,
        }
    }
}

fn quality(number: u8) -> Result<QoS, String> {
    QoS::from_number(number).ok_or_else(|| format!("there is no QoS {number}"))
}
