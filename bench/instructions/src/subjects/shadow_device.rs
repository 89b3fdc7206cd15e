//! This project's engine, connected and in step with its shadow.

use std::any::Any;
use std::time::Duration;

use shadow_core::config::{Nonce, TokenStyle};
use shadow_core::event::DeltaOrigin;
use shadow_core::json::Json;
use shadow_core::tencent::{DeviceInfo, Update};
use shadow_core::{Config, Delta, Engine, Event, Instant, Outcome, Session, ShadowId, WallTime};

use crate::messages::{
    REPORTED, RESULT_TOPIC, delta, delta_state, get_reply, get_reply_at, publish, update_reply,
};

/// The tokens' nonce: with a fixed one they are known beforehand. It is written and compared as a
/// drawn one is.
const NONCE: &str = "k3Jd82hs";
/// The tokens' numbers have three digits, so that what is sent and received keeps its size.
const NUMBERS: std::ops::Range<u64> = 100..990;
/// The engine sends no more than 20 messages a second; requests come that far apart.
const PACE: Duration = Duration::from_millis(50);

/// An engine and its surroundings.
pub(super) struct Device {
    pub(super) engine: Engine,
    pub(super) now: Instant,
    pub(super) shadow: ShadowId,
    /// What it sent last.
    pub(super) sent: Vec<u8>,
    /// What it is to receive next.
    pub(super) received: Vec<u8>,
    /// The token of the request that is open, or is the next to be.
    pub(super) token: Option<String>,
    /// The delta that was pushed last, or is the next to be.
    pub(super) delta: Delta,
    /// The version of the cloud's document, and that of the first.
    pub(super) version: u64,
    pub(super) first_version: u64,
    /// How many requests there were.
    pub(super) requests: u32,
    number: u64,
}

impl Device {
    /// Configured as a device is by default, connected, subscribed, its first get answered.
    pub(super) fn ready() -> Device {
        let info = DeviceInfo::with_key("PRODUCT001", "test01", "c2VjcmV0");
        let mut config = Config::new(&info.expect("the names are valid"));
        let nonce = Nonce::new(NONCE).expect("eight letters and digits");
        config.behaviour.token_style = TokenStyle::FixedNonce(nonce);
        let now = Instant::from_secs(1_000);
        let mut engine = Engine::new(config, Session::new(), 1, now);
        let shadow = engine.own_shadow().expect("the configuration has one");
        engine.handle_wall_time(now, WallTime::from_unix_millis(1_700_000_000_000));
        let mut device = Device {
            engine,
            now,
            shadow,
            sent: Vec::with_capacity(32 * 1024),
            received: Vec::new(),
            token: None,
            delta: Delta {
                shadow,
                origin: DeltaOrigin::Pushed,
                version: None,
                state: Json::new("{}").expect("it is JSON"),
                redelivered: false,
            },
            version: 21,
            first_version: 21,
            requests: 0,
            number: 0,
        };
        device.transmit();
        device.engine.handle_connected(now);
        device.transmit();
        device.engine.handle_bytes(now, &[0x20, 2, 0, 0]);
        device.transmit();
        let id = [device.sent[2], device.sent[3]];
        device.engine.handle_bytes(now, &[0x90, 3, id[0], id[1], 0]);
        device.transmit();
        device.receive(&get_reply(&format!("{NONCE}-0")));
        let mut ready = false;
        while let Some(event) = device.engine.poll_event() {
            ready |= matches!(event, Event::Ready { .. });
        }
        assert!(ready, "the first get was answered");
        device.begin_again();
        device
    }

    /// Time for the next request; what it will carry as its token, which is `token` too then.
    pub(super) fn next_token(&mut self) -> String {
        self.now += PACE;
        if self.number == NUMBERS.end {
            self.begin_again();
        }
        let token = format!("{NONCE}-{}", self.number);
        self.number += 1;
        self.requests += 1;
        self.token = Some(token.clone());
        token
    }

    /// If an update is open, the cloud takes it, and it ends.
    pub(super) fn settle(&mut self) {
        if let Some(token) = self.token.take() {
            self.accept_update(&token);
            let end = self.events().expect("the update has ended");
            let ended = matches!(&end, Event::Ended { outcome, .. }
                if matches!(outcome, Outcome::Accepted(_) | Outcome::Reported { .. }));
            assert!(ended, "{end:?}");
        }
    }

    /// The cloud pushes a change of `desired` the next time.
    pub(super) fn expect_delta(&mut self) {
        self.version += 1;
        self.delta.version = Some(self.version);
        self.delta.state = Json::new(delta_state(self.version)).expect("it is JSON");
        self.expect(&delta(self.version));
    }

    fn begin_again(&mut self) {
        self.number = NUMBERS.start;
        let set = self.engine.set_next_token(self.shadow, self.number);
        set.expect("the shadow is attached");
    }

    /// Takes everything that is to leave; `sent` has it then.
    pub(super) fn transmit(&mut self) {
        self.sent.clear();
        while self
            .engine
            .poll_transmit(self.now, &mut self.sent)
            .is_some()
        {}
    }

    /// Takes one packet, as a driver does after a request that makes one. There is no event.
    pub(super) fn transmit_one(&mut self) -> Option<Event> {
        self.sent.clear();
        let transmit = self.engine.poll_transmit(self.now, &mut self.sent);
        let _ = std::hint::black_box((transmit, &self.sent));
        None
    }

    /// A message on the result topic is what comes next.
    pub(super) fn expect(&mut self, message: &str) {
        self.received = publish(RESULT_TOPIC, message.as_bytes(), false);
    }

    /// A message on the result topic has come.
    pub(super) fn receive(&mut self, message: &str) {
        self.expect(message);
        self.engine.handle_bytes(self.now, &self.received);
    }

    /// The cloud takes an update: it is at the next version.
    fn accept_update(&mut self, token: &str) {
        self.version += 1;
        self.receive(&update_reply(token, self.version));
    }

    /// Takes all events, and the last one's end.
    pub(super) fn events(&mut self) -> Option<Event> {
        let mut last = None;
        while let Some(event) = self.engine.poll_event() {
            last = Some(event);
        }
        last
    }
}

/// An engine that is connected and has nothing to do.
#[must_use]
pub fn idle_engine() -> Box<dyn Any> {
    Box::new(Device::ready().engine)
}

/// An engine that has nothing to do any more, after 200 updates and gets one by one and 60 updates
/// at a time.
#[must_use]
pub fn worked_engine() -> Box<dyn Any> {
    let mut device = Device::ready();
    let update = Update::new().reported(REPORTED);
    for together in [[1; 200].as_slice(), &[60]].concat() {
        let mut tokens = Vec::new();
        for _ in 0..together {
            tokens.push(device.next_token());
            let asked = device.engine.update(device.now, device.shadow, &update);
            asked.expect("there is room for a request");
            device.transmit();
        }
        for token in tokens {
            device.token = Some(token);
            device.settle();
        }
        let token = device.next_token();
        let asked = device.engine.get(device.now, device.shadow);
        asked.expect("there is room for a request");
        device.transmit();
        device.receive(&get_reply_at(&token, device.version));
        device.events().expect("the get has ended");
    }
    assert!(device.engine.inspect().requests.is_empty());
    Box::new(device.engine)
}
