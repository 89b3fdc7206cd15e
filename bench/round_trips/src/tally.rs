//! What one client does, and how it went.

use std::fs;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// How many round trips are not counted at first.
pub(crate) const WARM_UP: usize = 500;

/// How long those may take that are not counted.
pub(crate) const WARM_UP_PERIOD: Duration = Duration::from_secs(1);

/// How long to count.
pub(crate) const PERIOD: Duration = Duration::from_millis(500);

/// How many round trips are counted at most.
pub(crate) const MAXIMUM: usize = 50_000;

/// What one client does.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Task {
    /// Where the server listens on 127.0.0.1.
    pub(crate) port: u16,
    /// What is asked.
    pub(crate) operation: Operation,
    /// How many requests are open at a time.
    pub(crate) in_flight: usize,
}

/// What is asked of the shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Operation {
    /// The whole document.
    Get,
    /// To change one value and repeat another.
    Update,
}

impl Operation {
    /// As in the table and on a command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Operation::Get => "get",
            Operation::Update => "update",
        }
    }
}

/// What an update reports: what the vendor's example does.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Reported {
    /// Another one each time.
    #[serde(rename = "updateCount")]
    update_count: usize,
    #[serde(rename = "updateCount11")]
    text: &'static str,
}

impl Reported {
    /// With this count.
    pub(crate) fn new(update_count: usize) -> Reported {
        let text = "shadow";
        Reported { update_count, text }
    }
}

/// How it went. In JSON as the fields say.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Trips {
    /// Round trips a second.
    pub(crate) rate: f64,
    /// The time that half of them took no more than, in microseconds.
    pub(crate) p50: f64,
    /// The time that 99 of 100 took no more than, in microseconds.
    pub(crate) p99: f64,
    /// Processor time of this process for 1,000 of them, in seconds.
    pub(crate) cpu_per_thousand: f64,
    /// The most memory that was resident, in MiB.
    pub(crate) mebibytes: f64,
}

/// Counts round trips.
#[derive(Debug)]
pub(crate) struct Tally {
    warm_up: usize,
    /// When it was made: the first request leaves then.
    made: Instant,
    begun: (Instant, Duration),
    ended: (Instant, Duration),
    /// In nanoseconds.
    latencies: Vec<u32>,
}

impl Tally {
    /// Before the first one.
    pub(crate) fn new() -> Tally {
        Tally {
            warm_up: WARM_UP,
            made: Instant::now(),
            begun: now(),
            ended: now(),
            latencies: Vec::with_capacity(MAXIMUM),
        }
    }

    /// Counts one that began at `start` and ends now. Whether more are wanted.
    pub(crate) fn add(&mut self, start: Instant) -> bool {
        if self.warm_up > 0 {
            self.begun = now();
            let over = self.begun.0.saturating_duration_since(self.made) >= WARM_UP_PERIOD;
            self.warm_up = if over { 0 } else { self.warm_up - 1 };
            return true;
        }
        if self.latencies.len() == MAXIMUM {
            return false;
        }
        let end = Instant::now();
        let nanoseconds = end.saturating_duration_since(start).as_nanos();
        self.latencies
            .push(u32::try_from(nanoseconds).unwrap_or(u32::MAX));
        let full = self.latencies.len() == MAXIMUM;
        if full || end.saturating_duration_since(self.begun.0) >= PERIOD {
            self.ended = now();
            return false;
        }
        true
    }

    /// How it went.
    pub(crate) fn finish(mut self) -> Trips {
        let count = self.latencies.len().max(1) as f64;
        let elapsed = self.ended.0.saturating_duration_since(self.begun.0);
        let processor = self.ended.1.saturating_sub(self.begun.1);
        self.latencies.sort_unstable();
        let quantile = |part: usize| {
            let place = (self.latencies.len() * part / 100).min(self.latencies.len().max(1) - 1);
            f64::from(self.latencies.get(place).copied().unwrap_or(0)) / 1_000.0
        };
        Trips {
            rate: count / elapsed.as_secs_f64(),
            p50: quantile(50),
            p99: quantile(99),
            cpu_per_thousand: processor.as_secs_f64() * 1_000.0 / count,
            mebibytes: peak_mebibytes(),
        }
    }
}

/// The time, and the processor time of this process.
fn now() -> (Instant, Duration) {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    (
        Instant::now(),
        Duration::try_from(spent).unwrap_or_default(),
    )
}

/// The most memory of this process that was ever resident.
fn peak_mebibytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
    kibibytes.unwrap_or(0.0) / 1_024.0
}
