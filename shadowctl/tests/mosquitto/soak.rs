//! A device at work for as long as one likes, and its memory meanwhile.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use shadow_core::mqtt::QoS;
use shadow_core::tencent::{DeviceInfo, ShadowName};
use shadow_core::{Config, Event, Publication, Session};
use smol::stream::StreamExt;
use tempfile::TempDir;
use transport_mock::application::{ApplicationRequest, request_topic};
use transport_tcp::store::{Durability, SessionFile};
use transport_tcp::{Clock, Events, Notification, SystemClock, TcpConnector, client};

use crate::broker::Broker;
use crate::device::{PRODUCT, SECRET, in_haste};
use crate::program::Running;
use crate::proxy::Proxy;
use crate::wait::in_time;

/// Sets for how many seconds it works.
const SECONDS: &str = "SHADOW_SOAK_SECONDS";

/// Where the memory of this process is told.
const STATUS: &str = "/proc/self/status";

/// As long as CI takes.
const DEFAULT_SECONDS: u64 = 20;

/// How much more it may take in the last quarter of the time than in the second. What it does in
/// between is worth many times that.
const TOLERANCE_KIB: u64 = 1_024;

/// After how many rounds the network cuts the connection.
const ROUNDS_PER_LINK: u64 = 500;

/// Where there is no `/proc` there is nothing to look at.
pub(crate) fn missing() -> Option<&'static str> {
    let missing = !Path::new(STATUS).exists();
    let proc = missing.then_some("this system has no /proc/self/status");
    crate::missing_mosquitto().or(proc)
}

/// Reports, gets, publishes, is asked for changes and accepts them, loses its link and stores its
/// session, as fast as it can; all of the device is in this process, and nothing
/// else but the network between it and the broker.
pub(crate) fn memory_stays_flat() {
    let seconds = match std::env::var(SECONDS) {
        Ok(text) => text.parse().unwrap(),
        Err(_) => DEFAULT_SECONDS,
    };
    let clock = SystemClock::new();
    let (rounds, samples) = smol::block_on(soak(clock, Duration::from_secs(seconds)));
    let most = |samples: &[u64]| samples.iter().copied().max().unwrap_or_default();
    let quarter = samples.len() / 4;
    let (early, late) = (
        most(&samples[quarter..2 * quarter]),
        most(&samples[3 * quarter..]),
    );
    println!(
        "{seconds} s, {rounds} rounds, {} links: resident {} KiB at the start, at most {early} KiB \
         in the second quarter, {late} KiB in the last",
        rounds / ROUNDS_PER_LINK + 1,
        samples[0],
    );
    assert!(late <= early + TOLERANCE_KIB, "memory grows: {samples:?}");
}

/// How many rounds it was, and the resident memory at each second in KiB.
async fn soak(clock: SystemClock, time: Duration) -> (u64, Vec<u64>) {
    let lines = "allow_anonymous true\nset_tcp_nodelay true\nlog_type none";
    let broker = Broker::start_with(|_| lines.into()).await;
    let service = Running::serve(&broker).await;
    service.discard();
    let proxy = Proxy::start(broker.port).await;
    let directory = TempDir::new().unwrap();
    let file = SessionFile::open(directory.path().join("session")).unwrap();

    let device = DeviceInfo::with_key(PRODUCT, "soak", SECRET).unwrap();
    let mut config = Config::new(&device);
    in_haste(&mut config);
    // A link every few seconds is nobody else's doing.
    config.backoff.contested_after = 0;
    let connector = TcpConnector::new("127.0.0.1", proxy.port);
    let (client, mut events, driver) = client(config, Session::new(), 1, connector, clock);
    // Seldom, so that the disk is not what it waits for.
    let durability = Durability::AtMostEvery(Duration::from_millis(100));
    let driver = smol::spawn(driver.with_store(file, durability).run());
    let shadow = client.own_shadow().unwrap();
    ready(&mut events).await;

    let end = clock.now() + time;
    let mut samples = Vec::with_capacity(usize::try_from(time.as_secs()).unwrap() + 1);
    let mut next_sample = clock.now();
    let mut rounds = 0_u64;
    while clock.now() < end {
        rounds += 1;
        let report =
            json!({"round": rounds, "text": "x".repeat(usize::try_from(rounds % 256).unwrap())});
        let receipt = shadow.report(&report).await.unwrap();
        in_time("the report", receipt.acknowledged()).await.unwrap();
        let document = in_time("the get", shadow.get()).await.unwrap();
        assert!(document.as_json().contains(&format!(r#""round":{rounds}"#)));

        let desired = format!(r#"{{"level":{rounds}}}"#);
        let desire = ApplicationRequest::Desire {
            desired: &desired,
            version: None,
        };
        let desire = desire.to_json("soak").unwrap();
        let name = ShadowName::new(PRODUCT, "soak").unwrap();
        let topic = request_topic(&name);
        let desire = Publication::new(&topic, desire.as_bytes()).qos(QoS::AtLeastOnce);
        client.publish(&desire).await.unwrap();
        let delta = event(&mut events, |event| match event {
            Event::Delta(delta) => Some(delta.clone()),
            _ => None,
        })
        .await;
        assert_eq!(delta.state.as_str(), desired);
        let receipt = shadow.accept(&delta).await.unwrap();
        in_time("the answer", receipt.acknowledged()).await.unwrap();

        if rounds.is_multiple_of(ROUNDS_PER_LINK) {
            proxy.cut();
            ready(&mut events).await;
        }
        if clock.now() >= next_sample {
            samples.push(resident_kib());
            next_sample += Duration::from_secs(1);
        }
    }
    client.close().await;
    driver.await;
    assert_eq!(service.interrupt().await.code, 0);
    (rounds, samples)
}

async fn ready(events: &mut Events) {
    event(events, |event| {
        matches!(event, Event::Ready { .. }).then_some(())
    })
    .await;
}

async fn event<T>(events: &mut Events, wanted: impl Fn(&Event) -> Option<T>) -> T {
    in_time("an event", async {
        loop {
            match events.next().await {
                Some(Notification::Event(event)) => {
                    if let Some(found) = wanted(&event) {
                        return found;
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    })
    .await
}

/// What of this process is in memory: `VmRSS`, which is that of statm in units of its own.
fn resident_kib() -> u64 {
    let status = fs::read_to_string(STATUS).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let words = line.unwrap().split_whitespace();
    words.into_iter().next().unwrap().parse().unwrap()
}
