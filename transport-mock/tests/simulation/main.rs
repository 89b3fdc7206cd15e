//! The guarantee, played: random scripts, the scripts that once failed, every fault by itself,
//! sweeps through every byte and every step, and a day of virtual time.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets the unexpected should stop there"
)]

mod day;
mod faults;
mod regressions;
mod strategy;
mod sweeps;

use proptest::prelude::*;
use strategy::attempt;
use transport_mock::simulation::fault::Fault;
use transport_mock::simulation::script::{Script, Setup, Step};
use transport_mock::strategies::{schedule, shrink_script};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    })]

    /// As the example does with as many as one likes.
    #[test]
    fn whatever_happens_the_guarantee_holds(script in schedule()) {
        let played = attempt(&script, false);
        prop_assert!(played.is_ok(), "{}", played.unwrap_err());
    }
}

/// Two runs of one script are the same, to the last line.
#[test]
fn a_script_gives_the_same_run_again() {
    let mut lines = 0;
    for seed in 0..20 {
        let script = Script::random(seed, 30);
        let text = serde_json::to_string(&script).unwrap();
        assert_eq!(serde_json::from_str::<Script>(&text).unwrap(), script);
        let trace = || transport_mock::simulation::trace(&script);
        let first = trace();
        lines += first.len();
        assert_eq!(first, trace());
    }
    assert!(lines > 1_000, "{lines}");
}

/// A script that fails for two of its steps ends up as these two.
#[test]
fn a_script_that_fails_is_made_small() {
    let fails = |script: &Script| {
        let kick = |step: &Step| matches!(step, Step::Fault(Fault::SecondClient { .. }));
        let get = |step: &Step| matches!(step, Step::Get { .. });
        let kicked = script.steps.iter().position(kick);
        match kicked.map(|at| script.steps.iter().skip(at).any(get)) {
            Some(true) => Err("a get after a kick".to_owned()),
            _ => Ok(()),
        }
    };
    let long = (0..).map(|seed| Script::random(seed, 60));
    let script = long
        .into_iter()
        .find(|script| fails(script).is_err())
        .unwrap();
    let (smallest, why) = shrink_script(script, fails);
    assert_eq!(why, "a get after a kick");
    assert_eq!((smallest.devices, &smallest.setup), (1, &Setup::plain()));
    let [Step::Fault(_), Step::Get { device: 0 }] = smallest.steps[..] else {
        panic!("{:?}", smallest.steps);
    };
}
