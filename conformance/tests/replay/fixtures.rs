use conformance::log::Log;
use conformance::replay::{Report, replay};

pub fn text(name: &str) -> String {
    let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

pub fn replay_files(names: &[&str]) -> Report {
    let logs = names
        .iter()
        .map(|name| Log::parse(name, text(name).as_bytes()).unwrap());
    replay(logs.collect()).unwrap()
}

const LOG_1: &str = "documented/1-get-cached-status.log";
const LOG_2A: &str = "documented/2a-modify-update.log";
const LOG_2B: &str = "documented/2b-modify-get.log";
const LOG_3: &str = "documented/3-regular-update.log";
const FIRST_CONTACT: &str = "recorded/python-sdk-first-contact.log";
const DELTA: &str = "recorded/python-sdk-delta.log";

#[test]
fn show() {
    for names in [
        &[LOG_1][..],
        &[LOG_2A, LOG_2B],
        &[LOG_1, LOG_2A, LOG_2B],
        &[LOG_3],
        &[FIRST_CONTACT],
        &[DELTA],
        &[LOG_2A],
        &[LOG_2B],
    ] {
        let report = replay_files(names);
        println!("{report}\n");
    }
}
