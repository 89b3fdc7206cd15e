use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const GET_CACHED: &[u8] = include_bytes!("../../fixtures/documented/1-get-cached-status.log");
const MODIFY_UPDATE: &[u8] = include_bytes!("../../fixtures/documented/2a-modify-update.log");
const MODIFY_GET: &[u8] = include_bytes!("../../fixtures/documented/2b-modify-get.log");
const REGULAR: &[u8] = include_bytes!("../../fixtures/documented/3-regular-update.log");
const FIRST_CONTACT: &[u8] = include_bytes!("../../fixtures/recorded/python-sdk-first-contact.log");
const DELTA: &[u8] = include_bytes!("../../fixtures/recorded/python-sdk-delta.log");

/// Names of statements and how many there are of each.
type Counts = &'static [(&'static str, usize)];

/// Lines of each kind, counted with grep and `uniq -c` over the messages' openings.
#[rustfmt::skip]
const COUNTS: [(&str, &[u8], Counts); 6] = [
    ("1-get-cached-status.log", GET_CACHED, &[
        ("connect-async", 1), ("on-connect", 1), ("on-payload", 1), ("on-subscribe", 1),
        ("received-connack", 1), ("received-publish", 1), ("received-suback", 1),
        ("sending-connect", 1), ("sending-subscribe", 1), ("subscribe-success", 1),
        ("thread-enter", 1),
    ]),
    ("2a-modify-update.log", MODIFY_UPDATE, &[
        ("on-publish", 2), ("publish-success", 1), ("sending-publish", 1), ("shadow-update", 1),
    ]),
    ("2b-modify-get.log", MODIFY_GET, &[("on-payload", 1), ("received-publish", 1)]),
    ("3-regular-update.log", REGULAR, &[
        ("connect-async", 1), ("on-connect", 1), ("on-payload", 10), ("on-publish", 10),
        ("on-subscribe", 1), ("publish-success", 10), ("received-connack", 1),
        ("received-publish", 10), ("received-suback", 1), ("sending-connect", 1),
        ("sending-publish", 10), ("sending-subscribe", 1), ("shadow-update", 5),
        ("subscribe-success", 1), ("thread-enter", 1),
    ]),
    ("python-sdk-first-contact.log", FIRST_CONTACT, &[
        ("connect-async", 1), ("environment", 1), ("on-connect", 1), ("on-payload", 9),
        ("on-publish", 9), ("on-subscribe", 1), ("publish-success", 9), ("received-connack", 1),
        ("received-publish", 9), ("received-suback", 1), ("sending-connect", 1),
        ("sending-publish", 9), ("sending-subscribe", 1), ("shadow-update", 3),
        ("subscribe-success", 1), ("thread-enter", 1),
    ]),
    ("python-sdk-delta.log", DELTA, &[
        ("connect-async", 1), ("environment", 1), ("on-connect", 1), ("on-payload", 30),
        ("on-publish", 27), ("on-subscribe", 1), ("publish-success", 27), ("received-connack", 1),
        ("received-publish", 30), ("received-suback", 1), ("sending-connect", 1),
        ("sending-publish", 27), ("sending-subscribe", 1), ("shadow-update", 9),
        ("subscribe-success", 1), ("thread-enter", 1),
    ]),
];

#[test]
fn every_line_of_the_fixtures_is_known_and_counted() {
    for (name, bytes, expected) in COUNTS {
        let log = Log::parse(name, bytes).unwrap();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in &log.lines {
            *counts.entry(entry.statement.name()).or_default() += 1;
        }
        assert_eq!(counts, expected.iter().copied().collect(), "{name}");
        assert_eq!(
            log.lines.len(),
            bytes.iter().filter(|byte| **byte == b'\n').count(),
            "{name}"
        );
        assert_eq!(log.torn, None, "{name}");
    }
}

/// The lengths that the log prints for the SDK's own PUBLISH packets are those of `json.dumps`. In
/// the printed logs `xxx` stands for a product id of ten characters.
#[test]
fn shadow_updates_have_the_length_of_the_publish_after_them() {
    for (name, bytes, redacted) in [
        ("2a-modify-update.log", MODIFY_UPDATE, 7),
        ("3-regular-update.log", REGULAR, 7),
        ("python-sdk-first-contact.log", FIRST_CONTACT, 0),
        ("python-sdk-delta.log", DELTA, 0),
    ] {
        let log = Log::parse(name, bytes).unwrap();
        let mut update = None;
        for Entry { statement, .. } in &log.lines {
            match (statement, update.take()) {
                (Statement::ShadowUpdate { json }, _) => update = Some(json.len() + redacted),
                (Statement::SendingPublish { length, .. }, Some(expected)) => {
                    assert_eq!(*length, expected, "{name}");
                }
                (_, pending) => update = pending,
            }
        }
    }
}

/// The lengths printed for received packets are those of the callback's document as compact JSON
/// in UTF-8 with one byte after it, by the vendor's cloud and by the recordings' service.
#[test]
fn received_documents_have_the_printed_length() {
    for (name, bytes, more) in [
        ("1-get-cached-status.log", GET_CACHED, 7 + 1),
        ("2b-modify-get.log", MODIFY_GET, 7 + 1),
        ("3-regular-update.log", REGULAR, 7 + 1),
        ("python-sdk-first-contact.log", FIRST_CONTACT, 1),
        ("python-sdk-delta.log", DELTA, 1),
    ] {
        let log = Log::parse(name, bytes).unwrap();
        let mut lengths = Vec::new();
        let mut documents = Vec::new();
        for Entry { statement, .. } in &log.lines {
            match statement {
                Statement::ReceivedPublish { length, .. } => lengths.push(*length),
                Statement::OnPayload {
                    payload: Payload::Json(json),
                    ..
                } => {
                    documents.push(json.len() + more);
                }
                _ => {}
            }
        }
        assert_eq!(documents, lengths, "{name}");
    }
}

const HEADER: &str = "2021-07-20 16:44:57,615.615 [log.py:35] - DEBUG - ";

fn parse(text: &str) -> Result<Log, LogError> {
    Log::parse("a.log", text.as_bytes())
}

/// Milliseconds since 1970 by Python's `datetime`.
#[test]
fn times_agree_with_python() {
    for (time, millis) in [
        ("2021-07-20 16:44:56,611.611", 1_626_799_496_611),
        ("1970-01-01 00:00:00,000.000", 0),
        ("2000-02-29 23:59:59,999.999", 951_868_799_999),
        ("2026-11-22 18:47:14,216.216", 1_795_373_234_216),
        ("2100-03-01 12:00:00,001.001", 4_107_585_600_001),
        ("9999-12-31 23:59:59,999.999", 253_402_300_799_999),
        ("2024-12-31 00:00:00,000.000", 1_735_603_200_000),
    ] {
        let log = parse(&format!("{time} [a.py:1] - INFO - publish success\n")).unwrap();
        assert_eq!(log.lines[0].line.at.millis(), millis, "{time}");
    }
}

#[test]
fn header_is_taken_apart() {
    let log = parse("2021-07-20 16:44:57,615.615 [my [odd] file.py:2404] - WARNING - app:  x \n");
    let entry = &log.unwrap().lines[0];
    assert_eq!(
        entry.line.tag,
        SourceTag {
            file: "my [odd] file.py".to_owned(),
            line: 2404
        }
    );
    assert_eq!(entry.line.level, Level::Warning);
    assert_eq!(entry.line.message, "app:  x ");
    assert_eq!(
        entry.statement,
        Statement::AppRemark {
            text: " x ".to_owned()
        }
    );
}

#[test]
fn dress_of_the_file_does_not_matter() {
    let plain = parse(&format!(
        "{HEADER}publish success\n{HEADER}Received SUBACK\n"
    ))
    .unwrap();
    for text in [
        format!("{HEADER}publish success\r\n{HEADER}Received SUBACK\r\n"),
        format!("\u{feff}{HEADER}publish success\n{HEADER}Received SUBACK"),
        format!("  {HEADER}publish success\n\t{HEADER}Received SUBACK\n"),
        format!(
            "\u{1b}[32m{HEADER}publish success\u{1b}[0m\n{HEADER}\u{1b}[1;36mReceived SUBACK\n"
        ),
    ] {
        assert_eq!(parse(&text).as_ref(), Ok(&plain), "{text:?}");
    }
    let blank_lines = parse(&format!(
        "\n \n{HEADER}publish success\n\n{HEADER}Received SUBACK\n\n"
    ));
    let statements: Vec<_> = blank_lines
        .unwrap()
        .lines
        .into_iter()
        .map(|e| e.statement)
        .collect();
    assert_eq!(
        statements,
        [Statement::PublishSuccess, Statement::ReceivedSubAck]
    );
}

#[test]
fn lines_without_a_header_belong_to_the_message_or_stand_alone() {
    let log = parse(&format!(
        "{HEADER}app: one\n\ntwo\n{HEADER}publish success\n\n7\nTraceback\n{HEADER}odd\nthing\n"
    ))
    .unwrap();
    let found: Vec<_> = log
        .lines
        .iter()
        .map(|e| (e.line.number, e.line.message.as_str(), e.statement.name()))
        .collect();
    assert_eq!(
        found,
        [
            (1, "app: one\n\ntwo", "app-remark"),
            (4, "publish success", "publish-success"),
            (6, "7\nTraceback", "output"),
            (8, "odd\nthing", "unknown"),
        ]
    );
}

#[test]
fn torn_end_is_told_from_an_unknown_line() {
    for (end, torn) in [
        ("2021-07-20 16:4", Some("2021-07-20 16:4")),
        (
            "2021-07-20 16:44:57,615.615 [client.py:24",
            Some("2021-07-20 16:44:57,615.615 [client.py:24"),
        ),
        (
            "2021-07-20 16:44:57,615.615 [log.py:35] - DEB",
            Some("2021-07-20 16:44:57,615.615 [log.py:35] - DEB"),
        ),
        (
            &format!("{HEADER}Sending PUBLISH (d0, q0"),
            Some("Sending PUBLISH (d0, q0"),
        ),
        (&format!("{HEADER}on_sha"), Some("on_sha")),
        (
            &format!("{HEADER}on_shadow_cb:payload:{{'a': 1"),
            Some("on_shadow_cb:payload:{'a': 1"),
        ),
        (&format!("{HEADER}hello"), None),
        (&format!("{HEADER}Received SUBACK"), None),
        (&format!("{HEADER}Sending PUBLISH (d0, q0\n"), None),
    ] {
        let log = parse(&format!("{HEADER}publish success\n{end}")).unwrap();
        let expected = torn.map(|text| Torn {
            number: 2,
            text: text.to_owned(),
        });
        assert_eq!(log.torn, expected, "{end}");
        assert_eq!(log.lines.len(), if torn.is_some() { 1 } else { 2 }, "{end}");
    }
    // Cut inside a character.
    let mut bytes = format!("{HEADER}publish success\n{HEADER}app: é").into_bytes();
    bytes.pop();
    let torn = Log::parse("a.log", &bytes).unwrap().torn.unwrap();
    assert_eq!(torn.number, 2);
    assert!(torn.text.ends_with("app: \u{fffd}"));
}

#[test]
fn a_line_cut_at_its_beginning_has_no_line_end() {
    let cut = |end| {
        let log = parse(&format!("DEBUG - publish{end}{HEADER}publish success{end}"));
        log.unwrap().cut.unwrap().text
    };
    assert_eq!(cut("\r\n"), "DEBUG - publish");
    assert_eq!(cut("\r\n"), cut("\n"));
}

#[test]
fn no_secret_is_in_a_line_cut_inside_a_character() {
    let text = format!("{HEADER}publish success\n{HEADER}sign base64 s3cret é");
    let mut bytes = text.into_bytes();
    bytes.pop();
    let torn = Log::parse("a.log", &bytes).unwrap().torn.unwrap();
    assert!(!torn.text.contains("s3cret"), "{torn:?}");
}

#[test]
fn files_of_another_form_are_refused() {
    let long = format!("{HEADER}{}", "x".repeat(MAX_LINE));
    let long_message = format!(
        "{HEADER}app:\n{}",
        format!("{}\n", "x".repeat(999)).repeat(1100)
    );
    let many = format!("{HEADER}publish success{}", "\n".repeat(MAX_LINES + 1));
    let form = line::HEADER_FORM;
    for (bytes, expected) in [
        (
            &b""[..],
            "a.log: there is no line of a log in it".to_owned(),
        ),
        (
            b"\n\n  \r\n",
            "a.log: there is no line of a log in it".to_owned(),
        ),
        (
            b"hello\n",
            format!("a.log: line 1: expected {form}, found `hello`"),
        ),
        (
            b"{\"json\": \"lines are what other programs write, and this is a long one of those\"}",
            format!(
                "a.log: line 1: expected {form}, found `{{\"json\": \"lines are what other programs \
                 write, and this is a…`"
            ),
        ),
        (
            b"\n\n2021-07-20 16:44:57.615 [log.py:35] - DEBUG - x\n",
            format!(
                "a.log: line 3, column 20: expected {form}, found `2021-07-20 16:44:57.615 \
                 [log.py:35] - DEBUG - x`"
            ),
        ),
        (
            format!("{HEADER}publish success\n2021-07-20 16:44:57 something else\n").as_bytes(),
            format!(
                "a.log: line 2, column 20: expected {form}, found `2021-07-20 16:44:57 something \
                 else`"
            ),
        ),
        (
            b"2021-07-20 16:44:57,611.612 [log.py:35] - DEBUG - x\n",
            "a.log: line 1: the milliseconds are printed twice and differ, 611 and 612: \
             `2021-07-20 16:44:57,611.612 [log.py:35] - DEBUG - x`"
                .to_owned(),
        ),
        (
            b"2021-02-29 16:44:57,611.611 [log.py:35] - DEBUG - x\n",
            "a.log: line 1: there is no such date or time: `2021-02-29 16:44:57,611.611 \
             [log.py:35] - DEBUG - x`"
                .to_owned(),
        ),
        (
            b"2021-07-20 24:00:00,611.611 [log.py:35] - DEBUG - x\n",
            "a.log: line 1: there is no such date or time: `2021-07-20 24:00:00,611.611 \
             [log.py:35] - DEBUG - x`"
                .to_owned(),
        ),
        (
            b"2021-07-20 16:44:57,611.611 [log.py:35] - TRACE - x\n",
            "a.log: line 1, column 43: expected DEBUG, INFO, WARNING, ERROR or CRITICAL as the \
             level, found `2021-07-20 16:44:57,611.611 [log.py:35] - TRACE - x`"
                .to_owned(),
        ),
        (
            b"2021-07-20 16:44:57,611.611 [log.py] - DEBUG - x\n",
            format!(
                "a.log: line 1, column 40: expected {form}, found `2021-07-20 16:44:57,611.611 \
                 [log.py] - DEBUG - x`"
            ),
        ),
        (
            b"\x7fELF\0\0",
            "a.log: line 1: a zero byte: this is not a text file".to_owned(),
        ),
        (
            b"ab\n\xe9\n",
            format!("a.log: line 1: expected {form}, found `ab`"),
        ),
        (
            &[HEADER.as_bytes(), b"app: \xe9\n"].concat(),
            "a.log: line 1, column 56: not UTF-8".to_owned(),
        ),
        (
            b"\xff\xfe2\x00",
            "a.log: UTF-16 text; save it as UTF-8".to_owned(),
        ),
        (
            long.as_bytes(),
            "a.log: line 1: longer than 1024 KiB".to_owned(),
        ),
        (
            long_message.as_bytes(),
            "a.log: line 1: a message longer than 1024 KiB".to_owned(),
        ),
        (
            many.as_bytes(),
            "a.log: line 500001: more than 500000 lines".to_owned(),
        ),
        (
            &vec![b'\n'; MAX_FILE + 1],
            "a.log: larger than 64 MiB".to_owned(),
        ),
    ] {
        assert_eq!(
            Log::parse("a.log", bytes).unwrap_err().to_string(),
            expected
        );
    }
}

#[test]
fn an_endless_stream_is_cut_off() {
    let error = Log::read("zeros", io::repeat(b'\n')).unwrap_err();
    assert_eq!(error.to_string(), "zeros: larger than 64 MiB");
}

/// The SDK logs secrets at level INFO; they go no further.
#[test]
fn secrets_are_withheld() {
    let text = format!(
        "{HEADER}device name: test01, product id: ABC, product secret: s3cret, \
         device secret: s3cret\n\
         {HEADER}动态注册请求: s3cret\n响应: s3cret\n\
         {HEADER}sign base64 s3cret\n\
         {HEADER}publish success\ndevice secret: s3cret\n"
    );
    let log = parse(&text).unwrap();
    assert!(!format!("{log:?}").contains("s3cret"), "{log:?}");
    assert_eq!(
        log.lines[0].line.message,
        "device name: test01, product id: ABC, product secret: (withheld)"
    );
    let error = parse("device secret: s3cret\n").unwrap_err().to_string();
    assert!(
        error.contains("(withheld)") && !error.contains("s3cret"),
        "{error}"
    );
    let torn = parse(&format!(
        "{HEADER}publish success\n{HEADER}sign base64 s3cret"
    ))
    .unwrap();
    assert!(!format!("{torn:?}").contains("s3cret"), "{torn:?}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Log::parse("any", &bytes);
    }

    /// A good log, damaged in one place.
    #[test]
    fn damaged_logs_are_read_or_refused(at in 0..FIRST_CONTACT.len(), byte: u8, cut: bool) {
        let mut bytes = FIRST_CONTACT.to_vec();
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        let _ = Log::parse("damaged", &bytes);
    }
}

/// Wherever a log is cut, what stands before the cut is read and the rest is torn or complete.
#[test]
fn any_beginning_of_a_log_is_read() {
    let whole = Log::parse("whole", FIRST_CONTACT).unwrap();
    let first_line = FIRST_CONTACT
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap();
    for end in first_line..FIRST_CONTACT.len() {
        let bytes = &FIRST_CONTACT[..end];
        let log = Log::parse("whole", bytes).unwrap();
        let complete = bytes.iter().filter(|byte| **byte == b'\n').count();
        assert!(log.lines.len() >= complete, "{end}");
        assert_eq!(log.lines[..complete], whole.lines[..complete], "{end}");
        if !bytes.ends_with(b"\n") {
            assert_eq!(
                log.lines.len() + usize::from(log.torn.is_some()),
                complete + 1,
                "{end}"
            );
        }
        let unknown = log
            .lines
            .iter()
            .find(|e| matches!(e.statement, Statement::Unknown { .. }));
        assert_eq!(unknown, None, "{end}");
    }
}
