//! The one table of all features.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Failed;
use serde_json::Value;

/// Of a feature: its crate, its name, and `on` or `off` as it is by default.
type Row = (String, String, String);

/// Holds the table of a chapter to the manifests of the workspace.
pub(crate) fn compare(chapter: &Path) -> Result<(), Failed> {
    let (stated, present) = (stated(&std::fs::read_to_string(chapter)?), present()?);
    let missing: Vec<_> = present.difference(&stated).collect();
    let wrong: Vec<_> = stated.difference(&present).collect();
    if missing.is_empty() && wrong.is_empty() {
        return Ok(());
    }
    Err(format!("not in the table: {missing:?}; there, and not so: {wrong:?}").into())
}

/// The rows of the table; the crate is named in its first.
fn stated(chapter: &str) -> BTreeSet<Row> {
    let header = "| crate | feature | default |";
    let table = chapter.lines().skip_while(|line| !line.starts_with(header));
    let mut rows = BTreeSet::new();
    let mut package = String::new();
    for line in table.skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<_> = line
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        if !cells[1].is_empty() {
            cells[1].clone_into(&mut package);
        }
        rows.insert((package.clone(), cells[2].into(), cells[3].into()));
    }
    rows
}

/// The features that the manifests have, but for `default`, of the crates that are published.
fn present() -> Result<BTreeSet<Row>, Failed> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let metadata = [
        "metadata",
        "--no-deps",
        "--format-version=1",
        "--manifest-path",
        manifest,
    ];
    let output = Command::new(env!("CARGO")).args(metadata).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let published = |package: &&Value| package["publish"].is_null();
    let mut rows = BTreeSet::new();
    for package in metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(published)
    {
        let features = package["features"].as_object().ok_or("no features")?;
        let is_default = |name: &str| {
            let by_default = features.get("default").and_then(Value::as_array);
            by_default.is_some_and(|names| names.iter().any(|one| one == name))
        };
        for name in features.keys().filter(|name| *name != "default") {
            let package = package["name"].as_str().ok_or("no name")?;
            let by_default = if is_default(name) { "on" } else { "off" };
            rows.insert((package.into(), name.clone(), by_default.into()));
        }
    }
    Ok(rows)
}
