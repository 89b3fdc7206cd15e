//! What an engine is told at its start.

use core::ffi::c_char;
use core::ptr;
use core::time::Duration;

use shadow_core::tencent::DeviceInfo;
use shadow_core::{Config, VersionPolicy};

use crate::result::{Refusal, shadow_result};

/// Whether the updates that the engine makes of reports and answers carry the document's version, so
/// that the cloud refuses them with code 5005 when it has changed meanwhile. The version is what keeps
/// an answer from deleting a change of what is desired that is newer than the one it answers.
/// `shadow_update` carries what it was given.
#[expect(non_camel_case_types, reason = "these are C's names")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum shadow_version_policy {
    /// Without a version, as the vendor's SDKs: an answer deletes also a change of its keys that has
    /// not arrived yet.
    SHADOW_VERSION_UNCHECKED = 0,
    /// With the version last seen. A conflict ends the reports as `SHADOW_OUTCOME_REJECTED` with code
    /// 5005 and the whole document. The values stay; they go out again with the next report or answer,
    /// or on the next link.
    SHADOW_VERSION_STRICT = 1,
    /// With the version last seen. After a conflict the document that came with it is taken over, newer
    /// changes of what is desired are told, and the update is made anew at the new version. After
    /// `version_tries` conflicts in a row what is reported goes out without a version, as it is the
    /// device's alone, and deleting what is desired waits for a later update, at most
    /// `request_timeout_micros`.
    SHADOW_VERSION_REBASE = 2,
}

/// Everything an engine is told at its start. Call `shadow_config_init`, then say who the device is
/// and change what should be otherwise. `shadow_new` copies what it needs of it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct shadow_config {
    /// Text of a `device_info.json`, as the vendor's SDKs read it; or NULL, and the next three. Takes the
    /// library's feature `device-info`.
    pub device_info: *const c_char,
    /// The product's id.
    pub product_id: *const c_char,
    /// The device's name.
    pub device_name: *const c_char,
    /// The device's secret as the vendor's console shows it, in base64. Yours to overwrite once the
    /// engine is made.
    pub device_secret: *const c_char,
    /// What `shadow_session` gave before the last end of the program; NULL, 0 for a new session. Takes
    /// the library's feature `session`.
    pub session: *const u8,
    /// Bytes of it.
    pub session_length: usize,
    /// A number that differs from run to run, as of /dev/urandom: client tokens and the jitter of
    /// reconnecting come from it.
    pub seed: u64,
    /// Keep alive of MQTT. Default 60 s.
    pub keep_alive_seconds: u16,
    /// QoS of the shadow's messages, 0 or 1. Default 0; 1 takes the library's feature `messages`.
    pub shadow_qos: u8,
    /// 0 makes a persistent session: the server keeps subscriptions and messages while the device
    /// is away, which takes a stored session. Default 1.
    pub clean_session: u8,
    /// 1: the server knows the device by a TLS client certificate, which the program's transport shows.
    /// Then `device_secret` is not read, and the login is not signed. A `device_info` says so itself.
    /// Default 0.
    pub has_certificate: u8,
    /// How many version conflicts in a row `SHADOW_VERSION_REBASE` puts up with; at least 1. Default 3.
    pub version_tries: u8,
    /// Whether the updates that the engine makes of reports and answers are checked against the
    /// document's version: a `shadow_version_policy`. Default `SHADOW_VERSION_REBASE`.
    pub version_policy: u32,
    /// How long the server may take to answer a ping. Default 10 s.
    pub ping_timeout_micros: u64,
    /// How long a connection may take, login included. Default 20 s.
    pub connect_timeout_micros: u64,
    /// How long a request may stay unanswered. Reports and answers have no such time. Default 10 s.
    pub request_timeout_micros: u64,
    /// Wait before the first try to connect again; it doubles from try to try. Default 1 s.
    pub backoff_initial_micros: u64,
    /// Longest wait before a try to connect again. Default 60 s.
    pub backoff_maximum_micros: u64,
    /// Least time from one login to the next. Default 5 s, which the vendor's server asks for.
    pub backoff_least_interval_micros: u64,
    /// Largest inbound packet in bytes; a larger message is skipped and told. Default 131072.
    pub maximum_packet_size: usize,
    /// How many requests may be open. Default 64.
    pub maximum_requests: usize,
    /// How many bytes may wait to be sent. Default 65536.
    pub maximum_queued_bytes: usize,
    /// How many messages of QoS 1 and 2 may be unacknowledged. Default 16.
    pub maximum_in_flight: usize,
    /// How many events may wait to be polled. Default 256.
    pub maximum_events: usize,
    /// How many bytes the events that wait may hold. Default 262144.
    pub maximum_event_bytes: usize,
    /// How many shadows and subscriptions may exist. Default 1024.
    pub maximum_subscriptions: usize,
}

impl shadow_config {
    /// What an engine of the library does by default, without a device.
    pub(crate) fn defaults() -> shadow_config {
        // Of a client that is none of the vendor's; what that has otherwise is its device's alone.
        let limits = Config::plain("");
        let backoff = shadow_core::Backoff::default();
        shadow_config {
            device_info: ptr::null(),
            product_id: ptr::null(),
            device_name: ptr::null(),
            device_secret: ptr::null(),
            session: ptr::null(),
            session_length: 0,
            seed: 0,
            keep_alive_seconds: limits.keep_alive,
            shadow_qos: 0,
            clean_session: limits.clean_session.into(),
            has_certificate: 0,
            version_tries: 3,
            version_policy: shadow_version_policy::SHADOW_VERSION_REBASE as u32,
            ping_timeout_micros: micros(limits.ping_timeout),
            connect_timeout_micros: micros(limits.connect_timeout),
            request_timeout_micros: micros(limits.request_timeout),
            backoff_initial_micros: micros(backoff.initial),
            backoff_maximum_micros: micros(backoff.maximum),
            backoff_least_interval_micros: micros(backoff.least_interval),
            maximum_packet_size: limits.maximum_packet_size,
            maximum_requests: limits.maximum_requests,
            maximum_queued_bytes: limits.maximum_queued_bytes,
            maximum_in_flight: limits.maximum_in_flight,
            maximum_events: limits.maximum_events,
            maximum_event_bytes: limits.maximum_event_bytes,
            maximum_subscriptions: limits.maximum_subscriptions,
        }
    }

    /// The engine's configuration for a device.
    pub(crate) fn of(&self, device: &DeviceInfo) -> Result<Config, Refusal> {
        let mut config = Config::new(device);
        config.keep_alive = self.keep_alive_seconds;
        match self.shadow_qos {
            0 => {}
            #[cfg(feature = "messages")]
            1 => config.shadow_qos = shadow_core::mqtt::QoS::AtLeastOnce,
            #[cfg(not(feature = "messages"))]
            1 => return Err(Refusal::without("messages", "shadow_qos")),
            other => {
                let text = alloc::format!("`shadow_qos` is {other}, it has to be 0 or 1");
                return Err(Refusal::new(shadow_result::SHADOW_INVALID_ARGUMENT, text));
            }
        }
        config.version_policy = self.version_policy()?;
        config.clean_session = self.clean_session != 0;
        config.ping_timeout = Duration::from_micros(self.ping_timeout_micros);
        config.connect_timeout = Duration::from_micros(self.connect_timeout_micros);
        config.request_timeout = Duration::from_micros(self.request_timeout_micros);
        config.backoff.initial = Duration::from_micros(self.backoff_initial_micros);
        config.backoff.maximum = Duration::from_micros(self.backoff_maximum_micros);
        config.backoff.least_interval = Duration::from_micros(self.backoff_least_interval_micros);
        config.maximum_packet_size = self.maximum_packet_size;
        config.maximum_requests = self.maximum_requests;
        config.maximum_queued_bytes = self.maximum_queued_bytes;
        config.maximum_in_flight = self.maximum_in_flight;
        config.maximum_events = self.maximum_events;
        config.maximum_event_bytes = self.maximum_event_bytes;
        config.maximum_subscriptions = self.maximum_subscriptions;
        let refuse = |error| Refusal::new(shadow_result::SHADOW_INVALID_CONFIG, error);
        config.check().map_err(refuse)?;
        Ok(config)
    }

    fn version_policy(&self) -> Result<VersionPolicy, Refusal> {
        const UNCHECKED: u32 = shadow_version_policy::SHADOW_VERSION_UNCHECKED as u32;
        const STRICT: u32 = shadow_version_policy::SHADOW_VERSION_STRICT as u32;
        const REBASE: u32 = shadow_version_policy::SHADOW_VERSION_REBASE as u32;
        match self.version_policy {
            UNCHECKED => Ok(VersionPolicy::Unchecked),
            STRICT => Ok(VersionPolicy::Strict),
            REBASE => Ok(VersionPolicy::Rebase {
                tries: self.version_tries,
            }),
            other => {
                let text = alloc::format!("{other} is no `shadow_version_policy`");
                Err(Refusal::new(shadow_result::SHADOW_INVALID_ARGUMENT, text))
            }
        }
    }
}

/// The defaults are short enough for it.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
