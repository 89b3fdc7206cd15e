//! device_info.json, good and bad.

use std::fs;

use tempfile::TempDir;
use transport_mock::cloud::{EXAMPLE_DEVICE_NAME, EXAMPLE_DEVICE_SECRET, EXAMPLE_PRODUCT_ID};

use crate::command::{Run, run};
use crate::peer::{TestCloud, closed_port};

/// Runs `get` with a file of this content, against this port without TLS.
fn get_with(content: &str, port: u16) -> Run {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("device_info.json");
    fs::write(&path, content).unwrap();
    let port = port.to_string();
    let path = path.to_str().unwrap();
    run([
        "get",
        "--no-tls",
        "--host",
        "127.0.0.1",
        "--port",
        &port,
        "--device",
        path,
    ])
}

fn device_info(product: &str, name: &str, secret: &str) -> String {
    format!(
        r#"{{"auth_mode":"KEY","productId":"{product}","deviceName":"{name}","productSecret":"x",
            "key_deviceinfo":{{"deviceSecret":"{secret}"}},"region":"china"}}"#
    )
}

#[test]
fn good_file_logs_in() {
    let cloud = TestCloud::example();
    let content = device_info(
        EXAMPLE_PRODUCT_ID,
        EXAMPLE_DEVICE_NAME,
        EXAMPLE_DEVICE_SECRET,
    );
    // As an editor may write it.
    let run = get_with(&format!("\u{feff}{content}\r\n"), cloud.port());
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(
        run.stdout.starts_with("EXAMPLE001/test01  version 8"),
        "{run:#?}"
    );
}

/// A login is good for an hour, for whoever reads it.
#[test]
fn a_login_without_tls_over_a_network_is_warned_of() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("device_info.json");
    let content = device_info("PRODUCT001", "lamp", "c2VjcmV0");
    fs::write(&path, content).unwrap();
    let device = path.to_str().unwrap();
    let try_for = |host, more: &[&str]| {
        let arguments = ["get", "--timeout", "0.1", "--host", host];
        run(arguments.iter().chain(more)).stderr
    };
    // An address of documentation (RFC 5737): nobody answers.
    let far = "192.0.2.1";
    let warned = try_for(far, &["--no-tls", "--device", device]);
    assert!(
        warned.contains("log in as the device for an hour"),
        "{warned}"
    );
    // The example device's secret is none.
    let example = try_for(far, &["--no-tls"]);
    assert!(!example.contains("log in as"), "{example}");
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let near = try_for(host, &["--no-tls", "--port", "1", "--device", device]);
        assert!(!near.contains("log in as"), "{near}");
    }
}

#[test]
fn bad_files_name_the_file_and_the_field() {
    let secret = "MDEyMzQ1Njc4OWFiY2RlZg==";
    let long_name = "n".repeat(49);
    for (content, words) in [
        (
            String::new(),
            "not JSON: EOF while parsing a value at line 1",
        ),
        ("{\n\"auth_mode\":\"KEY\",,}".into(), "at line 2 column 19"),
        ("[]".into(), "not a JSON object"),
        ("{}".into(), "`auth_mode` is missing"),
        (
            r#"{"auth_mode":"PSK","productId":"A","deviceName":"b"}"#.into(),
            "`auth_mode` is \"PSK\": it has to be \"KEY\" or \"CERT\"",
        ),
        (
            r#"{"auth_mode":"KEY","deviceName":"b"}"#.into(),
            "`productId` is missing",
        ),
        (
            r#"{"auth_mode":"KEY","productId":"A"}"#.into(),
            "`deviceName` is missing",
        ),
        (
            r#"{"auth_mode":"KEY","productId":"A","deviceName":"b"}"#.into(),
            "`key_deviceinfo` is missing",
        ),
        (
            r#"{"auth_mode":"KEY","productId":"A","deviceName":"b","key_deviceinfo":{}}"#.into(),
            "`key_deviceinfo.deviceSecret` is missing",
        ),
        (
            r#"{"auth_mode":"CERT","productId":"A","deviceName":"b","cert_deviceinfo":{}}"#.into(),
            "`cert_deviceinfo.devCertFile` is missing",
        ),
        (
            device_info("A", "b", "not base64!"),
            "`key_deviceinfo.deviceSecret` is not base64",
        ),
        (device_info("ABCDEFGHIJK", "b", secret), "productId"),
        (device_info("A", &long_name, secret), "deviceName"),
    ] {
        let run = get_with(&content, closed_port());
        run.assert_failed(4, &["error: ", "device_info.json: ", words]);
        assert!(!run.stderr.contains(secret), "the secret is told: {run:#?}");
        assert!(
            !run.stderr.contains("not base64!"),
            "the secret is told: {run:#?}"
        );
    }
}

#[test]
fn missing_file_is_named() {
    let run = run(["get", "--device", "no/such/device_info.json"]);
    run.assert_failed(
        4,
        &["no/such/device_info.json: cannot read it: No such file"],
    );
}

#[test]
#[cfg(unix)]
fn file_without_an_end_is_not_read_to_its_end() {
    let run = run(["get", "--device", "/dev/zero"]);
    run.assert_failed(4, &["/dev/zero: it is larger than 1 MiB"]);
}

#[test]
fn file_that_is_no_text_is_no_json() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("device_info.json");
    fs::write(&path, b"\xff\xfe{\0}\0").unwrap();
    let run = run(["get", "--device", path.to_str().unwrap()]);
    run.assert_failed(4, &["device_info.json: not JSON: it is not UTF-8 text"]);
}

#[test]
fn wrong_secret_is_a_refused_login_and_says_what_code_4_means() {
    let cloud = TestCloud::example();
    let wrong = device_info(EXAMPLE_PRODUCT_ID, EXAMPLE_DEVICE_NAME, "d3Jvbmc=");
    let run = get_with(&wrong, cloud.port());
    let place = format!("error: 127.0.0.1:{}: login refused", cloud.port());
    run.assert_failed(3, &[&place, "bad user name or password", "secret", "clock"]);
    assert!(!run.stderr.contains("trying again"), "{run:#?}");
}

#[test]
fn unknown_device_is_a_refused_login() {
    let cloud = TestCloud::example();
    let other = device_info("OTHER00001", "lamp", EXAMPLE_DEVICE_SECRET);
    let run = get_with(&other, cloud.port());
    run.assert_failed(3, &["login refused: client identifier rejected"]);
}
