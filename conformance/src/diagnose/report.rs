//! What a diagnosis has to say, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::client::{Client, Findings, Place};
use super::finding::{Finding, Severity};
use super::session::Session;
use super::words::seconds;

/// A finding, and where it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// How grave it is.
    pub severity: Severity,
    /// What it is.
    #[serde(flatten)]
    pub finding: Finding,
    /// The clause or the vendor's document that it is about.
    pub rule: Option<&'static str>,
    /// When, in microseconds of the session's clock; `None` where the source does not tell.
    pub at_micros: Option<u64>,
    /// Whose: the client identifier.
    pub client: Option<String>,
    /// The connection, as an index into [`Session::connections`].
    pub connection: Option<usize>,
    /// The packet's number on its connection, both sides counted, from 1.
    pub packet: Option<usize>,
    /// What was seen, in words.
    pub evidence: String,
    /// What to do about it.
    pub advice: &'static str,
}

impl Diagnosis {
    pub(super) fn new(client: Option<String>, place: Place, finding: Finding) -> Diagnosis {
        Diagnosis {
            severity: finding.severity(),
            rule: finding.clause(),
            at_micros: place.at,
            client,
            connection: place.connection,
            packet: place.packet,
            evidence: finding.evidence(),
            advice: finding.advice(),
            finding,
        }
    }
}

/// How many findings are how grave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// [`Severity::Broke`].
    pub broke: usize,
    /// [`Severity::Lost`].
    pub lost: usize,
    /// [`Severity::Risky`].
    pub risky: usize,
    /// [`Severity::Note`].
    pub notes: usize,
}

impl Counts {
    fn of(&self, severity: Severity) -> usize {
        match severity {
            Severity::Broke => self.broke,
            Severity::Lost => self.lost,
            Severity::Risky => self.risky,
            Severity::Note => self.notes,
        }
    }
}

/// A client of the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientSummary {
    /// The client identifier; `None` where no CONNECT was seen.
    pub id: Option<String>,
    /// How many connections and attempts it made.
    pub connections: usize,
    /// How many packets it sent.
    pub sent: usize,
    /// How many it received.
    pub received: usize,
}

/// What was found in a session. `Display` prints it for people, `Serialize` gives all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The clients, in the order of their first connection.
    pub clients: Vec<ClientSummary>,
    /// What each connection is called.
    pub connections: Vec<String>,
    /// When the session begins, in microseconds; printed times count from here.
    pub begins_at: u64,
    /// What was found, in the order of time; what has no time comes first.
    pub findings: Vec<Diagnosis>,
    /// How many findings were left out, as there were too many.
    pub left_out: usize,
    /// How many are how grave.
    pub counts: Counts,
}

impl Report {
    pub(super) fn new(session: &Session, clients: &[Client<'_>], found: Findings) -> Report {
        let mut findings = found.list;
        findings.sort_by_key(|found| found.at_micros);
        let count = |severity| {
            let same = findings.iter().filter(|found| found.severity == severity);
            same.count()
        };
        let counts = Counts {
            broke: count(Severity::Broke),
            lost: count(Severity::Lost),
            risky: count(Severity::Risky),
            notes: count(Severity::Note),
        };
        let summaries = clients.iter().map(|client| {
            let packets = || client.connections.iter().flat_map(|(_, c)| &c.packets);
            let by_device = |record: &&super::Record| record.from == super::Direction::Device;
            ClientSummary {
                id: client.id.map(str::to_owned),
                connections: client.connections.len(),
                sent: packets().filter(by_device).count(),
                received: packets().filter(|record| !by_device(record)).count(),
            }
        });
        Report {
            clients: summaries.collect(),
            connections: session
                .connections
                .iter()
                .map(|c| c.label.clone())
                .collect(),
            begins_at: session.begins_at,
            findings,
            left_out: found.left_out,
            counts,
        }
    }

    /// Whether something is of the two grave severities.
    #[must_use]
    pub fn is_grave(&self) -> bool {
        self.counts.broke + self.counts.lost > 0
    }

    /// Whether a packet of any client was seen. If not, there is nothing that a verdict could be
    /// about.
    #[must_use]
    pub fn saw_packets(&self) -> bool {
        let mut clients = self.clients.iter();
        clients.any(|client| client.sent + client.received > 0)
    }

    fn place(&self, found: &Diagnosis) -> String {
        let mut place = Vec::new();
        if let Some(at) = found.at_micros {
            place.push(format!("+{}", seconds(at.saturating_sub(self.begins_at))));
        }
        if self.clients.len() > 1
            && let Some(client) = &found.client
        {
            place.push(client.clone());
        }
        if let Some(connection) = found.connection {
            place.push(format!("connection {}", connection + 1));
        }
        if let Some(packet) = found.packet {
            place.push(format!("packet {packet}"));
        }
        place.join(", ")
    }

    fn write_group(&self, f: &mut fmt::Formatter<'_>, severity: Severity) -> fmt::Result {
        let of_severity = self
            .findings
            .iter()
            .filter(|found| found.severity == severity);
        // By kind, in the order in which each kind comes first; the advice is one for all.
        let mut kinds: Vec<(&'static str, Vec<&Diagnosis>)> = Vec::new();
        for found in of_severity {
            match kinds.iter_mut().find(|(advice, same)| {
                let first = same
                    .first()
                    .map(|first| std::mem::discriminant(&first.finding));
                *advice == found.advice && first == Some(std::mem::discriminant(&found.finding))
            }) {
                Some((_, same)) => same.push(found),
                None => kinds.push((found.advice, vec![found])),
            }
        }
        for (advice, same) in kinds {
            for found in same.iter().take(SHOWN) {
                let rule = found
                    .rule
                    .map_or_else(String::new, |rule| format!(" [{rule}]"));
                writeln!(f, "  * {}{rule}", shown(&found.evidence))?;
                let place = self.place(found);
                if !place.is_empty() {
                    writeln!(f, "      at {place}")?;
                }
            }
            if same.len() > SHOWN {
                writeln!(f, "      … and {} more of the kind", same.len() - SHOWN)?;
            }
            writeln!(f, "      → {advice}")?;
        }
        Ok(())
    }
}

/// How many findings of one kind are printed.
const SHOWN: usize = 3;

/// Without control characters, which may come from the peer.
fn shown(text: &str) -> String {
    let plain = text
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c });
    plain.collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for client in &self.clients {
            let ClientSummary {
                id,
                connections,
                sent,
                received,
            } = client;
            let id = shown(id.as_deref().unwrap_or("a client without CONNECT"));
            let plural = if *connections == 1 { "" } else { "s" };
            writeln!(
                f,
                "{id}: {connections} connection{plural}, {sent} packets sent, {received} received"
            )?;
        }
        for severity in Severity::ALL {
            if self.counts.of(severity) > 0 {
                writeln!(f, "\n{severity}:")?;
                self.write_group(f, severity)?;
            }
        }
        if self.left_out > 0 {
            writeln!(f, "\n{} findings more were left out", self.left_out)?;
        }
        let Counts {
            broke,
            lost,
            risky,
            notes,
        } = self.counts;
        let verdict = match (broke, lost, risky + notes) {
            (0, 0, _) if !self.saw_packets() => "no MQTT packets were seen".to_owned(),
            (0, 0, 0) => "healthy".to_owned(),
            (0, 0, _) => "nothing broken, nothing lost".to_owned(),
            (0, _, _) => "the session lost something".to_owned(),
            (_, 0, _) => "the session broke the specification".to_owned(),
            _ => "the session broke the specification and lost something".to_owned(),
        };
        writeln!(
            f,
            "\nverdict: {verdict} ({broke} broken, {lost} lost, {risky} risky, {notes} noted)"
        )
    }
}
