//! The one table, for a person.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::{Better, Machine, Measurements, OURS, Row, Target};

/// Everything that one run of the measurements found: the table as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Where and when.
    pub machine: Machine,
    /// What.
    #[serde(flatten)]
    pub measurements: Measurements,
}

/// Prints what a part has measured on this machine: as JSON for the one command, or as the table.
///
/// # Errors
///
/// Only in theory: numbers and texts have a JSON form.
pub fn print(measurements: Measurements, json: bool) -> serde_json::Result<()> {
    if json {
        println!("{}", serde_json::to_string(&measurements)?);
    } else {
        let machine = Machine::this();
        print!(
            "{}",
            markdown(&Report {
                machine,
                measurements
            })
        );
    }
    Ok(())
}

/// The report as Markdown: a heading and a table for each group, in the order in which the groups
/// first come, a line for each operation and measure.
///
/// The ratio is how many times better ours is than the best peer: above one we are ahead.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut text = String::new();
    let machine = &report.machine;
    let lines = [
        &machine.date,
        &machine.processor,
        &machine.kernel,
        &machine.compiler,
    ];
    let known: Vec<&str> = lines
        .iter()
        .map(|line| line.as_str())
        .filter(|l| !l.is_empty())
        .collect();
    let _ = writeln!(text, "Measured: {}.", known.join("; "));
    let rows = &report.measurements.rows;
    for group in distinct(rows.iter().map(|row| row.group.as_str())) {
        let _ = writeln!(text, "\n### {group}\n");
        let _ = writeln!(
            text,
            "| operation | measure | ours | target | best peer | ratio | others |"
        );
        let _ = writeln!(text, "|---|---|--:|--:|--:|--:|---|");
        let of_group = || rows.iter().filter(|row| row.group == group);
        for (operation, measure) in
            distinct(of_group().map(|row| (row.operation.as_str(), row.measure.as_str())))
        {
            let compared: Vec<&Row> = of_group()
                .filter(|row| row.operation == operation && row.measure == measure)
                .collect();
            line(&mut text, operation, measure, &compared);
        }
    }
    if !report.measurements.skipped.is_empty() {
        let _ = writeln!(text, "\nNot measured here:\n");
        for reason in &report.measurements.skipped {
            let _ = writeln!(text, "- {reason}");
        }
    }
    text
}

fn line(text: &mut String, operation: &str, measure: &str, compared: &[&Row]) {
    let ours = compared.iter().find(|row| row.subject == OURS);
    let mut peers: Vec<&&Row> = compared.iter().filter(|row| row.subject != OURS).collect();
    peers.sort_by(|a, b| match a.better {
        Better::Lower => a.value.total_cmp(&b.value),
        Better::Higher => b.value.total_cmp(&a.value),
    });
    let value = ours.map_or_else(String::new, |row| number(row.value));
    let target = ours.and_then(|row| Some((row.value, row.target?)));
    let target = target.map_or_else(String::new, |(value, target)| {
        let limit = match target {
            Target::AtMost(limit) => format!("≤ {}", number(limit)),
            Target::AtLeast(limit) => format!("≥ {}", number(limit)),
        };
        let verdict = if target.is_met_by(value) {
            "met"
        } else {
            "**missed**"
        };
        format!("{limit} {verdict}")
    });
    let named = |row: &&&Row| format!("{} {}", row.subject, number(row.value));
    let best = peers.first().map_or_else(String::new, named);
    let ratio = match (ours, peers.first()) {
        (Some(ours), Some(peer)) => ratio(ours, peer),
        _ => String::new(),
    };
    let others: Vec<String> = peers.iter().skip(1).map(named).collect();
    let others = others.join(", ");
    let _ = writeln!(
        text,
        "| {operation} | {measure} | {value} | {target} | {best} | {ratio} | {others} |"
    );
}

/// How many times better ours is. Where one of the two is nothing there is no ratio to name.
fn ratio(ours: &Row, peer: &Row) -> String {
    let (over, under) = match ours.better {
        Better::Lower => (peer.value, ours.value),
        Better::Higher => (ours.value, peer.value),
    };
    if under > 0.0 && over > 0.0 {
        format!("{:.2}", over / under)
    } else {
        String::new()
    }
}

/// With thousands apart, and with decimals only where the number is small.
fn number(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 100.0 {
        let digits = format!("{:.0}", value.abs());
        let mut grouped = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}{grouped}")
    } else {
        format!("{value:.2}")
    }
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(subject: &str, value: f64) -> Row {
        Row::cost("codec", "encode", "instructions", subject, value)
    }

    #[test]
    fn ours_stands_beside_the_best_peer() {
        let rows = vec![
            row("slow", 1278.0),
            row(OURS, 200.0).with_target(Target::AtMost(300.0)),
            row("fast", 300.0),
            Row::rate("rates", "exchange", "a second", OURS, 2.5).with_target(Target::AtLeast(3.0)),
            Row::rate("rates", "exchange", "a second", "peer", 5.0),
        ];
        let skipped = vec!["round trips: there is no broker".to_owned()];
        let measurements = Measurements { rows, skipped };
        let text = markdown(&Report {
            machine: Machine::default(),
            measurements,
        });
        for line in [
            "### codec",
            "| encode | instructions | 200 | ≤ 300 met | fast 300 | 1.50 | slow 1,278 |",
            "| exchange | a second | 2.50 | ≥ 3 **missed** | peer 5 | 0.50 |  |",
            "- round trips: there is no broker",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn without_a_peer_or_without_us_there_is_no_ratio() {
        let alone = vec![row(OURS, 7.0)];
        let absent = vec![row("peer", 7.0)];
        for (rows, line) in [
            (alone, "| encode | instructions | 7 |  |  |  |  |"),
            (absent, "| encode | instructions |  |  | peer 7 |  |  |"),
        ] {
            let measurements = Measurements {
                rows,
                skipped: Vec::new(),
            };
            let text = markdown(&Report {
                machine: Machine::default(),
                measurements,
            });
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_row_survives_json() {
        let text = r#"{"group":"codec","operation":"encode","measure":"instructions","subject":"shadow","value":247.0,"better":"lower","target":{"at_most":300.0}}"#;
        let row: Row = serde_json::from_str(text).unwrap();
        assert_eq!(row.target, Some(Target::AtMost(300.0)));
        assert_eq!(serde_json::to_string(&row).unwrap(), text);
    }
}
