//! Shadow requests and their replies.

use conformance::capture::{Close, Direction};
use conformance::diagnose::{Finding, WaitedUntil};

use crate::tape::{
    ASK, RESULT, Tape, assert_finds, connack_present, connect_again, get, got, publish,
    publish_with, suback, subscribe, update, updated,
};

fn asked() -> Tape {
    Tape::new().ready(0).device(100, publish(ASK, &get("t-0")))
}

fn deaf_but_served() -> Tape {
    Tape::new()
        .login(0)
        .device(20, publish(ASK, &get("t-0")))
        .server(40, publish(RESULT, &got("t-0", 1)))
}

#[test]
fn requests_wait_for_their_subscription() {
    let early = Tape::new()
        .login(0)
        .device(20, subscribe(1, &[RESULT]))
        .device(21, publish(ASK, &get("t-0")))
        .server(30, suback(1, &[0]))
        .server(40, publish(RESULT, &got("t-0", 1)));
    assert_finds!(
        1,
        Finding::AskedUnsubscribed {
            before_suback: true,
            ..
        },
        [early]
    );
    let deaf = Tape::new().login(0).device(20, publish(ASK, &get("t-0")));
    assert_finds!(
        1,
        Finding::AskedUnsubscribed {
            before_suback: false,
            ..
        },
        [deaf.clone()]
    );
    assert_finds!(0, Finding::AskedUnsubscribed { .. }, [asked()]);
    // It may have been subscribed before the capture began.
    assert_finds!(0, Finding::AskedUnsubscribed { .. }, [deaf.without_start()]);
    // A wildcard covers it.
    let covered = Tape::new()
        .login(0)
        .device(20, subscribe(1, &["$shadow/operation/result/+/+"]))
        .server(30, suback(1, &[0]))
        .device(40, publish(ASK, &get("t-0")));
    assert_finds!(0, Finding::AskedUnsubscribed { .. }, [covered]);
    // The server sends replies unasked.
    let served = deaf_but_served();
    assert_finds!(0, Finding::AskedUnsubscribed { .. }, [served]);
    // So may a session that goes on, of which the capture has not the beginning.
    let kept = Tape::new()
        .device(0, connect_again(crate::tape::CLIENT))
        .server(10, connack_present())
        .device(20, publish(ASK, &get("t-0")));
    assert_finds!(0, Finding::AskedUnsubscribed { .. }, [kept]);
}

#[test]
fn requests_are_answered() {
    let until = |tape: Tape| {
        let report = crate::tape::report([tape]);
        report
            .findings
            .iter()
            .find_map(|found| match &found.finding {
                Finding::Unanswered { until, .. } => Some(*until),
                _ => None,
            })
    };
    assert_eq!(until(asked().ping(10_100)), Some(WaitedUntil::Patience));
    assert_eq!(until(asked().ping(10_000)), None);
    let cut = asked().closed_by(Close::Reset(Direction::Server));
    assert_eq!(until(cut), Some(WaitedUntil::Cut));
    assert_eq!(until(asked().goodbye(200)), Some(WaitedUntil::Disconnect));
    let answered = asked().server(150, publish(RESULT, &got("t-0", 1)));
    assert_eq!(until(answered.goodbye(20_000)), None);
    // Another's answer, and one to another kind of request, are none.
    let other = asked().server(150, publish(RESULT, &got("t-1", 1)));
    assert_eq!(until(other.ping(11_000)), Some(WaitedUntil::Patience));
    let kind = asked().server(150, publish(RESULT, &updated("t-0", 0, 1)));
    assert_eq!(until(kind.ping(11_000)), Some(WaitedUntil::Patience));
}

#[test]
fn answers_come_in_time() {
    let after = |millis: u64| asked().server(100 + millis, publish(RESULT, &got("t-0", 1)));
    assert_finds!(
        1,
        Finding::AnsweredLate {
            after: 10_001_000,
            ..
        },
        [after(10_001)]
    );
    assert_finds!(0, Finding::Unanswered { .. }, [after(10_001)]);
    assert_finds!(0, Finding::AnsweredLate { .. }, [after(10_000)]);
}

#[test]
fn replies_answer_something() {
    let reply = |token: &str| publish(RESULT, &got(token, 1));
    let answered = asked().server(150, reply("t-0"));
    assert_finds!(0, Finding::ReplyToNothing { .. }, [answered.clone()]);
    let twice = answered.clone().server(160, reply("t-0"));
    assert_finds!(1, Finding::ReplyToNothing { is_again: true, .. }, [twice]);
    let foreign = answered.clone().server(160, reply("f-0"));
    assert_finds!(
        1,
        Finding::ReplyToNothing {
            is_again: false,
            ..
        },
        [foreign.clone()]
    );
    // The request may have gone out before the capture began.
    assert_finds!(0, Finding::ReplyToNothing { .. }, [foreign.without_start()]);
    let bare = r#"{"type":"get","result":0,"payload":{}}"#;
    assert_finds!(
        1,
        Finding::ReplyWithoutToken { .. },
        [answered.clone().server(160, publish(RESULT, bare))]
    );
    let number = Tape::new()
        .ready(0)
        .device(100, publish(ASK, r#"{"type":"get","clientToken":8480}"#))
        .server(120, reply("8480"));
    assert_finds!(
        0,
        Finding::ReplyToNothing { .. }
            | Finding::ReplyWithoutToken { .. }
            | Finding::RequestWithoutToken { .. },
        [number]
    );
}

#[test]
fn tokens_are_used_once() {
    let twice = asked()
        .server(150, publish(RESULT, &got("t-0", 1)))
        .device(200, publish(ASK, &get("t-0")));
    assert_finds!(
        1,
        Finding::TokenReused {
            still_open: false,
            ..
        },
        [twice]
    );
    // The same request once more: one reply answers both.
    let again = asked()
        .device(200, publish(ASK, &get("t-0")))
        .server(220, publish(RESULT, &got("t-0", 1)))
        .ping(20_000);
    assert_finds!(
        0,
        Finding::TokenReused { .. } | Finding::Unanswered { .. },
        [again]
    );
    let open = asked().device(200, publish(ASK, &update("t-0", r#"{"reported":{"a":1}}"#)));
    assert_finds!(
        1,
        Finding::TokenReused {
            still_open: true,
            ..
        },
        [open]
    );
    // After a reconnect too.
    let first = asked()
        .server(150, publish(RESULT, &got("t-0", 1)))
        .goodbye(200);
    let second = Tape::new().ready(20_000).get(20_100, "t-0", 1);
    assert_finds!(
        1,
        Finding::TokenReused {
            still_open: false,
            ..
        },
        [first.clone(), second]
    );
    let good = Tape::new().ready(20_000).get(20_100, "t-1", 1);
    assert_finds!(0, Finding::TokenReused { .. }, [first, good]);
    // Another shadow counts for itself.
    let other = asked().device(
        200,
        publish("$shadow/operation/TAPE000001/other", &get("t-0")),
    );
    assert_finds!(0, Finding::TokenReused { .. }, [other]);
    // The same message once more is the same request.
    let again = Tape::new()
        .ready(0)
        .device(100, publish_with(0b0010, 7, ASK, &get("t-0")))
        .device(200, publish_with(0b1010, 7, ASK, &get("t-0")));
    assert_finds!(0, Finding::TokenReused { .. }, [again]);
}

#[test]
fn requests_can_be_read_and_have_a_token() {
    let with = |payload: &str| Tape::new().ready(0).device(100, publish(ASK, payload));
    assert_finds!(
        1,
        Finding::RequestWithoutToken { .. },
        [with(r#"{"type":"get"}"#)]
    );
    assert_finds!(0, Finding::RequestWithoutToken { .. }, [with(&get("t"))]);
    for payload in [
        "",
        "get",
        r#"{"type":"delete","clientToken":"t"}"#,
        r#"{"type":"update","state":3,"clientToken":"t"}"#,
    ] {
        assert_finds!(1, Finding::UnreadableRequest { .. }, [with(payload)]);
    }
    assert_finds!(
        0,
        Finding::UnreadableRequest { .. },
        [with(&update("t", r#"{"reported":{"a":1}}"#))]
    );
    let noise = asked().server(120, publish(RESULT, "{"));
    assert_finds!(1, Finding::UnreadableReply { .. }, [noise]);
    assert_finds!(
        0,
        Finding::UnreadableReply { .. },
        [asked().server(120, publish(RESULT, &got("t-0", 1)))]
    );
}

#[test]
fn refusals_are_made_good() {
    let refused = Tape::new()
        .ready(0)
        .device(
            100,
            publish(ASK, &update("t-0", r#"{"reported":{"a":1,"b":2}}"#)),
        )
        .server(120, publish(RESULT, &updated("t-0", 5005, 4)));
    assert_finds!(
        1,
        Finding::Rejected {
            code: 5005,
            made_good: false,
            ..
        },
        [refused.clone()]
    );
    let again = |state: &str| {
        refused
            .clone()
            .device(200, publish(ASK, &update("t-1", state)))
            .server(220, publish(RESULT, &updated("t-1", 0, 5)))
    };
    assert_finds!(
        1,
        Finding::Rejected {
            made_good: true,
            ..
        },
        [again(r#"{"reported":{"b":3,"a":1}}"#)]
    );
    assert_finds!(
        1,
        Finding::Rejected {
            made_good: false,
            ..
        },
        [again(r#"{"reported":{"b":3}}"#)]
    );
    assert_finds!(0, Finding::Rejected { .. }, [asked()]);
}
