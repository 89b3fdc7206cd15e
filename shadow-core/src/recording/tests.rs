//! What is written is what the format says, and what is read back does the same.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::{Header, Input, Mask, Mismatch, Recorder, Replay, configuration};
use crate::config::{Config, Expiry, Login, Will};
use crate::event::{Delta, DeltaOrigin};
use crate::json::{Json, JsonStyle};
use crate::mqtt::QoS;
use crate::mqtt::link::{Publication, Transmit, TransportFailure};
use crate::session::Session;
use crate::tencent::{DeviceInfo, Secret, ShadowName, Update};
use crate::time::{Instant, WallTime};

pub(super) const CONNACK: &[u8] = &[0x20, 2, 0, 0];

/// The base64 of `TOPSECRET-KEY`, which must be in no recording, nor must that.
pub(super) const SECRET: &str = "VE9QU0VDUkVULUtFWQ==";

fn lamp() -> Config {
    Config::new(&DeviceInfo::with_key("PRODUCT001", "lamp", SECRET).unwrap())
}

fn recorder(config: Config) -> Recorder<String> {
    Recorder::new(
        config,
        Session::new(),
        42,
        Instant::ZERO,
        Mask::default(),
        String::new(),
    )
}

/// Polls all there is.
fn drain(engine: &mut Recorder<String>, now: Instant) -> Vec<Transmit> {
    let mut done = Vec::new();
    loop {
        while let Some(transmit) = engine.poll_transmit(now, &mut Vec::new()) {
            done.push(transmit);
        }
        while engine.poll_event().is_some() {}
        if !engine.has_output() {
            return done;
        }
    }
}

fn log_in(engine: &mut Recorder<String>, now: Instant) {
    engine.handle_wall_time(now, WallTime::from_unix_millis(1_700_000_000_000));
    engine.handle_tick(now);
    drain(engine, now);
    engine.handle_connected(now);
    drain(engine, now);
    engine.handle_bytes(now, CONNACK);
    drain(engine, now);
}

/// Replays a whole recording: the first line that comes out otherwise, and how.
pub(super) fn replay(recording: &str) -> Option<(usize, Mismatch)> {
    let mut lines = recording.lines();
    let header = Header::parse(lines.next().unwrap()).unwrap();
    let mut replay = Replay::new(&header, lines.next().unwrap()).unwrap();
    for (index, line) in (2..).zip(lines) {
        if let Some(mismatch) = replay.line(line).unwrap() {
            return Some((index, mismatch));
        }
    }
    assert!(replay.summary().ended, "no end");
    None
}

/// A run with the tokens of another one is stored as such, and replays.
#[test]
fn a_fixed_nonce_is_stored() {
    let mut config = Config::plain("sensor-1");
    let nonce = crate::config::Nonce::new("k3Jd82hs").unwrap();
    config.behaviour.token_style = crate::config::TokenStyle::FixedNonce(nonce);
    config.behaviour.wait_for_suback = false;
    let now = Instant::from_secs(1);
    let mut engine = Recorder::new(
        config,
        Session::new(),
        42,
        now,
        Mask::default(),
        String::new(),
    );
    log_in(&mut engine, now);
    let name = ShadowName::new("PRODUCT001", "lamp").unwrap();
    let shadow = engine.attach(now, &name).unwrap();
    engine.set_next_token(shadow, 9).unwrap();
    engine.get(now, shadow).unwrap();
    drain(&mut engine, now);
    let recording = engine.finish().1.unwrap();
    let stored = r#""token_style":{"fixed_nonce":"k3Jd82hs"}"#;
    assert!(recording.contains(stored), "{recording}");
    assert!(
        recording.contains(r#""clientToken":"k3Jd82hs-9""#),
        "{recording}"
    );
    assert_eq!(replay(&recording), None);
    let start = recording.lines().nth(1).unwrap();
    for wrong in ["k3Jd82h", "k3Jd82hs0", "k3Jd82h-", "k3Jd82h\u{e9}"] {
        let error = Input::parse(&start.replace("k3Jd82hs", wrong)).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("a nonce has eight letters and digits"),
            "{error}"
        );
    }
}

/// The lines of the format's own words; the packets are those of MQTT 3.1.1, the vendor's topics.
#[test]
fn a_login_is_written_as_the_format_says() {
    let mut config = Config::plain("sensor-1");
    config.login = Login::Plain {
        client_id: "sensor-1".into(),
        user_name: Some("ann".into()),
        password: Some(Secret::from_bytes(*b"hunter2")),
    };
    config.keep_alive = 30;
    let mut engine = recorder(config);
    log_in(&mut engine, Instant::from_secs(1));
    engine
        .publish(
            Instant::from_secs(2),
            &Publication::new("a/b", br#"{"text":"\"quoted\"","n":1.50}"#),
        )
        .unwrap();
    drain(&mut engine, Instant::from_secs(2));
    engine.handle_bytes(
        Instant::from_secs(3),
        &[0xd0, 0, b'"', b'\\', b'~', 0x7f, 0xff],
    );
    let text = engine.finish().1.unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        r#"{"shadow-recording":1,"engine":"0.1.0","part":1,"mask":[]}"#
    );
    assert!(lines[1].starts_with(r#"{"at":0,"in":"start","seed":42,"config":{"login":{"plain":{"#));
    assert!(lines[1].ends_with(r#"},"session":null}"#));
    let rest = [
        r#"{"at":0,"out":"deadline","due":0,"timer":"Reconnect"}"#,
        r#"{"at":1000000,"in":"wall","unix_ms":1700000000000}"#,
        // The wall time was all that it waited for.
        r#"{"at":1000000,"out":"deadline","due":21000000,"timer":"Connect"}"#,
        r#"{"at":1000000,"in":"tick","pending":true}"#,
        r#"{"at":1000000,"out":"connect"}"#,
        r#"{"at":1000000,"in":"connected"}"#,
        concat!(
            r#"{"at":1000000,"out":"packet","packet":"CONNECT","version":"MQTT 3.1.1","#,
            r#""client_id":"sensor-1","user_name":"ann","password":"***","keep_alive":30,"#,
            r#""clean_session":true}"#
        ),
        r#"{"at":1000000,"in":"bytes","bytes":" \u0002\u0000\u0000"}"#,
        r#"{"at":1000000,"out":"event","event":"Connected","session_present":false}"#,
        r#"{"at":1000000,"out":"deadline","due":31000000,"timer":"KeepAlive"}"#,
        r#"{"at":2000000,"in":"publish","topic":"a/b","qos":0,"payload":{"text":"\"quoted\"","n":1.50}}"#,
        r#"{"at":2000000,"out":"accepted","request":0}"#,
        concat!(
            r#"{"at":2000000,"out":"packet","packet":"PUBLISH","topic":"a/b","qos":0,"#,
            r#""payload":{"text":"\"quoted\"","n":1.50}}"#
        ),
        r#"{"at":2000000,"out":"event","event":"Ended","request":0,"outcome":"Published"}"#,
        r#"{"at":3000000,"in":"bytes","bytes":"\u00d0\u0000\"\\~\u007f\u00ff"}"#,
    ];
    assert_eq!(lines.get(2..2 + rest.len()), Some(&rest[..]));
    // What it got behind PINGRESP is no packet.
    assert!(
        lines
            .last()
            .unwrap()
            .contains(r#""in":"end","pending":true}"#)
    );
    assert_eq!(replay(&text), None);
}

#[test]
fn every_input_is_read_back_as_it_was() {
    let mut config = lamp();
    config.will = Will::new("gone", &[0, 255], QoS::AtLeastOnce, true);
    config.ping_timeout = Duration::from_nanos(1_500_000_001);
    config.request_timeout = Duration::MAX;
    if let Login::Key { user_name, .. } = &mut config.login {
        user_name.connection_id = Some([b'a', 0xff, b'"', 0, b'z']);
        user_name.expiry = Expiry::NowInMilliseconds;
    }
    let mut engine = recorder(config);
    let mut now = Instant::from_millis(5);
    log_in(&mut engine, now);
    let own = engine.own_shadow().unwrap();
    let subscribed = [0x90, 3, 0, 1, 0];
    engine.handle_bytes(now, &subscribed[..2]);
    engine.handle_bytes(now, &subscribed[2..]);
    drain(&mut engine, now);
    let name = ShadowName::new("PRODUCT001", "child").unwrap();
    let child = engine.attach(now, &name).unwrap();
    engine.attach(now, &name).unwrap_err();
    let get = engine.get(now, own).unwrap();
    engine
        .set_timeout(now, get, Duration::from_secs(3))
        .unwrap();
    engine.cancel(now, get).unwrap();
    engine.cancel(now, get).unwrap_err();
    let values = BTreeMap::from([(
        "text",
        Json::new("\"\u{e9}\n\"")
            .unwrap_or_else(|_| Json::new(r#" [ 1 , {"é" : null} ] "#).unwrap()),
    )]);
    engine.report(now, own, &values).unwrap();
    engine.report(now, own, &f64::NAN).unwrap_err();
    engine.report(now, own, "no object").unwrap_err();
    engine
        .update(
            now,
            own,
            &Update::new()
                .reported(&values)
                .desired(&values)
                .version(7)
                .overwrite(true),
        )
        .unwrap();
    engine
        .update(
            now,
            own,
            &Update::new().reported(BTreeMap::from([("x", f64::NAN)])),
        )
        .unwrap_err();
    engine.update(now, own, &Update::new()).unwrap_err();
    engine.clear_desired(now, own).unwrap();
    engine.clear_reported(now, own).unwrap();
    engine.set_next_token(own, 9).unwrap();
    // With a line break in it, as a cloud may send it.
    let mut delta = Delta {
        shadow: own,
        origin: DeltaOrigin::Pushed,
        version: Some(4),
        state: Json::new("{\n \"a\":1}").unwrap(),
        redelivered: false,
    };
    engine.accept(now, &delta).unwrap();
    engine
        .accept_as(now, &delta, &BTreeMap::from([("a", 2)]))
        .unwrap();
    delta.redelivered = true;
    delta.version = None;
    engine.reject(now, &delta, "it \"may\" not").unwrap();
    for payload in [
        &b"{}"[..],
        b"{\n}",
        b" {}",
        b"text",
        b"\"text\"",
        b"",
        &[0xff, 0, b'"'],
        b"{\"a\":",
    ] {
        let publication = Publication {
            retain: payload.is_empty(),
            ..Publication::new("t", payload).qos(QoS::ExactlyOnce)
        };
        engine.publish(now, &publication).unwrap();
    }
    engine
        .publish(now, &Publication::new("a/#", b""))
        .unwrap_err();
    engine.subscribe(now, "a/#", QoS::AtLeastOnce).unwrap();
    engine.unsubscribe(now, "a/#").unwrap();
    engine.detach(now, child).unwrap();
    engine.detach(now, child).unwrap_err();
    drain(&mut engine, now);
    for failure in [
        TransportFailure::ClosedByPeer,
        TransportFailure::Broken("it \"broke\"".into()),
        TransportFailure::ConnectFailed("no \n route".into()),
        TransportFailure::Untrusted("".into()),
    ] {
        engine.handle_disconnected(now, failure);
        drain(&mut engine, now);
        engine.reconnect(now);
        now = engine.poll_deadline().unwrap().at;
        engine.handle_tick(now);
        drain(&mut engine, now);
        // A clock that runs back is taken as it is by both.
        engine.handle_tick(Instant::ZERO);
    }
    engine.close(now);
    drain(&mut engine, now);
    engine.get(now, own).unwrap_err();
    let text = engine.finish().1.unwrap();
    assert!(
        !text.contains("TOPSECRET") && !text.contains(SECRET),
        "{text}"
    );
    assert_eq!(replay(&text), None);
    let kinds = [
        "start",
        "end",
        "wall",
        "connected",
        "bytes",
        "disconnected",
        "tick",
        "reconnect",
        "close",
        "get",
        "update",
        "report",
        "accept",
        "accept_as",
        "reject",
        "attach",
        "detach",
        "publish",
        "subscribe",
        "unsubscribe",
        "cancel",
        "set_timeout",
        "set_next_token",
    ];
    for kind in kinds {
        assert!(text.contains(&alloc::format!(r#""in":"{kind}""#)), "{kind}");
    }
    assert!(text.contains(r#""state_text":"{\n \"a\":1}""#));
}

#[test]
fn a_session_goes_on() {
    let mut first = recorder(lamp());
    let own = first.own_shadow().unwrap();
    first
        .report(Instant::ZERO, own, &BTreeMap::from([("on", true)]))
        .unwrap();
    let (session, recording) = first.finish();
    assert_eq!(replay(&recording.unwrap()), None);
    let session = Session::from_bytes(&session.to_bytes()).unwrap();
    let mut config = lamp();
    config.behaviour.json_style = JsonStyle::Python;
    let mut second = Recorder::new(
        config,
        session,
        1,
        Instant::ZERO,
        Mask::default(),
        String::new(),
    );
    log_in(&mut second, Instant::ZERO);
    let text = second.finish().1.unwrap();
    assert!(text.contains(r#""reported":{"on":true}"#));
    assert_eq!(replay(&text), None);
}

/// A poll that gives nothing leaves no line, so no later line may show when it was. What comes with
/// an earlier time is written with that at which the engine sees it.
#[test]
fn a_poll_that_gave_nothing_leaves_nothing_behind() {
    let late = Instant::from_secs(50);
    let (early, later) = (Instant::from_secs(40), Instant::from_secs(60));
    for next in 0..4 {
        let mut engine = recorder(lamp());
        log_in(&mut engine, Instant::from_secs(1));
        engine.handle_bytes(Instant::from_secs(2), &[0x90, 3, 0, 1, 0]);
        while engine
            .poll_transmit(Instant::from_secs(2), &mut Vec::new())
            .is_some()
        {}
        assert_eq!(engine.poll_transmit(late, &mut Vec::new()), None);
        match next {
            0 => engine.handle_tick(later),
            1 => engine.handle_tick(early),
            2 => assert!(engine.poll_event().is_some()),
            _ => {}
        }
        let text = engine.finish().1.unwrap();
        assert_eq!(text.contains(r#"{"at":50000000,"#), next == 1, "{text}");
        assert_eq!(replay(&text), None);
    }
}

#[test]
fn off_it_writes_nothing_and_does_the_same() {
    let engine = crate::Engine::new(lamp(), Session::new(), 42, Instant::ZERO);
    let mut off = Recorder::<String>::off(engine);
    let mut on = recorder(lamp());
    for engine in [&mut off, &mut on] {
        log_in(engine, Instant::ZERO);
    }
    let mut bytes = [Vec::new(), Vec::new()];
    for (engine, bytes) in [&mut off, &mut on].into_iter().zip(&mut bytes) {
        engine.handle_bytes(Instant::ZERO, &[0x90, 3, 0, 1, 0]);
        while engine.poll_transmit(Instant::ZERO, bytes).is_some() {}
    }
    assert_eq!(bytes[0], bytes[1]);
    assert!(!bytes[0].is_empty());
    assert!(!off.is_on() && on.is_on());
    assert!(off.finish().1.is_none());
}

#[test]
fn bad_lines_say_what_and_where() {
    let header = |text: &str| Header::parse(text).unwrap_err().to_string();
    assert_eq!(
        header(r#"{"shadow-recording":2,"by":"a later one"}"#),
        "column 1: the recording is in format 2, and this version reads format 1"
    );
    assert_eq!(
        header("2021-07-20 16:44:57,615.615 [log.py:35] - DEBUG - publish success"),
        "column 4: this is not the first line of a recording"
    );
    assert!(header("").starts_with("column 1: "));
    assert!(header(r#"{"shadow-recording":1}"#).contains("missing field `engine`"));
    let unknown = r#"{"shadow-recording":1,"engine":"1","part":1,"mask":["keys"]}"#;
    assert_eq!(header(unknown), "column 46: nothing is masked as `keys`");

    let line = |text: &str| Input::parse(text).unwrap_err().to_string();
    for (text, error) in [
        ("{", "column 1: EOF while parsing an object"),
        (
            r#"{"at":-1,"in":"tick"}"#,
            "column 8: invalid value: integer `-1`, expected u64",
        ),
        (
            r#"{"at":1}"#,
            "column 1: it is neither an input nor an output",
        ),
        (
            r#"{"at":1,"in":"tack"}"#,
            "column 15: there is no input `tack`",
        ),
        (r#"{"at":1,"in":"bytes"}"#, "column 15: `bytes` is missing"),
        (
            r#"{"at":1,"in":"bytes","bytes":"\u0100"}"#,
            "column 15: `\u{100}` stands for no byte",
        ),
        (
            r#"{"at":1,"in":"publish","topic":"a","qos":3,"payload":""}"#,
            "there is no QoS 3",
        ),
        (r#"{"at":1,"in":"tick","never":0}"#, "unknown field `never`"),
        (
            r#"{"at":1,"in":"start","seed":1,"config":{}}"#,
            "missing field `login`",
        ),
    ] {
        let found = line(text);
        assert!(found.contains(error), "{text}: {found}");
    }
}

/// Whatever word the sources write at the place of a key, a kind or a name stands in the module's
/// documentation.
#[test]
fn every_kind_and_key_is_documented() {
    let documentation: String = include_str!("mod.rs")
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .collect();
    let sources = [
        include_str!("recorder.rs"),
        include_str!("event.rs"),
        include_str!("packet.rs"),
    ];
    let mut words = 0;
    for source in sources {
        // Every word that stands as a string of its own.
        for word in source.split('"').skip(1).step_by(2) {
            let is_word = |c: char| c.is_ascii_alphabetic() || c == '_';
            if word.is_empty() || !word.chars().all(is_word) {
                continue;
            }
            // Names of causes are those of the type that the documentation names.
            let of_type = source.contains(&alloc::format!("DisconnectCause::{word}"));
            // Of a recorder that is debugged.
            if of_type || ["Recorder", "on", "engine"].contains(&word) {
                continue;
            }
            words += 1;
            let quoted = alloc::format!("`{word}`");
            assert!(documentation.contains(&quoted), "{word} is not documented");
        }
    }
    assert!(words > 100, "only {words} were looked for");
}

/// Recordings of before these options were have none of them on, and stay text for text.
#[test]
fn options_that_are_newer_than_the_format_are_off_where_they_are_not_named() {
    let newer = r#","drop_without_link":true,"keep_alive_check":5"#;
    let device = DeviceInfo::with_key("PRODUCT001", "lamp", SECRET).unwrap();
    let text = configuration::to_json(&Config::python_sdk(&device));
    let read = configuration::from_json(&text).unwrap();
    assert_eq!(read.behaviour, Config::python_sdk(&device).behaviour);
    assert!(text.contains(newer), "{text}");

    let older = text.replace(newer, "");
    let read = configuration::from_json(&older).unwrap();
    assert!(!read.behaviour.drop_without_link);
    assert_eq!(read.behaviour.keep_alive_check, 0);
    assert_eq!(configuration::to_json(&read), older);
}
