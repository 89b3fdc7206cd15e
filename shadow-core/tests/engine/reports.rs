//! What may be reported and answered, and what becomes of the requests for it.

use core::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use shadow_core::mqtt::QoS;
use shadow_core::tencent::{ShadowName, Update};
use shadow_core::{
    Config, Event, Limit, LimitExceeded, Outcome, RequestError, RequestId, Session, ShadowId,
    Timer, TransportFailure,
};

use crate::device::{Device, Out, RESULT_TOPIC, config, info, token};
use crate::exchange::{push, report};

fn update(device: &mut Device) -> (Value, String) {
    let payload = device.published();
    let value: Value = serde_json::from_str(&payload).unwrap();
    (value["state"].clone(), token(&payload))
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

fn ended(request: RequestId, outcome: Outcome) -> Event {
    Event::Ended { request, outcome }
}

#[test]
fn what_is_no_news_ends_at_once_and_sends_nothing() {
    let mut device = Device::ready(config());
    for patch in [json!({}), json!({"a": {}})] {
        let request = report(&mut device, &patch);
        if patch == json!({}) {
            let version = Some(1);
            assert_eq!(device.outcome(request), Outcome::Reported { version });
            device.silent();
        } else {
            let (sent, token) = update(&mut device);
            assert_eq!(sent, json!({"reported": {"a": {}}}));
            accept(&mut device, &token, 2);
            device.outcome(request);
        }
    }
    assert!(device.engine.is_synchronized(device.shadow()));
}

/// As a writer of JSON text may give it: the last of two keys holds (RFC 8259, section 4), nulls in
/// arrays are values, and an empty key is a key.
#[test]
fn unusual_json_is_reported_as_the_cloud_would_read_it() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    let text =
        r#" { "" : 1 , "a":{"x":1}, "a":{"y":[null,{"z":null}]}, "b":"\u0041\/", "n":1e2 } "#;
    let raw: &RawValue = serde_json::from_str(text).unwrap();
    device.engine.report(device.now, shadow, raw).unwrap();
    let (sent, token) = update(&mut device);
    let expected = json!({"reported": {
        "": 1, "a": {"y": [null, {"z": null}]}, "b": "A/", "n": 100.0,
    }});
    assert_eq!(sent, expected);
    accept(&mut device, &token, 2);
    device.events();
    device.silent();
    // The keys are found again, however they are written.
    let deletion = r#"{"\u0061":{"y":null},"":null}"#;
    let raw: &RawValue = serde_json::from_str(deletion).unwrap();
    device.engine.report(device.now, shadow, raw).unwrap();
    let (sent, _) = update(&mut device);
    assert_eq!(sent, json!({"reported": {"": null, "a": {"y": null}}}));
}

#[test]
fn what_is_no_object_is_refused() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    for patch in [json!(null), json!([1]), json!("{}"), json!(1)] {
        let refused = device.engine.report(device.now, shadow, &patch);
        assert!(
            matches!(refused, Err(RequestError::InvalidUpdate(_))),
            "{patch}"
        );
    }
    device.silent();
}

/// A server without limits does not mean that keys are told apart without end.
#[test]
fn nesting_is_bounded_whatever_the_limits_are() {
    let mut plain = Config::plain("tool");
    plain.own_shadow = Some(info().name);
    let mut device = Device::ready(plain);
    let shadow = device.shadow();
    for (open, close, start) in [("[", "]", "1"), (r#"{"a":"#, "}", "1")] {
        let nested = |levels: usize| {
            let inside = format!(
                "{}{start}{}",
                open.repeat(levels - 1),
                close.repeat(levels - 1)
            );
            RawValue::from_string(format!(r#"{{"x":{inside}}}"#)).unwrap()
        };
        device
            .engine
            .report(device.now, shadow, &nested(32))
            .unwrap();
        for value in [33, 127, 128, 129, 1_000] {
            let exceeded = LimitExceeded {
                limit: Limit::DocumentDepth,
                value,
                maximum: 32,
            };
            let refused = device.engine.report(device.now, shadow, &nested(value));
            assert_eq!(refused, Err(RequestError::LimitExceeded(exceeded)));
        }
    }
}

#[test]
fn answering_twice_or_otherwise_is_harmless() {
    let mut device = Device::ready(config());
    let delta = push(&mut device, 2, r#"{"on":true}"#);
    let first = device.engine.accept(device.now, &delta).unwrap();
    let (_, sent) = update(&mut device);
    let again = device.engine.accept(device.now, &delta).unwrap();
    let rejected = device.engine.reject(device.now, &delta, "late").unwrap();
    device.silent();
    accept(&mut device, &sent, 3);
    let version = Some(3);
    let reason = "late".to_owned();
    let expected = [
        ended(first, Outcome::Reported { version }),
        ended(again, Outcome::Reported { version }),
        ended(rejected, Outcome::DeltaRejected { reason }),
    ];
    assert_eq!(device.events(), expected);
    device.silent();

    // Rejected first, it is still the device's to report what it did.
    let delta = push(&mut device, 4, r#"{"on":false}"#);
    device.engine.reject(device.now, &delta, "no").unwrap();
    let (sent, first) = update(&mut device);
    assert_eq!(sent, json!({"desired": null}));
    let request = device.engine.accept(device.now, &delta).unwrap();
    accept(&mut device, &first, 5);
    let (sent, second) = update(&mut device);
    assert_eq!(sent, json!({"reported": {"on": false}}));
    accept(&mut device, &second, 6);
    let version = Some(6);
    let last = device.events().pop();
    assert_eq!(last, Some(ended(request, Outcome::Reported { version })));
}

#[test]
fn nothing_of_a_delta_is_an_answer_to_nothing() {
    let mut device = Device::ready(config());
    let delta = push(&mut device, 2, r#"{"on":{"a":1,"b":2}}"#);
    for part in [delta.only(&[]), delta.only(&["a"]), delta.without(&["on"])] {
        assert_eq!(part.state.as_str(), "{}", "keys are those of the top level");
        device.engine.accept(device.now, &part).unwrap();
        device.engine.reject(device.now, &part, "").unwrap();
        device.silent();
        assert_eq!(device.events().len(), 2);
    }
    device.engine.accept(device.now, &delta).unwrap();
    let (sent, _) = update(&mut device);
    assert_eq!(sent["desired"], json!(null));
}

#[test]
fn a_delta_of_a_detached_shadow_is_refused() {
    let mut device = Device::ready(config());
    let (shadow, name) = (device.shadow(), info().name);
    let delta = push(&mut device, 2, r#"{"on":true}"#);
    device.engine.detach(device.now, shadow).unwrap();
    let refused = Err(RequestError::UnknownShadow(shadow));
    assert_eq!(device.engine.accept(device.now, &delta), refused);
    assert_eq!(device.engine.reject(device.now, &delta, "no"), refused);
    // Nor is it that of the same shadow attached anew, which knows of no change.
    let again = device.engine.attach(device.now, &name).unwrap();
    assert_ne!(again, shadow);
    assert_eq!(device.engine.accept(device.now, &delta), refused);
    assert_eq!(device.engine.reported(again), Some("{}"));
}

type Way = fn(&mut Device, RequestId);

/// Reports that leave together are one request: what ends it ends it for all.
#[test]
fn cancelling_timing_out_detaching_and_closing_end_reports_once() {
    let ways: [(Way, Outcome); 4] = [
        (
            |device, request| device.engine.cancel(device.now, request).unwrap(),
            Outcome::Cancelled,
        ),
        (
            |device, request| {
                let soon = Duration::from_secs(1);
                device
                    .engine
                    .set_timeout(device.now, request, soon)
                    .unwrap();
                device.wait(soon);
                device.engine.handle_tick(device.now);
            },
            Outcome::TimedOut,
        ),
        (
            |device, _| {
                let shadow = device.shadow();
                device.engine.detach(device.now, shadow).unwrap();
            },
            Outcome::Cancelled,
        ),
        (
            |device, _| device.engine.close(device.now),
            Outcome::Cancelled,
        ),
    ];
    for (number, (way, outcome)) in ways.into_iter().enumerate() {
        let mut device = Device::ready(config());
        let first = report(&mut device, &json!({"a": 1}));
        let (_, sent) = update(&mut device);
        let shared = [2, 3].map(|n| report(&mut device, &json!({"a": n})));
        assert_eq!(shared[0], shared[1]);
        way(&mut device, shared[0]);
        let events = device.events();
        let ends = events
            .iter()
            .filter(|event| **event == ended(shared[0], outcome.clone()));
        assert_eq!(ends.count(), 1, "{events:?}");
        assert_eq!(
            device.engine.cancel(device.now, shared[0]),
            Err(RequestError::UnknownRequest(shared[0]))
        );
        if number < 2 {
            // The values stay, and nobody waits for them.
            accept(&mut device, &sent, 2);
            let version = Some(2);
            assert_eq!(device.outcome(first), Outcome::Reported { version });
            let (sent, token) = update(&mut device);
            assert_eq!(sent, json!({"reported": {"a": 3}}));
            accept(&mut device, &token, 3);
            assert_eq!(device.events(), []);
        }
    }
}

#[test]
fn however_many_are_reported_few_requests_are_open_and_all_end() {
    let mut device = Device::ready(config());
    let mut requests = Vec::new();
    for n in 0..50 {
        requests.push(report(&mut device, &json!({"n": n})));
        if n % 7 == 3 {
            let (_, sent) = update(&mut device);
            accept(&mut device, &sent, n / 7 + 2);
        }
        assert!(device.engine.open_requests() <= 4);
    }
    let (mut ends, mut version) = (Vec::new(), 9);
    loop {
        ends.extend(device.events().into_iter().map(|event| match event {
            Event::Ended {
                request,
                outcome: Outcome::Reported { .. },
            } => request,
            other => panic!("{other:?}"),
        }));
        if !device.engine.has_output() {
            break;
        }
        let (_, sent) = update(&mut device);
        accept(&mut device, &sent, version);
        version += 1;
    }
    requests.dedup();
    assert_eq!(ends, requests);
}

/// A one-shot update that clears is the last writer of all keys.
#[test]
fn clearing_takes_all_of_reported_over() {
    for overwrite in [false, true] {
        let mut device = Device::ready(config());
        let shadow = device.shadow();
        report(&mut device, &json!({"a": 1, "b": {"c": 2}}));
        let (_, sent) = update(&mut device);
        accept(&mut device, &sent, 2);
        device.events();
        if overwrite {
            let only = Update::new().reported(json!({"z": 1})).overwrite(true);
            device.engine.update(device.now, shadow, &only).unwrap();
        } else {
            device.engine.clear_reported(device.now, shadow).unwrap();
        }
        let (_, sent) = update(&mut device);
        assert_eq!(device.engine.reported(shadow), Some("{}"));
        accept(&mut device, &sent, 3);
        device.events();
        device.silent();
        // What is reported from then on is kept as before.
        report(&mut device, &json!({"a": 1}));
        let (sent, _) = update(&mut device);
        assert_eq!(sent, json!({"reported": {"a": 1}}));
    }
}

fn kept() -> Config {
    let mut config = config();
    config.clean_session = false;
    config.shadow_qos = QoS::AtLeastOnce;
    config
}

/// Kinds of the packets that come out, each with the topic or filter that it names.
fn leaving(device: &mut Device) -> Vec<(u8, Vec<u8>)> {
    let out = device.poll().into_iter().map(|out| match out {
        Out::Packet(bytes) => (bytes[0], bytes),
        other => panic!("{other:?}"),
    });
    out.collect()
}

/// The server keeps the subscription of a detached shadow, so it has to be told of its end; but not
/// behind the SUBSCRIBE of the shadow attached anew.
#[test]
fn a_shadow_attached_again_is_not_unsubscribed() {
    let subscribe_and_not_its_end = |device: &mut Device| {
        let packets = leaving(device);
        let place = |first| {
            let of_kind = |(kind, bytes): &(u8, Vec<u8>)| {
                *kind == first
                    && bytes
                        .windows(RESULT_TOPIC.len())
                        .any(|w| w == RESULT_TOPIC.as_bytes())
            };
            packets.iter().position(of_kind)
        };
        let (subscribe, unsubscribe) = (place(0x82), place(0xa2));
        assert!(
            subscribe.is_some() && unsubscribe < subscribe,
            "{packets:?}"
        );
    };
    // Detached and attached while there is no link.
    let mut device = Device::ready(kept());
    let (shadow, name) = (device.shadow(), info().name);
    lose_link(&mut device);
    device.engine.detach(device.now, shadow).unwrap();
    device.engine.attach(device.now, &name).unwrap();
    device.tick_until(Timer::Reconnect);
    device.connect(true);
    subscribe_and_not_its_end(&mut device);

    // Detached on a link that is lost before UNSUBACK.
    let mut device = Device::ready(kept());
    let shadow = device.shadow();
    device.engine.detach(device.now, shadow).unwrap();
    assert_eq!(leaving(&mut device)[0].0, 0xa2);
    device.engine.attach(device.now, &name).unwrap();
    subscribe_and_not_its_end(&mut device);
    lose_link(&mut device);
    device.tick_until(Timer::Reconnect);
    device.connect(true);
    subscribe_and_not_its_end(&mut device);
}

/// Shadows that an earlier run left behind go on when they are attached, by name.
#[test]
fn a_shadow_that_the_session_knows_goes_on() {
    let mut device = Device::ready(config());
    let name = ShadowName::new("PRODUCT001", "sub").unwrap();
    lose_link(&mut device);
    let sub = device.engine.attach(device.now, &name).unwrap();
    device
        .engine
        .report(device.now, sub, &json!({"a": 1}))
        .unwrap();
    let stored = device.engine.session().to_bytes();
    let session = Session::from_bytes(&stored).unwrap();
    let mut device = Device::with_session(config(), session, 2);
    let own: ShadowId = device.shadow();
    assert_eq!(device.engine.reported(own), Some("{}"));
    let sub = device.engine.attach(device.now, &name).unwrap();
    assert_eq!(device.engine.reported(sub), Some(r#"{"a":1}"#));
    assert!(!device.engine.is_synchronized(sub));
    // Detached, it is forgotten.
    device.engine.detach(device.now, sub).unwrap();
    let sub = device.engine.attach(device.now, &name).unwrap();
    assert_eq!(device.engine.reported(sub), Some("{}"));
}

/// A driver writes to flash whenever the revision has changed.
#[test]
fn the_revision_changes_for_what_has_to_be_stored_and_for_nothing_else() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    let revision = |device: &Device| device.engine.session().revision();
    let mut last = revision(&device);
    let mut changed = |device: &Device| core::mem::replace(&mut last, revision(device)) != last;

    report(&mut device, &json!({"a": 1}));
    assert!(changed(&device), "a report");
    let (_, sent) = update(&mut device);
    accept(&mut device, &sent, 2);
    assert!(changed(&device), "its acknowledgement");
    device.events();
    for _ in 0..3 {
        report(&mut device, &json!({"a": 1}));
        report(&mut device, &json!({}));
        device.events();
        assert!(!changed(&device), "a report of what is known");
    }
    let document = r#"{"state":{"reported":{"a":1,"z":9}},"version":2}"#;
    for _ in 0..3 {
        device.engine.get(device.now, shadow).unwrap();
        let get = token(&device.published());
        device.reply(&get, "get", 0, document);
        device.events();
        assert!(!changed(&device), "a get that shows nothing new");
    }
    let delta = push(&mut device, 3, r#"{"on":true}"#);
    assert!(changed(&device), "a change of desired");
    device.result(r#"{"type":"delta","payload":{"state":{"on":true},"version":3}}"#);
    assert!(!changed(&device), "a copy of it");
    device.engine.reject(device.now, &delta, "no").unwrap();
    assert!(changed(&device), "an answer");
    // Acknowledgements of nothing, however many.
    for kind in [0x40, 0x50, 0x62, 0x70] {
        device.bytes(&[kind, 2, 0, 77]);
    }
    assert!(!changed(&device), "acknowledgements of nothing");
    device.engine.handle_tick(device.now);
    assert!(!changed(&device), "a tick");
}
