//! The shadow documents as a recording shows them.

use serde_json::{Map, Value};
use shadow_core::mqtt::{Incoming, Oversized, Packet, ProtocolVersion, StreamDecoder};
use shadow_core::tencent::ShadowName;

/// Follows what a device is sent, and keeps each shadow's document as far as it was shown: whole by
/// a get's reply and by a refused update's, in part by the others and by deltas.
#[derive(Debug)]
pub struct Documents {
    version: ProtocolVersion,
    decoder: StreamDecoder,
    shown: Vec<ShownDocument>,
}

/// A document as it was last shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownDocument {
    /// Whose it is.
    pub name: ShadowName,
    /// Its version.
    pub version: u64,
    /// The `reported` part.
    pub reported: Map<String, Value>,
    /// The `desired` part.
    pub desired: Map<String, Value>,
}

impl ShownDocument {
    /// `{"desired":{..},"reported":{..}}`.
    #[must_use]
    pub fn state(&self) -> String {
        let part = |map: &Map<String, Value>| Value::Object(map.clone());
        let state = [
            ("desired", part(&self.desired)),
            ("reported", part(&self.reported)),
        ];
        let state: Map<String, Value> = state.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        Value::Object(state).to_string()
    }
}

/// Larger packets are not looked into: no document is that large.
const LARGEST: usize = 1 << 20;

impl Documents {
    /// Nothing was shown yet. `version` is that of the device's connections.
    #[must_use]
    pub fn new(version: ProtocolVersion) -> Documents {
        Documents {
            version,
            decoder: StreamDecoder::new(version, LARGEST, Oversized::SkipPublish),
            shown: Vec::new(),
        }
    }

    /// A connection begins.
    pub fn connected(&mut self) {
        self.decoder = StreamDecoder::new(self.version, LARGEST, Oversized::SkipPublish);
    }

    /// The device receives bytes; gives the packets that they complete, in words.
    pub fn received(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut input = bytes;
        let mut words = Vec::new();
        loop {
            match self.decoder.next(&mut input) {
                Ok(None) => return words,
                Err(error) => {
                    words.push(format!("no packet: {error}"));
                    return words;
                }
                Ok(Some(Incoming::Skipped(skipped))) => {
                    words.push(format!(
                        "PUBLISH of {} bytes on {}",
                        skipped.size, skipped.topic
                    ));
                }
                Ok(Some(Incoming::Packet(packet))) => {
                    words.push(describe(&packet));
                    if let Packet::Publish(publish) = packet
                        && let Some(name) = ShadowName::from_result_topic(publish.topic)
                        && let Ok(Value::Object(message)) = serde_json::from_slice(publish.payload)
                    {
                        take(&mut self.shown, name, message);
                    }
                }
            }
        }
    }

    /// The documents that were shown, in the order in which they first were.
    #[must_use]
    pub fn shown(&self) -> &[ShownDocument] {
        &self.shown
    }
}

fn take(shown: &mut Vec<ShownDocument>, name: ShadowName, mut message: Map<String, Value>) {
    let kind = message
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let result = message.get("result").and_then(Value::as_i64).unwrap_or(0);
    let Some(Value::Object(mut payload)) = message.remove("payload") else {
        return;
    };
    let Some(Value::Object(state)) = payload.remove("state") else {
        return;
    };
    let version = payload.get("version").and_then(Value::as_u64).unwrap_or(0);
    let found = shown.iter().position(|document| document.name == name);
    let index = found.unwrap_or_else(|| {
        shown.push(ShownDocument {
            name,
            version: 0,
            reported: Map::new(),
            desired: Map::new(),
        });
        shown.len() - 1
    });
    let Some(document) = shown.get_mut(index) else {
        return;
    };
    if kind == "get" || result != 0 {
        (document.reported, document.desired) = (Map::new(), Map::new());
    } else if version < document.version {
        return; // It is late: all of it was shown since.
    }
    document.version = version;
    if kind == "delta" {
        merge(&mut document.desired, &Value::Object(state));
        return;
    }
    if let Some(reported) = state.get("reported") {
        merge(&mut document.reported, reported);
    }
    if let Some(desired) = state.get("desired") {
        merge(&mut document.desired, desired);
    }
}

/// Merges a patch: null deletes.
fn merge(part: &mut Map<String, Value>, patch: &Value) {
    let Value::Object(patch) = patch else {
        part.clear();
        return;
    };
    for (key, value) in patch {
        match (value, part.get_mut(key)) {
            (Value::Null, _) => drop(part.remove(key)),
            (Value::Object(_), Some(Value::Object(inner))) => merge(inner, value),
            (Value::Object(_), _) => {
                let mut inner = Map::new();
                merge(&mut inner, value);
                part.insert(key.clone(), Value::Object(inner));
            }
            (value, _) => drop(part.insert(key.clone(), value.clone())),
        }
    }
}

/// A packet of the server in words.
fn describe(packet: &Packet<'_>) -> String {
    let kind = packet.kind();
    match packet {
        Packet::ConnAck(answer) => {
            let present = if answer.session_present {
                ", session present"
            } else {
                ""
            };
            format!("{kind} {}{present}", answer.code)
        }
        Packet::Publish(publish) => {
            let id = publish
                .packet_id
                .map(|id| format!(" id {id}"))
                .unwrap_or_default();
            let payload = String::from_utf8_lossy(publish.payload);
            let payload = payload.trim_end();
            format!("{kind}{id}, {}, {}: {payload}", publish.qos, publish.topic)
        }
        Packet::SubAck(answer) => format!("{kind} id {}", answer.packet_id),
        Packet::UnsubAck(answer) => format!("{kind} id {}", answer.packet_id),
        Packet::PubAck(answer) => format!("{kind} id {}", answer.packet_id),
        Packet::PubRec(answer) => format!("{kind} id {}", answer.packet_id),
        Packet::PubRel(answer) => format!("{kind} id {}", answer.packet_id),
        Packet::PubComp(answer) => format!("{kind} id {}", answer.packet_id),
        _ => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use shadow_core::mqtt::{Publish, QoS};

    use super::*;

    fn sent(documents: &mut Documents, payload: &str) {
        let mut bytes = Vec::new();
        let publish = Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic: "$shadow/operation/result/PRODUCT001/lamp",
            packet_id: None,
            payload: payload.as_bytes(),
        };
        publish.encode(&mut bytes).unwrap();
        documents.received(&bytes);
    }

    #[test]
    fn a_document_is_what_was_last_shown_of_it() {
        let mut documents = Documents::new(ProtocolVersion::V311);
        let state = |documents: &Documents| {
            let document = &documents.shown()[0];
            (document.version, document.state())
        };
        sent(
            &mut documents,
            r#"{"type":"get","result":0,"payload":{"version":3,"state":{"reported":{"a":{"b":1,"c":2}},"desired":{"d":1}}}}"#,
        );
        sent(
            &mut documents,
            r#"{"type":"update","result":0,"payload":{"version":4,"state":{"reported":{"a":{"b":null}},"desired":null}}}"#,
        );
        assert_eq!(
            state(&documents),
            (4, r#"{"desired":{},"reported":{"a":{"c":2}}}"#.to_owned())
        );
        sent(
            &mut documents,
            r#"{"type":"delta","payload":{"version":5,"state":{"e":{"f":2}}}}"#,
        );
        // This one is late.
        sent(
            &mut documents,
            r#"{"type":"update","result":0,"payload":{"version":4,"state":{"desired":null}}}"#,
        );
        assert_eq!(
            state(&documents),
            (
                5,
                r#"{"desired":{"e":{"f":2}},"reported":{"a":{"c":2}}}"#.to_owned()
            )
        );
        sent(
            &mut documents,
            r#"{"type":"update","result":5005,"payload":{"version":9,"state":{"reported":{"x":1}}}}"#,
        );
        assert_eq!(
            state(&documents),
            (9, r#"{"desired":{},"reported":{"x":1}}"#.to_owned())
        );
    }
}
