//! The application's side of a shadow over MQTT.
//!
//! The vendor serves applications over HTTP. This project gives them a pair of topics beside the
//! device's, so that a command line can change what is desired of a device on a running cloud
//! model:
//!
//! | topic | payload |
//! |---|---|
//! | `$shadow/application/{productId}/{deviceName}` | a request, from the application |
//! | `$shadow/application/result/{productId}/{deviceName}` | its reply |
//!
//! A request is one of
//!
//! ```json
//! {"type":"get","clientToken":"t"}
//! {"type":"desire","desired":{"power":true},"version":7,"clientToken":"t"}
//! {"type":"reset","clientToken":"t"}
//! ```
//!
//! `desired` is merged into the desired part; `null` clears it. `version` is optional: without it
//! or with 0 it is not checked, otherwise the change is made only if the document has that version.
//!
//! A reply has the form of a device's, so the same parser reads it: that to `desire` is an update
//! reply (`"type":"update"`, result 5005 with the whole document after a version conflict), those
//! to `get` and `reset` are get replies. `clientToken` is that of the request. The delta that a
//! change makes goes to the device's result topic, as every delta.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use shadow_core::WallTime;
use shadow_core::tencent::ShadowName;

use crate::service::ShadowService;

const REQUEST: &str = "$shadow/application/";
const RESULT: &str = "$shadow/application/result/";

/// Where the application publishes: `$shadow/application/{productId}/{deviceName}`.
#[must_use]
pub fn request_topic(name: &ShadowName) -> String {
    format!("{REQUEST}{name}")
}

/// Where its replies arrive: `$shadow/application/result/{productId}/{deviceName}`.
#[must_use]
pub fn result_topic(name: &ShadowName) -> String {
    format!("{RESULT}{name}")
}

/// Whether `topic` is the [`request_topic`] of `name`. Takes no memory.
pub(crate) fn is_request_topic(name: &ShadowName, topic: &str) -> bool {
    let rest = topic.strip_prefix(REQUEST);
    rest.and_then(|rest| rest.split_once('/')) == Some((name.product_id(), name.device_name()))
}

/// The shadow whose [`request_topic`] this is; `None` for every other topic.
#[must_use]
pub fn from_request_topic(topic: &str) -> Option<ShadowName> {
    let (product_id, device_name) = topic.strip_prefix(REQUEST)?.split_once('/')?;
    ShadowName::new(product_id, device_name).ok()
}

/// What an application asks of a shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplicationRequest<'a> {
    /// The whole document.
    Get,
    /// A change of the desired part.
    Desire {
        /// A JSON object to merge, or `null` to clear the part.
        desired: &'a str,
        /// The version that the document must have; `None` or 0 for any.
        version: Option<u64>,
    },
    /// The document as it was seeded, see [`ShadowService::reset`].
    Reset,
}

impl ApplicationRequest<'_> {
    /// The payload for [`request_topic`], compact JSON. `token` comes back in the reply.
    ///
    /// # Errors
    /// serde_json's error when `desired` is not JSON.
    pub fn to_json(&self, token: &str) -> Result<String, serde_json::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Payload<'a> {
            r#type: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            desired: Option<&'a RawValue>,
            #[serde(skip_serializing_if = "Option::is_none")]
            version: Option<u64>,
            client_token: &'a str,
        }
        let (kind, desired, version) = match *self {
            ApplicationRequest::Get => ("get", None, None),
            ApplicationRequest::Desire { desired, version } => {
                ("desire", Some(serde_json::from_str(desired)?), version)
            }
            ApplicationRequest::Reset => ("reset", None, None),
        };
        serde_json::to_string(&Payload {
            r#type: kind,
            desired,
            version,
            client_token: token,
        })
    }
}

/// What an application's request makes the service send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "both payloads have to be published"]
pub struct Answer {
    /// The payload for [`result_topic`].
    pub reply: Vec<u8>,
    /// The delta for the device's own result topic, if there is one to tell.
    pub push: Option<Vec<u8>>,
}

/// Carries out one request of an application.
///
/// Never fails: what is no request is refused by the reply's `result`, as a device's is
/// ([`ResultCode::MALFORMED`](crate::service::ResultCode::MALFORMED) and the others).
pub fn handle(
    service: &mut ShadowService,
    wall: WallTime,
    name: &ShadowName,
    payload: &[u8],
) -> Answer {
    let (request, reset_push) = match device_request(payload) {
        Some(Translated::Request(request)) => (request, None),
        Some(Translated::Reset { then }) if service.understands(&then) => {
            (then, service.reset(wall, name).push)
        }
        Some(Translated::Reset { then }) => (then, None),
        None => (refused_request(payload), None),
    };
    let mut payloads = service.handle_request(wall, name, &request).into_iter();
    Answer {
        reply: payloads.next().unwrap_or_default(),
        push: payloads.next().or(reset_push),
    }
}

/// A request in the words of a device, whose rules the service knows.
enum Translated {
    Request(Vec<u8>),
    Reset { then: Vec<u8> },
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// `None` for what is no request of an application.
fn device_request(payload: &[u8]) -> Option<Translated> {
    let members: Members<'_> = serde_json::from_slice(payload).ok()?;
    let token = members.get("clientToken").copied();
    let kind: String = serde_json::from_str(members.get("type")?.get()).ok()?;
    match kind.as_str() {
        "get" => Some(Translated::Request(write("get", None, None, token)?)),
        "reset" => Some(Translated::Reset {
            then: write("get", None, None, token)?,
        }),
        "desire" => {
            let desired = members.get("desired").copied()?;
            let version = members.get("version").copied();
            let request = write("update", Some(desired), version, token)?;
            Some(Translated::Request(request))
        }
        _ => None,
    }
}

/// What the service refuses as malformed, with the token if there is one, and whatever else the
/// application sent left out: it could be a device's request.
fn refused_request(payload: &[u8]) -> Vec<u8> {
    let members: Option<Members<'_>> = serde_json::from_slice(payload).ok();
    let token = members.and_then(|members| members.get("clientToken").copied());
    write("", None, None, token).unwrap_or_default()
}

fn write(
    kind: &str,
    desired: Option<&RawValue>,
    version: Option<&RawValue>,
    token: Option<&RawValue>,
) -> Option<Vec<u8>> {
    #[derive(Serialize)]
    struct State<'a> {
        desired: &'a RawValue,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Request<'a> {
        r#type: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        state: Option<State<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_token: Option<&'a RawValue>,
    }
    let request = Request {
        r#type: kind,
        state: desired.map(|desired| State { desired }),
        version,
        client_token: token,
    };
    serde_json::to_vec(&request).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: WallTime = WallTime::from_unix_millis(1_626_770_700_000);

    fn name() -> ShadowName {
        ShadowName::new("ABCDE12345", "test01").unwrap()
    }

    fn answer(service: &mut ShadowService, request: &str) -> (String, Option<String>) {
        let text = |payload: Vec<u8>| String::from_utf8(payload).unwrap().trim_end().to_owned();
        let Answer { reply, push } = handle(service, WALL, &name(), request.as_bytes());
        (text(reply), push.map(text))
    }

    #[test]
    fn topics_parse_back_and_differ_from_the_devices() {
        let topic = request_topic(&name());
        assert_eq!(topic, "$shadow/application/ABCDE12345/test01");
        assert_eq!(from_request_topic(&topic), Some(name()));
        assert_eq!(from_request_topic(&result_topic(&name())), None);
        assert_eq!(from_request_topic(&name().operation_topic()), None);
        assert_eq!(from_request_topic("$shadow/application/ABCDE12345"), None);
    }

    #[test]
    fn requests_are_written_as_documented() {
        let desire = ApplicationRequest::Desire {
            desired: r#"{"power":true}"#,
            version: Some(7),
        };
        for (request, payload) in [
            (
                ApplicationRequest::Get,
                r#"{"type":"get","clientToken":"t"}"#,
            ),
            (
                desire,
                r#"{"type":"desire","desired":{"power":true},"version":7,"clientToken":"t"}"#,
            ),
            (
                ApplicationRequest::Reset,
                r#"{"type":"reset","clientToken":"t"}"#,
            ),
        ] {
            assert_eq!(request.to_json("t").unwrap(), payload);
        }
        let broken = ApplicationRequest::Desire {
            desired: "{",
            version: None,
        };
        assert!(broken.to_json("t").is_err());
    }

    #[test]
    fn desire_changes_and_pushes_once() {
        let mut service = ShadowService::new();
        let request = r#"{"type":"desire","desired":{"a":1.50},"clientToken":7}"#;
        let (reply, push) = answer(&mut service, request);
        assert_eq!(
            reply,
            concat!(
                r#"{"clientToken":"7","payload":{"state":{"desired":{"a":1.50}},"#,
                r#""timestamp":1626770700000,"version":1},"result":0,"#,
                r#""timestamp":1626770700000,"type":"update"}"#
            )
        );
        assert_eq!(
            push.unwrap(),
            concat!(
                r#"{"payload":{"state":{"a":1.50},"timestamp":1626770700000,"version":1},"#,
                r#""timestamp":1626770700000,"type":"delta"}"#
            )
        );
        let stale = r#"{"type":"desire","desired":{"a":2},"version":5,"clientToken":"s"}"#;
        let (reply, push) = answer(&mut service, stale);
        assert!(reply.contains(r#""result":5005"#), "{reply}");
        assert!(reply.contains(r#""desired":{"a":1.50}"#), "{reply}");
        assert_eq!(push, None);
        let clear = r#"{"type":"desire","desired":null,"version":1}"#;
        let (reply, push) = answer(&mut service, clear);
        assert!(reply.contains(r#""result":0"#), "{reply}");
        assert_eq!(push, None);
    }

    #[test]
    fn reset_answers_with_the_document_and_pushes_its_delta() {
        let mut service = ShadowService::new();
        let name = ShadowName::new("ABCDE12345", "test01").unwrap();
        let state = r#"{"desired":{"a":1},"reported":{"b":2}}"#;
        service.seed(&name, state, 3, WALL).unwrap();
        answer(&mut service, r#"{"type":"desire","desired":null}"#);
        let (reply, push) = answer(&mut service, r#"{"type":"reset","clientToken":"r"}"#);
        assert!(reply.contains(r#""desired":{"a":1}"#), "{reply}");
        assert!(reply.contains(r#""clientToken":"r""#), "{reply}");
        assert!(push.unwrap().contains(r#""state":{"a":1}"#));
    }

    /// Above all no device's request: an application does not report.
    #[test]
    fn refuses_everything_else() {
        let mut service = ShadowService::new();
        for request in [
            "",
            "[]",
            r#"{"type":"desire","clientToken":"t"}"#,
            r#"{"type":"desire","desired":7,"clientToken":"t"}"#,
            r#"{"type":"desire","desired":{},"version":"x","clientToken":"t"}"#,
            r#"{"type":"update","state":{"reported":{"a":1}},"clientToken":"t"}"#,
            r#"{"clientToken":"t"}"#,
        ] {
            let (reply, push) = answer(&mut service, request);
            assert!(reply.contains(r#""result":9000"#), "{request}: {reply}");
            let token = reply.contains(r#""clientToken":"t""#);
            assert_eq!(token, request.contains("clientToken"), "{request}: {reply}");
            assert_eq!(push, None);
        }
        assert_eq!(
            service.document(WALL, &ShadowName::new("ABCDE12345", "test01").unwrap()),
            r#"{"state":{"reported":{}},"timestamp":1626770700,"version":0}"#
        );
    }

    /// What cannot be answered as asked has not happened.
    #[test]
    fn a_refused_reset_resets_nothing() {
        let mut service = ShadowService::new();
        answer(&mut service, r#"{"type":"desire","desired":{"a":1}}"#);
        let (reply, push) = answer(&mut service, r#"{"type":"reset","clientToken":[]}"#);
        assert!(reply.contains(r#""result":9000"#), "{reply}");
        assert_eq!(push, None);
        assert!(reply.contains(r#""desired":{"a":1}"#), "{reply}");
    }

    /// JSON spells one string in many ways.
    #[test]
    fn escapes_make_no_difference() {
        let mut service = ShadowService::new();
        let request = r#"{"\u0074ype":"\u0064esire","desired":{"a":1},"no\"te":0}"#;
        let (reply, push) = answer(&mut service, request);
        assert!(reply.contains(r#""result":0"#), "{reply}");
        assert!(push.is_some());
    }
}
