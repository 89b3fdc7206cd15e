//! Recordings: whatever the file, reading it ends with a result that says where.

use conformance::recording::{
    ConvergenceError, Part, ReadError, Reader, Replay, Traffic, regression_test,
};
use conformance::replay_text;
use shadow_core::recording::{Header, Mask, Recorder};
use shadow_core::{Config, Instant, Session};

/// Reads the bytes as a recording: as they are, and as the lines behind header and start of one.
///
/// # Panics
/// If an error names no place, an engine cannot go on with what was read, or a recorder writes
/// something that is not read back.
pub fn recording(data: &[u8]) {
    check(data);
    let config = Config::plain("tool");
    let sink = String::new();
    let start = Recorder::new(
        config,
        Session::new(),
        1,
        Instant::ZERO,
        Mask::default(),
        sink,
    );
    let (_, Some(text)) = start.finish() else {
        return;
    };
    // Without its end.
    let mut recording: Vec<u8> = Vec::new();
    for line in text.lines().take(2) {
        recording.extend_from_slice(line.as_bytes());
        recording.push(b'\n');
    }
    recording.extend_from_slice(data);
    check(&recording);
}

fn check(data: &[u8]) {
    let part = || Part {
        name: "fuzzed".to_owned(),
        content: Box::new(data),
    };
    let replayed = Reader::new(vec![part()]).and_then(Replay::new);
    let replayed = replayed.and_then(|mut replay| {
        // It goes on behind what differs, and all of that can be told.
        while let Some(step) = replay.next_step()? {
            if let Some(divergence) = step {
                assert!(divergence.to_string().contains(&divergence.sentence()));
            }
        }
        Ok(())
    });
    check_place(data, replayed.err());
    let test = Reader::new(vec![part()]).and_then(|reader| regression_test("fuzzed", reader));
    check_place(data, test.err());
    if let Ok(text) = core::str::from_utf8(data) {
        // Whether they agree is another matter.
        if let Err(ConvergenceError::Read(error)) = replay_text("fuzzed", text).converges() {
            check_place(data, Some(error));
        }
    }
    let traffic = Reader::new(vec![part()]).and_then(Traffic::read);
    check_place(data, traffic.err());
    if let Ok(text) = core::str::from_utf8(data)
        && let Ok(header) = Header::parse(text)
    {
        assert_eq!(Header::parse(&header.to_line()), Ok(header));
    }
}

/// An error names a line and a column that the file has, or the one behind its end.
fn check_place(data: &[u8], error: Option<ReadError>) {
    let Some(error) = error else {
        return;
    };
    let mut lines = data.split(|byte| *byte == b'\n');
    let line = usize::try_from(error.line).unwrap_or(usize::MAX);
    assert!(line >= 1, "{error}");
    let length = lines.nth(line - 1).map_or(0, <[u8]>::len);
    assert!((1..=length + 1).contains(&error.column), "{error}");
}
