//! Whatever a log says, a replay comes to an end with a verdict on each line.

use conformance::import::import_logs;
use conformance::log::Log;
use proptest::prelude::*;

use crate::fixtures::{DELTA, FIRST_CONTACT, LOG_1, LOG_3, text};

fn replay_anything(text: &str) -> Result<(), TestCaseError> {
    if let Ok(log) = Log::parse("any", text.as_bytes()) {
        let cut = usize::from(log.torn.is_some()) + usize::from(log.cut.is_some());
        let lines = log.lines.len() + cut;
        if let Ok(report) = import_logs(vec![log]) {
            prop_assert_eq!(report.lines.len(), lines);
            let _ = report.to_string();
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Lines of several logs in any order.
    #[test]
    fn shuffled_lines(picks in proptest::collection::vec((0..4_usize, 0..160_usize), 1..60)) {
        let logs = [LOG_1, LOG_3, FIRST_CONTACT, DELTA].map(text);
        let lines = picks.iter().filter_map(|(log, line)| {
            let lines: Vec<&str> = logs[*log].lines().collect();
            lines.get(line % lines.len()).map(|line| format!("{line}\n"))
        });
        replay_anything(&lines.collect::<String>())?;
    }

    /// Numbers of any size in the place of others.
    #[test]
    fn odd_numbers(at in 0..40_000_usize, number: u64, log in 0..2_usize) {
        let mut text = text([LOG_3, DELTA][log]);
        let Some((start, _)) = text.char_indices().skip(at % 20_000).find(|(_, c)| c.is_ascii_digit())
        else {
            return Ok(());
        };
        let rest = &text[start..];
        let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        text.replace_range(start..start + length, &number.to_string());
        replay_anything(&text)?;
    }
}
