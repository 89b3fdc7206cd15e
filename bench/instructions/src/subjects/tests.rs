//! What is compared must be the same.

use crate::operation::Operation;
use crate::work::repeat;

use super::able;

#[test]
fn all_subjects_do_the_same() {
    for operation in Operation::ALL {
        let outcomes: Vec<_> = able(operation)
            .map(|(subject, mut work)| (subject.name, work.outcome()))
            .collect();
        for (name, outcome) in &outcomes {
            assert_eq!(outcome, &outcomes[0].1, "{name}: {}", operation.name());
        }
    }
}

#[test]
fn ours_does_all_of_it_and_a_late_run_does_what_an_early_one_does() {
    for operation in Operation::ALL {
        let mut works: Vec<_> = able(operation).collect();
        assert_eq!(works[0].0.name, bench::OURS, "{}", operation.name());
        for (subject, work) in &mut works {
            // The first report has more to say than those after it.
            work.outcome();
            let first = kind(&work.outcome());
            // Far enough for the tokens' numbers to begin again.
            repeat(work.as_mut(), 8 * operation.repetitions(), |work| {
                work.run()
            });
            let last = kind(&work.outcome());
            assert_eq!(first, last, "{}: {}", subject.name, operation.name());
        }
    }
}

/// The outcome without its numbers: tokens, versions and counts differ, and with them the length
/// that stands before the payload.
fn kind(outcome: &str) -> String {
    let start = outcome.find("{\"").unwrap_or_default();
    let outcome = outcome[start..].replace("\"on\"", "\"no\"");
    let outcome = outcome.replace("cool", "warm");
    outcome
        .chars()
        .filter(|character| !character.is_ascii_digit())
        .collect()
}

#[test]
fn outcomes_are_what_the_operations_are_about() {
    for (operation, part) in [
        (
            Operation::EncodePublish,
            r"0\x9c\x01\x00#$shadow/operation/PRODUCT001/test01{",
        ),
        (
            Operation::DecodePublishAtLeastOnce,
            "PUBLISH 1 Some(10) $shadow/operation/result/",
        ),
        (Operation::DecodeSubAck, "SUBACK 10 1"),
        (
            Operation::DecodePublishByBytes,
            "PUBLISH 0 None $shadow/operation/result/",
        ),
        (
            Operation::GetReply,
            r#"accepted version Some(21) {"reported":{"updateCount":1,"#,
        ),
        (Operation::LargeGetReply, r#""sensor100":"#),
        (Operation::LargeUpdate, r#""sensor100":"#),
        (
            Operation::Update,
            r#""reported":{"updateCount":1,"updateCount12":"shadow"}"#,
        ),
        (
            Operation::Delta,
            r#"delta version Some(22) {"brightness":95,"#,
        ),
        (
            Operation::GetRoundTrip,
            r#""clientToken":"k3Jd82hs-100","type":"get"}accepted"#,
        ),
        (
            Operation::UpdateRoundTrip,
            r#""type":"update"}accepted version Some(22)"#,
        ),
        (Operation::Report, r#""type":"update","version":21}"#),
        (
            Operation::Accept,
            r#"{"desired":null,"reported":{"brightness":95,"#,
        ),
        (Operation::KeepAlive, r"\xc0\x00"),
    ] {
        for (subject, mut work) in able(operation) {
            let outcome = work.outcome();
            assert!(
                outcome.contains(part),
                "{}: {part}\n{outcome}",
                subject.name
            );
        }
    }
}
