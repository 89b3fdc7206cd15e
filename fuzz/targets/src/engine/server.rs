//! The server of a fuzzed engine: answers that fit, and such that do not.

use serde_json::Value;
use shadow_core::mqtt::{
    ConnAck, ConnectReturnCode, Packet, PacketId, PacketKind, PubAck, PubComp, PubRec, Publish,
    QoS, UnsubAck,
};

use super::driver::Driver;
use crate::input::Input;

const RESULT_TOPICS: [&str; 4] = [
    "$shadow/operation/result/PRODUCT001/lamp",
    "$shadow/operation/result/PRODUCT001/a",
    "$shadow/operation/result/PRODUCT001/b",
    "$shadow/operation/result/PRODUCT001/c",
];

const TOPICS: [&str; 4] = ["t", "a/b", "$SYS/x", "$shadow/operation/PRODUCT001/lamp"];

/// What the `payload` of a reply or a push may be.
const PAYLOADS: [&str; 8] = [
    r#"{"state":{"reported":{"on":true}},"timestamp":1626770626087,"version":1}"#,
    r#"{"state":{"reported":{},"desired":{"on":true},"delta":{"on":true}},"version":2}"#,
    r#"{"state":{"on":true},"version":3}"#,
    r#"{"state":{"on":false},"version":2}"#,
    r#"{"state":{},"metadata":{},"version":0}"#,
    r#"{"state":null}"#,
    "null",
    r#"{"version":-1}"#,
];

impl Driver {
    /// Connects and lets the device in.
    pub(super) fn login(&mut self, session_present: bool) {
        self.await_wish();
        self.connected();
        self.settle();
        self.receive(&[0x20, 2, u8::from(session_present), 0]);
    }

    /// CONNACK, whatever it says.
    pub(super) fn accept_login(&mut self, input: &mut Input<'_>) {
        let session_present = input.flag();
        let code = ConnectReturnCode::from_number(input.byte() % 8);
        let code = code.unwrap_or(ConnectReturnCode::Accepted);
        self.send(&Packet::ConnAck(ConnAck {
            session_present: session_present && code == ConnectReturnCode::Accepted,
            code,
        }));
    }

    /// Answers one of the latest packets, as a server has to.
    pub(super) fn acknowledge(&mut self, input: &mut Input<'_>) {
        let back = usize::from(input.byte());
        let Some(index) = back.checked_rem(self.sent.len()) else {
            return;
        };
        let Some(bytes) = self.sent.iter().rev().nth(index).cloned() else {
            return;
        };
        let Ok(packet) = Packet::decode(&bytes, self.version) else {
            return;
        };
        match packet {
            Packet::Subscribe(subscribe) => {
                let granted = match input.byte() % 4 {
                    3 => 0x80,
                    granted => granted,
                };
                let [high, low] = subscribe.packet_id.get().to_be_bytes();
                self.receive(&[0x90, 3, high, low, granted]);
            }
            Packet::Unsubscribe(unsubscribe) => self.send(&Packet::UnsubAck(UnsubAck {
                packet_id: unsubscribe.packet_id,
            })),
            Packet::Publish(publish) => match (publish.qos, publish.packet_id) {
                (QoS::AtLeastOnce, Some(packet_id)) => {
                    self.send(&Packet::PubAck(PubAck { packet_id }));
                }
                (QoS::ExactlyOnce, Some(packet_id)) => {
                    self.send(&Packet::PubRec(PubRec { packet_id }));
                }
                _ => {}
            },
            Packet::PubRel(pubrel) => self.send(&Packet::PubComp(PubComp {
                packet_id: pubrel.packet_id,
            })),
            Packet::PingReq => self.receive(&[0xd0, 0]),
            _ => {}
        }
    }

    /// Answers one of the latest requests of a shadow.
    pub(super) fn reply(&mut self, input: &mut Input<'_>) {
        let chosen = usize::from(input.byte());
        let mut requests = Vec::new();
        for bytes in self.sent.iter().rev() {
            if let Ok(Packet::Publish(publish)) = Packet::decode(bytes, self.version)
                && let Ok(request) = serde_json::from_slice::<Value>(publish.payload)
                && let Some(name) = publish.topic.strip_prefix("$shadow/operation/")
            {
                requests.push((format!("$shadow/operation/result/{name}"), request));
            }
        }
        let Some(index) = chosen.checked_rem(requests.len()) else {
            return;
        };
        let Some((topic, request)) = requests.get(index) else {
            return;
        };
        let (kind, token) = (&request["type"], &request["clientToken"]);
        let code = [0, 0, 0, 5005, 42, -1].get(usize::from(input.byte() % 6));
        let code = code.copied().unwrap_or_default();
        let payload = input.choose(&PAYLOADS).copied().unwrap_or_default();
        let text = format!(
            r#"{{"type":{kind},"clientToken":{token},"result":{code},"payload":{payload}}}"#
        );
        self.publish(topic, text.as_bytes(), QoS::AtMostOnce, None);
    }

    pub(super) fn push_delta(&mut self, input: &mut Input<'_>) {
        let topic = input.choose(&RESULT_TOPICS).copied().unwrap_or_default();
        let payload = input.choose(&PAYLOADS).copied().unwrap_or_default();
        let text = format!(r#"{{"type":"delta","payload":{payload}}}"#);
        self.publish(topic, text.as_bytes(), QoS::AtMostOnce, None);
    }

    /// Any message.
    pub(super) fn message(&mut self, input: &mut Input<'_>) {
        let topics = if input.flag() { RESULT_TOPICS } else { TOPICS };
        let topic = input.choose(&topics).copied().unwrap_or_default();
        let qos = QoS::from_number(input.byte() % 3).unwrap_or(QoS::AtMostOnce);
        let packet_id = PacketId::new(u16::from(input.byte()).max(1));
        let length = input.byte();
        let payload = input.bytes(length.into());
        let packet_id = packet_id.filter(|_| qos != QoS::AtMostOnce);
        self.publish(topic, payload, qos, packet_id);
    }

    /// An acknowledgement of what may never have been.
    pub(super) fn stray_acknowledgement(&mut self, input: &mut Input<'_>) {
        let first = [0x40, 0x50, 0x62, 0x70, 0xb0].get(usize::from(input.byte() % 5));
        let first = first.copied().unwrap_or_default();
        self.receive(&[first, 2, 0, input.byte()]);
    }

    /// The same once more, many times over.
    pub(super) fn receive_again(&mut self, times: u8) {
        let repeated = self.received.repeat(usize::from(times));
        self.engine.handle_bytes(self.now, &repeated);
    }

    /// The next bytes, one at a time.
    pub(super) fn receive_in_pieces(&mut self, input: &mut Input<'_>) {
        let length = input.byte();
        for byte in input.bytes(length.into()) {
            self.engine.handle_bytes(self.now, &[*byte]);
        }
    }

    fn publish(&mut self, topic: &str, payload: &[u8], qos: QoS, packet_id: Option<PacketId>) {
        self.send(&Packet::Publish(Publish {
            dup: false,
            qos,
            retain: false,
            topic,
            packet_id,
            payload,
        }));
    }

    fn send(&mut self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        let written = packet.encode(self.version, &mut bytes);
        assert!(written.is_ok(), "a server's packet: {written:?}");
        debug_assert_ne!(packet.kind(), PacketKind::Connect);
        self.receive(&bytes);
    }
}
