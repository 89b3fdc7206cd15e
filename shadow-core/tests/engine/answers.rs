//! Changes of `desired`: what is news, what versions say of it, and answers.

use core::time::Duration;

use serde_json::json;
use shadow_core::event::DeltaOrigin;
use shadow_core::{Event, Outcome, Timer, VersionPolicy};

use crate::device::{Device, config, token};
use crate::exchange::{accept_update, lose_link, push, reconnect, reported, update};

#[test]
fn accepting_reports_and_clears_in_one_update() {
    let mut device = Device::ready(config());
    let delta = push(&mut device, 2, r#"{"on":true}"#);
    let request = device.engine.accept(device.now, &delta).unwrap();
    let (sent, token) = update(&mut device);
    let expected = json!({
        "type": "update", "state": {"reported": {"on": true}, "desired": null}, "version": 2,
    });
    assert_eq!(sent, expected);
    accept_update(&mut device, &token, 3);
    assert_eq!(device.outcome(request), reported(Some(3)));
    // A late copy of the change is no news.
    device.result(r#"{"type":"delta","payload":{"state":{"on":true},"version":2}}"#);
    assert_eq!(device.events(), []);
}

#[test]
fn a_part_can_be_accepted_and_the_rest_rejected_or_left() {
    let mut device = Device::ready(config());
    let delta = push(&mut device, 2, r#"{"a":1,"b":2,"c":3}"#);
    device
        .engine
        .accept_as(device.now, &delta.only(&["a"]), &json!({"a": 0.5}))
        .unwrap();
    let (sent, first) = update(&mut device);
    assert_eq!(
        sent["state"],
        json!({"reported": {"a": 0.5}, "desired": {"a": null}}),
        "the others wait for an answer"
    );
    let rest = delta.only(&["b"]);
    let rejected = device.engine.reject(device.now, &rest, "no such thing");
    accept_update(&mut device, &first, 3);
    device.event();
    let (sent, second) = update(&mut device);
    assert_eq!(sent["state"], json!({"desired": {"b": null}}));
    accept_update(&mut device, &second, 4);
    let reason = "no such thing".to_owned();
    assert_eq!(
        device.outcome(rejected.unwrap()),
        Outcome::DeltaRejected { reason }
    );

    // What was left comes again on the next link, and nothing else.
    lose_link(&mut device);
    device.events();
    let get = reconnect(&mut device);
    let cloud = r#"{"state":{"delta":{"c":3},"desired":{"c":3},"reported":{"a":0.5}},"version":4}"#;
    device.reply(&get, "get", 0, cloud);
    let Event::Delta(again) = &device.events()[0] else {
        panic!("no delta")
    };
    assert_eq!(again.state.as_str(), r#"{"c":3}"#);
    assert!(again.redelivered);
}

/// As from a cloud that pushes only what has just been changed.
#[test]
fn a_push_of_one_change_does_not_stand_for_others_that_wait() {
    let mut device = Device::ready(config());
    push(&mut device, 2, r#"{"a":1}"#);
    lose_link(&mut device);
    device.events();
    let get = reconnect(&mut device);
    push(&mut device, 3, r#"{"b":2}"#);
    let desired = r#"{"a":1,"b":2}"#;
    let document = format!(r#"{{"state":{{"delta":{desired},"desired":{desired}}},"version":3}}"#);
    device.reply(&get, "get", 0, &document);
    let Some(Event::Delta(again)) = device.events().into_iter().next() else {
        panic!("no delta")
    };
    assert_eq!(again.state.as_str(), desired);
    assert!(again.redelivered);
}

/// The cloud pushes all that is desired, also what is about to be deleted.
#[test]
fn an_answer_under_way_is_not_asked_for_again_with_the_next_change() {
    let mut device = Device::ready(config());
    let delta = push(&mut device, 2, r#"{"a":1}"#);
    let rejected = device.engine.reject(device.now, &delta, "no").unwrap();
    let (_, token) = update(&mut device);
    // Version 3 is another's, so this update will be refused.
    let news = push(&mut device, 3, r#"{"a":1,"b":2}"#);
    assert_eq!(news.state.as_str(), r#"{"b":2}"#);
    let state = r#"{"desired":{"a":1,"b":2},"delta":{"a":1,"b":2}}"#;
    let document = format!(r#"{{"state":{state},"version":3}}"#);
    device.reply(&token, "update", 5005, &document);
    let (sent, token) = update(&mut device);
    assert_eq!(sent["state"], json!({"desired": {"a": null}}));
    // Version 4 may be this update's, and the value desired anew since.
    let again = push(&mut device, 5, r#"{"a":1,"b":2}"#);
    assert_eq!(again.state.as_str(), r#"{"a":1,"b":2}"#);
    accept_update(&mut device, &token, 4);
    let reason = "no".to_owned();
    assert_eq!(device.outcome(rejected), Outcome::DeltaRejected { reason });
}

/// Left in `desired` it would come back as a change once the device reports another value.
#[test]
fn a_change_that_was_reported_can_be_answered_yet() {
    let mut device = Device::ready(config());
    push(&mut device, 2, r#"{"on":true}"#);
    lose_link(&mut device);
    device.events();
    let get = reconnect(&mut device);
    let state = r#"{"desired":{"on":true},"reported":{"on":true}}"#;
    let document = format!(r#"{{"state":{state},"version":3}}"#);
    device.reply(&get, "get", 0, &document);
    let Some(Event::Delta(delta)) = device.events().into_iter().next() else {
        panic!("it was not told again")
    };
    assert_eq!(
        (delta.state.as_str(), delta.redelivered),
        (r#"{"on":true}"#, true)
    );
    device.engine.accept(device.now, &delta).unwrap();
    let (sent, _) = update(&mut device);
    let expected = json!({"reported": {"on": true}, "desired": null});
    assert_eq!(sent["state"], expected);
}

/// The race that deletes a change nobody has seen: it is why answers carry a version.
#[test]
fn an_answer_does_not_delete_a_newer_change() {
    let mut device = Device::ready(config());
    let delta = push(&mut device, 2, r#"{"level":1}"#);
    let request = device.engine.accept(device.now, &delta).unwrap();
    let (sent, token) = update(&mut device);
    assert_eq!(sent["version"], 2);
    // The push of version 3 was lost; the cloud refuses and shows what it has.
    device.reply(
        &token,
        "update",
        5005,
        r#"{"state":{"delta":{"level":2},"desired":{"level":2},"reported":{}},"version":3}"#,
    );
    let Event::Delta(newer) = device.event() else {
        panic!("the newer change was not told")
    };
    assert_eq!(
        (newer.origin, newer.version, newer.redelivered),
        (DeltaOrigin::Fetched, Some(3), false)
    );
    let (sent, token) = update(&mut device);
    let expected = json!({
        "type": "update", "state": {"reported": {"level": 1}}, "version": 3,
    });
    assert_eq!(sent, expected, "reported, and not deleted");
    accept_update(&mut device, &token, 4);
    assert_eq!(device.outcome(request), reported(Some(4)));
}

#[test]
fn an_answer_beyond_the_tries_is_tried_again_after_a_while() {
    let mut policy = config();
    policy.version_policy = VersionPolicy::Rebase { tries: 1 };
    let mut device = Device::ready(policy);
    let delta = push(&mut device, 2, r#"{"on":true}"#);
    let rejected = device.engine.reject(device.now, &delta, "no").unwrap();
    let (_, token_of_update) = update(&mut device);
    let document = r#"{"state":{"desired":{"on":true},"delta":{"on":true}},"version":3}"#;
    device.reply(&token_of_update, "update", 5005, document);
    device.silent();
    device.tick_until(Timer::Request);
    let get = token(&device.published());
    device.reply(&get, "get", 0, document);
    let (sent, token) = update(&mut device);
    let expected = json!({"type": "update", "state": {"desired": null}, "version": 3});
    assert_eq!(sent, expected);
    accept_update(&mut device, &token, 4);
    let reason = "no".to_owned();
    assert_eq!(device.outcome(rejected), Outcome::DeltaRejected { reason });
}

#[test]
fn a_version_that_skips_is_a_missed_change() {
    let mut device = Device::ready(config());
    push(&mut device, 2, r#"{"a":1}"#);
    device.silent();
    push(&mut device, 5, r#"{"c":1}"#);
    let deadline = device.engine.poll_deadline();
    assert!(deadline.is_some());
    // The get that followed the subscription is less than a second old.
    device.tick_until(Timer::Request);
    let get = token(&device.published());
    device.reply(
        &get,
        "get",
        0,
        r#"{"state":{"delta":{"a":1,"b":1,"c":1},"desired":{"a":1,"b":1,"c":1}},"version":5}"#,
    );
    let Event::Delta(delta) = device.event() else {
        panic!("no delta")
    };
    assert_eq!(delta.state.as_str(), r#"{"a":1,"b":1,"c":1}"#);
}

/// A version that falls is a reset only if a get says so that left after the higher one was seen.
#[test]
fn a_version_that_falls_is_asked_about() {
    let mut device = Device::ready(config());
    push(&mut device, 2, r#"{"a":1}"#);
    device.wait(Duration::from_secs(2));
    device.result(r#"{"type":"delta","payload":{"state":{"a":0},"version":1}}"#);
    assert_eq!(device.events(), [], "late, as far as anybody knows");
    let get = token(&device.published());
    device.reply(
        &get,
        "get",
        0,
        r#"{"state":{"delta":{"a":0},"desired":{"a":0}},"version":1}"#,
    );
    let Event::Delta(delta) = device.event() else {
        panic!("no delta")
    };
    assert_eq!((delta.version, delta.redelivered), (Some(1), false));
}

/// What deleting the last member of an object leaves behind.
#[test]
fn an_empty_object_in_desired_is_no_change() {
    let mut device = Device::ready(config());
    lose_link(&mut device);
    device.events();
    let get = reconnect(&mut device);
    let state = r#"{"desired":{"a":{}},"reported":{"a":{"b":1}}}"#;
    let document = format!(r#"{{"state":{state},"version":3}}"#);
    device.reply(&get, "get", 0, &document);
    assert!(matches!(device.event(), Event::Ready { .. }));
}

#[test]
fn the_object_of_a_withdrawn_member_is_told_once() {
    let mut device = Device::online(config());
    device.subscribe_own();
    let get = token(&device.published());
    let first = push(&mut device, 1, r#"{"a":{"b":1}}"#);
    let withdrawn = push(&mut device, 2, r#"{"a":{}}"#);
    for delta in [first, withdrawn] {
        device.engine.accept(device.now, &delta).unwrap();
    }
    let document = r#"{"state":{"desired":{"a":{}},"delta":{"a":{}}},"version":2}"#;
    device.reply(&get, "get", 0, document);
    assert!(matches!(device.event(), Event::Ready { .. }));
}

/// As from a cloud that pushes only what has just been changed.
#[test]
fn a_withdrawn_member_leaves_the_answers_to_others() {
    let mut device = Device::ready(config());
    let delta = push(&mut device, 2, r#"{"a":{"b":1,"c":2}}"#);
    device.engine.reject(device.now, &delta, "no").unwrap();
    update(&mut device);
    push(&mut device, 3, r#"{"a":{}}"#);
    lose_link(&mut device);
    device.events();
    let get = reconnect(&mut device);
    let state = r#"{"desired":{"a":{"b":1}},"delta":{"a":{"b":1}}}"#;
    let document = format!(r#"{{"state":{state},"version":3}}"#);
    device.reply(&get, "get", 0, &document);
    assert!(matches!(device.event(), Event::Ready { .. }));
    let (sent, _) = update(&mut device);
    assert_eq!(sent["state"], json!({"desired": null}));
}

/// A get that was handled before the push, and answered after it.
#[test]
fn news_with_a_known_version_is_newer_than_a_late_get() {
    let mut device = Device::ready(config());
    lose_link(&mut device);
    device.events();
    let get = reconnect(&mut device);
    // The document was lost and began again; version 1 was another one's.
    let delta = push(&mut device, 1, r#"{"on":true}"#);
    let before = r#"{"state":{"reported":{}},"version":0}"#;
    device.reply(&get, "get", 0, before);
    assert_eq!(device.events(), []);
    device.now += Duration::from_secs(1);
    device.engine.handle_tick(device.now);
    let get = token(&device.published());
    let state = r#"{"desired":{"on":true},"delta":{"on":true}}"#;
    let document = format!(r#"{{"state":{state},"version":1}}"#);
    device.reply(&get, "get", 0, &document);
    device.events();
    device.engine.accept(device.now, &delta).unwrap();
    let (sent, _) = update(&mut device);
    let expected = json!({"reported": {"on": true}, "desired": null});
    assert_eq!(sent["state"], expected);
}
