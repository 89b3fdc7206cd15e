//! What a test of device code needs most, in a line each.

use serde::Serialize;
use serde_json::Value;
use shadow_core::tencent::ShadowName;
use shadow_core::{Config, Session, WallTime};

use super::{DeviceId, Latency, Simulation};
use crate::cloud::{Cloud, test_device};

/// The wall time at which tests begin: 20 July 2021, 8:44:57 UTC, a moment in the vendor's printed
/// session.
pub const TEST_WALL_TIME: WallTime = WallTime::from_unix_millis(1_626_770_697_670);

impl Simulation {
    /// A simulation with a cloud that knows the test devices
    /// ([`Cloud::with_test_devices`]), at [`TEST_WALL_TIME`], in which nothing takes time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use transport_mock::simulation::Simulation;
    ///
    /// let mut simulation = Simulation::example();
    /// let lamp = simulation.device();
    /// simulation.desire(lamp, serde_json::json!({"power": true}));
    /// simulation.run_for(Duration::from_secs(1));
    /// assert_eq!(simulation.desired(lamp), serde_json::json!({"power": true}));
    /// ```
    #[must_use]
    pub fn example() -> Simulation {
        let cloud = |now| Cloud::with_test_devices(now, TEST_WALL_TIME);
        Simulation::new(cloud, Latency::NONE)
    }

    /// Adds the next [`test_device`], under its name, and connects it. It stores its session, as
    /// [`store_sessions`](Self::store_sessions) says.
    ///
    /// # Panics
    /// When all test devices are there.
    #[must_use]
    pub fn device(&mut self) -> DeviceId {
        let index = self.devices.len();
        let info = test_device(index);
        let label = info.name.device_name().to_owned();
        let device = self.add_device(&label, Config::new(&info), Session::new(), index as u64 + 1);
        self.store_sessions(device);
        self.settle();
        device
    }

    /// An application desires these values of a device, merged into those before; null takes one
    /// back.
    ///
    /// # Panics
    /// When the service refuses it, as for what is no JSON object.
    #[expect(clippy::panic, reason = "it is for tests, which should stop there")]
    pub fn desire(&mut self, device: DeviceId, values: impl Serialize) {
        let name = self.name(device);
        let patch = serde_json::to_string(&values).unwrap_or_else(|error| panic!("{error}"));
        if let Err(error) = self.set_desired(&name, &patch) {
            panic!("{patch} cannot be desired of {name}: {error}");
        }
    }

    /// What the cloud holds as reported by a device; `{}` if nothing.
    #[must_use]
    pub fn reported(&self, device: DeviceId) -> Value {
        let shadow = self.cloud.shadow(&self.name(device));
        object(shadow.map(crate::service::Shadow::reported).as_deref())
    }

    /// What the cloud holds as desired of a device; `{}` if nothing.
    #[must_use]
    pub fn desired(&self, device: DeviceId) -> Value {
        let shadow = self.cloud.shadow(&self.name(device));
        object(shadow.and_then(crate::service::Shadow::desired).as_deref())
    }

    /// A device's whole shadow as the cloud would tell it now: see [`Cloud::document`].
    #[must_use]
    pub fn document(&self, device: DeviceId) -> Value {
        object(Some(&self.cloud.document(self.now, &self.name(device))))
    }

    /// Whose shadow it is.
    pub(crate) fn name(&self, device: DeviceId) -> ShadowName {
        let own = self.device_at(device).body.config().own_shadow.clone();
        own.expect("a device with a shadow of its own")
    }
}

fn object(text: Option<&str>) -> Value {
    serde_json::from_str(text.unwrap_or("{}")).expect("the service writes JSON")
}
