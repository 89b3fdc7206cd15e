//! Peers, applications and configurations that mean no good: what they must not bring about.

use core::time::Duration;

use shadow_core::json::Json;
use shadow_core::mqtt::QoS;
use shadow_core::{
    Config, DisconnectCause, Event, Instant, Limit, LimitExceeded, Outcome, Publication,
    RequestError, Timer, TransportFailure,
};

use crate::device::{Device, Out, config, info};

fn lose(device: &mut Device) {
    device
        .engine
        .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
}

/// Whether the link was ended, and why.
fn disconnected(events: &[Event]) -> Option<&DisconnectCause> {
    events.iter().find_map(|event| match event {
        Event::Disconnected { cause, .. } => Some(cause),
        _ => None,
    })
}

#[test]
fn a_server_that_does_not_read_its_acknowledgements_loses_the_link() {
    for (qos, answer) in [(QoS::AtLeastOnce, 0x40), (QoS::ExactlyOnce, 0x50)] {
        let mut config = Config::plain("tool");
        config.maximum_queued_bytes = 400; // of four bytes each
        let mut device = Device::online(config);
        for id in 1..=100 {
            device.message("t", b"", qos, Some(id));
        }
        assert_eq!(disconnected(&device.events()), None);
        device.message("t", b"", qos, Some(101));
        let events = device.events();
        let cause = disconnected(&events).expect("the queue is full");
        assert_eq!(*cause, DisconnectCause::AcknowledgementsUnread);
        assert_eq!(device.poll(), [Out::Close]);

        // One that reads may send on and on.
        device.tick_until(Timer::Reconnect);
        device.connect(false);
        for id in 1..=200 {
            device.message("t", b"", qos, Some(id));
            assert_eq!(device.packet()[0], answer);
        }
        assert_eq!(disconnected(&device.events()), None);
    }
}

#[test]
fn pubrel_and_pubrec_that_answer_nothing_are_bounded_too() {
    for first in [0x62, 0x50] {
        let mut config = Config::plain("tool");
        config.maximum_queued_bytes = 400;
        let mut device = Device::online(config);
        let flood = [first, 2, 0, 9].repeat(1_000);
        device.bytes(&flood);
        assert!(disconnected(&device.events()).is_some());
    }
}

#[test]
fn pings_do_not_pile_up_before_a_transport_that_takes_nothing() {
    let mut device = Device::online(Config::plain("tool"));
    for _ in 0..10 {
        device.tick_until(Timer::KeepAlive);
        device.bytes(&[0xD0, 0]); // an answer to nothing
    }
    assert_eq!(device.packet(), [0xC0, 0]);
}

#[test]
fn a_request_timeout_of_zero_ends_in_finite_time() {
    let mut config = config();
    config.request_timeout = Duration::ZERO;
    let mut device = Device::online(config);
    device.subscribe_own();
    device.published();
    // The get that follows the subscription is sent again, but not without end.
    let deadline = device.engine.poll_deadline().unwrap();
    assert_eq!(deadline.timer, Timer::Request);
    assert_eq!(deadline.at, device.now + Duration::from_secs(1));
    device.now = deadline.at;
    device.engine.handle_tick(device.now);
    device.published();
}

#[test]
fn the_end_of_time_is_survived() {
    let mut device = Device::online(config());
    device.subscribe_own();
    let shadow = device.shadow();
    device.engine.get(device.now, shadow).unwrap();
    device.now = Instant::from_micros(u64::MAX);
    for _ in 0..10 {
        device.engine.handle_tick(device.now);
        device.poll();
    }
    let ends = device.events().into_iter();
    let ends = ends.filter(|event| matches!(event, Event::Ended { .. }));
    assert_eq!(ends.count(), 1);
}

#[test]
fn attaching_and_detaching_without_end_is_refused_at_the_bound() {
    let mut config = Config::plain("tool");
    config.maximum_subscriptions = 8;
    let mut device = Device::online(config);
    let limit = RequestError::TooManySubscriptions { limit: 8 };
    for round in 0.. {
        match device.engine.attach(device.now, &info().name) {
            Ok(shadow) => device.engine.detach(device.now, shadow).unwrap(),
            Err(error) => {
                assert_eq!(error, limit);
                break;
            }
        }
        assert!(round < 8, "UNSUBSCRIBE after UNSUBSCRIBE is queued");
    }
}

#[test]
fn subscriptions_on_their_way_count() {
    let mut config = Config::plain("tool");
    config.maximum_subscriptions = 2;
    let mut device = Device::online(config);
    let subscribe = |device: &mut Device, filter| {
        let subscribed = device.engine.subscribe(device.now, filter, QoS::AtMostOnce);
        subscribed.map(drop)
    };
    subscribe(&mut device, "a").unwrap();
    subscribe(&mut device, "b").unwrap();
    let limit = RequestError::TooManySubscriptions { limit: 2 };
    assert_eq!(subscribe(&mut device, "c"), Err(limit));
}

/// Each SUBSCRIBE holds a packet id until its SUBACK, and there are 65,535.
#[test]
fn a_server_that_answers_no_subscribe_gets_a_bounded_number() {
    let mut device = Device::online(Config::plain("tool"));
    let mut sent = 0;
    for _ in 0..1_100 {
        let request = device
            .engine
            .subscribe(device.now, "t", QoS::AtMostOnce)
            .unwrap();
        sent += device.poll().len();
        device.engine.cancel(device.now, request).unwrap();
        device.events();
    }
    assert_eq!(sent, 1_024);
    // What waits leaves as soon as one is answered.
    let waiting = device
        .engine
        .subscribe(device.now, "t", QoS::AtMostOnce)
        .unwrap();
    device.silent();
    device.bytes(&[0x90, 3, 0, 1, 0]);
    let subscribe = device.packet();
    device.bytes(&[0x90, 3, subscribe[2], subscribe[3], 0]);
    let granted = QoS::AtMostOnce;
    assert_eq!(device.outcome(waiting), Outcome::Subscribed { granted });
}

#[test]
fn a_payload_that_no_packet_can_hold_is_refused_whatever_is_configured() {
    let mut config = Config::plain("tool");
    config.maximum_queued_bytes = usize::MAX;
    let mut device = Device::online(config);
    let payload = vec![0; 268_435_456]; // one more than a remaining length can say
    let refused = device
        .engine
        .publish(device.now, &Publication::new("t", &payload));
    let exceeded = LimitExceeded {
        limit: Limit::PayloadSize,
        value: payload.len(),
        maximum: 268_435_455 - 2 - 65_535 - 2, // beside the longest topic and a packet id
    };
    assert_eq!(refused, Err(RequestError::LimitExceeded(exceeded)));
}

#[test]
fn the_last_event_is_closed_even_when_the_application_does_not_drain() {
    let mut config = Config::plain("tool");
    config.maximum_events = 2;
    let mut device = Device::online(config);
    for _ in 0..5 {
        device.message("t", b"", QoS::AtMostOnce, None);
    }
    device.engine.close(device.now);
    let events = device.events();
    let (lost, closed) = (Event::EventsLost { count: 3 }, Event::Closed);
    assert_eq!(events[2..], [lost, closed]);
}

#[test]
fn a_delta_that_is_no_object_is_no_delta() {
    for state in ["null", "7", "[1]", r#""x""#] {
        let mut device = Device::ready(config());
        device.result(&format!(
            r#"{{"type":"delta","payload":{{"state":{state},"version":2}}}}"#
        ));
        let event = device.event();
        assert!(
            matches!(event, Event::InvalidMessage { .. }),
            "{state}: {event:?}"
        );

        let mut device = Device::online(config());
        device.subscribe_own();
        let get = crate::device::token(&device.published());
        device.reply(
            &get,
            "get",
            0,
            &format!(r#"{{"state":{{"delta":{state}}}}}"#),
        );
        let event = device.event();
        assert!(matches!(event, Event::Ready { .. }), "{state}: {event:?}");
    }
}

/// Without a version nothing tells a repeated push from a second change to the same value.
#[test]
fn a_delta_without_version_is_told_each_time() {
    let mut device = Device::ready(config());
    for _ in 0..2 {
        device.result(r#"{"type":"delta","payload":{"state":{"on":true}}}"#);
        let Event::Delta(delta) = device.event() else {
            panic!("expected a delta");
        };
        assert_eq!(delta.state, Json::new(r#"{"on":true}"#).unwrap());
    }
}

#[test]
fn session_present_after_a_clean_session_breaks_the_protocol() {
    let mut device = Device::new(config());
    device.poll();
    device.engine.handle_connected(device.now);
    device.packet();
    device.bytes(&[0x20, 2, 1, 0]);
    let events = device.events();
    let Some(DisconnectCause::Violation(clause)) = disconnected(&events) else {
        panic!("expected a violation, got {events:?}");
    };
    assert!(clause.contains("[MQTT-3.2.2-1]"), "{clause}");
}

/// After a rejection the same get is over; a second answer to it is a duplicate.
#[test]
fn a_second_answer_to_the_rejected_first_get_is_a_duplicate() {
    let mut device = Device::online(config());
    device.subscribe_own();
    let get = crate::device::token(&device.published());
    device.reply(&get, "get", 42, r#"{"state":{}}"#);
    device.event();
    for code in [42, 0] {
        device.reply(&get, "get", code, r#"{"state":{}}"#);
        let Event::Unmatched(unmatched) = device.event() else {
            panic!("the get was answered");
        };
        assert_eq!(
            unmatched.reason,
            shadow_core::event::UnmatchedReason::Duplicate
        );
    }
}

#[test]
fn a_shadow_that_was_never_subscribed_is_so_although_the_first_connection_fails() {
    let mut config = config();
    config.behaviour.resubscribe = false;
    let mut device = Device::new(config);
    device.poll();
    lose(&mut device);
    device.events();
    device.tick_until(Timer::Reconnect);
    device.connect(false);
    device.subscribe_own();
}

/// CONNECT holds the password, and waits in the send queue before it leaves.
#[test]
fn the_send_queue_is_not_printed() {
    let mut device = Device::new(config());
    device.poll();
    device.engine.handle_connected(device.now);
    let printed = format!("{:?}", device.engine);
    let connect = device.packet();
    let digits = format!("{connect:?}");
    assert!(!printed.contains(&digits[1..40]), "{printed}");
}

/// What a session keeps of a shadow is bounded by a document and a packet, not by how often the cloud
/// desires something else.
#[test]
fn a_cloud_that_desires_without_end_fills_no_memory() {
    for answers in [false, true] {
        let mut config = config();
        config.maximum_packet_size = 2_000;
        let mut device = Device::ready(config);
        for number in 0..2_000 {
            let (version, key) = (number + 2, format!("{number}{}", "k".repeat(50)));
            device.result(&format!(
                r#"{{"type":"delta","payload":{{"state":{{"{key}":1}},"version":{version}}}}}"#
            ));
            for event in device.events() {
                if let (Event::Delta(delta), true) = (event, answers) {
                    device.engine.reject(device.now, &delta, "no").ok();
                }
            }
            device.poll();
            let kept = device.engine.session().to_bytes().len();
            assert!(kept < 2 * 2_000 + 1_000, "{kept} bytes after {number}");
        }
    }
}

#[test]
fn deleting_keys_that_never_were_is_bounded() {
    let mut config = config();
    config.limits.document_size = 1_000;
    let mut device = Device::ready(config);
    let shadow = device.shadow();
    lose(&mut device);
    device.events();
    let refused = (0..1_000).find_map(|number| {
        let patch = serde_json::json!({ format!("key{number}"): null });
        device.engine.report(device.now, shadow, &patch).err()
    });
    let Some(RequestError::LimitExceeded(exceeded)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(
        (exceeded.limit, exceeded.maximum),
        (Limit::DocumentSize, 2_000)
    );
}
