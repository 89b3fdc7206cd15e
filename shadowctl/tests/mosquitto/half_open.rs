//! A network that goes quiet without a word.

use std::time::Duration;

use serde_json::json;
use shadow_core::{DisconnectCause, Event};
use transport_tcp::{Clock, SystemClock};

use crate::broker::Broker;
use crate::device::Device;
use crate::program::Running;
use crate::proxy::Proxy;

const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// Within one and a half times the keep alive, after which the server would give the device up too
/// [MQTT-3.1.2-24].
pub(crate) fn noticed_in_time_and_mended() {
    smol::block_on(async {
        let broker = Broker::start().await;
        let service = Running::serve(&broker).await;
        let proxy = Proxy::start(broker.port).await;
        let mut device = Device::start_at(proxy.port, "half-open", |config| {
            config.keep_alive = 2;
            config.ping_timeout = Duration::from_millis(500);
            config.connect_timeout = Duration::from_secs(1);
        });
        device.ready().await;
        let clock = SystemClock::new();
        for round in 0..2 {
            proxy.stall();
            let stalled = clock.now();
            let cause = device
                .next("the end of the link", |event| match event {
                    Event::Disconnected { cause, .. } => Some(cause.clone()),
                    _ => None,
                })
                .await;
            let noticed = clock.now().saturating_since(stalled);
            assert_eq!(cause, DisconnectCause::PingTimedOut, "round {round}");
            assert!(noticed <= KEEP_ALIVE * 3 / 2, "noticed after {noticed:?}");
            // Out there it goes on like that for a while.
            device
                .next("a try that leads nowhere", |event| match event {
                    Event::Disconnected { cause, .. } => {
                        assert_eq!(*cause, DisconnectCause::ConnectTimedOut);
                        Some(())
                    }
                    _ => None,
                })
                .await;
            let receipt = device.shadow.report(&json!({"dark": round})).await.unwrap();
            proxy.forward();
            device.ready().await;
            receipt.acknowledged().await.unwrap();
            let document = device.shadow.get().await.unwrap();
            assert_eq!(
                document.reported(),
                Some(format!(r#"{{"dark":{round}}}"#).as_str())
            );
        }
        device.close().await;
        assert_eq!(service.interrupt().await.code, 0);
    });
}
