//! What is logged of a server.

use super::ServerEvent;

impl ServerEvent {
    /// Writes a [`tracing`] record of it, as [`serve`](crate::serve()) does of each: for those who
    /// poll the events themselves. Of a message its topic, QoS and length; no payload, and no event
    /// has a secret. The crate's documentation lists the records.
    pub fn trace(&self) {
        match self {
            ServerEvent::Connected {
                connection,
                client_id,
                session_present,
                ..
            } => tracing::debug!(
                event = "login_accepted",
                %connection,
                client_id,
                session_present
            ),
            ServerEvent::Refused {
                connection,
                client_id,
                refusal,
            } => tracing::debug!(event = "login_refused", %connection, client_id, %refusal),
            ServerEvent::Subscribed {
                client_id,
                filter,
                granted: Some(granted),
            } => tracing::debug!(
                event = "subscribed",
                client_id,
                filter,
                qos = *granted as u8
            ),
            ServerEvent::Subscribed {
                client_id, filter, ..
            } => tracing::debug!(event = "subscription_refused", client_id, filter),
            ServerEvent::Unsubscribed { client_id, filter } => {
                tracing::debug!(event = "unsubscribed", client_id, filter);
            }
            ServerEvent::Published { client_id, message } => tracing::trace!(
                event = "published",
                client_id,
                topic = message.topic,
                qos = message.qos as u8,
                len = message.payload.len()
            ),
            ServerEvent::PublishForbidden { client_id, topic } => {
                tracing::debug!(event = "publish_forbidden", client_id, topic);
            }
            ServerEvent::Dropped {
                client_id,
                topic,
                qos,
            } => tracing::debug!(
                event = "message_dropped",
                client_id,
                topic,
                qos = *qos as u8
            ),
            ServerEvent::Disconnected {
                connection,
                client_id,
                departure,
            } => tracing::debug!(event = "client_left", %connection, client_id, %departure),
            ServerEvent::EventsLost { count } => tracing::warn!(event = "events_lost", count),
        }
    }
}
