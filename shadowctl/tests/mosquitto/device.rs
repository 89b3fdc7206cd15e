//! A device of a test: the engine and the driver in this process.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shadow_core::tencent::{DeviceInfo, Document, ShadowName};
use shadow_core::{Config, Delta, Event, Session};
use smol::Task;
use smol::net::TcpStream;
use smol::stream::StreamExt;
use transport_tcp::{
    Client, Connector, Events, Notification, Shadow, SystemClock, TcpConnector, client,
};

use crate::broker::Broker;
use crate::wait::in_time;

/// Base64 of `secret of a test`.
pub(crate) const SECRET: &str = "c2VjcmV0IG9mIGEgdGVzdA==";

/// The product of the tests' devices.
pub(crate) const PRODUCT: &str = "MOSQUITTO1";

/// Writes the device_info.json of the device with this name; its path.
pub(crate) fn write_device_info(directory: &Path, name: &str) -> String {
    let path = directory.join(format!("{name}.json"));
    let text = format!(
        r#"{{"auth_mode":"KEY","productId":"{PRODUCT}","deviceName":"{name}","key_deviceinfo":{{"deviceSecret":"{SECRET}"}}}}"#
    );
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A device that is, or tries to be, at a broker.
pub(crate) struct Device {
    pub(crate) client: Client,
    pub(crate) shadow: Shadow,
    events: Events,
    network: Network,
    _driver: Task<Session>,
}

impl Device {
    /// The device with this name, over TCP.
    pub(crate) fn start(broker: &Broker, name: &str) -> Device {
        Device::start_as(
            broker,
            &DeviceInfo::with_key(PRODUCT, name, SECRET).unwrap(),
        )
    }

    /// This device, over TCP.
    pub(crate) fn start_as(broker: &Broker, device: &DeviceInfo) -> Device {
        Device::start_with(broker.port, Config::new(device))
    }

    /// The device with this name at this port of this machine, configured further.
    pub(crate) fn start_at(port: u16, name: &str, configure: impl FnOnce(&mut Config)) -> Device {
        let device = DeviceInfo::with_key(PRODUCT, name, SECRET).unwrap();
        let mut config = Config::new(&device);
        configure(&mut config);
        Device::start_with(port, config)
    }

    /// The device with this name, without user name and password.
    pub(crate) fn start_anonymous(broker: &Broker, name: &str) -> Device {
        let mut config = Config::plain(name);
        config.own_shadow = Some(ShadowName::new(PRODUCT, name).unwrap());
        Device::start_with(broker.port, config)
    }

    fn start_with(port: u16, mut config: Config) -> Device {
        let network = Network {
            tcp: TcpConnector::new("127.0.0.1", port),
            reachable: Arc::new(AtomicBool::new(true)),
        };
        in_haste(&mut config);
        let seed = 1;
        let (client, events, driver) = client(
            config,
            Session::new(),
            seed,
            network.clone(),
            SystemClock::new(),
        );
        Device {
            shadow: client.own_shadow().unwrap(),
            client,
            events,
            network,
            _driver: smol::spawn(driver.run()),
        }
    }

    /// Whether it finds its broker when it connects next. A connection that is there stays.
    pub(crate) fn set_reachable(&self, reachable: bool) {
        self.network.reachable.store(reachable, Ordering::Relaxed);
    }

    /// The first event for which `wanted` gives something. What would be somebody else's, or
    /// nobody's, must not come before it.
    pub(crate) async fn next<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(&Event) -> Option<T>,
    ) -> T {
        in_time(what, async {
            loop {
                let event = match self.events.next().await {
                    Some(Notification::Event(event)) => event,
                    other => panic!("{other:?}"),
                };
                if let Some(found) = wanted(&event) {
                    return found;
                }
                assert!(!is_astray(&event), "{event:?}");
            }
        })
        .await
    }

    /// The document that the get after a subscription brings.
    pub(crate) async fn ready(&mut self) -> Document {
        self.next("the first get's reply", |event| match event {
            Event::Ready { document, .. } => Some(document.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn delta(&mut self) -> Delta {
        self.next("a delta", |event| match event {
            Event::Delta(delta) => Some(delta.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn connected(&mut self) {
        self.next("a link", |event| {
            matches!(event, Event::Connected { .. }).then_some(())
        })
        .await;
    }

    pub(crate) async fn disconnected(&mut self) {
        self.next("the loss of the link", |event| {
            matches!(event, Event::Disconnected { .. }).then_some(())
        })
        .await;
    }

    /// That nothing went astray: closes the device and looks at the events that are left.
    pub(crate) async fn close(self) {
        for event in self.end().await {
            assert!(!is_astray(&event), "{event:?}");
        }
    }

    /// Closes the device; the events that are left.
    pub(crate) async fn end(self) -> Vec<Event> {
        self.client.close().await;
        let events = self.events.map(|notification| match notification {
            Notification::Event(event) => event,
            other => panic!("{other:?}"),
        });
        events.collect().await
    }
}

/// As quick as a test wants it, and without what the vendor's server asks for and this one does not.
pub(crate) fn in_haste(config: &mut Config) {
    config.backoff.initial = Duration::from_millis(20);
    config.backoff.maximum = Duration::from_millis(100);
    config.backoff.least_interval = Duration::ZERO;
    config.limits.messages_per_second = None;
    config.limits.keep_alive_minimum = 0;
}

/// What only comes when a message reached the wrong device, or was none.
fn is_astray(event: &Event) -> bool {
    matches!(
        event,
        Event::Unmatched(_) | Event::Message(_) | Event::InvalidMessage { .. }
    )
}

/// TCP that can be out of reach.
#[derive(Clone)]
struct Network {
    tcp: TcpConnector,
    reachable: Arc<AtomicBool>,
}

impl Connector for Network {
    type Stream = TcpStream;

    async fn connect(&mut self) -> io::Result<TcpStream> {
        if !self.reachable.load(Ordering::Relaxed) {
            return Err(io::Error::new(
                io::ErrorKind::NetworkUnreachable,
                "out of reach, as the test says",
            ));
        }
        self.tcp.connect().await
    }
}
