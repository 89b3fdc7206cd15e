//! Replays of recordings of the engine, as they are and changed.

use shadow_core::config::{Login, Will};
use shadow_core::mqtt::{ProtocolVersion, QoS};
use shadow_core::recording::{Mask, Recorder};
use shadow_core::{Config, Instant, Publication, Session, Timer, TransportFailure, WallTime};

use super::*;

/// A client that logs in, publishes and pings.
fn recording() -> String {
    let mut engine = Recorder::new(
        Config::plain("sensor-1"),
        Session::new(),
        7,
        Instant::ZERO,
        Mask::default(),
        String::new(),
    );
    let drain = |engine: &mut Recorder<String>, now| {
        while engine.poll_transmit(now, &mut Vec::new()).is_some() {}
        while engine.poll_event().is_some() {}
    };
    engine.handle_tick(Instant::ZERO);
    drain(&mut engine, Instant::ZERO);
    engine.handle_connected(Instant::from_secs(1));
    drain(&mut engine, Instant::from_secs(1));
    engine.handle_bytes(Instant::from_secs(2), &[0x20, 2, 0, 0]);
    drain(&mut engine, Instant::from_secs(2));
    let publication = Publication::new("a/b", b"{\"n\":1}").qos(QoS::AtLeastOnce);
    engine.publish(Instant::from_secs(3), &publication).unwrap();
    drain(&mut engine, Instant::from_secs(3));
    engine.handle_bytes(Instant::from_secs(4), &[0x40, 2, 0, 1]);
    drain(&mut engine, Instant::from_secs(4));
    let due = engine.poll_deadline().unwrap().at;
    engine.handle_tick(due);
    drain(&mut engine, due);
    engine.finish().1.unwrap()
}

fn replay(text: &str) -> Result<(Option<Divergence>, Summary), ReadError> {
    let reader = Reader::new(vec![Part::of_text("example", text)])?;
    let mut replay = Replay::new(reader)?;
    let divergence = replay.run()?;
    Ok((divergence, replay.summary()))
}

#[test]
fn what_was_recorded_replays() {
    let text = recording();
    let (divergence, summary) = replay(&text).unwrap();
    assert_eq!(divergence, None);
    assert!(summary.ended);
    let outputs = text.lines().filter(|line| line.contains(r#","out":""#));
    assert_eq!(summary.outputs, outputs.count() as u64);
    // Spaces do not matter.
    let spaced = text.replace(r#","out":"#, r#" , "out" : "#);
    assert_eq!(replay(&spaced).unwrap().0, None);
}

/// Each output, left out or changed, is found at its line.
#[test]
fn every_changed_output_is_found_where_it_is() {
    let text = recording();
    let lines: Vec<&str> = text.lines().collect();
    let mut found = 0;
    for (index, line) in lines.iter().enumerate() {
        if !line.contains(r#","out":""#) {
            continue;
        }
        found += 1;
        let mut left_out = lines.clone();
        left_out.remove(index);
        let (divergence, _) = replay(&joined(&left_out)).unwrap();
        let divergence = divergence.unwrap_or_else(|| panic!("{line} was not missed"));
        assert_eq!(divergence.found.as_deref(), Some(*line), "{divergence}");
        assert_eq!(divergence.at.as_micros(), time(line), "{divergence}");
        let step = lines[..index]
            .iter()
            .filter(|line| line.contains(r#","in":""#));
        assert_eq!(divergence.step, step.count() as u64, "{divergence}");

        // Any other character than it is.
        let changed = line
            .replacen(['e', 'u', 'o'], "x", 99)
            .replacen("\"xxt\"", "\"out\"", 1);
        let changed = changed.replacen("xvxnt", "event", 1);
        let mut other = lines.clone();
        other[index] = &changed;
        if let Ok((divergence, _)) = replay(&joined(&other)) {
            let divergence = divergence.unwrap_or_else(|| panic!("{changed} was not noticed"));
            assert_eq!(divergence.expected.as_deref(), Some(&*changed));
            assert_eq!(divergence.place.line, index as u64 + 1, "{divergence}");
        }
    }
    assert!(found > 10, "{text}");
}

fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn time(line: &str) -> u64 {
    let rest = line.trim_start_matches(r#"{"at":"#);
    rest.split(',').next().unwrap().parse().unwrap()
}

#[test]
fn a_torn_last_line_does_not_count() {
    let text = recording();
    for length in text.find('\n').unwrap() + 1..text.len() {
        let reader = Reader::new(vec![Part::of_text("example", &text[..length])]).unwrap();
        match Replay::new(reader) {
            Ok(mut replay) => assert_eq!(replay.run().unwrap(), None, "{length}"),
            Err(error) => assert_eq!(error.what, "the recording ends before its start"),
        }
    }
}

#[test]
fn parts_are_one_recording() {
    let text = recording();
    let lines: Vec<&str> = text.lines().collect();
    let (first, second) = lines.split_at(9);
    let header = lines[0].replace(r#""part":1"#, r#""part":2"#);
    let second = format!("{header}\n{}", joined(second));
    let parts = |texts: &[&str]| {
        let named = texts.iter().enumerate();
        let parts = named.map(|(index, text)| Part::of_text(&format!("part {}", index + 1), text));
        Reader::new(parts.collect()).map(Replay::new)??.run()
    };
    let first = joined(first);
    assert_eq!(parts(&[&first, &second]), Ok(None));
    let error = |texts: &[&str]| parts(texts).unwrap_err().to_string();
    assert_eq!(
        error(&[&second]),
        "part 1:1:1: this is part 2: a replay begins with part 1"
    );
    assert_eq!(
        error(&[&first, &first]),
        "part 2:1:1: this is not part 2 of the same recording"
    );
    assert_eq!(
        error(&[&first[..first.len() - 1], &second]),
        "part 1:9:1: the last line is torn, but another file follows"
    );
}

/// The disk was full when the second part was begun: each prefix of its header.
#[test]
fn a_last_part_without_a_whole_header_does_not_count() {
    let first = recording();
    let header = first.lines().next().unwrap();
    let header = header.replace(r#""part":1"#, r#""part":2"#);
    let read = |texts: &[&str]| {
        let parts = texts.iter().map(|text| Part::of_text("part", text));
        let mut reader = Reader::new(parts.collect())?;
        let mut lines = 0;
        while reader.next_line()?.is_some() {
            lines += 1;
        }
        assert!(reader.next_line()?.is_none());
        Ok::<_, ReadError>((lines, reader.torn()))
    };
    let (lines, _) = read(&[&first]).unwrap();
    for length in 0..=header.len() {
        let torn = Some(length as u64);
        assert_eq!(read(&[&first, &header[..length]]), Ok((lines, torn)));
    }
    // Neither the first part nor one in the middle may be such a one, nor what begins otherwise.
    let whole = format!("{header}\n");
    assert_eq!(read(&[&first, &whole]), Ok((lines, None)));
    for texts in [
        &[""][..],
        &[&header[..9]],
        &[&first, "", &whole],
        &[&first, &header[..9], &whole],
        &[&first, "{\"mine\""],
    ] {
        let error = read(texts).unwrap_err();
        assert_eq!(error.what, "this is not the first line of a recording");
    }
}

#[test]
fn what_is_no_recording_says_so() {
    let error = |text: &str| replay(text).unwrap_err().to_string();
    assert_eq!(
        error("hello\n"),
        "example:1:1: this is not the first line of a recording"
    );
    assert_eq!(
        error(""),
        "example:1:1: this is not the first line of a recording"
    );
    let text = recording();
    let broken = text.replacen(r#""in":"connected"}"#, r#""in":"connected"#, 1);
    assert!(
        error(&broken).contains("EOF while parsing a string"),
        "{}",
        error(&broken)
    );
    let middle: Vec<&str> = text.lines().take(1).chain(text.lines().skip(2)).collect();
    assert_eq!(
        error(&joined(&middle)),
        "example:2:1: the second line of a recording is its start"
    );
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(b"{\"at\":\xff}\n");
    let part = Part {
        name: "example".to_owned(),
        content: Box::new(&bytes[..]),
    };
    let mut replay = Replay::new(Reader::new(vec![part]).unwrap()).unwrap();
    assert_eq!(replay.run().unwrap_err().what, "this is not UTF-8");
}

/// What is encoded again from its words are the bytes that the engine gave: every kind of packet
/// that a device sends, in both versions, on two links.
#[test]
fn traffic_is_the_bytes_that_were_sent() {
    for version in [ProtocolVersion::V31, ProtocolVersion::V311] {
        let mut config = Config::plain("sensor \"1\"");
        config.protocol_version = version;
        config.clean_session = false;
        config.will = Will::new("gone/\u{e9}", &[0, b'"', 0xff], QoS::AtLeastOnce, true);
        if let Login::Plain { user_name, .. } = &mut config.login {
            *user_name = Some("ann".to_owned());
        }
        let none = String::new();
        let (session, start) = (Session::new(), Instant::from_secs(5));
        let mut engine = Recorder::new(config, session, 7, start, Mask::default(), none);
        let mut sent: Vec<Vec<u8>> = Vec::new();
        let mut drain = |engine: &mut Recorder<String>, now| {
            let mut buffer = Vec::new();
            while engine.poll_transmit(now, &mut buffer).is_some() {
                if !buffer.is_empty() {
                    sent.push(std::mem::take(&mut buffer));
                }
            }
            while engine.poll_event().is_some() {}
        };
        let mut now = start;
        engine.handle_wall_time(now, WallTime::from_unix_millis(1_700_000_000_000));
        for link in 0..2 {
            engine.handle_tick(now);
            drain(&mut engine, now);
            engine.handle_connected(now);
            drain(&mut engine, now);
            engine.handle_bytes(now, &[0x20, 2, 0, 0]);
            drain(&mut engine, now);
            if link == 0 {
                let payloads: [&[u8]; 5] = [b"{}", b"{\n}", b"", b"\"\xc3\xa9", &[0xff, b'"', 0]];
                for payload in payloads {
                    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                        let publication = Publication::new("a/\u{e9}\"", payload).qos(qos);
                        engine.publish(now, &publication).unwrap();
                    }
                }
                engine.subscribe(now, "a/\"/+/#", QoS::AtLeastOnce).unwrap();
                engine.unsubscribe(now, "b/#").unwrap();
                drain(&mut engine, now);
                // PUBREC for one, PUBLISH of QoS 1 and 2 and PUBREL of its own.
                engine.handle_bytes(now, &[0x50, 2, 0, 3]);
                engine.handle_bytes(now, &[0x32, 6, 0, 1, b'a', 0, 1, b'x']);
                engine.handle_bytes(now, &[0x34, 6, 0, 1, b'a', 0, 2, b'x']);
                engine.handle_bytes(now, &[0x62, 2, 0, 2]);
                drain(&mut engine, now);
                engine.handle_disconnected(now, TransportFailure::Broken("reset".to_owned()));
                drain(&mut engine, now);
                now = engine.poll_deadline().unwrap().at;
            }
        }
        engine.handle_bytes(now, &[0x90, 3, 0, 18, 1, 0xb0, 2, 0, 19]);
        drain(&mut engine, now);
        // Until all requests have timed out and the link has been silent for long.
        for _ in 0..20 {
            now = engine.poll_deadline().unwrap().at;
            if engine.poll_deadline().unwrap().timer == Timer::PingResponse {
                break;
            }
            engine.handle_tick(now);
            drain(&mut engine, now);
        }
        engine.close(now);
        drain(&mut engine, now);
        let text = engine.finish().1.unwrap();
        let reader = Reader::new(vec![Part::of_text("example", &text)]).unwrap();
        let traffic = Traffic::read(reader).unwrap();
        assert_eq!(traffic.epoch, Some(1_700_000_000_000_000 - 5_000_000));
        let [first, second] = &traffic.connections[..] else {
            panic!("{traffic:?}");
        };
        let broke = TransportFailure::Broken("reset".to_owned());
        assert_eq!(first.ended, Some((start, End::Lost(broke))));
        assert_eq!(second.ended, Some((now, End::Closed)));
        let found: Vec<&[u8]> = [first, second]
            .into_iter()
            .flat_map(|connection| &connection.segments)
            .filter(|(_, direction, _)| *direction == Direction::Sent)
            .map(|(_, _, bytes)| &**bytes)
            .collect();
        assert_eq!(found, sent);
        let mut kinds: Vec<u8> = sent.iter().map(|bytes| bytes[0] >> 4).collect();
        kinds.sort_unstable();
        kinds.dedup();
        // CONNECT, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, UNSUBSCRIBE, PINGREQ,
        // DISCONNECT.
        assert_eq!(kinds, [1, 3, 4, 5, 6, 7, 8, 10, 12, 14]);
    }
}

/// What is there before a later part begins, and what is not.
#[test]
fn a_later_part_may_begin_within_a_connection() {
    let read = |part: u32, lines: &[&str]| {
        let mut text =
            format!(r#"{{"shadow-recording":1,"engine":"0.1.0","part":{part},"mask":[]}}"#);
        for line in lines {
            text.push('\n');
            text.push_str(line);
        }
        text.push('\n');
        let reader = Reader::new(vec![Part::of_text("example", &text)]).unwrap();
        Traffic::read(reader).unwrap().connections
    };
    let pong = r#"{"at":3000000,"in":"bytes","bytes":"\u00d0\u0000"}"#;
    let close = r#"{"at":4000000,"out":"close"}"#;
    let connect = r#"{"at":5000000,"out":"connect"}"#;
    let [first, second] = &read(4, &[pong, close, connect])[..] else {
        panic!("two connections");
    };
    assert!(first.is_there_before() && !second.is_there_before());
    assert_eq!((first.asked, first.opened), (None, None));
    assert_eq!(first.first_at(), Some(Instant::from_micros(3_000_000)));
    assert_eq!(first.segments.len(), 1);
    assert_eq!(
        first.ended,
        Some((Instant::from_micros(4_000_000), End::Closed))
    );
    assert_eq!(second.asked, Some(Instant::from_micros(5_000_000)));
    // An attempt that was under way, and comes about or not.
    let connected = r#"{"at":2000000,"in":"connected"}"#;
    let [only] = &read(4, &[connected, pong])[..] else {
        panic!("one connection");
    };
    assert!(!only.is_there_before());
    assert_eq!(only.opened, Some(Instant::from_micros(2_000_000)));
    let refused = r#"{"at":1,"in":"disconnected","failure":"ConnectFailed","why":"no"}"#;
    assert!(!read(4, &[refused])[0].is_there_before());
    // The first part has the beginning of all.
    assert_eq!(read(1, &[pong]), []);
}
