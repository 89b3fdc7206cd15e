//! Reported state, answers to deltas, versions, and what survives a power cut.

use core::time::Duration;

use serde_json::{Value, json};
use shadow_core::event::DeltaOrigin;
use shadow_core::json::JsonStyle;
use shadow_core::mqtt::QoS;
use shadow_core::tencent::Update;
use shadow_core::{
    Delta, Event, Limit, LimitExceeded, Outcome, RequestError, RequestId, Session, Timer,
    TransportFailure, VersionPolicy,
};

use crate::device::{Device, Out, config, token};

fn report(device: &mut Device, patch: &Value) -> RequestId {
    let shadow = device.shadow();
    device.engine.report(device.now, shadow, patch).unwrap()
}

/// The update that comes out, without its token, and its token.
fn update(device: &mut Device) -> (Value, String) {
    let payload = device.published();
    let token = token(&payload);
    let mut value: Value = serde_json::from_str(&payload).unwrap();
    value.as_object_mut().unwrap().remove("clientToken");
    (value, token)
}

fn accept_update(device: &mut Device, token: &str, version: u64) {
    let payload = format!(r#"{{"state":{{"reported":{{}}}},"version":{version}}}"#);
    device.reply(token, "update", 0, &payload);
}

fn push(device: &mut Device, version: u64, state: &str) -> Delta {
    device.result(&format!(
        r#"{{"type":"delta","payload":{{"state":{state},"version":{version}}}}}"#
    ));
    match device.event() {
        Event::Delta(delta) => delta,
        other => panic!("{other:?}"),
    }
}

fn lose_link(device: &mut Device) {
    let failure = TransportFailure::ClosedByPeer;
    device.engine.handle_disconnected(device.now, failure);
}

/// A new link, up to the engine's own get; its token.
fn reconnect(device: &mut Device) -> String {
    device.tick_until(Timer::Reconnect);
    device.connect(false);
    device.subscribe_own();
    token(&device.published())
}

fn reported(version: Option<u64>) -> Outcome {
    Outcome::Reported { version }
}

#[test]
fn a_report_is_one_update_at_the_known_version() {
    let mut device = Device::ready(config());
    let request = report(&mut device, &json!({"b": 2, "a": {"x": 1}}));
    let (sent, token) = update(&mut device);
    let expected = json!({
        "type": "update", "state": {"reported": {"a": {"x": 1}, "b": 2}}, "version": 1,
    });
    assert_eq!(sent, expected);
    assert!(!device.engine.is_synchronized(device.shadow()));
    accept_update(&mut device, &token, 2);
    assert_eq!(device.outcome(request), reported(Some(2)));
    assert!(device.engine.is_synchronized(device.shadow()));
    device.silent();

    // What the cloud has is not sent again.
    let again = report(&mut device, &json!({"b": 2}));
    assert_eq!(device.outcome(again), reported(Some(2)));
    device.silent();
}

#[test]
fn reports_made_while_an_update_is_under_way_leave_together() {
    let mut device = Device::ready(config());
    let first = report(&mut device, &json!({"n": 0}));
    let (_, token) = update(&mut device);
    let later = [1, 2, 3].map(|n| report(&mut device, &json!({"n": n})));
    assert!(later.iter().all(|request| *request == later[0]) && later[0] != first);
    device.silent();
    accept_update(&mut device, &token, 2);
    assert_eq!(device.outcome(first), reported(Some(2)));
    let (sent, token) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"n": 3}}));
    assert_eq!(sent["version"], 2);
    accept_update(&mut device, &token, 3);
    assert_eq!(device.outcome(later[0]), reported(Some(3)));
}

#[test]
fn a_thousand_reports_without_a_link_are_one_difference() {
    let mut device = Device::ready(config());
    lose_link(&mut device);
    device.events();
    let requests: Vec<RequestId> = (0..1_000)
        .map(|n| report(&mut device, &json!({"n": n, "old": null})))
        .collect();
    assert_eq!(device.engine.open_requests(), 1);
    let get = reconnect(&mut device);
    let cloud = r#"{"state":{"reported":{"n":7,"old":1,"other":true}},"version":9}"#;
    device.reply(&get, "get", 0, cloud);
    assert!(matches!(device.event(), Event::Ready { .. }));
    let (sent, token) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"n": 999, "old": null}}));
    assert_eq!(sent["version"], 9);
    accept_update(&mut device, &token, 10);
    assert_eq!(device.outcome(requests[0]), reported(Some(10)));
}

#[test]
fn an_update_whose_reply_was_lost_is_settled_by_the_get() {
    let mut device = Device::ready(config());
    let request = report(&mut device, &json!({"a": 1}));
    update(&mut device);
    lose_link(&mut device);
    let get = {
        device.events();
        reconnect(&mut device)
    };
    let cloud = r#"{"state":{"reported":{"a":1}},"version":2}"#;
    device.reply(&get, "get", 0, cloud);
    let events = device.events();
    let ended = Event::Ended {
        request,
        outcome: reported(Some(2)),
    };
    assert!(events.contains(&ended), "{events:?}");
    device.silent();
}

/// The cloud's cache was emptied: what the device last reported goes there again.
#[test]
fn a_cloud_that_forgot_is_told_again() {
    let mut device = Device::ready(config());
    report(&mut device, &json!({"a": 1, "b": {"c": 2}}));
    let (_, sent) = update(&mut device);
    accept_update(&mut device, &sent, 2);
    device.events();
    lose_link(&mut device);
    device.events();
    let get = reconnect(&mut device);
    device.reply(&get, "get", 0, r#"{"state":{"reported":{}},"version":0}"#);
    let (sent, _) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"a": 1, "b": {"c": 2}}}));
    assert_eq!(sent.get("version"), None, "version 0 cannot be checked");
}

/// As after a start without a session: what the cloud has of it, nobody knows.
#[test]
fn a_nested_key_that_was_never_set_is_deleted_all_the_same() {
    let mut device = Device::ready(config());
    let request = report(&mut device, &json!({"a": {"b": null}, "c": null}));
    let (sent, token) = update(&mut device);
    let expected = json!({"reported": {"a": {"b": null}, "c": null}});
    assert_eq!(sent["state"], expected);
    accept_update(&mut device, &token, 2);
    assert_eq!(device.outcome(request), reported(Some(2)));
}

#[test]
fn an_update_without_a_reply_is_followed_by_a_get() {
    let mut device = Device::ready(config());
    let request = report(&mut device, &json!({"a": 1}));
    update(&mut device);
    device.tick_until(Timer::Request);
    let get = token(&device.published());
    device.reply(&get, "get", 0, r#"{"state":{"reported":{}},"version":1}"#);
    let (sent, token) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"a": 1}}));
    accept_update(&mut device, &token, 2);
    assert_eq!(device.outcome(request), reported(Some(2)));
}

#[test]
fn a_one_shot_update_takes_its_keys_over() {
    let mut device = Device::ready(config());
    report(&mut device, &json!({"a": 1, "b": {"c": 1, "d": 1}}));
    let (_, first) = update(&mut device);
    let shadow = device.shadow();
    let other = Update::new().reported(json!({"a": 2, "b": {"c": null}}));
    device.engine.update(device.now, shadow, &other).unwrap();
    let second = token(&device.published());
    assert_eq!(device.engine.reported(shadow), Some(r#"{"b":{"d":1}}"#));
    accept_update(&mut device, &first, 2);
    accept_update(&mut device, &second, 3);
    device.events();
    device.silent();
}

/// With QoS 1 a get of the last link is sent again in front of the update, and answered.
#[test]
fn a_get_of_an_earlier_link_does_not_show_what_has_arrived() {
    let mut reliable = config();
    reliable.shadow_qos = QoS::AtLeastOnce;
    reliable.clean_session = false;
    let mut device = Device::ready(reliable);
    let shadow = device.shadow();
    device.engine.get(device.now, shadow).unwrap();
    let get = token(&device.published());
    let request = report(&mut device, &json!({"a": 1}));
    device.published();
    report(&mut device, &json!({"a": null}));
    lose_link(&mut device);
    device.events();
    device.tick_until(Timer::Reconnect);
    device.connect(true);
    let sent = device.poll().into_iter();
    let subscribe = sent.filter_map(|out| match out {
        Out::Packet(bytes) if bytes[0] == 0x82 => Some([bytes[2], bytes[3]]),
        _ => None,
    });
    let [[high, low]] = subscribe.collect::<Vec<_>>()[..] else {
        panic!("no SUBSCRIBE");
    };
    device.reply(&get, "get", 0, r#"{"state":{"reported":{}},"version":1}"#);
    device.bytes(&[0x90, 3, high, low, 1]);
    let ended = |event: Event| matches!(event, Event::Ended { request: r, .. } if r == request);
    assert!(!device.events().into_iter().any(ended));
}

/// The get that follows a subscription leaves before an update that waited, and cannot show it.
#[test]
fn a_report_after_a_one_shot_update_is_the_last_writer_again() {
    for given_up in [false, true] {
        is_the_last_writer_again(given_up);
    }
}

fn is_the_last_writer_again(given_up: bool) {
    let mut device = Device::new(config());
    let shadow = device.shadow();
    let update_first = Update::new().reported(json!({"a": 1}));
    let first = device.engine.update(device.now, shadow, &update_first);
    let request = report(&mut device, &json!({"a": null}));
    device.connect(false);
    device.subscribe_own();
    let leaving = device.poll().into_iter().map(|out| {
        let Out::Packet(bytes) = out else {
            panic!("{out:?}");
        };
        let payload = bytes.iter().position(|byte| *byte == b'{').unwrap();
        token(core::str::from_utf8(&bytes[payload..]).unwrap())
    });
    let tokens: Vec<String> = leaving.collect();
    let [get, one_shot] = &tokens[..] else {
        panic!("{tokens:?}");
    };
    if given_up {
        device.engine.cancel(device.now, first.unwrap()).unwrap();
    }
    device.reply(get, "get", 0, r#"{"state":{"reported":{}},"version":0}"#);
    let (sent, deletion) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"a": null}}));
    accept_update(&mut device, one_shot, 1);
    accept_update(&mut device, &deletion, 2);
    let outcome = reported(Some(2));
    let last = device.events().pop();
    assert_eq!(last, Some(Event::Ended { request, outcome }));
}

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
fn tries_are_bounded_and_the_report_arrives_all_the_same() {
    let mut policy = config();
    policy.version_policy = VersionPolicy::Rebase { tries: 2 };
    let mut device = Device::ready(policy);
    report(&mut device, &json!({"a": 1}));
    for version in [5, 6] {
        let (sent, token) = update(&mut device);
        assert!(sent.get("version").is_some());
        let current = format!(r#"{{"state":{{"reported":{{}}}},"version":{version}}}"#);
        device.reply(&token, "update", 5005, &current);
    }
    let (sent, _) = update(&mut device);
    assert_eq!(
        sent,
        json!({"type": "update", "state": {"reported": {"a": 1}}})
    );
}

#[test]
fn strict_tells_of_the_conflict_and_waits() {
    let mut policy = config();
    policy.version_policy = VersionPolicy::Strict;
    let mut device = Device::ready(policy);
    let request = report(&mut device, &json!({"a": 1}));
    let (_, token) = update(&mut device);
    device.reply(
        &token,
        "update",
        5005,
        r#"{"state":{"reported":{"a":0}},"version":7}"#,
    );
    assert!(matches!(
        device.outcome(request),
        Outcome::Rejected { code: 5005, .. }
    ));
    device.silent();
    report(&mut device, &json!({"b": 2}));
    let (sent, _) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"a": 1, "b": 2}}));
    assert_eq!(sent["version"], 7);
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

/// The one that was refused may have been cancelled, with nobody left to be told.
#[test]
fn what_was_reported_behind_a_conflict_is_sent() {
    let mut policy = config();
    policy.version_policy = VersionPolicy::Strict;
    let mut device = Device::ready(policy);
    let request = report(&mut device, &json!({"a": 1}));
    let (_, token) = update(&mut device);
    device.engine.cancel(device.now, request).unwrap();
    let request = report(&mut device, &json!({"b": 2}));
    device.events();
    device.reply(&token, "update", 5005, r#"{"state":{},"version":7}"#);
    let (sent, token) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"a": 1, "b": 2}}));
    accept_update(&mut device, &token, 8);
    assert_eq!(device.outcome(request), reported(Some(8)));
}

#[test]
fn unchecked_carries_no_version() {
    let mut policy = config();
    policy.version_policy = VersionPolicy::Unchecked;
    let mut device = Device::ready(policy);
    let delta = push(&mut device, 2, r#"{"on":true}"#);
    device.engine.accept(device.now, &delta).unwrap();
    let (sent, _) = update(&mut device);
    let expected = json!({
        "type": "update", "state": {"reported": {"on": true}, "desired": {"on": null}},
    });
    assert_eq!(sent, expected, "and deletes no more than it answers");
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

#[test]
fn a_power_cut_forgets_nothing() {
    let mut device = Device::ready(config());
    let delta = push(&mut device, 2, r#"{"on":true,"level":3}"#);
    device
        .engine
        .accept(device.now, &delta.only(&["on"]))
        .unwrap();
    report(&mut device, &json!({"temperature": 21.5, "old": null}));
    let stored = device.engine.session().to_bytes();

    let session = Session::from_bytes(&stored).unwrap();
    assert_eq!(session, *device.engine.session());
    let mut device = Device::with_session(config(), session, 1);
    device.connect(false);
    device.subscribe_own();
    let get = device.published();
    device.reply(
        &token(&get),
        "get",
        0,
        r#"{"state":{"delta":{"on":true,"level":3},"desired":{"on":true,"level":3},
            "reported":{"old":1}},"version":2}"#,
    );
    let Event::Delta(delta) = &device.events()[0] else {
        panic!("no delta")
    };
    assert_eq!(
        delta.state.as_str(),
        r#"{"level":3}"#,
        "the other was answered"
    );
    assert!(delta.redelivered);
    let (sent, _) = update(&mut device);
    assert_eq!(
        sent["state"],
        json!({
            "reported": {"old": null, "on": true, "temperature": 21.5},
            "desired": {"on": null},
        })
    );
}

#[test]
fn a_refused_update_is_told_and_tried_again_with_the_next_report() {
    let mut device = Device::ready(config());
    let request = report(&mut device, &json!({"a": 1}));
    let (_, token) = update(&mut device);
    device.reply(&token, "update", 9_000, "{}");
    assert!(matches!(
        device.outcome(request),
        Outcome::Rejected { code: 9_000, .. }
    ));
    device.silent();
    report(&mut device, &json!({"b": 1}));
    let (sent, _) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"a": 1, "b": 1}}));
}

/// Escaped as Python does it, two bytes of text become six.
#[test]
fn a_value_that_grows_when_it_is_written_does_not_exceed_a_payload() {
    let mut python = config();
    python.behaviour.json_style = JsonStyle::Python;
    let mut device = Device::ready(python);
    let shadow = device.shadow();
    let limit = 16_384;
    for characters in [1_000, 2_600, 2_700, 5_000, 8_000] {
        let value = json!({"a": "\u{e9}".repeat(characters)});
        if device.engine.report(device.now, shadow, &value).is_ok() {
            let (_, token) = update(&mut device);
            accept_update(&mut device, &token, 2);
            device.events();
            assert!(characters * 6 < limit, "{characters} fit");
        } else {
            assert!(characters > 2_600, "{characters} would fit");
        }
    }
}

#[test]
fn reports_are_bounded() {
    let mut bounded = config();
    bounded.limits.document_size = 1_000;
    bounded.maximum_requests = 2;
    let mut device = Device::ready(bounded);
    let shadow = device.shadow();
    let large = json!({"a": "x".repeat(1_000)});
    assert!(matches!(
        device.engine.report(device.now, shadow, &large),
        Err(RequestError::LimitExceeded(LimitExceeded {
            limit: Limit::DocumentSize,
            value: 1_008,
            maximum: 1_000,
        }))
    ));
    assert_eq!(device.engine.reported(shadow), Some("{}"));
    // An application that never polls events cannot report for ever.
    let mut refused = 0;
    for n in 0..10 {
        let sent = device.engine.report(device.now, shadow, &json!({"n": n}));
        refused += usize::from(sent == Err(RequestError::TooManyRequests { limit: 2 }));
        for out in device.poll() {
            let crate::device::Out::Packet(bytes) = out else {
                panic!("{out:?}")
            };
            let start = bytes.iter().position(|byte| *byte == b'{').unwrap();
            let token = token(core::str::from_utf8(&bytes[start..]).unwrap());
            accept_update(&mut device, &token, n + 2);
        }
    }
    assert_eq!(refused, 8);
}

#[test]
fn a_get_in_front_of_an_update_does_not_settle_it() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    device.engine.get(device.now, shadow).unwrap();
    let get = token(&device.published());
    report(&mut device, &json!({"a": 1}));
    let (_, token) = update(&mut device);
    report(&mut device, &json!({"a": null}));
    device.reply(&get, "get", 0, r#"{"state":{"reported":{}},"version":1}"#);
    device.silent();
    accept_update(&mut device, &token, 2);
    let (sent, _) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"a": null}}));
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

#[test]
fn a_report_does_not_overtake_a_one_shot_update_that_waits_for_the_window() {
    let mut narrow = config();
    narrow.shadow_qos = QoS::AtLeastOnce;
    narrow.maximum_in_flight = 1;
    let mut device = Device::ready(narrow);
    let shadow = device.shadow();
    let sent = |device: &mut Device| -> (u8, String) {
        let packet = device.packet();
        let payload = packet.iter().position(|byte| *byte == b'{').unwrap();
        let id = packet[payload - 1];
        (id, core::str::from_utf8(&packet[payload..]).unwrap().into())
    };
    for value in [1, 2] {
        let reported = json!({ "a": value });
        let one_shot = Update::new().reported(&reported);
        device.engine.update(device.now, shadow, &one_shot).unwrap();
    }
    report(&mut device, &json!({"a": 3}));
    device.bytes(&[0x40, 2, 0, 2]); // the get's place in the window
    for expected in [r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#] {
        let (id, payload) = sent(&mut device);
        assert!(
            payload.contains(expected),
            "{payload} comes before {expected}"
        );
        device.bytes(&[0x40, 2, 0, id]);
    }
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
    device.now = device.now + Duration::from_secs(1);
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
