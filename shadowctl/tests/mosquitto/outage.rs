//! A broker that is killed (SIGKILL) and started again while a device has much to say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};
use shadow_core::event::UnmatchedReason;
use shadow_core::mqtt::QoS;
use shadow_core::{Config, Event, Publication};
use smol::future::poll_once;
use transport_tcp::{Client, ClientError};

use crate::broker::Broker;
use crate::device::{Device, PRODUCT};
use crate::program::Running;
use crate::wait::in_time;

/// How much the device has to say.
const COUNT: usize = 1_000;

/// After how much of it the broker is killed.
const KILLS: [usize; 2] = [300, 700];

/// For how many reports it stays away.
const AWAY: usize = 50;

/// How many reports are made without waiting for those before, which may leave with them.
const REPORTS_AHEAD: usize = 4;

/// How many messages are published without waiting for those before.
const AHEAD: usize = 16;

/// Everybody may do everything, and small packets leave at once.
const LINES: &str = "allow_anonymous true\nset_tcp_nodelay true";

/// Enough for all events of a test, which looks at them at its end.
const EVENTS: usize = 10_000;

/// A state report has no end but that the cloud has it. So each of the thousand ends well, and at
/// last the cloud has, key by key, what was reported last. The service, with its documents, lives
/// outside of the broker.
pub(crate) fn of_reports() {
    smol::block_on(async {
        let mut broker = Broker::start_with(|_| LINES.into()).await;
        let mut service = Running::serve(&broker).await;
        let mut device = Device::start_at(broker.port, "reports", |config| {
            config.maximum_events = EVENTS;
            // The device is back before the service, and what it asks then is lost.
            config.request_timeout = Duration::from_secs(1);
        });
        device.ready().await;
        let mut last = BTreeMap::new();
        let mut open = VecDeque::new();
        let mut ended = 0;
        for count in 0..COUNT {
            let report = report(count);
            open.push_back(device.shadow.report(&report).await.unwrap());
            last.extend(report);
            if KILLS.contains(&count) {
                broker.kill().await;
                service.next("offline").await;
            }
            if KILLS.iter().any(|kill| kill + AWAY == count) {
                broker.start_again().await;
                service.next("online").await;
            }
            // Without a broker there is nothing to wait for: it goes on reporting.
            let away = KILLS
                .iter()
                .any(|kill| (*kill..kill + AWAY).contains(&count));
            while open.len() > REPORTS_AHEAD && !away {
                let receipt = open.pop_front().unwrap();
                let acknowledged = in_time("a receipt", receipt.acknowledged()).await;
                assert_eq!(acknowledged, Ok(()), "{ended}");
                ended += 1;
            }
        }
        for receipt in open {
            let acknowledged = in_time("a receipt", receipt.acknowledged()).await;
            assert_eq!(acknowledged, Ok(()), "{ended}");
            ended += 1;
        }
        assert_eq!(ended, COUNT);

        last.retain(|_, value| !value.is_null());
        let document = device.shadow.get().await.unwrap();
        let reported: BTreeMap<String, Value> = document.reported_as().unwrap().unwrap();
        assert_eq!(reported, last);

        let events = device.end().await;
        let links = |event: &&Event| matches!(event, Event::Connected { .. });
        // The first was seen by `ready`.
        assert_eq!(events.iter().filter(links).count(), KILLS.len());
        for event in events {
            // The service publishes again what the broker did not acknowledge.
            if let Event::Unmatched(reply) = &event {
                let reason = reply.reason;
                let again = [UnmatchedReason::Late, UnmatchedReason::Duplicate];
                assert!(again.contains(&reason), "{event:?}");
            }
        }
        assert_eq!(service.interrupt().await.code, 0);
    });
}

/// Each changes the counter and one of ten other keys, or deletes that.
fn report(count: usize) -> BTreeMap<String, Value> {
    let value = match count % 100 {
        57 => Value::Null,
        _ => json!({"count": count, "text": "\u{e9}\"\\"}),
    };
    let key = format!("key {}", count % 10);
    BTreeMap::from([("count".to_owned(), json!(count)), (key, value)])
}

/// A message of QoS 1 ends when a broker has taken it. What the killed broker had taken and not
/// passed on is lost with it, as it keeps nothing on disk: at most what was on its way then. All
/// else arrives, in order.
pub(crate) fn of_messages() {
    smol::block_on(async {
        let mut broker = Broker::start_with(|_| LINES.into()).await;
        let filter = format!("{PRODUCT}/messages/+");
        let configure = |config: &mut Config| config.maximum_events = EVENTS;
        let mut collector = Device::start_at(broker.port, "collector", configure);
        let subscribed = collector.client.subscribe(&filter, QoS::AtLeastOnce).await;
        assert_eq!(subscribed, Ok(QoS::AtLeastOnce));
        let mut device = Device::start_at(broker.port, "messages", |config| {
            config.request_timeout = Duration::from_secs(60);
        });
        let mut open = VecDeque::new();
        let mut ended = BTreeSet::new();
        let mut received = Vec::new();
        let mut at_risk = BTreeSet::new();
        for count in 0..COUNT {
            let mut publish = Box::pin(publish(device.client.clone(), count));
            // It is handed over here, so that they leave in this order.
            match poll_once(&mut publish).await {
                Some(published) => assert!(published.is_ok() && ended.insert(count)),
                None => open.push_back((count, publish)),
            }
            if KILLS.contains(&count) {
                device.set_reachable(false);
                broker.kill().await;
                device.disconnected().await;
                for _ in 0..open.len() {
                    let (count, mut publish) = open.pop_front().unwrap();
                    match poll_once(&mut publish).await {
                        Some(published) => assert!(published.is_ok() && ended.insert(count)),
                        None => open.push_back((count, publish)),
                    }
                }
                receive(&mut collector, &mut received, |event| {
                    matches!(event, Event::Disconnected { .. })
                })
                .await;
                let arrived: BTreeSet<usize> = received.iter().copied().collect();
                at_risk.extend(ended.difference(&arrived));
                broker.start_again().await;
                let subscribed = collector.client.subscribe(&filter, QoS::AtLeastOnce);
                let subscribed = in_time("the subscription", subscribed).await;
                assert_eq!(subscribed, Ok(QoS::AtLeastOnce));
                collector.connected().await;
                device.set_reachable(true);
                device.connected().await;
            }
            while open.len() > AHEAD {
                let (count, publish) = open.pop_front().unwrap();
                let published = in_time("PUBACK", publish).await;
                assert!(published.is_ok() && ended.insert(count), "{published:?}");
            }
        }
        for (count, publish) in open {
            let published = in_time("PUBACK", publish).await;
            assert!(published.is_ok() && ended.insert(count), "{published:?}");
        }
        assert_eq!(ended.len(), COUNT);

        // Behind all of them.
        publish(device.client.clone(), COUNT).await.unwrap();
        receive(
            &mut collector,
            &mut received,
            |event| matches!(event, Event::Message(message) if message.payload == b"1000"),
        )
        .await;
        let arrived: BTreeSet<usize> = received.iter().copied().collect();
        let lost: BTreeSet<usize> = ended.difference(&arrived).copied().collect();
        assert!(lost.is_subset(&at_risk), "{lost:?}, {at_risk:?}");
        assert!(at_risk.len() <= KILLS.len() * AHEAD, "{at_risk:?}");
        // The first copies of all that arrived are in the order in which they were published.
        let mut seen = BTreeSet::new();
        received.retain(|count| seen.insert(*count));
        assert!(received.is_sorted(), "[MQTT-4.6.0-1] {received:?}");
        device.close().await;
    });
}

async fn publish(client: Client, count: usize) -> Result<(), ClientError> {
    let topic = format!("{PRODUCT}/messages/up");
    let payload = count.to_string();
    let publication = Publication::new(&topic, payload.as_bytes());
    client.publish(&publication.qos(QoS::AtLeastOnce)).await
}

/// Notes the messages that a device gets before the event that is `last`.
async fn receive(device: &mut Device, received: &mut Vec<usize>, last: impl Fn(&Event) -> bool) {
    loop {
        let number = device.next("a message or the end", |event| match event {
            _ if last(event) => Some(None),
            Event::Message(message) => {
                let text = std::str::from_utf8(&message.payload).unwrap();
                Some(Some(text.parse().unwrap()))
            }
            _ => None,
        });
        match number.await {
            Some(number) => received.push(number),
            None => return,
        }
    }
}
