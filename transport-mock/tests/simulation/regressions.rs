//! Scripts that failed once, by what was wrong.

use std::path::PathBuf;

use transport_mock::simulation::play_and_replay;
use transport_mock::simulation::script::Script;

use crate::strategy::attempt;

#[test]
fn what_was_mended_stays_so() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/simulation/regressions");
    let mut played = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let script: Script = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        played += 1;
        if let Err(why) = attempt(&script, true) {
            wrong.push(format!("{}\n{why}", path.display()));
        } else if let Err(failure) = play_and_replay(&script, false) {
            wrong.push(format!("{}\n{failure}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(played > 0);
}
