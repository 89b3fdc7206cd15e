//! What waits for the application is bounded, by number and by bytes.

use shadow_core::event::Message;
use shadow_core::mqtt::QoS;
use shadow_core::{Config, Event, Outcome, Timer};

use crate::device::{Device, config, token};

fn message(payload: usize) -> Event {
    Event::Message(Message {
        topic: "topic".into(),
        payload: vec![b'x'; payload],
        qos: QoS::AtMostOnce,
        retain: false,
        duplicate: false,
    })
}

fn send(device: &mut Device, payload: usize) {
    let payload = vec![b'x'; payload];
    device.message("topic", &payload, QoS::AtMostOnce, None);
}

#[test]
fn messages_are_dropped_when_events_hold_too_many_bytes() {
    let mut config = Config::plain("tool");
    config.maximum_event_bytes = 100;
    let mut device = Device::online(config);
    send(&mut device, 45); // 50 with its topic
    send(&mut device, 45);
    send(&mut device, 0); // 5 too many
    send(&mut device, 95);
    assert_eq!(
        device.events(),
        [message(45), message(45), Event::EventsLost { count: 2 }]
    );
    // Those that were taken make room again, each as much as it held.
    send(&mut device, 45);
    send(&mut device, 45);
    assert_eq!(device.engine.poll_event(), Some(message(45)));
    send(&mut device, 45);
    send(&mut device, 1);
    assert_eq!(
        device.events(),
        [message(45), message(45), Event::EventsLost { count: 1 }]
    );
}

#[test]
fn one_event_may_be_larger_than_the_bound() {
    let mut config = Config::plain("tool");
    config.maximum_event_bytes = 100;
    let mut device = Device::online(config);
    send(&mut device, 1_000);
    send(&mut device, 0);
    assert_eq!(
        device.events(),
        [message(1_000), Event::EventsLost { count: 1 }]
    );
}

#[test]
fn by_default_a_quarter_of_a_mebibyte_waits() {
    let mut device = Device::online(Config::plain("tool"));
    // 8 bytes less than 16 KiB each, so that 16 fit and a 17th does not.
    for _ in 0..20 {
        send(&mut device, 16 * 1_024 - 8 - 5);
    }
    let events = device.events();
    assert_eq!(events.len(), 17);
    assert_eq!(events[16], Event::EventsLost { count: 4 });
}

/// Documents and tokens count; ends count too, and are never dropped.
#[test]
fn ends_are_kept_whatever_they_hold() {
    let mut config = config();
    config.maximum_event_bytes = 1_000;
    let mut device = Device::ready(config);
    let shadow = device.shadow();
    let document = format!(
        r#"{{"state":{{"reported":{{"a":"{}"}}}},"version":1}}"#,
        "x".repeat(600)
    );
    for _ in 0..3 {
        device.engine.get(device.now, shadow).unwrap();
        let get = device.published();
        device.reply(&token(&get), "get", 0, &document);
    }
    // A foreign reply and a delta are messages: there is no room for them.
    device.reply("foreign-1", "get", 0, "{}");
    device.result(r#"{"type":"delta","payload":{"state":{"a":1},"version":2}}"#);
    let events = device.events();
    let [first, second, third, lost] = &events[..] else {
        panic!("{events:?}");
    };
    for end in [first, second, third] {
        let Event::Ended {
            outcome: Outcome::Accepted(accepted),
            ..
        } = end
        else {
            panic!("{end:?}");
        };
        assert_eq!(accepted.as_json(), document);
    }
    assert_eq!(*lost, Event::EventsLost { count: 2 });
    // With all of them taken there is room again.
    device.reply("foreign-1", "get", 0, &document);
    assert!(matches!(device.event(), Event::Unmatched(_)));
}

/// The barrier that an application waits for comes once there is room for it.
#[test]
fn ready_is_told_again_if_it_was_dropped() {
    let mut narrow = config();
    narrow.maximum_events = 1;
    let mut device = Device::online(narrow);
    let subscribe = device.packet();
    device.bytes(&[0x90, 3, subscribe[2], subscribe[3], 0]);
    let get = token(&device.published());
    let document = r#"{"state":{"reported":{}},"version":1}"#;
    device.reply(&get, "get", 0, document);
    let shadow = device.shadow();
    let expected = [
        Event::ShadowSubscribed { shadow },
        Event::EventsLost { count: 1 },
    ];
    assert_eq!(device.events(), expected);
    device.tick_until(Timer::Request);
    let get = token(&device.published());
    device.reply(&get, "get", 0, document);
    assert!(matches!(device.event(), Event::Ready { .. }));
    device.silent();
}
