//! Servers that do what the vendor's does not: no versions, conflicts without end, empty replies.

use serde_json::{Value, json};
use shadow_core::{Delta, Event, Outcome, Timer, TransportFailure, VersionPolicy};

use crate::device::{Device, config, token};
use crate::exchange::report;

fn with_policy(version_policy: VersionPolicy) -> Device {
    let mut config = config();
    config.version_policy = version_policy;
    Device::ready(config)
}

/// The update that comes out, and its token.
fn update(device: &mut Device) -> (Value, String) {
    let payload = device.published();
    (serde_json::from_str(&payload).unwrap(), token(&payload))
}

fn push(device: &mut Device, payload: &str) -> Delta {
    device.result(&format!(r#"{{"type":"delta","payload":{payload}}}"#));
    match device.event() {
        Event::Delta(delta) => delta,
        other => panic!("{other:?}"),
    }
}

/// A new link up to the reply to the engine's get.
fn reconnect(device: &mut Device, code: i64, payload: &str) -> Vec<Event> {
    let failure = TransportFailure::ClosedByPeer;
    device.engine.handle_disconnected(device.now, failure);
    device.events();
    device.tick_until(Timer::Reconnect);
    device.connect(false);
    device.subscribe_own();
    let get = token(&device.published());
    device.reply(&get, "get", code, payload);
    device.events()
}

/// Without a version, or with one that does not count, nothing can be checked and answers go out
/// all the same.
#[test]
fn answers_reach_a_server_that_counts_no_versions() {
    for version in [r#","version":0"#, ""] {
        for policy in [VersionPolicy::default(), VersionPolicy::Strict] {
            let mut config = config();
            config.version_policy = policy;
            let mut device = Device::online(config);
            device.subscribe_own();
            let get = token(&device.published());
            let state = r#"{"desired":{"on":true},"delta":{"on":true}}"#;
            let document = format!(r#"{{"state":{state}{version}}}"#);
            device.reply(&get, "get", 0, &document);
            let events = device.events();
            let Some(Event::Delta(delta)) = events.first() else {
                panic!("{events:?}")
            };
            let request = device.engine.reject(device.now, delta, "no").unwrap();
            let (sent, token) = update(&mut device);
            assert_eq!(sent["state"], json!({"desired": {"on": null}}));
            assert_eq!(sent.get("version"), None);
            let reply = format!(r#"{{"state":{{}}{version}}}"#);
            device.reply(&token, "update", 0, &reply);
            let reason = "no".to_owned();
            assert_eq!(device.outcome(request), Outcome::DeltaRejected { reason });
        }
    }
}

/// Every version that is sent is the wrong one, and the document that comes with the conflict too.
#[test]
fn a_report_reaches_a_server_that_always_tells_of_a_conflict() {
    for document in [
        r#"{"state":{"reported":{}},"version":9}"#,
        r#"{"state":{"reported":{}}}"#,
        "{}",
        "null",
    ] {
        let mut device = with_policy(VersionPolicy::Rebase { tries: 3 });
        let request = report(&mut device, &json!({"a": 1}));
        let (mut conflicts, mut gets) = (0, 0);
        let outcome = loop {
            let (sent, token) = update(&mut device);
            if sent["type"] == "get" {
                gets += 1;
                device.reply(&token, "get", 0, r#"{"state":{},"version":9}"#);
            } else if sent.get("version").is_some() {
                conflicts += 1;
                device.reply(&token, "update", 5005, document);
                if !device.engine.has_output() {
                    device.tick_until(Timer::Request);
                }
            } else {
                device.reply(&token, "update", 0, r#"{"state":{}}"#);
                break device.outcome(request);
            }
            assert!(conflicts <= 3, "{document}");
        };
        assert!(
            matches!(outcome, Outcome::Reported { .. }),
            "{document}: {outcome:?}"
        );
        assert_eq!(conflicts, 3, "{document}");
        assert!(gets <= 3, "{document}");
    }
}

/// A conflict without a document does not show that nothing is desired.
#[test]
fn an_empty_conflict_does_away_with_no_change() {
    for payload in ["{}", "null"] {
        let mut device = with_policy(VersionPolicy::default());
        let delta = push(&mut device, r#"{"state":{"a":1,"b":2},"version":2}"#);
        device
            .engine
            .accept(device.now, &delta.only(&["a"]))
            .unwrap();
        let (_, refused) = update(&mut device);
        device.reply(&refused, "update", 5005, payload);
        assert_eq!(device.events(), []);
        device.tick_until(Timer::Request);
        let get = token(&device.published());
        let state = r#"{"desired":{"a":1,"b":2},"delta":{"a":1,"b":2}}"#;
        let document = format!(r#"{{"state":{state},"version":3}}"#);
        device.reply(&get, "get", 0, &document);
        assert_eq!(device.events(), [], "all of it was told, and a answered");
        let (sent, _) = update(&mut device);
        assert_eq!(sent["state"]["desired"], json!({"a": null}));
    }
}

/// One try at least: with none an answer would never be sent.
#[test]
fn no_tries_are_one() {
    let mut device = with_policy(VersionPolicy::Rebase { tries: 0 });
    let delta = push(&mut device, r#"{"state":{"on":true},"version":2}"#);
    let request = device.engine.reject(device.now, &delta, "no").unwrap();
    let (sent, token) = update(&mut device);
    let expected = json!({"desired": null});
    assert_eq!((&sent["state"], &sent["version"]), (&expected, &json!(2)));
    device.reply(&token, "update", 0, r#"{"state":{},"version":3}"#);
    let reason = "no".to_owned();
    assert_eq!(device.outcome(request), Outcome::DeltaRejected { reason });
}

/// What the device is like does not depend on what it may read.
#[test]
fn reports_reach_a_server_that_rejects_every_get() {
    let mut device = with_policy(VersionPolicy::default());
    let request = report(&mut device, &json!({"a": 1}));
    device.published();
    let events = reconnect(&mut device, 403, "{}");
    let rejected = |event: &Event| matches!(event, Event::GetRejected { code: 403, .. });
    assert!(events.iter().any(rejected), "{events:?}");
    let (sent, token) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"a": 1}}));
    assert_eq!(
        sent.get("version"),
        None,
        "the known one is of an earlier link"
    );
    device.reply(&token, "update", 0, "{}");
    assert_eq!(device.outcome(request), Outcome::Reported { version: None });
}
