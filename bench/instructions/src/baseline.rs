//! The committed counts, and how counts of now compare with them.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Counts of our own operations.
///
/// In JSON: `{"compiler": "rustc ..", "valgrind": "..", "counts": {"update": {"instructions": 2000,
/// "allocations": 0.0}}}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The compiler that made what was counted. Another one makes other code.
    pub compiler: String,
    /// The valgrind that counted.
    pub valgrind: String,
    /// By the operation's name.
    pub counts: BTreeMap<String, Counts>,
}

/// What to do about counts that say nothing (any more).
pub const RENEW: &str = "cargo run --release --manifest-path bench/Cargo.toml -p instructions \
                         --no-default-features -- renew";

impl Baseline {
    /// Reads it from a file.
    ///
    /// # Errors
    /// Where the file cannot be read or is something else: which one it is, why, and [`RENEW`].
    pub fn read(path: &Path) -> Result<Baseline, Box<dyn Error>> {
        let read = || -> Result<Baseline, Box<dyn Error>> {
            Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
        };
        read().map_err(|error| {
            let path = path.display();
            format!("{path}: {error}\nTo write it anew: {RENEW}").into()
        })
    }
}

/// What one operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Instructions, to the nearest one.
    pub instructions: u64,
    /// Allocations, grown blocks among them. A fraction where only some runs take one.
    pub allocations: f64,
}

/// Instructions may change by this part of the committed ones.
const TOLERANCE: f64 = 0.05;

/// How a count of now stands to the committed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Near enough.
    Holds,
    /// So much better that the committed count says nothing any more.
    Renew,
    /// Too much worse.
    Worse,
    /// There is no committed count.
    New,
    /// It is committed, and was not counted.
    Missing,
}

impl Verdict {
    /// Whether the check fails.
    #[must_use]
    pub fn fails(self) -> bool {
        match self {
            Verdict::Holds | Verdict::Renew => false,
            Verdict::Worse | Verdict::New | Verdict::Missing => true,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Verdict::Holds => "",
            Verdict::Renew => "better: renew the committed counts",
            Verdict::Worse => "WORSE",
            Verdict::New => "NEW: there is no committed count",
            Verdict::Missing => "MISSING: it was not counted",
        }
    }
}

/// One count beside the committed one.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The operation's name.
    pub operation: String,
    /// "instructions" or "allocations".
    pub measure: &'static str,
    /// The committed count.
    pub committed: Option<f64>,
    /// The count of now.
    pub now: Option<f64>,
    /// What to make of it.
    pub verdict: Verdict,
}

/// Each operation that stands in either, by name, with both measures.
#[must_use]
pub fn compare(committed: &Baseline, now: &Baseline) -> Vec<Comparison> {
    let mut names: Vec<&String> = committed.counts.keys().chain(now.counts.keys()).collect();
    names.sort();
    names.dedup();
    let mut comparisons = Vec::new();
    for name in names {
        let (old, new) = (committed.counts.get(name), now.counts.get(name));
        let mut push = |measure, of: fn(&Counts) -> f64, judge: fn(f64, f64) -> Verdict| {
            let (committed, now) = (old.map(of), new.map(of));
            let verdict = match (committed, now) {
                (Some(committed), Some(now)) => judge(committed, now),
                (None, _) => Verdict::New,
                (Some(_), None) => Verdict::Missing,
            };
            comparisons.push(Comparison {
                operation: name.clone(),
                measure,
                committed,
                now,
                verdict,
            });
        };
        push(
            "instructions",
            |counts| counts.instructions as f64,
            judge_instructions,
        );
        push(
            "allocations",
            |counts| counts.allocations,
            judge_allocations,
        );
    }
    comparisons
}

fn judge_instructions(committed: f64, now: f64) -> Verdict {
    if now > committed * (1.0 + TOLERANCE) {
        Verdict::Worse
    } else if now < committed * (1.0 - TOLERANCE) {
        Verdict::Renew
    } else {
        Verdict::Holds
    }
}

fn judge_allocations(committed: f64, now: f64) -> Verdict {
    if now > committed {
        Verdict::Worse
    } else if now < committed {
        Verdict::Renew
    } else {
        Verdict::Holds
    }
}

/// The comparisons as a table in Markdown.
#[must_use]
pub fn table(comparisons: &[Comparison]) -> String {
    let mut text = String::from("| operation | measure | committed | now | change | |\n");
    text.push_str("|---|---|---:|---:|---:|---|\n");
    let number =
        |count: Option<f64>| count.map_or_else(|| "–".to_owned(), |count| count.to_string());
    for comparison in comparisons {
        let Comparison {
            operation,
            measure,
            committed,
            now,
            verdict,
        } = comparison;
        let change = match (committed, now) {
            (Some(committed), Some(now)) if *committed > 0.0 => {
                format!("{:+.1} %", (now / committed - 1.0) * 100.0)
            }
            (Some(committed), Some(now)) => format!("{:+}", now - committed),
            _ => String::new(),
        };
        let (committed, now) = (number(*committed), number(*now));
        let verdict = verdict.as_str();
        let _ = writeln!(
            text,
            "| {operation} | {measure} | {committed} | {now} | {change} | {verdict} |"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(counts: &[(&str, u64, f64)]) -> Baseline {
        let counts = counts.iter().map(|&(name, instructions, allocations)| {
            let counts = Counts {
                instructions,
                allocations,
            };
            (name.to_owned(), counts)
        });
        Baseline {
            counts: counts.collect(),
            ..Baseline::default()
        }
    }

    fn verdicts(committed: (u64, f64), now: (u64, f64)) -> [Verdict; 2] {
        let committed = baseline(&[("update", committed.0, committed.1)]);
        let now = baseline(&[("update", now.0, now.1)]);
        let compared = compare(&committed, &now);
        [compared[0].verdict, compared[1].verdict]
    }

    #[test]
    fn a_file_without_counts_is_named_and_so_is_the_remedy() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (file, reason) in [
            ("no-such-file.json", "No such file"),
            ("Cargo.toml", "line 1 column 2"),
        ] {
            let said = Baseline::read(&folder.join(file)).unwrap_err().to_string();
            assert!(said.contains(file), "{said}");
            assert!(said.contains(reason), "{said}");
            assert!(said.ends_with("--no-default-features -- renew"), "{said}");
        }
        assert!(Baseline::read(&folder.join("baseline.json")).is_ok());
    }

    #[test]
    fn instructions_may_rise_by_five_percent_and_no_more() {
        let of = |now| verdicts((2_000, 0.0), (now, 0.0))[0];
        assert_eq!(of(2_120), Verdict::Worse, "+6 %");
        assert_eq!(of(2_101), Verdict::Worse);
        assert_eq!(of(2_100), Verdict::Holds, "+5 %");
        assert_eq!(of(2_080), Verdict::Holds, "+4 %");
        assert_eq!(of(1_900), Verdict::Holds, "-5 %");
        assert_eq!(of(1_899), Verdict::Renew);
    }

    #[test]
    fn what_took_nothing_may_take_nothing() {
        assert_eq!(verdicts((0, 0.0), (0, 0.0)), [Verdict::Holds; 2]);
        assert_eq!(verdicts((0, 0.0), (1, 1.0)), [Verdict::Worse; 2]);
    }

    #[test]
    fn allocations_may_not_rise_at_all() {
        let of = |now| verdicts((1, 2.0), (1, now))[1];
        assert_eq!(of(2.0), Verdict::Holds);
        assert_eq!(of(2.01), Verdict::Worse);
        assert_eq!(of(1.0), Verdict::Renew);
    }

    #[test]
    fn only_what_is_worse_new_or_missing_fails() {
        let fails = [Verdict::Worse, Verdict::New, Verdict::Missing];
        assert!(fails.into_iter().all(Verdict::fails));
        assert!(
            ![Verdict::Holds, Verdict::Renew]
                .into_iter()
                .any(Verdict::fails)
        );
    }

    #[test]
    fn an_operation_without_a_partner_is_told() {
        let (one, other) = (baseline(&[("a", 1, 0.0)]), baseline(&[("b", 1, 0.0)]));
        let compared = compare(&one, &other);
        let found: Vec<_> = compared
            .iter()
            .map(|c| (c.operation.as_str(), c.verdict))
            .collect();
        let (missing, new) = (("a", Verdict::Missing), ("b", Verdict::New));
        assert_eq!(found, [missing, missing, new, new]);
    }

    #[test]
    fn the_table_names_numbers_change_and_verdict() {
        let (one, other) = (baseline(&[("a", 200, 0.0)]), baseline(&[("a", 212, 1.0)]));
        let text = table(&compare(&one, &other));
        for line in [
            "| a | instructions | 200 | 212 | +6.0 % | WORSE |",
            "| a | allocations | 0 | 1 | +1 | WORSE |",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
