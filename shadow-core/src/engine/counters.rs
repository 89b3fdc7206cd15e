//! What an engine has counted: see [`Counters`].

use serde::Serialize;

use super::Engine;
use crate::event::{Event, Outcome};
use crate::mqtt::link::{DisconnectCause, Transmit};

/// What an engine has counted since [`Engine::new`], for metrics: read by [`Engine::counters`].
///
/// They only grow, over all links, and end with the engine: no session keeps them. What goes on with
/// each message has 64 bits, which none lives to see full (10 GB a second for 58 years), as bytes would
/// fill 32 in 12 days of 4 kB a second. What is the exception has 32 bits, enough for one a second for
/// 136 years, and stops at the largest value.
///
/// They serialize as an object of numbers with the names of the fields.
///
/// Nothing is counted twice under one name, but one thing may count under two: a request whose link
/// timed out is a link that timed out and a request that was disconnected. Events count when they
/// come about, whether the application polls them or they are [lost](Counters::events_lost).
///
/// ```
/// use shadow_core::{Config, Engine, Instant, Session, TransportFailure};
///
/// let mut engine = Engine::new(Config::plain("sensor-1"), Session::new(), 7, Instant::ZERO);
/// engine.handle_tick(Instant::ZERO);
/// engine.poll_transmit(Instant::ZERO, &mut Vec::new());
/// engine.handle_disconnected(Instant::ZERO, TransportFailure::connect_failed("no route"));
/// let counters = engine.counters();
/// assert_eq!((counters.connects, counters.logins, counters.bytes_sent), (1, 0, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Counters {
    /// MQTT packets of every kind that [`Engine::poll_transmit`] gave; whether the transport then
    /// got rid of them no engine knows. Those that a link took with it before they were polled do
    /// not count.
    pub packets_sent: u64,
    /// Bytes of those packets, MQTT headers included; what TLS, TCP or a WebSocket adds is not known
    /// here.
    pub bytes_sent: u64,
    /// Whole MQTT packets of the server that were taken, of every kind, oversized messages too. Not
    /// one that is [malformed](DisconnectCause::Malformed), nor what came behind the packet that
    /// ended its link.
    pub packets_received: u64,
    /// Bytes passed to [`Engine::handle_bytes`] while there was a connection, whatever they were.
    pub bytes_received: u64,
    /// Connections that were asked for ([`Transmit::Connect`]), whatever became of them. All but the
    /// first are retries.
    pub connects: u32,
    /// Connections given up as there was none, or no CONNACK on it, within
    /// [`connect_timeout`](crate::Config::connect_timeout)
    /// ([`DisconnectCause::ConnectTimedOut`]). Those that the transport gave up itself do not count.
    pub connects_timed_out: u32,
    /// Logins that the server accepted ([`Event::Connected`]). The links that were lost are one
    /// fewer while the engine [is online](Engine::is_online), and as many while it is not.
    pub logins: u32,
    /// Logins that the server refused ([`DisconnectCause::Refused`]).
    pub logins_refused: u32,
    /// Links given up after their login, as no PINGRESP, SUBACK, UNSUBACK or acknowledgement of a
    /// message came in time ([`DisconnectCause::PingTimedOut`],
    /// [`DisconnectCause::SubscribeTimedOut`], [`DisconnectCause::PublishUnacknowledged`]).
    pub links_timed_out: u32,
    /// PUBLISH and PUBREL packets of messages of QoS 1 and 2 that were queued on one link and again
    /// on a later one, with DUP or, where the server had kept nothing, without.
    pub retransmissions: u32,
    /// Requests that were or will be made again, as the one before brought nothing: gets,
    /// subscriptions and their ends that the application asked for, which had left when their link
    /// was lost; gets and updates of the engine's own that were not answered in time, gets that were
    /// rejected, and updates that met a version conflict and are made anew for the current version.
    /// Not what every new link begins with.
    pub requests_repeated: u32,
    /// Requests of the application that ended as [`Outcome::TimedOut`].
    pub requests_timed_out: u32,
    /// Requests of the application that ended as [`Outcome::Disconnected`]: they were lost with a
    /// link, or the answer was.
    pub requests_disconnected: u32,
    /// Messages above [`maximum_packet_size`](crate::Config::maximum_packet_size), dropped unread
    /// ([`Event::OversizedMessage`]).
    pub messages_oversized: u32,
    /// Messages on a shadow's topic that were none of a shadow, dropped
    /// ([`Event::InvalidMessage`]).
    pub messages_invalid: u32,
    /// Replies that answered no open request ([`Event::Unmatched`]).
    pub messages_unmatched: u32,
    /// Events that were dropped, as the application did not poll ([`Event::EventsLost`] says how
    /// many at a time). Among them may be messages and deltas; deltas are told again.
    pub events_lost: u32,
}

impl Engine {
    /// What was counted up to now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.events.counters
    }
}

/// One more.
pub(super) fn count(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}

impl Counters {
    pub(super) fn count_transmit(&mut self, transmit: Transmit) {
        match transmit {
            Transmit::Connect => count(&mut self.connects),
            Transmit::Packet { len, .. } => {
                self.packets_sent += 1;
                self.bytes_sent += len as u64;
            }
            Transmit::Close => {}
        }
    }

    pub(super) fn count_bytes_received(&mut self, len: usize) {
        self.bytes_received += len as u64;
    }

    pub(super) fn count_packet_received(&mut self) {
        self.packets_received += 1;
    }

    /// Counts what an event says.
    pub(super) fn count_event(&mut self, event: &Event) {
        let counter = match event {
            Event::Connected { .. } => &mut self.logins,
            Event::Disconnected { cause, .. } => match cause {
                DisconnectCause::Refused(_) => &mut self.logins_refused,
                DisconnectCause::ConnectTimedOut => &mut self.connects_timed_out,
                DisconnectCause::PingTimedOut
                | DisconnectCause::SubscribeTimedOut
                | DisconnectCause::PublishUnacknowledged => &mut self.links_timed_out,
                _ => return,
            },
            Event::OversizedMessage { .. } => &mut self.messages_oversized,
            Event::InvalidMessage { .. } => &mut self.messages_invalid,
            Event::Unmatched(_) => &mut self.messages_unmatched,
            _ => return,
        };
        count(counter);
    }

    /// Counts how a request of the application ended.
    pub(super) fn count_end(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::TimedOut => count(&mut self.requests_timed_out),
            Outcome::Disconnected { .. } => count(&mut self.requests_disconnected),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_its_largest_value_a_counter_stops() {
        let mut counters = Counters {
            connects: u32::MAX,
            requests_timed_out: u32::MAX - 1,
            ..Counters::default()
        };
        counters.count_transmit(Transmit::Connect);
        counters.count_end(&Outcome::TimedOut);
        counters.count_end(&Outcome::TimedOut);
        let full = Counters {
            connects: u32::MAX,
            requests_timed_out: u32::MAX,
            ..Counters::default()
        };
        assert_eq!(counters, full);
    }
}
