//! The example against the model of the cloud, and in the README.

use std::process::Command;

#[test]
fn it_is_the_example_device() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_blocking_device"));
    program.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    check::run_device(program);
}

#[test]
fn the_readme_shows_it() {
    let source = include_str!("../src/main.rs");
    let (_, program) = source.split_once("\n\n").unwrap();
    let readme = include_str!("../../../README.md");
    assert!(readme.contains(&format!("```rust,no_run\n{program}```\n")));
}
