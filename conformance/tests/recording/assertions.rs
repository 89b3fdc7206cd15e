//! What users' tests say of recordings.

use std::panic::catch_unwind;
use std::time::Duration;

use conformance::recording::{ConvergenceError, Files, ReplayError};
use conformance::{replay, replay_text};
use shadow_core::recording::Mask;

use crate::sessions;

/// The text of what a closure panics with.
fn panic_of<T>(assertion: impl FnOnce() -> T + std::panic::UnwindSafe) -> String {
    match catch_unwind(assertion) {
        Ok(_) => panic!("it should have failed"),
        Err(panic) => *panic.downcast::<String>().expect("a message"),
    }
}

#[test]
fn a_session_replays_the_same_and_converges() {
    for (name, text) in [("lamp", sessions::lamp()), ("silence", sessions::silence())] {
        let session = replay_text(name, &text);
        let summary = session.assert_same();
        assert!(summary.ended && summary.exchanges > 0, "{summary:?}");
        let convergence = session.assert_converges();
        assert_eq!(convergence.shadows, 1);
        assert!(
            convergence.took <= Duration::from_secs(30),
            "{convergence:?}"
        );
    }
}

/// What was reported without a link reaches the cloud, that of a sub-device too, although the engine
/// was closed before: its next run goes on with the session.
#[test]
fn a_gateway_converges_with_its_next_run() {
    let text = sessions::gateway();
    let session = replay_text("gateway", &text);
    session.assert_same();
    assert_eq!(session.assert_converges().shadows, 2);
}

/// What is masked is masked on both sides alike.
#[test]
fn a_masked_session_replays_the_same_and_converges() {
    let key = Mask::keyed(*b"a key of a test.");
    for mask in [key.names(), key.values(), key.names().values()] {
        let text = sessions::masked_lamp(mask);
        assert_eq!(
            text.contains("EXAMPLE001"),
            !mask.to_string().contains("names")
        );
        assert_eq!(
            text.contains(r#"\"shadow\""#),
            !mask.to_string().contains("values")
        );
        let session = replay_text("masked", &text);
        session.assert_same();
        session.assert_converges();
    }
}

/// A clock, or a timeout, beyond all reason makes no trouble.
#[test]
fn times_without_end_are_bounded() {
    let text = sessions::lamp();
    let last = text.lines().last().unwrap();
    let late = last.replacen("231000000", "18446744073709551615", 1);
    assert_ne!(late, last);
    let late = text.replacen(last, &late, 1);
    let error = replay_text("late", &late).converges().unwrap_err();
    assert!(
        error.to_string().contains(": its time is later than "),
        "{error}"
    );
    let patient = text.replacen(r#""request_timeout":10,"#, r#""request_timeout":1e19,"#, 1);
    assert_ne!(patient, text);
    // Whatever comes of it.
    drop(replay_text("patient", &patient).converges());
}

/// Wherever a recording ends, with a request open or a link half made, device and cloud agree after
/// some time on a link.
#[test]
fn a_session_that_was_cut_off_anywhere_converges() {
    let text = sessions::lamp();
    let ends: Vec<usize> = text
        .match_indices('\n')
        .map(|(at, _)| at + 1)
        .skip(1)
        .collect();
    assert!(ends.len() > 80);
    for end in ends {
        replay_text("lamp", &text[..end]).assert_converges();
    }
}

#[test]
fn one_that_cannot_converge_says_what_is_apart() {
    let text = sessions::without_gets();
    let session = replay_text("without-gets", &text);
    session.assert_same();
    let error = session.converges().unwrap_err();
    assert!(matches!(error, ConvergenceError::Apart { .. }));
    let text = text.clone();
    let said = panic_of(move || replay_text("without-gets", text).assert_converges());
    assert_eq!(said, error.to_string());
    insta::assert_snapshot!(said);
}

#[test]
fn a_changed_session_fails_with_all_that_is_known() {
    let text = sessions::lamp();
    let changed = text.replacen(
        r#""colour":{"green":2.5,"red":1}"#,
        r#""colour":{"green":2.5,"red":2}"#,
        2,
    );
    assert_ne!(text, changed);
    let session = replay_text("lamp", &changed);
    let Err(ReplayError::Diverged(divergence)) = session.same() else {
        panic!("it should differ");
    };
    let text = divergence.to_string();
    assert_eq!(
        panic_of(move || replay_text("lamp", changed).assert_same()),
        text
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_line_and_column() {
    let said = panic_of(|| replay("fixtures/recordings/none.jsonl").assert_same());
    assert!(
        said.starts_with("fixtures/recordings/none.jsonl:1:1: cannot read it: "),
        "{said}"
    );
    let text = sessions::lamp();
    let broken = text.replacen(r#""in":"connected""#, r#""in":"connecte""#, 1);
    let said = panic_of(move || replay_text("lamp", broken).assert_converges());
    assert!(said.starts_with("lamp:7:"), "{said}");
    assert!(said.ends_with("there is no input `connecte`"), "{said}");
}

/// `lamp.jsonl` is what [`sessions::lamp`] once recorded, in two parts.
#[test]
fn a_file_replays_with_the_parts_beside_it() {
    let path = std::path::Path::new("fixtures/recordings/lamp.jsonl");
    assert_eq!(Files::beginning_with(path).paths().len(), 2);
    let session = replay(path);
    let summary = session.assert_same();
    assert!(summary.ended, "the end is in the second part");
    session.assert_converges();
}

/// What is written is what the module of this test was made of, and so compiles and passes.
#[test]
fn a_recording_becomes_a_test() {
    let path = std::path::Path::new("fixtures/recordings/lamp.jsonl");
    let reader = Files::beginning_with(path).open().unwrap();
    let written = conformance::recording::regression_test("lamp", reader).unwrap();
    assert_eq!(written, include_str!("generated.rs"));
}

/// However a recording was damaged, it is replayed, or refused with a place, and never panics.
#[test]
fn damaged_recordings_make_no_trouble() {
    // As many as take a moment; the fuzz target `recording` goes on from there.
    const CHANGES: u64 = 300;
    let texts = [sessions::lamp(), sessions::silence(), sessions::gateway()];
    // A linear congruential generator: the same changes each time.
    let mut state: u64 = 7;
    let mut below = |limit: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((state >> 33) as usize) % limit
    };
    let (mut same, mut diverged, mut unread) = (0, 0, 0);
    for change in 0..CHANGES {
        let mut lines: Vec<String> = texts[change as usize % 3]
            .lines()
            .map(String::from)
            .collect();
        let index = 1 + below(lines.len() - 1);
        match below(4) {
            0 => drop(lines.remove(index)),
            1 => {
                let other = 1 + below(lines.len() - 1);
                lines.swap(index, other);
            }
            2 => {
                let digits: Vec<usize> = lines[index]
                    .match_indices(|c: char| c.is_ascii_digit())
                    .map(|(at, _)| at)
                    .collect();
                let at = digits[below(digits.len())];
                let digit = ["", "0", "9", "99999999999"][below(4)];
                lines[index].replace_range(at..=at, digit);
            }
            _ => {
                let at = below(lines[index].len());
                if lines[index].is_char_boundary(at) {
                    lines[index].truncate(at);
                }
            }
        }
        let text = lines.join("\n") + "\n";
        let session = replay_text("damaged", &text);
        match session.same() {
            Ok(_) => same += 1,
            Err(ReplayError::Diverged(divergence)) => {
                diverged += 1;
                assert!(
                    divergence.to_string().starts_with("damaged:"),
                    "{divergence}"
                );
            }
            Err(error) => {
                unread += 1;
                assert!(error.to_string().starts_with("damaged:"), "{error}");
            }
        }
        drop(session.converges());
    }
    assert!(
        same > 0 && diverged > 50 && unread > 50,
        "{same} {diverged} {unread}"
    );
}
