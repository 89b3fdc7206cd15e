//! The same by WebSocket, plain and over TLS: the frames and the handshake are those of
//! libwebsockets at the other end.

use serde_json::json;

use crate::authority::Authority;
use crate::broker::Broker;
use crate::device::write_device_info;
use crate::program::{Run, Running, run};

/// How to get to a broker by WebSocket.
fn ways(broker: &Broker) -> [Vec<String>; 2] {
    let way = |words: &[&str]| words.iter().map(ToString::to_string).collect();
    let (plain, secure) = (broker.websocket_port, broker.secure_websocket_port);
    [
        way(&["--no-tls", "--port", &plain.to_string()]),
        way(&["--tls", "--ca", &broker.ca(), "--port", &secure.to_string()]),
    ]
}

/// The command of this device by one of the ways.
fn command<'a>(words: &[&'a str], device: &'a str, way: &'a [String]) -> Vec<&'a str> {
    let place = ["--websocket", "--device", device, "--host", "localhost"];
    let way = way.iter().map(String::as_str);
    words.iter().copied().chain(place).chain(way).collect()
}

async fn run_by(words: &[&str], device: &str, way: &[String]) -> Run {
    let words = [words, &["--output", "json"]].concat();
    run(&command(&words, device, way)).await
}

pub(crate) fn every_command() {
    smol::block_on(async {
        let broker = Broker::start().await;
        let _service = Running::serve(&broker).await;
        for (way, name) in ways(&broker).iter().zip(["plain", "secure"]) {
            let device = write_device_info(broker.directory(), name);
            let reported = run_by(&["report", "power=false"], &device, way).await;
            assert_eq!(reported.result()["version"], 1);
            let mut watch = Running::start(&command(&["watch"], &device, way));
            watch.next("ready").await;
            let desired = run_by(&["desire", "power=true"], &device, way).await;
            assert_eq!(desired.result()["version"], 2);
            assert_eq!(watch.next("delta").await["state"], json!({"power": true}));
            assert_eq!(watch.interrupt().await.code, 0);
            let state = run_by(&["get"], &device, way).await.result()["state"].clone();
            assert_eq!(state["delta"], json!({"power": true}));
        }
    });
}

/// Frames of which the length has two bytes, cut by the network and by mosquitto.
pub(crate) fn large_document() {
    smol::block_on(async {
        let broker = Broker::start().await;
        let _service = Running::serve(&broker).await;
        let text = "x".repeat(7_000);
        let pair = format!("text={text}");
        for (way, name) in ways(&broker).iter().zip(["plain", "secure"]) {
            let device = write_device_info(broker.directory(), name);
            run_by(&["report", &pair], &device, way).await.result();
            let state = run_by(&["get"], &device, way).await.result()["state"].clone();
            assert_eq!(state["reported"]["text"], text);
        }
    });
}

pub(crate) fn wrong_authority() {
    smol::block_on(async {
        let broker = Broker::start().await;
        let other = broker.directory().join("other.pem");
        Authority::new().write(&other);
        let other = other.to_str().unwrap().to_owned();
        let [_, mut way] = ways(&broker);
        way[2].clone_from(&other);
        let device = write_device_info(broker.directory(), "lamp");
        let get = run_by(&["get", "--timeout", "1"], &device, &way).await;
        get.assert_failed(3, &["was not issued by a CA", &other]);
    });
}

pub(crate) fn port_of_mqtt() {
    smol::block_on(async {
        let broker = Broker::start().await;
        let [mut way, _] = ways(&broker);
        way[2] = broker.port();
        let device = write_device_info(broker.directory(), "lamp");
        let get = run_by(&["get", "--timeout", "1"], &device, &way).await;
        get.assert_failed(3, &["is this its WebSocket port?"]);
    });
}
