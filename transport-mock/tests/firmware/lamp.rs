use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::{StreamExt, future::or};
use serde_json::Value;
use shadow_core::{Delta, Event, Instant};
use transport_mock::VirtualClock;
use transport_tcp::{Client, Clock, Events, Notification};

/// What the lamp keeps over a power cut.
#[derive(Default)]
pub struct Flash {
    pub hue: Option<u64>,
    /// The version of the change that it was told last.
    seen: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revision {
    First,
    Second,
}

/// A hue has to stand for so long before the lamp takes it: apps send one for every move of a finger.
const SETTLES: Duration = Duration::from_secs(2);

pub async fn lamp(
    revision: Revision,
    client: Client,
    mut events: Events,
    clock: VirtualClock,
    flash: Rc<RefCell<Flash>>,
) {
    let shadow = client.own_shadow().unwrap();
    let mut settling: Option<(Instant, Delta)> = None;
    loop {
        let settled = async {
            match &settling {
                Some((at, _)) => clock.sleep_until(*at).await,
                None => std::future::pending().await,
            }
            None
        };
        match or(async { Some(events.next().await) }, settled).await {
            Some(Some(Notification::Event(Event::Delta(delta)))) => {
                let mut flash = flash.borrow_mut();
                // After a reconnect the cloud tells again what the lamp knows already.
                if revision == Revision::First && flash.seen == delta.version {
                    continue;
                }
                flash.seen = delta.version;
                settling = Some((clock.now() + SETTLES, delta));
            }
            Some(Some(_)) => {}
            Some(None) => return, // the client was closed
            None => {
                let (_, delta) = settling.take().unwrap();
                let desired: Value = serde_json::from_str(delta.state.as_str()).unwrap();
                flash.borrow_mut().hue = desired["hue"].as_u64();
                shadow.accept(&delta).await.unwrap();
            }
        }
    }
}
