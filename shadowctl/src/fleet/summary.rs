//! What is said of a fleet at its end.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::drive::Course;
use super::process::OpenFiles;
use super::tally::{Latency, Trouble};
use crate::output::{ERROR, GOOD, HEADING};

/// A fleet's result, also as JSON. Bytes are bytes, and `_us` are microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Summary {
    /// Which server, in words.
    pub(super) server: String,
    pub(super) seed: u64,
    pub(super) devices: u32,
    /// How many of them got as far as their shadow.
    pub(super) connected: u32,
    /// How long that took.
    pub(super) connect_seconds: f64,
    /// How many round trips a second were wanted.
    pub(super) rate: u32,
    /// How long they began.
    pub(super) seconds: f64,
    /// How many were to begin.
    pub(super) planned: u64,
    /// How many have begun.
    pub(super) begun: u64,
    pub(super) answered: u64,
    pub(super) failed: u64,
    /// How many were open when it was ended early.
    pub(super) cancelled: u64,
    /// Of those that were answered.
    pub(super) per_second: f64,
    pub(super) latency_us: Option<Latency>,
    /// What the process had in memory at the end of the work.
    pub(super) resident_bytes: Option<u64>,
    /// What it had more of it than before there was any device, for each of them.
    pub(super) bytes_per_device: Option<u64>,
    /// What the processors spent on it from the first round trip to the last.
    pub(super) processor_seconds: Option<f64>,
    pub(super) processor_us_per_round_trip: Option<f64>,
    /// The limit on open files, where it matters.
    pub(super) open_files: Option<OpenFiles>,
    pub(super) errors: Vec<ErrorCount>,
    /// Whether it was ended early.
    pub(super) stopped: bool,
    /// Sizes that were asked for too and did not run, as this was ended early. Left out of the
    /// JSON if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) not_run: Vec<u32>,
}

/// How often one kind of thing went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ErrorCount {
    pub(super) kind: Trouble,
    pub(super) count: u64,
    /// The first of them.
    pub(super) example: String,
}

/// What the process used, at three moments.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// In memory before the first device.
    pub(super) bytes_before: Option<u64>,
    /// In memory at the end of the work.
    pub(super) bytes: Option<u64>,
    /// Spent by the processors on the work.
    pub(super) processor: Option<Duration>,
}

impl Summary {
    pub(super) fn new(
        server: String,
        seed: u64,
        devices: u32,
        rate: u32,
        course: &Course,
        usage: Usage,
        open_files: Option<OpenFiles>,
    ) -> Summary {
        let tally = &course.crowd.tally;
        let seconds = course.working.as_secs_f64();
        let more = usage.bytes.zip(usage.bytes_before);
        let more = more.map(|(bytes, before)| bytes.saturating_sub(before));
        let processor = usage.processor.map(|spent| spent.as_secs_f64());
        let some = tally.answered > 0;
        Summary {
            server,
            seed,
            devices,
            connected: tally.ever_connected,
            connect_seconds: course.connecting.as_secs_f64(),
            rate,
            seconds,
            planned: course.planned,
            begun: tally.begun,
            answered: tally.answered,
            failed: tally.failed,
            cancelled: tally.cancelled,
            per_second: match seconds > 0.0 {
                true => tally.answered as f64 / seconds,
                false => 0.0,
            },
            latency_us: tally.latency(),
            resident_bytes: usage.bytes,
            bytes_per_device: more.map(|bytes| bytes / u64::from(devices.max(1))),
            processor_seconds: processor,
            processor_us_per_round_trip: processor
                .filter(|_| some)
                .map(|seconds| seconds * 1e6 / tally.answered as f64),
            open_files,
            errors: tally
                .troubles()
                .map(|(kind, troubles)| ErrorCount {
                    kind,
                    count: troubles.count,
                    example: troubles.example.clone(),
                })
                .collect(),
            stopped: course.stopped,
            not_run: Vec::new(),
        }
    }

    /// How often anything went wrong.
    pub(super) fn errors_in_all(&self) -> u64 {
        self.errors.iter().map(|errors| errors.count).sum()
    }
}

/// A table with a line for each subject.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary {
            server,
            devices,
            connected,
            answered,
            ..
        } = self;
        writeln!(
            f,
            "{HEADING}fleet of {devices} at {server}{HEADING:#}, seed {}{}",
            self.seed,
            if self.stopped { ", ended early" } else { "" }
        )?;
        writeln!(
            f,
            "connected      {connected} of {devices} in {:.2} s",
            self.connect_seconds
        )?;
        match self.rate {
            0 => writeln!(f, "round trips    none: idle for {:.1} s", self.seconds)?,
            rate => {
                writeln!(
                    f,
                    "round trips    {answered} answered, {:.1} a second of {rate}; {} failed",
                    self.per_second, self.failed
                )?;
                if self.begun < self.planned || self.cancelled > 0 {
                    writeln!(
                        f,
                        "               {} of {} began, {} were given up at the end",
                        self.begun, self.planned, self.cancelled
                    )?;
                }
            }
        }
        if let Some(latency) = self.latency_us {
            writeln!(
                f,
                "latency        p50 {}, p90 {}, p99 {}, longest {}",
                Micros(latency.p50),
                Micros(latency.p90),
                Micros(latency.p99),
                Micros(latency.maximum)
            )?;
        }
        if let Some(bytes) = self.resident_bytes {
            write!(f, "memory         {}", Megabytes(bytes))?;
            match self.bytes_per_device {
                Some(each) => writeln!(f, ", {each} bytes a device")?,
                None => writeln!(f)?,
            }
        }
        if let Some(seconds) = self.processor_seconds {
            write!(f, "processor      {seconds:.2} s")?;
            match self.processor_us_per_round_trip {
                Some(each) => writeln!(f, ", {each:.1} µs a round trip")?,
                None => writeln!(f)?,
            }
        }
        if let Some(OpenFiles { was, is }) = self.open_files {
            writeln!(f, "open files     limit was {was}, is {is}")?;
        }
        if self.errors.is_empty() {
            return write!(f, "errors         {GOOD}none{GOOD:#}");
        }
        write!(f, "errors         {ERROR}{}{ERROR:#}", self.errors_in_all())?;
        for ErrorCount {
            kind,
            count,
            example,
        } in &self.errors
        {
            let kind = kind.to_string();
            write!(f, "\n  {kind:<20} {count:>8}  {example}")?;
        }
        Ok(())
    }
}

/// Fleets of several sizes, a line each. What a process has without any device weighs on each of
/// few; so it is also said what each device more than in the line before adds. If it was ended
/// early, a last line says at which size, and which sizes did not run.
pub(super) struct Curve<'a>(pub(super) &'a [Summary]);

impl Curve<'_> {
    /// Bytes that each device more than in `before` adds.
    fn each_more(before: Option<&Summary>, row: &Summary) -> Option<u64> {
        let before = before?;
        let bytes = row.resident_bytes?.checked_sub(before.resident_bytes?)?;
        bytes.checked_div(row.devices.checked_sub(before.devices)?.into())
    }

    /// The line below the table, if there is to be one.
    fn end_early(last: &Summary, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !last.stopped && last.not_run.is_empty() {
            return Ok(());
        }
        write!(f, "\nended early")?;
        if last.stopped {
            write!(f, ", at {} devices", last.devices)?;
        }
        for (index, devices) in last.not_run.iter().enumerate() {
            let before = if index == 0 { "; not run:" } else { "," };
            write!(f, "{before} {devices}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Curve<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{HEADING}{:>8} {:>9} {:>9} {:>12} {:>9} {:>9} {:>9} {:>9} {:>9} {:>6}{HEADING:#}",
            "devices",
            "connected",
            "memory",
            "bytes/device",
            "each more",
            "trips/s",
            "CPU/trip",
            "p50",
            "p99",
            "errors"
        )?;
        let mut before = None;
        for row in self.0 {
            let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            let number = |number: Option<u64>| or_none(number.map(|number| number.to_string()));
            let latency = |of: fn(&Latency) -> u64| {
                or_none(row.latency_us.as_ref().map(|l| Micros(of(l)).to_string()))
            };
            let memory = row.resident_bytes.map(|bytes| Megabytes(bytes).to_string());
            let processor = row.processor_us_per_round_trip;
            write!(
                f,
                "\n{:>8} {:>9} {:>9} {:>12} {:>9} {:>9.1} {:>9} {:>9} {:>9} {:>6}",
                row.devices,
                row.connected,
                or_none(memory),
                number(row.bytes_per_device),
                number(Curve::each_more(before, row)),
                row.per_second,
                or_none(processor.map(|micros| format!("{micros:.1} µs"))),
                latency(|l| l.p50),
                latency(|l| l.p99),
                row.errors_in_all()
            )?;
            before = Some(row);
        }
        match self.0.last() {
            Some(last) => Curve::end_early(last, f),
            None => Ok(()),
        }
    }
}

/// A short time.
pub(super) struct Micros(pub(super) u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            micros @ 0..10_000 => write!(f, "{micros} µs"),
            micros @ 10_000..10_000_000 => write!(f, "{:.1} ms", micros as f64 / 1e3),
            micros => write!(f, "{:.1} s", micros as f64 / 1e6),
        }
    }
}

/// Memory, in millions of bytes.
pub(super) struct Megabytes(pub(super) u64);

impl fmt::Display for Megabytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MB", self.0 as f64 / 1e6)
    }
}
