//! The example device on smol: transport-tcp's driver carries the bytes.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use shadow_core::tencent::DeviceInfo;
use shadow_core::typed::TypedEvent::{Delta, Invalid, Other};
use shadow_core::{Config, Event, Session};
use smol::Timer;
use smol::future::zip;
use smol::stream::StreamExt;
use transport_tcp::{
    ClientError, Events, NetworkConnector, Notification, Receipt, Shadow, SystemClock,
};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Desired {
    color: Option<String>,
}

/// Reports what the sensor measures, whether there is a connection or not.
async fn measure(shadow: &Shadow) {
    let mut seconds = Timer::interval(Duration::from_secs(1));
    for counter in 1.. {
        let measured = json!({"counter": counter, "temperature": 21.5});
        if let Err(error) = shadow.report(&measured).await {
            println!("refused: {error}");
        }
        seconds.next().await;
    }
}

/// Does what the cloud wants.
async fn obey(shadow: &Shadow, events: Events) {
    let mut events = events.typed::<Desired>();
    while let Some(notification) = events.next().await {
        let Notification::Event(event) = notification else {
            continue;
        };
        match event {
            Delta { state, delta } => {
                if let Some(color) = state.color {
                    println!("color {color}");
                }
                smol::spawn(tell_refused(shadow.accept(&delta).await)).detach();
            }
            Invalid(bad) => {
                let rejected = shadow.reject(&bad.delta, &bad.reason).await;
                smol::spawn(tell_refused(rejected)).detach();
            }
            Other(Event::Connected { .. }) => println!("connected"),
            Other(Event::Disconnected { cause, .. }) => println!("disconnected: {cause}"),
            Other(_) => {}
        }
    }
}

/// Tells when something is refused: by the engine at once, as it is too long, or later by the cloud.
async fn tell_refused(result: Result<Receipt, ClientError>) {
    let acknowledged = async { result?.acknowledged().await };
    if let Err(error) = acknowledged.await {
        println!("refused: {error}");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let [_, host, port] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: smol_device HOST PORT".into());
    };
    let device = DeviceInfo::from_json(include_str!("../../device_info.json"))?;
    let seed = RandomState::new().hash_one(0);
    let connector = NetworkConnector::tcp(host, port.parse()?);
    let clock = SystemClock::new();
    let (client, events, driver) =
        transport_tcp::client(Config::new(&device), Session::new(), seed, connector, clock);
    let shadow = client.own_shadow().ok_or("the device has no shadow")?;
    smol::block_on(async {
        let device = zip(measure(&shadow), obey(&shadow, events));
        zip(device, driver.run()).await;
    });
    Ok(())
}
