//! The same by TLS.

use serde_json::json;

use crate::authority::Authority;
use crate::broker::Broker;
use crate::device::write_device_info;
use crate::program::{Running, run};

/// The service and the device both by TLS.
pub(crate) fn every_command() {
    smol::block_on(async {
        let broker = Broker::start().await;
        let (port, ca) = (broker.tls_port(), broker.ca());
        let address = format!("localhost:{port}");
        let mut service = Running::start(&["serve", "--broker", &address, "--tls", "--ca", &ca]);
        service.next("online").await;
        let device = write_device_info(broker.directory(), "tls");
        let place = [
            "--device",
            &device,
            "--tls",
            "--ca",
            &ca,
            "--host",
            "localhost",
            "--port",
            &port,
        ];
        let run =
            async |words: &[&str]| run(&[words, &place, &["--output", "json"]].concat()).await;

        assert_eq!(run(&["report", "power=false"]).await.result()["version"], 1);
        let mut watch = Running::start(&[&["watch"], &place[..]].concat());
        watch.next("ready").await;
        assert_eq!(run(&["desire", "power=true"]).await.result()["version"], 2);
        assert_eq!(watch.next("delta").await["state"], json!({"power": true}));
        assert_eq!(watch.interrupt().await.code, 0);
        let state = run(&["get"]).await.result()["state"].clone();
        assert_eq!(state["delta"], json!({"power": true}));
    });
}

pub(crate) fn wrong_authority() {
    smol::block_on(async {
        let broker = Broker::start().await;
        let other = broker.directory().join("other.pem");
        Authority::new().write(&other);
        let (port, other) = (broker.tls_port(), other.to_str().unwrap());
        let device = write_device_info(broker.directory(), "tls");
        let get = run(&[
            "get",
            "--device",
            &device,
            "--tls",
            "--ca",
            other,
            "--host",
            "localhost",
            "--port",
            &port,
            "--timeout",
            "1",
        ])
        .await;
        get.assert_failed(3, &["was not issued by a CA", other]);

        let address = format!("localhost:{port}");
        let mut service = Running::start(&["serve", "--broker", &address, "--tls", "--ca", other]);
        let offline = service.next("offline").await;
        let why = offline["why"].as_str().unwrap();
        assert!(why.contains("was not issued by a CA"), "{why}");
        assert_eq!(service.interrupt().await.code, 0);
    });
}
