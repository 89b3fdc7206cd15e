//! `--websocket`: commands by it, and what is said where there is none. Over TLS it is tested with
//! `serve` and with mosquitto.

use crate::command::{run, run_at};
use crate::peer::{Peer, TestCloud};

#[test]
fn commands_go_by_websocket() {
    let cloud = TestCloud::with_websocket();
    for path in ["--websocket", "--websocket=/any/path?a=b"] {
        let run = run_at(cloud.port(), &["get", path]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
        let start = "EXAMPLE001/test01  version 8";
        assert!(run.stdout.starts_with(start), "{run:#?}");
    }
    let run = run_at(cloud.port(), &["report", "power=true", "--websocket"]);
    assert_eq!(run.code, 0, "{run:#?}");
}

#[test]
fn a_web_server_s_refusal_is_told() {
    let web = Peer::answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let place = format!("WebSocket with 127.0.0.1:{}: ", web.port);
    let arguments = ["get", "--websocket=/chat?token=s3cret", "--timeout", "1"];
    let run = run_at(web.port, &arguments);
    run.assert_failed(3, &[&place, "HTTP status 404 Not Found for /chat"]);
    assert!(!run.stderr.contains("s3cret"), "{run:#?}");
}

#[test]
fn a_port_of_plain_mqtt_is_doubted() {
    // It takes the request for a broken packet, and hangs up; as it does with packets in frames.
    let cloud = TestCloud::example();
    let run = run_at(cloud.port(), &["get", "--websocket", "--timeout", "1"]);
    run.assert_failed(3, &["WebSocket with ", "is this its WebSocket port?"]);
    let cloud = TestCloud::with_websocket();
    run_at(cloud.port(), &["get", "--timeout", "1"]).assert_failed(3, &[]);
}

/// RFC 6455, section 3: they are those of HTTP.
#[test]
fn the_default_ports_are_the_web_s() {
    for (tls, port) in [(&[][..], 80), (&["--tls"], 443)] {
        // No such name, or nobody there.
        let get = [
            "get",
            "--host",
            "shadow.invalid",
            "--websocket",
            "--timeout",
            "1",
        ];
        let run = run(get.iter().chain(tls));
        run.assert_failed(3, &[&format!("shadow.invalid:{port}")]);
    }
}
