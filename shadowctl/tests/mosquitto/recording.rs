//! A live session on record.

use std::fs;

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
    });
}
