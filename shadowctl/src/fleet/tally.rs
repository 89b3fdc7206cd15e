//! What a fleet has done so far.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use shadow_core::DisconnectCause;
use shadow_core::TransportFailure;

/// The longest round trip that is told apart from longer ones, in microseconds: an hour.
const LONGEST: u64 = 3_600_000_000;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Trouble {
    /// No connection.
    ConnectFailed,
    /// The server refused a login.
    LoginRefused,
    /// A connection was lost.
    Disconnected,
    /// The server refused a subscription.
    SubscriptionRefused,
    /// A device did not get as far as its shadow in time.
    NotConnected,
    /// An answer did not come in time.
    TimedOut,
    /// The cloud answered with another result than 0.
    Rejected,
    /// The connection was lost before the answer came.
    CutOff,
    /// The engine did not take a request.
    NotTaken,
    /// The engine dropped events, as too many waited.
    EventsLost,
}

impl Trouble {
    /// The kind of a lost or failed connection.
    pub(super) fn of(cause: &DisconnectCause) -> Trouble {
        match cause {
            DisconnectCause::Refused(_) => Trouble::LoginRefused,
            DisconnectCause::ConnectTimedOut
            | DisconnectCause::Transport(
                TransportFailure::ConnectFailed(_) | TransportFailure::Untrusted(_),
            ) => Trouble::ConnectFailed,
            _ => Trouble::Disconnected,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Trouble::ConnectFailed => "connection failed",
            Trouble::LoginRefused => "login refused",
            Trouble::Disconnected => "disconnected",
            Trouble::SubscriptionRefused => "subscription refused",
            Trouble::NotConnected => "not connected",
            Trouble::TimedOut => "timed out",
            Trouble::Rejected => "rejected",
            Trouble::CutOff => "cut off",
            Trouble::NotTaken => "not taken",
            Trouble::EventsLost => "events lost",
        })
    }
}

/// How often something went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Troubles {
    pub(super) count: u64,
    /// The first of them.
    pub(super) example: String,
}

/// Counts, latencies and troubles of a fleet.
#[derive(Debug)]
pub(super) struct Tally {
    /// How many devices have their shadow now.
    pub(super) connected: u32,
    /// How many had it at some time.
    pub(super) ever_connected: u32,
    /// How many round trips have begun.
    pub(super) begun: u64,
    /// How many of them ended well.
    pub(super) answered: u64,
    /// How many did not.
    pub(super) failed: u64,
    /// How many were open when the fleet ended.
    pub(super) cancelled: u64,
    /// In microseconds, of those that ended well.
    latencies: Option<Histogram<u64>>,
    troubles: BTreeMap<Trouble, Troubles>,
}

/// Latencies that so many round trips in a hundred do not exceed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Latency {
    pub(super) p50: u64,
    pub(super) p90: u64,
    pub(super) p99: u64,
    pub(super) maximum: u64,
}

impl Tally {
    pub(super) fn new() -> Tally {
        Tally {
            connected: 0,
            ever_connected: 0,
            begun: 0,
            answered: 0,
            failed: 0,
            cancelled: 0,
            // Three digits are more than any clock here is good for.
            latencies: Histogram::new_with_bounds(1, LONGEST, 3).ok(),
            troubles: BTreeMap::new(),
        }
    }

    /// A round trip ended well after this time.
    pub(super) fn answer(&mut self, latency: Duration) {
        self.answered += 1;
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        if let Some(latencies) = &mut self.latencies {
            latencies.saturating_record(micros);
        }
    }

    /// A round trip failed.
    pub(super) fn fail(&mut self, trouble: Trouble, example: impl fmt::Display) {
        self.failed += 1;
        self.note(trouble, example);
    }

    /// Something went wrong that is no round trip.
    pub(super) fn note(&mut self, trouble: Trouble, example: impl fmt::Display) {
        self.note_many(trouble, 1, example);
    }

    /// The same, several times.
    pub(super) fn note_many(&mut self, trouble: Trouble, times: u64, example: impl fmt::Display) {
        let troubles = self.troubles.entry(trouble).or_insert_with(|| Troubles {
            count: 0,
            example: example.to_string(),
        });
        troubles.count += times;
    }

    /// What went wrong, by kind.
    pub(super) fn troubles(&self) -> impl Iterator<Item = (Trouble, &Troubles)> {
        self.troubles
            .iter()
            .map(|(kind, troubles)| (*kind, troubles))
    }

    /// How often anything went wrong.
    pub(super) fn troubles_in_all(&self) -> u64 {
        self.troubles.values().map(|troubles| troubles.count).sum()
    }

    /// `None` as long as no round trip has ended well.
    pub(super) fn latency(&self) -> Option<Latency> {
        let latencies = self.latencies.as_ref().filter(|l| !l.is_empty())?;
        Some(Latency {
            p50: latencies.value_at_quantile(0.5),
            p90: latencies.value_at_quantile(0.9),
            p99: latencies.value_at_quantile(0.99),
            maximum: latencies.max(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_told_by_rank() {
        let mut tally = Tally::new();
        assert_eq!(tally.latency(), None);
        for micros in 1..=100 {
            tally.answer(Duration::from_micros(micros));
        }
        let latency = tally.latency().unwrap();
        let found = (latency.p50, latency.p90, latency.p99, latency.maximum);
        assert_eq!(found, (50, 90, 99, 100));
        assert_eq!(tally.answered, 100);
    }

    /// The bounds are 1 us and an hour, to three digits; beyond them nothing is lost.
    #[test]
    fn no_latency_is_too_short_or_too_long() {
        let mut tally = Tally::new();
        tally.answer(Duration::ZERO);
        tally.answer(Duration::MAX);
        let latency = tally.latency().unwrap();
        assert!(latency.p50 <= 1, "{latency:?}");
        let far = latency.maximum.abs_diff(LONGEST);
        assert!(far <= LONGEST / 1_000, "{latency:?}");
    }

    #[test]
    fn troubles_are_counted_by_kind_with_the_first_as_example() {
        let mut tally = Tally::new();
        tally.fail(Trouble::TimedOut, "first");
        tally.note(Trouble::Disconnected, "gone");
        tally.fail(Trouble::TimedOut, "second");
        tally.note_many(Trouble::EventsLost, 7, "lost");
        let troubles: Vec<_> = tally
            .troubles()
            .map(|(kind, t)| (kind, t.count, t.example.as_str()))
            .collect();
        let expected = [
            (Trouble::Disconnected, 1, "gone"),
            (Trouble::TimedOut, 2, "first"),
            (Trouble::EventsLost, 7, "lost"),
        ];
        assert_eq!(troubles, expected);
        assert_eq!((tally.failed, tally.troubles_in_all()), (2, 10));
    }
}
