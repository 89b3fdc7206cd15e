//! Waiting for other processes, which have no virtual clock: never without an end.

use std::future::Future;
use std::time::Duration;

use smol::Timer;
use smol::future::or;

/// How long anything may take before the test fails. Generous, as the machine may be busy; nothing
/// waits that long when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// The output of `future`, which has to come in time.
#[track_caller]
pub(crate) fn in_time<T>(what: &str, future: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    or(future, async move {
        Timer::after(PATIENCE).await;
        panic!("{caller}: waited too long for {what}");
    })
}

/// Tries until it succeeds. The pauses are for a process that is starting: that it takes
/// connections is the only sign it gives.
pub(crate) async fn until_it_works<T, E: std::fmt::Debug>(
    what: &str,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    in_time(what, async {
        loop {
            match attempt().await {
                Ok(value) => return value,
                Err(_) => Timer::after(Duration::from_millis(10)).await,
            };
        }
    })
    .await
}
