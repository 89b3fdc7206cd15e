//! import.

use std::fs;

use conformance::recording::{Part, Reader, Replay};
use tempfile::TempDir;

use crate::command::run;

fn fixture(name: &str) -> String {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance/fixtures/");
    format!("{fixtures}{name}")
}

#[test]
fn captures_and_logs_become_recordings_that_replay() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("imported.jsonl");
    for name in [
        "recorded/python-sdk-reconnect.pcap",
        "recorded/python-sdk-reconnect.log",
    ] {
        let run = run(["import", &fixture(name), "-o", path.to_str().unwrap()]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
        assert!(run.stdout.contains("options that the client"), "{run:#?}");
        let lines = fs::read_to_string(&path).unwrap();
        let part = Part::of_text("imported.jsonl", &lines);
        let mut replay = Replay::new(Reader::new(vec![part]).unwrap()).unwrap();
        assert!(replay.run().unwrap().is_none(), "{name}");
        assert!(replay.summary().inputs > 20, "{name}");
    }
}

#[test]
fn what_cannot_be_imported_is_refused() {
    let capture = fixture("recorded/python-sdk-delta.pcap");
    run(["import", &capture, &capture]).assert_failed(2, &["by itself"]);
    run(["import", "no-such.pcap"]).assert_failed(4, &["no-such.pcap: cannot read it"]);
    run(["import"]).assert_failed(2, &["<FILE>"]);
}

#[test]
fn what_is_imported_stays() {
    let directory = TempDir::new().unwrap();
    let place = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (capture, keys) = (place("x.pcap"), place("keys"));
    fs::copy(fixture("recorded/python-sdk-delta.pcap"), &capture).unwrap();
    fs::write(&keys, "# no keys\n").unwrap();
    run(["import", &capture, "--key-log", &keys, "-o", &keys])
        .assert_failed(2, &[&keys, "would replace"]);
    assert_eq!(fs::read_to_string(&keys).unwrap(), "# no keys\n");
    let before = fs::read(&capture).unwrap();
    run(["import", &capture, "-o", &capture]).assert_failed(2, &[&capture, "would replace"]);
    assert_eq!(fs::read(&capture).unwrap(), before);
}

/// The capture with the device's first bytes made those of a TLS handshake.
fn like_tls(directory: &TempDir) -> String {
    let mut capture = fs::read(fixture("recorded/python-sdk-delta.pcap")).unwrap();
    let connect = capture.windows(6).position(|six| six == b"MQIsdp").unwrap();
    capture[connect - 5..][..3].copy_from_slice(&[22, 3, 1]);
    let path = directory.path().join("tls.pcap");
    fs::write(&path, capture).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_is_missing_is_no_success() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("cut.pcap");
    let whole = fs::read(fixture("recorded/python-sdk-delta.pcap")).unwrap();
    fs::write(&path, &whole[..3000]).unwrap();
    for command in ["import", "replay"] {
        let run = run([command, path.to_str().unwrap()]);
        assert_eq!(run.code, 1, "{run:#?}");
        let told = "the file ends in the middle of a frame";
        assert!(run.stdout.contains(told), "{run:#?}");
    }
    let delta = fixture("recorded/python-sdk-delta.pcap");
    let run = run(["import", "--port", "8883", &delta]);
    assert_eq!(run.code, 1, "{run:#?}");
    let told = "there is no MQTT connection in the capture";
    assert!(run.stderr.contains(told), "{run:#?}");
}

#[test]
fn encrypted_captures_say_so() {
    let directory = TempDir::new().unwrap();
    let capture = like_tls(&directory);
    let keys = directory.path().join("keys.txt");
    let keys = keys.to_str().unwrap();
    for command in ["import", "replay", "diagnose"] {
        let without = run([command, &capture]);
        assert_eq!(without.code, 1, "{without:#?}");
        for told in [&without.stdout, &without.stderr] {
            assert!(told.contains("TLS"), "{without:#?}");
            assert!(told.contains("--key-log FILE"), "{without:#?}");
        }
        fs::write(
            keys,
            format!("CLIENT_RANDOM {} {}\n", "ab".repeat(32), "cd".repeat(48)),
        )
        .unwrap();
        let wrong = run([command, "--key-log", keys, &capture]);
        assert_eq!(wrong.code, 1, "{wrong:#?}");
        for told in [&wrong.stdout, &wrong.stderr] {
            assert!(
                told.contains("malformed TLS of the device at offset"),
                "{wrong:#?}"
            );
        }
        fs::write(keys, "# nothing\nhello\n").unwrap();
        let none = run([command, "--key-log", keys, &capture]);
        none.assert_failed(4, &["keys.txt: no line of it is a secret of TLS"]);
    }
    run(["show", &capture]).assert_failed(1, &["there is no MQTT session in it, but TLS"]);
}
