//! The functions of the header, called as C calls them, against the model of the cloud.
#![expect(unsafe_code, reason = "it calls what C calls")]
#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls in a row that one comment speaks for"
)]
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets the unexpected should stop there"
)]

mod configuration;
mod device;
mod json;

use std::ffi::CStr;
use std::ptr;

use device::{Device, Network, SECOND, Told, UNIX_MILLIS, defaults};
use shadow_core::Instant;
use shadow_core::mqtt::QoS;
use shadow_core_c::ffi::*;
use shadow_core_c::shadow_cause::*;
use shadow_core_c::shadow_config;
use shadow_core_c::shadow_event_kind::{self, *};
use shadow_core_c::shadow_outcome::*;
use shadow_core_c::shadow_result::*;
use transport_mock::cloud::{ReplyFault, example_name};
use transport_mock::server::Message;

fn kinds(events: &[Told]) -> Vec<shadow_event_kind> {
    events.iter().map(|told| told.event.kind).collect()
}

/// A device in step with its shadow, all events polled.
fn online() -> (Device, Network) {
    let (mut device, mut network) = (Device::example(defaults()), Network::new());
    network.carry(&mut device);
    assert_eq!(
        kinds(&device.events()),
        [
            SHADOW_EVENT_CONNECTED,
            SHADOW_EVENT_SHADOW_SUBSCRIBED,
            SHADOW_EVENT_READY
        ]
    );
    (device, network)
}

/// The only end among the events.
#[track_caller]
fn end(device: &mut Device) -> Told {
    let mut events = device.events();
    events.retain(|told| told.event.kind == SHADOW_EVENT_ENDED);
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

/// The seed's document: what `Cloud::example` begins with.
#[test]
fn the_document_comes_with_ready() {
    let (mut device, mut network) = (Device::example(defaults()), Network::new());
    network.carry(&mut device);
    let ready = device.events().pop().unwrap();
    assert_eq!(ready.event.kind, SHADOW_EVENT_READY);
    assert_eq!(ready.event.shadow, SHADOW_OWN);
    assert!(ready.event.has_version);
    assert_eq!(ready.event.version, 8);
    assert_eq!(
        ready.reported,
        r#"{"updateCount":0,"updateCount11":"shadow"}"#
    );
    assert_eq!((ready.desired.as_str(), ready.delta.as_str()), ("", ""));
    assert!(
        ready.document.contains(&ready.reported),
        "{}",
        ready.document
    );
}

#[test]
fn what_is_reported_arrives() {
    let (mut device, mut network) = online();
    let request = device.report(r#"{ "updateCount": 5 }"#);
    assert!(!device.is_synchronized());
    network.carry(&mut device);
    let ended = end(&mut device);
    assert_eq!(
        (ended.event.request, ended.event.outcome),
        (request, SHADOW_OUTCOME_REPORTED)
    );
    assert_eq!((ended.event.has_version, ended.event.version), (true, 9));
    assert!(device.is_synchronized());
    let shadow = network.cloud.shadow(&example_name()).unwrap();
    assert_eq!(
        shadow.reported(),
        r#"{"updateCount":5,"updateCount11":"shadow"}"#
    );
}

#[test]
fn a_delta_is_answered_by_its_text_in_parts_and_later() {
    let (mut device, mut network) = online();
    let now = Instant::from_micros(device.now);
    let desired = r#"{"color":"blue","level":150,"volume":11}"#;
    network
        .cloud
        .set_desired(now, &example_name(), desired, None)
        .unwrap();
    network.carry(&mut device);
    let events = device.events();
    assert_eq!(kinds(&events), [SHADOW_EVENT_DELTA]);
    let delta = &events[0];
    assert_eq!(
        (delta.event.fetched, delta.event.redelivered),
        (false, false)
    );
    assert_eq!(delta.event.version, 9);
    assert_eq!(delta.delta, desired);
    // Long after the event is gone.
    device.now += SECOND;
    let text = std::ffi::CString::new(delta.delta.as_str()).unwrap();
    let (color, level) = ([c"color".as_ptr()], c"{\"level\":150}".as_ptr());
    let both = [c"color".as_ptr(), c"level".as_ptr()];
    // SAFETY: all of it is valid.
    device.ask(|e, n, request| unsafe {
        shadow_accept_only(e, n, SHADOW_OWN, text.as_ptr(), color.as_ptr(), 1, request)
    });
    // SAFETY: all of it is valid.
    device.ask(|e, n, request| unsafe {
        let most = c"{\"level\":100}".as_ptr();
        shadow_accept_as(e, n, SHADOW_OWN, level, most, request)
    });
    // SAFETY: all of it is valid.
    let rejected = device.ask(|e, n, request| unsafe {
        let reason = c"too loud".as_ptr();
        shadow_reject_except(
            e,
            n,
            SHADOW_OWN,
            text.as_ptr(),
            both.as_ptr(),
            2,
            reason,
            request,
        )
    });
    network.carry(&mut device);
    let events = device.events();
    let rejection = events
        .iter()
        .find(|told| told.event.request == rejected)
        .unwrap();
    assert_eq!(rejection.event.outcome, SHADOW_OUTCOME_DELTA_REJECTED);
    assert_eq!(rejection.text, "too loud");
    let shadow = network.cloud.shadow(&example_name()).unwrap();
    assert_eq!(shadow.desired(), None);
    assert_eq!(
        shadow.reported(),
        r#"{"color":"blue","level":100,"updateCount":0,"updateCount11":"shadow"}"#
    );
}

/// Loans are read only while the call lasts that they are passed to, so they may come back in.
#[test]
fn what_was_lent_may_be_passed_in() {
    let (mut device, mut network) = online();
    let now = Instant::from_micros(device.now);
    let desired = r#"{"color":"blue"}"#;
    let changed = network
        .cloud
        .set_desired(now, &example_name(), desired, None);
    changed.unwrap();
    network.carry(&mut device);
    let delta = device.event().unwrap().event;
    // SAFETY: the event was the last one that was polled.
    let accepted = device.ask(|e, n, request| unsafe {
        shadow_accept(e, n, delta.shadow, delta.delta.data, request)
    });
    network.carry(&mut device);
    assert_eq!(end(&mut device).event.request, accepted);
    // SAFETY: a refused call ends the loan when it has ended itself.
    let result = device.call(|e, n| unsafe {
        shadow_report(e, n, SHADOW_OWN, c"[]".as_ptr(), ptr::null_mut());
        shadow_report(e, n, SHADOW_OWN, shadow_last_error(e), ptr::null_mut())
    });
    assert_eq!(result, SHADOW_INVALID_JSON);
}

/// What was not answered comes again on the next link, and says that it does.
#[test]
fn an_unanswered_delta_comes_again() {
    let (mut device, mut network) = online();
    let now = Instant::from_micros(device.now);
    network
        .cloud
        .set_desired(now, &example_name(), r#"{"a":1}"#, None)
        .unwrap();
    network.carry(&mut device);
    assert_eq!(kinds(&device.events()), [SHADOW_EVENT_DELTA]);
    network.cut(&mut device);
    let lost = device.event().unwrap();
    assert_eq!(lost.event.kind, SHADOW_EVENT_DISCONNECTED);
    assert_eq!(lost.event.cause, SHADOW_CAUSE_TRANSPORT);
    assert_eq!(lost.text, "the connection broke: a test");
    // The vendor's floor between two logins: 5 s.
    assert_eq!(lost.event.retry_in_micros, 5 * SECOND);
    network.wait(&mut device);
    assert_eq!(device.now, 5 * SECOND);
    let events = device.events();
    let delta = events
        .iter()
        .find(|told| told.event.kind == SHADOW_EVENT_DELTA)
        .unwrap();
    assert!(delta.event.fetched && delta.event.redelivered);
    let delta = std::ffi::CString::new(delta.delta.as_str()).unwrap();
    // SAFETY: all of it is valid.
    device.ask(|e, n, request| unsafe {
        shadow_reject(e, n, SHADOW_OWN, delta.as_ptr(), c"no".as_ptr(), request)
    });
    network.carry(&mut device);
    assert_eq!(
        network.cloud.shadow(&example_name()).unwrap().desired(),
        None
    );
}

/// As the vendor's C SDK does with `"overwriteUpdate":true`.
#[test]
fn an_update_replaces_what_is_reported_if_it_says_so() {
    let (mut device, mut network) = online();
    for (overwrite, expected) in [
        (
            false,
            r#"{"new":1,"updateCount":0,"updateCount11":"shadow"}"#,
        ),
        (true, r#"{"new":1}"#),
    ] {
        let reported = c"{\"new\":1}".as_ptr();
        // SAFETY: all of it is valid.
        device.ask(|e, n, request| unsafe {
            shadow_update(
                e,
                n,
                SHADOW_OWN,
                reported,
                ptr::null(),
                0,
                overwrite,
                request,
            )
        });
        network.carry(&mut device);
        assert_eq!(end(&mut device).event.outcome, SHADOW_OUTCOME_ACCEPTED);
        let shadow = network.cloud.shadow(&example_name()).unwrap();
        assert_eq!(shadow.reported(), expected);
    }
}

#[test]
fn an_update_at_the_wrong_version_is_rejected_with_the_document() {
    let (mut device, mut network) = online();
    // SAFETY: all of it is valid.
    let update = |version| {
        // SAFETY: all of it is valid.
        move |e, n, request| unsafe {
            let reported = c"{\"updateCount\":1}".as_ptr();
            shadow_update(
                e,
                n,
                SHADOW_OWN,
                reported,
                ptr::null(),
                version,
                false,
                request,
            )
        }
    };
    let request = device.ask(update(3));
    network.carry(&mut device);
    let ended = end(&mut device);
    assert_eq!(
        (ended.event.request, ended.event.outcome),
        (request, SHADOW_OUTCOME_REJECTED)
    );
    assert_eq!((ended.event.code, ended.event.version), (5005, 8));
    assert!(
        ended.reported.contains(r#""updateCount":0"#),
        "{}",
        ended.reported
    );
    device.ask(update(8));
    network.carry(&mut device);
    assert_eq!(end(&mut device).event.outcome, SHADOW_OUTCOME_ACCEPTED);
    // `"desired":null` deletes all that is desired.
    let now = Instant::from_micros(device.now);
    network
        .cloud
        .set_desired(now, &example_name(), r#"{"a":1}"#, None)
        .unwrap();
    network.carry(&mut device);
    // SAFETY: all of it is valid.
    device.ask(|e, n, request| unsafe {
        let null = c"null".as_ptr();
        shadow_update(e, n, SHADOW_OWN, ptr::null(), null, 0, false, request)
    });
    network.carry(&mut device);
    assert_eq!(end(&mut device).event.outcome, SHADOW_OUTCOME_ACCEPTED);
    assert_eq!(
        network.cloud.shadow(&example_name()).unwrap().desired(),
        None
    );
}

#[test]
fn a_get_may_be_answered_late_or_never() {
    let (mut device, mut network) = online();
    // SAFETY: all of it is valid.
    let get = |e, n, request| unsafe { shadow_get(e, n, SHADOW_OWN, request) };
    network
        .cloud
        .disturb_replies(&example_name(), ReplyFault::Lost, 1);
    let lost = device.ask(get);
    network.carry(&mut device);
    network.wait(&mut device);
    let ended = end(&mut device);
    assert_eq!(
        (ended.event.request, ended.event.outcome),
        (lost, SHADOW_OUTCOME_TIMED_OUT)
    );
    assert_eq!(device.now, 10 * SECOND);

    network
        .cloud
        .disturb_replies(&example_name(), ReplyFault::Late { millis: 500 }, 1);
    let late = device.ask(get);
    // SAFETY: all of it is valid.
    let set = device.call(|e, n| unsafe { shadow_set_timeout(e, n, late, SECOND / 10) });
    assert_eq!(set, SHADOW_OK);
    network.carry(&mut device);
    network.wait(&mut device);
    assert_eq!(end(&mut device).event.outcome, SHADOW_OUTCOME_TIMED_OUT);
    device.now += SECOND;
    network.cloud.handle_tick(Instant::from_micros(device.now));
    network.carry(&mut device);
    let unmatched = device.event().unwrap();
    assert_eq!(unmatched.event.kind, SHADOW_EVENT_UNMATCHED);
    assert_eq!(
        (unmatched.text.as_str(), unmatched.event.version),
        ("late", 8)
    );

    let cancelled = device.ask(get);
    // SAFETY: all of it is valid.
    let cancel = |e, n| unsafe { shadow_cancel(e, n, cancelled) };
    assert_eq!(device.call(cancel), SHADOW_OK);
    assert_eq!(device.call(cancel), SHADOW_UNKNOWN_REQUEST);
    assert_eq!(
        device.last_error(),
        format!("no request #{cancelled} is open")
    );
    assert_eq!(end(&mut device).event.outcome, SHADOW_OUTCOME_CANCELLED);
}

#[test]
fn messages_of_its_own_go_both_ways() {
    let (mut device, mut network) = online();
    let topic = c"EXAMPLE001/test01/data";
    // SAFETY: all of it is valid.
    device.ask(|e, n, request| unsafe { shadow_subscribe(e, n, topic.as_ptr(), 1, request) });
    network.carry(&mut device);
    let subscribed = end(&mut device);
    assert_eq!(subscribed.event.outcome, SHADOW_OUTCOME_SUBSCRIBED);
    assert_eq!(subscribed.event.qos, 1);
    let payload = b"\x00\xFF!";
    // SAFETY: all of it is valid.
    device.ask(|e, n, request| unsafe {
        shadow_publish(e, n, topic.as_ptr(), payload.as_ptr(), 3, 1, false, request)
    });
    network.carry(&mut device);
    let events = device.events();
    let message = events
        .iter()
        .find(|told| told.event.kind == SHADOW_EVENT_MESSAGE)
        .unwrap();
    assert_eq!(
        (message.topic.as_str(), &message.payload[..]),
        ("EXAMPLE001/test01/data", &payload[..])
    );
    assert_eq!(
        (
            message.event.qos,
            message.event.retain,
            message.event.duplicate
        ),
        (1, false, false)
    );
    let published = events
        .iter()
        .find(|told| told.event.kind == SHADOW_EVENT_ENDED)
        .unwrap();
    assert_eq!(published.event.outcome, SHADOW_OUTCOME_PUBLISHED);
    // SAFETY: all of it is valid.
    device.ask(|e, n, request| unsafe { shadow_unsubscribe(e, n, topic.as_ptr(), request) });
    network.carry(&mut device);
    assert_eq!(end(&mut device).event.outcome, SHADOW_OUTCOME_UNSUBSCRIBED);
}

#[test]
fn what_is_no_shadow_message_or_too_large_is_told() {
    let config = shadow_config {
        maximum_packet_size: 1_000,
        ..defaults()
    };
    let (mut device, mut network) = (Device::example(config), Network::new());
    network.carry(&mut device);
    device.events();
    let mut publish = |payload: Vec<u8>| {
        let message = Message {
            topic: example_name().result_topic(),
            payload,
            qos: QoS::AtMostOnce,
        };
        assert!(
            network
                .cloud
                .publish(Instant::from_micros(device.now), &message)
        );
        network.carry(&mut device);
        device.event().unwrap()
    };
    let invalid = publish(b"{\"type\":".to_vec());
    assert_eq!(invalid.event.kind, SHADOW_EVENT_INVALID_MESSAGE);
    assert_eq!((invalid.event.shadow, invalid.event.count), (SHADOW_OWN, 8));
    assert!(!invalid.text.is_empty());
    let large = publish(vec![b'x'; 1_000]);
    assert_eq!(large.event.kind, SHADOW_EVENT_OVERSIZED_MESSAGE);
    assert_eq!(large.topic, "$shadow/operation/result/EXAMPLE001/test01");
    // Fixed header, length and text of the topic, payload [MQTT-3.3].
    assert_eq!(large.event.count, 1 + 2 + 2 + 42 + 1_000);
}

#[test]
fn a_refused_login_says_the_code() {
    let (mut device, mut network) = (Device::example(defaults()), Network::new());
    let code = shadow_core::mqtt::ConnectReturnCode::NotAuthorized;
    network.cloud.refuse_logins("EXAMPLE001test01", code, 1);
    network.carry(&mut device);
    let refused = device.event().unwrap();
    assert_eq!(refused.event.kind, SHADOW_EVENT_DISCONNECTED);
    assert_eq!(
        (refused.event.cause, refused.event.code),
        (SHADOW_CAUSE_REFUSED, 5)
    );
}

#[test]
fn a_gateway_has_shadows_beside_its_own() {
    let (mut device, mut network) = online();
    let mut sub = 0;
    // SAFETY: all of it is valid.
    let attached = device.call(|e, n| unsafe {
        shadow_attach(e, n, c"EXAMPLE001".as_ptr(), c"sub1".as_ptr(), &mut sub)
    });
    assert_eq!((attached, sub), (SHADOW_OK, 1));
    network.carry(&mut device);
    // The example cloud knows of no sub-device, and refuses its topic.
    let refused = device.event().unwrap();
    assert_eq!(refused.event.kind, SHADOW_EVENT_SHADOW_REFUSED);
    assert_eq!(refused.event.shadow, sub);
    // SAFETY: all of it is valid.
    let detach = |e, n| unsafe { shadow_detach(e, n, sub) };
    assert_eq!(device.call(detach), SHADOW_OK);
    assert_eq!(device.call(detach), SHADOW_UNKNOWN_SHADOW);
    assert_eq!(device.last_error(), "no shadow 1 is attached");
}

/// A report that never left outlives the program in the stored session.
#[test]
fn a_session_goes_on_after_a_restart() {
    let mut device = Device::example(defaults());
    let before = device.revision();
    device.report(r#"{"updateCount":77}"#);
    assert_ne!(device.revision(), before);
    let session = device.session();
    drop(device);

    let config = shadow_config {
        session: session.as_ptr(),
        session_length: session.len(),
        ..defaults()
    };
    let (mut device, mut network) = (Device::example(config), Network::new());
    network.carry(&mut device);
    let shadow = network.cloud.shadow(&example_name()).unwrap();
    assert_eq!(
        shadow.reported(),
        r#"{"updateCount":77,"updateCount11":"shadow"}"#
    );
    assert!(device.is_synchronized());
}

/// Every counter of the library, under its name.
#[test]
fn what_is_counted_is_what_the_engine_counts() {
    let header = include_str!("../../include/shadow_core.h");
    let (_, counts) = header.split_once("struct shadow_counts {").unwrap();
    let (counts, _) = counts.split_once("} shadow_counts;").unwrap();
    let in_header: Vec<&str> = counts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("uint")?.strip_suffix(';'))
        .filter_map(|member| member.split_once("_t "))
        .map(|(_, name)| name)
        .collect();
    let config = shadow_core::Config::plain("");
    let engine = shadow_core::Engine::new(config, shadow_core::Session::new(), 1, Instant::ZERO);
    let json = serde_json::to_string(&engine.counters()).unwrap();
    let in_core: Vec<&str> = json.split('"').skip(1).step_by(2).collect();
    assert_eq!(in_header, in_core);

    let (mut device, mut network) = (Device::example(defaults()), Network::new());
    let none = device.counters();
    assert_eq!(
        (none.connects, none.bytes_sent, none.packets_received),
        (0, 0, 0)
    );
    let sent = network.carry(&mut device);
    let online = device.counters();
    assert_eq!((online.connects, online.logins), (1, 1));
    // CONNECT, SUBSCRIBE and the get, whose answers are CONNACK, SUBACK and the document.
    assert_eq!((online.packets_sent, online.packets_received), (3, 3));
    let bytes: usize = sent.iter().map(Vec::len).sum();
    assert_eq!(online.bytes_sent, bytes as u64);
    assert!(online.bytes_received > 100);
    network
        .cloud
        .disturb_replies(&example_name(), ReplyFault::Lost, 1);
    // SAFETY: all of it is valid.
    device.ask(|e, n, request| unsafe { shadow_get(e, n, SHADOW_OWN, request) });
    network.carry(&mut device);
    network.wait(&mut device);
    network.cut(&mut device);
    let after = device.counters();
    assert_eq!(
        (after.requests_timed_out, after.requests_disconnected),
        (1, 0)
    );
    assert_eq!(
        (after.connects, after.logins, after.links_timed_out),
        (1, 1, 0)
    );
}

/// Kept as one object, and lent until the same is asked again.
#[test]
fn what_was_reported_can_be_read_back() {
    let (mut device, mut network) = online();
    assert_eq!(device.reported(SHADOW_OWN).unwrap(), "{}");
    device.report(r#"{ "b": {"c": 1.50, "d": "x"}, "a": true }"#);
    assert_eq!(
        device.reported(SHADOW_OWN).unwrap(),
        r#"{"a":true,"b":{"c":1.50,"d":"x"}}"#
    );
    network.carry(&mut device);
    device.report(r#"{"b":{"d":null},"a":false}"#);
    assert_eq!(
        device.reported(SHADOW_OWN).unwrap(),
        r#"{"a":false,"b":{"c":1.50}}"#
    );
    assert_eq!(device.reported(7), Err(SHADOW_UNKNOWN_SHADOW));
    assert_eq!(device.last_error(), "no shadow 7 is attached");
}

#[test]
fn every_result_of_the_header_has_a_text() {
    let header = include_str!("../../include/shadow_core.h");
    let (_, results) = header.split_once("enum shadow_result").unwrap();
    let (results, _) = results.split_once("};").unwrap();
    let numbers = results.lines().filter_map(|line| line.split_once(" = "));
    let mut texts: Vec<&str> = numbers
        .map(|(_, number)| {
            let number = number.trim_end_matches(',').parse().unwrap();
            // SAFETY: it is never freed.
            unsafe { CStr::from_ptr(shadow_result_text(number)) }
                .to_str()
                .unwrap()
        })
        .collect();
    assert!(
        texts.len() > 20 && !texts.contains(&"unknown result"),
        "{texts:?}"
    );
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), results.matches(" = ").count());
}

/// A device without a clock is told so, and connects once it has the time.
#[test]
fn a_login_waits_for_the_wall_time() {
    let config = shadow_config {
        product_id: c"EXAMPLE001".as_ptr(),
        device_name: c"test01".as_ptr(),
        device_secret: c"c2VjcmV0".as_ptr(),
        ..defaults()
    };
    let mut engine = ptr::null_mut();
    let mut event = std::mem::MaybeUninit::uninit();
    let mut transmit = std::mem::MaybeUninit::uninit();
    // SAFETY: all of it is valid, and nothing is used after it is freed.
    unsafe {
        assert_eq!(
            shadow_new(&config, 0, &mut engine, ptr::null_mut(), 0),
            SHADOW_OK
        );
        assert_eq!(shadow_handle_tick(engine, 0), SHADOW_OK);
        assert_eq!(
            shadow_poll_transmit(engine, 0, transmit.as_mut_ptr()),
            SHADOW_EMPTY
        );
        assert_eq!(shadow_poll_event(engine, event.as_mut_ptr()), SHADOW_OK);
        assert_eq!(event.assume_init().kind, SHADOW_EVENT_WALL_TIME_NEEDED);
        assert_eq!(shadow_handle_wall_time(engine, 0, UNIX_MILLIS), SHADOW_OK);
        assert_eq!(
            shadow_poll_transmit(engine, 0, transmit.as_mut_ptr()),
            SHADOW_OK
        );
        shadow_free(engine);
    }
}
