//! Recordings that nobody wrote.

use std::sync::LazyLock;

use conformance::export::trace;
use conformance::recording::{Part, Reader};
use conformance::show::{Page, Story, write_page};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value};
use shadow_core::recording::Mask;

use crate::session::eventful;

static RECORDING: LazyLock<String> = LazyLock::new(|| eventful(Mask::default()));

/// All that is made of a recording is made of this file, or refused.
fn tell(content: &[u8]) {
    let reader = || {
        let part = Part {
            name: "r".to_owned(),
            content: Box::new(content),
        };
        Reader::new(vec![part])
    };
    let Ok(first) = reader() else { return };
    let mut number = 0;
    for step in Story::new(first).flatten() {
        number += 1;
        assert_eq!(step.number, number);
        assert!(step.answers.iter().all(|answer| answer.step < number));
    }
    let page = &mut Vec::new();
    let mut story = Story::new(reader().unwrap());
    drop(write_page(&mut story, Page::default(), page));
    drop(trace(reader().unwrap()));
}

const VALUES: [&str; 12] = [
    "null",
    "-1",
    "1e999",
    "18446744073709551616",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"\\ud800\"",
    "[[[[1]]]]",
    r#"{"a":{"a":{}}}"#,
    "\"\\u0000\"",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Some bytes are others.
    #[test]
    fn changed_bytes(changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..12)) {
        let mut content = RECORDING.clone().into_bytes();
        for (place, byte) in changes {
            let place = place.index(content.len());
            content[place] = byte;
        }
        tell(&content);
    }

    /// Lines are missing, come twice or in another order, and the last one is torn.
    #[test]
    fn changed_lines(order in prop::collection::vec(any::<Index>(), 0..200), torn in 0_usize..40) {
        let lines: Vec<&str> = RECORDING.lines().collect();
        let mut content = format!("{}\n", lines[0]);
        for place in order {
            // The same time everywhere, so that the order does not matter.
            let line = lines[1 + place.index(lines.len() - 1)];
            let (_, rest) = line.split_once(',').unwrap();
            content.push_str(&format!("{{\"at\":1,{rest}\n"));
        }
        content.truncate(content.len().saturating_sub(torn));
        tell(content.as_bytes());
    }

    /// The value of a field is of another sort.
    #[test]
    fn changed_values(line in any::<Index>(), field in any::<Index>(), value in any::<Index>()) {
        let value = VALUES[value.index(VALUES.len())];
        let mut lines: Vec<String> = RECORDING.lines().map(str::to_owned).collect();
        let at = 1 + line.index(lines.len() - 1);
        let fields: Map<String, Value> = serde_json::from_str(&lines[at]).unwrap();
        let changed = fields.keys().nth(field.index(fields.len())).unwrap();
        let members: Vec<String> = fields
            .iter()
            .map(|(key, old)| match key == changed {
                true => format!("{key:?}:{value}"),
                false => format!("{key:?}:{old}"),
            })
            .collect();
        lines[at] = format!("{{{}}}", members.join(","));
        tell((lines.join("\n") + "\n").as_bytes());
    }
}
