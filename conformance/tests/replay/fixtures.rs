use conformance::log::Log;
use conformance::replay::{Report, replay};

pub(crate) fn text(name: &str) -> String {
    let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

pub(crate) fn replay_files(names: &[&str]) -> Report {
    let logs = names
        .iter()
        .map(|name| Log::parse(name, text(name).as_bytes()).unwrap());
    replay(logs.collect()).unwrap()
}

pub(crate) const LOG_1: &str = "documented/1-get-cached-status.log";
pub(crate) const LOG_2A: &str = "documented/2a-modify-update.log";
pub(crate) const LOG_2B: &str = "documented/2b-modify-get.log";
pub(crate) const LOG_3: &str = "documented/3-regular-update.log";
pub(crate) const FIRST_CONTACT: &str = "recorded/python-sdk-first-contact.log";
pub(crate) const DELTA: &str = "recorded/python-sdk-delta.log";

pub(crate) fn replay_text(text: &str) -> Report {
    replay(vec![Log::parse("example.log", text.as_bytes()).unwrap()]).unwrap()
}

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
