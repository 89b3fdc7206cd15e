//! Recorded sessions told step by step.
#![expect(
    clippy::unwrap_used,
    reason = "a test that meets the unexpected should stop there"
)]

mod session;

#[test]
fn print() {
    let recording = session::eventful(Default::default());
    std::fs::write("/tmp/eventful.jsonl", &recording).unwrap();
    std::fs::write("/tmp/long.jsonl", session::long(10_000)).unwrap();
    for step in session::story(&recording) {
        println!(
            "{} {:>12} {:?} {} | {} | {} | {:?} {:?} {:?} {:?}",
            step.number,
            step.at.as_micros(),
            step.route,
            step.name,
            step.words,
            step.detail,
            step.fault,
            step.answers,
            step.link,
            step.version
        );
    }
    let mut page = Vec::new();
    let mut story = conformance::show::Story::new(session::reader(&recording));
    conformance::show::write_page(
        &mut story,
        conformance::show::Page {
            title: "eventful.jsonl",
            ..Default::default()
        },
        &mut page,
    )
    .unwrap();
    std::fs::write("/tmp/eventful.html", &page).unwrap();
    let recording = std::fs::read_to_string("/tmp/long.jsonl").unwrap();
    let mut page = Vec::new();
    let mut story = conformance::show::Story::new(session::reader(&recording));
    let n = conformance::show::write_page(
        &mut story,
        conformance::show::Page {
            title: "long.jsonl",
            ..Default::default()
        },
        &mut page,
    )
    .unwrap();
    println!("{n} steps, {} bytes of {}", page.len(), recording.len());
    std::fs::write("/tmp/long.html", &page).unwrap();
}
