//! What the story of a played session says, against what was done to it.

use std::collections::{BTreeMap, BTreeSet};

use conformance::show::{Change, Kind, Step};
use serde_json::Value;
use shadow_core::recording::Mask;
use transport_mock::simulation::record;
use transport_mock::simulation::script::Script;

use crate::session::{eventful, story};

/// What [`eventful`] does, in its order.
#[test]
fn every_fault_is_told() {
    let steps = story(&eventful(Mask::default()));
    let mut faults: Vec<(u64, &str)> = Vec::new();
    for step in &steps {
        if let Some(fault) = &step.fault {
            faults.push((step.at.as_secs(), fault));
        }
    }
    let unreachable = "cannot connect: network unreachable";
    let refused = "login refused: bad user name or password";
    let explained = format!("{refused}; usually a wrong device secret, or a wrong clock");
    let conflict = "rejected with 5005: the version is another";
    let expected = [
        (0, unreachable),
        (0, unreachable),
        (0, refused),
        (0, &explained),
        (65, "broken: connection reset by peer"),
        (65, "refused: contains a wildcard"),
        (65, "the connection broke: connection reset by peer"),
        (95, "no answer in time"),
        (106, "no answer in time"),
        (108, "a reply without a request: Late"),
        (111, conflict),
        (111, conflict),
        (241, "no answer to PINGREQ in time"),
        (261, "no answer to CONNECT in time"),
        (283, "no answer to CONNECT in time"),
    ];
    assert_eq!(faults, expected);
}

#[test]
fn what_was_not_answered_is_open() {
    let steps = story(&eventful(Mask::default()));
    let is_open = |step: &&Step| {
        let answers = steps.iter().flat_map(|other| &other.answers);
        let count = answers.filter(|answer| answer.step == step.number);
        count.count() < usize::from(step.expects)
    };
    let open: Vec<(&str, u64)> = steps
        .iter()
        .filter(is_open)
        .map(|step| (step.name.as_str(), step.at.as_secs()))
        .collect();
    // The message whose link broke, the get whose reply was lost, and what went into the silence.
    let expected = [
        ("PUBLISH", 65),
        ("PUBLISH", 85),
        ("PINGREQ", 231),
        ("CONNECT", 242),
        ("CONNECT", 263),
    ];
    assert_eq!(open, expected);
}

/// One way takes 11.7 ms.
#[test]
fn latencies_are_those_of_the_network() {
    let steps = story(&eventful(Mask::default()));
    let mut count = 0;
    for step in &steps {
        let is_packet = matches!(step.kind, Kind::Message | Kind::Control);
        for answer in step.answers.iter().filter(|_| is_packet) {
            // But for the reply that was held back for 12 s.
            let micros = answer.after.as_micros();
            assert!(matches!(micros, 23_400 | 12_023_400), "{step:?}");
            count += 1;
        }
    }
    assert!(count >= 16, "{count}");
    let connected = steps.iter().filter(|step| step.name == "connected");
    let after: Vec<u128> = connected
        .map(|step| step.answers[0].after.as_micros())
        .collect();
    assert_eq!(after, [11_700; 6]);
}

#[test]
fn versions_and_documents_are_followed() {
    let steps = story(&eventful(Mask::default()));
    let versions: Vec<u64> = steps.iter().filter_map(|step| step.version).collect();
    assert_eq!(versions, [8, 9, 10, 11, 11, 11, 11, 11, 12]);
    let last = steps.iter().rfind(|step| step.version.is_some()).unwrap();
    let paths: Vec<String> = last
        .changes
        .iter()
        .map(|change| format!("{}{}", change.sign(), change.path()))
        .collect();
    assert_eq!(paths, ["~reported.updateCount", "-reported.updateCount11"]);
}

/// Names and values are masked at the source; what happened is told all the same.
#[test]
fn masked_recordings_are_told_alike() {
    let mask = Mask::keyed([7; 16]).names().values();
    let masked = story(&eventful(mask));
    let plain = story(&eventful(Mask::default()));
    assert_eq!(masked.len(), plain.len());
    for (masked, plain) in masked.iter().zip(&plain) {
        let text = serde_json::to_string(masked).unwrap();
        for hidden in ["test01", "EXAMPLE001", r#"eco\""#] {
            assert!(!text.contains(hidden), "{text}");
        }
        assert_eq!(masked.name, plain.name);
        assert_eq!(masked.answers, plain.answers, "{masked:?}");
        assert_eq!(masked.version, plain.version, "{masked:?}");
    }
}

/// Whether it is desired no more, or just as it is reported: no delta says that, also where it tells
/// what else was changed with it.
fn is_untold(change: &Change, reply: &Step) -> bool {
    let reply: Value = serde_json::from_str(reply.content.as_ref().unwrap().as_str()).unwrap();
    let state = reply.pointer("/payload/state").unwrap();
    let (part, keys) = change.path.split_first().unwrap();
    let at = |part: &str| {
        keys.iter()
            .try_fold(state.get(part)?, |value, key| value.get(key))
    };
    let desired = at("desired");
    part == "desired" && (desired.is_none() || desired == at("reported"))
}

/// Whatever a simulated device meets, its story hangs together.
#[test]
fn random_sessions_are_told() {
    let (mut ends, mut confirmed) = (0, 0);
    for seed in 0..60 {
        let script = Script::random(seed, 80);
        for recording in record(&script) {
            let mut known: BTreeMap<String, u64> = BTreeMap::new();
            let mut open: BTreeSet<String> = BTreeSet::new();
            for step in story(&recording.text) {
                let place = format!("seed {seed}: {step:?}");
                if step.name == "Ended" {
                    assert_eq!(step.answers.len(), 1, "{place}");
                    ends += 1;
                }
                if step.name == "CONNACK" {
                    assert_eq!(step.answers.len(), 1, "{place}");
                }
                if step.name == "PUBLISH" && step.words.starts_with("update: ") {
                    open.extend(step.token.clone());
                } else if let Some(token) = &step.token {
                    open.remove(token);
                }
                let Some((shadow, version)) = step.shadow.clone().zip(step.version) else {
                    continue;
                };
                // A get at a version that is known shows nothing that is not, unless the version was
                // told by a delta that an update brought about whose reply did not come.
                let is_get = step.words.starts_with("get ok");
                let whole = known.get(&shadow).copied();
                if is_get && whole == Some(version) && open.is_empty() {
                    let new = step
                        .changes
                        .iter()
                        .filter(|change| !is_untold(change, &step));
                    assert_eq!(new.count(), 0, "{place}");
                    confirmed += 1;
                }
                let has_gap = step.fault.is_some_and(|fault| fault.ends_with("not seen"));
                if is_get {
                    open.clear();
                }
                if is_get || (whole.is_some() && !has_gap) {
                    known.insert(shadow, version);
                } else {
                    known.remove(&shadow);
                }
            }
        }
    }
    assert!(ends > 500 && confirmed > 100, "{ends} {confirmed}");
}
