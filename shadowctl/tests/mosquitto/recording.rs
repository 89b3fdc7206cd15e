//! A live session on record.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use conformance::recording::{Part, Reader, Replay};
use transport_mock::cloud::EXAMPLE_DEVICE_SECRET;
use transport_mock::simulation::replay::replay;

use crate::broker::Broker;
use crate::program::{Running, run};

/// A device that accepts what it is asked for, over an outage of the broker. The recording replays
/// to the same, line by line.
pub(crate) fn of_an_outage() {
    smol::block_on(async {
        let mut broker = Broker::start().await;
        let mut service = Running::serve(&broker).await;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("lamp.jsonl");
        let port = broker.port();
        let at = ["--host", "127.0.0.1", "--port", &port];
        let record = ["watch", "--accept", "--record", file.to_str().unwrap()];
        let mut device = Running::start(&[&record, &at[..]].concat());
        device.next("ready").await;
        let desire = async |state: &str| {
            let desired = run(&[&["desire", state], &at[..]].concat()).await;
            assert_eq!(desired.code, 0, "{desired:#?}");
        };
        desire("power=true").await;
        device.next("accepted").await;

        broker.kill().await;
        device.next("disconnected").await;
        service.next("offline").await;
        broker.start_again().await;
        service.next("online").await;
        device.next("connected").await;
        device.next("subscribed").await;
        desire("level=7").await;
        let level = |line: &serde_json::Value| line["state"]["level"] == 7;
        device.next_where("accepted", level).await;
        assert_eq!(device.interrupt().await.code, 0);
        assert_eq!(service.interrupt().await.code, 0);

        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(replay(&text), Ok(()));
        let part = Part::open(&file).unwrap();
        let mut replay = Replay::new(Reader::new(vec![part]).unwrap()).unwrap();
        assert_eq!(replay.run().unwrap(), None);
        assert!(replay.summary().ended);
        for inside in [
            r#""in":"disconnected","failure":"#,
            r#""event":"Delta","shadow":0,"origin":"Pushed""#,
            r#""in":"accept","#,
            r#""outcome":"Reported""#,
            r#""password":"***""#,
        ] {
            assert!(text.contains(inside), "no {inside} in {text}");
        }
        let logins = text.matches(r#""packet":"CONNECT""#).count();
        assert!(logins >= 2, "{logins} in {text}");
        assert!(!text.contains(EXAMPLE_DEVICE_SECRET));
        for (command, inside) in [
            (&["replay"][..], ""),
            (&["show"], "SUBACK"),
            (&["export", "--to", "trace"], "-> CONNECT"),
            (&["diagnose"], ""),
        ] {
            let run = run(&[command, &[file.to_str().unwrap()]].concat()).await;
            assert_eq!(run.code, 0, "{command:?}: {run:#?}");
            assert!(run.stdout.contains(inside), "{command:?}: {run:#?}");
        }
        is_dissected(&file).await;
    });
}

/// tshark sees in the exported capture what the recording says was sent and received.
async fn is_dissected(recording: &Path) {
    let capture = recording.with_extension("pcapng");
    let [from, to] = [recording, &capture].map(|path| path.to_str().unwrap());
    let exported = run(&["export", from, "--to", "pcapng", "-o", to]).await;
    assert_eq!(exported.code, 0, "{exported:#?}");
    let tshark = |filter: &str| {
        let fields = ["-T", "fields", "-e", "mqtt.msgtype", "-e", "_ws.expert"];
        let output = Command::new("tshark")
            .args(["-r", to, "-Y", filter])
            .args(fields)
            .output();
        output.map(|output| String::from_utf8(output.stdout).unwrap())
    };
    let Ok(dissected) = tshark("mqtt") else {
        assert!(
            env::var_os("SHADOW_REQUIRE_TSHARK").is_none(),
            "tshark is missing"
        );
        eprintln!("SKIPPED: tshark is missing");
        return;
    };
    let text = fs::read_to_string(recording).unwrap();
    let kinds: Vec<&str> = dissected
        .lines()
        .flat_map(|line| line.split('\t').next().unwrap_or_default().split(','))
        .collect();
    let count = |number: &str| kinds.iter().filter(|kind| **kind == number).count();
    for (number, kind) in [("1", "CONNECT"), ("8", "SUBSCRIBE"), ("14", "DISCONNECT")] {
        let recorded = text.matches(&format!(r#""packet":"{kind}""#)).count();
        assert_eq!(count(number), recorded, "{kind}: {dissected}");
    }
    // CONNACK and SUBACK of each link came from the broker.
    assert_eq!(count("2"), count("1"), "{dissected}");
    assert_eq!(count("9"), count("8"), "{dissected}");
    assert!(count("3") >= 6, "{dissected}");
    assert_eq!(
        tshark("_ws.malformed || mqtt.invalid").ok().as_deref(),
        Some("")
    );
}
