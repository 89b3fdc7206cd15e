//! The trace for snapshots.

use std::time::Duration;

use conformance::export::trace;
use serde_json::json;
use shadow_core::Instant;
use shadow_core::recording::Mask;
use transport_mock::cloud::EXAMPLE_DEVICE_SECRET;

use crate::session::{Played, eventful, reader};

#[test]
fn trace_of_an_eventful_session() {
    let trace = trace(reader(&eventful(Mask::default()))).unwrap();
    assert!(!trace.contains(EXAMPLE_DEVICE_SECRET));
    insta::assert_snapshot!("eventful", trace);
}

/// The same done under another seed, and on a clock that began elsewhere, is the same text.
#[test]
fn chance_leaves_no_trace() {
    let recorded = |seed: u64, begin: u64| {
        let mut played = Played::begin(Mask::default(), seed, Instant::from_secs(begin));
        played.run(Duration::from_secs(1));
        let shadow = played.shadow();
        let state = json!({"b": 1, "a": {"d": [1, {"z": 1, "y": 2}], "c": 1e3}});
        played.engine.report(played.now, shadow, &state).unwrap();
        played.run(Duration::from_secs(1));
        played.recording()
    };
    let (first, second) = (recorded(7, 1_000), recorded(8, 77));
    assert_ne!(first, second);
    let [first, second] = [first, second].map(|text| trace(reader(&text)).unwrap());
    assert_eq!(first, second);
    let sorted = r#"{"clientToken":"t2","state":{"reported":{"a":{"c":1000.0,"d":[1,{"y":2,"z":1}]},"b":1}},"type":"update","version":8}"#;
    assert!(first.contains(sorted), "{first}");
}
