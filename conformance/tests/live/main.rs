//! The vendor document's three demonstrations, live: the driver with the engine on one end of a
//! memory stream, the model of the cloud on the other, under virtual time.
//!
//! The snapshots hold every packet. What the document prints of them (lengths and contents) is
//! asserted beside, from the document; its versions are matched by seeding the shadow.
#![expect(
    clippy::unwrap_used,
    reason = "a test that meets the unexpected should stop there"
)]

mod values;

use std::future::{Future, ready};
use std::time::Duration;

use futures_lite::StreamExt;
use serde_json::{Value, json};
use shadow_core::tencent::{DeviceInfo, Document, ShadowName, Update};
use shadow_core::{Config, Session, WallTime};
use smol::LocalExecutor;
use transport_mock::cloud::{Cloud, CloudConfig};
use transport_mock::server::{Credentials, KnownDevice, ServerConfig};
use transport_mock::stream::memory_network;
use transport_mock::trace::{SharedTrace, tracing_connector};
use transport_mock::{SharedCloud, VirtualClock, serve};
use transport_tcp::{Client, Clock, Shadow, client};

/// As in the document, where `xxx` stands for a product id of ten characters.
const PRODUCT_ID: &str = "ABCDEFGHIJ";

fn device() -> DeviceInfo {
    DeviceInfo::with_key(PRODUCT_ID, "test01", "c2VjcmV0").unwrap()
}

/// A shadow as the cloud has it before a demonstration.
struct Seed {
    state: &'static str,
    version: u64,
    last_change: u64,
    /// The wall time at which the demonstration begins.
    now: u64,
}

struct Stage {
    clock: VirtualClock,
    cloud: SharedCloud,
    trace: SharedTrace,
    client: Client,
    shadow: Shadow,
}

impl Stage {
    fn say(&self, text: &str) {
        self.trace.push(self.clock.now(), text);
    }

    async fn wait(&self, time: Duration) {
        self.clock.sleep_until(self.clock.now() + time).await;
    }

    async fn get(&self) -> String {
        let document = self.shadow.get().await.unwrap();
        document.reported().unwrap().to_owned()
    }

    /// Reports once, as the document does; what the cloud answers.
    async fn update(&self, reported: Value) -> Document {
        let update = Update::new().reported(reported);
        self.shadow.update(update).await.unwrap()
    }
}

/// Runs `scenario` in a profile and gives the trace.
fn run<F: Future<Output = ()>>(
    config: Config,
    seed: &Seed,
    scenario: impl FnOnce(Stage) -> F,
) -> Vec<String> {
    let wall = WallTime::from_unix_millis(seed.now);
    let clock = VirtualClock::new(wall);
    let credentials = Credentials::Devices(vec![KnownDevice::new(device())]);
    let server = ServerConfig {
        credentials,
        ..ServerConfig::default()
    };
    let cloud_config = CloudConfig {
        server,
        ..CloudConfig::default()
    };
    let mut cloud = Cloud::new(cloud_config, clock.now(), wall);
    let last_change = WallTime::from_unix_millis(seed.last_change);
    let name = device().name;
    cloud
        .seed(&name, seed.state, seed.version, last_change)
        .unwrap();
    let cloud = SharedCloud::new(cloud);

    let executor = LocalExecutor::new();
    let (memory, listener) = memory_network(4_096, 8);
    let incoming = listener.map(|stream| ready(Some(stream)));
    executor
        .spawn(serve(cloud.clone(), incoming, clock.clone(), |_event| {}))
        .detach();

    let trace = SharedTrace::new(clock.now());
    let connector = tracing_connector("device", memory, clock.clone(), trace.clone());
    let (client, _events, driver) = client(config, Session::new(), 1, connector, clock.clone());
    executor.spawn(driver.run()).detach();

    clock.run(&executor, async {
        let shadow = own_or_attached(&client, &name).await;
        let stage = Stage {
            clock: clock.clone(),
            cloud,
            trace: trace.clone(),
            client: client.clone(),
            shadow,
        };
        scenario(stage).await;
        client.close().await;
    });
    trace.lines()
}

/// The vendor's SDK has the application attach the shadow, as `shadowInit` does.
async fn own_or_attached(client: &Client, name: &ShadowName) -> Shadow {
    match client.own_shadow() {
        Some(shadow) => shadow,
        None => client.attach(name).await.unwrap(),
    }
}

fn profiles() -> [(&'static str, Config); 2] {
    [
        ("default", Config::new(&device())),
        ("python_sdk", Config::python_sdk(&device())),
    ]
}

/// How many bytes the payloads of the PUBLISH packets in a direction have, in order.
fn payload_lengths(trace: &[String], direction: char) -> Vec<usize> {
    let marker = format!("device {direction} PUBLISH ");
    trace
        .iter()
        .filter(|line| line.contains(&marker))
        .map(|line| {
            let payload = line.split_once(": ").unwrap().1;
            payload.replace("\\n", "\n").len()
        })
        .collect()
}

/// "Getting status cached in cloud" and "Modifying device shadow status".
#[test]
fn the_cached_status_is_read_and_modified() {
    let seed = Seed {
        state: r#"{"reported":{"updateCount":0,"updateCount11":"shadow"}}"#,
        version: 8,
        last_change: 1_626_770_626_087,
        now: 1_626_770_697_670,
    };
    for (profile, config) in profiles() {
        let trace = run(config, &seed, async |stage| {
            stage.say("1. get the status cached in the cloud");
            let status = stage.get().await;
            assert_eq!(status, r#"{"updateCount":0,"updateCount11":"shadow"}"#);
            stage.say("2. modify it, and get it again");
            let change = json!({"updateCount": 12, "updateCount12": "shadow"});
            stage.update(change).await;
            let expected =
                r#"{"updateCount":12,"updateCount11":"shadow","updateCount12":"shadow"}"#;
            assert_eq!(stage.get().await, expected);
        });
        if profile == "python_sdk" {
            // get, update, get: 46 and 120 bytes are printed.
            assert_eq!(payload_lengths(&trace, '>'), [46, 120, 46]);
            let replies = payload_lengths(&trace, '<');
            // 192 and 219 are printed, the latter with version 10, which is a digit more than 9.
            assert_eq!((replies[0], replies[2]), (192, 218));
        }
        insta::assert_snapshot!(format!("status_{profile}"), trace.join("\n"));
    }
}

/// "Regularly updating device shadow": five rounds, one every three seconds.
#[test]
fn the_shadow_is_updated_every_three_seconds() {
    let seed = Seed {
        state: r#"{"reported":{"updateCount":0,"updateCount11":"shadow","updateCount12":"shadow"}}"#,
        version: 20,
        last_change: 1_626_771_500_000,
        now: 1_626_771_521_726,
    };
    for (profile, config) in profiles() {
        let trace = run(config, &seed, async |stage| {
            for round in 1..=5 {
                stage.say(&format!("round {round}"));
                let change = json!({"updateCount": round, "updateCount12": "shadow"});
                let document = stage.update(change).await;
                // The reply holds only what changed.
                let changed = format!(r#"{{"updateCount":{round}}}"#);
                assert_eq!(document.reported(), Some(changed.as_str()));
                assert_eq!(document.version(), Some(20 + round));
                let expected = format!(
                    r#"{{"updateCount":{round},"updateCount11":"shadow","updateCount12":"shadow"}}"#
                );
                assert_eq!(stage.get().await, expected);
                stage.wait(Duration::from_secs(3)).await;
            }
        });
        if profile == "python_sdk" {
            assert_eq!(payload_lengths(&trace, '>'), [119, 46].repeat(5));
            assert_eq!(payload_lengths(&trace, '<'), [174, 218].repeat(5));
        }
        insta::assert_snapshot!(format!("regular_{profile}"), trace.join("\n"));
    }
}

/// The prose of "Regularly updating device shadow", which its log does not show: after three updates
/// the cloud cache is reset, and the fields that were added are gone.
#[test]
fn a_reset_of_the_cloud_cache_clears_the_added_fields() {
    let seed = Seed {
        state: r#"{"reported":{"updateCount":0}}"#,
        version: 1,
        last_change: 1_626_771_500_000,
        now: 1_626_771_521_726,
    };
    for (profile, config) in profiles() {
        let trace = run(config, &seed, async |stage| {
            for round in 1..=4 {
                let change = json!({"updateCount": round, "updateCount11": "shadow"});
                stage.update(change).await;
                let expected = format!(r#"{{"updateCount":{round},"updateCount11":"shadow"}}"#);
                assert_eq!(stage.get().await, expected);
                if round == 3 {
                    stage.say("the cloud cache is reset");
                    let name = device().name;
                    let now = stage.clock.now();
                    stage.cloud.with(|cloud| cloud.reset(now, &name));
                    assert_eq!(stage.get().await, r#"{"updateCount":0}"#);
                }
                stage.wait(Duration::from_secs(3)).await;
            }
            assert!(stage.client.own_shadow().is_some() || profile == "python_sdk");
        });
        insta::assert_snapshot!(format!("reset_{profile}"), trace.join("\n"));
    }
}
