//! When which device does what.

use shadow_core::Instant;
use std::time::Duration;

/// What the round trips of a fleet are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mix {
    /// Gets and reports in turn, of each device and of all together.
    #[default]
    Both,
    /// Gets alone.
    Get,
    /// Reports alone.
    Report,
}

/// One thing for one device to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// To get its shadow.
    Get,
    /// To report this number, which none reported before.
    Report(u64),
}

/// Events at even distances: the n-th, from 0, is due n / rate after the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    start: Instant,
    /// How many in a second; `None`: all at the start.
    rate: Option<u32>,
}

impl Pace {
    pub(super) fn new(start: Instant, rate: Option<u32>) -> Pace {
        Pace { start, rate }
    }

    pub(super) fn due(&self, number: u64) -> Instant {
        let Some(rate) = self.rate else {
            return self.start;
        };
        let micros = u128::from(number) * 1_000_000 / u128::from(rate.max(1));
        self.start + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// How many are due within this time.
    fn count(&self, length: Duration) -> u64 {
        let rate = u128::from(self.rate.unwrap_or(0));
        let count = (length.as_micros() * rate).div_ceil(1_000_000);
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

/// One round trip that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// When it should begin.
    pub(super) due: Instant,
    /// Whose it is.
    pub(super) device: u32,
    /// What it is.
    pub(super) task: Task,
}

/// All round trips of a fleet: at even distances from each other, every device in its turn.
///
/// It is arithmetic and holds nothing for each device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    pace: Pace,
    mix: Mix,
    devices: u32,
    total: u64,
    next: u64,
}

impl Schedule {
    /// `rate` round trips a second for `length` from `start`; none at rate 0.
    pub(super) fn new(
        start: Instant,
        rate: u32,
        length: Duration,
        devices: u32,
        mix: Mix,
    ) -> Schedule {
        let pace = Pace::new(start, Some(rate));
        Schedule {
            pace,
            mix,
            devices: devices.max(1),
            total: pace.count(length),
            next: 0,
        }
    }

    /// How many there are in all.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        (self.next < self.total).then(|| self.pace.due(self.next))
    }

    /// Takes the next one if it is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<Turn> {
        let due = self.next_due().filter(|due| *due <= now)?;
        let number = self.next;
        self.next += 1;
        let devices = u64::from(self.devices);
        let (round, device) = (number / devices, number % devices);
        // With an even number of devices each would otherwise do the same for ever.
        let even = (round + device).is_multiple_of(2);
        let task = match self.mix {
            Mix::Get => Task::Get,
            Mix::Both if even => Task::Get,
            Mix::Both | Mix::Report => Task::Report(number),
        };
        let device = u32::try_from(device).unwrap_or(0);
        Some(Turn { due, device, task })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_secs(5);

    fn turns(mut schedule: Schedule, until: Instant) -> Vec<Turn> {
        std::iter::from_fn(|| schedule.take(until)).collect()
    }

    #[test]
    fn round_trips_are_spread_evenly_over_time_and_devices() {
        let length = Duration::from_secs(2);
        let schedule = Schedule::new(START, 300, length, 7, Mix::Both);
        assert_eq!(schedule.total(), 600);
        let all = turns(schedule, START + length);
        assert_eq!(all.len(), 600);
        for (turn, after) in all.iter().zip(&all[1..]) {
            // Of 3333 1/3 microseconds.
            let distance = after.due.saturating_since(turn.due).as_micros();
            assert!((3_333..=3_334).contains(&distance), "{distance}");
        }
        assert_eq!(all[0].due, START);
        assert_eq!(all[300].due, START + Duration::from_secs(1));
        for device in 0..7 {
            let own: Vec<&Turn> = all.iter().filter(|turn| turn.device == device).collect();
            assert!((85..=86).contains(&own.len()), "{}", own.len());
            // Every 7 / 300 s, a get and a report in turn.
            for (turn, after) in own.iter().zip(&own[1..]) {
                let distance = after.due.saturating_since(turn.due).as_micros();
                assert!((23_333..=23_334).contains(&distance), "{distance}");
                assert_ne!(turn.task == Task::Get, after.task == Task::Get);
            }
        }
    }

    #[test]
    fn nothing_begins_before_it_is_due_or_is_left_out_when_late() {
        let mut schedule = Schedule::new(START, 10, Duration::from_secs(1), 2, Mix::Get);
        assert_eq!(schedule.take(Instant::from_secs(4)), None);
        let first = schedule.take(START).unwrap();
        assert_eq!((first.device, first.task), (0, Task::Get));
        assert_eq!(schedule.take(START), None);
        assert_eq!(
            schedule.next_due(),
            Some(START + Duration::from_millis(100))
        );
        assert_eq!(turns(schedule, Instant::from_secs(100)).len(), 9);
    }

    #[test]
    fn each_report_is_another_one() {
        let schedule = Schedule::new(START, 3, Duration::from_secs(1), 1, Mix::Report);
        let tasks: Vec<Task> = turns(schedule, Instant::from_secs(9))
            .iter()
            .map(|turn| turn.task)
            .collect();
        assert_eq!(tasks, [Task::Report(0), Task::Report(1), Task::Report(2)]);
    }

    #[test]
    fn a_rate_of_nothing_plans_nothing() {
        let schedule = Schedule::new(START, 0, Duration::from_secs(86_400), 1, Mix::Both);
        assert_eq!((schedule.total(), schedule.next_due()), (0, None));
        // The largest there is fits.
        let day = Duration::from_secs(86_400);
        let schedule = Schedule::new(START, 1_000_000, day, 1, Mix::Both);
        assert_eq!(schedule.total(), 86_400_000_000);
        assert_eq!(schedule.pace.due(86_400_000_000), START + day);
    }

    #[test]
    fn without_a_rate_all_is_due_at_once() {
        assert_eq!(Pace::new(START, None).due(1_000_000), START);
        assert_eq!(
            Pace::new(START, Some(4)).due(2),
            START + Duration::from_millis(500)
        );
    }
}
