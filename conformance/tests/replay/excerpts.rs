use crate::fixtures::{DELTA, FIRST_CONTACT, LOG_3, replay_text, text};

/// Every run of lines of a log, or every `step`-th.
fn all_excerpts(name: &str, step: usize) {
    let text = text(name);
    let lines: Vec<&str> = text.lines().collect();
    let mut failures = Vec::new();
    let (mut count, mut tried) = (0, 0);
    for from in 0..lines.len() {
        for to in from + 1..=lines.len() {
            count += 1;
            let whole = from == 0 || to == lines.len();
            if count % step != 0 && !whole {
                continue;
            }
            tried += 1;
            let report = replay_text(&(lines[from..to].join("\n") + "\n"));
            if report.unexplained() > 0 {
                failures.push((from + 1, to, report));
            }
        }
    }
    if let Some((from, to, report)) = failures.first() {
        let ends: Vec<_> = failures
            .iter()
            .map(|(from, to, _)| (*from, *to))
            .take(60)
            .collect();
        panic!(
            "{name}: {} of {tried} fail {ends:?}; lines {from} to {to}:\n{report}",
            failures.len()
        );
    }
}

#[test]
fn every_excerpt_of_the_third_log() {
    all_excerpts(LOG_3, 1);
}

#[test]
fn every_excerpt_of_the_first_contact() {
    all_excerpts(FIRST_CONTACT, 1);
}

#[test]
fn excerpts_of_the_deltas() {
    all_excerpts(DELTA, 7);
}
