//! What an engine has counted.

use shadow_core::Counters;

/// What an engine has counted since `shadow_new`, for metrics: see `shadow_counters`.
///
/// The numbers only grow, over all links, and end with the engine: no session keeps them. What goes on
/// with each message has 64 bits; what is the exception has 32, and stops at the largest value.
///
/// Nothing is counted twice under one name, but one thing may count under two: a request whose link
/// timed out is a link that timed out and a request that was disconnected. Events count when they come
/// about, whether they are polled or lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct shadow_counts {
    /// MQTT packets of every kind that `shadow_poll_transmit` gave; whether the transport then got rid
    /// of them no engine knows. Those that a link took with it before they were polled do not count.
    pub packets_sent: u64,
    /// Bytes of those packets, MQTT headers included; what TLS or TCP adds is not known here.
    pub bytes_sent: u64,
    /// Whole MQTT packets of the server that were taken, of every kind, oversized messages too. Not one
    /// that is malformed, nor what came behind the packet that ended its link.
    pub packets_received: u64,
    /// Bytes passed to `shadow_handle_bytes` while there was a connection, whatever they were.
    pub bytes_received: u64,
    /// Connections that were asked for (`SHADOW_TRANSMIT_CONNECT`), whatever became of them. All but the
    /// first are retries.
    pub connects: u32,
    /// Connections given up as there was none, or no answer to the login, within
    /// `connect_timeout_micros` (`SHADOW_CAUSE_CONNECT_TIMED_OUT`). Those that the transport gave up
    /// itself do not count.
    pub connects_timed_out: u32,
    /// Logins that the server accepted (`SHADOW_EVENT_CONNECTED`). The links that were lost are one fewer
    /// while `shadow_is_online`, and as many while not.
    pub logins: u32,
    /// Logins that the server refused (`SHADOW_CAUSE_REFUSED`).
    pub logins_refused: u32,
    /// Links given up after their login, as no answer to a ping or a subscription and no acknowledgement
    /// of a message came in time (`SHADOW_CAUSE_PING_TIMED_OUT`, `SHADOW_CAUSE_SUBSCRIBE_TIMED_OUT`,
    /// `SHADOW_CAUSE_PUBLISH_UNACKNOWLEDGED`).
    pub links_timed_out: u32,
    /// PUBLISH and PUBREL packets of messages of QoS 1 and 2 that were queued on one link and again on a
    /// later one, with DUP or, where the server had kept nothing, without.
    pub retransmissions: u32,
    /// Requests that were or will be made again, as the one before brought nothing: gets, subscriptions
    /// and their ends that the program asked for, which had left when their link was lost; gets and
    /// updates of the engine's own that were not answered in time, gets that were rejected, and updates
    /// that met a version conflict and are made anew for the current version. Not what every new link
    /// begins with.
    pub requests_repeated: u32,
    /// Requests of the program that ended as `SHADOW_OUTCOME_TIMED_OUT`.
    pub requests_timed_out: u32,
    /// Requests of the program that ended as `SHADOW_OUTCOME_DISCONNECTED`: they were lost with a link, or
    /// the answer was.
    pub requests_disconnected: u32,
    /// Messages above `maximum_packet_size`, dropped unread (`SHADOW_EVENT_OVERSIZED_MESSAGE`).
    pub messages_oversized: u32,
    /// Messages on a shadow's topic that were none of a shadow, dropped
    /// (`SHADOW_EVENT_INVALID_MESSAGE`).
    pub messages_invalid: u32,
    /// Replies that answered no open request (`SHADOW_EVENT_UNMATCHED`).
    pub messages_unmatched: u32,
    /// Events that were dropped, as the program did not poll (`SHADOW_EVENT_EVENTS_LOST` says how many at a
    /// time). Among them may be messages and deltas; deltas are told again.
    pub events_lost: u32,
}

impl shadow_counts {
    pub(crate) const NONE: shadow_counts = shadow_counts {
        packets_sent: 0,
        bytes_sent: 0,
        packets_received: 0,
        bytes_received: 0,
        connects: 0,
        connects_timed_out: 0,
        logins: 0,
        logins_refused: 0,
        links_timed_out: 0,
        retransmissions: 0,
        requests_repeated: 0,
        requests_timed_out: 0,
        requests_disconnected: 0,
        messages_oversized: 0,
        messages_invalid: 0,
        messages_unmatched: 0,
        events_lost: 0,
    };

    pub(crate) fn new(counters: &Counters) -> shadow_counts {
        shadow_counts {
            packets_sent: counters.packets_sent,
            bytes_sent: counters.bytes_sent,
            packets_received: counters.packets_received,
            bytes_received: counters.bytes_received,
            connects: counters.connects,
            connects_timed_out: counters.connects_timed_out,
            logins: counters.logins,
            logins_refused: counters.logins_refused,
            links_timed_out: counters.links_timed_out,
            retransmissions: counters.retransmissions,
            requests_repeated: counters.requests_repeated,
            requests_timed_out: counters.requests_timed_out,
            requests_disconnected: counters.requests_disconnected,
            messages_oversized: counters.messages_oversized,
            messages_invalid: counters.messages_invalid,
            messages_unmatched: counters.messages_unmatched,
            events_lost: counters.events_lost,
        }
    }
}
