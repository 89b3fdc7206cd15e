//! What it costs to record an engine: an update request, its bytes out, the reply's bytes in, its
//! event; bare, with a recorder that is off, and with one that writes into a buffer.
//!
//! ```text
//! cargo run --release -p shadow-core --example record_cost            times all three
//! cargo run --release -p shadow-core --example record_cost -- on 2000 so many exchanges of one
//! ```
//!
//! The second form is for callgrind: instructions per exchange are the difference of two runs,
//! divided by the difference of their exchanges.

use std::hint::black_box;
use std::time::{Duration, Instant as RealInstant};

use shadow_core::mqtt::{Publish, QoS};
use shadow_core::recording::{Mask, Recorder, Sink};
use shadow_core::tencent::{DeviceInfo, Update};
use shadow_core::{Config, Engine, Event, Instant, RequestError, RequestId, Session, ShadowId};
use shadow_core::{Transmit, WallTime};

/// How often an exchange is timed, after as many that are not.
const EXCHANGES: usize = 20_000;
/// The best of so many runs is told: others share the machine.
const RUNS: usize = 10;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(mode) = arguments.next() else {
        times();
        return;
    };
    let count = arguments.next().and_then(|count| count.parse().ok());
    let count = count.unwrap_or(EXCHANGES);
    let replies = replies(count);
    match mode.as_str() {
        "bare" => exchange(&mut bare(), &replies),
        "off" => exchange(&mut off(), &replies),
        "on" => exchange(&mut on(), &replies),
        _ => eprintln!("bare, off or on"),
    }
}

fn times() {
    let replies = replies(2 * EXCHANGES);
    let (warm, timed) = replies.split_at(EXCHANGES);
    let mut best = [Duration::MAX; 3];
    for _ in 0..RUNS {
        let runs = [
            time(bare(), warm, timed),
            time(off(), warm, timed),
            time(on(), warm, timed),
        ];
        for (best, run) in best.iter_mut().zip(runs) {
            *best = run.min(*best);
        }
    }
    for (name, best) in ["bare engine", "recorder off", "recorder on"]
        .iter()
        .zip(best)
    {
        let each = best.as_secs_f64() * 1e6 / EXCHANGES as f64;
        println!("{name:<14}{each:>8.3} us an exchange");
    }
}

fn time(mut device: impl Device, warm: &[Vec<u8>], timed: &[Vec<u8>]) -> Duration {
    exchange_from(&mut device, warm, 0);
    let begun = clock();
    exchange_from(&mut device, timed, warm.len());
    clock().duration_since(begun)
}

#[expect(clippy::disallowed_methods, reason = "it measures real time")]
fn clock() -> RealInstant {
    RealInstant::now()
}

/// What an engine and its recorder both have.
trait Device {
    fn handle_bytes(&mut self, now: Instant, bytes: &[u8]);
    fn update(&mut self, now: Instant, shadow: ShadowId) -> Result<RequestId, RequestError>;
    fn poll_transmit(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<Transmit>;
    fn poll_event(&mut self) -> Option<Event>;
    fn own_shadow(&self) -> Option<ShadowId>;
    fn handle_wall_time(&mut self, now: Instant, wall: WallTime);
    fn handle_connected(&mut self, now: Instant);
}

/// What is reported: an object that is made once.
fn reported() -> serde_json::Value {
    serde_json::json!({"updateCount": 12, "power": true})
}

macro_rules! device {
    ($engine:ty) => {
        impl Device for ($engine, serde_json::Value) {
            fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
                self.0.handle_bytes(now, bytes);
            }
            fn update(
                &mut self,
                now: Instant,
                shadow: ShadowId,
            ) -> Result<RequestId, RequestError> {
                self.0.update(now, shadow, &Update::new().reported(&self.1))
            }
            fn poll_transmit(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<Transmit> {
                self.0.poll_transmit(now, buffer)
            }
            fn poll_event(&mut self) -> Option<Event> {
                self.0.poll_event()
            }
            fn own_shadow(&self) -> Option<ShadowId> {
                self.0.own_shadow()
            }
            fn handle_wall_time(&mut self, now: Instant, wall: WallTime) {
                self.0.handle_wall_time(now, wall);
            }
            fn handle_connected(&mut self, now: Instant) {
                self.0.handle_connected(now);
            }
        }
    };
}

device!(Engine);
device!(Recorder<Buffer>);

/// A buffer that is emptied when it is full, as one before a file is.
struct Buffer(String);

impl Sink for Buffer {
    fn line(&mut self, line: &str) {
        if self.0.len() + line.len() > self.0.capacity() {
            black_box(&self.0);
            self.0.clear();
        }
        self.0.push_str(line);
    }
}

fn config() -> Config {
    let device = DeviceInfo::with_key("PRODUCT001", "lamp", "c2VjcmV0");
    Config::new(&device.expect("within the vendor's limits"))
}

fn bare() -> impl Device {
    let engine = Engine::new(config(), Session::new(), 7, Instant::ZERO);
    online((engine, reported()))
}

fn off() -> impl Device {
    let engine = Engine::new(config(), Session::new(), 7, Instant::ZERO);
    online((Recorder::<Buffer>::off(engine), reported()))
}

fn on() -> impl Device {
    let buffer = Buffer(String::with_capacity(64 * 1024));
    let (session, mask) = (Session::new(), Mask::default());
    let engine = Recorder::new(config(), session, 7, Instant::ZERO, mask, buffer);
    online((engine, reported()))
}

/// A device that is logged in and has its shadow.
fn online<D: Device>(mut device: D) -> D {
    let now = Instant::ZERO;
    let mut buffer = Vec::new();
    device.handle_wall_time(now, WallTime::from_unix_millis(1_700_000_000_000));
    drain(&mut device, now, &mut buffer);
    device.handle_connected(now);
    drain(&mut device, now, &mut buffer);
    device.handle_bytes(now, &[0x20, 2, 0, 0]);
    drain(&mut device, now, &mut buffer);
    device.handle_bytes(now, &[0x90, 3, 0, 1, 0]);
    buffer.clear();
    drain(&mut device, now, &mut buffer);
    let get = token(&buffer);
    let state = r#""payload":{"state":{"reported":{}},"timestamp":1626770697,"version":1}"#;
    device.handle_bytes(now, &reply("get", &get, state));
    drain(&mut device, now, &mut buffer);
    device
}

/// The token of the request in a packet.
fn token(packet: &[u8]) -> String {
    let text = String::from_utf8_lossy(packet);
    let (_, behind) = text.split_once(r#""clientToken":""#).expect("a request");
    behind.split('"').next().unwrap_or_default().to_owned()
}

fn reply(kind: &str, token: &str, payload: &str) -> Vec<u8> {
    let message = format!(
        "{{\"clientToken\":\"{token}\",{payload},\"result\":0,\"timestamp\":1626770697670,\
         \"type\":\"{kind}\"}}\n"
    );
    let publish = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "$shadow/operation/result/PRODUCT001/lamp",
        packet_id: None,
        payload: message.as_bytes(),
    };
    let mut bytes = Vec::new();
    publish.encode(&mut bytes).expect("it is small");
    bytes
}

/// The replies to the first updates of any of the devices: all have the same tokens.
fn replies(count: usize) -> Vec<Vec<u8>> {
    let mut device = bare();
    let shadow = device.own_shadow().expect("it has one");
    device.update(Instant::ZERO, shadow).expect("there is room");
    let mut buffer = Vec::new();
    drain(&mut device, Instant::ZERO, &mut buffer);
    let first = token(&buffer);
    let (nonce, number) = first.rsplit_once('-').expect("a nonce and a number");
    let number: usize = number.parse().expect("a number");
    let reply = |index: usize| {
        let payload = format!(
            "\"payload\":{{\"state\":{{\"reported\":{{\"updateCount\":12,\"power\":true}}}},\
             \"timestamp\":1626770697670,\"version\":{}}}",
            index + 2
        );
        reply("update", &format!("{nonce}-{}", number + index), &payload)
    };
    (0..count).map(reply).collect()
}

fn exchange(device: &mut impl Device, replies: &[Vec<u8>]) {
    exchange_from(device, replies, 0);
}

fn exchange_from(device: &mut impl Device, replies: &[Vec<u8>], before: usize) {
    let shadow = device.own_shadow().expect("it has one");
    let mut buffer = Vec::with_capacity(1_024);
    for (index, reply) in replies.iter().enumerate() {
        // As fast as the vendor allows a device to publish.
        let now = Instant::from_millis(100 * (before + index + 1) as u64);
        device.update(now, shadow).expect("there is room");
        drain(device, now, &mut buffer);
        buffer.clear();
        device.handle_bytes(now, reply);
        let ended = device.poll_event();
        assert!(
            matches!(black_box(&ended), Some(Event::Ended { .. })),
            "{ended:?}"
        );
        drain(device, now, &mut buffer);
    }
}

/// Takes all there is.
fn drain(device: &mut impl Device, now: Instant, buffer: &mut Vec<u8>) {
    while black_box(device.poll_transmit(now, buffer)).is_some() {}
    while black_box(device.poll_event()).is_some() {}
}
