//! The devices and the cloud of a script.

use std::time::Duration;

use shadow_core::config::VersionPolicy;
use shadow_core::mqtt::QoS;
use shadow_core::tencent::DeviceInfo;
use shadow_core::{Config, Instant, WallTime};

use super::Latency;
use super::script::{Policy, Setup};
use crate::cloud::{Cloud, CloudConfig};
use crate::server::{Credentials, KnownDevice, ServerConfig};
use crate::service::{DeltaPush, ServiceConfig};

const WALL: WallTime = WallTime::from_unix_millis(1_626_770_697_670);

pub(super) fn device(number: u8) -> DeviceInfo {
    let name = format!("device{number}");
    DeviceInfo::with_key("EXAMPLE001", &name, "c2VjcmV0").expect("within the vendor's limits")
}

pub(super) fn latency(setup: &Setup) -> Latency {
    let (to_cloud, to_device) = setup.latency;
    Latency {
        to_cloud: Duration::from_millis(to_cloud.into()),
        to_device: Duration::from_millis(to_device.into()),
    }
}

pub(super) fn cloud(setup: &Setup, devices: &[DeviceInfo], now: Instant) -> Cloud {
    let known = devices.iter().cloned().map(KnownDevice::new).collect();
    let config = CloudConfig {
        server: ServerConfig {
            credentials: Credentials::Devices(known),
            ..ServerConfig::default()
        },
        service: ServiceConfig {
            delta_push: match setup.push_changes {
                true => DeltaPush::Changes,
                false => DeltaPush::Whole,
            },
            count_unchanged: setup.count_unchanged,
            ..ServiceConfig::default()
        },
    };
    Cloud::new(config, now, WALL)
}

pub(super) fn config(setup: &Setup, device: &DeviceInfo) -> Config {
    let mut config = Config::new(device);
    config.shadow_qos = QoS::from_number(setup.qos).unwrap_or(QoS::AtLeastOnce);
    config.clean_session = setup.clean_session;
    config.keep_alive = setup.keep_alive;
    config.version_policy = match setup.policy {
        Policy::Unchecked => VersionPolicy::Unchecked,
        Policy::Strict => VersionPolicy::Strict,
        Policy::Rebase { tries } => VersionPolicy::Rebase { tries },
    };
    if setup.narrow {
        config.maximum_requests = 4;
        config.maximum_queued_bytes = 700;
        config.maximum_in_flight = 2;
        config.maximum_events = 3;
    }
    config
}
