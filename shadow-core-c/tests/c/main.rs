//! The header and C programs.
//!
//! Where there is no gcc, g++ or valgrind the tests are ignored, and say so, unless the environment
//! variable `SHADOW_REQUIRE_C` is `1`: then they fail. This binary brings its own harness because
//! the usual one cannot ignore a test at run time.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets the unexpected should stop there"
)]

#[cfg(unix)]
mod example;
mod header;
mod misuse;
mod tools;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

fn main() -> ExitCode {
    let required = std::env::var_os("SHADOW_REQUIRE_C").is_some_and(|value| value == "1");
    let missing = tools::missing();
    let with_tools = |name: &'static str, run: fn()| {
        let missing = missing.clone();
        Trial::ignorable_test(name, move || match missing {
            None => {
                run();
                Ok(Completion::Completed)
            }
            Some(missing) if required => Err(format!("{missing}, and SHADOW_REQUIRE_C=1").into()),
            Some(missing) => Ok(Completion::ignored_with(missing)),
        })
    };
    let without = |name: &'static str, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    let trials = vec![
        without(
            "header::is_that_of_the_source",
            header::is_that_of_the_source,
        ),
        without("header::has_every_function", header::has_every_function),
        with_tools("header::is_c_and_cpp", header::is_c_and_cpp),
        with_tools(
            "header::has_a_panic_that_does_not_return",
            header::has_a_panic_that_does_not_return,
        ),
        with_tools("misuse::is_survived", misuse::is_survived),
        // Its sockets and signals are POSIX's.
        #[cfg(unix)]
        with_tools("example::obeys_and_ends", example::obeys_and_ends),
        #[cfg(target_os = "linux")]
        with_tools("example::gives_up_connecting", example::gives_up_connecting),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
