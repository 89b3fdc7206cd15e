//! A server that listens, and devices that talk to it.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::certificates::Files;
use crate::command::{run, shadowctl};

/// A running `serve --listen 127.0.0.1:0 --output json`; killed when dropped.
pub(crate) struct Serve {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) port: String,
    pub(crate) listening: Value,
}

impl Serve {
    pub(crate) fn start(arguments: &[&str]) -> Serve {
        let mut child = shadowctl(&["serve", "--listen", "127.0.0.1:0", "--output", "json"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut serve = Serve {
            child,
            lines,
            port: String::new(),
            listening: Value::Null,
        };
        serve.listening = serve.next("listening");
        let address = serve.listening["address"].as_str().unwrap();
        serve.port = address.strip_prefix("127.0.0.1:").unwrap().to_owned();
        serve
    }

    /// The next line of this kind.
    #[track_caller]
    pub(crate) fn next(&mut self, event: &str) -> Value {
        loop {
            let line = self.next_line();
            if line["event"] == event {
                return line;
            }
        }
    }

    /// The next line.
    #[track_caller]
    pub(crate) fn next_line(&mut self) -> Value {
        let line = self.lines.next().unwrap().unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        assert!(line["time"].as_u64() > Some(1_600_000_000_000), "{line}");
        line
    }

    /// Presses Ctrl-C; the exit code.
    pub(crate) fn interrupt(&mut self) -> i32 {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(killed.success());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // Fails only if it has ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn tells_what_devices_and_applications_do() {
    let mut serve = Serve::start(&[]);
    assert_eq!(serve.listening["tls"], false);
    assert_eq!(serve.listening["devices"], json!(["EXAMPLE001/test01"]));
    let port = serve.port.clone();
    let run = |words: &[&str]| {
        let place = ["--host", "127.0.0.1", "--port", &port, "--output", "json"];
        let run = run(&[words, &place].concat());
        assert_eq!(run.code, 0, "{run:#?}");
    };
    run(&["report", "power=false"]);
    let connected = serve.next("connected");
    assert_eq!(connected["client_id"], "EXAMPLE001test01");
    assert_eq!(connected["protocol"], "MQTT 3.1.1");
    let request = serve.next("request");
    assert_eq!(request["from"], "device");
    assert_eq!(request["shadow"], "EXAMPLE001/test01");
    let state = json!({"reported": {"power": false}});
    assert_eq!(request["payload"]["state"], state);
    assert_eq!(serve.next("disconnected")["why"], "sent DISCONNECT");
    run(&["desire", "power=true"]);
    assert_eq!(serve.next("request")["from"], "application");
    let delta = serve.next("delta");
    assert_eq!(delta["version"], 10);
    assert_eq!(delta["state"], json!({"power": true}));
    assert_eq!(serve.interrupt(), 0);
}

#[test]
fn lets_in_known_devices_over_tls_and_nobody_else() {
    let directory = TempDir::new().unwrap();
    let files = Files::write(directory.path());
    let device = |name: &str, secret: &str| {
        let path = directory.path().join(format!("{name}{secret}.json"));
        let text = json!({"auth_mode": "KEY", "productId": "PRODUCT001", "deviceName": name,
            "key_deviceinfo": {"deviceSecret": secret}});
        fs::write(&path, text.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (lamp, door) = (device("lamp", "bGFtcA=="), device("door", "ZG9vcg=="));
    let impostor = device("lamp", "ZG9vcg==");
    let tls = ["--tls-cert", &files.certificate, "--tls-key", &files.key];
    let devices = ["--device", &lamp, "--device", &door];
    let mut serve = Serve::start(&[tls, devices].concat());
    assert_eq!(serve.listening["tls"], true);
    let known = json!(["EXAMPLE001/test01", "PRODUCT001/lamp", "PRODUCT001/door"]);
    assert_eq!(serve.listening["devices"], known);
    let port = serve.port.clone();
    let get = |device: &str| {
        let place = ["--host", "localhost", "--port", &port, "--ca", &files.ca];
        run(&[&["get", "--output", "json", "--device", device], &place[..]].concat())
    };
    for device in [&lamp, &door] {
        let run = get(device);
        assert_eq!(run.code, 0, "{run:#?}");
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(document["version"], 0);
    }
    get(&impostor).assert_failed(3, &["login refused", "secret"]);
    assert_eq!(serve.next("login_refused")["client_id"], "PRODUCT001lamp");
    get(&device("stranger", "bGFtcA==")).assert_failed(3, &["login refused"]);
    assert_eq!(
        serve.next("login_refused")["client_id"],
        "PRODUCT001stranger"
    );

    // No TLS at all.
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let failed = serve.next("connection_failed");
    assert_eq!(failed["peer"], stream.local_addr().unwrap().to_string());
    assert_eq!(get(&lamp).code, 0);
    assert_eq!(serve.interrupt(), 0);
}

#[test]
fn takes_websocket_beside_tcp() {
    let directory = TempDir::new().unwrap();
    let files = Files::write(directory.path());
    let certificate = ["--tls-cert", &files.certificate, "--tls-key", &files.key];
    let ca = ["--tls", "--ca", &files.ca];
    for (serving, asking) in [(&[][..], &[][..]), (&certificate, &ca)] {
        let mut serve = Serve::start(&[&["--websocket", "0"], serving].concat());
        let port = |address: &Value| {
            let (_, port) = address.as_str().unwrap().split_once(':').unwrap();
            port.to_owned()
        };
        let tcp = port(&serve.listening["address"]);
        let websocket = port(&serve.listening["websocket"]);
        let run = |words: &[&str], port: &str| {
            let place = ["--host", "localhost", "--port", port, "--timeout", "20"];
            let run = run(&[words, &place, asking].concat());
            assert_eq!(run.code, 0, "{run:#?}");
        };
        run(&["report", "power=false", "--websocket"], &websocket);
        assert_eq!(serve.next("connected")["client_id"], "EXAMPLE001test01");
        assert_eq!(serve.next("disconnected")["why"], "sent DISCONNECT");
        run(&["report", "power=true"], &tcp);
        assert_eq!(serve.next("connected")["client_id"], "EXAMPLE001test01");

        // Not WebSocket.
        let mut stream = TcpStream::connect(format!("127.0.0.1:{websocket}")).unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let failed = serve.next("connection_failed");
        assert_eq!(failed["peer"], stream.local_addr().unwrap().to_string());
        assert_eq!(serve.interrupt(), 0);
    }
}

#[test]
fn people_are_told_how_to_talk_to_it() {
    let mut child = shadowctl(&["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    let listening = stdout.next().unwrap().unwrap();
    let (_, port) = listening.split_once("listening on 127.0.0.1:").unwrap();
    let (port, _) = port.split_once(' ').unwrap();
    let advice: Vec<String> = stderr.by_ref().take(4).map(Result::unwrap).collect();
    let advice = advice.join("\n");
    let command = format!("shadowctl watch --host 127.0.0.1 --port {port}\n");
    assert!(advice.contains(&command), "{advice}");
    child.kill().unwrap();
    child.wait().unwrap();
}
