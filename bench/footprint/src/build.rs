//! Building the programs for the microcontroller.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A core with a floating-point unit and much used: Cortex-M4F and M7F.
pub(crate) const TARGET: &str = "thumbv7em-none-eabihf";

/// SHA-256 as a loop instead of 64 rounds in a row.
const FLAGS: &str = "--cfg\u{1f}sha2_backend_soft=\"compact\"";

/// A program of `firmware`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    /// What every program needs.
    Empty,
    /// A lamp with a shadow.
    Device,
}

impl Program {
    const fn name(self) -> &'static str {
        match self {
            Program::Empty => "empty",
            Program::Device => "device",
        }
    }
}

/// Whether the compiler can build for the microcontroller.
pub(crate) fn has_target() -> Result<bool, Box<dyn Error>> {
    let printed = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()?;
    let folder = String::from_utf8(printed.stdout)?;
    Ok(printed.status.success() && Path::new(folder.trim()).is_dir())
}

/// The linked program, as a file's bytes.
pub(crate) fn build(program: Program, feature: Option<&str>) -> Result<Vec<u8>, Box<dyn Error>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--locked", "--profile", "size"])
        .args(["--package", "firmware", "--bin", program.name()])
        .args(["--target", TARGET, "--features", feature.unwrap_or("")])
        .current_dir(&workspace)
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS)
        .stdout(Stdio::null());
    let status = cargo.status()?;
    if !status.success() {
        return Err(format!("{} does not build: {status}", program.name()).into());
    }
    let output = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => workspace.join("target"),
    };
    let file = output.join(TARGET).join("size").join(program.name());
    fs::read(&file).map_err(|error| format!("{}: {error}", file.display()).into())
}
