//! What a recording holds does not command the terminal on which it is printed.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use tempfile::TempDir;

use crate::command::shadowctl;

const LAMP: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../conformance/fixtures/recordings/lamp.jsonl"
));

/// Styles that are this program's own; the hostile texts have another one, blinking.
const STYLES: [&str; 9] = ["0", "1", "2", "31", "32", "33", "35", "36", "90"];

/// As a JSON string may hold them: C0 as escapes, all others raw.
const HOSTILE: &str = "\\u001b[5mX\\u0007\\u001b]0;t\\u0007\u{9b}5m\u{7f}\u{202e}\u{2066}";

/// Runs the program as if on a terminal that has colours, and returns what it wrote.
fn coloured(arguments: &[&str], typed: &str) -> (String, String) {
    let mut child = shadowctl()
        .env("CLICOLOR_FORCE", "1")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that has failed already reads nothing.
    drop(stdin.write_all(typed.as_bytes()));
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[track_caller]
fn assert_harmless(text: &str, arguments: &[&str]) {
    let mut plain = text.to_owned();
    for style in STYLES {
        plain = plain.replace(&format!("\u{1b}[{style}m"), "");
    }
    let harmful = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!plain.contains(harmful), "{arguments:?}: {plain:?}");
}

/// Recordings with hostile text wherever there can be some.
fn hostile() -> Vec<String> {
    let (header, rest) = LAMP.split_once('\n').unwrap();
    let (start, inputs) = rest.split_once('\n').unwrap();
    let engine =
        format!("{{\"shadow-recording\":1,\"engine\":\"{HOSTILE}\",\"part\":1,\"mask\":[]}}\n");
    let at = start.split([':', ',']).nth(1).unwrap();
    let topic = HOSTILE
        .replace("\\u001b", "\u{1b}")
        .replace("\\u0007", "\u{7}");
    let length = u8::try_from(topic.len()).unwrap();
    let mut publish = vec![0x30, length + 4, 0, length];
    publish.extend(topic.bytes());
    publish.extend(b"{}");
    let bytes: String = publish
        .iter()
        .map(|byte| format!("\\u{byte:04x}"))
        .collect();
    let raw = HOSTILE.replace("\\u001b", "\u{1b}");
    let lines = [
        format!("{{\"at\":{at},\"out\":\"refused\",\"why\":\"{HOSTILE}\"}}"),
        format!("{{\"at\":{at},\"out\":\"{HOSTILE}\"}}"),
        format!("{{\"at\":{at},\"out\":\"event\",\"event\":\"{HOSTILE}\"}}"),
        format!(
            "{{\"at\":{at},\"out\":\"packet\",\"packet\":\"PUBLISH\",\"topic\":\"{HOSTILE}\",\"qos\":0,\"payload\":{{\"{HOSTILE}\":1}}}}"
        ),
        format!("{{\"at\":{at},\"in\":\"{HOSTILE}\"}}"),
        format!("{{\"at\":{at},\"in\":\"get\",\"{HOSTILE}\":1}}"),
        format!(
            "{{\"at\":{at},\"in\":\"disconnected\",\"failure\":\"Broken\",\"why\":\"{HOSTILE}\"}}"
        ),
        format!("{{\"at\":{at},\"in\":\"subscribe\",\"filter\":\"{HOSTILE}\",\"qos\":0}}"),
        format!(
            "{{\"at\":{at},\"in\":\"connected\"}}\n{{\"at\":{at},\"in\":\"bytes\",\"bytes\":\"{bytes}\"}}"
        ),
        format!("{{\"at\":{at},\"out\":\"{raw}"),
        raw.clone(),
    ];
    let mut recordings: Vec<String> = lines
        .iter()
        .map(|line| format!("{engine}{start}\n{line}\n{inputs}"))
        .collect();
    recordings.extend([
        format!("{engine}{rest}"),
        format!(
            "{header}\n{}\n{inputs}",
            start.replacen("\"config\":{", &format!("\"config\":{{\"{HOSTILE}\":1,"), 1)
        ),
        format!(
            "{}\n{rest}",
            header
                .replacen('[', &format!("[\"{HOSTILE}\","), 1)
                .replace(",]", "]")
        ),
        // Neither: taken for a log.
        format!("{raw}\n"),
        format!("2021-07-20 16:44:57,613.613 [log.py:35] - DEBUG - {raw}\n"),
    ]);
    recordings
}

#[test]
fn no_recorded_text_commands_the_terminal() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("r.jsonl");
    let file = path.to_str().unwrap();
    let target = directory.path().join("target");
    let target = target.to_str().unwrap();
    let mut escaped = 0;
    for recording in hostile() {
        fs::write(&path, &recording).unwrap();
        let commands: [&[&str]; 11] = [
            &["replay", file],
            &["replay", "--output", "json", file],
            &["replay", "--step", file],
            &["replay", "--to-test", file],
            &["replay", "--speed", "real", "--until", "0.01", file],
            &["diagnose", file],
            &["show", file],
            &["show", "--output", "json", file],
            &["export", "--to", "trace", "-o", target, file],
            &["shrink", "--runs", "5", "-o", target, file],
            &["import", file],
        ];
        for arguments in commands {
            let typed = "n 6\ns\nv\nl\nd\nl\n\u{9b}\n/\u{1b}[5m\nn 20\nv\ns\n";
            let (stdout, stderr) = coloured(arguments, typed);
            assert_harmless(&stdout, arguments);
            assert_harmless(&stderr, arguments);
            escaped += usize::from(stdout.contains("\\u001b[5m"));
            escaped += usize::from(stderr.contains("\\u001b[5m"));
        }
    }
    assert!(
        escaped > 30,
        "the hostile texts were printed {escaped} times"
    );
}

#[test]
fn quotations_in_errors_are_cut() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("r.jsonl");
    let (header, rest) = LAMP.split_once('\n').unwrap();
    let (start, _) = rest.split_once('\n').unwrap();
    let at = start.split([':', ',']).nth(1).unwrap();
    let long = "x".repeat(100_000);
    for line in [
        format!("{{\"at\":{at},\"in\":\"{long}\"}}"),
        format!("{{\"at\":{at},\"in\":\"get\",\"{long}\":1}}"),
        format!("{{\"at\":{at},\"out\":\"{long}\"}}"),
        format!("{{\"at\":\"{long}\",\"in\":\"get\"}}"),
    ] {
        fs::write(&path, format!("{header}\n{start}\n{line}\n")).unwrap();
        for command in ["replay", "show", "diagnose"] {
            let (_, stderr) = coloured(&[command, path.to_str().unwrap()], "");
            assert!(stderr.len() < 2_000, "{command}: {} bytes", stderr.len());
        }
    }
}

#[test]
fn a_byte_order_mark_does_not_count() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("r.jsonl");
    let file = path.to_str().unwrap();
    fs::write(&path, format!("\u{feff}{LAMP}")).unwrap();
    for command in ["replay", "show"] {
        let (_, stderr) = coloured(&[command, file], "");
        assert_eq!(stderr, "", "{command}");
    }
}

#[test]
fn an_error_of_the_configuration_tells_one_place() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("r.jsonl");
    let wrong = LAMP.replacen("\"config\":{", "\"config\":{\"strange\":1,", 1);
    fs::write(&path, wrong).unwrap();
    let (_, stderr) = coloured(&["replay", path.to_str().unwrap()], "");
    assert!(stderr.contains("r.jsonl:2:"), "{stderr}");
    assert!(stderr.contains("unknown field `strange`"), "{stderr}");
    assert!(!stderr.contains(" at line "), "{stderr}");
}
