//! Every accepted request ends exactly once, with the truth as far as the device can know it.

use core::time::Duration;

use shadow_core::event::{Unmatched, UnmatchedReason};
use shadow_core::tencent::{Operation, Update, VERSION_CONFLICT};
use shadow_core::{Event, Limit, Outcome, RequestError, Timer, TransportFailure};

use crate::device::{Device, OPERATION_TOPIC, Out, RESULT_TOPIC, config, token};

const EMPTY: &str = r#"{"state":{}}"#;

fn unmatched(event: Event) -> Unmatched {
    match event {
        Event::Unmatched(unmatched) => unmatched,
        other => panic!("expected Unmatched, got {other:?}"),
    }
}

#[test]
fn a_get_is_answered() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    let request = device.engine.get(device.now, shadow).unwrap();
    let get = device.published();
    assert_eq!(
        get,
        format!(r#"{{"type":"get","clientToken":"{}"}}"#, token(&get))
    );
    device.reply(
        &token(&get),
        "get",
        0,
        r#"{"state":{"reported":{"a":1}},"version":5}"#,
    );
    let Outcome::Accepted(document) = device.outcome(request) else {
        panic!()
    };
    assert_eq!(
        (document.reported(), document.version()),
        (Some(r#"{"a":1}"#), Some(5))
    );
}

#[test]
fn requests_go_to_the_operation_topic_with_qos_0() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    device.engine.get(device.now, shadow).unwrap();
    let bytes = device.packet();
    assert_eq!(bytes[0], 0x30);
    assert_eq!(
        &bytes[4..4 + OPERATION_TOPIC.len()],
        OPERATION_TOPIC.as_bytes()
    );
}

#[test]
fn a_rejection_carries_code_and_document() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    let update = Update::new()
        .reported(serde_json::json!({"a": 1}))
        .version(3);
    let request = device.engine.update(device.now, shadow, &update).unwrap();
    let sent = device.published();
    assert!(sent.contains(r#""version":3"#), "{sent}");
    let current = r#"{"state":{"reported":{"a":2}},"version":9}"#;
    device.reply(&token(&sent), "update", 5005, current);
    let Outcome::Rejected { code, document } = device.outcome(request) else {
        panic!()
    };
    assert_eq!((code, document.version()), (VERSION_CONFLICT, Some(9)));
    assert_eq!(document.reported(), Some(r#"{"a":2}"#));
}

#[test]
fn replies_in_another_order_find_their_requests() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    let first = device.engine.get(device.now, shadow).unwrap();
    let second = device.engine.get(device.now, shadow).unwrap();
    let out = device.poll();
    let tokens: Vec<String> = out
        .iter()
        .map(|out| {
            let Out::Packet(bytes) = out else { panic!() };
            token(core::str::from_utf8(&bytes[4 + OPERATION_TOPIC.len()..]).unwrap())
        })
        .collect();
    assert_ne!(tokens[0], tokens[1]);
    device.reply(&tokens[1], "get", 0, EMPTY);
    assert!(matches!(device.outcome(second), Outcome::Accepted(_)));
    device.reply(&tokens[0], "get", 0, EMPTY);
    assert!(matches!(device.outcome(first), Outcome::Accepted(_)));
}

#[test]
fn a_request_times_out_once_and_its_reply_is_late() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    let request = device.engine.get(device.now, shadow).unwrap();
    let sent = device.published();
    device.tick(Timer::Request, Duration::from_secs(10));
    assert_eq!(device.outcome(request), Outcome::TimedOut);
    device.reply(&token(&sent), "get", 0, EMPTY);
    let late = unmatched(device.event());
    assert_eq!(late.reason, UnmatchedReason::Late);
    assert_eq!(late.token, Some(token(&sent)));
}

#[test]
fn a_reply_with_the_deadline_counts() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    let request = device.engine.get(device.now, shadow).unwrap();
    let sent = device.published();
    device.wait(Duration::from_secs(10));
    device.reply(&token(&sent), "get", 0, EMPTY);
    device.engine.handle_tick(device.now);
    assert!(matches!(device.outcome(request), Outcome::Accepted(_)));
}

#[test]
fn a_timeout_of_its_own() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    let request = device.engine.get(device.now, shadow).unwrap();
    device.poll();
    let timeout = Duration::from_millis(250);
    device
        .engine
        .set_timeout(device.now, request, timeout)
        .unwrap();
    device.tick(Timer::Request, timeout);
    assert_eq!(device.outcome(request), Outcome::TimedOut);
    let refused = device.engine.set_timeout(device.now, request, timeout);
    assert_eq!(refused, Err(RequestError::UnknownRequest(request)));
}

#[test]
fn duplicate_foreign_and_tokenless_replies_are_events() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    let request = device.engine.get(device.now, shadow).unwrap();
    let sent = token(&device.published());
    device.reply(&sent, "get", 0, EMPTY);
    device.outcome(request);
    device.reply(&sent, "get", 0, EMPTY);
    assert_eq!(unmatched(device.event()).reason, UnmatchedReason::Duplicate);

    let (nonce, number) = sent.rsplit_once('-').unwrap();
    let next: u64 = number.parse::<u64>().unwrap() + 1;
    for foreign in [
        "PRODUCT001-0".to_owned(),
        format!("{nonce}-{next}"),
        format!("{nonce}-0{number}"),
        format!("{nonce}-+{number}"),
        format!("{nonce}x-{number}"),
        nonce.to_owned(),
        String::new(),
    ] {
        device.reply(&foreign, "get", 0, EMPTY);
        let event = unmatched(device.event());
        assert_eq!(
            (event.reason, event.token),
            (UnmatchedReason::Foreign, Some(foreign))
        );
    }
    device.result(r#"{"type":"update","result":5005,"payload":{"state":{}}}"#);
    let event = unmatched(device.event());
    assert_eq!(event.reason, UnmatchedReason::Tokenless);
    assert_eq!(
        (event.operation, event.code, event.token),
        (Operation::Update, 5005, None)
    );
}

#[test]
fn a_reply_to_another_operation_is_foreign_and_ends_nothing() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    let request = device.engine.get(device.now, shadow).unwrap();
    let sent = token(&device.published());
    device.reply(&sent, "update", 0, EMPTY);
    assert_eq!(unmatched(device.event()).reason, UnmatchedReason::Foreign);
    device.reply(&sent, "get", 0, EMPTY);
    assert!(matches!(device.outcome(request), Outcome::Accepted(_)));
}

#[test]
fn a_foreign_token_is_kept_short() {
    let mut device = Device::ready(config());
    device.reply(&"ä".repeat(1_000), "get", 0, EMPTY);
    assert_eq!(unmatched(device.event()).token, Some("ä".repeat(64)));
}

#[test]
fn a_lost_link_ends_what_was_sent_and_keeps_what_waits() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    let sent = device
        .engine
        .update(
            device.now,
            shadow,
            &Update::new().reported(serde_json::json!({"a": 1})),
        )
        .unwrap();
    device.poll();
    let asked = device.engine.get(device.now, shadow).unwrap();
    let asked_with = token(&device.published());
    let queued = device
        .engine
        .update(
            device.now,
            shadow,
            &Update::new().reported(serde_json::json!({"a": 2})),
        )
        .unwrap();
    device
        .engine
        .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
    let ended = |request, maybe_applied| Event::Ended {
        request,
        outcome: Outcome::Disconnected { maybe_applied },
    };
    let events = device.events();
    assert_eq!(events[1..], [ended(sent, true), ended(queued, false)]);

    let offline = device.engine.get(device.now, shadow).unwrap();
    device
        .engine
        .set_timeout(device.now, offline, Duration::from_secs(100))
        .unwrap();
    device
        .engine
        .set_timeout(device.now, asked, Duration::from_secs(100))
        .unwrap();
    device.tick_until(Timer::Reconnect);
    device.connect(false);
    device.subscribe_own();
    let out = device.poll();
    assert_eq!(
        out.len(),
        3,
        "the engine's own get, the one that was sent before, and the one that waited"
    );
    // A get changes nothing, so the one that was sent is asked again as it was.
    let Out::Packet(again) = &out[1] else {
        panic!("{out:?}")
    };
    let again = String::from_utf8_lossy(again);
    assert!(again.contains(&format!(r#"{{"type":"get","clientToken":"{asked_with}"}}"#)));
    device.reply(&asked_with, "get", 0, EMPTY);
    assert!(matches!(device.outcome(asked), Outcome::Accepted(_)));
}

#[test]
fn requests_wait_for_suback() {
    let mut device = Device::online(config());
    let shadow = device.shadow();
    device.engine.get(device.now, shadow).unwrap();
    let subscribe = device.packet();
    device.silent();
    device.bytes(&[0x90, 3, subscribe[2], subscribe[3], 0]);
    assert_eq!(device.poll().len(), 2);
}

#[test]
fn a_refused_subscription_refuses_the_requests() {
    let mut device = Device::online(config());
    let shadow = device.shadow();
    let request = device.engine.get(device.now, shadow).unwrap();
    let subscribe = device.packet();
    device.bytes(&[0x90, 3, subscribe[2], subscribe[3], 0x80]);
    let refused = Event::Ended {
        request,
        outcome: Outcome::SubscriptionRefused,
    };
    assert_eq!(device.events(), [Event::ShadowRefused { shadow }, refused]);
    let request = device.engine.get(device.now, shadow).unwrap();
    assert_eq!(device.outcome(request), Outcome::SubscriptionRefused);
    // The application may ask for another try.
    assert_eq!(
        device
            .engine
            .attach(device.now, &crate::device::info().name),
        Ok(shadow)
    );
    device.subscribe_own();
}

#[test]
fn cancelled_before_it_left_it_never_leaves() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    let request = device.engine.get(device.now, shadow).unwrap();
    device.engine.cancel(device.now, request).unwrap();
    assert_eq!(device.outcome(request), Outcome::Cancelled);
    device.silent();
}

#[test]
fn cancelled_after_it_left_its_reply_is_late() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    let request = device.engine.get(device.now, shadow).unwrap();
    let sent = token(&device.published());
    device.engine.cancel(device.now, request).unwrap();
    assert_eq!(device.outcome(request), Outcome::Cancelled);
    device.reply(&sent, "get", 0, EMPTY);
    assert_eq!(unmatched(device.event()).reason, UnmatchedReason::Late);
}

#[test]
fn a_refusal_changes_nothing() {
    let mut with = Device::ready(config());
    let mut without = Device::ready(config());
    let shadow = with.shadow();
    let now = with.now;
    let not_an_object = with.engine.report(now, shadow, &7);
    assert!(
        matches!(not_an_object, Err(RequestError::InvalidUpdate(why)) if why.contains("reported"))
    );
    let empty = with.engine.update(now, shadow, &Update::new());
    assert!(matches!(empty, Err(RequestError::InvalidUpdate(_))));
    let not_a_number = with.engine.report(
        now,
        shadow,
        &[("a", f64::NAN)]
            .into_iter()
            .collect::<std::collections::BTreeMap<_, _>>(),
    );
    assert!(matches!(not_a_number, Err(RequestError::InvalidUpdate(_))));
    let large = Update::new().reported(serde_json::json!({"a": "x".repeat(20_000)}));
    let large = with.engine.update(now, shadow, &large);
    let Err(RequestError::LimitExceeded(exceeded)) = large else {
        panic!("{large:?}");
    };
    assert_eq!(
        (exceeded.limit, exceeded.maximum),
        (Limit::PayloadSize, 16_384)
    );
    assert_eq!(with.events(), []);
    with.engine.get(now, shadow).unwrap();
    without.engine.get(now, shadow).unwrap();
    assert_eq!(
        with.poll(),
        without.poll(),
        "tokens and packet ids are as if nothing had been"
    );
}

#[test]
fn tokens_differ_between_runs_and_go_on_with_the_session() {
    let get = |device: &mut Device| {
        let shadow = device.shadow();
        device.engine.get(device.now, shadow).unwrap();
        token(&device.published())
    };
    let mut first = Device::ready(config());
    let one = get(&mut first);
    let session = first.engine.into_session();

    let mut other_run = Device::with_session(config(), shadow_core::Session::new(), 2);
    other_run.connect(false);
    other_run.subscribe_own();
    let other = token(&other_run.published());
    assert_ne!(
        one.split('-').next(),
        other.split('-').next(),
        "the nonce tells runs apart"
    );

    let mut same_session = Device::with_session(config(), session, 3);
    same_session.connect(false);
    same_session.subscribe_own();
    let next = token(&same_session.published());
    let number = |token: &str| {
        token
            .rsplit_once('-')
            .map(|(_, n)| n.parse::<u64>().unwrap())
    };
    assert_eq!(
        number(&next),
        number(&one).map(|n| n + 1),
        "a late reply matches nothing new"
    );
}

#[test]
fn an_invalid_shadow_message_is_an_event() {
    let mut device = Device::ready(config());
    for payload in [
        "",
        "{",
        "[]",
        r#"{"type":"unheard of"}"#,
        r#"{"clientToken":"x"}"#,
        "\u{1}",
    ] {
        device.result(payload);
        let Event::InvalidMessage { size, .. } = device.event() else {
            panic!("{payload}")
        };
        assert_eq!(size, payload.len());
    }
    device.message(
        RESULT_TOPIC,
        &[0xff, 0xfe],
        shadow_core::mqtt::QoS::AtMostOnce,
        None,
    );
    assert!(matches!(device.event(), Event::InvalidMessage { .. }));
}
