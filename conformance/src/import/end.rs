//! The end of a log: what is still due, and what the session shows as a whole.

use super::driver::Driver;
use super::outline::Line;
use super::queue::Queue;
use super::report::Verdict;
use super::words::describe;
use crate::log::Statement;

impl Driver<'_> {
    /// What is still due was cut off, if the log ends soon enough after its cause.
    pub(super) fn end(&mut self) {
        let lines = &self.outline.lines;
        let (count, last) = (lines.len(), lines.last().map_or(0, |line| line.at));
        for slot in Queue::ALL {
            while let Some(gone) = self.queues[slot].pop_front() {
                if gone.optional {
                    continue;
                }
                let caused = lines.get(gone.cause).map_or(0, |line| line.at);
                let usual = match gone.statement {
                    // Printed as soon as the call returns.
                    Statement::PublishSuccess | Statement::SubscribeSuccess { .. } => 5,
                    _ => 25,
                };
                let usual = self
                    .delays
                    .get(gone.statement.name())
                    .copied()
                    .unwrap_or(usual);
                let what = describe(&gone.statement);
                let verdict = if last.saturating_sub(caused) <= 4 * usual + 20 {
                    Verdict::inferred("the log ends before it")
                } else if gone.cause < self.stretch {
                    Verdict::inferred("lines are left out between the excerpts")
                } else {
                    Verdict::unexplained(format!(
                        "the engine also calls for {what}, which the log does not print"
                    ))
                };
                self.not_printed(count, &what, verdict);
            }
        }
        if let Some((line, json)) = self.pending.update.take() {
            let caused = lines.get(line).map_or(0, |line| line.at);
            let what = format!("Sending PUBLISH ({} bytes)", json.len());
            let verdict = if last.saturating_sub(caused) <= 120 {
                Verdict::inferred("the log ends before it")
            } else {
                Verdict::unexplained(format!(
                    "expected {what} after `[shadow update]`, which the log does not print"
                ))
            };
            self.not_printed(count, &what, verdict);
        }
    }

    /// What the session as a whole shows.
    pub(super) fn find(&mut self) {
        self.find_silence();
        let mut found = Vec::new();
        for (name, shadow) in &self.shadows {
            for (before, after) in &shadow.ledger.foreign_changes {
                found.push(format!(
                    "{name}: the version goes from {before} to {after} by changes that the log does \
                     not print"
                ));
            }
            let unanswered: Vec<usize> = shadow
                .asked
                .values()
                .filter(|asked| !asked.answered)
                .filter_map(|asked| asked.line)
                .chain(shadow.unanswered.iter().copied())
                .collect();
            if let Some(first) = unanswered.iter().min() {
                found.push(format!(
                    "{name}: no reply is printed to {} of the requests, the first at {}",
                    unanswered.len(),
                    self.place(*first)
                ));
            }
        }
        for (line, by) in &self.outline.set_back {
            found.push(format!(
                "{}: the clock was set back by {by} ms",
                self.place(*line)
            ));
        }
        if !self.silent.is_empty() {
            let kinds: Vec<&str> = self.silent.iter().copied().collect();
            found.push(format!("the application never prints {}", kinds.join(", ")));
        }
        self.findings.append(&mut found);
    }

    /// A link on which nothing was subscribed although something had been before.
    pub(super) fn find_silence(&mut self) {
        if self.logins > 1 && !self.subscribed && self.device.is_online() {
            self.findings.push(
                "after a reconnect nothing is subscribed again: the device is connected and hears \
                 nothing"
                    .to_owned(),
            );
        }
    }

    /// Whether a line is so near the end that what follows it may be cut off.
    pub(super) fn is_near_end(&self, at: usize) -> bool {
        let lines = &self.outline.lines;
        let time = |line: Option<&Line>| line.map_or(0, |line| line.at);
        time(lines.last()).saturating_sub(time(lines.get(at))) <= 120
    }

    pub(super) fn drop_unknown_payload(&mut self) -> bool {
        let queue = &mut self.queues[Queue::FromNetwork];
        let unknown = queue.iter().position(|expected| {
            matches!(&expected.statement, Statement::OnPayload { function, .. } if function.is_empty())
        });
        unknown.is_some_and(|place| queue.remove(place).is_some())
    }

    pub(super) fn place(&self, at: usize) -> String {
        self.outline
            .lines
            .get(at)
            .map_or_else(String::new, |line| line.label.clone())
    }
}
