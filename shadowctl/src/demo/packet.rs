//! What a packet says, in a few words.

use conformance::show::ShadowWords;
use serde::Deserialize;
use serde_json::value::RawValue;
use shadow_core::mqtt::{Packet, Publish, SubscribeReturnCode};
use shadow_core::tencent::ShadowName;
use transport_mock::application;

/// A packet's topic, if it is a PUBLISH, and what else it says: all but client tokens, timestamps
/// and credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Essence {
    /// In short for the four topics of a shadow, as it is for others.
    pub(super) topic: Option<String>,
    /// What it says first: one or a few words, or nothing.
    pub(super) head: String,
    /// What it carries: the parts of a shadow, each with its name.
    pub(super) parts: Vec<String>,
}

impl Essence {
    pub(super) fn of(packet: &Packet<'_>) -> Essence {
        let head = match packet {
            Packet::Publish(publish) => {
                let (head, parts) = message(publish);
                return Essence {
                    topic: Some(short_topic(publish.topic)),
                    head,
                    parts,
                };
            }
            Packet::Connect(connect) => format!(
                "as {}, keep alive {} s",
                connect.client_id, connect.keep_alive
            ),
            Packet::ConnAck(ack) => ack.code.to_string(),
            Packet::Subscribe(subscribe) => {
                let filters = subscribe.filters.iter();
                let filters = filters
                    .map(|(filter, qos)| format!("{}, QoS {}", short_topic(filter), qos.number()));
                filters.collect::<Vec<_>>().join("; ")
            }
            Packet::SubAck(ack) => {
                let codes = ack.return_codes.iter().map(|code| match code {
                    SubscribeReturnCode::Granted(qos) => format!("granted QoS {}", qos.number()),
                    SubscribeReturnCode::Failure => "refused (0x80)".to_owned(),
                });
                codes.collect::<Vec<_>>().join("; ")
            }
            _ => String::new(),
        };
        Essence {
            topic: None,
            head,
            parts: Vec::new(),
        }
    }
}

/// `operation`, `result`, `application` or `application/result`: the topic without what is the same
/// in all of them.
fn short_topic(topic: &str) -> String {
    if ShadowName::from_operation_topic(topic).is_some() {
        return "operation".to_owned();
    }
    if ShadowName::from_result_topic(topic).is_some() {
        return "result".to_owned();
    }
    if application::from_request_topic(topic).is_some() {
        return "application".to_owned();
    }
    let rest = topic.strip_prefix("$shadow/application/result/");
    match rest.map(|rest| rest.split('/').count()) {
        Some(2) => "application/result".to_owned(),
        _ => topic.to_owned(),
    }
}

/// Head and parts of a message.
fn message(publish: &Publish<'_>) -> (String, Vec<String>) {
    let Publish { topic, payload, .. } = *publish;
    let known = if application::from_request_topic(topic).is_some() {
        application_request(payload)
    } else {
        let words = match ShadowName::from_operation_topic(topic) {
            Some(_) => ShadowWords::from_device(payload),
            None => ShadowWords::from_cloud(payload),
        };
        words.map(|words| (words.head, words.parts))
    };
    known.unwrap_or_else(|| (String::from_utf8_lossy(payload).into_owned(), Vec::new()))
}

fn application_request(payload: &[u8]) -> Option<(String, Vec<String>)> {
    #[derive(Deserialize)]
    struct Request<'a> {
        r#type: &'a str,
        #[serde(borrow)]
        desired: Option<&'a RawValue>,
    }
    let request: Request<'_> = serde_json::from_slice(payload).ok()?;
    let desired = request.desired.map(|desired| desired.get().to_owned());
    Some((request.r#type.to_owned(), desired.into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use shadow_core::mqtt::QoS;

    use super::*;

    /// The payloads are those of the vendor's document 634/14072 and of this project's topics.
    #[test]
    fn payloads_lose_what_does_not_matter() {
        for (topic, payload, short, head, parts) in [
            (
                "$shadow/operation/ABC1234567/AirConditioner",
                r#"{"type":"get","clientToken":"clientToken"}"#,
                "operation",
                "get",
                &[][..],
            ),
            (
                "$shadow/operation/ABC1234567/AirConditioner",
                r#"{"type":"update","state":{"reported":{"temperature":27},"desired":null},"version":1,"clientToken":"c"}"#,
                "operation",
                "update",
                &[r#"reported {"temperature":27}"#, "desired null"],
            ),
            (
                "$shadow/operation/result/ABC1234567/AirConditioner",
                r#"{"type":"get","result":0,"timestamp":1514967088,"clientToken":"c","payload":{"state":{"reported":{"temperature":27}},"metadata":{},"timestamp":1514967088,"version":1}}"#,
                "result",
                "get ok, version 1",
                &[r#"reported {"temperature":27}"#],
            ),
            (
                "$shadow/operation/result/ABC1234567/AirConditioner",
                r#"{"type":"update","result":5005,"clientToken":"c","payload":{"state":{"reported":{"a":1}},"version":3}}"#,
                "result",
                "update rejected (5005), version 3",
                &[r#"reported {"a":1}"#],
            ),
            (
                "$shadow/operation/result/ABC1234567/AirConditioner",
                r#"{"type":"delta","timestamp":1,"payload":{"state":{"temperature":25},"version":2,"timestamp":1}}"#,
                "result",
                "delta, version 2",
                &[r#"{"temperature":25}"#],
            ),
            (
                "$shadow/application/ABC1234567/AirConditioner",
                r#"{"type":"desire","desired":{"temperature":25},"clientToken":"c"}"#,
                "application",
                "desire",
                &[r#"{"temperature":25}"#],
            ),
            (
                "$shadow/application/result/ABC1234567/AirConditioner",
                "?",
                "application/result",
                "?",
                &[],
            ),
            ("a/b", "text", "a/b", "text", &[]),
        ] {
            let publish = Publish {
                dup: false,
                qos: QoS::AtMostOnce,
                retain: false,
                topic,
                packet_id: None,
                payload: payload.as_bytes(),
            };
            let expected = Essence {
                topic: Some(short.to_owned()),
                head: head.to_owned(),
                parts: parts.iter().map(|&part| part.to_owned()).collect(),
            };
            assert_eq!(Essence::of(&Packet::Publish(publish)), expected);
        }
    }
}
