//! The commands of the guide, typed as a reader would: each chapter's blocks in order, in a directory
//! of its own, against the program that was built.
//!
//! What stands behind ```` ```sh ```` says how: nothing, it runs and has to succeed; `exit-N`, it ends
//! with that code; `background`, it stays until the chapter ends, as in a terminal of its own;
//! `cargo` and `vendor`, it takes a build or the vendor's cloud, so it is only looked at: each
//! `shadowctl` line has to be one, and what `cargo` is asked to build has to be there. A `text` block right
//! behind a `sh` block is what that printed; `…` in it stands for anything.
//!
//! Of the README at the root all blocks are only looked at. In both, links have to lead somewhere.
#[cfg(unix)]
mod block;
#[cfg(unix)]
mod chapter;
#[cfg(unix)]
mod links;
#[cfg(unix)]
mod printed;
#[cfg(unix)]
mod shims;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), chapters()).exit_code()
}

#[cfg(unix)]
fn chapters() -> Vec<Trial> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide");
    let mut files: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no chapters in {}", directory.display());
    let trial = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        Trial::test(name, move || Ok(chapter::play(&path)?))
    };
    let mut trials: Vec<Trial> = files.into_iter().map(trial).collect();
    let readme = directory.join("../../README.md");
    trials.push(Trial::test("../../README.md", move || {
        Ok(chapter::look(&readme)?)
    }));
    trials
}

/// There is no `sh` to run the commands with.
#[cfg(not(unix))]
fn chapters() -> Vec<Trial> {
    Vec::new()
}
