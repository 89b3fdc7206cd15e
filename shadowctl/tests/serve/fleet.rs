//! Fleets over TCP.

use serde_json::Value;
use tempfile::TempDir;

use crate::certificates::Files;
use crate::command::{Run, run};
use crate::listen::Serve;

/// A fleet's object, and how its run ended.
fn fleet(serve: &Serve, arguments: &[&str]) -> (Value, Run) {
    let place = [
        "--host",
        "127.0.0.1",
        "--port",
        &serve.port,
        "--output",
        "json",
    ];
    let run = run(&[&["fleet"], arguments, &place].concat());
    let summary = serde_json::from_str(&run.stdout);
    (
        summary.unwrap_or_else(|error| panic!("{error}: {run:#?}")),
        run,
    )
}

#[test]
fn twenty_devices_do_their_round_trips() {
    let mut serve = Serve::start(&["--fleet", "20", "--quiet"]);
    assert_eq!(serve.listening["fleet"], 20);
    let load = ["--devices", "20", "--rate", "200", "--duration", "0.5"];
    let (summary, run) = fleet(&serve, &load);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(
        run.stderr.contains("open files: the limit was "),
        "{run:#?}"
    );
    assert_eq!(
        (&summary["connected"], &summary["answered"]),
        (&20.into(), &100.into())
    );
    assert_eq!(summary["errors"], Value::Array(Vec::new()), "{summary}");
    assert!(summary["latency_us"]["p50"].as_u64() > Some(0), "{summary}");
    assert_eq!(serve.interrupt(), 0);
}

#[test]
fn devices_that_are_not_let_in_are_counted() {
    let serve = Serve::start(&["--fleet", "15"]);
    let load = [
        "--devices",
        "20",
        "--rate",
        "40",
        "--duration",
        "0.5",
        "--timeout",
        "0.5",
    ];
    let (summary, run) = fleet(&serve, &load);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(
        run.stderr
            .contains("5 devices of 20 did not connect in time"),
        "{run:#?}"
    );
    assert_eq!(summary["connected"], 15, "{summary}");
    // Each device's turn comes once: fifteen are answered, and five wait in vain.
    let counts: Vec<u64> = ["begun", "answered", "failed"]
        .iter()
        .map(|key| summary[*key].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [20, 15, 5], "{summary}");
    let errors = summary["errors"].as_array().unwrap();
    let of = |kind: &str| errors.iter().find(|error| error["kind"] == kind).unwrap();
    assert_eq!(
        (of("login_refused")["count"].as_u64()),
        Some(5),
        "{summary}"
    );
    let example = of("login_refused")["example"].as_str().unwrap();
    assert!(example.starts_with("login refused: "), "{summary}");
    assert_eq!(of("not_connected")["count"], 5, "{summary}");
}

#[test]
fn a_server_that_goes_away_is_counted() {
    let mut serve = Serve::start(&["--fleet", "5"]);
    let port = serve.port.clone();
    let running = std::thread::spawn(move || {
        let place = ["--host", "127.0.0.1", "--port", &port, "--output", "json"];
        let load = [
            "--devices",
            "5",
            "--rate",
            "50",
            "--duration",
            "2",
            "--timeout",
            "0.5",
        ];
        run(&[&["fleet"], &load[..], &place].concat())
    });
    for _ in 0..30 {
        serve.next("request");
    }
    assert_eq!(serve.interrupt(), 0);
    let run = running.join().unwrap();
    assert_eq!(run.code, 1, "{run:#?}");
    let summary: Value = serde_json::from_str(&run.stdout).unwrap();
    let errors = summary["errors"].as_array().unwrap();
    let lost = errors.iter().find(|error| error["kind"] == "disconnected");
    assert_eq!(lost.unwrap()["count"], 5, "{summary}");
    let [begun, answered, failed] =
        ["begun", "answered", "failed"].map(|key| summary[key].as_u64().unwrap());
    assert!(failed > 0 && begun == answered + failed, "{summary}");
}

#[test]
fn quiet_tells_of_trouble_alone() {
    let mut serve = Serve::start(&["--fleet", "2", "--quiet"]);
    let load = [
        "--devices",
        "3",
        "--rate",
        "0",
        "--duration",
        "0.1",
        "--timeout",
        "0.5",
    ];
    let (_, run) = fleet(&serve, &load);
    assert_eq!(run.code, 1, "{run:#?}");
    let line = serve.next_line();
    assert_eq!(line["event"], "login_refused", "{line}");
    assert_eq!(line["client_id"], "EXAMPLEFLTdevice000002");
}

#[test]
fn a_fleet_speaks_tls() {
    let directory = TempDir::new().unwrap();
    let files = Files::write(directory.path());
    let tls = ["--tls-cert", &files.certificate, "--tls-key", &files.key];
    let serve = Serve::start(&[&tls[..], &["--fleet", "5", "--quiet"]].concat());
    let fleet = |ca: &str| {
        let place = [
            "--host",
            "localhost",
            "--port",
            &serve.port,
            "--tls",
            "--ca",
            ca,
        ];
        let load = [
            "--devices",
            "5",
            "--rate",
            "50",
            "--duration",
            "0.4",
            "--timeout",
            "5",
        ];
        run(&[&["fleet", "--output", "json"], &load[..], &place].concat())
    };
    let run = fleet(&files.ca);
    assert_eq!(run.code, 0, "{run:#?}");
    let summary: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (&summary["connected"], &summary["answered"]),
        (&5.into(), &20.into())
    );
}
