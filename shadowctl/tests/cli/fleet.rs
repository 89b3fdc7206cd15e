//! `fleet` over the model; over TCP it is tested with `serve`, and with mosquitto.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::command::{run, shadowctl};

fn fleet(arguments: &[&str]) -> crate::command::Run {
    run([&["fleet"], arguments].concat())
}

#[test]
fn a_fleet_ends_by_itself_with_a_summary() {
    let run = fleet(&[
        "--devices",
        "50",
        "--rate",
        "200",
        "--duration",
        "0.5",
        "--seed",
        "7",
    ]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    for words in [
        "fleet of 50 at the model, seed 7\n",
        "connected      50 of 50 in ",
        "round trips    100 answered, ",
        "latency        p50 ",
        "errors         none\n",
    ] {
        assert!(run.stdout.contains(words), "{run:#?}");
    }
}

#[test]
fn a_summary_is_one_object() {
    let run = fleet(&[
        "--devices",
        "5",
        "--rate",
        "100",
        "--duration",
        "0.2",
        "--output",
        "json",
    ]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    let summary: Value = serde_json::from_str(&run.stdout).unwrap();
    for (key, value) in [
        ("devices", 5),
        ("connected", 5),
        ("answered", 20),
        ("failed", 0),
    ] {
        assert_eq!(summary[key], value, "{summary}");
    }
    assert_eq!(summary["server"], "the model");
    assert!(summary["latency_us"]["p99"].as_u64() >= summary["latency_us"]["p50"].as_u64());
    if cfg!(target_os = "linux") {
        assert!(
            summary["resident_bytes"].as_u64() > Some(1_000_000),
            "{summary}"
        );
    }
}

#[test]
fn several_sizes_are_a_table_of_runs_apart() {
    let sizes = ["--devices", "10,20", "--rate", "50", "--duration", "0.2"];
    let run = fleet(&sizes);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(
        lines[0].starts_with(" devices connected    memory bytes/device"),
        "{run:#?}"
    );
    assert!(lines[1].starts_with("      10        10 "), "{run:#?}");
    assert!(lines[2].starts_with("      20        20 "), "{run:#?}");
    assert_eq!(lines.len(), 3);
    let run = fleet(&[&sizes[..], &["--output", "json"]].concat());
    let rows: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (rows[0]["devices"].as_u64(), rows[1]["devices"].as_u64()),
        (Some(10), Some(20))
    );
}

#[test]
fn what_cannot_be_meant_is_a_usage_error() {
    for (arguments, words) in [
        (&["--devices", "0"][..], "from 1 to 1000000"),
        (&["--devices", "10,1000001"], "from 1 to 1000000"),
        (&["--devices", "ten"], "from 1 to 1000000"),
        (&["--rate", "1000001"], "from 0 to 1000000"),
        (&["--connect-rate", "0"], "from 1 to 1000000"),
        (&["--duration", "0"], "above 0 and up to 86400"),
        (&["--timeout", "90000"], "above 0 and up to 86400"),
        (&["--mix", "put"], "both, get, report"),
        (&["--port", "1883"], "--host"),
        (&["--tls"], "--host"),
        (&["--host", "a", "--ca", "c"], "--tls"),
        (&["--host", "a:1883"], "--port 1883"),
    ] {
        fleet(arguments).assert_failed(2, &[words]);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn more_devices_than_fit_are_refused_with_how_many_do() {
    // Open files or ports: whichever there are fewer of.
    let run = fleet(&["--devices", "1000000", "--host", "127.0.0.1"]);
    run.assert_failed(
        1,
        &[
            "open files: the limit was",
            "1000000 devices need",
            "devices fit",
        ],
    );
}

#[test]
fn nobody_there_is_the_servers_fault() {
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = closed.local_addr().unwrap().port().to_string();
    drop(closed);
    let place = ["--host", "127.0.0.1", "--port", &port, "--timeout", "0.3"];
    let run = fleet(&[&["--devices", "3", "--duration", "0.1"], &place[..]].concat());
    assert_eq!(run.code, 3, "{run:#?}");
    assert!(run.stdout.contains("connection failed"), "{run:#?}");
    assert!(run.stdout.contains("not connected"), "{run:#?}");
    assert!(run.stderr.contains("error: 127.0.0.1:"), "{run:#?}");
}

/// A word a second for who asks for it; nothing is drawn where there is no terminal.
#[test]
fn verbose_tells_how_it_goes() {
    let run = fleet(&["-v", "--devices", "2", "--rate", "10", "--duration", "0.2"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(
        run.stderr.contains("connected 2, round trips/s "),
        "{run:#?}"
    );
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_it_with_the_summary() {
    for (sizes, not_run) in [("30", Value::Null), ("30,40,50", json!([40, 50]))] {
        let (code, stdout) = ended_early(&["--devices", sizes, "--output", "json"]);
        let summary: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(
            (code, &summary["stopped"]),
            (Some(0), &Value::Bool(true)),
            "{stdout}"
        );
        assert_eq!(summary["devices"], 30, "{stdout}");
        assert_eq!(summary["not_run"], not_run, "{stdout}");
    }
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_the_table_with_the_sizes_that_did_not_run() {
    let (code, stdout) = ended_early(&["--devices", "30,40,50"]);
    assert_eq!(code, Some(0), "{stdout}");
    assert_eq!(
        stdout.lines().nth(2),
        Some("ended early, at 30 devices; not run: 40, 50"),
        "{stdout}"
    );
    assert_eq!(stdout.lines().count(), 3, "{stdout}");
}

/// Runs a fleet that would work for ten minutes and tells it to end once it is at work; its code
/// and what it wrote.
#[cfg(unix)]
fn ended_early(arguments: &[&str]) -> (Option<i32>, String) {
    use std::io::Read;
    use std::process::Command;
    let mut child = shadowctl()
        .args(["-v", "fleet", "--rate", "100", "--duration", "600"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first word is that devices connect.
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_exact(&mut [0]).unwrap();
    let id = child.id().to_string();
    // A process of its own for each size is told by this one, as there is no terminal.
    let killed = Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert!(killed.success());
    let mut stdout = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut stdout)
        .unwrap();
    let code = child.wait().unwrap().code();
    drop(stderr);
    (code, stdout)
}
