//! The story of the vendor's document of the device shadow.

use std::time::Duration;

use serde_json::{Map, Value, json};
use shadow_core::Config;
use shadow_core::tencent::{DeviceInfo, Document, Update};
use transport_mock::application::ApplicationRequest;
use transport_tcp::{ClientError, Clock, Connector};

use super::narrator::Narrator;
use super::tap::{Tap, Who};
use crate::application::{Application, ApplicationError};
use crate::device::Device;
use crate::document::finish;
use crate::failure::Failure;
use crate::files::Files;
use crate::output::Output;
use crate::runtime::{Patience, Runtime};

/// How often the device reports.
const PERIOD: Duration = Duration::from_secs(3);

/// How long the device stays away: the vendor's server takes one connect of a device in 5 s (vendor
/// doc 634/15241).
const ABSENCE: Duration = Duration::from_secs(5);

/// Where the story takes place.
pub(super) struct Scene<C> {
    /// Who plays the device.
    pub(super) device: DeviceInfo,
    /// How to get to the server.
    pub(super) connector: C,
    /// What the server is called, and how long to wait for it.
    pub(super) patience: Patience,
    /// Whether the shadow begins as that of the document does.
    pub(super) documented: bool,
    /// What makes client tokens and the like.
    pub(super) seed: u64,
}

/// Tells the story and checks it as it goes.
///
/// # Errors
///
/// Those of [`Device::connect`], and [`FailureKind::Operation`](crate::failure::FailureKind) where
/// something comes out other than the document says.
pub(super) async fn tell<C: Connector + Clone + 'static, K: Clock>(
    runtime: Runtime<'_, K>,
    scene: &Scene<C>,
    output: &mut Output,
) -> Result<(), Failure> {
    let tap = Tap::new(runtime.clock.clone());
    let mut story = Story {
        runtime,
        scene,
        tap: tap.clone(),
        narrator: Narrator::new(output, runtime.clock.clone(), tap),
    };
    story.introduce()?;
    let device = story.cached_status().await?;
    story.modify(&device).await?;
    story.update_regularly(&device).await?;
    story.catch_up(device).await?;
    let checks = story.narrator.checks();
    story
        .narrator
        .say(&format!("\nAll {checks} checks passed."))
}

struct Story<'a, C, K> {
    runtime: Runtime<'a, K>,
    scene: &'a Scene<C>,
    tap: Tap<K>,
    narrator: Narrator<'a, K>,
}

impl<C: Connector + Clone + 'static, K: Clock> Story<'_, C, K> {
    fn introduce(&mut self) -> Result<(), Failure> {
        let name = &self.scene.device.name;
        let server = &self.scene.patience.server;
        self.narrator.say(&format!(
            "The device {name} and its shadow at {server}.\n\
             Each line is a packet: seconds since the start, who sends (→) or receives (←) it, \
             what it is;\na message is named by its topic, and stands without its token and times."
        ))?;
        if !self.scene.documented {
            self.narrator.say(
                "What this shadow holds now is overwritten: demonstration 3 clears both its parts.",
            )?;
        }
        Ok(())
    }

    async fn cached_status(&mut self) -> Result<Device, Failure> {
        self.narrator
            .demonstration("Getting the status cached in the cloud")?;
        self.narrator
            .say("The device logs in, subscribes to its result topic and asks for its shadow.")?;
        let device = self.connect(0).await?;
        let document = device.first_document.as_ref();
        let reported = reported(document);
        if self.scene.documented {
            let version = document.and_then(Document::version);
            self.narrator.check(
                reported == object(&json!({"updateCount": 0, "updateCount11": "shadow"}))
                    && version == Some(8),
                "updateCount is 0 and updateCount11 is \"shadow\", at version 8",
                &found(document),
            )?;
        } else {
            self.narrator.say(&format!(
                "  This device has a past of its own: {} keys are reported.",
                reported.len()
            ))?;
        }
        Ok(device)
    }

    async fn modify(&mut self, device: &Device) -> Result<(), Failure> {
        self.narrator.demonstration("Modifying the shadow")?;
        self.narrator.say(
            "The device reports a new value of updateCount and a new key, and looks at the result.",
        )?;
        let before = reported(device.first_document.as_ref());
        let update = json!({"updateCount": 12, "updateCount12": "shadow"});
        self.report(device, &update).await?;
        let document = self.get(device).await?;
        let mut expected = before;
        expected.extend(object(&update));
        self.narrator.check(
            reported(Some(&document)) == expected,
            "updateCount is 12, updateCount12 is there, and everything else is as it was",
            &found(Some(&document)),
        )
    }

    async fn update_regularly(&mut self, device: &Device) -> Result<(), Failure> {
        self.narrator
            .demonstration("Updating the shadow regularly")?;
        self.narrator
            .say("Every 3 seconds updateCount goes up by 1.")?;
        let mut next = self.narrator.now();
        for count in 1..=5 {
            self.narrator.wait_until(next).await?;
            next += PERIOD;
            let mut update = json!({"updateCount": count, "updateCount12": "shadow"});
            if count == 4 {
                // The reset has deleted it, so it is reported again.
                update = json!({"updateCount": 4, "updateCount11": "shadow",
                    "updateCount12": "shadow"});
            }
            self.report(device, &update).await?;
            let document = self.get(device).await?;
            let now_reported = reported(Some(&document));
            self.narrator.check(
                object(&update)
                    .iter()
                    .all(|(key, value)| now_reported.get(key) == Some(value)),
                &format!("updateCount is {count}"),
                &found(Some(&document)),
            )?;
            if count == 3 {
                self.reset(device).await?;
            }
        }
        Ok(())
    }

    async fn reset(&mut self, device: &Device) -> Result<(), Failure> {
        self.narrator.say(
            "After three updates the cloud's cache is reset, as the document's text says (the log \
             printed\nabove that text does not show it): the device clears both parts.",
        )?;
        let clear = Update::new().clear_reported().clear_desired();
        let cleared = device.shadow.update(clear).await;
        self.outcome(cleared)?;
        let document = self.get(device).await?;
        self.narrator.check(
            reported(Some(&document)).is_empty(),
            "nothing is reported any more: updateCount11 and updateCount12 are gone",
            &found(Some(&document)),
        )
    }

    async fn catch_up(&mut self, device: Device) -> Result<(), Failure> {
        self.narrator
            .demonstration("Configuring a device that is away")?;
        self.narrator.say("The device leaves.")?;
        device.close().await;
        let left = self.narrator.now();
        self.narrator.say(
            "Meanwhile an application wants it to report every 10 seconds. It changes the shadow, \
             not the device.",
        )?;
        match self.desire().await {
            Ok(_) => {}
            Err(ApplicationError::Absent(absence)) => {
                return self.narrator.skip(&absence.explain());
            }
            Err(ApplicationError::Rejected { code, .. }) => {
                return Err(Failure::operation(format_args!(
                    "demonstration 4: the application's change was rejected with result {code}"
                )));
            }
            Err(ApplicationError::Failed(failure)) => return Err(failure),
        }
        self.narrator.wait_until(left + ABSENCE).await?;
        self.narrator.say(
            "The device comes back, asks for its shadow as at the start, and finds a delta.",
        )?;
        let device = self.connect(2).await?;
        let delta = device.first_delta.as_ref().map(|delta| &delta.state);
        let wanted = json!({"reportSeconds": 10});
        let told = delta.and_then(|state| state.parse::<Value>().ok());
        let differs = told.as_ref().and_then(|told| told.get("reportSeconds"));
        self.narrator.check(
            differs == Some(&json!(10)),
            "the device is told that reportSeconds should be 10",
            &told.as_ref().map_or("no delta".into(), Value::to_string),
        )?;
        self.narrator.say(
            "It obeys, reports the new value and clears what was desired, all in one update.",
        )?;
        let obeyed = Update::new().reported(wanted.clone()).clear_desired();
        let obeyed = device.shadow.update(obeyed).await;
        self.outcome(obeyed)?;
        let document = self.get(&device).await?;
        let is_none = |part: Option<&str>| matches!(part, None | Some("null" | "{}"));
        self.narrator.check(
            reported(Some(&document)).get("reportSeconds") == Some(&json!(10))
                && is_none(document.desired())
                && is_none(document.delta()),
            "reportSeconds is 10, and nothing is desired any more",
            &found(Some(&document)),
        )?;
        device.close().await;
        Ok(())
    }

    async fn connect(&mut self, nth: u64) -> Result<Device, Failure> {
        let scene = self.scene;
        let connector = self.tap.on(scene.connector.clone(), Who::Device);
        let config = Config::new(&scene.device);
        let seed = scene.seed.wrapping_add(nth);
        let output = &mut *self.narrator.output;
        let (runtime, patience) = (self.runtime, &scene.patience);
        let files = Files::default();
        let device =
            Device::connect(runtime, config, files, seed, connector, patience, output).await;
        self.narrator.packets()?;
        device
    }

    async fn desire(&mut self) -> Result<Document, ApplicationError> {
        let scene = self.scene;
        let connector = self.tap.on(scene.connector.clone(), Who::Application);
        let seed = scene.seed.wrapping_add(1);
        let mut application = Application::connect(
            self.runtime,
            &scene.device,
            seed,
            connector,
            &scene.patience,
            self.narrator.output,
        )
        .await?;
        let request = ApplicationRequest::Desire {
            desired: r#"{"reportSeconds":10}"#,
            version: None,
        };
        let clock = self.runtime.clock;
        let result = application.ask(clock, &request, self.narrator.output).await;
        application.close().await;
        result
    }

    async fn report(&mut self, device: &Device, state: &Value) -> Result<(), Failure> {
        // Once, as the document does it.
        let result = device.shadow.update(Update::new().reported(state)).await;
        self.outcome(result).map(drop)
    }

    async fn get(&mut self, device: &Device) -> Result<Document, Failure> {
        let result = device.shadow.get().await;
        self.outcome(result)
    }

    fn outcome(&mut self, result: Result<Document, ClientError>) -> Result<Document, Failure> {
        self.narrator.packets()?;
        finish(result, self.narrator.output)
    }
}

/// The reported part; empty where there is none.
fn reported(document: Option<&Document>) -> Map<String, Value> {
    let reported = document.and_then(|document| document.reported_as().ok().flatten());
    reported.unwrap_or_default()
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn found(document: Option<&Document>) -> String {
    document.map_or("no document".into(), |document| document.as_json().into())
}
