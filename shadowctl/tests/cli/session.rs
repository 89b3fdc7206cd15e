//! `--session` and `watch --accept`.

use std::fs;
use std::path::Path;

use serde_json::json;
use shadow_core::tencent::DeviceInfo;
use shadow_core::{Config, Engine, Instant, Session};
use transport_mock::cloud::{Cloud, example_device, example_name};
use transport_tcp::Clock;

use crate::command::{run, run_at};
use crate::peer::{Peer, TestCloud, closed_port};
use crate::watch::Watch;

fn desire(cloud: &TestCloud, patch: &str) {
    let now = cloud.clock.now();
    let set = |cloud: &mut Cloud| cloud.set_desired(now, &example_name(), patch, None);
    cloud.cloud.with(set).unwrap();
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_device_that_accepts_reports_and_clears() {
    let cloud = TestCloud::example();
    let mut watch = Watch::start_with(cloud.port(), &["--accept"]);
    watch.next("ready");
    desire(&cloud, r#"{"power":true,"level":7}"#);
    let delta = watch.next("delta");
    assert_eq!(delta["redelivered"], false);
    let accepted = watch.next("accepted");
    assert_eq!(accepted["state"], json!({"power": true, "level": 7}));
    let (reported, desired) = cloud.cloud.with(|cloud| {
        let shadow = cloud.shadow(&example_name()).unwrap();
        (
            shadow.reported().to_string(),
            shadow.desired().map(|desired| desired.to_string()),
        )
    });
    let expected = r#"{"level":7,"power":true,"updateCount":0,"updateCount11":"shadow"}"#;
    assert_eq!((reported.as_str(), desired), (expected, None));
    assert_eq!(watch.interrupt().0, 0);
}

/// What was not answered comes again, and is told as that also after the power was cut.
#[test]
fn a_session_knows_what_the_last_run_was_told() {
    let cloud = TestCloud::example();
    let directory = tempfile::tempdir().unwrap();
    let session = directory.path().join("lamp.session");
    let arguments = ["--session", text(&session)];
    let mut watch = Watch::start_with(cloud.port(), &arguments);
    watch.next("ready");
    desire(&cloud, r#"{"power":true}"#);
    assert_eq!(watch.next("delta")["redelivered"], false);
    watch.kill();
    for _ in 0..2 {
        let mut watch = Watch::start_with(cloud.port(), &arguments);
        let delta = watch.next("delta");
        assert_eq!(delta["redelivered"], true, "{delta}");
        watch.kill();
    }
    let run = run_at(cloud.port(), &["get", "--session", text(&session)]);
    assert_eq!(run.code, 0, "{run:#?}");
    // Without the file it is news.
    let mut watch = Watch::start(cloud.port());
    assert_eq!(watch.next("delta")["redelivered"], false);
    watch.kill();
}

/// What was reported without a server, or without an answer, leaves with the next command.
#[test]
fn what_was_reported_without_an_answer_goes_on_with_the_next_command() {
    let silent = Peer::silent();
    let hanging_up = Peer::hanging_up();
    for (port, code) in [(closed_port(), 3), (silent.port, 1), (hanging_up.port, 1)] {
        let directory = tempfile::tempdir().unwrap();
        let session = directory.path().join("lamp.session");
        let arguments = ["--session", text(&session), "--timeout", "0.5"];
        let report = ["report", "level=5", "light.on=true", "updateCount11=null"];
        let run = run_at(port, &[&report[..], &arguments].concat());
        run.assert_failed(code, &[text(&session), "it is kept there", "error: "]);

        let cloud = TestCloud::example();
        let get = ["get", "--output", "json", "--session", text(&session)];
        let run = run_at(cloud.port(), &get);
        assert_eq!(run.code, 0, "{run:#?}");
        let got: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(
            got["state"]["reported"],
            json!({"level": 5, "light": {"on": true}, "updateCount": 0})
        );
        // Once.
        let version = got["version"].clone();
        let run = run_at(cloud.port(), &get);
        let got: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(got["version"], version);
    }
}

/// What the cloud refused would be refused for ever, and what the limits forbid never leaves.
#[test]
fn what_was_refused_is_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let session = directory.path().join("lamp.session");
    let cloud = TestCloud::example();
    let deep = format!("{}1{}", r#"{"a":"#.repeat(20), "}".repeat(20));
    let report = ["report", "--json", &deep, "--session", text(&session)];
    let refused = run_at(cloud.port(), &report);
    refused.assert_failed(1, &["the document has 20 levels"]);
    let offline = run_at(
        closed_port(),
        &[&report[..], &["--timeout", "0.5"]].concat(),
    );
    offline.assert_failed(3, &["error: "]);
    // Each is short enough, but not the document with both.
    let half = |key: &str| format!("{key}={}", "x".repeat(9_000));
    assert_eq!(run_at(cloud.port(), &["report", &half("a")]).code, 0);
    let report = ["report", &half("b"), "--session", text(&session)];
    let rejected = run_at(cloud.port(), &report);
    rejected.assert_failed(1, &["error: refused by the cloud with result"]);
    for run in [refused, offline, rejected] {
        assert!(!run.stderr.contains("kept there"), "{run:#?}");
    }
    let kept = Session::from_bytes(&fs::read(&session).unwrap()).unwrap();
    let engine = Engine::new(Config::new(&example_device()), kept, 1, Instant::ZERO);
    assert_eq!(engine.reported(engine.own_shadow().unwrap()), Some("{}"));
    // Without a file nothing is kept, and nothing is said to be.
    let run = run_at(closed_port(), &["report", "a=1", "--timeout", "0.5"]);
    assert!(!run.stderr.contains("kept"), "{run:#?}");
}

#[test]
fn a_file_that_is_no_session_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("notes.txt");
    fs::write(&file, "my only copy").unwrap();
    let name = fs::canonicalize(&file).unwrap();
    for command in ["get", "clear-desired", "clear-reported", "watch"] {
        let run = run([command, "--session", text(&file)]);
        run.assert_failed(
            4,
            &[text(&name), "not a stored session", "Move the file away"],
        );
    }
    let run = run(["report", "a=1", "--session", text(&file)]);
    run.assert_failed(4, &[text(&name)]);
    assert_eq!(fs::read(&file).unwrap(), b"my only copy");
}

#[test]
fn the_session_of_another_device_is_refused() {
    let lamp = DeviceInfo::with_key("PRODUCT001", "lamp", "c2VjcmV0").unwrap();
    let engine = Engine::new(Config::new(&lamp), Session::new(), 1, Instant::ZERO);
    let stored = engine.session().to_bytes();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lamp.session");
    fs::write(&file, &stored).unwrap();
    let run = run(["get", "--session", text(&file)]);
    run.assert_failed(4, &[text(&file), "PRODUCT001/lamp", "EXAMPLE001/test01"]);
    assert_eq!(fs::read(&file).unwrap(), stored);
}

#[test]
fn a_session_is_one_command_s_at_a_time() {
    let cloud = TestCloud::example();
    let directory = tempfile::tempdir().unwrap();
    let session = directory.path().join("lamp.session");
    let mut watch = Watch::start_with(cloud.port(), &["--session", text(&session)]);
    watch.next("ready");
    let name = fs::canonicalize(&session).unwrap();
    let run = run_at(cloud.port(), &["get", "--session", text(&session)]);
    run.assert_failed(4, &[text(&name), "in use"]);
    assert_eq!(watch.interrupt().0, 0);
}

#[test]
fn a_session_needs_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let session = missing.join("lamp.session");
    let run = run(["get", "--session", text(&session)]);
    run.assert_failed(4, &[text(&missing), "No such file or directory"]);
}
