//! Who a client is, and which topics it may use.

use shadow_core::WallTime;
use shadow_core::mqtt::Connect;
use shadow_core::tencent::credentials::{Login, LoginError, UserName, verify};
use shadow_core::tencent::{Authentication, Secret, ShadowName};

use super::config::{Credentials, KnownDevice, ServerConfig};
use super::event::Refusal;
use crate::application;

/// What a client is let in as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing was checked, everything is allowed.
    Anyone,
    /// A device, with its sub-devices.
    Device(Vec<ShadowName>),
    /// An application of a device.
    Application(ShadowName),
}

/// Checks a login.
pub(super) fn authorize(
    config: &ServerConfig,
    wall: WallTime,
    connect: &Connect<'_>,
) -> Result<Role, Refusal> {
    let Credentials::Devices(devices) = &config.credentials else {
        return Ok(Role::Anyone);
    };
    // Two names can give one client id ("a" + "bc", "ab" + "c"): whose secret fits decides.
    let mut refusal = Refusal::UnknownClientId;
    for known in devices {
        if let Some(role) = role(known, connect.client_id) {
            match check(wall, connect, &known.device.authentication) {
                Ok(()) => return Ok(role),
                Err(why) => refusal = why,
            }
        }
    }
    Err(refusal)
}

/// What `client_id` would be with `known`'s secret.
fn role(known: &KnownDevice, client_id: &str) -> Option<Role> {
    let name = &known.device.name;
    let rest = client_id.strip_prefix(name.client_id())?;
    if rest.is_empty() {
        let mut names = vec![name.clone()];
        names.extend_from_slice(&known.sub_devices);
        return Some(Role::Device(names));
    }
    // A certificate proves the device to TLS and leaves an application nothing to sign with.
    let has_key = matches!(known.device.authentication, Authentication::Key { .. });
    let label = rest.strip_prefix('@').filter(|_| has_key)?;
    (!label.is_empty()).then(|| Role::Application(name.clone()))
}

fn check(
    wall: WallTime,
    connect: &Connect<'_>,
    authentication: &Authentication,
) -> Result<(), Refusal> {
    let (Some(user_name), Some(password)) = (connect.user_name, connect.password) else {
        return Err(Refusal::NoCredentials);
    };
    let login = Login {
        user_name: user_name.to_owned(),
        password: Secret::from_bytes(password),
    };
    let parts = match authentication {
        Authentication::Key { secret } => verify(&login, secret).map_err(Refusal::Login)?,
        Authentication::Certificate { .. } => {
            UserName::parse(user_name).ok_or(Refusal::Login(LoginError::UserName))?
        }
    };
    if parts.client_id != connect.client_id {
        return Err(Refusal::ForeignUserName);
    }
    if parts.expiry < wall.as_unix_seconds() {
        return Err(Refusal::Expired);
    }
    Ok(())
}

impl Role {
    pub(super) fn may_publish(&self, topic: &str) -> bool {
        match self {
            Role::Anyone => true,
            Role::Device(names) => names
                .iter()
                .any(|name| topic == name.operation_topic() || is_custom(name, topic)),
            Role::Application(name) => {
                topic == application::request_topic(name) || is_custom(name, topic)
            }
        }
    }

    pub(super) fn may_subscribe(&self, filter: &str) -> bool {
        match self {
            Role::Anyone => true,
            Role::Device(names) => names
                .iter()
                .any(|name| name.is_result_topic(filter) || is_custom(name, filter)),
            Role::Application(name) => {
                filter == application::result_topic(name)
                    || name.is_result_topic(filter)
                    || is_custom(name, filter)
            }
        }
    }
}

/// Whether a topic, or all topics of a filter, begin with `{productId}/{deviceName}/`. Neither name
/// can hold a wildcard, so the two levels of a filter that does are literal.
fn is_custom(name: &ShadowName, topic: &str) -> bool {
    let mut levels = topic.splitn(3, '/');
    levels.next() == Some(name.product_id())
        && levels.next() == Some(name.device_name())
        && levels.next().is_some()
}
