//! Packets, both ways.

use serde::Deserialize;
use serde_json::value::RawValue;
use shadow_core::mqtt::{
    Incoming, Packet, PacketKind, ProtocolVersion, Publish, QoS, SubscribeReturnCode,
};
use shadow_core::tencent::request::parse_request;
use shadow_core::tencent::{Message, Operation, Part, ShadowName, VERSION_CONFLICT, reply};

use super::document::{Saying, Update};
use super::exchange::{OpenRequest, expected_answer};
use super::line::{Fields, LineError};
use super::step::{Content, Kind, Link, Route, Step};
use super::teller::{Teller, Told};
use super::words::{of_message, of_request, shortened};
use crate::members::Members;

/// How many characters of a payload are in a step's words.
const SHOWN: usize = 160;

/// The packets in bytes that came.
pub(super) fn inbound(
    teller: &mut Teller,
    fields: &Fields<'_>,
    told: &mut Told<'_>,
) -> Result<(), LineError> {
    let bytes = fields.required("bytes", fields.bytes("bytes")?)?;
    teller.link_in_use();
    let Some(mut decoder) = teller.decoder.take() else {
        let mut step = told.step(Kind::Control, Route::CloudToDevice, "bytes");
        step.content = Some(Content::Bytes(hexadecimal(&bytes)));
        let why = match teller.link {
            Link::Down => "bytes without a connection",
            _ => "bytes after those that are not MQTT",
        };
        step.fault = Some(why.to_owned());
        told.push(step, teller.link);
        return Ok(());
    };
    let mut input = bytes.as_slice();
    loop {
        match decoder.next(&mut input) {
            Ok(None) => break,
            Ok(Some(Incoming::Packet(packet))) => received(teller, &packet, told),
            Ok(Some(Incoming::Skipped(skipped))) => {
                let mut step = told.step(Kind::Message, Route::CloudToDevice, "PUBLISH");
                step.topic = Some(skipped.topic.to_owned());
                step.detail = skipped.qos.to_string();
                step.fault = Some(format!("{} bytes: too large to be shown", skipped.size));
                told.push(step, teller.link);
            }
            Err(error) => {
                let mut step = told.step(Kind::Control, Route::CloudToDevice, "bytes");
                step.content = Some(Content::Bytes(hexadecimal(&bytes)));
                step.fault = Some(format!("not MQTT: {error}"));
                told.push(step, teller.link);
                // What follows on this link has no packet boundaries.
                return Ok(());
            }
        }
    }
    teller.decoder = Some(decoder);
    Ok(())
}

/// A packet that leaves, which stands in the line in words.
pub(super) fn outbound(
    teller: &mut Teller,
    fields: &Fields<'_>,
    told: &mut Told<'_>,
) -> Result<(), LineError> {
    let name = fields.required("packet", fields.string("packet")?)?;
    let kinds = (1..=14).filter_map(PacketKind::from_number);
    let Some(kind) = kinds.into_iter().find(|kind| kind.to_string() == name) else {
        return Err(fields.wrong("packet", "the name of an MQTT packet"));
    };
    let id: Option<u16> = fields.read("id", "a packet id")?;
    let qos = fields.u64("qos")?.and_then(|qos| u8::try_from(qos).ok());
    let qos = qos.and_then(QoS::from_number).unwrap_or_default();
    let sort = match kind {
        PacketKind::Publish => Kind::Message,
        _ => Kind::Control,
    };
    if kind != PacketKind::Connect {
        teller.link_in_use();
    }
    let mut step = told.step(sort, Route::DeviceToCloud, name);
    join(&mut step, teller, told, kind, id, qos);
    match kind {
        PacketKind::Connect => connect(&mut step, teller, fields)?,
        PacketKind::Publish => {
            let dup = fields.flag("dup")?;
            let retain = fields.flag("retain")?;
            let topic = fields.required("topic", fields.string("topic")?)?;
            step.detail = publish_detail(qos, id, dup, retain);
            let payload = payload(fields)?;
            publish(&mut step, teller, told, &topic, &payload);
            step.topic = Some(topic);
            if dup {
                step.words.insert_str(0, "again: ");
            }
            step.content = Some(content(payload));
        }
        PacketKind::Subscribe | PacketKind::Unsubscribe => {
            step.detail = id_detail(id);
            filters(&mut step, kind, fields)?;
        }
        _ => step.detail = id_detail(id),
    }
    told.push(step, teller.link);
    Ok(())
}

/// What a result code other than 0 means.
pub(super) fn rejection(code: i64) -> String {
    match code {
        VERSION_CONFLICT => format!("rejected with {code}: the version is another"),
        code => format!("rejected with {code}"),
    }
}

fn connect(step: &mut Step, teller: &mut Teller, fields: &Fields<'_>) -> Result<(), LineError> {
    let text =
        |key: &str| -> Result<String, LineError> { Ok(fields.string(key)?.unwrap_or_default()) };
    let version = text("version")?;
    let is_31 = version == ProtocolVersion::V31.to_string();
    teller.version = match is_31 {
        true => ProtocolVersion::V31,
        false => ProtocolVersion::V311,
    };
    if let Some(decoder) = &mut teller.decoder {
        decoder.set_version(teller.version);
    }
    let client_id = text("client_id")?;
    let keep_alive = fields.u64("keep_alive")?.unwrap_or(0);
    step.words = format!("as {client_id}, keep alive {keep_alive} s");
    let mut detail = vec![version];
    if let Some(user_name) = fields.string("user_name")? {
        detail.push(format!("user {user_name}"));
    }
    if fields.flag("clean_session")? {
        detail.push("clean session".to_owned());
    }
    if let Some(will) = fields.raw("will") {
        detail.push(format!("will {will}"));
    }
    step.detail = detail.join(", ");
    Ok(())
}

fn filters(step: &mut Step, kind: PacketKind, fields: &Fields<'_>) -> Result<(), LineError> {
    const EXPECTED: &str = "a list of topic filters";
    let filters: Vec<String> = if kind == PacketKind::Subscribe {
        let filters: Option<Vec<(String, u8)>> = fields.read("filters", EXPECTED)?;
        let filters = filters.unwrap_or_default().into_iter();
        filters
            .map(|(filter, qos)| format!("{filter}, QoS {qos}"))
            .collect()
    } else {
        fields.read("filters", EXPECTED)?.unwrap_or_default()
    };
    step.words = filters.join("; ");
    Ok(())
}

/// A packet that came.
fn received(teller: &mut Teller, packet: &Packet<'_>, told: &mut Told<'_>) {
    let kind = packet.kind();
    let sort = match kind {
        PacketKind::Publish => Kind::Message,
        _ => Kind::Control,
    };
    let mut step = told.step(sort, Route::CloudToDevice, kind.to_string());
    let (id, qos) = id_and_qos(packet);
    join(&mut step, teller, told, kind, id, qos);
    step.detail = id_detail(id);
    match packet {
        Packet::ConnAck(answer) => {
            step.words = answer.code.to_string();
            if answer.session_present {
                step.words.push_str(", session present");
            }
            if answer.code.number() == 0 {
                teller.link = Link::Online;
            } else {
                step.fault = Some(format!("login refused: {}", answer.code));
            }
        }
        Packet::SubAck(answer) => {
            let codes = answer.return_codes.iter().map(|code| match code {
                SubscribeReturnCode::Granted(qos) => format!("granted {qos}"),
                SubscribeReturnCode::Failure => "refused (0x80)".to_owned(),
            });
            step.words = codes.collect::<Vec<_>>().join("; ");
            let failed = |code| code == SubscribeReturnCode::Failure;
            if answer.return_codes.iter().any(failed) {
                step.fault = Some("the subscription is refused".to_owned());
            }
        }
        Packet::Publish(message) => {
            let Publish { topic, payload, .. } = *message;
            step.detail = publish_detail(qos, id, message.dup, message.retain);
            publish(&mut step, teller, told, topic, payload);
            step.topic = Some(topic.to_owned());
            step.content = Some(content(payload.to_vec()));
            if let Ok(text) = std::str::from_utf8(payload) {
                teller.keep(step.number, text);
            }
        }
        _ => {}
    }
    told.push(step, teller.link);
}

fn id_and_qos(packet: &Packet<'_>) -> (Option<u16>, QoS) {
    let (id, qos) = match packet {
        Packet::Publish(publish) => (publish.packet_id, publish.qos),
        Packet::PubAck(packet) => (Some(packet.packet_id), QoS::AtMostOnce),
        Packet::PubRec(packet) => (Some(packet.packet_id), QoS::AtMostOnce),
        Packet::PubRel(packet) => (Some(packet.packet_id), QoS::AtMostOnce),
        Packet::PubComp(packet) => (Some(packet.packet_id), QoS::AtMostOnce),
        Packet::Subscribe(packet) => (Some(packet.packet_id), QoS::AtMostOnce),
        Packet::SubAck(packet) => (Some(packet.packet_id), QoS::AtMostOnce),
        Packet::Unsubscribe(packet) => (Some(packet.packet_id), QoS::AtMostOnce),
        Packet::UnsubAck(packet) => (Some(packet.packet_id), QoS::AtMostOnce),
        Packet::Connect(_)
        | Packet::ConnAck(_)
        | Packet::PingReq
        | Packet::PingResp
        | Packet::Disconnect => (None, QoS::AtMostOnce),
    };
    (id.map(|id| id.get()), qos)
}

/// Joins a packet to the one it acknowledges.
fn join(
    step: &mut Step,
    teller: &mut Teller,
    told: &Told<'_>,
    kind: PacketKind,
    id: Option<u16>,
    qos: QoS,
) {
    let expected = expected_answer(kind, qos);
    step.expects = u8::from(expected.is_some());
    let waiting = told.next_waiting();
    let id = id.unwrap_or(0);
    let answered = teller
        .exchanges
        .packet(kind, step.route, id, expected, waiting);
    step.answers
        .extend(answered.map(|waiting| waiting.answered(told.at)));
}

/// What a PUBLISH says, and what follows from it.
fn publish(step: &mut Step, teller: &mut Teller, told: &Told<'_>, topic: &str, payload: &[u8]) {
    let understood = match step.route {
        Route::DeviceToCloud => request(step, teller, told, topic, payload),
        _ => message(step, teller, told, topic, payload),
    };
    if understood.is_none() {
        let text = String::from_utf8_lossy(payload);
        step.words = shortened(&format!("{topic}: {}", text.trim_end()), SHOWN);
    }
}

/// A request of the device's. `None` if it is none.
fn request(
    step: &mut Step,
    teller: &mut Teller,
    told: &Told<'_>,
    topic: &str,
    payload: &[u8],
) -> Option<()> {
    let shadow = shadow_of(&ShadowName::from_operation_topic(topic)?);
    let request = parse_request(payload).ok()?;
    let words = of_request(&request);
    step.words = shortened(&sentence(&words.head, &words.parts), SHOWN);
    let token = token(payload);
    if let Some(token) = &token {
        let text = |part| match part {
            Part::Absent => None,
            Part::Null => Some("null".to_owned()),
            Part::Object(text) => Some(text.to_owned()),
        };
        step.expects += 1;
        teller.exchanges.open_request(OpenRequest {
            shadow: shadow.clone(),
            token: token.clone(),
            operation: request.operation,
            update: Update {
                reported: text(request.reported),
                desired: text(request.desired),
                overwrite: request.overwrite,
            },
            waiting: told.next_waiting(),
        });
    }
    step.token = token;
    step.shadow = Some(shadow);
    Some(())
}

/// A message of the cloud's. `None` if it is none.
fn message(
    step: &mut Step,
    teller: &mut Teller,
    told: &Told<'_>,
    topic: &str,
    payload: &[u8],
) -> Option<()> {
    let shadow = shadow_of(&ShadowName::from_result_topic(topic)?);
    let message = match reply::parse(payload) {
        Ok(message) => message,
        Err(error) => {
            step.fault = Some(format!("not understood: {error}"));
            return None;
        }
    };
    let words = of_message(&message);
    step.words.clone_from(&words.head);
    match message {
        Message::Delta { body } => {
            step.words = shortened(&sentence(&words.head, &words.parts), SHOWN);
            let document = body.to_document();
            let state = document.state().unwrap_or("{}");
            teller.hear(step, &shadow, document.version(), Saying::Delta { state });
        }
        Message::Reply {
            operation,
            token,
            result,
            body,
        } => {
            let token = token.map(std::borrow::Cow::into_owned);
            let request = token
                .as_deref()
                .and_then(|token| teller.exchanges.close_request(&shadow, operation, token));
            let waiting = request.as_ref().map(|request| request.waiting);
            step.answers
                .extend(waiting.map(|waiting| waiting.answered(told.at)));
            step.token = token;
            if result != 0 {
                step.fault = Some(rejection(result));
            }
            let document = body.to_document();
            let state = document.state();
            let whole = match operation {
                Operation::Get => result == 0,
                Operation::Update => result == VERSION_CONFLICT,
            };
            let saying = match state {
                Some(state) if whole => Some(Saying::Whole {
                    state,
                    asked: waiting.map(|waiting| waiting.step),
                }),
                _ if operation == Operation::Update && result == 0 => Some(Saying::Updated {
                    state,
                    request: request.as_ref().map(|request| &request.update),
                }),
                _ => None,
            };
            if let Some(saying) = saying {
                teller.hear(step, &shadow, document.version(), saying);
            }
        }
    }
    step.shadow = Some(shadow);
    Some(())
}

fn shadow_of(name: &ShadowName) -> String {
    format!("{}/{}", name.product_id(), name.device_name())
}

/// A request's client token; a number is its digits.
fn token(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Request<'a> {
        #[serde(borrow, rename = "clientToken")]
        client_token: Option<&'a RawValue>,
    }
    let request: Request<'_> = serde_json::from_slice(payload).ok()?;
    let raw = request.client_token?.get();
    match raw {
        "null" => None,
        raw if raw.starts_with('"') => serde_json::from_str(raw).ok(),
        raw => Some(raw.to_owned()),
    }
}

fn sentence(head: &str, parts: &[String]) -> String {
    match parts {
        [] => head.to_owned(),
        parts => format!("{head}: {}", parts.join(", ")),
    }
}

fn publish_detail(qos: QoS, id: Option<u16>, dup: bool, retain: bool) -> String {
    let mut detail = qos.to_string();
    if let Some(id) = id {
        detail.push_str(&format!(", id {id}"));
    }
    for (set, word) in [(dup, ", dup"), (retain, ", retain")] {
        if set {
            detail.push_str(word);
        }
    }
    detail
}

fn id_detail(id: Option<u16>) -> String {
    id.map_or(String::new(), |id| format!("id {id}"))
}

/// The bytes of a payload that stands in a line.
pub(super) fn payload(fields: &Fields<'_>) -> Result<Vec<u8>, LineError> {
    if let Some(bytes) = fields.bytes("payload_bytes")? {
        return Ok(bytes);
    }
    Ok(match fields.raw("payload") {
        Some(raw) if raw.starts_with('"') => {
            fields.string("payload")?.unwrap_or_default().into_bytes()
        }
        Some(raw) => raw.as_bytes().to_vec(),
        None => Vec::new(),
    })
}

fn content(payload: Vec<u8>) -> Content {
    match String::from_utf8(payload) {
        Ok(text) if Members::<String>::of(&text).is_some() => Content::Json(text),
        Ok(text) => Content::Text(text),
        Err(error) => Content::Bytes(hexadecimal(error.as_bytes())),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
