//! Which message reaches whom, and how hard the server tries.

use shadow_core::mqtt::QoS;
use transport_mock::server::{Message, ServerConfig, ServerEvent};

use crate::support::{Net, publish, subscribe};

const NAME: &str = "$shadow/operation/EXAMPLE001/test01";

fn message(topic: &str, payload: &str, qos: QoS) -> Message {
    Message {
        topic: topic.into(),
        payload: payload.into(),
        qos,
    }
}

/// Matching as in MQTT section 4.7, the `$` rule [MQTT-4.7.2-1] included.
#[test]
fn wildcards_match_and_spare_dollar_topics() {
    for (filter, topic, matches) in [
        ("a/+", "a/b", true),
        ("a/+", "a/b/c", false),
        ("a/#", "a/b/c", true),
        ("a/#", "a", true),
        ("#", "a/b", true),
        ("#", NAME, false),
        ("+/operation/EXAMPLE001/test01", NAME, false),
        ("$shadow/operation/+/+", NAME, true),
        (
            "$shadow/operation/+/+",
            "$shadow/operation/result/EXAMPLE001/test01",
            false,
        ),
        ("$shadow/#", NAME, true),
    ] {
        let mut net = Net::new(ServerConfig::default());
        let id = net.log_in("me", true);
        assert_eq!(net.subscribe(id, filter, QoS::AtMostOnce), 0);
        assert!(
            net.cloud
                .publish(net.now, &message(topic, "!", QoS::AtMostOnce))
        );
        let expected = if matches {
            publish(topic, b"!", QoS::AtMostOnce)
        } else {
            Vec::new()
        };
        assert_eq!(net.received(id), expected, "{filter} {topic}");
    }
    let mut net = Net::new(ServerConfig::default());
    assert!(
        !net.cloud
            .publish(net.now, &message("a/+", "!", QoS::AtMostOnce))
    );
}

/// [MQTT-3.3.5-1]: overlapping subscriptions give one message, with the highest QoS among them, and
/// never more than the publisher's. Retain is not passed on [MQTT-3.3.1-9].
#[test]
fn message_comes_once_with_the_lesser_of_both_qos() {
    let mut net = Net::new(ServerConfig::default());
    let id = net.log_in("me", true);
    net.subscribe(id, "a/#", QoS::AtMostOnce);
    net.subscribe(id, "a/b", QoS::ExactlyOnce);
    let publisher = net.log_in("other", true);
    net.send(publisher, b"\x33\x08\x00\x03a/b\x00\x05!"); // QoS 1, retain
    assert_eq!(net.received(id), b"\x32\x08\x00\x03a/b\x00\x01!");
    net.send(publisher, b"\x30\x06\x00\x03a/b!");
    assert_eq!(net.received(id), b"\x30\x06\x00\x03a/b!");
    // Nothing was kept for later subscribers.
    let late = net.log_in("late", true);
    assert_eq!(net.subscribe(late, "a/b", QoS::AtMostOnce), 0);
    assert_eq!(net.received(late), b"");
}

#[test]
fn same_filter_again_replaces_the_subscription_and_unsubscribe_ends_it() {
    let mut net = Net::new(ServerConfig::default());
    let id = net.log_in("me", true);
    net.subscribe(id, "a/b", QoS::AtLeastOnce);
    net.subscribe(id, "a/b", QoS::AtMostOnce);
    let hello = message("a/b", "!", QoS::AtLeastOnce);
    assert!(net.cloud.publish(net.now, &hello));
    assert_eq!(net.received(id), b"\x30\x06\x00\x03a/b!");
    assert_eq!(
        net.send(id, b"\xa2\x07\x00\x02\x00\x03a/b"),
        b"\xb0\x02\x00\x02"
    );
    assert!(net.cloud.publish(net.now, &hello));
    assert_eq!(net.received(id), b"");
}

/// [MQTT-4.3.3-2]: however often it is sent, a QoS 2 message is one message until it is released.
#[test]
fn inbound_qos_2_is_delivered_once() {
    let mut net = Net::new(ServerConfig::default());
    let watcher = net.log_in("watcher", true);
    net.subscribe(watcher, "a/b", QoS::ExactlyOnce);
    let id = net.log_in("me", true);
    assert_eq!(
        net.send(id, b"\x34\x08\x00\x03a/b\x00\x05!"),
        b"\x50\x02\x00\x05"
    );
    assert_eq!(net.received(watcher), b"\x32\x08\x00\x03a/b\x00\x01!");
    assert_eq!(
        net.send(id, b"\x3c\x08\x00\x03a/b\x00\x05!"),
        b"\x50\x02\x00\x05"
    );
    assert_eq!(net.received(watcher), b"");
    assert_eq!(net.send(id, b"\x62\x02\x00\x05"), b"\x70\x02\x00\x05");
    assert_eq!(
        net.send(id, b"\x34\x08\x00\x03a/b\x00\x05!"),
        b"\x50\x02\x00\x05"
    );
    assert_eq!(net.received(watcher), b"\x32\x08\x00\x03a/b\x00\x02!");
}

/// [MQTT-4.4.0-1] [MQTT-3.3.1-1]: after a reconnect what was not acknowledged comes again, in
/// order, with its packet id and DUP; then what came meanwhile. QoS 0 of meanwhile is lost.
#[test]
fn lost_acknowledgements_and_absence_lose_no_qos_1_message() {
    let mut net = Net::new(ServerConfig::default());
    let id = net.log_in("me", false);
    net.subscribe(id, "a/b", QoS::AtLeastOnce);
    for payload in ["1", "2", "3"] {
        assert!(
            net.cloud
                .publish(net.now, &message("a/b", payload, QoS::AtLeastOnce))
        );
    }
    let first =
        b"\x32\x08\x00\x03a/b\x00\x011\x32\x08\x00\x03a/b\x00\x022\x32\x08\x00\x03a/b\x00\x033";
    assert_eq!(net.received(id), first);
    net.send(id, b"\x40\x02\x00\x02"); // the others' acknowledgements are lost
    net.cloud.handle_closed(net.now, id);
    assert!(
        net.cloud
            .publish(net.now, &message("a/b", "4", QoS::AtLeastOnce))
    );
    assert!(
        net.cloud
            .publish(net.now, &message("a/b", "5", QoS::AtMostOnce))
    );

    let id = net.accept();
    let expected = [
        &b"\x20\x02\x01\x00"[..], // session present
        b"\x3a\x08\x00\x03a/b\x00\x011",
        b"\x3a\x08\x00\x03a/b\x00\x033",
        b"\x32\x08\x00\x03a/b\x00\x044",
    ];
    let connect = b"\x10\x0e\x00\x04MQTT\x04\x00\x00\x3c\x00\x02me";
    assert_eq!(net.send(id, connect), expected.concat());
    net.send(id, b"\x40\x02\x00\x01\x40\x02\x00\x03\x40\x02\x00\x04");
    net.cloud.handle_closed(net.now, id);
    let id = net.accept();
    assert_eq!(net.send(id, connect), b"\x20\x02\x01\x00");
    // A clean session forgets.
    let clean = net.log_in("me", true);
    assert!(
        net.cloud
            .publish(net.now, &message("a/b", "6", QoS::AtLeastOnce))
    );
    assert_eq!(net.received(clean), b"");
    let again = net.accept();
    assert_eq!(net.send(again, connect), b"\x20\x02\x00\x00");
}

#[test]
fn window_and_queue_are_bounded_and_drops_are_told() {
    let mut net = Net::new(ServerConfig {
        maximum_in_flight: 2,
        maximum_queued_messages: 1,
        ..ServerConfig::default()
    });
    let id = net.log_in("me", true);
    net.subscribe(id, "a/b", QoS::AtLeastOnce);
    net.events();
    for payload in ["1", "2", "3", "4"] {
        assert!(
            net.cloud
                .publish(net.now, &message("a/b", payload, QoS::AtLeastOnce))
        );
    }
    let sent = b"\x32\x08\x00\x03a/b\x00\x011\x32\x08\x00\x03a/b\x00\x022";
    assert_eq!(net.received(id), sent);
    let dropped = ServerEvent::Dropped {
        client_id: "me".into(),
        topic: "a/b".into(),
        qos: QoS::AtLeastOnce,
    };
    assert_eq!(net.events(), [dropped]);
    assert_eq!(
        net.send(id, b"\x40\x02\x00\x01"),
        b"\x32\x08\x00\x03a/b\x00\x033"
    );
    assert_eq!(net.send(id, b"\x40\x02\x00\x02"), b"");
}

/// A client that reads nothing: QoS 0 is dropped, QoS 1 waits, and one that will not even take its
/// own acknowledgements is cut off.
#[test]
fn client_that_does_not_read_is_bounded() {
    let config = ServerConfig {
        maximum_outgoing_bytes: 1_000,
        maximum_in_flight: 1_000,
        ..ServerConfig::default()
    };
    let mut net = Net::new(config);
    let id = net.log_in("me", true);
    net.send(id, &subscribe("#", QoS::AtLeastOnce));
    net.events();
    let big = "x".repeat(600);
    for _ in 0..3 {
        assert!(
            net.cloud
                .publish(net.now, &message("a", &big, QoS::AtMostOnce))
        );
        assert!(
            net.cloud
                .publish(net.now, &message("b", &big, QoS::AtLeastOnce))
        );
    }
    let dropped =
        |event: &ServerEvent| matches!(event, ServerEvent::Dropped { topic, .. } if topic == "a");
    let events = net.events();
    assert!(
        events.len() == 2 && events.iter().all(dropped),
        "{events:?}"
    );
    // Once it reads again, everything that waited comes.
    let received = net.received(id);
    let of = |topic| {
        received
            .windows(3)
            .filter(|bytes| *bytes == [0, 1, topic])
            .count()
    };
    assert_eq!((of(b'a'), of(b'b')), (1, 3));

    for _ in 0..1_001 {
        net.cloud.handle_bytes(net.now, id, b"\xc0\x00");
    }
    assert!(net.is_closed(id));
}
