//! Failures in recordings of more than 500 inputs.

use std::time::Duration;

use conformance::recording::{Part, Reader, Replay};
use conformance::shrink::{Condition, Options, Outputs, Recording, Shrunk, shrink, shrink_to};
use shadow_core::Publication;
use shadow_core::mqtt::QoS;
use shadow_core::recording::{Header, Input, Recorder};
use shadow_core::tencent::{ShadowName, Update};

use crate::causality;
use crate::stage::{Stage, config, inputs, ordinary_life, random};

pub(crate) fn shrunk_to(text: &str, condition: &str) -> Shrunk {
    assert!(inputs(text) > 500, "{}", inputs(text));
    let recording = Recording::of_text("planted", text).unwrap();
    let parsed: Condition = condition.parse().unwrap();
    let shrunk = shrink_to(&recording, &parsed, &Options::default(), |_| {}).unwrap();
    println!(
        "{condition}: from {} inputs to {} in {} runs\n{}",
        shrunk.before, shrunk.after, shrunk.runs, shrunk.recording
    );
    assert!(shrunk.complete);
    // The same every time.
    assert_eq!(
        shrink_to(&recording, &parsed, &Options::default(), |_| {}),
        Ok(shrunk.clone())
    );
    // It fails, and nothing more can go.
    let again = Recording::of_text("shrunk", &shrunk.recording).unwrap();
    let least = shrink_to(&again, &parsed, &Options::default(), |_| {}).unwrap();
    assert_eq!(inputs(&least.recording), inputs(&shrunk.recording));
    assert!(inputs(&shrunk.recording) < 10, "{}", shrunk.recording);
    shrunk
}

pub(crate) fn divergence(text: &str) -> Option<conformance::recording::Divergence> {
    let reader = Reader::new(vec![Part::of_text("shrunk", text)]).unwrap();
    Replay::new(reader).unwrap().run().unwrap()
}

/// Runs the inputs of a recording but for one of its lines, as they are written, and everything is
/// polled after each.
fn without(text: &str, left_out: usize) -> String {
    let mut lines = text.lines();
    let mask = Header::parse(lines.next().unwrap()).unwrap().mask;
    let mut recorder: Option<Recorder<String>> = None;
    for (index, line) in lines.enumerate() {
        let Some((now, input)) = Input::parse(line).unwrap() else {
            continue;
        };
        if let Input::Start(start) = &input {
            recorder = Some(Recorder::new(
                start.config.clone(),
                start.session.clone(),
                start.seed,
                now,
                mask,
                String::new(),
            ));
            continue;
        }
        let recorder = recorder.as_mut().unwrap();
        if index != left_out {
            input.apply(now, recorder);
        }
        while recorder.poll_transmit(now, &mut Vec::new()).is_some() {}
        while recorder.poll_event().is_some() {}
    }
    std::mem::take(recorder.unwrap().sink_mut().unwrap())
}

/// Without any one of its inputs the failure does not happen, which `fails` tells of the outputs; or
/// something is then answered that was not asked.
pub(crate) fn assert_minimal(text: &str, fails: impl Fn(&str) -> bool) {
    assert!(fails(text));
    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert!(fails(&without(text, usize::MAX)));
    for (index, line) in lines.iter().enumerate().skip(1) {
        if line.contains(r#","in":""#) {
            let rest = without(text, index);
            let is_needless = fails(&rest) && causality::check(&rest).is_ok();
            assert!(!is_needless, "needless: {line}\n{rest}");
        }
    }
}

/// A device that, once in an hour, reports something that the cloud does not take.
#[test]
fn an_update_that_the_cloud_rejects() {
    for (seed, piece) in [(0, usize::MAX), (1, 1), (2, 5), (3, 50)] {
        let mut stage = Stage::new(config(), 7);
        stage.piece = piece;
        let mut random = random(seed);
        ordinary_life(&mut stage, &mut random, 300);
        let deep = serde_json::json!({"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":1}}}}}}}, "on": true});
        let shadow = stage.shadow();
        let update = Update::new().reported(deep);
        stage.engine.update(stage.now, shadow, &update).unwrap();
        stage.pass_millis(10);
        ordinary_life(&mut stage, &mut random, 250);
        let shrunk = shrunk_to(&stage.finish(), "outcome Rejected code == 9002");
        assert_eq!(divergence(&shrunk.recording), None);
        assert_minimal(&shrunk.recording, |text| {
            text.contains(r#""outcome":"Rejected","code":9002"#)
        });
    }
}

/// What was stored before the first input is a part of the failure, too.
#[test]
fn a_stored_session_keeps_what_it_takes() {
    let mut config = config();
    config.clean_session = false;
    let mut before = Stage::new(config.clone(), 3);
    before.pass_millis(100);
    before.deaf = true;
    for topic in ["lamp/one", "lamp/two", "lamp/three"] {
        let publication = Publication::new(topic, b"{}").qos(QoS::AtLeastOnce);
        before.engine.publish(before.now, &publication).unwrap();
        before.pass_millis(1);
    }
    let shadow = before.shadow();
    let patch = serde_json::json!({"name": "lamp", "on": true});
    before.engine.report(before.now, shadow, &patch).unwrap();
    let (session, _) = before.engine.finish();
    let mut stage = Stage::with_session(config, session, 7);
    ordinary_life(&mut stage, &mut random(4), 550);
    let text = stage.finish();
    let session = |text: &str| {
        let line = text.lines().nth(1).unwrap();
        let start: serde_json::Value = serde_json::from_str(line).unwrap();
        start["session"].clone()
    };
    assert_eq!(session(&text)["outgoing"].as_array().unwrap().len(), 3);
    let shrunk = shrunk_to(&text, "packet PUBLISH topic == \"lamp/two\"");
    let session = session(&shrunk.recording);
    assert_eq!(session["outgoing"].as_array().unwrap().len(), 1);
    assert_eq!(session["shadows"], serde_json::json!([]), "{session}");
    assert_eq!(divergence(&shrunk.recording), None);
}

/// The second of two shadows has another number once the first has gone.
#[test]
fn a_shadow_that_was_attached() {
    let mut stage = Stage::new(config(), 7);
    let mut random = random(6);
    ordinary_life(&mut stage, &mut random, 250);
    stage.pass(Duration::from_secs(30));
    let [_, child] = ["one", "two"].map(|name| {
        let name = ShadowName::new("EXAMPLE001", name).unwrap();
        stage.engine.attach(stage.now, &name).unwrap()
    });
    let request = stage.engine.get(stage.now, child).unwrap();
    stage.engine.get(stage.now, child).unwrap();
    stage.engine.cancel(stage.now, request).unwrap();
    stage.pass_millis(10);
    ordinary_life(&mut stage, &mut random, 300);
    // The cloud lets this device have no other's shadow.
    let shrunk = shrunk_to(
        &stage.finish(),
        "outcome Cancelled and packet SUBSCRIBE filters[0][0] ~ \"two\" then outcome \
         SubscriptionRefused",
    );
    assert!(shrunk.recording.contains(r#""device_name":"two""#));
    assert!(!shrunk.recording.contains(r#""device_name":"one""#));
    assert!(shrunk.recording.contains(r#""in":"get","shadow":1}"#));
    assert!(shrunk.recording.contains(r#""in":"cancel","request":"#));
    assert_eq!(divergence(&shrunk.recording), None);
}

/// What the update had in it stays if that is a part of the failure.
#[test]
fn what_the_condition_names_is_what_stays() {
    let mut stage = Stage::new(config(), 7);
    let mut random = random(9);
    ordinary_life(&mut stage, &mut random, 300);
    let shadow = stage.shadow();
    let bad =
        serde_json::json!({"light": {"on": true, "bright": 70}, "name": "lamp", "list": [1, 2]});
    let update = Update::new().reported(bad);
    stage.engine.update(stage.now, shadow, &update).unwrap();
    stage.pass_millis(10);
    ordinary_life(&mut stage, &mut random, 250);
    let shrunk = shrunk_to(
        &stage.finish(),
        "packet PUBLISH payload.type == \"update\", payload.state.reported.light.on == true \
         then outcome Accepted",
    );
    assert!(
        shrunk
            .recording
            .contains(r#""reported":{"light":{"on":true}}"#),
        "{}",
        shrunk.recording
    );
    assert!(!shrunk.recording.contains("bright"));
}

/// An application that does not look at its events while messages come.
#[test]
fn events_that_are_lost() {
    let mut config = config();
    config.maximum_events = 2;
    let mut stage = Stage::new(config, 7);
    let mut random = random(3);
    ordinary_life(&mut stage, &mut random, 400);
    stage.attentive = false;
    for round in 0..6 {
        stage.desire(&format!(r#"{{"round":{round}}}"#));
        stage.pass_millis(40);
    }
    stage.attentive = true;
    stage.settle();
    ordinary_life(&mut stage, &mut random, 200);
    let shrunk = shrunk_to(&stage.finish(), "event EventsLost");
    assert_eq!(divergence(&shrunk.recording), None);
}

/// It takes a subscription, a request and time.
#[test]
fn a_request_that_times_out() {
    for seed in 0..4 {
        let mut stage = Stage::new(config(), 7);
        let mut random = random(seed);
        ordinary_life(&mut stage, &mut random, 250);
        let shadow = stage.shadow();
        // Nothing is heard of the cloud for a while.
        stage.deaf = true;
        stage.engine.get(stage.now, shadow).unwrap();
        stage.pass(Duration::from_secs(11));
        stage.deaf = false;
        ordinary_life(&mut stage, &mut random, 300);
        let condition = "packet PUBLISH payload.type == \"get\" then outcome TimedOut";
        let shrunk = shrunk_to(&stage.finish(), condition);
        assert_eq!(divergence(&shrunk.recording), None);
        // The default timeout, to the microsecond.
        assert!(shrunk.recording.contains(r#"{"at":10000000,"in":"tick"}"#));
        assert_minimal(&shrunk.recording, |text| {
            let get = text.find(r#""type":"get""#);
            get.is_some_and(|get| text[get..].contains(r#""outcome":"TimedOut""#))
        });
    }
}

/// A message that is sent again on the next link.
#[test]
fn a_message_that_is_sent_again() {
    let mut config = config();
    config.clean_session = false;
    config.shadow_qos = QoS::AtLeastOnce;
    let mut stage = Stage::new(config, 7);
    let mut random = random(5);
    ordinary_life(&mut stage, &mut random, 300);
    stage.pass(Duration::from_secs(30));
    stage.deaf = true;
    let publication = Publication::new("lamp/again", b"{\"n\":1}").qos(QoS::AtLeastOnce);
    stage.engine.publish(stage.now, &publication).unwrap();
    stage.pass_millis(5);
    stage.cut();
    stage.deaf = false;
    stage.pass(Duration::from_secs(30));
    ordinary_life(&mut stage, &mut random, 300);
    let text = stage.finish();
    assert!(text.contains(r#""topic":"lamp/again","qos":1,"id""#));
    let shrunk = shrunk_to(
        &text,
        "packet PUBLISH topic == \"lamp/again\", dup == true then outcome Published",
    );
    assert_eq!(divergence(&shrunk.recording), None);
    assert_minimal(&shrunk.recording, |text| {
        let again = text.find(r#""topic":"lamp/again","qos":1,"id":2,"dup":true"#);
        again.is_some_and(|again| text[again..].contains(r#""outcome":"Published""#))
    });
}

/// Another engine than the recorded one: its start line says something else.
#[test]
fn a_divergence_of_another_engine() {
    for (setting, other, words) in [
        // It gets shadows at another QoS: the first SUBSCRIBE differs.
        (
            r#""shadow_qos":0"#,
            r#""shadow_qos":1"#,
            r#""packet":"SUBSCRIBE""#,
        ),
        // It says another keep alive in CONNECT.
        (
            r#""keep_alive":60"#,
            r#""keep_alive":61"#,
            r#""keep_alive":60"#,
        ),
        // It waits less for replies, which only shows where one does not come.
        (
            r#""request_timeout":10"#,
            r#""request_timeout":9"#,
            r#""out":"#,
        ),
    ] {
        let mut stage = Stage::new(config(), 7);
        let mut random = random(2);
        ordinary_life(&mut stage, &mut random, 550);
        let text = stage.finish();
        assert!(text.contains(setting), "{text}");
        let text = text.replacen(setting, other, 1);
        let text = text.replacen(r#""engine":"0.1.0""#, r#""engine":"0.0.9""#, 1);
        let first = divergence(&text).unwrap();
        let shrunk = shrunk_to(&text, "divergence");
        let last = divergence(&shrunk.recording).unwrap();
        assert!(shrunk.recording.lines().next().unwrap().contains("0.0.9"));
        let kind = |line: &Option<String>| {
            let value: Option<serde_json::Value> = line
                .as_deref()
                .and_then(|line| serde_json::from_str(line).ok());
            value.map(|value| [value["out"].clone(), value["packet"].clone()])
        };
        assert_eq!(kind(&first.expected), kind(&last.expected), "{last}");
        assert_eq!(kind(&first.found), kind(&last.found), "{last}");
        // They differ in nothing else.
        let expected = last.expected.unwrap();
        assert!(expected.contains(words), "{setting}");
        if let (Some(found), false) = (last.found, words == r#""out":"#) {
            let was = setting.split(':').nth(1).unwrap();
            let is = other.split(':').nth(1).unwrap();
            assert_eq!(found.replacen(is, was, 1).len(), expected.len(), "{found}");
            let different = found.bytes().zip(expected.bytes()).filter(|(a, b)| a != b);
            assert_eq!(different.count(), 1, "{found}\n{expected}");
        }
    }
}

#[test]
fn a_closure_is_as_good() {
    let mut stage = Stage::new(config(), 7);
    ordinary_life(&mut stage, &mut random(1), 510);
    let recording = Recording::of_text("planted", &stage.finish()).unwrap();
    let fails = |run: &conformance::shrink::Run| {
        run.lines()
            .filter(|line| line.contains(r#""event":"Ready""#))
            .count()
            >= 2
    };
    let shrunk = shrink(&recording, &Options::default(), fails, |_| {}).unwrap();
    assert!(shrunk.after < 16, "{}", shrunk.recording);
    assert_eq!(divergence(&shrunk.recording), None);
}

#[test]
fn the_number_of_runs_is_bounded() {
    let mut stage = Stage::new(config(), 7);
    ordinary_life(&mut stage, &mut random(1), 510);
    let recording = Recording::of_text("planted", &stage.finish()).unwrap();
    let condition: Condition = "event Ready".parse().unwrap();
    let options = Options {
        runs: 12,
        ..Options::default()
    };
    let mut seen = Vec::new();
    let shrunk = shrink_to(&recording, &condition, &options, |progress| {
        seen.push(progress);
    });
    let shrunk = shrunk.unwrap();
    assert!(!shrunk.complete);
    assert_eq!(shrunk.runs, 12);
    assert!(shrunk.after < shrunk.before);
    assert_eq!(divergence(&shrunk.recording), None);
}

#[test]
fn what_does_not_fail_says_so() {
    let mut stage = Stage::new(config(), 7);
    ordinary_life(&mut stage, &mut random(1), 50);
    let text = stage.finish();
    let error = |text: &str, condition: &str| {
        let recording = Recording::of_text("planted", text).unwrap();
        let condition: Condition = condition.parse().unwrap();
        let error = shrink_to(&recording, &condition, &Options::default(), |_| {});
        error.unwrap_err().to_string()
    };
    let holds_not = "the condition does not hold for the recording as it is";
    assert_eq!(error(&text, "event EventsLost"), holds_not);
    assert_eq!(
        error(&text, "divergence"),
        "this engine does what was recorded"
    );
    // An output that the engine never gave.
    let forged = text.replacen(r#""event":"Ready""#, r#""event":"Readier""#, 1);
    assert!(error(&forged, "event Readier").starts_with(
        "the condition holds for the recording as it is, but no more when this engine gets"
    ));
}

/// A recording is somebody's file: names that no engine gives are left out, and the list is bounded.
#[test]
fn what_can_be_asked_for_is_listed() {
    let mut stage = Stage::new(config(), 7);
    ordinary_life(&mut stage, &mut random(1), 50);
    let mut text = stage.finish();
    let recording = Recording::of_text("planted", &text).unwrap();
    let outputs = Outputs::of(&recording);
    assert_eq!(outputs.packets.get("CONNECT"), Some(&1), "{outputs}");
    for name in outputs.events.keys() {
        let condition: Condition = format!("event {name}").parse().unwrap();
        let options = Options {
            runs: 1,
            ..Options::default()
        };
        let shrunk = shrink_to(&recording, &condition, &options, |_| {});
        assert!(shrunk.is_ok(), "{name}");
    }
    let at = text.lines().last().and_then(|line| line.split_once(','));
    let at = at.unwrap().0.to_owned();
    for number in 0..30 {
        text += &format!("{at},\"out\":\"event\",\"event\":\"A{number:02}\"}}\n");
    }
    text += &format!("{at},\"out\":\"event\",\"event\":\"B\u{1b}[2J\"}}\n");
    let outputs = Outputs::of(&Recording::of_text("planted", &text).unwrap()).to_string();
    assert!(outputs.starts_with("events: A00 1, A01 1,"), "{outputs}");
    assert!(outputs.contains(", A23 1 and "), "{outputs}");
    assert!(
        !outputs.contains("A24") && !outputs.contains('\u{1b}'),
        "{outputs}"
    );
}
