//! Excerpts: a log may begin and end anywhere, and be in several files.

use conformance::import::import_logs;
use conformance::log::Log;

use crate::fixtures::{
    DELTA, FIRST_CONTACT, LOG_1, LOG_3, RECONNECT, UNANSWERED_PING, replay_text, text,
};

/// Runs of lines of a log: every `step`-th, and all that begin or end with the log.
fn runs(name: &str, step: usize) {
    let text = text(name);
    let lines: Vec<&str> = text.lines().collect();
    let mut count = 0;
    for from in 0..lines.len() {
        for to in from + 1..=lines.len() {
            count += 1;
            if count % step == 0 || from == 0 || to == lines.len() {
                let report = replay_text(&(lines[from..to].join("\n") + "\n"));
                assert_eq!(
                    report.unexplained(),
                    0,
                    "{name} {}..{to}:\n{report}",
                    from + 1
                );
            }
        }
    }
}

#[test]
fn every_run_of_the_documented_logs() {
    runs(LOG_1, 1);
    runs(LOG_3, 1);
}

#[test]
fn runs_of_the_recorded_logs() {
    runs(FIRST_CONTACT, 3);
    runs(DELTA, 29);
    runs(RECONNECT, 13);
    runs(UNANSWERED_PING, 7);
}

/// Two files with lines left out between them, or given twice.
#[test]
fn two_runs_are_one_session() {
    for (name, step) in [(LOG_3, 7), (FIRST_CONTACT, 7), (DELTA, 23)] {
        let text = text(name);
        let lines: Vec<&str> = text.lines().collect();
        for first_end in (1..lines.len()).step_by(step) {
            for second_start in (0..lines.len()).step_by(step + 4) {
                let parts = [&lines[..first_end], &lines[second_start..]];
                let logs = parts
                    .map(|part| Log::parse("part", (part.join("\n") + "\n").as_bytes()).unwrap());
                let report = import_logs(logs.into()).unwrap();
                assert_eq!(
                    report.unexplained(),
                    0,
                    "{name} ..{first_end} and {}..:\n{report}",
                    second_start + 1
                );
            }
        }
    }
}

/// The end of a file in the middle of a line.
#[test]
fn a_torn_line_is_said_and_forgiven() {
    let text = text(FIRST_CONTACT);
    for end in (200..text.len()).step_by(173) {
        let report = replay_text(&text[..end]);
        assert_eq!(report.unexplained(), 0, "{end}: {report}");
    }
}
