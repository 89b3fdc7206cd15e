//! export.

use std::fs;
use std::path::PathBuf;

use conformance::capture::{Capture, MQTT_PORT};
use tempfile::TempDir;

use crate::command::{run, run_at, shadowctl};
use crate::peer::TestCloud;

/// A recorded `get`.
struct Recorded {
    directory: TempDir,
    file: String,
}

impl Recorded {
    fn new() -> Recorded {
        let cloud = TestCloud::example();
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("lamp.jsonl");
        let file = file.to_str().unwrap().to_owned();
        let run = run_at(cloud.port(), &["get", "--record", &file]);
        assert_eq!(run.code, 0, "{run:#?}");
        Recorded { directory, file }
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

#[test]
fn a_capture_has_the_bytes_of_the_session() {
    let recorded = Recorded::new();
    let path = recorded.beside("lamp.pcapng");
    let target = path.to_str().unwrap();
    let run = run(["export", &recorded.file, "--to", "pcapng", "-o", target]);
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (0, "", "")
    );
    let written = fs::read(&path).unwrap();
    let capture = Capture::parse(&written, MQTT_PORT).unwrap();
    let [connection] = &capture.connections[..] else {
        panic!("{capture:?}");
    };
    let sent = connection.device_bytes();
    assert_eq!(sent[0], 0x10, "CONNECT comes first");
    assert_eq!(sent[sent.len() - 2..], [0xe0, 0], "DISCONNECT comes last");
    assert_eq!(connection.server_bytes()[..4], [0x20, 2, 0, 0]);
    assert!(connection.gaps.is_empty() && connection.from_start);
    // The masked password.
    let password = [&[0, 3][..], b"***"].concat();
    assert!(sent.windows(5).any(|window| window == password));

    // To a pipe the same bytes go.
    let piped = shadowctl()
        .args(["export", &recorded.file, "--to", "pcapng"])
        .output()
        .unwrap();
    assert!(piped.status.success());
    assert_eq!(piped.stdout, written);
}

#[test]
fn a_trace_is_the_same_for_each_run() {
    let [first, second] = [(); 2].map(|()| {
        let run = run(["export", &Recorded::new().file, "--to", "trace"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        // Real time passed between the steps.
        let steps = run
            .stdout
            .lines()
            .map(|line| line.get(13..).unwrap().to_owned());
        steps.collect::<Vec<_>>()
    });
    assert_eq!(first, second);
    assert!(
        first
            .iter()
            .any(|step| step.contains(r#""clientToken":"t1""#)),
        "{first:#?}"
    );
}

#[test]
fn what_cannot_be_exported_says_so() {
    let recorded = Recorded::new();
    let missing = recorded.beside("missing.jsonl");
    let missing = missing.to_str().unwrap();
    run(["export", missing, "--to", "trace"]).assert_failed(4, &[missing, "No such file"]);
    let target = recorded.beside("nowhere/lamp.pcapng");
    let target = target.to_str().unwrap();
    run(["export", &recorded.file, "--to", "pcapng", "-o", target])
        .assert_failed(1, &[target, "cannot write it"]);
    run([
        "export",
        &recorded.file,
        "--to",
        "trace",
        "-o",
        &recorded.file,
    ])
    .assert_failed(2, &[&recorded.file, "would replace"]);
    run(["export", &recorded.file]).assert_failed(2, &["--to"]);
    let text = fs::read_to_string(&recorded.file).unwrap();
    let broken = recorded.beside("broken.jsonl");
    fs::write(
        &broken,
        text.replacen(r#""packet":"SUBSCRIBE""#, r#""packet":"SUBACK""#, 1),
    )
    .unwrap();
    let broken = broken.to_str().unwrap();
    run(["export", broken, "--to", "pcapng"])
        .assert_failed(4, &[broken, "a device sends no SUBACK"]);
}
