//! Persistent sessions of MQTT over a power cut: what was under way goes on, in order.

use serde_json::{Value, json};
use shadow_core::mqtt::{Packet, Publish, QoS};
use shadow_core::tencent::Update;
use shadow_core::{Config, Event, Outcome, Publication, Session, Timer, TransportFailure};

use crate::device::{Device, Out, config};

fn kept() -> Config {
    let mut config = config();
    config.clean_session = false;
    config.shadow_qos = QoS::AtLeastOnce;
    config
}

/// A PUBLISH that came out: DUP, packet id, payload.
#[derive(Debug, PartialEq)]
struct Sent {
    dup: bool,
    id: u16,
    payload: String,
}

/// All PUBLISH packets that come out, and the packet id of the SUBSCRIBE.
fn sent(device: &mut Device) -> (Vec<Sent>, Option<u16>) {
    let (mut all, mut subscribe) = (Vec::new(), None);
    for out in device.poll() {
        let Out::Packet(bytes) = out else {
            panic!("{out:?}")
        };
        match Packet::decode(&bytes, device.version).unwrap() {
            Packet::Publish(Publish {
                dup,
                packet_id,
                payload,
                ..
            }) => all.push(Sent {
                dup,
                id: packet_id.unwrap().get(),
                payload: String::from_utf8(payload.to_vec()).unwrap(),
            }),
            Packet::Subscribe(packet) => subscribe = Some(packet.packet_id.get()),
            other => panic!("{other:?}"),
        }
    }
    (all, subscribe)
}

fn acknowledge(device: &mut Device, kind: u8, id: u16) {
    let [high, low] = id.to_be_bytes();
    match kind {
        0x90 => device.bytes(&[0x90, 3, high, low, 1]),
        kind => device.bytes(&[kind, 2, high, low]),
    }
}

fn answer(device: &mut Device, sent: &Sent, code: i64, payload: &str) {
    let request: Value = serde_json::from_str(&sent.payload).unwrap();
    let (token, kind) = (&request["clientToken"], &request["type"]);
    device.reply(
        token.as_str().unwrap(),
        kind.as_str().unwrap(),
        code,
        payload,
    );
}

/// A device whose first get was answered, with nothing left to acknowledge.
fn ready() -> Device {
    let mut device = Device::online(kept());
    let (_, subscribe) = sent(&mut device);
    acknowledge(&mut device, 0x90, subscribe.unwrap());
    let (gets, _) = sent(&mut device);
    acknowledge(&mut device, 0x40, gets[0].id);
    answer(
        &mut device,
        &gets[0],
        0,
        r#"{"state":{"reported":{}},"version":1}"#,
    );
    device.events();
    device
}

/// The device as it starts again from what was stored.
fn restarted(device: &Device, session_present: bool) -> Device {
    let session = Session::from_bytes(&device.engine.session().to_bytes()).unwrap();
    let mut device = Device::with_session(kept(), session, 1);
    device.connect(session_present);
    device
}

/// [MQTT-4.4.0-1] and [MQTT-4.6.0-1]: unacknowledged messages are sent again in their order, with
/// DUP where the server has kept the session; what is new comes behind them, the get first.
#[test]
fn what_was_under_way_is_sent_again_in_order_and_before_what_is_new() {
    for session_present in [true, false] {
        let mut device = ready();
        let shadow = device.shadow();
        let one_shot = Update::new().reported(json!({"a": 1}));
        device.engine.update(device.now, shadow, &one_shot).unwrap();
        let plain = Publication::new("t", b"plain").qos(QoS::ExactlyOnce);
        device.engine.publish(device.now, &plain).unwrap();
        device
            .engine
            .report(device.now, shadow, &json!({"a": 2}))
            .unwrap();
        let (before, _) = sent(&mut device);
        assert_eq!(before.len(), 3);
        assert!(before.iter().all(|message| !message.dup));

        let mut device = restarted(&device, session_present);
        let (again, subscribe) = sent(&mut device);
        let expected: Vec<Sent> = before
            .iter()
            .map(|Sent { id, payload, .. }| Sent {
                dup: session_present,
                id: *id,
                payload: payload.clone(),
            })
            .collect();
        assert_eq!(again, expected, "session present: {session_present}");
        acknowledge(&mut device, 0x90, subscribe.unwrap());
        let (gets, _) = sent(&mut device);
        assert_eq!(gets.len(), 1);
        assert!(gets[0].payload.contains(r#""type":"get""#) && !gets[0].dup);
        assert!(
            again.iter().all(|message| message.id != gets[0].id),
            "[MQTT-2.3.1-2]"
        );

        // The cloud took the one-shot update alone: the report has the last word.
        for message in &again {
            acknowledge(
                &mut device,
                if message.payload == "plain" {
                    0x50
                } else {
                    0x40
                },
                message.id,
            );
        }
        device.poll();
        answer(
            &mut device,
            &gets[0],
            0,
            r#"{"state":{"reported":{"a":1}},"version":2}"#,
        );
        let (updates, _) = sent(&mut device);
        let update: Value = serde_json::from_str(&updates[0].payload).unwrap();
        assert_eq!(update["state"], json!({"reported": {"a": 2}}));
        assert_eq!(update["version"], 2);
        answer(&mut device, &updates[0], 0, r#"{"state":{},"version":3}"#);
        assert!(device.engine.is_synchronized(shadow));
        let ends = device.events().into_iter();
        let ends = ends.filter(|event| matches!(event, Event::Ended { .. }));
        assert_eq!(ends.count(), 0, "they were requests of the run before");
    }
}

/// Between PUBREC and PUBCOMP only PUBREL is sent again, and only where the server knows of it.
#[test]
fn a_message_that_the_server_has_taken_over_is_not_published_again() {
    for session_present in [true, false] {
        let mut device = ready();
        let plain = Publication::new("t", b"plain").qos(QoS::ExactlyOnce);
        device.engine.publish(device.now, &plain).unwrap();
        let (before, _) = sent(&mut device);
        acknowledge(&mut device, 0x50, before[0].id);
        assert_eq!(device.packet()[0], 0x62, "PUBREL");
        let mut device = restarted(&device, session_present);
        let kinds: Vec<u8> = device
            .poll()
            .into_iter()
            .map(|out| match out {
                Out::Packet(bytes) => bytes[0],
                other => panic!("{other:?}"),
            })
            .collect();
        let expected: &[u8] = if session_present {
            &[0x62, 0x82]
        } else {
            &[0x82]
        };
        assert_eq!(kinds, expected);
    }
}

/// QoS 2 inbound: what was delivered before the power cut is not delivered again.
#[test]
fn an_inbound_message_is_delivered_once_over_a_power_cut() {
    let mut device = ready();
    device.message("t", b"once", QoS::ExactlyOnce, Some(9));
    assert!(matches!(device.event(), Event::Message(_)));
    device.poll();
    let mut device = restarted(&device, true);
    device.poll();
    device.message("t", b"once", QoS::ExactlyOnce, Some(9));
    assert_eq!(device.events(), []);
    assert_eq!(device.packet(), [0x50, 2, 0, 9], "PUBREC all the same");
    // Released, the id may stand for another message.
    device.bytes(&[0x62, 2, 0, 9]);
    assert_eq!(device.packet(), [0x70, 2, 0, 9]);
    device.message("t", b"twice", QoS::ExactlyOnce, Some(9));
    assert!(matches!(device.event(), Event::Message(_)));
}

/// On a lost link the one-shot update ends, for nobody knows whether it was applied; the report
/// waits for the next.
#[test]
fn a_lost_link_ends_the_one_shot_update_and_not_the_report() {
    for session_present in [true, false] {
        let mut device = ready();
        let shadow = device.shadow();
        let desired = Update::new().desired(json!({"x": 1}));
        let one_shot = device.engine.update(device.now, shadow, &desired).unwrap();
        let report = device
            .engine
            .report(device.now, shadow, &json!({"a": 2}))
            .unwrap();
        let (before, _) = sent(&mut device);
        device
            .engine
            .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
        let ends: Vec<Event> = device.events().into_iter().skip(1).collect();
        let outcome = Outcome::Disconnected {
            maybe_applied: true,
        };
        assert_eq!(
            ends,
            [Event::Ended {
                request: one_shot,
                outcome
            }]
        );
        device.tick_until(Timer::Reconnect);
        device.connect(session_present);
        let (again, subscribe) = sent(&mut device);
        if session_present {
            // Their ids are in use at the server until it has acknowledged them.
            let ids = |all: &[Sent]| all.iter().map(|message| message.id).collect::<Vec<u16>>();
            assert_eq!(ids(&again), ids(&before));
            assert!(again.iter().all(|message| message.dup), "[MQTT-3.3.1-1]");
        } else {
            assert_eq!(again, [], "what has ended is nothing new");
        }
        acknowledge(&mut device, 0x90, subscribe.unwrap());
        let (gets, _) = sent(&mut device);
        answer(
            &mut device,
            &gets[0],
            0,
            r#"{"state":{"reported":{"a":2}},"version":3}"#,
        );
        let version = Some(3);
        let reported = Event::Ended {
            request: report,
            outcome: Outcome::Reported { version },
        };
        assert!(device.events().contains(&reported));
    }
}

/// A get that the transport never took is sent once on the next link, and as a new message.
#[test]
fn a_get_that_had_not_left_is_sent_once() {
    for session_present in [true, false] {
        let mut device = ready();
        let shadow = device.shadow();
        let get = device.engine.get(device.now, shadow).unwrap();
        device
            .engine
            .handle_disconnected(device.now, TransportFailure::ClosedByPeer);
        device.tick_until(Timer::Reconnect);
        device.events();
        device.connect(session_present);
        let (resumed, subscribe) = sent(&mut device);
        assert_eq!(resumed, []);
        acknowledge(&mut device, 0x90, subscribe.unwrap());
        let (gets, _) = sent(&mut device);
        assert_eq!(gets.len(), 2, "the engine's own and the application's");
        assert!(gets.iter().all(|message| !message.dup), "[MQTT-3.3.1-1]");
        device.events();
        answer(&mut device, &gets[1], 0, r#"{"state":{},"version":1}"#);
        assert!(matches!(
            device.outcome(get),
            Outcome::Accepted(document) if document.version() == Some(1)
        ));
    }
}

/// How far the run before had counted its tokens is not stored each time.
#[test]
fn a_run_gives_out_no_token_of_the_run_before() {
    let first_get = |device: &mut Device| {
        device.connect(false);
        let (_, subscribe) = sent(device);
        acknowledge(device, 0x90, subscribe.unwrap());
        let (gets, _) = sent(device);
        crate::device::token(&gets[0].payload)
    };
    let mut device = Device::new(kept());
    let stored = device.engine.session().to_bytes();
    let before = first_get(&mut device);
    let session = Session::from_bytes(&stored).unwrap();
    let mut device = Device::with_session(kept(), session, 1);
    assert_ne!(first_get(&mut device), before);
}
