//! What goes wrong, and what is said about it.

use std::fs;

use shadow_core::tencent::DeviceInfo;
use tempfile::TempDir;
use transport_mock::cloud::{EXAMPLE_DEVICE_NAME, EXAMPLE_PRODUCT_ID, example_name};
use transport_mock::server::{Credentials, KnownDevice, ServerConfig};

use crate::command::{run, run_at};
use crate::peer::{Peer, TestCloud, closed_port};

#[test]
fn unreachable_server_is_named_with_the_reason() {
    let port = closed_port();
    let place = format!("127.0.0.1:{port}");
    for command in ["get", "clear-desired"] {
        let run = run_at(port, &[command, "--timeout", "1"]);
        run.assert_failed(
            3,
            &[
                "trying again in",
                "error: ",
                &place,
                "refused",
                "gave up after 1 s",
            ],
        );
    }
    let run = run_at(port, &["desire", "a=1", "--timeout", "1"]);
    run.assert_failed(3, &["error: ", &place, "refused"]);
    let run = run_at(port, &["demo", "--timeout", "1"]);
    assert_eq!(run.code, 3, "{run:#?}");
    assert!(run.stderr.contains(&place), "{run:#?}");
}

/// A broker of one's own seldom has TLS, which a device has unless it is told not to.
#[test]
fn a_server_that_may_have_no_tls_is_doubted_where_nobody_asked_for_tls() {
    let directory = TempDir::new().unwrap();
    let device = directory.path().join("device_info.json");
    let info = r#"{"auth_mode":"KEY","productId":"EXAMPLE001","deviceName":"test01",
        "key_deviceinfo":{"deviceSecret":"c2VjcmV0"}}"#;
    fs::write(&device, info).unwrap();
    let place = [
        "get",
        "--timeout",
        "0.5",
        "--device",
        device.to_str().unwrap(),
    ];
    let hint = "(TLS is the default with --device; --no-tls for a server without)";
    let port = closed_port();
    run_at(port, &place).assert_failed(3, &["error: ", "refused", hint, "gave up after"]);
    for asked in ["--tls", "--no-tls"] {
        let run = run_at(port, &[&place[..], &[asked]].concat());
        run.assert_failed(3, &["error: ", "refused", "gave up after"]);
        assert!(!run.stderr.contains("is the default"), "{run:#?}");
    }
    let run = run_at(port, &["get", "--timeout", "0.5"]);
    assert!(!run.stderr.contains("is the default"), "{run:#?}");
}

/// An address is taken with brackets as without.
#[test]
fn ipv6_addresses_are_hosts() {
    for host in ["::1", "[::1]"] {
        let port = closed_port().to_string();
        let run = run(["get", "--timeout", "0.1", "--host", host, "--port", &port]);
        run.assert_failed(3, &["error: ", &format!("[::1]:{port}")]);
    }
}

#[test]
fn unknown_host_is_named() {
    let run = run(["get", "--host", "no-such-host.invalid", "--timeout", "0.5"]);
    run.assert_failed(3, &["error: ", "no-such-host.invalid:1883"]);
}

#[test]
fn refused_subscription_is_named() {
    let cloud = TestCloud::with_server(ServerConfig {
        maximum_subscriptions: 0,
        ..ServerConfig::default()
    });
    let run = run_at(cloud.port(), &["get"]);
    run.assert_failed(
        1,
        &["refused the subscription of $shadow/operation/result/EXAMPLE001/test01 (SUBACK 0x80)"],
    );
    let run = run_at(cloud.port(), &["desire", "a=1"]);
    run.assert_failed(
        1,
        &[
            "no application's side over MQTT",
            "SUBACK 0x80",
            "HTTP API and its console",
        ],
    );
}

#[test]
fn server_that_refuses_applications_is_explained() {
    let (product, name) = (EXAMPLE_PRODUCT_ID, EXAMPLE_DEVICE_NAME);
    let device = DeviceInfo::with_certificate(product, name, None, "c".into(), "k".into()).unwrap();
    let cloud = TestCloud::with_server(ServerConfig {
        credentials: Credentials::Devices(vec![KnownDevice::new(device)]),
        ..ServerConfig::default()
    });
    let run = run_at(cloud.port(), &["desire", "a=1"]);
    run.assert_failed(
        1,
        &[
            "no application's side over MQTT (login refused: client identifier rejected)",
            "If `get` is refused as well",
        ],
    );
    let run = run_at(cloud.port(), &["get", "--app"]);
    run.assert_failed(
        1,
        &[
            "no application's side over MQTT",
            "If `get` without --app is refused",
        ],
    );
}

#[test]
fn nobody_behind_the_server_is_told() {
    let peer = Peer::without_service();
    let run = run_at(peer.port, &["get", "--timeout", "1"]);
    run.assert_failed(1, &["no answer in time", "shadow service"]);
    let run = run_at(peer.port, &["desire", "a=1", "--timeout", "1"]);
    run.assert_failed(1, &["no application's side over MQTT (nobody answered"]);
    let peer = Peer::silent();
    let run = run_at(peer.port, &["get", "--timeout", "1"]);
    run.assert_failed(1, &["no answer within 1 s", "shadow service"]);
    let run = run_at(peer.port, &["desire", "a=1", "--timeout", "1"]);
    run.assert_failed(1, &["no application's side over MQTT (nobody answered"]);
}

#[test]
fn server_that_is_no_mqtt_server_is_doubted() {
    let peer = Peer::answering(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let run = run_at(peer.port, &["get", "--timeout", "1"]);
    run.assert_failed(3, &["malformed packet", "is it an MQTT server", "TLS"]);
}

#[test]
fn lost_link_is_told_with_its_cause() {
    let peer = Peer::hanging_up();
    run_at(peer.port, &["report", "a=1"]).assert_failed(
        1,
        &[
            "the server closed the connection",
            "perhaps another client",
            "error: the link was lost before the answer; the cloud may have applied the request",
        ],
    );
}

#[test]
fn what_the_vendors_limits_forbid_is_not_sent() {
    let cloud = TestCloud::example();
    let deep = format!("{}1{}", r#"{"a":"#.repeat(20), "}".repeat(20));
    let run = run_at(cloud.port(), &["report", "--json", &deep]);
    run.assert_failed(1, &["the document has 20 levels, the maximum is 5"]);
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(16 * 1024));
    let run = run_at(cloud.port(), &["report", "--json", &large]);
    run.assert_failed(1, &["the payload has 164", "the maximum is 16384"]);
    let version = cloud
        .cloud
        .with(|c| c.shadow(&example_name()).unwrap().version());
    assert_eq!(version, 8, "as it began");
}

/// The model refuses what only it can know: the size of the whole document.
#[test]
fn refusals_of_the_model_are_put_in_words() {
    let cloud = TestCloud::example();
    let half = |key: &str| format!(r#"{{"{key}":"{}"}}"#, "x".repeat(9_000));
    let run = run_at(cloud.port(), &["report", "--json", &half("a")]);
    assert_eq!(run.code, 0, "{run:?}");
    let run = run_at(cloud.port(), &["report", "--json", &half("b")]);
    run.assert_failed(1, &["result 9001", "too large"]);
}

#[test]
fn wrong_state_is_a_usage_error_and_nothing_is_sent() {
    // Nothing listens there: a command that got as far would end with code 3.
    let port = closed_port();
    for (arguments, words) in [
        (
            &["report", "--json", "[1]"][..],
            &["--json: this is an array", "object"][..],
        ),
        (
            &["report", "--json", "\"a\""],
            &["--json: this is a string"],
        ),
        (&["report", "--json", "7"], &["--json: this is a number"]),
        (&["desire", "--json", "null"], &["--json: this is null"]),
        (
            &["desire", "--json", "{\"a\":}"],
            &["--json: this is not JSON", "line 1 column 6"],
        ),
        (&["report", "a"], &["\"a\"", "KEY=VALUE"]),
        (&["report", "a=1", "a=2"], &["\"a=2\"", "given twice"]),
        (&["desire", "a.b=1", "a=2"], &["\"a=2\"", "given twice"]),
        (&["report"], &["<KEY=VALUE|--json <OBJECT>>"]),
        (&["report", "a=1", "--json", "{}"], &["cannot be used with"]),
        (&["desire", "a=1", "--version", "-1"], &["--version"]),
    ] {
        run_at(port, arguments).assert_failed(2, words);
    }
}

#[test]
fn options_that_contradict_each_other_are_usage_errors() {
    for (arguments, words) in [
        (
            &["get", "--host", "h", "--tls", "--no-tls"][..],
            "'--no-tls'",
        ),
        (&["get", "--port", "1"], "--port says how to reach a server"),
        (&["get", "--tls"], "--tls says how to reach a server"),
        (&["get", "--ca", "f"], "--ca says how to reach a server"),
        (
            &["get", "--websocket"],
            "--websocket says how to reach a server",
        ),
        (
            &["get", "--host", "h", "--websocket=mqtt"],
            "--websocket: \"mqtt\" is no path",
        ),
        (
            &["get", "--host", "ws://h"],
            "--host takes a host alone: leave the ws:// out of \"h\", and see --tls and --websocket",
        ),
        (&["get", "--host", "h", "--ca", "f"], "--ca needs TLS"),
        (&["get", "--host", "h", "--port", "65536"], "65536"),
        (
            &["get", "--host", "h:1883"],
            "--host takes a host alone: write --host h --port 1883",
        ),
        (
            &["get", "--host", "mqtts://h:8883"],
            "--host takes a host alone: leave the mqtts:// out of \"h:8883\"",
        ),
        (&["get", "--host", ""], "--host is empty"),
        (&["get", "--timeout", "0"], "above 0"),
        (&["get", "--timeout", "soon"], "above 0"),
        (&["demo", "--fast", "--host", "h"], "'--host <HOST>'"),
        (&["demo", "--fast", "--websocket"], "'--websocket[=<PATH>]'"),
        (
            &["get", "--host", "a b", "--tls"],
            "neither a DNS name nor an IP address",
        ),
    ] {
        run(arguments).assert_failed(2, &[words]);
    }
}

#[test]
fn certificate_device_needs_tls() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("device_info.json");
    let content = r#"{"auth_mode":"CERT","productId":"A","deviceName":"b",
        "cert_deviceinfo":{"devCertFile":"c.pem","devPrivateKeyFile":"k.pem"}}"#;
    fs::write(&path, content).unwrap();
    let path = path.to_str().unwrap();
    let run = run(["get", "--host", "h", "--no-tls", "--device", path]);
    run.assert_failed(2, &["auth_mode CERT", "--no-tls"]);
}

#[test]
fn log_of_another_form_is_named_with_its_line() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("other.log");
    let good = "2021-07-20 16:44:57,613.613 [log.py:35] - DEBUG - publish success\n";
    fs::write(&path, format!("{good}2021-07-20 16:44:58,1.1 LOUD\n")).unwrap();
    let path = path.to_str().unwrap();
    run(["replay", path]).assert_failed(4, &["other.log: line 2", "expected"]);
    run(["replay", "no-such.log"]).assert_failed(4, &["no-such.log: cannot read it"]);
    run(["replay"]).assert_failed(2, &["<FILE>"]);
}
