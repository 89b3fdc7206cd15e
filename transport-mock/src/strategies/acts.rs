//! Schedules of a test cloud.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::fault;
use crate::Act;

/// Up to 16 things that happen to `devices` devices, for [`TestCloud::play`](crate::TestCloud::play):
/// waits of up to a minute, mostly of less than some seconds; changes of `desired`, whose values are
/// of `values`; and [`fault`]s.
///
/// Shrinks towards nothing: each is left out; waits become shorter, values and faults as their
/// strategies say, on the first device.
///
/// # Panics
/// When `devices` is 0.
pub fn acts(
    devices: usize,
    values: impl Strategy<Value = Value> + 'static,
) -> BoxedStrategy<Vec<Act>> {
    let wait = prop_oneof![2 => 0..=50_u32, 3 => 0..=3_000_u32, 1 => 0..=60_000_u32];
    let act = prop_oneof![
        wait.prop_map(|millis| Act::Wait { millis }),
        (0..devices.max(1), values).prop_map(|(device, values)| Act::Desire { device, values }),
        fault(devices).prop_map(Act::Fault),
    ];
    vec(act, 0..=16).boxed()
}
