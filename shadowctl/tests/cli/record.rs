//! `--record`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use conformance::recording::{Part, Reader, Replay};
use shadow_core::mqtt::{Packet, ProtocolVersion};
use shadow_core::recording::{Header, Input, Mask};
use transport_mock::cloud::{Cloud, EXAMPLE_DEVICE_SECRET, example_name};
use transport_mock::simulation::replay::replay;
use transport_tcp::Clock;
use transport_tcp::recording::part_path;

use crate::command::{Run, run, run_at};
use crate::peer::{Peer, TestCloud};
use crate::watch::Watch;

struct Place {
    directory: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lamp.jsonl");
        Place { directory, path }
    }

    fn name(&self) -> &str {
        self.path.to_str().unwrap()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    /// What was recorded, whole and replayed.
    #[track_caller]
    fn replayed(&self) -> String {
        let text = self.text();
        assert_eq!(replay(&text), Ok(()));
        let part = Part::open(&self.path).unwrap();
        let mut replay = Replay::new(Reader::new(vec![part]).unwrap()).unwrap();
        assert_eq!(replay.run().unwrap(), None);
        assert!(replay.summary().ended);
        text
    }
}

fn desire(cloud: &TestCloud, patch: &str) {
    let now = cloud.clock.now();
    let set = |cloud: &mut Cloud| cloud.set_desired(now, &example_name(), patch, None);
    cloud.cloud.with(set).unwrap();
}

/// That neither the device's secret nor this password is in there, in any form they have.
#[track_caller]
fn assert_no_secret(text: &str, password: &str) {
    // What the base64 stands for.
    let decoded = "not a real secret, only an example";
    let (signature, method) = password.split_once(';').unwrap();
    assert_eq!((signature.len(), method), (64, "hmacsha256"));
    for secret in [EXAMPLE_DEVICE_SECRET, decoded, signature] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// Every command that is a device leaves a recording of which a replay does the same.
#[test]
fn every_device_command_is_recorded() {
    let cloud = TestCloud::example();
    for (command, inside) in [
        (&["get"][..], r#","in":"get","shadow":0"#),
        (
            &["report", "level=1.50"],
            r#","in":"update","shadow":0,"reported":{"level":1.50}"#,
        ),
        (
            &["clear-desired"],
            r#","in":"update","shadow":0,"desired":null"#,
        ),
        (
            &["clear-reported"],
            r#","in":"update","shadow":0,"reported":null"#,
        ),
    ] {
        let place = Place::new();
        let record = ["--record", place.name()];
        let run = run_at(cloud.port(), &[command, &record].concat());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
        let text = place.replayed();
        let header = Header::parse(text.lines().next().unwrap());
        assert_eq!(header, Ok(Header::default()));
        assert!(text.contains(inside), "{text}");
        assert!(text.contains(r#""packet":"CONNECT""#) && text.contains(r#""password":"***""#));
        assert!(text.ends_with("\"in\":\"end\"}\n"), "{text}");
    }
}

/// The secrets are those of a login as it was seen on the wire.
#[test]
fn no_secret_is_recorded() {
    let (peer, logins) = Peer::refusing();
    let place = Place::new();
    let run = run_at(peer.port, &["get", "--record", place.name()]);
    assert_eq!(run.code, 3, "{run:#?}");
    let login = logins.recv().unwrap();
    let Packet::Connect(connect) = Packet::decode(&login, ProtocolVersion::V311).unwrap() else {
        panic!("no CONNECT");
    };
    let password = std::str::from_utf8(connect.password.unwrap()).unwrap();
    let text = place.text();
    assert!(text.contains(connect.user_name.unwrap()), "{text}");
    assert_no_secret(&text, password);
    assert_eq!(replay(&text), Ok(()));

    // Nor where it is masked, logged or a device_info.json is in play.
    let info = place.directory.path().join("device_info.json");
    let content = format!(
        r#"{{"auth_mode":"KEY","productId":"EXAMPLE001","deviceName":"test01",
            "key_deviceinfo":{{"deviceSecret":"{EXAMPLE_DEVICE_SECRET}"}},"region":"china"}}"#
    );
    fs::write(&info, content).unwrap();
    fs::remove_file(&place.path).unwrap();
    let run = run_at(
        peer.port,
        &[
            "get",
            "-vv",
            "--device",
            info.to_str().unwrap(),
            "--no-tls",
            "--record",
            place.name(),
        ],
    );
    assert_eq!(run.code, 3, "{run:#?}");
    let login = logins.recv().unwrap();
    let Packet::Connect(connect) = Packet::decode(&login, ProtocolVersion::V311).unwrap() else {
        panic!("no CONNECT");
    };
    let password = std::str::from_utf8(connect.password.unwrap()).unwrap();
    assert_no_secret(&(place.text() + &run.stderr), password);
}

#[test]
fn a_device_that_watches_and_accepts_is_recorded_beside_its_session() {
    let cloud = TestCloud::example();
    let place = Place::new();
    let session = place.directory.path().join("lamp.session");
    let session = ["--session", session.to_str().unwrap()];
    let mut watch = Watch::start_with(
        cloud.port(),
        &[&["--accept", "--record", place.name()], &session[..]].concat(),
    );
    watch.next("ready");
    desire(&cloud, r#"{"power":true,"text":"\u0001 é"}"#);
    watch.next("accepted");
    let now = cloud.clock.now();
    cloud.cloud.with(|cloud| cloud.disconnect_all(now));
    watch.next("disconnected");
    watch.next("ready");
    assert_eq!(watch.interrupt().0, 0);
    let text = place.replayed();
    for inside in [
        r#","session":null}"#,
        r#""in":"accept","#,
        r#""in":"disconnected","failure":"ClosedByPeer""#,
    ] {
        assert!(text.contains(inside), "{inside} in {text}");
    }

    // The next run begins with the session, which is then in the recording.
    let second = Place::new();
    let run = run_at(
        cloud.port(),
        &[&["get", "--record", second.name()], &session[..]].concat(),
    );
    assert_eq!(run.code, 0, "{run:#?}");
    let text = second.replayed();
    assert!(text.contains(r#","session":{""#), "{text}");
}

/// All lines are there of what was done by then, and whole but for the last.
#[test]
fn a_killed_process_leaves_all_but_its_last_line() {
    for round in 0..5 {
        let cloud = TestCloud::example();
        let place = Place::new();
        let mut watch = Watch::start_with(cloud.port(), &["--accept", "--record", place.name()]);
        watch.next("ready");
        let mut last = 0;
        for count in 0..20 {
            desire(&cloud, &format!(r#"{{"count":{count}}}"#));
            if count % 5 == 0 {
                last = watch.next("delta")["version"].as_u64().unwrap();
            }
        }
        // In the middle of whatever it does.
        watch.kill();
        let text = place.text();
        let told = format!(r#""event":"Delta","shadow":0,"origin":"Pushed","version":{last},"#);
        assert!(text.contains(&told), "round {round}: {told} in {text}");
        assert!(!text.contains(r#""in":"end""#));
        let whole = text.rfind('\n').unwrap() + 1;
        for line in text[..whole].lines().skip(1) {
            assert!(Input::parse(line).is_ok(), "{line}");
        }
        assert_eq!(replay(&text), Ok(()), "round {round}");
    }
}

/// Torn anywhere, the rest is replayed.
#[test]
fn a_torn_recording_replays_up_to_there() {
    let cloud = TestCloud::example();
    let place = Place::new();
    let run = run_at(cloud.port(), &["get", "--record", place.name()]);
    assert_eq!(run.code, 0, "{run:#?}");
    let text = place.replayed();
    let start = text.match_indices('\n').nth(1).unwrap().0 + 1;
    for end in start..text.len() {
        if let Some(torn) = text.get(..end) {
            assert_eq!(replay(torn), Ok(()), "{end}");
        }
    }
    let changed = text.replacen(r#""qos":0,"#, r#""qos":1,"#, 1);
    assert!(replay(&changed).is_err());
}

#[test]
fn a_long_recording_goes_on_in_further_files() {
    let cloud = TestCloud::example();
    let place = Place::new();
    let arguments = ["--accept", "--record", place.name(), "--record-limit", "4K"];
    let mut watch = Watch::start_with(cloud.port(), &arguments);
    watch.next("ready");
    for count in 0..10 {
        desire(&cloud, &format!(r#"{{"count":{count}}}"#));
        watch.next("accepted");
    }
    assert_eq!(watch.interrupt().0, 0);
    let mut whole = String::new();
    let mut parts = Vec::new();
    for part in 1.. {
        let path = part_path(&place.path, part);
        let Ok(text) = fs::read_to_string(&path) else {
            break;
        };
        assert!(text.len() <= 4_096, "part {part}: {}", text.len());
        let (header, lines) = text.split_once('\n').unwrap();
        assert_eq!(Header::parse(header).unwrap().part, part);
        if part == 1 {
            whole = text;
        } else {
            whole += lines;
        }
        parts.push(Part::open(&path).unwrap());
    }
    assert!(parts.len() >= 3, "{}", parts.len());
    assert_eq!(replay(&whole), Ok(()));
    let mut replay = Replay::new(Reader::new(parts).unwrap()).unwrap();
    assert_eq!(replay.run().unwrap(), None);
    assert!(replay.summary().ended);
}

#[test]
fn the_newest_files_are_kept() {
    let cloud = TestCloud::example();
    let place = Place::new();
    let limits = ["--record-limit", "1", "--record-keep", "2"];
    let run = run_at(
        cloud.port(),
        &[&["get", "--record", place.name()], &limits[..]].concat(),
    );
    assert_eq!(run.code, 0, "{run:#?}");
    let mut texts: Vec<String> = fs::read_dir(place.directory.path())
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    texts.sort();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts.iter().all(|text| text.lines().count() == 2));
    assert!(texts.iter().any(|text| text.contains(r#""in":"end""#)));
}

#[test]
fn what_is_there_is_not_overwritten() {
    let place = Place::new();
    fs::write(&place.path, "my only copy").unwrap();
    for command in ["get", "clear-desired", "clear-reported", "watch"] {
        let run = run([command, "--record", place.name()]);
        run.assert_failed(4, &[place.name(), "exists already", "name another file"]);
    }
    let run = run(["report", "a=1", "--record", place.name()]);
    run.assert_failed(4, &[place.name()]);
    assert_eq!(place.text(), "my only copy");
}

#[test]
fn a_recording_needs_a_file_that_can_be_written() {
    let place = Place::new();
    let missing = place.directory.path().join("missing");
    let file = missing.join("lamp.jsonl");
    let failed = run(["get", "--record", file.to_str().unwrap()]);
    failed.assert_failed(4, &[missing.to_str().unwrap(), "No such file or directory"]);
    let directory = place.directory.path().to_str().unwrap();
    run(["get", "--record", directory]).assert_failed(4, &[directory, "not a regular file"]);
    assert_eq!(fs::read_dir(directory).unwrap().count(), 0);
}

#[test]
fn wrong_options_are_usage_errors() {
    run(["get", "--record-mask", "names"]).assert_failed(2, &["--record <FILE>"]);
    run(["get", "--record-keep", "1"]).assert_failed(2, &["--record <FILE>"]);
    let with = |option: &str, value: &str| run(["get", "--record", "x", option, value]);
    with("--record-mask", "keys").assert_failed(2, &["'keys'", "names, values"]);
    with("--record-limit", "64m").assert_failed(2, &["'64m'", "K, M or G"]);
    with("--record-keep", "0").assert_failed(2, &["'0'"]);
    assert!(!Path::new("x").exists());
}

#[test]
fn the_header_says_what_is_masked() {
    let cloud = TestCloud::example();
    let names = Mask::default().names();
    let both = names.values();
    for (masks, mask) in [
        (&["--record-mask", "names"][..], names),
        (&["--record-mask", "values,names"], both),
        (&["--record-mask", "names", "--record-mask", "values"], both),
    ] {
        let place = Place::new();
        let record = ["get", "--record", place.name()];
        let run = run_at(cloud.port(), &[&record, masks].concat());
        assert_eq!(run.code, 0, "{run:#?}");
        let text = place.replayed();
        let header = Header::parse(text.lines().next().unwrap());
        assert_eq!(header.unwrap().mask, mask);
        // The example's device, and what it has reported.
        let device = example_name();
        assert!(!text.contains(device.product_id()), "{text}");
        assert!(!text.contains(device.device_name()), "{text}");
        let value = r#""updateCount11":"shadow""#;
        assert_eq!(text.contains(value), mask == names, "{text}");
    }
}

/// `get` with files of at most 2 KiB, as on a disk that becomes full in the middle of a line.
fn get_with_little_room(cloud: &TestCloud, file: &str) -> Run {
    let script = r#"trap "" XFSZ; ulimit -f 4; exec "$0" "$@""#;
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_shadowctl")])
        .args(["get", "--host", "127.0.0.1", "--record", file])
        .args(["--port", &cloud.port().to_string()])
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_full_disk_ends_the_recording_and_nothing_else() {
    let cloud = TestCloud::example();
    let place = Place::new();
    let run = get_with_little_room(&cloud, place.name());
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(run.stdout.contains("version 8"), "{run:#?}");
    assert_eq!(run.stderr.matches("not_recorded").count(), 1, "{run:#?}");
    assert!(run.stderr.contains(place.name()), "{run:#?}");
    let text = place.text();
    assert_eq!(text.len() % 1_024, 0, "{}", text.len());
    assert!(!text.ends_with('\n') && !text.contains(r#""in":"end""#));
    assert_eq!(replay(&text), Ok(()));
}

#[cfg(target_os = "linux")]
#[test]
fn watch_tells_once_that_it_is_not_recorded() {
    let cloud = TestCloud::example();
    let mut watch = Watch::start_with(cloud.port(), &["--record", "/dev/full"]);
    let why = watch.next("not_recorded")["why"].to_string();
    assert!(why.contains("/dev/full: No space left on device"), "{why}");
    watch.next("ready");
    desire(&cloud, r#"{"power":true}"#);
    watch.next("delta");
    let (code, stderr) = watch.interrupt();
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(stderr.matches("not_recorded").count(), 1, "{stderr}");
}
