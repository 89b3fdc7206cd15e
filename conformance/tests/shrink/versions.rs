//! Failures that came after many versions of a document: those before them can go.

use shadow_core::recording::Recorder;
use shadow_core::tencent::{ShadowName, Update};
use shadow_core::{Delta, Instant, RequestError, ShadowId, WallTime};
use transport_mock::cloud::{Cloud, CloudConfig, example_device, example_name};
use transport_mock::server::{Credentials, KnownDevice, ServerConfig};

use crate::causality::assert_whole;
use crate::planted::{assert_minimal, divergence, shrunk_to};
use crate::stage::{Stage, config, inputs};

/// A gateway, and two devices behind it.
struct House {
    stage: Stage,
    shadows: Vec<(ShadowName, ShadowId)>,
}

impl House {
    fn new() -> House {
        let mut stage = Stage::new(config(), 7);
        let names = ["lamp", "door"].map(|name| ShadowName::new("EXAMPLE001", name).unwrap());
        let mut known = KnownDevice::new(example_device());
        known.sub_devices = names.to_vec();
        let server = ServerConfig {
            credentials: Credentials::Devices(vec![known]),
            ..ServerConfig::default()
        };
        let config = CloudConfig {
            server,
            ..CloudConfig::default()
        };
        let wall = WallTime::from_unix_millis(1_626_770_697_670);
        stage.cloud = Cloud::new(config, Instant::ZERO, wall);
        let mut shadows = vec![(example_name(), stage.shadow())];
        let seeded = shadows.iter().map(|(name, _)| name).chain(&names);
        for (name, version) in seeded.zip([8, 70, 1]) {
            let state = r#"{"reported":{"updateCount":0}}"#;
            let seeded = stage.cloud.seed(name, state, version, wall);
            seeded.unwrap();
        }
        stage.pass_millis(100);
        for name in names {
            let shadow = stage.engine.attach(stage.now, &name).unwrap();
            shadows.push((name, shadow));
            stage.pass_millis(100);
        }
        House { stage, shadows }
    }

    fn desire(&mut self, index: usize, patch: &str) -> Vec<Delta> {
        let Stage { cloud, now, .. } = &mut self.stage;
        let name = &self.shadows[index].0;
        cloud.set_desired(*now, name, patch, None).unwrap();
        self.stage.pass_millis(10);
        self.stage.deltas()
    }

    fn report(&mut self, index: usize, number: u64) {
        let patch = serde_json::json!({"x": number});
        let (now, shadow) = (self.stage.now, self.shadows[index].1);
        self.stage.engine.report(now, shadow, &patch).unwrap();
        self.stage.pass_millis(10);
    }

    fn version(&self, index: usize) -> u64 {
        let shadow = self.stage.cloud.shadow(&self.shadows[index].0);
        shadow.unwrap().version()
    }

    /// An update on condition that the document has a version.
    fn update(&mut self, index: usize, number: u64, version: u64) {
        let update = Update::new().reported(serde_json::json!({"z": number}));
        let update = update.version(version);
        let (now, shadow) = (self.stage.now, self.shadows[index].1);
        self.stage.engine.update(now, shadow, &update).unwrap();
        self.stage.pass_millis(10);
    }
}

/// As `watch --accept` does it, with one shadow and nothing else.
#[test]
fn an_accepted_delta_wherever_it_is() {
    let mut stage = Stage::new(config(), 7);
    stage.pass_millis(100);
    for number in 0..170 {
        stage.desire(&format!(r#"{{"z":{number}}}"#));
        for delta in stage.deltas() {
            stage.engine.accept(stage.now, &delta).unwrap();
        }
        stage.pass_millis(1_000);
    }
    let text = stage.finish();
    assert_whole(&text);
    for number in [17, 100] {
        let shrunk = shrunk_to(
            &text,
            &format!(
                "packet PUBLISH payload.state.reported.z == {number} \
                 then event Ended outcome == \"Reported\""
            ),
        );
        // Tick, connected, CONNACK, SUBACK, the document, the delta, its answer and the reply.
        assert_eq!(inputs(&shrunk.recording), 8, "{}", shrunk.recording);
        assert_eq!(divergence(&shrunk.recording), None);
        assert_minimal(&shrunk.recording, |text| {
            let reported = text.find(&format!(r#""state":{{"reported":{{"z":{number}}}"#));
            reported.is_some_and(|at| text[at..].contains(r#""outcome":"Reported""#))
        });
    }
}

type Answer = fn(&mut Recorder<String>, Instant, &Delta) -> Result<(), RequestError>;

/// Of three shadows, whose documents change in turn, and each of them in other ways too.
fn deltas(answer: Answer) -> String {
    let mut house = House::new();
    for number in 0..160 {
        let index = usize::try_from(number).unwrap() % 3;
        // One in seven changes nothing.
        house.report((index + 1) % 3, number / 7);
        for delta in house.desire(index, &format!(r#"{{"z":{number}}}"#)) {
            let Stage { engine, now, .. } = &mut house.stage;
            answer(engine, *now, &delta).unwrap();
        }
        house.stage.pass_millis(500);
    }
    let text = house.stage.finish();
    assert_whole(&text);
    text
}

#[test]
fn an_accepted_delta_of_one_of_several_shadows() {
    let text = deltas(|engine, now, delta| engine.accept(now, delta).map(drop));
    for number in [99, 100] {
        let shrunk = shrunk_to(
            &text,
            &format!(
                "event Delta state.z == {number} then \
                 packet PUBLISH payload.state.reported.z == {number} \
                 then event Ended outcome == \"Reported\""
            ),
        );
        // That of a device behind it takes an attachment.
        let expected = if number % 3 == 0 { 8 } else { 9 };
        assert_eq!(inputs(&shrunk.recording), expected, "{}", shrunk.recording);
        assert_eq!(divergence(&shrunk.recording), None);
    }
}

#[test]
fn a_rejected_delta() {
    let text = deltas(|engine, now, delta| engine.reject(now, delta, "no").map(drop));
    let shrunk = shrunk_to(
        &text,
        "event Delta state.z == 100 then event Ended outcome == \"Reported\"",
    );
    assert_eq!(divergence(&shrunk.recording), None);
}

/// On condition that the document has a version; which it has, each second time.
#[test]
fn an_update_of_a_version() {
    let mut house = House::new();
    for number in 0..160 {
        let index = usize::try_from(number).unwrap() % 3;
        let version = house.version(index);
        if number % 2 == 0 {
            house.update(index, number, version);
        } else {
            house.report(index, number);
            house.update(index, number, version);
        }
        house.stage.pass_millis(500);
        house.report((index + 1) % 3, number);
        let get = house
            .stage
            .engine
            .get(house.stage.now, house.shadows[index].1);
        get.unwrap();
        house.stage.pass_millis(500);
    }
    let text = house.stage.finish();
    assert_whole(&text);
    for number in [100, 102] {
        let shrunk = shrunk_to(
            &text,
            &format!(
                "packet PUBLISH payload.state.reported.z == {number}, payload.version > 0 \
                 then event Ended outcome == \"Accepted\""
            ),
        );
        assert_eq!(divergence(&shrunk.recording), None);
    }
    for number in [99, 101] {
        let shrunk = shrunk_to(
            &text,
            &format!(
                "packet PUBLISH payload.state.reported.z == {number}, payload.version > 0 \
                 then outcome Rejected code == 5005"
            ),
        );
        assert_eq!(divergence(&shrunk.recording), None);
    }
}

/// A version that was missing in the recording is missing in what is left of it.
#[test]
fn a_missing_version_stays_missing() {
    let mut house = House::new();
    for number in 0..170 {
        for delta in house.desire(0, &format!(r#"{{"z":{number}}}"#)) {
            let Stage { engine, now, .. } = &mut house.stage;
            engine.accept(*now, &delta).unwrap();
        }
        house.stage.pass_millis(500);
        if number == 100 {
            // The delta of this one is lost.
            let mut cloud = house.stage.cloud.service().clone();
            let (wall, name) = (
                WallTime::from_unix_millis(1_626_770_700_000),
                example_name(),
            );
            drop(cloud.set_desired(wall, &name, r#"{"y":1}"#, None).unwrap());
            house.stage.cloud.replace_service(cloud);
        }
    }
    let text = house.stage.finish();
    assert_whole(&text);
    let shrunk = shrunk_to(
        &text,
        "event Ready then packet PUBLISH payload.type == \"get\" then \
         event Delta origin == \"Pushed\", state.y == 1",
    );
    assert_eq!(divergence(&shrunk.recording), None);
    // The document's first get is version 8, and the delta that shows the gap is two above it.
    assert!(
        shrunk
            .recording
            .contains(r#""event":"Delta","shadow":0,"origin":"Pushed","version":10"#)
    );
}

/// Where it is the number of a version that counts, it is not counted anew.
#[test]
fn a_version_that_is_named() {
    let mut house = House::new();
    for number in 0..170 {
        for delta in house.desire(0, &format!(r#"{{"z":{number}}}"#)) {
            let Stage { engine, now, .. } = &mut house.stage;
            engine.accept(*now, &delta).unwrap();
        }
        house.stage.pass_millis(10);
    }
    let text = house.stage.finish();
    let shrunk = shrunk_to(&text, "event Delta version == 209");
    assert_eq!(divergence(&shrunk.recording), None);
}
