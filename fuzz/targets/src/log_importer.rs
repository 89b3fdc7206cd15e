//! Logs: every line is somewhere, and what is read does not depend on how lines end.

use conformance::import::{Report, import_logs};
use conformance::log::Log;

/// Logs of at most this many bytes are replayed too, which takes longer.
const REPLAYED: usize = 4_096;

/// Imports the bytes as a log, and replays it if it is short.
///
/// # Panics
/// If records are out of order, a line is lost, CRLF instead of LF changes what is read, or the
/// replay does not account for each record once.
pub fn log_importer(data: &[u8]) {
    let Ok(log) = Log::parse("fuzz.log", data) else {
        return;
    };
    let lines = data.split(|byte| *byte == b'\n').count();
    let mut last = 0;
    let numbers = log.cut.iter().map(|torn| torn.number);
    let numbers = numbers.chain(log.lines.iter().map(|entry| entry.line.number));
    for number in numbers.chain(log.torn.iter().map(|torn| torn.number)) {
        assert!(
            number > last && number <= lines,
            "line {number} after {last}"
        );
        last = number;
    }
    if !data.contains(&b'\r') {
        check_line_ends(data, &log);
    }
    if data.len() <= REPLAYED
        && let Ok(report) = import_logs(vec![log.clone()])
    {
        check_report(&log, &report);
    }
}

fn check_line_ends(data: &[u8], log: &Log) {
    let mut crlf = Vec::with_capacity(data.len() * 2);
    for byte in data {
        if *byte == b'\n' {
            crlf.push(b'\r');
        }
        crlf.push(*byte);
    }
    assert_eq!(Log::parse("fuzz.log", &crlf).as_ref(), Ok(log));
}

fn check_report(log: &Log, report: &Report) {
    let records =
        log.lines.len() + usize::from(log.cut.is_some()) + usize::from(log.torn.is_some());
    assert_eq!(report.lines.len(), records);
    let counts = report.counts;
    let verdicts = counts.reproduced + counts.environment + counts.inferred + counts.unexplained;
    assert_eq!(verdicts, records);
    assert!(!report.to_string().is_empty());
}
