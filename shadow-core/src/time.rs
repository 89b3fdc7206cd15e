//! The two clocks of the engine, both inputs: a monotonic one for timers and a wall clock for
//! signatures.

use core::fmt;
use core::num::NonZeroU64;
use core::ops::{Add, AddAssign};
use core::time::Duration;

/// A point on the driver's monotonic clock: microseconds since an epoch the driver picks.
///
/// There is no `now()`: time is an input of every call. There is no subtraction either, since a
/// difference of two instants tempts to negative durations; use [`Instant::saturating_since`].
/// All arithmetic saturates, so the largest instant, 584,542 years after the epoch, means
/// "practically never" and nothing wraps.
///
/// An `Option<Instant>` takes no more memory than an `Instant`: an engine holds several.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(
    /// The microseconds and one more.
    NonZeroU64,
);

impl Instant {
    /// The driver's epoch.
    pub const ZERO: Instant = Instant::from_micros(0);

    /// The instant `micros` microseconds after the epoch; `u64::MAX` is taken for one less.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Instant {
        Instant(NonZeroU64::MIN.saturating_add(micros))
    }

    /// The instant `millis` milliseconds after the epoch, saturating.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Instant {
        Instant::from_micros(millis.saturating_mul(1_000))
    }

    /// The instant `seconds` seconds after the epoch, saturating.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Instant {
        Instant::from_micros(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0.get() - 1
    }

    /// How long after `earlier` this is; zero when it is not after it.
    ///
    /// ```
    /// use core::time::Duration;
    /// use shadow_core::Instant;
    ///
    /// let start = Instant::from_secs(1);
    /// let end = start + Duration::from_secs(2);
    /// assert_eq!(end.saturating_since(start), Duration::from_secs(2));
    /// assert_eq!(start.saturating_since(Instant::from_secs(9)), Duration::ZERO);
    /// ```
    #[must_use]
    pub const fn saturating_since(self, earlier: Instant) -> Duration {
        Duration::from_micros(self.0.get().saturating_sub(earlier.0.get()))
    }
}

/// The driver's epoch.
impl Default for Instant {
    fn default() -> Instant {
        Instant::ZERO
    }
}

/// Of two times at which something is due, the earlier one with what that is; of the same time the
/// first.
#[inline]
pub(crate) fn earlier<T>(
    first: Option<(T, Instant)>,
    second: Option<(T, Instant)>,
) -> Option<(T, Instant)> {
    let is_second = match (&first, &second) {
        (Some(first), Some(second)) => second.1 < first.1,
        (first, _) => first.is_none(),
    };
    if is_second { second } else { first }
}

/// Microseconds, as many as there can be.
///
/// Not by way of the 128 bits of [`Duration::as_micros`], which take a small processor several times
/// as much code.
pub(crate) fn micros(duration: Duration) -> u64 {
    let seconds = duration.as_secs().saturating_mul(1_000_000);
    seconds.saturating_add(duration.subsec_micros().into())
}

impl Add<Duration> for Instant {
    type Output = Instant;

    // Where it takes 50 bytes, not in each of its many callers.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn add(self, duration: Duration) -> Instant {
        self + Micros::from(duration)
    }
}

/// What of a [`Duration`] an [`Instant`] takes up, in half of the bytes: for those that every engine
/// holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Micros(u64);

impl From<Duration> for Micros {
    fn from(duration: Duration) -> Micros {
        Micros(micros(duration))
    }
}

impl Add<Micros> for Instant {
    type Output = Instant;

    fn add(self, Micros(micros): Micros) -> Instant {
        Instant(self.0.saturating_add(micros))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Seconds with six decimals, as in `12.345678s`.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.as_micros();
        write!(f, "{}.{:06}s", micros / 1_000_000, micros % 1_000_000)
    }
}

/// The wall clock: milliseconds since 1970-01-01T00:00:00Z.
///
/// Needed only to sign credentials. A device without a clock never passes one in and is told so by
/// [`Event::WallTimeNeeded`](crate::Event::WallTimeNeeded) if its login needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WallTime(u64);

impl WallTime {
    /// 1970-01-01T00:00:00Z, from which a system's clock counts: what it shows is the wall time
    /// `WallTime::UNIX_EPOCH + duration`.
    pub const UNIX_EPOCH: WallTime = WallTime(0);

    /// The wall time `millis` milliseconds after 1970.
    #[must_use]
    pub const fn from_unix_millis(millis: u64) -> WallTime {
        WallTime(millis)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_unix_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub const fn as_unix_seconds(self) -> u64 {
        self.0 / 1_000
    }
}

impl Add<Duration> for WallTime {
    type Output = WallTime;

    fn add(self, duration: Duration) -> WallTime {
        let seconds = duration.as_secs().saturating_mul(1_000);
        let millis = seconds.saturating_add(duration.subsec_millis().into());
        WallTime(self.0.saturating_add(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let last = Instant::from_micros(u64::MAX);
        assert_eq!(last + Duration::MAX, last);
        assert_eq!(Instant::from_secs(u64::MAX), last);
        assert_eq!(last.as_micros(), u64::MAX - 1);
        assert_eq!(
            WallTime::from_unix_millis(5) + Duration::MAX,
            WallTime::from_unix_millis(u64::MAX)
        );
    }

    #[test]
    fn a_time_moves_on() {
        let mut next = Instant::from_secs(1);
        next += Duration::from_millis(500);
        assert_eq!(next, Instant::from_millis(1_500));
        next += Duration::MAX;
        assert_eq!(next, Instant::from_micros(u64::MAX));
    }

    #[test]
    fn microseconds_are_kept() {
        for micros in [0, 1, 1_000_042, u64::MAX - 1] {
            assert_eq!(Instant::from_micros(micros).as_micros(), micros);
        }
        assert_eq!(Instant::default().as_micros(), 0);
        assert_eq!(size_of::<Option<Instant>>(), size_of::<Instant>());
    }

    #[test]
    fn prints_seconds() {
        assert_eq!(
            alloc::format!("{}", Instant::from_micros(1_000_042)),
            "1.000042s"
        );
    }
}
