//! watch.

use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use transport_mock::cloud::example_name;
use transport_mock::server::{Credentials, Departure, ServerConfig, ServerEvent};
use transport_tcp::Clock;

use crate::command::shadowctl;
use crate::peer::TestCloud;

/// A running `watch --output json`.
pub(crate) struct Watch {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    pub(crate) fn start(port: u16) -> Watch {
        Watch::start_with(port, &[])
    }

    /// With these arguments beside.
    pub(crate) fn start_with(port: u16, arguments: &[&str]) -> Watch {
        let port = port.to_string();
        let mut child = shadowctl()
            .args(["watch", "--host", "127.0.0.1", "--port", &port])
            .args(["--output", "json"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Watch { child, lines }
    }

    /// The next event of this kind.
    #[track_caller]
    pub(crate) fn next(&mut self, event: &str) -> Value {
        loop {
            let line = self.lines.next().unwrap().unwrap();
            let line: Value = serde_json::from_str(&line).unwrap();
            assert!(line["time"].as_u64() > Some(1_600_000_000_000), "{line}");
            if line["event"] == event {
                return line;
            }
        }
    }

    /// Ends it without a word (SIGKILL).
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Presses Ctrl-C; the exit code and stderr.
    pub(crate) fn interrupt(self) -> (i32, String) {
        self.press_ctrl_c();
        self.end()
    }

    pub(crate) fn press_ctrl_c(&self) {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(killed.success());
    }

    /// The exit code and stderr, once it has ended.
    fn end(mut self) -> (i32, String) {
        let mut stderr = String::new();
        let errors = self.child.stderr.take().unwrap();
        BufReader::new(errors).read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap().code().unwrap(), stderr)
    }
}

#[test]
fn deltas_and_connection_states_until_ctrl_c() {
    let cloud = TestCloud::example();
    let now = || cloud.clock.now();
    let desire = |patch: &str| {
        let set = |cloud: &mut transport_mock::cloud::Cloud| {
            cloud.set_desired(now(), &example_name(), patch, None)
        };
        cloud.cloud.with(set).unwrap()
    };
    desire(r#"{"before":1.50}"#);

    let mut watch = Watch::start(cloud.port());
    assert_eq!(watch.next("connected")["session_present"], false);
    let delta = watch.next("delta");
    assert_eq!(delta["origin"], "fetched");
    assert_eq!(delta["version"], 9);
    assert_eq!(delta["state"], json!({"before": 1.50}));
    assert_eq!(watch.next("ready")["document"]["version"], 9);

    desire(r#"{"power":true}"#);
    let delta = watch.next("delta");
    assert_eq!(
        (&delta["origin"], &delta["version"]),
        (&json!("pushed"), &json!(10))
    );
    assert_eq!(delta["state"]["power"], true);

    // The link is lost and made again.
    cloud.cloud.with(|cloud| cloud.disconnect_all(now()));
    let retry_in_ms = watch.next("disconnected")["retry_in_ms"].as_u64();
    assert!(retry_in_ms <= Some(5_000)); // The vendor's floor between two connects.
    watch.next("connected");
    watch.next("ready");

    watch.press_ctrl_c();
    let counted = watch.next("counted");
    assert_eq!(
        (&counted["connects"], &counted["logins"]),
        (&json!(2), &json!(2))
    );
    assert!(counted["bytes_received"].as_u64() > Some(300), "{counted}");
    let (code, stderr) = watch.end();
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("watching EXAMPLE001/test01"), "{stderr}");
    // It could have been another client.
    assert!(
        stderr.contains("the server lets one in at a time"),
        "{stderr}"
    );
    let clean = cloud.await_event(|event| match event {
        ServerEvent::Disconnected { departure, .. } if departure != Departure::Stopped => {
            Some(departure)
        }
        _ => None,
    });
    assert_eq!(clean, Departure::Disconnect);
}

#[test]
fn refused_logins_are_told_each_time_and_tried_again() {
    let cloud = TestCloud::with_server(ServerConfig {
        credentials: Credentials::Devices(Vec::new()),
        ..ServerConfig::default()
    });
    let mut watch = Watch::start(cloud.port());
    for _ in 0..2 {
        let cause = watch.next("disconnected")["cause"].to_string();
        assert!(
            cause.contains("login refused: client identifier rejected"),
            "{cause}"
        );
    }
    assert_eq!(watch.interrupt().0, 0);
}
