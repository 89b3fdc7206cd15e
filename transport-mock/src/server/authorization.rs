//! Who a client is, and which topics it may use.

use shadow_core::WallTime;
use shadow_core::mqtt::Connect;
use shadow_core::tencent::credentials::{Login, LoginError, UserName, verify};
use shadow_core::tencent::limits::{DEVICE_NAME_LENGTH, PRODUCT_ID_LENGTH};
use shadow_core::tencent::{Authentication, Secret, ShadowName};

use super::config::{Credentials, KnownDevice};
use super::event::Refusal;
use crate::application;

/// What a client is let in as. Its names are those of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing was checked, everything is allowed.
    Anyone,
    /// The device with this place in the configuration, with its sub-devices.
    Device(Place),
    /// An application of that device.
    Application(Place),
}

/// The place of a device in the configuration. There is one in every connection.
type Place = u32;

/// Finds the devices of [`Credentials::Devices`] by client id.
#[derive(Debug)]
pub(super) struct KnownDevices {
    /// Their places in the configuration, sorted by client id, then place.
    by_client_id: Vec<Place>,
}

impl KnownDevices {
    pub(super) fn new(credentials: &Credentials) -> KnownDevices {
        let devices = devices(credentials);
        let mut by_client_id: Vec<Place> = (0..).take(devices.len()).collect();
        by_client_id.sort_by_key(|place| client_id(devices, *place));
        KnownDevices { by_client_id }
    }

    /// Checks a login.
    pub(super) fn authorize(
        &self,
        credentials: &Credentials,
        wall: WallTime,
        connect: &Connect<'_>,
    ) -> Result<Role, Refusal> {
        if let Credentials::Anyone = credentials {
            return Ok(Role::Anyone);
        }
        let devices = devices(credentials);
        // Two names can give one client id ("a" + "bc", "ab" + "c"): whose secret fits decides.
        let mut refusal = Refusal::UnknownClientId;
        for role in self.roles(devices, connect.client_id) {
            let Some(known) = role.device(devices) else {
                continue;
            };
            match check(wall, connect, &known.device.authentication) {
                Ok(()) => return Ok(role),
                Err(why) => refusal = why,
            }
        }
        Err(refusal)
    }

    /// What `given` would be with the secret of one device or another, in the order of the
    /// configuration.
    fn roles(&self, devices: &[KnownDevice], given: &str) -> Vec<Role> {
        let mut roles: Vec<(Place, Role)> = Vec::new();
        for place in self.named(devices, given) {
            roles.push((place, Role::Device(place)));
        }
        // No device's client id is longer, so an application's has its '@' there at the latest.
        for (at, _) in given
            .match_indices('@')
            .take_while(|(at, _)| *at <= CLIENT_ID_LENGTH)
        {
            let (device, label) = given.split_at(at);
            if label.len() > 1 {
                for place in self.named(devices, device) {
                    roles.push((place, Role::Application(place)));
                }
            }
        }
        roles.sort_by_key(|(place, _)| *place);
        // A certificate proves the device to TLS and leaves an application nothing to sign with.
        let is_possible = |role: &Role| match role {
            Role::Application(_) => role.device(devices).is_some_and(has_key),
            Role::Device(_) | Role::Anyone => true,
        };
        roles
            .into_iter()
            .map(|(_, role)| role)
            .filter(is_possible)
            .collect()
    }

    /// The places of the devices with a client id.
    fn named<'a>(
        &'a self,
        devices: &'a [KnownDevice],
        wanted: &'a str,
    ) -> impl Iterator<Item = Place> + 'a {
        let first = self
            .by_client_id
            .partition_point(|place| client_id(devices, *place) < wanted);
        let from = self.by_client_id.get(first..).unwrap_or_default();
        let same = move |place: &Place| client_id(devices, *place) == wanted;
        from.iter().copied().take_while(same)
    }
}

/// The longest client id of a device: product id and device name.
const CLIENT_ID_LENGTH: usize = PRODUCT_ID_LENGTH + DEVICE_NAME_LENGTH;

fn devices(credentials: &Credentials) -> &[KnownDevice] {
    match credentials {
        Credentials::Anyone => &[],
        Credentials::Devices(devices) => devices,
    }
}

fn client_id(devices: &[KnownDevice], place: Place) -> &str {
    let known = device(devices, place);
    known.map_or("", |known| known.device.name.client_id())
}

fn device(devices: &[KnownDevice], place: Place) -> Option<&KnownDevice> {
    devices.get(usize::try_from(place).ok()?)
}

fn has_key(known: &KnownDevice) -> bool {
    matches!(known.device.authentication, Authentication::Key { .. })
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
    pub(super) fn may_publish(self, credentials: &Credentials, topic: &str) -> bool {
        let device = self.device(devices(credentials));
        match (self, device) {
            (Role::Anyone, _) => true,
            (Role::Device(_), Some(known)) => known
                .names()
                .any(|name| name.is_operation_topic(topic) || is_custom(name, topic)),
            (Role::Application(_), Some(known)) => {
                let name = &known.device.name;
                application::is_request_topic(name, topic) || is_custom(name, topic)
            }
            (_, None) => false,
        }
    }

    pub(super) fn may_subscribe(self, credentials: &Credentials, filter: &str) -> bool {
        let device = self.device(devices(credentials));
        match (self, device) {
            (Role::Anyone, _) => true,
            (Role::Device(_), Some(known)) => known
                .names()
                .any(|name| name.is_result_topic(filter) || is_custom(name, filter)),
            (Role::Application(_), Some(known)) => {
                let name = &known.device.name;
                filter == application::result_topic(name)
                    || name.is_result_topic(filter)
                    || is_custom(name, filter)
            }
            (_, None) => false,
        }
    }

    /// Whose role it is.
    fn device(self, devices: &[KnownDevice]) -> Option<&KnownDevice> {
        match self {
            Role::Anyone => None,
            Role::Device(place) | Role::Application(place) => device(devices, place),
        }
    }
}

impl KnownDevice {
    /// The device's name and those of its sub-devices.
    fn names(&self) -> impl Iterator<Item = &ShadowName> {
        std::iter::once(&self.device.name).chain(&self.sub_devices)
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
