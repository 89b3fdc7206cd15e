//! What cannot be served, and what is said then.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use tempfile::TempDir;

use crate::certificates::Files;
use crate::command::run;

#[test]
fn port_in_use_is_named() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let words = ["cannot listen on", &address, "something listens there"];
    run(&["serve", "--listen", &address]).assert_failed(1, &words);
    let port = taken.local_addr().unwrap().port().to_string();
    let beside = ["serve", "--listen", "127.0.0.1:0", "--websocket", &port];
    run(&beside).assert_failed(1, &words);
}

#[test]
fn contradictions_are_usage_errors() {
    for (arguments, words) in [
        (&["--listen", "1883"][..], "HOST:PORT"),
        (&["--listen", "127.0.0.1:65536"], "65536"),
        (
            &["--listen", "a:1", "--broker", "b:1"],
            "cannot be used with",
        ),
        (&["--device", "d", "--broker", "b:1"], "cannot be used with"),
        (
            &["--websocket", "1", "--broker", "b:1"],
            "cannot be used with",
        ),
        (&["--websocket", "65536"], "65536"),
        (&["--tls-cert", "c"], "--tls-key"),
        (&["--tls"], "--broker"),
        (&["--broker", "b:1", "--ca", "c"], "--tls"),
        (&["--broker", "b:1", "--password-file", "p"], "--user"),
    ] {
        run(&[&["serve"], arguments].concat()).assert_failed(2, &[words]);
    }
}

#[test]
fn bad_files_are_named() {
    let directory = TempDir::new().unwrap();
    let files = Files::write(directory.path());
    let other = directory.path().join("other");
    fs::create_dir(&other).unwrap();
    let others = Files::write(&other);
    let broken = directory.path().join("broken.pem");
    fs::write(&broken, "-----BEGIN PRIVATE KEY-----\nhush-hush\n").unwrap();
    let (broken, missing) = (broken.to_str().unwrap(), "/no/such/file");
    let tls = |certificate: &str, key: &str, words: &[&str]| {
        let arguments = ["serve", "--listen", "127.0.0.1:0"];
        let tls = ["--tls-cert", certificate, "--tls-key", key];
        let run = run(&[&arguments[..], &tls].concat());
        run.assert_failed(4, words);
        assert!(!run.stderr.contains("hush"), "{run:#?}");
    };
    tls(missing, &files.key, &["cannot read", missing]);
    tls(&files.certificate, missing, &["cannot read", missing]);
    tls(&files.key, &files.key, &["no certificate", &files.key]);
    let key = files.certificate.as_str();
    tls(
        &files.certificate,
        key,
        &["no unencrypted private key", key],
    );
    tls(&files.certificate, broken, &["not a PEM file", broken]);
    let words = ["does not belong", &files.certificate, &others.key];
    tls(&files.certificate, &others.key, &words);

    let device = ["serve", "--listen", "127.0.0.1:0", "--device", broken];
    run(&device).assert_failed(4, &[broken]);
    let twice = directory.path().join("twice.json");
    let info = r#"{"auth_mode":"KEY","productId":"A","deviceName":"b",
        "key_deviceinfo":{"deviceSecret":"c2VjcmV0"}}"#;
    fs::write(&twice, info).unwrap();
    let twice = twice.to_str().unwrap();
    let words = [twice, "A/b is let in already"];
    run(&[&["serve", "--device", twice][..], &["--device", twice]].concat())
        .assert_failed(4, &words);
    let empty = directory.path().join("empty");
    fs::write(&empty, "\n").unwrap();
    let empty = empty.to_str().unwrap();
    for (file, words) in [(missing, "cannot read"), (empty, "no password")] {
        let broker = ["serve", "--broker", "b:1", "--user", "u", "--password-file"];
        run(&[&broker[..], &[file]].concat()).assert_failed(4, &[file, words]);
    }
}
