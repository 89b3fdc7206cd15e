//! Deltas, readiness, and several shadows on one engine.

use core::time::Duration;

use shadow_core::event::{Delta, DeltaOrigin};
use shadow_core::mqtt::QoS;
use shadow_core::tencent::{ShadowName, Update};
use shadow_core::{Event, Outcome, RequestError, Timer, TransportFailure};

use crate::device::{Device, Out, config, token};

fn delta(device: &Device, origin: DeltaOrigin, version: u64, state: &str) -> Event {
    Event::Delta(Delta {
        shadow: device.shadow(),
        origin,
        version: Some(version),
        state: state.parse().unwrap(),
        redelivered: false,
    })
}

/// A document of 16 KB stands in a get reply with its delta, and with a time for each value.
#[test]
fn the_largest_document_of_the_vendor_is_fetched() {
    let mut device = Device::online(config());
    device.subscribe_own();
    let get = token(&device.published());
    let many = |value: &str| {
        let members: Vec<String> = (0..1_000)
            .map(|n| format!(r#""property{n:04}":{value}"#))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    let (desired, times) = (many("1"), many(r#"{"timestamp":1626770626087}"#));
    let document = format!(
        r#"{{"state":{{"delta":{desired},"desired":{desired},"reported":{{}}}},
            "metadata":{{"delta":{times},"desired":{times}}},"version":4}}"#
    );
    assert!(desired.len() > 15_000 && document.len() > 100_000);
    device.reply(&get, "get", 0, &document);
    let events = device.events();
    let [Event::Delta(delta), Event::Ready { .. }] = &events[..] else {
        panic!("{} events", events.len())
    };
    assert_eq!(delta.state.as_str(), desired);
}

#[test]
fn a_get_follows_the_subscription_and_ends_in_ready() {
    let mut device = Device::online(config());
    device.subscribe_own();
    let get = device.published();
    device.reply(
        &token(&get),
        "get",
        0,
        r#"{"state":{"delta":{"on":true},"desired":{"on":true},"reported":{"on":false}},"version":4}"#,
    );
    let events = device.events();
    assert_eq!(
        events[0],
        delta(&device, DeltaOrigin::Fetched, 4, r#"{"on":true}"#)
    );
    let Event::Ready { document, .. } = &events[1] else {
        panic!("{events:?}")
    };
    assert_eq!(document.reported(), Some(r#"{"on":false}"#));
    assert_eq!(events.len(), 2);
}

#[test]
fn the_first_get_goes_before_what_waited() {
    let mut device = Device::online(config());
    let shadow = device.shadow();
    device.engine.clear_desired(device.now, shadow).unwrap();
    device.subscribe_own();
    let out = device.poll();
    let [Out::Packet(first), Out::Packet(second)] = &out[..] else {
        panic!("{out:?}")
    };
    let contains = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
    assert!(contains(first, br#""type":"get""#));
    assert!(contains(second, br#""desired":null"#));
}

#[test]
fn an_unanswered_first_get_is_sent_again() {
    let mut device = Device::online(config());
    device.subscribe_own();
    let first = token(&device.published());
    device.tick(Timer::Request, Duration::from_secs(10));
    let second = token(&device.published());
    assert_ne!(first, second);
    device.reply(
        &second,
        "get",
        0,
        r#"{"state":{"reported":{}},"version":0}"#,
    );
    assert!(matches!(device.event(), Event::Ready { .. }));
}

#[test]
fn a_rejected_first_get_is_told_and_sent_again() {
    let mut device = Device::online(config());
    device.subscribe_own();
    let first = token(&device.published());
    device.reply(&first, "get", 42, r#"{"state":{}}"#);
    let event = device.event();
    assert!(
        matches!(event, Event::GetRejected { code: 42, .. }),
        "{event:?}"
    );
    device.silent();
    device.tick(Timer::Request, Duration::from_secs(10));
    let second = token(&device.published());
    device.reply(&second, "get", 0, r#"{"state":{}}"#);
    assert!(matches!(device.event(), Event::Ready { .. }));
}

#[test]
fn a_pushed_delta_is_told() {
    let mut device = Device::ready(config());
    device.result(
        r#"{"type":"delta","timestamp":1,"payload":{"state":{"a":{"b":[1,2]}},"version":7,"timestamp":1}}"#,
    );
    assert_eq!(
        device.event(),
        delta(&device, DeltaOrigin::Pushed, 7, r#"{"a":{"b":[1,2]}}"#)
    );
}

#[test]
fn the_same_change_pushed_and_fetched_is_told_once_on_a_link() {
    let mut device = Device::online(config());
    device.subscribe_own();
    let get = token(&device.published());
    let push = r#"{"type":"delta","payload":{"state":{"on":true},"version":4}}"#;
    device.result(push);
    assert_eq!(
        device.event(),
        delta(&device, DeltaOrigin::Pushed, 4, r#"{"on":true}"#)
    );
    device.reply(
        &get,
        "get",
        0,
        r#"{"state":{"delta":{"on":true}},"version":4}"#,
    );
    assert!(matches!(device.event(), Event::Ready { .. }));
    // Another content under the same version is another change.
    device.result(r#"{"type":"delta","payload":{"state":{"on":1},"version":4}}"#);
    assert!(matches!(device.event(), Event::Delta(_)));

    // After a reconnect it is told again, as nobody has answered it; and not as a new one.
    device
        .engine
        .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
    device.events();
    device.tick_until(Timer::Reconnect);
    device.connect(false);
    device.subscribe_own();
    let get = token(&device.published());
    device.reply(
        &get,
        "get",
        0,
        r#"{"state":{"delta":{"on":1}},"version":4}"#,
    );
    let events = device.events();
    let Event::Delta(delta) = &events[0] else {
        panic!("{events:?}")
    };
    assert_eq!(delta.state.as_str(), r#"{"on":1}"#);
    assert!(delta.redelivered);
}

#[test]
fn clears_write_null() {
    let mut device = Device::ready(config());
    let (shadow, now) = (device.shadow(), device.now);
    device.engine.clear_desired(now, shadow).unwrap();
    assert!(device.published().contains(r#""state":{"desired":null}"#));
    device.engine.clear_reported(now, shadow).unwrap();
    assert!(device.published().contains(r#""state":{"reported":null}"#));
    let both = Update::new()
        .reported(
            [("a", 1)]
                .into_iter()
                .collect::<std::collections::BTreeMap<_, _>>(),
        )
        .clear_desired()
        .overwrite(true);
    device.engine.update(now, shadow, &both).unwrap();
    let sent = device.published();
    assert!(
        sent.contains(r#""state":{"reported":{"a":1},"desired":null}"#),
        "{sent}"
    );
    assert!(sent.contains(r#""overwriteUpdate":true"#), "{sent}");
}

#[test]
fn a_gateway_has_several_shadows_on_one_link() {
    let mut device = Device::ready(config());
    let sub = ShadowName::new("SUBPRODUCT", "sensor").unwrap();
    let id = device.engine.attach(device.now, &sub).unwrap();
    assert_eq!(device.engine.shadow_name(id), Some(&sub));
    let again = device.engine.attach(device.now, &sub);
    assert_eq!(again, Err(RequestError::AlreadyAttached(id)));
    let subscribe = device.packet();
    let topic = b"$shadow/operation/result/SUBPRODUCT/sensor\x00";
    assert!(subscribe.ends_with(topic));
    device.bytes(&[0x90, 3, subscribe[2], subscribe[3], 0]);
    assert_eq!(device.event(), Event::ShadowSubscribed { shadow: id });
    let get = token(&device.published());
    // The right token on the wrong shadow's topic is not its answer.
    device.reply(&get, "get", 0, r#"{"state":{}}"#);
    assert!(matches!(device.event(), Event::Unmatched(_)));
    let reply = format!(r#"{{"type":"get","clientToken":"{get}","result":0,"payload":{{}}}}"#);
    let topic = "$shadow/operation/result/SUBPRODUCT/sensor";
    device.message(topic, reply.as_bytes(), QoS::AtMostOnce, None);
    assert!(matches!(device.event(), Event::Ready { shadow, .. } if shadow == id));

    let request = device.engine.get(device.now, id).unwrap();
    device.poll();
    device.engine.detach(device.now, id).unwrap();
    assert_eq!(device.outcome(request), Outcome::Cancelled);
    let unsubscribe = device.packet();
    assert_eq!(unsubscribe[0], 0xA2);
    device.bytes(&[0xB0, 2, unsubscribe[2], unsubscribe[3]]);
    assert_eq!(device.events(), []);
    assert_eq!(
        device.engine.get(device.now, id),
        Err(RequestError::UnknownShadow(id))
    );
    device.message(topic, b"stray", QoS::AtMostOnce, None);
    assert!(matches!(device.event(), Event::Message(_)));
}

/// Three shadows with the same request under way, and a topic that is none's.
#[test]
fn shadows_and_plain_topics_share_one_engine() {
    let mut device = Device::ready(config());
    let mut shadows = vec![(device.shadow(), "PRODUCT001/lamp".to_owned())];
    for name in ["first", "second"] {
        let sub = ShadowName::new("SUBPRODUCT", name).unwrap();
        let id = device.engine.attach(device.now, &sub).unwrap();
        let subscribe = device.packet();
        device.bytes(&[0x90, 3, subscribe[2], subscribe[3], 0]);
        assert_eq!(device.event(), Event::ShadowSubscribed { shadow: id });
        device.published();
        shadows.push((id, sub.to_string()));
    }
    let plain = device
        .engine
        .subscribe(device.now, "plain/#", QoS::AtMostOnce);
    let subscribe = device.packet();
    device.bytes(&[0x90, 3, subscribe[2], subscribe[3], 0]);
    assert!(matches!(
        device.outcome(plain.unwrap()),
        Outcome::Subscribed { .. }
    ));

    let mut open = Vec::new();
    for (shadow, topic) in &shadows {
        let request = device.engine.get(device.now, *shadow).unwrap();
        open.push((request, topic, token(&device.published())));
    }
    device.message("plain/a", b"between", QoS::AtMostOnce, None);
    let event = device.event();
    assert!(matches!(&event, Event::Message(message) if message.topic == "plain/a"));
    for (request, topic, token) in open.into_iter().rev() {
        let state = format!(r#"{{"reported":{{"of":"{topic}"}}}}"#);
        let reply = format!(
            r#"{{"type":"get","clientToken":"{token}","result":0,"payload":{{"state":{state}}}}}"#
        );
        let topic = format!("$shadow/operation/result/{topic}");
        device.message(&topic, reply.as_bytes(), QoS::AtMostOnce, None);
        let Outcome::Accepted(document) = device.outcome(request) else {
            panic!("{topic}");
        };
        assert_eq!(document.state(), Some(state.as_str()));
    }
}

#[test]
fn a_detached_shadow_is_unsubscribed_where_the_server_keeps_the_session() {
    for kept in [true, false] {
        let mut config = config();
        config.clean_session = !kept;
        let mut device = Device::ready(config);
        let sub = ShadowName::new("SUBPRODUCT", "sensor").unwrap();
        let id = device.engine.attach(device.now, &sub).unwrap();
        device.poll();
        device.engine.detach(device.now, id).unwrap();
        assert_eq!(device.packet()[0], 0xA2);
        // UNSUBACK does not come any more.
        device
            .engine
            .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
        device.events();
        device.tick_until(Timer::Reconnect);
        device.connect(kept);
        let kinds: Vec<u8> = device
            .poll()
            .iter()
            .map(|out| match out {
                Out::Packet(bytes) => bytes[0],
                other => panic!("{other:?}"),
            })
            .collect();
        let expected: &[u8] = if kept { &[0x82, 0xA2] } else { &[0x82] };
        assert_eq!(kinds, expected);
    }
}

#[test]
fn all_shadows_are_subscribed_again() {
    let mut device = Device::ready(config());
    let sub = ShadowName::new("SUBPRODUCT", "sensor").unwrap();
    device.engine.attach(device.now, &sub).unwrap();
    device.poll();
    device
        .engine
        .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
    device.events();
    device.tick_until(Timer::Reconnect);
    device.connect(false);
    let out = device.poll();
    assert!(matches!(&out[..], [Out::Packet(a), Out::Packet(b)] if a[0] == 0x82 && b[0] == 0x82));
}

#[test]
fn shadow_requests_of_qos_1_wait_for_reply_and_acknowledgement_apart() {
    let mut config = config();
    config.shadow_qos = QoS::AtLeastOnce;
    let mut device = Device::online(config);
    let subscribe = device.packet();
    assert_eq!(subscribe.last(), Some(&1));
    device.bytes(&[0x90, 3, subscribe[2], subscribe[3], 1]);
    device.events();
    let get = device.packet();
    assert_eq!(get[0], 0x32);
    let text = core::str::from_utf8(&get[get.iter().position(|b| *b == b'{').unwrap()..]).unwrap();
    device.reply(&token(text), "get", 0, r#"{"state":{}}"#);
    assert!(matches!(device.event(), Event::Ready { .. }));
    device.bytes(&[0x40, 2, 0, 2]);
    assert_eq!(device.events(), []);
}

#[test]
fn a_lost_link_tells_of_qos_1_requests_too_whether_they_had_left() {
    let mut config = config();
    config.shadow_qos = QoS::AtLeastOnce;
    config.clean_session = false;
    config.behaviour.get_on_subscribe = false;
    let mut device = Device::online(config);
    device.subscribe_own();
    let shadow = device.shadow();
    let sent = device.engine.clear_desired(device.now, shadow).unwrap();
    let bytes = device.packet();
    let queued = device.engine.clear_reported(device.now, shadow).unwrap();
    device
        .engine
        .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
    let ended = |request, maybe_applied| Event::Ended {
        request,
        outcome: Outcome::Disconnected { maybe_applied },
    };
    let events = device.events();
    assert_eq!(events[1..], [ended(sent, true), ended(queued, false)]);
    // The one goes out again, as its packet id is in use [MQTT-4.4.0-1]; the other is not applied
    // behind the back of the application.
    device.tick_until(Timer::Reconnect);
    device.connect(true);
    let out = device.poll();
    let mut again = bytes;
    again[0] |= 8;
    assert_eq!(out[0], Out::Packet(again));
    assert!(matches!(&out[1..], [Out::Packet(subscribe)] if subscribe[0] == 0x82));
}

#[test]
fn an_application_that_does_not_drain_loses_messages_but_no_ends() {
    let mut config = config();
    config.maximum_events = 4;
    let mut device = Device::ready(config);
    let shadow = device.shadow();
    let request = device.engine.get(device.now, shadow).unwrap();
    let get = token(&device.published());
    for version in 10..20 {
        device.result(&format!(
            r#"{{"type":"delta","payload":{{"state":{{"a":{version}}},"version":{version}}}}}"#
        ));
    }
    device.reply(&get, "get", 0, r#"{"state":{}}"#);
    let events = device.events();
    assert_eq!(events.len(), 4 + 1 + 1);
    assert!(matches!(events[4], Event::Ended { request: ended, .. } if ended == request));
    assert_eq!(events[5], Event::EventsLost { count: 6 });
    // A delta that was lost that way was not told, so its copy is still new.
    device.result(r#"{"type":"delta","payload":{"state":{"a":19},"version":19}}"#);
    assert!(matches!(device.event(), Event::Delta(_)));
}
