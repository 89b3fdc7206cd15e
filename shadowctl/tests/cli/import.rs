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
