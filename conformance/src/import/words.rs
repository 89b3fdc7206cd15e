//! Statements in the log's own words.

use crate::log::{Payload, Statement};

/// The line as the SDK prints it, in backquotes, with topics and documents as they are.
pub(super) fn describe(statement: &Statement) -> String {
    let bit = |flag: &bool| u8::from(*flag);
    let text = match statement {
        Statement::SendingConnect {
            user_name,
            password,
            will_retain,
            will_qos,
            will,
            clean_session,
            keep_alive,
            client_id,
        } => format!(
            "Sending CONNECT (u{}, p{}, wr{}, wq{will_qos}, wf{}, c{}, k{keep_alive}) \
             client_id={client_id}",
            bit(user_name),
            bit(password),
            bit(will_retain),
            bit(will),
            bit(clean_session)
        ),
        Statement::OnConnect { flags, rc } => format!("on_connect:flags:{flags},rc:{rc}"),
        Statement::OnDisconnect { rc: 0 } => "on_disconnect:rc:0".to_owned(),
        Statement::OnDisconnect { .. } => "on_disconnect with an error".to_owned(),
        Statement::StateError { state } => format!("state error:{state}"),
        Statement::SendingSubscribe {
            dup,
            message_number,
            filters,
        } => format!(
            "Sending SUBSCRIBE (d{}, m{message_number}) {filters:?}",
            bit(dup)
        ),
        Statement::SubscribeSuccess { filters } => {
            format!("subscribe success topic:{}", filters.join(", "))
        }
        Statement::OnSubscribe {
            message_number,
            granted_qos,
        } => format!("on_subscribe of m{message_number} with granted QoS {granted_qos}"),
        Statement::SendingUnsubscribe {
            dup,
            message_number,
            filters,
        } => format!(
            "Sending UNSUBSCRIBE (d{}, m{message_number}) {filters:?}",
            bit(dup)
        ),
        Statement::OnUnsubscribe { message_number } => {
            format!("on_unsubscribe:mid:{message_number}")
        }
        Statement::SendingPublish {
            dup,
            qos,
            retain,
            message_number,
            topic,
            length,
        } => format!(
            "Sending PUBLISH (d{}, q{qos}, r{}, m{message_number}), {topic}, ({length} bytes)",
            bit(dup),
            bit(retain)
        ),
        Statement::PublishSuccess => "publish success".to_owned(),
        Statement::OnPublish { message_number } => format!("on_publish:mid:{message_number}"),
        Statement::SendingPubAck { message_number } => {
            format!("Sending PUBACK (Mid: {message_number})")
        }
        Statement::SendingPubRec { message_number } => {
            format!("Sending PUBREC (Mid: {message_number})")
        }
        Statement::SendingPubRel { message_number } => {
            format!("Sending PUBREL (Mid: {message_number})")
        }
        Statement::SendingPubComp { message_number } => {
            format!("Sending PUBCOMP (Mid: {message_number})")
        }
        Statement::OnPayload { function, payload } if function.is_empty() => {
            return format!("the callback of {}", text_of(payload));
        }
        Statement::OnPayload { function, payload } => {
            format!("{function}:payload:{}", text_of(payload))
        }
        Statement::OnMessage { topic, payload, .. } => {
            format!("on_message:topic:{topic},payload:{}", text_of(payload))
        }
        Statement::SendingPingReq => "Sending PINGREQ".to_owned(),
        Statement::SendingDisconnect => "Sending DISCONNECT".to_owned(),
        other => return format!("a line `{}`", other.name()),
    };
    format!("`{text}`")
}

fn text_of(payload: &Payload) -> &str {
    match payload {
        Payload::Json(text) | Payload::Text(text) => text,
    }
}
