//! The compilers, valgrind, and what they make.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What has to be installed for these tests.
const TOOLS: [&str; 3] = ["gcc", "g++", "valgrind"];

/// What valgrind says with its exit code when it has found something.
pub(crate) const FOUND: i32 = 99;

/// A tool that is not there.
pub(crate) fn missing() -> Option<String> {
    let there = |tool: &&str| Command::new(tool).arg("--version").output().is_ok();
    let tool = TOOLS.iter().find(|tool| !there(tool))?;
    Some(format!("{tool} is not installed"))
}

pub(crate) fn crate_directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Its output, if it ended with 0.
#[track_caller]
pub(crate) fn succeeded(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{text}",
        output.status
    );
    output
}

/// The static library. Cargo has made it beside this test, as it makes all kinds of a library that
/// a test needs one of.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let library = test.with_file_name("libshadow_core_c.a");
    assert!(library.exists(), "no {}", library.display());
    library
}

/// Compiles and links a program as the README says.
#[track_caller]
pub(crate) fn build(sources: &[PathBuf], program: &Path) {
    let mut command = Command::new("gcc");
    command
        .args([
            "-std=c99",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pedantic",
            "-g",
            "-I",
        ])
        .arg(crate_directory().join("include"))
        .args(sources)
        .arg(library())
        .args(["-lpthread", "-ldl", "-lm", "-o"])
        .arg(program);
    succeeded(&mut command);
}

/// The arguments of valgrind: any error and any block that is not freed is one.
pub(crate) fn valgrind_arguments() -> [String; 4] {
    [
        format!("--error-exitcode={FOUND}"),
        "--leak-check=full".to_owned(),
        "--show-leak-kinds=all".to_owned(),
        "--errors-for-leak-kinds=all".to_owned(),
    ]
}
