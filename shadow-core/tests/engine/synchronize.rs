//! Reported state, conflicts of versions, and what survives a power cut.

use serde_json::json;
use shadow_core::json::JsonStyle;
use shadow_core::mqtt::QoS;
use shadow_core::tencent::Update;
use shadow_core::{
    Event, Limit, LimitExceeded, Outcome, RequestError, RequestId, Session, Timer, VersionPolicy,
};

use crate::device::{Device, Out, config, token};
use crate::exchange::{accept_update, lose_link, push, reconnect, report, reported, update};

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

/// While the device was away, its application left what the cloud knew, and another client came to
/// desire just that: the cloud sees no difference, nor says that there is one once it has the report.
#[test]
fn what_an_unsent_report_departs_from_is_told() {
    for left in [json!({"a": 2, "b": 1}), json!({"a": null, "b": 1})] {
        let mut device = Device::ready(config());
        report(&mut device, &json!({"a": 1}));
        let (_, token) = update(&mut device);
        accept_update(&mut device, &token, 2);
        lose_link(&mut device);
        report(&mut device, &left);
        device.events();
        let get = reconnect(&mut device);
        let cloud = r#"{"state":{"desired":{"a":1,"b":1},"reported":{"a":1,"b":1}},"version":3}"#;
        device.reply(&get, "get", 0, cloud);
        let events = device.events();
        let [Event::Delta(delta), Event::Ready { .. }] = &events[..] else {
            panic!("{events:?}")
        };
        let told = (delta.state.as_str(), delta.version, delta.redelivered);
        assert_eq!(told, (r#"{"a":1}"#, Some(3), false));
        let (sent, token) = update(&mut device);
        assert_eq!(sent["state"], json!({"reported": {"a": left["a"]}}));
        accept_update(&mut device, &token, 4);
        device.events();

        // It waits for its answer, as any other does.
        lose_link(&mut device);
        device.events();
        let get = reconnect(&mut device);
        let cloud = r#"{"state":{"desired":{"a":1,"b":1},"reported":{"b":1}},"version":4}"#;
        device.reply(&get, "get", 0, cloud);
        let events = device.events();
        assert!(
            matches!(&events[0], Event::Delta(delta) if delta.redelivered),
            "{events:?}"
        );
    }
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
