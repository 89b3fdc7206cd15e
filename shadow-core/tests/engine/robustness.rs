//! Whatever comes in: no panic, bounded memory, and the same result for any cutting.

use core::time::Duration;

use proptest::prelude::*;
use shadow_core::mqtt::{PacketId, Publish, QoS};
use shadow_core::{Engine, Event, Publication, TransportFailure};

use crate::device::{Device, RESULT_TOPIC, config};

/// A run of inbound packets as a server could send them after the login.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let id = 1_u16..5;
    let payload = prop_oneof![
        Just(br#"{"type":"delta","payload":{"state":{"a":1},"version":3}}"#.to_vec()),
        Just(br#"{"type":"get","clientToken":"x-1","result":0,"payload":{}}"#.to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    let topic = prop_oneof![Just(RESULT_TOPIC), Just("other")];
    let publish = (topic, payload, 0_u8..3, id.clone()).prop_map(|(topic, payload, qos, id)| {
        let qos = QoS::from_number(qos).unwrap();
        let packet_id = PacketId::new(id).filter(|_| qos != QoS::AtMostOnce);
        let payload = &payload;
        let mut bytes = Vec::new();
        let publish = Publish {
            dup: false,
            qos,
            retain: false,
            topic,
            packet_id,
            payload,
        };
        publish.encode(&mut bytes).unwrap();
        bytes
    });
    let acknowledgement = (
        prop_oneof![Just(0x40_u8), Just(0x50), Just(0x62), Just(0x70)],
        id,
    )
        .prop_map(|(first, id)| vec![first, 2, 0, id as u8]);
    let packet = prop_oneof![publish, acknowledgement, Just(vec![0xD0, 0])];
    proptest::collection::vec(packet, 0..20).prop_map(|packets| packets.concat())
}

fn observe(bytes: &[u8], cuts: &[usize]) -> (Vec<Event>, Vec<crate::device::Out>) {
    let mut device = Device::ready(config());
    let mut rest = bytes;
    for cut in cuts {
        let (now, later) = rest.split_at((*cut).min(rest.len()));
        device.bytes(now);
        rest = later;
    }
    device.bytes(rest);
    (device.events(), device.poll())
}

/// Found by fuzzing: who waits for a message is not stored.
#[test]
fn a_session_equals_its_stored_form_while_a_message_is_under_way() {
    let mut device = Device::ready(config());
    let message = Publication::new("t", b"x").qos(QoS::AtLeastOnce);
    device.engine.publish(device.now, &message).unwrap();
    device.packet();
    let session = device.engine.session();
    let stored = shadow_core::Session::from_bytes(&session.to_bytes());
    assert_eq!(stored.as_ref(), Ok(session));
}

/// Found by fuzzing: subscriptions that end with their link were forgotten behind the back of who
/// stores the session.
#[test]
fn forgetting_subscriptions_changes_the_revision() {
    let mut config = shadow_core::Config::plain("tool");
    config.behaviour.resubscribe = false;
    let mut device = Device::online(config);
    let subscribed = device.engine.subscribe(device.now, "t", QoS::AtMostOnce);
    subscribed.unwrap();
    device.packet();
    device.bytes(&[0x90, 3, 0, 1, 0]);
    let (revision, stored) = {
        let session = device.engine.session();
        (session.revision(), session.to_bytes())
    };
    let closed = TransportFailure::ClosedByPeer;
    device.engine.handle_disconnected(device.now, closed);
    let session = device.engine.session();
    assert_ne!(session.to_bytes(), stored);
    assert_ne!(session.revision(), revision);
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same(
        bytes in stream(),
        cuts in proptest::collection::vec(0_usize..50, 0..20),
    ) {
        let whole = observe(&bytes, &[]);
        prop_assert_eq!(&observe(&bytes, &cuts), &whole);
        prop_assert_eq!(&observe(&bytes, &vec![1; bytes.len()]), &whole);
    }

    #[test]
    fn arbitrary_bytes_never_panic(chunks in proptest::collection::vec(
        proptest::collection::vec(any::<u8>(), 0..100), 0..10)) {
        let mut device = Device::ready(config());
        for chunk in &chunks {
            device.bytes(chunk);
            device.poll();
            device.events();
        }
    }

    /// Random calls in random order: no panic, every accepted request ends exactly once, and two
    /// engines with the same inputs do the same.
    #[test]
    fn requests_end_exactly_once(
        steps in proptest::collection::vec((0_u8..14, any::<u8>()), 0..200),
        seed in any::<u64>(),
    ) {
        let run = || {
            let session = shadow_core::Session::new();
            let mut device = Device::with_session(config(), session, seed);
            let mut open = std::collections::BTreeSet::new();
            let mut log = Vec::new();
            let accept = |result: Result<_, _>, open: &mut std::collections::BTreeSet<_>| {
                if let Ok(id) = result {
                    assert!(open.insert(id), "an id was given twice");
                }
            };
            for (step, value) in &steps {
                let now = device.now;
                let shadow = device.shadow();
                let engine: &mut Engine = &mut device.engine;
                match step {
                    0 => engine.handle_connected(now),
                    1 => engine.handle_disconnected(now, TransportFailure::ClosedByPeer),
                    2 => device.bytes(&[0x20, 2, 0, 0]),
                    3 => device.bytes(&[0x90, 3, 0, *value % 8, 0]),
                    4 => device.bytes(&[0x40, 2, 0, *value % 8]),
                    5 => device.bytes(&[0xD0, 0]),
                    6 => accept(engine.get(now, shadow), &mut open),
                    7 => accept(engine.clear_desired(now, shadow), &mut open),
                    8 => {
                        let qos = QoS::from_number(*value % 3).unwrap();
                        let message = Publication::new("t", b"x").qos(qos);
                        accept(engine.publish(now, &message), &mut open);
                    }
                    9 => accept(engine.subscribe(now, "f", QoS::AtMostOnce), &mut open),
                    10 => accept(engine.unsubscribe(now, "f"), &mut open),
                    11 => {
                        device.now = now + Duration::from_millis(u64::from(*value) * 40);
                        device.engine.handle_tick(device.now);
                    }
                    12 => {
                        if let Some(id) = open.iter().next().copied() {
                            // It may have ended with the event still waiting.
                            let _ = engine.cancel(now, id);
                        }
                    }
                    _ => log.push(format!("{:?}", device.poll())),
                }
                if value % 3 == 0 {
                    for event in device.events() {
                        if let Event::Ended { request, .. } = &event {
                            assert!(open.remove(request), "{request} ended twice");
                        }
                        log.push(format!("{event:?}"));
                    }
                }
            }
            device.engine.close(device.now);
            for event in device.events() {
                if let Event::Ended { request, .. } = &event {
                    assert!(open.remove(request), "{request} ended twice");
                }
            }
            assert!(open.is_empty(), "never ended: {open:?}");
            log
        };
        prop_assert_eq!(run(), run());
    }
}
