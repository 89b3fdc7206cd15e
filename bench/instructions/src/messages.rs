//! The bytes that all subjects read, and the values that all of them write.
//!
//! Topics, documents and sizes are those of the vendor's printed sessions: updates of 119 bytes
//! and replies of 218.

use std::collections::BTreeMap;

use serde::Serialize;

/// What the device publishes to.
pub(crate) const OPERATION_TOPIC: &str = "$shadow/operation/PRODUCT001/test01";
/// What the device listens to.
pub(crate) const RESULT_TOPIC: &str = "$shadow/operation/result/PRODUCT001/test01";
/// An update as the vendor's Python SDK writes it.
pub(crate) const UPDATE_119: &[u8] = br#"{"type": "update", "state": {"reported": {"updateCount": 1, "updateCount12": "shadow"}}, "clientToken": "PRODUCT001-1"}"#;
/// Who logs in.
pub(crate) const CLIENT_ID: &str = "PRODUCT001test01";
/// What of it is signed.
pub(crate) const USER_NAME: &str = "PRODUCT001test01;12010126;k3Jd8;1700003600";
/// The signature.
pub(crate) const PASSWORD: &str =
    "5f0b6bdcd1b2f1f6d1e3a7e0d8f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3;hmacsha256";
/// The packet identifier of all packets that have one.
pub(crate) const PACKET_ID: u16 = 10;
/// PUBACK, SUBACK and PINGRESP.
pub(crate) const PUBACK: [u8; 4] = [0x40, 2, 0, 10];
pub(crate) const SUBACK: [u8; 5] = [0x90, 3, 0, 10, 1];
pub(crate) const PINGRESP: [u8; 2] = [0xd0, 0];

/// What the device of the third printed session reports.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reported {
    pub(crate) update_count: u32,
    pub(crate) update_count12: &'static str,
}

pub(crate) const REPORTED: Reported = Reported {
    update_count: 1,
    update_count12: "shadow",
};

/// One sensor of many, in a document of 16 KB.
#[derive(Clone, Serialize)]
pub(crate) struct Sensor {
    value: f64,
    unit: &'static str,
    alarm: bool,
    history: [u32; 4],
    place: String,
}

/// As many sensors as make a JSON object of a little less than `bytes` bytes, none above 16 KB.
pub(crate) fn sensors(bytes: usize) -> BTreeMap<String, Sensor> {
    let mut sensors = BTreeMap::new();
    let mut size = 2;
    for number in 0_u32.. {
        let name = format!("sensor{number:03}");
        let sensor = Sensor {
            value: f64::from(number) * 0.25 + 17.5,
            unit: "celsius",
            alarm: number % 7 == 0,
            history: [number, number + 10, number * 3, 1_000 + number],
            place: format!("hall {} \"north\", rack {}", number / 10, number % 10),
        };
        let text = serde_json::to_string(&sensor).expect("a sensor has a JSON form");
        size += text.len() + name.len() + 4;
        if size > bytes {
            break;
        }
        sensors.insert(name, sensor);
    }
    sensors
}

/// The bytes of a document that leave room for what stands around it in a payload of 16 KB.
pub(crate) const LARGE: usize = 16 * 1024 - 160;

/// The reply to a get; 218 bytes if the token has 12.
pub(crate) fn get_reply(token: &str) -> String {
    get_reply_at(token, 21)
}

/// As [`get_reply`], with a document of another version.
pub(crate) fn get_reply_at(token: &str, version: u64) -> String {
    let state =
        r#"{"reported":{"updateCount":1,"updateCount11":"shadow","updateCount12":"shadow"}}"#;
    reply(token, "get", state, version)
}

/// The reply to an update, with the values that it changed.
pub(crate) fn update_reply(token: &str, version: u64) -> String {
    let state = r#"{"reported":{"updateCount":1,"updateCount12":"shadow"}}"#;
    reply(token, "update", state, version)
}

/// The reply to a get, a payload of 16 KB.
pub(crate) fn large_get_reply(token: &str) -> String {
    let reported = serde_json::to_string(&sensors(LARGE)).expect("sensors have a JSON form");
    reply(token, "get", &format!(r#"{{"reported":{reported}}}"#), 21)
}

fn reply(token: &str, operation: &str, state: &str, version: u64) -> String {
    format!(
        "{{\"clientToken\":\"{token}\",\"payload\":{{\"state\":{state},\"timestamp\":1626771521739,\
         \"version\":{version}}},\"result\":0,\"timestamp\":1626771521,\"type\":\"{operation}\"}}\n"
    )
}

/// A pushed change of `desired`, another with every second version.
pub(crate) fn delta(version: u64) -> String {
    let state = delta_state(version);
    format!(
        "{{\"type\":\"delta\",\"timestamp\":1626771521739,\"payload\":{{\"state\":{state},\
         \"version\":{version},\"timestamp\":1626771521739}}}}\n"
    )
}

/// What is changed.
pub(crate) fn delta_state(version: u64) -> &'static str {
    // All values differ, and are of one length.
    match version / 2 % 2 {
        0 => r#"{"power":"no","brightness":80,"colour":"warm"}"#,
        _ => r#"{"power":"on","brightness":95,"colour":"cool"}"#,
    }
}

/// A PUBLISH by hand (MQTT section 3.3): QoS 0, or 1 with [`PACKET_ID`].
pub(crate) fn publish(topic: &str, payload: &[u8], at_least_once: bool) -> Vec<u8> {
    let id: &[u8] = if at_least_once { &[0, 10] } else { &[] };
    let mut remaining = 2 + topic.len() + id.len() + payload.len();
    let mut bytes = vec![if at_least_once { 0x32 } else { 0x30 }];
    loop {
        let low = u8::try_from(remaining & 0x7f).unwrap_or_default();
        remaining >>= 7;
        bytes.push(if remaining > 0 { low | 0x80 } else { low });
        if remaining == 0 {
            break;
        }
    }
    bytes.extend(u16::try_from(topic.len()).unwrap_or_default().to_be_bytes());
    bytes.extend(topic.as_bytes());
    bytes.extend(id);
    bytes.extend(payload);
    bytes
}

/// The PUBLISH of a get reply of 218 bytes.
pub(crate) fn publish_218(at_least_once: bool) -> Vec<u8> {
    publish(
        RESULT_TOPIC,
        get_reply("k3Jd82hs-100").as_bytes(),
        at_least_once,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_printed_sessions() {
        assert_eq!(UPDATE_119.len(), 119);
        assert_eq!(get_reply("k3Jd82hs-100").len(), 218);
        let large = large_get_reply("k3Jd82hs-100").len();
        assert!((16_000..=16_384).contains(&large), "{large}");
    }
}
