//! transport-tcp's driver and client run on tokio too, although they are made with smol.

use std::future::ready;
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};
use shadow_core::{Config, Session};
use smol::Async;
use smol::stream::StreamExt;
use tokio::runtime::Builder;
use transport_mock::cloud::{Cloud, example_device, example_name};
use transport_mock::{SharedCloud, serve};
use transport_tcp::{Clock, NetworkConnector, SystemClock, client};

#[test]
fn the_shipped_driver_runs_on_tokio() {
    let clock = SystemClock::new();
    let wall = clock.wall_time().unwrap();
    let cloud = SharedCloud::new(Cloud::example(clock.now(), wall));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = cloud.clone();
    thread::spawn(move || {
        let listener = Async::new(listener).unwrap();
        let incoming = listener.incoming().map(|stream| ready(stream.ok()));
        smol::block_on(serve(served, incoming, clock, |_event| {}));
    });

    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = Config::new(&example_device());
        let connector = NetworkConnector::tcp("127.0.0.1", port);
        let (client, _events, driver) = client(config, Session::new(), 1, connector, clock);
        let driver = tokio::spawn(driver.run());
        let lamp = client.own_shadow().unwrap();
        let receipt = lamp.report(&json!({"on": true})).await.unwrap();
        receipt.acknowledged().await.unwrap();
        client.close().await;
        driver.await.unwrap();
    });
    let reported = cloud.with(|cloud| {
        cloud
            .shadow(&example_name())
            .unwrap()
            .reported()
            .to_string()
    });
    let reported: Value = serde_json::from_str(&reported).unwrap();
    assert_eq!(reported.get("on"), Some(&json!(true)));
}
