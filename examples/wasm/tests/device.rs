//! The example in Node, over a WebSocket, against the model of the cloud.
//!
//! It is built as `README.md` says. Where something is missing for that, the test is ignored and says
//! so, unless the environment variable `SHADOW_REQUIRE_WASM` is `1`: then it fails.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Completion, Trial};
use transport_tcp::websocket;

/// The version of wasm-bindgen, which is that of `Cargo.toml`.
const WASM_BINDGEN: &str = "0.2.130";

fn main() -> ExitCode {
    let required = std::env::var_os("SHADOW_REQUIRE_WASM").is_some_and(|value| value == "1");
    let trial = Trial::ignorable_test("it_is_the_example_device", move || match missing() {
        None => {
            build();
            run();
            Ok(Completion::Completed)
        }
        Some(missing) if required => Err(format!("{missing}, and SHADOW_REQUIRE_WASM=1").into()),
        Some(missing) => {
            eprintln!("SKIPPED: {missing}");
            Ok(Completion::ignored_with(missing))
        }
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

/// What the test needs and this machine does not have.
fn missing() -> Option<String> {
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
    let version = output("node", &["--version"]).unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next();
    match major.and_then(|major| major.parse::<u32>().ok()) {
        Some(20..) => None,
        _ => Some("Node 20 or later is not installed".into()),
    }
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()
}

fn build() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
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
    assert!(
        status.as_ref().is_ok_and(|status| status.success()),
        "{command:?}: {status:?}"
    );
}

fn run() {
    let mut node = Command::new("node");
    // Node has WebSocket without being asked from its version 22 on.
    node.args(["--experimental-websocket", "--no-warnings"]);
    node.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/index.mjs"));
    check::run_device_over(
        node,
        |address| vec![format!("ws://{address}/mqtt")],
        async |stream| websocket::accept(stream).await.ok(),
    );
}
