//! A C program that does what it should not, as far as the rules have an answer to it.

use std::process::Command;

use crate::tools::{build, crate_directory, valgrind_arguments};

/// Every check of `tests/misuse.c` holds, and valgrind finds nothing.
pub(crate) fn is_survived() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("misuse");
    build(&[crate_directory().join("tests/misuse.c")], &program);
    let mut command = Command::new("valgrind");
    let output = command.args(valgrind_arguments()).arg(&program).output();
    let output = output.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let found = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{found}");
    assert!(said.ends_with("checks, none failed\n"), "{said}");
}
