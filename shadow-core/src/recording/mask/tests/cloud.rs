//! Two recorded engines in step, one of them masked, and a cloud that answers both.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Debug;
use core::time::Duration;

use serde_json::{Map, Value};

use super::super::Mask;
use super::shapes;
use crate::config::Config;
use crate::event::{Delta, Event};
use crate::mqtt::link::Transmit;
use crate::mqtt::{Packet, PacketId, ProtocolVersion, Publish, QoS};
use crate::recording::Recorder;
use crate::recording::tests::replay;
use crate::request::{RequestId, ShadowId};
use crate::session::Session;
use crate::tencent::ShadowName;
use crate::tencent::request::{Part, parse_request};
use crate::time::{Instant, WallTime};

/// A device that is recorded in clear and masked.
pub(super) struct Pair {
    plain: Recorder<String>,
    masked: Recorder<String>,
    mask: Mask,
    pub(super) now: Instant,
    pub(super) cloud: Cloud,
    /// What the cloud has sent and the device has not got.
    pub(super) wire: Vec<u8>,
    /// The deltas that were told.
    pub(super) deltas: Vec<Delta>,
}

impl Pair {
    pub(super) fn new(config: &Config, session: &Session, mask: Mask) -> Pair {
        let now = Instant::ZERO;
        let make = |mask| {
            Recorder::new(
                config.clone(),
                session.clone(),
                42,
                now,
                mask,
                String::new(),
            )
        };
        Pair {
            plain: make(Mask::default()),
            masked: make(mask),
            mask,
            now,
            cloud: Cloud::default(),
            wire: Vec::new(),
            deltas: Vec::new(),
        }
    }

    /// Has both do the same.
    pub(super) fn both<T: PartialEq + Debug>(
        &mut self,
        mut act: impl FnMut(&mut Recorder<String>, Instant) -> T,
    ) -> T {
        let result = act(&mut self.plain, self.now);
        assert_eq!(act(&mut self.masked, self.now), result);
        result
    }

    pub(super) fn own(&self) -> Option<ShadowId> {
        self.plain.own_shadow()
    }

    /// Connects, or ticks.
    pub(super) fn tick(&mut self, passed: Duration) {
        self.now += passed;
        let wall = WallTime::from_unix_millis(1_700_000_000_000 + self.now.as_micros() / 1_000);
        self.both(|engine, now| engine.handle_wall_time(now, wall));
        self.both(|engine, now| engine.handle_tick(now));
        self.drain();
    }

    /// Delivers what the cloud has sent in pieces of such lengths, until nobody says any more.
    pub(super) fn deliver(&mut self, cuts: &[usize]) {
        let mut cuts = cuts.iter().cycle();
        while !self.wire.is_empty() {
            let length = cuts
                .next()
                .map_or(1, |cut| (*cut).max(1))
                .min(self.wire.len());
            let piece: Vec<u8> = self.wire.drain(..length).collect();
            self.both(|engine, now| engine.handle_bytes(now, &piece));
            self.drain();
        }
    }

    /// Polls all there is.
    pub(super) fn drain(&mut self) {
        loop {
            let mut any = false;
            loop {
                let (packet, transmit) = self.both(|engine, now| {
                    let mut packet = Vec::new();
                    let transmit = engine.poll_transmit(now, &mut packet);
                    (packet, transmit)
                });
                match transmit {
                    None => break,
                    Some(Transmit::Connect) => {
                        self.both(|engine, now| engine.handle_connected(now));
                    }
                    Some(Transmit::Packet { .. }) => self.cloud.receive(&packet, &mut self.wire),
                    Some(Transmit::Close) => self.wire.clear(),
                }
                any = true;
            }
            while let Some(event) = self.both(|engine, _| engine.poll_event()) {
                any = true;
                match event {
                    Event::Delta(delta) => self.deltas.push(delta),
                    Event::Disconnected { .. } => self.wire.clear(),
                    _ => {}
                }
            }
            if !any {
                return;
            }
        }
    }

    /// Ends both and gives the masked recording, whatever is in it.
    pub(super) fn masked(self) -> String {
        self.masked.finish().1.unwrap()
    }

    /// Ends both, holds the masked recording to all that a mask promises, and gives the session with
    /// both recordings.
    pub(super) fn finish(self, hidden: &[&str]) -> (Session, String, String) {
        let mask = self.mask;
        let plain = self.plain.finish().1.unwrap();
        let (session, masked) = self.masked.finish();
        let masked = masked.unwrap();
        let header = crate::recording::Header::parse(masked.lines().next().unwrap()).unwrap();
        assert_eq!(header.mask, mask);
        for marker in hidden {
            let found = masked.lines().find(|line| line.contains(marker));
            assert_eq!(found, None, "{marker} under {mask}");
        }
        let (expected, found) = (shapes(&plain), shapes(&masked));
        for (expected, found) in expected.iter().zip(&found) {
            assert_eq!(found, expected);
        }
        assert_eq!(found.len(), expected.len());
        assert_eq!(replay(&masked), None);
        (session, plain, masked)
    }
}

/// The vendor's cloud as far as it matters here.
#[derive(Default)]
pub(super) struct Cloud {
    shadows: Vec<(ShadowName, Shadow)>,
    /// Whether it answers no requests.
    pub(super) silent: bool,
    /// Whether it acknowledges no messages.
    pub(super) forgetful: bool,
    connected_before: bool,
    last_id: u16,
}

#[derive(Default)]
struct Shadow {
    version: u64,
    reported: Map<String, Value>,
    desired: Map<String, Value>,
}

impl Cloud {
    fn receive(&mut self, packet: &[u8], out: &mut Vec<u8>) {
        let acknowledge = |first: u8, id: PacketId, out: &mut Vec<u8>| {
            let [high, low] = id.get().to_be_bytes();
            out.extend_from_slice(&[first, 2, high, low]);
        };
        match Packet::decode(packet, ProtocolVersion::V31).unwrap() {
            Packet::Connect(connect) => {
                let kept = !connect.clean_session && self.connected_before;
                self.connected_before = true;
                out.extend_from_slice(&[0x20, 2, u8::from(kept), 0]);
            }
            Packet::Subscribe(subscribe) => {
                let [high, low] = subscribe.packet_id.get().to_be_bytes();
                let qos = subscribe.filters.iter().next().unwrap().1;
                out.extend_from_slice(&[0x90, 3, high, low, qos.number()]);
            }
            Packet::Unsubscribe(packet) => acknowledge(0xb0, packet.packet_id, out),
            Packet::PingReq => out.extend_from_slice(&[0xd0, 0]),
            Packet::PubRel(packet) => acknowledge(0x70, packet.packet_id, out),
            Packet::PubRec(packet) => acknowledge(0x62, packet.packet_id, out),
            Packet::Publish(publish) => {
                match publish.qos {
                    _ if self.forgetful => {}
                    QoS::AtMostOnce => {}
                    QoS::AtLeastOnce => acknowledge(0x40, publish.packet_id.unwrap(), out),
                    QoS::ExactlyOnce => acknowledge(0x50, publish.packet_id.unwrap(), out),
                }
                if let Some(name) = ShadowName::from_operation_topic(publish.topic)
                    && !self.silent
                {
                    self.request(&name, publish.payload, out);
                }
            }
            _ => {}
        }
    }

    fn shadow(&mut self, name: &ShadowName) -> &mut Shadow {
        let known = self.shadows.iter().position(|(known, _)| known == name);
        let index = known.unwrap_or_else(|| {
            self.shadows.push((name.clone(), Shadow::default()));
            self.shadows.len() - 1
        });
        &mut self.shadows[index].1
    }

    fn request(&mut self, name: &ShadowName, payload: &[u8], out: &mut Vec<u8>) {
        let Ok(request) = parse_request(payload) else {
            return;
        };
        let shadow = self.shadow(name);
        let mut result = 0;
        let mut state = shadow.state();
        if request.operation == crate::tencent::Operation::Update {
            if request
                .version
                .is_some_and(|v| v > 0 && v != shadow.version)
            {
                result = 5005;
            } else {
                let before = (shadow.reported.clone(), shadow.desired.clone());
                apply(&mut shadow.reported, request.reported);
                apply(&mut shadow.desired, request.desired);
                let changed = before != (shadow.reported.clone(), shadow.desired.clone());
                shadow.version += u64::from(changed);
                state = Value::Object(Map::new());
                if let Part::Object(text) = request.reported {
                    state["reported"] = serde_json::from_str(text).unwrap();
                }
            }
        }
        let reply = format!(
            r#"{{"clientToken":{},"payload":{{"state":{state},"metadata":{{"reported":{{"a":1626770626}}}},"timestamp":1626770626087,"version":{}}},"result":{result},"timestamp":1626770697,"type":"{}"}}
"#,
            request.token.unwrap_or("null"),
            shadow.version,
            request.operation,
        );
        publish(
            &name.result_topic(),
            reply.as_bytes(),
            QoS::AtMostOnce,
            0,
            out,
        );
    }

    /// Another client changes `desired`.
    pub(super) fn desire(&mut self, name: &ShadowName, patch: &str, qos: QoS, out: &mut Vec<u8>) {
        let shadow = self.shadow(name);
        apply(&mut shadow.desired, Part::Object(patch));
        shadow.version += 1;
        let delta = format!(
            r#"{{"type":"delta","timestamp":1626770627,"payload":{{"state":{patch},"version":{},"timestamp":1626770627}}}}"#,
            shadow.version
        );
        self.send(&name.result_topic(), delta.as_bytes(), qos, out);
    }

    /// Sends a message.
    pub(super) fn send(&mut self, topic: &str, payload: &[u8], qos: QoS, out: &mut Vec<u8>) {
        self.last_id = self.last_id % 1_000 + 1;
        publish(topic, payload, qos, self.last_id, out);
    }
}

impl Shadow {
    fn state(&self) -> Value {
        let mut state = Map::new();
        state.insert("reported".into(), self.reported.clone().into());
        if !self.desired.is_empty() {
            state.insert("desired".into(), self.desired.clone().into());
            let mut delta = self.desired.clone();
            delta.retain(|key, value| self.reported.get(key) != Some(value));
            if !delta.is_empty() {
                state.insert("delta".into(), delta.into());
            }
        }
        state.into()
    }
}

fn apply(part: &mut Map<String, Value>, patch: Part<'_>) {
    match patch {
        Part::Absent => {}
        Part::Null => part.clear(),
        Part::Object(text) => {
            let mut whole = Value::Object(core::mem::take(part));
            // What nests too deep for it a server would refuse.
            if let Ok(patch) = serde_json::from_str(text) {
                merge(&mut whole, patch);
            }
            if let Value::Object(merged) = whole {
                *part = merged;
            }
        }
    }
}

/// RFC 7396.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else {
        return;
    };
    for (key, value) in patch {
        match value {
            Value::Null => drop(members.remove(&key)),
            value => merge(members.entry(key).or_insert(Value::Null), value),
        }
    }
}

fn publish(topic: &str, payload: &[u8], qos: QoS, id: u16, out: &mut Vec<u8>) {
    let publish = Publish {
        dup: false,
        qos,
        retain: false,
        topic,
        packet_id: PacketId::new(id).filter(|_| qos != QoS::AtMostOnce),
        payload,
    };
    publish.encode(out).unwrap();
}

/// The number of a request, for those that want any.
pub(super) fn any_request(number: u64) -> RequestId {
    RequestId(number)
}

/// A text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
