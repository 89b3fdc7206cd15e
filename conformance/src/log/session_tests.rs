use super::*;

const GET_CACHED: &[u8] = include_bytes!("../../fixtures/documented/1-get-cached-status.log");
const MODIFY_UPDATE: &[u8] = include_bytes!("../../fixtures/documented/2a-modify-update.log");
const MODIFY_GET: &[u8] = include_bytes!("../../fixtures/documented/2b-modify-get.log");
const DELTA: &[u8] = include_bytes!("../../fixtures/recorded/python-sdk-delta.log");

fn log(name: &str, lines: &[(u32, &str)]) -> Log {
    let text: String = lines
        .iter()
        .map(|(ms, message)| {
            format!("2021-07-20 16:44:57,{ms:03}.{ms:03} [log.py:35] - DEBUG - {message}\n")
        })
        .collect();
    Log::parse(name, text.as_bytes()).unwrap()
}

fn join(logs: &[&Log]) -> Result<Session, SessionError> {
    Session::from_logs(logs.iter().copied().cloned().collect())
}

fn order(session: &Session) -> Vec<(usize, usize)> {
    session
        .order
        .iter()
        .map(|place| (place.log, place.entry))
        .collect()
}

/// By hand from the printed times: log 1 up to 57,614; all of 2a (57,615 and 57,616); log 1 from
/// 57,661 on; 2b.
#[test]
fn documented_excerpts_interleave() {
    let logs = [("1", GET_CACHED), ("2a", MODIFY_UPDATE), ("2b", MODIFY_GET)]
        .map(|(name, bytes)| Log::parse(name, bytes).unwrap());
    let session = join(&[&logs[0], &logs[1], &logs[2]]).unwrap();
    let mut expected: Vec<(usize, usize)> = (0..7).map(|entry| (0, entry)).collect();
    expected.extend((0..5).map(|entry| (1, entry)));
    expected.extend((7..11).map(|entry| (0, entry)));
    expected.extend([(2, 0), (2, 1)]);
    assert_eq!(order(&session), expected);
    assert_eq!(session.repeats, []);
    // Given in another order, they are the same session.
    let again = join(&[&logs[2], &logs[1], &logs[0]]).unwrap();
    assert!(
        session
            .entries()
            .map(|(_, entry)| entry)
            .eq(again.entries().map(|(_, entry)| entry))
    );
}

/// A log cut into two that overlap is whole again.
#[test]
fn overlapping_excerpts_are_taken_once() {
    let whole = Log::parse("delta", DELTA).unwrap();
    let cut = |from: usize, to: usize| Log {
        lines: whole.lines[from..to].to_vec(),
        ..whole.clone()
    };
    for (first_end, second_start) in [(160, 0), (100, 60), (90, 90), (61, 60)] {
        let session = join(&[&cut(0, first_end), &cut(second_start, 160)]).unwrap();
        assert!(
            session.entries().map(|(_, entry)| entry).eq(&whole.lines),
            "{first_end}"
        );
        assert_eq!(session.repeats.len(), first_end - second_start);
    }
}

#[test]
fn order_of_a_log_is_kept_even_where_its_times_run_back() {
    let a = log("a", &[(5, "app: 1"), (4, "app: 2"), (9, "app: 4")]);
    let b = log("b", &[(5, "app: 3")]);
    assert_eq!(
        order(&join(&[&a, &b]).unwrap()),
        [(0, 0), (0, 1), (1, 0), (0, 2)]
    );
}

/// Threads are late by a millisecond or two; a log that begins where another ends follows it, and
/// lines of the same text and time are two.
#[test]
fn a_log_that_goes_on_where_another_ends_follows_it() {
    let a = log("a", &[(1, "app: 1"), (6, "app: 2"), (6, "publish success")]);
    let b = log(
        "b",
        &[
            (5, "publish success"),
            (6, "publish success"),
            (7, "app: 3"),
        ],
    );
    let whole = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)];
    assert_eq!(order(&join(&[&a, &b]).unwrap()), whole);
    let reversed = whole.map(|(log, entry)| (1 - log, entry));
    assert_eq!(order(&join(&[&b, &a]).unwrap()), reversed);
}

#[test]
fn message_numbers_decide_within_a_millisecond() {
    let publish =
        |number| format!("Sending PUBLISH (d0, q0, r0, m{number}), 'b'a'', ... (1 bytes)");
    let a = log("a", &[(1, &publish(3)), (1, &publish(5))]);
    let b = log("b", &[(1, &publish(2)), (1, &publish(4))]);
    assert_eq!(
        order(&join(&[&a, &b]).unwrap()),
        [(1, 0), (0, 0), (1, 1), (0, 1)]
    );
}

#[test]
fn contradictions_are_refused() {
    let publish =
        |number| format!("Sending PUBLISH (d0, q0, r0, m{number}), 'b'a'', ... (1 bytes)");
    let connect =
        |id| format!("Sending CONNECT (u1, p1, wr0, wq0, wf0, c1, k60) client_id=b'{id}'");
    for (a, b, expected) in [
        (
            log("a", &[(1, "app: 1"), (1, "app: 2")]),
            log("b", &[(1, "app: 2"), (1, "app: 1")]),
            "a: line 1 and b: line 1 are not of one session: both logs have both records, in \
             opposite order",
        ),
        (
            log("a", &[(1, &connect("one"))]),
            log("b", &[(1, "app: x"), (2, &connect("two"))]),
            "a: line 1 and b: line 2 are not of one session: the client ids are `one` and `two`",
        ),
        (
            log("a", &[(1, &publish(3)), (9, &publish(7))]),
            log("b", &[(5, &publish(3))]),
            "a: line 1 and b: line 1 are not of one session: m3 is sent after m3, but \
             the SDK counts upwards",
        ),
    ] {
        assert_eq!(join(&[&a, &b]).unwrap_err().to_string(), expected);
    }
}

#[test]
fn numbers_may_start_over_with_the_sdk_and_at_65535() {
    let publish =
        |number| format!("Sending PUBLISH (d0, q0, r0, m{number}), 'b'a'', ... (1 bytes)");
    let a = log("a", &[(1, &publish(3))]);
    let anew = log("b", &[(2, "LoopThread thread enter"), (5, &publish(1))]);
    assert!(join(&[&a, &anew]).is_ok());
    let last = log("a", &[(1, &publish(65535))]);
    let wrapped = log("b", &[(2, &publish(1))]);
    assert!(join(&[&last, &wrapped]).is_ok());
    // Sent again after a reconnect.
    let again = log(
        "b",
        &[(2, "Sending PUBLISH (d1, q1, r0, m3), 'b'a'', ... (1 bytes)")],
    );
    assert!(join(&[&a, &again]).is_ok());
}

#[test]
fn no_logs_are_an_empty_session() {
    assert_eq!(order(&join(&[]).unwrap()), []);
}
