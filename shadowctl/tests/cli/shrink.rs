//! `shrink`: a recording made smaller, as a user does it.

use std::fs;
use std::path::{Path, PathBuf};

use shadow_core::recording::{Mask, Recorder};
use shadow_core::{Config, Instant, Publication, Session};

use crate::command::run;

/// A client that logs in, publishes 300 messages and asks for one on a wildcard.
fn recording() -> String {
    let (session, mask) = (Session::new(), Mask::default());
    let config = Config::plain("sensor-1");
    let mut engine = Recorder::new(config, session, 7, Instant::ZERO, mask, String::new());
    let drain = |engine: &mut Recorder<String>, now| {
        while engine.poll_transmit(now, &mut Vec::new()).is_some() {}
        while engine.poll_event().is_some() {}
    };
    let mut now = Instant::ZERO;
    engine.handle_tick(now);
    drain(&mut engine, now);
    engine.handle_connected(now);
    drain(&mut engine, now);
    engine.handle_bytes(now, &[0x20, 2, 0, 0]);
    drain(&mut engine, now);
    for number in 0..300 {
        now = Instant::from_millis(number * 100);
        let topic = if number == 170 { "a/#" } else { "a/b" };
        let payload = format!("{{\"number\":{number}}}");
        let publication = Publication::new(topic, payload.as_bytes());
        assert_eq!(engine.publish(now, &publication).is_err(), number == 170);
        drain(&mut engine, now);
    }
    engine.finish().1.unwrap()
}

/// A folder with the recording in it.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.jsonl");
    fs::write(&path, recording()).unwrap();
    (folder, path)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_smallest_recording_is_printed() {
    let (_folder, path) = folder();
    let fails = "packet PUBLISH payload.number == 123";
    let shrunk = run(["shrink", text(&path), "--fails", fails]);
    assert_eq!(shrunk.code, 0, "{shrunk:#?}");
    let inputs = shrunk
        .stdout
        .lines()
        .filter(|line| line.contains(",\"in\":\""));
    // Start, tick, connected, CONNACK and the message.
    assert_eq!(inputs.count(), 5, "{}", shrunk.stdout);
    assert!(shrunk.stdout.contains("\"payload\":{\"number\":123}"));
    assert!(
        shrunk.stderr.contains("from 304 inputs to 4 in "),
        "{}",
        shrunk.stderr
    );
    assert!(!shrunk.stderr.contains("--runs"), "{}", shrunk.stderr);
}

#[test]
fn the_smallest_recording_goes_to_a_file() {
    let (folder, path) = folder();
    let small = folder.path().join("small.jsonl");
    let shrunk = run([
        "shrink",
        text(&path),
        "--fails",
        "refused",
        "-o",
        text(&small),
        "--output",
        "json",
    ]);
    assert_eq!(shrunk.code, 0, "{shrunk:#?}");
    let summary: serde_json::Value = serde_json::from_str(&shrunk.stdout).unwrap();
    assert_eq!(summary["before"], 304);
    assert_eq!(summary["after"], 1);
    assert_eq!(summary["complete"], true);
    let small = fs::read_to_string(small).unwrap();
    assert!(small.contains("\"topic\":\"a/#\""), "{small}");
}

#[test]
fn a_search_that_is_stopped_says_so() {
    let (_folder, path) = folder();
    let shrunk = run(["shrink", text(&path), "--fails", "refused", "--runs", "3"]);
    assert_eq!(shrunk.code, 0, "{shrunk:#?}");
    assert!(shrunk.stderr.contains("stopped by --runs"), "{shrunk:#?}");
}

/// The command is asked for each recording that is tried.
#[cfg(unix)]
#[test]
fn a_command_can_tell_what_fails() {
    let (_folder, path) = folder();
    let ask = |command: &str| run(["shrink", text(&path), "--fails-command", command]);
    let shrunk = ask("! grep -q '\"out\":\"refused\"' {}");
    assert_eq!(shrunk.code, 0, "{shrunk:#?}");
    assert!(shrunk.stderr.contains("inputs to 1 in "), "{shrunk:#?}");
    assert!(shrunk.stdout.contains("\"topic\":\"a/#\""));
    ask("true").assert_failed(1, &["the command does not fail for the recording"]);
    ask("exit 125 #").assert_failed(1, &["the command does not fail for the recording"]);
    ask("no-such-command-here").assert_failed(1, &["cannot run the command", "code 127"]);
    ask("kill -9 $$;").assert_failed(1, &["ended by a signal"]);
    let slow = ["--fails-command", "sleep 30;", "--timeout", "1"];
    run(["shrink", text(&path)].into_iter().chain(slow))
        .assert_failed(1, &["the command does not fail for the recording"]);
}

#[test]
fn what_cannot_be_shrunk_says_why() {
    let (folder, path) = folder();
    run(["shrink", text(&path)]).assert_failed(
        1,
        &["this engine does what was recorded; name a failure with --fails"],
    );
    run(["shrink", text(&path), "--fails", "event Delta"]).assert_failed(
        1,
        &[
            "the condition does not hold for the recording as it is. It has events: Connected 1, \
             Ended 299; outcomes: Published 299; packets: CONNECT 1, PUBLISH 299\n",
        ],
    );
    run(["shrink", text(&path), "--fails", "evnt"]).assert_failed(
        2,
        &["evnt", "--fails", "column 1: there is no condition `evnt`"],
    );
    let other = folder.path().join("other.log");
    fs::write(&other, "hello\n").unwrap();
    run(["shrink", text(&other)])
        .assert_failed(4, &["other.log: line 1", "begins as no recording"]);
    let missing = folder.path().join("missing.jsonl");
    run(["shrink", text(&missing)]).assert_failed(4, &["missing.jsonl", "cannot read it"]);
    run(["shrink"]).assert_failed(2, &["FILE"]);
}
