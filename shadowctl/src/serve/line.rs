//! What a server has to tell, as people read it and as scripts do.

use std::fmt;

use serde::Serialize;
use shadow_core::tencent::{Message, ShadowName, reply};
use transport_mock::application;
use transport_mock::bridge::BridgeEvent;
use transport_mock::cloud::Response;
use transport_mock::server::ServerEvent;

use crate::document::{Compact, Printable, UtcTime};
use crate::output::{ERROR, FAINT, GOOD, RECEIVED, SENT};

/// One line.
#[derive(Serialize)]
pub(super) struct Line {
    /// Milliseconds since 1970.
    pub(super) time: u64,
    #[serde(flatten)]
    pub(super) what: What,
}

/// What happened. The names are the `event` of the JSON form.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum What {
    Listening {
        address: String,
        /// Where it listens for WebSocket.
        #[serde(skip_serializing_if = "Option::is_none")]
        websocket: Option<String>,
        tls: bool,
        devices: Vec<String>,
        /// How many devices of a fleet are let in beside them.
        #[serde(skip_serializing_if = "Option::is_none")]
        fleet: Option<u32>,
    },
    Connected {
        client_id: String,
        protocol: String,
        session_present: bool,
    },
    LoginRefused {
        client_id: Option<String>,
        why: String,
    },
    ConnectionFailed {
        peer: Option<String>,
        why: String,
    },
    Subscribed {
        client_id: String,
        filter: String,
    },
    SubscriptionRefused {
        client_id: String,
        filter: String,
    },
    Unsubscribed {
        client_id: String,
        filter: String,
    },
    Request {
        from: Side,
        shadow: String,
        payload: Compact,
    },
    Reply {
        to: Side,
        shadow: String,
        result: i64,
        version: Option<u64>,
    },
    Delta {
        shadow: String,
        version: Option<u64>,
        state: Compact,
    },
    Message {
        client_id: String,
        topic: String,
        bytes: usize,
    },
    PublishForbidden {
        client_id: String,
        topic: String,
    },
    Dropped {
        client_id: String,
        topic: String,
    },
    Disconnected {
        client_id: String,
        why: String,
    },
    Online {
        broker: String,
        qos: u8,
    },
    Offline {
        why: String,
        retry_in_ms: u128,
    },
    Ignored {
        topic: String,
        why: String,
    },
    Unacknowledged {
        topic: String,
        why: String,
    },
    Undelivered {
        topic: String,
        why: String,
    },
    Missed {
        count: u64,
    },
    Other {
        text: String,
    },
}

impl What {
    /// Whether it is what a server is there for, and no trouble.
    pub(super) fn is_routine(&self) -> bool {
        matches!(
            self,
            What::Connected { .. }
                | What::Subscribed { .. }
                | What::Unsubscribed { .. }
                | What::Request { .. }
                | What::Reply { .. }
                | What::Delta { .. }
                | What::Message { .. }
                | What::Disconnected { .. }
        )
    }
}

/// Who talks to a shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Side {
    Device,
    Application,
}

/// Whose shadow a request on this topic is for, and who asks.
pub(super) fn addressee(topic: &str) -> Option<(Side, ShadowName)> {
    let device = ShadowName::from_operation_topic(topic).map(|name| (Side::Device, name));
    let application = || application::from_request_topic(topic);
    device.or_else(|| application().map(|name| (Side::Application, name)))
}

fn request(side: Side, name: &ShadowName, payload: &[u8]) -> What {
    What::Request {
        from: side,
        shadow: name.to_string(),
        payload: Compact::from_text(&String::from_utf8_lossy(payload)),
    }
}

impl From<ServerEvent> for What {
    fn from(event: ServerEvent) -> What {
        match event {
            ServerEvent::Connected {
                client_id,
                version,
                session_present,
                ..
            } => What::Connected {
                client_id,
                protocol: version.to_string(),
                session_present,
            },
            ServerEvent::Refused {
                client_id, refusal, ..
            } => What::LoginRefused {
                client_id,
                why: refusal.to_string(),
            },
            ServerEvent::Subscribed {
                client_id,
                filter,
                granted: Some(_),
            } => What::Subscribed { client_id, filter },
            ServerEvent::Subscribed {
                client_id,
                filter,
                granted: None,
            } => What::SubscriptionRefused { client_id, filter },
            ServerEvent::Unsubscribed { client_id, filter } => {
                What::Unsubscribed { client_id, filter }
            }
            ServerEvent::Published { client_id, message } => match addressee(&message.topic) {
                Some((side, name)) => request(side, &name, &message.payload),
                None => What::Message {
                    client_id,
                    topic: message.topic,
                    bytes: message.payload.len(),
                },
            },
            ServerEvent::PublishForbidden { client_id, topic } => {
                What::PublishForbidden { client_id, topic }
            }
            ServerEvent::Dropped {
                client_id, topic, ..
            } => What::Dropped { client_id, topic },
            ServerEvent::Disconnected {
                client_id,
                departure,
                ..
            } => What::Disconnected {
                client_id,
                why: departure.to_string(),
            },
            ServerEvent::EventsLost { count } => What::Missed { count },
            other => What::Other {
                text: format!("{other:?}"),
            },
        }
    }
}

impl What {
    /// What a bridge to the broker of this name tells: a request is followed by what came of it.
    pub(super) fn of_bridge(broker: &str, event: BridgeEvent) -> Vec<What> {
        let what = match event {
            BridgeEvent::Online { granted } => What::Online {
                broker: broker.into(),
                qos: granted.number(),
            },
            BridgeEvent::Offline { cause, retry_in } => What::Offline {
                why: cause.to_string(),
                retry_in_ms: retry_in.as_millis(),
            },
            BridgeEvent::Handled {
                request: message,
                responses,
            } => {
                let Some((side, name)) = addressee(&message.topic) else {
                    return Vec::new();
                };
                let asked = request(side, &name, &message.payload);
                let answered = responses
                    .iter()
                    .map(|response| answer(side, &name, response));
                return std::iter::once(asked).chain(answered).collect();
            }
            BridgeEvent::Ignored { topic, reason } => What::Ignored {
                topic,
                why: reason.to_string(),
            },
            BridgeEvent::MessagesLost { count } => What::Missed { count },
            BridgeEvent::Unacknowledged { topic, error } => What::Unacknowledged {
                topic,
                why: error.to_string(),
            },
            BridgeEvent::Undelivered { topic, error } => What::Undelivered {
                topic,
                why: error.to_string(),
            },
            other => What::Other {
                text: format!("{other:?}"),
            },
        };
        vec![what]
    }
}

fn answer(side: Side, name: &ShadowName, response: &Response) -> What {
    match reply::parse(&response.payload) {
        Ok(Message::Reply { result, body, .. }) => What::Reply {
            to: side,
            shadow: name.to_string(),
            result,
            version: body.version(),
        },
        Ok(Message::Delta { body }) => {
            let document = body.to_document();
            What::Delta {
                shadow: name.to_string(),
                version: document.version(),
                state: Compact::from_text(document.state().unwrap_or("{}")),
            }
        }
        // A request that is none is answered without saying what was asked.
        Err(_) => What::Reply {
            to: side,
            shadow: name.to_string(),
            result: refusal_code(&response.payload),
            version: None,
        },
    }
}

/// The `result` of a reply that has no type.
fn refusal_code(payload: &[u8]) -> i64 {
    #[derive(serde::Deserialize)]
    struct Refusal {
        result: i64,
    }
    serde_json::from_slice(payload).map_or(-1, |refusal: Refusal| refusal.result)
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FAINT}{}{FAINT:#}  {}", UtcTime(self.time), self.what)
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Device => "the device",
            Side::Application => "an application",
        })
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Listening {
                address,
                websocket,
                tls,
                devices,
                fleet,
            } => {
                let transport = if *tls { "TLS" } else { "TCP" };
                write!(f, "{GOOD}listening{GOOD:#} on {address} ({transport})")?;
                if let Some(websocket) = websocket {
                    write!(f, " and {websocket} (WebSocket over {transport})")?;
                }
                write!(f, " for {}", devices.join(", "))?;
                match fleet {
                    Some(fleet) => write!(f, ", and a fleet of {fleet}"),
                    None => Ok(()),
                }
            }
            What::Connected {
                client_id,
                protocol,
                ..
            } => write!(
                f,
                "{GOOD}{}{GOOD:#} connected ({protocol})",
                Printable(client_id)
            ),
            What::LoginRefused { client_id, why } => {
                let who = client_id.as_deref().unwrap_or("somebody");
                write!(f, "{ERROR}{}{ERROR:#} refused: {why}", Printable(who))
            }
            What::ConnectionFailed { peer, why } => {
                let peer = peer.as_deref().unwrap_or("a connection");
                write!(f, "{ERROR}{peer}{ERROR:#} failed: {}", Printable(why))
            }
            What::Subscribed { client_id, filter } => {
                write!(
                    f,
                    "{} subscribed {}",
                    Printable(client_id),
                    Printable(filter)
                )
            }
            What::SubscriptionRefused { client_id, filter } => write!(
                f,
                "{ERROR}{}{ERROR:#} may not subscribe {}",
                Printable(client_id),
                Printable(filter)
            ),
            What::Unsubscribed { client_id, filter } => {
                write!(
                    f,
                    "{} unsubscribed {}",
                    Printable(client_id),
                    Printable(filter)
                )
            }
            What::Request {
                from,
                shadow,
                payload,
            } => write!(
                f,
                "{RECEIVED}request{RECEIVED:#} to {shadow} from {from}: {}",
                Printable(payload.as_str())
            ),
            What::Reply {
                to,
                shadow,
                result,
                version,
            } => {
                write!(f, "{SENT}reply{SENT:#} of {shadow} to {to}: ")?;
                match result {
                    0 => write!(f, "accepted")?,
                    code => write!(f, "{ERROR}refused with result {code}{ERROR:#}")?,
                }
                at_version(f, *version)
            }
            What::Delta {
                shadow,
                version,
                state,
            } => {
                write!(f, "{SENT}delta{SENT:#} of {shadow} to the device: ")?;
                write!(f, "{}", Printable(state.as_str()))?;
                at_version(f, *version)
            }
            What::Message {
                client_id,
                topic,
                bytes,
            } => write!(
                f,
                "{} published {bytes} bytes on {}",
                Printable(client_id),
                Printable(topic)
            ),
            What::PublishForbidden { client_id, topic } => write!(
                f,
                "{ERROR}{}{ERROR:#} may not publish on {}; the message went nowhere",
                Printable(client_id),
                Printable(topic)
            ),
            What::Dropped { client_id, topic } => write!(
                f,
                "{ERROR}dropped{ERROR:#} a message on {} for {}, which is too slow",
                Printable(topic),
                Printable(client_id)
            ),
            What::Disconnected { client_id, why } => {
                write!(f, "{} is gone: {why}", Printable(client_id))
            }
            What::Online { broker, qos } => {
                write!(f, "{GOOD}online{GOOD:#} at {broker}: shadows are served")?;
                match qos {
                    0 => write!(f, " (it grants QoS 0 only, so requests can get lost)"),
                    _ => Ok(()),
                }
            }
            What::Offline { why, retry_in_ms } => {
                write!(f, "{ERROR}offline{ERROR:#}: {}", Printable(why))?;
                write!(f, "; documents are kept, trying again in {retry_in_ms} ms")
            }
            What::Ignored { topic, why } => {
                write!(
                    f,
                    "{ERROR}ignored{ERROR:#} a message on {}: {why}",
                    Printable(topic)
                )
            }
            What::Unacknowledged { topic, why } => write!(
                f,
                "{ERROR}not acknowledged{ERROR:#} by the broker, to be sent again: a response on \
                 {}: {why}",
                Printable(topic)
            ),
            What::Undelivered { topic, why } => write!(
                f,
                "{ERROR}not delivered{ERROR:#}: a response on {}: {why}",
                Printable(topic)
            ),
            What::Missed { count } => write!(f, "{ERROR}missed{ERROR:#} {count} events"),
            What::Other { text } => write!(f, "{}", Printable(text)),
        }
    }
}

fn at_version(f: &mut fmt::Formatter<'_>, version: Option<u64>) -> fmt::Result {
    match version {
        Some(version) => write!(f, " (version {version})"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use shadow_core::mqtt::QoS;

    use super::*;

    #[test]
    fn a_request_is_followed_by_what_came_of_it() {
        let desire = r#"{"type":"desire","desired":{"a":1},"clientToken":"t"}"#;
        let mut service = transport_mock::service::ShadowService::new();
        let topic = "$shadow/application/P/d";
        let wall = shadow_core::WallTime::from_unix_millis(0);
        let responses =
            transport_mock::cloud::dispatch(&mut service, wall, topic, desire.as_bytes());
        let request = shadow_core::event::Message {
            topic: topic.into(),
            payload: desire.into(),
            qos: QoS::AtLeastOnce,
            retain: false,
            duplicate: false,
        };
        let lines = What::of_bridge("b:1", BridgeEvent::Handled { request, responses });
        let texts: Vec<String> = lines
            .iter()
            .map(|what| serde_json::to_string(what).unwrap())
            .collect();
        assert_eq!(
            texts,
            [
                concat!(
                    r#"{"event":"request","from":"application","shadow":"P/d","payload":"#,
                    r#"{"type":"desire","desired":{"a":1},"clientToken":"t"}}"#
                ),
                r#"{"event":"reply","to":"application","shadow":"P/d","result":0,"version":1}"#,
                r#"{"event":"delta","shadow":"P/d","version":1,"state":{"a":1}}"#,
            ]
        );
    }

    #[test]
    fn what_is_no_request_is_shown_and_its_refusal_too() {
        let mut service = transport_mock::service::ShadowService::new();
        let (topic, payload) = ("$shadow/operation/P/d", b"\xffno\x1b[31m");
        let wall = shadow_core::WallTime::from_unix_millis(0);
        let responses = transport_mock::cloud::dispatch(&mut service, wall, topic, payload);
        let request = shadow_core::event::Message {
            topic: topic.into(),
            payload: payload.to_vec(),
            qos: QoS::AtMostOnce,
            retain: false,
            duplicate: false,
        };
        let lines = What::of_bridge("b:1", BridgeEvent::Handled { request, responses });
        let [What::Request { .. }, What::Reply { result: 9000, .. }] = &lines[..] else {
            panic!("{lines:?}");
        };
        let text = lines[0].to_string();
        assert!(
            !text.contains("\x1b[31mn") && text.contains("no"),
            "{text:?}"
        );
    }
}
