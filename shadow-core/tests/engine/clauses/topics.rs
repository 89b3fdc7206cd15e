//! Section 4.7: topic names and filters.

use shadow_core::mqtt::QoS;
use shadow_core::mqtt::topic::{self, TopicError, filter_matches};
use shadow_core::{Publication, RequestError};

use super::{client, refused};

fn subscribes(filter: &str) -> bool {
    let mut device = client();
    let now = device.now;
    let subscribed = device.engine.subscribe(now, filter, QoS::AtMostOnce);
    let unsubscribed = device.engine.unsubscribe(now, filter);
    assert_eq!(subscribed.is_ok(), unsubscribed.is_ok());
    assert_eq!(device.engine.has_output(), subscribed.is_ok());
    subscribed.is_ok()
}

#[test]
fn the_multi_level_wildcard_is_the_last_level() {
    for filter in ["#", "/#", "sport/#", "sport/tennis/player1/#", "+/#"] {
        assert!(subscribes(filter), "[MQTT-4.7.1-2] {filter}");
    }
    for filter in [
        "sport/tennis#",
        "sport/tennis/#/ranking",
        "#/",
        "##",
        "#a",
        "+#",
    ] {
        assert!(!subscribes(filter), "[MQTT-4.7.1-2] {filter}");
    }
}

#[test]
fn the_single_level_wildcard_is_a_whole_level() {
    for filter in [
        "+",
        "/+",
        "+/",
        "sport/+",
        "+/tennis/#",
        "sport/+/player1",
        "+/+",
    ] {
        assert!(subscribes(filter), "[MQTT-4.7.1-3] {filter}");
    }
    for filter in ["sport+", "+sport", "a/b+", "++", "a/+b/c"] {
        assert!(!subscribes(filter), "[MQTT-4.7.1-3] {filter}");
    }
}

#[test]
fn topics_have_a_character() {
    assert!(!subscribes(""), "[MQTT-4.7.3-1] filter");
    let mut device = client();
    let published = device
        .engine
        .publish(device.now, &Publication::new("", b"x"));
    assert!(
        matches!(published, Err(RequestError::InvalidTopic(_))),
        "[MQTT-4.7.3-1] name"
    );
    assert_eq!(
        refused(b"\x30\x03\x00\x00x"),
        "MQTT-4.7.3-1",
        "[MQTT-4.7.3-1] received"
    );
    for topic in ["/", " ", "a"] {
        assert!(subscribes(topic), "[MQTT-4.7.3-1] {topic:?} is one");
    }
}

#[test]
fn topics_have_no_u_0000() {
    assert!(!subscribes("a/\0"), "[MQTT-4.7.3-2] filter");
    assert_eq!(
        topic::validate_name("a/\0"),
        Err(TopicError::NulCharacter),
        "[MQTT-4.7.3-2] name"
    );
    let breach = refused(b"\x30\x05\x00\x03a/\x00");
    assert_eq!(breach, "MQTT-1.5.3-2", "[MQTT-4.7.3-2] received");
}

#[test]
fn topics_have_65_535_bytes_at_most() {
    let (longest, longer) = ("ü".repeat(32_767) + "a", "ü".repeat(32_768));
    let too_long = Err(TopicError::TooLong { length: 65_536 });
    assert_eq!(topic::validate_name(&longest), Ok(()), "[MQTT-4.7.3-3]");
    assert_eq!(topic::validate_name(&longer), too_long, "[MQTT-4.7.3-3]");
    assert_eq!(topic::validate_filter(&longest), Ok(()), "[MQTT-4.7.3-3]");
    assert_eq!(topic::validate_filter(&longer), too_long, "[MQTT-4.7.3-3]");
    assert!(!subscribes(&longer), "[MQTT-4.7.3-3]");
}

/// The matching is the server's duty; here it serves whoever shares a client among listeners, and
/// the model of the server.
#[test]
fn matching_takes_characters_as_they_are() {
    for filter in ["#", "+/monitor/Clients", "+/#"] {
        assert!(
            !filter_matches(filter, "$SYS/monitor/Clients"),
            "[MQTT-4.7.2-1] {filter}"
        );
    }
    for filter in ["$SYS/#", "$SYS/monitor/+"] {
        assert!(
            filter_matches(filter, "$SYS/monitor/Clients"),
            "[MQTT-4.7.2-1] {filter}"
        );
    }
    for (filter, name) in [
        ("ACCOUNTS", "Accounts"),
        ("finance", "/finance"),
        ("\u{e4}", "a\u{308}"), // one letter in its composed and decomposed form
        ("a", "a "),
    ] {
        assert!(!filter_matches(filter, name), "[MQTT-4.7.3-4] {filter:?}");
        assert!(filter_matches(filter, filter), "[MQTT-4.7.3-4] {filter:?}");
    }
}
