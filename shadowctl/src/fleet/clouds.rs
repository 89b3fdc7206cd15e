//! Clouds that fleets fit into.

use shadow_core::{Instant, WallTime};
use transport_mock::cloud::{Cloud, CloudConfig};
use transport_mock::server::{Credentials, KnownDevice, ServerConfig};
use transport_mock::service::ServiceConfig;

use super::identity;

/// Has a service keep the shadows of so many devices more.
pub(crate) fn make_room(config: &mut ServiceConfig, devices: u32) {
    config.limits.shadows += devices as usize;
}

/// Has a server let a fleet of so many devices in, beside whom it lets in already.
pub(crate) fn let_in(config: &mut ServerConfig, devices: u32) {
    if let Credentials::Devices(known) = &mut config.credentials {
        known.extend((0..devices).map(|number| KnownDevice::new(identity::device(number))));
    }
    config.maximum_connections += devices as usize;
    config.maximum_sessions += devices as usize;
}

/// The cloud in a fleet's own process. It lets everyone in: it would verify what was signed beside
/// it, and to know each device would take 200 bytes on top of the 2,900 that one takes in all.
pub(super) fn model(devices: u32, now: Instant, wall: WallTime) -> Cloud {
    let mut config = CloudConfig::default();
    let_in(&mut config.server, devices);
    make_room(&mut config.service, devices);
    // Nobody reads them.
    config.server.maximum_events = 0;
    Cloud::new(config, now, wall)
}
