//! Logs that were tampered with.

use conformance::import::{Report, Verdict};
use conformance::log::{Log, Thread};

use crate::fixtures::{
    DELTA, FIRST_CONTACT, LOG_1, LOG_3, OWN_REQUESTS, RECONNECT, UNANSWERED_PING, replay_text, text,
};

const LOGS: [&str; 4] = [LOG_1, LOG_3, FIRST_CONTACT, DELTA];

fn replay_lines(lines: &[&str]) -> Report {
    replay_text(&(lines.join("\n") + "\n"))
}

fn thread(line: &str) -> Option<Thread> {
    let log = Log::parse("one", format!("{line}\n").as_bytes()).unwrap();
    log.lines[0].statement.thread()
}

fn message(line: &str) -> &str {
    line.split_once(" - DEBUG - ").unwrap().1
}

/// Each forgery: a text of log 3 and its replacement at the first place, the line to blame, and what
/// the reason must say.
#[test]
fn forgeries_are_found_and_explained() {
    for (from, to, number, reason) in [
        (
            "m4), 'b'$shadow/operation/xxx/test01'', ... (119 bytes)",
            "m4), 'b'$shadow/operation/xxx/test01'', ... (118 bytes)",
            22,
            "expected `Sending PUBLISH (d0, q0, r0, m4), $shadow/operation/ABCDEFGHIJ/test01, (119 bytes)`, found",
        ),
        ("(46 bytes)", "(47 bytes)", 11, "(46 bytes)"),
        (
            "(174 bytes)",
            "(175 bytes)",
            17,
            "expected 174 bytes by the document that its callback prints (compact, UTF-8, a newline at the end), found 175",
        ),
        ("(218 bytes)", "(217 bytes)", 19, "expected 218 bytes"),
        ("m5)", "m6)", 24, "m5"),
        (
            "on_publish:mid:4",
            "on_publish:mid:9",
            25,
            "expected `on_publish:mid:4`, found `on_publish:mid:9`",
        ),
        ("(d0, q0, r0, m4)", "(d0, q1, r0, m4)", 22, "q0, r0, m4"),
        ("(d0, q0, r0, m4)", "(d0, q0, r1, m4)", 22, "r0, m4"),
        (
            "$shadow/operation/xxx/test01'', ... (46",
            "$shadow/operation/xxx/test02'', ... (46",
            11,
            "test02",
        ),
        (
            "'updateCount': 2, 'updateCount12': 'shadow'}}, 'clientToken'",
            "'updateCount': 3, 'updateCount12': 'shadow'}}, 'clientToken'",
            29,
            "the reply says",
        ),
        (
            "{'updateCount': 2, 'updateCount11'",
            "{'updateCount': 9, 'updateCount11'",
            31,
            "expected `reported`",
        ),
        (
            "'clientToken': 'xxx-3'",
            "'clientToken': 'xxx-2'",
            31,
            "found one more to ABCDEFGHIJ-2, which was answered before",
        ),
        (
            "'clientToken': 'xxx-4'}",
            "'clientToken': 'xxx-5'}",
            33,
            "expected clientToken ABCDEFGHIJ-4, found ABCDEFGHIJ-5",
        ),
        (
            "'version': 22",
            "'version': 20",
            29,
            "versions count upwards",
        ),
        ("'result': 0", "'result': 7", 18, "found 7"),
        ("'type': 'get'", "'type': 'gat'", 20, "no shadow message"),
        (
            "mid:0,granted_qos:1",
            "mid:1,granted_qos:1",
            16,
            "granted QoS",
        ),
        ("mid:0,granted_qos:1", "mid:0,granted_qos:2", 16, "m1"),
        (
            "Received CONNACK (0, 0)",
            "Received CONNACK (0, 5)",
            5,
            "found `on_connect:flags:0,rc:0`",
        ),
        ("c1, k60", "c0, k60", 3, "c1, k60"),
        (
            "subscribe success topic:$shadow/operation/result/xxx/test01",
            "subscribe success topic:$shadow/operation/result/xxx/test02",
            7,
            "test01",
        ),
    ] {
        let log = text(LOG_3);
        assert!(log.contains(from), "{from}");
        let report = replay_text(&log.replacen(from, to, 1));
        let found = report.lines.iter().any(|line| {
            line.number == number
                && matches!(&line.verdict, Verdict::Unexplained { reason: why } if why.contains(reason))
        });
        assert!(found, "{to:?} at {number}: {reason:?}\n{report}");
    }
}

/// Forgeries of the sessions with reconnects and with requests of the application's own: the log, a
/// text and its replacement at the first place, and the line to blame.
#[test]
fn forgeries_of_unusual_sessions_are_found() {
    for (name, from, to, number) in [
        // The token of a request, that of its reply, and one that another product's device has.
        (
            OWN_REQUESTS,
            "'clientToken': 'my-token'}",
            "'clientToken': 'my-taken'}",
            21,
        ),
        (
            OWN_REQUESTS,
            "{'clientToken': '8480'",
            "{'clientToken': '8481'",
            27,
        ),
        (RECONNECT, "'REST000002-1'}", "'REST000003-1'}", 70),
        // The document that the application's own requests made.
        (
            OWN_REQUESTS,
            "'reported': {'a': 6}}, 'timestamp': 1795381882986, 'version': 6}, 'result': 0, 'timestamp': 1795381882, ",
            "'reported': {'a': 5}}, 'timestamp': 1795381882986, 'version': 6}, 'result': 0, 'timestamp': 1795381882, ",
            57,
        ),
        // What is sent again, and the number that a dropped message has taken.
        (RECONNECT, "(d1, q1, r0, m8)", "(d0, q1, r0, m8)", 51),
        (RECONNECT, "(d1, q1, r0, m5)", "(d1, q1, r0, m6)", 49),
        (RECONNECT, "m10) [", "m9) [", 56),
        (
            UNANSWERED_PING,
            "state error:<HubState.CONNECTING: 2>",
            "state error:<HubState.CONNECTED: 3>",
            24,
        ),
        // As if the application had asked for it.
        (
            UNANSWERED_PING,
            "on_disconnect:rc:1",
            "on_disconnect:rc:0",
            22,
        ),
    ] {
        let log = text(name);
        assert!(log.contains(from), "{from}");
        let report = replay_text(&log.replacen(from, to, 1));
        let found = report.lines.iter().any(|line| {
            line.number == number && matches!(line.verdict, Verdict::Unexplained { .. })
        });
        assert!(found, "{to:?} at {number}\n{report}");
    }
}

/// One line less. Not found out are: the chatter before the connection, as a log may begin
/// anywhere, and what a thread prints last within a millisecond of the end, as it may end anywhere.
#[test]
fn a_missing_line_is_found() {
    let mut missed = Vec::new();
    for name in LOGS {
        let text = text(name);
        let lines: Vec<&str> = text.lines().collect();
        for index in 1..lines.len() - 1 {
            let mut forged = lines.clone();
            forged.remove(index);
            if replay_lines(&forged).unexplained() == 0 {
                missed.push(format!("{name}:{} {}", index + 1, message(lines[index])));
            }
        }
    }
    assert_eq!(
        missed,
        [
            format!("{FIRST_CONTACT}:2 LoopThread thread enter"),
            format!("{FIRST_CONTACT}:55 publish success"),
            format!("{DELTA}:2 LoopThread thread enter"),
            format!("{DELTA}:157 publish success"),
        ]
    );
}

/// Two lines of one thread in each other's place, up to six lines apart. Not found out: lines of
/// the same text within 20 ms; and two callbacks that two threads had queued at once (the log tells
/// no order between these threads).
#[test]
fn a_swapped_order_is_found() {
    let mut missed = Vec::new();
    for name in LOGS {
        let text = text(name);
        let lines: Vec<&str> = text.lines().collect();
        for first in 0..lines.len() {
            for second in first + 1..(first + 7).min(lines.len()) {
                let (a, b) = (lines[first], lines[second]);
                if message(a) == message(b) || thread(a).is_none() || thread(a) != thread(b) {
                    continue;
                }
                let mut forged = lines.clone();
                forged.swap(first, second);
                if replay_lines(&forged).unexplained() == 0 {
                    missed.push((name, first + 1, second + 1));
                }
            }
        }
    }
    assert_eq!(missed, [(DELTA, 11, 12)]);
}

/// A line that was made up, by whichever of the two that log.
#[test]
fn an_invented_line_is_found() {
    let text = text(LOG_3);
    let lines: Vec<&str> = text.lines().collect();
    for tag in ["log.py:35", "client.py:2165"] {
        let line = format!("2021-07-20 16:58:41,800.800 [{tag}] - DEBUG - all is well");
        let mut forged = lines.clone();
        forged.insert(19, &line);
        let report = replay_lines(&forged);
        assert_eq!(report.unexplained(), 1, "{tag}: {report}");
    }
    let mut forged = lines;
    forged.insert(19, "all is well");
    let report = replay_lines(&forged);
    assert_eq!(report.unexplained(), 1, "without a time: {report}");
}

/// Every number of every message, one at a time, made the next larger and smaller of the same
/// length.
///
/// Not found out, as nothing in the log depends on them: the address of the server, the colours of
/// a remark, keep alive where no ping is printed, the time at which a reply was sent, time and
/// version of a document of which nothing else is printed, and a value that was there before.
#[test]
fn a_changed_number_is_found() {
    let mut missed = std::collections::BTreeSet::new();
    for name in [LOG_1, LOG_3, FIRST_CONTACT] {
        let text = text(name);
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let start = line.len() - message(line).len();
            for (at, end) in numbers(line, start) {
                for step in [1, 9] {
                    let last = (line.as_bytes()[end - 1] - b'0' + step) % 10;
                    let changed = format!("{}{last}{}", &line[..end - 1], &line[end..]);
                    let mut forged = lines.clone();
                    forged[index] = &changed;
                    if replay_lines(&forged).unexplained() == 0 {
                        let before = &line[start..at];
                        let place = [
                            "connect_async",
                            "\u{1b}[",
                            ", k",
                            "'timestamp': ",
                            "'version': ",
                            "updateCount",
                        ]
                        .into_iter()
                        .filter(|place| before.contains(place))
                        .max_by_key(|place| before.rfind(place));
                        missed.insert((name, index + 1, place.unwrap_or(before).to_owned()));
                    }
                }
            }
        }
    }
    let kinds: std::collections::BTreeSet<&str> =
        missed.iter().map(|(_, _, place)| place.as_str()).collect();
    let known = [
        "\u{1b}[",
        "'timestamp': ",
        "'version': ",
        ", k",
        "connect_async",
        "updateCount",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), known, "{missed:#?}");
    // A version: that of the first log's only document, of the third log's first (somebody else may
    // have changed it before the next), and of the last ones.
    let versions = missed.iter().filter(|(_, _, place)| place == "'version': ");
    let versions: Vec<_> = versions.map(|(name, line, _)| (*name, *line)).collect();
    assert_eq!(
        versions,
        [(LOG_1, 11), (LOG_3, 18), (LOG_3, 64), (FIRST_CONTACT, 58)]
    );
    // A key: an update of `updateCount11`, which is `shadow` already, instead of `updateCount12`.
    let keys = missed.iter().filter(|(_, _, place)| place == "updateCount");
    assert!(
        keys.clone().all(|(name, line, _)| *name == LOG_3
            && message(text(name).lines().nth(line - 1).unwrap()).starts_with("[shadow update]")),
        "{:#?}",
        keys.collect::<Vec<_>>()
    );
}

/// Where the numbers of a line are, from `start` on.
fn numbers(line: &str, start: usize) -> Vec<(usize, usize)> {
    let bytes = line.as_bytes();
    let mut found = Vec::new();
    let mut at = start;
    while at < bytes.len() {
        let end = (at..bytes.len())
            .find(|index| !bytes[*index].is_ascii_digit())
            .unwrap_or(bytes.len());
        if end > at {
            found.push((at, end));
        }
        at = end + 1;
    }
    found
}
