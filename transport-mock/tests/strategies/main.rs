//! The strategies keep their bounds, give all they say, and shrink to what a person would write.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets the unexpected should stop there"
)]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use serde_json::{Value, json};
use shadow_core::Instant;
use transport_mock::TestCloud;
use transport_mock::cloud::{Cloud, test_device};
use transport_mock::simulation::TEST_WALL_TIME;
use transport_mock::simulation::fault::{Direction, Fault, ReplyFault, Restore, WireFault};
use transport_mock::simulation::script::{Script, Setup, Step};
use transport_mock::strategies::{
    any_fault, document, fault, fault_script, object, patch, patch_of, schedule,
};

fn runner(seed: u8) -> TestRunner {
    let config = Config {
        cases: 5_000,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(
        config,
        TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]),
    )
}

/// What is found not to hold, from several beginnings, made as small as it gets: it has to be one of
/// these.
fn shrinks_to<T: Debug + PartialEq + Clone>(
    strategy: &impl Strategy<Value = T>,
    holds: impl Fn(&T) -> bool,
    expected: &[T],
) {
    for seed in 0..10 {
        let outcome = runner(seed).run(strategy, |value| match holds(&value) {
            true => Ok(()),
            false => Err(TestCaseError::fail("it does not hold")),
        });
        let Err(TestError::Fail(_, smallest)) = outcome else {
            panic!("nothing was found, or all was rejected: {outcome:?}");
        };
        assert!(expected.contains(&smallest), "{smallest:?}");
    }
}

/// So many values.
fn values<T: Debug>(strategy: &impl Strategy<Value = T>, count: usize) -> Vec<T> {
    let mut runner = runner(7);
    let value = |_| strategy.new_tree(&mut runner).unwrap().current();
    (0..count).map(value).collect()
}

fn any(value: &Value, wanted: &impl Fn(&Value) -> bool) -> bool {
    wanted(value)
        || match value {
            Value::Object(members) => members.values().any(|member| any(member, wanted)),
            Value::Array(elements) => elements.iter().any(|element| any(element, wanted)),
            _ => false,
        }
}

fn levels(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(levels).max().unwrap_or(0),
        Value::Array(elements) => 1 + elements.iter().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}

#[test]
fn documents_shrink_to_one_member() {
    shrinks_to(&document(), |d| d == &json!({}), &[json!({"a": false})]);
    shrinks_to(
        &document(),
        |d| !any(d, &|v| v.is_number()),
        &[json!({"a": 0})],
    );
    shrinks_to(
        &document(),
        |d| !any(d, &|v| v.as_str().is_some_and(|s| s.chars().count() > 1)),
        &[json!({"a": "aa"})],
    );
    shrinks_to(
        &document(),
        |d| levels(d) < 3,
        &[
            json!({"a": {"a": {}}}),
            json!({"a": {"a": []}}),
            json!({"a": [{}]}),
            json!({"a": [[]]}),
        ],
    );
}

#[test]
fn patches_shrink_to_one_null() {
    let holds = |patch: &Value| !any(patch, &Value::is_null);
    shrinks_to(&patch(), holds, &[json!({"a": null})]);
}

/// Of a document's own keys, the one that matters is left.
#[test]
fn patches_of_a_document_shrink_to_the_key_that_matters() {
    let document = json!({"power": true, "color": {"r": 1, "g": 2}, "name": "x"});
    let deletes =
        |patch: &Value| patch["color"]["g"].is_null() && patch["color"].get("g").is_some();
    let expected = [json!({"color": {"g": null}})];
    shrinks_to(&patch_of(&document), |patch| !deletes(patch), &expected);
    let patches = values(&patch_of(&document), 2_000);
    let some = |wanted: &dyn Fn(&Value) -> bool| patches.iter().any(wanted);
    assert!(some(&|patch| patch == &json!({})));
    assert!(some(
        &|patch| patch["power"] == json!(false) || patch["power"].is_string()
    ));
    assert!(some(&|patch| patch.get("name").is_some_and(Value::is_null)));
    assert!(some(&|patch| patch
        .as_object()
        .unwrap()
        .keys()
        .any(|key| key.len() < 3)));
}

/// The service takes every document and every patch, and a document comes back as it was.
#[test]
fn documents_and_patches_are_what_the_service_takes() {
    let name = test_device(0).name;
    let new = || Cloud::with_test_devices(Instant::ZERO, TEST_WALL_TIME);
    for document in values(&document(), 500) {
        let mut cloud = new();
        let text = document.to_string();
        cloud
            .set_reported(Instant::ZERO, &name, &text, None)
            .unwrap();
        let held = cloud.shadow(&name).map(|shadow| shadow.reported());
        let held: Value = serde_json::from_str(held.as_deref().unwrap_or("{}")).unwrap();
        assert_eq!(held, document);
        assert!(!any(&document, &Value::is_null));
        for patch in values(&patch_of(&document), 3) {
            let text = patch.to_string();
            cloud
                .set_reported(Instant::ZERO, &name, &text, None)
                .unwrap();
        }
    }
    let mut cloud = new();
    for patch in values(&patch(), 500) {
        // What accumulates reaches the bound on documents at some time.
        cloud.set_reported(Instant::ZERO, &name, "null", None).ok();
        let text = patch.to_string();
        cloud
            .set_desired(Instant::ZERO, &name, &text, None)
            .unwrap();
        cloud.reset(Instant::ZERO, &name);
    }
}

#[test]
fn objects_keep_their_bounds() {
    for (depth, size) in [(1, 1), (2, 3), (6, 2)] {
        let objects = values(&object(depth, size), 500);
        assert!(objects.iter().all(|object| levels(object) <= depth));
        assert!(objects.iter().any(|object| levels(object) == depth.min(4)));
        let large = |value: &Value| match value {
            Value::Object(members) => members.len() > size,
            Value::Array(elements) => elements.len() > size,
            _ => false,
        };
        assert!(!objects.iter().any(|object| any(object, &large)));
    }
}

fn kinds(faults: &[Fault]) -> usize {
    let mut seen: Vec<Discriminant<Fault>> = Vec::new();
    for fault in faults {
        if !seen.contains(&discriminant(fault)) {
            seen.push(discriminant(fault));
        }
    }
    seen.len()
}

#[test]
fn every_kind_of_fault_is_given_to_every_device() {
    for faults in [values(&fault(3), 3_000), values(&any_fault(3), 3_000)] {
        assert_eq!(kinds(&faults), 13);
        let devices: BTreeSet<usize> = faults
            .iter()
            .filter_map(|fault| match fault {
                Fault::Wire { device, .. } => Some(*device),
                _ => None,
            })
            .collect();
        assert_eq!(devices, BTreeSet::from([0, 1, 2]));
    }
    let forgets = |fault: &Fault| matches!(fault, Fault::PowerCut { restore, .. } if *restore != Restore::Latest);
    assert!(!values(&fault(1), 3_000).iter().any(forgets));
    assert!(values(&any_fault(1), 3_000).iter().any(forgets));
}

#[test]
fn faults_shrink_to_the_mildest() {
    let mildest = Fault::Wire {
        device: 0,
        direction: Direction::ToCloud,
        after: 0,
        what: WireFault::Split,
    };
    shrinks_to(&any_fault(3), |_| false, &[mildest]);
    let power = Fault::PowerCut {
        device: 0,
        after: 0,
        dark: 0,
        restore: Restore::Latest,
    };
    let is_power = |fault: &Fault| matches!(fault, Fault::PowerCut { .. });
    shrinks_to(&any_fault(3), |fault| !is_power(fault), &[power]);
    let twice = Fault::Replies {
        device: 1,
        what: ReplyFault::Twice,
        count: 1,
    };
    let is_twice = |fault: &Fault| {
        matches!(
            fault,
            Fault::Replies {
                device: 1..,
                what: ReplyFault::Twice,
                ..
            }
        )
    };
    shrinks_to(&any_fault(3), |fault| !is_twice(fault), &[twice]);
}

#[test]
fn scripts_of_faults_shrink_to_the_fault_that_matters() {
    let within = Duration::from_secs(60);
    let script = fault_script(2, within);
    for faults in values(&script, 500) {
        assert!(faults.len() <= 8 && faults.is_sorted_by_key(|(at, _)| *at));
        assert!(faults.iter().all(|(at, _)| *at < within));
    }
    let cut = |(at, fault): &(Duration, Fault)| {
        let late = *at >= Duration::from_secs(20);
        late && matches!(
            fault,
            Fault::Wire {
                what: WireFault::Cut,
                ..
            }
        )
    };
    let smallest = Fault::Wire {
        device: 0,
        direction: Direction::ToCloud,
        after: 0,
        what: WireFault::Cut,
    };
    let smallest = vec![(Duration::from_secs(20), smallest)];
    shrinks_to(&script, |faults| !faults.iter().any(cut), &[smallest]);
}

#[test]
fn schedules_shrink_to_the_step_that_matters() {
    let power = |script: &Script| {
        let cut = |step: &Step| matches!(step, Step::Fault(Fault::PowerCut { .. }));
        script.steps.iter().any(cut)
    };
    for seed in 0..10 {
        let outcome = runner(seed).run(&schedule(), |script| match power(&script) {
            false => Ok(()),
            true => Err(TestCaseError::fail("power is cut")),
        });
        let Err(TestError::Fail(_, smallest)) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!((smallest.devices, smallest.setup), (1, Setup::plain()));
        let expected = Step::Fault(Fault::PowerCut {
            device: 0,
            after: 0,
            dark: 0,
            restore: Restore::Latest,
        });
        assert_eq!(smallest.steps, [expected]);
    }
}

/// Every fault can be injected into a test cloud.
#[test]
fn a_test_cloud_takes_any_script() {
    for faults in values(&fault_script(1, Duration::from_secs(60)), 50) {
        let cloud = TestCloud::new();
        cloud.boot(|client, _, _| async move {
            client
                .own_shadow()
                .unwrap()
                .report(&json!({"power": true}))
                .await
                .unwrap();
            std::future::pending::<()>().await;
        });
        cloud.script(faults.clone());
        cloud.run_for(Duration::from_secs(60));
        cloud.lift();
        cloud.run_for(Duration::from_secs(1_800));
        assert_eq!(
            cloud.reported(),
            json!({"power": true}),
            "{faults:?}\n{}",
            cloud.trace()
        );
    }
}
