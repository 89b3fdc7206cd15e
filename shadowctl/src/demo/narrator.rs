//! Tells what happens.

use serde::Serialize;
use shadow_core::Instant;
use transport_tcp::Clock;

use super::tap::{Passed, Tap, Who};
use crate::document::{Compact, Printable};
use crate::failure::Failure;
use crate::output::{ERROR, FAINT, GOOD, HEADING, Output, RECEIVED, SENT};

/// How wide a line may get before what a message carries goes on lines of its own.
const WIDTH: usize = 100;

/// Where what a packet is begins.
const INDENT: usize = 18;

/// Tells sentences, packets and verdicts in the order in which they happen: whatever it is told to
/// say, the packets that went by before come first.
pub(super) struct Narrator<'o, K> {
    /// Where it is told.
    pub(super) output: &'o mut Output,
    clock: K,
    start: Instant,
    tap: Tap<K>,
    demonstration: usize,
    checks: usize,
}

/// A line for scripts.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    Text {
        text: &'a str,
    },
    Demonstration {
        number: usize,
        title: &'a str,
    },
    Packet {
        at_ms: u128,
        who: &'static str,
        sent: bool,
        kind: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        topic: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Compact>,
    },
    Check {
        demonstration: usize,
        text: &'a str,
        passed: bool,
    },
    Skipped {
        demonstration: usize,
        text: &'a str,
    },
}

impl<'o, K: Clock> Narrator<'o, K> {
    pub(super) fn new(output: &'o mut Output, clock: K, tap: Tap<K>) -> Narrator<'o, K> {
        Narrator {
            output,
            start: clock.now(),
            clock,
            tap,
            demonstration: 0,
            checks: 0,
        }
    }

    /// Begins a demonstration.
    pub(super) fn demonstration(&mut self, title: &str) -> Result<(), Failure> {
        self.packets()?;
        self.demonstration += 1;
        let number = self.demonstration;
        self.output
            .text(format_args!("\n{HEADING}{number}. {title}{HEADING:#}"))?;
        self.output.json(&Line::Demonstration { number, title })
    }

    /// Says a sentence.
    pub(super) fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.packets()?;
        self.output.text(text)?;
        self.output.json(&Line::Text { text })
    }

    /// Says whether what `text` claims holds.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Operation`](crate::failure::FailureKind::Operation) where it does not;
    /// `found` is what there is instead.
    pub(super) fn check(&mut self, passed: bool, text: &str, found: &str) -> Result<(), Failure> {
        self.packets()?;
        let demonstration = self.demonstration;
        self.output.json(&Line::Check {
            demonstration,
            text,
            passed,
        })?;
        if passed {
            self.checks += 1;
            return self.output.text(format_args!("  {GOOD}✓ {text}{GOOD:#}"));
        }
        self.output
            .text(format_args!("  {ERROR}✗ {text}{ERROR:#}"))?;
        Err(Failure::operation(format_args!(
            "demonstration {demonstration}: expected that {text}, but found {}",
            Printable(found)
        )))
    }

    /// Says that a step cannot be shown here, and why.
    pub(super) fn skip(&mut self, text: &str) -> Result<(), Failure> {
        self.packets()?;
        let demonstration = self.demonstration;
        self.output
            .text(format_args!("  {RECEIVED}Skipped:{RECEIVED:#} {text}"))?;
        self.output.json(&Line::Skipped {
            demonstration,
            text,
        })
    }

    /// How many checks there were so far.
    pub(super) fn checks(&self) -> usize {
        self.checks
    }

    /// Waits until then, after telling what happened before.
    pub(super) async fn wait_until(&mut self, at: Instant) -> Result<(), Failure> {
        self.packets()?;
        self.clock.sleep_until(at).await;
        Ok(())
    }

    /// The time.
    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Tells the packets that went by.
    pub(super) fn packets(&mut self) -> Result<(), Failure> {
        let (packets, dropped) = self.tap.take();
        for packet in packets {
            self.packet(&packet)?;
        }
        if dropped > 0 {
            self.output
                .remark(format_args!("{dropped} more packets went by untold"));
        }
        Ok(())
    }

    fn packet(&mut self, passed: &Passed) -> Result<(), Failure> {
        let after = passed.at.saturating_since(self.start);
        let (style, arrow) = match passed.sent {
            true => (SENT, "→"),
            false => (RECEIVED, "←"),
        };
        let who = match passed.who {
            Who::Device => "device",
            Who::Application => "app",
        };
        let essence = &passed.essence;
        let name = essence.topic.as_deref().unwrap_or(&passed.kind);
        let said = format!(
            "{:<9}  {}",
            Printable(name).to_string(),
            Printable(&essence.head)
        );
        let length = |text: &str| text.chars().count() + 2;
        let whole = INDENT + length(&said) + essence.parts.iter().map(|p| length(p)).sum::<usize>();
        let before_part = match whole > WIDTH {
            true => format!("\n{:INDENT$}", ""),
            false => "  ".to_owned(),
        };
        let parts = essence.parts.iter();
        let parts: String = parts
            .map(|part| format!("{before_part}{}", Printable(part)))
            .collect();
        let seconds = after.as_secs_f64();
        let line = format!(
            "{FAINT}{seconds:>7.3}{FAINT:#}  {style}{who:<6} {arrow}{style:#} {}{parts}",
            said.trim_end()
        );
        self.output.text(line)?;
        self.output.json(&Line::Packet {
            at_ms: after.as_millis(),
            who,
            sent: passed.sent,
            kind: &passed.kind,
            topic: passed.topic.as_deref(),
            payload: passed
                .payload
                .as_deref()
                .map(|payload| Compact::from_text(&String::from_utf8_lossy(payload))),
        })
    }
}
