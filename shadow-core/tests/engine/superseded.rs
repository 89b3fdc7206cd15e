//! Told changes of `desired` that another has replaced since, which is no difference: the cloud has
//! it reported.

use serde_json::json;
use shadow_core::{Delta, Event, Outcome, Session, Timer};

use crate::device::{Device, config, token};
use crate::exchange::{accept_update, lose_link, push, reconnect, report, reported, update};

/// The cloud after the change that makes no difference.
const RED: &str = r#"{"state":{"desired":{"c":"red"},"reported":{"c":"red"}},"version":4}"#;

/// A device that is red, as the cloud knows, and was told to be green with version 3.
fn told_green() -> (Device, Delta) {
    let mut device = Device::ready(config());
    report(&mut device, &json!({"c": "red"}));
    let (_, sent) = update(&mut device);
    accept_update(&mut device, &sent, 2);
    device.events();
    let green = push(&mut device, 3, r#"{"c":"green"}"#);
    device.silent();
    (device, green)
}

/// The get that comes out as soon as it may; its token.
fn get(device: &mut Device) -> String {
    device.tick_until(Timer::Request);
    token(&device.published())
}

fn told<'a>(events: &'a [Event]) -> Vec<(&'a str, Option<u64>, bool)> {
    let delta = |event: &'a Event| match event {
        Event::Delta(delta) => Some((delta.state.as_str(), delta.version, delta.redelivered)),
        _ => None,
    };
    events.iter().filter_map(delta).collect()
}

fn only_delta(device: &mut Device) -> Delta {
    match device.event() {
        Event::Delta(delta) => delta,
        other => panic!("{other:?}"),
    }
}

/// The application may be about to apply the last delta that it saw.
#[test]
fn what_supersedes_a_told_value_is_told_though_it_is_reported() {
    let (mut device, green) = told_green();
    push(&mut device, 5, r#"{"d":1}"#); // A version was skipped.
    let asked = get(&mut device);
    let cloud = r#"{"state":{"delta":{"d":1},"desired":{"c":"red","d":1},"reported":{"c":"red"}},"version":5}"#;
    device.reply(&asked, "get", 0, cloud);
    let events = device.events();
    assert_eq!(
        told(&events),
        [(r#"{"c":"red","d":1}"#, Some(5), false)],
        "{events:?}"
    );
    let [Event::Delta(red)] = &events[..] else {
        panic!("{events:?}")
    };

    // Too late for green: it is reported, and red waits.
    device.engine.accept(device.now, &green).unwrap();
    let (sent, first) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"c": "green"}}));
    accept_update(&mut device, &first, 6);
    device.events();
    device.engine.accept(device.now, red).unwrap();
    let (sent, second) = update(&mut device);
    let expected = json!({"reported": {"c": "red", "d": 1}, "desired": null});
    assert_eq!(sent["state"], expected);
    accept_update(&mut device, &second, 7);
    assert!(device.engine.is_synchronized(device.shadow()));
}

#[test]
fn so_it_is_in_a_nested_object_and_where_an_object_takes_its_place() {
    for (told, reported, desired) in [
        (
            r#"{"e":{"x":1,"y":1}}"#,
            r#"{"e":{"x":2}}"#,
            r#"{"e":{"x":2,"y":1}}"#,
        ),
        (r#"{"e":1}"#, r#"{"e":{"x":2}}"#, r#"{"e":{"x":2}}"#),
        (r#"{"e":{"x":1}}"#, r#"{"e":2}"#, r#"{"e":2}"#),
    ] {
        let mut device = Device::ready(config());
        push(&mut device, 2, told);
        let shadow = device.shadow();
        device.engine.get(device.now, shadow).unwrap();
        let asked = token(&device.published());
        let state = format!(r#"{{"desired":{desired},"reported":{reported}}}"#);
        let cloud = format!(r#"{{"state":{state},"version":3}}"#);
        device.reply(&asked, "get", 0, &cloud);
        let events = device.events();
        assert_eq!(self::told(&events), [(desired, Some(3), false)]);
    }
}

/// Also where the device was away, and where it lost its power: what it was told is stored.
#[test]
fn what_supersedes_a_told_value_is_told_on_the_next_link() {
    for power_cut in [false, true] {
        let (mut device, green) = told_green();
        if power_cut {
            let stored = device.engine.session().to_bytes();
            let session = Session::from_bytes(&stored).unwrap();
            device = Device::with_session(config(), session, 2);
            device.connect(false);
            device.subscribe_own();
            let asked = token(&device.published());
            device.reply(&asked, "get", 0, RED);
        } else {
            lose_link(&mut device);
            device.events();
            let asked = reconnect(&mut device);
            device.reply(&asked, "get", 0, RED);
        }
        let events = device.events();
        assert_eq!(told(&events), [(r#"{"c":"red"}"#, Some(4), false)]);

        // Nothing of red is answered with green.
        let request = device.engine.reject(device.now, &green, "late").unwrap();
        let reason = "late".to_owned();
        assert_eq!(device.outcome(request), Outcome::DeltaRejected { reason });
        device.silent();
    }
}

/// Once it is told, it waits for its answer as any other does.
#[test]
fn what_superseded_is_told_once_and_redelivered_on_the_next_link() {
    let (mut device, _) = told_green();
    let shadow = device.shadow();
    for expected in [&[(r#"{"c":"red"}"#, Some(4), false)][..], &[]] {
        device.engine.get(device.now, shadow).unwrap();
        let asked = token(&device.published());
        device.reply(&asked, "get", 0, RED);
        assert_eq!(told(&device.events()), expected);
    }
    lose_link(&mut device);
    device.events();
    let asked = reconnect(&mut device);
    device.reply(&asked, "get", 0, RED);
    assert_eq!(told(&device.events()), [(r#"{"c":"red"}"#, Some(4), true)]);
}

/// A push says what differs: red does not, and the next version is no sign of it.
#[test]
fn an_answer_that_a_push_left_out_asks_what_is_desired() {
    let (mut device, green) = told_green();
    push(&mut device, 4, r#"{"d":1}"#);
    device.silent();
    let request = device.engine.accept(device.now, &green).unwrap();
    let asked = get(&mut device);
    let cloud = r#"{"state":{"delta":{"d":1},"desired":{"c":"red","d":1},"reported":{"c":"red"}},"version":4}"#;
    device.reply(&asked, "get", 0, cloud);
    let red = only_delta(&mut device);
    assert!(red.state.as_str().contains(r#""c":"red""#), "{red:?}");
    let (sent, first) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"c": "green"}}));
    accept_update(&mut device, &first, 5);
    assert_eq!(device.outcome(request), reported(Some(5)));
}

/// Nor is it a sign that green is desired no more: some clouds push only what has changed.
#[test]
fn an_answer_that_a_push_left_out_is_deleted_where_it_is_desired_still() {
    let (mut device, green) = told_green();
    push(&mut device, 4, r#"{"d":1}"#);
    device.engine.accept(device.now, &green).unwrap();
    let asked = get(&mut device);
    let state =
        r#"{"delta":{"c":"green","d":1},"desired":{"c":"green","d":1},"reported":{"c":"red"}}"#;
    device.reply(
        &asked,
        "get",
        0,
        &format!(r#"{{"state":{state},"version":4}}"#),
    );
    assert_eq!(device.events(), []);
    let (sent, _) = update(&mut device);
    let expected = json!({"reported": {"c": "green"}, "desired": {"c": null}});
    assert_eq!(sent["state"], expected);
}

/// An answer that waits to be sent as the push comes.
#[test]
fn an_unsent_answer_that_a_push_left_out_asks_what_is_desired() {
    let (mut device, green) = told_green();
    report(&mut device, &json!({"other": 1}));
    let (_, sent) = update(&mut device);
    device.engine.reject(device.now, &green, "no").unwrap();
    push(&mut device, 4, r#"{"d":1}"#);
    let conflict = r#"{"state":{"delta":{"d":1},"desired":{"c":"red","d":1},"reported":{"c":"red"}},"version":4}"#;
    device.reply(&sent, "update", 5005, conflict);
    let (sent, _) = update(&mut device);
    assert_eq!(
        sent["state"],
        json!({"reported": {"other": 1}}),
        "red stays"
    );
}

/// What the application does with a delta that is over is its own affair; what is desired by then
/// may be what it departs from.
#[test]
fn an_answer_to_what_was_withdrawn_asks_what_is_desired() {
    let (mut device, green) = told_green();
    let shadow = device.shadow();
    device.engine.get(device.now, shadow).unwrap();
    let asked = token(&device.published());
    device.reply(
        &asked,
        "get",
        0,
        r#"{"state":{"reported":{"c":"red"}},"version":4}"#,
    );
    device.events();
    device.engine.accept(device.now, &green).unwrap();
    let asked = get(&mut device);
    let cloud = RED.replace('4', "5");
    device.reply(&asked, "get", 0, &cloud);
    assert_eq!(told(&device.events()), [(r#"{"c":"red"}"#, Some(5), false)]);
    let (sent, _) = update(&mut device);
    assert_eq!(sent["state"], json!({"reported": {"c": "green"}}));
}
