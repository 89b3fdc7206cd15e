//! Nothing is answered that was not asked, in whatever is left of a recording.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use conformance::recording::{Part, Reader, Replay};
use conformance::shrink::{Options, Recording, Run, shrink};
use proptest::prelude::*;
use serde_json::Value;
use shadow_core::Publication;
use shadow_core::mqtt::{
    Incoming, Oversized, Packet, ProtocolVersion, QoS, StreamDecoder, topic::filter_matches,
};
use shadow_core::recording::{Input, Request};
use shadow_core::tencent::Update;
use transport_mock::cloud::example_name;

use crate::stage::{Stage, config, ordinary_life, random};

/// What has been asked so far, on this link or at all.
#[derive(Default)]
struct Asked {
    connect: bool,
    up: bool,
    /// Kind and packet identifier, on this link.
    packets: BTreeSet<(String, u64)>,
    /// Each with the version that the request carries, if it is to be checked.
    tokens: BTreeMap<String, Option<u64>>,
    filters: BTreeSet<String>,
    deltas: BTreeSet<(u64, String)>,
    requests: BTreeSet<u64>,
}

/// Whether each input of a recording that answers something has something to answer.
pub(crate) fn check(recording: &str) -> Result<(), String> {
    let mut asked = Asked::default();
    let mut decoder = decoder();
    for line in recording.lines().skip(2) {
        let fault = |what: &str| Err(format!("{what}: {line}"));
        let value: Value = serde_json::from_str(line).unwrap();
        let Some((_, input)) = Input::parse(line).unwrap() else {
            note(&mut asked, &value);
            continue;
        };
        match input {
            Input::Connected => {
                if !std::mem::take(&mut asked.connect) {
                    return fault("connected unasked");
                }
                asked.up = true;
                asked.packets.clear();
                decoder = self::decoder();
            }
            Input::Disconnected(_) => {
                if !asked.up && !asked.connect {
                    return fault("disconnected from nothing");
                }
                (asked.up, asked.connect) = (false, false);
            }
            Input::Bytes(bytes) => {
                if !asked.up {
                    return fault("bytes without a link");
                }
                let mut rest = &bytes[..];
                while let Ok(Some(Incoming::Packet(packet))) = decoder.next(&mut rest) {
                    if let Err(what) = answer(&asked, &packet) {
                        return fault(&what);
                    }
                }
            }
            Input::Request(
                Request::Accept(delta)
                | Request::AcceptAs { delta, .. }
                | Request::Reject { delta, .. },
            ) => {
                let version = delta.version.unwrap_or(0);
                if !asked
                    .deltas
                    .contains(&(version, format!("{:?}", delta.origin)))
                {
                    return fault("no such delta");
                }
            }
            Input::Request(Request::Cancel(request) | Request::SetTimeout { request, .. })
                if !asked.requests.contains(&request.as_u64()) =>
            {
                return fault("no such request");
            }
            _ => {}
        }
    }
    Ok(())
}

fn decoder() -> StreamDecoder {
    StreamDecoder::new(ProtocolVersion::V311, 1 << 20, Oversized::Refuse)
}

fn note(asked: &mut Asked, output: &Value) {
    let text = |key: &str| output[key].as_str().unwrap_or_default().to_owned();
    match &*text("out") {
        "connect" => asked.connect = true,
        "close" => (asked.up, asked.connect) = (false, false),
        "accepted" => asked.requests.extend(output["request"].as_u64()),
        "event" if text("event") == "Delta" => {
            let version = output["version"].as_u64().unwrap_or(0);
            asked.deltas.insert((version, text("origin")));
        }
        "packet" => {
            let id = output["id"].as_u64().unwrap_or(0);
            asked.packets.insert((text("packet"), id));
            let version = output["payload"]["version"].as_u64();
            let version = version.filter(|version| *version > 0);
            let token = output["payload"]["clientToken"].as_str();
            let token = token.map(|token| (token.to_owned(), version));
            asked.tokens.extend(token);
            if text("packet") == "SUBSCRIBE" {
                let filters = output["filters"].as_array().unwrap();
                let filters = filters
                    .iter()
                    .map(|pair| pair[0].as_str().unwrap().to_owned());
                asked.filters.extend(filters);
            }
        }
        _ => {}
    }
}

fn answer(asked: &Asked, packet: &Packet<'_>) -> Result<(), String> {
    let (kind, id) = match packet {
        Packet::ConnAck(_) => ("CONNECT", 0),
        Packet::PingResp => ("PINGREQ", 0),
        Packet::SubAck(answer) => ("SUBSCRIBE", answer.packet_id.get()),
        Packet::UnsubAck(answer) => ("UNSUBSCRIBE", answer.packet_id.get()),
        Packet::PubAck(answer) => ("PUBLISH", answer.packet_id.get()),
        Packet::Publish(publish) => {
            let matches = |filter: &String| filter_matches(filter, publish.topic);
            if !asked.filters.iter().any(matches) {
                return Err("a message that nobody subscribed".into());
            }
            let payload: Value = serde_json::from_slice(publish.payload).unwrap_or_default();
            let Some(token) = payload["clientToken"].as_str() else {
                return Ok(());
            };
            let Some(carried) = asked.tokens.get(token) else {
                return Err(format!("a reply to {token}, which never was"));
            };
            let code = payload["result"].as_i64();
            let version = payload["payload"]["version"].as_u64();
            return match (code, carried, version) {
                // A change makes one version, and what changes nothing none.
                (Some(0), Some(carried), Some(version))
                    if !(*carried..=carried + 1).contains(&version) =>
                {
                    Err(format!("{version} is what {carried} was accepted for"))
                }
                (Some(5005), carried, version) if *carried == version || carried.is_none() => {
                    Err(format!("{version:?} is in conflict with {carried:?}"))
                }
                _ => Ok(()),
            };
        }
        other => panic!("the cloud does not send {other:?}"),
    };
    if asked.packets.contains(&(kind.to_owned(), id.into())) {
        Ok(())
    } else {
        Err(format!("an answer to no {kind} {id}"))
    }
}

/// What an eventful life is made of, beside the ordinary.
fn eventful_life(stage: &mut Stage, seed: u8) {
    let mut random = random(seed);
    for round in 0..12 {
        ordinary_life(stage, &mut random, 6);
        let shadow = stage.shadow();
        stage.piece = [usize::MAX, 1, 3, 40][random.next_u32() as usize % 4];
        stage.late = Duration::from_micros([0, 350, 20_000][random.next_u32() as usize % 3]);
        match random.next_u32() % 10 {
            0 => {
                let name = shadow_core::tencent::ShadowName::new("EXAMPLE001", "child").unwrap();
                if let Ok(child) = stage.engine.attach(stage.now, &name) {
                    stage.pass_millis(20);
                    drop(stage.engine.get(stage.now, child));
                    stage.pass_millis(20);
                    drop(stage.engine.detach(stage.now, child));
                }
            }
            1 => {
                drop(
                    stage
                        .engine
                        .subscribe(stage.now, "lamp/#", QoS::AtLeastOnce),
                );
                stage.pass_millis(20);
                drop(
                    stage
                        .engine
                        .publish(stage.now, &Publication::new("lamp/a", b"to me")),
                );
            }
            2 => {
                drop(stage.engine.unsubscribe(stage.now, "lamp/#"));
                // It has this version, or had it.
                let known = stage.cloud.shadow(&example_name()).unwrap().version();
                let update = Update::new().reported(serde_json::json!({"round": round}));
                let update = update.version(known - round % 2);
                drop(stage.engine.update(stage.now, shadow, &update));
            }
            3 => {
                if let Ok(request) = stage.engine.get(stage.now, shadow) {
                    let time = Duration::from_millis(5);
                    drop(stage.engine.set_timeout(stage.now, request, time));
                    if round % 2 == 0 {
                        drop(stage.engine.cancel(stage.now, request));
                    }
                }
            }
            4 => {
                stage.deaf = true;
                drop(stage.engine.get(stage.now, shadow));
                stage.pass(Duration::from_secs(15));
                stage.deaf = false;
            }
            5 => {
                stage.reachable = false;
                stage.cut();
                stage.pass(Duration::from_secs(40));
                stage.reachable = true;
            }
            6 => {
                stage.attentive = false;
                stage.desire(&format!(r#"{{"a":{round},"b":{round}}}"#));
                stage.pass_millis(500);
                stage.attentive = true;
                stage.settle();
                for delta in stage.deltas() {
                    drop(stage.engine.accept(stage.now, &delta.only(&["a"])));
                    drop(stage.engine.reject(stage.now, &delta.without(&["a"]), "no"));
                }
            }
            7 => stage.engine.reconnect(stage.now),
            8 => {
                let packet = "0123456789".repeat(20);
                let publication = Publication::new("lamp/b", packet.as_bytes());
                let publication = publication.qos(QoS::AtLeastOnce);
                drop(stage.engine.publish(stage.now, &publication));
                // On its way when the connection breaks.
                stage.cut();
            }
            _ => {
                let publish = transport_mock::server::Message {
                    topic: "lamp/c".into(),
                    payload: b"{\"from\":\"elsewhere\"}".to_vec(),
                    qos: QoS::AtLeastOnce,
                };
                assert!(stage.cloud.publish(stage.now, &publish));
            }
        }
        stage.pass_millis(u64::from(random.next_u32() % 4_000));
    }
}

fn hash(text: &str, salt: u64) -> u64 {
    let bytes = text.bytes().map(u64::from);
    bytes.fold(salt, |hash, byte| {
        (hash ^ byte).wrapping_mul(0x0100_0000_01b3)
    })
}

/// All of a recording runs as it was recorded, but for the order in which outputs were polled.
pub(crate) fn assert_whole(text: &str) {
    let recording = Recording::of_text("whole", text).unwrap();
    let mut whole = None;
    let fails = |run: &Run| {
        whole = Some(run.recording().to_owned());
        false
    };
    shrink(&recording, &Options::default(), fails, |_| {}).unwrap_err();
    let sorted = |text: &str| {
        let lines = text
            .lines()
            .map(|line| line.replace(",\"pending\":true", ""));
        let mut lines: Vec<String> = lines.collect();
        lines.sort();
        lines
    };
    let (expected, found) = (sorted(text), sorted(&whole.unwrap()));
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(expected, found);
    }
    assert_eq!(expected.len(), found.len());
}

/// Before anything is left out, what is run is what was recorded. The order in which outputs were
/// polled may be another.
#[test]
fn all_of_it_is_what_was_recorded() {
    for seed in 0..12 {
        let mut stage = Stage::new(config(), seed.into());
        eventful_life(&mut stage, seed);
        let text = stage.finish();
        assert_whole(&text);
    }
}

/// The check finds what it is there to find.
#[test]
fn a_missing_question_is_noticed() {
    let mut stage = Stage::new(config(), 7);
    ordinary_life(&mut stage, &mut random(1), 60);
    let text = stage.finish();
    check(&text).unwrap();
    for question in [
        r#""out":"connect""#,
        r#""packet":"CONNECT""#,
        r#""packet":"SUBSCRIBE""#,
        r#""type":"update""#,
        r#""event":"Delta""#,
        r#""in":"connected""#,
    ] {
        let lines: Vec<&str> = text.lines().collect();
        let at = lines
            .iter()
            .position(|line| line.contains(question))
            .unwrap();
        let rest = [&lines[..at], &lines[at + 1..]].concat().join("\n");
        assert!(check(&rest).is_err(), "{question}");
    }
}

/// Whatever the condition finds to fail, each candidate that was run is a recording of a world in
/// which things happen in order, and replays.
fn assert_order(seed: u8, salt: u64, clean: bool) {
    let mut config = config();
    config.clean_session = clean;
    config.shadow_qos = if clean {
        QoS::AtMostOnce
    } else {
        QoS::AtLeastOnce
    };
    let mut stage = Stage::new(config, seed.into());
    eventful_life(&mut stage, seed);
    let text = stage.finish();
    check(&text).unwrap();
    let recording = Recording::of_text("random", &text).unwrap();
    let mut runs = 0_u64;
    let fails = |run: &Run| {
        runs += 1;
        let text = run.recording();
        if let Err(what) = check(text) {
            panic!("{what}\n{text}");
        }
        if runs.is_multiple_of(8) {
            let reader = Reader::new(vec![Part::of_text("candidate", text)]).unwrap();
            let divergence = Replay::new(reader).unwrap().run().unwrap();
            assert_eq!(divergence, None);
        }
        runs == 1 || !hash(text, salt).is_multiple_of(3)
    };
    let options = Options {
        runs: 200,
        ..Options::default()
    };
    let shrunk = shrink(&recording, &options, fails, |_| {}).unwrap();
    assert!(shrunk.after <= shrunk.before + 1);
}

/// With the versions of the recording, a report that carries an earlier one, as what told of those
/// between is gone, does not get the reply to what was reported then.
#[test]
fn a_reply_above_the_version_that_its_request_carries() {
    assert_order(179, 3_434_376_201_834_829_159, false);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_answer_without_its_question(seed in any::<u8>(), salt in any::<u64>(), clean in any::<bool>()) {
        assert_order(seed, salt, clean);
    }

    /// Lines that are lost, doubled, moved or changed do no harm.
    #[test]
    fn forged_recordings_do_no_harm(
        seed in 0..4_u8,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..5_u8, any::<u16>()), 1..20),
    ) {
        let mut stage = Stage::new(config(), seed.into());
        ordinary_life(&mut stage, &mut random(seed), 60);
        let text = stage.finish();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (index, edit, number) in edits {
            let at = index.index(lines.len());
            match edit {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[at].clone()),
                2 => {
                    let line = lines.remove(at);
                    lines.insert(usize::from(number) % (lines.len() + 1), line);
                }
                3 => lines[at] = lines[at].replacen("\"at\":", &format!("\"at\":{number}"), 1),
                _ => lines[at] = lines[at].replacen("\\u00", &format!("\\u{:04x}", number & 0xff), 1),
            }
            if lines.is_empty() {
                break;
            }
        }
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        if let Ok(recording) = Recording::of_text("forged", &text) {
            let options = Options { runs: 60, ..Options::default() };
            drop(shrink(&recording, &options, |run| run.inputs() > 3, |_| {}));
            let condition = "divergence or event Ready".parse().unwrap();
            drop(conformance::shrink::shrink_to(&recording, &condition, &options, |_| {}));
        }
    }
}
