//! What a peer can make grow, and how far: a test for each line of the table in `SECURITY.md` that
//! has none elsewhere.

use std::collections::BTreeMap;

use allocation_counter::measure;
use shadow_core::event::{DeltaOrigin, UnmatchedReason};
use shadow_core::mqtt::QoS;
use shadow_core::tencent::ParseError;
use shadow_core::typed::{Field, MAXIMUM_SINGLE_ERRORS};
use shadow_core::{Config, Delta, DisconnectCause, Event, Timer};

use crate::device::{Device, RESULT_TOPIC, config, publish};

/// Why the link ended, if it did.
fn ended(device: &mut Device) -> Option<DisconnectCause> {
    device.events().into_iter().find_map(|event| match event {
        Event::Disconnected { cause, .. } => Some(cause),
        _ => None,
    })
}

/// The most bytes that were taken at a time, beyond those before, while `work` ran.
fn most_taken(work: impl FnOnce()) -> usize {
    usize::try_from(measure(work).bytes_max).unwrap()
}

#[test]
fn a_packet_takes_memory_as_it_comes_and_not_as_it_is_announced() {
    let mut device = Device::online(Config::plain("tool"));
    // PUBLISH of 32 KiB all told, of which 1,000 bytes come.
    let taken = most_taken(|| {
        device.bytes(&[0x30, 0xfc, 0xff, 0x01, 0, 1, b't']);
        for _ in 0..1_000 {
            device.bytes(b"x");
        }
    });
    assert!(taken <= 4 * 1_024, "{taken} bytes");
}

#[test]
fn a_message_above_the_maximum_takes_no_memory_however_large() {
    let mut device = Device::online(Config::plain("tool"));
    let piece = [b'x'; 4_096];
    let taken = most_taken(|| {
        // As large as a packet can be: 256 MB.
        device.bytes(&[0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, b't']);
        for _ in 0..1_000 {
            device.bytes(&piece);
        }
    });
    assert!(taken <= 1_024, "{taken} bytes");
    assert_eq!(ended(&mut device), None, "it goes by");
}

#[test]
fn a_packet_above_the_maximum_that_is_no_message_ends_the_link() {
    let mut device = Device::online(Config::plain("tool"));
    device.bytes(&[0x90, 0xff, 0xff, 0x08]);
    let cause = ended(&mut device);
    let malformed = matches!(&cause, Some(DisconnectCause::Malformed(error))
        if error.to_string().contains("131072"));
    assert!(malformed, "{cause:?}");
}

#[test]
fn a_message_that_nests_too_deep_is_told_and_costs_no_stack() {
    let mut device = Device::ready(config());
    let levels = 15_000;
    let deep = "[".repeat(levels) + &"]".repeat(levels);
    device.result(&format!(
        r#"{{"type":"delta","payload":{{"state":{deep}}}}}"#
    ));
    let event = device.event();
    let too_deep = matches!(
        &event,
        Event::InvalidMessage {
            error: ParseError::TooDeep,
            ..
        }
    );
    assert!(too_deep, "{event:?}");
    // The link is up, and the next message is read.
    device.result(r#"{"type":"delta","payload":{"state":{"on":true},"version":2}}"#);
    assert!(matches!(device.event(), Event::Delta(_)));
}

#[test]
fn what_is_kept_of_a_foreign_token_or_type_is_short() {
    let mut device = Device::ready(config());
    let long = "x".repeat(10_000);
    device.reply(&long, "get", 0, "{}");
    let Event::Unmatched(unmatched) = device.event() else {
        panic!("the token is nobody's");
    };
    assert_eq!(unmatched.reason, UnmatchedReason::Foreign);
    assert_eq!(unmatched.token.unwrap().len(), 128);
    device.result(&format!(r#"{{"type":"{long}"}}"#));
    let Event::InvalidMessage { error, .. } = device.event() else {
        panic!("there is no such type");
    };
    let ParseError::UnknownType { found } = error else {
        panic!("{error:?}");
    };
    assert_eq!(found.len(), 64);
}

#[test]
fn events_that_nobody_takes_are_bounded_in_number_and_in_bytes() {
    let mut device = Device::online(Config::plain("tool"));
    let (events, bytes) = {
        let config = device.engine.config();
        (config.maximum_events, config.maximum_event_bytes)
    };
    let small = publish("t", b"", QoS::AtMostOnce, None);
    let large = publish("t", &[b'x'; 30_000], QoS::AtMostOnce, None);
    for packet in [small, large] {
        let taken = most_taken(|| {
            for _ in 0..2_000 {
                device.bytes(&packet);
            }
        });
        // The queue doubles as it grows.
        let queue = 2 * (events + 1) * size_of::<Event>();
        assert!(taken <= bytes + queue + 64 * 1_024, "{taken} bytes");
        let told = device.events();
        assert!(told.len() <= events + 1, "{} events", told.len());
        let Some(Event::EventsLost { count }) = told.last() else {
            panic!("{:?}", told.last());
        };
        assert_eq!(
            told.len() as u64 - 1 + count,
            2_000,
            "none is lost silently"
        );
    }
}

#[test]
fn acknowledgements_of_nothing_are_events_like_others() {
    let mut device = Device::online(Config::plain("tool"));
    let flood = [0x40, 2, 0, 9].repeat(10_000);
    device.bytes(&flood);
    let events = device.events();
    assert_eq!(events.len(), device.engine.config().maximum_events + 1);
    assert_eq!(
        events.last(),
        Some(&Event::EventsLost {
            count: 10_000 - 256
        })
    );
}

#[test]
fn qos_2_messages_that_are_never_released_are_bounded() {
    let mut device = Device::online(Config::plain("tool"));
    for id in 1..=256 {
        device.message("t", b"", QoS::ExactlyOnce, Some(id));
        device.packet();
        device.events();
    }
    // One of them once more is no new one.
    device.message("t", b"", QoS::ExactlyOnce, Some(256));
    device.packet();
    assert_eq!(ended(&mut device), None);
    device.message("t", b"", QoS::ExactlyOnce, Some(257));
    let cause = ended(&mut device);
    let refused = matches!(cause, Some(DisconnectCause::Violation(clause))
        if clause.contains("too many QoS 2 messages without PUBREL"));
    assert!(refused, "{cause:?}");
}

/// A get is one request, however often the server refuses it, and however many deltas it pushes.
#[test]
fn a_server_cannot_make_the_device_ask_more_than_once_a_second() {
    let mut device = Device::online(config());
    device.subscribe_own();
    let mut gets = 0;
    for _ in 0..100 {
        for out in device.poll() {
            let crate::device::Out::Packet(bytes) = out else {
                continue;
            };
            gets += 1;
            let start = bytes.iter().position(|byte| *byte == b'{').unwrap();
            let get = core::str::from_utf8(&bytes[start..]).unwrap();
            device.reply(&crate::device::token(get), "get", 42, "{}");
        }
        let delta = r#"{"type":"delta","payload":{"state":{"on":true}}}"#;
        device.bytes(&publish(
            RESULT_TOPIC,
            delta.as_bytes(),
            QoS::AtMostOnce,
            None,
        ));
        device.events();
    }
    assert_eq!(gets, 1, "no time has passed");
    device.tick_until(Timer::Request);
    assert_eq!(device.poll().len(), 1);
}

/// Each push names keys that no other has, and nothing is answered.
#[test]
fn unanswered_changes_of_desired_are_bounded() {
    let mut device = Device::ready(config());
    let largest = device.engine.config().maximum_packet_size;
    let value = "x".repeat(10_000);
    for version in 2..100 {
        device.result(&format!(
            r#"{{"type":"delta","payload":{{"state":{{"k{version}":"{value}"}},"version":{version}}}}}"#
        ));
        device.events();
        device.poll();
    }
    let kept = device.engine.session().to_bytes().len();
    assert!(kept <= largest + 1_024, "{kept} bytes");
}

#[test]
fn reading_a_delta_as_a_type_takes_a_few_times_its_size_however_much_is_wrong() {
    #[derive(Default, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Lamp {
        color: Field<String>,
        zones: Field<BTreeMap<String, Zone>>,
    }
    #[derive(Default, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Zone {
        hue: Field<u16>,
    }
    let unknown = |count: usize, value: &str| {
        let members = (0..count).map(|key| format!(r#""unknown{key:04}":{value}"#));
        members.collect::<Vec<_>>().join(",")
    };
    let (few, many) = (unknown(200, "1"), unknown(5_000, "1"));
    let long = "long".repeat(5_000);
    let states = [
        format!(r#"{{"color":"blue",{few}}}"#),
        format!(r#"{{"color":"blue",{many}}}"#),
        format!(r#"{{"color":"blue","zones":{{"a":{{{many}}},"{long}":{{{many}}}}}}}"#),
        format!(
            r#"{{"color":"blue","zones":{{{}}}}}"#,
            unknown(5_000, r#"{"hue":"x"}"#)
        ),
        format!(
            r#"{{"color":"blue",{}}}"#,
            unknown(40, &format!(r#""{long}""#))
        ),
    ];
    let device = Device::online(config());
    let shadow = device.engine.own_shadow().unwrap();
    for state in states {
        let delta = Delta {
            shadow,
            origin: DeltaOrigin::Pushed,
            version: Some(2),
            state: state.parse().unwrap(),
            redelivered: false,
        };
        let size = state.len();
        let taken = most_taken(|| {
            let typed = delta.typed::<Lamp>().unwrap();
            assert_eq!(typed.state.color, Field::Value("blue".into()));
            assert!(typed.errors.len() <= MAXIMUM_SINGLE_ERRORS + 1);
            assert!(typed.rejected().is_some());
            assert!(typed.state.zones.value().is_none());
        });
        assert!(taken <= 8 * size + 8 * 1_024, "{taken} bytes for {size}");
    }
}
