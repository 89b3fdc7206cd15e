//! A fleet at work, as it is watched.

use std::io::Stderr;
use std::time::Duration;

use shadow_core::Instant;

use super::bar::Bar;
use super::drive::{Glimpse, Plan, Stage, Watcher};
use super::process;
use super::summary::{Megabytes, Micros, Usage};

/// How often a terminal is drawn anew.
const REDRAWN: Duration = Duration::from_millis(250);
/// How often a line is logged.
const LOGGED: Duration = Duration::from_secs(1);

/// How wide each column of the table is. A line is to fit a terminal of 80: of a longer one the
/// terminal breaks the words.
const COLUMNS: [usize; 6] = [10, 15, 12, 12, 12, 14];

/// Shows a progress bar and a table on stderr if that is a terminal; otherwise it logs a line a
/// second, which `-v` shows. And it notes what the process uses.
pub(super) struct Live {
    bar: Option<Bar<Stderr>>,
    duration: Duration,
    stage: Stage,
    /// When round trips were counted last, and how many there were.
    counted: (Instant, u64),
    per_second: f64,
    usage: Usage,
    processor_before: Option<Duration>,
}

impl Live {
    pub(super) fn new(plan: &Plan, now: Instant) -> Live {
        Live {
            bar: Bar::on_stderr(plan.devices.into(), "connecting", "{pos} of {len}"),
            duration: plan.duration,
            stage: Stage::Connecting,
            counted: (now, 0),
            per_second: 0.0,
            usage: Usage {
                bytes_before: process::resident_bytes(),
                ..Usage::default()
            },
            processor_before: None,
        }
    }

    /// Takes the bar away; what the process used.
    pub(super) fn finish(self) -> Usage {
        if let Some(bar) = self.bar {
            bar.finish();
        }
        self.usage
    }

    /// What is to be noted when a stage begins.
    fn enter(&mut self, stage: Stage) {
        match stage {
            Stage::Connecting => {}
            Stage::Working => self.processor_before = process::processor_time(),
            Stage::Draining => self.usage.bytes = process::resident_bytes(),
            Stage::Closing => {
                let spent = process::processor_time().zip(self.processor_before);
                self.usage.processor = spent.map(|(now, before)| now.saturating_sub(before));
            }
        }
        if let Some(bar) = &self.bar {
            match stage {
                Stage::Connecting => {}
                Stage::Working => {
                    bar.set_length(millis(self.duration));
                    bar.name("working", "");
                }
                Stage::Draining => bar.name("the last answers", ""),
                Stage::Closing => bar.name("closing", ""),
            }
        }
        self.stage = stage;
    }

    fn count(&mut self, now: Instant, answered: u64) {
        let (since, before) = self.counted;
        let seconds = now.saturating_since(since).as_secs_f64();
        // Of a part of a second it would jump.
        if seconds >= 1.0 {
            self.per_second = (answered - before) as f64 / seconds;
            self.counted = (now, answered);
        }
    }

    /// What is seen, in columns of a table or as words.
    fn cells(&self, glimpse: &Glimpse<'_>) -> [(&'static str, String); 6] {
        let tally = &glimpse.crowd.tally;
        let latency = tally.latency().unwrap_or_default();
        let memory = process::resident_bytes().unwrap_or(0);
        [
            ("connected", tally.connected.to_string()),
            ("round trips/s", format!("{:.0}", self.per_second)),
            ("p50", Micros(latency.p50).to_string()),
            ("p99", Micros(latency.p99).to_string()),
            ("errors", tally.troubles_in_all().to_string()),
            ("memory", Megabytes(memory).to_string()),
        ]
    }
}

impl Watcher for Live {
    fn interval(&self) -> Duration {
        match self.bar {
            Some(_) => REDRAWN,
            None => LOGGED,
        }
    }

    fn look(&mut self, glimpse: &Glimpse<'_>) {
        if glimpse.stage != self.stage {
            self.enter(glimpse.stage);
        }
        let tally = &glimpse.crowd.tally;
        self.count(glimpse.now, tally.answered);
        let cells = self.cells(glimpse);
        match &mut self.bar {
            Some(bar) => {
                let position = match glimpse.stage {
                    Stage::Connecting => tally.connected.into(),
                    Stage::Working => millis(glimpse.now.saturating_since(glimpse.since)),
                    Stage::Draining | Stage::Closing => millis(self.duration),
                };
                bar.draw(position, table(&cells));
            }
            None => {
                let words = cells.map(|(name, cell)| format!("{name} {cell}"));
                tracing::debug!("{}", words.join(", "));
            }
        }
    }
}

/// A line with the names and one with the cells below them.
fn table(cells: &[(&str, String); 6]) -> String {
    let mut lines = [String::new(), String::new()];
    let [names, values] = &mut lines;
    for ((name, cell), width) in cells.iter().zip(COLUMNS) {
        *names += &format!("{name:>width$}");
        *values += &format!("{cell:>width$}");
    }
    lines.join("\n")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fits_a_terminal_of_eighty_columns() {
        let cells = [
            ("connected", "1000000".to_owned()),
            ("round trips/s", "1000000".to_owned()),
            ("p50", Micros(9_999_999).to_string()),
            ("p99", Micros(3_600_000_000).to_string()),
            ("errors", "1000000000".to_owned()),
            ("memory", Megabytes(128_000_000_000).to_string()),
        ];
        let table = table(&cells);
        let lines: Vec<&str> = table.lines().collect();
        let names = cells.iter().map(|(name, _)| *name);
        let values = cells.iter().map(|(_, value)| value.as_str());
        // Each stands apart from the one before.
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(lines[0]), names.collect::<Vec<_>>().join(" "));
        assert_eq!(words(lines[1]), values.collect::<Vec<_>>().join(" "));
        let widths: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
        assert_eq!(widths.len(), 2);
        assert_eq!(widths[0], widths[1]);
        assert!(widths[0] <= 79, "{widths:?}");
    }
}
