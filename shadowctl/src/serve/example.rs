//! The example device's shadow, for clouds that are not the example cloud itself.

use shadow_core::WallTime;
use shadow_core::tencent::ShadowName;
use transport_mock::cloud::example_name;
use transport_mock::service::ChangeError;
use transport_tcp::Clock;

use crate::embedded::example_cloud;
use crate::failure::Failure;

/// What to begin a shadow with.
pub(super) struct Seed {
    pub(super) name: ShadowName,
    /// As in a document, `{"reported":{..}}`.
    pub(super) state: String,
    pub(super) version: u64,
    pub(super) last_change: WallTime,
}

/// The shadow as it is in the [example cloud](transport_mock::cloud::Cloud::example); `None` if it
/// has none there.
pub(super) fn example_seed(clock: &impl Clock) -> Option<Seed> {
    let cloud = example_cloud(clock);
    let name = example_name();
    let shadow = cloud.shadow(&name)?;
    Some(Seed {
        state: format!(r#"{{"reported":{}}}"#, shadow.reported()),
        version: shadow.version(),
        last_change: shadow.timestamp().unwrap_or(WallTime::from_unix_millis(0)),
        name,
    })
}

pub(super) fn seed_failure(error: &ChangeError) -> Failure {
    Failure::operation(format_args!("cannot begin the example shadow: {error}"))
}
