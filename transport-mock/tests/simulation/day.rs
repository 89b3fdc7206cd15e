//! A day of virtual time with a fault each hour.

use transport_mock::simulation::fault::FaultKind;

use transport_mock::simulation::script::{Answer, Script, Setup, Step};
use transport_mock::simulation::{Invariant, play, play_and_replay};

use crate::faults::{around, fault_of};

const HOUR: u64 = 3_600_000_000;

/// Memory at the end of each hour, at rest, is counted while the script is played: it must not grow
/// with the hours.
#[test]
fn a_day_with_a_fault_each_hour_takes_no_more_memory_at_its_end() {
    let hours = FaultKind::ALL.len().max(24);
    let script = |hours: usize| {
        let hour = |kind: &FaultKind| {
            let mut steps = around(fault_of(*kind));
            steps.push(Step::Rest);
            steps.push(Step::Wait { millis: 3_000_000 });
            steps
        };
        let at_once = Step::AnswerAtOnce {
            device: 0,
            how: Answer::Accept,
        };
        let kinds = FaultKind::ALL.iter().cycle().take(hours);
        Script {
            seed: 1,
            devices: 1,
            setup: Setup {
                latency: (20, 20),
                ..Setup::plain()
            },
            steps: [at_once].into_iter().chain(kinds.flat_map(hour)).collect(),
        }
    };
    let day = script(hours);
    let twice = script(2 * hours);
    let highest = |script: &Script| {
        let mut tally = None;
        let counted = allocation_counter::measure(|| tally = Some(play(script, false)));
        let tally = tally.unwrap().unwrap_or_else(|_| {
            let failure = play(script, true).unwrap_err();
            panic!("{failure}")
        });
        (tally, counted.bytes_max)
    };
    let (tally, one_day) = highest(&day);
    println!("{tally}");
    assert!(tally.virtual_micros >= 24 * HOUR);
    for (kind, count) in tally.faults.iter() {
        assert!(count > 0, "{kind} met nothing");
    }
    let recorded = play_and_replay(&day, false).unwrap();
    assert!(recorded.checks.of(Invariant::Replay) > 0);
    let (_, two_days) = highest(&twice);
    println!("{one_day} bytes at most in a day, {two_days} in two");
    // Nothing that is kept for an hour is kept for a day: the second takes no more than the first.
    assert!(two_days <= one_day + 4_096, "{one_day} {two_days}");
}
