//! A trace as a snapshot keeps it.

use std::fmt;

/// What a line of a trace is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LineKind {
    /// A packet is sent: `{label} > {packet}` or `{label} < {packet}`.
    Packet,
    /// The same of a PINGREQ or a PINGRESP.
    Ping,
    /// Bytes arrive later than they were sent, or in pieces: `{label} >> ..`, `{label} << ..`.
    Arrival,
    /// A connection: `{label} connects`, `{label} closes`, `cloud closes {label}`.
    Link,
    /// An engine tells its application: `{label} ! {event}`, worded by
    /// [`describe_event`](super::describe_event).
    Event,
    /// The cloud's server tells: `cloud ! {event}`, as
    /// [`ServerEvent`](crate::server::ServerEvent) prints.
    Cloud,
    /// Something goes wrong on purpose: `fault: {fault}`, as
    /// [`Fault`](crate::simulation::fault::Fault) prints, `{label} loses power`,
    /// `{label} is cut off`.
    Fault,
    /// What the test did: `app desires ..`, and the lines of its own. `{label}'s firmware has ended`.
    Note,
}

/// A trace in the form that is kept as a snapshot and read by people. `to_string()` gives the text.
///
/// Equal behaviour is equal text, whatever the seed:
///
/// * A line is `{time} {text}`; the time is seconds since the start, `{:>5}.{:06}`. What texts there
///   are says [`LineKind`]; between them all of what
///   [`Simulation::trace`](crate::simulation::Simulation::trace) writes.
/// * Client tokens are `t1`, `t2`, … in the order in which they first came, filtered or not.
/// * The user name of a login is left out: it holds chance and the time of day. No trace has a
///   password.
///
/// What remains of chance are the pauses before connecting again, which a seed decides.
///
/// ```
/// use std::time::Duration;
///
/// use transport_mock::simulation::Simulation;
/// use transport_mock::trace::LineKind;
///
/// let mut simulation = Simulation::example();
/// let device = simulation.device();
/// simulation.desire(device, serde_json::json!({"power": true}));
/// simulation.run_for(Duration::from_secs(600)); // ten minutes of PINGs
/// let events = simulation.transcript().only(&[LineKind::Event]).without_times();
/// assert!(events.to_string().starts_with("test01 ! connected\n"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    lines: Vec<Line>,
    timeless: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    kind: LineKind,
    time: String,
    text: String,
}

impl Transcript {
    /// Of lines as a trace writes them.
    pub(super) fn new<'a>(lines: impl Iterator<Item = (LineKind, &'a str)>) -> Transcript {
        let mut tokens = Tokens::default();
        let line = |(kind, line): (LineKind, &str)| {
            let padding = line.len() - line.trim_start().len();
            let end = line.trim_start().find(' ').unwrap_or(0) + padding;
            let (time, text) = line.split_at(end);
            let text = text.strip_prefix(' ').unwrap_or(text);
            let text = match kind {
                LineKind::Packet | LineKind::Event => tokens.number(&without_user(text)),
                _ => text.to_owned(),
            };
            let time = time.to_owned();
            Line { kind, time, text }
        };
        Transcript {
            lines: lines.map(line).collect(),
            timeless: false,
        }
    }

    /// The lines of these kinds alone.
    #[must_use]
    pub fn only(self, kinds: &[LineKind]) -> Transcript {
        self.filtered(|line| kinds.contains(&line.kind))
    }

    /// The lines of all other kinds.
    #[must_use]
    pub fn without(self, kinds: &[LineKind]) -> Transcript {
        self.filtered(|line| !kinds.contains(&line.kind))
    }

    /// The lines of one device, by its label.
    #[must_use]
    pub fn of(self, label: &str) -> Transcript {
        self.filtered(|line| {
            let subject = line.text.strip_prefix("cloud closes ");
            let rest = subject.unwrap_or(&line.text).strip_prefix(label);
            rest.is_some_and(|rest| {
                rest.is_empty() || rest.starts_with(' ') || rest.starts_with("'s ")
            })
        })
    }

    /// The same lines without their times.
    #[must_use]
    pub fn without_times(self) -> Transcript {
        Transcript {
            timeless: true,
            ..self
        }
    }

    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The last lines, at most so many.
    #[must_use]
    pub fn last(mut self, count: usize) -> Transcript {
        let before = self.lines.len().saturating_sub(count);
        self.lines.drain(..before);
        self
    }

    fn filtered(mut self, wanted: impl Fn(&Line) -> bool) -> Transcript {
        self.lines.retain(wanted);
        self
    }
}

impl fmt::Display for Transcript {
    /// Each line ends in a newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Line { time, text, .. } in &self.lines {
            match self.timeless {
                true => writeln!(f, "{text}")?,
                false => writeln!(f, "{time} {text}")?,
            }
        }
        Ok(())
    }
}

/// A CONNECT without its user name.
fn without_user(text: &str) -> String {
    match text.split_once(", user ") {
        Some((before, rest)) if before.contains(" CONNECT ") => {
            let will = rest.find(", will ").and_then(|at| rest.get(at..));
            format!("{before}{}", will.unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}

/// The client tokens in the order in which they came.
#[derive(Default)]
struct Tokens {
    seen: Vec<String>,
}

impl Tokens {
    /// The text with each token replaced.
    fn number(&mut self, text: &str) -> String {
        // In a payload; in an event.
        const BEGINS: [&str; 2] = [r#""clientToken":""#, r#", token ""#];
        let mut numbered = String::new();
        let mut rest = text;
        loop {
            let found = BEGINS.iter().filter_map(|begin| {
                let at = rest.find(begin)? + begin.len();
                let length = rest.get(at..)?.find('"')?;
                Some((at, at + length))
            });
            let Some((from, to)) = found.min() else {
                numbered.push_str(rest);
                return numbered;
            };
            let token = rest.get(from..to).unwrap_or_default();
            let known = self.seen.iter().position(|seen| seen == token);
            let number = known.unwrap_or_else(|| {
                self.seen.push(token.to_owned());
                self.seen.len() - 1
            });
            numbered.push_str(rest.get(..from).unwrap_or_default());
            numbered.push_str(&format!("t{}", number + 1));
            rest = rest.get(to..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart_and_chance_is_taken_out() {
        let lines = [
            (LineKind::Link, "    0.000000 lamp connects"),
            (
                LineKind::Packet,
                "    0.000000 lamp > CONNECT MQTT 3.1.1, client c, keep alive 60 s, user u;1;x;9, will w",
            ),
            (
                LineKind::Packet,
                r#"    0.000001 lamp > PUBLISH QoS 0, t: {"clientToken":"ab-2"}"#,
            ),
            (
                LineKind::Packet,
                r#"    0.000002 lamp < PUBLISH QoS 0, t: {"clientToken":"ab-1","a":{"clientToken":"ab-2"}}"#,
            ),
            (
                LineKind::Event,
                r#"    0.000002 lamp ! unmatched get reply, shadow 0, late, token "ab-1", code 0: {}"#,
            ),
            (
                LineKind::Event,
                r#"    0.000002 lamp ! message, QoS 0, t: {"clientToken":"q"}"#,
            ),
            (LineKind::Note, "    0.000002 lamp's firmware has ended"),
            (LineKind::Ping, "123456.000000 lamp2 > PINGREQ"),
            (LineKind::Link, "123456.000000 cloud closes lamp"),
        ];
        let all = Transcript::new(lines.into_iter());
        assert_eq!(
            all.to_string(),
            concat!(
                "    0.000000 lamp connects\n",
                "    0.000000 lamp > CONNECT MQTT 3.1.1, client c, keep alive 60 s, will w\n",
                "    0.000001 lamp > PUBLISH QoS 0, t: {\"clientToken\":\"t1\"}\n",
                "    0.000002 lamp < PUBLISH QoS 0, t: {\"clientToken\":\"t2\",\"a\":{\"clientToken\":\"t1\"}}\n",
                "    0.000002 lamp ! unmatched get reply, shadow 0, late, token \"t2\", code 0: {}\n",
                "    0.000002 lamp ! message, QoS 0, t: {\"clientToken\":\"t3\"}\n",
                "    0.000002 lamp's firmware has ended\n",
                "123456.000000 lamp2 > PINGREQ\n",
                "123456.000000 cloud closes lamp\n",
            )
        );
        let links = all
            .clone()
            .of("lamp")
            .only(&[LineKind::Link])
            .without_times();
        assert_eq!(links.to_string(), "lamp connects\ncloud closes lamp\n");
        assert_eq!(all.clone().of("lamp2").len(), 1);
        let notes = all.clone().of("lamp").only(&[LineKind::Note]);
        assert_eq!(notes.len(), 1);
        let kinds = [
            LineKind::Link,
            LineKind::Packet,
            LineKind::Event,
            LineKind::Note,
        ];
        assert_eq!(
            all.without(&kinds).to_string(),
            "123456.000000 lamp2 > PINGREQ\n"
        );
    }
}
