//! show.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{Run, run};

/// A login that is refused, then a ping and its answer.
const RECORDING: &str = concat!(
    r#"{"shadow-recording":1,"engine":"0.1.0","part":1,"mask":["values"]}"#,
    "\n",
    r#"{"at":5000000,"out":"connect"}"#,
    "\n",
    r#"{"at":5010000,"in":"connected"}"#,
    "\n",
    r#"{"at":5010000,"out":"packet","packet":"CONNECT","version":"MQTT 3.1.1","client_id":"lamp","password":"***","keep_alive":60,"clean_session":true}"#,
    "\n",
    r#"{"at":5050000,"in":"bytes","bytes":" \u0002\u0000\u0005"}"#,
    "\n",
    r#"{"at":5050000,"out":"deadline","due":7550000,"timer":"Reconnect"}"#,
    "\n",
    r#"{"at":7550000,"in":"tick"}"#,
    "\n",
    r#"{"at":7550000,"out":"packet","packet":"PUBLISH","topic":"a\u001b[2J","qos":0,"payload":"x"}"#,
    "\n",
);

fn write(directory: &TempDir, name: &str, content: &str) -> String {
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

fn show(content: &str, arguments: &[&str]) -> Run {
    let directory = TempDir::new().unwrap();
    let file = write(&directory, "r.jsonl", content);
    run(["show", &file].iter().chain(arguments))
}

#[test]
fn session_is_printed_step_by_step() {
    let run = show(RECORDING, &[]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    // What could command a terminal is written as an escape.
    let expected = r"Recorded with engine 0.1.0, secrets and values masked
     1      0.000000 -| connect
     2      0.010000 <| connected  10 ms after 1
     3      0.010000 -> CONNECT as lamp, keep alive 60 s
     4      0.050000 <- CONNACK not authorized  40 ms after 3
                        ! login refused: not authorized
                     : 2.50 s, Reconnect is due at 2.550
     5      2.550000  * Reconnect time to connect
     6      2.550000 -> PUBLISH a\u001b[2J: x
6 steps in 2.55 s; 1 fault; 0 without an answer
";
    assert_eq!(run.stdout, expected);
}

#[test]
fn part_of_a_session_is_printed() {
    let only = show(RECORDING, &["--only", "timer,fault", "--until", "2.55"]);
    assert_eq!(only.code, 0, "{only:#?}");
    let numbers: Vec<&str> = only
        .stdout
        .lines()
        .filter(|line| line.starts_with("     ") && !line.contains("  !") && !line.contains(" : "))
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(numbers, ["4", "5"]);
    let from = show(RECORDING, &["--from", "1", "--output", "json"]);
    let lines: Vec<Value> = from
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{from:#?}");
    assert_eq!(lines[0]["name"], "Reconnect");
    assert_eq!(lines[1]["at_us"], 2_550_000);
    assert_eq!(lines[1]["content"]["text"], "x");
    show(RECORDING, &["--from", "soon"]).assert_failed(2, &["--from", "no number of seconds"]);
    show(RECORDING, &["--until", "-1"])
        .assert_failed(2, &["--until", "no number of seconds from 0"]);
    show(RECORDING, &["--only", "packet"]).assert_failed(2, &["packet", "message"]);
}

#[test]
fn page_is_drawn_into_a_file() {
    let directory = TempDir::new().unwrap();
    let file = write(&directory, "<r>.jsonl", RECORDING);
    let page = directory.path().join("session.html");
    let path = page.to_str().unwrap();
    let run = run(["show", &file, "-o", path]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:#?}");
    assert_eq!(run.stderr, format!("6 steps drawn into {path}\n"));
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.starts_with("<!doctype html>"));
    assert!(html.contains("<h1>&lt;r&gt;.jsonl</h1>"));
    assert!(html.contains("login refused"));
}

/// Parts in order are one session; a torn last line is left out, with a word.
#[test]
fn parts_are_one_session() {
    let directory = TempDir::new().unwrap();
    let first = write(&directory, "1.jsonl", RECORDING);
    let header = r#"{"shadow-recording":1,"engine":"0.1.0","part":2,"mask":["values"]}"#;
    let rest = "{\"at\":9000000,\"out\":\"close\"}\n{\"at\":90";
    let second = write(&directory, "2.jsonl", &format!("{header}\n{rest}"));
    let together = run(["show", &first, &second]);
    assert_eq!(together.code, 0, "{together:#?}");
    assert!(
        together.stdout.contains("     7      4.000000 -| close\n"),
        "{together:#?}"
    );
    assert!(together.stderr.contains("torn off"), "{together:#?}");
    // In the wrong order they are not.
    let swapped = run(["show", &second, &first]);
    assert_eq!(swapped.code, 4, "{swapped:#?}");
    assert!(swapped.stderr.contains("2.jsonl:"), "{swapped:#?}");
}

#[test]
fn what_is_no_recording_is_refused() {
    let directory = TempDir::new().unwrap();
    let missing = directory.path().join("missing.jsonl");
    let missing = missing.to_str().unwrap();
    run(["show", missing]).assert_failed(4, &[missing, "cannot read it"]);
    show("", &[]).assert_failed(4, &["r.jsonl: ", "begins as no recording"]);
    show("2021-07-20 16:44:56,000 DEBUG\n", &[]).assert_failed(4, &["r.jsonl: line 1"]);
    let newer = r#"{"shadow-recording":2,"more":true}"#;
    show(&format!("{newer}\n"), &[]).assert_failed(4, &["r.jsonl:1:1: ", "format 2", "format 1"]);

    // What stands before the wrong line is printed; of a page nothing is left.
    let wrong = format!("{RECORDING}{{\"at\":1}}\n");
    let printed = show(&wrong, &[]);
    assert_eq!(printed.code, 4);
    assert!(printed.stdout.contains("CONNACK"), "{printed:#?}");
    assert!(
        printed
            .stderr
            .contains("r.jsonl:9:7: `at` is not at or after"),
        "{printed:#?}"
    );
    let file = write(&directory, "wrong.jsonl", &wrong);
    let page = directory.path().join("wrong.html");
    let drawn = run(["show", &file, "-o", page.to_str().unwrap()]);
    drawn.assert_failed(4, &["wrong.jsonl:9:7: "]);
    assert!(!page.exists());
}

#[test]
fn recording_is_not_overwritten() {
    let directory = TempDir::new().unwrap();
    let file = write(&directory, "r.jsonl", RECORDING);
    let same = Path::new(&file).parent().unwrap().join("./r.jsonl");
    let run = run(["show", &file, "-o", same.to_str().unwrap()]);
    run.assert_failed(2, &["r.jsonl", "would replace what it is made of"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), RECORDING);
}
