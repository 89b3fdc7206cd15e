//! What an engine counts: each counter where it moves, and all of them beside what was seen from
//! outside.

use core::time::Duration;

use serde_json::json;
use shadow_core::mqtt::{Packet, ProtocolVersion, QoS};
use shadow_core::{
    Config, Counters, DisconnectCause, Engine, Event, Instant, Outcome, Publication, Session,
    Timer, Transmit, TransportFailure,
};

use crate::device::{Device, Out, config, publish, token};
use crate::exchange::{lose_link, report, update};

/// What a bystander counts: packets and bytes as they go by, and events as they are told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bystander {
    seen: Counters,
}

impl Bystander {
    pub(crate) fn transmit(&mut self, transmit: &Transmit, bytes: usize) {
        match transmit {
            Transmit::Connect => self.seen.connects += 1,
            Transmit::Packet { .. } => {
                self.seen.packets_sent += 1;
                self.seen.bytes_sent += bytes as u64;
            }
            Transmit::Close => {}
        }
    }

    /// At most one packet, on a link that is there.
    pub(crate) fn bytes(&mut self, bytes: &[u8], version: ProtocolVersion) {
        self.seen.bytes_received += bytes.len() as u64;
        self.seen.packets_received += u64::from(Packet::decode(bytes, version).is_ok());
    }

    pub(crate) fn retransmission(&mut self) {
        self.seen.retransmissions += 1;
    }

    pub(crate) fn event(&mut self, event: &Event) {
        let seen = &mut self.seen;
        let counter = match event {
            Event::Connected { .. } => &mut seen.logins,
            Event::Disconnected { cause, .. } => match cause {
                DisconnectCause::Refused(_) => &mut seen.logins_refused,
                DisconnectCause::ConnectTimedOut => &mut seen.connects_timed_out,
                DisconnectCause::PingTimedOut => &mut seen.links_timed_out,
                DisconnectCause::SubscribeTimedOut => &mut seen.links_timed_out,
                DisconnectCause::PublishUnacknowledged => &mut seen.links_timed_out,
                _ => return,
            },
            Event::Ended { outcome, .. } => match outcome {
                Outcome::TimedOut => &mut seen.requests_timed_out,
                Outcome::Disconnected { .. } => &mut seen.requests_disconnected,
                _ => return,
            },
            Event::OversizedMessage { .. } => &mut seen.messages_oversized,
            Event::InvalidMessage { .. } => &mut seen.messages_invalid,
            Event::Unmatched(_) => &mut seen.messages_unmatched,
            Event::EventsLost { count } => {
                seen.events_lost += u32::try_from(*count).unwrap();
                return;
            }
            _ => return,
        };
        *counter += 1;
    }

    /// Once all is polled. What cannot be seen from outside, `repeated`, is taken from the engine; so
    /// are the packets that were queued again and did not leave, unless all left `at_once`.
    pub(crate) fn agrees(mut self, counters: Counters, at_once: bool) {
        self.seen.requests_repeated = counters.requests_repeated;
        if !at_once {
            assert!(counters.retransmissions >= self.seen.retransmissions);
            self.seen.retransmissions = counters.retransmissions;
        }
        // Events that were lost are counted for what they were, and were not seen.
        if counters.events_lost == 0 {
            assert_eq!(counters, self.seen);
        } else {
            assert_eq!(counters.events_lost, self.seen.events_lost);
        }
    }
}

/// The counters that moved while `work` was done, with their differences, in the order of their
/// declaration, but for those of packets and bytes.
fn moved(device: &mut Device, work: impl FnOnce(&mut Device)) -> Vec<(&'static str, u32)> {
    let list = |engine: &Engine| {
        let counters = engine.counters();
        [
            ("connects", counters.connects),
            ("connects_timed_out", counters.connects_timed_out),
            ("logins", counters.logins),
            ("logins_refused", counters.logins_refused),
            ("links_timed_out", counters.links_timed_out),
            ("retransmissions", counters.retransmissions),
            ("requests_repeated", counters.requests_repeated),
            ("requests_timed_out", counters.requests_timed_out),
            ("requests_disconnected", counters.requests_disconnected),
            ("messages_oversized", counters.messages_oversized),
            ("messages_invalid", counters.messages_invalid),
            ("messages_unmatched", counters.messages_unmatched),
            ("events_lost", counters.events_lost),
        ]
    };
    let before = list(&device.engine);
    work(device);
    let after = list(&device.engine);
    let moved = after.into_iter().zip(before);
    moved
        .filter(|(after, before)| after != before)
        .map(|((name, after), (_, before))| (name, after - before))
        .collect()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn packets_and_bytes_of_a_session_are_counted() {
    let mut device = Device::new(config());
    assert_eq!(device.engine.counters(), Counters::default());
    assert_eq!(device.poll(), [Out::Connect]);
    device.engine.handle_connected(device.now);
    let sent = device.packet().len();
    device.bytes(&[0x20, 2, 0, 0]);
    let sent = sent + device.packet().len(); // SUBSCRIBE
    let counters = device.engine.counters();
    assert_eq!((counters.connects, counters.logins), (1, 1));
    assert_eq!(
        (counters.packets_sent, counters.bytes_sent),
        (2, sent as u64)
    );
    assert_eq!((counters.packets_received, counters.bytes_received), (1, 4));
    // Half a packet is so many bytes and no packet.
    device.bytes(&[0xd0]);
    let counters = device.engine.counters();
    assert_eq!((counters.packets_received, counters.bytes_received), (1, 5));
    // What is queued has not left.
    device.bytes(&[0]);
    device.engine.close(device.now);
    assert_eq!(device.engine.counters().packets_sent, 2);
    assert_eq!(device.poll(), [Out::Packet(vec![0xe0, 0]), Out::Close]);
    let counters = device.engine.counters();
    assert_eq!(
        (counters.packets_sent, counters.bytes_sent),
        (3, sent as u64 + 2)
    );
    assert_eq!((counters.packets_received, counters.bytes_received), (2, 6));
}

#[test]
fn bytes_without_a_connection_and_packets_behind_its_end_do_not_count() {
    let mut device = Device::new(config());
    device.bytes(&[0xd0, 0]);
    assert_eq!(device.engine.counters(), Counters::default());
    device.connect(false);
    // PINGRESP, no packet at all, PINGRESP.
    device.bytes(&[0xd0, 0, 0, 0, 0xd0, 0]);
    device.bytes(&[0xd0, 0]);
    let counters = device.engine.counters();
    assert_eq!(
        (counters.packets_received, counters.bytes_received),
        (2, 10)
    );
}

/// The way of single bytes through the engine is another.
#[test]
fn any_cutting_of_the_same_bytes_counts_the_same() {
    let replies: Vec<u8> = [
        &publish("t", &[b'x'; 200], QoS::AtLeastOnce, Some(7))[..],
        &[0xd0, 0],
        &publish("t", b"", QoS::AtMostOnce, None),
        &publish("t", &[b'x'; 3_000], QoS::AtMostOnce, None),
        &[0x40, 2, 0, 99],
        &publish("t", &[b'x'; 20], QoS::ExactlyOnce, Some(8)),
    ]
    .concat();
    let count = |size: usize| {
        let mut config = Config::plain("tool");
        config.maximum_packet_size = 1_000;
        let mut device = Device::online(config);
        for piece in replies.chunks(size) {
            device.bytes(piece);
            device.poll();
        }
        device.events();
        device.engine.counters()
    };
    let whole = count(replies.len());
    assert_eq!(whole.bytes_received, 4 + replies.len() as u64);
    assert_eq!((whole.packets_received, whole.messages_oversized), (7, 1));
    for size in [1, 2, 3, 64, 1_000] {
        assert_eq!(count(size), whole, "pieces of {size}");
    }
}

#[test]
fn connects_and_logins_are_counted_by_how_they_go() {
    let mut device = Device::new(config());
    let refused = moved(&mut device, |device| {
        device.poll();
        let failure = TransportFailure::connect_failed("no route");
        device.engine.handle_disconnected(device.now, failure);
        device.tick_until(Timer::Reconnect);
        device.poll();
        device.engine.handle_connected(device.now);
        device.poll();
        device.bytes(&[0x20, 2, 0, 5]);
    });
    assert_eq!(refused, [("connects", 2), ("logins_refused", 1)]);
    let silent = moved(&mut device, |device| {
        device.poll();
        device.tick_until(Timer::Reconnect);
        device.poll();
        device.tick_until(Timer::Connect); // No connection.
        device.poll();
        device.tick_until(Timer::Reconnect);
        device.poll();
        device.engine.handle_connected(device.now);
        device.tick_until(Timer::Connect); // No CONNACK.
    });
    assert_eq!(silent, [("connects", 2), ("connects_timed_out", 2)]);
    let accepted = moved(&mut device, |device| {
        device.poll();
        device.events();
        device.tick_until(Timer::Reconnect);
        device.connect(false);
    });
    assert_eq!(accepted, [("connects", 1), ("logins", 1)]);
}

#[test]
fn a_link_that_times_out_is_counted_whatever_did_not_come() {
    let mut device = Device::ready(config());
    let no_pingresp = moved(&mut device, |device| {
        device.tick_until(Timer::KeepAlive);
        device.poll();
        device.tick_until(Timer::PingResponse);
    });
    assert_eq!(no_pingresp, [("links_timed_out", 1)]);
    let mut device = Device::online(config());
    let no_suback = moved(&mut device, |device| {
        device.poll();
        device.tick_until(Timer::Acknowledgement);
    });
    assert_eq!(no_suback, [("links_timed_out", 1)]);
    let mut config = Config::plain("tool");
    config.maximum_in_flight = 1;
    let mut device = Device::online(config);
    let no_puback = moved(&mut device, |device| {
        let message = Publication::new("t", b"").qos(QoS::AtLeastOnce);
        device.engine.publish(device.now, &message).unwrap();
        device.poll();
        device.tick_until(Timer::Request);
    });
    let expected = [("links_timed_out", 1), ("requests_timed_out", 1)];
    assert_eq!(no_puback, expected);
}

#[test]
fn messages_that_go_out_again_on_a_new_link_are_retransmissions() {
    for session_present in [true, false] {
        let mut config = Config::plain("tool");
        config.clean_session = false;
        let mut device = Device::online(config);
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let message = Publication::new("t", b"x").qos(qos);
            device.engine.publish(device.now, &message).unwrap();
        }
        device.poll();
        device.bytes(&[0x50, 2, 0, 3]); // PUBREC
        device.poll();
        let again = moved(&mut device, |device| {
            lose_link(device);
            device.events();
            device.tick_until(Timer::Reconnect);
            device.connect_again(session_present);
            device.poll();
        });
        // A server that kept nothing but had taken the second needs no PUBREL.
        let count = if session_present { 2 } else { 1 };
        let expected = [("connects", 1), ("logins", 1), ("retransmissions", count)];
        assert_eq!(again, expected);
    }
}

#[test]
fn what_a_lost_link_leaves_to_be_asked_again_is_repeated_and_the_rest_disconnected() {
    let mut device = Device::ready(config());
    let (now, shadow) = (device.now, device.shadow());
    let cleared = device.engine.clear_desired(now, shadow).unwrap();
    device.engine.get(now, shadow).unwrap();
    device.engine.subscribe(now, "t", QoS::AtMostOnce).unwrap();
    assert_eq!(device.poll().len(), 3);
    // This one does not leave before the link is lost, so it is sent once.
    device.engine.get(now, shadow).unwrap();
    let lost = moved(&mut device, lose_link);
    let expected = [("requests_repeated", 2), ("requests_disconnected", 1)];
    assert_eq!(lost, expected);
    let maybe_applied = true;
    let outcome = Outcome::Disconnected { maybe_applied };
    let ended = Event::Ended {
        request: cleared,
        outcome,
    };
    assert!(device.events().contains(&ended));
    let out_of_time = moved(&mut device, |device| {
        device.wait(10 * SECOND);
        device.engine.handle_tick(device.now);
    });
    assert_eq!(out_of_time, [("requests_timed_out", 3)]);
}

#[test]
fn requests_of_the_engines_own_that_brought_nothing_are_repeated() {
    let mut device = Device::online(config());
    device.subscribe_own();
    let unanswered = moved(&mut device, |device| {
        device.poll();
        device.tick_until(Timer::Request);
    });
    assert_eq!(unanswered, [("requests_repeated", 1)]);
    let rejected = moved(&mut device, |device| {
        let get = token(&device.published());
        device.reply(&get, "get", 403, "{}");
        device.tick_until(Timer::Request);
    });
    assert_eq!(rejected, [("requests_repeated", 1)]);
    let get = token(&device.published());
    let empty = r#"{"state":{"reported":{}},"version":1}"#;
    device.reply(&get, "get", 0, empty);
    report(&mut device, &json!({"a": 1}));
    let conflict = moved(&mut device, |device| {
        let (_, token) = update(device);
        let newer = r#"{"state":{"reported":{"b":2}},"version":3}"#;
        device.reply(&token, "update", 5005, newer);
        let (sent, _) = update(device);
        assert_eq!(sent["version"], 3);
    });
    assert_eq!(conflict, [("requests_repeated", 1)]);
    let unanswered = moved(&mut device, |device| device.tick_until(Timer::Request));
    assert_eq!(unanswered, [("requests_repeated", 1)]);
}

#[test]
fn messages_that_are_dropped_are_counted_by_why() {
    let mut config = config();
    config.maximum_packet_size = 400;
    let mut device = Device::ready(config);
    let dropped = moved(&mut device, |device| {
        device.message("t", &[b'x'; 500], QoS::AtMostOnce, None);
        device.result("{}");
        device.result("not JSON");
        device.reply("nobody-1", "get", 0, "{}");
        device.result(r#"{"type":"get","result":0,"payload":{}}"#);
        device.result(r#"{"type":"delta","payload":{"state":{"a":1},"version":2}}"#);
    });
    let expected = [
        ("messages_oversized", 1),
        ("messages_invalid", 2),
        ("messages_unmatched", 2),
    ];
    assert_eq!(dropped, expected);
}

#[test]
fn events_that_are_lost_are_counted_and_so_is_what_they_said() {
    let mut config = Config::plain("tool");
    config.maximum_events = 2;
    config.maximum_packet_size = 200;
    let mut device = Device::online(config);
    let lost = moved(&mut device, |device| {
        for _ in 0..3 {
            device.message("t", b"", QoS::AtMostOnce, None);
        }
        device.message("t", &[b'x'; 300], QoS::AtMostOnce, None);
    });
    assert_eq!(lost, [("messages_oversized", 1), ("events_lost", 2)]);
    assert_eq!(device.events().len(), 3);
    let told = moved(&mut device, |device| {
        device.message("t", b"", QoS::AtMostOnce, None);
        device.events();
    });
    assert_eq!(told, [], "what was told is not counted again");
}

#[test]
fn counters_survive_links_and_not_the_engine() {
    let mut device = Device::ready(config());
    let before = device.engine.counters();
    lose_link(&mut device);
    let after = device.engine.counters();
    assert_eq!(before, after);
    let session: Session = device.engine.into_session();
    let engine = Engine::new(config(), session, 2, Instant::ZERO);
    assert_eq!(engine.counters(), Counters::default());
}
