//! What nobody knows for certain: updates without an answer, changes that were missed, and what the
//! engine does until it knows.

use core::num::NonZeroU32;

use serde_json::{Value, json};
use shadow_core::mqtt::{Packet, QoS};
use shadow_core::tencent::Update;
use shadow_core::{Event, Outcome, Publication, Session, Timer, TransportFailure, VersionPolicy};

use crate::device::{Device, Out, config, token};
use crate::exchange::{push, reconnect, report};

/// The update that comes out, and its token.
fn update(device: &mut Device) -> (Value, String) {
    let payload = device.published();
    (serde_json::from_str(&payload).unwrap(), token(&payload))
}

fn accept(device: &mut Device, token: &str, version: u64) {
    let payload = format!(r#"{{"state":{{}},"version":{version}}}"#);
    device.reply(token, "update", 0, &payload);
}

fn lose_link(device: &mut Device) {
    let failure = TransportFailure::ClosedByPeer;
    device.engine.handle_disconnected(device.now, failure);
    device.events();
}

fn revision(device: &Device) -> u64 {
    device.engine.session().revision()
}

/// The cloud may have taken the update whose reply was lost. Where it shows nothing, what it had
/// acknowledged before counts for nothing.
#[test]
fn a_value_that_went_back_behind_an_unanswered_update_is_sent_again() {
    let mut device = Device::ready(config());
    report(&mut device, &json!({"a": 1}));
    let (_, first) = update(&mut device);
    accept(&mut device, &first, 2);
    report(&mut device, &json!({"a": 2}));
    update(&mut device);
    lose_link(&mut device);
    let request = report(&mut device, &json!({"a": 1}));
    let get = reconnect(&mut device);
    device.reply(&get, "get", 403, "{}");
    let (sent, last) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"a": 1}}));
    device.events();
    device.reply(&last, "update", 0, "{}");
    let outcome = device.outcome(request);
    assert!(matches!(outcome, Outcome::Reported { .. }), "{outcome:?}");
}

/// The update may arrive behind the get whose reply did not show it, and its own reply be lost.
#[test]
fn a_key_deleted_behind_an_unanswered_update_is_deleted_all_the_same() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    device.engine.get(device.now, shadow).unwrap();
    let get = token(&device.published());
    report(&mut device, &json!({"a": 1}));
    update(&mut device);
    let deletion = report(&mut device, &json!({"a": null}));
    device.reply(&get, "get", 0, r#"{"state":{"reported":{}},"version":1}"#);
    device.silent();
    device.tick_until(Timer::Request);
    device.events();
    let get = token(&device.published());
    device.reply(
        &get,
        "get",
        0,
        r#"{"state":{"reported":{"a":1}},"version":2}"#,
    );
    let (sent, last) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"a": null}}));
    accept(&mut device, &last, 3);
    let ended = Event::Ended {
        request: deletion,
        outcome: Outcome::Reported { version: Some(3) },
    };
    assert_eq!(device.events().last(), Some(&ended));
}

/// A one-shot update left behind the engine's get; that nobody waits for it any more does not take
/// it back, and the get's reply cannot show it.
#[test]
fn a_deletion_behind_a_cancelled_one_shot_update_is_sent_all_the_same() {
    let mut device = Device::new(config());
    let shadow = device.shadow();
    let one_shot = Update::new().reported(json!({"a": 1}));
    let cancelled = device.engine.update(device.now, shadow, &one_shot).unwrap();
    device.connect(false);
    device.subscribe_own();
    let payloads: Vec<Value> = device
        .poll()
        .iter()
        .map(|out| match out {
            Out::Packet(bytes) => match Packet::decode(bytes, device.version).unwrap() {
                Packet::Publish(publish) => serde_json::from_slice(publish.payload).unwrap(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        })
        .collect();
    let types: Vec<&Value> = payloads.iter().map(|payload| &payload["type"]).collect();
    assert_eq!(types, ["get", "update"]);
    device.engine.cancel(device.now, cancelled).unwrap();
    report(&mut device, &json!({"a": null}));
    let get = payloads[0]["clientToken"].as_str().unwrap();
    device.reply(get, "get", 0, r#"{"state":{"reported":{}},"version":0}"#);
    let (sent, _) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"a": null}}));
}

/// Reports that leave together are one request: once the update that covered the first of them will
/// not be answered, the next one joins it.
#[test]
fn what_is_reported_after_an_update_that_came_to_nothing_joins_it() {
    type Ending = fn(&mut Device, &str);
    let endings: [Ending; 3] = [
        |device, _| lose_link(device),
        |device, _| {
            device.tick_until(Timer::Request);
            device.events();
        },
        // A conflict without a document; the get that shows it is not due yet.
        |device, token| device.reply(token, "update", 5005, "{}"),
    ];
    for (number, end) in endings.into_iter().enumerate() {
        let mut device = Device::ready(config());
        let first = report(&mut device, &json!({"a": 1}));
        let (_, token) = update(&mut device);
        end(&mut device, &token);
        let second = report(&mut device, &json!({"b": 1}));
        assert_eq!(first, second, "ending {number}");
    }
}

/// What does not fit into one update has arrived with the last of them.
#[test]
fn a_report_in_several_updates_ends_with_the_last() {
    let mut small = config();
    small.maximum_queued_bytes = 400;
    let mut device = Device::ready(small);
    let request = report(&mut device, &json!({"a": "x".repeat(100)}));
    let text = "y".repeat(100);
    let all = json!({"b": text, "c": text, "d": text});
    report(&mut device, &all);
    let (_, first) = update(&mut device);
    accept(&mut device, &first, 2);
    assert!(matches!(device.outcome(request), Outcome::Reported { .. }));
    let mut seen = Vec::new();
    for version in 3..=5 {
        let (sent, token) = update(&mut device);
        let members = sent["state"]["reported"].as_object().unwrap();
        seen.extend(members.keys().cloned());
        assert_eq!(device.events(), [], "{seen:?}");
        accept(&mut device, &token, version);
    }
    assert_eq!(seen, ["b", "c", "d"]);
    assert!(matches!(device.event(), Event::Ended { .. }));
}

/// An answer that has run out of tries waits for a while, or for something new to be said.
#[test]
fn a_report_takes_an_answer_along_that_is_beyond_its_tries() {
    let mut policy = config();
    policy.version_policy = VersionPolicy::Rebase { tries: 1 };
    let mut device = Device::ready(policy);
    let delta = push(&mut device, 2, r#"{"on":true}"#);
    device.engine.reject(device.now, &delta, "no").unwrap();
    let (_, token) = update(&mut device);
    let document = r#"{"state":{"desired":{"on":true},"delta":{"on":true}},"version":3}"#;
    device.reply(&token, "update", 5005, document);
    device.silent();
    report(&mut device, &json!({"a": 1}));
    let (sent, _) = update(&mut device);
    assert_eq!(
        sent["state"],
        json!({"reported": {"a": 1}, "desired": null})
    );
    assert_eq!(sent["version"], 3);
}

#[test]
fn a_report_waits_for_the_window() {
    let mut narrow = config();
    narrow.shadow_qos = QoS::AtLeastOnce;
    narrow.maximum_in_flight = 1;
    let mut device = Device::ready(narrow);
    report(&mut device, &json!({"a": 1}));
    report(&mut device, &json!({"a": 2}));
    device.silent(); // The get is not acknowledged.
    device.bytes(&[0x40, 2, 0, 2]);
    let (sent, _) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"a": 2}}));
    let shadow = device.shadow();
    device.engine.get(device.now, shadow).unwrap();
    device.silent();
}

/// The last change may have been another one, and this the same again.
#[test]
fn a_value_that_was_answered_is_told_again_behind_a_missed_change() {
    let mut device = Device::ready(config());
    let delta = push(&mut device, 2, r#"{"on":true}"#);
    device.engine.reject(device.now, &delta, "no").unwrap();
    update(&mut device);
    let again = push(&mut device, 4, r#"{"on":true}"#);
    assert_eq!(again.state.as_str(), r#"{"on":true}"#);
}

/// One version more than the next is one change missed.
#[test]
fn a_single_missed_change_is_asked_for() {
    let mut device = Device::ready(config());
    push(&mut device, 3, r#"{"a":1}"#);
    device.silent(); // The last get is less than a second old.
    device.tick_until(Timer::Request);
    let get = token(&device.published());
    let state = r#"{"delta":{"a":1,"b":1},"desired":{"a":1,"b":1}}"#;
    device.reply(
        &get,
        "get",
        0,
        &format!(r#"{{"state":{state},"version":3}}"#),
    );
    let Event::Delta(delta) = device.event() else {
        panic!("no delta")
    };
    assert_eq!(delta.state.as_str(), r#"{"a":1,"b":1}"#);
    // The next one misses nothing.
    push(&mut device, 4, r#"{"c":1}"#);
    assert_eq!(
        device.engine.poll_deadline().unwrap().timer,
        Timer::KeepAlive
    );
    device.silent();
}

/// A driver writes to flash whenever the revision has changed; also when nothing was asked.
#[test]
fn the_revision_changes_when_an_update_leaves_and_when_keys_change_hands() {
    let mut paced = config();
    paced.limits.messages_per_second = NonZeroU32::new(1);
    let mut device = Device::ready(paced);
    report(&mut device, &json!({"a": 1}));
    device.silent();
    let before = revision(&device);
    device.tick_until(Timer::Pace);
    let (_, token) = update(&mut device);
    assert_ne!(revision(&device), before, "what was sent may have arrived");
    accept(&mut device, &token, 2);
    device.events();
    let before = revision(&device);
    let shadow = device.shadow();
    let one_shot = Update::new().reported(json!({"a": 2}));
    device.engine.update(device.now, shadow, &one_shot).unwrap();
    assert_ne!(
        revision(&device),
        before,
        "the update is its last writer now"
    );
    let stored = device.engine.session().to_bytes();
    let device = Device::with_session(config(), Session::from_bytes(&stored).unwrap(), 2);
    assert_eq!(device.engine.reported(device.shadow()), Some("{}"));
}

/// An application's own requests show what was missed as well as the engine's do.
#[test]
fn what_the_applications_own_requests_show_counts() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    device.engine.get(device.now, shadow).unwrap();
    let get = token(&device.published());
    let state = r#"{"delta":{"on":true},"desired":{"on":true}}"#;
    device.reply(
        &get,
        "get",
        0,
        &format!(r#"{{"state":{state},"version":2}}"#),
    );
    let events = device.events();
    let Some(Event::Delta(delta)) = events.first() else {
        panic!("{events:?}")
    };
    assert_eq!((delta.version, delta.redelivered), (Some(2), false));
    let one_shot = Update::new().reported(json!({"a": 1}));
    device.engine.update(device.now, shadow, &one_shot).unwrap();
    let (_, token) = update(&mut device);
    accept(&mut device, &token, 3);
    report(&mut device, &json!({"b": 1}));
    let (sent, _) = update(&mut device);
    assert_eq!(sent["version"], 3);
}

#[test]
fn the_revision_changes_with_what_the_cloud_shows() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    report(&mut device, &json!({"a": 1}));
    let (_, token_of_update) = update(&mut device);
    accept(&mut device, &token_of_update, 2);
    device.events();
    let before = revision(&device);
    device.engine.get(device.now, shadow).unwrap();
    let get = token(&device.published());
    device.reply(
        &get,
        "get",
        0,
        r#"{"state":{"reported":{"a":1}},"version":3}"#,
    );
    assert_ne!(revision(&device), before, "the version");
    device.events();

    let delta = push(&mut device, 4, r#"{"on":true}"#);
    device.engine.reject(device.now, &delta, "no").unwrap();
    update(&mut device);
    let before = revision(&device);
    let other = r#"{"type":"delta","payload":{"state":{"on":true},"version":5}}"#;
    device.result(other);
    assert_eq!(device.events(), [], "it is answered");
    assert_ne!(revision(&device), before, "the version");
}

#[test]
fn the_revision_changes_with_the_messages_that_are_kept() {
    let mut device = Device::ready(config());
    for (qos, acknowledgements) in [
        (QoS::AtMostOnce, [].as_slice()),
        (QoS::AtLeastOnce, &[0x40]),
        (QoS::ExactlyOnce, &[0x50, 0x70]),
    ] {
        let before = revision(&device);
        let publication = Publication::new("t", b"!").qos(qos);
        device.engine.publish(device.now, &publication).unwrap();
        let id = match Packet::decode(&device.packet(), device.version).unwrap() {
            Packet::Publish(publish) => publish.packet_id,
            other => panic!("{other:?}"),
        };
        assert_eq!(revision(&device) != before, qos != QoS::AtMostOnce);
        for kind in acknowledgements {
            let before = revision(&device);
            let [high, low] = id.unwrap().get().to_be_bytes();
            device.bytes(&[*kind, 2, high, low]);
            device.poll();
            assert_ne!(revision(&device), before, "{kind:#x}");
        }
    }
}

/// The cloud may take now what it refused before.
#[test]
fn a_refused_update_goes_out_again_with_the_next_change_of_the_document() {
    let mut device = Device::ready(config());
    report(&mut device, &json!({"a": 1}));
    let (_, token) = update(&mut device);
    device.reply(&token, "update", 9_000, "{}");
    device.silent();
    device.events();
    push(&mut device, 2, r#"{"on":true}"#);
    let (sent, _) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"a": 1}}));
    assert_eq!(sent["version"], 2);
}

/// Were the value deleted with the first part, the cloud could be left with neither what was
/// desired nor what came of it.
#[test]
fn an_answer_waits_for_all_that_is_reported_with_it() {
    let mut small = config();
    small.maximum_queued_bytes = 400;
    let mut device = Device::ready(small);
    let delta = push(&mut device, 2, r#"{"on":1}"#);
    let applied = json!({"a": "x".repeat(100), "b": "y".repeat(100)});
    device
        .engine
        .accept_as(device.now, &delta, &applied)
        .unwrap();
    let (first, token) = update(&mut device);
    assert_eq!(first["state"].get("desired"), None);
    accept(&mut device, &token, 3);
    let (second, _) = update(&mut device);
    assert_eq!(second["state"]["reported"]["b"], applied["b"]);
    assert_eq!(second["state"]["desired"], Value::Null);
    assert!(second["state"].get("desired").is_some());
}

/// More waits for an answer than a document can hold: some of it is not desired any more.
#[test]
fn changes_beyond_what_a_document_can_hold_are_asked_about() {
    let mut small = config();
    small.maximum_packet_size = 400;
    let mut device = Device::ready(small);
    for (version, key) in [(2, "a"), (3, "b"), (4, "c")] {
        push(
            &mut device,
            version,
            &json!({key: "x".repeat(150)}).to_string(),
        );
    }
    device.tick_until(Timer::Request);
    let (get, _) = update(&mut device);
    assert_eq!(get["type"], "get");
}
