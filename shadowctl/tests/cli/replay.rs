//! replay.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::command::run;

fn fixture(name: &str) -> String {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance/fixtures/");
    format!("{fixtures}{name}")
}

const EXCERPTS: [&str; 3] = [
    "documented/1-get-cached-status.log",
    "documented/2a-modify-update.log",
    "documented/2b-modify-get.log",
];

const WHOLE: [&str; 3] = [
    "documented/3-regular-update.log",
    "recorded/python-sdk-first-contact.log",
    "recorded/python-sdk-delta.log",
];

#[test]
fn nothing_in_the_given_logs_is_unexplained() {
    for log in EXCERPTS.iter().chain(&WHOLE) {
        let run = run(["replay", &fixture(log)]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{log}: {run:#?}");
        let last = run.stdout.lines().last().unwrap();
        assert!(last.ends_with("; 0 unexplained"), "{log}: {last}");
    }
}

#[test]
fn excerpts_of_one_session_are_replayed_together() {
    let logs = EXCERPTS.map(fixture);
    let printed = run(std::iter::once("replay").chain(logs.iter().map(String::as_str)));
    assert_eq!(
        (printed.code, printed.stderr.as_str()),
        (0, ""),
        "{printed:#?}"
    );

    let arguments = ["replay", "--output", "json"];
    let run = run(arguments.into_iter().chain(logs.iter().map(String::as_str)));
    assert_eq!((run.code, run.stdout.lines().count()), (0, 1));
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["files"].as_array().unwrap().len(), 3);
    assert_eq!(report["counts"]["unexplained"], 0);
    let lines: usize = logs
        .iter()
        .map(|log| fs::read_to_string(log).unwrap().lines().count())
        .sum();
    assert_eq!(report["lines"].as_array().unwrap().len(), lines);
}

#[test]
fn line_that_does_not_follow_is_unexplained() {
    let directory = TempDir::new().unwrap();
    let path: PathBuf = directory.path().join("forged.log");
    let log = fs::read_to_string(fixture("documented/3-regular-update.log")).unwrap();
    // Another size than the update that is printed beside it has.
    let forged = log.replacen("(119 bytes)", "(118 bytes)", 1);
    assert_ne!(forged, log);
    fs::write(&path, forged).unwrap();
    let run = run(["replay", path.to_str().unwrap()]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stdout.contains("UNEXPLAINED"), "{run:#?}");
    assert!(run.stderr.starts_with("error: "), "{run:#?}");
    assert!(run.stderr.contains("unexplained"), "{run:#?}");
}
