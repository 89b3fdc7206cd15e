//! The device that tests and demonstrations use.

use shadow_core::tencent::{DeviceInfo, ShadowName};
use shadow_core::{Instant, WallTime};

use super::{Cloud, CloudConfig};
use crate::server::{Credentials, KnownDevice, ServerConfig};

/// The example device's product id.
pub const EXAMPLE_PRODUCT_ID: &str = "EXAMPLE001";
/// The example device's name.
pub const EXAMPLE_DEVICE_NAME: &str = "test01";
/// The example device's secret, made up and public: base64 of `not a real secret, only an example`.
pub const EXAMPLE_DEVICE_SECRET: &str = "bm90IGEgcmVhbCBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZQ==";

/// How many devices [`Cloud::with_test_devices`] knows.
pub const TEST_DEVICES: usize = 8;

/// The devices of tests, the first of which is the [`example_device`]: `test01` to `test08`, all
/// with its product and its secret.
///
/// # Panics
/// When there is none of this `index`, counted from 0.
#[must_use]
pub fn test_device(index: usize) -> DeviceInfo {
    assert!(
        index < TEST_DEVICES,
        "there are {TEST_DEVICES} test devices: device {index} is none of them"
    );
    let name = format!("test{:02}", index + 1);
    DeviceInfo::with_key(EXAMPLE_PRODUCT_ID, &name, EXAMPLE_DEVICE_SECRET)
        .expect("the names keep the limits of the vendor")
}

/// The shadow that the vendor's shadow document begins with.
const STATE: &str = r#"{"reported":{"updateCount":0,"updateCount11":"shadow"}}"#;
const VERSION: u64 = 8;
const LAST_CHANGE: WallTime = WallTime::from_unix_millis(1_626_770_626_087);

/// The one device that [`Cloud::example`] knows.
#[must_use]
pub fn example_device() -> DeviceInfo {
    let (product_id, name) = (EXAMPLE_PRODUCT_ID, EXAMPLE_DEVICE_NAME);
    DeviceInfo::with_key(product_id, name, EXAMPLE_DEVICE_SECRET)
        .expect("the constants keep the limits of the vendor")
}

/// The example device's product id and name.
#[must_use]
pub fn example_name() -> ShadowName {
    example_device().name
}

impl Cloud {
    /// A cloud that knows the [`test_device`]s, checks their logins, and holds no shadow yet.
    #[must_use]
    pub fn with_test_devices(now: Instant, wall: WallTime) -> Cloud {
        let known = (0..TEST_DEVICES).map(|index| KnownDevice::new(test_device(index)));
        let config = CloudConfig {
            server: ServerConfig {
                credentials: Credentials::Devices(known.collect()),
                ..ServerConfig::default()
            },
            ..CloudConfig::default()
        };
        Cloud::new(config, now, wall)
    }

    /// A cloud that knows the [`example_device`] alone, checks its login, and holds its shadow as
    /// the vendor's document of the device shadow does at its beginning: version 8, changed last at
    /// 1626770626087, reported `{"updateCount":0,"updateCount11":"shadow"}`.
    #[must_use]
    pub fn example(now: Instant, wall: WallTime) -> Cloud {
        let known = KnownDevice::new(example_device());
        let config = CloudConfig {
            server: ServerConfig {
                credentials: Credentials::Devices(vec![known]),
                ..ServerConfig::default()
            },
            ..CloudConfig::default()
        };
        let mut cloud = Cloud::new(config, now, wall);
        cloud
            .seed(&example_name(), STATE, VERSION, LAST_CHANGE)
            .expect("the constants keep the service's default limits");
        cloud
    }
}
