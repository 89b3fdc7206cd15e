//! How scripts are attempted.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use transport_mock::simulation::script::Script;
use transport_mock::simulation::{Tally, play, play_and_replay};

/// One script in so many is recorded and replayed, by its seed: it still is when it is made small.
const REPLAYED: u64 = 16;

/// Plays a script; a panic is a failure too.
pub(crate) fn attempt(script: &Script, trace: bool) -> Result<Tally, String> {
    let play = match script.seed.is_multiple_of(REPLAYED) {
        true => play_and_replay,
        false => play,
    };
    match catch_unwind(AssertUnwindSafe(|| play(script, trace))) {
        Ok(Ok(tally)) => Ok(tally),
        Ok(Err(failure)) => Err(failure.to_string()),
        Err(panic) => Err(format!("panicked: {}", message(&*panic))),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("?")
}
