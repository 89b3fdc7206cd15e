//! get, report, desire, clear-desired and clear-reported.

use serde_json::{Value, json};
use transport_mock::cloud::{Cloud, example_name};

use crate::command::{Run, run, run_at};
use crate::peer::TestCloud;
use crate::watch::Watch;

fn document(cloud: &TestCloud) -> Value {
    let now = transport_tcp::Clock::now(&cloud.clock);
    let text = cloud
        .cloud
        .with(|cloud| cloud.document(now, &example_name()));
    serde_json::from_str(&text).unwrap()
}

/// The one line of JSON on stdout.
#[track_caller]
fn json_of(run: &Run) -> Value {
    assert_eq!(run.stdout.lines().count(), 1, "{run:#?}");
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn get_prints_the_shadow_for_people() {
    let cloud = TestCloud::example();
    let now = transport_tcp::Clock::now(&cloud.clock);
    let desired = r#"{"light":{"on":true}}"#;
    let set = cloud.cloud.with(|cloud| {
        cloud.set_reported(now, &example_name(), r#"{"id":18446744073709551616}"#, None)
    });
    assert_eq!(set, Ok(9));
    let set = cloud
        .cloud
        .with(|cloud| cloud.set_desired(now, &example_name(), desired, None));
    assert_eq!(set, Ok(10));
    let run = run_at(cloud.port(), &["get"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    let (first, rest) = run.stdout.split_once('\n').unwrap();
    assert!(
        first.starts_with("EXAMPLE001/test01  version 10, of 20"),
        "{first}"
    );
    assert!(first.ends_with(" UTC"), "{first}");
    assert_eq!(
        rest,
        "  reported  id             18446744073709551616\n\
         \x20           updateCount    0\n\
         \x20           updateCount11  \"shadow\"\n\
         \x20 desired   light  {\"on\":true}\n\
         \x20 delta     light  {\"on\":true}\n"
    );
}

#[test]
fn get_prints_the_raw_document_for_scripts() {
    let cloud = TestCloud::example();
    let run = run_at(cloud.port(), &["get", "--output", "json"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    // The document's own, see the vendor's printed log.
    assert_eq!(
        run.stdout,
        "{\"state\":{\"reported\":{\"updateCount\":0,\"updateCount11\":\"shadow\"}},\
         \"timestamp\":1626770626087,\"version\":8}\n"
    );
}

/// The example device stays where it is, as it would not if somebody else logged in as it.
#[test]
fn get_looks_on_as_an_application_beside_the_device() {
    let cloud = TestCloud::example();
    let mut watch = Watch::start(cloud.port());
    watch.next("ready");
    let run = run_at(cloud.port(), &["get", "--app"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    let start = "EXAMPLE001/test01  version 8, of ";
    assert!(run.stdout.starts_with(start), "{run:#?}");
    let rest =
        "\n  reported  updateCount    0\n            updateCount11  \"shadow\"\n  desired   none";
    assert!(run.stdout.contains(rest), "{run:#?}");
    let run = run_at(cloud.port(), &["get", "--app", "--output", "json"]);
    let expected = json!({"reported": {"updateCount": 0, "updateCount11": "shadow"}});
    assert_eq!(json_of(&run)["state"], expected);
    let now = transport_tcp::Clock::now(&cloud.clock);
    let desire = |cloud: &mut Cloud| cloud.set_desired(now, &example_name(), r#"{"a":1}"#, None);
    cloud.cloud.with(desire).unwrap();
    watch.next("delta");
    watch.press_ctrl_c();
    assert_eq!(watch.next("counted")["logins"], 1);
    watch.kill();

    // The control: this one does put it out.
    let mut watch = Watch::start(cloud.port());
    watch.next("ready");
    assert_eq!(run_at(cloud.port(), &["get"]).code, 0);
    watch.next("disconnected");
    watch.kill();
}

/// What the device keeps is no application's.
#[test]
fn an_application_has_no_session_and_no_recording() {
    for option in ["--session", "--record"] {
        run(["get", "--app", option, "f"])
            .assert_failed(2, &["--app", "cannot be used with", option]);
    }
}

#[test]
fn report_merges_and_keeps_every_digit() {
    let cloud = TestCloud::example();
    let pairs = [
        "report",
        "id=18446744073709551616",
        "ratio=0.1000000000000000055",
        "name=50% \"off\"\t😀",
        "light.on=true",
        "updateCount11=null",
    ];
    let run = run_at(cloud.port(), &pairs);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    assert!(
        run.stdout
            .starts_with("reported; the shadow is at version 9; changed: {")
    );
    let now = transport_tcp::Clock::now(&cloud.clock);
    let text = cloud
        .cloud
        .with(|cloud| cloud.document(now, &example_name()));
    for piece in [
        r#""id":18446744073709551616"#,
        r#""ratio":0.1000000000000000055"#,
        r#""name":"50% \"off\"\t😀""#,
        r#""light":{"on":true}"#,
        r#""updateCount":0"#,
    ] {
        assert!(text.contains(piece), "{piece} in {text}");
    }
    assert!(!text.contains("updateCount11"), "{text}");
}

#[test]
fn report_takes_an_object_and_answers_scripts() {
    let cloud = TestCloud::example();
    let run = run_at(
        cloud.port(),
        &[
            "report",
            "--json",
            r#"{"a.b":[1,2.50]}"#,
            "--output",
            "json",
        ],
    );
    assert_eq!(run.code, 0, "{run:#?}");
    let reply = json_of(&run);
    assert_eq!(reply["version"], 9);
    assert_eq!(reply["state"], json!({"reported": {"a.b": [1, 2.50]}}));
    assert!(run.stdout.contains("[1,2.50]"), "{run:#?}");
}

#[test]
fn empty_report_changes_nothing_and_says_so() {
    let cloud = TestCloud::example();
    let run = run_at(cloud.port(), &["report", "--json", "{}"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (
            0,
            "reported; the shadow is at version 8; nothing changed by it\n"
        ),
        "{run:#?}"
    );
}

#[test]
fn value_that_only_looks_like_json_is_a_string_and_told() {
    let cloud = TestCloud::example();
    let run = run_at(cloud.port(), &["report", "a={b"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(run.stderr.contains("so it is sent as a string"), "{run:#?}");
    assert_eq!(document(&cloud)["state"]["reported"]["a"], "{b");
}

#[test]
fn desire_changes_and_both_sides_clear() {
    let cloud = TestCloud::example();
    let run = run_at(cloud.port(), &["desire", "power=true", "--version", "8"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    assert_eq!(
        run.stdout,
        "desired; the shadow is at version 9; changed: {\"desired\":{\"power\":true}}\n"
    );
    assert_eq!(document(&cloud)["state"]["delta"], json!({"power": true}));

    let run = run_at(cloud.port(), &["clear-desired"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(
        run.stdout
            .starts_with("cleared desired; the shadow is at version 10")
    );
    assert_eq!(document(&cloud)["state"].get("desired"), None);

    let run = run_at(cloud.port(), &["clear-reported", "--output", "json"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_eq!(json_of(&run)["version"], 11);
    let state = &document(&cloud)["state"];
    assert!(
        state["reported"]
            .as_object()
            .is_none_or(|map| map.is_empty()),
        "{state}"
    );
}

#[test]
fn version_conflict_says_the_code_and_the_version() {
    let cloud = TestCloud::example();
    let conflict = ["desire", "power=true", "--version", "3"];
    let run = run_at(cloud.port(), &conflict);
    run.assert_failed(
        1,
        &["error: ", "version conflict (result 5005)", "version 8"],
    );

    let run = run_at(
        cloud.port(),
        &[&conflict[..], &["--output", "json"]].concat(),
    );
    assert_eq!(run.code, 1, "{run:#?}");
    let rejection = json_of(&run);
    assert_eq!(rejection["rejected"], 5005);
    assert_eq!(rejection["document"]["version"], 8);
    assert_eq!(document(&cloud)["version"], 8);
}

#[test]
fn without_a_server_a_cloud_is_embedded() {
    let run = run(["get", "--output", "json"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_eq!(json_of(&run)["version"], 8);
    for words in ["a cloud of its own", "shadowctl serve", "--host 127.0.0.1"] {
        assert!(run.stderr.contains(words), "{run:#?}");
    }
}
