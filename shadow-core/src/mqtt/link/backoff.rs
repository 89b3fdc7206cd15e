//! When to connect again.

use core::time::Duration;

use super::{DisconnectCause, TransportFailure};
use crate::mqtt::ConnectReturnCode;
use crate::random::Random;
use crate::time::{Instant, micros};

/// When to connect again: the n-th try in a row waits between half and all of
/// `initial` · 2^(n-1), at most `maximum`. It never gives up.
///
/// What waiting alone seldom heals waits longer, by `slow_initial` and `slow_maximum` in the same
/// way: a login that the server refused (CONNACK 1, 2, 4 or 5; 3, server unavailable, is a failure
/// like any other), a CONNECT that cannot be made, and a contested client id. A wall time that
/// shows the clock to have been wrong starts the waits of a refused login over, and
/// [`Engine::reconnect`](crate::Engine::reconnect) ends any wait; but never is one CONNECT sent
/// before `least_interval` has passed since the last.
///
/// # A contested client id
///
/// A server ends the link of a client when another logs in with the same client id
/// [MQTT-3.1.4-2]. The one that is kicked out sees its connection closed or reset, without a word.
/// If both connect again at once they kick each other for ever.
///
/// So links are counted that were online and that the peer closed or broke within 30 s. Any other
/// end sets the count back: a longer life, a failed connection or a refused login in between, as a
/// server has that restarts, or a silence that this side noticed first. From the `contested_after`th
/// in a row on, the cause is told as [`DisconnectCause::Contested`], and the next try waits by the
/// slow schedule. Then a link that lasts less than twice `slow_maximum` counts too, since a rival
/// that waits just as long comes back in that time; one that lasts longer ends the contest, and
/// with it the slow waits.
///
/// It is a guess. It errs where the peer itself closes links soon after login: a server or load
/// balancer that drops each client a few times while it is replaced, one that answers a message it
/// forbids by closing, a network that cuts connections within seconds. There too it is wiser to
/// wait, but an owner who knows better turns it off. It overlooks rivals that wait longer than 30 s
/// before they come back, which is no more than two logins a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Wait before the first try again. Default 1 s.
    pub initial: Duration,
    /// Longest wait. Default 60 s.
    pub maximum: Duration,
    /// How long a link must have been up for the next wait to be `initial` again. Default 5 s, the
    /// vendor's floor between two connects of one device (vendor doc 634/15241).
    pub stable_after: Duration,
    /// Least time from one CONNECT to the next, counted from when it was handed to the transport;
    /// a connection that did not get as far does not count. Default 5 s: the vendor's server takes
    /// one CONNECT per 5 s of a device (vendor doc 634/15241). Zero in
    /// [`Config::plain`](crate::Config::plain), for servers that ask for none, and in
    /// [`Backoff::python_sdk`], which keeps none. An engine does not know of the CONNECTs of those
    /// before it.
    pub least_interval: Duration,
    /// Wait before the first try after what waiting alone seldom heals. Default 10 s.
    pub slow_initial: Duration,
    /// Longest such wait. Default 10 min.
    pub slow_maximum: Duration,
    /// How many short links in a row make the client id contested; 0 turns the guess off. Default
    /// 3; 0 in [`Backoff::python_sdk`].
    pub contested_after: u32,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff {
            initial: Duration::from_secs(1),
            maximum: Duration::from_secs(60),
            stable_after: Duration::from_secs(5),
            least_interval: Duration::from_secs(5),
            slow_initial: Duration::from_secs(10),
            slow_maximum: Duration::from_secs(600),
            contested_after: 3,
        }
    }
}

/// How long a link lasts at most that a rival for the client id may have ended.
const SHORT_LINK: Duration = Duration::from_secs(30);

impl Backoff {
    /// As the vendor's Python SDK connects again (seen in its source): after a lost link and a
    /// connection that did not come about always within 1 s, after a refused login within 1 s and
    /// then doubling up to 60 s, and with no thought of the vendor's floor or of a rival.
    ///
    /// It is never later than the SDK, whose waits have their jitter on top, up to 120 s. The SDK
    /// lets its waits grow after CONNACK 3 and a missing CONNACK too; these do not.
    #[must_use]
    pub const fn python_sdk() -> Backoff {
        Backoff {
            initial: Duration::from_secs(1),
            maximum: Duration::from_secs(1),
            stable_after: Duration::ZERO,
            least_interval: Duration::ZERO,
            slow_initial: Duration::from_secs(1),
            slow_maximum: Duration::from_secs(60),
            contested_after: 0,
        }
    }

    /// The wait before try number `failures` (from 1) in a row.
    pub(crate) fn delay(&self, failures: u32, random: &mut Random) -> Duration {
        wait(self.initial, self.maximum, failures, random)
    }

    /// The same by the slow schedule.
    fn slow_delay(&self, failures: u32, random: &mut Random) -> Duration {
        wait(self.slow_initial, self.slow_maximum, failures, random)
    }
}

fn wait(initial: Duration, maximum: Duration, failures: u32, random: &mut Random) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let nominal = initial.saturating_mul(1 << doublings).min(maximum);
    let micros = micros(nominal);
    Duration::from_micros(micros - micros / 2 + random.below(micros / 2 + 1))
}

/// The schedule and the jitter that a lost link's next try is timed by.
#[derive(Debug)]
pub(crate) struct Timing<'a> {
    backoff: &'a Backoff,
    random: &'a mut Random,
}

impl<'a> Timing<'a> {
    pub(crate) fn new(backoff: &'a Backoff, random: &'a mut Random) -> Timing<'a> {
        Timing { backoff, random }
    }
}

/// What has gone wrong lately, from which the next wait follows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Troubles {
    /// Links in a row that were not stable.
    failures: u32,
    /// Logins refused in a row, and CONNECTs that could not be made.
    refusals: u32,
    /// Links in a row that a rival for the client id may have ended.
    kicks: u32,
    /// Before this no CONNECT may be sent.
    connect_from: Instant,
}

impl Troubles {
    /// A CONNECT was handed to the transport.
    pub(crate) fn connect_sent(&mut self, now: Instant, backoff: &Backoff) {
        self.connect_from = now + backoff.least_interval;
    }

    /// The server took the login.
    pub(crate) fn accepted(&mut self) {
        self.refusals = 0;
    }

    /// What the login depends on has changed: whether it had been refused.
    pub(crate) fn forgive_refusals(&mut self) -> bool {
        core::mem::take(&mut self.refusals) > 0
    }

    /// The earliest instant to connect at.
    pub(crate) fn earliest(&self, now: Instant) -> Instant {
        now.max(self.connect_from)
    }

    /// A link ended that was online for `online`, or was not: the cause to tell, and when to try
    /// again.
    pub(crate) fn lost(
        &mut self,
        now: Instant,
        online: Option<Duration>,
        cause: DisconnectCause,
        timing: &mut Timing<'_>,
    ) -> (DisconnectCause, Instant) {
        let Timing { backoff, random } = timing;
        if online.is_some_and(|lasted| lasted >= backoff.stable_after) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        let cause = self.judge(online, cause, backoff);
        let delay = if let DisconnectCause::Contested { times, .. } = cause {
            let slow = times.saturating_sub(backoff.contested_after);
            backoff.slow_delay(slow.saturating_add(1), random)
        } else if is_refusal(&cause) {
            self.refusals = self.refusals.saturating_add(1);
            backoff.slow_delay(self.refusals, random)
        } else {
            backoff.delay(self.failures, random)
        };
        (cause, self.earliest(now + delay))
    }

    /// Whether a rival for the client id has probably ended the link.
    fn judge(
        &mut self,
        online: Option<Duration>,
        cause: DisconnectCause,
        backoff: &Backoff,
    ) -> DisconnectCause {
        let after = backoff.contested_after;
        let contested = after > 0 && self.kicks >= after;
        let short = if contested {
            backoff.slow_maximum.saturating_mul(2)
        } else {
            SHORT_LINK
        };
        let lasted = online.is_some_and(|lasted| lasted >= short);
        match cause {
            DisconnectCause::Transport(
                failure @ (TransportFailure::ClosedByPeer | TransportFailure::Broken(_)),
            ) if online.is_some() && !lasted => {
                self.kicks = self.kicks.saturating_add(1);
                let times = self.kicks;
                if after > 0 && times >= after {
                    return DisconnectCause::Contested { times, failure };
                }
                DisconnectCause::Transport(failure)
            }
            cause => {
                if lasted || !contested {
                    self.kicks = 0;
                }
                cause
            }
        }
    }
}

/// Whether the server, or this side in its place, refused the login.
fn is_refusal(cause: &DisconnectCause) -> bool {
    match cause {
        DisconnectCause::Refused(code) => *code != ConnectReturnCode::ServerUnavailable,
        DisconnectCause::InvalidConnect(_) | DisconnectCause::LimitExceeded(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    #[test]
    fn doubles_up_to_the_maximum_with_jitter_below() {
        let backoff = Backoff::default();
        let mut random = Random::new(1);
        for (failures, nominal) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (100, 60)] {
            let nominal = Duration::from_secs(nominal);
            let delays: [Duration; 100] =
                core::array::from_fn(|_| backoff.delay(failures, &mut random));
            assert!(
                delays
                    .iter()
                    .all(|delay| *delay >= nominal / 2 && *delay <= nominal)
            );
            assert!(
                delays.iter().any(|delay| *delay < nominal * 6 / 10),
                "no jitter"
            );
            assert!(
                delays.iter().any(|delay| *delay > nominal * 9 / 10),
                "no jitter"
            );
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        let backoff = Backoff {
            initial: Duration::MAX,
            maximum: Duration::MAX,
            ..Backoff::default()
        };
        assert!(backoff.delay(u32::MAX, &mut Random::new(1)) > Duration::from_secs(1));
        let none = Backoff {
            initial: Duration::ZERO,
            ..backoff
        };
        assert_eq!(none.delay(3, &mut Random::new(1)), Duration::ZERO);
    }

    /// What is told of links that end one after the other, each so many seconds after its login;
    /// `None` is a connection that did not come about.
    fn told(backoff: &Backoff, links: &[Option<u64>]) -> std::vec::Vec<Option<u32>> {
        let mut troubles = Troubles::default();
        let mut random = Random::new(1);
        let mut timing = Timing::new(backoff, &mut random);
        let mut now = Instant::ZERO;
        let told = links.iter().map(|online| {
            let failure = match online {
                Some(_) => TransportFailure::ClosedByPeer,
                None => TransportFailure::ConnectFailed(String::new()),
            };
            let online = online.map(Duration::from_secs);
            let cause = DisconnectCause::Transport(failure.clone());
            let (cause, next) = troubles.lost(now, online, cause, &mut timing);
            now = next;
            match cause {
                DisconnectCause::Contested { times, failure: f } if f == failure => Some(times),
                cause => {
                    assert_eq!(cause, DisconnectCause::Transport(failure));
                    None
                }
            }
        });
        told.collect()
    }

    #[test]
    fn short_links_in_a_row_are_contested_until_one_lasts() {
        let backoff = Backoff::default();
        let (short, failed) = (Some(29), None);
        // The first long link of a fight tells nothing: every server closes one some day.
        let links = [Some(9_999), short, short, short, short];
        assert_eq!(told(&backoff, &links), [None, None, None, Some(3), Some(4)]);
        // Before it is sure, a longer link or a failed connection sets it back.
        for between in [Some(30), failed] {
            let links = [short, short, between, short, short, short];
            let expected = [None, None, None, None, None, Some(3)];
            assert_eq!(told(&backoff, &links), expected);
        }
        // Once it is sure, only a link does that lasts longer than any rival would wait.
        let links = [short, short, short, failed, Some(1_199), Some(1_200), short];
        let expected = [None, None, Some(3), None, Some(4), None, None];
        assert_eq!(told(&backoff, &links), expected);
    }

    #[test]
    fn the_guess_can_be_turned_off() {
        let backoff = Backoff {
            contested_after: 0,
            ..Backoff::default()
        };
        assert_eq!(told(&backoff, &[Some(0); 50]), [None; 50]);
    }
}
