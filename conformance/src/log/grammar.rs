//! From the text of a message to its [`Statement`].
//!
//! Every form is one format string of the SDK or of paho 1.5.1 (`_easy_log`), read from its first
//! character to its last. A message that begins like a known one and goes on differently is
//! [`Statement::Unknown`].

use super::chatter;
use super::python_literal::{self, JsonStyle};
use super::scan::{Mismatch, Parsed, Scan, because, mismatch};
use super::statement::{Payload, Statement};

/// Openings of the forms that are read here, for telling a torn line from an unknown one.
const OPENINGS: &[&str] = &[
    "LoopThread thread e",
    "connect_async",
    "mqtt reconnect error:",
    "failed to receive on socket: ",
    "Sending ",
    "Received ",
    "on_connect:",
    "on_disconnect:",
    "on_subscribe:",
    "on_unsubscribe:",
    "on_publish:",
    "on_message:",
    "on_shadow_cb:",
    "state error:",
    "subscribe success topic:",
    "subscribe error topic:",
    "[shadow update] ",
    "pub topic:",
    "publish success",
    "publish failed",
    "thread runnable raise exception:",
    "disconnect",
    "app: ",
];

/// What the message says.
pub(super) fn parse(message: &str) -> Statement {
    match known(message) {
        Ok(statement) => statement,
        Err(Mismatch { reason }) => {
            chatter::recognize(message).unwrap_or_else(|| Statement::Unknown {
                text: message.to_owned(),
                reason,
            })
        }
    }
}

/// Whether the message is the beginning of a known form, so that it may have been cut short.
pub(super) fn may_be_torn(message: &str) -> bool {
    OPENINGS
        .iter()
        .any(|opening| opening.starts_with(message) || message.starts_with(opening))
        || chatter::begins(message)
}

fn known(message: &str) -> Parsed<Statement> {
    let trimmed = message.trim_end();
    let mut scan = Scan::new(trimmed);
    if scan.opens("Sending ") {
        return sending(scan);
    }
    if scan.opens("Received ") {
        return received(scan);
    }
    if scan.opens("on_") {
        // A callback may also be one that the application named so; that form comes last.
        return callback(scan).or_else(|mismatch| match mismatch.reason {
            Some(_) => Err(mismatch),
            None => payload_callback(trimmed),
        });
    }
    if scan.opens("[shadow update] ") {
        let json = python_literal::json(scan.rest(), JsonStyle::PythonDumps)
            .or_else(|error| scan.literal_mismatch(&error))?;
        return Ok(Statement::ShadowUpdate { json });
    }
    if scan.opens("connect_async") {
        return connect_async(scan);
    }
    if scan.opens("pub topic:") {
        let topic = scan.until(",payload:")?.to_owned();
        let payload = scan.payload(",qos:")?;
        let qos = scan.qos()?;
        scan.end()?;
        return Ok(Statement::PublishCall {
            topic,
            payload,
            qos,
        });
    }
    if scan.opens("subscribe success topic:") {
        return Ok(Statement::SubscribeSuccess {
            filters: filters_of_call(scan)?,
        });
    }
    if scan.opens("subscribe error topic:") {
        return Ok(Statement::SubscribeError {
            filters: filters_of_call(scan)?,
        });
    }
    if let Some(text) = message.strip_prefix("app: ") {
        return Ok(Statement::AppRemark {
            text: text.to_owned(),
        });
    }
    if let Some(text) = trimmed.strip_prefix("thread runnable raise exception:") {
        return Ok(Statement::CallbackError {
            text: text.to_owned(),
        });
    }
    let one_line = |text: &str| {
        if text.contains('\n') {
            mismatch()
        } else {
            Ok(text.to_owned())
        }
    };
    if let Some(text) = trimmed.strip_prefix("mqtt reconnect error:") {
        return Ok(Statement::ReconnectError {
            text: one_line(text)?,
        });
    }
    if let Some(text) = trimmed.strip_prefix("failed to receive on socket: ") {
        return Ok(Statement::SocketError {
            text: one_line(text)?,
        });
    }
    if let Some(state) = trimmed.strip_prefix("state error:") {
        if !state.starts_with("<HubState.") || !state.ends_with('>') {
            return because("no state of the SDK's".to_owned());
        }
        return Ok(Statement::StateError {
            state: one_line(state)?,
        });
    }
    match trimmed {
        "LoopThread thread enter" => Ok(Statement::ThreadEnter),
        "LoopThread thread exit" => Ok(Statement::ThreadExit),
        "publish success" => Ok(Statement::PublishSuccess),
        "publish failed" => Ok(Statement::PublishFailed),
        "disconnect" => Ok(Statement::Disconnect),
        _ => payload_callback(trimmed),
    }
}

fn connect_async(mut scan: Scan<'_>) -> Parsed<Statement> {
    if scan.opens("...") {
        let port = scan.number()?;
        scan.end()?;
        return Ok(Statement::ConnectAsync { host: None, port });
    }
    scan.expect(" (")?;
    let Some((host, port)) = scan
        .rest()
        .strip_suffix(')')
        .and_then(|inner| inner.rsplit_once(':'))
    else {
        return mismatch();
    };
    let mut scan = Scan::new(port);
    let port = scan.number()?;
    scan.end()?;
    Ok(Statement::ConnectAsync {
        host: Some(host.to_owned()),
        port,
    })
}

fn sending(mut scan: Scan<'_>) -> Parsed<Statement> {
    let packet = scan.word();
    match packet {
        "CONNECT" => {
            scan.expect(" (u")?;
            let user_name = scan.flag()?;
            scan.expect(", p")?;
            let password = scan.flag()?;
            scan.expect(", wr")?;
            let will_retain = scan.flag()?;
            scan.expect(", wq")?;
            let will_qos = scan.qos()?;
            scan.expect(", wf")?;
            let will = scan.flag()?;
            scan.expect(", c")?;
            let clean_session = scan.flag()?;
            scan.expect(", k")?;
            let keep_alive = scan.number()?;
            scan.expect(") client_id=")?;
            let client_id = scan.bytes_as_text()?;
            scan.end()?;
            Ok(Statement::SendingConnect {
                user_name,
                password,
                will_retain,
                will_qos,
                will,
                clean_session,
                keep_alive,
                client_id,
            })
        }
        "SUBSCRIBE" => {
            let (dup, message_number) = scan.dup_and_number()?;
            let filters = scan.list(|scan| {
                scan.expect("(")?;
                let filter = scan.bytes_as_text()?;
                scan.expect(", ")?;
                let qos = scan.qos()?;
                scan.expect(")")?;
                Ok((filter, qos))
            })?;
            scan.end()?;
            Ok(Statement::SendingSubscribe {
                dup,
                message_number,
                filters,
            })
        }
        "UNSUBSCRIBE" => {
            let (dup, message_number) = scan.dup_and_number()?;
            let filters = scan.list(Scan::bytes_as_text)?;
            scan.end()?;
            Ok(Statement::SendingUnsubscribe {
                dup,
                message_number,
                filters,
            })
        }
        "PUBLISH" => {
            let (dup, qos, retain, message_number) = scan.publish_flags()?;
            let topic = scan.bytes_as_text()?;
            let length = if scan.opens("' (NULL payload)") {
                0
            } else {
                scan.expect("', ... (")?;
                let length = scan.number()?;
                scan.expect(" bytes)")?;
                length
            };
            scan.end()?;
            Ok(Statement::SendingPublish {
                dup,
                qos,
                retain,
                message_number,
                topic,
                length,
            })
        }
        "PINGREQ" | "DISCONNECT" => {
            scan.end()?;
            Ok(match packet {
                "PINGREQ" => Statement::SendingPingReq,
                _ => Statement::SendingDisconnect,
            })
        }
        _ => {
            let message_number = scan.acknowledged()?;
            match packet {
                "PUBACK" => Ok(Statement::SendingPubAck { message_number }),
                "PUBREC" => Ok(Statement::SendingPubRec { message_number }),
                "PUBREL" => Ok(Statement::SendingPubRel { message_number }),
                "PUBCOMP" => Ok(Statement::SendingPubComp { message_number }),
                _ => mismatch(),
            }
        }
    }
}

fn received(mut scan: Scan<'_>) -> Parsed<Statement> {
    let packet = scan.word();
    match packet {
        "CONNACK" => {
            scan.expect(" (")?;
            let flags = scan.number()?;
            scan.expect(", ")?;
            let code = scan.number()?;
            scan.expect(")")?;
            scan.end()?;
            Ok(Statement::ReceivedConnAck { flags, code })
        }
        "PUBLISH" => {
            let (dup, qos, retain, message_number) = scan.publish_flags()?;
            // The topic is printed bare, so it ends where the last possible end begins.
            let Some((topic, tail)) = scan.rest().rsplit_once("', ...  (") else {
                return mismatch();
            };
            let mut scan = Scan::new(tail);
            let length = scan.number()?;
            scan.expect(" bytes)")?;
            scan.end()?;
            let topic = topic.to_owned();
            Ok(Statement::ReceivedPublish {
                dup,
                qos,
                retain,
                message_number,
                topic,
                length,
            })
        }
        "SUBACK" | "PINGRESP" => {
            scan.end()?;
            Ok(match packet {
                "SUBACK" => Statement::ReceivedSubAck,
                _ => Statement::ReceivedPingResp,
            })
        }
        _ => {
            let message_number = scan.acknowledged()?;
            match packet {
                "UNSUBACK" => Ok(Statement::ReceivedUnsubAck { message_number }),
                "PUBACK" => Ok(Statement::ReceivedPubAck { message_number }),
                "PUBREC" => Ok(Statement::ReceivedPubRec { message_number }),
                "PUBREL" => Ok(Statement::ReceivedPubRel { message_number }),
                "PUBCOMP" => Ok(Statement::ReceivedPubComp { message_number }),
                _ => mismatch(),
            }
        }
    }
}

/// The callbacks of `registerMqttCallback`, as every sample of the SDK prints them.
fn callback(mut scan: Scan<'_>) -> Parsed<Statement> {
    if scan.opens("connect:flags:") {
        let flags = scan.number()?;
        scan.expect(",rc:")?;
        let rc = scan.number()?;
        scan.user_data()?;
        return Ok(Statement::OnConnect { flags, rc });
    }
    if scan.opens("disconnect:rc:") {
        let rc = scan.signed()?;
        scan.user_data()?;
        return Ok(Statement::OnDisconnect { rc });
    }
    if scan.opens("publish:mid:") {
        let message_number = scan.number()?;
        scan.user_data()?;
        return Ok(Statement::OnPublish { message_number });
    }
    if scan.opens("unsubscribe:mid:") {
        let message_number = scan.number()?;
        scan.user_data()?;
        return Ok(Statement::OnUnsubscribe { message_number });
    }
    if scan.opens("subscribe:mid:") {
        let first: u16 = scan.number()?;
        scan.expect(",granted_qos:")?;
        let second: u16 = scan.number()?;
        scan.user_data()?;
        let read = |message_number: u16, qos: u16| {
            let granted_qos = u8::try_from(qos)
                .ok()
                .filter(|qos| matches!(qos, 0..=2 | 128))?;
            (message_number > 0).then_some(Statement::OnSubscribe {
                message_number,
                granted_qos,
            })
        };
        // Swapped as the SDK passes them; the right way round only if that cannot be.
        return match read(second, first).or_else(|| read(first, second)) {
            Some(statement) => Ok(statement),
            None => because("neither number can be the granted QoS".to_owned()),
        };
    }
    if scan.opens("message:topic:") {
        return on_message(scan);
    }
    mismatch()
}

fn on_message(mut scan: Scan<'_>) -> Parsed<Statement> {
    let topic = scan.until(",payload:")?.to_owned();
    let payload = scan.payload(",qos:")?;
    let declared = scan.position;
    if let Ok(qos) = scan.qos().and_then(|qos| scan.user_data().map(|()| qos)) {
        return Ok(Statement::OnMessage {
            topic,
            payload,
            qos,
        });
    }
    // The sample declares (topic, payload, qos), the SDK passes (topic, qos, payload).
    let qos = match payload {
        Payload::Json(json) => match json.as_str() {
            "0" => 0,
            "1" => 1,
            "2" => 2,
            _ => return because("neither payload nor qos is a QoS".to_owned()),
        },
        Payload::Text(_) => return because("neither payload nor qos is a QoS".to_owned()),
    };
    scan.position = declared;
    let payload = scan.payload(",userdata:")?;
    scan.one_line()?;
    Ok(Statement::OnMessage {
        topic,
        payload,
        qos,
    })
}

/// `FUNCTION:payload:..,userdata:..` of any function. The data-template samples say `params`, and
/// some put the module before the function: `product_1:FUNCTION`.
fn payload_callback(message: &str) -> Parsed<Statement> {
    let mut scan = Scan::new(message);
    let mut function = scan.word();
    while !(scan.opens(":payload:") || scan.opens(":params:")) {
        if function.is_empty() || !scan.opens(":") || scan.word().is_empty() {
            return mismatch();
        }
        function = message.get(..scan.position).unwrap_or_default();
    }
    if function.is_empty() {
        return mismatch();
    }
    let payload = scan.payload(",userdata:")?;
    scan.one_line()?;
    Ok(Statement::OnPayload {
        function: function.to_owned(),
        payload,
    })
}

/// The filters of a subscribe call: one bare filter, or the list of pairs that was passed.
fn filters_of_call(mut scan: Scan<'_>) -> Parsed<Vec<String>> {
    if !scan.rest().starts_with("[(") {
        return Ok(vec![scan.rest().to_owned()]);
    }
    let filters = scan.list(|scan| {
        scan.expect("(")?;
        let filter = scan.string()?;
        scan.expect(", ")?;
        scan.qos()?;
        scan.expect(")")?;
        Ok(filter)
    })?;
    scan.end()?;
    Ok(filters)
}

#[cfg(test)]
#[path = "grammar_tests.rs"]
mod tests;
