//! replay of recordings.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{Run, run, shadowctl};

const LAMP: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../conformance/fixtures/recordings/lamp.jsonl"
);

/// The recording in one file, with `from` replaced by `to` in it once.
fn changed(directory: &Path, from: &str, to: &str) -> String {
    let first = fs::read_to_string(LAMP).unwrap();
    let second = fs::read_to_string(LAMP.replace("lamp.jsonl", "lamp.2.jsonl")).unwrap();
    let (_, second) = second.split_once('\n').unwrap();
    let text = first + second;
    assert!(text.contains(from), "{from}");
    let path = directory.join("changed.jsonl");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs the program with these commands on stdin.
fn walk(commands: &str, arguments: &[&str]) -> Run {
    let mut child = shadowctl()
        .args(["replay", "--step"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(commands.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_recording_replays_the_same_with_all_its_parts() {
    let run = run(["replay", LAMP]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    assert!(run.stdout.starts_with("the same as recorded: "), "{run:#?}");
    assert!(
        run.stdout.contains("  time     231.000000 s in "),
        "{run:#?}"
    );
    let last = run.stdout.lines().last().unwrap();
    assert_eq!(
        last,
        "  replayed 29 inputs, 61 outputs; 2 attempts to connect, 7 exchanges"
    );
}

#[test]
fn the_summary_is_json_for_scripts() {
    let run = run(["replay", "--output", "json", LAMP]);
    let summary: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(summary["same"], true);
    assert_eq!(summary["inputs"], 29);
    assert_eq!(summary["virtual_micros"], 231_000_000);
    assert_eq!(summary["divergence"], Value::Null);
}

#[test]
fn a_difference_is_told_and_ends_with_1() {
    let directory = TempDir::new().unwrap();
    let path = changed(directory.path(), r#""power":false"#, r#""power":0"#);
    let told = run(["replay", &path]);
    assert_eq!(told.code, 1, "{told:#?}");
    let sentence = "the engine sends PUBLISH with another payload: \
                    state.reported.power is 0, was false";
    assert!(
        told.stdout
            .contains(&format!("{path}:22: step 7, at 1.000000s: {sentence}"))
    );
    assert!(
        told.stderr
            .contains(&format!("{path}:22: the replay differs: {sentence}"))
    );

    let run = run(["replay", "--output", "json", &path]);
    let summary: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, &summary["same"]), (1, &Value::Bool(false)));
    let divergence = &summary["divergence"];
    assert_eq!(divergence["line"], 22);
    assert_eq!(
        divergence["differences"][0]["path"],
        "payload.state.reported.power"
    );
}

#[test]
fn it_stops_where_it_is_told_to() {
    let directory = TempDir::new().unwrap();
    let path = changed(directory.path(), r#""retry_in":935666"#, r#""retry_in":1"#);
    assert_eq!(run(["replay", &path]).code, 1);
    // The difference is at 111 s.
    let stopped = run(["replay", "--until", "110.5", &path]);
    assert_eq!(stopped.code, 0, "{stopped:#?}");
}

#[test]
fn in_its_own_time_each_line_is_told_in_words() {
    let arguments = ["replay", "--speed", "real", "--until", "0.15", LAMP];
    let run = run(arguments);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(
        lines[0],
        "     0.000000s line 3, step 1: waits until 0.000000s (Reconnect)"
    );
    assert_eq!(
        lines[6],
        "     0.100000s line 9, step 4: receives CONNACK accepted"
    );
    // What is before is not told.
    let quiet = ["replay", "--speed", "real", "--from", "231", LAMP];
    let run = crate::command::run(quiet);
    assert!(run.stdout.starts_with("   231.000000s line "), "{run:#?}");
}

#[test]
fn a_file_that_is_no_recording_says_where() {
    let directory = TempDir::new().unwrap();
    let path = changed(
        directory.path(),
        r#""in":"connected""#,
        r#""in":"connecte""#,
    );
    run(["replay", &path])
        .assert_failed(4, &[&format!("{path}:7:19: there is no input `connecte`")]);
    let newer = directory.path().join("newer.jsonl");
    fs::write(&newer, "{\"shadow-recording\":2}\n").unwrap();
    let newer = newer.to_str().unwrap();
    run(["replay", newer]).assert_failed(4, &[newer, ":1:1: the recording is in format 2"]);
    run(["replay", "none.jsonl"]).assert_failed(4, &["none.jsonl: cannot read it"]);
}

#[test]
fn options_for_recordings_are_refused_for_others() {
    let log = LAMP.replace("recordings/lamp.jsonl", "documented/3-regular-update.log");
    run(["replay", "--step", &log]).assert_failed(2, &["--step is for recordings"]);
    run(["replay", "--until", "1", &log]).assert_failed(2, &["--until is for recordings"]);
    run(["replay", LAMP, &log]).assert_failed(2, &["this is a log, and the file before is not"]);
}

#[test]
fn a_capture_is_imported() {
    let capture = LAMP.replace("recordings/lamp.jsonl", "recorded/python-sdk-delta.pcap");
    let run = run(["replay", &capture]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    assert!(run.stdout.contains("identical"), "{run:#?}");
}

#[test]
fn a_recording_becomes_a_test() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("lamp.rs");
    let path = path.to_str().unwrap();
    let written = run(["replay", "--to-test", "-o", path, LAMP]);
    assert_eq!(
        (written.code, written.stdout.as_str()),
        (0, ""),
        "{written:#?}"
    );
    let expected = LAMP.replace(
        "fixtures/recordings/lamp.jsonl",
        "tests/recording/generated.rs",
    );
    let expected = fs::read_to_string(expected).unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), expected);
    assert_eq!(run(["replay", "--to-test", LAMP]).stdout, expected);
}

#[test]
fn a_recording_is_walked_through() {
    let commands = "n 3\n\nb\ni\nx\ng 11\n/updateCount\n/\na\nd\nv\ng 5.03\nb 1000\nb\nfly\nq\nn\n";
    let run = walk(commands, &[LAMP]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    let directory = LAMP.trim_end_matches("lamp.jsonl");
    insta::assert_snapshot!(run.stdout.replace(directory, "").trim_end());
}

#[test]
fn the_engine_can_be_looked_at_anywhere() {
    // While a get, an update and a message are under way; waiting for the next link; at the end.
    let run = walk("g 11\nb 8\ns\ng 111\ns\ng 112.1\ns\ng 231\ns\n", &[LAMP]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    let directory = LAMP.trim_end_matches("lamp.jsonl");
    insta::assert_snapshot!(run.stdout.replace(directory, "").trim_end());
}

#[test]
fn a_walk_shows_differences_and_goes_on() {
    let directory = TempDir::new().unwrap();
    let path = changed(directory.path(), r#""retry_in":935666"#, r#""retry_in":1"#);
    let run = walk("d\nn\nn\n", &["--from", "100", "--until", "111.95", &path]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines[1].starts_with("    71.050000s line "), "{run:#?}");
    assert!(lines[2].contains("tells Disconnected"), "{run:#?}");
    assert!(lines[3].starts_with("not as recorded: "), "{run:#?}");
    assert!(
        run.stdout.ends_with("line 60, step 20: ticks\n"),
        "{run:#?}"
    );
}

/// What comes from a pipe is read once.
#[cfg(unix)]
#[test]
fn a_recording_comes_from_a_pipe() {
    let directory = TempDir::new().unwrap();
    let path = changed(directory.path(), "{", "{");
    let piped = |arguments: &[&str]| {
        let mut child = shadowctl()
            .args(["replay", "/dev/stdin"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // It may end without having read all.
        drop(stdin.write_all(&fs::read(&path).unwrap()));
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        Run {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    };
    let replayed = piped(&[]);
    assert_eq!(
        (replayed.code, replayed.stderr.as_str()),
        (0, ""),
        "{replayed:#?}"
    );
    assert!(
        replayed.stdout.contains("replayed 29 inputs, 61 outputs"),
        "{replayed:#?}"
    );
    piped(&["--step"]).assert_failed(2, &["/dev/stdin", "--step", "needs a file"]);
    piped(&["--to-test"]).assert_failed(2, &["/dev/stdin", "--to-test", "needs a file"]);
}

/// Each part is opened when its turn comes.
#[cfg(unix)]
#[test]
fn there_can_be_more_parts_than_open_files() {
    let directory = TempDir::new().unwrap();
    let path = changed(directory.path(), "{", "{");
    let text = fs::read_to_string(&path).unwrap();
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    let first = directory.path().join("lamp.jsonl");
    for (number, line) in (1..).zip(lines) {
        let header = header.replace(r#""part":1"#, &format!(r#""part":{number}"#));
        let name = match number {
            1 => "lamp.jsonl".to_owned(),
            number => format!("lamp.{number}.jsonl"),
        };
        fs::write(directory.path().join(name), format!("{header}\n{line}\n")).unwrap();
    }
    assert!(fs::read_dir(directory.path()).unwrap().count() > 64);
    let limited = std::process::Command::new("sh")
        .args(["-c", r#"ulimit -n 32; exec "$@""#, "sh"])
        .arg(env!("CARGO_BIN_EXE_shadowctl"))
        .arg("replay")
        .arg(&first)
        .output()
        .unwrap();
    let told = String::from_utf8(limited.stdout).unwrap();
    assert!(limited.status.success(), "{told}");
    assert!(told.contains("replayed 29 inputs, 61 outputs"), "{told}");
}
