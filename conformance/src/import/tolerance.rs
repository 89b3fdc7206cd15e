//! What an import puts up with: the options for faults of recorded clients.

use std::time::Duration;

use shadow_core::Config;
use shadow_core::mqtt::link::Backoff;

/// The faults of a client that an import follows it in, each by itself.
///
/// [`Tolerance::python_sdk`] is the compatibility profile of the vendor's Python SDK, which shows all
/// of them; a session that shows one that is off is not explained. Those of the SDK's faults that
/// are options of the engine alone are fields of
/// [`Behaviour`](shadow_core::config::Behaviour), which an import has as in
/// [`Behaviour::python_sdk`](shadow_core::config::Behaviour::python_sdk).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// It connects again sooner than a careful client, which is one with the default
    /// [`Backoff`] but for its floor between two connects and its guess at rivals. On: such a
    /// CONNECT is followed. Off: it is not explained. This does not use [`Backoff::python_sdk`], which
    /// says how soon a device connects that behaves so.
    pub reconnects_too_soon: bool,
    /// It looks at its keep alive from time to time, and pings late. On: a PINGREQ may be late, in a
    /// log by 6 s at most. Off: by 100 ms. The phase of its looks is in no log, so this does not
    /// use the engine's
    /// [`keep_alive_check`](shadow_core::config::Behaviour::keep_alive_check), which says how late a
    /// device pings that behaves so.
    pub pings_late: bool,
    /// What is published without a link is dropped. On: the engine has
    /// [`drop_without_link`](shadow_core::config::Behaviour::drop_without_link). Off: it keeps such a
    /// message, and a client that has dropped it is not explained.
    pub drops_messages_offline: bool,
    /// A message above QoS 0 gets its packet identifier when it is asked for, so that those of
    /// messages that waited go back behind later ones (captures). On: the codec writes such a
    /// message with the identifier that it had. Off: the engine sends it with its next.
    pub numbers_messages_that_wait: bool,
    /// `on_subscribe` has message number and QoS in each other's place (logs). On: the line is read
    /// the way round that makes sense. Off: it is not explained.
    pub swaps_subscribe_arguments: bool,
}

impl Tolerance {
    /// What the vendor's Python SDK needs, on paho-mqtt 1.5.1.
    #[must_use]
    pub const fn python_sdk() -> Tolerance {
        Tolerance {
            reconnects_too_soon: true,
            pings_late: true,
            drops_messages_offline: true,
            numbers_messages_that_wait: true,
            swaps_subscribe_arguments: true,
        }
    }

    /// None of these faults.
    #[must_use]
    pub const fn none() -> Tolerance {
        Tolerance {
            reconnects_too_soon: false,
            pings_late: false,
            drops_messages_offline: false,
            numbers_messages_that_wait: false,
            swaps_subscribe_arguments: false,
        }
    }

    /// Sets the engine's options for an import.
    pub(super) fn apply(self, config: &mut Config) {
        config.behaviour.drop_without_link = self.drops_messages_offline;
        // What is imported shows when; a careful client's times show what was too soon or too late.
        config.backoff = Backoff {
            least_interval: Duration::ZERO,
            contested_after: 0,
            ..Backoff::default()
        };
        config.behaviour.keep_alive_check = 0;
    }
}

/// [`Tolerance::python_sdk`].
impl Default for Tolerance {
    fn default() -> Tolerance {
        Tolerance::python_sdk()
    }
}
