//! The example in Node and in a browser, over a WebSocket, against the model of the cloud.
//!
//! It is built as `README.md` says. Where something is missing for a test, the test is ignored and
//! says so, unless an environment variable is `1`: then it fails. What builds the example is
//! `SHADOW_REQUIRE_WASM`, Node 20 is `SHADOW_REQUIRE_NODE`, the browser `SHADOW_REQUIRE_CHROMIUM`. This
//! binary brings its own harness because the usual one cannot ignore a test at run time.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Once;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use transport_tcp::websocket;

/// The version of wasm-bindgen in `Cargo.toml`.
const WASM_BINDGEN: &str = "0.2.130";

fn main() -> ExitCode {
    let trials = vec![
        Trial::ignorable_test("in_node", || {
            if let Some(missing) = tool_missing() {
                return without(&missing, "SHADOW_REQUIRE_WASM");
            }
            if node_version() < Some(20) {
                return without("Node 20 or later is not installed", "SHADOW_REQUIRE_NODE");
            }
            // From its version 22 on Node has WebSocket without being asked.
            run(&["--experimental-websocket", "--no-warnings", "index.mjs"]);
            Ok(Completion::Completed)
        }),
        Trial::ignorable_test("in_a_browser", || {
            if let Some(missing) = tool_missing() {
                return without(&missing, "SHADOW_REQUIRE_WASM");
            }
            // It drives the browser.
            if node_version().is_none() {
                return without("Node is not installed", "SHADOW_REQUIRE_WASM");
            }
            if output("chromium", &["--version"]).is_none() {
                return without("chromium is not installed", "SHADOW_REQUIRE_CHROMIUM");
            }
            let profile = concat!(env!("CARGO_TARGET_TMPDIR"), "/profile");
            run(&["tests/browser.mjs", profile]);
            Ok(Completion::Completed)
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// What becomes of a test for which something is missing.
fn without(missing: &str, requirement: &str) -> Result<Completion, Failed> {
    if std::env::var_os(requirement).is_some_and(|value| value == "1") {
        return Err(format!("{missing}, and {requirement}=1").into());
    }
    eprintln!("SKIPPED: {missing}");
    Ok(Completion::ignored_with(missing))
}

/// What is missing to build the example.
fn tool_missing() -> Option<String> {
    let target = [
        "--print",
        "target-libdir",
        "--target",
        "wasm32-unknown-unknown",
    ];
    let library = output("rustc", &target).unwrap_or_default();
    if !Path::new(library.trim()).is_dir() {
        return Some("the target wasm32-unknown-unknown is not installed".into());
    }
    let version = output("wasm-bindgen", &["--version"]).unwrap_or_default();
    if version.split_whitespace().nth(1) != Some(WASM_BINDGEN) {
        return Some(format!("wasm-bindgen-cli {WASM_BINDGEN} is not installed"));
    }
    None
}

/// Which Node is installed.
fn node_version() -> Option<u32> {
    let version = output("node", &["--version"])?;
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// What a program prints; `None` where there is no such program, or it fails.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs the device in Node, to which these arguments and the URL of the cloud are given.
fn run(arguments: &[&str]) {
    static BUILT: Once = Once::new();
    BUILT.call_once(build);
    let mut node = Command::new("node");
    node.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    check::run_device_over(
        node,
        |address| vec![format!("ws://{address}/mqtt")],
        async |stream| websocket::accept(stream).await.ok(),
    );
}

fn build() {
    let here = env!("CARGO_MANIFEST_DIR");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--release",
        "--target",
        "wasm32-unknown-unknown",
        "-p",
        "wasm",
    ]);
    succeed(cargo.current_dir(here).arg("--target-dir").arg(&target));
    let module = target.join("wasm32-unknown-unknown/release/wasm.wasm");
    let mut bindgen = Command::new("wasm-bindgen");
    bindgen.args(["--target", "web", "--out-dir", "pkg"]);
    succeed(bindgen.current_dir(here).arg(module));
}

fn succeed(command: &mut Command) {
    let status = command.stdin(Stdio::null()).status();
    let succeeded = status.as_ref().is_ok_and(|status| status.success());
    assert!(succeeded, "{command:?}: {status:?}");
}
