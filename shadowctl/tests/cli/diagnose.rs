//! diagnose.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{run, shadowctl};

fn fixture(name: &str) -> String {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance/fixtures/");
    format!("{fixtures}{name}")
}

#[test]
fn a_session_that_lost_nothing_ends_with_0() {
    for name in [
        "recorded/python-sdk-delta.pcap",
        "recorded/python-sdk-delta.log",
    ] {
        let run = run(["diagnose", &fixture(name)]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
        let last = run.stdout.lines().last().unwrap();
        assert!(
            last.starts_with("verdict: nothing broken, nothing lost"),
            "{last}"
        );
    }
}

#[test]
fn a_session_that_lost_something_ends_with_1() {
    let run = run(["diagnose", &fixture("recorded/python-sdk-reconnect.pcap")]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stderr.contains("2 findings are grave"), "{run:#?}");
    assert!(run.stdout.contains("lost something:"), "{run:#?}");
}

#[test]
fn kinds_of_files_are_told_apart_by_their_content() {
    let directory = TempDir::new().unwrap();
    let (capture, log) = (directory.path().join("a"), directory.path().join("b"));
    fs::copy(fixture("recorded/python-sdk-delta.pcap"), &capture).unwrap();
    fs::copy(fixture("recorded/python-sdk-delta.log"), &log).unwrap();
    let files = [capture.to_str().unwrap(), log.to_str().unwrap()];
    let arguments = ["diagnose", "--output", "json"];
    let run = run(arguments.into_iter().chain(files));
    assert_eq!((run.code, run.stdout.lines().count()), (0, 2), "{run:#?}");
    for (line, file) in run.stdout.lines().zip(files) {
        let report: Value = serde_json::from_str(line).unwrap();
        assert_eq!(report["files"][0], file);
        assert_eq!(report["counts"]["broke"], 0);
        assert_eq!(report["clients"][0]["id"], "PYSDKCAP01test01");
    }
}

#[test]
fn another_port_has_other_connections() {
    let capture = fixture("recorded/python-sdk-delta.pcap");
    let run = run(["diagnose", "--port", "8883", &capture]);
    assert!(run.stdout.contains("no MQTT packets were seen"), "{run:#?}");
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stderr.contains("no MQTT packets were seen"), "{run:#?}");
}

#[test]
fn what_is_neither_capture_nor_log_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("other.log");
    fs::write(&path, "hello\n").unwrap();
    let path = path.to_str().unwrap();
    run(["diagnose", path]).assert_failed(4, &["other.log: line 1", "expected"]);
    run(["diagnose", "no-such.pcap"]).assert_failed(4, &["no-such.pcap: cannot read it"]);
    run(["diagnose"]).assert_failed(2, &["<FILE>"]);
}

/// The second part begins with a connection that is there already.
#[test]
fn later_parts_of_a_recording_are_read() {
    let (first, second) = (
        fixture("recordings/lamp.jsonl"),
        fixture("recordings/lamp.2.jsonl"),
    );
    let report = |files: &[&str]| {
        let run = run(["diagnose", "--output", "json"]
            .iter()
            .chain(files)
            .copied());
        assert_eq!(run.code, 0, "{run:#?}");
        assert_eq!(run.stdout.lines().count(), 1, "{run:#?}");
        serde_json::from_str::<Value>(&run.stdout).unwrap()
    };
    let (whole, listed) = (report(&[&first]), report(&[&first, &second]));
    assert_eq!(listed["files"].as_array().unwrap().len(), 2);
    for key in ["clients", "connections", "findings", "counts"] {
        assert_eq!(whole[key], listed[key], "{key}");
    }
    let later = report(&[&second]);
    assert_eq!(later["connections"], whole["connections"]);
    let missing = later["findings"].as_array().unwrap().iter();
    let missing = missing.filter(|finding| finding["finding"] == "bytes-missing");
    assert_eq!(missing.count(), 1, "{later:#}");
}

/// Every kind of file, read once, is told apart and judged as it is from a path.
#[cfg(unix)]
#[test]
fn sessions_come_from_a_pipe() {
    for name in [
        "recorded/python-sdk-delta.pcap",
        "recorded/python-sdk-delta.log",
        "recordings/lamp.jsonl",
    ] {
        let path = fixture(name);
        let from_a_file = shadowctl()
            .args(["diagnose", "/dev/stdin"])
            .stdin(File::open(&path).unwrap())
            .output()
            .unwrap();
        let mut cat = Command::new("cat")
            .arg(&path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let through_a_pipe = shadowctl()
            .args(["diagnose", "/dev/stdin"])
            .stdin(cat.stdout.take().unwrap())
            .output()
            .unwrap();
        cat.wait().unwrap();
        assert_eq!(
            through_a_pipe.status.code(),
            Some(0),
            "{name}: {through_a_pipe:?}"
        );
        // Of a recording the parts beside it are no part of what a pipe gives.
        if !name.starts_with("recordings") {
            assert_eq!(through_a_pipe.stdout, from_a_file.stdout, "{name}");
        }
    }
}
