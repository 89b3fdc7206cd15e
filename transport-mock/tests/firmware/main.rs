//! The guide's example of a firmware under test (`docs/guide/testing.md`): a bug that was planted is
//! found, and made small enough to read.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that meets the unexpected should stop there"
)]

mod lamp;

use std::cell::RefCell;
use std::rc::Rc;

use lamp::{Flash, Revision, lamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use serde_json::json;
use transport_mock::simulation::fault::{Fault, Restore};
use transport_mock::strategies::acts;
use transport_mock::trace::LineKind;
use transport_mock::{Act, TestCloud};

fn schedule() -> impl Strategy<Value = Vec<Act>> {
    acts(1, Just(json!({}))).prop_map(|mut acts| {
        // Each change asks for a hue of its own, so that the last is told from those before.
        for (hue, act) in acts.iter_mut().enumerate() {
            if let Act::Desire { values, .. } = act {
                *values = json!({"hue": hue});
            }
        }
        acts
    })
}

/// Plays it until nothing is wrong any more; the cloud, and the lamp's hue.
fn play(revision: Revision, acts: &[Act]) -> (TestCloud, Option<u64>) {
    let cloud = TestCloud::new();
    let flash = Rc::new(RefCell::new(Flash::default()));
    let kept = Rc::clone(&flash);
    cloud
        .boot(move |client, events, clock| lamp(revision, client, events, clock, Rc::clone(&kept)));
    cloud.play(acts);
    cloud.rest();
    let hue = flash.borrow().hue;
    (cloud, hue)
}

/// The hue that was wanted last is the lamp's, and the cloud knows.
fn ends_as_desired(revision: Revision, acts: &[Act]) -> Result<(), TestCaseError> {
    let (cloud, hue) = play(revision, acts);
    let last = acts.iter().rev().find_map(|act| match act {
        Act::Desire { values, .. } => Some(values),
        _ => None,
    });
    let wanted = last.cloned().unwrap_or(json!({}));
    prop_assert_eq!(&cloud.reported(), &wanted);
    prop_assert_eq!(hue, wanted["hue"].as_u64());
    Ok(())
}

fn runner(seed: u8) -> TestRunner {
    let config = Config {
        cases: 1_000,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(
        config,
        TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]),
    )
}

/// Wherever the search begins it ends with one change, and a power cut before it was applied.
#[test]
fn the_bug_is_found_and_made_small() {
    for seed in 0..10 {
        let found = runner(seed).run(&schedule(), |acts| ends_as_desired(Revision::First, &acts));
        let Err(TestError::Fail(_, acts)) = found else {
            panic!("it was not found: {found:?}");
        };
        assert_eq!(acts, smallest(), "{seed}");
    }
}

#[test]
fn the_second_revision_ends_as_desired() {
    let all = runner(0).run(&schedule(), |acts| ends_as_desired(Revision::Second, &acts));
    all.unwrap();
}

fn smallest() -> [Act; 3] {
    [
        Act::Desire {
            device: 0,
            values: json!({"hue": 0}),
        },
        Act::Wait { millis: 0 },
        Act::Fault(Fault::PowerCut {
            device: 0,
            after: 0,
            dark: 0,
            restore: Restore::Latest,
        }),
    ]
}

/// What was found, as a story.
#[test]
fn a_power_cut_while_the_hue_settles() {
    for revision in [Revision::First, Revision::Second] {
        let (cloud, _) = play(revision, &smallest());
        let kinds = [LineKind::Packet, LineKind::Fault, LineKind::Note];
        insta::assert_snapshot!(format!("{revision:?}"), cloud.trace().only(&kinds));
    }
}

/// The guide shows this firmware and no other.
#[test]
fn the_guide_shows_this_firmware() {
    let guide = include_str!("../../../docs/guide/testing.md");
    assert!(guide.contains(include_str!("lamp.rs")));
}
