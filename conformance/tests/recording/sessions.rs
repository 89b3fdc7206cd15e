//! Sessions that are recorded for the tests.

use std::time::Duration;

use serde_json::json;
use shadow_core::config::Behaviour;
use shadow_core::recording::Mask;
use shadow_core::tencent::{ShadowName, Update};
use shadow_core::{Config, Delta, Event, Publication, Session, WallTime};
use transport_mock::cloud::{Cloud, CloudConfig, example_device, example_name};
use transport_mock::server::{Credentials, KnownDevice, ServerConfig};
use transport_mock::simulation::{DeviceId, Latency, Reachability, Simulation};

/// 2021-07-20T08:44:57.670Z.
pub(crate) const WALL: WallTime = WallTime::from_unix_millis(1_626_770_697_670);

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A device of the example cloud, recorded.
pub(crate) struct Recorded {
    pub(crate) simulation: Simulation,
    pub(crate) device: DeviceId,
}

impl Recorded {
    pub(crate) fn begin(config: Config) -> Recorded {
        Recorded::begin_masked(config, Mask::default())
    }

    fn begin_masked(config: Config, mask: Mask) -> Recorded {
        let latency = Latency {
            to_cloud: Duration::from_millis(20),
            to_device: Duration::from_millis(30),
        };
        let mut simulation = Simulation::new(|now| Cloud::example(now, WALL), latency);
        simulation.set_tracing(false);
        simulation.set_recording(Some(mask));
        let device = simulation.add_device("lamp", config, Session::new(), 7);
        simulation.run_for(SECOND);
        Recorded { simulation, device }
    }

    pub(crate) fn report(&mut self, patch: &serde_json::Value) {
        self.simulation
            .with(self.device, |engine, now| {
                let shadow = engine.own_shadow().expect("it has one");
                engine.report(now, shadow, patch)
            })
            .expect("it is small");
    }

    pub(crate) fn desire(&mut self, patch: &str) {
        self.simulation
            .set_desired(&example_name(), patch)
            .expect("it is small");
    }

    /// Runs on and accepts each delta.
    pub(crate) fn run_for(&mut self, time: Duration) {
        self.simulation.run_for(time);
        let events = self.simulation.take_events(self.device);
        let deltas = events.into_iter().filter_map(|event| match event {
            Event::Delta(delta) => Some(delta),
            _ => None,
        });
        for delta in deltas.collect::<Vec<Delta>>() {
            self.simulation
                .with(self.device, |engine, now| engine.accept(now, &delta))
                .expect("it was just told");
        }
    }

    pub(crate) fn finish(mut self) -> String {
        let recording = self.simulation.with(self.device, |engine, _| engine.stop());
        recording.expect("it is recorded")
    }
}

/// All a lamp does: connects, reports, asks, updates, is switched, publishes, pings, loses its link,
/// comes back, and is closed.
pub(crate) fn lamp() -> String {
    masked_lamp(Mask::default())
}

/// The same, masked.
pub(crate) fn masked_lamp(mask: Mask) -> String {
    let mut lamp = Recorded::begin_masked(Config::new(&example_device()), mask);
    lamp.report(&json!({"power": false, "colour": {"red": 1, "green": 2.5}}));
    lamp.run_for(SECOND * 4);
    lamp.desire(r#"{"power":true}"#);
    lamp.run_for(SECOND * 5);
    lamp.run_for(SECOND);
    let device = lamp.device;
    lamp.simulation
        .with(device, |engine, now| {
            let shadow = engine.own_shadow().expect("it has one");
            engine.get(now, shadow)?;
            let update = Update::new().reported(json!({"updateCount": 12}));
            engine.update(now, shadow, &update)?;
            let topic = "EXAMPLE001/test01/data";
            engine.publish(now, &Publication::new(topic, b"\x00\xff binary"))
        })
        .expect("there is room");
    lamp.run_for(SECOND * 100);
    lamp.simulation.cut(device);
    lamp.desire(r#"{"power":false,"colour":{"red":9}}"#);
    lamp.run_for(SECOND * 120);
    lamp.simulation
        .with(device, |engine, now| engine.close(now));
    lamp.run_for(SECOND);
    lamp.finish()
}

/// A device that asks something of a cloud that answers nothing: the request times out, and then
/// the link is given up.
pub(crate) fn silence() -> String {
    let mut lamp = Recorded::begin(Config::new(&example_device()));
    let device = lamp.device;
    lamp.simulation
        .set_reachability(device, Reachability::Silent);
    lamp.simulation
        .with(device, |engine, now| {
            let shadow = engine.own_shadow().expect("it has one");
            engine.get(now, shadow)
        })
        .expect("there is room");
    lamp.run_for(SECOND * 200);
    lamp.finish()
}

/// A device in the vendor SDK's profile, which asks for nothing of its own accord: its link is lost
/// after something was desired.
pub(crate) fn without_gets() -> String {
    let mut config = Config::new(&example_device());
    config.behaviour = Behaviour::python_sdk();
    let mut lamp = Recorded::begin(config);
    lamp.report(&json!({"power": false}));
    lamp.run_for(SECOND * 2);
    let device = lamp.device;
    lamp.simulation
        .set_reachability(device, Reachability::Refused);
    lamp.simulation.cut(device);
    lamp.report(&json!({"power": true}));
    lamp.run_for(SECOND * 2);
    lamp.finish()
}

/// A gateway that reports for a sub-device and for itself while it has no link, and is closed.
pub(crate) fn gateway() -> String {
    let bulb = ShadowName::new("EXAMPLE001", "bulb").expect("a short name");
    let known = KnownDevice {
        sub_devices: vec![bulb.clone()],
        ..KnownDevice::new(example_device())
    };
    let config = CloudConfig {
        server: ServerConfig {
            credentials: Credentials::Devices(vec![known]),
            ..ServerConfig::default()
        },
        ..CloudConfig::default()
    };
    let mut simulation = Simulation::new(|now| Cloud::new(config, now, WALL), Latency::NONE);
    simulation.set_recording(Some(Mask::default()));
    let config = Config::new(&example_device());
    let device = simulation.add_device("gateway", config, Session::new(), 7);
    simulation.run_for(SECOND);
    let attached = simulation.with(device, |engine, now| engine.attach(now, &bulb));
    let attached = attached.expect("there is room");
    simulation.run_for(SECOND);
    simulation
        .set_desired(&bulb, r#"{"on":true}"#)
        .expect("it is small");
    simulation.run_for(SECOND);
    simulation.set_reachability(device, Reachability::Refused);
    simulation.cut(device);
    simulation
        .with(device, |engine, now| {
            let own = engine.own_shadow().expect("it has one");
            engine.report(now, own, &json!({"bulbs": 1}))?;
            engine.report(now, attached, &json!({"on": false}))
        })
        .expect("there is room");
    simulation.with(device, |engine, now| engine.close(now));
    simulation.run_for(SECOND);
    let recording = simulation.with(device, |engine, _| engine.stop());
    recording.expect("it is recorded")
}
