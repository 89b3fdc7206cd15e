//! What a device has with whatever features: its own shadow, at QoS 0. The server's side is played by
//! hand, so that these tests run with no feature at all, as on the smallest device.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

use core::time::Duration;

use serde_json::{Value, json};
use shadow_core::event::DeltaOrigin;
use shadow_core::json::Json;
use shadow_core::mqtt::{Packet, PacketKind, ProtocolVersion, Publish, QoS};
use shadow_core::tencent::DeviceInfo;
use shadow_core::{
    Config, Delta, DisconnectCause, Engine, Event, Instant, Outcome, RequestId, Session, ShadowId,
    Timer, Transmit, TransportFailure, WallTime,
};

const RESULT_TOPIC: &str = "$shadow/operation/result/PRODUCT001/lamp";
const OPERATION_TOPIC: &str = "$shadow/operation/PRODUCT001/lamp";

struct Device {
    engine: Engine,
    now: Instant,
}

impl Device {
    fn new(session: Session) -> Device {
        let info = DeviceInfo::with_key("PRODUCT001", "lamp", "c2VjcmV0").unwrap();
        let now = Instant::from_secs(1_000);
        let mut engine = Engine::new(Config::new(&info), session, 1, now);
        engine.handle_wall_time(now, WallTime::from_unix_millis(1_700_000_000_000));
        Device { engine, now }
    }

    /// Logged in, subscribed, and told by the first get that the document is at version 1.
    fn ready() -> Device {
        let mut device = Device::new(Session::new());
        let get = device.connect();
        device.reply(
            &get,
            "get",
            &json!({"state": {"reported": {}}, "version": 1}),
        );
        assert!(matches!(device.event(), Event::Ready { .. }));
        device
    }

    /// Opens a link, up to the engine's own get; its token.
    fn connect(&mut self) -> String {
        assert_eq!(self.poll(), Some((Transmit::Connect, Vec::new())));
        self.engine.handle_connected(self.now);
        let connect = self.packet(PacketKind::Connect);
        // Behind two bytes of length the protocol name and level [MQTT-3.1.2-1].
        assert_eq!(connect[3..10], *b"\x00\x04MQTT\x04");
        assert!(connect.windows(14).any(|part| part == b"PRODUCT001lamp"));
        assert!(connect.ends_with(b";hmacsha256"));
        self.bytes(&[0x20, 2, 0, 0]);
        let session_present = false;
        assert_eq!(self.event(), Event::Connected { session_present });

        let subscribe = self.packet(PacketKind::Subscribe);
        // Behind the packet id the length of the filter, the filter, and QoS 0.
        let (filter, qos) = subscribe[6..].split_at(RESULT_TOPIC.len());
        assert_eq!((filter, qos), (RESULT_TOPIC.as_bytes(), &[0][..]));
        self.bytes(&[0x90, 3, subscribe[2], subscribe[3], 0]);
        let shadow = self.shadow();
        assert_eq!(self.event(), Event::ShadowSubscribed { shadow });
        let (get, token) = self.request();
        assert_eq!(get, json!({"type": "get"}));
        token
    }

    fn shadow(&self) -> ShadowId {
        self.engine.own_shadow().unwrap()
    }

    fn poll(&mut self) -> Option<(Transmit, Vec<u8>)> {
        let mut bytes = Vec::new();
        let transmit = self.engine.poll_transmit(self.now, &mut bytes)?;
        Some((transmit, bytes))
    }

    /// The one packet that comes out.
    fn packet(&mut self, expected: PacketKind) -> Vec<u8> {
        let (transmit, bytes) = self.poll().unwrap();
        let Transmit::Packet { kind, len, .. } = transmit else {
            panic!("{transmit:?}")
        };
        assert_eq!((kind, len), (expected, bytes.len()));
        assert_eq!(self.poll(), None);
        bytes
    }

    /// The one request that comes out, without its token, and its token.
    fn request(&mut self) -> (Value, String) {
        let bytes = self.packet(PacketKind::Publish);
        let Ok(Packet::Publish(publish)) = Packet::decode(&bytes, ProtocolVersion::V311) else {
            panic!("{bytes:?}")
        };
        assert_eq!(
            (publish.topic, publish.qos),
            (OPERATION_TOPIC, QoS::AtMostOnce)
        );
        let mut request: Value = serde_json::from_slice(publish.payload).unwrap();
        let token = request.as_object_mut().unwrap().remove("clientToken");
        (request, token.unwrap().as_str().unwrap().to_owned())
    }

    /// The one event that comes out.
    fn event(&mut self) -> Event {
        let event = self.engine.poll_event().unwrap();
        assert_eq!(self.engine.poll_event(), None);
        event
    }

    fn ends(&mut self, request: RequestId, outcome: Outcome) {
        assert_eq!(self.event(), Event::Ended { request, outcome });
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.engine.handle_bytes(self.now, bytes);
    }

    /// A message on the result topic.
    fn message(&mut self, payload: &[u8]) {
        let mut bytes = Vec::new();
        let publish = Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic: RESULT_TOPIC,
            packet_id: None,
            payload,
        };
        publish.encode(&mut bytes).unwrap();
        self.bytes(&bytes);
    }

    fn result(&mut self, message: &Value) {
        self.message(message.to_string().as_bytes());
    }

    fn reply(&mut self, token: &str, operation: &str, payload: &Value) {
        self.result(&json!({
            "type": operation, "clientToken": token, "result": 0, "payload": payload,
        }));
    }

    fn accept_update(&mut self, token: &str, version: u64) {
        self.reply(
            token,
            "update",
            &json!({"state": {"reported": {}}, "version": version}),
        );
    }

    fn push(&mut self, version: u64, state: &Value) -> Delta {
        self.result(&json!({"type": "delta", "payload": {"state": state, "version": version}}));
        match self.event() {
            Event::Delta(delta) => delta,
            other => panic!("{other:?}"),
        }
    }

    /// Ticks at the next deadline, which must be that timer, `after` from now.
    fn tick(&mut self, timer: Timer, after: Duration) {
        let deadline = self.engine.poll_deadline().unwrap();
        let expected = (timer, self.now + after);
        assert_eq!((deadline.timer, deadline.at), expected);
        self.now = deadline.at;
        self.engine.handle_tick(self.now);
    }

    /// The peer closes the link, and the time comes to open another.
    fn lose_link(&mut self) {
        let failure = TransportFailure::ClosedByPeer;
        self.engine.handle_disconnected(self.now, failure);
        assert!(matches!(self.event(), Event::Disconnected { .. }));
        let deadline = self.engine.poll_deadline().unwrap();
        assert_eq!(deadline.timer, Timer::Reconnect);
        self.now = deadline.at;
        self.engine.handle_tick(self.now);
    }
}

fn reported(version: u64) -> Outcome {
    let version = Some(version);
    Outcome::Reported { version }
}

#[test]
fn it_reports_and_is_in_step() {
    let mut device = Device::ready();
    let (now, shadow) = (device.now, device.shadow());
    let request = device
        .engine
        .report(now, shadow, &json!({"on": true, "n": 1.5}));
    let (update, token) = device.request();
    let expected = json!({
        "type": "update", "state": {"reported": {"on": true, "n": 1.5}}, "version": 1,
    });
    assert_eq!(update, expected);
    assert!(!device.engine.is_synchronized(shadow));
    device.accept_update(&token, 2);
    device.ends(request.unwrap(), reported(2));
    assert!(device.engine.is_synchronized(shadow));
    assert_eq!(
        device.engine.reported(shadow),
        Some(r#"{"n":1.5,"on":true}"#)
    );

    // The same number in another spelling is nothing new.
    for spelling in [r#"{"n":1.50}"#, r#"{"n":15e-1}"#] {
        let again = Json::new(spelling).unwrap();
        let again = device.engine.report(now, shadow, &again);
        device.ends(again.unwrap(), reported(2));
    }
    assert_eq!(device.poll(), None);
}

#[test]
fn it_gets_the_document_and_a_get_times_out() {
    let mut device = Device::ready();
    let (now, shadow) = (device.now, device.shadow());
    let request = device.engine.get(now, shadow).unwrap();
    let (get, token) = device.request();
    assert_eq!(get, json!({"type": "get"}));
    device.reply(
        &token,
        "get",
        &json!({"state": {"reported": {"a": 1}}, "version": 5}),
    );
    let Event::Ended {
        request: ended,
        outcome: Outcome::Accepted(document),
    } = device.event()
    else {
        panic!()
    };
    assert_eq!(ended, request);
    assert_eq!(document.reported(), Some(r#"{"a":1}"#));

    let request = device.engine.get(now, shadow).unwrap();
    device.request();
    device.tick(Timer::Request, Duration::from_secs(10));
    let Event::Ended {
        request: ended,
        outcome,
    } = device.event()
    else {
        panic!()
    };
    assert_eq!(ended, request);
    assert_eq!(outcome, Outcome::TimedOut);
}

#[test]
fn it_accepts_and_rejects_what_is_desired() {
    let mut device = Device::ready();
    let delta = device.push(2, &json!({"on": true}));
    assert_eq!(delta.state.as_str(), r#"{"on":true}"#);
    assert_eq!(
        (delta.origin, delta.version),
        (DeltaOrigin::Pushed, Some(2))
    );
    let request = device.engine.accept(device.now, &delta).unwrap();
    let (update, token) = device.request();
    let state = json!({"reported": {"on": true}, "desired": null});
    assert_eq!((&update["state"], &update["version"]), (&state, &json!(2)));
    device.accept_update(&token, 3);
    device.ends(request, reported(3));

    let delta = device.push(4, &json!({"on": 7}));
    let request = device.engine.reject(device.now, &delta, "no such state");
    let (update, token) = device.request();
    assert_eq!(update["state"], json!({"desired": null}));
    device.accept_update(&token, 5);
    let reason = "no such state".into();
    device.ends(request.unwrap(), Outcome::DeltaRejected { reason });
    assert_eq!(
        device.engine.reported(device.shadow()),
        Some(r#"{"on":true}"#)
    );
}

#[test]
fn what_changed_without_a_link_is_settled_on_the_next() {
    let mut device = Device::ready();
    device.lose_link();
    let shadow = device.shadow();
    let request = device.engine.report(device.now, shadow, &json!({"n": 1}));
    let get = device.connect();
    let state = json!({"reported": {"n": 0}, "desired": {"on": true}, "delta": {"on": true}});
    device.reply(&get, "get", &json!({"state": state, "version": 7}));
    let Some(Event::Delta(delta)) = device.engine.poll_event() else {
        panic!()
    };
    assert_eq!(
        (delta.origin, delta.version),
        (DeltaOrigin::Fetched, Some(7))
    );
    assert!(matches!(device.event(), Event::Ready { .. }));
    let (update, token) = device.request();
    assert_eq!(update["state"], json!({"reported": {"n": 1}}));
    device.accept_update(&token, 8);
    device.ends(request.unwrap(), reported(8));
}

#[test]
fn a_stored_session_goes_on_after_a_restart() {
    let mut device = Device::ready();
    let shadow = device.shadow();
    let report = device.engine.report(device.now, shadow, &json!({"n": 1}));
    report.unwrap();
    let stored = device.engine.into_session().to_bytes();

    let mut device = Device::new(Session::from_bytes(&stored).unwrap());
    assert_eq!(device.engine.reported(device.shadow()), Some(r#"{"n":1}"#));
    let get = device.connect();
    device.reply(
        &get,
        "get",
        &json!({"state": {"reported": {}}, "version": 1}),
    );
    assert!(matches!(device.event(), Event::Ready { .. }));
    let (update, token) = device.request();
    assert_eq!(update["state"], json!({"reported": {"n": 1}}));
    device.accept_update(&token, 2);
    assert!(device.engine.is_synchronized(device.shadow()));
}

#[test]
fn it_keeps_its_link_alive() {
    let mut device = Device::ready();
    let keep_alive = Duration::from_secs(device.engine.config().keep_alive.into());
    device.tick(Timer::KeepAlive, keep_alive);
    assert_eq!(device.packet(PacketKind::PingReq), [0xc0, 0]);
    device.bytes(&[0xd0, 0]);
    device.tick(Timer::KeepAlive, keep_alive);
    device.packet(PacketKind::PingReq);
    device.tick(Timer::PingResponse, device.engine.config().ping_timeout);
    let (transmit, _) = device.poll().unwrap();
    assert_eq!(transmit, Transmit::Close);
    assert!(matches!(device.event(), Event::Disconnected { .. }));
}

/// CONNECT, SUBSCRIBE and UNSUBSCRIBE, whether this build can read them or not [MQTT-4.8.0-1].
#[test]
fn packets_of_clients_end_the_link() {
    for packet in [
        &b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01c"[..],
        b"\x82\x06\x00\x01\x00\x01a\x00",
        b"\xa2\x05\x00\x01\x00\x01a",
    ] {
        let mut device = Device::ready();
        device.bytes(packet);
        let event = device.event();
        let Event::Disconnected { cause, .. } = &event else {
            panic!("{event:?}")
        };
        assert!(
            matches!(
                cause,
                DisconnectCause::Malformed(_) | DisconnectCause::Violation(_)
            ),
            "{event:?}"
        );
        assert!(!device.engine.is_online());
    }
}

/// Whatever says so: serde_json or this crate.
#[test]
fn what_is_no_message_is_told_and_harms_nothing() {
    let mut device = Device::ready();
    let payload = b"{\"type\":\"get\",}";
    device.message(payload);
    let event = device.event();
    assert!(
        matches!(event, Event::InvalidMessage { size, .. } if size == payload.len()),
        "{event:?}"
    );
    let delta = device.push(2, &json!({"on": true}));
    assert_eq!(delta.state.as_str(), r#"{"on":true}"#);
}
