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

/// None of the files that are read is a target: no later part that was not named, and no other name
/// of a file.
#[test]
fn no_part_is_overwritten() {
    let directory = TempDir::new().unwrap();
    let first = write(&directory, "r.jsonl", RECORDING);
    let header = r#"{"shadow-recording":1,"engine":"0.1.0","part":2,"mask":["values"]}"#;
    let more = format!("{header}\n{{\"at\":9000000,\"out\":\"close\"}}\n");
    let second = write(&directory, "r.2.jsonl", &more);
    let mut targets = vec![second.clone()];
    if cfg!(unix) {
        let link = directory.path().join("link");
        fs::hard_link(&second, &link).unwrap();
        targets.push(link.to_str().unwrap().to_owned());
    }
    for target in &targets {
        for command in [&["show"][..], &["export", "--to", "trace"], &["shrink"]] {
            let arguments = command.iter().copied().chain([&*first, "-o", target]);
            run(arguments).assert_failed(2, &[target, "would replace what it is made of"]);
            assert_eq!(fs::read_to_string(&second).unwrap(), more);
        }
    }
}

/// What was there is there still, and nothing else is.
#[test]
fn a_page_that_fails_leaves_its_target_as_it_was() {
    let directory = TempDir::new().unwrap();
    let wrong = format!("{RECORDING}{{\"at\":1}}\n");
    let file = write(&directory, "wrong.jsonl", &wrong);
    let page = write(&directory, "page.html", "an older page");
    run(["show", &file, "-o", &page]).assert_failed(4, &["wrong.jsonl:9:7: "]);
    assert_eq!(fs::read_to_string(&page).unwrap(), "an older page");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[cfg(unix)]
#[test]
fn a_link_and_permissions_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let directory = TempDir::new().unwrap();
    let file = write(&directory, "r.jsonl", RECORDING);
    let page = write(&directory, "page.html", "an older page");
    fs::set_permissions(&page, fs::Permissions::from_mode(0o640)).unwrap();
    let link = directory.path().join("link.html");
    symlink(&page, &link).unwrap();
    let drawn = run(["show", &file, "-o", link.to_str().unwrap()]);
    assert_eq!(drawn.code, 0, "{drawn:#?}");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.starts_with("<!doctype html>"));
    let mode = fs::metadata(&page).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    // A device is written to, and stays.
    let drawn = run(["show", &file, "-o", "/dev/null"]);
    assert_eq!(drawn.code, 0, "{drawn:#?}");
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

/// A disk that was full when the second part was begun.
#[test]
fn a_part_that_was_only_begun_does_not_count() {
    let header = r#"{"shadow-recording":1,"engine":"0.1.0","part":2,"mask":["values"]}"#;
    for (begun, told) in [("", "after 0 bytes"), (&header[..20], "after 20 bytes")] {
        let directory = TempDir::new().unwrap();
        let first = write(&directory, "r.jsonl", RECORDING);
        write(&directory, "r.2.jsonl", begun);
        let shown = run(["show", &first]);
        assert_eq!(shown.code, 0, "{shown:#?}");
        assert!(shown.stdout.contains("6 steps in"), "{shown:#?}");
        assert!(shown.stderr.contains(told), "{shown:#?}");
    }
    // Something else is no part that was begun.
    let directory = TempDir::new().unwrap();
    let first = write(&directory, "r.jsonl", RECORDING);
    write(&directory, "r.2.jsonl", "{\"mine\"");
    let shown = run(["show", &first]);
    assert_eq!(shown.code, 4, "{shown:#?}");
    assert!(
        shown
            .stderr
            .contains("r.2.jsonl:1:1: this is not the first line"),
        "{shown:#?}"
    );
}

/// A recording that has ended does not go on in what is left of an older one of its name.
#[test]
fn nothing_follows_an_end() {
    let directory = TempDir::new().unwrap();
    let ended = format!("{RECORDING}{{\"at\":8000000,\"in\":\"end\",\"pending\":true}}\n");
    let first = write(&directory, "r.jsonl", &ended);
    let header = r#"{"shadow-recording":1,"engine":"0.1.0","part":2,"mask":["values"]}"#;
    let more = format!("{header}\n{{\"at\":9000000,\"out\":\"close\"}}\n");
    let second = write(&directory, "r.2.jsonl", &more);
    let shown = run(["show", &first]);
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{shown:#?}");
    assert!(!shown.stdout.contains("-| close"), "{shown:#?}");
    // Named, it is read.
    let shown = run(["show", &first, &second]);
    assert!(shown.stdout.contains("-| close"), "{shown:#?}");
}
