//! What a replay has to say, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::conclusions::Conclusion;
use super::fault::Fault;

/// What became of one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// The engine took it in as an input, or did the same.
    Reproduced {
        /// What exactly.
        what: String,
    },
    /// Thread and socket chatter of the SDK, or a remark of the application.
    Environment {
        /// What kind.
        what: String,
    },
    /// It stands for something that the log does not print, or depends on it.
    Inferred {
        /// What, and why it is taken for granted.
        reason: String,
    },
    /// The engine would not have printed it, or would have printed something else.
    Unexplained {
        /// What was expected and what was found.
        reason: String,
    },
}

impl Verdict {
    pub(super) fn reproduced(what: impl Into<String>) -> Verdict {
        Verdict::Reproduced { what: what.into() }
    }

    pub(super) fn environment(what: impl Into<String>) -> Verdict {
        Verdict::Environment { what: what.into() }
    }

    pub(super) fn inferred(reason: impl Into<String>) -> Verdict {
        Verdict::Inferred {
            reason: reason.into(),
        }
    }

    pub(super) fn unexplained(reason: impl Into<String>) -> Verdict {
        Verdict::Unexplained {
            reason: reason.into(),
        }
    }

    /// Whether it fails the replay.
    #[must_use]
    pub fn is_unexplained(&self) -> bool {
        matches!(self, Verdict::Unexplained { .. })
    }

    fn word(&self) -> &'static str {
        match self {
            Verdict::Reproduced { .. } => "reproduced",
            Verdict::Environment { .. } => "environment",
            Verdict::Inferred { .. } => "inferred",
            Verdict::Unexplained { .. } => "UNEXPLAINED",
        }
    }

    fn text(&self) -> &str {
        match self {
            Verdict::Reproduced { what } | Verdict::Environment { what } => what,
            Verdict::Inferred { reason } | Verdict::Unexplained { reason } => reason,
        }
    }
}

/// One line of a log and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineReport {
    /// Index into [`Report::files`].
    pub file: usize,
    /// Number of the line in that file, 1-based.
    pub number: usize,
    /// What it says, secrets withheld.
    pub text: String,
    /// What became of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Something that happened between the lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unprinted {
    /// Index into [`Report::lines`] of the line before which it happened; the number of lines if it
    /// was after the last.
    pub before: usize,
    /// What it was, in the log's own words where it would have been printed.
    pub what: String,
    /// [`Verdict::Inferred`] or [`Verdict::Unexplained`].
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What the log shows of the device and its client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// The product id with which the session was replayed.
    pub product_id: String,
    /// The device's name.
    pub device_name: String,
    /// What is printed in place of the product id, if it was taken out.
    pub redacted_as: Option<String>,
    /// Keep alive in seconds.
    pub keep_alive: u16,
    /// MQTT version of the profile. A log does not show it; a capture does.
    pub mqtt_version: &'static str,
    /// How inbound JSON is spelled.
    pub inbound_json: String,
    /// With what state the replay began.
    pub begins: String,
}

/// How many lines got which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// [`Verdict::Reproduced`].
    pub reproduced: usize,
    /// [`Verdict::Environment`].
    pub environment: usize,
    /// [`Verdict::Inferred`].
    pub inferred: usize,
    /// [`Verdict::Unexplained`].
    pub unexplained: usize,
}

impl Counts {
    fn add(&mut self, verdict: &Verdict) {
        *match verdict {
            Verdict::Reproduced { .. } => &mut self.reproduced,
            Verdict::Environment { .. } => &mut self.environment,
            Verdict::Inferred { .. } => &mut self.inferred,
            Verdict::Unexplained { .. } => &mut self.unexplained,
        } += 1;
    }
}

/// The replay of one session. `Display` prints it for people, `Serialize` gives all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The files, in the order given.
    pub files: Vec<String>,
    /// Who the device is and how its client behaves.
    pub profile: Profile,
    /// Every line of every file, in the order of the session.
    pub lines: Vec<LineReport>,
    /// What happened between them.
    pub unprinted: Vec<Unprinted>,
    /// Verdicts of the lines.
    pub counts: Counts,
    /// What the session shows, in words.
    pub findings: Vec<String>,
    /// In what the client had to be followed against the engine's better judgement.
    pub faults: Vec<Fault>,
    /// What the vendor's document says of this session, if it is the documented one.
    pub conclusions: Vec<Conclusion>,
}

impl Report {
    pub(super) fn count(&mut self) {
        self.counts = Counts::default();
        for line in &self.lines {
            self.counts.add(&line.verdict);
        }
    }

    /// How many lines, and things between lines, are unexplained. 0 is success.
    #[must_use]
    pub fn unexplained(&self) -> usize {
        let between = self
            .unprinted
            .iter()
            .filter(|event| event.verdict.is_unexplained());
        self.counts.unexplained + between.count()
    }
}

/// Width of a printed line's text.
const TEXT_WIDTH: usize = 72;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Profile {
            product_id,
            device_name,
            redacted_as,
            keep_alive,
            mqtt_version,
            inbound_json,
            begins,
        } = &self.profile;
        for (index, file) in self.files.iter().enumerate() {
            writeln!(f, "file {}: {file}", index + 1)?;
        }
        write!(f, "device: {product_id}/{device_name}")?;
        if let Some(printed) = redacted_as {
            write!(f, " (the product id is printed as `{printed}`)")?;
        }
        writeln!(f, ", keep alive {keep_alive} s, {mqtt_version}")?;
        writeln!(f, "inbound JSON: {inbound_json}")?;
        writeln!(f, "begins: {begins}")?;
        writeln!(f)?;
        let mut between = self.unprinted.iter().peekable();
        for (index, line) in self.lines.iter().enumerate() {
            while let Some(event) = between.next_if(|event| event.before <= index) {
                write_between(f, event)?;
            }
            let place = if self.files.len() > 1 {
                format!("{}:{}", line.file + 1, line.number)
            } else {
                line.number.to_string()
            };
            let (word, text) = (line.verdict.word(), shorten(&line.text));
            writeln!(f, "{place:>7}  {word:<11}  {text}")?;
            match &line.verdict {
                Verdict::Inferred { reason } | Verdict::Unexplained { reason } => {
                    writeln!(f, "{:>9}{:<11}    {reason}", "", "")?;
                }
                Verdict::Reproduced { .. } | Verdict::Environment { .. } => {}
            }
        }
        for event in between {
            write_between(f, event)?;
        }
        if !self.findings.is_empty() {
            writeln!(f, "\nfindings:")?;
        }
        for finding in &self.findings {
            writeln!(f, "  * {finding}")?;
        }
        if !self.faults.is_empty() {
            writeln!(f, "\noptions that the client's faults need:")?;
        }
        for fault in &self.faults {
            writeln!(f, "  * {fault} ({})", fault.option())?;
        }
        if !self.conclusions.is_empty() {
            writeln!(f, "\nthe document says:")?;
        }
        for conclusion in &self.conclusions {
            writeln!(f, "  * {conclusion}")?;
        }
        let Counts {
            reproduced,
            environment,
            inferred,
            ..
        } = self.counts;
        let unprinted = self.unprinted.len();
        writeln!(
            f,
            "\n{} lines: {reproduced} reproduced, {environment} environment, {inferred} inferred; \
             {unprinted} not printed; {} unexplained",
            self.lines.len(),
            self.unexplained()
        )
    }
}

fn write_between(f: &mut fmt::Formatter<'_>, event: &Unprinted) -> fmt::Result {
    let (word, what) = (event.verdict.word(), shorten(&event.what));
    writeln!(f, "{:>7}  {word:<11}  ({what})", "-")?;
    writeln!(f, "{:>9}{:<11}    {}", "", "", event.verdict.text())
}

/// The beginning of a text, on one line.
pub(super) fn shorten(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(TEXT_WIDTH + 1)
        .collect();
    if shown.chars().count() > TEXT_WIDTH {
        shown.pop();
        shown.push('…');
    }
    shown
}
