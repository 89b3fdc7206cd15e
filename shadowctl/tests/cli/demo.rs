//! demo.

use std::process::Stdio;

use serde_json::Value;

use crate::command::{run, shadowctl};

#[test]
fn fast_demo_tells_the_documents_story() {
    let run = run(["demo", "--fast"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    insta::assert_snapshot!(run.stdout);
}

#[test]
fn scripts_get_every_packet_and_check() {
    let run = run(["demo", "--fast", "--output", "json"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    let lines: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |event: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line["event"] == event).collect()
    };
    assert_eq!(of("demonstration").len(), 4);
    assert_eq!(of("check").len(), 10);
    assert!(of("check").iter().all(|check| check["passed"] == true));
    assert!(of("skipped").is_empty());
    // updateCount as the vendor's log prints it: 12, then 1, 2, 3, 4, 5 every three seconds.
    let reports: Vec<(i64, i64)> = of("packet")
        .iter()
        .filter(|packet| packet["sent"] == true)
        .filter_map(|packet| {
            let count = packet["payload"]["state"]["reported"]["updateCount"].as_i64()?;
            Some((packet["at_ms"].as_i64()?, count))
        })
        .collect();
    let expected = [
        (0, 12),
        (0, 1),
        (3_000, 2),
        (6_000, 3),
        (9_000, 4),
        (12_000, 5),
    ];
    assert_eq!(reports, expected);
}

#[test]
fn colour_can_be_asked_for() {
    let mut command = shadowctl();
    let output = command
        .args(["demo", "--fast"])
        .env("CLICOLOR_FORCE", "1")
        .output()
        .unwrap();
    assert!(output.stdout.contains(&0x1b));
}

/// As `| head -1` does.
#[test]
fn reader_that_has_seen_enough_is_no_news() {
    let mut child = shadowctl()
        .args(["demo", "--fast"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stderr, b"");
}
