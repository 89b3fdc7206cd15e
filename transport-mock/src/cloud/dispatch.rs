//! From a message that was published to the messages that the service publishes in turn.

use shadow_core::WallTime;
use shadow_core::tencent::ShadowName;

use crate::application;
use crate::service::ShadowService;

/// A payload for a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The topic to publish on.
    pub topic: String,
    /// The payload to publish.
    pub payload: Vec<u8>,
}

/// The topic filters of everything that [`dispatch`] answers: what the service subscribes to where
/// it is itself a client of an MQTT broker. Neither matches a result topic.
pub const REQUEST_FILTERS: [&str; 2] = ["$shadow/operation/+/+", "$shadow/application/+/+"];

/// Hands a message to the service: one of a device on its operation topic, or one of an application
/// on its [request topic](application::request_topic). Returns what to publish, in order; nothing
/// for a message on any other topic.
///
/// ```
/// use shadow_core::WallTime;
/// use transport_mock::cloud::dispatch;
/// use transport_mock::service::ShadowService;
///
/// let mut service = ShadowService::new();
/// let wall = WallTime::from_unix_millis(1_626_770_697_670);
/// let desire = br#"{"type":"desire","desired":{"power":true},"clientToken":"t"}"#;
/// let responses = dispatch(&mut service, wall, "$shadow/application/PRODUCT001/lamp", desire);
/// let topics: Vec<&str> = responses.iter().map(|response| response.topic.as_str()).collect();
/// assert_eq!(
///     topics,
///     [
///         "$shadow/application/result/PRODUCT001/lamp", // the reply
///         "$shadow/operation/result/PRODUCT001/lamp",   // the delta
///     ]
/// );
/// ```
#[must_use = "what is not published is an answer that never arrives"]
pub fn dispatch(
    service: &mut ShadowService,
    wall: WallTime,
    topic: &str,
    payload: &[u8],
) -> Vec<Response> {
    if let Some(name) = ShadowName::from_operation_topic(topic) {
        let topic = name.result_topic();
        return service
            .handle_request(wall, &name, payload)
            .into_iter()
            .map(|payload| Response {
                topic: topic.clone(),
                payload,
            })
            .collect();
    }
    let Some(name) = application::from_request_topic(topic) else {
        return Vec::new();
    };
    let answer = application::handle(service, wall, &name, payload);
    let reply = Response {
        topic: application::result_topic(&name),
        payload: answer.reply,
    };
    let push = answer.push.map(|payload| Response {
        topic: name.result_topic(),
        payload,
    });
    [Some(reply), push].into_iter().flatten().collect()
}
