//! What a replay notices, and how it goes on.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Mismatch, Replay};
use crate::config::Config;
use crate::mqtt::link::Publication;
use crate::recording::{Header, Mask, Recorder};
use crate::session::Session;
use crate::time::Instant;

/// A login, and one message.
fn recording() -> String {
    let (config, now) = (Config::plain("sensor-1"), Instant::ZERO);
    let mask = Mask::default();
    let mut engine = Recorder::new(config, Session::new(), 7, now, mask, String::new());
    let drain = |engine: &mut Recorder<String>, now| {
        while engine.poll_transmit(now, &mut Vec::new()).is_some() {}
        while engine.poll_event().is_some() {}
    };
    engine.handle_tick(now);
    drain(&mut engine, now);
    engine.handle_connected(now);
    drain(&mut engine, now);
    engine.handle_bytes(now, &[0x20, 2, 0, 0]);
    drain(&mut engine, now);
    let now = Instant::from_secs(1);
    let message = Publication::new("a", b"{}");
    engine.publish(now, &message).unwrap();
    drain(&mut engine, now);
    engine.finish().1.unwrap()
}

/// All mismatches, each with the number of the line at which it was found.
fn mismatches(recording: &str) -> Vec<(usize, Mismatch)> {
    let mut lines = recording.lines();
    let header = Header::parse(lines.next().unwrap()).unwrap();
    let mut replay = Replay::new(&header, lines.next().unwrap()).unwrap();
    let mut found = Vec::new();
    for (number, line) in (3..).zip(lines) {
        let mismatch = replay.line(line).unwrap();
        found.extend(mismatch.map(|mismatch| (number, mismatch)));
    }
    found
}

fn line(recording: &str, part: &str) -> String {
    let found = recording.lines().find(|line| line.contains(part));
    found.unwrap().to_string()
}

#[test]
fn what_was_recorded_is_what_it_does() {
    let text = recording();
    assert_eq!(mismatches(&text), []);
    let spaced = text.replace(r#","out":"#, r#" , "out" : "#);
    let spaced = spaced.replace(r#","in":"#, r#",  "in": "#);
    assert_ne!(spaced, text);
    assert_eq!(mismatches(&spaced), []);
}

#[test]
fn every_changed_line_is_found_where_it_is() {
    let text = recording();
    let changes = [
        (r#""packet":"CONNECT""#, "sensor-1", "sensor-2"),
        (r#""event":"Connected""#, "false", "true"),
        (r#""in":"publish""#, r#""qos":0"#, r#""qos":1"#),
        (r#""packet":"PUBLISH""#, r#""topic":"a""#, r#""topic":"b""#),
        (r#""out":"accepted""#, r#""request":0"#, r#""request":1"#),
    ];
    for (part, from, to) in changes {
        let original = line(&text, part);
        let changed = original.replace(from, to);
        assert_ne!(changed, original);
        let found = mismatches(&text.replace(&original, &changed));
        let number = text.lines().position(|line| line == original).unwrap() + 1;
        let (at, first) = &found[0];
        if part.contains("publish") {
            // It is as well an input: what comes of it is another packet.
            let packet = line(&text, r#""packet":"PUBLISH""#);
            assert_eq!(first.expected.as_deref(), Some(&*packet));
            continue;
        }
        assert_eq!((*at, first.is_earlier), (number, false), "{part}");
        assert_eq!(first.expected.as_deref(), Some(&*changed));
        assert_eq!(first.found.as_deref(), Some(&*original));
        // The engine has gone on as it was.
        assert_eq!(found.len(), 1, "{found:?}");
    }
}

#[test]
fn a_line_too_few_or_too_many_is_found() {
    let text = recording();
    let event = line(&text, r#""event":"Ended""#) + "\n";
    // Nothing shows it before the end, which states that all had been polled.
    let without = mismatches(&text.replace(&event, ""));
    let [(_, mismatch)] = &without[..] else {
        panic!("{without:?}")
    };
    assert_eq!(mismatch.found.as_deref(), event.lines().next());
    assert!(
        mismatch
            .expected
            .as_deref()
            .unwrap()
            .contains(r#""in":"end""#)
    );

    let twice = text.replace(&event, &event.repeat(2));
    let found = mismatches(&twice);
    let [(_, mismatch)] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(mismatch.expected.as_deref(), event.lines().next());
    assert_eq!(mismatch.found, None);

    let end = r#"{"at":1000000,"in":"tick"}"#;
    let found = mismatches(&(text + end));
    assert_eq!(found[0].1.expected.as_deref(), Some(end));
    assert_eq!(found[0].1.found, None);
}

/// It is stated by the engine only with the next input, and is the recording's line before that.
#[test]
fn a_deadline_is_compared_behind_its_line() {
    let text = recording();
    let original = line(&text, r#""timer":"Connect""#);
    let changed = original.replace(r#""timer":"Connect""#, r#""timer":"Pace""#);
    let number = text.lines().position(|line| line == original).unwrap() + 1;
    let found = mismatches(&text.replace(&original, &changed));
    let [(at, mismatch)] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!((*at, mismatch.is_earlier), (number + 1, true));
    assert_eq!(mismatch.expected, Some(changed));
    assert_eq!(mismatch.found, Some(original));
}

#[test]
fn what_cannot_be_read_changes_nothing() {
    let text = recording();
    let mut lines = text.lines();
    let header = Header::parse(lines.next().unwrap()).unwrap();
    let start = lines.next().unwrap();
    let no_start = Replay::new(&header, lines.clone().next().unwrap()).unwrap_err();
    assert_eq!(
        no_start.to_string(),
        "column 1: the second line of a recording is its start"
    );
    let mut replay = Replay::new(&header, start).unwrap();
    for line in lines {
        for (bad, what) in [
            (r#"{"at":0,"out":"dream"}"#, "there is no such output"),
            (r#"{"at":0,"in":"tack"}"#, "there is no input `tack`"),
            ("{", "EOF while parsing an object"),
        ] {
            if !replay.summary().ended {
                assert_eq!(replay.line(bad).unwrap_err().what(), what);
            }
        }
        assert_eq!(replay.line(line).unwrap(), None);
    }
    let summary = replay.summary();
    assert_eq!((summary.connections, summary.exchanges), (1, 0));
    assert_eq!(summary.until, Instant::from_secs(1));
    let inputs = text.lines().filter(|line| line.contains(r#""in":""#));
    assert_eq!(summary.inputs, inputs.count() as u64);
    let outputs = text.lines().filter(|line| line.contains(r#""out":""#));
    assert_eq!(summary.outputs, outputs.count() as u64);
}
