//! Shadows by way of a broker.

use serde_json::{Value, json};
use shadow_core::Publication;
use shadow_core::event::DeltaOrigin;
use shadow_core::mqtt::QoS;
use shadow_core::tencent::{Document, Update, VERSION_CONFLICT};
use transport_mock::application::{ApplicationRequest, request_topic};
use transport_mock::cloud::{example_device, example_name};
use transport_tcp::ClientError;

use crate::broker::Broker;
use crate::device::{Device, PRODUCT, write_device_info};
use crate::program::{Running, run};

fn reported(document: &Document) -> Value {
    document.reported_as().unwrap().unwrap_or_default()
}

/// The vendor's document: the cached status, its modification, a counter that goes on while the
/// cache is reset. The example device's shadow begins as it does there.
pub(crate) fn document_scenarios() {
    smol::block_on(async {
        let broker = Broker::start().await;
        let mut service = Running::serve(&broker).await;
        let mut device = Device::start_as(&broker, &example_device());
        let cached = device.ready().await;
        assert_eq!(cached.version(), Some(8));
        let first = json!({"updateCount": 0, "updateCount11": "shadow"});
        assert_eq!(reported(&cached), first);

        let modified = json!({"updateCount": 12, "updateCount12": "shadow"});
        let modified = Update::new().reported(modified);
        device.shadow.update(modified).await.unwrap();
        let document = device.shadow.get().await.unwrap();
        assert_eq!(document.version(), Some(9));
        let all = json!({"updateCount": 12, "updateCount11": "shadow", "updateCount12": "shadow"});
        assert_eq!(reported(&document), all);

        for count in 1..=5 {
            if count == 4 {
                let reset = ApplicationRequest::Reset.to_json("reset").unwrap();
                let topic = request_topic(&example_name());
                let reset = Publication::new(&topic, reset.as_bytes()).qos(QoS::AtLeastOnce);
                device.client.publish(&reset).await.unwrap();
                service
                    .next_where("request", |line| line["payload"]["type"] == "reset")
                    .await;
                let document = device.shadow.get().await.unwrap();
                assert_eq!(reported(&document), first);
            }
            let update = Update::new().reported(json!({"updateCount": count}));
            device.shadow.update(update).await.unwrap();
            let document = device.shadow.get().await.unwrap();
            assert_eq!(reported(&document)["updateCount"], count);
        }

        let stale = Update::new().reported(json!({"updateCount": 6})).version(1);
        let refused = device.shadow.update(stale).await;
        let Err(ClientError::Rejected { code, document }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(code, VERSION_CONFLICT);
        assert_eq!(reported(&document)["updateCount"], 5);
        device.close().await;
    });
}

pub(crate) fn every_command() {
    smol::block_on(async {
        let broker = Broker::start().await;
        let _service = Running::serve(&broker).await;
        let device = write_device_info(broker.directory(), "commands");
        let port = broker.port();
        let place = [
            "--device",
            &device,
            "--no-tls",
            "--host",
            "127.0.0.1",
            "--port",
            &port,
        ];
        let run =
            async |words: &[&str]| run(&[words, &place, &["--output", "json"]].concat()).await;

        assert_eq!(run(&["get"]).await.result()["version"], 0);
        let changed = run(&["report", "power=false", "level=3"]).await.result();
        assert_eq!(changed["version"], 1);
        let mut watch = Running::start(&[&["watch"], &place[..]].concat());
        let ready = watch.next("ready").await;
        assert_eq!(ready["version"], 1);
        let changed = run(&["desire", "power=true"]).await.result();
        assert_eq!(changed["state"]["desired"], json!({"power": true}));
        let delta = watch.next("delta").await;
        assert_eq!(delta["origin"], "pushed");
        assert_eq!(delta["state"], json!({"power": true}));
        assert_eq!(watch.interrupt().await.code, 0);
        let conflict = run(&["desire", "power=false", "--version", "1"]).await;
        conflict.assert_failed(1, &["version conflict"]);
        let document = run(&["get"]).await.result();
        let state = json!({
            "reported": {"level": 3, "power": false},
            "desired": {"power": true},
            "delta": {"power": true},
        });
        assert_eq!(document["state"], state);
        assert_eq!(run(&["clear-desired"]).await.code, 0);
        assert_eq!(run(&["clear-reported"]).await.code, 0);
        let document = run(&["get"]).await.result();
        assert_eq!(document["state"], json!({"reported": {}}));
    });
}

pub(crate) fn change_while_away() {
    smol::block_on(async {
        let broker = Broker::start().await;
        let _service = Running::serve(&broker).await;
        let mut device = Device::start(&broker, "away");
        device.ready().await;
        let report = json!({"power": false});
        let receipt = device.shadow.report(&report).await.unwrap();
        receipt.acknowledged().await.unwrap();
        device.close().await;

        let info = write_device_info(broker.directory(), "away");
        let port = broker.port();
        let desired = run(&[
            "desire",
            "power=true",
            "--device",
            &info,
            "--no-tls",
            "--host",
            "127.0.0.1",
            "--port",
            &port,
        ])
        .await;
        assert_eq!(desired.code, 0, "{desired:#?}");

        let mut device = Device::start(&broker, "away");
        let delta = device.delta().await;
        assert_eq!(delta.origin, DeltaOrigin::Fetched);
        assert_eq!(delta.state.as_str(), r#"{"power":true}"#);
        device.ready().await;
        let receipt = device.shadow.accept(&delta).await.unwrap();
        receipt.acknowledged().await.unwrap();
        let document = device.shadow.get().await.unwrap();
        assert_eq!((document.desired(), document.delta()), (None, None));
        assert_eq!(document.reported(), Some(r#"{"power":true}"#));
        device.close().await;
    });
}

/// Both count their requests from the same seed, so that only the topics tell their replies apart.
pub(crate) fn two_devices_at_once() {
    smol::block_on(async {
        let broker = Broker::start().await;
        let _service = Running::serve(&broker).await;
        let work = async |name: &'static str| {
            let mut device = Device::start(&broker, name);
            device.ready().await;
            for count in 0..25 {
                let report = json!({"count": count, "name": name});
                let receipt = device.shadow.report(&report).await.unwrap();
                receipt.acknowledged().await.unwrap();
                let document = device.shadow.get().await.unwrap();
                assert_eq!(reported(&document), report);
                assert_eq!(document.version(), Some(count + 1));
            }
            device.close().await;
        };
        smol::future::zip(work("one"), work("two")).await;
    });
}

/// A broker sends a retained message again to everyone who subscribes: it must not be carried out
/// again each time the service comes.
pub(crate) fn retained_request() {
    smol::block_on(async {
        let broker = Broker::start().await;
        let device = Device::start(&broker, "sender");
        let topic = format!("$shadow/operation/{PRODUCT}/retained");
        let update = Publication {
            topic: &topic,
            payload: br#"{"type":"update","state":{"reported":{"a":1}},"clientToken":"t"}"#,
            qos: QoS::AtLeastOnce,
            retain: true,
        };
        device.client.publish(&update).await.unwrap();
        let address = format!("127.0.0.1:{}", broker.port);
        let mut service = Running::start(&["serve", "--broker", &address]);
        let ignored = service.next("ignored").await;
        assert_eq!(ignored["topic"], topic);
        let mut other = Device::start(&broker, "retained");
        assert_eq!(other.ready().await.version(), Some(0));
        other.close().await;
    });
}
