//! Topics that are no shadow's: publish, subscribe, all three QoS.

use core::time::Duration;

use shadow_core::event::Message;
use shadow_core::mqtt::{PacketId, PacketKind, ProtocolVersion, QoS};
use shadow_core::{
    Config, Event, Limit, LimitExceeded, Outcome, Publication, RequestError, Timer,
    TransportFailure,
};

use crate::device::{Device, OPERATION_TOPIC, Out, RESULT_TOPIC, config};

fn tool() -> Device {
    Device::online(Config::plain("tool"))
}

fn kept() -> Device {
    let mut config = Config::plain("tool");
    config.clean_session = false;
    Device::online(config)
}

fn cut(device: &mut Device) {
    device
        .engine
        .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
    assert!(matches!(device.event(), Event::Disconnected { .. }));
    device.tick_until(Timer::Reconnect);
}

fn cut_with_events(device: &mut Device) {
    device.events();
    cut(device);
}

#[test]
fn qos_0_is_done_when_it_leaves() {
    let mut device = tool();
    let request = device
        .engine
        .publish(device.now, &Publication::new("a/b", b"hi"))
        .unwrap();
    assert_eq!(device.events(), []);
    assert_eq!(device.packet(), b"\x30\x07\x00\x03a/bhi"); // figure 3.11, QoS 0
    assert_eq!(device.outcome(request), Outcome::Published);
}

#[test]
fn qos_1_is_done_with_puback() {
    let mut device = tool();
    let publication = Publication::new("a/b", b"hi").qos(QoS::AtLeastOnce);
    let request = device.engine.publish(device.now, &publication).unwrap();
    assert_eq!(device.packet(), b"\x32\x09\x00\x03a/b\x00\x01hi");
    assert_eq!(device.events(), []);
    device.bytes(&[0x40, 2, 0, 1]);
    assert_eq!(device.outcome(request), Outcome::Published);
    device.bytes(&[0x40, 2, 0, 1]);
    let packet_id = PacketId::new(1).unwrap();
    let twice = Event::UnexpectedAcknowledgement {
        kind: PacketKind::PubAck,
        packet_id,
    };
    assert_eq!(device.event(), twice);
}

#[test]
fn qos_2_is_done_with_pubcomp() {
    let mut device = tool();
    let publication = Publication::new("a/b", b"hi").qos(QoS::ExactlyOnce);
    let request = device.engine.publish(device.now, &publication).unwrap();
    assert_eq!(device.packet(), b"\x34\x09\x00\x03a/b\x00\x01hi");
    device.bytes(&[0x50, 2, 0, 1]); // PUBREC
    assert_eq!(device.packet(), [0x62, 2, 0, 1]); // PUBREL, flags 0010
    device.bytes(&[0x50, 2, 0, 1]);
    assert_eq!(
        device.packet(),
        [0x62, 2, 0, 1],
        "PUBREC again is released again"
    );
    assert_eq!(device.events(), []);
    device.bytes(&[0x70, 2, 0, 1]); // PUBCOMP
    assert_eq!(device.outcome(request), Outcome::Published);
}

#[test]
fn unacknowledged_messages_resume_in_order_with_dup() {
    let mut device = kept();
    for (payload, qos) in [
        (&b"1"[..], QoS::AtLeastOnce),
        (b"2", QoS::ExactlyOnce),
        (b"3", QoS::ExactlyOnce),
        (b"4", QoS::AtLeastOnce),
    ] {
        let publication = Publication::new("t", payload).qos(qos);
        device.engine.publish(device.now, &publication).unwrap();
    }
    assert_eq!(device.poll().len(), 4);
    device.bytes(&[0x50, 2, 0, 3]); // PUBREC for the third
    device.packet();
    cut(&mut device);
    device.connect(true);
    let out = device.poll();
    let packet = |bytes: &[u8]| Out::Packet(bytes.to_vec());
    assert_eq!(
        out,
        [
            packet(b"\x3a\x06\x00\x01t\x00\x011"), // DUP [MQTT-4.4.0-1]
            packet(b"\x3c\x06\x00\x01t\x00\x022"),
            packet(&[0x62, 2, 0, 3]),
            packet(b"\x3a\x06\x00\x01t\x00\x044"),
        ]
    );
}

#[test]
fn a_server_that_kept_nothing_gets_them_as_new() {
    let mut device = tool();
    let publish = |device: &mut Device, qos| {
        let publication = Publication::new("t", b"x").qos(qos);
        device.engine.publish(device.now, &publication).unwrap()
    };
    let first = publish(&mut device, QoS::AtLeastOnce);
    let second = publish(&mut device, QoS::ExactlyOnce);
    device.poll();
    device.bytes(&[0x50, 2, 0, 2]);
    device.poll();
    cut(&mut device);
    assert_eq!(device.poll(), [Out::Connect]);
    device.engine.handle_connected(device.now);
    device.packet();
    device.bytes(&[0x20, 2, 0, 0]);
    // The second was the server's already, so it is done; the first goes out without DUP.
    assert_eq!(device.packet(), b"\x32\x06\x00\x01t\x00\x01x");
    let connected = Event::Connected {
        session_present: false,
    };
    let done = Event::Ended {
        request: second,
        outcome: Outcome::Published,
    };
    assert_eq!(device.events(), [connected, done]);
    device.bytes(&[0x40, 2, 0, 1]);
    assert_eq!(device.outcome(first), Outcome::Published);
}

/// MQTT 3.1 has no session present flag, so a session that the server may have kept is taken up
/// again: PUBLISH and PUBREL go out once more, both with DUP (MQTT 3.1, sections 2.1 and 4.2).
#[test]
fn mqtt_3_1_takes_up_again_what_the_server_may_have_kept() {
    let mut config = Config::plain("tool");
    config.clean_session = false;
    config.protocol_version = ProtocolVersion::V31;
    let mut device = Device::online(config);
    for payload in [b"1", b"2"] {
        let publication = Publication::new("t", payload).qos(QoS::ExactlyOnce);
        device.engine.publish(device.now, &publication).unwrap();
    }
    device.poll();
    device.bytes(&[0x50, 2, 0, 2]); // PUBREC for the second
    device.packet();
    cut(&mut device);
    device.connect(false);
    let packet = |bytes: &[u8]| Out::Packet(bytes.to_vec());
    let again = [
        packet(b"\x3c\x06\x00\x01t\x00\x011"),
        packet(&[0x6A, 2, 0, 2]),
    ];
    assert_eq!(device.poll(), again);
}

#[test]
fn inbound_qos_1_is_acknowledged_and_qos_2_delivered_once() {
    let mut device = tool();
    device.message("t", b"one", QoS::AtLeastOnce, Some(9));
    assert_eq!(device.packet(), [0x40, 2, 0, 9]);
    let message = |payload: &[u8], qos| {
        Event::Message(Message {
            topic: "t".into(),
            payload: payload.into(),
            qos,
            retain: false,
            duplicate: false,
        })
    };
    assert_eq!(device.event(), message(b"one", QoS::AtLeastOnce));

    device.message("t", b"two", QoS::ExactlyOnce, Some(9));
    assert_eq!(device.packet(), [0x50, 2, 0, 9]);
    assert_eq!(device.event(), message(b"two", QoS::ExactlyOnce));
    device.message("t", b"two", QoS::ExactlyOnce, Some(9));
    assert_eq!(
        device.packet(),
        [0x50, 2, 0, 9],
        "acknowledged again [MQTT-4.3.3-2]"
    );
    assert_eq!(device.events(), [], "but delivered once");
    device.bytes(&[0x62, 2, 0, 9]); // PUBREL
    assert_eq!(device.packet(), [0x70, 2, 0, 9]);
    device.message("t", b"new", QoS::ExactlyOnce, Some(9));
    assert_eq!(
        device.event(),
        message(b"new", QoS::ExactlyOnce),
        "the id is free again"
    );
}

/// The whole packet counts, with its fixed header of four bytes here.
#[test]
fn messages_up_to_128_kib_are_taken_by_default() {
    let mut device = Device::ready(config());
    let payload = vec![b'x'; 128 * 1024 - 4 - 2 - "t".len()];
    device.message("t", &payload, QoS::AtMostOnce, None);
    assert!(matches!(device.event(), Event::Message(message) if message.payload == payload));
    let payload = vec![b'x'; payload.len() + 1];
    device.message("t", &payload, QoS::AtMostOnce, None);
    assert!(matches!(
        device.event(),
        Event::OversizedMessage { size: 131_073, .. }
    ));
}

#[test]
fn an_oversized_message_is_skipped_and_acknowledged() {
    let mut config = Config::plain("tool");
    config.maximum_packet_size = 100;
    let mut device = Device::online(config);
    device.message("big", &[b'x'; 1_000], QoS::AtLeastOnce, Some(5));
    assert_eq!(device.packet(), [0x40, 2, 0, 5]);
    let Event::OversizedMessage { topic, qos, size } = device.event() else {
        panic!()
    };
    assert_eq!(
        (topic.as_str(), qos, size),
        ("big", QoS::AtLeastOnce, 1_000 + 2 + 3 + 2 + 3)
    );
    device.message("small", b"x", QoS::AtMostOnce, None);
    assert!(matches!(device.event(), Event::Message(_)));
}

#[test]
fn a_subscription_is_granted_refused_and_ended() {
    let mut device = tool();
    let granted = device
        .engine
        .subscribe(device.now, "a/+", QoS::AtLeastOnce)
        .unwrap();
    assert_eq!(device.packet(), b"\x82\x08\x00\x01\x00\x03a/+\x01");
    device.bytes(&[0x90, 3, 0, 1, 0]);
    let outcome = Outcome::Subscribed {
        granted: QoS::AtMostOnce,
    };
    assert_eq!(
        device.outcome(granted),
        outcome,
        "the server may grant less"
    );

    let refused = device
        .engine
        .subscribe(device.now, "b/#", QoS::AtMostOnce)
        .unwrap();
    device.packet();
    device.bytes(&[0x90, 3, 0, 2, 0x80]);
    assert_eq!(device.outcome(refused), Outcome::SubscriptionRefused);

    let ended = device.engine.unsubscribe(device.now, "a/+").unwrap();
    assert_eq!(device.packet(), b"\xa2\x07\x00\x03\x00\x03a/+");
    device.bytes(&[0xB0, 2, 0, 3]);
    assert_eq!(device.outcome(ended), Outcome::Unsubscribed);
}

#[test]
fn subscriptions_are_made_again_on_a_new_link() {
    let mut device = tool();
    device
        .engine
        .subscribe(device.now, "kept", QoS::AtLeastOnce)
        .unwrap();
    device.packet();
    device.bytes(&[0x90, 3, 0, 1, 1]);
    device.events();
    let under_way = device
        .engine
        .subscribe(device.now, "asked", QoS::AtMostOnce)
        .unwrap();
    device.packet();
    cut(&mut device);
    device.connect(false);
    let out = device.poll();
    let ids: Vec<u8> = out
        .iter()
        .map(|out| match out {
            Out::Packet(bytes) if bytes[0] == 0x82 => bytes[3],
            other => panic!("expected SUBSCRIBE, got {other:?}"),
        })
        .collect();
    assert!(matches!(&out[1], Out::Packet(bytes) if bytes.ends_with(b"kept\x01")));
    device.bytes(&[0x90, 3, 0, ids[0], 0]);
    assert_eq!(
        device.outcome(under_way),
        Outcome::Subscribed {
            granted: QoS::AtMostOnce
        }
    );
    device.bytes(&[0x90, 3, 0, ids[1], 0x80]);
    assert_eq!(
        device.event(),
        Event::SubscriptionLost {
            filter: "kept".into()
        }
    );
}

#[test]
fn a_cancelled_subscription_is_ended_with_the_server_too() {
    let mut device = tool();
    let request = device
        .engine
        .subscribe(device.now, "f", QoS::AtMostOnce)
        .unwrap();
    device.packet();
    device.engine.cancel(device.now, request).unwrap();
    assert_eq!(device.outcome(request), Outcome::Cancelled);
    assert_eq!(device.packet(), b"\xa2\x05\x00\x02\x00\x01f");
    device.bytes(&[0x90, 3, 0, 1, 0]);
    device.bytes(&[0xB0, 2, 0, 2]);
    assert_eq!(device.events(), []);
    cut(&mut device);
    device.connect(false);
    device.silent();
}

#[test]
fn the_qos_of_a_subscription_can_be_changed_at_the_limit() {
    let mut config = Config::plain("tool");
    config.maximum_subscriptions = 1;
    let mut device = Device::online(config);
    for (id, qos) in [(1, QoS::AtMostOnce), (2, QoS::AtLeastOnce)] {
        device.engine.subscribe(device.now, "f", qos).unwrap();
        device.packet();
        device.bytes(&[0x90, 3, 0, id, qos.number()]);
        device.events();
    }
}

#[test]
fn what_was_unsubscribed_stays_so() {
    let mut device = tool();
    device
        .engine
        .subscribe(device.now, "f", QoS::AtMostOnce)
        .unwrap();
    device.packet();
    // Both under way when the link breaks: the later wish counts.
    device.engine.unsubscribe(device.now, "f").unwrap();
    device.packet();
    device.bytes(&[0x90, 3, 0, 1, 0]);
    cut_with_events(&mut device);
    device.connect(false);
    let unsubscribe = device.packet();
    assert_eq!(unsubscribe[0], 0xA2);
    device.bytes(&[0xB0, 2, unsubscribe[2], unsubscribe[3]]);
    cut_with_events(&mut device);
    device.connect(false);
    device.silent();
}

#[test]
fn messages_of_an_earlier_engine_end_nobodys_request() {
    let mut first = kept();
    let publication = Publication::new("t", b"old").qos(QoS::AtLeastOnce);
    first.engine.publish(first.now, &publication).unwrap();
    first.packet();
    let session = first.engine.into_session();

    let mut config = Config::plain("tool");
    config.clean_session = false;
    let mut device = Device::with_session(config, session, 2);
    let request = device
        .engine
        .publish(
            device.now,
            &Publication::new("t", b"new").qos(QoS::AtLeastOnce),
        )
        .unwrap();
    device.connect(false);
    let out = device.poll();
    assert!(
        matches!(&out[..], [Out::Packet(old), Out::Packet(new)]
            if old == b"\x32\x08\x00\x01t\x00\x01old" && new == b"\x32\x08\x00\x01t\x00\x02new"),
        "{out:?}"
    );
    device.bytes(&[0x40, 2, 0, 1]);
    assert_eq!(device.events(), []);
    device.bytes(&[0x40, 2, 0, 2]);
    assert_eq!(device.outcome(request), Outcome::Published);
}

#[test]
fn offline_messages_wait_for_the_link_or_time_out() {
    let mut device = Device::new(Config::plain("tool"));
    device
        .engine
        .publish(device.now, &Publication::new("t", b"first"))
        .unwrap();
    device
        .engine
        .publish(device.now, &Publication::new("t", b"second"))
        .unwrap();
    device.connect(false);
    let out = device.poll();
    assert!(
        matches!(&out[..], [Out::Packet(a), Out::Packet(b)]
        if a.ends_with(b"first") && b.ends_with(b"second")),
        "{out:?}"
    );
    device.events();

    cut(&mut device);
    let late = device
        .engine
        .publish(device.now, &Publication::new("t", b"third"))
        .unwrap();
    device.poll();
    device.tick(Timer::Request, Duration::from_secs(10));
    assert_eq!(device.outcome(late), Outcome::TimedOut);
}

#[test]
fn the_send_window_is_bounded_and_keeps_the_order() {
    let mut config = Config::plain("tool");
    config.maximum_in_flight = 2;
    let mut device = Device::online(config);
    for payload in [b"1", b"2", b"3", b"4"] {
        let publication = Publication::new("t", payload).qos(QoS::AtLeastOnce);
        device.engine.publish(device.now, &publication).unwrap();
    }
    assert_eq!(device.poll().len(), 2);
    device.bytes(&[0x40, 2, 0, 1]);
    assert!(device.packet().ends_with(b"3"));
    device.bytes(&[0x40, 2, 0, 2, 0x40, 2, 0, 3]);
    assert!(device.packet().ends_with(b"4"));
}

#[test]
fn bad_topics_and_shadow_topics_are_refused() {
    let mut device = Device::ready(config());
    let now = device.now;
    for topic in ["", "a/#", "a/+/b", "a\0b"] {
        let refused = device.engine.publish(now, &Publication::new(topic, b""));
        assert!(
            matches!(refused, Err(RequestError::InvalidTopic(_))),
            "{topic:?}"
        );
    }
    for filter in ["", "a#", "#/a", "a+/b"] {
        let refused = device.engine.subscribe(now, filter, QoS::AtMostOnce);
        assert!(
            matches!(refused, Err(RequestError::InvalidTopic(_))),
            "{filter:?}"
        );
    }
    let refused = device
        .engine
        .publish(now, &Publication::new(OPERATION_TOPIC, b"{}"));
    assert_eq!(refused, Err(RequestError::ShadowTopic));
    let refused = device.engine.unsubscribe(now, RESULT_TOPIC);
    assert_eq!(refused, Err(RequestError::ShadowTopic));
    device.silent();
    assert_eq!(device.events(), []);
}

#[test]
fn a_message_that_did_not_leave_is_cancelled_for_good() {
    let mut device = tool();
    let one = device
        .engine
        .publish(device.now, &Publication::new("t", b"one"))
        .unwrap();
    device
        .engine
        .publish(device.now, &Publication::new("t", b"two"))
        .unwrap();
    device.engine.cancel(device.now, one).unwrap();
    assert_eq!(device.outcome(one), Outcome::Cancelled);
    assert!(device.packet().ends_with(b"two"));
    assert_eq!(
        device.engine.cancel(device.now, one),
        Err(RequestError::UnknownRequest(one))
    );
}

#[test]
fn what_did_not_leave_is_cancelled_for_good_whatever_it_is() {
    let mut device = kept();
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let publication = Publication::new("t", b"x").qos(qos);
        let request = device.engine.publish(device.now, &publication).unwrap();
        device.engine.cancel(device.now, request).unwrap();
        assert_eq!(device.outcome(request), Outcome::Cancelled);
    }
    let subscribe = device.engine.subscribe(device.now, "t", QoS::AtMostOnce);
    let unsubscribe = device.engine.unsubscribe(device.now, "t");
    for request in [subscribe.unwrap(), unsubscribe.unwrap()] {
        device.engine.cancel(device.now, request).unwrap();
        assert_eq!(device.outcome(request), Outcome::Cancelled);
    }
    device.silent();
    // No SUBACK or UNSUBACK is waited for either.
    device.tick(Timer::KeepAlive, Duration::from_secs(60));
    device.packet();
    device.bytes(&[0xD0, 0]);
    cut(&mut device);
    device.connect(true);
    device.silent();
}

#[test]
fn bounds_refuse_and_change_nothing() {
    let mut config = Config::plain("tool");
    config.limits.payload_size = 10;
    config.maximum_queued_bytes = 25;
    config.maximum_requests = 3;
    config.maximum_subscriptions = 1;
    let mut device = Device::new(config);
    let publish = |device: &mut Device, size: usize| {
        device
            .engine
            .publish(device.now, &Publication::new("t", &vec![0; size]))
            .map(drop)
    };
    let too_large = LimitExceeded {
        limit: Limit::PayloadSize,
        value: 11,
        maximum: 10,
    };
    assert_eq!(publish(&mut device, 11), Err(too_large.into()));
    publish(&mut device, 10).unwrap();
    publish(&mut device, 10).unwrap();
    assert_eq!(
        publish(&mut device, 10),
        Err(RequestError::QueueFull { limit: 25 })
    );
    publish(&mut device, 1).unwrap();
    assert_eq!(
        publish(&mut device, 1),
        Err(RequestError::TooManyRequests { limit: 3 })
    );
    device.connect(false);
    assert_eq!(device.poll().len(), 3);
    // Ends that wait count as open, or an application that never polls would fill the memory.
    assert_eq!(
        publish(&mut device, 1),
        Err(RequestError::TooManyRequests { limit: 3 })
    );
    assert_eq!(device.events().len(), 3);
    device
        .engine
        .subscribe(device.now, "a", QoS::AtMostOnce)
        .unwrap();
    let subscribe = device.packet();
    device.bytes(&[0x90, 3, subscribe[2], subscribe[3], 0]);
    device.events();
    let refused = device.engine.subscribe(device.now, "b", QoS::AtMostOnce);
    assert_eq!(
        refused,
        Err(RequestError::TooManySubscriptions { limit: 1 })
    );
}
