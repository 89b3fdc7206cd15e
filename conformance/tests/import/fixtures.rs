//! The documented and the recorded logs: what becomes of each line, and what they show.

use conformance::import::{Counts, Fault, Report, Verdict, import_logs};
use conformance::log::Log;

pub(crate) const LOG_1: &str = "documented/1-get-cached-status.log";
pub(crate) const LOG_2A: &str = "documented/2a-modify-update.log";
pub(crate) const LOG_2B: &str = "documented/2b-modify-get.log";
pub(crate) const LOG_3: &str = "documented/3-regular-update.log";
pub(crate) const FIRST_CONTACT: &str = "recorded/python-sdk-first-contact.log";
pub(crate) const DELTA: &str = "recorded/python-sdk-delta.log";
pub(crate) const RECONNECT: &str = "recorded/python-sdk-reconnect.log";
pub(crate) const OWN_REQUESTS: &str = "recorded/python-sdk-own-requests.log";
pub(crate) const UNANSWERED_PING: &str = "recorded/python-sdk-unanswered-ping.log";
pub(crate) const REFUSED: &str = "recorded/python-sdk-refused.log";
pub(crate) const FROZEN: &str = "recorded/python-sdk-frozen.log";
pub(crate) const DEAF: &str = "recorded/python-sdk-deaf.log";
pub(crate) const FROZEN_LATE: &str = "recorded/python-sdk-frozen-late.log";
pub(crate) const REJECTED: &str = "recorded/python-sdk-rejected.log";
pub(crate) const QUEUED: &str = "recorded/python-sdk-queued.log";

pub(crate) fn text(name: &str) -> String {
    let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

pub(crate) fn replay_files(names: &[&str]) -> Report {
    let logs = names
        .iter()
        .map(|name| Log::parse(name, text(name).as_bytes()).unwrap());
    import_logs(logs.collect()).unwrap()
}

pub(crate) fn replay_text(text: &str) -> Report {
    import_logs(vec![Log::parse("example.log", text.as_bytes()).unwrap()]).unwrap()
}

/// Lines by `wc -l`. Environment by `grep -cE 'LoopThread|connect_async|test start|reconnect error|
/// receive on socket|publish error|app: |reply timeout|DISCONNECTED'`. Inferred by hand: the
/// callbacks of requests that no file prints, which are m2 (token -0) where 2a is given without 1 or
/// 1 without 2a, and -3, the last get.
#[test]
fn every_line_is_accounted_for() {
    for (names, lines, environment, inferred) in [
        // The reply to -0.
        (&[LOG_1][..], 11, 2, 1),
        // on_publish of m2.
        (&[LOG_2A], 5, 0, 1),
        // The reply to -3.
        (&[LOG_2B], 2, 0, 1),
        (&[LOG_2A, LOG_2B], 7, 0, 2),
        // on_publish of m2, the reply to -0, the reply to -3.
        (&[LOG_1, LOG_2A, LOG_2B], 18, 2, 3),
        (&[LOG_2B, LOG_1, LOG_2A], 18, 2, 3),
        (&[LOG_3], 64, 2, 0),
        (&[FIRST_CONTACT], 58, 3, 0),
        (&[DELTA], 160, 3, 0),
        // m4, m5, m8 and m12, whose payloads are not printed, and the dropped m9.
        (&[RECONNECT], 74, 10, 5),
        // The replies to the application's twelve requests, and the end of the link.
        (&[OWN_REQUESTS], 99, 3, 13),
        // The end of the link.
        (&[UNANSWERED_PING], 45, 5, 1),
        (&[REFUSED], 34, 7, 0),
        // The end of the third link, which nothing announces.
        (&[FROZEN], 125, 8, 1),
        (&[DEAF], 47, 8, 0),
        // Twenty payloads that are not printed, and the end of the link.
        (&[QUEUED], 155, 6, 21),
        // Three payloads that are not printed, and the end of the link.
        (&[FROZEN_LATE], 55, 4, 4),
        (&[REJECTED], 48, 3, 0),
    ] {
        let report = replay_files(names);
        let expected = Counts {
            reproduced: lines - environment - inferred,
            environment,
            inferred,
            unexplained: 0,
        };
        assert_eq!(report.counts, expected, "{report}");
        assert_eq!(report.unexplained(), 0, "{report}");
        assert_eq!(report.lines.len(), lines);
    }
}

#[test]
fn what_is_not_printed_is_said() {
    let report = replay_files(&[LOG_1, LOG_2A, LOG_2B]);
    let unprinted: Vec<_> = report
        .unprinted
        .iter()
        .map(|event| match &event.verdict {
            Verdict::Inferred { reason } => (event.what.as_str(), reason.as_str()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        unprinted,
        [
            (
                "m2: sent, but not printed",
                "the numbers go on with m3; the reply to token -0 shows that it was a get"
            ),
            (
                "a request with token ABCDEFGHIJ-3",
                "it is not printed, nor 1 before it; its reply shows that it was a get"
            ),
        ],
        "{report}"
    );
    let version =
        "ABCDEFGHIJ/test01: the version goes from 8 to 10 by changes that the log does not print";
    assert!(
        report.findings.iter().any(|finding| finding == version),
        "{report}"
    );
    assert_eq!(report.profile.redacted_as.as_deref(), Some("xxx"));
    assert_eq!(report.profile.begins, "before the connection");
    let middle = replay_files(&[LOG_2A]).profile.begins;
    assert_eq!(
        middle,
        "in the middle, with an engine that is connected and subscribed"
    );
}

#[test]
fn the_documents_conclusions_are_checked() {
    let agreeing = |report: &Report| {
        let all = &report.conclusions;
        (
            all.len(),
            all.iter().filter(|conclusion| conclusion.agrees).count(),
        )
    };
    assert_eq!(agreeing(&replay_files(&[LOG_1])), (1, 1));
    assert_eq!(agreeing(&replay_files(&[LOG_1, LOG_2A, LOG_2B])), (3, 3));
    let third = replay_files(&[LOG_3]);
    assert_eq!(agreeing(&third), (4, 3));
    let disagreeing = third
        .conclusions
        .iter()
        .find(|conclusion| !conclusion.agrees)
        .unwrap();
    assert!(
        disagreeing.sentence.contains("cleared") && disagreeing.known,
        "{third}"
    );
    assert_eq!(third.unexplained(), 0);
    assert_eq!(agreeing(&replay_files(&[DELTA])), (0, 0));
    // The same log with another count is still the documented one.
    let forged = text(LOG_1).replace("'updateCount': 0", "'updateCount': 7");
    let report = replay_text(&forged);
    assert_eq!(agreeing(&report), (1, 0));
    assert_eq!(report.unexplained(), 1, "{report}");
}

#[test]
fn the_report_is_for_programs_too() {
    let value = serde_json::to_value(replay_files(&[LOG_1])).unwrap();
    assert_eq!(value["counts"]["reproduced"], 8);
    assert_eq!(value["lines"][0]["verdict"], "environment");
    assert_eq!(value["lines"][10]["number"], 11);
    assert_eq!(value["unprinted"][0]["verdict"], "inferred");
}

/// The real ids instead of `xxx`, and other placeholders.
#[test]
fn ids_may_be_printed_or_taken_out() {
    let log = text(LOG_3);
    for (client, product) in [
        ("Q1W2E3R4T5test01", "Q1W2E3R4T5"),
        ("***", "***"),
        ("XXXXXXXXXXtest01", "XXXXXXXXXX"),
        ("{productID}test01", "{productID}"),
    ] {
        let changed = log
            .replace("b'xxxx'", &format!("b'{client}'"))
            .replace("xxx", product);
        let report = replay_text(&changed);
        assert_eq!(report.unexplained(), 0, "{product}: {report}");
    }
    // An id of another length than ten does not fit the lengths, and is no placeholder.
    let changed = log
        .replace("b'xxxx'", "b'ABCDtest01'")
        .replace("xxx", "ABCD");
    assert!(replay_text(&changed).unexplained() > 10);
}

/// Each by what its finding, or the README of the fixtures, says of the session.
#[test]
fn faults_are_listed_by_name() {
    for (name, there, not_there) in [
        (
            FIRST_CONTACT,
            &[Fault::SwapsSubscribeArguments][..],
            &[Fault::ForgetsSubscriptions, Fault::DropsMessagesOffline][..],
        ),
        (
            RECONNECT,
            &[
                Fault::ReconnectsTooSoon,
                Fault::DropsMessagesOffline,
                Fault::MarksNewMessagesAsDuplicates,
            ][..],
            &[Fault::PublishesAnyDocument][..],
        ),
        (
            OWN_REQUESTS,
            &[Fault::PublishesAnyDocument][..],
            &[Fault::ReconnectsTooSoon][..],
        ),
        (UNANSWERED_PING, &[Fault::PingsLate][..], &[][..]),
        (
            DEAF,
            &[Fault::ForgetsSubscriptions][..],
            &[Fault::DropsMessagesOffline][..],
        ),
    ] {
        let report = replay_files(&[name]);
        let has = |fault: &Fault| report.faults.contains(fault);
        assert!(there.iter().all(has), "{report}");
        assert!(!not_there.iter().any(has), "{report}");
    }
}
