//! `--session` and `watch --accept`.

use std::fs;
use std::path::Path;

use serde_json::json;
use shadow_core::tencent::DeviceInfo;
use shadow_core::{Config, Engine, Instant, Session};
use transport_mock::cloud::{Cloud, example_name};
use transport_tcp::Clock;

use crate::command::{run, run_at};
use crate::peer::TestCloud;
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
