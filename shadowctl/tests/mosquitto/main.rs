//! Devices, mosquitto and `shadowctl serve --broker` between them, over real sockets.
//!
//! Each test starts a mosquitto of its own. Where there is none the tests are ignored, and say so,
//! unless the environment variable `SHADOW_REQUIRE_MOSQUITTO` is `1`: then they fail. This binary
//! brings its own harness because the usual one cannot ignore a test at run time.
//!
//! The soak runs when it is asked for, and for as long:
//!
//! ```sh
//! SHADOW_SOAK_SECONDS=600 cargo test --release -p shadowctl --test mosquitto -- --ignored soak
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

mod authority;
mod broker;
mod demonstration;
mod device;
mod fleet;
mod half_open;
mod outage;
mod program;
mod proxy;
mod recording;
mod refusals;
mod restart;
mod shadows;
mod soak;
mod tls;
mod wait;
mod websocket;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

/// A test; it fails by a panic.
struct Test {
    name: &'static str,
    run: fn(),
    /// What is missing for it, if anything.
    missing: fn() -> Option<&'static str>,
    /// Whether it runs only when asked for: `--ignored`.
    by_hand: bool,
}

const TESTS: &[Test] = &[
    test("demonstration::over_tcp", demonstration::over_tcp),
    test("demonstration::over_tls", demonstration::over_tls),
    test("shadows::document_scenarios", shadows::document_scenarios),
    test("shadows::every_command", shadows::every_command),
    test("shadows::change_while_away", shadows::change_while_away),
    test("shadows::two_devices_at_once", shadows::two_devices_at_once),
    test("shadows::retained_request", shadows::retained_request),
    test("fleet::round_trips", fleet::round_trips),
    test("restart::in_the_middle", restart::in_the_middle),
    test("outage::of_reports", outage::of_reports),
    test("outage::of_messages", outage::of_messages),
    test("recording::of_an_outage", recording::of_an_outage),
    test(
        "half_open::noticed_in_time_and_mended",
        half_open::noticed_in_time_and_mended,
    ),
    test("tls::every_command", tls::every_command),
    test("tls::wrong_authority", tls::wrong_authority),
    test("websocket::every_command", websocket::every_command),
    test("websocket::large_document", websocket::large_document),
    test("websocket::wrong_authority", websocket::wrong_authority),
    test("websocket::port_of_mqtt", websocket::port_of_mqtt),
    test(
        "refusals::login_of_the_service",
        refusals::login_of_the_service,
    ),
    test("refusals::end_of_the_service", refusals::end_of_the_service),
    Test {
        name: "refusals::subscription_of_a_device",
        run: refusals::subscription_of_a_device,
        missing: missing_plugin,
        by_hand: false,
    },
    Test {
        name: "refusals::subscription_of_the_service",
        run: refusals::subscription_of_the_service,
        missing: missing_plugin,
        by_hand: false,
    },
    // Alone, as it looks at the memory of the whole process.
    Test {
        name: "soak::memory_stays_flat",
        run: soak::memory_stays_flat,
        missing: soak::missing,
        by_hand: true,
    },
];

const fn test(name: &'static str, run: fn()) -> Test {
    let missing = missing_mosquitto;
    let by_hand = false;
    Test {
        name,
        run,
        missing,
        by_hand,
    }
}

pub(crate) fn missing_mosquitto() -> Option<&'static str> {
    let missing = broker::mosquitto().is_none();
    missing.then_some("mosquitto is not installed")
}

fn missing_plugin() -> Option<&'static str> {
    let missing = refusals::dynamic_security().is_none();
    let plugin = missing.then_some("mosquitto's dynamic security plugin is not installed");
    missing_mosquitto().or(plugin)
}

fn main() -> ExitCode {
    let required = std::env::var_os("SHADOW_REQUIRE_MOSQUITTO").is_some_and(|value| value == "1");
    let trials = TESTS.iter().map(|test| {
        Trial::ignorable_test(test.name, move || match (test.missing)() {
            None => {
                (test.run)();
                Ok(Completion::Completed)
            }
            Some(missing) if required => {
                Err(format!("{missing}, and SHADOW_REQUIRE_MOSQUITTO=1").into())
            }
            Some(missing) => Ok(Completion::ignored_with(missing)),
        })
        .with_ignored_flag(test.by_hand)
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
