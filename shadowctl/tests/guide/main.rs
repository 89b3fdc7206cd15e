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
//! The table of features has those that the crates have.
#![cfg_attr(
    unix,
    expect(
        clippy::indexing_slicing,
        reason = "a test that meets the unexpected should stop there"
    )
)]

#[cfg(unix)]
mod block;
#[cfg(unix)]
mod chapter;
#[cfg(unix)]
mod features;
#[cfg(unix)]
mod links;
#[cfg(unix)]
mod printed;
#[cfg(unix)]
mod shims;

use std::io;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> io::Result<ExitCode> {
    let trials = chapters()?;
    Ok(libtest_mimic::run(&Arguments::from_args(), trials).exit_code())
}

#[cfg(unix)]
fn chapters() -> io::Result<Vec<Trial>> {
    let repository = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(repository.join("docs/guide"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.ends_with(".md").then_some(name));
    }
    names.sort();
    let mut trials = Vec::new();
    for name in names {
        let path = repository.join("docs/guide").join(&name);
        trials.push(Trial::test(name, move || Ok(chapter::play(&path)?)));
    }
    let table = repository.join("docs/guide/embedding.md");
    trials.push(Trial::test("features", move || features::compare(&table)));
    let readme = repository.join("README.md");
    trials.push(Trial::test("../../README.md", move || {
        Ok(chapter::look(&readme)?)
    }));
    Ok(trials)
}

/// There is no `sh` to run the commands with.
#[cfg(not(unix))]
fn chapters() -> io::Result<Vec<Trial>> {
    Ok(Vec::new())
}
