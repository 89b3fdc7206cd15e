//! A broker that goes and comes back.

use serde_json::json;
use shadow_core::Publication;
use shadow_core::event::DeltaOrigin;
use shadow_core::tencent::Update;
use smol::future::zip;
use transport_tcp::ClientError;

use crate::broker::Broker;
use crate::device::{Device, PRODUCT, write_device_info};
use crate::program::{Running, run};
use crate::wait::in_time;

/// The broker dies while a request is on its way. It comes back, and the service with it, and an
/// application changes what is desired before the device is there again: the device must learn of
/// it. The documents outlive the broker.
pub(crate) fn in_the_middle() {
    smol::block_on(async {
        let mut broker = Broker::start().await;
        let mut service = Running::serve(&broker).await;
        let mut device = Device::start(&broker, "restart");
        device.ready().await;
        let first = Update::new().reported(json!({"power": false}));
        let first = device.shadow.update(first).await;
        assert_eq!(first.unwrap().version(), Some(1));

        broker.freeze().await;
        let update = Update::new().reported(json!({"lost": true}));
        let in_flight = device.shadow.update(update);
        let kill = async {
            // It leaves behind the update, so the update has left when this has.
            let topic = format!("{PRODUCT}/restart/after");
            let after = Publication::new(&topic, b"");
            device.client.publish(&after).await.unwrap();
            device.set_reachable(false);
            broker.kill().await;
        };
        let (updated, ()) = in_time("the request's end", zip(in_flight, kill)).await;
        let maybe_applied = true;
        assert_eq!(updated, Err(ClientError::Disconnected { maybe_applied }));
        device.disconnected().await;
        service.next("offline").await;

        broker.start_again().await;
        service.next("online").await;
        let info = write_device_info(broker.directory(), "restart");
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

        device.set_reachable(true);
        let delta = device.delta().await;
        assert_eq!(delta.origin, DeltaOrigin::Fetched);
        assert_eq!(delta.state.as_str(), r#"{"power":true}"#);
        assert_eq!(delta.version, Some(2));
        let document = device.ready().await;
        assert_eq!(document.reported(), Some(r#"{"power":false}"#));
        let obeyed = Update::new()
            .reported(json!({"power": true}))
            .clear_desired();
        let document = device.shadow.update(obeyed).await.unwrap();
        assert_eq!(document.version(), Some(3));
        device.close().await;
        assert_eq!(service.interrupt().await.code, 0);
    });
}
