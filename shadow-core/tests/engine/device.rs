//! A device under test: an engine, a clock, and both ends' packets as bytes.

use core::time::Duration;

use shadow_core::mqtt::{Packet, PacketId, ProtocolVersion, Publish, QoS};
use shadow_core::tencent::DeviceInfo;
use shadow_core::{
    Config, Engine, Event, Instant, Outcome, RequestId, Session, ShadowId, Timer, Transmit,
    WallTime,
};

pub(crate) const RESULT_TOPIC: &str = "$shadow/operation/result/PRODUCT001/lamp";
pub(crate) const OPERATION_TOPIC: &str = "$shadow/operation/PRODUCT001/lamp";

/// What came out on the transport's side.
#[derive(Debug, PartialEq)]
pub(crate) enum Out {
    Connect,
    Packet(Vec<u8>),
    Close,
}

pub(crate) struct Device {
    pub(crate) engine: Engine,
    pub(crate) now: Instant,
    pub(crate) version: ProtocolVersion,
}

pub(crate) fn info() -> DeviceInfo {
    DeviceInfo::with_key("PRODUCT001", "lamp", "c2VjcmV0").unwrap()
}

pub(crate) fn config() -> Config {
    Config::new(&info())
}

impl Device {
    /// A device that wants to connect.
    pub(crate) fn new(config: Config) -> Device {
        Device::with_session(config, Session::new(), 1)
    }

    pub(crate) fn with_session(config: Config, session: Session, seed: u64) -> Device {
        let now = Instant::from_secs(1_000);
        let version = config.protocol_version;
        let mut engine = Engine::new(config, session, seed, now);
        engine.handle_wall_time(now, WallTime::from_unix_millis(1_700_000_000_000));
        Device {
            engine,
            now,
            version,
        }
    }

    /// ... whose login was accepted; SUBSCRIBE and what else comes first is still to be polled.
    pub(crate) fn online(config: Config) -> Device {
        let mut device = Device::new(config);
        device.connect(false);
        device
    }

    /// ... whose own shadow is subscribed and answered its first get with version 1.
    pub(crate) fn ready(config: Config) -> Device {
        let mut device = Device::online(config);
        device.subscribe_own();
        let get = device.published();
        device.reply(
            &token(&get),
            "get",
            0,
            r#"{"state":{"reported":{}},"version":1}"#,
        );
        device.events();
        device
    }

    /// Opens a connection and accepts the login.
    pub(crate) fn connect(&mut self, session_present: bool) {
        assert_eq!(self.poll(), [Out::Connect]);
        self.engine.handle_connected(self.now);
        let connect = self.packet();
        assert_eq!(connect[0], 0x10, "CONNECT comes first");
        self.bytes(&[0x20, 2, u8::from(session_present), 0]);
        assert_eq!(self.event(), Event::Connected { session_present });
    }

    /// ... where more than CONNECT may come out at once.
    pub(crate) fn connect_again(&mut self, session_present: bool) {
        assert_eq!(self.poll(), [Out::Connect]);
        self.engine.handle_connected(self.now);
        self.poll();
        self.bytes(&[0x20, 2, u8::from(session_present), 0]);
    }

    /// Grants the subscription of the own shadow.
    pub(crate) fn subscribe_own(&mut self) {
        let subscribe = self.packet();
        assert_eq!(subscribe[0], 0x82);
        self.bytes(&[0x90, 3, subscribe[2], subscribe[3], 0]);
        assert_eq!(
            self.event(),
            Event::ShadowSubscribed {
                shadow: self.shadow()
            }
        );
    }

    pub(crate) fn shadow(&self) -> ShadowId {
        self.engine.own_shadow().unwrap()
    }

    /// Everything for the transport.
    pub(crate) fn poll(&mut self) -> Vec<Out> {
        let mut out = Vec::new();
        loop {
            let mut bytes = Vec::new();
            match self.engine.poll_transmit(self.now, &mut bytes) {
                None => return out,
                Some(Transmit::Connect) => out.push(Out::Connect),
                Some(Transmit::Close) => out.push(Out::Close),
                Some(Transmit::Packet { kind, len, .. }) => {
                    assert_eq!(len, bytes.len());
                    assert_eq!(Packet::decode(&bytes, self.version).unwrap().kind(), kind);
                    out.push(Out::Packet(bytes));
                }
            }
        }
    }

    /// The one packet that comes out.
    pub(crate) fn packet(&mut self) -> Vec<u8> {
        let out = self.poll();
        match <[Out; 1]>::try_from(out) {
            Ok([Out::Packet(bytes)]) => bytes,
            other => panic!("expected one packet, got {other:?}"),
        }
    }

    /// The payload of the one packet that comes out, a PUBLISH.
    pub(crate) fn published(&mut self) -> String {
        let bytes = self.packet();
        match Packet::decode(&bytes, self.version).unwrap() {
            Packet::Publish(publish) => String::from_utf8(publish.payload.to_vec()).unwrap(),
            other => panic!("expected PUBLISH, got {other:?}"),
        }
    }

    pub(crate) fn silent(&mut self) {
        assert_eq!(self.poll(), []);
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.engine.poll_event()).collect()
    }

    /// The one event that comes out.
    pub(crate) fn event(&mut self) -> Event {
        let events = self.events();
        match <[Event; 1]>::try_from(events) {
            Ok([event]) => event,
            Err(events) => panic!("expected one event, got {events:?}"),
        }
    }

    /// How the request ended, which must be the one event that comes out.
    pub(crate) fn outcome(&mut self, expected: RequestId) -> Outcome {
        match self.event() {
            Event::Ended { request, outcome } if request == expected => outcome,
            other => panic!("expected the end of {expected}, got {other:?}"),
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.engine.handle_bytes(self.now, bytes);
    }

    /// A PUBLISH from the server.
    pub(crate) fn message(&mut self, topic: &str, payload: &[u8], qos: QoS, id: Option<u16>) {
        self.bytes(&publish(topic, payload, qos, id));
    }

    /// A message on the own shadow's result topic.
    pub(crate) fn result(&mut self, payload: &str) {
        self.message(RESULT_TOPIC, payload.as_bytes(), QoS::AtMostOnce, None);
    }

    pub(crate) fn reply(&mut self, token: &str, operation: &str, code: i64, payload: &str) {
        self.result(&format!(
            r#"{{"clientToken":"{token}","payload":{payload},"result":{code},"type":"{operation}"}}"#
        ));
    }

    /// Lets time pass without ticking.
    pub(crate) fn wait(&mut self, duration: Duration) {
        self.now += duration;
    }

    /// Ticks at the next deadline, which must be that timer, `after` from now.
    pub(crate) fn tick(&mut self, timer: Timer, after: Duration) {
        let deadline = self.engine.poll_deadline().unwrap();
        assert_eq!(deadline.timer, timer);
        assert_eq!(deadline.at.saturating_since(self.now), after);
        self.now = deadline.at;
        self.engine.handle_tick(self.now);
    }

    /// Ticks at every deadline until one is `timer`, at that too.
    pub(crate) fn tick_until(&mut self, timer: Timer) {
        for _ in 0..1_000 {
            let deadline = self.engine.poll_deadline().unwrap();
            self.now = self.now.max(deadline.at);
            self.engine.handle_tick(self.now);
            if deadline.timer == timer {
                return;
            }
        }
        panic!("{timer:?} is never due");
    }
}

/// The bytes of a PUBLISH.
pub(crate) fn publish(topic: &str, payload: &[u8], qos: QoS, id: Option<u16>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let publish = Publish {
        dup: false,
        qos,
        retain: false,
        topic,
        packet_id: id.and_then(PacketId::new),
        payload,
    };
    publish.encode(&mut bytes).unwrap();
    bytes
}

/// The client token of a request.
pub(crate) fn token(request: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(request).unwrap();
    value["clientToken"].as_str().unwrap().to_owned()
}
