//! The page in a browser: Chromium without a window and without a network.
//!
//! Where there is no Chromium the tests are ignored, and say so, unless the environment variable
//! `SHADOW_REQUIRE_CHROMIUM` is `1`: then they fail. This binary brings its own harness because the
//! usual one cannot ignore a test at run time.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

mod chromium;
#[path = "../session.rs"]
mod session;
mod tests;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

fn main() -> ExitCode {
    let required = std::env::var_os("SHADOW_REQUIRE_CHROMIUM").is_some_and(|value| value == "1");
    let trials = tests::TESTS.iter().map(|(name, run)| {
        Trial::ignorable_test(*name, move || {
            if chromium::chromium().is_some() {
                run();
                return Ok(Completion::Completed);
            }
            let missing = "chromium is not installed";
            if required {
                return Err(format!("{missing}, and SHADOW_REQUIRE_CHROMIUM=1").into());
            }
            Ok(Completion::ignored_with(missing))
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
