//! One device of a test cloud.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use shadow_core::tencent::ShadowName;

use super::TestCloud;
use crate::simulation::fault::{Fault, Restore};
use crate::simulation::{DeviceId, Simulation};

/// What a test does to one device of a [`TestCloud`], and sees of its shadow.
///
/// ```
/// use serde_json::json;
/// use transport_mock::TestCloud;
///
/// let cloud = TestCloud::new();
/// let (_kitchen, _hall) = (cloud.device(), cloud.device());
/// cloud.of(1).desire(json!({"power": true}));
/// assert_eq!(cloud.of(1).desired(), json!({"power": true}));
/// assert_eq!(cloud.of(0).desired(), json!({}));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TestDevice<'a> {
    cloud: &'a TestCloud,
    number: usize,
}

impl<'a> TestDevice<'a> {
    pub(super) fn new(cloud: &'a TestCloud, number: usize) -> TestDevice<'a> {
        TestDevice { cloud, number }
    }

    /// Its number, as a [`Fault`] names it.
    #[must_use]
    pub fn number(self) -> usize {
        self.number
    }

    /// Whose shadow it is.
    #[must_use]
    pub fn name(self) -> ShadowName {
        self.with(Simulation::name)
    }

    /// An application desires these values, merged into those before; null takes one back.
    ///
    /// # Panics
    /// When the service refuses it, as for what is no JSON object.
    pub fn desire(self, values: impl Serialize) {
        self.with_mut(|simulation, device| simulation.desire(device, values));
    }

    /// What the cloud holds as reported by it; `{}` if nothing.
    #[must_use]
    pub fn reported(self) -> Value {
        self.with(Simulation::reported)
    }

    /// What the cloud holds as desired of it; `{}` if nothing.
    #[must_use]
    pub fn desired(self) -> Value {
        self.with(Simulation::desired)
    }

    /// Its whole shadow as the cloud would tell it now: see
    /// [`Cloud::document`](crate::cloud::Cloud::document).
    #[must_use]
    pub fn document(self) -> Value {
        self.with(Simulation::document)
    }

    /// Breaks its connection, if it has one; both ends learn it at once.
    pub fn cut(self) {
        self.with_mut(|simulation, device| simulation.cut(device));
    }

    /// Nothing comes through for a while, and nobody is told: [`Fault::Unreachable`]. A connection
    /// that has lost something by then stays silent; its device notices by itself.
    ///
    /// ```
    /// use std::time::Duration;
    /// use serde_json::json;
    /// use transport_mock::TestCloud;
    ///
    /// let cloud = TestCloud::new();
    /// let (lamp, _events) = cloud.device();
    /// cloud.offline_for(Duration::from_secs(75));
    /// cloud.run(async { lamp.own_shadow().unwrap().report(&json!({"power": true})).await }).unwrap();
    /// cloud.run_for(Duration::from_secs(75)); // the engine notices by itself
    /// assert_eq!(cloud.reported(), json!({}));
    /// cloud.run_for(Duration::from_secs(60));
    /// assert_eq!(cloud.reported(), json!({"power": true}));
    /// ```
    pub fn offline_for(self, time: Duration) {
        self.cloud.inject(&Fault::Unreachable {
            device: self.number,
            millis: millis(time),
        });
    }

    /// Takes its power for so long; it begins again with the session that it stored last.
    ///
    /// # Panics
    /// When it was not started by [`TestCloud::boot`].
    pub fn power_cut(self, dark: Duration) {
        self.cloud.inject(&Fault::PowerCut {
            device: self.number,
            after: 0,
            dark: millis(dark),
            restore: Restore::Latest,
        });
    }

    /// Takes its power and gives it back at once.
    ///
    /// # Panics
    /// As [`power_cut`](Self::power_cut).
    pub fn restart(self) {
        self.power_cut(Duration::ZERO);
    }

    fn with<T>(self, work: impl FnOnce(&Simulation, DeviceId) -> T) -> T {
        self.with_mut(|simulation, device| work(simulation, device))
    }

    fn with_mut<T>(self, work: impl FnOnce(&mut Simulation, DeviceId) -> T) -> T {
        let device = self.cloud.id(self.number);
        self.cloud.with(|simulation| work(simulation, device))
    }
}

/// At most 49 days.
fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}
