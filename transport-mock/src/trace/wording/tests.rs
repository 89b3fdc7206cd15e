use std::collections::BTreeSet;

use serde_json::json;
use shadow_core::json::Json;
use shadow_core::mqtt::{ConnectReturnCode, PacketId, PacketKind, ProtocolVersion, QoS};
use shadow_core::tencent::{Operation, ParseError, reply};
use shadow_core::{Config, DisconnectCause, Engine, Instant, RequestId, Session, ShadowId};

use super::*;
use crate::cloud::{Cloud, test_device};
use crate::server::{ConnectionId, Departure, Message as ServerMessage, Refusal};
use crate::simulation::TEST_WALL_TIME;

fn ids() -> (ShadowId, RequestId) {
    let config = Config::new(&test_device(0));
    let mut engine = Engine::new(config, Session::new(), 1, Instant::ZERO);
    let shadow = engine.own_shadow().unwrap();
    let request = engine.report(Instant::ZERO, shadow, &json!({})).unwrap();
    (shadow, request)
}

fn document() -> Document {
    let reply = br#"{"type":"get","result":0,"payload":{"version":7}}"#;
    match reply::parse(reply).unwrap() {
        reply::Message::Reply { body, .. } => body.to_document(),
        other => panic!("{other:?}"),
    }
}

fn events() -> Vec<(Event, &'static str)> {
    let (shadow, request) = ids();
    let document = document();
    let delta = Delta {
        shadow,
        origin: DeltaOrigin::Pushed,
        version: Some(3),
        state: Json::new(r#"{"hue":1}"#).unwrap(),
        redelivered: false,
    };
    let message = Message {
        topic: "a/b".to_owned(),
        payload: b"one\ntwo".to_vec(),
        qos: QoS::AtLeastOnce,
        retain: false,
        duplicate: false,
    };
    let unmatched = Unmatched {
        shadow,
        reason: UnmatchedReason::Late,
        token: Some("x-1".to_owned()),
        operation: Operation::Update,
        code: 0,
        document: document.clone(),
    };
    vec![
        (
            Event::Connected {
                session_present: false,
            },
            "connected",
        ),
        (
            Event::Connected {
                session_present: true,
            },
            "connected, session present",
        ),
        (
            Event::Disconnected {
                cause: DisconnectCause::PingTimedOut,
                retry_in: Duration::from_millis(5_250),
            },
            "disconnected, again in 5.250000 s: no answer to PINGREQ in time",
        ),
        (Event::Closed, "closed"),
        (Event::WallTimeNeeded, "wall time needed"),
        (Event::ShadowSubscribed { shadow }, "subscribed, shadow 0"),
        (
            Event::ShadowRefused { shadow },
            "subscription refused, shadow 0",
        ),
        (
            Event::Ready {
                shadow,
                document: document.clone(),
            },
            r#"ready, shadow 0: {"version":7}"#,
        ),
        (
            Event::GetRejected {
                shadow,
                code: 404,
                document,
            },
            r#"get rejected, shadow 0, code 404: {"version":7}"#,
        ),
        (
            Event::Delta(delta.clone()),
            r#"delta pushed, shadow 0, version 3: {"hue":1}"#,
        ),
        (
            Event::Delta(Delta {
                origin: DeltaOrigin::Fetched,
                version: None,
                redelivered: true,
                ..delta
            }),
            r#"delta fetched, shadow 0, redelivered: {"hue":1}"#,
        ),
        (
            Event::Ended {
                request,
                outcome: Outcome::TimedOut,
            },
            "ended, request 0, timed out",
        ),
        (
            Event::Message(message.clone()),
            r"message, QoS 1, a/b: one\ntwo",
        ),
        (
            Event::Message(Message {
                retain: true,
                duplicate: true,
                ..message
            }),
            r"message, QoS 1, duplicate, retained, a/b: one\ntwo",
        ),
        (
            Event::Unmatched(unmatched.clone()),
            r#"unmatched update reply, shadow 0, late, token "x-1", code 0: {"version":7}"#,
        ),
        (
            Event::Unmatched(Unmatched {
                reason: UnmatchedReason::Tokenless,
                token: None,
                operation: Operation::Get,
                code: -5,
                ..unmatched
            }),
            r#"unmatched get reply, shadow 0, tokenless, code -5: {"version":7}"#,
        ),
        (
            Event::InvalidMessage {
                shadow,
                error: ParseError::NotAnObject,
                size: 12,
            },
            "invalid message, shadow 0, 12 bytes: payload is not a JSON object",
        ),
        (
            Event::OversizedMessage {
                topic: "a/b".to_owned(),
                qos: QoS::AtMostOnce,
                size: 70_000,
            },
            "oversized message, QoS 0, 70000 bytes, a/b",
        ),
        (
            Event::SubscriptionLost {
                filter: "a/#".to_owned(),
            },
            "subscription lost, a/#",
        ),
        (
            Event::UnexpectedAcknowledgement {
                kind: PacketKind::PubAck,
                packet_id: PacketId::new(9).unwrap(),
            },
            "unexpected PUBACK, id 9",
        ),
        (Event::EventsLost { count: 3 }, "events lost, 3"),
    ]
}

fn outcomes() -> Vec<(Outcome, &'static str)> {
    vec![
        (Outcome::Accepted(document()), r#"accepted: {"version":7}"#),
        (
            Outcome::Rejected {
                code: 5_005,
                document: document(),
            },
            r#"rejected, code 5005: {"version":7}"#,
        ),
        (
            Outcome::Reported { version: Some(4) },
            "reported, version 4",
        ),
        (Outcome::Reported { version: None }, "reported"),
        (
            Outcome::DeltaRejected {
                reason: "too hot".to_owned(),
            },
            "delta rejected: too hot",
        ),
        (Outcome::Published, "published"),
        (
            Outcome::Subscribed {
                granted: QoS::AtLeastOnce,
            },
            "subscribed, granted QoS 1",
        ),
        (Outcome::Unsubscribed, "unsubscribed"),
        (Outcome::SubscriptionRefused, "subscription refused"),
        (Outcome::TimedOut, "timed out"),
        (
            Outcome::Disconnected {
                maybe_applied: true,
            },
            "disconnected, maybe applied",
        ),
        (
            Outcome::Disconnected {
                maybe_applied: false,
            },
            "disconnected",
        ),
        (Outcome::Cancelled, "cancelled"),
    ]
}

#[test]
fn events_are_worded() {
    for (event, words) in events() {
        assert_eq!(describe_event(&event), words);
    }
    for (outcome, words) in outcomes() {
        assert_eq!(describe_outcome(&outcome), words);
    }
}

/// The compiler cannot tell, as there may be more of them in a later version of `shadow-core`.
#[test]
fn no_event_of_today_is_left_out() {
    let source = include_str!("../../../../shadow-core/src/event.rs");
    let name = |debug: String| {
        let name = debug.split(|c: char| !c.is_alphanumeric()).next();
        name.unwrap_or_default().to_owned()
    };
    let events: BTreeSet<_> = events()
        .iter()
        .map(|(e, _)| name(format!("{e:?}")))
        .collect();
    let outcomes = outcomes();
    let outcomes: BTreeSet<_> = outcomes
        .iter()
        .map(|(o, _)| name(format!("{o:?}")))
        .collect();
    assert_eq!(events, variants(source, "pub enum Event {"));
    assert_eq!(outcomes, variants(source, "pub enum Outcome {"));
}

/// The names of an enum's variants, each of which begins a line that is indented once.
fn variants(source: &str, begin: &str) -> BTreeSet<String> {
    let (_, rest) = source.split_once(begin).unwrap();
    let (body, _) = rest.split_once("\n}").unwrap();
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    lines
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|line| {
            let end = line.find(|c: char| !c.is_alphanumeric());
            line[..end.unwrap()].to_owned()
        })
        .collect()
}

fn connection() -> ConnectionId {
    Cloud::with_test_devices(Instant::ZERO, TEST_WALL_TIME).accept(Instant::ZERO)
}

#[test]
fn server_events_are_worded() {
    let connection = connection();
    let client_id = "c 1".to_owned();
    let topic = "a/b".to_owned();
    let login = |on| ServerEvent::Connected {
        connection,
        client_id: "c 1".to_owned(),
        version: ProtocolVersion::V31,
        clean_session: on,
        session_present: on,
        will_ignored: on,
    };
    let refused = |client_id| ServerEvent::Refused {
        connection,
        client_id,
        refusal: Refusal::Ordered(ConnectReturnCode::ServerUnavailable),
    };
    let subscribed = |granted| ServerEvent::Subscribed {
        client_id: "c 1".to_owned(),
        filter: "a/#".to_owned(),
        granted,
    };
    let cases = [
        (
            login(false),
            "connected, client c 1, connection 0, MQTT 3.1",
        ),
        (
            login(true),
            "connected, client c 1, connection 0, MQTT 3.1, clean session, session present, will ignored",
        ),
        (
            refused(None),
            "refused, connection 0: the server was told to: server unavailable",
        ),
        (
            refused(Some(client_id.clone())),
            "refused, client c 1, connection 0: the server was told to: server unavailable",
        ),
        (
            subscribed(Some(QoS::AtLeastOnce)),
            "subscribed, client c 1, a/#, granted QoS 1",
        ),
        (subscribed(None), "subscribed, client c 1, a/#, refused"),
        (
            ServerEvent::Unsubscribed {
                client_id: client_id.clone(),
                filter: topic.clone(),
            },
            "unsubscribed, client c 1, a/b",
        ),
        (
            ServerEvent::Published {
                client_id: client_id.clone(),
                message: ServerMessage {
                    topic: topic.clone(),
                    payload: b"{}\n".to_vec(),
                    qos: QoS::AtMostOnce,
                },
            },
            r"published, client c 1, QoS 0, a/b: {}\n",
        ),
        (
            ServerEvent::PublishForbidden {
                client_id: client_id.clone(),
                topic: topic.clone(),
            },
            "publish forbidden, client c 1, a/b",
        ),
        (
            ServerEvent::Dropped {
                client_id: client_id.clone(),
                topic,
                qos: QoS::AtMostOnce,
            },
            "dropped, client c 1, QoS 0, a/b",
        ),
        (
            ServerEvent::Disconnected {
                connection,
                client_id,
                departure: Departure::Disconnect,
            },
            "disconnected, client c 1, connection 0: sent DISCONNECT",
        ),
        (ServerEvent::EventsLost { count: 3 }, "events lost, 3"),
    ];
    for (event, words) in cases {
        assert_eq!(event.to_string(), words);
    }
}

#[test]
fn faults_are_worded() {
    let wire = |direction, what| Fault::Wire {
        device: 1,
        direction,
        after: 9,
        what,
    };
    let replies = |what| Fault::Replies {
        device: 1,
        what,
        count: 2,
    };
    let restart = |sessions, documents| Fault::RestartServer {
        sessions,
        documents,
        down: 5,
    };
    let power = |restore| Fault::PowerCut {
        device: 1,
        after: 3,
        dark: 20,
        restore,
    };
    let second = |clean_session| Fault::SecondClient {
        device: 1,
        clean_session,
    };
    let (device, millis) = (1, 500);
    let (to_cloud, to_device) = (Direction::ToCloud, Direction::ToDevice);
    let stall = WireFault::Stall { millis };
    let cases = [
        (
            wire(to_cloud, WireFault::Cut),
            "cut, device 1, to cloud, after 9 bytes",
        ),
        (
            wire(to_device, WireFault::HalfClose),
            "half-close, device 1, to device, after 9 bytes",
        ),
        (
            wire(to_cloud, stall),
            "stall for 500 ms, device 1, to cloud, after 9 bytes",
        ),
        (
            wire(to_cloud, WireFault::Silence),
            "silence, device 1, to cloud, after 9 bytes",
        ),
        (
            wire(to_cloud, WireFault::Split),
            "split, device 1, to cloud, after 9 bytes",
        ),
        (
            Fault::Segments {
                device,
                direction: to_device,
                size: 7,
                millis,
            },
            "segments, device 1, to device, at most 7 bytes, for 500 ms",
        ),
        (
            Fault::Merge {
                device,
                direction: to_cloud,
                hold: 20,
                millis,
            },
            "merge, device 1, to cloud, held 20 ms, for 500 ms",
        ),
        (
            Fault::RefuseConnections { device, millis },
            "connections refused, device 1, for 500 ms",
        ),
        (
            Fault::Unreachable { device, millis },
            "unreachable, device 1, for 500 ms",
        ),
        (
            Fault::RefuseLogins {
                device,
                code: 5,
                count: 2,
            },
            "logins refused, device 1, code 5, next 2",
        ),
        (
            Fault::SlowServer { late: 20, millis },
            "slow server, 20 ms late, for 500 ms",
        ),
        (replies(ReplyFault::Lost), "replies lost, device 1, next 2"),
        (
            replies(ReplyFault::Late { millis }),
            "replies 500 ms late, device 1, next 2",
        ),
        (
            replies(ReplyFault::Twice),
            "replies twice, device 1, next 2",
        ),
        (
            replies(ReplyFault::AfterPush),
            "replies after a push, device 1, next 2",
        ),
        (
            restart(true, Documents::Kept),
            "restart, sessions kept, documents kept, down 5 ms",
        ),
        (
            restart(false, Documents::Older),
            "restart, sessions lost, documents older, down 5 ms",
        ),
        (
            restart(false, Documents::Lost),
            "restart, sessions lost, documents lost, down 5 ms",
        ),
        (
            power(Restore::Latest),
            "power cut, device 1, after 3 steps, dark 20 ms, session latest",
        ),
        (
            power(Restore::Older { back: 4 }),
            "power cut, device 1, after 3 steps, dark 20 ms, session older by 4",
        ),
        (
            power(Restore::Nothing),
            "power cut, device 1, after 3 steps, dark 20 ms, session none",
        ),
        (
            Fault::WrongClock {
                device,
                seconds: -60,
            },
            "wrong clock, device 1, -60 s ahead",
        ),
        (second(false), "second client, device 1"),
        (second(true), "second client, device 1, clean session"),
        (Fault::Deaf { device, millis }, "deaf, device 1, for 500 ms"),
    ];
    for (fault, words) in cases {
        assert_eq!(fault.to_string(), words);
        let cloud = matches!(
            fault,
            Fault::SlowServer { .. } | Fault::RestartServer { .. }
        );
        assert_eq!(fault.device(), (!cloud).then_some(1), "{fault}");
    }
}
